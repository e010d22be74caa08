"""The command line against the deployed stack: a district from the day it is added to the day it is removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.command_line import CommandLine, four_answers, leaks, renewal
from tests.local_aws import LocalAws, wait_for
from tests.sis import SimulatedSis
from tests.sis.school import PLANTED

pytestmark = pytest.mark.deploy


@pytest.fixture
def command_line(aws: LocalAws, sis: SimulatedSis) -> Iterator[CommandLine]:
    """A command line; when the test is over, no secret and nobody's name may be in anything that it said."""
    started = CommandLine(aws, sis)
    yield started
    said = "\n".join(started.everything)
    assert list(leaks(sis, said)) == []
    assert not [name for name in PLANTED if name in said]


def alerts_about(aws: LocalAws, district: str) -> list[str]:
    return [alert.attributes["kind"] for alert in aws.alerts() if alert.attributes.get("district") == district]


def statuses(command_line: CommandLine) -> dict[str, str]:
    found = json.loads(command_line.run("status", "--json").out)
    return {district["district"]: district["status"] for district in found["districts"]}


def add(command_line: CommandLine, name: str) -> None:
    """Add a district of the simulated SIS; the stack has seen it healthy then."""
    credentials = command_line.sis.district(name).credentials
    ended = command_line.run("add", name, *command_line.from_here, answers=four_answers(credentials))
    assert ended.code == 0, ended.said
    assert f"Stored as rosterwatch/{name}" in ended.out
    assert "The stack has visited it, too: healthy." in ended.out


def test_a_broken_district_is_seen_told_and_mended_from_the_command_line(
    command_line: CommandLine, aws: LocalAws, sis: SimulatedSis
) -> None:
    names = ("arkham", "haddonfield", "sunnydale")
    for name in names:
        sis.add_district(name)
        add(command_line, name)
    assert {name: statuses(command_line)[name] for name in names} == dict.fromkeys(names, "healthy")

    fresh = sis.district("arkham").admin.recreate_record()
    assert command_line.run("recheck", "arkham").code == 1
    seen = command_line.run("status", "arkham")
    assert seen.code == 1
    for words in (
        "FAILING arkham",
        "credentials_revoked",
        "district administrator",
        "Since:",
        "Last good:",
        "What to do",
        "Evidence",
    ):
        assert words in seen.out
    assert "Recent changes" in seen.out
    failing = json.loads(command_line.run("status", "--failing", "--json").out)
    assert "arkham" in {district["district"] for district in failing["districts"]}
    assert {district["status"] for district in failing["districts"]}.isdisjoint({"healthy"})
    wait_for(lambda: alerts_about(aws, "arkham") == ["opened"] or None, 30, "the alert")

    from_here = command_line.run("check", "arkham", *command_line.from_here)
    assert from_here.code == 1
    assert "credentials_revoked" in from_here.out

    before = aws.secrets.get_secret_value(SecretId="rosterwatch/arkham")["VersionId"]
    refused = command_line.run("rotate", "arkham", *command_line.from_here, answers=("f" * 64, "e" * 64, ""))
    assert refused.code == 1
    assert "Nothing is stored" in refused.err
    assert aws.secrets.get_secret_value(SecretId="rosterwatch/arkham")["VersionId"] == before

    mended = command_line.run("rotate", "arkham", *command_line.from_here, answers=renewal(fresh))
    assert mended.code == 0, mended.said
    assert "arkham is healthy: the stack has visited it with the new credentials." in mended.out
    assert "It was: credentials_revoked." in mended.out
    wait_for(lambda: alerts_about(aws, "arkham") == ["opened", "resolved"] or None, 30, "the resolution")
    assert command_line.run("status", "arkham").code == 0


def test_what_is_added_is_stored_as_it_was_proved_and_marked_as_ours(
    command_line: CommandLine, aws: LocalAws, sis: SimulatedSis
) -> None:
    credentials = sis.add_district("gotham").credentials
    pasted = credentials | {"base_url": credentials["base_url"] + "/Login.aspx"}
    ended = command_line.run("add", "gotham", "--no-wait", *command_line.from_here, answers=four_answers(pasted))
    assert ended.code == 0, ended.said
    assert "dropped the page 'Login.aspx'" in ended.out
    stored = aws.secrets.get_secret_value(SecretId="rosterwatch/gotham")["SecretString"]
    assert json.loads(stored) == credentials
    tags = aws.secrets.describe_secret(SecretId="rosterwatch/gotham")["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"application": "rosterwatch", "district": "gotham", "provider": "aeries"}
    again = command_line.run("add", "gotham")
    assert (again.code, again.out) == (2, "")
    assert "rosterwatch rotate gotham" in again.err


def test_what_is_not_healthy_is_not_stored_unless_it_is_forced(command_line: CommandLine, aws: LocalAws, sis: SimulatedSis) -> None:
    district = sis.add_district("metropolis")
    district.admin.untick("Classes")
    answers = four_answers(district.credentials)
    refused = command_line.run("add", "metropolis", *command_line.from_here, answers=answers)
    assert refused.code == 1
    assert "permission_missing" in refused.out
    assert "Nothing is stored" in refused.err
    assert command_line.run("remove", "metropolis").code == 2
    forced = command_line.run("add", "metropolis", "--force", *command_line.from_here, answers=answers)
    assert forced.code == 1
    assert "permission_missing" in forced.out
    assert "Stored as rosterwatch/metropolis" in forced.out
    assert statuses(command_line)["metropolis"] == "failing"


def test_an_address_that_is_no_aeries_url_is_refused_before_anything_is_visited(
    command_line: CommandLine, sis: SimulatedSis
) -> None:
    for answer in ("http://district.example.org/aeries", "district", ""):
        ended = command_line.run("add", "atlantis", answers=(answer, "", "a", "b"))
        assert ended.code == 2
        assert "URL" in ended.err
    assert command_line.run("add", "atlantis", answers=("https://district.example.org/aeries",)).code == 2
    assert command_line.run("add", "at lantis").code == 2


def test_many_are_added_from_a_file_and_running_it_again_adds_only_what_is_left(
    command_line: CommandLine, sis: SimulatedSis, tmp_path: Path
) -> None:
    good, mended = sis.add_district("innsmouth"), sis.add_district("dunwich")
    columns = ("base_url", "consumer_id", "consumer_secret", "api_certificate")
    file = tmp_path / "districts.csv"

    def write(second: dict[str, str]) -> None:
        lines = [",".join(("district", *columns))]
        for name, credentials in (("innsmouth", good.credentials), ("dunwich", second)):
            lines.append(",".join((name, *(str(credentials[column]) for column in columns))))
        file.write_text("\n".join([*lines, "kingsport,http://plain.example.org/aeries,a,b,"]) + "\n", encoding="utf-8")

    write({**mended.credentials, "consumer_secret": "0" * 64})
    dry = command_line.run("add", "--csv", str(file), "--dry-run", *command_line.from_here)
    assert dry.code == 1
    for words in ("innsmouth  healthy", "dunwich", "credentials_wrong", "kingsport", "base_url", "Nothing is stored."):
        assert words in dry.out
    assert command_line.run("add", "--csv", str(file), *command_line.from_here).code == 2  # there is nobody to ask
    first = command_line.run("add", "--csv", str(file), "--yes", *command_line.from_here)
    assert first.code == 1
    assert "1 district stored" in first.out
    assert "2 districts of the file left" in first.out
    write(dict(mended.credentials))
    second = command_line.run("add", "--csv", str(file), "--yes", *command_line.from_here)
    assert second.code == 1
    assert "stored already" in second.out
    assert "1 district stored" in second.out
    assert "1 district of the file left" in second.out


def test_a_mute_holds_the_alert_back_until_it_is_ended(command_line: CommandLine, aws: LocalAws, sis: SimulatedSis) -> None:
    district = sis.add_district("twilight")
    add(command_line, "twilight")
    assert command_line.run("mute", "twilight", "--for", "4h", "--reason", "a new server").code == 0
    assert command_line.run("mute", "twilite", "--for", "4h").code == 2
    district.admin.delete_record()
    assert command_line.run("recheck", "twilight").code == 1
    aws.invoke("AlertFunction", {"reason": "clock"})
    assert alerts_about(aws, "twilight") == []
    listed = command_line.run("mutes")
    assert "district/twilight" in listed.out
    assert "a new server" in listed.out
    assert "failing (muted)" in command_line.run("status", "--failing").out
    assert command_line.run("unmute", "twilight").code == 0
    assert command_line.run("unmute", "twilight").code == 2
    aws.invoke("AlertFunction", {"reason": "clock"})
    wait_for(lambda: alerts_about(aws, "twilight") == ["opened"] or None, 30, "the alert that was held back")


def test_a_window_is_stored_and_removed_by_its_name(command_line: CommandLine) -> None:
    zone = ("--at", "22:30", "--for", "6h", "--days", "mon-fri", "--zone", "America/Los_Angeles")
    made = command_line.run("mute", "all", "--window", "nights", *zone)
    assert made.code == 0, made.said
    assert json.loads(command_line.run("mutes", "--json").out)["windows"][0]["name"] == "nights"
    assert command_line.run("unmute", "--window", "nights").code == 0
    assert json.loads(command_line.run("mutes", "--json").out)["windows"] == []
    assert command_line.run("mute", "all", "--window", "nights", "--at", "22:30", "--for", "6h", "--zone", "Nowhere").code == 2


def test_a_removed_district_is_forgotten_and_its_alert_resolved(
    command_line: CommandLine, aws: LocalAws, sis: SimulatedSis
) -> None:
    district = sis.add_district("eureka")
    add(command_line, "eureka")
    district.admin.delete_record()
    command_line.run("recheck", "eureka")
    wait_for(lambda: alerts_about(aws, "eureka") == ["opened"] or None, 30, "the alert")
    still_there = command_line.run("remove", "eureka", "--yes")
    assert still_there.code == 2
    assert "--delete-secret" in still_there.err
    assert command_line.run("remove", "eureka", "--delete-secret").code == 2  # there is nobody to ask
    assert command_line.run("remove", "eureka", "--delete-secret", "--yes").code == 0
    assert "DeletedDate" in aws.secrets.describe_secret(SecretId="rosterwatch/eureka")
    assert [item for item in aws.items() if "eureka" in (item["sk"]["S"], item["pk"]["S"].partition("#")[2])] == []
    aws.invoke("AlertFunction", {"reason": "clock"})
    wait_for(lambda: alerts_about(aws, "eureka") == ["opened", "resolved"] or None, 30, "the resolution")
    # A visit that was under way, or is asked for now, brings nothing back.
    aws.invoke("CheckFunction", {"Records": [{"messageId": "1", "body": json.dumps({"district": "eureka"})}]})
    assert command_line.run("status", "eureka").code == 2
    assert command_line.run("recheck", "eureka").code == 2
    assert "restore-secret" in command_line.run("add", "eureka").err


def test_the_doctor_finds_the_stack_well_and_says_what_is_not(command_line: CommandLine, aws: LocalAws) -> None:
    queue = aws.outputs["UnsentAlertsUrl"]
    found = json.loads(command_line.run("doctor", "--json").out)
    names = {finding["name"]: finding["grade"] for finding in found["findings"]}
    assert names["schedule of visits"] == names["schedule of alerts"] == names["your rights"] == names["clock"] == "ok"
    aws.sqs.send_message(QueueUrl=queue, MessageBody="{}")
    try:
        ill = command_line.run("doctor")
    finally:
        aws.sqs.purge_queue(QueueUrl=queue)
    assert ill.code == 1
    assert "alerts that send_alerts gave up on" in ill.out


def test_whatever_goes_wrong_with_aws_is_a_sentence_and_exit_code_three(command_line: CommandLine, sis: SimulatedSis) -> None:
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    for arguments, environment, words in (
        (("status",), none, "no AWS credentials"),
        (("status", "--stack", "nowhere"), {}, "no stack nowhere in us-east-1"),
        (("status",), {"ROSTERWATCH_STACK": "elsewhere"}, "no stack elsewhere"),
        (("status", "--profile", "nobody"), {}, "--profile"),
        (("status",), {"AWS_ENDPOINT_URL": "https://127.0.0.1:1"}, "cannot be reached"),
        (("status",), {"AWS_CA_BUNDLE": sis.ca_file}, "not trusted"),
    ):
        ended = command_line.run(*arguments, environment=environment)
        assert (ended.code, ended.out) == (3, ""), ended
        assert words in ended.err
        assert len(ended.err.splitlines()) == 1
