"""Pure: why a visit was not let in, and how long its credentials still will be. The question that the product exists for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rosterwatch import rules
from rosterwatch.observation import Collection, Exchange, Observation, Token
from rosterwatch.providers import PROVIDERS
from rosterwatch.times import moment

if TYPE_CHECKING:
    from rosterwatch.case import Known

CLOCK_SKEW_SECONDS: Final = 300
#: How long before their end credentials are spoken of, in days: the steps at which the warning changes.
EXPIRY_STEPS: Final = (1, 7, 14, 30, 60)
HTTP_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which kind of refused credentials this is, and what speaks for it."""

    cause: str
    words: tuple[str, ...]


def refusal(seen: Observation, known: Known, exchange: Exchange | None) -> Refusal:
    """Judge credentials that were refused in ``exchange``."""
    skewed = _skewed(seen, exchange)
    if skewed is not None:
        return Refusal("clock_skew_refused", (f"The server's clock (its Date header) is {skewed:+.0f} s off ours.",))
    if seen.expires_on is not None and seen.expires_on < seen.at.date():
        return Refusal("credentials_expired", (f"By expires_on in the secret they were good until {seen.expires_on.isoformat()}.",))
    if known.previous_works:
        return Refusal("credentials_rotated_badly", ("The pair stored before this one still works.",))
    if known.pair_worked:
        return Refusal("credentials_revoked", (worked(seen, known), *_record_evidence(seen)))
    if known.looks_like_certificate:
        word = "A stored value is 32 letters and digits, the shape of an API Certificate."
        return Refusal("certificate_in_consumer_field", (word,))
    words = ["This pair has never worked here." if known.pair_worked is False else "There is no record of this pair ever working."]
    changed, last = known.secret_changed_at, known.pair_worked_at
    if changed and last and changed > last:
        words.append(
            f"The secret was changed at {moment(changed)}, after credentials last worked at "
            f"{moment(last)}: look at the new values first."
        )
    return Refusal("credentials_wrong", (*words, *_record_evidence(seen)))


def worked(seen: Observation, known: Known) -> str:
    """When the same credentials were last accepted."""
    at = known.pair_worked_at
    credentials = PROVIDERS[seen.provider].wording.credentials
    return f"The same {credentials} worked" + (f" at {moment(at)}." if at else " before.")


def refused_on_each_request(token: Token, collections: Sequence[Collection]) -> Exchange | None:
    """The refusal, where requests prove themselves and everything that was asked was refused for what it carried."""
    answered = [c.exchange for c in collections if c.exchange is not None]
    if not token.per_request or not answered or any(exchange.status != HTTP_UNAUTHORIZED for exchange in answered):
        return None
    # What stands in front (a Windows login, a firewall) also says 401, and means something else by it.
    return answered[0] if rules.at_token(answered[0]) == rules.REFUSED else None


def scope_words(token: Token | None) -> list[str]:
    """What the scopes have to do with a collection that is forbidden to a good token."""
    if token is None or not token.scopes_asked:
        return []
    asked = _short(token.scopes_asked)
    if token.scopes_missing:
        return [f"Asked for the scopes {asked}; granted without {_short(token.scopes_missing)}."]
    if token.scopes_named:
        return [f"The token answer names every scope that was asked for ({asked}), and yet this is refused."]
    return [f"Asked for the scopes {asked}; the token answer does not say which it grants."]


def expiry(seen: Observation) -> tuple[str, str] | None:
    """When the credentials end, in words, and on which day; ``None`` while that is far off or not known."""
    if seen.expires_on is None:
        return None
    days = (seen.expires_on - seen.at.date()).days
    step = next((step for step in EXPIRY_STEPS if days <= step), None)
    return (_within(days, step), seen.expires_on.isoformat()) if step is not None else None


def _within(days: int, step: int) -> str:
    if days < 0:
        return "should have ended, and still work"
    return "end today" if days == 0 else f"end within {step} days" if step > 1 else "end tomorrow"


def _skewed(seen: Observation, exchange: Exchange | None) -> float | None:
    """How far the server's clock is off, if that is reason enough to refuse a signature."""
    offset = exchange.clock_offset if exchange is not None and seen.signed else None
    return offset if offset is not None and abs(offset) > CLOCK_SKEW_SECONDS else None


def _record_evidence(seen: Observation) -> list[str]:
    """The certificate belongs to the same vendor record, so its fate tells whether the record still exists."""
    if seen.certificate is None:
        return []
    said = {
        "api_certificate_wrong": "The API Certificate is refused as well: it seems that the record itself was deleted.",
        None: "The API Certificate still works: if it belongs to the same record, look at its OneRoster box first.",
    }
    word = said.get(rules.at_certificate(seen.certificate))
    return [word] if word else []


def _short(scopes: Sequence[str]) -> str:
    return ", ".join(scope.rpartition("/")[2] or scope for scope in scopes)
