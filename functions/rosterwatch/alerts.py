"""Pure: a notice becomes the message that its readers understand: people, Amazon Q cards, pagers, or machines.

One notice, four dialects: ``text`` for mail, ``card`` for Amazon Q Developer in chat applications, ``alarm`` in the shape of a
CloudWatch alarm (which PagerDuty's and other pagers' SNS integrations take), ``event`` as JSON (``docs/event.schema.json``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rosterwatch import mail
from rosterwatch.incidents import Incident, Kind, Notice
from rosterwatch.links import Links
from rosterwatch.telling import Telling
from rosterwatch.times import moment

#: Of the event dialect; it changes only when a reader of the old one would misunderstand the new one.
EVENT_VERSION: Final = "1.0"
_CARD_TEXT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message for one topic. ``attributes`` are for subscription filters; ``key`` among them drops repetitions."""

    subject: str
    body: str
    attributes: Mapping[str, str]


def render(dialect: str, incident: Incident, notice: Notice, links: Links) -> Message:
    """The message of a notice in one of ``DIALECTS``. Raises KeyError for another."""
    facts = Telling(incident, notice, links)
    return Message(_SUBJECTS[dialect](facts), _BODIES[dialect](facts), _attributes(facts))


# -- card: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html ----------------------------------------------


def _card(facts: Telling) -> str:
    record = facts.record
    lines = [f"*Since* {moment(facts.opened_at)}", f"*Cause* {facts.cause} ({facts.severity})", f"*Whose move* {facts.owner}"]
    if facts.count > 1:
        lines.append(f"*Districts* {facts.named}")
    lines += [f"- {word}" for word in record.get("evidence", ())[:5]] if not facts.is_over else [f"*Lasted* {facts.lasted}"]
    steps = [] if facts.is_over else [*facts.next_steps, *([f"Prove the fix: `{facts.proof}`"] if facts.proof else [])]
    return json.dumps(
        {
            "version": "1.0",
            "source": "custom",
            "id": f"{facts.key}/{facts.number}",
            "content": {
                "textType": "client-markdown",
                "title": mail.subject(facts),
                "description": "\n".join(lines)[:_CARD_TEXT],
                "nextSteps": steps,
                "keywords": [facts.cause, facts.severity, facts.owner],
            },
            "metadata": {
                "threadId": facts.key,
                "summary": mail.subject(facts),
                "eventType": f"rosterwatch.{facts.kind.value}",
                "relatedResources": list(facts.districts),
                "additionalContext": {"cause": facts.cause, "status": facts.status, "runbook": facts.runbook},
            },
        }
    )


# -- alarm: the shape of a CloudWatch alarm's message -----------------------------------------------------------------------------


def _alarm_subject(facts: Telling) -> str:
    return mail.one_line(f'{_alarm_state(facts)}: "{_alarm_name(facts)}" in {facts.links.region or "unknown region"}')


def _alarm_state(facts: Telling) -> str:
    return "OK" if facts.is_over else "ALARM"


def _alarm_name(facts: Telling) -> str:
    return f"Rosterwatch {facts.group}"


def _alarm(facts: Telling) -> str:
    reason = f"{facts.what}: {facts.headline} ({facts.cause}). Whose move: {facts.owner}."
    return json.dumps(
        {
            "AlarmName": _alarm_name(facts),
            "AlarmDescription": facts.headline,
            "NewStateValue": _alarm_state(facts),
            "OldStateValue": "OK" if facts.kind is Kind.OPENED else "ALARM",
            "NewStateReason": reason,
            "StateChangeTime": facts.told_at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
            "Region": facts.links.region,
            "IncidentKey": facts.key,
            "Cause": facts.cause,
            "Severity": facts.severity,
            "Owner": facts.owner,
            "Districts": facts.named,
            "NextSteps": list(facts.next_steps),
            "Evidence": list(facts.record.get("evidence", ())),
            "Runbook": facts.runbook,
            "Trigger": {"Namespace": "Rosterwatch", "MetricName": facts.cause, "Dimensions": []},
        }
    )


# -- event: docs/event.schema.json -----------------------------------------------------------------------------------------------


def _event(facts: Telling) -> str:
    record = facts.record
    return json.dumps(
        {
            "version": EVENT_VERSION,
            "id": f"{facts.key}/{facts.number}",
            "incident": facts.key,
            "kind": facts.kind.value,
            "at": facts.told_at.isoformat(),
            "opened_at": facts.opened_at.isoformat(),
            "resolved_at": facts.told_at.isoformat() if facts.is_over else None,
            "status": facts.status,
            "cause": facts.cause,
            "previous_cause": record.get("previous_cause"),
            "scope": facts.scope,
            "owner": facts.owner,
            "severity": facts.severity,
            "headline": facts.headline,
            "next_steps": list(facts.next_steps),
            "evidence": list(record.get("evidence", ())),
            "also_found": list(record.get("others", ())),
            "group": facts.group,
            "districts": list(facts.districts),
            "district_count": facts.count,
            "collections": list(record.get("collections", ())),
            "failing_elsewhere": record["failing_elsewhere"],
            "reminder": record["reminder"],
            "url": record.get("url"),
            "last_good_at": record.get("last_good_at"),
            "dashboard": facts.dashboard,
            "runbook": facts.runbook,
        }
    )


def _attributes(facts: Telling) -> dict[str, str]:
    return {
        "key": f"{facts.key}/{facts.number}",
        "kind": facts.kind.value,
        "status": facts.status,
        "cause": facts.cause,
        "owner": facts.owner,
        "scope": facts.scope,
        "severity": facts.severity,
        **({"district": facts.districts[0]} if facts.count == 1 else {}),
    }


_SUBJECTS: Final[Mapping[str, Callable[[Telling], str]]] = {
    "text": mail.subject,
    "card": mail.subject,
    "alarm": _alarm_subject,
    "event": mail.subject,
}
_BODIES: Final[Mapping[str, Callable[[Telling], str]]] = {"text": mail.body, "card": _card, "alarm": _alarm, "event": _event}
