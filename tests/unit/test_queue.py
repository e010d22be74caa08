from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch.queue import (
    MOST_DELAY_SECONDS,
    REASONS,
    MessageError,
    QueueError,
    Visit,
    VisitQueue,
    from_message,
    is_district,
    to_message,
)


class Sqs:
    """Takes messages, and refuses those of the districts that it is told to refuse."""

    def __init__(self, *refused: str) -> None:
        self.sent: list[list[dict[str, Any]]] = []
        self._refused = refused

    def send_message_batch(self, **call: Any) -> dict[str, Any]:
        assert call["QueueUrl"] == "https://queue"
        self.sent.append(call["Entries"])
        return {"Failed": [e for e in call["Entries"] if json.loads(e["MessageBody"])["district"] in self._refused]}


def queue(sqs: Sqs) -> VisitQueue:
    return VisitQueue(cast("Any", sqs), "https://queue")


@pytest.mark.parametrize("reason", REASONS)
def test_a_visit_comes_back_from_its_message_as_it_was(reason: str) -> None:
    visit = Visit("ca/springfield", reason)
    assert from_message(to_message(visit)) == visit


def test_an_unknown_or_missing_reason_is_a_re_check() -> None:
    assert from_message('{"district": "springfield", "reason": "whim", "more": 1}') == Visit("springfield", "recheck")
    assert from_message('{"district": "springfield"}') == Visit("springfield", "recheck")
    assert from_message('{"district": "springfield", "reason": ["schedule"]}') == Visit("springfield", "recheck")


@pytest.mark.parametrize("body", ["", "garbage", "{", "[" * 100_000])
def test_what_is_no_json_is_refused(body: str) -> None:
    with pytest.raises(MessageError, match="is not JSON"):
        from_message(body)


@pytest.mark.parametrize("body", ["[]", "null", '"springfield"', "{}", '{"district": ""}', '{"district": 7}', '{"district": "a b"}',
                                  '{"district": "a\\nb"}', '{"district": "springfield\\n"}'])  # fmt: skip
def test_what_names_no_district_is_refused(body: str) -> None:
    with pytest.raises(MessageError, match="names no district"):
        from_message(body)


@given(st.text())
def test_no_text_at_all_raises_anything_but_a_refusal(body: str) -> None:
    with suppress(MessageError):
        assert is_district(from_message(body).district)


def test_visits_go_out_ten_a_call_and_never_later_than_sqs_can_wait() -> None:
    sqs = Sqs()
    queue(sqs).send([Visit(f"d{number}", delay=number * 100) for number in range(23)])
    assert [len(batch) for batch in sqs.sent] == [10, 10, 3]
    assert all(len({entry["Id"] for entry in batch}) == len(batch) for batch in sqs.sent)
    delays = [entry["DelaySeconds"] for batch in sqs.sent for entry in batch]
    assert delays == [min(number * 100, MOST_DELAY_SECONDS) for number in range(23)]


def test_nothing_to_send_is_no_call() -> None:
    sqs = Sqs()
    queue(sqs).send([])
    assert sqs.sent == []


def test_a_refused_message_is_heard_of_after_all_others_were_sent() -> None:
    sqs = Sqs("d1", "d2")
    with pytest.raises(QueueError, match="SQS refused 2 of 15 messages"):
        queue(sqs).send([Visit(f"d{number}") for number in range(15)])
    assert [len(batch) for batch in sqs.sent] == [10, 5]
