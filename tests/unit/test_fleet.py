"""The fleet as the command line reads it from the table, shows it, mutes it and lets it go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest
from rich.console import Console

from rosterwatch import fleet_view
from rosterwatch.board import BoardStore
from rosterwatch.finding import Diagnosis, Status
from rosterwatch.health import Lesson, State, advance
from rosterwatch.mute import Mute, Window
from rosterwatch.state import StateError, StateStore
from tests.table import TABLE, Table
from tests.unit.observations import AT, HEALTHY, diagnosis_of

LATER = AT + timedelta(hours=3)
REVOKED = diagnosis_of("credentials_revoked")


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def states(table: Table) -> StateStore:
    return StateStore(table.client, TABLE)


@pytest.fixture
def board(table: Table) -> BoardStore:
    return BoardStore(table.client, TABLE)


def store(states: StateStore, name: str, *story: Diagnosis) -> State:
    state: State | None = None
    for number, diagnosis in enumerate(story):
        state, transition = advance(state, name, diagnosis, Lesson(host="sis.example.org"), AT + timedelta(minutes=15 * number))
        assert states.write(state, transition)
    assert state is not None
    return state


def shown(things: Iterator[Any] | Any, *, width: int = 160) -> str:
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(things)
    return captured.get()


def test_every_district_is_listed_with_all_that_is_known_of_it_or_that_it_is_damaged(states: StateStore, table: Table) -> None:
    table.page = 2
    stored = {name: store(states, name, HEALTHY) for name in ("a", "b", "c")}
    table.items["district", "d"] = {"pk": {"S": "district"}, "sk": {"S": "d"}}
    found = dict(states.each())
    assert {name: found[name] for name in stored} == stored
    assert isinstance(found["d"], StateError)


def test_the_last_changes_come_newest_first(states: StateStore) -> None:
    store(states, "a", HEALTHY, REVOKED, HEALTHY)
    assert [change["change"] for change in states.history("a", 2)] == ["resolved", "opened"]
    assert states.history("nobody", 2) == []


def test_a_removed_district_leaves_nothing_and_can_begin_anew(states: StateStore, table: Table) -> None:
    store(states, "a", HEALTHY, REVOKED)
    store(states, "b", REVOKED)
    assert states.remove("a")
    assert {key for key in table.items if "a" in (key[1], key[0].partition("#")[2])} == set()
    assert table.under("problem").keys() == {"b"}
    assert not states.remove("a")
    store(states, "a", HEALTHY, REVOKED)


def test_a_visit_that_was_under_way_does_not_bring_a_removed_district_back(states: StateStore, table: Table) -> None:
    before = store(states, "a", HEALTHY)
    states.remove("a")
    after, transition = advance(before, "a", REVOKED, Lesson(), LATER)
    assert not states.write(after, transition)
    assert table.items == {}


def test_a_mute_is_stored_replaced_and_ended(board: BoardStore) -> None:
    mute = Mute("district/a", LATER, "a new server", "kim")
    board.mute(mute)
    board.mute(replace(mute, target="all"))
    board.mute(replace(mute, until=LATER + timedelta(hours=1)))
    assert set(board.read().mutes) == {replace(mute, until=LATER + timedelta(hours=1)), replace(mute, target="all")}
    assert board.unmute("all")
    assert not board.unmute("all")


def test_a_window_comes_back_as_it_was_stored(board: BoardStore) -> None:
    window = Window("nights", "host/sis.example.org", ("sat", "sun"), time(22, 30), timedelta(hours=6), "America/Los_Angeles", "-")
    board.mute_again(window)
    assert board.read().windows == (window,)
    assert board.remove_window("nights")
    assert not board.remove_window("nights")


def test_the_problem_of_one_district_is_read_by_its_name(states: StateStore, board: BoardStore) -> None:
    store(states, "a", REVOKED)
    store(states, "b", HEALTHY)
    problem = board.problem("a")
    assert problem is not None
    assert problem.cause == "credentials_revoked"
    assert board.problem("b") is None


def fleet(states: StateStore) -> list[fleet_view.Row]:
    store(states, "fine", HEALTHY)
    store(states, "newly broken", HEALTHY, REVOKED)
    store(states, "long broken", REVOKED)
    store(states, "suspected", HEALTHY, diagnosis_of("server_error"))
    mutes = [Mute("district/long broken", LATER + timedelta(hours=1), "", "kim")]
    return fleet_view.rows([*states.each(), ("damaged", StateError("damaged"))], mutes, [], LATER)


def test_what_is_broken_for_longest_comes_first_and_what_is_healthy_last(states: StateStore) -> None:
    rows = fleet(states)
    assert [row.district for row in rows] == ["long broken", "newly broken", "damaged", "fine", "suspected"]
    assert [row.muted for row in rows] == [True, False, False, False, False]


def test_the_table_says_in_words_how_each_district_stands(states: StateStore) -> None:
    rows = fleet(states)
    said = shown(fleet_view.fleet_table(rows, rows, LATER))
    lines = {line.split("  ")[0]: " ".join(line.split()) for line in said.splitlines()}
    assert lines["long broken"].startswith(
        "long broken failing (muted) credentials_revoked 3 h 3 h ago district administrator never"
    )
    assert "the stored state is damaged" in lines["damaged"]
    assert "(server_error?)" in lines["suspected"]
    assert "5 districts: 2 failing, 1 unknown, 2 healthy; 1 of those shown muted" in said
    narrow = shown(fleet_view.fleet_table(rows, rows, LATER, 80), width=80)
    assert all(len(line) <= 80 for line in narrow.splitlines())
    assert "credentials_revoked" in narrow
    assert "Whose move" not in narrow
    assert "0 districts" in shown(fleet_view.fleet_table([], [], LATER))


def test_the_json_of_the_fleet_counts_and_lists_it(states: StateStore) -> None:
    found = json.loads(json.dumps(fleet_view.fleet_to_json("rosterwatch", fleet(states), LATER)))
    assert found["counts"] == {"healthy": 2, "degraded": 0, "failing": 2, "unknown": 1}
    first = found["districts"][0]
    assert first["cause"] == "credentials_revoked"
    assert first["owner"] == "district administrator"
    assert first["since"] == AT.isoformat()
    assert first["last_good_at"] is None
    assert first["muted"] is True


def test_one_district_is_shown_with_cause_evidence_steps_and_changes(states: StateStore, board: BoardStore) -> None:
    store(states, "a", HEALTHY, REVOKED)
    [row] = fleet_view.rows(states.each(), [], [], LATER)
    problem = board.problem("a")
    assert problem is not None
    console = Console(width=160, color_system=None, highlight=False)
    with console.capture() as captured:
        fleet_view.show_district(console, row, problem.record, states.history("a", 9), LATER)
    said = captured.get()
    for words in ("FAILING a", "Last good:", "credentials_revoked (page)", "What to do", "1. ", "Evidence", "first seen, healthy"):
        assert words in said
    document = fleet_view.district_to_json(row, problem.record, states.history("a", 9))
    assert document["next_steps"] == problem.record["next_steps"]
    assert [change["change"] for change in document["changes"]] == ["opened", "first_seen"]


def test_a_state_that_we_cannot_see_or_that_is_to_be_left_alone_says_so() -> None:
    state = State("a", Status.HEALTHY, AT, AT, unknown_since=AT, not_before=LATER + timedelta(hours=1), host="sis.example.org")
    console = Console(width=160, color_system=None, highlight=False)
    with console.capture() as captured:
        fleet_view.show_district(console, fleet_view.Row("a", state), None, [], LATER)
    said = captured.get()
    assert "We cannot see: since 2026-10-06 14:05 UTC" in said
    assert "as its host has asked" in said
