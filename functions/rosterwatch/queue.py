"""Amazon SQS: the visits that are due, one message a district."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MOST_DELAY_SECONDS: Final = 900
_BATCH_SIZE: Final = 10
#: What a secret's name may hold (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html).
_DISTRICT: Final = re.compile(r"[A-Za-z0-9/_+=.@-]{1,500}")
#: The shape of a message, which goes without saying. One that says another waits with the dead letters for who can read it.
SHAPE: Final = 1
REASONS: Final = ("schedule", "secret_changed", "recheck", "second_look")


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit that is due in ``delay`` seconds, and why."""

    district: str
    reason: str = "schedule"
    delay: int = 0


class MessageError(ValueError):
    """When a message on the queue is not one of ours."""


class QueueError(Exception):
    """When SQS did not take a message. Names how many."""


class VisitQueue:
    """The queue of visits."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, visits: Sequence[Visit]) -> None:
        """Put visits on the queue, ten a call. Raises QueueError if SQS refuses any, after trying all of them."""
        refused = 0
        for start in range(0, len(visits), _BATCH_SIZE):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {"Id": str(number), "MessageBody": to_message(visit), "DelaySeconds": min(visit.delay, MOST_DELAY_SECONDS)}
                for number, visit in enumerate(visits[start : start + _BATCH_SIZE])
            ]
            refused += len(self._client.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed", []))
        if refused:
            raise QueueError(f"SQS refused {refused} of {len(visits)} messages")


def to_message(visit: Visit) -> str:
    """A visit as a message body."""
    return json.dumps({"district": visit.district, "reason": visit.reason})


def from_message(body: str) -> Visit:
    """A message body as a visit. Raises MessageError."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise MessageError("the message is not JSON") from None
    if not isinstance(document, dict) or not is_district(document.get("district")):
        raise MessageError("the message names no district")
    if document.get("shape", SHAPE) != SHAPE:
        raise MessageError("a newer release has written the message")
    reason = document.get("reason")
    return Visit(document["district"], reason if reason in REASONS else "recheck")


def is_district(name: object) -> bool:
    """Whether this could be a district's name."""
    return isinstance(name, str) and _DISTRICT.fullmatch(name) is not None
