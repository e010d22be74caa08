"""The school calendar: is school in session, when does it begin again, and which school year is running."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from rosterwatch.observation import Term

#: Longer than any summer: terms that ended earlier, or begin later, are those of another school year.
_FAR: Final = timedelta(days=100)


#: So long after its last day a calendar that is only remembered may still say that school is out.
_REMEMBERED: Final = timedelta(days=75)


class Season(enum.Enum):
    """What the calendar and the default database say of a day together."""

    IN_SESSION = enum.auto()
    OUT = enum.auto()  # a holiday: between two terms, or between two school years
    WRONG_DATABASE = enum.auto()  # another year's database is the default
    WRONG_TERMS = enum.auto()  # the right year's database, with another year's terms in it
    UNKNOWN = enum.auto()


def season(terms: Sequence[Term], today: date, database_year: str | None) -> Season:
    """Which season it is. A term that is running settles it; no terms and no clear year leave it open."""
    if in_session(terms, today):
        return Season.IN_SESSION
    running = school_year(today)
    if database_year is not None and running is not None and database_year != running:
        return Season.WRONG_DATABASE
    if not terms:
        return Season.UNKNOWN
    ended, begins = max(term.end for term in terms), min(term.start for term in terms)
    return Season.WRONG_TERMS if today - ended > _FAR or begins - today > _FAR else Season.OUT


def remembered(terms: Sequence[Term], today: date) -> tuple[Term, ...]:
    """The terms of an earlier visit, as long as they tell something: through the summer after them, not into the next year."""
    return tuple(terms) if terms and today - max(term.end for term in terms) <= _REMEMBERED else ()


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
