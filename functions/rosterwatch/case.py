"""Pure: a visit under judgement: the facts that fill the catalogue's templates, and how a finding about it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from urllib.parse import urlsplit

from rosterwatch import entry, evidence, oneroster
from rosterwatch.calendar import remembered, season
from rosterwatch.causes import CAUSES
from rosterwatch.finding import Finding
from rosterwatch.observation import Collection, Exchange, Observation, Term
from rosterwatch.providers import PROVIDERS

_MOST_NAMED: Final = 4
# Where a good token is not enough: there the scopes are evidence.
_FORBIDDEN: Final = frozenset({"permission_missing", "oneroster_not_allowed"})
NOT_ASKED: Final = "not asked, since the visit's time was up"
# After these the visit asks no further: the host wants to be left alone, or believes no token of its own.
STOPPING: Final = frozenset({"throttled", "bearer_refused", "token_refused_in_part"})
_URL_CAUSES: Final = frozenset(
    {"wrong_base_url", "not_oneroster", "login_page", "oneroster_disabled", "token_unclear", "token_missing", "token_url_wrong"}
)


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


class Facts(dict[str, str]):
    """Facts for templates. A fact that a visit could not know reads as a plain word, never as an error in an alert."""

    def __missing__(self, key: str) -> str:
        return {"term_begins": "", "retry_after": "", "location": "an unknown address"}.get(key, f"(unknown {key})")


class Case:
    """One visit, and what is known from before."""

    def __init__(self, seen: Observation, known: Known, slow_seconds: float) -> None:
        self.seen, self.known, self.slow_seconds = seen, known, slow_seconds
        self.today: date = seen.at.date()
        self.terms = seen.terms or remembered(known.terms, self.today)
        self.season = season(self.terms, self.today, seen.system.database_year if seen.system else None)
        wording = PROVIDERS[seen.provider].wording
        self.facts = Facts(
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

    def turned_away(self) -> bool:
        """Whether two requests that prove themselves were refused, so that no more were sent."""
        asked = [c.exchange for c in self.seen.collections if c.exchange is not None]
        per_request = self.seen.token is not None and self.seen.token.per_request
        return per_request and bool(asked) and all(exchange.status == entry.HTTP_UNAUTHORIZED for exchange in asked)

    def collections_finding(self, name: str, found: list[Collection], **facts: str) -> Finding:
        """A finding about some collections, with what each of them said."""
        first = next((c.exchange for c in found if c.exchange), None)
        names = tuple(c.name for c in found)
        permissions = PROVIDERS[self.seen.provider].permissions
        boxes = dict.fromkeys(permissions[c] for c in names if c in permissions)
        not_asked = "not asked any more" if name in STOPPING or self.turned_away() else NOT_ASKED
        words = [evidence.sentence(c.exchange) if c.exchange else f"GET /{c.name}: {not_asked}" for c in found]
        scopes = entry.scope_words(self.seen.token) if name in _FORBIDDEN else []
        return self.finding(
            name,
            first,
            [*evidence.alike(words), *scopes],
            names,
            target="/" + names[0],
            collections="every collection" if self._is_all(names) else listed(names),
            boxes=", ".join(boxes) or "the collections above",
            envelope=(found[0].envelope or oneroster.ENVELOPES[names[0]]),
            **facts,
        )

    def _is_all(self, names: tuple[str, ...]) -> bool:
        """Whether these are so many that naming them would say less than "every"."""
        return len(names) > _MOST_NAMED and names == tuple(c.name for c in self.seen.collections if c.required)

    def finding(
        self, name: str, exchange: Exchange | None, words: list[str], concerned: tuple[str, ...] = (), **facts: str
    ) -> Finding:
        """A finding, with the facts of the exchange that tells it."""
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
        return Finding(CAUSES[name], Facts({**self.facts, **own}), tuple(told), concerned)


def listed(names: tuple[str, ...]) -> str:
    """Names as a sentence has them."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
