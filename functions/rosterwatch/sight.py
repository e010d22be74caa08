"""Amazon DynamoDB: whether the monitor itself can see, which every batch asks before it believes what it sees."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from rosterwatch.races import left_alone_if_newer
from rosterwatch.table import NOT_NEWER, is_newer, key, not_newer, shape

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: The names under which it is noted that a control probe has failed, and that most of the fleet fails at the network at once.
SIGHT: Final = "sight"
MAJORITY: Final = "majority"


class Sight:
    """Whether the monitor itself can see: one small reading a batch."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def noted(self) -> frozenset[str]:
        """By which of ``SIGHT`` and ``MAJORITY`` somebody has found that it is our own network that is down; empty: it is not."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "monitor"}},
            ConsistentRead=True,
        )
        return frozenset(item["sk"]["S"] for item in answer["Items"] if not is_newer(item)) & {SIGHT, MAJORITY}

    def lost(self, at: datetime) -> None:
        """Note that nothing can be reached; the first to say so gives the time."""
        with left_alone_if_newer():
            self._client.update_item(
                TableName=self._table,
                Key=key("monitor", SIGHT),
                UpdateExpression="SET blind_since = if_not_exists(blind_since, :at), shape = :shape",
                ConditionExpression=NOT_NEWER,
                ExpressionAttributeValues={":at": {"S": at.isoformat()}, ":shape": shape()["shape"]},
            )

    def regained(self) -> None:
        """Note that something was reached."""
        with left_alone_if_newer():
            self._client.delete_item(TableName=self._table, Key=key("monitor", SIGHT), **not_newer())
