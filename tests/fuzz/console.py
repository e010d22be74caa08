"""What people type and press: the events of the widget, mutes, windows, days and the school calendar."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final, cast
from unittest.mock import patch

import click

import render_dashboard
from rosterwatch.board import BoardStore
from rosterwatch.calendar import Season, in_session, next_term, remembered, season
from rosterwatch.mute import DAYS, Mute, is_muted, is_target, parse_window, window_covers
from rosterwatch.mute_commands import named, parse_days, parse_duration, parse_until
from rosterwatch.observation import Term
from rosterwatch.queue import Visit, VisitQueue
from rosterwatch.settings import RenderSettings
from rosterwatch.state import StateStore
from tests.fuzz.chance import MARKUP, Chance
from tests.fuzz.visits import check_html
from tests.table import TABLE, Table
from tests.unit.rows import ARN, state

_TODAY: Final = datetime(2026, 10, 6, 14, 5, tzinfo=UTC)
_NAMES: Final = ("springfield", "shelbyville")


class Queue(VisitQueue):
    """Records what is put on it."""

    def __init__(self) -> None:
        self.sent: list[Visit] = []

    def send(self, visits: Sequence[Visit]) -> None:
        self.sent += visits


@functools.cache
def _function() -> tuple[Table, Queue, render_dashboard.Edges]:
    table, queue = Table(), Queue()
    states, board = StateStore(table.client, TABLE), BoardStore(table.client, TABLE)
    for name, cause in zip(_NAMES, ("credentials_revoked", None), strict=True):
        assert states.write(state(name, cause, version=1, terms=()), None)
    settings = RenderSettings("rosterwatch/", TABLE, "https://queue", timedelta(minutes=45))
    return table, queue, render_dashboard.Edges(settings, states, board, queue)


@contextmanager
def _served() -> Iterator[tuple[Table, Queue]]:
    table, queue, use = _function()
    kept = dict(table.items)
    quiet = logging.getLogger("tests.fuzz")
    quiet.setLevel(logging.CRITICAL)
    with patch.object(render_dashboard, "edges", lambda: use), patch.object(render_dashboard, "logger", lambda: quiet):
        yield table, queue
    table.items = kept
    queue.sent.clear()


_KEYS: Final = (
    "describe", "widgetContext", "do", "open", "in", "district", "hours", "show", "cause", "provider", "find", "page",
    "theme", "forms", "all", "params", "until", "reason", "dashboardName",
)  # fmt: skip
_VALUES: Final[tuple[Any, ...]] = (
    "recheck", "mute", "unmute", "popup", "springfield", "nowhere", "dark", "all", "broken", "2026-12-01", "9999-12-31", 4,
    24, 4.0, "0", "2", MARKUP, {"all": {"until": "2026-12-01", "reason": MARKUP}}, {"all": []}, [], "credentials_revoked",
    "aeries",
)  # fmt: skip


def events(chance: Chance) -> None:
    """Whatever the widget is sent, it answers with markup of its own, and does what a button may do to a district that is there."""
    context = {
        "dashboardName": "x",
        "forms": {"all": {"until": datetime.now(UTC).date().isoformat(), "reason": "x"}},
        "params": {"show": "all"},
    }
    good = {
        "widgetContext": context,
        "do": "mute",
        "district": "springfield",
        "hours": 4,
        "show": "all",
        "in": "popup",
        "find": "s",
    }
    event: Any = good
    for _ in range(chance.randrange(1, 4)):
        event = chance.changed(event, _KEYS, _VALUES)
    if not isinstance(event, dict) or event.get("describe"):
        return
    with _served() as (table, queue):
        before = {key: item for key, item in table.items.items() if key[0] == "district"}
        answered = render_dashboard.handler(event, cast("Any", SimpleNamespace(invoked_function_arn=ARN)))
        check_html(answered)
        assert {visit.district for visit in queue.sent} <= set(_NAMES)
        assert len(queue.sent) <= 1
        assert {key: item for key, item in table.items.items() if key[0] == "district"} == before
        now = datetime.now(UTC)
        for mute in BoardStore(table.client, TABLE).surroundings().mutes:
            assert mute.target.removeprefix("district/") in _NAMES
            assert now < mute.until <= now + render_dashboard.LONGEST_MUTE + timedelta(minutes=1)
            assert len(mute.reason) <= 200


_DAYS: Final = (
    date.min,
    date(2026, 6, 5),
    date(2026, 8, 12),
    date(2026, 10, 6),
    date(2026, 12, 18),
    date(2027, 1, 5),
    date(2027, 6, 4),
    date.max,
)
_YEARS: Final = (None, "2025-2026", "2026-2027", "0000-0001")


def calendars(chance: Chance) -> None:
    """A season is what the calendar and the database say together, on any day with any terms."""
    days = sorted(
        chance.choice((*_DAYS, date.fromordinal(chance.randrange(1, date.max.toordinal())))) for _ in range(2 * chance.randrange(4))
    )
    terms = [Term(first, last) for first, last in zip(days[::2], days[1::2], strict=True)]
    chance.shuffle(terms)
    today, year = chance.choice((*_DAYS, date.fromordinal(chance.randrange(1, date.max.toordinal())))), chance.choice(_YEARS)
    found = season(terms, today, year)
    assert (found is Season.IN_SESSION) == any(term.start <= today <= term.end for term in terms)
    assert found is not Season.UNKNOWN or not terms
    assert in_session(terms, today) == (found is Season.IN_SESSION)
    begins = next_term(terms, today)
    assert begins is None or begins > today
    assert remembered(terms, today) in ((), tuple(terms))


_WORDS: Final = (
    "4h", "30m", "2d", "1d12h", "30min", " ", "0h", "9999d", "-", "²h", "٣h", "daily", "mon", "sun", "fri", ",", "mon-fri",
    "sat,sun", "2026-12-01", "T08:00", "-08:00", "Z", "9999-12-31T23:59:59-23:59", "0001-01-01", "all", "host/",
    "district/", "springfield",
)  # fmt: skip


def mutes(chance: Chance) -> None:
    """What is typed is a length, a time, or days, within limits; or it is refused with words of ours."""
    typed = "".join(chance.choice(_WORDS) if chance.randrange(6) else chance.text() for _ in range(chance.randrange(1, 4)))
    try:
        assert timedelta() < parse_duration(typed) <= timedelta(days=400)
    except click.UsageError as problem:
        assert "no length of time" in problem.message  # noqa: PT017 - the message is what is looked at
    try:
        assert _TODAY < parse_until(typed, _TODAY) <= _TODAY + timedelta(days=400)
    except click.UsageError as problem:
        assert "no time" in problem.message or "not within" in problem.message  # noqa: PT017 - the message is what is looked at
    try:
        days = parse_days(typed)
        assert days
        assert days == sorted(set(days), key=DAYS.index)
    except click.UsageError as problem:
        assert "no days" in problem.message  # noqa: PT017 - the message is what is looked at
    assert not typed or is_target(named(typed))


_GOOD_WINDOW: Final = {
    "days": ["mon", "sun"],
    "start": "22:30",
    "duration_minutes": 240,
    "zone": "America/Los_Angeles",
    "target": "all",
}
_WINDOW_VALUES: Final = (
    *DAYS, "02:30", "24:00", "23:59:59.999999", "22:30+01:00", 10_080, 10_081, 0, True, 1.5, "UTC", "Europe/Berlin",
    "../../etc/passwd", "/etc/passwd", "", "Pacific/Apia", "Pacific/Kiritimati", "host/x", "district/", ["mon"] * 9,
    "posixrules", "Factory",
)  # fmt: skip


def windows(chance: Chance) -> None:
    """A window covers as much of a week as it says, and what is no window is refused."""
    fields: Any = chance.changed(_GOOD_WINDOW, list(_GOOD_WINDOW), _WINDOW_VALUES)
    if not isinstance(fields, dict):
        return
    try:
        window = parse_window("nightly", fields)
    except ValueError as problem:
        assert "field" in str(problem)  # noqa: PT017 - the message is what is looked at
        return
    assert timedelta() < window.duration <= timedelta(days=7)
    assert is_target(window.target)
    # Every quarter of an hour of a fortnight, from a moment on any day: only so long as it lasts, and no longer.
    start = _TODAY + timedelta(minutes=chance.randrange(366 * 24 * 60))
    step, looks = timedelta(hours=7, minutes=13), 46
    covered = [window_covers(window, start + step * number) for number in range(looks)]
    most = len(set(window.days)) * 2 * (window.duration / step + 1) + 2 * (window.duration / step + 1)
    assert sum(covered) <= most
    now = start + step * chance.randrange(looks)
    mute = Mute("district/x", now + timedelta(seconds=chance.choice((-1, 1))), "", "")
    assert is_muted(["district/x"], [mute], [], now) == (mute.until > now)
    assert is_muted(["district/y"], [mute], [], now) is False
    assert is_muted(["district/y"], [], [window], now) == (window.target in ("all", "district/y") and window_covers(window, now))
