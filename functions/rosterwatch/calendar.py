"""The school calendar: is school in session, when does it begin again, and which school year is running."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rosterwatch.observation import Term


def in_session(terms: Sequence[Term], today: date) -> bool:
    """Whether a term is running today."""
    return any(term.start <= today <= term.end for term in terms)


def next_term(terms: Sequence[Term], today: date) -> date | None:
    """The first day of the next term, if the calendar knows one."""
    return min((term.start for term in terms if term.start > today), default=None)


def school_year(today: date) -> str | None:
    """The school year that clearly runs on a day, as Aeries writes it (``2026-2027``).

    ``None`` from June to August: a district may then rightly have either year's database as its default, since the New Year
    Rollover happens some time in summer (reference section 1.10).
    """
    if today.month in (6, 7, 8):
        return None
    start = today.year if today.month >= 9 else today.year - 1
    return f"{start}-{start + 1}"
