"""Pure: a notice becomes the message that its readers understand: people, Amazon Q cards, pagers, or machines.

One notice, four dialects: ``text`` for mail, ``card`` for Amazon Q Developer in chat applications, ``alarm`` in the shape of a
CloudWatch alarm (which PagerDuty's and other pagers' SNS integrations take), ``event`` as JSON (``docs/event.schema.json``).
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from rosterwatch.causes import CAUSES
from rosterwatch.incidents import Incident, Kind, Notice
from rosterwatch.links import Links
from rosterwatch.times import lasting, moment

#: SNS: "less than 100 characters long", ASCII, no line breaks (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html).
SUBJECT_LENGTH: Final = 99
LINE_LENGTH: Final = 78
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
    facts = _Facts(incident, notice, links)
    return Message(_SUBJECTS[dialect](facts), _BODIES[dialect](facts), _attributes(facts))


class _Facts:
    """A notice laid out for writing: everything that more than one dialect says."""

    def __init__(self, incident: Incident, notice: Notice, links: Links) -> None:
        self.record: Mapping[str, Any] = notice.record
        self.kind, self.links = notice.kind, links
        self.key, self.number = incident.key, notice.number
        cause = CAUSES[incident.cause]
        self.cause, self.owner, self.scope, self.severity = cause.name, cause.owner.value, cause.scope.value, cause.severity.word
        self.districts: Sequence[str] = self.record["districts"]
        self.count: int = self.record["district_count"]
        self.opened_at = datetime.fromisoformat(self.record["opened_at"])
        self.told_at = datetime.fromisoformat(self.record["told_at"])
        self.is_over = notice.kind is Kind.RESOLVED
        self.group = incident.group

    @property
    def is_elsewhere(self) -> bool:
        """Whether all that it was about has left it for reasons of their own, and is told by itself."""
        return self.is_over and bool(self.record.get("moved"))

    @property
    def what(self) -> str:
        """What the incident is about, in a word or two."""
        kind, _, name = self.group.partition("/")
        if kind == "district":
            return name
        if kind == "host":
            return self.districts[0] if self.count == 1 else f"{self.count} districts on {name}"
        return "Rosterwatch"

    @property
    def headline(self) -> str:
        return str(self.record.get("headline") or CAUSES["monitor_network"].headline)

    @property
    def status(self) -> str:
        return "healthy" if self.is_over else str(self.record.get("status", "unknown"))

    @property
    def next_steps(self) -> Sequence[str]:
        return self.record.get("next_steps") or CAUSES["monitor_network"].next_steps

    @property
    def named(self) -> str:
        """The districts by name, and how many more there are."""
        more = self.count - len(self.districts)
        return ", ".join(self.districts) + (f" and {more} more" if more > 0 else "")

    @property
    def recheck(self) -> str | None:
        """The same as ``proof``, for who has our command line: it also waits for the verdict."""
        if not self.districts:
            return None
        stack = self.links.dispatch_function.removesuffix("-dispatch-districts")
        named = stack not in ("rosterwatch", self.links.dispatch_function)
        return f"rosterwatch recheck {self.districts[0]}" + (f" --stack {stack}" if named else "")

    @property
    def proof(self) -> str | None:
        """The command that visits again and so proves the fix."""
        if not self.districts:
            return None
        payload = json.dumps({"district": self.districts[0]})
        return (
            f"aws lambda invoke --function-name {self.links.dispatch_function} --cli-binary-format raw-in-base64-out "
            f"--payload '{payload}' /dev/stdout"
        )

    @property
    def dashboard(self) -> str | None:
        region, name = self.links.region, self.links.dashboard
        if not name or not region:
            return None
        return f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#dashboards/dashboard/{quote(name)}"

    @property
    def secret(self) -> str | None:
        """Where the console shows the secret; the console asks before it shows the value."""
        if self.count != 1 or not self.links.region:
            return None
        name = quote(self.links.secret_prefix + self.districts[0], safe="")
        return f"https://{self.links.region}.console.aws.amazon.com/secretsmanager/secret?name={name}&region={self.links.region}"

    @property
    def runbook(self) -> str:
        return f"{self.links.runbook_url or 'docs/causes.md'}#{self.cause}"

    @property
    def lasted(self) -> str:
        return lasting((self.told_at - self.opened_at).total_seconds())


# -- text -----------------------------------------------------------------------------------------------------------------------


def _text_subject(facts: _Facts) -> str:
    if facts.is_over:
        again = "sees again" if facts.group == "monitor" else "this is over" if facts.is_elsewhere else "healthy again"
        return _one_line(f"RESOLVED {facts.what}: {again}")
    marks = {Kind.CHANGED: " (changed)", Kind.UPDATED: " (more districts)", Kind.REMINDED: " (still)"}
    return _one_line(f"{facts.status.upper()}{marks.get(facts.kind, '')} {facts.what}: {facts.headline}")


def _text(facts: _Facts) -> str:
    lines = _resolved(facts) if facts.is_over else _broken(facts)
    return "\n".join(lines) + "\n"


def _broken(facts: _Facts) -> list[str]:
    record = facts.record
    verb = "are" if facts.group.startswith("host/") and facts.count > 1 else "is"
    before = record.get("previous_cause")
    lines = [*_wrapped(f"{facts.what} {verb} {facts.status}: {facts.headline}"), ""]
    lines += _table(
        {
            "Since": moment(facts.opened_at) + (f" ({facts.lasted})" if facts.kind is Kind.REMINDED else ""),
            "Last good": (record.get("last_good_at") or "never seen healthy") if facts.count == 1 else None,
            "Cause": f"{facts.cause} ({facts.severity})" + (f", before: {before}" if before else ""),
            "Whose move": facts.owner,
            "Server": record.get("url"),
            "Districts": facts.named if facts.count > 1 else None,
            "Collections": ", ".join(record.get("collections", ())),
            "Elsewhere": _elsewhere(record["failing_elsewhere"]),
        }
    )
    lines += ["", "What to do", *_listed(facts.next_steps, numbered=True)]
    for title, items in (("Evidence", record.get("evidence")), ("Also found", record.get("others"))):
        if items:
            lines += ["", title, *_listed(items)]
    if facts.proof:
        lines += ["", "Prove the fix with either of", f"  {facts.recheck}", f"  {facts.proof}"]
    links = {"Dashboard": facts.dashboard, "Secret": facts.secret, "Runbook": facts.runbook}
    lines += ["", *(f"{name + ':':<13} {link}" for name, link in links.items() if link)]
    return [*lines, f"{'Incident:':<13} {facts.key}", "", "A message follows when it is resolved."]


def _resolved(facts: _Facts) -> list[str]:
    if facts.group == "monitor":
        first = ["Rosterwatch can see again. The districts are visited as usual."]
    elif facts.is_elsewhere:
        first = [f"This is over. What is still wrong with {facts.named} is told by itself."]
    elif facts.count == 1:
        first = [f"{facts.what} is healthy again.", "Every required collection is readable and holds records."]
    else:
        first = [f"{facts.what} have recovered."]
    table = {
        "Resolved": moment(facts.told_at),
        "Broken since": moment(facts.opened_at),
        "Lasted": facts.lasted,
        "It was": f"{facts.headline} ({facts.cause})",
        "Districts": facts.named if facts.count > 1 else None,
        "Elsewhere": _elsewhere(facts.record["failing_elsewhere"]),
    }
    return [*first, "", *_table(table), "", f"Incident {facts.key} is closed. Nothing has to be done."]


def _elsewhere(count: int) -> str | None:
    if count < 1:
        return None
    return "1 other district is failing now" if count == 1 else f"{count} other districts are failing now"


def _wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    """Lines that a mail client need not break; a URL or a command inside stays whole."""
    return textwrap.wrap(
        text, LINE_LENGTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _listed(items: Sequence[str], *, numbered: bool = False) -> list[str]:
    marks = [f"{n}. " if numbered else "- " for n in range(1, len(items) + 1)]
    return [line for mark, item in zip(marks, items, strict=True) for line in _wrapped(item, f"  {mark}", "  " + " " * len(mark))]


def _table(rows: Mapping[str, str | None]) -> list[str]:
    return [line for name, value in rows.items() if value for line in _wrapped(value, f"{name + ':':<13} ", " " * 14)]


def _one_line(said: str) -> str:
    plain = "".join(character if " " <= character <= "~" else "?" for character in said)
    return plain if len(plain) <= SUBJECT_LENGTH else plain[: SUBJECT_LENGTH - 3] + "..."


# -- card: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html ----------------------------------------------


def _card(facts: _Facts) -> str:
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
                "title": _text_subject(facts),
                "description": "\n".join(lines)[:_CARD_TEXT],
                "nextSteps": steps,
                "keywords": [facts.cause, facts.severity, facts.owner],
            },
            "metadata": {
                "threadId": facts.key,
                "summary": _text_subject(facts),
                "eventType": f"rosterwatch.{facts.kind.value}",
                "relatedResources": list(facts.districts),
                "additionalContext": {"cause": facts.cause, "status": facts.status, "runbook": facts.runbook},
            },
        }
    )


# -- alarm: the shape of a CloudWatch alarm's message -----------------------------------------------------------------------------


def _alarm_subject(facts: _Facts) -> str:
    return _one_line(f'{_alarm_state(facts)}: "{_alarm_name(facts)}" in {facts.links.region or "unknown region"}')


def _alarm_state(facts: _Facts) -> str:
    return "OK" if facts.is_over else "ALARM"


def _alarm_name(facts: _Facts) -> str:
    return f"Rosterwatch {facts.group}"


def _alarm(facts: _Facts) -> str:
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


def _event(facts: _Facts) -> str:
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


def _attributes(facts: _Facts) -> dict[str, str]:
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


_SUBJECTS: Final[Mapping[str, Callable[[_Facts], str]]] = {
    "text": _text_subject,
    "card": _text_subject,
    "alarm": _alarm_subject,
    "event": _text_subject,
}
_BODIES: Final[Mapping[str, Callable[[_Facts], str]]] = {"text": _text, "card": _card, "alarm": _alarm, "event": _event}
