"""A transition as it is stored: a plain, versioned JSON document in people's words, from which an alert can be told again."""

from __future__ import annotations

from typing import Any, Final

from rosterwatch.alerts import RECORD_VERSION, shown
from rosterwatch.health import Transition

_MOST_OTHERS: Final = 20


def to_record(transition: Transition) -> dict[str, Any]:
    """The document for one transition; all times are texts for people, but ``seconds_open`` is a number."""
    finding = transition.finding
    opened = transition.opened_at
    return {
        "record": RECORD_VERSION,
        "key": transition.key,
        "number": transition.number,
        "district": transition.district,
        "change": transition.change.value,
        "at": shown(transition.at),
        "status": transition.status.value,
        "before": transition.before.value if transition.before else None,
        "before_cause": transition.before_cause,
        "since": shown(transition.since),
        "opened_at": shown(opened),
        "seconds_open": round((transition.at - opened).total_seconds()) if opened else None,
        "last_good_at": shown(transition.last_good_at),
        "cause": finding.cause.name if finding else None,
        "owner": finding.cause.owner.value if finding else None,
        "scope": finding.cause.scope.value if finding else None,
        "severity": finding.cause.severity.word if finding else None,
        "headline": finding.headline if finding else "healthy",
        "next_steps": list(finding.next_steps) if finding else [],
        "evidence": list(finding.evidence) if finding else [],
        "collections": list(finding.collections) if finding else [],
        "url": finding.facts.get("url") if finding else None,
        "others": [f"{other.headline} ({other.cause.name})" for other in transition.others[:_MOST_OTHERS]],
    }
