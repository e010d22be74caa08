"""A transition as it is stored: a plain, versioned JSON document in people's words, from which an alert can be told again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from rosterwatch.health import Transition
from rosterwatch.times import moment

#: Which version of the document is written.
RECORD_VERSION: Final = 1
#: What a record keeps of lists and texts without end, so that it fits into an item and each of its messages into SNS.
_MOST_OTHERS: Final = 20
_MOST_LINES: Final = 20
_LONGEST_TEXT: Final = 600


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
        "at": _shown(transition.at),
        "status": transition.status.value,
        "before": transition.before.value if transition.before else None,
        "before_cause": transition.before_cause,
        "since": _shown(transition.since),
        "opened_at": _shown(opened),
        "seconds_open": round((transition.at - opened).total_seconds()) if opened else None,
        "last_good_at": _shown(transition.last_good_at),
        "cause": finding.cause.name if finding else None,
        "owner": finding.cause.owner.value if finding else None,
        "scope": finding.cause.scope.value if finding else None,
        "severity": finding.cause.severity.word if finding else None,
        "headline": _short(finding.headline) if finding else "healthy",
        "next_steps": _few(finding.next_steps, "steps") if finding else [],
        "evidence": _few(finding.evidence, "lines of evidence") if finding else [],
        "collections": list(finding.collections) if finding else [],
        "url": finding.facts.get("url") if finding else None,
        "others": [_short(f"{other.headline} ({other.cause.name})") for other in transition.others[:_MOST_OTHERS]],
    }


def _few(texts: Sequence[str], what: str) -> list[str]:
    kept = [_short(text) for text in texts[:_MOST_LINES]]
    more = len(texts) - len(kept)
    return [*kept, f"... and {more} more {what}"] if more else kept


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."


def _shown(at: datetime | None) -> str | None:
    return moment(at) if at else None
