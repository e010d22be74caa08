"""Pure: the state of a district moves on with each diagnosis; what is worth telling comes out as a transition.

A cause counts only after as many visits in a row as its patience asks for, and what needed patience to break needs more than
one good visit to be mended. A district that goes to and fro is flapping: one state, told when it begins and when it ends.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from rosterwatch.causes import CAUSES
from rosterwatch.finding import BLIND, Diagnosis, Finding, Status
from rosterwatch.observation import Term
from rosterwatch.snapshot import KEPT, Snapshot

#: A lower count is taken as the new normal when it has stayed for this long.
BASELINE_ACCEPTED_AFTER: Final = timedelta(days=7)


FLAPPING: Final = "flapping"
#: Flapping as Icinga reckons it: the share of changes among the last twenty visits, recent ones weighing more. It begins above
#: the first and ends below the second, so that it does not itself go to and fro.
#: https://icinga.com/docs/icinga-2/latest/doc/08-advanced-topics/#check-flapping
FLAPPING_ABOVE: Final = 0.30
FLAPPING_UNTIL: Final = 0.25
_FLAP_WINDOW: Final = 20
_OLDEST_WEIGHT, _NEWEST_WEIGHT = 0.8, 1.2


#: Visits closer together than this are one look.
APART: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Policy:
    """``good_looks``: how many good visits in a row end a cause that needed patience. Others end with the first.

    Visits closer together than ``apart`` are one look, since queues deliver twice: they confirm nothing.
    """

    good_looks: int = 2
    apart: timedelta = APART


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
    something not yet confirmed; ``mended`` counts the good visits in a row that have not yet ended a cause. ``looks`` are the
    last visits, oldest first: ``+`` good, ``-`` failed in a way that may pass by itself. ``unknown_since``: we could not look,
    for reasons of our own, and everything else stands as it was. ``pair`` is the fingerprint of the credentials that last
    worked, at ``pair_worked_at``. ``baseline`` holds usual totals by collection, ``terms`` the calendar as last read.
    ``incident`` numbers the transition that opened the current incident. ``version`` counts writes: whoever writes names the
    version it has read.
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
    mended: int = 0
    looks: str = ""
    unknown_since: datetime | None = None
    last_good_at: datetime | None = None
    pair: str | None = None
    pair_worked_at: datetime | None = None
    dialect: str | None = None
    host: str | None = None
    baseline: Mapping[str, int] = field(default_factory=dict)
    terms: tuple[Term, ...] = ()
    not_before: datetime | None = None
    transitions: int = 0
    incident: int | None = None
    provider: str | None = None
    cells: str = ""
    tls_until: str | None = None
    durations: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
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
    """What a visit taught besides its diagnosis; ``None`` and empty mean: nothing new. No ``snapshot``: nothing was seen at all."""

    pair: str | None = None
    dialect: str | None = None
    host: str | None = None
    totals: Mapping[str, int] = field(default_factory=dict)
    terms: tuple[Term, ...] = ()
    not_before: datetime | None = None
    snapshot: Snapshot | None = None


def advance(  # noqa: PLR0911 - one return for each way a state can move
    state: State | None, district: str, diagnosis: Diagnosis, lesson: Lesson, now: datetime, policy: Policy = Policy()
) -> tuple[State, Transition | None]:
    """Move the state on. The new state's ``version`` is one more than the version that was read.

    A diagnosis that says the monitor itself could not see freezes the state: nothing but ``unknown_since`` changes.
    """
    before = state or State(district, Status.UNKNOWN, now, now)
    finding = diagnosis.primary
    if finding is not None and finding.cause.name == BLIND:
        blind_since = before.unknown_since or now
        return replace(before, unknown_since=blind_since, visited_at=now, version=before.version + 1), None
    again = before.version > 0 and abs(now - before.visited_at) < policy.apart
    learnt = _learn(before, diagnosis, lesson, now, again=again)
    if _flaps(learnt.looks, already=before.cause == FLAPPING):
        if before.cause == FLAPPING:
            return learnt, None
        diagnosis = _flapping(before.district, finding)
        return _confirmed(learnt, before, diagnosis, now, now)
    if finding is None:
        return _healthy(learnt, before, now, again=again, good_looks=policy.good_looks)
    if before.cause == FLAPPING:  # it has settled, and on the bad side
        return _confirmed(learnt, before, diagnosis, now, now)
    concerned = finding.concerns
    if finding.cause.name == before.cause and diagnosis.status is before.status:
        grown = not set(concerned) <= set(before.concerned)
        settled = replace(learnt, concerned=concerned)
        return _told(settled, before, diagnosis, Change.CHANGED, now) if grown else (settled, None)
    strikes = before.strikes + 1 if not again else max(before.strikes, 1)
    suspected_at = before.suspected_at or now
    if strikes < finding.cause.patience:
        return replace(learnt, suspected=finding.cause.name, suspected_at=suspected_at, strikes=strikes), None
    return _confirmed(learnt, before, diagnosis, suspected_at, now)


def _confirmed(
    learnt: State, before: State, diagnosis: Diagnosis, since: datetime, now: datetime
) -> tuple[State, Transition | None]:
    finding = diagnosis.findings[0]
    after = replace(
        learnt,
        status=diagnosis.status,
        cause=finding.cause.name,
        since=since,
        opened_at=before.opened_at or since,
        concerned=finding.concerns,
    )
    return _told(after, before, diagnosis, Change.OPENED if before.cause is None else Change.CHANGED, now)


def wants_second_look(state: State) -> bool:
    """Whether a suspicion, or a recovery, waits to be confirmed or dropped, which should not take a whole interval."""
    return state.suspected is not None or state.mended > 0


def _flaps(looks: str, *, already: bool) -> bool:
    changes = [earlier != later for earlier, later in pairwise(looks)]
    # A short history counts as one that was quiet before.
    changes = [False] * (_FLAP_WINDOW - len(changes)) + changes
    step = (_NEWEST_WEIGHT - _OLDEST_WEIGHT) / (_FLAP_WINDOW - 1)
    share = sum(_OLDEST_WEIGHT + step * place for place, changed in enumerate(changes) if changed) / _FLAP_WINDOW
    return share > (FLAPPING_UNTIL if already else FLAPPING_ABOVE)


def _flapping(district: str, finding: Finding | None) -> Diagnosis:
    cause = CAUSES[FLAPPING]
    facts = dict(finding.facts) if finding else {"district": district, "provider": "aeries"}
    words: tuple[str, ...] = ("Just now it is healthy.",)
    if finding:
        words = (f"Found just now: {finding.headline} ({finding.cause.name})", *finding.evidence)
    return Diagnosis(Status.FAILING, (Finding(cause, facts, words),))


def _learn(state: State, diagnosis: Diagnosis, lesson: Lesson, now: datetime, *, again: bool) -> State:
    """The state with all that a visit teaches, and with every suspicion gone; whoever still has one puts it back."""
    healthy = diagnosis.status is Status.HEALTHY
    finding = diagnosis.primary
    look = "" if again else "+" if finding is None else "-" if finding.cause.patience > 1 else ""
    seen = lesson.snapshot
    return replace(
        state,
        visited_at=now,
        suspected=None,
        suspected_at=None,
        strikes=0,
        mended=0,
        looks=(state.looks + look)[-_FLAP_WINDOW - 1 :],
        unknown_since=None,
        last_good_at=now if healthy else state.last_good_at,
        pair=lesson.pair or state.pair,
        pair_worked_at=now if lesson.pair else state.pair_worked_at,
        dialect=lesson.dialect or state.dialect,
        host=lesson.host or state.host,
        baseline=_baseline(state, diagnosis, lesson.totals, now),
        terms=lesson.terms or state.terms,
        not_before=lesson.not_before,
        provider=seen.provider if seen else state.provider,
        cells=seen.cells if seen else "",
        tls_until=seen.tls_until if seen else None,
        durations=(*state.durations, seen.milliseconds)[-KEPT:] if seen else state.durations,
        counts=(*state.counts, seen.records)[-KEPT:] if seen else state.counts,
        version=state.version + 1,
    )


def _baseline(state: State, diagnosis: Diagnosis, totals: Mapping[str, int], now: datetime) -> Mapping[str, int]:
    """The usual totals. A count that has just shrunk is held against the old one until it is accepted or recovers."""
    held = {name for finding in diagnosis.findings if finding.cause.name == "shrunk" for name in finding.collections}
    if state.cause == "shrunk" and now - state.since >= BASELINE_ACCEPTED_AFTER:
        held = set()
    return {**state.baseline, **{name: total for name, total in totals.items() if name not in held}}


def _healthy(learnt: State, before: State, now: datetime, *, again: bool, good_looks: int) -> tuple[State, Transition | None]:
    if before.status is Status.HEALTHY:
        return learnt, None
    needed = good_looks if before.cause and CAUSES[before.cause].patience > 1 else 1
    mended = before.mended + 1 if not again else max(before.mended, 1)
    if mended < needed:
        return replace(learnt, mended=mended), None
    well = replace(learnt, status=Status.HEALTHY, cause=None, since=now, opened_at=None, concerned=())
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
