from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch.causes import CAUSES
from rosterwatch.diagnosis import blinded, diagnose
from rosterwatch.finding import Diagnosis, Status
from rosterwatch.health import Change, Lesson, Policy, State, Transition, advance, wants_second_look
from rosterwatch.observation import CollectionState
from tests.unit.observations import AT, CASES, HEALTHY, KNOWN, collection, collections, diagnosis_of, empty, seen

TICK = timedelta(minutes=15)
REVOKED = diagnosis_of("credentials_revoked")  # patience 1
DOWN = diagnosis_of("unreachable_timeout")  # patience 2
CLOSED = diagnosis_of("maintenance")  # patience 3
NOTHING = Lesson()


def after(*diagnoses: Diagnosis, lessons: dict[int, Lesson] | None = None) -> tuple[State, list[Transition | None]]:
    """The state after visits that came a tick apart, and what each of them told."""
    state: State | None = None
    told: list[Transition | None] = []
    for number, diagnosis in enumerate(diagnoses):
        state, transition = advance(state, "springfield", diagnosis, (lessons or {}).get(number, NOTHING), at(number))
        told.append(transition)
    assert state is not None
    return state, told


def at(number: int) -> datetime:
    return AT + number * TICK


def denied(*names: str) -> Diagnosis:
    return diagnose(seen(collections=collections(**{n: collection(n, CollectionState.DENIED) for n in names})), KNOWN)


def changes(told: list[Transition | None]) -> list[str | None]:
    return [transition.change.value if transition else None for transition in told]


def test_a_new_district_in_order_is_stored_as_healthy_with_nothing_to_resolve() -> None:
    state, told = after(HEALTHY)
    assert changes(told) == ["first_seen"]
    assert (state.status, state.cause, state.since, state.last_good_at, state.incident) == (Status.HEALTHY, None, AT, AT, None)
    assert told[0] is not None
    assert told[0].before is None
    assert after(HEALTHY, HEALTHY)[1][1] is None


def test_a_new_district_that_is_broken_opens_an_incident_and_was_never_good() -> None:
    state, (told,) = after(REVOKED)
    assert told is not None
    assert (told.change, told.before, told.before_cause, told.last_good_at) == (Change.OPENED, None, None, None)
    assert (state.status, state.cause, state.since, state.incident) == (Status.FAILING, "credentials_revoked", AT, 1)


def test_a_cause_counts_only_after_as_many_visits_as_its_patience() -> None:
    state, told = after(HEALTHY, CLOSED, CLOSED)
    assert changes(told) == ["first_seen", None, None]
    assert (state.status, state.suspected, state.strikes, state.suspected_at) == (Status.HEALTHY, "maintenance", 2, at(1))
    assert wants_second_look(state)
    state, told = after(HEALTHY, CLOSED, CLOSED, CLOSED)
    assert changes(told)[3] == "opened"
    assert told[3] is not None
    assert (told[3].since, told[3].at, state.since) == (at(1), at(3), at(1))
    assert not wants_second_look(state)


def test_a_first_strike_of_a_new_district_is_kept_without_a_verdict() -> None:
    state, told = after(DOWN)
    assert told == [None]
    assert (state.status, state.cause, state.strikes) == (Status.UNKNOWN, None, 1)
    assert changes(after(DOWN, HEALTHY)[1]) == [None, "first_seen"]


def test_a_visit_in_order_drops_a_suspicion() -> None:
    state, told = after(HEALTHY, DOWN, HEALTHY, DOWN)
    assert changes(told) == ["first_seen", None, None, None]
    assert (state.strikes, state.suspected_at) == (1, at(3))


def test_visits_that_find_one_thing_after_another_wrong_count_together() -> None:
    state, told = after(HEALTHY, CLOSED, DOWN)
    assert changes(told)[2] == "opened"
    assert (state.cause, state.since) == ("unreachable_timeout", at(1))


def test_recovery_counts_at_once_and_tells_when_it_began() -> None:
    state, told = after(HEALTHY, REVOKED, REVOKED, HEALTHY)
    assert changes(told) == ["first_seen", "opened", None, "resolved"]
    assert told[3] is not None
    assert (told[3].opened_at, told[3].before_cause, told[3].before) == (at(1), "credentials_revoked", Status.FAILING)
    assert (told[3].finding, told[3].others) == (None, ())
    assert (state.status, state.cause, state.since, state.incident, state.opened_at) == (Status.HEALTHY, None, at(3), None, None)


def test_a_note_alone_is_healthy() -> None:
    state, _ = after(diagnosis_of("between_school_years"))
    assert state.status is Status.HEALTHY


def test_one_incident_keeps_its_key_through_a_change_and_the_next_one_has_another() -> None:
    state, told = after(HEALTHY, REVOKED, denied("users"), HEALTHY, REVOKED)
    assert changes(told) == ["first_seen", "opened", "changed", "resolved", "opened"]
    keys = [transition.key for transition in told if transition]
    assert keys == ["springfield/1", "springfield/2", "springfield/2", "springfield/2", "springfield/5"]
    assert [transition.number for transition in told if transition] == [1, 2, 3, 4, 5]
    assert (state.incident, state.transitions) == (5, 5)


def test_the_resolution_of_a_changed_incident_names_its_very_beginning() -> None:
    _, told = after(HEALTHY, REVOKED, denied("users"), denied("users"), HEALTHY)
    changed, resolved = told[2], told[4]
    assert changed is not None
    assert resolved is not None
    assert (changed.since, changed.before_cause) == (at(2), "credentials_revoked")
    assert (resolved.opened_at, resolved.before_cause) == (at(1), "permission_missing")


def test_the_confirmed_cause_seen_again_drops_the_suspicion_of_another() -> None:
    state, told = after(HEALTHY, REVOKED, DOWN, REVOKED, DOWN)
    assert changes(told) == ["first_seen", "opened", None, None, None]
    assert (state.cause, state.strikes) == ("credentials_revoked", 1)


def test_a_cause_that_grows_is_told_and_one_that_shrinks_is_not() -> None:
    _, told = after(denied("users"), denied("users", "students"), denied("students"), denied("students"))
    assert changes(told) == ["opened", "changed", None, None]
    assert told[1] is not None
    assert told[1].finding is not None
    assert set(told[1].finding.collections) == {"users", "students"}
    assert told[1].since == AT


def test_the_same_cause_with_another_status_is_a_change() -> None:
    blind = replace(REVOKED, status=Status.UNKNOWN)
    assert changes(after(REVOKED, blind)[1]) == ["opened", "changed"]


def test_the_last_good_time_is_the_last_visit_in_order() -> None:
    state, told = after(HEALTHY, HEALTHY, REVOKED, REVOKED)
    assert state.last_good_at == at(1)
    assert told[2] is not None
    assert told[2].last_good_at == at(1)


def test_other_findings_travel_with_the_primary_one() -> None:
    both = diagnose(seen(collections=empty("courses"), tls_expires_at=AT + timedelta(days=3)), KNOWN)
    _, (told,) = after(both)
    assert told is not None
    assert told.finding is not None
    assert told.finding.cause.name == "collection_empty"
    assert [other.cause.name for other in told.others] == ["certificate_expiring"]


def test_every_write_is_one_version_more() -> None:
    assert after(HEALTHY)[0].version == 1
    assert after(HEALTHY, DOWN, DOWN, HEALTHY)[0].version == 4


# -- what a visit teaches ------------------------------------------------------------------------------------------------------


def test_lessons_are_kept_until_there_are_new_ones() -> None:
    first = Lesson("k:1", "token", "sis.example.org", {"users": 10}, not_before=AT + timedelta(hours=1))
    state, _ = after(HEALTHY, REVOKED, lessons={0: first})
    assert (state.pair, state.pair_worked_at, state.dialect, state.host) == ("k:1", AT, "token", "sis.example.org")
    assert state.baseline == {"users": 10}
    assert state.not_before is None
    state, _ = after(HEALTHY, HEALTHY, lessons={0: first, 1: Lesson("k:2", "v2", "new.example.org", {"orgs": 2})})
    assert (state.pair, state.pair_worked_at, state.dialect, state.host) == ("k:2", at(1), "v2", "new.example.org")
    assert state.baseline == {"users": 10, "orgs": 2}


def test_the_baseline_follows_a_count_but_not_one_that_has_just_shrunk() -> None:
    counted = seen(collections=collections(users=collection("users", total=500)))
    shrunk = diagnose(counted, replace(KNOWN, baseline={"users": 1000}))
    lessons = {0: Lesson(totals={"users": 1000, "orgs": 5}), 1: Lesson(totals={"users": 500, "orgs": 4})}
    state, told = after(HEALTHY, shrunk, lessons=lessons)
    assert changes(told) == ["first_seen", None]
    assert state.baseline == {"users": 1000, "orgs": 4}


def test_a_count_that_stays_low_for_a_week_becomes_the_baseline() -> None:
    counted = seen(collections=collections(users=collection("users", total=500)))
    shrunk = diagnose(counted, replace(KNOWN, baseline={"users": 1000}))
    low = Lesson(totals={"users": 500})
    state, _ = after(HEALTHY, shrunk, shrunk, lessons={0: Lesson(totals={"users": 1000}), 1: low, 2: low})
    assert state.cause == "shrunk"
    almost, _ = advance(state, "springfield", shrunk, low, state.since + timedelta(days=7, seconds=-1))
    assert almost.baseline == {"users": 1000}
    accepted, _ = advance(state, "springfield", shrunk, low, state.since + timedelta(days=7))
    assert accepted.baseline == {"users": 500}


# -- recovery, repeated deliveries, to and fro, and not seeing at all -------------------------------------------------------------


def looks(*steps: tuple[Diagnosis, float], policy: Policy | None = None) -> tuple[State, list[str | None]]:
    """The state after visits, each so many seconds after the one before, and what they told."""
    state, now, told = None, AT, []
    for diagnosis, seconds in steps:
        now += timedelta(seconds=seconds)
        state, transition = advance(state, "springfield", diagnosis, NOTHING, now, policy or Policy())
        told.append(transition)
    assert state is not None
    return state, changes(told)


@pytest.mark.parametrize(("diagnosis", "good"), [(REVOKED, 1), (DOWN, 2), (CLOSED, 2)])
def test_what_needed_patience_to_break_needs_two_good_looks_to_be_mended(diagnosis: Diagnosis, good: int) -> None:
    broken = [(HEALTHY, 0.0), *[(diagnosis, 900.0)] * 3]
    state, told = looks(*broken, *[(HEALTHY, 900.0)] * good)
    assert told[-good:] == [None] * (good - 1) + ["resolved"]
    if good > 1:
        state, _ = looks(*broken, (HEALTHY, 900.0))
        assert (state.status, state.mended, wants_second_look(state)) == (
            Status.FAILING if diagnosis is DOWN else Status.DEGRADED,
            1,
            True,
        )
        assert looks(*broken, (HEALTHY, 900.0), (diagnosis, 60.0), (HEALTHY, 60.0))[1][-1] is None


def test_the_number_of_good_looks_can_be_set() -> None:
    steps = [(HEALTHY, 0.0), *[(DOWN, 900.0)] * 2, *[(HEALTHY, 900.0)] * 3]
    assert looks(*steps, policy=Policy(good_looks=3))[1][3:] == [None, None, "resolved"]
    assert looks(*steps, policy=Policy(good_looks=1))[1][3:] == ["resolved", None, None]


def test_a_visit_that_is_delivered_twice_confirms_nothing() -> None:
    state, told = looks((HEALTHY, 0), (DOWN, 900), (DOWN, 0), (DOWN, 19))
    assert (told[1:], state.strikes) == ([None] * 3, 1)
    assert state.suspected_at == AT + timedelta(seconds=900)
    state, told = looks((HEALTHY, 0), (DOWN, 900), (DOWN, 0), (DOWN, 20))
    assert told[1:] == [None, None, "opened"]


def test_a_recovery_that_is_delivered_twice_is_not_confirmed_by_that() -> None:
    state, told = looks((HEALTHY, 0), (DOWN, 900), (DOWN, 60), (HEALTHY, 60), (HEALTHY, 5))
    assert (told[-2:], state.mended) == ([None, None], 1)
    assert looks((HEALTHY, 0), (DOWN, 900), (DOWN, 60), (HEALTHY, 60), (HEALTHY, 5), (HEALTHY, 60))[1][-1] == "resolved"


def test_a_clock_that_was_put_back_delays_nothing() -> None:
    assert looks((HEALTHY, 0), (DOWN, 900), (DOWN, -600))[1][-1] == "opened"


def test_a_first_bad_look_right_after_a_good_one_is_a_strike() -> None:
    assert looks((HEALTHY, 0), (DOWN, 5))[0].strikes == 1


def to_and_fro(times: int) -> list[tuple[Diagnosis, float]]:
    return [(HEALTHY, 900.0), (DOWN, 900.0)] * times


def test_a_district_that_goes_to_and_fro_is_flapping_and_is_told_of_once_at_its_beginning_and_once_at_its_end() -> None:
    state, told = looks(*to_and_fro(20), *[(HEALTHY, 900.0)] * 21)
    assert [change for change in told if change] == ["first_seen", "opened", "resolved"]
    assert state.status is Status.HEALTHY
    state, told = looks(*to_and_fro(20))
    assert (state.cause, state.status) == ("flapping", Status.FAILING)


def test_flapping_ends_on_the_bad_side_as_what_it_is() -> None:
    state, told = looks(*to_and_fro(20), *[(DOWN, 900.0)] * 21)
    assert [change for change in told if change] == ["first_seen", "opened", "changed"]
    assert state.cause == "unreachable_timeout"


def test_flapping_begins_above_thirty_percent_and_ends_below_twenty_five() -> None:
    """Twenty changes that weigh 0.8 (the oldest) to 1.2 (the latest), as Icinga reckons them."""
    weights = [0.8 + 0.4 * place / 19 for place in range(20)]
    share = sum(weights[-6:]) / 20
    assert share > 0.3 > sum(weights[-5:]) / 20
    assert looks(*to_and_fro(3))[0].cause is None
    assert looks(*to_and_fro(3), (HEALTHY, 900.0))[0].cause == "flapping"
    quiet = next(after for after in range(20) if sum(weights[14 - after : 20 - after]) / 20 <= 0.25)
    for after, cause in ((quiet - 1, "flapping"), (quiet, None)):
        steps = [*to_and_fro(3), *[(HEALTHY, 900.0)] * (1 + after)]
        assert looks(*steps)[0].cause == cause, after


def test_what_does_not_pass_by_itself_is_never_flapping() -> None:
    state, told = looks(*[(HEALTHY, 900.0), (REVOKED, 900.0)] * 15)
    assert state.cause == "credentials_revoked"
    assert told[1:5] == ["opened", "resolved", "opened", "resolved"]


def test_while_we_cannot_see_the_state_stays_as_it_was_and_says_since_when() -> None:
    dark = blinded(DOWN, KNOWN, "springfield")
    seen_before, _ = looks((HEALTHY, 0), (DOWN, 900), (DOWN, 60))
    state, told = looks((HEALTHY, 0), (DOWN, 900), (DOWN, 60), (dark, 900), (dark, 900), (dark, 900))
    assert told[-3:] == [None] * 3
    since = AT + timedelta(seconds=1860)
    assert state == replace(seen_before, unknown_since=since, visited_at=since + timedelta(seconds=1800), version=6)
    after, _ = advance(state, "springfield", DOWN, NOTHING, since + timedelta(hours=1))
    assert (after.unknown_since, after.cause, after.opened_at) == (None, "unreachable_timeout", AT + timedelta(seconds=900))


def test_a_district_that_was_never_seen_is_unknown_while_we_cannot_see() -> None:
    state, told = looks((blinded(DOWN, KNOWN, "springfield"), 0))
    assert (state.status, state.cause, state.unknown_since, told) == (Status.UNKNOWN, None, AT, [None])


# -- for every cause -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", CASES)
def test_every_cause_is_told_at_its_patience_and_once(cause: str) -> None:
    patience, told = CAUSES[cause].patience, after(HEALTHY, *[diagnosis_of(cause)] * 6)[1]
    opened = [None] * 6
    if diagnosis_of(cause).primary is not None:
        opened[patience - 1] = "opened"  # type: ignore[call-overload]
    assert changes(told) == ["first_seen", *opened]


diagnoses = st.just(HEALTHY) | st.sampled_from(list(CASES)).map(diagnosis_of)


@given(st.lists(diagnoses, max_size=8), diagnoses)
def test_the_same_diagnosis_again_and_again_is_told_at_most_once(history: list[Diagnosis], last: Diagnosis) -> None:
    told = after(HEALTHY, *history, *[last] * 8)[1][-8:]
    assert len([transition for transition in told if transition]) <= 1
    assert told[-1] is None


@given(st.lists(diagnoses, min_size=1, max_size=12))
def test_openings_and_resolutions_alternate_and_numbers_have_no_gap(history: list[Diagnosis]) -> None:
    state, told = after(*history)
    transitions = [transition for transition in told if transition]
    assert [transition.number for transition in transitions] == list(range(1, len(transitions) + 1))
    open_incident: int | None = None
    for transition in transitions:
        if transition.change is Change.OPENED:
            assert open_incident is None
            open_incident = transition.incident
        elif transition.change is Change.CHANGED:
            assert transition.incident == open_incident
        elif transition.change is Change.RESOLVED:
            assert transition.incident == open_incident
            assert transition.opened_at is not None
            open_incident = None
    assert state.incident == open_incident
    assert (state.status is Status.HEALTHY) <= (state.cause is None)
