"""Pure: what a visit saw, and what is known from before, become a diagnosis: causes with evidence, the first to mend first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from rosterwatch import entry, evidence, oneroster, rules
from rosterwatch.calendar import Season, next_term
from rosterwatch.case import NOT_ASKED, STOPPING, Case, Facts, Known, listed
from rosterwatch.cause import Owner, Severity
from rosterwatch.causes import CAUSES, ORDER
from rosterwatch.district import SecretFault
from rosterwatch.finding import BLIND, Diagnosis, Finding, Status
from rosterwatch.observation import BodyKind, Collection, CollectionState, Exchange, Observation, Token

SLOW_SECONDS: Final = 10
EXPIRY_WARNING_DAYS: Final = 30
SHRUNK_BELOW: Final = 0.9
SHRUNK_BY_AT_LEAST: Final = 5


def diagnose(seen: Observation | SecretFault, known: Known, *, slow_seconds: float = SLOW_SECONDS) -> Diagnosis:
    """Decide what is wrong, if anything. Never raises for anything that a remote can send."""
    if isinstance(seen, SecretFault):
        return _conclude([_secret_finding(seen, known)])
    return _conclude(list(_Judge(seen, known, slow_seconds).findings()))


def blinded(diagnosis: Diagnosis, known: Known, district: str) -> Diagnosis:
    """The diagnosis of a visit that failed at the network while the monitor itself could not see: nobody is to be blamed."""
    first = diagnosis.primary
    words = (f"The visit itself found: {first.headline} ({first.cause.name})",) if first else ()
    facts = Facts({"district": district, "secret": known.secret, "provider": "aeries"})
    return Diagnosis(Status.UNKNOWN, (Finding(CAUSES[BLIND], facts, words),))


def _conclude(findings: list[Finding]) -> Diagnosis:
    findings.sort(key=lambda finding: (-finding.cause.severity, ORDER[finding.cause.name]))
    worst = findings[0].cause if findings else None
    if worst is None or worst.severity is Severity.NOTE:
        return Diagnosis(Status.HEALTHY, tuple(findings))
    if worst.name in _BLINDING:
        return Diagnosis(Status.UNKNOWN, tuple(findings))
    return Diagnosis(Status.FAILING if worst.severity is Severity.PAGE else Status.DEGRADED, tuple(findings))


#: Causes that leave us without a look at the district at all.
_BLINDING: Final = frozenset(name for name, cause in CAUSES.items() if cause.owner is Owner.US and cause.scope.value == "ourselves")


def _secret_finding(fault: SecretFault, known: Known) -> Finding:
    facts = {
        "district": fault.district,
        "secret": known.secret,
        "provider": "aeries",
        "mistake": fault.mistakes[0] if fault.mistakes else "",
        "mistakes": " ".join(f"({n}) {mistake}." for n, mistake in enumerate(fault.mistakes, 1)),
    }
    return Finding(CAUSES[fault.trouble.value], Facts(facts), fault.mistakes)


class _Judge(Case):
    """The findings of one visit."""

    def findings(self) -> Iterator[Finding]:
        token = self.seen.token
        if token is not None and token.per_request and not token.granted:
            yield from self._request_findings(token)
        elif token is None or not token.granted:
            yield self._token_finding()
        else:
            yield from self._collection_findings()
            yield from self._data_findings()
        yield from self._certificate_findings()
        yield from self._host_findings()

    # -- the token ----------------------------------------------------------------------------------------------------------

    def _token_finding(self) -> Finding:
        exchange = self.seen.token.decisive if self.seen.token else None
        if exchange is None and self.seen.systeminfo is not None and self.seen.systeminfo.fault is None:
            return self.finding("no_answer", None, [f"POST /token: {NOT_ASKED}"])
        exchange = exchange or self.seen.systeminfo
        if exchange is None:
            return self.finding("unknown", None, ["The visit made no request."])
        blanket = self.seen.token is not None and self.seen.token.is_blanket(exchange)
        cause = "token_path_missing" if blanket else rules.at_token(exchange)
        words: list[str] = []
        site_is_up = self.seen.system is not None and self.seen.system.version is not None
        if cause == "token_path_missing":
            roster_is_there = self.seen.site is not None and rules.at_data_root(self.seen.site)
            cause = "oneroster_disabled" if site_is_up else "token_url_wrong" if roster_is_there else "wrong_base_url"
        elif cause == "token_unclear" and site_is_up and self.known.pair_worked and exchange.body.kind is BodyKind.OBJECT:
            cause = rules.REFUSED  # the address is right, since the site answers there and once gave this pair a token
        elif cause in ("not_oneroster", "token_unclear") and exchange.body.kind is BodyKind.TEXT and self.seen.systeminfo is None:
            cause = "token_url_wrong"  # such as "No Campus Application selected"
        if cause == rules.REFUSED:
            cause, words = self._refusal(exchange)
        elif cause == "client_not_allowed" and self.known.pair_worked:
            words = [entry.worked(self.seen, self.known)]
        site = evidence.site(self.seen) if self.seen.systeminfo is not exchange else None
        attempts = self.seen.token.attempts if self.seen.token else ()
        tried = [evidence.sentence(a.exchange) for a in attempts] or [evidence.sentence(exchange)]
        return self.finding(cause, exchange, [*words, *tried, *([site] if site else [])], (), **self._token_host())

    def _token_host(self) -> dict[str, str]:
        """The facts that differ where tokens come from another host."""
        url = self.seen.token_url
        parts = urlsplit(url) if url else None
        return {"url": url, "host": parts.hostname or "", "port": str(parts.port or 443)} if url and parts else {}

    def _refusal(self, exchange: Exchange) -> tuple[str, list[str]]:
        refusal = entry.refusal(self.seen, self.known, exchange)
        return refusal.cause, list(refusal.words)

    def _request_findings(self, token: Token) -> Iterator[Finding]:
        """Where every request proves itself: refused all alike, it is the credentials; anything else is about the data."""
        exchange = entry.refused_on_each_request(token, self.seen.collections)
        if exchange is None:
            yield from self._collection_findings()
            return
        cause, words = self._refusal(exchange)
        asked = [evidence.sentence(c.exchange) for c in self.seen.collections if c.exchange]
        yield self.finding(cause, exchange, [*words, *asked])

    # -- the collections ----------------------------------------------------------------------------------------------------

    def _collection_findings(self) -> Iterator[Finding]:
        required = [c for c in self.seen.collections if c.required]
        causes = {c.name: rules.at_collection(c) for c in required}
        # With a token at hand, there are two reasons not to ask: the host wants no more, or time ran out. Neither is in order.
        stopped = next((cause for cause in causes.values() if cause in STOPPING or (cause and self.turned_away())), "no_answer")
        by_cause: dict[str, list[Collection]] = {}
        for collection in required:
            cause = stopped if collection.state is CollectionState.UNTESTED else causes[collection.name]
            if cause is not None:
                by_cause.setdefault(self._in_context(cause, required), []).append(collection)
        for name, collections in by_cause.items():
            yield from self._collection_cause(name, collections, required)
        optional = [c for c in self.seen.collections if not c.required]
        unreadable = [c for c in optional if c.state in (CollectionState.DENIED, CollectionState.BROKEN)]
        if unreadable:
            yield self.collections_finding("optional_unreadable", unreadable)

    def _in_context(self, cause: str, required: list[Collection]) -> str:
        """A trouble of the host, the address or the token that spares other collections is the collection's own."""
        answered = any(c.state in (CollectionState.OK, CollectionState.EMPTY) for c in required)
        if answered and cause in _HOST_WIDE:
            return "collection_failing"
        if answered and cause == "bearer_refused" and self.seen.token is not None and self.seen.token.per_request:
            return "permission_missing"  # what opens the rest is no bad signature and no bad token
        return "token_refused_in_part" if answered and cause == "bearer_refused" else cause

    def _collection_cause(self, name: str, found: list[Collection], required: list[Collection]) -> Iterator[Finding]:
        whole = len(found) == len(required) > 1
        if name == "permission_missing" and whole:
            name = "oneroster_not_allowed"
        elif name == "collection_missing" and whole:
            name = "not_oneroster"
        elif name == "collection_empty":
            seasonal = self._out_of_season(found)
            rest = [c for c in found if c not in seasonal]
            if rest:
                yield self.collections_finding("everything_empty" if whole else "collection_empty", found if whole else rest)
            if seasonal and not (whole and rest):
                yield from self._season_findings(seasonal)
            return
        yield self.collections_finding(name, found)

    def _out_of_season(self, empty: list[Collection]) -> list[Collection]:
        """Those of the empty collections that the calendar explains."""
        if self.season in (Season.IN_SESSION, Season.UNKNOWN):
            return []
        return [c for c in empty if c.name in oneroster.SEASONAL]

    def _season_findings(self, found: list[Collection]) -> Iterator[Finding]:
        """What the calendar has to say, of collections that are empty or (with none given) of the year as such."""
        if self.season is Season.OUT and found:
            begins = next_term(self.terms, self.today)
            facts = {"term_begins": f" ({begins.isoformat()})"} if begins else {}
            yield self.collections_finding("between_school_years", found, **facts)
        name = {Season.WRONG_DATABASE: "wrong_school_year", Season.WRONG_TERMS: "wrong_terms"}.get(self.season)
        if name is None:
            return
        words = [f"The default database is {year}."] if (year := self.seen.system and self.seen.system.database_year) else []
        if self.terms:
            starts, ends = min(term.start for term in self.terms), max(term.end for term in self.terms)
            words.append(f"The terms run from {starts.isoformat()} to {ends.isoformat()}.")
        words += [f"{c.name} is empty" for c in found]
        yield self.finding(name, None, words, tuple(c.name for c in found))

    # -- besides ------------------------------------------------------------------------------------------------------------

    def _certificate_findings(self) -> Iterator[Finding]:
        exchange = self.seen.certificate
        cause = rules.at_certificate(exchange) if exchange else None
        if exchange is None or cause is None:
            return
        # Where nothing at all could be read, what also keeps the certificate from being checked is the same trouble.
        read = any(c.state in (CollectionState.OK, CollectionState.EMPTY) for c in self.seen.collections)
        if read or cause in ("api_certificate_wrong", "api_certificate_permission"):
            yield self.finding(cause, exchange, [evidence.sentence(exchange)])

    def _host_findings(self) -> Iterator[Finding]:
        seen = self.seen
        if seen.tls_expires_at and seen.tls_expires_at - seen.at <= timedelta(days=EXPIRY_WARNING_DAYS):
            days = max(0, (seen.tls_expires_at - seen.at).days)
            on = seen.tls_expires_at.date().isoformat()
            when = f"in {days} days" if days > 1 else "in 1 day" if days else "today"
            host = seen.tls_host or seen.host
            yield self.finding("certificate_expiring", None, [f"Valid until {on}."], days=when, expires_on=on, host=host)
        offset = self._clock_offset()
        if offset is not None and abs(offset) > entry.CLOCK_SKEW_SECONDS and not self._told_of_skew():
            yield self.finding(
                "clock_skew", None, [f"Its clock is {offset:+.0f} s off ours."], offset=f"{abs(offset) / 60:.0f} minutes"
            )

    def _told_of_skew(self) -> bool:
        """Whether the clock is already why everything was refused."""
        return self.seen.signed and not (self.seen.token is not None and self.seen.token.granted)

    def _clock_offset(self) -> float | None:
        """As the product itself says, or else as the answers' dates say."""
        if self.seen.system is not None and self.seen.system.clock_offset is not None:
            return self.seen.system.clock_offset
        dated = [exchange.clock_offset for exchange in self.seen.exchanges() if exchange.clock_offset is not None]
        return min(dated, key=abs, default=None)

    def _data_findings(self) -> Iterator[Finding]:
        required = [c for c in self.seen.collections if c.required]
        empty = [c for c in required if c.state is CollectionState.EMPTY]
        if self.terms and not self._out_of_season(empty):
            yield from self._season_findings([])
        late = [c for c in required if c.exchange and c.exchange.succeeded and self._is_slow(c.exchange)]
        if late:
            yield self.collections_finding("slow", late)
        yield from self._shrunk_findings(required)
        aliased = [c for c in required if c.envelope]
        if aliased:
            yield self.collections_finding("envelope_aliased", aliased)
        greedy = [c for c in required if c.records > 1 and not c.malformed]
        if greedy:
            yield self.collections_finding("limit_ignored", greedy)
        ends = entry.expiry(self.seen)
        if ends:
            words = [f"By expires_on in the secret they are good until {ends[1]}."]
            yield self.finding("credentials_expiring", None, words, ending=ends[0], expires_on=ends[1])
        missing = self.seen.token.scopes_missing if self.seen.token else ()
        if missing:
            yield self.finding("scope_narrowed", None, [], scopes=listed(tuple(s.rpartition("/")[2] for s in missing)))

    def _is_slow(self, exchange: Exchange) -> bool:
        return exchange.milliseconds > self.slow_seconds * 1000

    def _shrunk_findings(self, required: list[Collection]) -> Iterator[Finding]:
        fallen = [
            (c, usual)
            for c in required
            if c.total is not None and c.state is CollectionState.OK
            for usual in [self.known.baseline.get(c.name, 0)]
            if c.total < SHRUNK_BELOW * usual and usual - c.total >= SHRUNK_BY_AT_LEAST
        ]
        if fallen and self.season in (Season.IN_SESSION, Season.UNKNOWN):
            words = [f"{c.name}: {c.total} now, usually {usual}" for c, usual in fallen]
            names = tuple(c.name for c, _ in fallen)
            yield self.finding("shrunk", None, words, names, collections=listed(names))


# What is wrong with the whole host or address, and so with every collection or with none.
_HOST_WIDE: Final = frozenset(rules.BY_FAULT.values()) | {
    "server_error", "maintenance", "not_oneroster", "login_page", "windows_authentication",
    "redirected", "redirected_elsewhere", "redirected_to_https",
}  # fmt: skip
