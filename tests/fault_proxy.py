"""A proxy in front of the local AWS, through which the functions' calls go, and in which they can go wrong.

    proxy = FaultProxy()
    with local_aws(parameters, through=proxy) as aws:
        with proxy.weather(Storm(seed=1, rate=0.1)):
            aws.invoke("CheckFunction", ...)
        assert proxy.struck[Kind.LOST]

It speaks TLS with the local AWS's own certificate, listens on loopback, and tells which function a call comes from: the peer's
port leads to a process of the emulator's session, which is also how a function is killed in the middle of a call. That takes
Linux; without it no call has a function's name.
"""

from __future__ import annotations

import enum
import http.client
import os
import select
import signal
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from tests.aws_answers import Answer, Part, failure, sent_messages

#: How long the local AWS may take for one call.
_PATIENCE: Final = 60


class Kind(enum.StrEnum):
    """What goes wrong with a call."""

    THROTTLED = "throttled"
    FAILED = "failed"
    CONFLICT = "in conflict"
    CUT = "cut before it was made"
    LOST = "made, its answer lost"
    LATE = "late"
    PARTIAL = "refused in part"
    KILLED_BEFORE = "its function killed before it was made"
    KILLED_AFTER = "its function killed after it was made"
    STALLED = "its answer held back past the function's timeout"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault for one call. ``code`` names the error, ``chance`` is for what is left to chance, ``seconds`` how long it waits."""

    kind: Kind
    code: str = ""
    chance: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function: ``number`` counts those of the same operation by the same function, ``pid`` is its process."""

    function: str
    service: str
    operation: str
    number: int
    pid: int | None

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return not self.operation.startswith(("Get", "BatchGet", "Query", "List", "Describe"))

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"


Weather = Callable[[Call], Fault | None]


@dataclass
class FaultProxy:
    """What is counted here lasts as long as the proxy. ``sent`` counts the messages that the functions have really sent."""

    calls: list[Call] = field(default_factory=list)
    struck: Counter[Kind] = field(default_factory=Counter)
    struck_calls: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    problems: list[BaseException] = field(default_factory=list)
    _weather: Weather | None = None
    _numbers: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def weather(self, weather: Weather) -> Iterator[None]:
        """Let calls go wrong as ``weather`` decides, until the end of the block."""
        self._weather = weather
        try:
            yield
        finally:
            self._weather = None

    @contextmanager
    def running(self, upstream: int, workspace: Path, certificate: Path, key: Path) -> Iterator[str]:
        """Stand in front of the local AWS on a port of this machine. Yields the address to send the functions to."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = _Server(self, context, upstream, workspace)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="fault proxy")
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def enter(self, function: str, service: str, operation: str, pid: int | None) -> tuple[Call, Fault | None]:
        """Count a call, and decide what becomes of it."""
        with self._lock:
            name = (function, f"{service}:{operation}")
            self._numbers[name] += 1
            call = Call(function, service, operation, self._numbers[name], pid)
            self.calls.append(call)
            fault = self._weather(call) if self._weather else None
            return call, fault

    def count(self, call: Call, kind: Kind) -> None:
        """Count a fault that has really struck."""
        with self._lock:
            self.struck[kind] += 1
            self.struck_calls[str(call)] += 1

    def count_sent(self, messages: int) -> None:
        """Count messages that the local AWS has taken."""
        with self._lock:
            self.sent += messages


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: FaultProxy, context: ssl.SSLContext, upstream: int, workspace: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy, self.context, self.upstream, self.workspace = proxy, context, upstream, workspace
        self.trusted = ssl.create_default_context(cafile=str(workspace / "ca.pem"))

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        # The handshake happens at the first read, on the connection's own thread.
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        # A client that goes away, as killed ones do, is no mistake of ours.
        if error is not None and not isinstance(error, OSError):
            self.proxy.problems.append(error)


class _Handler(BaseHTTPRequestHandler):
    """One connection of one function."""

    protocol_version = "HTTP/1.1"
    server: _Server
    _process: tuple[int | None, str] | None = None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pid, function = self._caller()
        service, operation = self._named(body)
        call, fault = self.server.proxy.enter(function, service, operation, pid)
        if fault is None:
            self._give(self._forward(call, body))
        else:
            self._strike(call, fault, body)

    do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815 - the names that http.server asks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in http.server
        """Say nothing."""

    def _strike(self, call: Call, fault: Fault, body: bytes) -> None:  # noqa: PLR0911 - one way out for each kind
        kind, proxy = fault.kind, self.server.proxy
        if kind is Kind.PARTIAL:
            part = Part.of(str(call), body, fault.chance)
            if part is None:  # it has no parts
                return self._give(self._forward(call, body))
            proxy.count(call, kind)
            return self._give(part.join(self._forward(call, part.body)) if part.body is not None else part.alone())
        if kind in (Kind.KILLED_BEFORE, Kind.KILLED_AFTER):
            if call.pid is None:
                return self._give(self._forward(call, body))
            if kind is Kind.KILLED_AFTER:
                self._forward(call, body)
            proxy.count(call, kind)
            _kill(call.pid)
            return self._hang_up()
        proxy.count(call, kind)
        if kind in (Kind.THROTTLED, Kind.FAILED, Kind.CONFLICT):
            return self._give(failure(call.service, fault.code))
        if kind is Kind.CUT:
            return self._hang_up()
        answer = self._forward(call, body)
        if kind is Kind.LATE:
            time.sleep(fault.seconds)
            return self._give(answer)
        if kind is Kind.STALLED:
            # Until the function is gone: its end of the connection closes with it.
            select.select([self.connection], [], [], fault.seconds)
        return self._hang_up()

    def _forward(self, call: Call, body: bytes) -> Answer:
        """Make the call. A connection of its own: none is ever found closed, and no call is ever made twice."""
        upstream = http.client.HTTPSConnection("127.0.0.1", self.server.upstream, timeout=_PATIENCE, context=self.server.trusted)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_CONNECTION}
            upstream.request(self.command, self.path, body, headers | {"Connection": "close"})
            response = upstream.getresponse()
            kept = {name: value for name, value in response.getheaders() if name.lower() not in _OF_THE_CONNECTION}
            answer = Answer(response.status, kept, response.read())
        finally:
            upstream.close()
        self.server.proxy.count_sent(sent_messages(str(call), answer))
        return answer

    def _give(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _hang_up(self) -> None:
        self.close_connection = True

    def _named(self, body: bytes) -> tuple[str, str]:
        """The service and the operation of a call."""
        if target := self.headers.get("X-Amz-Target"):
            protocol, _, operation = target.partition(".")
            return _SERVICES.get(protocol, protocol), operation
        scope = self.headers.get("Authorization", "").split("/")
        service = scope[3] if len(scope) > 3 else "unknown"
        return service, parse_qs(body.decode(errors="replace")).get("Action", [self.path])[0]

    def _caller(self) -> tuple[int | None, str]:
        """The process at the other end and its function's name; it stays the same as long as the connection."""
        if self._process is None:
            pid = _peer(self.server.workspace, self.client_address[1], self.server.server_address[1])
            self._process = (pid, _function(pid) if pid else "")
        return self._process


_OF_THE_CONNECTION: Final = ("connection", "content-length", "transfer-encoding", "keep-alive", "expect", "date", "server")
_SERVICES: Final = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs"}


def _peer(workspace: Path, port: int, ours: int) -> int | None:
    """The process of the emulator's session that holds the other end of a connection."""
    ends = f"0100007F:{port:04X}", f"0100007F:{ours:04X}"
    try:
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        [inode] = [row[9] for row in rows if (row[1], row[2]) == ends]
        session = (workspace / "emulator.pid").read_text()
    except (OSError, ValueError):
        return None
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and _session(process) == session and f"socket:[{inode}]" in _open_files(process):
            return int(process.name)
    return None


def _session(process: Path) -> str:
    with suppress(OSError):
        return (process / "stat").read_text().rpartition(")")[2].split()[3]
    return ""


def _open_files(process: Path) -> set[str]:
    found = set()
    with suppress(OSError):
        for link in (process / "fd").iterdir():
            with suppress(OSError):
                found.add(str(link.readlink()))
    return found


def _function(pid: int) -> str:
    """The name of a process's function, without the stack's name before it."""
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            name, _, value = entry.partition(b"=")
            if name == b"AWS_LAMBDA_FUNCTION_NAME":
                return value.decode().partition("-")[2]
    return ""


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
