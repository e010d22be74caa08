"""``rosterwatch mute``, ``unmute`` and ``mutes``: silence for a time, or in windows that come back. The watching goes on."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click
from rich.table import Table

from rosterwatch.mute import DAYS, EVERYTHING, Mute, Window, parse_window, window_covers
from rosterwatch.stack_option import with_stack
from rosterwatch.state import StateError
from rosterwatch.terminal import EXIT_USAGE, EndError, output
from rosterwatch.times import lasting, moment

if TYPE_CHECKING:
    from rosterwatch.board import Board
    from rosterwatch.stack import Stack

_DURATION: Final = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,4})m(?:in)?)?")
_LONGEST: Final = timedelta(days=400)


@click.command()
@click.argument("target")
@click.option("--for", "duration", help="For how long: 4h, 30m, 2d, 1d12h.")
@click.option(
    "--until", help="Until when: 2026-12-01T08:00, in local time unless it names a zone; or a day, which ends at its start."
)
@click.option("--reason", default="", help="Why; whoever looks at the mute later will be glad of it.")
@click.option(
    "--window", "window_name", help="Make it a window that comes back, of this name; with --for, --days, --at and --zone."
)
@click.option("--days", default="daily", help="With --window: the days on which it begins: mon-fri, or sat,sun.  [default: daily]")
@click.option("--at", "start", help="With --window: when it begins, a time of day such as 22:30.")
@click.option("--zone", default="UTC", help="With --window: the time zone of that, such as America/Los_Angeles.  [default: UTC]")
@with_stack
def mute(
    stack: Stack,
    target: str,
    duration: str | None,
    until: str | None,
    reason: str,
    window_name: str | None,
    days: str,
    start: str | None,
    zone: str,
) -> None:
    """Hold back alerts about TARGET: a district, host/NAME for all districts on a host, or all.

    Openings and reminders are held back, never the watching, and never the end of what was told before. What is still broken when
    the mute ends is told then. A mute of the same target, or a window of the same name, is replaced.

    Exit code 0: muted; 2: bad usage, or no such target; 3: AWS or the stack cannot be used.
    """
    now = datetime.now(UTC)
    if window_name is None and (duration is None) == (until is None):
        raise click.UsageError("Say how long, with --for 4h or --until 2026-12-01T08:00.")
    if window_name is not None and (duration is None or start is None or until is not None):
        raise click.UsageError("A window needs --at and --for, such as --at 22:30 --for 4h, and no --until.")
    if window_name is None and start is not None:
        raise click.UsageError("--at is for a window: give it a name with --window.")
    full = _target(stack, target)
    if window_name is not None:
        window = _window(window_name, full, days, str(start), parse_duration(str(duration)), zone, reason)
        stack.board.mute_again(window)
        click.echo(f"{full} is silent {_when(window)}.")
        return
    end = now + parse_duration(duration) if duration else parse_until(str(until), now)
    stack.board.mute(Mute(full, end, reason, stack.who()))
    click.echo(f"{full} is silent until {moment(end)} ({lasting((end - now).total_seconds())}).")


@click.command()
@click.argument("target", required=False)
@click.option("--window", "window_name", help="Remove a window by its name.")
@with_stack
def unmute(stack: Stack, target: str | None, window_name: str | None) -> None:
    """End the mute of TARGET (a district, host/NAME, or all), or remove a window.

    What is broken and was held back is told within a minute. Exit code 0: ended; 2: there was none; 3: AWS or the stack cannot be
    used.
    """
    if (target is None) == (window_name is None):
        raise click.UsageError("Name a target, or a window with --window.")
    if window_name is not None:
        if not stack.board.remove_window(window_name):
            raise EndError(f"There is no window {window_name}. To see all: rosterwatch mutes", EXIT_USAGE)
        click.echo(f"The window {window_name} is removed.")
        return
    full = named(str(target))
    if not stack.board.unmute(full):
        raise EndError(f"{full} was not muted. To see all mutes: rosterwatch mutes", EXIT_USAGE)
    click.echo(f"{full} is no longer muted.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@with_stack
def mutes(stack: Stack, as_json: bool) -> None:
    """List what is muted now, and the windows. Exit code 0; 3: AWS or the stack cannot be used."""
    board: Board = stack.board.read()
    now = datetime.now(UTC)
    current = sorted((one for one in board.mutes if one.until > now), key=lambda one: one.until)
    if as_json:
        found = {
            "mutes": [{"target": o.target, "until": o.until.isoformat(), "reason": o.reason, "by": o.by} for o in current],
            "windows": [
                {"name": w.name, "target": w.target, "when": _when(w), "now": window_covers(w, now), "reason": w.reason}
                for w in board.windows
            ],
        }
        click.echo(json.dumps(found, indent=2))
        return
    if not current and not board.windows:
        click.echo("Nothing is muted.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Target", "Silent", "Reason", "By"):
        table.add_column(column, overflow="fold")
    for one in current:
        until = f"until {moment(one.until)} ({lasting((one.until - now).total_seconds())})"
        table.add_row(one.target, until, one.reason or "-", one.by)
    for window in board.windows:
        covers = " (now)" if window_covers(window, now) else ""
        table.add_row(window.target, f"{_when(window)}{covers}", window.reason or "-", f"window {window.name}")
    output().print(table)


def named(target: str) -> str:
    """A target as it is stored: a plain name is a district's."""
    if target == EVERYTHING or (target.partition("/")[0] in ("host", "district") and target.partition("/")[2]):
        return target
    return f"district/{target}"


def _target(stack: Stack, target: str) -> str:
    """The target, if there is such a thing: a misspelt mute would silence nothing, and nobody would know."""
    full = named(target)
    kind, _, name = full.partition("/")
    if full == EVERYTHING:
        return full
    states = dict(stack.states.each())
    hosts = {state.host for state in states.values() if not isinstance(state, StateError)}
    if (name in states or stack.secrets.exists(name)) if kind == "district" else name in hosts:
        return full
    raise EndError(f"There is no {kind} {name} to mute. A target is a district, host/NAME, or all.", EXIT_USAGE)


def parse_duration(text: str) -> timedelta:
    """A length of time such as ``4h`` or ``1d12h``."""
    found = _DURATION.fullmatch(text.replace(" ", ""))
    parts = [int(part or 0) for part in found.groups()] if found else [0]
    length = timedelta(days=parts[0], hours=parts[1], minutes=parts[2]) if found else timedelta()
    if not timedelta() < length <= _LONGEST:
        raise click.UsageError(f"{text} is no length of time: write 30m, 4h, 2d or 1d12h, and at most {_LONGEST.days}d.")
    return length


def parse_until(text: str, now: datetime) -> datetime:
    """A time in ISO 8601, in local time unless it names a zone."""
    try:
        end = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise click.UsageError(f"{text} is no time: write 2026-12-01T08:00, or 2026-12-01T08:00-08:00 for another zone.") from None
    if not now < end <= now + _LONGEST:
        raise click.UsageError(f"{moment(end)} is not within the next {_LONGEST.days} days.")
    return end


def parse_days(text: str) -> list[str]:
    """Days of the week: ``daily``, ``mon-fri``, ``sat,sun``."""
    if text.lower() == "daily":
        return list(DAYS)
    found: list[str] = []
    for part in text.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise click.UsageError(f"{text} names no days: write daily, mon-fri or sat,sun.")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found += [DAYS[place % 7] for place in range(begin, (end if end >= begin else end + 7) + 1)]
    return sorted(set(found), key=DAYS.index)


def _window(name: str, target: str, days: str, start: str, length: timedelta, zone: str, reason: str) -> Window:
    minutes = round(length / timedelta(minutes=1))
    fields = {
        "target": target,
        "days": parse_days(days),
        "start": start,
        "duration_minutes": minutes,
        "zone": zone,
        "reason": reason,
    }
    try:
        return parse_window(name, fields)
    except ValueError as problem:
        raise click.UsageError(f"The window cannot be: {problem}.") from None


def _when(window: Window) -> str:
    days = "daily" if len(window.days) == len(DAYS) else ", ".join(window.days)
    return f"{days} from {window.start:%H:%M} {window.zone} for {lasting(window.duration.total_seconds())}"
