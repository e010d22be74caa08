"""The events that are kept for trying the functions by hand are ones that the functions read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dispatch_districts import SECRET_CHANGED, _asked_for
from rosterwatch.health import Lesson, advance
from rosterwatch.queue import Visit, from_message
from rosterwatch.record import RECORD_VERSION, to_record
from tests.unit.observations import AT, diagnosis_of

EVENTS = Path(__file__).parents[2] / "events"
PREFIX = "rosterwatch/"


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def test_there_is_one_example_of_every_trigger_and_no_other() -> None:
    assert {path.name for path in EVENTS.iterdir()} == {
        "dashboard.json",
        "queue.json",
        "recheck.json",
        "schedule.json",
        "secret_changed.json",
        "stream.json",
    }


def test_the_schedule_means_everyone() -> None:
    assert _asked_for(event("schedule"), PREFIX) is None


def test_a_changed_secret_means_its_district() -> None:
    assert event("secret_changed")["detail-type"] == SECRET_CHANGED
    assert _asked_for(event("secret_changed"), PREFIX) == [Visit("springfield", "secret_changed")]


def test_a_changed_secret_outside_of_the_prefix_means_nobody() -> None:
    changed = event("secret_changed")
    assert _asked_for(changed, "elsewhere/") == []
    assert _asked_for({**changed, "detail": {}}, PREFIX) == []
    assert _asked_for({**changed, "detail": None}, PREFIX) == []
    assert _asked_for({**changed, "detail": {"name": PREFIX}}, PREFIX) == []


def test_a_re_check_means_the_district_that_it_names() -> None:
    assert _asked_for(event("recheck"), PREFIX) == [Visit("springfield", "recheck")]
    for name in ("", "a b", None, 7):
        with pytest.raises(ValueError, match="must be the name of a district"):
            _asked_for({"district": name}, PREFIX)


def test_every_message_of_the_queue_is_a_visit() -> None:
    districts = [from_message(record["body"]).district for record in event("queue")["Records"]]
    assert districts == ["springfield", "shelbyville"]
    assert all(record["messageId"] for record in event("queue")["Records"])


def test_every_record_of_the_stream_is_written_as_it_is_today() -> None:
    _, transition = advance(None, "springfield", diagnosis_of("credentials_revoked"), Lesson(), AT)
    assert transition is not None
    for stored in event("stream")["Records"]:
        assert stored["dynamodb"]["SequenceNumber"]
        record = json.loads(stored["dynamodb"]["NewImage"]["record"]["S"])
        assert record["record"] == RECORD_VERSION
        assert set(record) == set(to_record(transition))
