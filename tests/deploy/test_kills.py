"""Every function of the deployed stack, killed at each of its calls in turn, and run again as AWS would run it again."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from tests.deploy.grounds import Grounds, told, visit
from tests.deploy.weather import At
from tests.fault_proxy import Fault, Kind
from tests.local_aws import LocalAwsError
from tests.proof import Part, Proof

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the process of a call in /proc"),
]

CLAIM: Final = (
    "A function that is killed between any two of its calls to AWS and run again, or that loses any call's answer, ends where it "
    "would have ended undisturbed"
)
HOW: Final = (
    "each function of the deployed stack, killed before its first call, after its first, after its second, and so on to its last; "
    "and the answer lost of each in turn"
)
NAMES: Final = {
    "DispatchFunction": "dispatch-districts",
    "CheckFunction": "check-districts",
    "AlertFunction": "send-alerts",
    "DashboardFunction": "render-dashboard",
}


@pytest.fixture
def alone(grounds: Grounds) -> Iterator[Grounds]:
    """The grounds, where nothing runs but what the test runs."""
    grounds.drained(60)
    with grounds.nothing_by_itself():
        yield grounds
        empty(grounds)


def empty(grounds: Grounds) -> set[str]:
    """Take all messages off the queue. Returns the districts whose visits they ask for."""
    found: set[str] = set()
    queue = grounds.aws.outputs["QueueUrl"]
    while grounds.aws.messages_on("QueueUrl"):
        for message in grounds.aws.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            found.add(json.loads(message["Body"])["district"])
            grounds.aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


def disturb_every_call(
    grounds: Grounds, proof: Proof, function: str, prepare: Callable[[str], object], look: Callable[[str], None]
) -> None:
    """Kill a function before its first call, and after one call after another until it makes no more; and lose their answers.

    What is killed is run again, as AWS does; what has lost an answer has to come to its end by itself. To be killed before a call
    is to be killed after the one before it: between the two it leaves nothing behind.

    Each trial is about a district of its own: ``prepare`` makes it and returns the event, ``look`` looks at the end. The last one
    is not disturbed. In `make test` only every eighth call is tried.
    """
    first = [(1, Kind.KILLED_BEFORE)] if proof.full else []
    kinds = (Kind.LOST, Kind.KILLED_AFTER) if proof.full else (Kind.KILLED_AFTER,)
    after = ((place, kind) for place in itertools.count(1, proof.amount(quick=8, full=1)) for kind in kinds)
    for place, kind in itertools.chain(first, after):
        name = f"{function.lower()}-{next(_NUMBERS)}"
        event = prepare(name)
        when = At(NAMES[function], place, Fault(kind))
        with grounds.proxy.weather(when):
            was_killed = not ran_to_its_end(grounds, function, event)
        assert was_killed == (when.struck is not None and kind is not Kind.LOST)
        if was_killed:
            assert when.seen[NAMES[function]] == place, "it lived on"
            grounds.let_claims_lapse()
            grounds.aws.invoke(function, event)
        look(name)
        if when.struck is None:
            return
        proof.tried()


def ran_to_its_end(grounds: Grounds, function: str, event: object) -> bool:
    """Run a function. False: it was killed."""
    try:
        grounds.aws.invoke(function, event)
    except LocalAwsError as error:
        if "Worker process died" in str(error):
            return False
        raise
    return True


_NUMBERS: Final = itertools.count(1)


def well(grounds: Grounds, name: str) -> Any:
    """A district that has been seen healthy."""
    district = grounds.sis.add_district(name)
    grounds.aws.put_secret(name, dict(district.credentials))
    assert grounds.check(name) == {"batchItemFailures": []}
    return district


def ill(grounds: Grounds, name: str) -> Any:
    """A district that has been seen failing."""
    district = well(grounds, name)
    district.admin.untick("Classes")
    assert grounds.check(name) == {"batchItemFailures": []}
    return district


def batch(name: str) -> dict[str, object]:
    """The event that asks for one visit."""
    return {"Records": [{"messageId": "1", "body": visit(name)}]}


def changes(grounds: Grounds, name: str) -> list[str]:
    """What has been stored of a district's changes."""
    return [json.loads(item["record"]["S"])["change"] for item in grounds.aws.items(f"transition#{name}")]


@pytest.mark.claim(CLAIM, part=Part.FAULTS, how=HOW, only_full=True)
def test_a_visit_that_finds_a_first_strike_is_followed_by_a_second_look(alone: Grounds, proof: Proof) -> None:
    def prepare(name: str) -> object:
        well(alone, name).fail("login_page", phase="data")
        return batch(name)

    def look(name: str) -> None:
        [item] = [item for item in alone.aws.items("district") if item["sk"]["S"] == name]
        asked, suspected = empty(alone), json.loads(item["state"]["S"]).get("suspected")
        # Where the state had been stored, the visit that was made again is the second look itself.
        assert (suspected == "login_page" and name in asked) or alone.states()[name] == ("failing", "login_page")

    disturb_every_call(alone, proof, "CheckFunction", prepare, look)


@pytest.mark.claim(CLAIM, part=Part.FAULTS, how=HOW)
def test_a_visit_that_finds_a_new_cause_stores_it_once_with_its_change_and_its_problem(alone: Grounds, proof: Proof) -> None:
    def prepare(name: str) -> object:
        well(alone, name).admin.untick("Classes")
        return batch(name)

    def look(name: str) -> None:
        assert alone.states()[name] == ("failing", "permission_missing")
        assert changes(alone, name) == ["first_seen", "opened"]
        [problem] = [item for item in alone.aws.items("problem") if item["sk"]["S"] == name]
        assert "recovered_at" not in problem

    disturb_every_call(alone, proof, "CheckFunction", prepare, look)


@pytest.mark.claim(CLAIM, part=Part.FAULTS, how=HOW, only_full=True)
def test_a_visit_that_finds_a_district_well_again_stores_that_once(alone: Grounds, proof: Proof) -> None:
    def prepare(name: str) -> object:
        ill(alone, name).admin.tick("Classes")
        return batch(name)

    def look(name: str) -> None:
        assert alone.states()[name] == ("healthy", "")
        assert changes(alone, name) == ["first_seen", "opened", "resolved"]
        [problem] = [item for item in alone.aws.items("problem") if item["sk"]["S"] == name]
        assert "recovered_at" in problem

    disturb_every_call(alone, proof, "CheckFunction", prepare, look)


@pytest.mark.claim(CLAIM, part=Part.FAULTS, how=HOW, only_full=True)
def test_an_incident_is_told_and_so_is_its_end_and_neither_under_two_keys(alone: Grounds, proof: Proof) -> None:
    clock = {"reason": "clock"}
    alone.aws.invoke("AlertFunction", clock)  # of what the other tests have left
    districts = {}

    def tale(name: str) -> list[str]:
        stories = [story for key, story in told(alone.aws)[0].items() if key.startswith(f"district/{name}/")]
        assert all(story.nothing_is_missing for story in stories)
        assert not any(incident.get("pending") for incident in alone.incidents().values())
        return [kind for story in stories for _, kind in sorted(story.kinds.items())]

    def fall_ill(name: str) -> object:
        districts[name] = ill(alone, name)
        return clock

    def is_opened(name: str) -> None:
        assert tale(name) == ["opened"]

    def get_well(name: str) -> object:
        ill(alone, name).admin.tick("Classes")
        alone.aws.invoke("AlertFunction", clock)
        alone.check(name)
        return clock

    def is_resolved(name: str) -> None:
        assert tale(name) == ["opened", "resolved"]
        assert not [item for item in alone.aws.items("problem") if item["sk"]["S"] == name]

    disturb_every_call(alone, proof, "AlertFunction", fall_ill, is_opened)
    disturb_every_call(alone, proof, "AlertFunction", get_well, is_resolved)


def watched(grounds: Grounds) -> list[str]:
    """The districts that have a secret."""
    pages = grounds.aws.secrets.get_paginator("list_secrets").paginate()
    names = [secret["Name"] for page in pages for secret in page["SecretList"]]
    prefix = grounds.aws.outputs["SecretPrefix"]
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


def forget_everybody(grounds: Grounds) -> None:
    """Begin with a fleet that takes a few calls: all of the other tests' districts would take a hundred."""
    for name in watched(grounds):
        grounds.aws.secrets.delete_secret(SecretId=grounds.aws.outputs["SecretPrefix"] + name, ForceDeleteWithoutRecovery=True)
    for item in grounds.aws.items("district"):
        grounds.aws.dynamodb.delete_item(TableName=grounds.aws.outputs["TableName"], Key={"pk": item["pk"], "sk": item["sk"]})
    for number in range(25):
        grounds.aws.put_secret(f"fleet{number}", {})


@pytest.mark.claim(CLAIM, part=Part.FAULTS, how=HOW, only_full=True)
def test_a_round_that_is_dispatched_again_leaves_nobody_out(alone: Grounds, proof: Proof) -> None:
    forget_everybody(alone)

    def prepare(name: str) -> object:
        alone.aws.put_secret(name, {})
        return {"reason": "schedule"}

    def look(name: str) -> None:
        assert {name, *watched(alone)} <= empty(alone)

    disturb_every_call(alone, proof, "DispatchFunction", prepare, look)


@pytest.mark.claim(CLAIM, part=Part.FAULTS, how=HOW, only_full=True)
def test_a_button_that_is_pressed_again_does_what_it_says(alone: Grounds, proof: Proof) -> None:
    def prepare(name: str) -> object:
        well(alone, name)
        return {"do": "recheck", "district": name, "widgetContext": {}}

    def look(name: str) -> None:
        assert name in empty(alone)

    disturb_every_call(alone, proof, "DashboardFunction", prepare, look)
