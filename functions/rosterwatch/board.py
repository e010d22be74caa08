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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

from rosterwatch.incidents import NOTHING_UNREAD, Fleet, Incident, Problem, Unread
from rosterwatch.items import (
    ItemError,
    incident_item,
    read_fleet,
    read_incident,
    read_mute,
    read_problem,
    read_window,
)
from rosterwatch.mute import Mute, Window
from rosterwatch.races import is_own, left_alone_if_newer, lost_the_race, refused_if_newer
from rosterwatch.sight import MAJORITY, SIGHT
from rosterwatch.table import NOT_NEWER, is_newer, key, not_newer, shape

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: A closed incident is looked at for this long, in case it opens again; then it is history.
KEPT_CLOSED: Final = timedelta(hours=1)
_HISTORY_DAYS: Final = 400
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that the incidents are decided from, as read at one time."""

    problems: tuple[Problem, ...]
    incidents: tuple[Incident, ...]
    mutes: tuple[Mute, ...]
    windows: tuple[Window, ...]
    fleet: Fleet
    majority: bool = False
    unread: Unread = NOTHING_UNREAD


class BoardStore:
    """Where problems, incidents and mutes are kept. Our own failures raise botocore's exceptions."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def read(self) -> Board:
        """All of it, consistently. What cannot be read is named, and left alone."""
        problems, lost_problems = self._all("problem", read_problem)
        incidents, lost_incidents = self._all("incident", read_incident)
        around = self.surroundings()
        unread = replace(around.unread, problems=lost_problems, incidents=lost_incidents)
        return replace(around, problems=problems, incidents=incidents, unread=unread)

    def surroundings(self) -> Board:
        """The mutes, the windows and the fleet, without the problems and incidents themselves."""
        mutes, lost_mutes = self._all("mute", read_mute)
        windows, lost_windows = self._all("mute#window", read_window)
        monitor = {item["sk"]["S"]: item for item in self._query("monitor")}
        others = [*(f"mute {name}" for name in sorted(lost_mutes)), *(f"window {name}" for name in sorted(lost_windows))]
        majority = MAJORITY in monitor and not is_newer(monitor[MAJORITY])
        try:
            fleet = read_fleet(monitor.get("fleet"), monitor.get(SIGHT))
        except ItemError:
            fleet = Fleet(0, 0)
            others.append("monitor")
        return Board((), (), mutes, windows, fleet, majority, Unread(others=tuple(others)))

    def _all(self, pk: str, reader: Callable[[Mapping[str, Any]], T]) -> tuple[tuple[T, ...], frozenset[str]]:
        """What can be read of a partition, and the sort keys of the rest."""
        found: list[T] = []
        lost: set[str] = set()
        for item in self._query(pk):
            try:
                found.append(reader(item))
            except ItemError:
                lost.add(item["sk"]["S"])
        return tuple(found), frozenset(lost)

    def write(self, incident: Incident) -> bool:
        """Store an incident. False: somebody else was first, and nothing was stored."""
        item = incident_item(incident)
        try:
            self._client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(pk) OR version = :read",
                ExpressionAttributeValues={":read": {"N": str(incident.version - 1)}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if lost_the_race(error):
                return is_own(error, item)
            raise
        return True

    def forget(self, problem: Problem) -> None:
        """Remove a problem whose end has been noted; nothing if the district has a new one meanwhile."""
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=key("problem", problem.district),
                ConditionExpression=f"#number = :number AND {NOT_NEWER}",
                ExpressionAttributeNames={"#number": "number"},
                ExpressionAttributeValues={":number": {"N": str(problem.number)}, ":shape": shape()["shape"]},
            )
        except ClientError as error:
            if not lost_the_race(error):
                raise

    def archive(self, incident: Incident) -> None:
        """Move a closed incident to the history; nothing if it has been opened again meanwhile."""
        item = incident_item(incident)
        expires = int((incident.resolved_at or incident.opened_at).timestamp()) + _HISTORY_DAYS * 86400
        kept: Any = {**item, **key("incident#closed", incident.key), "expires_at": {"N": str(expires)}}
        gone: Any = {
            "TableName": self._table,
            "Key": key("incident", incident.key),
            "ConditionExpression": "version = :read",
            "ExpressionAttributeValues": {":read": {"N": str(incident.version)}},
        }
        try:
            put: Any = {"TableName": self._table, "Item": kept, **not_newer()}
            self._client.transact_write_items(TransactItems=[{"Put": put}, {"Delete": gone}])
        except ClientError as error:
            if not lost_the_race(error):
                raise

    def note_majority(self, blind: bool, at: datetime) -> None:
        """Note whether most of the fleet fails at the network at once, which must be our own network."""
        note = key("monitor", MAJORITY)
        with left_alone_if_newer():
            if blind:
                item = {**note, **shape(), "since": {"S": at.isoformat()}}
                self._client.put_item(TableName=self._table, Item=item, **not_newer())
            else:
                self._client.delete_item(TableName=self._table, Key=note, **not_newer())

    def count_fleet(self, districts: int, hosts: int) -> None:
        """Note how large the fleet is."""
        document = json.dumps({"districts": districts, "hosts": hosts})
        item = {**key("monitor", "fleet"), **shape(), "fleet": {"S": document}}
        with left_alone_if_newer():
            self._client.put_item(TableName=self._table, Item=item, **not_newer())

    def problem(self, district: str) -> Problem | None:
        """What is wrong with one district, as it was last told."""
        item = self._client.get_item(TableName=self._table, Key=key("problem", district), ConsistentRead=True).get("Item")
        try:
            return read_problem(item) if item else None
        except ItemError:
            return None

    def mute(self, mute: Mute) -> None:
        """Silence a target until a time; what it was muted for before is replaced. Raises NewerItemError."""
        document = {"until": mute.until.isoformat(), "reason": mute.reason, "by": mute.by}
        self._put(key("mute", mute.target), mute=json.dumps(document), expires_at=mute.until)

    def mute_again(self, window: Window) -> None:
        """Silence a target in a window that comes back; one of the same name is replaced. Raises NewerItemError."""
        document = {
            "target": window.target,
            "days": list(window.days),
            "start": window.start.isoformat("minutes"),
            "duration_minutes": round(window.duration / timedelta(minutes=1)),
            "zone": window.zone,
            "reason": window.reason,
        }
        self._put(key("mute#window", window.name), window=json.dumps(document))

    def unmute(self, target: str) -> bool:
        """End a target's mute. False: there was none. Raises NewerItemError."""
        return self._delete(key("mute", target))

    def remove_window(self, name: str) -> bool:
        """Remove a window by its name. False: there was none. Raises NewerItemError."""
        return self._delete(key("mute#window", name))

    def _put(self, place: dict[str, Any], *, expires_at: datetime | None = None, **texts: str) -> None:
        item = {**place, **shape(), **{name: {"S": text} for name, text in texts.items()}}
        if expires_at is not None:
            item["expires_at"] = {"N": str(int(expires_at.timestamp()))}
        with refused_if_newer():
            self._client.put_item(TableName=self._table, Item=item, **not_newer())

    def _delete(self, place: dict[str, Any]) -> bool:
        with refused_if_newer():
            gone = self._client.delete_item(TableName=self._table, Key=place, ReturnValues="ALL_OLD", **not_newer())
        return "Attributes" in gone

    def _query(self, pk: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]
