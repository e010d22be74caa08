"""Every role of the stack, and the policies for people, against all that could be tried: docs/privileges.md, cell by cell."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.deploy.attempts import As, Attempt, Elsewhere, attempts
from tests.deploy.test_operators import assumed, policies
from tests.local_aws import REPOSITORY, LocalAws
from tests.proof import Part, Proof

pytestmark = pytest.mark.deploy

PAGE: Final = REPOSITORY / "docs" / "privileges.md"
#: The columns of the page, and the roles that they stand for.
ROLES: Final = {
    "dispatch": "DispatchDistrictsRole",
    "check": "CheckDistrictsRole",
    "send": "SendAlertsRole",
    "render": "RenderDashboardRole",
    "schedule": "ScheduleRole",
    "clock": "ClockRole",
}
COLUMNS: Final = [*ROLES, "reader", "operator"]
YES: Final = "yes"
NO: Final = "-"

Cell = tuple[str, str, str]


def written() -> dict[Cell, str]:
    """The page's table: by resource, action and role, a cell without its note."""
    found: dict[Cell, str] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 2 + len(COLUMNS) and cells[0] not in ("resource", "---"):
            resource, action, *told = cells
            found |= {(resource, action, column): cell.split(" ")[0] for column, cell in zip(COLUMNS, told, strict=True)}
    assert found
    return found


@pytest.fixture(scope="module")
def elsewhere(aws: LocalAws) -> Elsewhere:
    return Elsewhere.made(aws)


@pytest.fixture(scope="module")
def roles(aws: LocalAws, elsewhere: Elsewhere) -> Iterator[dict[str, As]]:
    """Each column's clients: with the policies of the deployed role, or of the operators' page."""
    iam: Any = aws.client("iam")
    stack = aws.cloudformation.describe_stack_resources(StackName="rosterwatch")["StackResources"]
    names = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in stack if one["ResourceType"] == "AWS::IAM::Role"}
    assert set(names) == set(ROLES.values())
    given = {}
    for column, logical in ROLES.items():
        name = names[logical]
        if column in ("schedule", "clock"):
            # Only the scheduler of this account may be these two, and we are not: a twin has the same rights.
            kept = [
                iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
            ]
            given[column] = assumed(aws, f"{column}-twin", *kept)
        else:
            arn = iam.get_role(RoleName=name)["Role"]["Arn"]
            given[column] = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    people = policies(aws)
    given["reader"] = assumed(aws, "reader-tried", people["Reader"])
    given["operator"] = assumed(aws, "operator-tried", people["Reader"], people["Operator"])
    acting = {column: As(aws, credentials, {}) for column, credentials in given.items()}
    yield acting
    for one in acting.values():
        one.close()


@pytest.mark.claim(
    "Each role of the stack, and each policy for people, may do what docs/privileges.md says and nothing else",
    part=Part.PRIVILEGE,
    how="every role against every action on every resource, its own and those that are not its own; IAM enforced by the local AWS",
)
def test_what_every_role_may_do_is_what_the_page_says(
    aws: LocalAws, elsewhere: Elsewhere, roles: dict[str, As], proof: Proof
) -> None:
    aws.put_secret("eerie", {})
    page = written()
    calls: dict[Cell, Attempt] = {
        (resource, action, column): call for resource, action, call in attempts(aws, elsewhere) for column in COLUMNS
    }
    assert list(page) == list(calls), "the page lists other attempts than are made"
    refused = [cell for cell, told in page.items() if told == NO]
    tried = {cell for cell, told in page.items() if told == YES}
    tried |= set(random.Random(8).sample(refused, min(len(refused), proof.amount(quick=120, full=len(refused)))))
    seen = {cell: YES if roles[cell[2]].may(call) else NO for cell, call in calls.items() if cell in tried}
    # As lines, so that a difference shows which rights are missing or too many.
    assert "\n".join(f"{cell}: {may}" for cell, may in seen.items()) == "\n".join(f"{cell}: {page[cell]}" for cell in seen)
    proof.tried(len(tried))
    proof.note(
        f"{sum(may == YES for may in seen.values())} allowed and {sum(may == NO for may in seen.values())} refused, as expected"
    )
