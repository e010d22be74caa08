"""A server that answers what it likes, byte for byte, and keeps every byte that it was ever sent.

It lives in the loop of the test. What does not lie goes like Aeries: a token, systeminfo, a record of each collection, schools.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from rosterwatch import oneroster
from tests.leaks import Canaries, Leak

ID: Final = "1d9f3c7ab2e84f60" * 4
SECRET: Final = "5ec2e7a94b1d80cf" * 4
CERTIFICATE: Final = "c3a7f1e5d9b24680ace13579bdf02468"
TOKEN: Final = "70ce4b8d1f2a93e6570ce4b8d1f2a93e"
COOKIE: Final = "c00c1eb4d7f3a2916c00c1eb4d7f3a29"
RECORD: Final = {"sourcedId": "1", "givenName": "Maggie-Simpson-Qx7Zj4"}
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

Liar = Callable[[str], bytes | None]


def canaries() -> Canaries:
    """The values that may go to the named host only."""
    planted = Canaries()
    for name, value in (("id", ID), ("secret", SECRET), ("certificate", CERTIFICATE), ("token", TOKEN), ("cookie", COOKIE)):
        planted.plant(name, value)
    return planted


def respond(document: Any, *headers: str, status: str = "200 OK") -> bytes:
    """An honest answer."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def honest(path: str) -> bytes:
    """What an Aeries in order answers."""
    if path.endswith("/token"):
        return respond({"access_token": TOKEN, "token_type": "bearer"}, f"Set-Cookie: ARRAffinity={COOKIE}; path=/")
    if path.endswith("/systeminfo"):
        return respond({"AeriesVersion": "9.26.11.3"})
    if path.endswith("/schools") and "/api/" in path:
        return respond([{"SchoolCode": 1, "Terms": []}])
    name = path.partition("?")[0].rpartition("/")[2]
    return respond({oneroster.ENVELOPES[name]: [RECORD]} if name in oneroster.ENVELOPES else {}, "X-Total-Count: 1")


def phase_of(path: str) -> str:
    """Which step of a visit a path belongs to."""
    for end, phase in (("/token", "token"), ("/systeminfo", "systeminfo"), ("/api/v5/schools", "certificate")):
        if path.endswith(end):
            return phase
    return "data" if "/ims/oneroster/" in path else "other"


@dataclass
class Impostor:
    """What it was sent, in all and request by request, and how it answers: ``lie`` first, and honestly where that says ``None``.

    ``closes``: each connection ends with its first lie, and says so where it can. ``endless``: the lie is sent again and again
    until the client leaves.
    """

    lie: Liar = lambda _: None
    closes: bool = True
    endless: bool = False
    port: int = 0
    connections: int = 0
    received: bytearray = field(default_factory=bytearray)
    requests: list[tuple[str, bytes]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        with suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError, asyncio.CancelledError
        ):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                self.received += head + body
                path = head.split(b" ", 2)[1].decode("latin-1")
                self.requests.append((path, head + body))
                lie = self.lie(path)
                if lie is not None and self.closes:
                    lie = lie.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
                writer.write(honest(path) if lie is None else lie)
                await writer.drain()
                while lie is not None and self.endless:
                    writer.write(lie)
                    await writer.drain()
                    await asyncio.sleep(0)
                if lie is not None and self.closes:
                    break
        writer.close()

    def leaks(self) -> set[Leak]:
        """Every planted value among all that it was sent."""
        return canaries().found_in(bytes(self.received))


@dataclass
class Bystander:
    """A place that nobody was told to go to. It keeps what it is sent, and says nothing."""

    port: int = 0
    connections: int = 0
    received: bytearray = field(default_factory=bytearray)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        with suppress(ConnectionError, asyncio.CancelledError):
            while data := await reader.read(65_536):
                self.received += data
        writer.close()


@asynccontextmanager
async def listening(one: Impostor | Bystander, context: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    """Let it listen on loopback, with TLS or without."""
    tasks: set[asyncio.Task[Any]] = set()
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        writers.add(writer)
        with suppress(asyncio.CancelledError):
            await one.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, backlog=256)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # in which the loop lets go of them
