"""A stack to put through faults: its functions' calls go through a proxy, and every message that goes in is counted."""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tests.fault_proxy import FaultProxy
from tests.local_aws import LOG, LocalAws, wait_for
from tests.sis import SimulatedSis

#: Messages that are none of ours, each in its own way.
POISON: Final = (
    "garbage",
    " ",
    "[]",
    '{"reason": "schedule"}',
    '{"district": 7}',
    '{"district": "no such\\u0000name"}',
    '{"district": "springfield", "shape": 99}',
    "[" * 20_000,
    '{"district": "' + "x" * 600 + '"}',
)
#: A visit is not begun with less than eighteen seconds left.
_TIMEOUTS: Final = (
    ("CheckFunction", "check-districts", 24),
    ("AlertFunction", "send-alerts", 10),
    ("DispatchFunction", "dispatch-districts", 10),
)
_HANDLED: Final = re.compile(r"ESM: Lambda \S+check-districts processed (\d+) SQS messages")


@dataclass
class Grounds:
    """One stack, its districts' servers, and the proxy in between. ``sent`` counts the messages that the test has sent.

    ``stalls`` names the functions whose time may run out, and after how long. A message that was not handled comes back after
    ``hidden_seconds``.
    """

    aws: LocalAws
    sis: SimulatedSis
    proxy: FaultProxy
    sent: int = 0
    stalls: dict[str, float] = field(default_factory=dict)
    hidden_seconds: int = 3

    def let_functions_time_out(self) -> None:
        """Shorten their timeouts, so that they can be waited for."""
        for output, name, seconds in _TIMEOUTS:
            self.aws.functions.update_function_configuration(FunctionName=self.aws.outputs[output], Timeout=seconds)
            self.stalls[name] = seconds + 1
        self.hidden_seconds = max(seconds for _, _, seconds in _TIMEOUTS) + 1

    # -- the queue ----------------------------------------------------------------------------------------------------------

    def send(self, bodies: Iterable[str]) -> None:
        """Put messages on the queue of visits, in this order."""
        listed = list(bodies)
        for start in range(0, len(listed), 10):
            entries: Any = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(listed[start : start + 10])]
            answer = self.aws.sqs.send_message_batch(QueueUrl=self.aws.outputs["QueueUrl"], Entries=entries)
            assert not answer.get("Failed"), answer
            self.sent += len(entries)

    @contextmanager
    def coming_back_soon(self) -> Iterator[None]:
        """A message that was not handled comes back sooner than the template has it."""
        queue = self.aws.outputs["QueueUrl"]
        hidden = self.aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
        self.aws.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": str(self.hidden_seconds)})
        try:
            yield
        finally:
            self.aws.sqs.set_queue_attributes(QueueUrl=queue, Attributes=dict(hidden))

    def drained(self, seconds: float) -> None:
        """Wait until no message is on the queue any more, in flight or delayed."""
        wait_for(lambda: self.aws.messages_on("QueueUrl") == 0 or None, seconds, "an empty queue")

    def handled(self) -> int:
        """How many messages the functions have handled so far, as Lambda's poller has it."""
        log = (self.aws.workspace / LOG).read_text(errors="replace")
        return sum(int(many) for many in _HANDLED.findall(log))

    def longest(self) -> float:
        """The longest that a batch has taken so far, in seconds."""
        took = [re.search(r"\tDuration: (\d+)", line) for line in self.aws.logs("CheckFunction")]
        return max(int(found[1]) / 1000 for found in took if found)

    def dead(self) -> list[str]:
        """The bodies of the dead letters; they stay where they are."""
        found: dict[str, str] = {}
        queue = self.aws.outputs["DeadLettersUrl"]
        many = self.aws.messages_on("DeadLettersUrl")
        handles = []
        while len(found) < many:
            messages = self.aws.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=30).get(
                "Messages", []
            )
            if not messages:
                break
            for message in messages:
                found[message["MessageId"]] = message["Body"]
                handles.append(message["ReceiptHandle"])
        for handle in handles:
            self.aws.sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
        return list(found.values())

    # -- the table ----------------------------------------------------------------------------------------------------------

    def states(self) -> dict[str, tuple[str, str]]:
        """How every district stands: its status and its cause."""
        return {item["sk"]["S"]: (item["status"]["S"], item.get("cause", {}).get("S", "")) for item in self.aws.items("district")}

    def incidents(self) -> dict[str, dict[str, Any]]:
        """Every incident that is open or has closed lately, by its key."""
        return {item["sk"]["S"]: json.loads(item["incident"]["S"]) for item in self.aws.items("incident")}

    def let_claims_lapse(self) -> None:
        """Have ninety seconds gone by since whoever was killed has claimed the notices that it did not live to send."""
        for item in self.aws.items("incident"):
            document = json.loads(item["incident"]["S"])
            if document.pop("claimed_until", None):
                self.aws.dynamodb.update_item(
                    TableName=self.aws.outputs["TableName"],
                    Key={"pk": item["pk"], "sk": item["sk"]},
                    UpdateExpression="SET incident = :document",
                    ConditionExpression="version = :version",
                    ExpressionAttributeValues={":document": {"S": json.dumps(document)}, ":version": item["version"]},
                )

    # -- by hand ------------------------------------------------------------------------------------------------------------

    def check(self, *names: str) -> Any:
        """Have districts visited in one batch, past the queue."""
        records = [{"messageId": name, "body": visit(name)} for name in names]
        return self.aws.invoke("CheckFunction", {"Records": records})

    @contextmanager
    def nothing_by_itself(self) -> Iterator[None]:
        """Switch off everything that would run a function, so that only the test does."""
        scheduler, events, functions = self.aws.client("scheduler"), self.aws.client("events"), self.aws.functions
        mappings = [one["UUID"] for one in functions.list_event_source_mappings()["EventSourceMappings"]]
        schedules = [scheduler.get_schedule(Name=one["Name"]) for one in scheduler.list_schedules()["Schedules"]]
        rules = [one["Name"] for one in events.list_rules()["Rules"]]
        words = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
        off = [{name: one[name] for name in words} for one in schedules if one["State"] == "ENABLED"]

        def switch(enabled: bool) -> None:
            for mapping in mappings:
                functions.update_event_source_mapping(UUID=mapping, Enabled=enabled)
            for schedule in off:
                scheduler.update_schedule(**schedule, State="ENABLED" if enabled else "DISABLED")
            for rule in rules:
                (events.enable_rule if enabled else events.disable_rule)(Name=rule)

        switch(enabled=False)
        try:
            yield
        finally:
            switch(enabled=True)


def visit(name: str) -> str:
    """A message that asks for a visit."""
    return json.dumps({"district": name, "reason": "recheck"})


@dataclass
class Told:
    """What was told of one incident: the kinds by their numbers, and the cause that was told last."""

    kinds: dict[int, str] = field(default_factory=dict)
    causes: dict[int, str] = field(default_factory=dict)

    @property
    def count(self) -> Counter[str]:
        """How often each kind was told."""
        return Counter(self.kinds.values())

    @property
    def last_cause(self) -> str:
        """The cause that was told last, before the end was told."""
        return self.causes[max(number for number, kind in self.kinds.items() if kind != "resolved")]

    @property
    def nothing_is_missing(self) -> bool:
        """Whether the numbers run from one without a gap: each is a notice that had to be told."""
        return sorted(self.kinds) == list(range(1, len(self.kinds) + 1))


def told(aws: LocalAws) -> tuple[dict[str, Told], int]:
    """What was told of each incident, repetitions with the same key apart, and how many of these there were."""
    found: dict[str, Told] = defaultdict(Told)
    alerts = aws.alerts()
    keys = set()
    for alert in alerts:
        about: Mapping[str, str] = alert.attributes
        incident, _, number = about["key"].rpartition("/")
        keys.add(about["key"])
        found[incident].kinds[int(number)] = about["kind"]
        found[incident].causes[int(number)] = about["cause"]
    return found, len(alerts) - len(keys)


def doubled_and_shuffled(names: Iterable[str], chance: Random) -> list[str]:
    """Messages for districts, some twice or three times, in any order."""
    messages = [visit(name) for name in names for _ in range(chance.choice((1, 1, 2, 3)))]
    chance.shuffle(messages)
    return messages


def patiently(seconds: float) -> Iterator[None]:
    """Go on every second until the time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(1)
