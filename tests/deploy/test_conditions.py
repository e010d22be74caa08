"""What the conditions in policies let through, and nothing else: the items that a role may write, and HTTPS."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from tests.deploy.test_operators import policies
from tests.local_aws import ENVIRONMENTS, REPOSITORY, LocalAws
from tests.proof import Part, Proof

pytestmark = pytest.mark.deploy

WRITING: Final = ("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:UpdateItem")
#: Every partition of the table that the code uses, and one that it does not.
PARTITIONS: Final = (
    "district",
    "problem",
    "transition#springfield",
    "incident",
    "mute",
    "mute#window",
    "monitor",
    "muted",
    "other",
)
MAY_WRITE: Final[dict[str, dict[str, set[str]]]] = {
    "DispatchDistrictsRole": {"dynamodb:PutItem": {"monitor"}},
    "RenderDashboardRole": {"dynamodb:PutItem": {"mute"}, "dynamodb:DeleteItem": {"mute"}},
    "operator": {
        "dynamodb:PutItem": {"mute", "mute#window"},
        "dynamodb:DeleteItem": {"mute", "mute#window", "district", "problem", "transition#springfield"},
    },
}


def deployed(aws: LocalAws, logical: str) -> list[dict[str, Any]]:
    """The policies of a role of the deployed stack."""
    iam: Any = aws.client("iam")
    stack = aws.cloudformation.describe_stack_resources(StackName="rosterwatch")["StackResources"]
    [name] = [one["PhysicalResourceId"] for one in stack if one["LogicalResourceId"] == logical]
    return [
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]


def allowed(questions: Sequence[dict[str, Any]]) -> list[bool]:
    """Each question's answer."""
    done = subprocess.run(
        [ENVIRONMENTS / "ministack" / "bin" / "python", "tests/deploy/evaluate_policy.py"],
        cwd=REPOSITORY,
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
    )
    answers: list[bool] = json.loads(done.stdout)
    return answers


@pytest.mark.claim(
    "Whoever may write some items of the table may write those and no others",
    part=Part.PRIVILEGE,
    how="every such role's deployed policies, each kind of write, each partition of the table, alone and in one call with another",
)
@pytest.mark.parametrize("role", MAY_WRITE)
def test_a_right_that_is_bound_to_some_items_ends_with_them(aws: LocalAws, role: str, proof: Proof) -> None:
    people = policies(aws)
    given = [people["Reader"], people["Operator"]] if role == "operator" else deployed(aws, role)
    resource = f"arn:aws:dynamodb:us-east-1:000000000000:table/{aws.outputs['TableName']}"
    tried = [(action, partition) for action in WRITING for partition in PARTITIONS]

    def asked(action: str, keys: list[str]) -> dict[str, Any]:
        return {"policies": given, "action": action, "resource": resource, "keys": {"dynamodb:LeadingKeys": keys}}

    alone = allowed([asked(action, [partition]) for action, partition in tried])
    expected = [partition in MAY_WRITE[role].get(action, ()) for action, partition in tried]
    assert dict(zip(tried, alone, strict=True)) == dict(zip(tried, expected, strict=True))
    together = allowed([asked(action, [partition, "incident"]) for action, partition in tried])
    assert not any(together)
    proof.tried(2 * len(tried))


def over_http(request: Any, **_: Any) -> None:
    """What a gateway that ends TLS says of a request that came without."""
    request.headers["X-Forwarded-Proto"] = "http"


@pytest.mark.claim(
    "Every queue and every topic refuses plain HTTP, from the account's root as well",
    part=Part.PRIVILEGE,
    how="the same calls as with HTTPS, told to the deployed stack's gateway as having come in plain",
)
def test_queues_and_topics_refuse_plain_http(aws: LocalAws, proof: Proof) -> None:
    queues = [url for name, url in aws.outputs.items() if name.endswith("Url")]
    topics = [arn for name, arn in aws.outputs.items() if name.endswith("TopicArn")]
    assert (len(queues), len(topics)) == (5, 5)
    # What is let in is refused for what it holds, so that nothing is sent.
    calls: dict[str, tuple[str, str, dict[str, str]]] = {}
    for url in queues:
        calls[f"send to {url}"] = ("sqs", "send_message", {"QueueUrl": url, "MessageBody": "\x01"})
        calls[f"look at {url}"] = ("sqs", "get_queue_attributes", {"QueueUrl": url})
        calls[f"receive from {url}"] = ("sqs", "delete_message", {"QueueUrl": url, "ReceiptHandle": "none"})
    for arn in topics:
        calls[f"publish to {arn}"] = ("sns", "publish", {"TopicArn": arn, "Message": "-" * 300_000})

    def refused(plain: bool) -> set[str]:
        clients = {name: aws.client(name) for name in ("sqs", "sns")}
        if plain:
            for client in clients.values():
                client.meta.events.register("before-send", over_http)
        found = set()
        for name, (service, operation, arguments) in calls.items():
            try:
                getattr(clients[service], operation)(**arguments)
            except ClientError as error:
                if error.response["Error"]["Code"] in {"AccessDenied", "AuthorizationError"}:
                    found.add(name)
        return found

    assert refused(plain=False) == set()
    assert refused(plain=True) == set(calls)
    proof.tried(len(calls))
