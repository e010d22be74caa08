"""A deployment over a live stack, and back: the release before, this one, and one to come, whose items this one does not know."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from rosterwatch import table as shaped
from tests.corpus import PREVIOUS
from tests.deploy.command_line import CommandLine
from tests.local_aws import REPOSITORY, STACK, LocalAws, started, wait_for
from tests.proof import Part, Proof
from tests.sis import SimulatedSis

pytestmark = pytest.mark.deploy

#: What holds something that a deployment must not lose.
STATEFUL: Final = ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::SecretsManager::Secret")
HEALTHY: Final = ("arlen", "langley", "lawndale", "quahog", "capeside", "bayside")
BROKEN: Final = ("shermer", "hillvalley", "pawtucket")


@dataclass
class Live:
    """A stack with traffic on it. ``sent`` counts the messages that somebody has asked for."""

    aws: LocalAws
    sis: SimulatedSis
    parameters: Mapping[str, str]
    sent: int = 0
    secrets: dict[str, str] = field(default_factory=dict)
    broken_at_work: tuple[str, ...] = ("arlen", "langley")

    def deploy(self, template: Path, **different: str) -> None:
        """`sam deploy` over what is there."""
        self.aws.deploy(template, {**self.parameters, **different})

    def add(self, name: str) -> None:
        """One more district, healthy."""
        district = self.sis.add_district(name)
        self.secrets[name] = self.aws.put_secret(name, dict(district.credentials))
        self.settled(name, "healthy")

    def states(self) -> dict[str, str]:
        """How every district stands."""
        return {item["sk"]["S"]: item.get("status", {}).get("S", "?") for item in self.aws.items("district")}

    def settled(self, name: str, status: str) -> None:
        """Have a district visited until it stands as it should."""
        self.aws.invoke("DispatchFunction", {"district": name})
        wait_for(lambda: self.states().get(name) == status or None, 60, f"{name} {status}")

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """Meanwhile, a visit of every district is asked for every other second, whatever runs on the other end of the queue."""
        over, queue, failed = threading.Event(), self.aws.outputs["QueueUrl"], []

        def send() -> None:
            client = self.aws.client("sqs")
            while not over.wait(2):
                try:
                    for name in (*HEALTHY, *BROKEN):
                        client.send_message(QueueUrl=queue, MessageBody=json.dumps({"district": name, "reason": "recheck"}))
                        self.sent += 1
                except Exception as error:  # noqa: BLE001 - told below, in the thread that everybody looks at
                    failed.append(error)
                    return

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        assert failed == []

    def drained(self) -> None:
        """Every message has been handled, and none in vain."""
        wait_for(lambda: self.aws.messages_on("QueueUrl") == 0 or None, 90, "an empty queue")
        for output in ("DeadLettersUrl", "UndeliveredTriggersUrl", "UnsentAlertsUrl"):
            assert self.aws.messages_on(output) == 0, output

    def told(self) -> Counter[tuple[str, str]]:
        """How often each alert has been told, by district and kind. A repetition with the same key is none: receivers drop it."""
        alerts = {alert.attributes["key"]: alert.attributes for alert in self.aws.alerts()}
        told = Counter((about.get("district", ""), about["kind"]) for about in alerts.values())
        for (
            name
        ) in self.broken_at_work:  # in the middle of a visit, whose token still worked: its cause becomes clear with the next
            assert told.pop((name, "changed"), 0) <= 1
        return told

    def kept(self) -> dict[str, Any]:
        """What must be the same before and after a deployment."""
        pages = self.aws.cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
        resources = [one for page in pages for one in page["StackResourceSummaries"] if one["ResourceType"] in STATEFUL]
        return {
            **{one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources},
            "fingerprint key": self.aws.secrets.get_secret_value(SecretId=self.aws.outputs["FingerprintKeyArn"])["SecretString"],
            "secrets": {
                name: self.aws.secrets.get_secret_value(SecretId=f"rosterwatch/{name}")["VersionId"] for name in self.secrets
            },
            "mutes": self.aws.items("mute"),
        }


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The release before, deployed, with nothing in it yet."""
    with SimulatedSis([]) as sis, started() as aws:
        parameters = {
            "SpreadSeconds": "0",
            "SecondLookSeconds": "1",
            "BatchingWindowSeconds": "1",
            "AllowPrivateAddresses": "true",
            "CaBundleFile": sis.ca_file,
            "ControlUrl": "",
        }
        running = Live(aws, sis, parameters)
        running.deploy(aws.build(before_this_one(tmp_path_factory.mktemp("before")), "before"))
        # AWS lets functions end what they have begun. The emulator kills them when new code comes, in the middle of a batch, and
        # its messages stay hidden for as long as the template says, seventeen minutes.
        aws.sqs.set_queue_attributes(QueueUrl=aws.outputs["QueueUrl"], Attributes={"VisibilityTimeout": "8"})
        aws.open_inbox()
        yield running


def before_this_one(folder: Path) -> Path:
    """The release before as it was committed; skips where there is no history."""
    wanted = ["git", "archive", "--format=tar", "-o", str(folder / "then.tar"), PREVIOUS, "functions", "template.yaml"]
    if subprocess.run(wanted, cwd=REPOSITORY, capture_output=True, check=False).returncode:
        pytest.skip("needs the history of the repository")
    with tarfile.open(folder / "then.tar") as archive:
        archive.extractall(folder, filter="data")
    return folder


def one_to_come(folder: Path) -> Path:
    """This release as it will be when it writes items of another shape."""
    shutil.copytree(REPOSITORY / "functions", folder / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "template.yaml", folder)
    source = folder / "functions" / "rosterwatch" / "table.py"
    text, changed = re.subn(r"^SHAPE: Final = \d+$", f"SHAPE: Final = {shaped.SHAPE + 1}", source.read_text(), flags=re.MULTILINE)
    assert changed == 1
    source.write_text(text)
    return folder


@pytest.fixture(scope="module")
def this_one(live: Live) -> Path:
    """This release, built."""
    return live.aws.build(name="this")


@pytest.mark.claim(
    "A deployment over a live stack and the way back lose no message, no state and no secret, and no alert is lost or doubled",
    part=Part.UPGRADE,
    how="sam deploy of this release over the one before and back, with other parameters, while visits of nine districts are asked "
    "for every other second, functions are killed in the middle of a batch, and districts break and are mended",
    only_full=True,
)
def test_a_deployment_over_a_live_stack_and_back_loses_nothing(live: Live, this_one: Path, proof: Proof) -> None:
    aws, sis = live.aws, live.sis
    for name in (*HEALTHY, *BROKEN):
        live.add(name)
    for name in BROKEN[:2]:
        sis.district(name).admin.delete_record()
        live.settled(name, "failing")
    aws.invoke("DashboardFunction", {"do": "mute", "district": "pawtucket", "hours": 4, "widgetContext": {"forms": {"all": {}}}})
    sis.district("pawtucket").admin.delete_record()
    live.settled("pawtucket", "failing")
    wait_for(lambda: len(live.told()) == 2 or None, 60, "two alerts")
    kept = live.kept()
    assert len(kept["mutes"]) == 1

    before = aws.workspace / "before" / "template.yaml"
    with live.traffic():
        live.deploy(this_one, LogLevel="DEBUG", HostConcurrency="1")
        mended(live, "shermer")
        sis.district("arlen").admin.delete_record()
        wait_for(lambda: live.told()["arlen", "opened"] or None, 60, "the alert about arlen")
    everything = {("shermer", "opened"): 1, ("hillvalley", "opened"): 1, ("shermer", "resolved"): 1, ("arlen", "opened"): 1}
    nothing_lost(live, kept, everything)

    with live.traffic():
        live.deploy(before)
        mended(live, "arlen")
        mended(live, "hillvalley")
        sis.district("langley").admin.delete_record()
        wait_for(lambda: live.told()["langley", "opened"] or None, 60, "the alert about langley")
    everything |= {("arlen", "resolved"): 1, ("hillvalley", "resolved"): 1, ("langley", "opened"): 1}
    nothing_lost(live, kept, everything)
    failing = {"langley", "pawtucket"}
    assert live.states() == {name: "failing" if name in failing else "healthy" for name in (*HEALTHY, *BROKEN)}
    proof.tried(live.sent)
    proof.note("messages in flight, over two deployments")


def nothing_lost(live: Live, kept: Mapping[str, Any], everything: Mapping[tuple[str, str], int]) -> None:
    """All messages are handled, all alerts are told and told once, and nothing that is kept has changed."""
    live.drained()
    wait_for(lambda: live.told() >= Counter(everything) or None, 120, "every alert")
    live.aws.invoke("AlertFunction", {"reason": "clock"})
    assert live.told() == everything
    assert live.kept() == {**kept, "secrets": live.secrets}


def mended(live: Live, name: str) -> None:
    """The administrator makes a new record, and its credentials are stored."""
    live.sis.district(name).admin.create_record()
    live.secrets[name] = live.aws.put_secret(name, dict(live.sis.district(name).credentials))
    wait_for(lambda: live.states().get(name) == "healthy" or None, 60, f"{name} mended")


@pytest.mark.claim(
    "After a rollback over a new shape, the newer items stay to the letter, an alarm rings, the doctor names them, other districts "
    "are watched on; deployed again, everything goes on and the visits that could not be made are there to be redriven",
    part=Part.UPGRADE,
    how="a build of this release that writes a newer shape, deployed over this one, rolled back, and deployed again",
    only_full=True,
)
def test_a_rollback_over_a_newer_shape_leaves_it_alone_and_says_so(
    live: Live, this_one: Path, tmp_path: Path, proof: Proof
) -> None:
    aws, sis = live.aws, live.sis
    to_come = aws.build(one_to_come(tmp_path), "to-come")
    live.deploy(to_come)
    told = live.told()
    for name in ("greendale", "riverdale"):
        live.add(name)
    sis.district("riverdale").admin.delete_record()
    live.settled("riverdale", "failing")
    wait_for(lambda: live.told()["riverdale", "opened"] or None, 60, "the alert about riverdale")
    # Once all that was sent is written down, too, nothing is left for the newer release to write.
    wait_for(lambda: not any('"pending"' in i["incident"]["S"] for i in aws.items("incident")) or None, 60, "all written down")
    newer = {(i["pk"]["S"], i["sk"]["S"]): i for i in aws.items() if shaped.is_newer(i)}
    assert {("district", "riverdale"), ("problem", "riverdale"), ("district", "greendale")} <= newer.keys()

    live.deploy(this_one)
    aws.sqs.set_queue_attributes(QueueUrl=aws.outputs["QueueUrl"], Attributes={"VisibilityTimeout": "1"})
    live.add("sunnydale")
    aws.invoke("DispatchFunction", {"district": "riverdale"})
    wait_for(lambda: aws.messages_on("DeadLettersUrl") or None, 90, "the visit among the dead letters")
    aws.invoke("DispatchFunction", {"reason": "schedule"})
    aws.invoke("AlertFunction", {"reason": "clock"})
    left = {(i["pk"]["S"], i["sk"]["S"]): i for i in aws.items() if shaped.is_newer(i)}
    assert left == newer
    log = "\n".join(aws.logs("DispatchFunction") + aws.logs("AlertFunction") + aws.logs("CheckFunction"))
    assert "the stored state is written by a newer release" in log
    for words in ("district riverdale", "problem riverdale"):
        assert f'"item":"{words}"' in log
    wait_for(lambda: aws.pump_metrics() or None, 30, "metrics")
    ringing = [alarm["AlarmName"] for alarm in aws.cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]]
    assert any("ItemsUnreadAlarm" in name for name in ringing)
    command_line = CommandLine(aws, sis)
    doctor = command_line.run("doctor", "--json")
    [items] = [one for one in json.loads(doctor.out)["findings"] if one["name"] == "items"]
    assert (doctor.code, items["grade"]) == (1, "bad")
    assert "riverdale" in items["words"]
    assert "newer release" in command_line.run("remove", "riverdale", "--delete-secret", "--yes").err
    assert "newer release" in command_line.run("status", "riverdale").said

    live.deploy(to_come)
    aws.sqs.set_queue_attributes(QueueUrl=aws.outputs["QueueUrl"], Attributes={"VisibilityTimeout": "8"})
    redriven = redrive(aws)
    mended(live, "riverdale")
    wait_for(lambda: live.told()["riverdale", "resolved"] or None, 60, "the resolution")
    live.drained()
    assert live.told() == told + Counter({("riverdale", "opened"): 1, ("riverdale", "resolved"): 1})
    assert live.states()["sunnydale"] == "healthy"
    proof.tried(len(newer))
    proof.note(f"{redriven} visits redriven")


def redrive(aws: LocalAws) -> int:
    """Put the dead letters back on the queue, as the console's button does."""
    moved, dead = 0, aws.outputs["DeadLettersUrl"]
    deadline = time.monotonic() + 60
    while aws.messages_on("DeadLettersUrl") and time.monotonic() < deadline:
        for message in aws.sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
            aws.sqs.send_message(QueueUrl=aws.outputs["QueueUrl"], MessageBody=message["Body"])
            aws.sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved
