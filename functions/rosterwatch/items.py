"""Pure: problems, incidents, mutes, windows and the size of the fleet as items of the table, and back.

An item that cannot be read raises ItemError, and nothing else, whatever it holds: it must cost nobody but itself.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final, TypeVar

from rosterwatch.causes import CAUSES
from rosterwatch.incidents import Fleet, Incident, Kind, Notice, Problem
from rosterwatch.mute import Mute, Window, parse_window
from rosterwatch.table import NEWER, is_newer, key, shape

_TIMES: Final = ("opened_at", "announced_at", "notified_at", "resolved_at", "claimed_until", "held_until")
_NUMBERS: Final = ("joined", "told_joined", "reminders", "notices", "version")
#: An item of DynamoDB holds 400 KB, which 12,000 districts in one incident would fill. Their names shrink to a fraction.
_LONGEST_TEXT: Final = 100_000
T = TypeVar("T")
Item = Mapping[str, Any]


class ItemError(Exception):
    """When an item was written by a newer release, or is damaged. It must be left as it is."""


def read_problem(item: Item) -> Problem:
    """Raises ItemError."""
    return _read(_problem, item)


def read_incident(item: Item) -> Incident:
    """Raises ItemError."""
    return _read(_incident, item)


def read_mute(item: Item) -> Mute:
    """Raises ItemError."""
    return _read(_mute, item)


def read_window(item: Item) -> Window:
    """Raises ItemError: a silent mistake in a window must not silence the alerts."""
    return _read(_window, item)


def read_fleet(size: Item | None, sight: Item | None) -> Fleet:
    """The fleet's size, and since when our own network is down. Raises ItemError."""
    return Fleet(*(_read(_size, size) if size else (0, 0)), _read(_blind_since, sight) if sight else None)


def incident_item(incident: Incident) -> dict[str, Any]:
    """An incident as it is stored."""
    document = {name: value for name, value in asdict(incident).items() if value not in (None, {}, (), 0)}
    document |= {name: document[name].isoformat() for name in _TIMES if name in document}
    if incident.pending:
        document["pending"] = [{**asdict(notice), "at": notice.at.isoformat()} for notice in incident.pending]
    return {
        **key("incident", incident.key),
        **shape(),
        "version": {"N": str(incident.version)},
        "incident": _packed(json.dumps(document)),
    }


def _packed(text: str) -> dict[str, Any]:
    return {"S": text} if len(text) <= _LONGEST_TEXT else {"B": zlib.compress(text.encode())}


def _unpacked(value: Mapping[str, Any]) -> str:
    return zlib.decompress(value["B"]).decode() if "B" in value else str(value["S"])


def _read(reader: Callable[[Item], T], item: Item) -> T:
    try:
        if is_newer(item):
            raise ItemError(NEWER)
        return reader(item)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError, OverflowError, zlib.error):
        raise ItemError("damaged") from None


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at


def _problem(item: Item) -> Problem:
    document = json.loads(item["problem"]["S"])
    recovered = item.get("recovered_at", {}).get("S")
    host, cause, record = document["host"], document["cause"], document["record"]
    if cause not in CAUSES or not isinstance(host, str | None):
        raise ValueError("an unknown cause, or a host that is none")
    return Problem(
        district=item["sk"]["S"],
        host=host,
        cause=cause,
        since=_time(document["since"]),
        number=int(item["number"]["N"]),
        opening=int(document["opening"]),
        record=_record(record),
        recovered_at=_time(recovered) if recovered else None,
    )


def _record(record: Any) -> Mapping[str, Any]:
    return {**record, "number": int(record.get("number", 0))}


def _incident(item: Item) -> Incident:
    known = {field.name for field in fields(Incident)}
    document = {name: value for name, value in json.loads(_unpacked(item["incident"])).items() if name in known}
    document |= {name: _time(document[name]) for name in _TIMES if name in document}
    document |= {name: int(document.get(name, 0)) for name in _NUMBERS}
    document |= {name: _members(document.get(name, {})) for name in ("members", "left")}
    document["told_about"] = tuple(str(word) for word in document.get("told_about", ()))
    document["record"] = _record(document["record"]) if document.get("record") else {}
    document["pending"] = tuple(_notice(one) for one in document.get("pending", ()))
    if document["cause"] not in CAUSES or document.get("told_cause") not in {*CAUSES, None}:
        raise ValueError("an unknown cause")
    if document["key"] != item["sk"]["S"] or not isinstance(document["group"], str):
        raise ValueError("another key, or a group that is none")
    return Incident(**document)


def _members(document: Any) -> dict[str, int]:
    return {str(name): int(opening) for name, opening in document.items()}


def _notice(document: Any) -> Notice:
    record = document["record"]
    if not isinstance(record, dict):
        raise TypeError("a record that is none")
    return Notice(int(document["number"]), Kind(document["kind"]), _time(document["at"]), record, tuple(document["sent"]))


def _mute(item: Item) -> Mute:
    document = json.loads(item["mute"]["S"])
    return Mute(item["sk"]["S"], _time(document["until"]), str(document["reason"]), str(document["by"]))


def _window(item: Item) -> Window:
    return parse_window(item["sk"]["S"], json.loads(item["window"]["S"]))


def _size(item: Item) -> tuple[int, int]:
    document = json.loads(item["fleet"]["S"])
    return int(document["districts"]), int(document["hosts"])


def _blind_since(item: Item) -> datetime:
    return _time(item["blind_since"]["S"])
