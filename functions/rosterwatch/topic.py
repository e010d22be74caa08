"""Amazon SNS: the topics that carry alerts, one for each kind of reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rosterwatch.alerts import Message, render
from rosterwatch.incidents import Incident, Notice
from rosterwatch.links import Links

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class AlertTopics:
    """Where alerts go. ``arns`` names each dialect's topic; a dialect without one is not written."""

    def __init__(self, client: SNSClient, arns: Mapping[str, str], links: Links) -> None:
        self._client = client
        self._arns = arns
        self._links = links
        self.names = tuple(arns)

    def publish(self, name: str, incident: Incident, notice: Notice) -> None:
        """Hand one notice to the topic of one dialect. Raises botocore's exceptions when SNS does not take it.

        The stable key travels as an attribute, so that receivers can drop a repetition.
        """
        self.send(name, render(name, incident, notice, self._links))

    def send(self, name: str, message: Message) -> None:
        """Hand one message to the topic of one dialect. Raises botocore's exceptions when SNS does not take it."""
        self._client.publish(
            TopicArn=self._arns[name],
            Subject=message.subject,
            Message=message.body,
            MessageAttributes={
                attribute: {"DataType": "String", "StringValue": value} for attribute, value in message.attributes.items()
            },
        )
