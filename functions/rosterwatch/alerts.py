"""Pure: a transition becomes the message that a person reads at 3 a.m.: what broke, since when, why, and whose move it is."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rosterwatch.evidence import moment

SUBJECT_LENGTH: Final = 100  # SNS: up to 100 ASCII characters, no line breaks
LINE_LENGTH: Final = 78
#: The version of the record below. Readers leave a higher one alone.
RECORD_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Alert:
    """One message. ``key`` is the same for every repetition of it; ``attributes`` are for subscription filters."""

    key: str
    subject: str
    text: str
    attributes: dict[str, str]


def to_alert(record: dict[str, Any], proof: str) -> Alert | None:
    """The alert for a stored transition's ``record`` (see ``state.py``), ``None`` if there is nothing to tell.

    ``proof`` is the command that visits the district again.
    """
    change = record["change"]
    if change not in ("opened", "changed", "resolved"):
        return None
    lines = _resolved(record) if change == "resolved" else _broken(record, proof)
    attributes = {
        "district": record["district"],
        "status": record["status"],
        "change": change,
        **{name: record[name] for name in ("cause", "owner", "scope", "severity") if record.get(name)},
    }
    return Alert(f"{record['key']}/{record['number']}", _subject(record), "\n".join(lines) + "\n", attributes)


def _subject(record: dict[str, Any]) -> str:
    if record["change"] == "resolved":
        said = f"RESOLVED {record['district']}: healthy again"
    else:
        word = record["status"].upper() + (" (changed)" if record["change"] == "changed" else "")
        said = f"{word} {record['district']}: {record['headline']}"
    plain = "".join(character if " " <= character <= "~" else "?" for character in said)
    return plain if len(plain) <= SUBJECT_LENGTH else plain[: SUBJECT_LENGTH - 3] + "..."


def _broken(record: dict[str, Any], proof: str) -> list[str]:
    lines = [*_wrapped(f"{record['district']} is {record['status']}: {record['headline']}"), ""]
    lines += _table(
        {
            "Since": record["since"],
            "Last good": record["last_good_at"] or "never seen healthy",
            "Cause": f"{record['cause']} ({record['severity']})"
            + (f", before: {record['before_cause']}" if record["before_cause"] else ""),
            "Whose move": record["owner"],
            "Server": record["url"],
            "Collections": ", ".join(record["collections"]),
        }
    )
    lines += ["", "What to do", *_listed(record["next_steps"], numbered=True)]
    if record["evidence"]:
        lines += ["", "Evidence", *_listed(record["evidence"])]
    if record["others"]:
        lines += ["", "Also found", *_listed(record["others"])]
    return [*lines, "", "Prove the fix", f"  {proof}", "", f"Incident {record['key']}. A message follows when it is resolved."]


def _resolved(record: dict[str, Any]) -> list[str]:
    lines = [f"{record['district']} is healthy again.", "Every required collection is readable and holds records.", ""]
    lines += _table(
        {
            "Resolved": record["at"],
            "Broken since": record["opened_at"],
            "Lasted": _lasted(record),
            "It was": record["before_cause"],
        }
    )
    return [*lines, "", f"Incident {record['key']} is closed. Nothing has to be done."]


def _wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    """Lines that a mail client need not break; a URL or a command inside stays whole."""
    return textwrap.wrap(
        text, LINE_LENGTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _listed(items: list[str], *, numbered: bool = False) -> list[str]:
    marks = [f"{n}. " if numbered else "- " for n in range(1, len(items) + 1)]
    return [line for mark, item in zip(marks, items, strict=True) for line in _wrapped(item, f"  {mark}", "  " + " " * len(mark))]


def _table(rows: dict[str, str | None]) -> list[str]:
    return [line for name, value in rows.items() if value for line in _wrapped(value, f"{name + ':':<13} ", " " * 14)]


def _lasted(record: dict[str, Any]) -> str | None:
    if not record["opened_at"]:
        return None
    minutes = round(record["seconds_open"] / 60)
    if minutes < 1:
        return "less than a minute"
    days, minutes = divmod(minutes, 24 * 60)
    parts = ((days, "d"), (minutes // 60, "h"), (minutes % 60, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def shown(at: datetime | None) -> str | None:
    """A time as a record keeps it for people."""
    return moment(at) if at else None
