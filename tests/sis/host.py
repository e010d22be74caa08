"""A host: one TLS port with many districts below it, and a plain port beside it. Loopback only."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from hypercorn.utils import wrap_app

from tests.sis.bodies import IIS_404
from tests.sis.certificates import Authority
from tests.sis.dialect import Place
from tests.sis.exchange import Answer, Request, html_answer, json_answer
from tests.sis.faults import Fault
from tests.sis.ledger import Ledger
from tests.sis.port import LOOPBACK, Port
from tests.sis.wire import Connection, serve_http1

if TYPE_CHECKING:
    from tests.sis.district import District


class Host:
    """Serves the districts it is given, over HTTP/2 and HTTP/1.1, until it is told to break.

    `fail` takes a fault of level `host`; `heal` takes it away. Either drops every open connection, so that a client
    which keeps one alive feels the change too. Both may be called from any thread but the server's own.
    """

    def __init__(self, name: str, address: str, authority: Authority, ledger: Ledger, listens_at: str = LOOPBACK) -> None:
        self.name = name
        self._address = address  # the name or number in its URLs
        self._listens_at = listens_at
        self._authority = authority
        self._ledger = ledger
        self._districts: dict[str, District] = {}
        self.fault: Fault | None = None
        self.plain = "redirect"  # what the plain port does: redirect (301 to https), or serve
        self.problems: list[BaseException] = []  # the simulation's own mistakes; a test may look
        self._ports: list[Port] = []
        self._config = Config()
        self._config.include_date_header = self._config.include_server_header = False
        self._config.errorlog = None
        self._config.keep_alive_timeout = 60.0
        self._app = wrap_app(self._asgi, 0, "asgi")

    @property
    def origin(self) -> str:
        return f"https://{self._address}:{self.port}"

    @property
    def plain_origin(self) -> str:
        return f"http://{self._address}:{self.plain_port}"

    @property
    def port(self) -> int:
        return self._ports[0].number

    @property
    def plain_port(self) -> int:
        return self._ports[1].number

    def add(self, district: "District") -> None:
        if district.base_path in self._districts:
            raise ValueError(f"{self.name} already has a district at {district.base_path}")
        self._districts[district.base_path] = district
        district.host, district.origin = self, self.origin

    # --- breaking and mending ----------------------------------------------------------------------------------------

    def fail(self, fault: Fault | str, /, **parameters: object) -> None:
        """Break the listener; the last such fault counts."""
        self.fault = Fault.named(fault, **parameters) if isinstance(fault, str) else fault  # type: ignore[arg-type]
        self.refresh()

    def heal(self) -> None:
        self.fault = None
        self.refresh()

    def refresh(self) -> None:
        """Listen anew, as the faults of the host and of its districts demand."""
        self._wait_for(self._listen())

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ports = [Port(self._listens_at), Port(self._listens_at)]
        await self._listen()

    async def close(self) -> None:
        for port in self._ports:
            await port.stop_listening()
            port.release()

    async def _listen(self) -> None:
        secure, plain = self._ports
        await secure.stop_listening()
        await plain.stop_listening()
        fault = self.fault
        if fault is None or fault.name == "certificate":
            await self._listen_well(secure, fault)
            await plain.listen(self._hypercorn, None)
        elif fault.name == "drops_connections":
            secure.drop_connections()
        elif fault.name != "refuses":
            await secure.listen(self._broken(fault), None)

    async def _listen_well(self, port: Port, fault: Fault | None) -> None:
        """Listen for TLS, under a certificate that a fault may have chosen."""
        words = [fault.parameter(name) for name in ("kind", "protocol", "days")] if fault else []
        context = self._authority.context(*words)
        if any(district.faults.on_the_wire for district in self._districts.values()):
            context.set_alpn_protocols(["http/1.1"])
            await port.listen(self._bare, context)
            return
        context.set_alpn_protocols(["h2", "http/1.1"])
        listen = port.listen_alerting if fault and fault.parameter("protocol") == "old" else port.listen
        await listen(self._hypercorn, context)

    # --- serving -----------------------------------------------------------------------------------------------------

    def _broken(self, fault: Fault) -> Connection:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._ledger.connected(self.name)
            await fault.kind.run(reader, writer, **fault.parameters)

        return run

    async def _hypercorn(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ledger.connected(self.name)
        await TCPServer(self._app, self._loop, self._config, WorkerContext(None), {}, reader, writer)

    async def _bare(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ledger.connected(self.name)
        client = writer.get_extra_info("peername")[1]
        await serve_http1(reader, writer, self.answering, f"{self.name}:{client}", tls=True)

    @asynccontextmanager
    async def answering(self, request: Request) -> AsyncIterator[Answer]:
        """The answer to a request, noted in the ledger until its last byte is out."""
        district = self._district_for(request.path)
        place = district.place(request) if district else Place("other", request.path)
        name = district.name if district else None
        with self._ledger.serving(self.name, name, place.phase, place.collection, request):
            try:
                answer = self._answer(request, district)
            except Exception as problem:  # noqa: BLE001 - kept for the test to see; the client gets its 500
                self.problems.append(problem)
                answer = json_answer(500, {"Message": "The simulation itself failed."})
            self._ledger.answered(name, answer.status)
            if answer.delay:
                await asyncio.sleep(answer.delay)
            yield _complete(answer)

    def _answer(self, request: Request, district: "District | None") -> Answer:
        if not request.tls and self.plain == "redirect":
            return html_answer(301, "<h2>Object moved</h2>", ("Location", f"{self.origin}{request.target}"))
        return district.answer(request) if district else html_answer(404, IIS_404)

    def _district_for(self, path: str) -> "District | None":
        """The district with the longest base path that the path lies below."""
        while path:
            if path in self._districts:
                return self._districts[path]
            path = path.rpartition("/")[0]
        return self._districts.get("")

    async def _asgi(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        query = scope["query_string"]
        target = scope["raw_path"].decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        client = (scope["client"] or ("", 0))[1]
        request = Request(
            scope["method"], target, headers, body, scope["http_version"], f"{self.name}:{client}",
            tls=scope["scheme"] == "https",
        )  # fmt: skip
        sending = asyncio.ensure_future(self._send(request, send))
        leaving = asyncio.ensure_future(_departure(receive))
        try:
            # A client that leaves ends its answer: an endless body would otherwise be made for nobody.
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not sending.done():
                sending.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await sending

    async def _send(self, request: Request, send: ASGISendCallable) -> None:
        async with self.answering(request) as answer:
            headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            if isinstance(answer.body, bytes):
                await send({"type": "http.response.body", "body": answer.body, "more_body": False})
                return
            async for piece in answer.body():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                # To a client that left, sending never waits; nobody could tell us so, were it not for this.
                await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _departure(receive: ASGIReceiveCallable) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _complete(answer: Answer) -> Answer:
    """With the headers every answer has."""
    now = datetime.now(UTC) + timedelta(seconds=answer.clock_skew)
    extra = [("Date", format_datetime(now, usegmt=True)), ("Server", "Microsoft-IIS/10.0")]
    if isinstance(answer.body, bytes) and answer.header("Content-Length") is None:
        extra.append(("Content-Length", str(len(answer.body))))
    return answer.with_headers(*extra)
