"""The functions at work: the built artifact in processes, around a table, secrets and topics in the local AWS.

Two processes visit side by side, as many as the template's queue allows; one dispatches, one tells. What Lambda's pollers do
between the queue and the functions is done here.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tests.load.function import Function, running
from tests.load.waiting import Message, Queues, Waiting
from tests.local_aws import LocalAws
from tests.template import load, resources

_DIALECTS: Final = ("text", "card", "alarm", "event")


@dataclass(frozen=True)
class Settings:
    """What the template says of the functions, read from it."""

    batch: int
    at_once: int
    check_mb: int
    other_mb: int

    @classmethod
    def of_the_template(cls) -> Settings:
        functions = resources(load(), "AWS::Serverless::Function")
        check = functions["CheckDistricts"]
        queue = check["Events"]["Visits"]["Properties"]
        return cls(
            queue["BatchSize"],
            queue["ScalingConfig"]["MaximumConcurrency"],
            check["MemorySize"],
            functions["SendAlerts"]["MemorySize"],
        )


@dataclass
class Stack:
    """One stack. ``visited`` holds the log lines of the visits so far, ``batches`` the seconds of each invocation.

    A visit is ``warm`` unless it was in the first batch of its process.
    """

    name: str
    aws: LocalAws
    settings: Settings
    queue: Waiting
    checks: Sequence[Function]
    dispatch: Function
    alerts: Function
    visited: list[dict[str, Any]] = field(default_factory=list)
    unvisited: list[dict[str, Any]] = field(default_factory=list)
    batches: list[float] = field(default_factory=list)
    _seen: Counter[Path] = field(default_factory=Counter)

    def store(self, secrets: Mapping[str, str]) -> None:
        """Store the districts' secrets, new or changed."""
        for district, text in secrets.items():
            secret = f"{self.name}/{district}"
            try:
                self.aws.secrets.create_secret(Name=secret, SecretString=text)
            except self.aws.secrets.exceptions.ResourceExistsException:
                self.aws.secrets.put_secret_value(SecretId=secret, SecretString=text)

    def new_round(self) -> int:
        """What the schedule does. Returns how many visits are due."""
        return int(self.dispatch.invoke({"reason": "schedule"})["queued"])

    def work(self, batches: int | None = None) -> float:
        """Let all checks work side by side on so many batches of the round; ``None``: until no message is left.

        Returns the seconds that it took. Raises FunctionError.
        """
        began, left, lock = time.monotonic(), [batches], threading.Lock()

        def next_batch() -> list[Message] | None:
            with lock:
                if left[0] is None:
                    return self.queue.take(self.settings.batch) if self.queue.left else None
                if not left[0] or not self.queue.rest_of_round:
                    return None
                left[0] -= 1
                return self.queue.take(self.settings.batch)

        def visit(check: Function) -> None:
            while (messages := next_batch()) is not None:
                if messages:
                    self._visit(check, messages)
                else:
                    time.sleep(0.1)  # second looks are to come

        with ThreadPoolExecutor(len(self.checks)) as threads:
            list(threads.map(visit, self.checks))
        self._read_logs()
        return time.monotonic() - began

    def _visit(self, check: Function, messages: list[Message]) -> None:
        answer = check.invoke({"Records": [message.record for message in messages]})
        self.batches.append(check.seconds[-1])
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        self.queue.hand_back([message for message in messages if message.identifier in failed])

    def _read_logs(self) -> None:
        for check in self.checks:
            for line in check.lines():
                if line.get("message") == "visited":
                    self._seen[check.log] += 1
                    self.visited.append(line | {"warm": self._seen[check.log] > self.settings.batch})
                elif line.get("level") in ("WARNING", "ERROR"):
                    self.unvisited.append(line)

    def tell(self) -> None:
        """What the clock does each minute."""
        self.alerts.invoke({"reason": "clock"})

    def items(self, pk: str) -> dict[str, dict[str, Any]]:
        """The items of one partition of its table, by their sort key."""
        pages: Any = self.aws.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )
        return {item["sk"]["S"]: item for page in pages for item in page["Items"]}

    @cached_property
    def inbox(self) -> str:
        """A queue that is subscribed to the events' topic."""
        return _subscribe(self.aws, self.name)

    def events(self) -> list[dict[str, Any]]:
        """The alerts that arrived since the last call, as programs get them."""
        found: list[dict[str, Any]] = []
        while messages := self.aws.sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                found.append(json.loads(json.loads(message["Body"])["Message"]))
                self.aws.sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return found


@contextlib.contextmanager
def deployed(name: str, aws: LocalAws, artifact: Path, ca_file: Path, queues: Queues) -> Iterator[Stack]:
    """Start a stack of a name of its own: its table and topics, and its functions. Their logs lie beside the artifact."""
    settings, folder = Settings.of_the_template(), artifact.parent
    _create_table(aws, name)
    with contextlib.suppress(aws.secrets.exceptions.ResourceExistsException):
        aws.secrets.create_secret(Name="fingerprint-key", SecretString="k" * 64)
    topics = {f"ROSTERWATCH_{one.upper()}_TOPIC_ARN": aws.sns.create_topic(Name=f"{name}-{one}")["TopicArn"] for one in _DIALECTS}
    environment = {
        **aws.environment,
        "AWS_ENDPOINT_URL_SQS": queues.endpoint,
        "ROSTERWATCH_TABLE": name,
        "ROSTERWATCH_SECRET_PREFIX": f"{name}/",
        "ROSTERWATCH_QUEUE_URL": f"{queues.endpoint}/123456789012/{name}",
        "ROSTERWATCH_FINGERPRINT_SECRET": "fingerprint-key",
        "ROSTERWATCH_CA_BUNDLE": str(ca_file),
        "ROSTERWATCH_ALLOW_PRIVATE": "true",
        # A minute is for servers that need one; here it would only make the test longer.
        "ROSTERWATCH_SECOND_LOOK_SECONDS": "1",
        **topics,
    }
    queue = queues.by_name[name] = Waiting()
    with contextlib.ExitStack() as open_functions:

        def start(handler: str, memory_mb: int) -> Function:
            return open_functions.enter_context(running(artifact, handler, environment, folder, memory_mb))

        checks = [start("check_districts", settings.check_mb) for _ in range(settings.at_once)]
        dispatch, alerts = start("dispatch_districts", settings.other_mb), start("send_alerts", settings.other_mb)
        stack = Stack(name, aws, settings, queue, checks, dispatch, alerts)
        _ = stack.inbox
        yield stack


def _create_table(aws: LocalAws, name: str) -> None:
    [table] = resources(load(), "AWS::DynamoDB::Table").values()
    aws.dynamodb.create_table(
        TableName=name,
        BillingMode=table["BillingMode"],
        AttributeDefinitions=table["AttributeDefinitions"],
        KeySchema=table["KeySchema"],
    )


def _subscribe(aws: LocalAws, name: str) -> str:
    topic = next(one["TopicArn"] for one in aws.sns.list_topics()["Topics"] if one["TopicArn"].endswith(f":{name}-event"))
    url, _ = aws.subscribe(topic, f"{name}-inbox")
    return url
