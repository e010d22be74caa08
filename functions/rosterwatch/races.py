"""Amazon DynamoDB: conditional writes that were refused, because somebody else has written meanwhile or a newer release did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from rosterwatch.table import NEWER


class NewerItemError(Exception):
    """When a newer release has written what was to be changed. Nothing was changed."""


def lost_the_race(error: ClientError) -> bool:
    """Whether a conditional write failed because somebody else has written in between."""
    code = error.response.get("Error", {}).get("Code")
    if code in ("ConditionalCheckFailedException", "TransactionConflictException"):
        return True
    reasons: Any = error.response.get("CancellationReasons", [])
    return code == "TransactionCanceledException" and any(
        reason.get("Code") in ("ConditionalCheckFailed", "TransactionConflict") for reason in reasons
    )


def is_own(error: ClientError, item: dict[str, Any]) -> bool:
    """Whether what stands in a write's way is that very write: its answer was lost on the way, and it was tried again.

    It has to be made with ``ReturnValuesOnConditionCheckFailure="ALL_OLD"``. Transactions need none of this: each carries a token.
    """
    response: Any = error.response
    return bool(response.get("Item") == item)


@contextmanager
def left_alone_if_newer() -> Iterator[None]:
    """A write on the condition ``NOT_NEWER`` that may as well not be: ``send_alerts`` names in its log what it cannot read."""
    try:
        yield
    except ClientError as error:
        if not _is_refused(error):
            raise


@contextmanager
def refused_if_newer() -> Iterator[None]:
    """A write on the condition ``NOT_NEWER`` that somebody has asked for. Raises NewerItemError."""
    try:
        yield
    except ClientError as error:
        if not _is_refused(error):
            raise
        raise NewerItemError(NEWER) from None


def _is_refused(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException"
