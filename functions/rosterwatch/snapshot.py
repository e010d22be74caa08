"""Pure: what a visit found, in a letter a thing: small enough to be stored each time, and all that a row of the dashboard needs.

The letters stand in the order of ``PLACES``, so that is for ever: new places go to the end, and where a stored text is too
short for a place, nothing is known of it. A letter is upper case for what has to be in order and lower case for what is optional.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from rosterwatch import rules
from rosterwatch.diagnosis import EXPIRY_WARNING_DAYS
from rosterwatch.observation import Collection, CollectionState, Observation, Token

TOKEN: Final = "token"  # noqa: S105 - the name of a place, not a password
CERTIFICATE: Final = "certificate"
TLS: Final = "tls"
PLACES: Final = (
    TOKEN,
    CERTIFICATE,
    TLS,
    "orgs",
    "schools",
    "academicSessions",
    "terms",
    "gradingPeriods",
    "courses",
    "classes",
    "users",
    "students",
    "teachers",
    "enrollments",
    "demographics",
)
#: How many visits are remembered by their duration and their count.
KEPT: Final = 20


class Look(enum.StrEnum):
    """What became of one thing that was looked at; the values are what is stored."""

    OK = "k"
    EMPTY = "e"
    DENIED = "d"
    BROKEN = "b"
    UNTESTED = "u"
    ENDING = "s"  # in order, but soon over
    NONE = "-"  # nothing to look at


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One visit, small. ``records`` counts those of all required collections together; 0: not all of them said how many.

    ``tls_until`` is the day on which the first TLS certificate ends, as ``2027-03-01``.
    """

    cells: str
    provider: str
    milliseconds: int = 0
    records: int = 0
    tls_until: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a stored text."""

    look: Look
    required: bool = True


def snapshot(seen: Observation) -> Snapshot:
    """What is kept of a visit."""
    required = [collection for collection in seen.collections if collection.required]
    counted = [c.total for c in required if c.total is not None and c.state in (CollectionState.OK, CollectionState.EMPTY)]
    found = {collection.name: collection for collection in seen.collections}
    letters = [_token(seen.token, seen.collections).upper(), _certificate(seen).upper(), _tls(seen).upper()]
    letters += [_collection(found.get(name)) for name in PLACES[3:]]
    return Snapshot(
        "".join(letters),
        seen.provider,
        seen.milliseconds,
        sum(counted) if len(counted) == len(required) else 0,
        seen.tls_expires_at.date().isoformat() if seen.tls_expires_at else None,
    )


def cell(cells: str, place: str) -> Cell:
    """What a stored text says of a place. What a newer release may have written there is as good as nothing."""
    at = PLACES.index(place)
    letter = cells[at] if at < len(cells) else Look.NONE
    known = letter.lower() in set(Look)
    return Cell(Look(letter.lower()) if known else Look.NONE, required=not letter.islower())


def _token(token: Token | None, collections: Sequence[Collection]) -> Look:
    if token is None:
        return Look.UNTESTED
    if token.granted:
        return Look.OK
    if token.per_request:
        return Look.DENIED if any(c.state is CollectionState.DENIED for c in collections) else Look.UNTESTED
    decisive = token.decisive
    if decisive is None:
        return Look.UNTESTED
    return Look.DENIED if decisive.status in (400, 401, 403) else Look.BROKEN


def _certificate(seen: Observation) -> Look:
    if seen.certificate is None:
        return Look.NONE
    cause = rules.at_certificate(seen.certificate)
    if cause is None:
        return Look.OK
    return Look.DENIED if cause in ("api_certificate_wrong", "api_certificate_permission") else Look.BROKEN


def _tls(seen: Observation) -> Look:
    if any(exchange.fault is not None and exchange.fault.value.startswith("tls_") for exchange in seen.exchanges()):
        return Look.BROKEN
    if seen.tls_expires_at is None:
        return Look.UNTESTED
    return Look.ENDING if seen.tls_expires_at - seen.at <= timedelta(days=EXPIRY_WARNING_DAYS) else Look.OK


_LOOKS: Final = {
    CollectionState.OK: Look.OK,
    CollectionState.EMPTY: Look.EMPTY,
    CollectionState.DENIED: Look.DENIED,
    CollectionState.BROKEN: Look.BROKEN,
    CollectionState.UNTESTED: Look.UNTESTED,
}


def _collection(found: Collection | None) -> str:
    if found is None:
        return Look.NONE
    letter = _LOOKS[found.state].value
    return letter.upper() if found.required else letter
