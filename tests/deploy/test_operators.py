"""The policies of `docs/operators-iam.md`: each lets its people do what the page says, and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.deploy.command_line import CommandLine, four_answers, renewal
from tests.local_aws import REGION, REPOSITORY, LocalAws
from tests.proof import Part
from tests.sis import SimulatedSis

pytestmark = pytest.mark.deploy

ACCOUNT = "000000000000"


claim = pytest.mark.claim(
    "With the policies of docs/operators-iam.md, a reader sees everything and changes nothing, an operator can do all",
    part=Part.PRIVILEGE,
    how="every command of the command line, against the deployed stack, as a role with those policies",
)


def policies(aws: LocalAws) -> dict[str, dict[str, Any]]:
    """The page's policies by the headings they stand under, filled in as the page says."""
    page = (REPOSITORY / "docs" / "operators-iam.md").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = {}
    for heading, body in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL):
        text = re.findall(r"```json\n(.*?)```", body, re.DOTALL)[0]
        words = {"REGION": REGION, "ACCOUNT": ACCOUNT, "STACK": "rosterwatch", "TABLE": aws.outputs["TableName"]}
        for word, value in words.items():
            text = text.replace(word, value)
        found[heading] = json.loads(text)
    return found


def assumed(aws: LocalAws, name: str, *given: Mapping[str, Any]) -> dict[str, str]:
    """The credentials of a new role with exactly these policies."""
    iam = aws.client("iam")
    principal = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [principal]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    for number, policy in enumerate(given):
        iam.put_role_policy(RoleName=name, PolicyName=f"part-{number}", PolicyDocument=json.dumps(policy))
    credentials: dict[str, str] = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="kim")["Credentials"]
    return credentials


@claim
def test_a_reader_sees_everything_and_can_change_nothing(aws: LocalAws, sis: SimulatedSis) -> None:
    district = sis.add_district("cascadia")
    aws.put_secret("cascadia", dict(district.credentials))
    aws.invoke("CheckFunction", {"Records": [{"messageId": "1", "body": json.dumps({"district": "cascadia"})}]})
    reader = CommandLine(aws, sis).as_role(assumed(aws, "reader", policies(aws)["Reader"]))
    assert reader.run("status", "cascadia").code == 0
    assert "cascadia" in reader.run("status").out
    assert reader.run("mutes").code == 0
    doctor = json.loads(reader.run("doctor", "--json").out)["findings"]
    assert "unknown" not in {finding["grade"] for finding in doctor}
    [rights] = [finding["words"] for finding in doctor if finding["name"] == "your rights"]
    assert "reader/kim may not: recheck, check, rotate, mute, remove" in rights
    for arguments in (
        ("recheck", "cascadia"),
        ("mute", "all", "--for", "1h"),
        ("unmute", "all"),
        ("remove", "cascadia", "--yes", "--delete-secret"),
        ("rotate", "cascadia"),
        ("check", "cascadia"),
        ("add", "elsewhere"),
    ):
        refused = reader.run(*arguments)
        assert (refused.code, refused.out) == (3, ""), arguments
        assert "you lack the right to" in refused.err
    assert aws.secrets.describe_secret(SecretId="rosterwatch/cascadia").get("DeletedDate") is None


@claim
def test_an_operator_can_do_all_that_the_command_line_offers_and_reads_no_other_secret(aws: LocalAws, sis: SimulatedSis) -> None:
    district = sis.add_district("dillon-beach")
    given = policies(aws)
    operator = CommandLine(aws, sis).as_role(assumed(aws, "operator", given["Reader"], given["Operator"]))
    added = operator.run("add", "dillon-beach", *operator.from_here, answers=four_answers(district.credentials))
    assert added.code == 0, added.said
    checked = operator.run("check", "dillon-beach", *operator.from_here)
    assert checked.code == 0, checked.said
    fresh = district.admin.recreate_record()
    wrong = operator.run("check", "dillon-beach", *operator.from_here)
    assert wrong.code == 1
    assert "You may not read the stack's fingerprint key" in wrong.err
    assert operator.run("recheck", "dillon-beach").code == 1
    rotated = operator.run("rotate", "dillon-beach", *operator.from_here, answers=renewal(fresh))
    assert rotated.code == 0, rotated.said
    assert operator.run("mute", "dillon-beach", "--for", "1h").code == 0
    assert "operator/kim" in operator.run("mutes").out
    assert operator.run("unmute", "dillon-beach").code == 0
    [rights] = [f for f in json.loads(operator.run("doctor", "--json").out)["findings"] if f["name"] == "your rights"]
    assert rights["grade"] == "ok", rights
    removed = operator.run("remove", "dillon-beach", "--delete-secret", "--yes")
    assert removed.code == 0, removed.said
