"""Each mistake that could be made in the template is made, in a copy, and one of the checks says so: else it checks nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.deploy.test_template_lint import findings, ran, translated
from tests.local_aws import REPOSITORY
from tests.proof import Part
from tests.template import PATH

pytestmark = pytest.mark.deploy

LINT: Final = "cfn-lint"
LINT_TRANSLATED: Final = "cfn-lint on the translated template"
CHECKOV: Final = "checkov"
OURS: Final = "our own tests"


class Fault(NamedTuple):
    """What is changed in the template, which check has to report it, and a word of what it says."""

    name: str
    old: str
    new: str
    check: str
    says: str


FAULTS: Final = [
    # The eleven of an earlier comparison of the checkers.
    Fault("a property that is misspelt", "StreamViewType: NEW_IMAGE", "StreamViewTypo: NEW_IMAGE", LINT, "E3002"),
    Fault("an attribute that there is not", "!GetAtt DeadLetters.Arn", "!GetAtt DeadLetters.Arm", LINT, "E1010"),
    Fault("a resource that there is not", "Queues: [!Ref DeadLetters]", "Queues: [!Ref DeadLetter]", LINT, "E1020"),
    Fault("a runtime that there is not", "Runtime: python3.13", "Runtime: python3.19", LINT_TRANSLATED, "E3030"),
    Fault("a right that is misspelt", "Action: dynamodb:ListStreams", "Action: dynamodb:ListStream", LINT_TRANSLATED, "W3037"),
    Fault("a message that comes back too soon", "VisibilityTimeout: 1020", "VisibilityTimeout: 60", LINT_TRANSLATED, "E3505"),
    Fault(
        "a time that is none",
        "ScheduleExpression: rate(1 minute)",
        "ScheduleExpression: rate(1 minutes)",
        OURS,
        "test_a_time_of_a_schedule",
    ),
    Fault("a right to everything", "Action: dynamodb:ListStreams", 'Action: "*"', CHECKOV, "CKV_AWS_62"),
    Fault(
        "a table without its stream",
        "      StreamSpecification:\n        StreamViewType: NEW_IMAGE\n",
        "",
        OURS,
        "StreamSpecification",
    ),
    Fault("a dashboard that is no JSON", '{"widgets": [', '{"widgets": [,', OURS, "JSONDecodeError"),
    Fault(
        "a filter of the stream that lets nothing through", '"prefix": "transition#"', '"prefix": "transitions#"', OURS, "stream"
    ),
    # More, each of which would break the product without a word.
    Fault("a visit that is handed out twice", "VisibilityTimeout: 1020", "VisibilityTimeout: 700", OURS, "six_timeouts"),
    Fault(
        "a pattern for events that never come", "labelUpdated: [AWSCURRENT]", "labelUpdated: [AWSPENDING]", OURS, "changed_secret"
    ),
    Fault("a setting that is not given", "          ROSTERWATCH_STALE_MINUTES: !Ref StaleMinutes\n", "", OURS, "STALE_MINUTES"),
    Fault(
        "a setting that nobody reads",
        "ROSTERWATCH_CONTROL_URL:",
        "ROSTERWATCH_OTHER: a\n          ROSTERWATCH_CONTROL_URL:",
        OURS,
        "OTHER",
    ),
    Fault(
        "a schedule that loses what it could not deliver",
        "              MaximumEventAgeInSeconds: 900\n              MaximumRetryAttempts: 20\n            DeadLetterConfig:\n"
        "              Arn: !GetAtt UndeliveredTriggers.Arn\n",
        "              MaximumEventAgeInSeconds: 900\n              MaximumRetryAttempts: 20\n",
        OURS,
        "DeadLetterConfig",
    ),
    Fault(
        "any resource, without a reason",
        "Resource: !GetAtt UnsentAlerts.Arn\n\n  ClockRole",
        'Resource: "*"\n\n  ClockRole',
        OURS,
        "reason",
    ),
    Fault("a queue that is not encrypted", "SqsManagedSseEnabled: true", "SqsManagedSseEnabled: false", OURS, "encrypted"),
    Fault(
        "a topic that takes plain http",
        'aws:SecureTransport: "false"\n\n  AlertEmail',
        'aws:SecureTransport: "true"\n\n  AlertEmail',
        OURS,
        "plain_http",
    ),
    Fault("a log that is kept for ever", "      RetentionInDays: !Ref LogRetentionDays\n", "", OURS, "forgets"),
    Fault("an alarm on a metric that nobody writes", "MetricName: Heartbeat", "MetricName: Heartbeet", OURS, "Heartbeet"),
    Fault("a widget for a metric that nobody writes", '"Rosterwatch", "Heartbeat"', '"Rosterwatch", "Pulse"', OURS, "Pulse"),
    Fault(
        "a secret whose name falls under the prefix",
        "${AWS::StackName}-fingerprint-key",
        "${AWS::StackName}/key",
        OURS,
        "fingerprint",
    ),
    Fault(
        "reading any secret",
        "secret:${SecretPrefix}*\n",
        "secret:*\n",
        OURS,
        "only_check_districts_reads_secrets",
    ),
]


def altered(fault: Fault, folder: Path) -> Path:
    """A template with one fault in it, and nothing else changed."""
    text = PATH.read_text(encoding="utf-8")
    assert fault.old in text, f"the template no longer holds {fault.old!r}: seed this fault anew"
    folder.mkdir()
    template = folder / "template.yaml"
    template.write_text(text.replace(fault.old, fault.new, 1), encoding="utf-8")
    return template


@pytest.fixture(scope="module")
def linted(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What cfn-lint says of each faulty template: all of them in two runs, one of which sees them translated."""
    folder = tmp_path_factory.mktemp("linted")
    said: dict[str, str] = {}
    for check in (LINT, LINT_TRANSLATED):
        of_fault = {}
        for number, fault in enumerate(fault for fault in FAULTS if fault.check == check):
            template = altered(fault, folder / f"{len(said)}-{number}")
            of_fault[fault.name] = template if check == LINT else translated(template, template.with_suffix(".json"))
        found = json.loads(ran("cfn-lint", "--format", "json", "--template", *map(str, of_fault.values())).stdout)
        for name, template in of_fault.items():
            said[name] = " ".join(f"{one['Rule']['Id']} {one['Message']}" for one in found if one["Filename"] == str(template))
    return said


@pytest.mark.claim(
    "Every mistake in the template is reported by one of its checks",
    part=Part.TEMPLATE,
    how="faults seeded into a copy, one at a time: misspelt, missing, too wide, unencrypted, unread, unheard",
    only_full=True,
)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_the_template_is_reported(fault: Fault, linted: Mapping[str, str], tmp_path: Path) -> None:
    if fault.check in (LINT, LINT_TRANSLATED):
        said = linted[fault.name]
    elif fault.check == CHECKOV:
        template = altered(fault, tmp_path / "seeded")
        said = " ".join(check for check, _ in findings(translated(template, tmp_path / "template.json")))
    else:
        said = our_tests(altered(fault, tmp_path / "seeded"))
    assert fault.says in said, said[-3000:] or f"{fault.check} says nothing"


def our_tests(template: Path) -> str:
    """What our own tests say of a template that they fail on."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_template.py", "tests/test_dashboard.py"],
        cwd=REPOSITORY,
        env=dict(os.environ) | {"ROSTERWATCH_TEMPLATE": str(template)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 2), f"they are content:\n{done.stdout[-2000:]}"
    return done.stdout
