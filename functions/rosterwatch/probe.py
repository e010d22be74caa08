"""The visit: systeminfo beside the token, then every collection, then the API Certificate. What it saw is an Observation.

It never raises for what the remote did. Requests of one visit run side by side, as many as the host's turns allow.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from rosterwatch import auth, oneroster
from rosterwatch.auth import Grant
from rosterwatch.calendar import Season, season
from rosterwatch.client import Answer, Client, Network
from rosterwatch.district import District
from rosterwatch.observation import (
    Collection,
    CollectionState,
    Exchange,
    Observation,
    Phase,
    SystemInfo,
    Term,
    Token,
    TokenAttempt,
)
from rosterwatch.providers import TokenDialect

VISIT_SECONDS: Final = 40.0
_MOST_TERMS: Final = 200
_MOST_ENTRIES: Final = 20_000
# So many collections in a row refused with 401 and a new token: the host takes none. Fewer may be those of one box.
_STRIKES: Final = 3
# OAuth codes that are a verdict on the credentials or on our request: no other path will say anything better.
_VERDICTS: Final = frozenset({"invalid_client", "unauthorized_client", "invalid_grant", "access_denied"})


async def probe(
    district: District,
    network: Network,
    *,
    dialect_hint: str | None = None,
    seconds: float = VISIT_SECONDS,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Observation:
    """Visit a district once, within ``seconds``. ``dialect_hint`` is the token dialect that worked last time."""
    loop = asyncio.get_running_loop()
    started, at = loop.time(), now()
    async with Client(network, started + seconds) as client:
        visit = _Visit(district, client, dialect_hint)
        observation = await visit.run(at)
    return replace(
        observation,
        milliseconds=round((loop.time() - started) * 1000),
        requests=client.requests,
        tls_expires_at=client.tls_expires_at,
    )


@dataclass
class _Visit:
    district: District
    client: Client
    dialect_hint: str | None
    grant: Grant | None = None
    dialect: TokenDialect | None = None  # the one that was asked last, and the scopes
    scopes: tuple[str, ...] = ()
    attempts: list[TokenAttempt] = field(default_factory=list)
    renewal: asyncio.Lock = field(default_factory=asyncio.Lock)
    renewed: bool = False
    strikes: int = 0  # collections in a row that were refused with every token of the visit
    stopped: bool = False  # the host wants no more of this visit
    waited_in_vain: bool = False

    async def run(self, at: datetime) -> Observation:
        district = self.district
        (systeminfo, system), token = await asyncio.gather(self._systeminfo(), self._token())
        collections: tuple[Collection, ...] = ()
        if token.granted:
            collections = await self._collections()
            token = replace(token, attempts=tuple(self.attempts), renewed=self.renewed)
        else:
            collections = tuple(Collection(name, req, CollectionState.UNTESTED) for name, req in self._wanted())
        certificate: Exchange | None = None
        terms: tuple[Term, ...] = ()
        answered = any(exchange is not None and exchange.status for exchange in (systeminfo, *(a.exchange for a in token.attempts)))
        if district.credentials.api_certificate and answered:
            certificate, terms = await self._certificate()
        if not terms and self._needs_calendar(collections, system, at.date()):
            terms = await self._calendar()
        seen = Observation(
            district=district.name,
            provider=district.provider.name,
            base_url=district.base.url,
            host=district.base.host,
            at=at,
            url_changes=district.base.changes,
            systeminfo=systeminfo,
            system=system,
            token=token,
            collections=collections,
            certificate=certificate,
            terms=terms,
        )
        # Our own queue for the host's turns must never be mistaken for the host's slowness.
        return replace(seen, starved=self.waited_in_vain and not any(exchange.fault for exchange in seen.exchanges()))

    def _wanted(self) -> list[tuple[str, bool]]:
        return [(name, True) for name in self.district.required] + [(name, False) for name in self.district.optional]

    async def _send(self, *args: Any, **kwargs: Any) -> Answer:
        answer = await self.client.send(*args, **kwargs)
        self.waited_in_vain = self.waited_in_vain or answer.starved
        return answer

    async def _systeminfo(self) -> tuple[Exchange | None, SystemInfo | None]:
        if not self.district.provider.has_systeminfo:
            return None, None
        target = "/api/v5/systeminfo"
        # Without cookies: it runs beside the token request, and its answer may come from another node, whose cookie would
        # then lead the data requests away from the node that knows the token.
        answer = await self._send(Phase.SYSTEMINFO, "GET", self.district.base.url + target, target=target, cookies=False)
        if answer.starved:
            return None, None
        return answer.exchange, _system_info(answer.document) if answer.exchange.succeeded else None

    async def _token(self) -> Token:
        """Try the provider's dialects in order, the remembered one first, until one grants or one gives a verdict."""
        dialects = sorted(self.district.provider.token_dialects, key=lambda dialect: dialect.name != self.dialect_hint)
        scopes = oneroster.scopes(self.district.provider.version, self.district.required + self.district.optional)
        for dialect in dialects:
            attempt = await self._ask_token(dialect, scopes)
            if _wants_fewer_scopes(attempt) and len(scopes) > 1:
                scopes = scopes[:1]
                attempt = await self._ask_token(dialect, scopes)
            if attempt is None or attempt.granted or not _may_try_next(attempt.exchange):
                break
        granted = self.grant.scopes if self.grant else None
        missing = tuple(scope for scope in scopes if scope not in granted) if granted is not None else ()
        return Token(tuple(self.attempts), missing if dialect.scoped else ())

    async def _ask_token(self, dialect: TokenDialect, scopes: tuple[str, ...]) -> TokenAttempt | None:
        self.dialect, self.scopes = dialect, scopes
        request = auth.token_request(self.district.base.url, dialect, self.district.credentials, scopes)
        answer = await self._send(
            Phase.TOKEN, "POST", request.url, target=dialect.path, headers=request.headers, content=request.content
        )
        self.grant = auth.read_grant(answer.document) if answer.exchange.succeeded else None
        if answer.starved:
            return None
        attempt = TokenAttempt(dialect.name, answer.exchange, granted=self.grant is not None)
        self.attempts.append(attempt)
        return attempt

    async def _collections(self) -> tuple[Collection, ...]:
        """Read every wanted collection, no more of them at a time than the host has turns."""
        turns = asyncio.Semaphore(self.client.turns)

        async def one(name: str, required: bool) -> Collection:
            async with turns:
                return await self._collection(name, required)

        return tuple(await asyncio.gather(*(one(name, required) for name, required in self._wanted())))

    async def _collection(self, name: str, required: bool) -> Collection:
        """Read one collection; where the token itself is refused, once more with the visit's one new token."""
        grant = self.grant
        if grant is None or self.stopped:
            return Collection(name, required, CollectionState.UNTESTED)
        answer = await self._ask_collection(name, grant)
        if answer.exchange.status == HTTP_UNAUTHORIZED:
            another = await self._another(grant)
            if another is not None:
                answer = await self._ask_collection(name, another)
        self.strikes += answer.exchange.status == HTTP_UNAUTHORIZED
        self.strikes = 0 if answer.exchange.succeeded else self.strikes
        if self.strikes >= _STRIKES or answer.exchange.status == HTTP_TOO_MANY_REQUESTS:
            self.stopped = True
        return _read_collection(name, required, answer)

    async def _ask_collection(self, name: str, grant: Grant, limit: int = 1) -> Answer:
        url = self.district.base.url + oneroster.DATA_PATHS[self.district.provider.version] + "/" + name
        headers = auth.bearer_headers(grant)
        return await self._send(Phase.COLLECTION, "GET", f"{url}?limit={limit}", target="/" + name, headers=headers)

    async def _another(self, refused: Grant) -> Grant | None:
        """The token that came after a refused one: there is one new token in a visit, whoever asks for it first."""
        async with self.renewal:
            if self.grant is refused and self.dialect is not None and not self.renewed:
                self.renewed = True
                await self._ask_token(self.dialect, self.scopes)
            return self.grant if self.grant is not refused else None

    def _needs_calendar(self, collections: tuple[Collection, ...], system: SystemInfo | None, today: date) -> bool:
        """Whether the terms are worth one more request: something is empty that may be so in a holiday, or the year looks wrong."""
        readable = any(c.name == "academicSessions" and c.state is CollectionState.OK for c in collections)
        empty = any(c.required and c.state is CollectionState.EMPTY and c.name in oneroster.SEASONAL for c in collections)
        year = system.database_year if system else None
        return readable and (empty or season((), today, year) is Season.WRONG_DATABASE)

    async def _calendar(self) -> tuple[Term, ...]:
        """The terms of a district without an API Certificate: more than one session, and still nobody's record."""
        if self.grant is None or self.stopped:
            return ()
        answer = await self._ask_collection("academicSessions", self.grant, _MOST_TERMS)
        records, _ = oneroster.find_records("academicSessions", answer.document)
        # A session of a whole school year says nothing: it may span the summer.
        terms = [record for record in records or [] if isinstance(record, dict) and record.get("type") != "schoolYear"]
        return _terms(terms, "startDate", "endDate")

    async def _certificate(self) -> tuple[Exchange | None, tuple[Term, ...]]:
        """Prove the API Certificate on the cheapest endpoint without a student in it (reference section 1.9)."""
        target = "/api/v5/schools"
        headers = {"AERIES-CERT": self.district.credentials.api_certificate or ""}
        answer = await self._send(Phase.CERTIFICATE, "GET", self.district.base.url + target, target=target, headers=headers)
        if answer.starved:
            return None, ()
        schools = answer.document if answer.exchange.succeeded and isinstance(answer.document, list) else []
        return answer.exchange, _school_terms(schools)


HTTP_UNAUTHORIZED: Final = 401
HTTP_TOO_MANY_REQUESTS: Final = 429
_HTTP_FORBIDDEN: Final = 403
_HTTP_BAD_REQUEST: Final = 400


def _wants_fewer_scopes(attempt: TokenAttempt | None) -> bool:
    return attempt is not None and attempt.exchange.body.code == "invalid_scope"


def _may_try_next(exchange: Exchange) -> bool:
    """Whether another token path may do better: this one is missing, is no token endpoint, or wants another dialect."""
    if exchange.fault or exchange.status is None or exchange.body.code in _VERDICTS or exchange.challenges & {"negotiate", "ntlm"}:
        return False
    if exchange.status >= _HTTP_BAD_REQUEST:
        return exchange.status not in (HTTP_UNAUTHORIZED, _HTTP_FORBIDDEN, 408, 429) and exchange.status < 500
    return True


def _read_collection(name: str, required: bool, answer: Answer) -> Collection:
    exchange = answer.exchange
    if answer.starved:
        return Collection(name, required, CollectionState.UNTESTED)
    if exchange.status in (HTTP_UNAUTHORIZED, _HTTP_FORBIDDEN):
        return Collection(name, required, CollectionState.DENIED, exchange=exchange)
    if not exchange.succeeded:
        return Collection(name, required, CollectionState.BROKEN, exchange=exchange)
    records, alias = oneroster.find_records(name, answer.document)
    count = oneroster.count_records(records) if records is not None else None
    if count is None:
        return Collection(name, required, CollectionState.BROKEN, len(records or ()), exchange=exchange, malformed=True)
    state = CollectionState.OK if count else CollectionState.EMPTY
    return Collection(name, required, state, count, _total(answer.headers.get("x-total-count"), count), exchange, alias)


def _total(header: str | None, records: int) -> int | None:
    """The total that the server tells, unless the answer itself holds more than that."""
    told = int(header) if header is not None and header.strip().isdecimal() and len(header.strip()) < 10 else None
    return told if told is not None and told >= records else None


def _system_info(document: Any) -> SystemInfo | None:
    if not isinstance(document, dict):
        return None
    version, year = document.get("AeriesVersion"), document.get("DatabaseYear")
    return SystemInfo(
        version if isinstance(version, str) and re.fullmatch(r"\d+(\.\d+){0,4}", version) else None,
        year if isinstance(year, str) and re.fullmatch(r"\d{4}-\d{4}", year) else None,
        _offset(document.get("CurrentDateTime")),
    )


def _offset(moment: Any) -> float | None:
    """Aeries' clock minus ours in seconds. It writes seven digits of fraction, which Python reads from 3.11 on."""
    try:
        parsed = datetime.fromisoformat(moment) if isinstance(moment, str) and len(moment) < 40 else None
    except ValueError:
        return None
    return (parsed - datetime.now(UTC)).total_seconds() if parsed and parsed.tzinfo else None


def _school_terms(schools: list[Any]) -> tuple[Term, ...]:
    """The distinct terms of Aeries' schools, dates only."""
    listed = [school.get("Terms") for school in schools if isinstance(school, dict)]
    return _terms([entry for terms in listed if isinstance(terms, list) for entry in terms], "StartDate", "EndDate")


def _terms(entries: list[Any], start: str, end: str) -> tuple[Term, ...]:
    """The distinct terms among the entries, in order, as far as their dates can be read."""
    found = (_term(entry.get(start), entry.get(end)) for entry in entries[:_MOST_ENTRIES] if isinstance(entry, dict))
    distinct = sorted({term for term in found if term is not None}, key=lambda term: (term.start, term.end))
    return tuple(distinct[:_MOST_TERMS])


def _term(start: Any, end: Any) -> Term | None:
    try:
        term = Term(date.fromisoformat(start[:10]), date.fromisoformat(end[:10]))
    except (TypeError, ValueError):
        return None
    return term if term.start <= term.end else None
