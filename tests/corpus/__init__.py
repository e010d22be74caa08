"""What releases have written: items of every kind and messages, one file a release (see ``write.py``)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
#: This release's own file.
CURRENT: Final = "current"
#: The release before this one, by its commit.
PREVIOUS: Final = "c4ba9e4"


def releases() -> list[str]:
    """The releases there is a file of, this one among them."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def corpus(release: str) -> dict[str, Any]:
    """A release's file: ``items`` as DynamoDB has them, and the bodies of ``messages``."""
    read: dict[str, Any] = json.loads((FOLDER / f"{release}.json").read_text(encoding="utf-8"))
    return read


def kind(item: Mapping[str, Any]) -> str:
    """What an item is: its partition, without a district's name."""
    pk: str = item["pk"]["S"]
    return "transition" if pk.startswith("transition#") else pk


def stream(items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The event of new transitions, as the table's stream hands them on; around the items, the shape is AWS'."""
    new = [item for item in items if kind(item) == "transition"]
    return {"Records": [_record(str(number), item) for number, item in enumerate(new)]}


def _record(number: str, item: Mapping[str, Any]) -> dict[str, Any]:
    image = {"Keys": {"pk": item["pk"], "sk": item["sk"]}, "NewImage": item, "SequenceNumber": number}
    return {"eventID": number, "eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": image}


def shapes(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the items and messages of a file are made of, by kind: names and types, and no values."""
    found: dict[str, Any] = {}
    for item in document["items"]:
        found[kind(item)] = _merged(found.get(kind(item)), {name: _typed(value) for name, value in item.items()})
    for body in document["messages"]:
        found["message"] = _merged(found.get("message"), _shape(json.loads(body)))
    return found


def _typed(attribute: Mapping[str, Any]) -> Any:
    [(letter, value)] = attribute.items()
    is_document = letter == "S" and value.startswith("{")
    return {letter: _shape(json.loads(value))} if is_document else letter


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(part) for name, part in value.items()}
    if isinstance(value, list):
        merged: Any = None
        for part in value:
            merged = _merged(merged, _shape(part))
        return [] if merged is None else [merged]
    return type(value).__name__


def _merged(one: Any, other: Any) -> Any:
    if one is None or one == other or other is None:
        return other if one is None else one
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: _merged(one.get(name), other.get(name)) for name in sorted({*one, *other})}
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(*one, *other)] if one and other else one or other
    return " or ".join(sorted({*str(one).split(" or "), *str(other).split(" or ")}))
