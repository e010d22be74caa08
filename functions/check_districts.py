"""Lambda: visits the districts of a batch of messages, and hands back the messages whose visit could not be made."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import boto3

from rosterwatch.client import Network
from rosterwatch.finding import Status
from rosterwatch.network import system_resolver
from rosterwatch.queue import MessageError, VisitQueue, from_message
from rosterwatch.secrets import SecretStore, read_key
from rosterwatch.settings import CheckSettings, check_settings
from rosterwatch.sight import Sight
from rosterwatch.state import StateStore
from rosterwatch.telemetry import MetricUnit, logger, measure, measuring
from rosterwatch.visits import Outcome, Round

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from rosterwatch.network import Resolver


@dataclass(frozen=True, slots=True)
class Edges:
    """The AWS services that this function uses, made once per process."""

    settings: CheckSettings
    secrets_client: SecretsManagerClient
    secrets: SecretStore
    states: StateStore
    sight: Sight
    queue: VisitQueue
    resolver: Resolver


@functools.cache
def edges() -> Edges:
    """Made at the first event, not at import. Raises SettingError."""
    settings, session = check_settings(), boto3.Session()
    client, dynamodb = session.client("secretsmanager"), session.client("dynamodb")
    return Edges(
        settings,
        client,
        SecretStore(client, settings.secret_prefix),
        StateStore(dynamodb, settings.table),
        Sight(dynamodb, settings.table),
        VisitQueue(session.client("sqs"), settings.queue_url),
        system_resolver(),
    )


@functools.cache
def key() -> bytes:
    """The fingerprint key, read once per process."""
    use = edges()
    return read_key(use.secrets_client, use.settings.fingerprint_secret)


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Answer as ``ReportBatchItemFailures`` asks: the messages that must come back, and no other."""
    with measuring():
        return {"batchItemFailures": [{"itemIdentifier": message} for message in _visit(event, context)]}


def _visit(event: Mapping[str, Any], context: LambdaContext) -> list[str]:
    """The messages whose visit could not be made."""
    failed: list[str] = []
    messages: dict[str, list[str]] = {}
    for record in event["Records"]:
        try:
            messages.setdefault(from_message(record["body"]).district, []).append(record["messageId"])
        except MessageError as error:
            # It will come back, fail again, and end in the dead-letter queue, where an alarm waits for it.
            logger().error("message cannot be read", extra={"message_id": record["messageId"], "problem": str(error)})
            failed.append(record["messageId"])
    for outcome in _round(context).run(list(messages)) if messages else []:
        _report(outcome)
        if not outcome.done:
            failed += messages[outcome.district]
    return failed


def _round(context: LambdaContext) -> Round:
    use = edges()

    def new_network() -> Network:
        return Network(
            ca_bundle=use.settings.ca_bundle,
            allow_private=use.settings.allow_private,
            turns=use.settings.host_concurrency,
            resolver=use.resolver,
        )

    return Round(
        secrets=use.secrets,
        states=use.states,
        queue=use.queue,
        key=key,
        now=lambda: datetime.now(UTC),
        remaining=lambda: context.get_remaining_time_in_millis() / 1000,
        new_network=new_network,
        second_look_seconds=use.settings.second_look_seconds,
        sight=use.sight,
        control_url=use.settings.control_url,
        try_previous=use.settings.try_previous,
    )


def _report(outcome: Outcome) -> None:
    """One log line a district, and the fleet's metrics. Nothing here comes from a remote's body."""
    diagnosis = outcome.diagnosis
    if diagnosis is None:
        logger().warning("no visit", extra={"district": outcome.district, "problem": outcome.problem})
        return
    cause = diagnosis.primary.cause.name if diagnosis.primary else "none"
    facts = {
        "district": outcome.district,
        "status": diagnosis.status.value,
        "cause": cause,
        "milliseconds": outcome.milliseconds,
        "change": outcome.transition.change.value if outcome.transition else "none",
    }
    logger().info("visited", extra=facts)
    measure("Visits", 1, status=diagnosis.status.value)
    measure("VisitDuration", outcome.milliseconds, MetricUnit.Milliseconds)
    if cause.startswith("credentials_"):
        measure("CredentialsRefused", 1)
    empty = {name for finding in diagnosis.findings if finding.cause.name in _EMPTY for name in finding.collections}
    if empty:
        measure("CollectionsEmpty", len(empty))
    if edges().settings.district_metrics:
        measure("Healthy", diagnosis.status is Status.HEALTHY, district=outcome.district)


_EMPTY: Final = frozenset({"collection_empty", "everything_empty"})
