"""The visit: systeminfo beside the token, then every collection, then the API Certificate. What it saw is an Observation.

It never raises for what the remote did. Requests of one visit run side by side, as many as the host's turns allow.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from rosterwatch import auth, oneroster
from rosterwatch.auth import Grant
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
    waited_in_vain: bool = False

    async def run(self, at: datetime) -> Observation:
        district = self.district
        (systeminfo, system), token = await asyncio.gather(self._systeminfo(), self._token())
        collections: tuple[Collection, ...] = ()
        if token.granted:
            token, collections = await self._collections(token)
        else:
            collections = tuple(Collection(name, req, CollectionState.UNTESTED) for name, req in self._wanted())
        certificate: Exchange | None = None
        terms: tuple[Term, ...] = ()
        answered = any(exchange is not None and exchange.status for exchange in (systeminfo, *(a.exchange for a in token.attempts)))
        if district.credentials.api_certificate and answered:
            certificate, terms = await self._certificate()
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
        attempts: list[TokenAttempt] = []
        for dialect in dialects:
            attempt = await self._ask_token(dialect, scopes, attempts)
            if _wants_fewer_scopes(attempt) and len(scopes) > 1:
                scopes = scopes[:1]
                attempt = await self._ask_token(dialect, scopes, attempts)
            if attempt is None or attempt.granted or not _may_try_next(attempt.exchange):
                break
        granted = self.grant.scopes if self.grant else None
        missing = tuple(scope for scope in scopes if scope not in granted) if granted is not None else ()
        return Token(tuple(attempts), missing if dialect.scoped else ())

    async def _ask_token(self, dialect: TokenDialect, scopes: tuple[str, ...], attempts: list[TokenAttempt]) -> TokenAttempt | None:
        request = auth.token_request(self.district.base.url, dialect, self.district.credentials, scopes)
        answer = await self._send(
            Phase.TOKEN, "POST", request.url, target=dialect.path, headers=request.headers, content=request.content
        )
        if answer.starved:
            return None
        self.grant = auth.read_grant(answer.document) if answer.exchange.succeeded else None
        attempt = TokenAttempt(dialect.name, answer.exchange, granted=self.grant is not None)
        attempts.append(attempt)
        return attempt

    async def _collections(self, token: Token) -> tuple[Token, tuple[Collection, ...]]:
        """Read every wanted collection; where the token itself is refused, once more with one new token."""
        found = list(await asyncio.gather(*(self._collection(name, required) for name, required in self._wanted())))
        refused = [
            index for index, one in enumerate(found) if one.exchange is not None and one.exchange.status == HTTP_UNAUTHORIZED
        ]
        if refused:
            dialect = next(d for d in self.district.provider.token_dialects if d.name == token.dialect)
            attempts = list(token.attempts)
            scopes = oneroster.scopes(self.district.provider.version, self.district.required + self.district.optional)
            scopes = tuple(scope for scope in scopes if scope not in token.scopes_missing)
            attempt = await self._ask_token(dialect, scopes, attempts)
            token = replace(token, attempts=tuple(attempts), renewed=True)
            if attempt is not None and attempt.granted:
                again = await asyncio.gather(*(self._collection(found[i].name, found[i].required) for i in refused))
                for index, collection in zip(refused, again, strict=True):
                    found[index] = collection
        return token, tuple(found)

    async def _collection(self, name: str, required: bool) -> Collection:
        assert self.grant is not None  # noqa: S101 - only called with a token at hand
        url = self.district.base.url + oneroster.DATA_PATHS[self.district.provider.version] + "/" + name
        answer = await self._send(
            Phase.COLLECTION, "GET", url + "?limit=1", target="/" + name, headers=auth.bearer_headers(self.grant)
        )
        return _read_collection(name, required, answer)

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
        return Collection(name, required, CollectionState.BROKEN, exchange=exchange, malformed=True)
    state = CollectionState.OK if count else CollectionState.EMPTY
    return Collection(name, required, state, count, _total(answer.headers.get("x-total-count")), exchange, alias)


def _total(header: str | None) -> int | None:
    return int(header) if header is not None and header.strip().isdecimal() and len(header.strip()) < 10 else None


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
    terms: set[Term] = set()
    for school in schools:
        listed = school.get("Terms") if isinstance(school, dict) else None
        for entry in listed if isinstance(listed, list) else []:
            term = _term(entry.get("StartDate"), entry.get("EndDate")) if isinstance(entry, dict) else None
            if term is not None and len(terms) < _MOST_TERMS:
                terms.add(term)
    return tuple(sorted(terms, key=lambda term: (term.start, term.end)))


def _term(start: Any, end: Any) -> Term | None:
    try:
        term = Term(date.fromisoformat(start[:10]), date.fromisoformat(end[:10]))
    except (TypeError, ValueError):
        return None
    return term if term.start <= term.end else None
