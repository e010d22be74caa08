"""The deployed stack: its triggers, its rights and its alarms, in the local AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.local_aws import REPOSITORY, LocalAws, LocalAwsError, started, wait_for
from tests.proof import Part
from tests.sis import SimulatedSis

pytestmark = pytest.mark.deploy


def status(aws: LocalAws, district: str) -> str | None:
    return next((item["status"]["S"] for item in aws.items("district") if item["sk"]["S"] == district), None)


def alerts_about(aws: LocalAws, district: str) -> list[str]:
    return [alert.attributes["kind"] for alert in aws.alerts() if alert.attributes.get("district") == district]


def test_a_stored_secret_is_visited_at_a_tick_and_again_as_soon_as_it_changes(aws: LocalAws, sis: SimulatedSis) -> None:
    district = sis.add_district("pawnee")
    credentials = dict(district.credentials)
    aws.put_secret("pawnee", credentials)
    aws.invoke("DispatchFunction", json.loads((REPOSITORY / "events" / "schedule.json").read_text()))
    wait_for(lambda: status(aws, "pawnee") == "healthy" or None, 30, "pawnee healthy")

    aws.put_secret("pawnee", credentials | {"base_url": ""})
    wait_for(lambda: alerts_about(aws, "pawnee") == ["opened"] or None, 30, "an alert")
    assert status(aws, "pawnee") == "unknown"  # with a secret like that nobody can tell
    aws.put_secret("pawnee", credentials)
    wait_for(lambda: alerts_about(aws, "pawnee") == ["opened", "resolved"] or None, 30, "a resolution")
    assert status(aws, "pawnee") == "healthy"


@pytest.mark.claim(
    "A message that is not ours ends with the dead letters after three tries, and hurts no other",
    part=Part.FAULTS,
    how="garbage on the deployed stack's queue, beside a visit",
)
def test_a_message_that_is_not_ours_ends_with_the_dead_letters_and_hurts_no_other(aws: LocalAws, sis: SimulatedSis) -> None:
    district = sis.add_district("eagleton")
    aws.put_secret("eagleton", dict(district.credentials))
    # Here it may come back at once; in AWS it stays hidden for the time that the template gives it.
    queue = aws.outputs["QueueUrl"]
    hidden = aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    aws.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    try:
        aws.sqs.send_message(QueueUrl=queue, MessageBody="garbage")
        aws.invoke("DispatchFunction", {"district": "eagleton"})
        wait_for(lambda: status(aws, "eagleton") == "healthy" or None, 30, "eagleton healthy")
        [dead] = wait_for(
            lambda: aws.sqs.receive_message(QueueUrl=aws.outputs["DeadLettersUrl"]).get("Messages"), 60, "a dead letter"
        )
    finally:
        aws.sqs.set_queue_attributes(QueueUrl=queue, Attributes=dict(hidden))
    assert dead["Body"] == "garbage"
    aws.sqs.delete_message(QueueUrl=aws.outputs["DeadLettersUrl"], ReceiptHandle=dead["ReceiptHandle"])
    assert aws.messages_on("QueueUrl") == 0


def test_the_heartbeat_stills_the_alarm_that_watches_it(aws: LocalAws) -> None:
    aws.invoke("DispatchFunction", {"reason": "schedule"})
    assert wait_for(lambda: aws.pump_metrics() or None, 30, "a metric") > 0
    alarms = {alarm["AlarmName"]: alarm["StateValue"] for alarm in aws.cloudwatch.describe_alarms()["MetricAlarms"]}
    [state] = [state for name, state in alarms.items() if "HeartbeatAlarm" in name]
    assert state == "OK"


def test_deploying_again_keeps_the_state_the_secrets_and_the_fingerprint_key(aws: LocalAws) -> None:
    aws.put_secret("hawkins", {"kept": True})
    table = aws.outputs["TableName"]
    item = {"pk": {"S": "kept"}, "sk": {"S": "kept"}}
    aws.dynamodb.put_item(TableName=table, Item=item)
    key = aws.secrets.get_secret_value(SecretId=aws.outputs["FingerprintKeyArn"])["SecretString"]
    current = aws.cloudformation.describe_stacks(StackName="rosterwatch")["Stacks"][0]["Parameters"]
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in current} | {"LogLevel": "DEBUG"}

    aws.deploy(aws.workspace / "build" / "template.yaml", parameters)

    configuration = aws.functions.get_function_configuration(FunctionName=aws.outputs["CheckFunction"])
    assert configuration["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "DEBUG"
    assert aws.outputs["TableName"] == table
    assert aws.items("kept") == [item]
    assert json.loads(aws.secrets.get_secret_value(SecretId="rosterwatch/hawkins")["SecretString"]) == {"kept": True}
    assert aws.secrets.get_secret_value(SecretId=aws.outputs["FingerprintKeyArn"])["SecretString"] == key
    aws.dynamodb.delete_item(TableName=table, Key=item)


def test_a_parameter_that_makes_no_sense_is_refused_before_anything_is_made(aws: LocalAws) -> None:
    template = aws.workspace / "build" / "template.yaml"
    with pytest.raises(LocalAwsError, match="with a slash at the end"):
        aws.deploy(template, {"SecretPrefix": "no-slash"}, stack="refused")
    with pytest.raises(ClientError, match="does not exist"):
        aws.cloudformation.describe_stacks(StackName="refused")


def test_the_local_aws_listens_on_loopback_only_and_leaves_nothing_behind() -> None:
    with started() as aws:
        workspace = aws.workspace
        pid = int((workspace / "emulator.pid").read_text())
        assert aws.endpoint.startswith("https://127.0.0.1:")
        if sys.platform == "linux":
            assert {address for address, _ in listeners(pid)} == {"0100007F"}
    assert not workspace.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def listeners(pid: int) -> set[tuple[str, str]]:
    """The addresses and ports, in hexadecimal as Linux shows them, on which a process listens."""
    targets = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    sockets = {target[8:-1] for target in targets if target.startswith("socket:[")}
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]]
    return {(row[1].split(":")[0], row[1].split(":")[1]) for row in rows if row[3] == "0A" and row[9] in sockets}


def test_an_interrupt_ends_the_local_aws_in_order() -> None:
    # A test run in the background ignores interrupts, and so would everything that it starts.
    program = (
        "import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from tests.local_aws import started\n"
        "with started() as aws: print(aws.workspace, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        workspace = Path(process.stdout.readline().decode().strip())
        pid = int((workspace / "emulator.pid").read_text())
        process.send_signal(2)
        process.communicate(timeout=30)
    assert not workspace.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
