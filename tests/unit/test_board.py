from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch.board import BoardStore
from rosterwatch.causes import CAUSES
from rosterwatch.incidents import Fleet, Incident, Kind, Notice, Problem
from rosterwatch.items import ItemError, incident_item, read_incident
from rosterwatch.mute import Mute, parse_window
from rosterwatch.sight import MAJORITY, SIGHT, Sight
from rosterwatch.table import SHAPE
from tests.table import TABLE, Table, refusal
from tests.unit.boards import HOUR, Sick, broken
from tests.unit.observations import AT

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware there
maybe = st.none() | moments
members = st.dictionaries(st.text(), st.integers(1, 99), max_size=3)
records = st.fixed_dictionaries({"number": st.integers(0, 9), "headline": st.text()})
notices = st.builds(
    Notice, st.integers(1), st.sampled_from(Kind), moments, records, st.lists(st.sampled_from(["text", "event"])).map(tuple)
)
incidents = st.builds(
    Incident,
    key=st.text(min_size=1),
    group=st.text(min_size=1),
    opened_at=moments,
    cause=st.sampled_from(sorted(CAUSES)),
    members=members,
    left=members,
    joined=st.integers(0, 99),
    told_joined=st.integers(0, 99),
    told_cause=st.none() | st.sampled_from(sorted(CAUSES)),
    told_about=st.lists(st.text()).map(tuple),
    announced_at=maybe,
    notified_at=maybe,
    reminders=st.integers(0, 99),
    resolved_at=maybe,
    record=st.just({}) | records,
    notices=st.integers(0, 99),
    pending=st.lists(notices, max_size=2).map(tuple),
    claimed_until=maybe,
    held_until=maybe,
    version=st.integers(0, 99),
)


@pytest.fixture
def table() -> Table:
    return Table(page=2)


@pytest.fixture
def board(table: Table) -> BoardStore:
    return BoardStore(table.client, TABLE)


def incident(version: int = 1, **facts: Any) -> Incident:
    return Incident("district/a/1", "district/a", AT, "credentials_revoked", version=version, **facts)


def test_a_write_whose_answer_was_lost_and_that_is_tried_again_has_been_made(board: BoardStore) -> None:
    ours = incident(claimed_until=AT + HOUR)
    assert board.write(ours)
    assert board.write(ours)
    assert not board.write(replace(ours, claimed_until=AT + 2 * HOUR))


@given(incidents)
def test_every_field_of_an_incident_comes_back_as_it_was(one: Incident) -> None:
    assert read_incident(incident_item(one)) == one


def test_the_incidents_above_vary_every_field_there_is() -> None:
    varied = "key group opened_at cause members left joined told_joined told_cause told_about announced_at notified_at reminders"
    more = "resolved_at record notices pending claimed_until held_until version"
    assert {field.name for field in fields(Incident)} == {*varied.split(), *more.split()}


def test_problems_incidents_mutes_and_windows_come_back_over_all_pages(table: Table, board: BoardStore) -> None:
    names = ["a", "b", "c", "d", "e"]
    for name in names:
        one = Sick(name, table=table)
        one.broke("credentials_revoked", AT)
        assert board.write(replace(incident(), key=f"district/{name}/1"))
        board.mute(Mute(f"district/{name}", AT + HOUR, "a move", "robin"))
    window = parse_window("nights", {"days": ["sat"], "start": "22:30", "duration_minutes": 90, "zone": "America/Los_Angeles"})
    board.mute_again(window)
    board.count_fleet(40, 7)
    found = board.read()
    assert [problem.district for problem in found.problems] == names
    assert [one.key for one in found.incidents] == [f"district/{name}/1" for name in names]
    assert found.mutes == tuple(Mute(f"district/{name}", AT + HOUR, "a move", "robin") for name in names)
    assert found.windows == (window,)
    assert (found.fleet, found.majority, found.unread.names) == (Fleet(40, 7), False, [])
    assert board.surroundings() == replace(found, problems=(), incidents=())


def test_a_problem_keeps_its_host_and_what_was_told_of_it() -> None:
    problem = broken("springfield")
    assert (problem.host, problem.cause, problem.since, problem.opening) == ("sis.example.org", "credentials_revoked", AT, 2)
    assert problem.record["headline"].startswith("Consumer ID and Secret revoked")


def test_an_incident_is_written_only_over_the_version_that_was_read(board: BoardStore) -> None:
    assert board.write(incident(1))
    assert not board.write(incident(1, joined=7))
    assert board.write(incident(2, joined=2))
    assert not board.write(incident(2, joined=9))
    assert board.read().incidents == (incident(2, joined=2),)


def test_a_problem_is_forgotten_only_if_it_is_still_the_one_that_was_noted(board: BoardStore, table: Table) -> None:
    one = Sick("a", table=table)
    one.broke("credentials_revoked", AT)
    over = one.recovered(AT + HOUR)
    again = one.broke("credentials_revoked", AT + 2 * HOUR)
    board.forget(over)
    assert board.read().problems == (again,)
    board.forget(again)
    assert board.read().problems == ()
    board.forget(again)


def test_a_closed_incident_becomes_history_only_if_nobody_has_opened_it_again(board: BoardStore, table: Table) -> None:
    board.write(incident(1))
    board.write(incident(2, resolved_at=AT))
    board.archive(incident(1))
    assert len(table.under("incident")) == 1
    assert table.under("incident#closed") == {}
    board.archive(incident(2, resolved_at=AT))
    assert table.under("incident") == {}
    assert list(table.under("incident#closed")) == ["district/a/1"]


def test_a_failure_that_is_no_lost_race_is_heard(board: BoardStore, table: Table) -> None:
    def throttle(_what: str) -> None:
        raise refusal("ProvisionedThroughputExceededException", "PutItem")

    table.before = throttle
    for do in (lambda: board.write(incident()), lambda: board.forget(broken("a")), lambda: board.archive(incident())):
        with pytest.raises(ClientError, match="ProvisionedThroughput"):
            do()


DAMAGE = ["", "[]", "{}", "null", "7", '"text"', "{", '{"cause": "of another world"}', "[" * 100_000]


@pytest.mark.parametrize("text", DAMAGE)
@pytest.mark.parametrize(
    ("pk", "sk", "name"),
    [
        ("problem", "a", "problem a"),
        ("incident", "district/a/1", "incident district/a/1"),
        ("mute", "all", "mute all"),
        ("mute#window", "nights", "window nights"),
        ("monitor", "fleet", "monitor"),
    ],
)
def test_a_damaged_item_is_named_and_left_alone_and_costs_no_other(
    board: BoardStore, table: Table, pk: str, sk: str, name: str, text: str
) -> None:
    Sick("b", table=table).broke("credentials_revoked", AT)
    board.write(replace(incident(), key="district/b/1"))
    member = {"mute#window": "window", "monitor": "fleet"}.get(pk, pk)
    table.items[pk, sk] = {"pk": {"S": pk}, "sk": {"S": sk}, "number": {"N": "1"}, member: {"S": text}}
    before = json.dumps(table.items[pk, sk])
    found = board.read()
    assert [problem.district for problem in found.problems] == ["b"]
    assert [one.key for one in found.incidents] == ["district/b/1"]
    assert found.unread.names == [name]
    assert (found.mutes, found.windows) == ((), ())
    assert json.dumps(table.items[pk, sk]) == before


@pytest.mark.parametrize(
    "damage",
    [
        {"cause": "unheard_of"},
        {"told_cause": "unheard_of"},
        {"members": 7},
        {"members": {"a": "x"}},
        {"opened_at": "2026-10-06T14:05:00"},
        {"opened_at": None},
        {"record": "text"},
        {"record": {"number": "x"}},
        {"pending": [{"number": 1}]},
        {"pending": 3},
        {"key": "district/b/1"},
        {"group": None},
        {"version": "x"},
    ],
    ids=str,
)
def test_an_incident_with_a_damaged_field_is_damaged(damage: dict[str, Any]) -> None:
    item = incident_item(incident())
    document = json.loads(item["incident"]["S"]) | damage
    with pytest.raises(ItemError, match="damaged"):
        read_incident({**item, "incident": {"S": json.dumps(document)}})


def test_an_incident_of_twenty_thousand_districts_fits_into_an_item_and_comes_back_as_it_was() -> None:
    names = (f"{hashlib.sha256(str(number).encode()).hexdigest()[:20]}-unified-{number}" for number in range(20_000))
    large = replace(incident(), members={name: number for number, name in enumerate(names)})
    item = incident_item(large)
    assert sum(map(len, large.members)) > 400 * 1024
    assert len(item["incident"]["B"]) < 400 * 1024 - 1024
    assert read_incident(item) == large
    for bytes_ in (b"", item["incident"]["B"][:-1], b"text"):
        with pytest.raises(ItemError, match="damaged"):
            read_incident({**item, "incident": {"B": bytes_}})


def test_what_a_newer_release_has_written_is_left_alone_and_what_it_has_added_does_no_harm(board: BoardStore, table: Table) -> None:
    board.write(incident())
    item = table.items["incident", "district/a/1"]
    document = json.loads(item["incident"]["S"]) | {"colour": "blue"}
    item["incident"] = {"S": json.dumps(document)}
    assert board.read().incidents == (incident(),)
    item["shape"] = {"N": str(SHAPE + 1)}
    found = board.read()
    assert (found.incidents, found.unread.names) == ((), ["incident district/a/1"])
    item["shape"] = {"N": "x"}
    assert board.read().unread.names == ["incident district/a/1"]


def test_whether_we_can_see_is_noted_once_and_taken_back(board: BoardStore, table: Table) -> None:
    sight = Sight(table.client, TABLE)
    assert sight.noted() == frozenset()
    sight.lost(AT)
    sight.lost(AT + HOUR)
    assert sight.noted() == {SIGHT}
    assert board.read().fleet == Fleet(0, 0, AT)
    board.note_majority(blind=True, at=AT + timedelta(minutes=1))
    assert sight.noted() == {SIGHT, MAJORITY}
    assert board.read().majority
    sight.regained()
    board.note_majority(blind=False, at=AT + HOUR)
    assert sight.noted() == frozenset()
    assert board.read().fleet == Fleet(0, 0)


def test_the_size_of_the_fleet_does_not_mean_that_we_cannot_see(board: BoardStore, table: Table) -> None:
    board.count_fleet(10, 5)
    assert Sight(table.client, TABLE).noted() == frozenset()


def test_a_single_problem_can_be_read_by_itself(board: BoardStore, table: Table) -> None:
    assert board.problem("a") is None
    problem: Problem = Sick("a", table=table).broke("credentials_revoked", AT)
    assert board.problem("a") == problem
    table.items["problem", "a"]["problem"] = {"S": "{"}
    assert board.problem("a") is None
