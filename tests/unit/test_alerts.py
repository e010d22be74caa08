from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch.alerts import EVENT_VERSION, Message, render
from rosterwatch.cause import Severity
from rosterwatch.causes import CAUSES
from rosterwatch.diagnosis import diagnose
from rosterwatch.finding import Diagnosis
from rosterwatch.incidents import MOST_NAMED, Fleet, Incident, Kind, Notice, Problem
from rosterwatch.links import DIALECTS, Links
from rosterwatch.mail import LINE_LENGTH, SUBJECT_LENGTH
from rosterwatch.observation import CollectionState
from tests.unit.boards import HOUR, LINKS, MINUTE, Desk, Sick, broken
from tests.unit.observations import AT, CASES, HEALTHY, KNOWN, collection, collections, diagnosis_of, seen

TOLD = [name for name in CASES if CAUSES[name].severity > Severity.NOTE]
ALONE = [name for name in TOLD if CAUSES[name].scope.value != "host"]
SHARED = [name for name in TOLD if CAUSES[name].scope.value == "host"]
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "event.schema.json").read_text(encoding="utf-8"))
PROOF = (
    "aws lambda invoke --function-name rosterwatch-dispatch --cli-binary-format raw-in-base64-out "
    """--payload '{"district": "springfield"}' /dev/stdout"""
)
#: What Amazon Q Developer takes as a custom notification. It drops anything else without a word.
#: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
CARD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "source", "content"],
    "properties": {
        "version": {"const": "1.0"},
        "source": {"const": "custom"},
        "id": {"type": "string", "minLength": 1},
        "content": {
            "type": "object",
            "additionalProperties": False,
            "required": ["textType", "description"],
            "properties": {
                "textType": {"const": "client-markdown"},
                "title": {"type": "string", "minLength": 1},
                "description": {"type": "string", "minLength": 1},
                "nextSteps": {"type": "array", "items": {"type": "string", "minLength": 1}},
                "keywords": {"type": "array", "items": {"type": "string", "minLength": 1}},
            },
        },
        "metadata": {
            "type": "object",
            "additionalProperties": False,
            "required": ["threadId"],
            "properties": {
                "threadId": {"type": "string", "minLength": 1},
                "summary": {"type": "string"},
                "eventType": {"type": "string"},
                "relatedResources": {"type": "array", "items": {"type": "string"}},
                "additionalContext": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
    },
}
#: What receivers of CloudWatch's alarms read.
ALARM: dict[str, Any] = {
    "type": "object",
    "required": ["AlarmName", "NewStateValue", "OldStateValue", "NewStateReason", "StateChangeTime", "Region", "Trigger"],
    "properties": {
        "AlarmName": {"type": "string", "minLength": 1},
        "AlarmDescription": {"type": "string"},
        "NewStateValue": {"enum": ["ALARM", "OK"]},
        "OldStateValue": {"enum": ["ALARM", "OK"]},
        "NewStateReason": {"type": "string", "minLength": 1},
        "StateChangeTime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$"},
        "Region": {"type": "string"},
        "Trigger": {"type": "object", "required": ["Namespace", "MetricName", "Dimensions"]},
    },
}


def check(dialect: str, message: Message) -> Any:
    """What a message must be in its dialect; hands back what its body says."""
    assert 0 < len(message.subject) <= SUBJECT_LENGTH
    assert all(" " <= character <= "~" for character in message.subject)
    assert len(message.body.encode()) < 128 * 1024  # SNS takes 256 KiB, attributes and all
    assert len(message.attributes) <= 10  # raw delivery to a queue takes no more
    assert all(message.attributes.values())
    if dialect == "text":
        return message.body
    said = json.loads(message.body)
    jsonschema.Draft202012Validator({"card": CARD, "alarm": ALARM, "event": SCHEMA}[dialect]).validate(said)
    if dialect == "alarm":
        assert message.subject.startswith(said["NewStateValue"] + ": ")
    if dialect == "event":
        assert said["version"] == EVENT_VERSION
    return said


def told(incident: Incident, notice: Notice, links: Links = LINKS) -> dict[str, Any]:
    """A notice in every dialect."""
    return {dialect: check(dialect, render(dialect, incident, notice, links)) for dialect in DIALECTS}


def text(incident: Incident, notice: Notice, links: Links = LINKS) -> str:
    return str(check("text", render("text", incident, notice, links)))


def subject(incident: Incident, notice: Notice, dialect: str = "text") -> str:
    return render(dialect, incident, notice, LINKS).subject


def unwrapped(said: str) -> str:
    """The text as a reader takes it in, wherever its lines break."""
    return " ".join(said.split())


def opening(cause: str, name: str = "springfield") -> tuple[Incident, Notice]:
    desk = Desk()
    desk.look([broken(name, cause)], AT)
    [(incident, notice)] = desk.told
    assert notice.kind is Kind.OPENED
    return incident, notice


def story(*steps: Diagnosis, district: str = "springfield", apart: timedelta = 90 * MINUTE) -> list[tuple[Incident, Notice]]:
    """All that is told of a district whose visits came some time apart."""
    sick, desk = Sick(district), Desk()
    for number, diagnosis in enumerate(steps):
        at = AT + number * apart
        sick.saw(diagnosis, at)
        desk.look([sick.problem] if sick.problem and (sick.problem.recovered_at in (None, at)) else [], at)
    return desk.told


def down(districts: int) -> list[Problem]:
    return [broken(f"district-{number:04}", "unreachable_timeout") for number in range(districts)]


# -- the text ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", ALONE)
def test_an_opening_says_what_since_when_why_whose_move_and_how_it_is_proved(cause: str) -> None:
    incident, notice = opening(cause)
    said, finding = unwrapped(text(incident, notice)), diagnosis_of(cause).findings[0]
    headline = str(notice.record["headline"])
    assert said.startswith(f"springfield is {notice.record['status']}: {headline} Since: ")
    assert " Last good: 2026-10-06 13:05 UTC " in said
    assert f" Cause: {cause} ({finding.cause.severity.word}) Whose move: {finding.cause.owner} " in said
    assert " ".join(f"{number}. {step}" for number, step in enumerate(notice.record["next_steps"], 1)) in said
    assert " ".join(f"- {unwrapped(words)}" for words in notice.record["evidence"]) in said
    assert f" Prove the fix with either of rosterwatch recheck springfield {PROOF} Dashboard: " in said
    assert said.endswith(f" Incident: {incident.key} A message follows when it is resolved.")
    assert "None" not in said


@pytest.mark.parametrize("cause", TOLD)
def test_every_cause_is_told_in_every_dialect_within_its_shape(cause: str) -> None:
    said = told(*opening(cause))
    assert said["event"]["cause"] == cause
    assert said["card"]["content"]["nextSteps"][:-1] == said["event"]["next_steps"]
    assert said["alarm"]["NewStateValue"] == "ALARM"
    assert said["alarm"]["Cause"] == cause


@pytest.mark.parametrize("cause", TOLD)
def test_no_line_is_longer_than_a_mail_shows_but_commands_and_links_are_whole(cause: str) -> None:
    lines = text(*opening(cause)).splitlines()
    long = [line for line in lines if len(line) > LINE_LENGTH]
    assert f"  {PROOF}" in long
    assert all("https://" in line for line in long if line != f"  {PROOF}")


def test_the_whole_text_reads_from_what_broke_to_how_it_is_proved() -> None:
    assert (
        text(*opening("credentials_revoked"))
        == """\
springfield is failing: Consumer ID and Secret revoked: vendor record deleted,
recreated or unticked

Since:        2026-10-06 14:05 UTC
Last good:    2026-10-06 13:05 UTC
Cause:        credentials_revoked (page)
Whose move:   district administrator
Server:       https://sis.example.org/aeries

What to do
  1. In Aeries open Security > API Security and select the vendor record (for
     example "Incident IQ"). If it is gone or new, it was deleted and
     recreated: the old Consumer ID and Secret are dead for good.
  2. Under Change, make sure that the OneRoster box is ticked (newer Aeries:
     Type is "OneRoster"), then Update.
  3. Tick "Display Consumer ID & Secret Keys for OneRoster" and copy both
     values.
  4. Store them in the secret rosterwatch/springfield, and enter the same pair
     in the product that reads this district (in Incident IQ: the Aeries app >
     Settings).
  5. Nothing else has to be done: storing the secret starts a new visit.

Evidence
  - The same Consumer ID and Secret worked at 2026-10-06 13:05 UTC.
  - POST /token: 400 invalid_client, JSON, after 120 ms
  - The site is up: systeminfo answers (version 9.24.1.1, school year
    2026-2027)

Prove the fix with either of
  rosterwatch recheck springfield
  aws lambda invoke --function-name rosterwatch-dispatch --cli-binary-format \
raw-in-base64-out --payload '{"district": "springfield"}' /dev/stdout

Dashboard:    https://us-west-2.console.aws.amazon.com/cloudwatch/home?\
region=us-west-2#dashboards/dashboard/Rosterwatch
Secret:       https://us-west-2.console.aws.amazon.com/secretsmanager/secret?\
name=rosterwatch%2Fspringfield&region=us-west-2
Runbook:      https://docs.example.org/causes#credentials_revoked
Incident:     district/springfield/20261006T140500Z

A message follows when it is resolved.
"""
    )


def test_the_command_that_proves_the_fix_names_a_stack_that_is_not_called_as_usual() -> None:
    def said(function: str) -> str:
        return text(*opening("credentials_revoked"), replace(LINKS, dispatch_function=function))

    assert "\n  rosterwatch recheck springfield\n" in said("rosterwatch-dispatch-districts")
    assert "\n  rosterwatch recheck springfield --stack west\n" in said("west-dispatch-districts")


def test_links_that_lead_nowhere_are_left_out() -> None:
    said = text(*opening("credentials_revoked"), replace(LINKS, region="", dashboard="", runbook_url=""))
    assert "https://" not in said.replace("https://sis.example.org/aeries", "")
    assert "\nRunbook:      docs/causes.md#credentials_revoked\n" in said


def test_a_resolution_says_since_when_and_for_how_long_it_was_broken() -> None:
    _, (incident, notice) = story(HEALTHY, diagnosis_of("credentials_revoked"), HEALTHY)
    assert subject(incident, notice) == "RESOLVED springfield: healthy again"
    said = text(incident, notice)
    assert "\nResolved:     2026-10-06 17:05 UTC\nBroken since: 2026-10-06 15:35 UTC\nLasted:       1 h 30 min\n" in said
    assert "(credentials_revoked)" in said
    assert said.endswith(f"\nIncident {incident.key} is closed. Nothing has to be done.\n")
    assert subject(incident, notice, "alarm").startswith("OK: ")
    event = told(incident, notice)["event"]
    assert (event["status"], event["resolved_at"]) == ("healthy", "2026-10-06T17:05:00+00:00")


def test_a_change_names_the_cause_before_and_marks_the_subject() -> None:
    denied = diagnose(seen(collections=collections(users=collection("users", CollectionState.DENIED))), KNOWN)
    incident, notice = story(HEALTHY, diagnosis_of("credentials_revoked"), denied)[-1]
    assert subject(incident, notice).startswith("FAILING (changed) springfield: No permission to read users")
    assert "permission_missing (page), before: credentials_revoked" in text(incident, notice)
    assert "\nCollections:  users\n" in text(incident, notice)
    assert told(incident, notice)["event"]["previous_cause"] == "credentials_revoked"


def test_a_reminder_says_for_how_long_it_has_been_so_and_which_reminder_it_is() -> None:
    incident, notice = story(HEALTHY, *[diagnosis_of("credentials_revoked")] * 8, apart=HOUR)[-1]
    assert notice.kind is Kind.REMINDED
    assert subject(incident, notice).startswith("FAILING (still) springfield: ")
    assert "\nSince:        2026-10-06 15:05 UTC (4 h)\n" in text(incident, notice)
    assert told(incident, notice)["event"]["reminder"] == 1


def test_a_district_that_was_never_healthy_says_so() -> None:
    assert "\nLast good:    never seen healthy\n" in text(*story(diagnosis_of("credentials_wrong"))[-1])


def test_what_else_was_found_is_listed_and_a_flood_of_it_is_cut() -> None:
    both = diagnose(
        seen(collections=collections(users=collection("users", CollectionState.DENIED)), tls_expires_at=AT + timedelta(days=3)),
        KNOWN,
    )
    said = unwrapped(text(*story(both)[-1])).partition(" Also found ")[2]
    assert said.startswith(f"- {both.findings[1].headline} (certificate_expiring) Prove the fix ")
    _, notice = story(replace(both, findings=both.findings * 30))[-1]
    assert len(notice.record["others"]) == 20


def test_a_first_look_at_a_healthy_district_is_not_told() -> None:
    assert story(HEALTHY) == []


def test_it_says_how_many_other_districts_are_failing_now() -> None:
    for others, said in ((1, "1 other district is failing now"), (2, "2 other districts are failing now")):
        desk = Desk()
        desk.look([broken(f"other-{number}") for number in range(others)], AT)
        desk.look([broken("springfield"), *(broken(f"other-{number}") for number in range(others))], AT)
        assert f"\nElsewhere:    {said}\n" in text(*desk.told[-1])
    assert "Elsewhere:" not in text(*opening("credentials_revoked"))


# -- one host, many districts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("districts", [2, MOST_NAMED, MOST_NAMED + 1, 3000])
def test_a_host_is_one_message_however_many_districts_it_has_and_says_how_many_more(districts: int) -> None:
    desk = Desk(Fleet(10_000, 500))
    desk.look(down(districts), AT)
    [(incident, notice)] = desk.told
    said = told(incident, notice)
    first = unwrapped(said["text"])
    assert first.startswith(f"{districts} districts on sis.example.org are failing: No connection to sis.example.org")
    more = max(0, districts - MOST_NAMED)
    assert (f" and {more} more" in first) is (more > 0)
    assert (f" and {more} more" in said["card"]["content"]["description"]) is (more > 0)
    assert (f" and {more} more" in said["alarm"]["Districts"]) is (more > 0)
    assert (said["event"]["district_count"], len(said["event"]["districts"])) == (districts, min(districts, MOST_NAMED))
    assert "Secret:" not in said["text"]


def test_a_host_that_has_recovered_says_so_once_for_all() -> None:
    desk, sick = Desk(), [Sick(f"d{number}") for number in range(3)]
    for one in sick:
        one.saw(HEALTHY, AT - HOUR)
    desk.look([one.broke("unreachable_timeout", AT) for one in sick], AT)
    desk.look([one.recovered(AT + HOUR) for one in sick], AT + HOUR)
    incident, notice = desk.told[-1]
    assert subject(incident, notice) == "RESOLVED 3 districts on sis.example.org: healthy again"
    said = told(incident, notice)
    assert said["text"].startswith("3 districts on sis.example.org have recovered.\n")
    assert said["event"]["districts"] == ["d0", "d1", "d2"]


def test_a_monitor_that_cannot_see_blames_nobody() -> None:
    desk = Desk(Fleet(10, 5, blind_since=AT))
    desk.look([], AT + 2 * MINUTE)
    incident, notice = desk.told[-1]
    said = told(incident, notice)
    assert said["text"].startswith("Rosterwatch is unknown: The monitor cannot see: ")
    assert (said["event"]["districts"], said["event"]["cause"], said["event"]["owner"]) == ([], "monitor_network", "us")
    desk.fleet = Fleet(10, 5)
    desk.look([], AT + 30 * MINUTE)
    assert subject(*desk.told[-1]) == "RESOLVED Rosterwatch: sees again"
    assert text(*desk.told[-1]).startswith("Rosterwatch can see again.")
    told(*desk.told[-1])


# -- limits --------------------------------------------------------------------------------------------------------------------


def test_evidence_without_end_still_makes_messages_that_sns_takes() -> None:
    finding = diagnosis_of("credentials_revoked").findings[0]
    flood = replace(finding, evidence=tuple(f"line {number} " + "x" * 1000 for number in range(5000)))
    shown = told(*story(Diagnosis(diagnosis_of("credentials_revoked").status, (flood,)))[-1])
    assert "more lines of evidence" in unwrapped(shown["text"])
    assert "- line 0 xxx" in unwrapped(shown["text"])


def test_steps_and_headlines_without_end_still_make_messages_that_sns_takes() -> None:
    cause = replace(CAUSES["credentials_revoked"], headline="x" * 300_000, next_steps=("y " * 200_000,) * 5)
    finding = replace(diagnosis_of("credentials_revoked").findings[0], cause=cause)
    told(*story(Diagnosis(diagnosis_of("credentials_revoked").status, (finding,)))[-1])


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=200)


@given(names, st.sampled_from(TOLD))
def test_any_name_at_all_makes_messages_that_sns_takes(name: str, cause: str) -> None:
    for incident, notice in story(HEALTHY, *[diagnosis_of(cause)] * 3, HEALTHY, HEALTHY, district=name):
        said = told(incident, notice)
        assert unwrapped(name) in unwrapped(said["text"])
        assert said["event"]["districts"] == [name]


def test_a_name_with_accents_is_whole_in_the_text_and_readable_in_the_subject() -> None:
    incident, notice = story(diagnosis_of("credentials_wrong"), district="peña-école")[-1]
    assert subject(incident, notice).startswith("FAILING pe?a-?cole: ")
    assert text(incident, notice).startswith("peña-école is failing: ")
    assert told(incident, notice)["event"]["districts"] == ["peña-école"]


# -- what receivers sort and drop by ---------------------------------------------------------------------------------------------


def test_every_repetition_has_the_same_key_and_every_notice_of_an_incident_another() -> None:
    (incident, opened), (_, resolved) = story(diagnosis_of("credentials_wrong"), HEALTHY)
    assert render("text", incident, opened, LINKS) == render("text", incident, replace(opened), LINKS)
    keys = [render(dialect, incident, notice, LINKS).attributes["key"] for notice in (opened, resolved) for dialect in DIALECTS]
    assert keys == [f"{incident.key}/1"] * 4 + [f"{incident.key}/2"] * 4
    assert told(incident, opened)["event"]["id"] == keys[0]
    assert told(incident, opened)["card"]["metadata"]["threadId"] == incident.key


def test_attributes_are_what_a_subscription_filters_by() -> None:
    (incident, opened), (_, resolved) = story(diagnosis_of("credentials_wrong"), HEALTHY)
    assert render("event", incident, opened, LINKS).attributes == {
        "key": f"{incident.key}/1",
        "kind": "opened",
        "district": "springfield",
        "status": "failing",
        "cause": "credentials_wrong",
        "owner": "district administrator",
        "scope": "district",
        "severity": "page",
    }
    assert render("event", incident, resolved, LINKS).attributes["status"] == "healthy"
    [host] = [render("text", *one, LINKS) for one in [_host()]]
    assert "district" not in host.attributes


def _host() -> tuple[Incident, Notice]:
    desk = Desk()
    desk.look(down(2), AT)
    return desk.told[0]


def test_the_subject_of_an_alarm_begins_as_pagers_expect_and_its_name_stays_from_opening_to_end() -> None:
    (incident, opened), (_, resolved) = story(diagnosis_of("credentials_wrong"), HEALTHY)
    assert subject(incident, opened, "alarm") == 'ALARM: "Rosterwatch district/springfield" in us-west-2'
    assert subject(incident, resolved, "alarm") == 'OK: "Rosterwatch district/springfield" in us-west-2'
    assert [told(incident, notice)["alarm"]["AlarmName"] for notice in (opened, resolved)] == [
        "Rosterwatch district/springfield"
    ] * 2


def test_no_other_dialect_is_written() -> None:
    with pytest.raises(KeyError):
        render("morse", *opening("credentials_revoked"), LINKS)


def test_the_schema_of_events_is_one_and_knows_every_word_we_use() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    properties = SCHEMA["properties"]
    assert properties["version"]["const"] == EVENT_VERSION
    assert set(properties["kind"]["enum"]) == {kind.value for kind in Kind}
    assert set(SCHEMA["required"]) == set(properties) == set(told(*opening("credentials_revoked"))["event"])
    assert SCHEMA["additionalProperties"] is True  # what a later release adds does not break a reader of this one
