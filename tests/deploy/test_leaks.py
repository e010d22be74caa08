"""The deployed stack, its command line and the demo, with every value known that must not be found, and every place searched.

In `make test` it is the session's stack. In `make prove` it is one of its own, at DEBUG in every respect, with all products, and
what is written into secrets by mistake. Then each place is given a leak on purpose, which the same search has to find.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from tests.deploy.places import (
    FILES,
    FUNCTIONS,
    METRICS,
    POPUP,
    PROCESSES,
    QUEUES,
    SCREEN,
    TABLE,
    TOPICS,
    WIDGET,
    Places,
)
from tests.deploy.stage import LOUD, Stage, break_in_other_ways, commands, watch_everything
from tests.integration.outputs import values_and_people
from tests.leaks import Leak
from tests.local_aws import REPOSITORY, STACK, LocalAws, local_aws, wait_for
from tests.proof import Part, Proof
from tests.sis import District, SimulatedSis, echoes
from tests.sis.control import Control

pytestmark = pytest.mark.deploy

ALERTS: Final = tuple(topic for topic in TOPICS if topic != "OpsTopicArn")
#: Where there must be something to search; the other queues hold what has failed, and should be empty.
SEARCHED: Final = (*FUNCTIONS, TABLE, METRICS, *ALERTS, WIDGET, POPUP, PROCESSES, SCREEN, FILES)
#: In a stack of our own the queue of visits is stopped when it is full.
ALSO_IN_FULL: Final = ("QueueUrl", "DeadLettersUrl")
ECHOES: Final = [kind.__name__ for kind in echoes.KINDS]
SECOND_LOOK: Final = 0.6


@pytest.fixture
def stage(request: pytest.FixtureRequest, proof: Proof, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "before").touch()  # so that there is something to be found
    if not proof.full:
        aws = request.getfixturevalue("aws")
        places = Places(aws)
        yield Stage(aws, request.getfixturevalue("sis"), places, tmp_path, loud=False)
        places.close()
        return
    with SimulatedSis([], hosts=3) as sis:
        parameters = {
            "SpreadSeconds": "0",
            "SecondLookSeconds": "1",
            "BatchingWindowSeconds": "1",
            "AllowPrivateAddresses": "true",
            "CaBundleFile": sis.ca_file,
            "LogLevel": "DEBUG",
            "DistrictMetrics": "true",
        }
        with local_aws(parameters) as aws:
            for function in FUNCTIONS:
                set_variables(aws, function, PYTHONPATH=str(LOUD), **EVERY_SWITCH)
            yield Stage(aws, sis, Places(aws), tmp_path, loud=True)


#: Whatever makes Powertools, asyncio or the runtime say more, none of which takes a change of code.
EVERY_SWITCH: Final = {"POWERTOOLS_DEBUG": "true", "POWERTOOLS_LOGGER_LOG_EVENT": "true", "PYTHONASYNCIODEBUG": "1"}


def set_variables(aws: LocalAws, function: str, **variables: str) -> None:
    name = aws.outputs[function]
    before = aws.functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    aws.functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **variables}})


@pytest.mark.claim(
    "Nothing that the deployed stack or its command line writes, stores or sends holds a secret, a token, a cookie or a record",
    part=Part.LEAKS,
    how="districts of every product and token dialect, healthy, broken by servers that hand back all they know, rotated, and with "
    "mistakes in their secrets, every logger at DEBUG; searched: the functions' logs, metrics, the table, what five topics sent, "
    "five queues, widget and popups, processes, every command's output, files",
)
def test_nothing_leaks_from_the_deployed_stack(stage: Stage, proof: Proof) -> None:
    first = stage.watch("leakton")
    if proof.full:
        watch_everything(stage)
    stage.visit()
    for number, district in enumerate(stage.districts):
        district.fail(ECHOES[number % len(ECHOES)])
    for _ in range(3):
        stage.visit()
        time.sleep(SECOND_LOOK)  # a look that comes sooner does not count
    stage.tell()
    stage.aws.invoke("DispatchFunction", {"district": "leakton"})
    stage.places.widget({"do": "recheck", "district": "leakton"})
    if proof.full:
        break_in_other_ways(stage, first)
    commands(stage, first, every=proof.full)
    wait_for(lambda: all(stage.places.sent_by(topic) for topic in ALERTS) or None, 30, "alerts in four dialects")
    haul, planted = stage.read(), stage.canaries()
    assert haul.leaks(planted) == {}
    assert haul.empty(SEARCHED + (ALSO_IN_FULL if proof.full else ())) == []
    proof.tried(len(haul.places))
    proof.note(f"{haul.size / 1e6:.1f} MB searched for {len(planted.names)} kinds of values")
    if proof.full:
        found = leaked_on_purpose(stage, first)
        assert set(found) >= {*SEARCHED, *ALSO_IN_FULL, "OpsTopicArn", "UnsentAlertsUrl", "UndeliveredMailUrl"}
        proof.note(f"a leak on purpose found in each of {len(found)} places")
    else:
        first.heal()
        stage.command_line.run("remove", "leakton", "--delete-secret", "--yes")


# --- leaks on purpose --------------------------------------------------------------------------------------------------


def leaked_on_purpose(stage: Stage, first: District) -> dict[str, set[Leak]]:
    """What the same search finds once everything has been given away, everywhere."""
    aws, secret = stage.aws, first.record.consumer_secret
    assert {leak.name for leak in without_protection(stage, first)} >= {"leakton.consumer_secret", "leakton.session"}
    aws.cloudwatch.put_metric_data(
        Namespace="Rosterwatch",
        MetricData=[{"MetricName": "Leaks", "Value": 1, "Dimensions": [{"Name": "of", "Value": secret[:20]}]}],
    )
    hidden = {"M": {"deep": {"L": [{"B": secret.encode()}, {"S": echoes.FORMS["base64"](f"x{secret}")}]}}}
    aws.dynamodb.put_item(TableName=aws.outputs["TableName"], Item={"pk": {"S": "z"}, "sk": {"S": "z"}, "z": hidden})
    for topic in TOPICS:
        attributes: Any = {"z": {"DataType": "String", "StringValue": secret[::-1]}}
        aws.sns.publish(TopicArn=aws.outputs[topic], Message="{}", MessageAttributes=attributes)
    for queue in QUEUES:
        aws.sqs.send_message(QueueUrl=aws.outputs[queue], MessageBody=secret[:30] + "\n" + secret[30:])
    for function in FUNCTIONS:
        set_variables(aws, function, Z=secret)
        group, line = f"/aws/lambda/{aws.outputs[function]}", quote(echoes.FORMS["url_encoded"](secret))
        aws.log_store.create_log_stream(logGroupName=group, logStreamName="z")
        events: Any = [{"timestamp": int(time.time() * 1000), "message": json.dumps({"m": json.dumps({"line": line})})}]
        aws.log_store.put_log_events(logGroupName=group, logStreamName="z", logEvents=events)
    stage.command_line.run("mute", "leakton", "--for", "4h", "--reason", f"<{secret}>")
    stage.command_line.run("mutes")
    (stage.home / "left" / "behind").mkdir(parents=True)
    (stage.home / "left" / "behind" / "z.bin").write_bytes(secret.encode("utf-16"))
    wait_for(lambda: all(secret[::-1] in "".join(stage.places.sent_by(topic)) for topic in TOPICS) or None, 30, "the leaks")
    return stage.read().leaks(stage.canaries())


def without_protection(stage: Stage, first: District) -> set[Leak]:
    """What the log of a visit holds where the libraries may write what they like."""
    first.heal()
    stage.aws.put_secret("leakton", first.credentials)
    set_variables(stage.aws, "CheckFunction", ROSTERWATCH_UNGUARDED="1")
    stage.visit("leakton")
    return stage.canaries().found_in("\n".join(stage.aws.logs("CheckFunction")))


# --- the demo ----------------------------------------------------------------------------------------------------------


@pytest.mark.claim(
    "The demo shows and leaves behind no secret, token, cookie or record",
    part=Part.LEAKS,
    how="`make demo` at DEBUG, left running with KEEP=1: its screen, and every place of the stack that it leaves; when it is "
    "ended, nothing of it is left in the temporary folder",
    only_full=True,
)
def test_nothing_leaks_from_the_demo(proof: Proof, tmp_path: Path) -> None:
    environment = {**os.environ, "KEEP": "1", "LOG_LEVEL": "DEBUG", "TMPDIR": str(tmp_path)}
    demo = subprocess.Popen(
        [sys.executable, "-m", "tests.demo"], cwd=REPOSITORY, env=environment, stdout=-1, stderr=subprocess.STDOUT, text=True
    )
    screen, _ = demo.communicate(timeout=500)
    ended = re.search(r"kill (\d+)", screen)
    assert ended, screen
    try:
        [control] = re.findall(r"controls: (\S+)", screen)
        variables = dict(re.findall(r"(AWS_\w+)=(\S+)", screen))
        planted = values_and_people(Control(control).call("GET", "/planted") | {"people": []})
        for district in Control(control).call("GET", "/districts"):
            planted.plant(f"{district['name']}.consumer_id", district["consumer_id"])
        ca_file = Path(variables["AWS_CA_BUNDLE"])
        aws = LocalAws(variables["AWS_ENDPOINT_URL"], ca_file, ca_file.parent)
        [stack] = aws.cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        aws.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        haul = Places(aws, topics=()).read()
        haul.put(SCREEN, screen)
        aws.close()
    finally:
        os.kill(int(ended[1]), signal.SIGTERM)
    wait_for(lambda: has_ended(int(ended[1])) or None, 180, "the end of the demo")
    assert demo.returncode == 0
    assert haul.leaks(planted) == {}
    assert haul.empty((*FUNCTIONS, TABLE, METRICS, WIDGET, POPUP, PROCESSES, SCREEN)) == []
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")][:20] == []
    proof.tried(len(haul.places))
    proof.note(f"{haul.size / 1e6:.1f} MB searched for {len(planted.names)} kinds of values")


def has_ended(process: int) -> bool:
    """Whether a process is gone, or only waits to be taken note of."""
    try:
        return ") Z " in Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
