"""Pure: what a visit saw, and what is known from before, become a diagnosis: causes with evidence, the first to mend first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from rosterwatch import entry, evidence, oneroster, rules
from rosterwatch.calendar import Season, next_term, remembered, season
from rosterwatch.cause import Owner, Severity
from rosterwatch.causes import CAUSES, ORDER
from rosterwatch.district import SecretFault
from rosterwatch.finding import BLIND, Diagnosis, Finding, Status
from rosterwatch.observation import BodyKind, Collection, CollectionState, Exchange, Observation, Term, Token
from rosterwatch.providers import PROVIDERS

SLOW_SECONDS: Final = 10
EXPIRY_WARNING_DAYS: Final = 30
SHRUNK_BELOW: Final = 0.9
SHRUNK_BY_AT_LEAST: Final = 5


@dataclass(frozen=True, slots=True)
class Known:
    """What is known besides the visit. ``pair_worked``: did this very Consumer ID and Secret ever work? ``None``: no record.

    ``pair_worked_at``: when a pair last worked here, be it this one or the one before.
    ``previous_works``: was the pair before this one tried, and does it work? ``baseline``: this district's usual totals.
    ``terms``: the calendar as an earlier visit has read it, for a visit that cannot.
    """

    secret: str
    pair_worked: bool | None = None
    pair_worked_at: datetime | None = None
    secret_changed_at: datetime | None = None
    previous_works: bool | None = None
    baseline: Mapping[str, int] = field(default_factory=dict)
    looks_like_certificate: bool = False
    terms: tuple[Term, ...] = ()


def diagnose(seen: Observation | SecretFault, known: Known, *, slow_seconds: float = SLOW_SECONDS) -> Diagnosis:
    """Decide what is wrong, if anything. Never raises for anything that a remote can send."""
    if isinstance(seen, SecretFault):
        return _conclude([_secret_finding(seen, known)])
    return _conclude(list(_Judge(seen, known, slow_seconds).findings()))


def blinded(diagnosis: Diagnosis, known: Known, district: str) -> Diagnosis:
    """The diagnosis of a visit that failed at the network while the monitor itself could not see: nobody is to be blamed."""
    first = diagnosis.primary
    words = (f"The visit itself found: {first.headline} ({first.cause.name})",) if first else ()
    facts = _Facts({"district": district, "secret": known.secret, "provider": "aeries"})
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
    return Finding(CAUSES[fault.trouble.value], _Facts(facts), fault.mistakes)


class _Facts(dict[str, str]):
    """Facts for templates. A fact that a visit could not know reads as a plain word, never as an error in an alert."""

    def __missing__(self, key: str) -> str:
        return {"term_begins": "", "retry_after": "", "location": "an unknown address"}.get(key, f"(unknown {key})")


class _Judge:
    """The findings of one visit."""

    def __init__(self, seen: Observation, known: Known, slow_seconds: float) -> None:
        self.seen, self.known, self.slow_seconds = seen, known, slow_seconds
        self.today: date = seen.at.date()
        self.terms = seen.terms or remembered(known.terms, self.today)
        self.season = season(self.terms, self.today, seen.system.database_year if seen.system else None)
        wording = PROVIDERS[seen.provider].wording
        self.facts = _Facts(
            district=seen.district,
            secret=known.secret,
            provider=seen.provider,
            product=wording.product,
            credentials=wording.credentials,
            either=wording.either,
            revoked=wording.revoked,
            url=seen.base_url,
            host=seen.host,
            port=str(urlsplit(seen.base_url).port or 443),
            version=(seen.system and seen.system.version) or "unknown",
            database_year=(seen.system and seen.system.database_year) or "unknown",
            seconds=f"{slow_seconds:g}",
        )

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
            return self._finding("no_answer", None, [f"POST /token: {_NOT_ASKED}"])
        exchange = exchange or self.seen.systeminfo
        if exchange is None:
            return self._finding("unknown", None, ["The visit made no request."])
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
        return self._finding(cause, exchange, [*words, *tried, *([site] if site else [])], (), **self._token_host())

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
        yield self._finding(cause, exchange, [*words, *asked])

    def _turned_away(self) -> bool:
        """Whether two requests that prove themselves were refused, so that no more were sent."""
        asked = [c.exchange for c in self.seen.collections if c.exchange is not None]
        per_request = self.seen.token is not None and self.seen.token.per_request
        return per_request and bool(asked) and all(exchange.status == entry.HTTP_UNAUTHORIZED for exchange in asked)

    # -- the collections ----------------------------------------------------------------------------------------------------

    def _collection_findings(self) -> Iterator[Finding]:
        required = [c for c in self.seen.collections if c.required]
        causes = {c.name: rules.at_collection(c) for c in required}
        # With a token at hand, there are two reasons not to ask: the host wants no more, or time ran out. Neither is in order.
        stopped = next((cause for cause in causes.values() if cause in _STOPPING or (cause and self._turned_away())), "no_answer")
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
            yield self._collections_finding("optional_unreadable", unreadable)

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
                yield self._collections_finding("everything_empty" if whole else "collection_empty", found if whole else rest)
            if seasonal and not (whole and rest):
                yield from self._season_findings(seasonal)
            return
        yield self._collections_finding(name, found)

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
            yield self._collections_finding("between_school_years", found, **facts)
        name = {Season.WRONG_DATABASE: "wrong_school_year", Season.WRONG_TERMS: "wrong_terms"}.get(self.season)
        if name is None:
            return
        words = [f"The default database is {year}."] if (year := self.seen.system and self.seen.system.database_year) else []
        if self.terms:
            starts, ends = min(term.start for term in self.terms), max(term.end for term in self.terms)
            words.append(f"The terms run from {starts.isoformat()} to {ends.isoformat()}.")
        words += [f"{c.name} is empty" for c in found]
        yield self._finding(name, None, words, tuple(c.name for c in found))

    def _collections_finding(self, name: str, found: list[Collection], **facts: str) -> Finding:
        first = next((c.exchange for c in found if c.exchange), None)
        names = tuple(c.name for c in found)
        permissions = PROVIDERS[self.seen.provider].permissions
        boxes = dict.fromkeys(permissions[c] for c in names if c in permissions)
        not_asked = "not asked any more" if name in _STOPPING or self._turned_away() else _NOT_ASKED
        words = [evidence.sentence(c.exchange) if c.exchange else f"GET /{c.name}: {not_asked}" for c in found]
        scopes = entry.scope_words(self.seen.token) if name in _FORBIDDEN else []
        return self._finding(
            name,
            first,
            [*evidence.alike(words), *scopes],
            names,
            target="/" + names[0],
            collections="every collection" if self._is_all(names) else _listed(names),
            boxes=", ".join(boxes) or "the collections above",
            envelope=(found[0].envelope or oneroster.ENVELOPES[names[0]]),
            **facts,
        )

    def _is_all(self, names: tuple[str, ...]) -> bool:
        """Whether these are so many that naming them would say less than "every"."""
        return len(names) > _MOST_NAMED and names == tuple(c.name for c in self.seen.collections if c.required)

    # -- besides ------------------------------------------------------------------------------------------------------------

    def _certificate_findings(self) -> Iterator[Finding]:
        exchange = self.seen.certificate
        cause = rules.at_certificate(exchange) if exchange else None
        if exchange is None or cause is None:
            return
        # Where nothing at all could be read, what also keeps the certificate from being checked is the same trouble.
        read = any(c.state in (CollectionState.OK, CollectionState.EMPTY) for c in self.seen.collections)
        if read or cause in ("api_certificate_wrong", "api_certificate_permission"):
            yield self._finding(cause, exchange, [evidence.sentence(exchange)])

    def _host_findings(self) -> Iterator[Finding]:
        seen = self.seen
        if seen.tls_expires_at and seen.tls_expires_at - seen.at <= timedelta(days=EXPIRY_WARNING_DAYS):
            days = max(0, (seen.tls_expires_at - seen.at).days)
            on = seen.tls_expires_at.date().isoformat()
            when = f"in {days} days" if days > 1 else "in 1 day" if days else "today"
            host = seen.tls_host or seen.host
            yield self._finding("certificate_expiring", None, [f"Valid until {on}."], days=when, expires_on=on, host=host)
        offset = self._clock_offset()
        if offset is not None and abs(offset) > entry.CLOCK_SKEW_SECONDS and not self._told_of_skew():
            yield self._finding(
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
            yield self._collections_finding("slow", late)
        yield from self._shrunk_findings(required)
        aliased = [c for c in required if c.envelope]
        if aliased:
            yield self._collections_finding("envelope_aliased", aliased)
        greedy = [c for c in required if c.records > 1 and not c.malformed]
        if greedy:
            yield self._collections_finding("limit_ignored", greedy)
        ends = entry.expiry(self.seen)
        if ends:
            words = [f"By expires_on in the secret they are good until {ends[1]}."]
            yield self._finding("credentials_expiring", None, words, ending=ends[0], expires_on=ends[1])
        missing = self.seen.token.scopes_missing if self.seen.token else ()
        if missing:
            yield self._finding("scope_narrowed", None, [], scopes=_listed(tuple(s.rpartition("/")[2] for s in missing)))

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
            yield self._finding("shrunk", None, words, names, collections=_listed(names))

    def _finding(
        self, name: str, exchange: Exchange | None, words: list[str], concerned: tuple[str, ...] = (), **facts: str
    ) -> Finding:
        own = dict(facts)
        if exchange is not None:
            own["target"] = exchange.target
            own["status"] = str(exchange.status or "none")
            if exchange.redirect is not None and exchange.redirect.host:
                own["location"] = exchange.redirect.host
            if exchange.retry_after is not None:
                own["retry_after"] = f"It asks to be left alone for {exchange.retry_after:.0f} seconds; that is kept."
        changes = [f"base_url as stored was changed for the visit: {change}." for change in self.seen.url_changes]
        told = [*words, *changes] if name in _URL_CAUSES else words
        return Finding(CAUSES[name], _Facts({**self.facts, **own}), tuple(told), concerned)


_MOST_NAMED: Final = 4
# Where a good token is not enough: there the scopes are evidence.
_FORBIDDEN: Final = frozenset({"permission_missing", "oneroster_not_allowed"})
_NOT_ASKED: Final = "not asked, since the visit's time was up"
# After these the visit asks no further: the host wants to be left alone, or believes no token of its own.
_STOPPING: Final = frozenset({"throttled", "bearer_refused", "token_refused_in_part"})
# What is wrong with the whole host or address, and so with every collection or with none.
_HOST_WIDE: Final = frozenset(rules.BY_FAULT.values()) | {
    "server_error", "maintenance", "not_oneroster", "login_page", "windows_authentication",
    "redirected", "redirected_elsewhere", "redirected_to_https",
}  # fmt: skip
_URL_CAUSES: Final = frozenset(
    {"wrong_base_url", "not_oneroster", "login_page", "oneroster_disabled", "token_unclear", "token_missing", "token_url_wrong"}
)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
