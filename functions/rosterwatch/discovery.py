"""A short, polite look at a server nobody has described: which product, which version, which way in. For ``rosterwatch check``.

It asks for nothing twice, sends credentials to no host that the operator did not name, and stops at a verdict on them: what
``invalid_client`` answers once for one way of authenticating is not tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rosterwatch import aeries, auth, oneroster, rules
from rosterwatch.access import HTTP_TOO_MANY_REQUESTS, HTTP_UNAUTHORIZED, may_try_next, shown_target, static_proof
from rosterwatch.address import BaseUrl, data_root, exact, normalise, origin, same_origin, without_query
from rosterwatch.client import Answer, Client, Network
from rosterwatch.district import Credentials, District
from rosterwatch.observation import BodyKind, Dialect, Exchange, Phase, TokenAttempt
from rosterwatch.providers import AERIES, GENERIC_1_1, GENERIC_1_2, PROVIDERS, Auth, Provider, TokenDialect

#: On top of the visit that follows.
MOST_REQUESTS: Final = 8
_SECONDS: Final = 40.0
_GENERIC: Final = {"1.1": GENERIC_1_1, "1.2": GENERIC_1_2}
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


@dataclass(frozen=True, slots=True)
class Told:
    """What the operator said; everything but the base URL and the credentials may be open."""

    base_url: str
    credentials: Credentials
    token_url: str | None = None
    data_url: str | None = None
    auth: Auth | None = None
    scopes: tuple[str, ...] | None = None
    version: str | None = None
    allow_http: bool = False


@dataclass(frozen=True, slots=True)
class Discovered:
    """What was found out. ``secret`` holds what goes into the secret beside the credentials; ``notes`` are for the operator.

    ``refusals`` are verdicts on the credentials that were met on the way: the visit need not, and must not, ask for them again.
    """

    provider: str
    version: str
    auth: Auth
    token_url: str | None
    data_url: str
    secret: dict[str, Any]
    requests: int
    notes: tuple[str, ...] = ()
    refusals: tuple[TokenAttempt, ...] = ()


async def discover(told: Told, network: Network) -> Discovered | None:
    """Look around; ``None`` if the server is not recognised, whatever the reason. Raises ValueError for a URL that is none."""
    loop = asyncio.get_running_loop()
    async with Client(network, loop.time() + _SECONDS) as client:
        return await _Search(told, client).run()


class _GivenUpError(Exception):
    """When there is no sense in asking any further: nobody answers, the host wants to be left alone, or the budget is spent."""


@dataclass
class _Search:
    told: Told
    client: Client
    base: BaseUrl = field(init=False)
    notes: list[str] = field(default_factory=list)
    challenges: set[str] = field(default_factory=set)
    blanket: Exchange | None = None  # how the server refuses data to whoever comes without anything
    refusals: list[TokenAttempt] = field(default_factory=list)
    aeries: bool | None = None  # not asked yet

    def __post_init__(self) -> None:
        self.base = normalise(self.told.base_url, subdirectory=False, allow_http=self.told.allow_http)

    async def run(self) -> Discovered | None:
        """Each step asks only for what the step before left open."""
        known = self._by_host()
        if known is not None:
            return self._found(known, self.told.version or known.version, self.told.auth or known.auth, None, None)
        try:
            roots = self._named_roots() or await self._roots()
            if self._may_be_aeries(roots) and await self._is_aeries():
                return self._found(AERIES, "1.1", self.told.auth or AERIES.auth, None, None)
        except _GivenUpError:
            return None
        if not roots:
            return None
        version, data = roots[0]
        try:
            return await self._way_in(version, data, roots)
        except _GivenUpError:
            return self._found(_GENERIC[version], version, self.told.auth or Auth.OAUTH2_BASIC, self.told.token_url, data)

    # -- what is there ------------------------------------------------------------------------------------------------------

    def _by_host(self) -> Provider | None:
        """The product that the host name gives away."""
        host = self.base.host
        hosted = (p for p in PROVIDERS.values() if any(host == end or host.endswith("." + end) for end in p.hosts))
        return next(hosted, None)

    def _named_roots(self) -> list[tuple[str, str]]:
        """The data root that the operator named, or pasted as the base URL, with its version."""
        named = self.told.data_url and exact(self.told.data_url, query=False, allow_http=self.told.allow_http).url
        root = named or data_root(self.told.base_url)
        version = self.told.version or (root and oneroster.version_of(root))
        if root and (named or version):
            return [(version or "1.1", root)]
        return [(version, self.base.url + oneroster.DATA_PATHS[version])] if version else []

    async def _roots(self) -> list[tuple[str, str]]:
        """The versions that answer where the specification puts them, the likelier one first; or the base URL itself."""
        there: list[tuple[str, str]] = []
        dialects: set[Dialect | None] = set()
        for version, path in oneroster.DATA_PATHS.items():
            exchange = await self._without_credentials(self.base.url + path)
            if rules.at_data_root(exchange):
                there.append((version, self.base.url + path))
                dialects.add(exchange.body.dialect)
                if exchange.body.dialect is Dialect.STATUS_INFO_SET:
                    break  # only 1.1 speaks so
        if len(there) > 1 and Dialect.IMSX in dialects:
            there.reverse()  # only 1.2 speaks so: it refuses every path below it alike
        if not there and not await self._is_aeries():
            exchange = await self._without_credentials(self.base.url)
            if rules.at_data_root(exchange) and exchange.body.dialect in (Dialect.STATUS_INFO_SET, Dialect.IMSX):
                there.append(("1.2" if exchange.body.dialect is Dialect.IMSX else "1.1", self.base.url))
        return there

    async def _without_credentials(self, data: str) -> Exchange:
        exchange = (await self._send(Phase.COLLECTION, "GET", f"{data}/orgs?limit=1", "/orgs")).exchange
        if exchange.status == HTTP_UNAUTHORIZED and rules.at_data_root(exchange):
            self.challenges |= exchange.challenges
            self.blanket = self.blanket or exchange
        return exchange

    def _may_be_aeries(self, roots: list[tuple[str, str]]) -> bool:
        told = self.told
        signs = told.auth is not None and not told.auth.asks_for_token
        return not (told.token_url or told.data_url or told.scopes is not None or signs or (roots and roots[0][0] != "1.1"))

    async def _is_aeries(self) -> bool:
        """Aeries' systeminfo needs no credentials. It is asked for once."""
        if self.aeries is None:
            base = normalise(self.told.base_url, subdirectory=True, allow_http=self.told.allow_http)
            answer = await self._send(Phase.SYSTEMINFO, "GET", base.url + aeries.SYSTEMINFO, aeries.SYSTEMINFO)
            system = aeries.system_info(answer.document) if answer.exchange.succeeded else None
            self.aeries = system is not None and system.version is not None
        return self.aeries

    # -- how to get in ------------------------------------------------------------------------------------------------------

    async def _way_in(self, version: str, data: str, roots: list[tuple[str, str]]) -> Discovered:
        wanted = self.told.auth
        if wanted is not None and not wanted.asks_for_token:
            return self._found(_GENERIC[version], version, wanted, None, data)
        signing_likely = "oauth" in self.challenges and "bearer" not in self.challenges
        if wanted is None and signing_likely and (signed := await self._signed(version, data)):
            return signed
        reserve = len(_SIGNING) if wanted is None and version == "1.1" and not signing_likely else int(version == "1.2")
        for dialect in self._token_dialects():
            if self.client.requests >= MOST_REQUESTS - reserve:
                break
            if found := await self._token(version, data, dialect, roots):
                return found
        if wanted is None and version == "1.1" and not signing_likely and (signed := await self._signed(version, data)):
            return signed
        if version == "1.2" and not self.told.token_url and (named := await self._start_page()):
            return self._found(_GENERIC[version], version, wanted or Auth.OAUTH2_BASIC, named, data)
        self.notes.append("No token page was found: name it with --token-url.")
        return self._found(_GENERIC[version], version, wanted or Auth.OAUTH2_BASIC, None, data)

    def _token_dialects(self) -> Iterator[TokenDialect]:
        how = self.told.auth or Auth.OAUTH2_BASIC
        if self.told.token_url:
            yield TokenDialect("token_url", exact(self.told.token_url, query=True, allow_http=self.told.allow_http).url, how)
            return
        places = dict.fromkeys((self.base.url, origin(self.base.url)))
        for path in _TOKEN_PATHS:
            for place in places:
                yield TokenDialect("token_url", place + path, how)

    async def _token(self, version: str, data: str, dialect: TokenDialect, roots: list[tuple[str, str]]) -> Discovered | None:
        """Try one token page; ``None`` if it is none."""
        tries = list(self._scope_tries(version, roots))
        attempt, granted = await self._ask(dialect, tries[0], data)
        if not granted and self._is_no_token_page(attempt.exchange):
            return None
        refused_for_form = attempt.exchange.body.code in ("invalid_client", "invalid_request")
        if not granted and refused_for_form and self.told.auth is None and self.client.requests < MOST_REQUESTS:
            first = attempt
            another = replace(dialect, auth=Auth.OAUTH2_POST)
            attempt, granted = await self._ask(another, tries[0], data)
            if granted or attempt.exchange.body.code == "invalid_scope":
                dialect = another
            else:
                self.refusals = [first, attempt] if first.exchange.body.code == "invalid_client" else [attempt]
        for scopes in tries[1:]:
            if granted or attempt.exchange.body.code != "invalid_scope" or self.client.requests >= MOST_REQUESTS:
                break
            attempt, granted = await self._ask(dialect, scopes, data)
            tries[0] = scopes
        if not granted and not self.refusals and not may_try_next(attempt.exchange):
            self.refusals = [attempt]
        if granted:
            version, data = await self._right_version(granted, version, data, roots)
        asked = tries[0] if granted and tries[0] != oneroster.scopes(version, oneroster.REQUIRED + oneroster.OPTIONAL) else None
        return self._found(_GENERIC[version], version, dialect.auth, dialect.path, data, asked)

    def _scope_tries(self, version: str, roots: list[tuple[str, str]]) -> Iterator[tuple[str, ...]]:
        """What to ask for, until it is granted: what the operator chose, or all that is needed, and then less."""
        if self.told.scopes is not None:
            yield self.told.scopes
            return
        for each in dict.fromkeys((version, *(other for other, _ in roots))):
            whole = oneroster.scopes(each, oneroster.REQUIRED + oneroster.OPTIONAL)
            yield whole
            yield whole[:1]
        yield ()

    async def _ask(self, dialect: TokenDialect, scopes: tuple[str, ...], data: str) -> tuple[TokenAttempt, auth.Grant | None]:
        request = auth.token_request(self.base.url, dialect, self.told.credentials, scopes)
        target = shown_target(self._as_district(dialect, data), dialect)
        answer = await self._send(Phase.TOKEN, "POST", request.url, target, request.headers, request.content)
        grant = auth.read_grant(answer.document) if answer.exchange.succeeded else None
        return TokenAttempt(dialect.name, answer.exchange, granted=grant is not None), grant

    def _is_no_token_page(self, exchange: Exchange) -> bool:
        """Whether to look elsewhere. A refusal that looks like that of data without credentials says nothing of a token page."""
        if exchange.body.dialect is Dialect.OAUTH:
            return False
        blanket = self.blanket
        alike = blanket is not None and (exchange.status, exchange.body.kind) == (blanket.status, blanket.body.kind)
        return alike or may_try_next(exchange)

    async def _right_version(self, grant: auth.Grant, version: str, data: str, roots: list[tuple[str, str]]) -> tuple[str, str]:
        """Where both versions seemed to be there, the token tells which one is."""
        if len(roots) < 2 or self.client.requests >= MOST_REQUESTS:
            return version, data
        answer = await self._send(Phase.COLLECTION, "GET", f"{data}/orgs?limit=1", "/orgs", grant.headers("GET", data))
        missing = answer.exchange.status in (404, 405, 410, 501)
        return roots[1] if missing else (version, data)

    async def _signed(self, version: str, data: str) -> Discovered | None:
        """Try OAuth 1.0a with both methods: a server that takes one refuses the other."""
        for how in _SIGNING:
            if self.client.requests >= MOST_REQUESTS:
                return None
            url = f"{data}/orgs?limit=1"
            proof = static_proof(self._as_district(None, data, how))
            answer = await self._send(Phase.COLLECTION, "GET", url, "/orgs", proof.headers("GET", url))
            if answer.exchange.succeeded and answer.exchange.body.kind is BodyKind.OBJECT:
                return self._found(_GENERIC[version], version, how, None, data)
        return None

    async def _start_page(self) -> str | None:
        """Some servers name their token URL on a start page of JSON. At another host it is for the operator to trust, not for us."""
        if self.client.requests >= MOST_REQUESTS:
            return None
        answer = await self._send(Phase.SYSTEMINFO, "GET", self.base.url + "/", "/")
        for value in _texts(answer.document):
            try:
                url = exact(value, query=True, allow_http=self.told.allow_http).url
            except ValueError:
                continue
            if not without_query(url).endswith("token"):
                continue
            if same_origin(url, self.base.url):
                return url
            self.notes.append(f"The server names {without_query(url)} as its token URL. If you trust it, give it as --token-url.")
        return None

    # -- the tools ----------------------------------------------------------------------------------------------------------

    async def _send(
        self, phase: Phase, method: str, url: str, target: str, headers: dict[str, str] | None = None, content: str | None = None
    ) -> Answer:
        if self.client.requests >= MOST_REQUESTS:
            raise _GivenUpError
        answer = await self.client.send(phase, method, url, target=target, headers=headers, content=content, cookies=False)
        exchange = answer.exchange
        in_front = exchange.status in (HTTP_TOO_MANY_REQUESTS, 503) or exchange.challenges & {"negotiate", "ntlm"}
        if exchange.fault is not None or in_front:
            raise _GivenUpError
        return answer

    def _as_district(self, dialect: TokenDialect | None, data: str, how: Auth = Auth.OAUTH2_BASIC) -> District:
        url = exact(data, query=False, allow_http=self.told.allow_http)
        dialects = (dialect,) if dialect else ()
        needed = (oneroster.REQUIRED, oneroster.OPTIONAL)
        credentials = self.told.credentials
        return District("", GENERIC_1_1, self.base, credentials, *needed, how, "1.1", url, token_dialects=dialects)

    def _found(
        self,
        provider: Provider,
        version: str,
        how: Auth,
        token_url: str | None,
        data: str | None,
        scopes: tuple[str, ...] | None = None,
    ) -> Discovered:
        told = self.told
        base = self.base.url if provider is not AERIES else told.base_url
        token_url = token_url or told.token_url
        secret: dict[str, Any] = {"provider": provider.name, "base_url": base}
        if version != provider.version:
            secret["version"] = version
        if how is not provider.auth:
            secret["auth"] = how.value
        if token_url:
            secret["token_url"] = token_url
        if data and data != base + oneroster.DATA_PATHS[version]:
            secret["data_url"] = data
        scopes = told.scopes if told.scopes is not None else scopes
        if scopes is not None and how.asks_for_token:
            secret["scopes"] = list(scopes)
        return Discovered(
            provider.name,
            version,
            how,
            token_url and without_query(token_url),
            data or base + (provider.data_path or oneroster.DATA_PATHS[version]),
            secret,
            self.client.requests,
            tuple(self.notes),
            tuple(self.refusals),
        )


def _texts(document: Any, depth: int = 3) -> Iterator[str]:
    """The texts in the upper levels of a JSON document, few enough to look at each."""
    if isinstance(document, dict) and depth:
        for value in list(document.values())[:50]:
            yield from _texts(value, depth - 1)
    elif isinstance(document, str) and len(document) < 500:
        yield document
