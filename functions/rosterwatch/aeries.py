"""Reads what Aeries' regular API tells: the site's version, year and clock, and the terms of its schools (reference 1.9)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, Final

from rosterwatch.observation import SystemInfo, Term

SYSTEMINFO: Final = "/api/v5/systeminfo"
SCHOOLS: Final = "/api/v5/schools"
MOST_TERMS: Final = 200
_MOST_ENTRIES: Final = 20_000


def system_info(document: Any) -> SystemInfo | None:
    """What systeminfo says, as far as it can be trusted."""
    if not isinstance(document, dict):
        return None
    version, year = document.get("AeriesVersion"), document.get("DatabaseYear")
    return SystemInfo(
        version if isinstance(version, str) and re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,5}){1,4}", version) else None,
        year if isinstance(year, str) and re.fullmatch(r"[0-9]{4}-[0-9]{4}", year) else None,
        _offset(document.get("CurrentDateTime")),
    )


def school_terms(schools: list[Any]) -> tuple[Term, ...]:
    """The distinct terms of Aeries' schools, dates only."""
    listed = [school.get("Terms") for school in schools if isinstance(school, dict)]
    return terms([entry for terms in listed if isinstance(terms, list) for entry in terms], "StartDate", "EndDate")


def terms(entries: list[Any], start: str, end: str) -> tuple[Term, ...]:
    """The distinct terms among the entries, in order, as far as their dates can be read."""
    found = (_term(entry.get(start), entry.get(end)) for entry in entries[:_MOST_ENTRIES] if isinstance(entry, dict))
    distinct = sorted({term for term in found if term is not None}, key=lambda term: (term.start, term.end))
    return tuple(distinct[:MOST_TERMS])


def _term(start: Any, end: Any) -> Term | None:
    try:
        term = Term(date.fromisoformat(start[:10]), date.fromisoformat(end[:10]))
    except (TypeError, ValueError):
        return None
    return term if term.start <= term.end else None


def _offset(moment: Any) -> float | None:
    """Aeries' clock minus ours in seconds. It writes seven digits of fraction, which Python reads from 3.11 on."""
    try:
        parsed = datetime.fromisoformat(moment) if isinstance(moment, str) and len(moment) < 40 else None
    except ValueError:
        return None
    return (parsed - datetime.now(UTC)).total_seconds() if parsed and parsed.tzinfo else None
