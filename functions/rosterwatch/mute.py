"""Pure: mutes and maintenance windows. They hold back openings and reminders; the watching and the resolutions go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

EVERYTHING: Final = "all"
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONGEST_WINDOW: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Mute:
    """Silence for ``target`` until a moment. ``target``: ``all``, ``host/<host>`` or ``district/<name>``."""

    target: str
    until: datetime
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Window:
    """Silence that comes back: on ``days`` (``mon`` to ``sun``) from ``start``, a wall-clock time in ``zone``, for ``duration``.

    The duration is real time, so a window across a change of the clocks is neither longer nor shorter for it. A start that the
    clocks skip comes later by what they skip; one that they repeat is the first of the two.
    """

    name: str
    target: str
    days: tuple[str, ...]
    start: time
    duration: timedelta
    zone: str
    reason: str = ""


def parse_window(name: str, fields: dict[str, object]) -> Window:
    """A window from its stored fields. Raises ValueError with a sentence that names the field and the fix."""
    days, start, minutes, zone = (fields.get(field) for field in ("days", "start", "duration_minutes", "zone"))
    if not isinstance(days, list) or not days or any(day not in DAYS for day in days):
        raise ValueError(f'field "days" must be a list of {", ".join(DAYS)}')
    try:
        begins = time.fromisoformat(start) if isinstance(start, str) else None
    except ValueError:
        begins = None
    if begins is None or begins.tzinfo is not None:
        raise ValueError('field "start" must be a time of day such as "22:30"; the zone goes into "zone"')
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 0 < minutes <= _LONGEST_WINDOW / timedelta(minutes=1):
        raise ValueError('field "duration_minutes" must be a number of minutes, at most seven days of them')
    if not isinstance(zone, str) or not _is_zone(zone):
        raise ValueError('field "zone" must be an IANA time zone such as "America/Los_Angeles"')
    target = fields.get("target", EVERYTHING)
    if not isinstance(target, str) or not is_target(target):
        raise ValueError('field "target" must be "all", "host/<host>" or "district/<name>"')
    return Window(name, target, tuple(days), begins, timedelta(minutes=minutes), zone, str(fields.get("reason", "")))


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def is_target(text: str) -> bool:
    """Whether a text names what can be muted."""
    kind, _, name = text.partition("/")
    return text == EVERYTHING or (kind in ("host", "district") and bool(name))


def window_covers(window: Window, now: datetime) -> bool:
    """Whether ``now`` (aware) lies in an occurrence of the window. Its end is exclusive."""
    zone = ZoneInfo(window.zone)
    today = now.astimezone(zone).date()
    days_back = window.duration // timedelta(days=1) + 2
    for back in range(-1, days_back):
        day = today - timedelta(days=back)
        if DAYS[day.weekday()] not in window.days:
            continue
        begins = datetime.combine(day, window.start, zone).astimezone(now.tzinfo)
        if begins <= now < begins + window.duration:
            return True
    return False


def is_muted(targets: Iterable[str], mutes: Iterable[Mute], windows: Iterable[Window], now: datetime) -> bool:
    """Whether any of ``targets`` (or everything) is muted now."""
    wanted = {*targets, EVERYTHING}
    return any(mute.target in wanted and now < mute.until for mute in mutes) or any(
        window.target in wanted and window_covers(window, now) for window in windows
    )
