"""``rosterwatch status`` and ``recheck``: how the districts stand, and asking the stack to look again."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import click
from rich.live import Live

from rosterwatch import fleet_view
from rosterwatch.board import Board
from rosterwatch.finding import Status
from rosterwatch.fleet_view import Row
from rosterwatch.health import State, wants_second_look
from rosterwatch.stack_option import district_argument, with_stack
from rosterwatch.terminal import EXIT_BROKEN, EXIT_HEALTHY, EXIT_LATE, EXIT_USAGE, EndError, messages, output

if TYPE_CHECKING:
    from rosterwatch.stack import Stack

_CHANGES_SHOWN = 10


@click.command()
@district_argument(required=False)
@click.option("--failing", is_flag=True, help="Only the districts that are not healthy.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--watch", is_flag=True, help="Keep showing it, until interrupted.")
@click.option("--interval", type=click.IntRange(1, 3600), default=5, show_default=True, help="With --watch: how often, in seconds.")
@with_stack
def status(stack: Stack, district: str | None, failing: bool, as_json: bool, watch: bool, interval: int) -> None:
    """Show how the fleet stands, or one DISTRICT in full: cause, since when, last good, evidence, what to do, recent changes.

    It is what the stack has stored; nothing is visited. Exit code 0: all that is shown is healthy; 1: something is not; 2: there
    is no such district; 3: AWS or the stack cannot be used.
    """
    if district is not None and (failing or watch):
        raise click.UsageError("--failing and --watch are for the fleet, not for one district.")
    if watch and (as_json or not output().is_terminal):
        raise click.UsageError("--watch needs a terminal, and no --json.")
    if district is not None:
        show_one(stack, district, as_json=as_json)
    if watch:
        _watch(stack, interval, failing=failing)
    fleet = _fleet(stack)
    now, shown = datetime.now(UTC), _shown(fleet, failing=failing)
    if as_json:
        click.echo(json.dumps(fleet_view.fleet_to_json(stack.name, shown, now), indent=2))
    elif not fleet:
        click.echo("No district has been visited yet. Store the first one with: rosterwatch add DISTRICT")
    else:
        console = output()
        console.print(fleet_view.fleet_table(fleet, shown, now, console.width))
    raise click.exceptions.Exit(_code_of(shown))


def show_one(stack: Stack, district: str, *, as_json: bool = False) -> NoReturn:
    """Show a district in full, and end with the exit code that its status has."""
    row = _row(stack, district)
    problem = stack.board.problem(district)
    changes = stack.states.history(district, _CHANGES_SHOWN)
    record = problem.record if problem is not None and problem.recovered_at is None else changes[0] if changes else None
    if as_json:
        click.echo(json.dumps(fleet_view.district_to_json(row, record, changes), indent=2))
    else:
        fleet_view.show_district(output(), row, record, changes, datetime.now(UTC))
    raise click.exceptions.Exit(_code_of([row]))


def _watch(stack: Stack, interval: int, *, failing: bool) -> None:
    with Live(console=output(), auto_refresh=False) as live:
        try:
            while True:
                fleet = _fleet(stack)
                shown, now = _shown(fleet, failing=failing), datetime.now(UTC)
                live.update(fleet_view.fleet_table(fleet, shown, now, live.console.width), refresh=True)
                time.sleep(interval)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(EXIT_HEALTHY) from None


def _fleet(stack: Stack) -> list[Row]:
    board: Board = stack.board.read()
    return fleet_view.rows(stack.states.each(), board.mutes, board.windows, datetime.now(UTC))


def _row(stack: Stack, district: str) -> Row:
    board, state = stack.board.read(), stack.states.read([district]).get(district)
    if state is None:
        raise EndError(_unknown(stack, district), EXIT_USAGE)
    return fleet_view.rows([(district, state)], board.mutes, board.windows, datetime.now(UTC))[0]


def _unknown(stack: Stack, district: str) -> str:
    near = [name for name, _ in stack.states.each() if district.lower() in name.lower()][:3]
    hint = f" Did you mean {', '.join(near)}?" if near else " A new one is visited within a minute of its secret being stored."
    return f"{district} has not been visited yet, or there is no such district.{hint}"


def _shown(fleet: Sequence[Row], *, failing: bool) -> list[Row]:
    return [row for row in fleet if not failing or row.status is not Status.HEALTHY]


def _code_of(shown: Sequence[Row]) -> int:
    return EXIT_HEALTHY if all(row.status is Status.HEALTHY for row in shown) else EXIT_BROKEN


@click.command()
@district_argument(required=False)
@click.option("--all", "everyone", is_flag=True, help="Every district, as at a tick of the schedule.")
@click.option(
    "--timeout", type=click.IntRange(1, 3600), default=300, show_default=True, help="How long to wait for the verdict, in seconds."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, as status does.")
@with_stack
def recheck(stack: Stack, district: str | None, everyone: bool, timeout: int, as_json: bool) -> None:
    """Have the deployed stack visit DISTRICT now, wait for its verdict, and show it. This is what proves a fix.

    Something that may pass by itself is looked at twice; the verdict is waited for. Exit code 0: healthy; 1: not healthy; 2: no
    such district; 3: AWS or the stack cannot be used; 4: no verdict in time.
    """
    if (district is None) != everyone:
        raise click.UsageError("Name a district, or give --all.")
    if district is None:
        _recheck_all(stack, timeout, as_json=as_json)
        return
    before = stack.state(district)
    if before is None and not stack.secrets.exists(district):
        raise EndError(f"There is no district {district}: it has no secret {stack.secrets.name_of(district)}.", EXIT_USAGE)
    after = visit_and_wait(stack, district, timeout)
    if not as_json and before is not None and before.cause and after.cause is None:
        fleet_view.show_end(output(), before, after, datetime.now(UTC))
    show_one(stack, district, as_json=as_json)


def visit_and_wait(stack: Stack, district: str, timeout: float) -> State:
    """Have a district visited by the stack, and wait until its state says what came of it. Raises EndError if time is up."""
    before = stack.state(district)
    if before is not None and before.not_before is not None and before.not_before > datetime.now(UTC):
        until = f"{before.not_before:%Y-%m-%d %H:%M UTC}"
        raise EndError(
            f"The host of {district} has asked to be left alone until {until}; the stack visits it after that.", EXIT_LATE
        )
    version = before.version if before is not None else 0
    stack.request_visits(district)
    with messages().status(f"The stack visits {district} ...") as line:

        def decided(state: State | None) -> bool:
            if state is None or state.version == version:
                return False
            if wants_second_look(state):
                line.update(f"The stack has visited {district} ({state.suspected or 'looks mended'}) and looks again ...")
                return False
            return True

        after = stack.wait(district, decided, timeout)
    if after is None or not decided(after):
        raise EndError(
            f"There is no verdict on {district} after {timeout:.0f} s. It may still come: look with rosterwatch status {district}, "
            "and with rosterwatch doctor at the stack.",
            EXIT_LATE,
        )
    return after


def _recheck_all(stack: Stack, timeout: int, *, as_json: bool) -> None:
    versions = {name: _version(state) for name, state in stack.states.each()}
    stack.request_visits()
    deadline = time.monotonic() + timeout
    with messages().status("The stack visits all districts ...") as line:
        waiting = set(versions)
        while waiting and time.monotonic() < deadline:
            time.sleep(1)
            waiting -= {name for name, state in stack.states.each() if _version(state) != versions.get(name)}
            line.update(f"The stack visits all districts: {len(versions) - len(waiting)} of {len(versions)} done ...")
    fleet, now = _fleet(stack), datetime.now(UTC)
    if as_json:
        click.echo(json.dumps(fleet_view.fleet_to_json(stack.name, fleet, now), indent=2))
    else:
        console = output()
        console.print(fleet_view.fleet_table(fleet, _shown(fleet, failing=True), now, console.width))
    if waiting:
        raise EndError(
            f"{len(waiting)} of {len(versions)} districts were not visited within {timeout} s: visits are spread over up to "
            f"{stack.parameters.get('SpreadSeconds', '600')} s, so wait longer with --timeout.",
            EXIT_LATE,
        )
    raise click.exceptions.Exit(_code_of(fleet))


def _version(state: object) -> int | None:
    return state.version if isinstance(state, State) else None
