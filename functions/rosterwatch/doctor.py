"""Whether the stack itself is well, and what whoever asks may do: one finding a question, each with its fix."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rosterwatch.health import State
from rosterwatch.stack import Stack, StackError, may, spoken
from rosterwatch.times import lasting

_SKEW_SECONDS: Final = 60
_STALE_AFTER: Final = 3
_QUEUES: Final = {
    "DeadLettersUrl": "visits that failed three times: the messages name the districts, the logs of check_districts say why",
    "UndeliveredTriggersUrl": "ticks or changed secrets that did not reach dispatch_districts: the messages say why",
    "UnsentAlertsUrl": "alerts that send_alerts gave up on: its logs say why",
    "UndeliveredMailUrl": "mails that SNS could not deliver: the messages hold them",
}
_TOPICS: Final = {"AlertTopicArn": "alerts about districts", "OpsTopicArn": "alarms about Rosterwatch itself"}
_UNITS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
#: A name that no district has: to try what one may do to it, and change nothing.
NOBODY: Final = "rosterwatch-doctor"


class Grade(enum.StrEnum):
    """How it stands. ``unknown``: it may not be looked at."""

    GOOD = "ok"
    WARNING = "warning"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One question's answer; ``words`` say what to do where it is not good."""

    name: str
    grade: Grade
    words: str


def examine(stack: Stack, now: datetime) -> Iterator[Finding]:
    """Ask everything, in the order in which it would have to be mended. Nothing is changed."""
    for ask in (_outputs, _clock, _schedule, _visits, _items, _queues, _subscriptions, _alarms, _rights):
        try:
            with spoken():
                yield from ask(stack, now)
        except StackError as error:
            yield Finding(ask.__name__[1:], Grade.UNKNOWN, str(error))


def _outputs(stack: Stack, _now: datetime) -> Iterator[Finding]:
    lacking = [name for name in (*_QUEUES, *_TOPICS) if name not in stack.outputs]
    if lacking:
        yield Finding(
            "stack", Grade.WARNING, f"{stack.name} has no output {', '.join(lacking)}: it is of another release; deploy this one"
        )
    else:
        yield Finding("stack", Grade.GOOD, f"{stack.name} is deployed, its districts lie under {stack.outputs['SecretPrefix']}")


def _clock(stack: Stack, _now: datetime) -> Iterator[Finding]:
    if stack.clock_skew is None:
        return
    skew = round(stack.clock_skew)
    if abs(skew) > _SKEW_SECONDS:
        yield Finding(
            "clock", Grade.WARNING, f"this machine's clock is {abs(skew)} s {'ahead' if skew > 0 else 'behind'}: set it by NTP"
        )
    else:
        yield Finding("clock", Grade.GOOD, "this machine's clock agrees with AWS")


def _schedule(stack: Stack, _now: datetime) -> Iterator[Finding]:
    for resource in _resources(stack, "AWS::Scheduler::Schedule"):
        schedule = stack.connect("scheduler").get_schedule(Name=resource["PhysicalResourceId"])
        logical = resource["LogicalResourceId"]
        what = "visits" if "Dispatch" in logical else "digests" if "Digest" in logical else "alerts"
        name = f"schedule of {what}"
        if schedule.get("State", "ENABLED") == "ENABLED":
            yield Finding(name, Grade.GOOD, f"on, {schedule['ScheduleExpression']}")
        elif what == "digests":
            yield Finding(name, Grade.GOOD, "off, as no DigestSchedule was given")
        else:
            yield Finding(name, Grade.BAD, f"off: enable {resource['PhysicalResourceId']} in EventBridge Scheduler")


def _visits(stack: Stack, now: datetime) -> Iterator[Finding]:
    states = {name: state for name, state in stack.states.each() if isinstance(state, State)}
    secrets = set(stack.secrets.districts())
    if not secrets and not states:
        yield Finding("visits", Grade.WARNING, "there is no district yet: rosterwatch add DISTRICT")
        return
    if states:
        last = max(state.visited_at for state in states.values())
        interval = interval_of(stack.parameters.get("ScheduleExpression", ""))
        limit = (interval or timedelta(minutes=15)) * _STALE_AFTER
        stale = sorted(name for name, state in states.items() if now - state.visited_at > limit)
        ago = lasting((now - last).total_seconds())
        if interval is not None and stale:
            yield Finding(
                "visits", Grade.BAD, f"not visited for three intervals: {_some(stale)}; the last visit of all was {ago} ago"
            )
        else:
            yield Finding("visits", Grade.GOOD, f"{len(states)} visited, the last one {ago} ago")
    unseen = sorted(secrets - set(states))
    if unseen:
        yield Finding("new districts", Grade.WARNING, f"stored, and not visited yet: {_some(unseen)}; rosterwatch recheck NAME")


def _items(stack: Stack, _now: datetime) -> Iterator[Finding]:
    unread = [f"district {name}" for name, state in stack.states.each() if not isinstance(state, State)]
    unread += stack.board.read().unread.names
    if unread:
        words = "of a newer release, or damaged, and left alone: deploy that release, and install it here"
        yield Finding("items", Grade.BAD, f"{len(unread)} cannot be read: {_some(unread)}; {words}")
    else:
        yield Finding("items", Grade.GOOD, "all that is stored can be read")


def _queues(stack: Stack, _now: datetime) -> Iterator[Finding]:
    sqs = stack.connect("sqs")
    full = False
    for output, words in _QUEUES.items():
        if output in stack.outputs:
            name = "ApproximateNumberOfMessages"
            count = int(sqs.get_queue_attributes(QueueUrl=stack.outputs[output], AttributeNames=[name])["Attributes"][name])
            if count:
                full = True
                yield Finding("queue", Grade.BAD, f"{count} {words}")
    if not full:
        yield Finding("queues", Grade.GOOD, "nothing was left over")


def _subscriptions(stack: Stack, _now: datetime) -> Iterator[Finding]:
    pages: Any = stack.connect("sns").get_paginator("list_subscriptions_by_topic")
    for output, what in _TOPICS.items():
        if output not in stack.outputs:
            continue
        found = [one for page in pages.paginate(TopicArn=stack.outputs[output]) for one in page["Subscriptions"]]
        waiting = [one for one in found if one["SubscriptionArn"] == "PendingConfirmation"]
        if waiting:
            yield Finding(
                "subscriptions", Grade.BAD, f"{len(waiting)} to {what} not confirmed: follow the link in the mail from AWS"
            )
        elif not found:
            yield Finding("subscriptions", Grade.WARNING, f"nobody is told of {what}: subscribe to {stack.outputs[output]}")
        else:
            yield Finding("subscriptions", Grade.GOOD, f"{len(found)} to {what}")


def _alarms(stack: Stack, _now: datetime) -> Iterator[Finding]:
    names = [resource["PhysicalResourceId"] for resource in _resources(stack, "AWS::CloudWatch::Alarm")]
    pages: Any = stack.connect("cloudwatch").get_paginator("describe_alarms")
    found = [alarm for page in pages.paginate(AlarmNames=names[:100]) for alarm in page["MetricAlarms"]] if names else []
    ringing = [alarm for alarm in found if alarm["StateValue"] == "ALARM"]
    for alarm in ringing:
        yield Finding("alarm", Grade.BAD, f"{alarm['AlarmName']}: {alarm.get('AlarmDescription', '')}")
    if not ringing:
        yield Finding("alarms", Grade.GOOD, f"none of {len(found)} rings")


def _rights(stack: Stack, _now: datetime) -> Iterator[Finding]:
    """What whoever asks may do: each right is tried on something that is not there."""
    secret, table = stack.secrets.name_of(NOBODY), stack.outputs["TableName"]
    key = {"pk": {"S": "mute"}, "sk": {"S": f"district/{NOBODY}"}}
    secrets, dynamodb = stack.connect("secretsmanager"), stack.connect("dynamodb")
    never = "attribute_exists(pk) AND attribute_not_exists(pk)"
    attempts: dict[str, Callable[[], object]] = {
        "recheck": lambda: stack.connect("lambda").invoke(
            FunctionName=stack.outputs["DispatchFunction"], InvocationType="DryRun", Payload=json.dumps({}).encode()
        ),
        "check": lambda: secrets.get_secret_value(SecretId=secret),
        "rotate": lambda: secrets.put_secret_value(SecretId=secret, SecretString="{}"),
        "mute": lambda: dynamodb.put_item(TableName=table, Item=key, ConditionExpression=never),
        "remove": lambda: dynamodb.delete_item(TableName=table, Key=key, ConditionExpression=never),
    }
    lacking = [command for command, attempt in attempts.items() if not may(attempt)]
    who = stack.who()
    if lacking:
        words = f"{who} may not: {', '.join(lacking)}; docs/operators-iam.md lists the rights for each"
        yield Finding("your rights", Grade.WARNING, words)
    else:
        yield Finding("your rights", Grade.GOOD, f"{who} may {', '.join(attempts)}")


def _resources(stack: Stack, kind: str) -> Iterator[dict[str, Any]]:
    pages: Any = stack.connect("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack.name)
    return (one for page in pages for one in page["StackResourceSummaries"] if one["ResourceType"] == kind)


def interval_of(expression: str) -> timedelta | None:
    """How often a schedule of the kind ``rate(15 minutes)`` comes round; ``None`` for another kind."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    return int(found[1]) * _UNITS[found[2]] if found else None


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
