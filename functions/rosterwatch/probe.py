"""The visit: systeminfo beside the token, then every collection, then the API Certificate. What it saw is an Observation.

It never raises for what the remote did. Requests of one visit run side by side, as many as the host's turns allow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from rosterwatch import aeries, oneroster
from rosterwatch.access import HTTP_FORBIDDEN, HTTP_TOO_MANY_REQUESTS, HTTP_UNAUTHORIZED, Access, Proof
from rosterwatch.address import same_origin, without_query
from rosterwatch.calendar import Season, season
from rosterwatch.client import Answer, Client, Network
from rosterwatch.district import District
from rosterwatch.observation import Asked, Collection, CollectionState, Exchange, Observation, Phase, SystemInfo, Term, Token

VISIT_SECONDS: Final = 40.0
_NOTHING_ASKED: Final = Asked()
# So many collections in a row refused with 401 and a new token: the host takes none. Fewer may be those of one box.
_STRIKES: Final = 3


async def probe(
    district: District,
    network: Network,
    *,
    dialect_hint: str | None = None,
    asked: Asked = _NOTHING_ASKED,
    seconds: float = VISIT_SECONDS,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Observation:
    """Visit a district once, within ``seconds``. ``dialect_hint`` is the token dialect that worked last time.

    What was ``asked`` a moment ago is not asked again.
    """
    loop = asyncio.get_running_loop()
    started, at = loop.time(), now()
    async with Client(network, started + seconds) as client:
        visit = _Visit(district, client, dialect_hint, asked)
        observation = await visit.run(at)
    host, ends = min(client.tls_expires.items(), key=lambda item: item[1], default=(None, None))
    return replace(
        observation,
        milliseconds=round((loop.time() - started) * 1000),
        requests=client.requests,
        tls_expires_at=ends,
        tls_host=host,
    )


@dataclass
class _Visit:
    district: District
    client: Client
    dialect_hint: str | None
    asked: Asked
    access: Access = field(init=False)
    strikes: int = 0  # collections in a row that were refused with every token of the visit
    stopped: bool = False  # the host wants no more of this visit
    waited_in_vain: bool = False

    def __post_init__(self) -> None:
        self.access = Access(self.district, self._send, self.dialect_hint, asked=self.asked)

    async def run(self, at: datetime) -> Observation:
        district = self.district
        (systeminfo, system), token = await asyncio.gather(self._systeminfo(), self.access.enter())
        collections = await self._collections()
        token = self._with_hindsight(token, collections)
        site = await self._site(token)
        certificate: Exchange | None = None
        terms: tuple[Term, ...] = ()
        answered = any(exchange is not None and exchange.status for exchange in (systeminfo, *(a.exchange for a in token.attempts)))
        if district.credentials.api_certificate and answered:
            certificate, terms = await self._certificate()
        terms = district.terms or terms
        if not terms and self._needs_calendar(collections, system, at.date()):
            terms = await self._calendar()
        seen = Observation(
            district=district.name,
            provider=district.provider.name,
            base_url=district.home.url,
            host=district.home.host,
            at=at,
            url_changes=district.base.changes,
            systeminfo=systeminfo,
            system=system,
            token=token,
            collections=collections,
            certificate=certificate,
            terms=terms,
            token_url=self._token_url(token),
            site=site,
            signed=district.auth.signs,
            expires_on=district.expires_on,
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
        target = aeries.SYSTEMINFO
        # Without cookies: it runs beside the token request, and its answer may come from another node, whose cookie would
        # then lead the data requests away from the node that knows the token.
        answer = await self._send(Phase.SYSTEMINFO, "GET", self.district.base.url + target, target=target, cookies=False)
        if answer.starved:
            return None, None
        return answer.exchange, aeries.system_info(answer.document) if answer.exchange.succeeded else None

    def _with_hindsight(self, token: Token, collections: tuple[Collection, ...]) -> Token:
        """The token as it turned out to be: renewed, or refused, or accepted on each request."""
        if not token.per_request:
            again = self.access.token()
            return replace(again, scopes_missing=token.scopes_missing) if token.granted else token
        read = any(collection.state in (CollectionState.OK, CollectionState.EMPTY) for collection in collections)
        return replace(token, accepted=read)

    async def _site(self, token: Token) -> Exchange | None:
        """Where no token page is: is OneRoster itself there? Asked without credentials, of products that have no systeminfo."""
        decisive = token.decisive
        missing = decisive is not None and not token.granted and (decisive.status in (404, 405, 410) or token.is_blanket(decisive))
        if not missing or self.district.provider.has_systeminfo:
            return None
        answer = await self._send(Phase.COLLECTION, "GET", self._data_url("orgs"), target="/orgs", cookies=False)
        return None if answer.starved else answer.exchange

    def _token_url(self, token: Token) -> str | None:
        """Where a token was asked for, if that is not the host of everything else."""
        dialects = {dialect.name: dialect for dialect in self.district.token_dialects}
        named = dialects.get(token.attempts[-1].dialect) if token.attempts else None
        url = without_query(named.url(self.district.base.url)) if named else ""
        return url if url and not same_origin(url, self.district.home.url) else None

    async def _collections(self) -> tuple[Collection, ...]:
        """Read every wanted collection, no more of them at a time than the host has turns.

        Where nothing has proved the credentials yet, one is asked first, and one more after a refusal: a dozen refused
        requests would say no more, and may lock us out.
        """
        wanted = self._wanted()
        first: list[Collection] = []
        if self.access.proof is not None and not self.district.auth.asks_for_token:
            for name, required in wanted[:2]:
                first.append(await self._collection(name, required))
                if not refused(first[-1]):
                    break
            self.stopped = self.stopped or all(refused(collection) for collection in first)
        turns = asyncio.Semaphore(self.client.turns)

        async def one(name: str, required: bool) -> Collection:
            async with turns:
                return await self._collection(name, required)

        rest = await asyncio.gather(*(one(name, required) for name, required in wanted[len(first) :]))
        return (*first, *rest)

    async def _collection(self, name: str, required: bool) -> Collection:
        """Read one collection; where the token itself is refused, once more with the visit's one new token."""
        proof = self.access.proof
        if proof is None or self.stopped:
            return Collection(name, required, CollectionState.UNTESTED)
        answer = await self._ask_collection(name, proof)
        if answer.exchange.status == HTTP_UNAUTHORIZED:
            another = await self.access.another(proof)
            if another is not None:
                answer = await self._ask_collection(name, another)
        self.strikes += answer.exchange.status == HTTP_UNAUTHORIZED
        self.strikes = 0 if answer.exchange.succeeded else self.strikes
        if self.strikes >= _STRIKES or answer.exchange.status == HTTP_TOO_MANY_REQUESTS:
            self.stopped = True
        return _read_collection(name, required, answer)

    def _data_url(self, name: str, limit: int = 1) -> str:
        return f"{self.district.data.url}/{name}?limit={limit}"

    async def _ask_collection(self, name: str, proof: Proof, limit: int = 1) -> Answer:
        url = self._data_url(name, limit)
        return await self._send(Phase.COLLECTION, "GET", url, target="/" + name, headers=proof.headers("GET", url))

    def _needs_calendar(self, collections: tuple[Collection, ...], system: SystemInfo | None, today: date) -> bool:
        """Whether the terms are worth one more request: something is empty that may be so in a holiday, or the year looks wrong."""
        readable = any(c.name == "academicSessions" and c.state is CollectionState.OK for c in collections)
        empty = any(c.required and c.state is CollectionState.EMPTY and c.name in oneroster.SEASONAL for c in collections)
        year = system.database_year if system else None
        return readable and (empty or season((), today, year) is Season.WRONG_DATABASE)

    async def _calendar(self) -> tuple[Term, ...]:
        """The terms of a district without an API Certificate: more than one session, and still nobody's record."""
        if self.access.proof is None or self.stopped:
            return ()
        answer = await self._ask_collection("academicSessions", self.access.proof, aeries.MOST_TERMS)
        records, _ = oneroster.find_records("academicSessions", answer.document)
        # A session of a whole school year says nothing: it may span the summer.
        terms = [record for record in records or [] if isinstance(record, dict) and record.get("type") != "schoolYear"]
        return aeries.terms(terms, "startDate", "endDate")

    async def _certificate(self) -> tuple[Exchange | None, tuple[Term, ...]]:
        """Prove the API Certificate on the cheapest endpoint without a student in it (reference section 1.9)."""
        target = aeries.SCHOOLS
        headers = {"AERIES-CERT": self.district.credentials.api_certificate or ""}
        answer = await self._send(Phase.CERTIFICATE, "GET", self.district.base.url + target, target=target, headers=headers)
        if answer.starved:
            return None, ()
        schools = answer.document if answer.exchange.succeeded and isinstance(answer.document, list) else []
        return answer.exchange, aeries.school_terms(schools)


def refused(collection: Collection) -> bool:
    """Whether what a request carried was not accepted."""
    return collection.exchange is not None and collection.exchange.status == HTTP_UNAUTHORIZED


def _read_collection(name: str, required: bool, answer: Answer) -> Collection:
    exchange = answer.exchange
    if answer.starved:
        return Collection(name, required, CollectionState.UNTESTED)
    if exchange.status in (HTTP_UNAUTHORIZED, HTTP_FORBIDDEN):
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
    digits = (header or "").strip()  # of more kinds of blanks than a number is read with
    told = int(digits) if digits.isdecimal() and len(digits) < 10 else None
    return told if told is not None and told >= records else None
