"""Linters have nothing to say about the template, nor about what CloudFormation makes of it. Warnings count."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.local_aws import ENVIRONMENTS, REPOSITORY
from tests.template import PATH

pytestmark = pytest.mark.deploy

# Why these rules of AWS' serverless linter are off: the first is about X-Ray, which costs more than a second of every cold
# start and shows nothing that our logs do not; the second does not know LoggingConfig; the third asks every dead-letter queue
# for one of its own. That the log groups and the queues are right is in tests/test_template.py.
NOT_OURS = ["WS1000", "WS1004", "ES6000"]


def said_by(program: str, *arguments: str) -> str:
    """Run a tool of the SAM command line's environment. Returns what it says; raises when it is not content."""
    done = subprocess.run(
        [ENVIRONMENTS / "sam" / "bin" / program, *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": os.devnull, "AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def lint(template: Path, *arguments: str) -> str:
    return said_by("cfn-lint", "--template", str(template), "--non-zero-exit-code", "informational", *arguments)


def test_sam_validate_lint_is_clean() -> None:
    assert "is a valid SAM Template" in said_by("sam", "validate", "--lint", "--template", str(PATH))


def test_cfn_lint_is_clean_down_to_its_hints() -> None:
    assert lint(PATH, "--include-checks", "I") == ""


def test_the_rules_for_serverless_applications_are_kept() -> None:
    assert lint(PATH, "--append-rules", "cfn_lint_serverless.rules", "--ignore-checks", *NOT_OURS) == ""


def test_cfn_lint_is_clean_on_the_resources_that_the_functions_stand_for(tmp_path: Path) -> None:
    translated = tmp_path / "template.json"
    translated.write_text(said_by("python", "tests/deploy/translate_template.py", str(PATH)))
    types = {resource["Type"] for resource in json.loads(translated.read_text())["Resources"].values()}
    assert "AWS::Lambda::EventSourceMapping" in types
    assert lint(translated, "--include-checks", "I") == ""
