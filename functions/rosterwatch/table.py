"""Pure: what all items of the table have in common, whoever writes them: their keys and their shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: The shape of everything that is written, in the attribute ``shape``; without one it is the first. It counts up when an earlier
#: release would misread what is written; what is only added does not count. A reader leaves an item of a higher shape alone.
SHAPE: Final = 1
#: The condition of a write that does not name the version it has read: what a newer release has written stays as it is.
NOT_NEWER: Final = "(attribute_not_exists(shape) OR shape <= :shape)"
NEWER: Final = "written by a newer release"


def key(pk: str, sk: str) -> dict[str, Any]:
    """The key of an item."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def shape() -> dict[str, Any]:
    """The attribute that marks an item."""
    return {"shape": {"N": str(SHAPE)}}


def is_newer(item: Mapping[str, Any]) -> bool:
    """Whether an item is of a shape that this release does not know."""
    try:
        return int(item.get("shape", {}).get("N", "1")) > SHAPE
    except ValueError:
        return True


def not_newer() -> dict[str, Any]:
    """What ``NOT_NEWER`` needs in a request that has no other condition."""
    return {"ConditionExpression": NOT_NEWER, "ExpressionAttributeValues": {":shape": shape()["shape"]}}
