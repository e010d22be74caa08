from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch.board import BoardStore
from rosterwatch.causes import CAUSES
from rosterwatch.finding import Status
from rosterwatch.health import Lesson, State, Transition, advance
from rosterwatch.incidents import Problem
from rosterwatch.observation import Term
from rosterwatch.record import to_record
from rosterwatch.state import KEPT_DAYS, StateError, StateStore, UnreadError, _item, _record, _state, problem_action
from rosterwatch.table import SHAPE
from tests.table import TABLE, Table
from tests.unit.observations import AT, HEALTHY, diagnosis_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def client() -> DynamoDBClient:
    return boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def aws(client: DynamoDBClient) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def store(client: DynamoDBClient) -> StateStore:
    return StateStore(client, "table")


def opened() -> tuple[State, Transition]:
    state, transition = advance(None, "springfield", diagnosis_of("credentials_wrong"), Lesson(host="sis.example.org"), AT)
    assert transition is not None
    return state, transition


def keys(*names: str) -> dict[str, Any]:
    wanted = [{"pk": {"S": "district"}, "sk": {"S": name}} for name in names]
    return {"RequestItems": {"table": {"Keys": wanted, "ConsistentRead": True}}}


moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware there
maybe_moment, maybe_text = st.none() | moments, st.none() | st.text(min_size=1)
states = st.builds(
    State,
    district=st.text(min_size=1),
    status=st.sampled_from(Status),
    cause=st.none() | st.sampled_from(sorted(CAUSES)),
    since=moments,
    visited_at=moments,
    opened_at=maybe_moment,
    concerned=st.lists(st.text()).map(tuple),
    suspected=maybe_text,
    suspected_at=maybe_moment,
    strikes=st.integers(0, 99),
    mended=st.integers(0, 9),
    looks=st.text("+-", max_size=20),
    unknown_since=maybe_moment,
    last_good_at=maybe_moment,
    pair=maybe_text,
    pair_worked_at=maybe_moment,
    dialect=maybe_text,
    host=maybe_text,
    baseline=st.dictionaries(st.text(), st.integers(0, 10**12)),
    terms=st.lists(st.builds(Term, st.dates(), st.dates())).map(tuple),
    not_before=maybe_moment,
    transitions=st.integers(0, 10**12),
    incident=st.none() | st.integers(1, 10**12),
    provider=maybe_text,
    cells=st.text("KEDBUSkedbus-", max_size=15),
    tls_until=maybe_text,
    durations=st.lists(st.integers(0, 10**12)).map(tuple),
    counts=st.lists(st.integers(0, 10**12)).map(tuple),
    version=st.integers(0, 10**12),
)


@given(states)
def test_every_field_of_a_state_comes_back_as_it_was(state: State) -> None:
    assert _state(_item(state)) == state


def test_the_states_above_vary_every_field_there_is() -> None:
    varied = {
        "district",
        "status",
        "cause",
        "since",
        "visited_at",
        "opened_at",
        "concerned",
        "suspected",
        "suspected_at",
        "strikes",
        "provider",
        "cells",
        "tls_until",
        "durations",
        "counts",
    }
    varied |= {"last_good_at", "pair", "pair_worked_at", "dialect", "host", "baseline", "terms", "not_before", "transitions"}
    varied |= {"incident", "mended", "looks", "unknown_since"}
    varied |= {"provider", "cells", "tls_until", "durations", "counts"}
    assert {field.name for field in fields(State)} == varied | {"version"}


def test_a_time_of_another_zone_comes_back_as_the_same_time() -> None:
    state = replace(opened()[0], since=AT.astimezone(timezone(timedelta(hours=-7))))
    assert _state(_item(state)) == state


def test_a_state_of_a_newer_shape_is_left_alone_and_its_unknown_fields_do_no_harm() -> None:
    item = _item(opened()[0])
    document = json.loads(item["state"]["S"]) | {"colour": "blue"}
    assert _state({**item, "state": {"S": json.dumps(document)}}) == opened()[0]
    newer = _state({**item, "shape": {"N": str(SHAPE + 1)}, "state": {"S": "{}"}})
    assert str(newer) == "written by a newer release"
    document["cause"] = "of another world"
    assert str(_state({**item, "state": {"S": json.dumps(document)}})) == "written by a newer release, which knows more causes"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "[" * 100_000, '{"district": "x", "status": "fine"}', '{"status": "healthy", "since": 7}']
)
def test_a_damaged_state_is_told_from_a_newer_one_and_raises_nothing(text: str) -> None:
    assert str(_state({**_item(opened()[0]), "state": {"S": text}})) == "damaged"
    assert str(_state({"sk": {"S": "springfield"}})) == "damaged"


@pytest.mark.parametrize(
    "damage",
    [
        {"district": "shelbyville"},
        {"visited_at": "2026-10-06T14:05:00"},
        {"durations": [{}]},
        {"counts": [True]},
        {"counts": [-1]},
        {"strikes": "3"},
        {"transitions": 1e3},
        {"baseline": {"users": "many"}},
        {"baseline": {"users": 10**400}},
        {"incident": "x"},
        {"host": 7},
        {"cells": None},
        {"concerned": [None]},
        {"terms": [["2026-08-12"]]},
    ],
    ids=lambda damage: str(damage)[:40],
)
def test_a_state_with_a_field_of_another_kind_is_damaged(damage: dict[str, Any]) -> None:
    # Taken as it is, it would be found out only where all states are looked at: one item, and no district is shown any more.
    item = _item(opened()[0])
    document = json.loads(item["state"]["S"]) | damage
    assert str(_state({**item, "state": {"S": json.dumps(document)}})) == "damaged"


@pytest.mark.parametrize(
    ("record", "is_read"),
    [("{}", True), ('{"evidence": ["x"]}', True), ('{"evidence": 7}', False), ('{"next_steps": "x"}', False), ("[]", False)],
)
def test_a_record_is_read_only_if_its_lists_are_lists(record: str, is_read: bool) -> None:
    assert (_record({"record": {"S": record}}) is not None) == is_read


def test_states_are_read_consistently_and_what_was_not_handed_out_is_asked_for_again(store: StateStore, aws: Stubber) -> None:
    one, two = (replace(opened()[0], district=name) for name in ("one", "two"))
    rest = keys("two")["RequestItems"]
    aws.add_response("batch_get_item", {"Responses": {"table": [_item(one)]}, "UnprocessedKeys": rest}, keys("one", "two", "none"))
    aws.add_response("batch_get_item", {"Responses": {"table": [_item(two)]}, "UnprocessedKeys": {}}, keys("two"))
    assert store.read(["one", "two", "none", "one"]) == {"one": one, "two": two}


def test_a_busy_table_is_asked_again_less_and_less_often_and_not_for_ever(
    store: StateStore, aws: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    for _ in range(7):
        answer = {"Responses": {"table": []}, "UnprocessedKeys": keys("one")["RequestItems"]}
        aws.add_response("batch_get_item", answer, keys("one"))
    with pytest.raises(UnreadError):
        store.read(["one"])
    assert pauses == sorted(set(pauses))
    assert 5 < sum(pauses) < 10


def test_a_hundred_states_are_read_a_call(store: StateStore, aws: Stubber) -> None:
    names = [f"d{number}" for number in range(120)]
    for batch in (names[:100], names[100:]):
        aws.add_response("batch_get_item", {"Responses": {"table": []}, "UnprocessedKeys": {}}, keys(*batch))
    assert store.read(names) == {}


def test_a_newer_shape_among_the_states_costs_no_other_its_reading(store: StateStore, aws: Stubber) -> None:
    old = opened()[0]
    newer = {**_item(replace(old, district="newer")), "shape": {"N": str(SHAPE + 1)}}
    aws.add_response("batch_get_item", {"Responses": {"table": [newer, _item(old)]}, "UnprocessedKeys": {}})
    found = store.read(["newer", "springfield"])
    assert isinstance(found["newer"], StateError)
    assert found["springfield"] == old


def test_a_state_without_a_transition_is_put_on_the_condition_that_nobody_wrote_since(store: StateStore, aws: Stubber) -> None:
    state = replace(opened()[0], version=8)
    aws.add_response(
        "put_item",
        {},
        {
            "TableName": "table",
            "Item": _item(state),
            "ConditionExpression": "version = :read",
            "ExpressionAttributeValues": {":read": {"N": "7"}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )
    assert store.write(state, None)


def test_a_write_whose_answer_was_lost_and_that_is_tried_again_has_been_made() -> None:
    store, (first, _) = StateStore(Table().client, TABLE), opened()
    assert store.write(first, None)
    assert store.write(first, None)
    assert not store.write(replace(first, visited_at=AT + timedelta(microseconds=1)), None)
    assert not store.write(replace(first, version=7), None)


def test_a_transition_is_stored_with_its_state_or_not_at_all(store: StateStore, aws: Stubber) -> None:
    state, transition = opened()
    expires = AT + timedelta(days=KEPT_DAYS)
    told = {
        "pk": {"S": "transition#springfield"},
        "sk": {"S": "0000000001"},
        "shape": {"N": str(SHAPE)},
        "record": {"S": json.dumps(to_record(transition))},
        "expires_at": {"N": str(int(expires.timestamp()))},
    }
    put = {
        "TableName": "table",
        "Item": _item(state),
        "ConditionExpression": "attribute_not_exists(pk) OR version = :read",
        "ExpressionAttributeValues": {":read": {"N": "0"}},
    }
    once = {"TableName": "table", "Item": told, "ConditionExpression": "attribute_not_exists(pk)"}
    problem = problem_action("table", state, transition)
    aws.add_response("transact_write_items", {}, {"TransactItems": [{"Put": put}, {"Put": once}, problem]})
    assert store.write(state, transition)


def test_a_lost_race_is_false_and_any_other_failure_is_heard(store: StateStore, aws: Stubber) -> None:
    state, transition = opened()
    aws.add_client_error("put_item", "ConditionalCheckFailedException")
    assert not store.write(state, None)
    for code in ("ConditionalCheckFailed", "TransactionConflict"):
        reasons: Any = {"CancellationReasons": [{"Code": "None"}, {"Code": code}]}
        aws.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=reasons)
        assert not store.write(state, transition)
    reasons = {"CancellationReasons": [{"Code": "ValidationError"}]}
    aws.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=reasons)
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        store.write(state, transition)
    aws.add_client_error("put_item", "ProvisionedThroughputExceededException")
    with pytest.raises(ClientError, match="ProvisionedThroughputExceededException"):
        store.write(state, None)


def test_the_fleet_is_listed_over_all_pages(store: StateStore, aws: Stubber) -> None:
    broken = _item(opened()[0])
    damaged = {"sk": {"S": "shelbyville"}, "status": {"S": "healthy"}}
    key = {"pk": {"S": "district"}, "sk": {"S": "springfield"}}
    aws.add_response("query", {"Items": [broken], "LastEvaluatedKey": key})
    aws.add_response("query", {"Items": [damaged]})
    [(first, state), (second, problem)] = store.each()
    assert (first, state) == ("springfield", opened()[0])
    assert second == "shelbyville"
    assert isinstance(problem, StateError)


def test_a_first_look_in_order_leaves_no_problem_and_a_recovery_keeps_what_was_told_of_it() -> None:
    table = Table()
    states, board = StateStore(table.client, TABLE), BoardStore(table.client, TABLE)
    state: State | None = None
    problems: list[Problem | None] = []
    for number, diagnosis in enumerate([HEALTHY, diagnosis_of("credentials_wrong"), HEALTHY, diagnosis_of("permission_missing")]):
        state, transition = advance(state, "springfield", diagnosis, Lesson(host="sis.example.org"), AT + timedelta(hours=number))
        assert states.write(state, transition)
        problems.append(next(iter(board.read().problems), None))
    healthy, wrong, recovered, missing = problems
    assert healthy is None
    assert wrong is not None
    assert recovered is not None
    assert missing is not None
    assert (wrong.cause, wrong.number, wrong.opening, wrong.recovered_at) == ("credentials_wrong", 2, 2, None)
    assert recovered == replace(wrong, number=3, recovered_at=AT + timedelta(hours=2))
    assert (missing.cause, missing.number, missing.opening, missing.recovered_at) == ("permission_missing", 4, 4, None)
