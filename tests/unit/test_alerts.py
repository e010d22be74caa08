from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch.alerts import LINE_LENGTH, SUBJECT_LENGTH, Alert, to_alert
from rosterwatch.causes import CAUSES, Severity
from rosterwatch.diagnosis import Diagnosis, diagnose
from rosterwatch.health import Lesson, Transition, advance
from rosterwatch.observation import CollectionState
from rosterwatch.record import to_record
from tests.unit.observations import AT, CASES, HEALTHY, KNOWN, collection, collections, diagnosis_of, seen

PROOF = "aws lambda invoke --function-name dispatch ..."
TOLD = [name for name in CASES if CAUSES[name].severity > Severity.NOTE]


def story(*diagnoses: Diagnosis, district: str = "springfield", minutes: float = 90) -> list[dict[str, Any]]:
    """The records of all transitions of visits that came some minutes apart, as they come back from the table."""
    state, records = None, []
    for number, diagnosis in enumerate(diagnoses):
        state, transition = advance(state, district, diagnosis, Lesson(), AT + number * timedelta(minutes=minutes))
        if isinstance(transition, Transition):
            records.append(json.loads(json.dumps(to_record(transition))))
    return records


def alert(record: dict[str, Any]) -> Alert:
    told = to_alert(record, PROOF)
    assert told is not None
    return told


def unwrapped(text: str) -> str:
    """The text as a reader takes it in, wherever its lines break."""
    return " ".join(text.split())


def opening(cause: str) -> dict[str, Any]:
    return story(HEALTHY, *[diagnosis_of(cause)] * CAUSES[cause].patience)[-1]


@pytest.mark.parametrize("cause", TOLD)
def test_an_opening_says_what_since_when_why_whose_move_and_how_it_is_proved(cause: str) -> None:
    record, finding = opening(cause), diagnosis_of(cause).findings[0]
    text = unwrapped(alert(record).text)
    assert text.startswith(f"springfield is {record['status']}: {finding.headline} Since: ")
    assert " Since: 2026-10-06 15:35 UTC Last good: 2026-10-06 14:05 UTC " in text
    assert f" Cause: {cause} ({finding.cause.severity.word}) Whose move: {finding.cause.owner} " in text
    assert " ".join(f"{number}. {step}" for number, step in enumerate(finding.next_steps, 1)) in text
    assert " ".join(f"- {unwrapped(words)}" for words in finding.evidence) in text
    assert text.endswith(f" Prove the fix {PROOF} Incident springfield/2. A message follows when it is resolved.")
    assert "None" not in text


@pytest.mark.parametrize("cause", TOLD)
def test_no_line_is_longer_than_a_mail_shows_and_the_command_is_whole(cause: str) -> None:
    proof = "aws lambda invoke " + "x" * 200
    told = to_alert(opening(cause), proof)
    assert told is not None
    lines = told.text.splitlines()
    assert [line for line in lines if len(line) > LINE_LENGTH and " " in line.strip(" -")] == [f"  {proof}"]


@pytest.mark.parametrize("cause", TOLD)
def test_a_subject_is_at_most_a_hundred_printable_ascii_characters(cause: str) -> None:
    subject = alert(opening(cause)).subject
    assert 0 < len(subject) <= SUBJECT_LENGTH
    assert all(" " <= character <= "~" for character in subject)
    assert subject.startswith(f"{diagnosis_of(cause).status.upper()} springfield: ")


def test_the_whole_text_reads_from_what_broke_to_how_it_is_proved() -> None:
    paragraphs = alert(opening("credentials_revoked")).text.split("\n\n")
    assert [paragraph.split("\n", 1)[0] for paragraph in paragraphs[2:5]] == ["What to do", "Evidence", "Prove the fix"]
    assert (
        paragraphs[1]
        == """\
Since:        2026-10-06 15:35 UTC
Last good:    2026-10-06 14:05 UTC
Cause:        credentials_revoked (page)
Whose move:   district administrator
Server:       https://sis.example.org/aeries"""
    )
    assert (
        paragraphs[3]
        == """\
Evidence
  - The same Consumer ID and Secret worked at 2026-10-06 13:05 UTC.
  - POST /token: 400 invalid_client, JSON, after 120 ms
  - The site is up: systeminfo answers (version 9.24.1.1, school year
    2026-2027)"""
    )
    assert paragraphs[4:] == [f"Prove the fix\n  {PROOF}", "Incident springfield/2. A message follows when it is resolved.\n"]


def test_a_resolution_says_since_when_and_for_how_long_it_was_broken() -> None:
    resolved = alert(story(HEALTHY, diagnosis_of("credentials_revoked"), HEALTHY)[-1])
    assert resolved.subject == "RESOLVED springfield: healthy again"
    assert "\nResolved:     2026-10-06 17:05 UTC\n" in resolved.text
    assert "\nBroken since: 2026-10-06 15:35 UTC\n" in resolved.text
    assert "\nLasted:       1 h 30 min\n" in resolved.text
    assert "\nIt was:       credentials_revoked\n" in resolved.text
    assert resolved.text.endswith("\nIncident springfield/2 is closed. Nothing has to be done.\n")


@pytest.mark.parametrize(("minutes", "said"), [(0.2, "less than a minute"), (59, "59 min"), (60, "1 h"), (1501, "1 d 1 h 1 min")])
def test_a_duration_is_told_in_the_unit_that_a_person_would_use(minutes: float, said: str) -> None:
    record = story(HEALTHY, diagnosis_of("credentials_revoked"), HEALTHY, minutes=minutes)[-1]
    assert f"\nLasted:       {said}\n" in alert(record).text


def test_a_change_names_the_cause_before_and_marks_the_subject() -> None:
    denied = diagnose(seen(collections=collections(users=collection("users", CollectionState.DENIED))), KNOWN)
    changed = alert(story(HEALTHY, diagnosis_of("credentials_revoked"), denied)[-1])
    assert changed.subject.startswith("FAILING (changed) springfield: No permission to read users")
    assert "permission_missing (page), before: credentials_revoked" in changed.text
    assert "\nCollections:  users\n" in changed.text


def test_a_district_that_was_never_healthy_says_so() -> None:
    assert "\nLast good:    never seen healthy\n" in alert(story(diagnosis_of("credentials_wrong"))[-1]).text


def test_what_else_was_found_is_listed_and_a_flood_of_it_is_cut() -> None:
    both = diagnose(
        seen(collections=collections(users=collection("users", CollectionState.DENIED)), tls_expires_at=AT + timedelta(days=3)),
        KNOWN,
    )
    record = story(both)[-1]
    others = unwrapped(alert(record).text).partition(" Also found ")[2]
    assert others.startswith(f"- {both.findings[1].headline} (certificate_expiring) Prove the fix ")
    transition = advance(None, "springfield", replace(both, findings=both.findings * 30), Lesson(), AT)[1]
    assert transition is not None
    assert len(to_record(transition)["others"]) == 20


def test_a_first_look_at_a_healthy_district_is_not_told() -> None:
    (record,) = story(HEALTHY)
    assert record["change"] == "first_seen"
    assert to_alert(record, PROOF) is None


def test_an_unknown_change_is_not_told() -> None:
    assert to_alert({"change": "reminded"}, PROOF) is None


def test_every_repetition_has_the_same_key_and_every_alert_of_an_incident_another() -> None:
    opened, resolved = story(diagnosis_of("credentials_wrong"), HEALTHY)
    assert alert(opened) == alert(dict(opened))
    assert (alert(opened).key, alert(resolved).key) == ("springfield/1/1", "springfield/1/2")


def test_attributes_are_what_a_subscription_filters_by_and_never_empty() -> None:
    opened, resolved = story(diagnosis_of("credentials_wrong"), HEALTHY)
    assert alert(opened).attributes == {
        "district": "springfield",
        "status": "failing",
        "change": "opened",
        "cause": "credentials_wrong",
        "owner": "district administrator",
        "scope": "district",
        "severity": "page",
    }
    assert alert(resolved).attributes == {"district": "springfield", "status": "healthy", "change": "resolved"}


def test_a_record_is_plain_json_and_names_its_version() -> None:
    (record,) = story(diagnosis_of("credentials_wrong"))
    assert record["record"] == 1
    assert (record["key"], record["number"], record["before"], record["seconds_open"]) == ("springfield/1", 1, None, None)
    assert record["url"] == "https://sis.example.org/aeries"


def test_a_secret_fault_has_an_alert_without_a_server() -> None:
    text = alert(story(diagnosis_of("secret_malformed"))[-1]).text
    assert "Server:" not in text
    assert "rosterwatch/springfield" in text


names = st.text(min_size=1, max_size=200)


@given(names, st.sampled_from(TOLD))
def test_any_name_at_all_makes_a_subject_that_sns_takes(name: str, cause: str) -> None:
    for record in story(HEALTHY, *[diagnosis_of(cause)] * 3, HEALTHY, district=name)[1:]:
        told = alert(record)
        assert len(told.subject) <= SUBJECT_LENGTH
        assert told.subject.isascii()
        assert told.subject.isprintable()
        assert unwrapped(name) in unwrapped(told.text)


def test_a_name_with_accents_is_whole_in_the_text_and_readable_in_the_subject() -> None:
    told = alert(story(diagnosis_of("credentials_wrong"), district="peña-école")[-1])
    assert told.subject.startswith("FAILING pe?a-?cole: ")
    assert told.text.startswith("peña-école is failing: ")
