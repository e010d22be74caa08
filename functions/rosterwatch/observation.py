"""What one visit to a district saw: plain frozen facts, and nothing that must not leave the process.

Nothing here can hold a secret, a token, a cookie, a record or a response body. What a remote said is kept only as members of
the closed lists below, numbers, dates and names that were checked against an allow-list (``body.py`` does the reading).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime


class Phase(enum.StrEnum):
    """Which step of the visit an exchange belongs to, in the order of the visit."""

    SYSTEMINFO = "systeminfo"
    TOKEN = "token"  # noqa: S105 - the name of a step, not a password
    COLLECTION = "collection"
    CERTIFICATE = "certificate"
    CONTROL = "control"  # whether anything at all can be reached from here


class Fault(enum.StrEnum):
    """Why an exchange has no HTTP answer. A closed list: what the network or TLS said, told apart as far as it can be."""

    DNS_NOT_FOUND = "dns_not_found"
    DNS_FAILING = "dns_failing"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    NO_ROUTE = "no_route"
    RESET = "reset"
    TLS_EXPIRED = "tls_expired"
    TLS_NOT_YET_VALID = "tls_not_yet_valid"
    TLS_SELF_SIGNED = "tls_self_signed"
    TLS_INCOMPLETE_CHAIN = "tls_incomplete_chain"
    TLS_WRONG_NAME = "tls_wrong_name"
    TLS_TOO_OLD = "tls_too_old"
    TLS_NOT_SPOKEN = "tls_not_spoken"
    TLS_FAILED = "tls_failed"
    READ_TIMEOUT = "read_timeout"
    PROTOCOL = "protocol"
    DEADLINE = "deadline"

    @property
    def before_connection(self) -> bool:
        """True when nothing at that host can have answered, so that further requests to it would only wait again."""
        return self not in (Fault.READ_TIMEOUT, Fault.PROTOCOL, Fault.DEADLINE, Fault.RESET)


class BodyKind(enum.StrEnum):
    """What a body is, whatever its Content-Type claims."""

    NONE = "none"
    OBJECT = "object"
    ARRAY = "array"
    SCALAR = "scalar"
    HTML = "html"
    TEXT = "text"
    TRUNCATED = "truncated"  # JSON that stops in the middle, or fewer bytes than were announced
    OVERSIZE = "oversize"  # more bytes than the cap: the rest was never read
    ENCODED = "encoded"  # compressed although ``identity`` was asked for: refused unread


class Dialect(enum.StrEnum):
    """The language of an error body (reference section 0, fact 10)."""

    OAUTH = "oauth"  # RFC 6749 section 5.2
    STATUS_INFO_SET = "statusInfoSet"  # OneRoster 1.1
    IMSX = "imsx"  # OneRoster 1.2, bare or wrapped
    MESSAGE = "message"  # Aeries and ASP.NET Web API: {"Message": ...}
    PROBLEM = "problem"  # RFC 7807
    ERROR = "error"  # any other object with an "error" member


class Page(enum.StrEnum):
    """What an HTML or text page is about, as far as a few telling words say."""

    LOGIN = "login"
    BLOCKED = "blocked"
    OFFLINE = "offline"
    CRASH = "crash"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Body:
    """A body reduced to what may be kept: its kind, its size in bytes (as far as read), and closed-list facts."""

    kind: BodyKind
    size: int = 0
    dialect: Dialect | None = None
    code: str | None = None
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where a 3xx points: never followed, only described. ``host`` is a checked host name, ``None`` if unreadable."""

    host: str | None
    same_host: bool
    to_https: bool
    to_login: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it: either a ``fault``, or a ``status`` with a ``body``.

    ``milliseconds`` from sending to the last byte read; ``clock_offset`` is the server's ``Date`` minus our clock in seconds;
    ``retry_after`` in seconds; ``challenges`` are the scheme names of ``WWW-Authenticate`` in lower case.
    """

    phase: Phase
    target: str
    milliseconds: int = 0
    fault: Fault | None = None
    status: int | None = None
    body: Body = Body(BodyKind.NONE)
    redirect: Redirect | None = None
    challenges: frozenset[str] = frozenset()
    retry_after: float | None = None
    clock_offset: float | None = None

    @property
    def succeeded(self) -> bool:
        """True for a 2xx answer: it says nothing yet about the body."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """Aeries' public ``systeminfo`` (reference section 1.9). ``database_year`` is like ``2026-2027``; offset in seconds."""

    version: str | None
    database_year: str | None
    clock_offset: float | None


@dataclass(frozen=True, slots=True)
class TokenAttempt:
    """One try at a token path. ``dialect`` names the entry of the provider's list that was tried."""

    dialect: str
    exchange: Exchange
    granted: bool


@dataclass(frozen=True, slots=True)
class Token:
    """All tries of a visit, in order, and what was granted. ``scopes_missing`` were asked for and not echoed.

    ``scopes_named``: the answer says at all which scopes it grants. ``per_request``: there is no token to ask for, since each
    request proves itself by a signature or a static token; ``accepted`` then says that one of them opened a collection.
    """

    attempts: tuple[TokenAttempt, ...]
    scopes_missing: tuple[str, ...] = ()
    renewed: bool = False
    scopes_asked: tuple[str, ...] = ()
    scopes_named: bool = False
    per_request: bool = False
    accepted: bool = False

    @property
    def granted(self) -> bool:
        """Whether the visit was let in: it ended up with a token, or a request was accepted for what it carried."""
        return self.accepted or (bool(self.attempts) and self.attempts[-1].granted)

    @property
    def dialect(self) -> str | None:
        """The dialect that worked, to be tried first at the next visit."""
        return self.attempts[-1].dialect if self.attempts and self.granted else None

    @property
    def decisive(self) -> Exchange | None:
        """The exchange that says most about a refusal: an OAuth verdict beats another refusal, and anything a missing page."""
        return min((a.exchange for a in self.attempts if not a.granted), key=self._rank, default=None)

    def is_blanket(self, exchange: Exchange) -> bool:
        """Whether a refusal only says that everything is refused that comes without a token: then no token page is there.

        That is so below the data itself, and wherever several guesses are refused alike.
        """
        if exchange.status != 401 or exchange.body.dialect is Dialect.OAUTH:
            return False
        guesses = [a.exchange for a in self.attempts if not a.granted]
        alike = {(guess.status, guess.body.kind, guess.body.dialect) for guess in guesses}
        return len({guess.target for guess in guesses}) > 1 and (len(alike) == 1 or "/ims/oneroster/" in exchange.target)

    def _rank(self, exchange: Exchange) -> int:
        if exchange.body.dialect is Dialect.OAUTH:
            return 0
        if self.is_blanket(exchange) or exchange.status in (404, 405, 410):
            return 3
        return 1 if exchange.status in (400, 401, 403) else 2


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked before a visit, and is not to be asked again: verdicts of the token page, and token URLs that are none."""

    refusals: tuple[TokenAttempt, ...] = ()
    missing: Mapping[str, TokenAttempt] = field(default_factory=dict)


class CollectionState(enum.StrEnum):
    """What can be said of one collection."""

    OK = "ok"  # readable and at least one record with a sourcedId
    EMPTY = "empty"  # readable, a list, no record in it
    DENIED = "denied"  # refused with 401 or 403
    BROKEN = "broken"  # anything else that was answered, or not answered
    UNTESTED = "untested"  # never asked: an earlier step failed or time ran out


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection as found. ``records`` counts what the answer held (we ask for one), ``total`` is ``X-Total-Count``.

    ``envelope`` is the member that held the list, if it was not the one the spec names; ``malformed`` says that a 2xx JSON
    answer did not hold a list of records where it should, or (``records`` is not 0) that they have no ``sourcedId``.
    """

    name: str
    required: bool
    state: CollectionState
    records: int = 0
    total: int | None = None
    exchange: Exchange | None = None
    envelope: str | None = None
    malformed: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the school calendar, both days inclusive."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Observation:
    """One visit. ``requests`` were really sent; ``milliseconds`` is the whole visit; ``at`` is aware, in UTC.

    ``token_url`` is where a token was asked for, if that is at another host than the rest. ``site`` is a look at the data without
    credentials, taken when no token page was found. ``tls_expires_at`` is the earliest end of a TLS certificate that was met, and
    ``tls_host`` whose it is. ``signed``: requests were signed, which needs clocks that agree. ``expires_on`` is the day on which
    the credentials end, as the secret says.
    ``starved``: time ran out while waiting for our own turn at the host, so the visit says nothing and must be made again.
    """

    district: str
    provider: str
    base_url: str
    host: str
    at: datetime
    milliseconds: int = 0
    requests: int = 0
    url_changes: tuple[str, ...] = ()
    systeminfo: Exchange | None = None
    system: SystemInfo | None = None
    token: Token | None = None
    collections: tuple[Collection, ...] = ()
    certificate: Exchange | None = None
    terms: tuple[Term, ...] = ()
    tls_expires_at: datetime | None = None
    tls_host: str | None = None
    token_url: str | None = None
    site: Exchange | None = None
    signed: bool = False
    expires_on: date | None = None
    starved: bool = False

    def exchanges(self) -> tuple[Exchange, ...]:
        """Every exchange in the order of the visit."""
        first = (self.systeminfo,) if self.systeminfo else ()
        token = tuple(a.exchange for a in self.token.attempts) if self.token else ()
        token += (self.site,) if self.site else ()
        data = tuple(c.exchange for c in self.collections if c.exchange)
        last = (self.certificate,) if self.certificate else ()
        return first + token + data + last
