"""Which districts the dashboard shows, in which order, and on which page."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest

from rosterwatch.finding import Status
from rosterwatch.matrix import PAGE_SIZE, SHOWN, View, count, make_row, read_view, select
from rosterwatch.mute import Mute, Window
from rosterwatch.state import StateError
from tests.unit.rows import NOW, STALE, row, state

ROWS = [
    row("healthy-one"),
    row("slow-one", "slow"),
    row("older", "credentials_revoked", since=NOW - timedelta(days=2)),
    row("newer", "permission_missing", since=NOW - timedelta(minutes=3), provider="classlink"),
    row("forgotten", visited_at=NOW - timedelta(hours=2)),
    make_row("damaged", StateError("damaged"), (), (), NOW, STALE),
]


def names(view: View) -> list[str]:
    return [one.district for one in select(ROWS, view).rows]


def test_what_is_broken_comes_alone_by_default_failing_first_and_newest_first() -> None:
    assert names(View()) == ["newer", "older", "slow-one", "damaged", "forgotten"]


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        (View("all"), ["newer", "older", "slow-one", "damaged", "forgotten", "healthy-one"]),
        (View("failing"), ["newer", "older"]),
        (View("degraded"), ["slow-one"]),
        (View("unknown"), ["damaged"]),
        (View("healthy"), ["forgotten", "healthy-one"]),
        (View("stale"), ["forgotten"]),
        (View("muted"), []),
        (View(cause="slow"), ["slow-one"]),
        (View(provider="classlink"), ["newer"]),
        (View("all", find="ONE"), ["slow-one", "healthy-one"]),
        (View("all", find="sis.example"), ["newer", "older", "slow-one", "forgotten", "healthy-one"]),
        (View(cause="slow", provider="classlink"), []),
    ],
)
def test_a_view_shows_what_it_asks_for(view: View, shown: list[str]) -> None:
    assert names(view) == shown


def test_the_counts_are_of_what_each_choice_would_show() -> None:
    counted = count(ROWS)
    assert {name: counted[name] for name in SHOWN} == {name: len(names(View(name))) for name in SHOWN}


def test_pages_hold_fifty_and_one_that_is_too_far_is_the_last() -> None:
    many = [row(f"district-{number:03}", "slow") for number in range(2 * PAGE_SIZE + 1)]
    first = select(many, View())
    assert (len(first.rows), first.total, first.pages, first.first) == (PAGE_SIZE, 2 * PAGE_SIZE + 1, 3, 1)
    last = select(many, View(page=99))
    assert (last.view.page, len(last.rows), last.first) == (3, 1, 2 * PAGE_SIZE + 1)
    assert select([], View(page=7)).view.page == 1


def test_while_the_monitor_cannot_see_a_district_is_unknown_and_blamed_for_nothing() -> None:
    blind = row(cause=None, unknown_since=NOW - timedelta(minutes=9))
    assert (blind.status, blind.cause, blind.since) == (Status.UNKNOWN, "monitor_network", NOW - timedelta(minutes=9))


def test_a_district_is_stale_after_a_while_unless_its_host_has_asked_to_be_left_alone() -> None:
    assert row(visited_at=NOW - STALE - timedelta(seconds=1)).stale
    assert not row(visited_at=NOW - STALE).stale
    assert not row(visited_at=NOW - 2 * STALE, not_before=NOW + timedelta(minutes=1)).stale


@pytest.mark.parametrize("target", ["district/springfield", "host/sis.example.org", "all"])
def test_a_mute_of_the_district_its_host_or_everything_is_shown_and_only_its_own_can_be_taken_back(target: str) -> None:
    until = NOW + timedelta(hours=4)
    muted = row(mutes=(Mute(target, until, "a move", "Ada"),))
    assert muted.quiet is not None
    assert "Muted until 2026-10-06 18:05 UTC" in muted.quiet
    assert muted.quiet.endswith("a move")
    assert (muted.muted is not None) is target.startswith("district/")
    assert row(mutes=(Mute(target, NOW, "over", "Ada"),)).quiet is None
    assert row(mutes=(Mute("district/shelbyville", until, "", "Ada"),)).quiet is None


def test_a_maintenance_window_is_shown_by_its_name() -> None:
    window = Window("nightly", "host/sis.example.org", ("tue",), time(14), timedelta(hours=1), "UTC")
    assert make_row("springfield", state(), (), (window,), NOW, STALE).quiet == "In the maintenance window nightly"
    elsewhere = replace(window, target="host/other.example.org")
    assert make_row("springfield", state(), (), (elsewhere,), NOW, STALE).quiet is None


def test_a_view_is_read_from_the_first_source_that_names_a_thing() -> None:
    assert read_view({}, {}) == View()
    assert read_view({"page": 1}, {"show": "failing", "page": "3"}) == View("failing", page=1)
    assert read_view({"show": "all", "cause": ""}, {"show": "failing", "cause": "slow"}) == View("all")
    form = {"show": "healthy", "cause": "slow", "provider": "aeries", "find": " Ada ", "page": "2"}
    assert read_view({}, form) == View("healthy", "slow", "aeries", "Ada", 2)


@pytest.mark.parametrize(
    "sent",
    [
        {"show": "<script>"},
        {"show": ["all"]},
        {"cause": "no_such_cause"},
        {"provider": {"a": 1}},
        {"page": "-1"},
        {"page": "0"},
        {"page": 10**30},
        {"page": True},
        {"page": "²"},
        {"find": None},
    ],
)
def test_what_is_not_known_counts_as_not_sent(sent: dict[str, object]) -> None:
    assert read_view(sent) == View()
