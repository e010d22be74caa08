"""Pure: what a visit saw, and what is known from before, become a diagnosis: causes with evidence, the first to mend first."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from rosterwatch import evidence, oneroster, rules
from rosterwatch.calendar import in_session, next_term, school_year
from rosterwatch.causes import CAUSES, ORDER, Cause, Owner, Severity
from rosterwatch.district import SecretFault
from rosterwatch.observation import Collection, CollectionState, Exchange, Observation
from rosterwatch.providers import PROVIDERS

SLOW_SECONDS: Final = 10
CLOCK_SKEW_SECONDS: Final = 300
EXPIRY_WARNING_DAYS: Final = 30
SHRUNK_BELOW: Final = 0.9


class Status(enum.StrEnum):
    """How a district stands. ``unknown``: we could not look, for reasons of our own."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILING = "failing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known besides the visit. ``pair_worked``: did this very Consumer ID and Secret ever work? ``None``: no record.

    ``pair_worked_at``: when a pair last worked here, be it this one or the one before.
    ``previous_works``: was the pair before this one tried, and does it work? ``baseline``: this district's usual totals.
    """

    secret: str
    pair_worked: bool | None = None
    pair_worked_at: datetime | None = None
    secret_changed_at: datetime | None = None
    previous_works: bool | None = None
    baseline: Mapping[str, int] = field(default_factory=dict)
    looks_like_certificate: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause that was found, its evidence, the collections it concerns, and the facts that fill its templates."""

    cause: Cause
    facts: Mapping[str, str]
    evidence: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The cause's headline with this finding's facts in it."""
        return self.cause.headline.format_map(self.facts)

    @property
    def next_steps(self) -> tuple[str, ...]:
        """The steps, with the provider's own wording put in where the catalogue refers to it."""
        wording = PROVIDERS[self.facts["provider"]].wording
        steps: list[str] = []
        for step in self.cause.next_steps:
            steps += getattr(wording, step[1:]) if step.startswith("@") else [step]
        return tuple(step.format_map(self.facts).strip() for step in dict.fromkeys(steps))


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The verdict on one visit. ``findings`` come in the order of repair; notes among them do not count against health."""

    status: Status
    findings: tuple[Finding, ...] = ()

    @property
    def primary(self) -> Finding | None:
        """The finding whose fix comes first; ``None`` when there is nothing worse than a note."""
        first = self.findings[0] if self.findings else None
        return first if first is not None and first.cause.severity > Severity.NOTE else None


def diagnose(seen: Observation | SecretFault, known: Known, *, slow_seconds: float = SLOW_SECONDS) -> Diagnosis:
    """Decide what is wrong, if anything. Never raises for anything that a remote can send."""
    if isinstance(seen, SecretFault):
        return _conclude([_secret_finding(seen, known)])
    return _conclude(list(_Judge(seen, known, slow_seconds).findings()))


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
        wording = PROVIDERS[seen.provider].wording
        self.facts = _Facts(
            district=seen.district,
            secret=known.secret,
            provider=seen.provider,
            product=wording.product,
            url=seen.base_url,
            host=seen.host,
            port=str(urlsplit(seen.base_url).port or 443),
            version=(seen.system and seen.system.version) or "unknown",
            database_year=(seen.system and seen.system.database_year) or "unknown",
            seconds=f"{slow_seconds:g}",
        )

    def findings(self) -> Iterator[Finding]:
        token = self.seen.token
        if token is None or not token.granted:
            yield self._token_finding()
        else:
            yield from self._collection_findings()
            yield from self._side_findings()
        yield from self._certificate_findings()

    # -- the token ----------------------------------------------------------------------------------------------------------

    def _token_finding(self) -> Finding:
        exchange = self.seen.token.decisive if self.seen.token else None
        exchange = exchange or self.seen.systeminfo
        if exchange is None:
            return self._finding("unknown", None, ["The visit made no request."])
        cause = rules.at_token(exchange)
        words: list[str] = []
        if cause == "token_path_missing":
            site_is_up = self.seen.system is not None and self.seen.system.version is not None
            cause = "oneroster_disabled" if site_is_up else "wrong_base_url"
        if cause == rules.REFUSED:
            cause, words = self._refusal()
        elif cause == "client_not_allowed" and self.known.pair_worked:
            words = [self._worked()]
        site = evidence.site(self.seen) if self.seen.systeminfo is not exchange else None
        attempts = self.seen.token.attempts if self.seen.token else ()
        tried = [evidence.sentence(a.exchange) for a in attempts] or [evidence.sentence(exchange)]
        return self._finding(cause, exchange, [*words, *tried, *([site] if site else [])])

    def _refusal(self) -> tuple[str, list[str]]:
        """Which kind of refused pair this is: the question that the product exists for."""
        known = self.known
        if known.previous_works:
            return "credentials_rotated_badly", ["The pair stored before this one still works."]
        if known.pair_worked:
            return "credentials_revoked", [self._worked(), *self._record_evidence()]
        if known.looks_like_certificate:
            return "certificate_in_consumer_field", ["A stored value is 32 letters and digits, the shape of an API Certificate."]
        words = [
            "This pair has never worked here." if known.pair_worked is False else "There is no record of this pair ever working."
        ]
        changed, worked = known.secret_changed_at, known.pair_worked_at
        if changed and worked and changed > worked:
            words.append(
                f"The secret was changed at {evidence.moment(changed)}, after credentials last worked at "
                f"{evidence.moment(worked)}: look at the new values first."
            )
        return "credentials_wrong", words + self._record_evidence()

    def _worked(self) -> str:
        at = self.known.pair_worked_at
        return "The same Consumer ID and Secret worked" + (f" at {evidence.moment(at)}." if at else " before.")

    def _record_evidence(self) -> list[str]:
        """The certificate belongs to the same vendor record, so its fate tells whether the record still exists."""
        status = self.seen.certificate.status if self.seen.certificate else None
        if status == 401:
            return ["The record's API Certificate is refused as well: the record itself was deleted."]
        if self.seen.certificate and self.seen.certificate.succeeded:
            return ["The record's API Certificate still works: the record exists, so look at its OneRoster box first."]
        return []

    # -- the collections ----------------------------------------------------------------------------------------------------

    def _collection_findings(self) -> Iterator[Finding]:
        required = [c for c in self.seen.collections if c.required]
        by_cause: dict[str, list[Collection]] = {}
        for collection in required:
            # With a token at hand, the one reason not to ask is that time ran out: no answer, and never "in order".
            untested = collection.state is CollectionState.UNTESTED
            cause = "no_answer" if untested else rules.at_collection(collection)
            if cause is not None:
                by_cause.setdefault(self._in_context(cause, required), []).append(collection)
        for name, collections in by_cause.items():
            yield from self._collection_cause(name, collections, required)
        for collection in self.seen.collections:
            if not collection.required and collection.state in (CollectionState.DENIED, CollectionState.BROKEN):
                yield self._collections_finding("optional_unreadable", [collection])

    def _in_context(self, cause: str, required: list[Collection]) -> str:
        """A host's trouble that spares the other collections is the collection's trouble."""
        answered = any(c.state in (CollectionState.OK, CollectionState.EMPTY) for c in required)
        host_wide = cause == "server_error" or cause in rules.BY_FAULT.values()
        return "collection_failing" if host_wide and answered else cause

    def _collection_cause(self, name: str, found: list[Collection], required: list[Collection]) -> Iterator[Finding]:
        whole = len(found) == len(required) > 1
        if name == "permission_missing" and whole:
            name = "oneroster_not_allowed"
        elif name == "collection_missing" and whole:
            name = "not_oneroster"
        elif name == "collection_empty":
            if whole:
                yield self._collections_finding("everything_empty", found)
                return
            yield from self._empty_findings(found)
            return
        yield self._collections_finding(name, found)

    def _empty_findings(self, found: list[Collection]) -> Iterator[Finding]:
        terms = self.seen.terms
        seasonal = [c for c in found if c.name in oneroster.SEASONAL] if terms and not in_session(terms, self.today) else []
        rest = [c for c in found if c not in seasonal]
        if seasonal and self._wrong_year():
            yield self._collections_finding("wrong_school_year", seasonal)
        elif seasonal:
            begins = next_term(terms, self.today)
            facts = {"term_begins": f" ({begins.isoformat()})"} if begins else {}
            yield self._collections_finding("between_school_years", seasonal, **facts)
        if rest:
            yield self._collections_finding("collection_empty", rest)

    def _wrong_year(self) -> bool:
        """Whether the default database is clearly another year's than the one that runs today."""
        year = self.seen.system.database_year if self.seen.system else None
        running = school_year(self.today)
        return year is not None and running is not None and year != running

    def _collections_finding(self, name: str, found: list[Collection], **facts: str) -> Finding:
        first = next((c.exchange for c in found if c.exchange), None)
        names = tuple(c.name for c in found)
        permissions = PROVIDERS[self.seen.provider].permissions
        boxes = dict.fromkeys(permissions[c] for c in names if c in permissions)
        not_asked = "not asked, since the visit's time was up"
        words = [evidence.sentence(c.exchange) if c.exchange else f"GET /{c.name}: {not_asked}" for c in found]
        return self._finding(
            name,
            first,
            words[:_MOST_EVIDENCE],
            names,
            target="/" + names[0],
            collections=_listed(names),
            boxes=", ".join(boxes) or "the collections above",
            envelope=(found[0].envelope or oneroster.ENVELOPES[names[0]]),
            **facts,
        )

    # -- besides ------------------------------------------------------------------------------------------------------------

    def _certificate_findings(self) -> Iterator[Finding]:
        exchange = self.seen.certificate
        cause = rules.at_certificate(exchange) if exchange else None
        if exchange is not None and cause is not None:
            yield self._finding(cause, exchange, [evidence.sentence(exchange)])

    def _side_findings(self) -> Iterator[Finding]:
        seen = self.seen
        if seen.tls_expires_at and seen.tls_expires_at - seen.at <= timedelta(days=EXPIRY_WARNING_DAYS):
            days = max(0, (seen.tls_expires_at - seen.at).days)
            on = seen.tls_expires_at.date().isoformat()
            yield self._finding("certificate_expiring", None, [f"Valid until {on}."], days=str(days), expires_on=on)
        offset = seen.system.clock_offset if seen.system else None
        if offset is not None and abs(offset) > CLOCK_SKEW_SECONDS:
            yield self._finding(
                "clock_skew", None, [f"Its clock is {offset:+.0f} s off ours."], offset=f"{abs(offset) / 60:.0f} minutes"
            )
        late = [
            c
            for c in seen.collections
            if c.exchange and c.exchange.milliseconds > self.slow_seconds * 1000 and c.exchange.succeeded
        ]
        if late:
            yield self._collections_finding("slow", late)
        yield from self._shrunk_findings()
        aliased = [c for c in seen.collections if c.required and c.envelope]
        if aliased:
            yield self._collections_finding("envelope_aliased", aliased)
        greedy = [c for c in seen.collections if c.required and c.records > 1]
        if greedy:
            yield self._collections_finding("limit_ignored", greedy)
        missing = seen.token.scopes_missing if seen.token else ()
        if missing:
            yield self._finding("scope_narrowed", None, [], scopes=_listed(tuple(s.rpartition("/")[2] for s in missing)))

    def _shrunk_findings(self) -> Iterator[Finding]:
        fallen = [
            (c, self.known.baseline[c.name])
            for c in self.seen.collections
            if c.total is not None and c.state is CollectionState.OK and c.total < SHRUNK_BELOW * self.known.baseline.get(c.name, 0)
        ]
        if fallen and (not self.seen.terms or in_session(self.seen.terms, self.today)):
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


_MOST_EVIDENCE: Final = 12
_URL_CAUSES: Final = frozenset(
    {"wrong_base_url", "not_oneroster", "login_page", "oneroster_disabled", "token_unclear", "token_missing"}
)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
