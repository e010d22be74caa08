"""Amazon SQS: the visits that failed three times. They wait in a queue of their own for somebody to look at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rosterwatch.queue import MessageError, Visit, VisitQueue, from_message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH_SIZE: Final = 10
#: Hidden from others while we look: long enough for ten thousand.
_HELD_SECONDS: Final = 300
#: So many answers without a message in a row, each waited for, and the queue is empty.
_EMPTY: Final = 2


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter: the ``visit`` that it asked for, or the ``problem`` that makes it none of ours. Never its text."""

    handle: str
    sent_at: datetime
    visit: Visit | None
    problem: str = ""


class DeadLetters:
    """The queue of dead letters. Our own failures raise botocore's exceptions, or QueueError."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    @contextmanager
    def held(self) -> Iterator[list[Letter]]:
        """All of them, hidden from others until the end of the block; what is still there then can be seen again at once."""
        letters = list(self._receive())
        try:
            yield letters
        finally:
            # Of those that have been removed meanwhile, SQS says in its answer that it does not know them.
            self._in_batches(letters, self._client.change_message_visibility_batch, VisibilityTimeout=0)

    def send_again(self, letters: Sequence[Letter], queue: VisitQueue) -> None:
        """Ask for these visits again, then remove the letters: who is interrupted in between has some visited twice."""
        for start in range(0, len(letters), _BATCH_SIZE):
            batch = letters[start : start + _BATCH_SIZE]
            queue.send([letter.visit for letter in batch if letter.visit is not None])
            self.remove(batch)

    def remove(self, letters: Sequence[Letter]) -> None:
        """Remove letters for good."""
        self._in_batches(letters, self._client.delete_message_batch)

    def _receive(self) -> Iterator[Letter]:
        empty = 0
        while empty < _EMPTY:
            answer: Any = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_BATCH_SIZE,
                VisibilityTimeout=_HELD_SECONDS,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
            messages = answer.get("Messages", [])
            empty = 0 if messages else empty + 1
            for message in messages:
                yield _letter(message)

    def _in_batches(self, letters: Sequence[Letter], call: Any, **words: object) -> None:
        for start in range(0, len(letters), _BATCH_SIZE):
            batch = letters[start : start + _BATCH_SIZE]
            entries = [{"Id": str(number), "ReceiptHandle": one.handle, **words} for number, one in enumerate(batch)]
            call(QueueUrl=self._url, Entries=entries)


def _letter(message: Any) -> Letter:
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    try:
        return Letter(message["ReceiptHandle"], sent_at, from_message(message["Body"]))
    except MessageError as error:
        return Letter(message["ReceiptHandle"], sent_at, None, str(error))
