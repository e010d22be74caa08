"""The fleet and one district, from what is stored: as JSON documents, and as a person at a terminal reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from rosterwatch.causes import CAUSES
from rosterwatch.finding import Status
from rosterwatch.health import State
from rosterwatch.mute import Mute, Window, is_muted
from rosterwatch.oneroster import ENVELOPES
from rosterwatch.state import StateError
from rosterwatch.terminal import STATUS_COLOURS
from rosterwatch.times import lasting, moment

_WORST_FIRST: Final = (Status.FAILING, Status.UNKNOWN, Status.DEGRADED, Status.HEALTHY)
#: From this width on a terminal has room for all columns.
WIDE: Final = 110
_ENDS: Final = {"resolved": "healthy again", "first_seen": "first seen, healthy"}


@dataclass(frozen=True, slots=True)
class Row:
    """One district of the fleet. ``state`` may be an error: what is stored cannot be read."""

    district: str
    state: State | StateError
    muted: bool = False

    @property
    def status(self) -> Status:
        """How it stands, as far as that can be said."""
        return self.state.status if isinstance(self.state, State) else Status.UNKNOWN

    @property
    def order(self) -> tuple[int, float, str]:
        """Failing first, and what has failed for longest first of those."""
        since = self.state.since.timestamp() if isinstance(self.state, State) else 0.0
        return _WORST_FIRST.index(self.status), since, self.district


def rows(
    states: Iterable[tuple[str, State | StateError]], mutes: Sequence[Mute], windows: Sequence[Window], now: datetime
) -> list[Row]:
    """The fleet in the order of what needs attention."""
    found = []
    for district, state in states:
        host = state.host if isinstance(state, State) else None
        targets = [f"district/{district}", *([f"host/{host}"] if host else [])]
        found.append(Row(district, state, is_muted(targets, mutes, windows, now)))
    return sorted(found, key=lambda row: row.order)


# -- JSON -----------------------------------------------------------------------------------------------------------------------


def fleet_to_json(stack: str, fleet: Sequence[Row], now: datetime) -> dict[str, Any]:
    """The object that ``status --json`` prints."""
    counts = Counter(row.status for row in fleet)
    return {
        "stack": stack,
        "at": now.isoformat(),
        "counts": {status.value: counts[status] for status in Status},
        "districts": [row_to_json(row) for row in fleet],
    }


def row_to_json(row: Row) -> dict[str, Any]:
    """One district of it. Times are ISO 8601, in UTC; what is not known is null."""
    state = row.state
    if isinstance(state, StateError):
        return {"district": row.district, "status": row.status.value, "cause": None, "problem": f"the stored state is {state}"}
    cause = CAUSES.get(state.cause) if state.cause else None
    return {
        "district": row.district,
        "status": state.status.value,
        "cause": state.cause,
        "owner": cause.owner.value if cause else None,
        "severity": cause.severity.word if cause else None,
        "since": state.since.isoformat(),
        "last_good_at": _iso(state.last_good_at),
        "visited_at": state.visited_at.isoformat(),
        "host": state.host,
        "collections": [name for name in state.concerned if name in ENVELOPES],
        "suspected": state.suspected,
        "unknown_since": _iso(state.unknown_since),
        "not_before": _iso(state.not_before),
        "muted": row.muted,
    }


def district_to_json(row: Row, record: Mapping[str, Any] | None, changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One district in full. ``record`` is what was last told of what is wrong with it."""
    told = record or {}
    return row_to_json(row) | {
        "headline": told.get("headline"),
        "url": told.get("url"),
        "evidence": list(told.get("evidence", ())),
        "next_steps": list(told.get("next_steps", ())),
        "also_found": list(told.get("others", ())),
        "changes": [
            {name: change.get(name) for name in ("at", "change", "status", "cause", "headline", "before_cause")}
            for change in changes
        ],
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


# -- for people -----------------------------------------------------------------------------------------------------------------


def fleet_table(fleet: Sequence[Row], shown: Sequence[Row], now: datetime, width: int = WIDE) -> RenderableType:
    """The table, and a line of counts over the whole fleet below it. What does not fit on a narrow terminal is left out."""
    columns = ("District", "Status", "Cause", "For", "Seen", "Whose move", "Last good")[: 7 if width >= WIDE else 5]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("Status", "Cause"))
    for row in shown:
        table.add_row(row.district, *_cells(row, now)[: len(columns) - 1])
    counts = Counter(row.status for row in fleet)
    words = ", ".join(f"{counts[status]} {status.value}" for status in _WORST_FIRST if counts[status])
    muted = sum(row.muted for row in shown)
    line = f"{len(fleet)} district{'s' if len(fleet) != 1 else ''}: {words}" + (f"; {muted} of those shown muted" if muted else "")
    return Group(table, Text(""), Text(line, style="dim")) if shown else Text(line)


def _cells(row: Row, now: datetime) -> list[RenderableType]:
    state, status = row.state, Text(row.status.value, style=STATUS_COLOURS[row.status])
    if row.muted:
        status.append(" (muted)", style="dim")
    if isinstance(state, StateError):
        return [status, f"the stored state is {state}", "-", "-", "us", "-"]
    cause = CAUSES.get(state.cause) if state.cause else None
    named = state.cause or (f"({state.suspected}?)" if state.suspected else "-")
    if state.unknown_since:
        named += " (we cannot see)"
    good = "now" if state.status is Status.HEALTHY and not state.suspected else _ago(state.last_good_at, now)
    owner = cause.owner.value if cause else "-"
    return [status, named, lasting(_age(state.since, now)), _ago(state.visited_at, now), owner, good]


def show_district(
    console: Console, row: Row, record: Mapping[str, Any] | None, changes: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    """One district in full."""
    state = row.state

    def say(text: str, **style: Any) -> None:
        console.print(text, markup=False, **style)

    console.print(row.status.value.upper(), style=f"bold {STATUS_COLOURS[row.status]}", end=" ")
    say(row.district, style="bold")
    if isinstance(state, StateError):
        say(f"What is stored of it is {state}; it is left as it is.")
        return
    broken = record is not None and state.cause is not None
    told: Mapping[str, Any] = record if record is not None and broken else {}
    if broken:
        say(str(told.get("headline")))
    cause = CAUSES.get(state.cause) if state.cause else None
    facts = {
        "Since": f"{moment(state.since)} ({lasting(_age(state.since, now))})",
        "Last good": moment(state.last_good_at) if state.last_good_at else "never",
        "Last visit": f"{moment(state.visited_at)} ({_ago(state.visited_at, now)})",
        "Cause": f"{cause.name} ({cause.severity.word})" if cause else None,
        "Whose move": cause.owner.value if cause else None,
        "Server": told.get("url") or state.host,
        "Concerns": ", ".join(state.concerned),
        "Suspected": f"{state.suspected}; it counts when it is found again" if state.suspected else None,
        "We cannot see": f"since {moment(state.unknown_since)}: our own network is down" if state.unknown_since else None,
        "Left alone": f"until {moment(state.not_before)}, as its host has asked"
        if state.not_before and state.not_before > now
        else None,
        "Muted": "yes: openings are held back" if row.muted else None,
    }
    for name, fact in facts.items():
        if fact:
            say(f"  {name + ':':<14} {fact}")
    _list(say, "What to do", told.get("next_steps", ()), numbered=True)
    _list(say, "Evidence", told.get("evidence", ()))
    _list(say, "Also found", told.get("others", ()))
    _list(say, "Recent changes", [_change(change) for change in changes])


def show_end(console: Console, before: State, after: State, now: datetime) -> None:
    """That a district has recovered: the resolution, as the alert will tell it."""
    lasted = lasting(_age(before.opened_at or before.since, now))
    console.print(
        f"Broken since {moment(before.opened_at or before.since)}, lasted {lasted}. It was: {before.cause}.", markup=False
    )
    console.print(
        f"The resolution is sent to whoever was told of it. Last good: {moment(after.last_good_at or now)}.", markup=False
    )


def _list(say: Any, title: str, items: Sequence[str], *, numbered: bool = False) -> None:
    if items:
        say("")
        say(title, style="bold")
        for number, item in enumerate(items, 1):
            say(f"  {f'{number}.' if numbered else '-'} {item}")


def _change(change: Mapping[str, Any]) -> str:
    what = _ENDS.get(change["change"]) or f"{change['headline']} ({change['cause']})"
    return f"{change['at']}  {change['status']:<9} {what}"


def _ago(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "never"
    return "just now" if _age(at, now) < 30 else f"{lasting(_age(at, now))} ago"


def _age(at: datetime, now: datetime) -> float:
    return max(0.0, (now - at).total_seconds())
