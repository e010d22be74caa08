"""The built artifact under AWS' own runtime client, with every event of events/, with the rights of the function's role."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from benchmarks.lambda_rig import Run, rig, run_function
from tests import template as template_file
from tests.local_aws import REPOSITORY, LocalAws
from tests.proof import Part, Proof
from tests.sis import SimulatedSis

pytestmark = pytest.mark.deploy

#: The function that gets each event, and the output of the stack that names it.
EVENTS: Final = {
    "schedule.json": ("DispatchDistricts", "DispatchFunction"),
    "secret_changed.json": ("DispatchDistricts", "DispatchFunction"),
    "recheck.json": ("DispatchDistricts", "DispatchFunction"),
    "queue.json": ("CheckDistricts", "CheckFunction"),
    "stream.json": ("SendAlerts", "AlertFunction"),
    "dashboard.json": ("RenderDashboard", "DashboardFunction"),
}
HANDLERS: Final = {
    name: function["Handler"]
    for name, function in template_file.resources(template_file.load(), "AWS::Serverless::Function").items()
}


def run(aws: LocalAws, event: str) -> Run:
    """Run the function of an event as Lambda would: its artifact, its settings, its role's rights, twice in one process."""
    logical, output = EVENTS[event]
    configuration = aws.functions.get_function_configuration(FunctionName=aws.outputs[output])
    given = aws.client("sts").assume_role(RoleArn=configuration["Role"], RoleSessionName="test")["Credentials"]
    environment = configuration["Environment"]["Variables"] | {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_CA_BUNDLE": str(aws.ca_file),
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
        "AWS_LAMBDA_FUNCTION_NAME": aws.outputs[output],
    }
    told: Any = json.loads((REPOSITORY / "events" / event).read_text())
    with rig() as running:
        ran = run_function(running, aws.workspace / "build" / logical, HANDLERS[logical], [told, told], environment, cpu=None)
        # Everything went to the local AWS, nothing to the rig's own stand-in for it.
        assert running.aws.calls == {}
    return ran


def test_every_event_has_its_function() -> None:
    assert EVENTS.keys() == {path.name for path in (REPOSITORY / "events").iterdir()}
    assert {logical for logical, _ in EVENTS.values()} == HANDLERS.keys()


@pytest.mark.claim(
    "Every event of events/ runs through the built artifact, with its own packages and what Lambda's runtime brings, and no others",
    part=Part.ARTIFACT,
    how="AWS' runtime client in a fresh process without site-packages, against the local AWS, as the function's role",
)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_runs_through_the_artifact(aws: LocalAws, sis: SimulatedSis, event: str, proof: Proof) -> None:
    district = next((one for one in sis.districts if one.name == "springfield"), None) or sis.add_district("springfield")
    aws.put_secret("springfield", dict(district.credentials))
    ran = run(aws, event)
    assert len(ran.answered) == 2
    levels = {json.loads(line).get("level") for line in ran.log.splitlines() if line.startswith(b"{")}
    assert not levels & {"WARNING", "ERROR", "CRITICAL"}, ran.log.decode()
    assert b"Traceback" not in ran.log
    if event == "queue.json":
        [state] = [item for item in aws.items("district") if item["sk"]["S"] == "springfield"]
        assert state["status"] == {"S": "healthy"}
    proof.tried(2)
