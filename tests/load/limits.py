"""AWS's limits, held to by stand-ins in memory: what is larger than AWS takes is refused as AWS refuses it."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from tests.load.waiting import MOST_BYTES, MOST_DELAY, MOST_ENTRIES
from tests.table import TABLE, Item, Table, _key, refusal

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_ITEM_BYTES: Final = 400 * 1024
MOST_PAGE_BYTES: Final = 1024 * 1024
MOST_ACTIONS: Final = 100
MOST_KEYS: Final = 100
#: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MOST_MESSAGE_BYTES: Final = 256 * 1024
LONGEST_SUBJECT: Final = 100
#: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
MOST_SECRETS: Final = 100


def size(item: Item) -> int:
    """An item's size as DynamoDB counts it: names and values."""
    return sum(len(name.encode()) + _bytes(next(iter(typed.items()))) for name, typed in item.items())


def _bytes(value: tuple[str, Any]) -> int:
    kind, content = value
    return len(content) // 2 + 2 if kind == "N" else len(content) if kind == "B" else len(content.encode())


class LimitedTable(Table):
    """A table by partitions, in pages of DynamoDB's size. ``calls`` counts by name, ``largest`` is the largest item so far."""

    def __init__(self) -> None:
        super().__init__()
        self.partitions: dict[str, dict[str, Item]] = {}
        self.calls: Counter[str] = Counter()
        self.largest = 0
        self.pages = 0

    def under(self, pk: str) -> dict[str, Item]:
        return dict(sorted(self.partitions.get(pk, {}).items()))

    def batch_get_item(self, *, RequestItems: Item) -> Item:  # noqa: N803 - as the client has it
        self.calls["BatchGetItem"] += 1
        if len(RequestItems[TABLE]["Keys"]) > MOST_KEYS:
            raise refusal("ValidationException", "BatchGetItem")
        return super().batch_get_item(RequestItems=RequestItems)

    def query(self, **request: Any) -> Item:
        """All pages at once: where they are cut is counted, and what lies in between is the paginator's."""
        self.calls["Query"] += 1
        found = list(self.under(request["ExpressionAttributeValues"][":pk"]["S"]).values())
        self.pages += 1 + sum(map(size, found)) // MOST_PAGE_BYTES
        return {"Items": found}

    def _write(self, operation: str, *actions: Item) -> None:
        self.calls[operation] += 1
        if len(actions) > MOST_ACTIONS:
            raise refusal("ValidationException", operation)
        for action in actions:
            held = size(action["Put"]["Item"]) if "Put" in action else 0
            self.largest = max(self.largest, held)
            if held > MOST_ITEM_BYTES:
                raise refusal("ValidationException", operation)
        super()._write(operation, *actions)

    def _apply(self, action: Item) -> None:
        super()._apply(action)
        [(_, request)] = action.items()
        pk, sk = _key(request.get("Item") or request["Key"])
        item = self.items.get((pk, sk))
        if item is None:
            self.partitions.get(pk, {}).pop(sk, None)
        else:
            self.partitions.setdefault(pk, {})[sk] = copy.copy(item)


class Secrets:
    """Secrets Manager, as far as names are listed."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.calls = 0

    @property
    def client(self) -> SecretsManagerClient:
        return cast("SecretsManagerClient", self)

    def get_paginator(self, operation: str) -> Secrets:
        assert operation == "list_secrets"
        return self

    def paginate(self, **_: Any) -> Iterator[Item]:
        for start in range(0, len(self.names), MOST_SECRETS):
            self.calls += 1
            yield {"SecretList": [{"Name": name} for name in self.names[start : start + MOST_SECRETS]]}


class Sqs:
    """SQS, as far as messages are sent. ``sent`` is the body of each with its delay in seconds, until somebody takes them away."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, str]] = []
        self.calls = 0

    @property
    def client(self) -> SQSClient:
        return cast("SQSClient", self)

    def send_message_batch(self, **request: Any) -> Item:
        self.calls += 1
        entries = request["Entries"]
        is_large = sum(len(one["MessageBody"].encode()) for one in entries) > MOST_BYTES
        if is_large or not 1 <= len(entries) <= MOST_ENTRIES or any(not 0 <= one["DelaySeconds"] <= MOST_DELAY for one in entries):
            raise refusal("InvalidParameterValue", "SendMessageBatch")
        self.sent += [(one["DelaySeconds"], one["MessageBody"]) for one in entries]
        return {}


class Sns:
    """SNS. ``taken`` are the topics and attributes of what was published."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, str]]] = []
        self.largest = 0

    @property
    def client(self) -> SNSClient:
        return cast("SNSClient", self)

    def publish(self, **request: Any) -> Item:
        attributes = {name: value["StringValue"] for name, value in request["MessageAttributes"].items()}
        held = len(request["Message"].encode()) + sum(len(name) + len(value.encode()) for name, value in attributes.items())
        self.largest = max(self.largest, held)
        subject = request["Subject"]
        if (
            held > MOST_MESSAGE_BYTES
            or not 0 < len(subject) < LONGEST_SUBJECT
            or not subject.isascii()
            or not subject.isprintable()
        ):
            raise refusal("InvalidParameter", "Publish")
        self.taken.append((request["TopicArn"], attributes))
        return {"MessageId": "1"}
