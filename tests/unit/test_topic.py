from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from rosterwatch.alerts import render
from rosterwatch.topic import AlertTopics
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
