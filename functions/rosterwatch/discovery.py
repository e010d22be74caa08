"""A short, polite look at a server nobody has described: which product, which version, which way in. For ``rosterwatch check``.

It asks for nothing twice, sends credentials to no host that the operator did not name, and stops at a verdict on them: what
``invalid_client`` answers once for one way of authenticating is not tried again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final

from rosterwatch import aeries, oneroster, rules
from rosterwatch.address import BaseUrl, data_root, exact, normalise
from rosterwatch.client import Client, Network
from rosterwatch.discovered import Discovered, Entry, Told, describe
from rosterwatch.observation import Asked, Dialect, Exchange, Phase
from rosterwatch.providers import AERIES, GENERIC_1_1, GENERIC_1_2, PROVIDERS, Auth, Provider
from rosterwatch.way_in import MOST_REQUESTS, Asking, GivenUpError, WayIn

_SECONDS: Final = 40.0
_GENERIC: Final = {"1.1": GENERIC_1_1, "1.2": GENERIC_1_2}
_MISSING: Final = (404, 405, 410, 501)


async def discover(told: Told, network: Network) -> tuple[Discovered | None, int]:
    """Look around, and count the requests. ``None``: the server is not recognised, whatever the reason.

    Raises ValueError for a URL that is none.
    """
    loop = asyncio.get_running_loop()
    async with Client(network, loop.time() + _SECONDS) as client:
        found = await _Search(told, Asking(client)).run()
        return (replace(found, requests=client.requests) if found else None), client.requests


@dataclass
class _Search:
    told: Told
    asking: Asking
    base: BaseUrl = field(init=False)
    challenges: set[str] = field(default_factory=set)
    blanket: Exchange | None = None  # how the server refuses data to whoever comes without anything
    aeries: bool | None = None  # not asked yet

    def __post_init__(self) -> None:
        self.base = normalise(self.told.base_url, subdirectory=False, allow_http=self.told.allow_http)

    async def run(self) -> Discovered | None:
        """Each step asks only for what the step before left open."""
        told = self.told
        hosted = self._by_host()
        if hosted is not None:
            entry = Entry(told.auth or hosted.auth)
            return describe(told, hosted, self._base_for(hosted), told.version or hosted.version, told.data_url, entry)
        try:
            roots = await self._named_roots() or await self._roots()
            if self._may_be_aeries(roots) and await self._is_aeries():
                return describe(told, AERIES, self._base_for(AERIES), AERIES.version, None, Entry(told.auth or AERIES.auth))
        except GivenUpError:
            return None
        if not roots:
            return None
        way = WayIn(told, self.base, *roots[0], self.challenges, self.blanket, self.asking, [version for version, _ in roots])
        try:
            entry = await way.find()
            version, data = await self._right_root(way, roots)
        except GivenUpError:
            entry, (version, data) = Entry(told.auth or Auth.OAUTH2_BASIC), roots[0]
        generic = _GENERIC[version]
        found = describe(told, generic, self.base.url, version, data, entry)
        return replace(found, notes=tuple(way.notes), asked=Asked(tuple(way.refusals), way.missing))

    def _base_for(self, provider: Provider) -> str:
        return normalise(self.told.base_url, subdirectory=provider.subdirectory, allow_http=self.told.allow_http).url

    def _by_host(self) -> Provider | None:
        """The product that the host name gives away."""
        host = self.base.host
        hosted = (p for p in PROVIDERS.values() if any(host == end or host.endswith("." + end) for end in p.hosts))
        return next(hosted, None)

    async def _named_roots(self) -> list[tuple[str, str]]:
        """The data root that the operator named, or pasted as the base URL, with its version."""
        named = self.told.data_url and exact(self.told.data_url, query=False, allow_http=self.told.allow_http).url
        root = named or data_root(self.told.base_url)
        version = self.told.version or (root and oneroster.version_of(root))
        if not version and not named:
            return []
        version = version or "1.1"
        root = root or self.base.url + oneroster.DATA_PATHS[version]
        if self.told.auth is None:
            await self._without_credentials(root)  # how it refuses tells what it wants
        return [(version, root)]

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
            there = await self._unusual_root()
        return there

    async def _unusual_root(self) -> list[tuple[str, str]]:
        """The base URL itself, or a place where one of the products has its data."""
        usual = [(provider.version, self.base.url + provider.data_path) for provider in PROVIDERS.values() if provider.data_path]
        for version, root in [("", self.base.url), *usual]:
            exchange = await self._without_credentials(root)
            if rules.at_data_root(exchange) and (version or exchange.body.dialect in (Dialect.STATUS_INFO_SET, Dialect.IMSX)):
                return [(version or ("1.2" if exchange.body.dialect is Dialect.IMSX else "1.1"), root)]
        return []

    async def _without_credentials(self, data: str) -> Exchange:
        exchange = (await self.asking.send(Phase.COLLECTION, "GET", f"{data}/orgs?limit=1", "/orgs")).exchange
        if exchange.status == 401 and rules.at_data_root(exchange):
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
            url = self._base_for(AERIES) + aeries.SYSTEMINFO
            answer = await self.asking.send(Phase.SYSTEMINFO, "GET", url, aeries.SYSTEMINFO)
            system = aeries.system_info(answer.document) if answer.exchange.succeeded else None
            self.aeries = system is not None and system.version is not None
        return self.aeries

    async def _right_root(self, way: WayIn, roots: list[tuple[str, str]]) -> tuple[str, str]:
        """Where both versions seemed to be there, the token tells which one is."""
        if len(roots) < 2 or way.grant is None or self.asking.spent >= MOST_REQUESTS:
            return roots[0]
        url = f"{roots[0][1]}/orgs?limit=1"
        answer = await self.asking.send(Phase.COLLECTION, "GET", url, "/orgs", way.grant.headers("GET", url))
        return roots[1] if answer.exchange.status in _MISSING else roots[0]
