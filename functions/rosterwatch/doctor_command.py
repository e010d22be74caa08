"""``rosterwatch doctor``: is the stack itself well?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
from rich.table import Table
from rich.text import Text

from rosterwatch.stack_option import with_stack
from rosterwatch.terminal import EXIT_BROKEN, EXIT_HEALTHY, messages, output

if TYPE_CHECKING:
    from rosterwatch.stack import Stack

_COLOURS: Final = {"ok": "green", "warning": "yellow", "bad": "red", "unknown": "magenta"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@with_stack
def doctor(stack: Stack, as_json: bool) -> None:
    """Examine the stack: schedules, visits, queues, subscriptions, alarms, the clock, and what you may do. Changes nothing.

    Exit code 0: nothing is wrong (there may be warnings); 1: something is; 3: AWS or the stack cannot be used.
    """
    from rosterwatch.doctor import Grade, examine  # noqa: PLC0415 - it brings botocore, which takes its time

    with messages().status("Examining ..."):
        findings = list(examine(stack, datetime.now(UTC)))
    if as_json:
        found = [{"name": one.name, "grade": one.grade.value, "words": one.words} for one in findings]
        click.echo(json.dumps({"stack": stack.name, "findings": found}, indent=2))
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for one in findings:
            table.add_row(Text(one.grade.value, style=_COLOURS[one.grade.value]), one.name, Text(one.words))
        output().print(table)
    raise click.exceptions.Exit(EXIT_BROKEN if any(one.grade is Grade.BAD for one in findings) else EXIT_HEALTHY)
