"""Bytes over a real socket, as the answer to a real request of the real client."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from rosterwatch import rules
from rosterwatch.causes import CAUSES
from rosterwatch.client import BODY_CAP_BYTES, Client, Network
from rosterwatch.observation import BodyKind, Collection, CollectionState, Exchange, Fault, Phase
from rosterwatch.probe import _read_collection
from tests.fuzz.chance import PLANTED, Chance

#: So many answers share a listener and a client's making.
BATCH: Final = 50
_BODY: Final = b'{"orgs":[{"sourcedId":"1","name":"%b"}]}' % PLANTED.encode()
_HONEST: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Tue, 06 Oct 2026 14:05:00 GMT\r\nX-Total-Count: 7\r\n"
    b"Set-Cookie: ARRAffinity=%b\r\nContent-Length: %d\r\n\r\n%b" % (PLANTED.encode(), len(_BODY), _BODY)
)
_CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(_BODY), _BODY)
_REDIRECT: Final = b"HTTP/1.1 302 Found\r\nLocation: @ELSEWHERE@/%b?x=%b\r\nContent-Length: 0\r\n\r\n" % ((PLANTED.encode(),) * 2)
_OTHERS: Final = (
    b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/0.9 200 OK\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/1.1 200\r\n\r\n", b"HTTP/1.1 99 x\r\n\r\n", b"HTTP/1.1 1000 x\r\n\r\n",
    b"HTTP/1.1 -20 x\r\n\r\n", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nabcde", b"\r\n\r\n", b"\n",
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate, Basic realm=\"%b\"\r\nContent-Length: 0\r\n\r\n" % PLANTED.encode(),
    b"HTTP/1.1 429 Too Many\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n", b"\x16\x03\x03\x00\x02\x01\x00",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", b"SSH-2.0-OpenSSH_9.6\r\n",
    b"<html><title>x</title></html>", b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nabcde",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 9_000 + b"\r\na\r\n0\r\n\r\n",
)  # fmt: skip


def _answer(chance: Chance) -> bytes:
    kind = chance.randrange(10)
    if kind == 0:
        return chance.randbytes(chance.randrange(200))
    base = chance.choice((_HONEST, _HONEST, _CHUNKED, _REDIRECT, chance.choice(_OTHERS)))
    if kind < 3:
        return chance.choice(_OTHERS[:3]) * chance.choice((1, 1, 50)) + base
    if kind < 5:
        return base + chance.choice((_HONEST, _CHUNKED, b"\x00", *_OTHERS))
    if kind == 5:
        head, _, rest = base.partition(b"\r\n")
        odd = f"{chance.text()}:{chance.text()}\r\n".encode("utf-8", "surrogatepass")
        return head + b"\r\n" + odd + rest
    return base if kind == 6 else chance.bytes_like(base)


@dataclass
class Listener:
    """A server of one answer, and all that it was sent."""

    answer: bytes = b""
    resets: bool = False
    requests: int = 0
    received: bytearray = field(default_factory=bytearray)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, answer and leave."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.received += await reader.readuntil(b"\r\n\r\n")
            self.requests += 1  # a connection alone may be another program's, which has not noticed that the port is ours now
            writer.write(self.answer)
            await writer.drain()
        if self.resets:
            raw: Any = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()


def answers(chance: Chance) -> None:
    """Whatever bytes come back, there is one fault or one answer, and one request was sent to one place."""
    asyncio.run(_batch(chance))


async def _here(host: str, port: int) -> list[str]:
    assert host == "sis.example.org", f"nobody asked for {host}:{port}"
    return ["127.0.0.1"]


async def _batch(chance: Chance) -> None:
    named, other = Listener(), Listener(_HONEST)
    server = await asyncio.start_server(named.serve, "127.0.0.1", 0)
    elsewhere = await asyncio.start_server(other.serve, "127.0.0.1", 0)
    ports = [one.sockets[0].getsockname()[1] for one in (server, elsewhere)]
    loop = asyncio.get_running_loop()
    network = Network(allow_private=True, resolver=_here)
    try:
        for number in range(BATCH):
            raw = _answer(chance).replace(b"@ELSEWHERE@", b"http://127.0.0.1:%d" % ports[1])
            named.answer, named.resets, named.requests = raw, chance.one_in(20), 0
            named.received.clear()
            async with Client(network, loop.time() + 10) as client:
                url = f"http://sis.example.org:{ports[0]}/orgs?limit=1"
                headers = {"Authorization": f"Bearer {PLANTED}"}
                answer = await client.send(Phase.COLLECTION, "GET", url, target="/orgs", headers=headers)
            try:
                _check(raw, answer.exchange, _read_collection("orgs", True, answer), named)
            except AssertionError as error:
                raise AssertionError(f"answer {number} of the batch: {raw!r} became {answer.exchange}") from error
        assert other.requests == 0
        assert other.received == b""
    finally:
        for one in (server, elsewhere):
            one.close()
            await one.wait_closed()


def _check(raw: bytes, exchange: Exchange, found: Collection, named: Listener) -> None:
    assert named.requests == 1
    assert named.received.count(PLANTED.encode()) == 1
    assert (exchange.fault is None) == (exchange.status is not None)
    assert PLANTED.lower() not in repr((exchange, found)).lower()
    cause = rules.at_collection(found)
    assert cause is None or cause in CAUSES
    assert exchange.body.size <= BODY_CAP_BYTES + 65_536
    if exchange.fault is not None:
        assert exchange.fault in (Fault.RESET, Fault.PROTOCOL)
        assert found.state is CollectionState.BROKEN
    else:
        assert b"HTTP/" in raw
        assert 100 <= (exchange.status or 0) <= 999
    if found.state is CollectionState.OK:
        assert exchange.body.kind is BodyKind.OBJECT
        assert b"sourcedId" in raw
    if raw == _HONEST and not named.resets:
        assert found.state is CollectionState.OK
        assert (found.records, found.total) == (1, 7)
    if raw == _CHUNKED[:-5] and not named.resets:
        assert exchange.body.kind is BodyKind.TRUNCATED
