"""Pure: a notice as people read it in their mail: what is wrong, since when, whose move it is, and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Final

from rosterwatch.incidents import Kind
from rosterwatch.telling import Telling
from rosterwatch.times import moment

#: SNS: "less than 100 characters long", ASCII, no line breaks (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html).
SUBJECT_LENGTH: Final = 99
LINE_LENGTH: Final = 78


def subject(facts: Telling) -> str:
    """The subject, as SNS takes it."""
    if facts.is_over:
        again = "sees again" if facts.group == "monitor" else "this is over" if facts.is_elsewhere else "healthy again"
        return one_line(f"RESOLVED {facts.what}: {again}")
    marks = {Kind.CHANGED: " (changed)", Kind.UPDATED: " (more districts)", Kind.REMINDED: " (still)"}
    return one_line(f"{facts.status.upper()}{marks.get(facts.kind, '')} {facts.what}: {facts.headline}")


def body(facts: Telling) -> str:
    """The text, in lines that a mail client need not break."""
    lines = _resolved(facts) if facts.is_over else _broken(facts)
    return "\n".join(lines) + "\n"


def _broken(facts: Telling) -> list[str]:
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


def _resolved(facts: Telling) -> list[str]:
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


def one_line(said: str) -> str:
    """Words as SNS takes them for a subject."""
    plain = "".join(character if " " <= character <= "~" else "?" for character in said)
    return plain if len(plain) <= SUBJECT_LENGTH else plain[: SUBJECT_LENGTH - 3] + "..."
