"""What is kept of a visit for the dashboard."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from rosterwatch import oneroster
from rosterwatch.finding import Diagnosis, Status
from rosterwatch.health import Lesson, State, advance
from rosterwatch.observation import BodyKind, CollectionState, Exchange, Fault, Phase, Token, TokenAttempt
from rosterwatch.snapshot import KEPT, PLACES, Cell, Look, cell, snapshot
from rosterwatch.state import _item
from tests.unit.observations import AT, HEALTHY, answer, collection, collections, diagnosis_of, oauth, seen


def failed(fault: Fault) -> Exchange:
    return Exchange(Phase.TOKEN, "/token", fault=fault)


def test_every_collection_has_a_place_and_no_place_has_ever_moved() -> None:
    assert set(PLACES[3:]) == set(oneroster.ENVELOPES)
    # Stored texts count on it: new places go to the end of this list, and to the end only.
    assert ",".join(PLACES) == (
        "token,certificate,tls,orgs,schools,academicSessions,terms,gradingPeriods,courses,classes,users,students,teachers,"
        "enrollments,demographics"
    )


def test_a_visit_in_order_is_k_in_every_required_place() -> None:
    kept = snapshot(seen(tls_expires_at=AT + timedelta(days=90), milliseconds=1234))
    assert {name: cell(kept.cells, name) for name in ("token", "tls", *oneroster.REQUIRED)} == dict.fromkeys(
        ("token", "tls", *oneroster.REQUIRED), Cell(Look.OK)
    )
    assert cell(kept.cells, "certificate").look is Look.NONE
    assert kept.milliseconds == 1234
    assert kept.tls_until == (AT + timedelta(days=90)).date().isoformat()


@pytest.mark.parametrize(
    ("state", "look"),
    [
        (CollectionState.EMPTY, Look.EMPTY),
        (CollectionState.DENIED, Look.DENIED),
        (CollectionState.BROKEN, Look.BROKEN),
        (CollectionState.UNTESTED, Look.UNTESTED),
    ],
)
def test_a_collection_shows_its_state_and_whether_it_has_to_be_in_order(state: CollectionState, look: Look) -> None:
    found = collections(users=collection("users", state), demographics=collection("demographics", state))
    kept = snapshot(seen(collections=tuple(one for one in found if one.name != "gradingPeriods")))
    assert cell(kept.cells, "users") == Cell(look)
    assert cell(kept.cells, "demographics") == Cell(look, required=False)
    assert cell(kept.cells, "gradingPeriods").look is Look.NONE


@pytest.mark.parametrize(
    ("token", "look"),
    [
        (None, Look.UNTESTED),
        (Token((TokenAttempt("token", answer(400, oauth("invalid_client")), granted=False),)), Look.DENIED),
        (Token((TokenAttempt("token", answer(500), granted=False),)), Look.BROKEN),
        (Token((TokenAttempt("token", failed(Fault.READ_TIMEOUT), granted=False),)), Look.BROKEN),
        (Token((), per_request=True, accepted=True), Look.OK),
        (Token((), per_request=True), Look.UNTESTED),
    ],
)
def test_the_token_tells_a_refusal_from_a_failure(token: Token | None, look: Look) -> None:
    assert cell(snapshot(seen(token=token, collections=())).cells, "token").look is look


def test_a_signature_that_opens_nothing_is_refused() -> None:
    refused = collections(users=collection("users", CollectionState.DENIED))
    assert cell(snapshot(seen(token=Token((), per_request=True), collections=refused)).cells, "token").look is Look.DENIED


@pytest.mark.parametrize(("status", "look"), [(200, Look.OK), (401, Look.DENIED), (500, Look.BROKEN)])
def test_the_certificate_has_a_place_of_its_own(status: int, look: Look) -> None:
    body = BodyKind.ARRAY if status == 200 else BodyKind.TEXT
    kept = snapshot(seen(certificate=answer(status, body, phase=Phase.CERTIFICATE)))
    assert cell(kept.cells, "certificate").look is look


def test_tls_is_ending_broken_or_not_seen() -> None:
    assert cell(snapshot(seen(tls_expires_at=AT + timedelta(days=9))).cells, "tls").look is Look.ENDING
    broken = Token((TokenAttempt("token", failed(Fault.TLS_EXPIRED), granted=False),))
    assert cell(snapshot(seen(token=broken, collections=())).cells, "tls").look is Look.BROKEN
    assert cell(snapshot(seen(tls_expires_at=None)).cells, "tls").look is Look.UNTESTED


def test_records_are_counted_only_when_every_required_collection_says_how_many() -> None:
    counted = tuple(replace(one, total=100) for one in collections())
    assert snapshot(seen(collections=counted)).records == 100 * len(oneroster.REQUIRED)
    assert snapshot(seen(collections=(replace(counted[0], total=None), *counted[1:]))).records == 0
    assert snapshot(seen(collections=counted[:-1])).records == 1000  # the last one is optional


@pytest.mark.parametrize("cells", ["", "K", "KKKKZ", "K-K"])
def test_of_what_is_not_stored_nothing_is_known(cells: str) -> None:
    assert cell(cells, "schools").look is Look.NONE
    assert cell(cells, "demographics") == Cell(Look.NONE)


def grown(visits: int) -> State:
    """The state of a large district after many visits, with everything in it that can be."""
    state: State | None = None
    totals = dict.fromkeys(oneroster.ENVELOPES, 123_456)
    kept = snapshot(seen(tls_expires_at=AT + timedelta(days=90), milliseconds=12_345))
    lesson = Lesson("f" * 43, "v5", "district.aeries.example.org", totals, snapshot=replace(kept, records=1_234_567))
    diagnoses: list[Diagnosis] = [diagnosis_of("permission_missing"), HEALTHY]
    for number in range(visits):
        state, _ = advance(state, "springfield-unified", diagnoses[number > 1], lesson, AT + number * timedelta(minutes=15))
    assert state is not None
    return state


def test_the_state_remembers_the_last_visits_and_stays_small() -> None:
    state = grown(50)
    assert state.status is Status.HEALTHY
    assert (len(state.durations), len(state.counts)) == (KEPT, KEPT)
    assert state.provider == "aeries"
    # DynamoDB bills writes by the kilobyte, and there is one at each visit: one or two, whatever happens.
    size = sum(len(name) + len(json.dumps(value)) for name, value in _item(state).items())
    assert size < 1600


def test_a_visit_that_saw_nothing_leaves_no_letters_of_an_older_one() -> None:
    state, _ = advance(grown(3), "springfield-unified", diagnosis_of("secret_malformed"), Lesson(), AT + timedelta(days=1))
    assert state.cells == ""
    assert len(state.durations) == 3
