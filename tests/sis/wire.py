"""A bare HTTP/1.1 server, for everything a good HTTP library refuses to do wrong. Each kind of fault is one function.

`wire` kinds write one answer wrongly; the connection is closed after it. `host` kinds are what a connection meets
instead of a TLS server. A client's departure ends any of them.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from http import HTTPStatus

from tests.sis.exchange import Answer, Request
from tests.sis.faults import kind

Connection = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Answering = Callable[[Request], AbstractAsyncContextManager[Answer]]

HEAD_END = b"\r\n\r\n"


async def serve_http1(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answering: Answering, connection: str, tls: bool
) -> None:
    """Answer requests on one connection until it ends, or until an answer was written wrongly."""
    while True:
        try:
            head = await reader.readuntil(HEAD_END)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        try:
            request = _request(head, connection, tls)
            body = await reader.readexactly(int(request.header("content-length") or "0"))
        except ValueError:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            return
        async with answering(replace(request, body=body)) as answer:
            if answer.wire is not None:
                await answer.wire.kind.run(answer, reader, writer, **answer.wire.parameters)
                return
            await _write_honestly(answer, writer)


def _request(head: bytes, connection: str, tls: bool) -> Request:
    """What a head says, the body still to come. ValueError: it is not HTTP."""
    first, *rest = head[: -len(HEAD_END)].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = tuple((name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in rest))
    return Request(method, target, headers, b"", "1.1", connection, tls)


async def _write_honestly(answer: Answer, writer: asyncio.StreamWriter) -> None:
    chunked = answer.header("Content-Length") is None
    writer.write(_head(answer.with_headers(("Transfer-Encoding", "chunked")) if chunked else answer))
    async for piece in _pieces(answer):
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def _head(answer: Answer, status_line: str | None = None) -> bytes:
    try:
        reason = HTTPStatus(answer.status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [
        status_line or f"HTTP/1.1 {answer.status} {reason}",
        *(f"{name}: {value}" for name, value in answer.headers),
    ]
    return "\r\n".join(lines).encode("latin-1") + HEAD_END


async def _pieces(answer: Answer) -> AsyncIterator[bytes]:
    if isinstance(answer.body, bytes):
        yield answer.body
    else:
        async for piece in answer.body():
            if piece:
                yield piece


async def _whole(answer: Answer) -> bytes:
    return b"".join([piece async for piece in _pieces(answer)])


def _without_length(answer: Answer, *headers: tuple[str, str]) -> Answer:
    kept = tuple((name, value) for name, value in answer.headers if name.lower() != "content-length")
    return Answer(answer.status, kept + headers)


def _departed(reader: asyncio.StreamReader) -> bool:
    """Whether the client has closed or lost the connection."""
    return reader.at_eof() or reader.exception() is not None


async def _until_client_leaves(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


async def _slowly(data: bytes, writer: asyncio.StreamWriter, seconds: float) -> None:
    for byte in data:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(seconds)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side gets a RST: with a linger of zero seconds nothing is sent in order."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


# --- one answer, written wrongly ------------------------------------------------------------------------------------


async def _begin(answer: Answer, writer: asyncio.StreamWriter, after: str) -> None:
    """Write what comes before the break: `nothing`, the `head`, or the head and `half` of the body."""
    if after == "nothing":
        return
    body = await _whole(answer)
    writer.write(_head(_without_length(answer, ("Content-Length", str(len(body))))))
    if after == "half":
        writer.write(body[: len(body) // 2])
    await writer.drain()


@kind("wire")
async def drip_headers(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, seconds: float = 1.0) -> None:
    """The head a byte at a time."""
    await _slowly(_head(answer), writer, seconds)
    writer.write(await _whole(answer))
    await writer.drain()


@kind("wire")
async def stalls(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, after: str = "nothing") -> None:
    """Stops after `nothing`, the `head` or `half` the body, and keeps the connection open."""
    await _begin(answer, writer, after)
    await _until_client_leaves(reader)


@kind("wire")
async def closes(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, after: str = "nothing") -> None:
    """Closes the connection after `nothing`, the `head` or `half` the body."""
    await _begin(answer, writer, after)


@kind("wire")
async def resets(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, after: str = "nothing") -> None:
    """Resets the connection after `nothing`, the `head` or `half` the body."""
    await _begin(answer, writer, after)
    await asyncio.sleep(0.05)  # or else the reset overtakes what was written before it
    _reset(writer)


@kind("wire")
async def wrong_length(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, by: int = 1000) -> None:
    """Content-Length is off by so many bytes: more than comes, or less (negative)."""
    body = await _whole(answer)
    writer.write(_head(_without_length(answer, ("Content-Length", str(max(0, len(body) + by))))) + body)
    await writer.drain()


@kind("wire")
async def chunk_lies(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, lie: str = "no_end") -> None:
    """A chunked body with `no_end`, a `short` chunk, a size that is no `number`, or a Content-`length` beside it."""
    body = await _whole(answer)
    extra = [("Transfer-Encoding", "chunked")]
    size = {"short": b"%x" % (len(body) + 500), "number": b"0xZZ"}.get(lie, b"%x" % len(body))
    end = b"0\r\n\r\n" if lie == "length" else b""
    if lie == "length":
        extra.append(("Content-Length", "3"))
    writer.write(_head(_without_length(answer, *extra)) + size + b"\r\n" + body + b"\r\n" + end)
    await writer.drain()


@kind("wire")
async def garbage(
    answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, text: str = "SSH-2.0-OpenSSH_9.6\r\n"
) -> None:
    """Something that is not HTTP."""
    writer.write(text.encode("latin-1"))
    await writer.drain()


@kind("wire")
async def huge_headers(
    answer: Answer,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    kilobytes: int = 10_240,
    count: int = 1,
) -> None:
    """So many kilobytes of headers, in one or in `count` of them, then the honest answer."""
    head = _head(answer)[: -len(HEAD_END)]
    writer.write(head)
    for number in range(count):
        writer.write(f"\r\nX-Padding-{number}: ".encode())
        for _ in range(max(1, kilobytes // count // 16)):
            writer.write(b"x" * min(16_384, kilobytes * 1024 // count))
            await writer.drain()
            await asyncio.sleep(0)
            if _departed(reader):
                return
    writer.write(HEAD_END + await _whole(answer))
    await writer.drain()


# --- a host that is no TLS server -----------------------------------------------------------------------------------


@kind("host")
async def resets_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads the greeting and resets the connection."""
    await reader.read(65_536)
    _reset(writer)


@kind("host")
async def closes_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads the greeting and closes the connection."""
    await reader.read(65_536)


@kind("host")
async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and never says a word."""
    await _until_client_leaves(reader)


@kind("host")
async def not_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks plain HTTP on the port where TLS belongs."""
    await reader.read(65_536)
    page = b"<html><head><title>400 Bad Request</title></head></html>"
    writer.write(
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
        % (len(page), page)
    )
    await writer.drain()


@kind("host")
async def drips_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, seconds: float = 1.0) -> None:
    """Begins a TLS answer of 16 kilobytes and sends it a byte at a time."""
    await reader.read(65_536)
    await _slowly(b"\x16\x03\x03\x3f\xff" + b"\x02" * 16_000, writer, seconds)


@kind("host")
async def refuses() -> None:
    """Nothing listens: connections are refused. The port stays ours."""


@kind("host")
async def drops_connections() -> None:
    """Connections are neither accepted nor refused, as behind a firewall that drops: the listener's queue is full."""


@kind("host")
async def certificate(*, kind: str = "expired", protocol: str = "modern", days: float = 7.0) -> None:
    """A TLS server with one of `certificates.CERTIFICATES` (`days` are for `expiring`) and of `certificates.PROTOCOLS`."""
