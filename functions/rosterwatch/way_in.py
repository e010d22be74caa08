"""Finding the way into a server whose data root is known: which token page, which authentication, which scopes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rosterwatch import auth, oneroster
from rosterwatch.access import HTTP_TOO_MANY_REQUESTS, may_try_next, shown_target, static_proof
from rosterwatch.address import BaseUrl, exact, looks_like_a_value, origin, same_origin, without_query
from rosterwatch.auth import Grant
from rosterwatch.client import Answer, Client
from rosterwatch.discovered import Entry, Told
from rosterwatch.district import District
from rosterwatch.observation import BodyKind, Dialect, Exchange, Phase, TokenAttempt
from rosterwatch.providers import GENERIC_1_1, Auth, TokenDialect

#: On top of the visit that follows.
MOST_REQUESTS: Final = 8
_SIGNING: Final = (Auth.OAUTH1_SHA256, Auth.OAUTH1_SHA1)
# Where tokens are given out, below the base URL and below the host: most frequent first.
_TOKEN_PATHS: Final = (
    "/token",
    "/oauth/token",
    "/oauth2/token",
    "/oauth/access_token",
    "/ims/oneroster/token",
    "/auth/token",
    "/connect/token",
)


class GivenUpError(Exception):
    """When there is no sense in asking any further: nobody answers, the host wants to be left alone, or the budget is spent."""


@dataclass
class Asking:
    """The requests of one discovery, counted. It keeps no cookies: what it learns is for another visit to use."""

    client: Client

    @property
    def spent(self) -> int:
        """How many were sent."""
        return self.client.requests

    async def send(
        self, phase: Phase, method: str, url: str, target: str, headers: dict[str, str] | None = None, content: str | None = None
    ) -> Answer:
        """Send one. Raises GivenUpError if it was one too many, or the host does not want another."""
        if self.spent >= MOST_REQUESTS:
            raise GivenUpError
        answer = await self.client.send(phase, method, url, target=target, headers=headers, content=content, cookies=False)
        exchange = answer.exchange
        in_front = exchange.status in (HTTP_TOO_MANY_REQUESTS, 503) or exchange.challenges & {"negotiate", "ntlm"}
        if exchange.fault is not None or in_front:
            raise GivenUpError
        return answer


@dataclass
class WayIn:
    """One search. ``blanket`` is how data is refused to whoever comes without anything, ``challenges`` what was then asked for."""

    told: Told
    base: BaseUrl
    version: str
    data: str
    challenges: set[str]
    blanket: Exchange | None
    asking: Asking
    versions: Sequence[str] = ()
    grant: Grant | None = None
    notes: list[str] = field(default_factory=list)
    refusals: list[TokenAttempt] = field(default_factory=list)
    missing: dict[str, TokenAttempt] = field(default_factory=dict)

    async def find(self) -> Entry:
        """The entry that works, or else the one that a server like this is most likely to have."""
        wanted = self.told.auth
        if wanted is not None and not wanted.asks_for_token:
            return Entry(wanted)
        signing = wanted is None and self.version == "1.1" and "bearer" not in self.challenges
        signing_first = signing and "oauth" in self.challenges
        if signing_first and (signed := await self._signed()):
            return signed
        later = len(_SIGNING) if signing and not signing_first else 0
        named = await self._start_page() if self.version == "1.2" and not self.told.token_url else []
        for dialect in self._token_dialects(named):
            if self.asking.spent >= MOST_REQUESTS - later:
                break
            if entry := await self._token(dialect):
                return entry
        if signing and not signing_first and (signed := await self._signed()):
            return signed
        return Entry(wanted or Auth.OAUTH2_BASIC)

    def _token_dialects(self, named: Sequence[str]) -> Iterator[TokenDialect]:
        """The token pages to try: the one that the operator names, or else those that the server names, and the usual ones.

        A page at a host that the operator did not name is never tried: that the server names it is for the operator to judge.
        """
        how = self.told.auth or Auth.OAUTH2_BASIC
        if self.told.token_url:
            yield TokenDialect("token_url", exact(self.told.token_url, query=True, allow_http=self.told.allow_http).url, how)
            return
        for url in named:
            if same_origin(url, self.base.url):
                yield TokenDialect("token_url", url, how)
            else:
                shown = without_query(url)
                self.notes.append(f"The server names {shown} as its token URL. If you trust that host, give it as --token-url.")
                return
        base, host = self.base.url, origin(self.base.url)
        for url in dict.fromkeys(
            [base + "/token", host + "/oauth/token", *(place + path for path in _TOKEN_PATHS for place in (host, base))]
        ):
            yield TokenDialect("guessed", url, how)

    async def _token(self, dialect: TokenDialect) -> Entry | None:
        """Try one token page; ``None`` if it is none."""
        tries = list(self._scope_tries())
        attempt = await self._ask(dialect, tries[0])
        if not attempt.granted and self._is_no_token_page(attempt.exchange):
            self.missing[dialect.path] = attempt
            return None
        if not attempt.granted and attempt.exchange.body.code in ("invalid_client", "invalid_request") and self.told.auth is None:
            # The same page may want id and secret in the form: another way of authenticating, so one more try.
            in_the_form = replace(dialect, auth=Auth.OAUTH2_POST)
            self.refusals += [attempt] if attempt.exchange.body.code == "invalid_client" else []
            attempt = await self._ask(in_the_form, tries[0])
            if attempt.granted or attempt.exchange.body.code == "invalid_scope":
                dialect = in_the_form
        asked = tries[0]
        for scopes in tries[1:]:
            if attempt.exchange.body.code != "invalid_scope" or self.asking.spent >= MOST_REQUESTS:
                break
            asked = scopes
            attempt = await self._ask(dialect, scopes)
        more_to_try = attempt.exchange.body.code == "invalid_scope" and asked != tries[-1]  # for the visit, which tries them too
        self.refusals = [] if attempt.granted or more_to_try else [*self.refusals, attempt]
        needed = oneroster.scopes(self.version, oneroster.REQUIRED + oneroster.OPTIONAL)
        return Entry(dialect.auth, dialect.path, asked if attempt.granted and asked != needed else None)

    def _scope_tries(self) -> Iterator[tuple[str, ...]]:
        """What to ask for, until it is granted: what the operator chose, or all that is needed, and then less."""
        if self.told.scopes is not None:
            yield self.told.scopes
            return
        for version in dict.fromkeys((self.version, *self.versions)):
            whole = oneroster.scopes(version, oneroster.REQUIRED + oneroster.OPTIONAL)
            yield whole
            yield whole[:1]
        yield ()

    async def _ask(self, dialect: TokenDialect, scopes: tuple[str, ...]) -> TokenAttempt:
        request = auth.token_request(self.base.url, dialect, self.told.credentials, scopes)
        target = shown_target(self._as_district(dialect.auth), dialect)
        answer = await self.asking.send(Phase.TOKEN, "POST", request.url, target, request.headers, request.content)
        self.grant = auth.read_grant(answer.document) if answer.exchange.succeeded else None
        return TokenAttempt(dialect.name, answer.exchange, granted=self.grant is not None)

    def _is_no_token_page(self, exchange: Exchange) -> bool:
        """Whether to look elsewhere. A refusal that looks like that of data without credentials says nothing of a token page."""
        if exchange.body.dialect is Dialect.OAUTH:
            return False
        blanket = self.blanket
        alike = blanket is not None and (exchange.status, exchange.body.kind) == (blanket.status, blanket.body.kind)
        return alike or may_try_next(exchange)

    async def _signed(self) -> Entry | None:
        """Try OAuth 1.0a with both methods: a server that takes one refuses the other."""
        url = f"{self.data}/orgs?limit=1"
        for how in _SIGNING:
            if self.asking.spent >= MOST_REQUESTS:
                break
            headers = static_proof(self._as_district(how)).headers("GET", url)
            answer = await self.asking.send(Phase.COLLECTION, "GET", url, "/orgs", headers)
            if answer.exchange.succeeded and answer.exchange.body.kind is BodyKind.OBJECT:
                return Entry(how)
        return None

    async def _start_page(self) -> list[str]:
        """The token URLs that some servers name on a start page of JSON."""
        if self.asking.spent >= MOST_REQUESTS:
            return []
        answer = await self.asking.send(Phase.SYSTEMINFO, "GET", self.base.url + "/", "/")
        named = []
        for value in _texts(answer.document):
            with suppress(ValueError):
                named.append(exact(value, query=True, allow_http=self.told.allow_http).url)
        return [url for url in named if without_query(url).endswith("token") and not looks_like_a_value(url)][:2]

    def _as_district(self, how: Auth) -> District:
        """As much of a district as proving a request takes."""
        url = exact(self.data, query=False, allow_http=self.told.allow_http)
        needed = (oneroster.REQUIRED, oneroster.OPTIONAL)
        return District("", GENERIC_1_1, self.base, self.told.credentials, *needed, how, self.version, url)


def _texts(document: Any, depth: int = 3) -> Iterator[str]:
    """The texts in the upper levels of a JSON document, few enough to look at each."""
    if isinstance(document, dict) and depth:
        for value in list(document.values())[:50]:
            yield from _texts(value, depth - 1)
    elif isinstance(document, str) and len(document) < 500:
        yield document
