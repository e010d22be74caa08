"""Amazon DynamoDB: what all items have in common, whoever writes them: their keys, their shape, and losing a race."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

#: The shape of problems, incidents, mutes and windows. A reader leaves an item of a higher shape alone.
SHAPE: Final = 1


def key(pk: str, sk: str) -> dict[str, Any]:
    """The key of an item."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def lost_the_race(error: ClientError) -> bool:
    """Whether a conditional write failed because somebody else has written in between."""
    code = error.response.get("Error", {}).get("Code")
    if code in ("ConditionalCheckFailedException", "TransactionConflictException"):
        return True
    reasons: Any = error.response.get("CancellationReasons", [])
    return code == "TransactionCanceledException" and any(
        reason.get("Code") in ("ConditionalCheckFailed", "TransactionConflict") for reason in reasons
    )
