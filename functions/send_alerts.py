"""Lambda: fed by the table's stream, tells people of each transition, once. It stops at the first that SNS does not take.

The order is: the transition is stored (by ``check_districts``), then published, then marked. A crash between the last two
repeats a message with the same key; nothing can lose one.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from rosterwatch.alerts import RECORD_VERSION, to_alert
from rosterwatch.settings import AlertSettings, alert_settings
from rosterwatch.state import StateStore
from rosterwatch.telemetry import logger, measure
from rosterwatch.topic import AlertTopic

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@dataclass(frozen=True, slots=True)
class Edges:
    """The AWS services that this function uses, made once per process."""

    settings: AlertSettings
    states: StateStore
    topic: AlertTopic


@functools.cache
def edges() -> Edges:
    """Made at the first event, not at import. Raises SettingError."""
    settings, session = alert_settings(), boto3.Session()
    return Edges(
        settings,
        StateStore(session.client("dynamodb"), settings.table),
        AlertTopic(session.client("sns"), settings.topic_arn),
    )


def handler(event: Mapping[str, Any], _context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Answer as ``ReportBatchItemFailures`` asks of a stream: the first record that failed; it and all after it come again."""
    for record in event["Records"]:
        number = record["dynamodb"]["SequenceNumber"]
        try:
            _tell(record["dynamodb"]["NewImage"])
        except (ClientError, BotoCoreError) as error:
            logger().error("alert not accepted, it will be tried again", extra={"sequence": number, "problem": _code(error)})
            measure("AlertsFailed", 1)
            return {"batchItemFailures": [{"itemIdentifier": number}]}
    return {"batchItemFailures": []}


def _tell(image: Mapping[str, Any]) -> None:
    use = edges()
    record = json.loads(image["record"]["S"])
    if record["record"] > RECORD_VERSION:
        raise NewerRecordError(f"transition record version {record['record']}")
    alert = to_alert(record, _proof(use.settings.dispatch_function, record["district"]))
    if alert is None or use.states.is_published(record["district"], record["number"]):
        return
    use.topic.publish(alert)
    use.states.mark_published(record["district"], record["number"], datetime.now(UTC))
    logger().info("alert published", extra={"key": alert.key, "change": record["change"], "cause": record["cause"]})
    measure("AlertsPublished", 1)


class NewerRecordError(Exception):
    """When a transition was written by a newer release: it is left for that release, and the stream's retries will tell."""


def _proof(function: str, district: str) -> str:
    payload = json.dumps({"district": district})
    return f"aws lambda invoke --function-name {function} --cli-binary-format raw-in-base64-out --payload '{payload}' /dev/stdout"


def _code(error: ClientError | BotoCoreError) -> str:
    return str(error.response.get("Error", {}).get("Code")) if isinstance(error, ClientError) else type(error).__name__
