"""Lambda: tells people what they need to know.

Woken by the table's stream at each transition, and every minute by the clock for all that is due by time: reminders, updates,
what a mute has held back, and what a topic did not take.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

from rosterwatch.announcer import Announced, Announcer
from rosterwatch.board import BoardStore
from rosterwatch.digest import digest
from rosterwatch.incidents import Kind
from rosterwatch.settings import AlertSettings, alert_settings
from rosterwatch.telemetry import MetricUnit, logger, measure, measuring
from rosterwatch.topic import AlertTopics

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


DIGEST = "digest"  # the reason that the daily schedule gives


class NotAcceptedError(Exception):
    """When a topic did not take a notice: it is still pending, and the next run tries again."""


@dataclass(frozen=True, slots=True)
class Edges:
    """The AWS services that this function uses, made once per process."""

    settings: AlertSettings
    store: BoardStore
    topics: AlertTopics
    announcer: Announcer


@functools.cache
def edges() -> Edges:
    """Made at the first event, not at import. Raises SettingError."""
    settings, session = alert_settings(), boto3.Session()
    topics = AlertTopics(session.client("sns"), settings.topic_arns, settings.links)
    store = BoardStore(session.client("dynamodb"), settings.table)
    return Edges(settings, store, topics, Announcer(store, topics, lambda: datetime.now(UTC)))


def handler(event: Mapping[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Answer with how many notices were published. What woke us does not matter: the board says what is true now."""
    if event.get("reason") == DIGEST:
        return _send_digest(edges())
    with measuring():
        announced = edges().announcer.run()
        _report(announced)
    if announced.refused:
        raise NotAcceptedError(f"{len(announced.refused)} notices were not accepted; they stay pending")
    return {"batchItemFailures": [], "published": len(announced.published)}


def _send_digest(use: Edges) -> dict[str, Any]:
    board = use.store.read()
    use.topics.send("text", digest(board.incidents, board.fleet.districts, datetime.now(UTC)))
    logger().info("digest sent")
    return {"published": 1}


def _report(announced: Announced) -> None:
    for incident, notice in announced.published:
        facts = {"incident": incident.key, "kind": notice.kind.value, "cause": incident.cause, "districts": len(incident.members)}
        logger().info("alert published", extra=facts)
        measure("AlertsPublished", 1)
        if notice.kind is Kind.OPENED:
            measure("TimeToDetect", max(0.0, (notice.at - incident.opened_at).total_seconds()), MetricUnit.Seconds)
    for problem in announced.refused:
        logger().error("alert not accepted, it will be tried again", extra={"problem": problem})
        measure("AlertsFailed", 1)
    for name in announced.unread:
        logger().error("item cannot be read and is left alone", extra={"item": name})
    if announced.unread:
        measure("ItemsUnread", len(announced.unread))
    for cause, count in Counter(incident.cause for incident in announced.open_incidents).items():
        measure("IncidentsOpen", count, cause=cause)
