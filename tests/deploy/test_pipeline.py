"""From a message on the queue to the alert, through the deployed stack, and what must not be lost or doubled on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.local_aws import REPOSITORY, Alert, LocalAws, LocalAwsError, wait_for
from tests.proof import Part
from tests.sis import SimulatedSis

pytestmark = pytest.mark.deploy


def status(aws: LocalAws, district: str) -> str | None:
    return next((item["status"]["S"] for item in aws.items("district") if item["sk"]["S"] == district), None)


def alerts_about(aws: LocalAws, district: str) -> list[Alert]:
    return [alert for alert in aws.alerts() if alert.attributes.get("district") == district]


def messages(*bodies: str) -> dict[str, Any]:
    """An event as SQS hands it to the function."""
    return {"Records": [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]}


def visit(district: str) -> str:
    return json.dumps({"district": district, "reason": "recheck"})


def watch(aws: LocalAws, sis: SimulatedSis, name: str, host: int = 0) -> Any:
    """A healthy district that has been seen healthy."""
    district = sis.add_district(name, host=host)
    aws.put_secret(name, dict(district.credentials))
    assert aws.invoke("CheckFunction", messages(visit(name))) == {"batchItemFailures": []}
    assert status(aws, name) == "healthy"
    return district


@pytest.mark.claim(
    "A recreated record is told once, with its cause and whose move it is, and so is its repair",
    part=Part.FAULTS,
    how="from the message on the queue to the alert topic, on the deployed stack",
)
def test_a_recreated_record_raises_one_alert_and_its_repair_one_resolution(aws: LocalAws, sis: SimulatedSis) -> None:
    district = watch(aws, sis, "greendale")
    district.admin.recreate_record()
    aws.invoke("DispatchFunction", {"district": "greendale"})
    [opened] = wait_for(lambda: alerts_about(aws, "greendale") or None, 30, "the alert")
    assert opened.attributes["cause"] == "credentials_revoked"
    assert opened.attributes["owner"] == "district administrator"
    for words in ("Since:", "Last good:", "What to do", "Security > API Security", "Evidence", "Prove the fix", "greendale"):
        assert words in opened.text

    aws.put_secret("greendale", dict(district.credentials))
    aws.invoke("DispatchFunction", {"district": "greendale"})
    wait_for(lambda: len(alerts_about(aws, "greendale")) == 2 or None, 30, "the resolution")
    [_, resolved] = alerts_about(aws, "greendale")
    assert resolved.attributes["kind"] == "resolved"
    assert resolved.attributes["key"] != opened.attributes["key"]
    assert resolved.subject == "RESOLVED greendale: healthy again"


@pytest.mark.claim(
    "In a batch each message gets its own end: garbage comes back, a hanging server and a bad secret cost no other its visit",
    part=Part.FAULTS,
    how="one batch of four, on the deployed stack",
)
def test_in_a_batch_each_message_gets_its_own_end(aws: LocalAws, sis: SimulatedSis) -> None:
    healthy = sis.add_district("lanford")
    aws.put_secret("lanford", dict(healthy.credentials))
    hanging = sis.add_district("twinpeaks")
    aws.put_secret("twinpeaks", dict(hanging.credentials))
    hanging.fail("stalls")
    aws.put_secret("dillon", {**healthy.credentials, "base_url": "http://sis.example.org/aeries"})
    try:
        answer = aws.invoke("CheckFunction", messages("garbage", visit("dillon"), visit("twinpeaks"), visit("lanford")))
    finally:
        hanging.heal()
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert status(aws, "lanford") == "healthy"
    assert status(aws, "dillon") == "unknown"
    # One strike is none yet, but it has been noted.
    [item] = [item for item in aws.items("district") if item["sk"]["S"] == "twinpeaks"]
    assert json.loads(item["state"]["S"])["suspected"] == "no_answer"
    [alert] = wait_for(lambda: alerts_about(aws, "dillon") or None, 30, "the alert about the secret")
    assert alert.attributes["cause"] == "secret_malformed"
    assert "base_url" in alert.text
    assert alert.attributes["owner"] == "us"


@pytest.mark.claim(
    "A message or a stream record that comes twice tells nothing twice",
    part=Part.FAULTS,
    how="both delivered again, in one batch and in two, on the deployed stack",
)
def test_a_message_or_a_stream_record_that_comes_twice_tells_nothing_twice(aws: LocalAws, sis: SimulatedSis) -> None:
    district = watch(aws, sis, "riverdale")
    district.admin.untick("Classes")
    for _ in range(2):
        assert aws.invoke("CheckFunction", messages(visit("riverdale"), visit("riverdale"))) == {"batchItemFailures": []}
    [alert] = wait_for(lambda: alerts_about(aws, "riverdale") or None, 30, "the alert")
    assert alert.attributes["cause"] == "permission_missing"
    assert "Scheduling > Classes" in alert.text
    record = json.loads((REPOSITORY / "events" / "stream.json").read_text())
    for _ in range(2):
        aws.invoke("AlertFunction", record)
    assert alerts_about(aws, "riverdale") == [alert]


@pytest.mark.claim(
    "While a topic refuses nothing is lost, and afterwards it is told once",
    part=Part.FAULTS,
    how="a topic whose policy denies publishing for a while, on the deployed stack",
)
def test_while_the_topic_refuses_nothing_is_lost_and_afterwards_it_is_told_once(aws: LocalAws, sis: SimulatedSis) -> None:
    district = watch(aws, sis, "fairview")
    with refusing(aws):
        district.admin.delete_record()
        aws.invoke("CheckFunction", messages(visit("fairview")))
        for _ in range(2):
            with pytest.raises(LocalAwsError, match="not accepted"):
                aws.invoke("AlertFunction", {"reason": "clock"})
        assert alerts_about(aws, "fairview") == []
    wait_for(lambda: alerts_about(aws, "fairview") or None, 120, "the alert, late")
    aws.invoke("AlertFunction", {"reason": "clock"})
    [alert] = alerts_about(aws, "fairview")
    assert alert.attributes["cause"] == "credentials_revoked"


@contextmanager
def refusing(aws: LocalAws) -> Iterator[None]:
    """SNS takes nothing for the alert topic meanwhile."""
    topic = aws.outputs["AlertTopicArn"]
    before = aws.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    statement = {"Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": topic}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    try:
        yield
    finally:
        aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=before)
