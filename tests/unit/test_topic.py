from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from rosterwatch.alerts import Alert
from rosterwatch.topic import AlertTopic

ALERT = Alert("springfield/1/1", "FAILING springfield", "text\n", {"district": "springfield", "severity": "page"})


def test_an_alert_is_published_with_its_key_among_the_attributes() -> None:
    client = boto3.client("sns", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    with Stubber(client) as aws:
        aws.add_response(
            "publish",
            {"MessageId": "1"},
            {
                "TopicArn": "arn:topic",
                "Subject": "FAILING springfield",
                "Message": "text\n",
                "MessageAttributes": {
                    "district": {"DataType": "String", "StringValue": "springfield"},
                    "severity": {"DataType": "String", "StringValue": "page"},
                    "key": {"DataType": "String", "StringValue": "springfield/1/1"},
                },
            },
        )
        AlertTopic(client, "arn:topic").publish(ALERT)
        aws.assert_no_pending_responses()
        aws.add_client_error("publish", "InternalError")
        with pytest.raises(ClientError, match="InternalError"):
            AlertTopic(client, "arn:topic").publish(ALERT)
