"""Every place of a deployed stack where something is written down or sent, read out for the search for leaks."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.leaks import Haul
from tests.local_aws import LOG, STACK, LocalAws

FUNCTIONS: Final = ("DispatchFunction", "CheckFunction", "AlertFunction", "DashboardFunction")
TOPICS: Final = ("AlertTopicArn", "AlertCardTopicArn", "AlertAlarmTopicArn", "AlertEventTopicArn", "OpsTopicArn")
QUEUES: Final = ("QueueUrl", "DeadLettersUrl", "UndeliveredTriggersUrl", "UnsentAlertsUrl", "UndeliveredMailUrl")
METRICS: Final = "metrics"
TABLE: Final = "table"
PROCESSES: Final = "processes"
WIDGET: Final = "widget"
POPUP: Final = "popup"
EMULATOR: Final = "the emulator's own log"
SCREEN: Final = "screen"
FILES: Final = "files"


@dataclass
class Places:
    """The places of one stack. What its topics send is kept from now on."""

    aws: LocalAws
    topics: Sequence[str] = TOPICS
    inboxes: dict[str, str] = field(default_factory=dict)
    sent: dict[str, list[str]] = field(default_factory=dict)
    subscriptions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for topic in self.topics:
            self.inboxes[topic] = self._subscribed(topic)

    def read(self) -> Haul:
        """All that is there by now."""
        aws, haul = self.aws, Haul()
        haul.put(TABLE, *(json.dumps(item, default=readable) for item in aws.items()))
        haul.put(METRICS, *self._metrics())
        for topic in self.topics:
            haul.put(topic, *self.sent_by(topic))
        for queue in QUEUES:
            haul.put(queue, *self._peeked(queue))
        haul.put(WIDGET, *(self.widget({"show": show}) for show in ("all", "broken")))
        names = {item["sk"]["S"] for item in aws.items("district")}
        haul.put(POPUP, *(self.widget({"open": name}) for name in sorted(names)))
        for function in FUNCTIONS:
            haul.put(function, *aws.logs(function))
        haul.put(PROCESSES, *processes_of(int((aws.workspace / "emulator.pid").read_text())))
        haul.put(EMULATOR, (aws.workspace / LOG).read_bytes())
        return haul

    def _metrics(self) -> Iterator[str]:
        self.aws.pump_metrics()
        for page in self.aws.cloudwatch.get_paginator("list_metrics").paginate(Namespace="Rosterwatch"):
            yield from (json.dumps(metric, default=str) for metric in page["Metrics"])

    def widget(self, event: Mapping[str, Any]) -> str:
        """What CloudWatch gets when it asks for the widget, or when a button is pressed."""
        context = {"widgetContext": {"theme": "light", "dashboardName": STACK, "forms": {"all": {}}, "params": {}}}
        return str(self.aws.invoke("DashboardFunction", {**event, **context}))

    def _peeked(self, output: str) -> list[str]:
        """What lies on a queue, which stays there."""
        sqs, url, found = self.aws.sqs, self.aws.outputs[output], dict[str, str]()
        while messages := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60, AttributeNames=["All"], MessageAttributeNames=["All"]
        ).get("Messages"):
            found |= {message["ReceiptHandle"]: json.dumps(message, default=repr) for message in messages}
        for handle in found:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        return list(found.values())

    def sent_by(self, topic: str) -> list[str]:
        """All that a topic has sent, with subjects and attributes."""
        kept, url = self.sent.setdefault(topic, []), self.inboxes[topic]
        while messages := self.aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                kept.append(message["Body"])
                self.aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return kept

    def _subscribed(self, topic: str) -> str:
        """An inbox of a topic of its own."""
        url, subscription = self.aws.subscribe(self.aws.outputs[topic], f"searched-{topic}")
        self.subscriptions.append(subscription)
        return url

    def close(self) -> None:
        """Leave the stack as it was."""
        for subscription in self.subscriptions:
            self.aws.sns.unsubscribe(SubscriptionArn=subscription)
        for url in self.inboxes.values():
            self.aws.sqs.delete_queue(QueueUrl=url)


def readable(value: Any) -> str:
    """A binary attribute; what is large is stored compressed."""
    with suppress(zlib.error):
        return repr(zlib.decompress(value))
    return repr(value)


def processes_of(leader: int) -> Iterator[str]:
    """The arguments and the environment of every process in the group that a process leads."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            if os.getpgid(int(folder.name)) == leader:
                yield as_others_see(int(folder.name))
        except (ProcessLookupError, FileNotFoundError):  # it has ended meanwhile
            continue


def as_others_see(number: int) -> str:
    """The arguments and the environment of a process, as anyone on the machine, or its owner, can read them."""
    folder = Path("/proc", str(number))
    return "\n".join((folder / name).read_bytes().replace(b"\0", b"\n").decode("latin-1") for name in ("cmdline", "environ"))


def files_in(folder: Path) -> Iterator[str]:
    """The names and the contents of all files of a folder."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder))
        if path.is_file():
            yield path.read_bytes().decode("latin-1")
