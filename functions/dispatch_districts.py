"""Lambda: puts the visits that are due on the queue: on schedule, when a secret changes, or when somebody asks to look again."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3

from rosterwatch.board import BoardStore
from rosterwatch.dispatch import spread
from rosterwatch.finding import Status
from rosterwatch.health import State
from rosterwatch.queue import Visit, VisitQueue, is_district
from rosterwatch.secrets import SecretStore
from rosterwatch.settings import DispatchSettings, dispatch_settings
from rosterwatch.state import StateStore
from rosterwatch.telemetry import logger, measure, measuring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

SECRET_CHANGED = "Secret Label Updated"  # noqa: S105 - EventBridge's name of the event


@dataclass(frozen=True, slots=True)
class Edges:
    """The AWS services that this function uses, made once per process."""

    settings: DispatchSettings
    secrets: SecretStore
    states: StateStore
    board: BoardStore
    queue: VisitQueue


@functools.cache
def edges() -> Edges:
    """Made at the first event, not at import. Raises SettingError."""
    settings, session = dispatch_settings(), boto3.Session()
    dynamodb = session.client("dynamodb")
    return Edges(
        settings,
        SecretStore(session.client("secretsmanager"), settings.secret_prefix),
        StateStore(dynamodb, settings.table),
        BoardStore(dynamodb, settings.table),
        VisitQueue(session.client("sqs"), settings.queue_url),
    )


def handler(event: Mapping[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Answer with how many visits were queued. ``events/`` has one example of each kind of event."""
    with measuring():
        return {"queued": _queue(event, edges())}


def _queue(event: Mapping[str, Any], use: Edges) -> int:
    asked_for = _asked_for(event, use.settings.secret_prefix)
    visits = _everyone(use) if asked_for is None else asked_for
    use.queue.send(visits)
    if asked_for is None:
        measure("Heartbeat", 1)  # only now: a round that could not be queued is none
    logger().info("visits queued", extra={"visits": len(visits), "reason": visits[0].reason if visits else "none"})
    return len(visits)


def _asked_for(event: Mapping[str, Any], prefix: str) -> list[Visit] | None:
    """The one district that an event names; an empty list if the name is not ours; ``None``: everyone is due."""
    if event.get("detail-type") == SECRET_CHANGED:
        name = (event.get("detail") or {}).get("name")
        district = name.removeprefix(prefix) if isinstance(name, str) and name.startswith(prefix) else None
        return [Visit(district, "secret_changed")] if district and is_district(district) else []
    if "district" in event:
        if not is_district(event["district"]):
            raise ValueError('"district" must be the name of a district: what follows the prefix in the name of its secret')
        return [Visit(event["district"], "recheck")]
    return None


def _everyone(use: Edges) -> list[Visit]:
    """All districts with a secret, and those whose secret has gone since they were last visited: that must be told, too."""
    known = dict(use.states.each())
    states = [state for state in known.values() if isinstance(state, State)]
    statuses = Counter(state.status for state in states)
    for status in Status:
        measure("Districts", statuses[status], status=status.value)
    overdue = datetime.now(UTC) - timedelta(minutes=use.settings.stale_minutes)
    # A state that cannot be read is of a district that is not visited.
    measure("StaleDistricts", len(known) - sum(state.unknown_since is None and state.visited_at >= overdue for state in states))
    for name, state in known.items():
        if not isinstance(state, State):
            logger().error("item cannot be read and is left alone", extra={"item": f"district {name}", "problem": str(state)})
    if len(states) < len(known):
        measure("ItemsUnread", len(known) - len(states))
    hosts = {state.district: state.host for state in states}
    everyone = {*use.secrets.districts(), *known}
    # Those not visited yet count as well: of a new fleet, a few that cannot be reached would pass for most of it.
    use.board.count_fleet(len(everyone), len({host for host in hosts.values() if host}))
    return spread(everyone, hosts, use.settings.spread_seconds)
