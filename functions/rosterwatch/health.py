"""Pure: the state of a district moves on with each diagnosis; what is worth telling comes out as a transition.

A cause counts only after as many visits in a row as its patience asks for; recovery counts at once.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from rosterwatch.diagnosis import Diagnosis, Finding, Status

#: A lower count is taken as the new normal when it has stayed for this long.
BASELINE_ACCEPTED_AFTER: Final = timedelta(days=7)


class Change(enum.StrEnum):
    """What a transition is to those who read alerts."""

    FIRST_SEEN = "first_seen"  # a new district, healthy: nothing to tell
    OPENED = "opened"
    CHANGED = "changed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered of one district between visits. Times are aware, in UTC.

    ``cause`` is the confirmed cause (``None``: healthy) and ``since`` when it was first seen; ``opened_at`` is when the
    incident began, under whatever cause. ``suspected`` is the cause seen last, after ``strikes`` visits in a row that found
    something not yet confirmed. ``pair`` is the fingerprint of the credentials that last worked, at
    ``pair_worked_at``. ``baseline`` holds usual totals by collection. ``incident`` numbers the transition that opened the
    current incident. ``version`` counts writes: whoever writes names the version it has read.
    """

    district: str
    status: Status
    since: datetime
    visited_at: datetime
    cause: str | None = None
    opened_at: datetime | None = None
    concerned: tuple[str, ...] = ()
    suspected: str | None = None
    suspected_at: datetime | None = None
    strikes: int = 0
    last_good_at: datetime | None = None
    pair: str | None = None
    pair_worked_at: datetime | None = None
    dialect: str | None = None
    host: str | None = None
    baseline: Mapping[str, int] = field(default_factory=dict)
    not_before: datetime | None = None
    transitions: int = 0
    incident: int | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Transition:
    """A stored change of status or cause: all that an alert needs, in words, so that it can be told later and again."""

    district: str
    number: int
    change: Change
    at: datetime
    before: Status | None
    before_cause: str | None
    status: Status
    since: datetime
    last_good_at: datetime | None
    incident: int
    finding: Finding | None = None
    others: tuple[Finding, ...] = ()
    opened_at: datetime | None = None

    @property
    def key(self) -> str:
        """The same for every alert of one incident, and for every repetition of one alert."""
        return f"{self.district}/{self.incident}"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a visit taught besides its diagnosis; ``None`` and empty mean: nothing new."""

    pair: str | None = None
    dialect: str | None = None
    host: str | None = None
    totals: Mapping[str, int] = field(default_factory=dict)
    not_before: datetime | None = None


def advance(
    state: State | None, district: str, diagnosis: Diagnosis, lesson: Lesson, now: datetime
) -> tuple[State, Transition | None]:
    """Move the state on. The new state's ``version`` is one more than the version that was read."""
    before = state or State(district, Status.UNKNOWN, now, now)
    learnt = _learn(before, diagnosis, lesson, now)
    finding = diagnosis.primary
    if finding is None:
        return _healthy(learnt, before, now)
    concerned = tuple(sorted(finding.collections))
    if finding.cause.name == before.cause and diagnosis.status is before.status:
        grown = not set(concerned) <= set(before.concerned)
        settled = replace(learnt, suspected=None, suspected_at=None, strikes=0, concerned=concerned)
        return _told(settled, before, diagnosis, Change.CHANGED, now) if grown else (settled, None)
    strikes = before.strikes + 1
    suspected_at = before.suspected_at or now
    if strikes < finding.cause.patience:
        return replace(learnt, suspected=finding.cause.name, suspected_at=suspected_at, strikes=strikes), None
    confirmed = replace(
        learnt,
        status=diagnosis.status,
        cause=finding.cause.name,
        since=suspected_at,
        opened_at=before.opened_at or suspected_at,
        concerned=concerned,
        suspected=None,
        suspected_at=None,
        strikes=0,
    )
    change = Change.OPENED if before.cause is None else Change.CHANGED
    return _told(confirmed, before, diagnosis, change, now)


def wants_second_look(state: State) -> bool:
    """Whether a suspicion is waiting to be confirmed or dropped, which should not take a whole interval."""
    return state.suspected is not None


def _learn(state: State, diagnosis: Diagnosis, lesson: Lesson, now: datetime) -> State:
    healthy = diagnosis.status is Status.HEALTHY
    return replace(
        state,
        visited_at=now,
        last_good_at=now if healthy else state.last_good_at,
        pair=lesson.pair or state.pair,
        pair_worked_at=now if lesson.pair else state.pair_worked_at,
        dialect=lesson.dialect or state.dialect,
        host=lesson.host or state.host,
        baseline=_baseline(state, diagnosis, lesson.totals, now),
        not_before=lesson.not_before,
        version=state.version + 1,
    )


def _baseline(state: State, diagnosis: Diagnosis, totals: Mapping[str, int], now: datetime) -> Mapping[str, int]:
    """The usual totals. A count that has just shrunk is held against the old one until it is accepted or recovers."""
    held = {name for finding in diagnosis.findings if finding.cause.name == "shrunk" for name in finding.collections}
    if state.cause == "shrunk" and now - state.since >= BASELINE_ACCEPTED_AFTER:
        held = set()
    return {**state.baseline, **{name: total for name, total in totals.items() if name not in held}}


def _healthy(learnt: State, before: State, now: datetime) -> tuple[State, Transition | None]:
    settled = replace(learnt, suspected=None, suspected_at=None, strikes=0)
    if before.status is Status.HEALTHY:
        return settled, None
    well = replace(settled, status=Status.HEALTHY, cause=None, since=now, opened_at=None, concerned=())
    change = Change.RESOLVED if before.cause is not None else Change.FIRST_SEEN
    return _told(well, before, Diagnosis(Status.HEALTHY), change, now)


def _told(after: State, before: State, diagnosis: Diagnosis, change: Change, now: datetime) -> tuple[State, Transition]:
    number = after.transitions + 1
    incident = before.incident if before.incident is not None and change is not Change.OPENED else number
    transition = Transition(
        district=after.district,
        number=number,
        change=change,
        at=now,
        before=before.status if before.version else None,
        before_cause=before.cause,
        status=after.status,
        since=after.since,
        last_good_at=after.last_good_at,
        incident=incident,
        finding=diagnosis.primary,
        others=diagnosis.findings[1:],
        opened_at=before.opened_at if change is Change.RESOLVED else None,
    )
    closed = change in (Change.RESOLVED, Change.FIRST_SEEN)
    return replace(after, transitions=number, incident=None if closed else incident), transition
