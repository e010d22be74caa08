"""Pure: the fleet as rows: which districts are shown, in which order, and on which page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from rosterwatch.causes import CAUSES
from rosterwatch.finding import BLIND, Status
from rosterwatch.health import State
from rosterwatch.mute import EVERYTHING, Mute, Window, window_covers
from rosterwatch.providers import PROVIDERS

#: What can be shown, and what it is called. ``broken`` is everything that somebody should look at.
SHOWN: Final = {
    "broken": "Needs attention",
    "failing": "Failing",
    "degraded": "Degraded",
    "unknown": "Unknown",
    "healthy": "Healthy",
    "stale": "Not visited lately",
    "muted": "Muted",
    "all": "All districts",
}
PAGE_SIZE: Final = 50
_ORDER: Final = {Status.FAILING: 0, Status.DEGRADED: 1, Status.UNKNOWN: 2, Status.HEALTHY: 3}
_LONGEST_SEARCH: Final = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One district as it is shown. ``state`` is ``None`` when what is stored cannot be read; ``trouble`` says why.

    ``status`` and ``since`` are those of the state, but ``unknown`` while the monitor itself cannot see. ``quiet`` says why
    nothing is told of it just now; ``muted`` is its own mute, which can be taken back.
    """

    district: str
    status: Status
    since: datetime | None
    state: State | None
    cause: str | None = None
    trouble: str | None = None
    stale: bool = False
    quiet: str | None = None
    muted: Mute | None = None

    @property
    def needs_attention(self) -> bool:
        """Whether it belongs to what is shown by default."""
        return self.status is not Status.HEALTHY or self.stale

    @property
    def provider(self) -> str | None:
        """The product it runs, if a visit has told."""
        return self.state.provider if self.state else None


@dataclass(frozen=True, slots=True)
class View:
    """What is asked for; empty texts ask for everything. ``page`` counts from 1."""

    show: str = "broken"
    cause: str = ""
    provider: str = ""
    find: str = ""
    page: int = 1

    @property
    def is_narrowed(self) -> bool:
        """Whether more than a status is asked for."""
        return bool(self.cause or self.provider or self.find)


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, the view as it came out, and how many rows there are on all pages."""

    rows: tuple[Row, ...]
    view: View
    total: int

    @property
    def first(self) -> int:
        """The number of its first row, from 1; 0 if there is none."""
        return (self.view.page - 1) * PAGE_SIZE + 1 if self.rows else 0

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))


def make_row(
    district: str,
    state: State | Exception,
    mutes: Sequence[Mute],
    windows: Sequence[Window],
    now: datetime,
    stale_after: timedelta,
) -> Row:
    """One district as it is shown."""
    own = next((mute for mute in mutes if mute.target == f"district/{district}" and now < mute.until), None)
    if isinstance(state, Exception):
        trouble = f"The stored state is {state}"
        return Row(district, Status.UNKNOWN, None, None, trouble=trouble, quiet=_quiet(own, (), (), "", now), muted=own)
    targets = {f"district/{district}", EVERYTHING} | ({f"host/{state.host}"} if state.host else set())
    row = Row(
        district,
        state.status,
        state.since,
        state,
        state.cause,
        stale=now - state.visited_at > stale_after and not (state.not_before and now < state.not_before),
        quiet=_quiet(own, [mute for mute in mutes if mute.target in targets], windows, targets, now),
        muted=own,
    )
    if state.unknown_since is not None:
        return replace(row, status=Status.UNKNOWN, since=state.unknown_since, cause=BLIND)
    return row


def _quiet(own: Mute | None, mutes: Sequence[Mute], windows: Iterable[Window], targets: Iterable[str], now: datetime) -> str | None:
    for mute in ((own,) if own else ()) + tuple(mutes):
        if now < mute.until:
            whose = "" if mute.target.startswith("district/") else f" ({mute.target})"
            return f"Muted until {mute.until:%Y-%m-%d %H:%M} UTC{whose}" + (f": {mute.reason}" if mute.reason else "")
    window = next((one for one in windows if one.target in targets and window_covers(one, now)), None)
    return f"In the maintenance window {window.name}" if window else None


def read_view(*sources: Mapping[str, Any]) -> View:
    """A view from what was sent, the first source that names a thing deciding. What is not known counts as not sent."""

    def sent(name: str, known: Iterable[str] | None = None) -> str:
        for source in sources:
            value = source.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool) and (known is None or value in {*known, ""}):
                return str(value).strip()[:_LONGEST_SEARCH]
        return ""

    page = sent("page")
    return View(
        sent("show", SHOWN) or "broken",
        sent("cause", CAUSES),
        sent("provider", PROVIDERS),
        sent("find"),
        int(page) if page.isdecimal() and len(page) < 7 and int(page) > 0 else 1,
    )


def select(rows: Iterable[Row], view: View) -> Page:
    """One page of the rows that a view asks for: what is worst first, and of that what began last."""
    find = view.find.casefold()
    chosen = [row for row in rows if _is_shown(row, view) and (not find or _is_found(row, find))]
    chosen.sort(key=lambda row: row.district)
    chosen.sort(key=lambda row: row.since.timestamp() if row.since else 0.0, reverse=True)
    chosen.sort(key=lambda row: (_ORDER[row.status], not row.stale))
    page = min(view.page, max(1, -(-len(chosen) // PAGE_SIZE)))
    start = (page - 1) * PAGE_SIZE
    return Page(tuple(chosen[start : start + PAGE_SIZE]), replace(view, page=page), len(chosen))


def _is_shown(row: Row, view: View) -> bool:
    shown = {"all": True, "broken": row.needs_attention, "stale": row.stale, "muted": row.quiet is not None}
    if not shown.get(view.show, row.status == view.show):
        return False
    return view.cause in ("", row.cause) and view.provider in ("", row.provider)


def _is_found(row: Row, find: str) -> bool:
    host = row.state.host if row.state else None
    return find in row.district.casefold() or (host is not None and find in host.casefold())


def count(rows: Sequence[Row]) -> Counter[str]:
    """How many rows each entry of ``SHOWN`` would show."""
    counted: Counter[str] = Counter(row.status.value for row in rows)
    counted["all"] = len(rows)
    counted["broken"] = sum(row.needs_attention for row in rows)
    counted["stale"] = sum(row.stale for row in rows)
    counted["muted"] = sum(row.quiet is not None for row in rows)
    return counted
