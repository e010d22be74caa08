"""A loopback port that stays ours whether or not anything listens on it."""

import asyncio
import socket
import ssl
from contextlib import suppress

from tests.sis.wire import Connection

_QUEUE = 256
#: Where everything listens, unless a host is given another loopback address.
LOOPBACK = "127.0.0.1"


class Port:
    """Holds a port by a socket that is bound and never listens, so that a refused connection is refused by us."""

    def __init__(self, address: str = LOOPBACK) -> None:
        self._address = address
        self._held = _bound(address, 0)
        self.number: int = self._held.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._stuffed: list[socket.socket] = []
        self._inner: Port | None = None

    async def listen(self, connection: Connection, context: ssl.SSLContext | None) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._connections[task] = writer
            try:
                # A connection that is dropped ends quietly; its task ends here either way.
                with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
                    await connection(reader, writer)
            finally:
                del self._connections[task]
                writer.close()

        self._server = await asyncio.start_server(serve, sock=_bound(self._address, self.number), ssl=context, backlog=_QUEUE)

    async def listen_alerting(self, connection: Connection, context: ssl.SSLContext) -> None:
        """Listen, and when the greeting is refused say so by a TLS alert, as servers do and asyncio does not.

        The greeting is tried on a handshake of no consequence. If that fails, its alert is sent; if not, the connection is
        passed on to an inner port where the real one is made.
        """
        self._inner = Port()
        await self._inner.listen(connection, context)
        number = self._inner.number

        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            greeting = await reader.read(65_536)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            incoming.write(greeting)
            try:
                context.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
            except ssl.SSLWantReadError:
                await _pass_on(greeting, reader, writer, number)
            except ssl.SSLError:
                writer.write(outgoing.read())
                await writer.drain()

        await self.listen(greet, None)

    def drop_connections(self) -> None:
        """Listen, accept nobody, and fill the queue: the kernel ignores whoever comes after."""
        listener = _bound(self._address, self.number)
        listener.listen(0)
        self._stuffed.append(listener)
        for _ in range(4):  # more than any kernel queues for a backlog of none
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect((self._address, self.number))
            self._stuffed.append(filler)

    async def stop_listening(self) -> None:
        """Drop the listener and every connection it took."""
        if self._inner is not None:
            await self._inner.stop_listening()
            self._inner.release()
            self._inner = None
        for stuffed in self._stuffed:
            stuffed.close()
        self._stuffed = []
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._connections)
        for task, writer in list(self._connections.items()):
            writer.transport.abort()
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)

    def release(self) -> None:
        self._held.close()


async def _pass_on(first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, number)
    inner_writer.write(first)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()

    ways = [asyncio.ensure_future(pump(reader, inner_writer)), asyncio.ensure_future(pump(inner_reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        inner_writer.close()


def _bound(address: str, number: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # What it accepts inherits this. Without it head and body wait for each other's acknowledgement, 40 ms an answer.
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.bind((address, number))
    return one
