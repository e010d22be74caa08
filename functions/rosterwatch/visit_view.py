"""A visit and its diagnosis as a person at a terminal reads them."""

from __future__ import annotations

import json
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from rosterwatch.discovered import Discovered
from rosterwatch.district import SecretFault
from rosterwatch.finding import Diagnosis, Finding
from rosterwatch.observation import CollectionState, Observation
from rosterwatch.report import secret_to_store, steps_of_visit
from rosterwatch.terminal import STATUS_COLOURS, output

_STATE_COLOURS: Final = {
    CollectionState.OK: "green",
    CollectionState.EMPTY: "yellow",
    CollectionState.DENIED: "red",
    CollectionState.BROKEN: "red",
    CollectionState.UNTESTED: "dim",
}


def show_visit(seen: Observation | SecretFault, diagnosis: Diagnosis) -> None:
    """Print what was seen, the verdict, and each finding with its steps."""
    console = output()
    if isinstance(seen, Observation):
        for line in steps_of_visit(seen):
            console.print(f"  {line}", style="dim", markup=False)
        console.print(_table(seen))
        console.print(f"{seen.requests} requests in {seen.milliseconds} ms", style="dim")
        console.print()
    console.print(diagnosis.status.value.upper(), style=f"bold {STATUS_COLOURS[diagnosis.status]}", end=" ")
    if diagnosis.primary is None:
        console.print("Every required collection is readable and holds records.")
    for finding in diagnosis.findings:
        _show_finding(console, finding)


def show_discovered(found: Discovered | None) -> None:
    """Print what was found out, and what to store."""
    if found is None:
        return
    console = output()
    token = f", token at {found.token_url}" if found.token_url else ""
    cost = f"{found.requests} requests" if found.requests != 1 else "1 request"
    console.print(
        f"Found out with {cost}: {found.provider}, OneRoster {found.version}, {found.auth}{token}", style="bold", markup=False
    )
    console.print(f"  data at {found.data_url}", style="dim", markup=False)
    for note in found.notes:
        console.print(f"  {note}", markup=False)
    console.print("To watch this server, store:", style="dim")
    console.print(json.dumps(secret_to_store(found), indent=2), markup=False)


def _table(observation: Observation) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("  Collection")
    table.add_column("State")
    for column in ("HTTP", "Records", "Total", "ms"):
        table.add_column(column, justify="right")
    for one in observation.collections:
        answered = one.exchange is not None and one.exchange.status is not None
        table.add_row(
            f"  {one.name}" + ("" if one.required else " (optional)"),
            one.state.value,
            str(one.exchange.status) if one.exchange and answered else "-",
            str(one.records) if one.state in (CollectionState.OK, CollectionState.EMPTY) else "-",
            "-" if one.total is None else str(one.total),
            str(one.exchange.milliseconds) if one.exchange else "-",
            style=_STATE_COLOURS[one.state],
        )
    return table


def _show_finding(console: Console, finding: Finding) -> None:
    def say(text: str, **style: Any) -> None:
        console.print(text, markup=False, **style)

    cause = finding.cause
    say(finding.headline, style="bold")
    say(f"  {cause.name}, {cause.severity.word}; whose move: {cause.owner.value}")
    for word in finding.evidence:
        say(f"  - {word}", style="dim")
    for number, step in enumerate(finding.next_steps, 1):
        say(f"  {number}. {step}")
    say("")
