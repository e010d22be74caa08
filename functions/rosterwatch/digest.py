"""Pure: the daily digest. One message that says what is failing, since when, whose move it is, and what expires soon."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rosterwatch.alerts import Message
from rosterwatch.cause import Severity
from rosterwatch.causes import CAUSES
from rosterwatch.incidents import Incident
from rosterwatch.mail import SUBJECT_LENGTH
from rosterwatch.times import lasting, moment

EXPIRING = ("certificate_expiring", "credentials_expiring")
_MOST_LINES = 200  # the rest is counted: a message may have 256 KiB


def digest(incidents: Sequence[Incident], districts: int, now: datetime) -> Message:
    """The digest of the open ``incidents`` of a fleet of so many ``districts``."""
    still_open = [incident for incident in incidents if incident.is_open]
    expiring = [incident for incident in still_open if incident.cause in EXPIRING]
    failing = [incident for incident in still_open if incident.cause not in EXPIRING]
    count = len({name for incident in failing for name in incident.members})
    said = (
        f"Rosterwatch: {count} of {districts} districts need attention"
        if failing
        else f"Rosterwatch: all {districts} districts healthy"
    )
    lines = [f"{said}, {moment(now)}.", *_section("Needs attention", failing, now), *_section("Expires soon", expiring, now)]
    return Message(
        said[:SUBJECT_LENGTH], "\n".join(lines) + "\n", {"kind": "digest", "status": "failing" if failing else "healthy"}
    )


def _section(title: str, incidents: Sequence[Incident], now: datetime) -> list[str]:
    if not incidents:
        return []
    ordered = sorted(incidents, key=lambda incident: (-CAUSES[incident.cause].severity, incident.opened_at, incident.key))
    lines = ["", title]
    for incident in ordered[:_MOST_LINES]:
        cause = CAUSES[incident.cause]
        lines += [
            f"  {_what(incident)}: {incident.record.get('headline') or cause.headline}",
            f"    for {lasting((now - incident.opened_at).total_seconds())}; whose move: {cause.owner.value}"
            + ("" if cause.severity is Severity.PAGE else f"; {cause.severity.word}"),
        ]
    more = len(ordered) - _MOST_LINES
    return [*lines, f"  and {more} more"] if more > 0 else lines


def _what(incident: Incident) -> str:
    kind, _, name = incident.group.partition("/")
    if kind == "district":
        return name
    return f"{len(incident.members)} on {name}" if kind == "host" else "the monitor itself"
