"""``rosterwatch add --csv``: many districts at once. All are visited and reported before any is stored."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from rosterwatch import intake
from rosterwatch.case import Known
from rosterwatch.client import Network
from rosterwatch.csv_file import Row, read_rows
from rosterwatch.diagnosis import diagnose
from rosterwatch.district import District, looks_like_certificate
from rosterwatch.finding import Status
from rosterwatch.local_visit import network
from rosterwatch.probe import probe
from rosterwatch.terminal import EXIT_BROKEN, EXIT_HEALTHY, EXIT_INTERRUPTED, EXIT_USAGE, EndError, is_sure, messages, output

if TYPE_CHECKING:
    from rosterwatch.stack import Stack

_SIDE_BY_SIDE: Final = 10
_COLOURS: Final = {"healthy": "green", "stored already": "dim", "not stored": "red"}


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about an import."""

    dry_run: bool
    yes: bool
    force: bool
    ca_bundle: Path | None
    allow_private: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of a row before anything is stored. ``state``: ``healthy``, ``stored already`` or ``not stored``."""

    row: Row
    state: str
    words: str = ""


def add_many(stack: Stack, text: str, options: Options) -> None:
    """Read, visit, report, ask, store. Ends with an exit code of its own; every row is accounted for."""
    try:
        rows = read_rows(text)
    except ValueError as problem:
        raise EndError(f"Nothing is stored: {problem}.", EXIT_USAGE) from None
    if not rows:
        raise EndError("Nothing is stored: there is no row below the header.", EXIT_USAGE)
    findings = _look(stack, rows, options)
    _report(findings)
    wanted = [f.row for f in findings if f.state == "healthy" or (options.force and f.state == "not stored" and f.row.parsed)]
    left = sum(finding.state == "not stored" for finding in findings) - sum(
        f.row in wanted for f in findings if f.state == "not stored"
    )
    if options.dry_run or not wanted:
        click.echo(f"Nothing is stored. {_districts(len(wanted))} would be.")
        raise click.exceptions.Exit(EXIT_BROKEN if left else EXIT_HEALTHY)
    if not options.yes and not is_sure(f"Store {_districts(len(wanted))}?"):
        raise EndError("Nothing is stored.", EXIT_INTERRUPTED)
    _store(stack, wanted)
    if left:
        click.echo(f"{_districts(left)} of the file left: correct those rows and run the same command again.")
    raise click.exceptions.Exit(EXIT_BROKEN if left else EXIT_HEALTHY)


def _look(stack: Stack, rows: Sequence[Row], options: Options) -> list[Finding]:
    """What is to be said of each row, in the order of the file."""
    stored = set(stack.secrets.districts())
    found: dict[int, Finding] = {}
    todo: list[tuple[Row, District]] = []
    for row in rows:
        district = row.parsed
        if row.district in stored:
            found[row.line] = Finding(row, "stored already")
        elif district is None:
            found[row.line] = Finding(row, "not stored", "; ".join(row.mistakes))
        else:
            todo.append((row, district))

    async def visit(row: Row, district: District, here: Network, places: asyncio.Semaphore, progress: Progress) -> None:
        async with places:
            seen = await probe(district, here)
        known = Known(stack.secrets.name_of(district.name), looks_like_certificate=looks_like_certificate(district))
        diagnosis = diagnose(seen, known)
        words = "; ".join(f"{finding.headline} ({finding.cause.name})" for finding in diagnosis.findings)
        healthy = diagnosis.status is Status.HEALTHY
        found[row.line] = Finding(row, "healthy" if healthy else "not stored", words)
        progress.advance(progress.task_ids[0])

    async def visit_all(progress: Progress) -> None:
        here, places = network(options.ca_bundle, allow_private=options.allow_private), asyncio.Semaphore(_SIDE_BY_SIDE)
        await asyncio.gather(*(visit(row, district, here, places, progress) for row, district in todo))

    with Progress(console=messages(), transient=True) as progress:
        progress.add_task("Visiting", total=len(todo))
        asyncio.run(visit_all(progress))
    return [found[row.line] for row in rows]


def _report(findings: Sequence[Finding]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Line", justify="right")
    for column in ("District", "Finding", ""):
        table.add_column(column, overflow="fold")
    for finding in findings:
        state = "not healthy" if finding.state == "not stored" and not finding.row.mistakes else finding.state
        state = "mistake" if finding.row.mistakes and finding.state == "not stored" else state
        name = Text(finding.row.district or "-")
        table.add_row(str(finding.row.line), name, Text(state, style=_COLOURS[finding.state]), Text(finding.words))
    console = output()
    console.print(table)
    counts = Counter(finding.state for finding in findings)
    console.print(
        ", ".join(f"{counts[state]} {state}" for state in _COLOURS if counts[state]).replace("not stored", "to be corrected")
    )


def _store(stack: Stack, rows: Sequence[Row]) -> None:
    """Store them one by one, so that whatever happens it is known how far it went."""
    done = 0
    try:
        for row in rows:
            district = row.parsed
            if district is None:  # never among those to be stored
                continue
            stack.secrets.create(row.district, row.text, intake.tags(row.district, district.provider.name))
            done += 1
    except KeyboardInterrupt:
        raise EndError(
            f"Interrupted: {_districts(done)} stored. Run the same command again for the rest.", EXIT_INTERRUPTED
        ) from None
    finally:
        if done:
            click.echo(f"{_districts(done)} stored, and watched from now on.")


def _districts(count: int) -> str:
    return f"{count} district{'s' if count != 1 else ''}"
