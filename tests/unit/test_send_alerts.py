from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

import send_alerts
from rosterwatch.announcer import Announced
from tests.unit.boards import Desk, broken
from tests.unit.observations import AT


class Announcer:
    """Hands out what it was given."""

    def __init__(self, announced: Announced) -> None:
        self.announced = announced

    def run(self) -> Announced:
        return self.announced


@pytest.fixture(autouse=True)
def _namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Rosterwatch")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "rosterwatch")


def run(announced: Announced, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(send_alerts, "edges", lambda: SimpleNamespace(announcer=Announcer(announced)))
    context: Any = None
    return send_alerts.handler({"reason": "clock"}, context)


def measured(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {name: value for line in lines if "_aws" in line for name, value in line.items() if isinstance(value, list)}


def test_what_was_published_is_counted_with_the_time_that_it_took(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk()
    desk.look([broken("springfield")], AT)
    answer = run(Announced(tuple(desk.told), (), tuple(desk.open)), monkeypatch)
    assert answer == {"batchItemFailures": [], "published": 1}
    assert measured(capsys) == {"AlertsPublished": [1.0], "TimeToDetect": [0.0], "IncidentsOpen": [1.0]}


def test_what_was_refused_makes_the_run_fail_so_that_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(send_alerts.NotAcceptedError, match=r"^1 notices were not accepted; they stay pending$"):
        run(Announced((), ("ClientError",), ()), monkeypatch)
    assert measured(capsys) == {"AlertsFailed": [1.0]}


def test_what_cannot_be_read_is_named_in_the_log_and_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    run(Announced((), (), (), ("problem springfield",)), monkeypatch)
    assert measured(capsys) == {"ItemsUnread": [1.0]}
    [line] = caplog.records
    assert (line.levelname, line.__dict__["item"]) == ("ERROR", "problem springfield")
