"""Amazon DynamoDB: what the incidents are made of.

The items, in the table of ``state.py``:

- ``problem`` / district: a district that is not healthy; written with its transition, gone when its end has been noted.
- ``incident`` / key: an incident with the notices that still have to be sent. Closed ones move to ``incident#closed``.
- ``mute`` / target, and ``mute#window`` / name: what is to be silent, and until when or when again.
- ``monitor`` / ``fleet``: how large the fleet is; ``sight``: a control probe has failed, so our own network is down;
  ``majority``: most of the fleet fails at the network at once, so it must be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from rosterwatch.health import Change, State, Transition
from rosterwatch.incidents import Fleet, Incident, Kind, Notice, Problem
from rosterwatch.mute import Mute, Window, parse_window
from rosterwatch.record import to_record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: The shape of the items here. A reader leaves an item of a higher shape alone.
SHAPE: Final = 1
#: A closed incident is looked at for this long, in case it opens again; then it is history.
KEPT_CLOSED: Final = timedelta(hours=1)
_HISTORY_DAYS: Final = 400
#: The names under which it is noted that a control probe has failed, and that most of the fleet fails at the network at once.
SIGHT: Final = "sight"
MAJORITY: Final = "majority"


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that the incidents are decided from, as read at one time."""

    problems: tuple[Problem, ...]
    incidents: tuple[Incident, ...]
    mutes: tuple[Mute, ...]
    windows: tuple[Window, ...]
    fleet: Fleet
    majority: bool = False


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
    key, shape, number = _key("problem", state.district), {"N": str(SHAPE)}, {"N": str(transition.number)}
    if not recovered:
        item = {**key, "shape": shape, "number": number, "problem": {"S": json.dumps(document)}}
        return {"Put": {"TableName": table, "Item": item}}
    return {
        "Update": {
            "TableName": table,
            "Key": key,
            "UpdateExpression": "SET problem = if_not_exists(problem, :problem), recovered_at = :at, "
            "#number = :number, shape = :shape",
            "ExpressionAttributeNames": {"#number": "number"},
            "ExpressionAttributeValues": {
                ":problem": {"S": json.dumps(document)},
                ":at": {"S": transition.at.isoformat()},
                ":number": number,
                ":shape": shape,
            },
        }
    }


class BoardStore:
    """Where problems, incidents and mutes are kept. Our own failures raise botocore's exceptions."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def read(self) -> Board:
        """All of it, consistently. What a newer release has written is left out, and so left alone."""
        monitor = {item["sk"]["S"]: item for item in self._query("monitor")}
        return Board(
            tuple(_problem(item) for item in self._query("problem")),
            tuple(_incident(item) for item in self._query("incident")),
            self._mutes(),
            self._windows(),
            _fleet(monitor),
            MAJORITY in monitor,
        )

    def surroundings(self) -> Board:
        """The mutes, the windows and the fleet, without the problems and incidents themselves."""
        monitor = {item["sk"]["S"]: item for item in self._query("monitor")}
        mutes, windows = self._mutes(), self._windows()
        return Board((), (), mutes, windows, _fleet(monitor), MAJORITY in monitor)

    def _mutes(self) -> tuple[Mute, ...]:
        return tuple(_mute(item) for item in self._query("mute"))

    def _windows(self) -> tuple[Window, ...]:
        return tuple(window for item in self._query("mute#window") if (window := _window(item)) is not None)

    def write(self, incident: Incident) -> bool:
        """Store an incident. False: somebody else was first, and nothing was stored."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=_incident_item(incident),
                ConditionExpression="attribute_not_exists(pk) OR version = :read",
                ExpressionAttributeValues={":read": {"N": str(incident.version - 1)}},
            )
        except ClientError as error:
            if lost_the_race(error):
                return False
            raise
        return True

    def forget(self, problem: Problem) -> None:
        """Remove a problem whose end has been noted; nothing if the district has a new one meanwhile."""
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=_key("problem", problem.district),
                ConditionExpression="#number = :number",
                ExpressionAttributeNames={"#number": "number"},
                ExpressionAttributeValues={":number": {"N": str(problem.number)}},
            )
        except ClientError as error:
            if not lost_the_race(error):
                raise

    def archive(self, incident: Incident) -> None:
        """Move a closed incident to the history; nothing if it has been opened again meanwhile."""
        item = _incident_item(incident)
        expires = int((incident.resolved_at or incident.opened_at).timestamp()) + _HISTORY_DAYS * 86400
        kept: Any = {**item, **_key("incident#closed", incident.key), "expires_at": {"N": str(expires)}}
        gone: Any = {
            "TableName": self._table,
            "Key": _key("incident", incident.key),
            "ConditionExpression": "version = :read",
            "ExpressionAttributeValues": {":read": {"N": str(incident.version)}},
        }
        try:
            self._client.transact_write_items(TransactItems=[{"Put": {"TableName": self._table, "Item": kept}}, {"Delete": gone}])
        except ClientError as error:
            if not lost_the_race(error):
                raise

    def note_majority(self, blind: bool, at: datetime) -> None:
        """Note whether most of the fleet fails at the network at once, which must be our own network."""
        key = _key("monitor", MAJORITY)
        if blind:
            self._client.put_item(TableName=self._table, Item={**key, "since": {"S": at.isoformat()}})
        else:
            self._client.delete_item(TableName=self._table, Key=key)

    def count_fleet(self, districts: int, hosts: int) -> None:
        """Note how large the fleet is."""
        document = json.dumps({"districts": districts, "hosts": hosts})
        self._client.put_item(TableName=self._table, Item={**_key("monitor", "fleet"), "fleet": {"S": document}})

    def problem(self, district: str) -> Problem | None:
        """What is wrong with one district, as it was last told."""
        item = self._client.get_item(TableName=self._table, Key=_key("problem", district), ConsistentRead=True).get("Item")
        return _problem(item) if item and int(item["shape"]["N"]) <= SHAPE else None

    def mute(self, mute: Mute) -> None:
        """Silence a target until a time; what it was muted for before is replaced."""
        document = {"until": mute.until.isoformat(), "reason": mute.reason, "by": mute.by}
        self._put(_key("mute", mute.target), mute=json.dumps(document), expires_at=mute.until)

    def mute_again(self, window: Window) -> None:
        """Silence a target in a window that comes back; one of the same name is replaced."""
        document = {
            "target": window.target,
            "days": list(window.days),
            "start": window.start.isoformat("minutes"),
            "duration_minutes": round(window.duration / timedelta(minutes=1)),
            "zone": window.zone,
            "reason": window.reason,
        }
        self._put(_key("mute#window", window.name), window=json.dumps(document))

    def unmute(self, target: str) -> bool:
        """End a target's mute. False: there was none."""
        return self._delete(_key("mute", target))

    def remove_window(self, name: str) -> bool:
        """Remove a window by its name. False: there was none."""
        return self._delete(_key("mute#window", name))

    def _put(self, key: dict[str, Any], *, expires_at: datetime | None = None, **texts: str) -> None:
        item = key | {"shape": {"N": str(SHAPE)}} | {name: {"S": text} for name, text in texts.items()}
        if expires_at is not None:
            item["expires_at"] = {"N": str(int(expires_at.timestamp()))}
        self._client.put_item(TableName=self._table, Item=item)

    def _delete(self, key: dict[str, Any]) -> bool:
        return "Attributes" in self._client.delete_item(TableName=self._table, Key=key, ReturnValues="ALL_OLD")

    def _query(self, pk: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )
        found: list[dict[str, Any]] = [item for page in pages for item in page["Items"]]
        return [item for item in found if int(item.get("shape", {}).get("N", "1")) <= SHAPE]


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
        return frozenset(item["sk"]["S"] for item in answer["Items"]) & {SIGHT, MAJORITY}

    def lost(self, at: datetime) -> None:
        """Note that nothing can be reached; the first to say so gives the time."""
        self._client.update_item(
            TableName=self._table,
            Key=_key("monitor", SIGHT),
            UpdateExpression="SET blind_since = if_not_exists(blind_since, :at)",
            ExpressionAttributeValues={":at": {"S": at.isoformat()}},
        )

    def regained(self) -> None:
        """Note that something was reached."""
        self._client.delete_item(TableName=self._table, Key=_key("monitor", SIGHT))


def _key(pk: str, sk: str) -> dict[str, Any]:
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


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _problem(item: Mapping[str, Any]) -> Problem:
    document = json.loads(item["problem"]["S"])
    return Problem(
        district=item["sk"]["S"],
        host=document["host"],
        cause=document["cause"],
        since=datetime.fromisoformat(document["since"]),
        number=int(item["number"]["N"]),
        opening=document["opening"],
        record=document["record"],
        recovered_at=_time(item.get("recovered_at", {}).get("S")),
    )


_TIMES: Final = ("opened_at", "announced_at", "notified_at", "resolved_at", "claimed_until")


def _incident_item(incident: Incident) -> dict[str, Any]:
    document = {name: value for name, value in asdict(incident).items() if value not in (None, {}, (), 0)}
    document |= {name: document[name].isoformat() for name in _TIMES if name in document}
    if incident.pending:
        document["pending"] = [{**asdict(notice), "at": notice.at.isoformat()} for notice in incident.pending]
    return {
        **_key("incident", incident.key),
        "shape": {"N": str(SHAPE)},
        "version": {"N": str(incident.version)},
        "incident": {"S": json.dumps(document)},
    }


def _incident(item: Mapping[str, Any]) -> Incident:
    known = {f.name for f in fields(Incident)}
    document = {name: value for name, value in json.loads(item["incident"]["S"]).items() if name in known}
    document |= {name: datetime.fromisoformat(document[name]) for name in _TIMES if name in document}
    document["pending"] = tuple(
        Notice(one["number"], Kind(one["kind"]), datetime.fromisoformat(one["at"]), one["record"], tuple(one["sent"]))
        for one in document.get("pending", ())
    )
    return Incident(**document)


def _mute(item: Mapping[str, Any]) -> Mute:
    document = json.loads(item["mute"]["S"])
    return Mute(item["sk"]["S"], datetime.fromisoformat(document["until"]), document["reason"], document["by"])


def _window(item: Mapping[str, Any]) -> Window | None:
    """A window; ``None`` if what is stored is none, since a silent mistake must not silence the alerts."""
    try:
        return parse_window(item["sk"]["S"], json.loads(item["window"]["S"]))
    except ValueError:
        return None


def _fleet(monitor: Mapping[str, Any]) -> Fleet:
    document = json.loads(monitor["fleet"]["fleet"]["S"]) if "fleet" in monitor else {"districts": 0, "hosts": 0}
    blind = monitor.get(SIGHT, {}).get("blind_since", {}).get("S")
    since = _time(blind)
    return Fleet(document["districts"], document["hosts"], since.astimezone(UTC) if since else None)
