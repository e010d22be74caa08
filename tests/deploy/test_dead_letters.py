"""A full dead-letter queue, looked at and emptied exactly as docs/operating.md says, with the rights of docs/operators-iam.md."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import pytest

from tests.deploy.command_line import CommandLine
from tests.deploy.grounds import POISON, Grounds, visit
from tests.deploy.test_operators import assumed, policies
from tests.deploy.weather import Only
from tests.fault_proxy import Fault, Kind
from tests.local_aws import REPOSITORY, wait_for
from tests.proof import Part, Proof

pytestmark = pytest.mark.deploy

#: The emulator asks for rights of its own names, where AWS asks for the one on the left.
_EMULATED: Final = {name: f"{name}Batch" for name in ("sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")}


def as_emulated(policy: Any) -> Any:
    """A policy with the emulator's names beside AWS' own."""
    for statement in policy["Statement"]:
        named = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        statement["Action"] = [*named, *(_EMULATED[name] for name in named if name in _EMULATED)]
    return policy


@pytest.mark.skipif(sys.platform != "linux", reason="finds the process of a call in /proc")
@pytest.mark.claim(
    "A full dead-letter queue is looked at, sent again and emptied with one command each: every visit in it is made, and what is "
    "none never comes back",
    part=Part.FAULTS,
    how="visits whose function was killed three times, and poison, on the deployed stack, with the commands and rights in the docs",
)
def test_dead_letters_are_looked_at_sent_again_and_discarded_as_the_docs_say(grounds: Grounds, proof: Proof) -> None:
    page = (REPOSITORY / "docs" / "operating.md").read_text(encoding="utf-8")
    for command in ("rosterwatch dead-letters", "rosterwatch dead-letters --again", "rosterwatch dead-letters --discard"):
        assert f"`{command}`" in page
    given = policies(grounds.aws)
    role = assumed(grounds.aws, "on-call", given["Reader"], as_emulated(given["Operator"]))
    operator = CommandLine(grounds.aws, grounds.sis).as_role(role)
    grounds.drained(60)
    assert grounds.dead() == []

    names = [f"undead{number}" for number in range(proof.amount(quick=3, full=40))]
    for name in names:
        district = grounds.sis.add_district(name)
        grounds.aws.put_secret(name, dict(district.credentials))
    grounds.send(map(visit, names))
    wait_for(lambda: set(names) <= set(grounds.states()) or None, 90, "their first visits")
    grounds.drained(60)
    poison = POISON[: proof.amount(quick=2, full=len(POISON))]
    versions = visited(grounds)
    with grounds.coming_back_soon():
        everything = sorted([*map(visit, names), *poison])
        if proof.full:
            with grounds.proxy.weather(Only("secretsmanager:BatchGetSecretValue", Fault(Kind.KILLED_BEFORE))):
                grounds.send(everything)
                wait_for(lambda: grounds.aws.messages_on("QueueUrl") == 0 or None, 240, "all of them dead")
        else:  # three deaths take their time
            for body in everything:
                grounds.aws.sqs.send_message(QueueUrl=grounds.aws.outputs["DeadLettersUrl"], MessageBody=body)
        assert sorted(grounds.dead()) == everything

        looked = operator.run("dead-letters", "--json")
        assert looked.code == 1, looked.said
        letters = json.loads(looked.out)["letters"]
        assert sorted(one["district"] for one in letters if "district" in one) == sorted(names)
        assert len([one for one in letters if "problem" in one]) == len(poison)
        shown = operator.run("dead-letters")
        assert shown.code == 1
        assert f"a visit of {names[0]}" in shown.out
        assert "no visit: the message is not JSON" in shown.out
        assert sorted(grounds.dead()) == everything  # looking takes nothing away

        again = operator.run("dead-letters", "--again")
        assert f"{len(names)} sent again" in again.out, again.said
        wait_for(lambda: all(visited(grounds)[name] > versions[name] for name in names) or None, 90, "the visits")
        grounds.drained(60)
        assert sorted(grounds.dead()) == sorted(poison)

        gone = operator.run("dead-letters", "--discard")
        assert gone.code == 0, gone.said
        assert grounds.dead() == []
        assert "There are no dead letters." in operator.run("dead-letters").out
    proof.tried(len(names) + len(poison))


def visited(grounds: Grounds) -> dict[str, int]:
    """How often each district's state has been written."""
    return {item["sk"]["S"]: int(item["version"]["N"]) for item in grounds.aws.items("district")}


@pytest.mark.claim(
    "What lies in the queues of undelivered triggers and unsent alerts may be deleted, and nothing is lost by it",
    part=Part.FAULTS,
    how="a tick and a transition that reached no function, purged as the docs say; the next tick and the clock make good for them",
)
def test_undelivered_triggers_and_unsent_alerts_may_be_purged(grounds: Grounds, proof: Proof) -> None:
    page = (REPOSITORY / "docs" / "operating.md").read_text(encoding="utf-8")
    assert "aws sqs purge-queue --queue-url" in page
    district = grounds.sis.add_district("forgotten")
    grounds.aws.put_secret("forgotten", dict(district.credentials))
    grounds.check("forgotten")
    district.admin.untick("Classes")
    with grounds.nothing_by_itself():
        grounds.check("forgotten")  # whose transition the stream then does not tell anybody
        for output, body in (("UndeliveredTriggersUrl", '{"reason": "schedule"}'), ("UnsentAlertsUrl", "{}")):
            url = grounds.aws.outputs[output]
            grounds.aws.sqs.send_message(QueueUrl=url, MessageBody=body)
            shown = grounds.aws.sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
            assert shown[0]["Body"] == body
            grounds.aws.sqs.purge_queue(QueueUrl=url)
            assert grounds.aws.messages_on(output) == 0
        before = visited(grounds)["forgotten"]
        grounds.aws.invoke("AlertFunction", {"reason": "clock"})
        told = [a.attributes["kind"] for a in grounds.aws.alerts() if a.attributes.get("district") == "forgotten"]
        assert told == ["opened"]
        grounds.aws.invoke("DispatchFunction", {"reason": "schedule"})
    wait_for(lambda: visited(grounds)["forgotten"] > before or None, 60, "its next visit")
    proof.tried(2)
