"""What the search for leaks searches: a stack with districts of every kind, and all that can happen to them in a few minutes."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.command_line import PROGRAM, CommandLine, four_answers, renewal
from tests.deploy.places import FILES, SCREEN, Places, as_others_see, files_in
from tests.integration.outputs import canaries_of
from tests.leaks import Canaries, Haul
from tests.local_aws import LocalAws, LocalAwsError, wait_for
from tests.sis import PRODUCTS, Aeries, District, SimulatedSis
from tests.sis.dialect import Dialect

LOUD: Final = Path(__file__).with_name("loud")
TRICKY: Final = "p&q<r>\"s't/u+v=w%x;y{z}|A~B`C^D5E"  # legal in a secret, and another text in every encoding


@dataclass
class Stage:
    """A stack, a simulated SIS with districts of ours, and a command line, all of whose traces are kept."""

    aws: LocalAws
    sis: SimulatedSis
    places: Places
    home: Path
    loud: bool
    districts: list[District] = field(default_factory=list)
    others: Canaries = field(default_factory=Canaries)
    screens: list[str] = field(default_factory=list)

    def watch(self, name: str, dialect: Dialect | None = None, **secret: str) -> District:
        """One more district, healthy, with its secret stored."""
        district = self.sis.add_district(name, dialect=dialect)
        self.districts.append(district)
        self.aws.put_secret(name, {**district.credentials, **secret})
        return district

    def visit(self, *names: str) -> None:
        """One batch with these districts."""
        wanted = names or tuple(district.name for district in self.districts)
        bodies = [json.dumps({"district": name, "reason": "recheck"}) for name in wanted]
        records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
        self.aws.invoke("CheckFunction", {"Records": records})

    def tell(self) -> None:
        """Have all that is due sent."""
        self.aws.invoke("AlertFunction", {"reason": "clock"})

    @property
    def command_line(self) -> CommandLine:
        return CommandLine(self.aws, self.sis, self.environment, self.screens)

    @property
    def environment(self) -> Mapping[str, str]:
        loud = {"PYTHONPATH": str(LOUD), "PYTHONASYNCIODEBUG": "1"} if self.loud else {}
        return {"HOME": str(self.home), "TMPDIR": str(self.home), **loud}

    def read(self) -> Haul:
        """Everything that anyone can find by now."""
        haul = self.places.read()
        haul.put(SCREEN, *self.screens)
        haul.put(FILES, *files_in(self.home))
        return haul

    def canaries(self) -> Canaries:
        """Everything that nobody may find."""
        key = self.aws.secrets.get_secret_value(SecretId=self.aws.outputs["FingerprintKeyArn"])["SecretString"]
        planted = Canaries(canaries_of(self.sis, *self.districts), self.others)
        planted.plant("fingerprint key", key)
        return planted


# --- what happens ------------------------------------------------------------------------------------------------------


def watch_everything(stage: Stage) -> None:
    """A district of every product and token dialect, one whose secret is another text in every encoding, and mistakes."""
    for name, product in PRODUCTS.items():
        stage.watch(name.replace("_", "-"), product)
    for generation in ("v2", "v3", "slash", "oauth"):
        stage.watch(f"aeries-{generation}", Aeries(generation))
    stage.watch("aeries-v1", Aeries("v1"), auth="aeries_v1_code")
    tricky = stage.watch("tricky", PRODUCTS["post"])
    tricky.record.consumer_secret = TRICKY
    stage.aws.put_secret("tricky", tricky.credentials)
    for name, secret in mistakes(stage, stage.watch("mistaken")).items():
        stage.aws.put_secret(name, secret)


def mistakes(stage: Stage, district: District) -> dict[str, str]:
    """Secrets as they are stored by mistake, each with a value of its own where none belongs."""
    good, host = dict(district.credentials), district.base_url
    values: list[str] = []

    def value() -> str:
        values.append(secrets.token_hex(20))
        stage.others.plant(f"mistake {len(values)}", values[-1])
        return values[-1]

    told: dict[str, Any] = {
        "mistake-text": f"the secret is {value()}",
        "mistake-json": '{"consumer_secret": "' + value() + '", ',
        "mistake-twice": f'{{"{(twice := value())}": 1, "{twice}": 2}}',
        "mistake-list": [value()],
        "mistake-name": {**good, value(): value()},
        "mistake-blank": {**good, "consumer_secret": f" {value()}\n"},
        "mistake-inside": {**good, "consumer_id": f"{value()} {value()}"},
        "mistake-kind": {**good, "consumer_secret": {value(): value()}},
        "mistake-choice": {**good, "provider": value(), "auth": value(), "version": value()},
        "mistake-lists": {**good, "required": [value()], "optional": value(), "scopes": [f'"{value()}"'], "terms": [[value(), 1]]},
        "mistake-day": {**good, "expires_on": value()},
        "mistake-user": {**good, "base_url": f"https://{value()}:{value()}@sis.example.org/aeries"},
        "mistake-scheme": {**good, "base_url": f"{value()}://sis.example.org/{value()}"},
        "mistake-no-url": {**good, "base_url": value(), "token_url": value(), "data_url": value()},
        "mistake-query": {**good, "token_url": f"https://sis.example.org/token?client_secret={value()}"},
        "mistake-same": {**good, "consumer_id": (same := value()), "consumer_secret": same},
        "mistake-long": {**good, "consumer_secret": value() * 200},
        # These are good enough for a visit.
        "mistake-page": {**good, "base_url": f"{host}/(S({value()}))/Login.aspx?session={value()}#{value()}"},
        "mistake-pair": {**good, "consumer_secret": value(), "api_certificate": value()},
    }
    return {name: text if isinstance(text, str) else json.dumps(text) for name, text in told.items()}


def break_in_other_ways(stage: Stage, first: District) -> None:
    """Mistaken secrets, repairs, rotations, failing functions, messages that nobody understands, a queue that stands still."""
    stage.aws.invoke("DispatchFunction", {})
    names = [item["Name"].removeprefix("rosterwatch/") for item in stage.aws.secrets.list_secrets(MaxResults=100)["SecretList"]]
    stage.visit(*(name for name in names if name.startswith("mistake")))
    stage.tell()
    for district in stage.districts:
        district.heal()
    stage.visit()
    for district in stage.districts[::2]:
        district.admin.recreate_record()
    stage.visit()
    bad = {**first.credentials, "consumer_secret": secrets.token_hex(32)}
    stage.others.plant("rotated badly", bad["consumer_secret"])
    stage.aws.put_secret("leakton", first.credentials)
    stage.visit("leakton")
    stage.aws.put_secret("leakton", bad)
    stage.visit("leakton")
    stage.tell()
    stage.aws.invoke("AlertFunction", {"reason": "digest"})
    for function, event in (
        ("CheckFunction", {"Records": [{"body": json.dumps(first.credentials)}]}),
        ("DispatchFunction", {"district": f"{first.record.consumer_secret}!"}),
        ("AlertFunction", [first.record.consumer_secret]),
        ("DashboardFunction", [first.record.consumer_secret]),
    ):
        with pytest.raises(LocalAwsError):
            stage.aws.invoke(function, event)
    queue = stage.aws.outputs["QueueUrl"]
    stage.aws.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "0"})
    stage.aws.sqs.send_message(QueueUrl=queue, MessageBody="not one of ours")
    wait_for(lambda: stage.aws.messages_on("DeadLettersUrl") or None, 60, "a dead letter")
    [mapping] = stage.aws.functions.list_event_source_mappings(FunctionName=stage.aws.outputs["CheckFunction"])[
        "EventSourceMappings"
    ]
    stage.aws.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    stage.aws.invoke("DispatchFunction", {})


def commands(stage: Stage, first: District, *, every: bool) -> None:
    """What people type. Each run's output is kept; what is typed in answer to questions is not of it."""
    run, here = stage.command_line.run, stage.command_line.from_here
    run("status", "leakton")
    run("check", "leakton", *here)
    if not every:
        return
    pair = {"ROSTERWATCH_CONSUMER_SECRET": first.record.consumer_secret, "ROSTERWATCH_API_CERTIFICATE": first.record.certificate}
    added = stage.sis.add_district("added")
    stage.districts.append(added)
    stored = Path("secret.json")
    stored.write_text(json.dumps(first.credentials), encoding="utf-8")
    for arguments in (
        ("status",), ("status", "--json"), ("status", "--failing"), ("doctor",), ("doctor", "--json"), ("mutes",), ("providers",),
        ("dead-letters",), ("dead-letters", "--json"),
        ("explain", "--all"), ("check", "leakton", "--json", *here), ("check", "--secret", str(stored), *here),
        ("check", "--secret", str(stored), "--json"), ("add", "leakton", "--secret", str(stored), *here),
        ("mute", "leakton", "--for", "4h", "--reason", "a new server"), ("unmute", "leakton"),
        ("recheck", "leakton", "--timeout", "1"),
        ("rotate", "leakton", "--secret", str(stored), "--ca-bundle", str(stored)),
        ("add", "fresh", "--secret", json.dumps(first.credentials)), ("status", "--stack", first.record.consumer_secret),
    ):  # fmt: skip
        run(*arguments)
    run("check", "--url", first.base_url, "--consumer-id", first.record.consumer_id, *here, environment=pair)
    stored.unlink()
    wrong = {**first.credentials, "consumer_secret": "0" * 64}
    run("rotate", "leakton", *here, answers=renewal(wrong))
    rows = [",".join(four_answers(one)) for one in (first.credentials, wrong)]
    file = Path("districts.csv")
    file.write_text(
        "base_url,api_certificate,consumer_id,consumer_secret,district\n" + "\n".join(f"{row},d{row[-4:]}" for row in rows)
    )
    run("add", "--csv", str(file), "--dry-run", *here)
    file.unlink()
    for ended in ({"AWS_ENDPOINT_URL": "https://127.0.0.1:1"}, {"AWS_CA_BUNDLE": stage.sis.ca_file}):
        run("check", "leakton", *here, environment=ended)
    stage.screens.append(looked_at_while_it_asks(stage, added))


def looked_at_while_it_asks(stage: Stage, district: District) -> str:
    """The arguments and the environment of `add` when three of its questions are answered, and all that it says."""
    command = [PROGRAM, "add", district.name, "--no-wait", *stage.command_line.from_here]
    answers = four_answers(district.credentials)
    environment = {"PATH": os.environ["PATH"], **stage.aws.environment, **stage.environment}
    process = subprocess.Popen(command, env=environment, stdin=-1, stdout=-1, stderr=subprocess.STDOUT, text=True)
    assert process.stdin is not None
    process.stdin.write("".join(f"{answer}\n" for answer in answers[:3]))
    process.stdin.flush()
    time.sleep(2)
    looked_at = as_others_see(process.pid)
    said, _ = process.communicate(f"{answers[3]}\n", timeout=60)
    assert "Stored as" in said
    return looked_at + said
