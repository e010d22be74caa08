"""Amazon SNS: the topic that carries alerts to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosterwatch.alerts import Alert

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class AlertTopic:
    """Where alerts go. Raises botocore's exceptions when SNS does not take one."""

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, alert: Alert) -> None:
        """Hand one alert to SNS. The stable key travels as an attribute, so that receivers can drop a repetition."""
        attributes = {**alert.attributes, "key": alert.key}
        self._client.publish(
            TopicArn=self._arn,
            Subject=alert.subject,
            Message=alert.text,
            MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
        )
