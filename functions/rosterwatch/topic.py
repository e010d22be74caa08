"""Amazon SNS: the topics that carry alerts, one for each kind of reader."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from rosterwatch.alerts import Message, render
from rosterwatch.incidents import Incident, Notice
from rosterwatch.links import Links

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


#: SNS suspends an e-mail subscription that gets more than ten messages a second, and ends it two days later; two of us may be
#: sending at a time (https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html).
MAIL_SECONDS: Final = 0.25
_MAIL: Final = "text"


class AlertTopics:
    """Where alerts go. ``arns`` names each dialect's topic; a dialect without one is not written.

    Mail is sent at a pace that its subscriptions survive: ``sleep`` waits for so many seconds.
    """

    def __init__(
        self, client: SNSClient, arns: Mapping[str, str], links: Links, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._arns = arns
        self._links = links
        self._sleep = sleep
        self._next_mail = 0.0
        self.names = tuple(arns)

    def publish(self, name: str, incident: Incident, notice: Notice) -> None:
        """Hand one notice to the topic of one dialect. Raises botocore's exceptions when SNS does not take it.

        The stable key travels as an attribute, so that receivers can drop a repetition.
        """
        self.send(name, render(name, incident, notice, self._links))

    def send(self, name: str, message: Message) -> None:
        """Hand one message to the topic of one dialect. Raises botocore's exceptions when SNS does not take it."""
        if name == _MAIL:
            self._wait_for_the_mail()
        self._client.publish(
            TopicArn=self._arns[name],
            Subject=message.subject,
            Message=message.body,
            MessageAttributes={
                attribute: {"DataType": "String", "StringValue": value} for attribute, value in message.attributes.items()
            },
        )

    def _wait_for_the_mail(self) -> None:
        wait = self._next_mail - time.monotonic()
        if wait > 0:
            self._sleep(wait)
        self._next_mail = max(time.monotonic(), self._next_mail) + MAIL_SECONDS
