from __future__ import annotations

import time
from collections import Counter
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from rosterwatch.alerts import Message, render
from rosterwatch.topic import MAIL_SECONDS, AlertTopics
from tests.unit.boards import LINKS, Desk, broken
from tests.unit.observations import AT


def test_a_notice_goes_to_the_topic_of_its_dialect_with_its_key_among_the_attributes() -> None:
    desk = Desk()
    desk.look([broken("springfield")], AT)
    [(incident, notice)] = desk.told
    message = render("card", incident, notice, LINKS)
    client = boto3.client("sns", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    topics = AlertTopics(client, {"text": "arn:text", "card": "arn:card"}, LINKS)
    assert topics.names == ("text", "card")
    with Stubber(client) as aws:
        aws.add_response(
            "publish",
            {"MessageId": "1"},
            {
                "TopicArn": "arn:card",
                "Subject": message.subject,
                "Message": message.body,
                "MessageAttributes": {
                    name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
                },
            },
        )
        topics.publish("card", incident, notice)
        aws.assert_no_pending_responses()
        aws.add_client_error("publish", "InternalError")
        with pytest.raises(ClientError, match="InternalError"):
            topics.publish("text", incident, notice)
    assert message.attributes["key"] == f"{incident.key}/1"


class Sns:
    """Notes when each topic was published to, on a clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.published: list[tuple[str, float]] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def publish(self, **request: Any) -> None:
        self.published.append((request["TopicArn"], self.now))


def test_mail_is_sent_at_a_pace_that_its_subscriptions_survive(monkeypatch: pytest.MonkeyPatch) -> None:
    sns: Any = Sns()
    monkeypatch.setattr(time, "monotonic", lambda: sns.now)
    topics = AlertTopics(sns, {"text": "mail", "card": "card"}, LINKS, sns.sleep)
    message = Message("subject", "body", {})
    for _ in range(100):
        for name in topics.names:
            topics.send(name, message)
    # Two of us may be sending at a time, and SNS suspends whoever gets more than ten mails in a second.
    in_a_second = Counter(int(at) for topic, at in sns.published if topic == "mail")
    assert max(in_a_second.values()) <= 5
    assert sns.now == pytest.approx(1000 + 99 * MAIL_SECONDS)
    sns.now += 60
    topics.send("text", message)
    assert sns.published[-1] == ("mail", sns.now)  # the first after a while does not wait
