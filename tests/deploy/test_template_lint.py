"""Linters have nothing to say about the template, nor about what CloudFormation makes of it. Warnings count."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.local_aws import ENVIRONMENTS, REPOSITORY
from tests.proof import Part, Proof
from tests.template import PATH

pytestmark = pytest.mark.deploy

# Why these rules of AWS' serverless linter are off: the first is about X-Ray, which costs more than a second of every cold
# start and shows nothing that our logs do not; the second does not know LoggingConfig; the third asks every dead-letter queue
# for one of its own. That the log groups and the queues are right is in tests/test_template.py.
NOT_OURS = ["WS1000", "WS1004", "ES6000"]

FUNCTIONS: Final = frozenset({"CheckDistricts", "DispatchDistricts", "RenderDashboard", "SendAlerts"})
LOGS: Final = frozenset(f"{function}Logs" for function in FUNCTIONS)
QUEUES: Final = frozenset({"DeadLetters", "Queue", "UndeliveredMail", "UndeliveredTriggers", "UnsentAlerts"})

#: What checkov reports and we leave as it is: where exactly, and why. Anything else that it reports, or no longer does, fails.
JUSTIFIED: Final[dict[str, tuple[frozenset[str], str]]] = {
    "CKV_AWS_26": (frozenset({"OpsTopic"}), "CloudWatch may not use SNS' own key, so its alarms would be lost without a word"),
    "CKV_AWS_27": (QUEUES, "they are encrypted, by SQS itself: checkov looks for a key of the customer's"),
    "CKV_AWS_115": (
        FUNCTIONS,
        "reserving takes from the account; the queue's MaximumConcurrency bounds the visits, the rest is rare",
    ),
    "CKV_AWS_116": (
        FUNCTIONS,
        "checkov knows Lambda's older DeadLetterConfig; failures go to the destinations of EventInvokeConfig",
    ),
    "CKV_AWS_117": (
        FUNCTIONS - {"CheckDistricts"},
        "only check_districts talks to anyone but AWS; it gets the operator's subnets where they are given",
    ),
    "CKV_AWS_119": (frozenset({"Table"}), "encrypted with AWS' key for DynamoDB; no credential and no record is in it"),
    "CKV_AWS_149": (
        frozenset({"FingerprintKey"}),
        "encrypted with AWS' key for Secrets Manager; one of our own is a dollar a month",
    ),
    "CKV_AWS_158": (LOGS, "encrypted by CloudWatch itself; no credential and no record is in them"),
    "CKV_AWS_173": (FUNCTIONS, "encrypted with AWS' key for Lambda; they hold names, no secret"),
}

CONTENT: Final = "The linters of AWS have nothing to say about the template, down to their hints"


def ran(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of the SAM command line's environment."""
    return subprocess.run(
        [ENVIRONMENTS / "sam" / "bin" / program, *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": os.devnull, "AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def said_by(program: str, *arguments: str) -> str:
    """What a tool says; raises when it is not content."""
    done = ran(program, *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


def translated(template: Path, to: Path) -> Path:
    """What CloudFormation makes of a template."""
    to.write_text(said_by("python", "tests/deploy/translate_template.py", str(template)))
    return to


def lint(template: Path, *arguments: str) -> str:
    return said_by("cfn-lint", "--template", str(template), "--non-zero-exit-code", "informational", *arguments)


def findings(template: Path) -> set[tuple[str, str]]:
    """What checkov reports of a translated template: rule and resource."""
    program = ENVIRONMENTS / "checkov" / "bin" / "checkov"
    if not program.exists():
        pytest.skip("checkov is not here: `make prove` sets it up")
    done = subprocess.run(
        [program, "--file", str(template), "--framework", "cloudformation", "--skip-download", "--quiet", "--output", "json"],
        env={"PATH": os.environ["PATH"], "HOME": str(template.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 0
    return {(found["check_id"], found["resource"].rpartition(".")[2]) for found in report["results"]["failed_checks"]}


@pytest.mark.claim(CONTENT, part=Part.TEMPLATE, how="sam validate --lint")
def test_sam_validate_lint_is_clean() -> None:
    assert "is a valid SAM Template" in said_by("sam", "validate", "--lint", "--template", str(PATH))


@pytest.mark.claim(CONTENT, part=Part.TEMPLATE, how="cfn-lint")
def test_cfn_lint_is_clean_down_to_its_hints() -> None:
    assert lint(PATH, "--include-checks", "I") == ""


@pytest.mark.claim(CONTENT, part=Part.TEMPLATE, how="its rules for serverless applications")
def test_the_rules_for_serverless_applications_are_kept() -> None:
    assert lint(PATH, "--append-rules", "cfn_lint_serverless.rules", "--ignore-checks", *NOT_OURS) == ""


@pytest.mark.claim(CONTENT, part=Part.TEMPLATE, how="cfn-lint on what CloudFormation makes of it")
def test_cfn_lint_is_clean_on_the_resources_that_the_functions_stand_for(tmp_path: Path) -> None:
    template = translated(PATH, tmp_path / "template.json")
    types = {resource["Type"] for resource in json.loads(template.read_text())["Resources"].values()}
    assert "AWS::Lambda::EventSourceMapping" in types
    assert lint(template, "--include-checks", "I") == ""


@pytest.mark.claim(
    "A security linter reports nothing that is not justified, and every justification is still needed",
    part=Part.TEMPLATE,
    how="checkov on what CloudFormation makes of the template",
    only_full=True,
)
def test_whatever_checkov_reports_is_justified(tmp_path: Path, proof: Proof) -> None:
    reported = findings(translated(PATH, tmp_path / "template.json"))
    justified = {(rule, resource) for rule, (resources, _) in JUSTIFIED.items() for resource in resources}
    assert reported == justified
    proof.note(f"{len(justified)} findings of {len(JUSTIFIED)} rules, each with its reason")
