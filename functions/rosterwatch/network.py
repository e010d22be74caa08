"""The way to a host: its addresses resolved and checked, connected to exactly as checked, failures told apart.

A name is resolved once per connection and the connection goes to the address that was checked, so that a DNS answer that
changes in between (rebinding) cannot lead anywhere else.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import httpcore
import httpx

from rosterwatch.observation import Fault

#: ``(host, port) -> addresses``; raises ``socket.gaierror`` as ``getaddrinfo`` does. The seam where tests put their own DNS.
Resolver = Callable[[str, int], Awaitable[list[str]]]

_CONNECT_SHARE_SECONDS: Final = 2.0  # each address of a host gets at least this much of the connect timeout
# Its own pool, and a wide one: a name server that hangs for one district must not hold up the look-ups of the others.
_DNS_THREADS: Final = 64
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
# Whatever the stack allows: AWS's own services beside the link-local ones, a local NAT64 or Teredo that may lead to those, and
# site-local.
_NEVER: Final = tuple(map(ipaddress.ip_network, ("fd00:ec2::/32", "64:ff9b:1::/48", "2001::/32", "fec0::/10")))


class AddressNotAllowedError(Exception):
    """When a host has no address that may be reached: all are private, loopback, link-local or reserved."""


def system_resolver() -> Resolver:
    """The operating system's resolver, in threads of its own."""
    threads = ThreadPoolExecutor(_DNS_THREADS, thread_name_prefix="dns")

    async def resolve(host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    return resolve


def is_allowed(address: str, *, allow_private: bool) -> bool:
    """Whether an address may be connected to. Link-local ones never: that is where clouds keep their metadata service."""
    try:
        ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):  # look at the IPv4 address that a mapped or translated one leads to
        embedded = ip.ipv4_mapped or ip.sixtofour or (ipaddress.IPv4Address(ip.packed[-4:]) if ip in _NAT64 else None)
        ip = embedded or ip
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or any(ip in network for network in _NEVER):
        return False
    if ip.is_global and not ip.is_reserved:
        return True
    return allow_private and (ip.is_private or ip.is_loopback)


class _Connection(httpcore.AsyncNetworkStream):
    """A connection before TLS. httpcore forgets to close it when it is cancelled in the middle of the handshake."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
    ) -> httpcore.AsyncNetworkStream:
        """Go over to TLS, or close."""
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except asyncio.CancelledError:
            await self._stream.aclose()
            raise

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's interface
        """As httpcore asks of a stream."""
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's interface
        """As httpcore asks of a stream."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """As httpcore asks of a stream."""
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        """As httpcore asks of a stream."""
        return self._stream.get_extra_info(info)


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only, one after the other, within the connect timeout."""

    def __init__(self, resolver: Resolver, *, allow_private: bool) -> None:
        self._resolver = resolver
        self._allow_private = allow_private
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check and connect. Raises AddressNotAllowedError, socket.gaierror, and httpcore's connection errors."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + (timeout if timeout is not None else 3600.0)
        try:
            async with asyncio.timeout_at(ends):
                found = await self._resolver(host, port)
        except TimeoutError as error:
            raise socket.gaierror(socket.EAI_AGAIN, "no answer in time") from error
        addresses = [address for address in found if is_allowed(address, allow_private=self._allow_private)]
        if not addresses:
            raise AddressNotAllowedError
        failure: Exception | None = None
        for position, address in enumerate(addresses):
            share = max((ends - loop.time()) / (len(addresses) - position), _CONNECT_SHARE_SECONDS)
            try:
                return _Connection(await self._backend.connect_tcp(address, port, share, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = failure or error  # the preferred address's story is the one to tell
        assert failure is not None  # noqa: S101 - the loop ran at least once and did not return
        raise failure

    async def sleep(self, seconds: float) -> None:
        """As httpcore asks of a backend."""
        await asyncio.sleep(seconds)


class _Stream(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        """Let go of the response."""
        await self._stream.aclose()


class CheckedTransport(httpx.AsyncBaseTransport):
    """httpx's transport with the checked connections above; it raises httpcore's exceptions, for ``fault_of`` to read."""

    def __init__(self, context: ssl.SSLContext, resolver: Resolver, *, allow_private: bool, connections: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=connections,
            http1=True,
            http2=False,  # httpcore never resets a stream that is given up: the server would go on sending on it
            network_backend=_CheckedBackend(resolver, allow_private=allow_private),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request over a checked connection. Raises httpcore's exceptions and those of the checks."""
        url = request.url
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        # httpx makes the request that a redirect asks for even if it is not to be followed, and fails where no such request can be
        # made. So it never learns of the address: that goes round it.
        headers = [(name, value) for name, value in answer.headers if name.lower() != b"location"]
        location = next((value for name, value in answer.headers if name.lower() == b"location"), None)
        extensions = dict(answer.extensions)
        if location is not None:
            extensions["location"] = location.decode("utf-8", errors="replace")
        return httpx.Response(answer.status, headers=headers, stream=_Stream(answer.stream), extensions=extensions)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


# OpenSSL's verify codes, https://docs.openssl.org/3.0/man1/openssl-verification-options/
_VERIFY_FAULTS: Final = {
    9: Fault.TLS_NOT_YET_VALID,
    10: Fault.TLS_EXPIRED,
    18: Fault.TLS_SELF_SIGNED,
    19: Fault.TLS_SELF_SIGNED,
    20: Fault.TLS_INCOMPLETE_CHAIN,
    21: Fault.TLS_INCOMPLETE_CHAIN,
    62: Fault.TLS_WRONG_NAME,
    64: Fault.TLS_WRONG_NAME,
}
_NOT_TLS: Final = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "UNEXPECTED_MESSAGE")
_TOO_OLD: Final = (
    "UNSUPPORTED_PROTOCOL",
    "PROTOCOL_VERSION",
    "HANDSHAKE_FAILURE",
    "NO_CIPHERS_AVAILABLE",
    "KEY_TOO_SMALL",
    "UNSAFE_LEGACY_RENEGOTIATION",
    "INSUFFICIENT_SECURITY",
    "WRONG_SIGNATURE_TYPE",
    "VERSION_TOO_LOW",
)
_DNS_NOT_FOUND: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


def fault_of(error: BaseException) -> Fault:
    """The fault behind an exception of the transport, from the first link of its cause chain that tells."""
    link: BaseException | None = error
    seen: set[int] = set()
    in_tls = False
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        in_tls = in_tls or isinstance(link, ssl.SSLWantReadError | ssl.SSLWantWriteError)
        fault = _fault_of_link(link)
        if fault is not None:
            return fault
        link = link.__cause__ or link.__context__
    if in_tls and isinstance(error, TimeoutError | httpcore.TimeoutException):
        return Fault.READ_TIMEOUT  # connected, and then TLS waited in vain: no firewall that drops, but a server that hangs
    return _FALLBACKS.get(type(error), Fault.PROTOCOL)


_FALLBACKS: Final[dict[type[BaseException], Fault]] = {
    httpcore.ConnectTimeout: Fault.CONNECT_TIMEOUT,
    httpcore.PoolTimeout: Fault.CONNECT_TIMEOUT,
    httpcore.ConnectError: Fault.RESET,
    httpcore.ReadTimeout: Fault.READ_TIMEOUT,
    httpcore.WriteTimeout: Fault.READ_TIMEOUT,
    TimeoutError: Fault.READ_TIMEOUT,
    httpcore.ReadError: Fault.RESET,
    httpcore.WriteError: Fault.RESET,
}


def _fault_of_link(link: BaseException) -> Fault | None:  # noqa: C901, PLR0911, PLR0912 - one return a kind of failure reads best
    if isinstance(link, AddressNotAllowedError):
        return Fault.ADDRESS_NOT_ALLOWED
    if isinstance(link, socket.gaierror):
        return Fault.DNS_NOT_FOUND if link.errno in _DNS_NOT_FOUND else Fault.DNS_FAILING
    if isinstance(link, UnicodeError):
        return Fault.DNS_NOT_FOUND  # no name at all, such as an ``xn--`` that no international name is written as
    if isinstance(link, ssl.SSLCertVerificationError):
        return _VERIFY_FAULTS.get(link.verify_code, Fault.TLS_FAILED)
    if isinstance(link, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Fault.RESET
    if isinstance(link, ssl.SSLWantReadError | ssl.SSLWantWriteError):
        return None  # TLS waiting for the other side, which is no failure by itself
    if isinstance(link, ssl.SSLError):
        reason = (link.reason or "").upper()
        if any(word in reason for word in _NOT_TLS):
            return Fault.TLS_NOT_SPOKEN
        return Fault.TLS_TOO_OLD if any(word in reason for word in _TOO_OLD) else Fault.TLS_FAILED
    if isinstance(link, ConnectionRefusedError):
        return Fault.CONNECT_REFUSED
    if isinstance(link, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return Fault.RESET
    if isinstance(link, OSError) and link.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL):
        return Fault.NO_ROUTE
    if isinstance(link, OSError) and link.errno == errno.ETIMEDOUT:
        return Fault.CONNECT_TIMEOUT
    if isinstance(link, httpcore.RemoteProtocolError) and "disconnected" in str(link):
        return Fault.RESET
    return None
