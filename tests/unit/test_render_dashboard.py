"""The function behind the widget: what an event shows, and what a button does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

import render_dashboard
from rosterwatch.board import BoardStore
from rosterwatch.queue import Visit, VisitQueue
from rosterwatch.settings import RenderSettings
from rosterwatch.state import StateStore
from tests.local_aws import REPOSITORY
from tests.table import Table
from tests.unit.rows import ARN, state

TODAY = datetime.now(UTC)


class Queue(VisitQueue):
    """Records what is put on it."""

    def __init__(self) -> None:
        self.sent: list[Visit] = []

    def send(self, visits: Sequence[Visit]) -> None:
        self.sent += visits


class World:
    """The function with a table and a queue in memory."""

    def __init__(self) -> None:
        self.table, self.queue = Table(), Queue()
        self.states, self.board = StateStore(cast("Any", self.table), "table"), BoardStore(cast("Any", self.table), "table")
        for name, cause in (("springfield", "credentials_revoked"), ("shelbyville", None)):
            self.states.write(state(name, cause, version=1, visited_at=TODAY, since=TODAY - timedelta(hours=3)), None)

    def ask(self, event: dict[str, Any], forms: dict[str, Any] | None = None, **context: Any) -> str:
        asked = {"widgetContext": {"dashboardName": "rosterwatch", "forms": {"all": forms or {}}, **context}}
        return render_dashboard.handler({**asked, **event}, cast("Any", SimpleNamespace(invoked_function_arn=ARN)))

    def mutes(self) -> dict[str, dict[str, str]]:
        board = self.board.surroundings()
        return {mute.target: {"until": mute.until.isoformat(), "reason": mute.reason, "by": mute.by} for mute in board.mutes}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    settings = RenderSettings("rosterwatch/", "table", "https://queue", timedelta(minutes=45))
    use = render_dashboard.Edges(settings, made.states, made.board, made.queue)
    monkeypatch.setattr(render_dashboard, "edges", lambda: use)
    return made


def test_describe_answers_with_its_documentation_and_needs_nothing() -> None:
    assert "### Parameters" in render_dashboard.handler({"describe": True}, cast("Any", None))


def test_the_event_that_is_kept_for_trying_it_by_hand_shows_what_is_broken(world: World) -> None:
    event = json.loads((REPOSITORY / "events" / "dashboard.json").read_text())
    assert "springfield" in world.ask(event)


def test_the_widget_shows_what_is_broken_in_the_viewers_theme(world: World) -> None:
    text = world.ask({}, theme="dark")
    assert "springfield" in text
    assert "shelbyville" not in text
    assert "rw-dark" in text
    assert ARN in text


def test_what_a_button_asks_for_goes_before_the_form_and_the_form_before_the_widgets_parameters(world: World) -> None:
    assert "shelbyville" in world.ask({}, params={"show": "all"})
    assert "shelbyville" not in world.ask({}, {"show": "failing"}, params={"show": "all"})
    assert "shelbyville" in world.ask({"show": "healthy"}, {"show": "failing"})


def test_a_row_opens_with_its_history(world: World) -> None:
    text = world.ask({"open": "springfield"})
    assert "credentials_revoked" in text
    assert "What is wrong" not in text  # it is the popup, not the widget


@pytest.mark.parametrize("name", ["nowhere", "<b>", "", "x" * 600])
def test_a_district_that_is_not_there_is_not_shown_and_nothing_is_done_to_it(world: World, name: str) -> None:
    assert "Nothing is stored" in world.ask({"open": name})
    for do in ("recheck", "mute", "unmute"):
        assert "No such district" in world.ask({"do": do, "district": name, "hours": 4})
    assert world.queue.sent == []
    assert world.mutes() == {}


@pytest.mark.parametrize("name", [None, 7, ["springfield"], {"a": 1}])
def test_a_district_that_is_no_name_is_none(world: World, name: object) -> None:
    assert "No such district" in world.ask({"do": "recheck", "district": name})


def test_recheck_puts_one_visit_on_the_queue(world: World) -> None:
    assert "on its way" in world.ask({"do": "recheck", "district": "springfield"})
    assert world.queue.sent == [Visit("springfield", "recheck")]


@pytest.mark.parametrize("hours", [4, 24])
def test_mute_holds_alerts_back_for_some_hours_and_unmute_takes_that_back(world: World, hours: int) -> None:
    assert "is muted until" in world.ask({"do": "mute", "district": "springfield", "hours": hours}, {"reason": " a move "})
    [mute] = world.mutes().values()
    assert mute["reason"] == "a move"
    assert mute["by"] == "the dashboard rosterwatch"
    length = datetime.fromisoformat(mute["until"]) - datetime.now(UTC)
    assert timedelta(hours=hours) - timedelta(minutes=1) < length <= timedelta(hours=hours)
    assert "no longer muted" in world.ask({"do": "unmute", "district": "springfield"})
    assert world.mutes() == {}
    assert "was not muted" in world.ask({"do": "unmute", "district": "springfield"})


def test_mute_until_a_day_ends_with_that_day(world: World) -> None:
    day = (TODAY + timedelta(days=3)).date().isoformat()
    text = world.ask({"do": "mute", "district": "springfield", "in": "popup"}, {"until": day})
    assert f"muted until {day} 23:59 UTC" in text
    assert world.mutes()["district/springfield"]["until"].startswith(f"{day}T23:59:59")
    assert "Unmute" in text


@pytest.mark.parametrize("until", [None, "", "soon", "2020-01-01", "9999-12-31", {"a": 1}])
def test_a_day_that_is_none_or_past_or_too_far_mutes_nothing(world: World, until: object) -> None:
    assert "Nothing was muted" in world.ask({"do": "mute", "district": "springfield"}, {"until": until})
    assert world.mutes() == {}


@pytest.mark.parametrize("hours", [5, 10**9, "4", None, True])
def test_no_other_length_is_taken_from_a_button(world: World, hours: object) -> None:
    assert "Nothing was muted" in world.ask({"do": "mute", "district": "springfield", "hours": hours})


def test_a_button_that_is_not_ours_does_nothing(world: World) -> None:
    assert "not one of ours" in world.ask({"do": "delete", "district": "springfield"})


@pytest.mark.parametrize("context", [None, "text", {"forms": None}, {"forms": {"all": []}}, {"forms": {"all": {}}, "params": 3}])
def test_a_strange_context_is_as_good_as_none(world: World, context: object) -> None:
    assert "springfield" in render_dashboard.handler(
        {"widgetContext": context}, cast("Any", SimpleNamespace(invoked_function_arn=ARN))
    )


def test_what_is_pressed_is_logged_and_what_was_typed_is_not(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.ask({"do": "mute", "district": "springfield", "hours": 4}, {"reason": "planted-reason", "find": "planted-find"})
    [said] = [vars(entry) for entry in caplog.records]
    assert (said["button"], said["district"]) == ("mute", "springfield")
    assert "planted" not in repr(said)
