"""The only place that sends HTTP: one request in, one ``Exchange`` out, within a cap of bytes and a deadline.

A remote's failure is data here: ``Client.send`` raises for nothing that a server or the network did. It never follows a
redirect, never retries, and asks for an unencoded body, refusing an encoded one unread.
"""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self
from urllib.parse import urljoin, urlsplit

import certifi
import httpcore
import httpx

import rosterwatch
from rosterwatch.address import looks_like_a_value
from rosterwatch.body import read_body
from rosterwatch.network import AddressNotAllowedError, CheckedTransport, Resolver, fault_of, system_resolver
from rosterwatch.observation import Body, BodyKind, Exchange, Fault, Phase, Redirect

USER_AGENT: Final = f"Rosterwatch/{rosterwatch.__version__} (OneRoster connection monitor; read-only)"
BODY_CAP_BYTES: Final = 1024 * 1024
CONNECT_SECONDS: Final = 10.0
REQUEST_SECONDS: Final = 20.0
# An answer that did not come within less than this, because the visit's time was up, tells nothing.
_TELLING_SECONDS: Final = 1.0
_COOKIE_CAP_BYTES: Final = 8 * 1024
_LOGIN_WORDS: Final = ("login", "signin", "sign-in", "sso", "saml", "adfs", "account", "authorize", "oauth2/auth")


@functools.cache
def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """The one TLS context of the process: certifi's authorities, plus those in the PEM file ``ca_bundle``.

    Raises OSError when the file cannot be read, ssl.SSLError when it holds no certificate.
    """
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_bundle:
        context.load_verify_locations(cafile=ca_bundle)
    return context


class Network:
    """What the districts of one batch share: TLS settings, DNS, and the turns at each host.

    ``turns`` is how many requests may be under way at one host at a time; ``connect_seconds`` and ``request_seconds`` are the
    longest that a connection and a whole request may take. Make one per event loop.
    """

    def __init__(
        self,
        *,
        ca_bundle: str | None = None,
        allow_private: bool = False,
        turns: int = 4,
        resolver: Resolver | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self.context = tls_context(ca_bundle)
        self.allow_private = allow_private
        self.turns = turns
        self.connect_seconds = connect_seconds
        self.request_seconds = request_seconds
        self.resolver = resolver or system_resolver()
        self._semaphores: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._unreachable: dict[tuple[str, int], Fault] = {}

    def semaphore(self, host: str, port: int) -> asyncio.Semaphore:
        """The turns at one host, shared by all districts that live there."""
        return self._semaphores.setdefault((host, port), asyncio.Semaphore(self.turns))

    def mark_unreachable(self, host: str, port: int, fault: Fault) -> None:
        """Remember for this batch that no connection to the host can be made, so that its other districts need not wait too."""
        self._unreachable[host, port] = fault

    def unreachable(self, host: str, port: int) -> Fault | None:
        """The connection fault that this batch has already met at the host, if any."""
        return self._unreachable.get((host, port))


@dataclass(frozen=True, slots=True)
class Answer:
    """An exchange together with its parsed JSON document and headers, for the caller to read and drop. ``repr`` shows neither."""

    exchange: Exchange
    document: Any = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    starved: bool = False


class Client:
    """One district's HTTP client: its own cookies and connections, one deadline for all that it sends.

    ``turns`` is how many of its requests can be under way at a time.
    ``deadline`` is a time of the running loop's clock. Use as an async context manager.
    """

    def __init__(self, network: Network, deadline: float) -> None:
        self._network = network
        self._deadline = deadline
        self._transport = CheckedTransport(
            network.context, network.resolver, allow_private=network.allow_private, connections=network.turns
        )
        self._http = self._session()
        self._without_cookies = self._session()  # the same connections, another jar
        self.turns = network.turns
        self.requests = 0
        self.tls_expires: dict[str, datetime] = {}  # by host

    def _session(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=self._transport,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self._network.request_seconds, connect=self._network.connect_seconds),
            headers={"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        # A server that will not say goodbye must not hold us up, nor can it fail a visit that is over.
        with suppress(TimeoutError, OSError, httpcore.NetworkError, httpcore.ProtocolError):
            async with asyncio.timeout(1.0):
                await self._transport.aclose()

    async def send(  # noqa: PLR0913 - a request has this many parts
        self,
        phase: Phase,
        method: str,
        url: str,
        *,
        target: str,
        headers: Mapping[str, str] | None = None,
        content: str | None = None,
        cookies: bool = True,
    ) -> Answer:
        """Send one request when it is our turn at the host. ``target`` is how the request is called in the observation.

        ``cookies`` false: neither send nor keep any. ``starved`` in the answer: it never was our turn before the deadline, or so
        late that the answer's absence says nothing.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        asked = loop.time()
        try:
            async with asyncio.timeout_at(self._deadline):
                await self._network.semaphore(host, port).acquire()
        except TimeoutError:
            return Answer(Exchange(phase, target, fault=Fault.DEADLINE), starved=True)
        started = loop.time()
        try:
            known = self._network.unreachable(host, port)
            if known:
                return Answer(Exchange(phase, target, fault=known))
            self.requests += 1
            session = self._http if cookies else self._without_cookies
            streaming = session.stream(method, url, headers=headers, content=content)
            answer = await self._exchange(phase, target, streaming, url)
            if answer.exchange.fault and answer.exchange.fault.before_connection:
                self._network.mark_unreachable(host, port, answer.exchange.fault)
        finally:
            self._network.semaphore(host, port).release()
        took = loop.time() - started
        starved = answer.exchange.fault is Fault.DEADLINE and took < max(started - asked, _TELLING_SECONDS)
        exchange = replace(answer.exchange, milliseconds=round(took * 1000))
        return Answer(exchange, answer.document, answer.headers, starved)

    async def _exchange(self, phase: Phase, target: str, streaming: Any, url: str) -> Answer:
        ends = asyncio.get_running_loop().time() + self._network.request_seconds
        try:
            async with asyncio.timeout_at(min(ends, self._deadline)):
                return await self._read(phase, target, streaming, url)
        except TimeoutError as error:
            fault = fault_of(error) if ends <= self._deadline else Fault.DEADLINE
            return Answer(Exchange(phase, target, fault=fault))
        # What the transport raises for what the remote did. Anything else is a mistake of ours, and must be heard.
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            return Answer(Exchange(phase, target, fault=fault_of(error)))
        except (AddressNotAllowedError, OSError, UnicodeError, httpx.InvalidURL) as error:
            return Answer(Exchange(phase, target, fault=fault_of(error)))

    async def _read(self, phase: Phase, target: str, streaming: Any, url: str) -> Answer:
        async with streaming as response:
            self._note_certificate(response)
            body, document = await _read_capped(response)
            self._limit_cookies()
            headers = response.headers
            exchange = Exchange(
                phase,
                target,
                status=response.status_code,
                body=body,
                redirect=_redirect(url, response.status_code, response.extensions.get("location")),
                challenges=_challenges(headers),
                retry_after=_retry_after(headers.get("retry-after")),
                clock_offset=_clock_offset(headers.get("date")),
            )
            return Answer(exchange, document, headers)

    def _limit_cookies(self) -> None:
        """Drop the jar of a server that floods it, rather than send it all back."""
        if sum(len(cookie.name) + len(cookie.value or "") for cookie in self._http.cookies.jar) > _COOKIE_CAP_BYTES:
            self._http.cookies.clear()

    def _note_certificate(self, response: httpx.Response) -> None:
        # As it was asked for: httpx's own ``host`` is in another alphabet.
        host = response.url.raw_host.decode("ascii")
        if host in self.tls_expires:  # one reading a host: it costs as much as reading an answer
            return
        stream = response.extensions.get("network_stream")
        ssl_object = stream.get_extra_info("ssl_object") if stream else None
        ends = _end_of(ssl_object.getpeercert() if ssl_object else None)
        if ends is not None:
            self.tls_expires[host] = ends


def _end_of(certificate: Mapping[str, Any] | None) -> datetime | None:
    """When a certificate ends, as far as that can be read."""
    try:
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(str((certificate or {})["notAfter"])), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None


async def can_reach(url: str, network: Network, seconds: float = CONNECT_SECONDS) -> bool:
    """Whether a host that has nothing to do with any district answers at all, whatever it says: then our own way out works."""
    async with Client(network, asyncio.get_running_loop().time() + seconds) as client:
        answer = await client.send(Phase.CONTROL, "GET", url, target=url, cookies=False)
    return answer.exchange.status is not None


async def _read_capped(response: httpx.Response) -> tuple[Body, Any]:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        return Body(BodyKind.ENCODED), None
    read = bytearray()
    complete = True
    try:
        async for part in response.aiter_raw():
            read += part
            if len(read) > BODY_CAP_BYTES:
                return Body(BodyKind.OVERSIZE, len(read)), None
    except (httpcore.RemoteProtocolError, httpcore.ReadError):
        if not read:
            raise
        complete = False  # it broke off in the middle: what was read is still worth a look
    return read_body(_media_type(response.headers), bytes(read), complete=complete)


def _media_type(headers: Mapping[str, str]) -> str | None:
    value = headers.get("content-type", "").partition(";")[0].strip().lower()
    return value if value.isascii() and value.count("/") == 1 and len(value) < 80 else None


def _challenges(headers: httpx.Headers) -> frozenset[str]:
    known = {"basic", "bearer", "negotiate", "ntlm", "digest", "kerberos", "oauth"}
    unquoted = (re.sub(r'"[^"]*"', "", value) for value in headers.get_list("www-authenticate"))  # a realm may say anything
    words = (word.lower() for value in unquoted for word in value.replace(",", " ").split())
    return frozenset(known.intersection(words))


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from either form of RFC 9110 section 10.2.3; ``None`` if absent or unreadable."""
    if value is None:
        return None
    digits = value.strip()  # of more kinds of blanks than a number is read with
    if digits.isdecimal() and len(digits) < 10:
        return float(digits)
    moment = _date(value)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment else None


def _clock_offset(value: str | None) -> float | None:
    moment = _date(value) if value else None
    return (moment - datetime.now(UTC)).total_seconds() if moment else None


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, IndexError):
        return None


def _redirect(url: str, status: int, location: str | None) -> Redirect | None:
    if not 300 <= status < 400 or not location:
        return None
    try:
        here, there = urlsplit(url), urlsplit(urljoin(url, location))
        host = there.hostname
        # Another port of the same host is another place, unless it is where the same host speaks https.
        to_https = here.scheme == "http" and there.scheme == "https"
        same_host = host == here.hostname and (there.port == here.port or to_https)
    except ValueError:
        return Redirect(None, same_host=False, to_https=False, to_login=False)
    shown = host if host and len(host) < 254 and all(c.isalnum() or c in ".-:" for c in host) else None
    if shown and shown != here.hostname and looks_like_a_value(shown):  # a server may send us to a name made of our token
        shown = None
    return Redirect(
        shown,
        same_host=same_host,
        to_https=to_https,
        to_login=any(word in (there.path + "?" + there.query).lower() for word in _LOGIN_WORDS),
    )
