"""Amazon DynamoDB: one item a district for its state, one item a transition, written together or not at all.

Items (all share one table, keys ``pk`` and ``sk``):
- ``district`` / name: the state as a JSON document, with ``version`` for conditional writes.
- ``transition#<name>`` / number: what changed, as a JSON document, kept for ``KEPT_DAYS``. The table's stream tells
  ``send_alerts`` of each: the change *is* the outbox.
- ``problem`` / name, ``incident`` / key, ``mute`` and ``monitor``: see ``board.py``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from rosterwatch.causes import CAUSES
from rosterwatch.finding import Status
from rosterwatch.health import Change, State, Transition
from rosterwatch.observation import Term
from rosterwatch.races import is_own, lost_the_race, refused_if_newer
from rosterwatch.record import to_record
from rosterwatch.table import NEWER, NOT_NEWER, is_newer, key, not_newer, shape

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_DAYS: Final = 400
_STATES: Final = "district"
_BATCH_SIZE: Final = 100
#: A busy table leaves keys of a batch unread, and is left in peace for longer each time before it is asked for them again.
_PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
_TIMES: Final = (
    "since",
    "visited_at",
    "opened_at",
    "suspected_at",
    "unknown_since",
    "last_good_at",
    "pair_worked_at",
    "not_before",
)
_LISTS: Final = ("concerned", "durations", "counts")
_LISTS_OF_RECORDS: Final = ("next_steps", "evidence", "others")
_TOO_MUCH: Final = 10**15


class StateError(Exception):
    """When a stored state cannot be used: written by a newer release, or damaged. It must be left as it is."""


class UnreadError(Exception):
    """When the table is too busy to hand out all states that it was asked for, however often."""


class StateStore:
    """The districts' states. Our own failures raise botocore's exceptions."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def read(self, districts: Sequence[str]) -> dict[str, State | StateError]:
        """The states of districts that have one; a hundred a call, consistently."""
        found: dict[str, State | StateError] = {}
        for start in range(0, len(districts), _BATCH_SIZE):
            keys = [key(_STATES, name) for name in dict.fromkeys(districts[start : start + _BATCH_SIZE])]
            request: Any = {self._table: {"Keys": keys, "ConsistentRead": True}}
            for pause in _PAUSES:
                answer = self._client.batch_get_item(RequestItems=request)
                for item in answer["Responses"].get(self._table, []):
                    found[item["sk"]["S"]] = _state(item)
                request = answer.get("UnprocessedKeys")
                if not request:
                    break
                time.sleep(pause)
            else:
                raise UnreadError("DynamoDB keeps leaving some of the states unread")
        return found

    def write(self, state: State, transition: Transition | None) -> bool:
        """Store a state, and with it its transition. False: somebody else has written since it was read; nothing was stored."""
        put: Any = {
            "TableName": self._table,
            "Item": _item(state),
            # A district that was removed since it was read stays removed.
            "ConditionExpression": "version = :read" if state.version > 1 else "attribute_not_exists(pk) OR version = :read",
            "ExpressionAttributeValues": {":read": {"N": str(state.version - 1)}},
        }
        try:
            if transition is None:
                self._client.put_item(**put, ReturnValuesOnConditionCheckFailure="ALL_OLD")
            else:
                told: Any = {
                    "TableName": self._table,
                    "Item": _transition_item(transition),
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
                items: Any = [{"Put": put}, {"Put": told}]
                problem = problem_action(self._table, state, transition)
                if problem is not None:
                    items.append(problem)
                self._client.transact_write_items(TransactItems=items)
        except ClientError as error:
            if lost_the_race(error):
                return is_own(error, put["Item"])
            raise
        return True

    def each(self) -> Iterator[tuple[str, State | StateError]]:
        """Every district that was ever visited and not removed since, with all that is remembered of it."""
        for item in self._items(_STATES):
            yield item["sk"]["S"], _state(item)

    def history(self, district: str, most: int) -> list[dict[str, Any]]:
        """The records of a district's last changes, newest first."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"transition#{district}"}},
            ScanIndexForward=False,
            Limit=most,
        )
        return [record for item in answer["Items"] if (record := _record(item)) is not None]

    def remove(self, district: str) -> bool:
        """Forget a district: its state, its problem and its changes. False: there was none. Raises NewerItemError."""
        keys = [{"pk": item["pk"], "sk": item["sk"]} for item in self._items(f"transition#{district}")]
        keys = [key(_STATES, district), key("problem", district), *keys]
        found = False
        for each in keys:
            with refused_if_newer():
                gone = self._client.delete_item(TableName=self._table, Key=each, ReturnValues="ALL_OLD", **not_newer())
            found = found or "Attributes" in gone
        return found

    def _items(self, pk: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]


def problem_action(table: str, state: State, transition: Transition) -> dict[str, Any] | None:
    """What a transition's write does to the district's problem; ``None`` for a district that was healthy from the beginning.

    A recovery keeps what was last told of the problem: if nobody has looked at it yet, it is all that can be told.
    """
    if transition.change is Change.FIRST_SEEN:
        return None
    recovered = transition.change is Change.RESOLVED
    document = {
        "host": state.host,
        "cause": transition.before_cause if recovered else state.cause,
        "since": ((transition.opened_at if recovered else None) or transition.since).isoformat(),
        "opening": transition.incident,
        "record": to_record(transition),
    }
    place, number = key("problem", state.district), {"N": str(transition.number)}
    if not recovered:
        item = {**place, **shape(), "number": number, "problem": {"S": json.dumps(document)}}
        return {"Put": {"TableName": table, "Item": item, **not_newer()}}
    return {
        "Update": {
            "TableName": table,
            "Key": place,
            "UpdateExpression": "SET problem = if_not_exists(problem, :problem), recovered_at = :at, "
            "#number = :number, shape = :shape",
            "ConditionExpression": NOT_NEWER,
            "ExpressionAttributeNames": {"#number": "number"},
            "ExpressionAttributeValues": {
                ":problem": {"S": json.dumps(document)},
                ":at": {"S": transition.at.isoformat()},
                ":number": number,
                ":shape": shape()["shape"],
            },
        }
    }


def _transition_key(district: str, number: int) -> dict[str, Any]:
    return key(f"transition#{district}", f"{number:010}")


def _transition_item(transition: Transition) -> dict[str, Any]:
    expires = transition.at + timedelta(days=KEPT_DAYS)
    return {
        **_transition_key(transition.district, transition.number),
        **shape(),
        "record": {"S": json.dumps(to_record(transition))},
        "expires_at": {"N": str(int(expires.timestamp()))},
    }


def _item(state: State) -> dict[str, Any]:
    document = {name: value for name, value in asdict(state).items() if value not in (None, (), {}, 0)}
    document |= {name: value.isoformat() for name, value in document.items() if isinstance(value, datetime)}
    if state.terms:
        document["terms"] = [(term.start.isoformat(), term.end.isoformat()) for term in state.terms]
    item: dict[str, Any] = {
        **key(_STATES, state.district),
        **shape(),
        "version": {"N": str(state.version)},
        "status": {"S": state.status.value},
        "state": {"S": json.dumps(document, separators=(",", ":"))},
    }
    item |= {name: {"S": value} for name, value in (("cause", state.cause), ("host", state.host)) if value}
    return item


def _state(item: dict[str, Any]) -> State | StateError:
    """One district's damaged item must not cost the others of the batch their visit."""
    try:
        if is_newer(item):
            return StateError(NEWER)
        known = {f.name for f in fields(State)}
        document = {name: value for name, value in json.loads(item["state"]["S"]).items() if name in known}
        document |= {name: _time(document[name]) for name in _TIMES if name in document}
        document |= {name: tuple(document[name]) for name in _LISTS if name in document}
        document["status"] = Status(document["status"])
        if document.get("cause") not in {*CAUSES, None}:
            return StateError(f"{NEWER}, which knows more causes")
        terms = document.get("terms", ())
        document["terms"] = tuple(Term(date.fromisoformat(start), date.fromisoformat(end)) for start, end in terms)
        state = State(**document)
        return state if _is_sound(state, item["sk"]["S"]) else StateError("damaged")
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return StateError("damaged")


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at


def _is_sound(state: Any, district: str) -> bool:
    """Whether all that was read is of the kind that a state says it is, so that whoever looks at all states may rely on it."""
    texts = (state.looks, state.cells, *state.concerned)
    names = (state.suspected, state.pair, state.dialect, state.host, state.provider, state.tls_until)
    numbers = [state.strikes, state.mended, state.transitions, state.version, *state.durations, *state.counts]
    numbers += [*state.baseline.values(), state.incident or 0]
    return (
        state.district == district
        and all(isinstance(text, str) for text in texts)
        and all(name is None or isinstance(name, str) for name in names)
        and all(type(number) is int and 0 <= number < _TOO_MUCH for number in numbers)
    )


def _record(item: dict[str, Any]) -> dict[str, Any] | None:
    """What a transition tells; ``None`` where that cannot be read."""
    try:
        record: Any = None if is_newer(item) else json.loads(item["record"]["S"])
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None
    sound = isinstance(record, dict) and all(isinstance(record.get(name, []), list) for name in _LISTS_OF_RECORDS)
    return record if sound else None
