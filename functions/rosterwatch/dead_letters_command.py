"""``rosterwatch dead-letters``: what failed three times, and what to do with it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import click
from rich.table import Table

from rosterwatch.stack_option import with_stack
from rosterwatch.terminal import EXIT_BROKEN, EXIT_HEALTHY, output
from rosterwatch.times import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosterwatch.dead_letters import Letter
    from rosterwatch.stack import Stack


@click.command("dead-letters")
@click.option("--again", is_flag=True, help="Have the visits among them made again.")
@click.option("--discard", is_flag=True, help="Remove those that are no visits of this release.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@with_stack
def dead_letters(stack: Stack, again: bool, discard: bool, as_json: bool) -> None:
    """Show the messages that check_districts could not handle three times in a row, and the districts that they are about.

    Find out why first: its logs say so. What is no visit would fail again, and is only ever shown or discarded. The text of
    a message is not shown.

    Exit code 0: none is left; 1: some are; 3: AWS or the stack cannot be used.
    """
    from rosterwatch.dead_letters import DeadLetters  # noqa: PLC0415 - with its client, which takes its time
    from rosterwatch.queue import VisitQueue  # noqa: PLC0415

    sqs = stack.connect("sqs")
    queue = DeadLetters(sqs, stack.outputs["DeadLettersUrl"])
    with queue.held() as letters:
        visits, others = [one for one in letters if one.visit], [one for one in letters if not one.visit]
        if again:
            queue.send_again(visits, VisitQueue(sqs, stack.outputs["QueueUrl"]))
        if discard:
            queue.remove(others)
    left = [*([] if again else visits), *([] if discard else others)]
    if as_json:
        found = [_to_json(one) for one in letters]
        done = {"sent_again": len(visits) if again else 0, "discarded": len(others) if discard else 0}
        click.echo(json.dumps({"stack": stack.name, "letters": found, **done, "left": len(left)}, indent=2))
    else:
        _show(letters)
        if again:
            click.echo(f"{len(visits)} sent again: the stack visits these districts now.")
        if discard:
            click.echo(f"{len(others)} discarded.")
        elif others:
            click.echo("What is no visit stays until it is discarded: rosterwatch dead-letters --discard")
    raise click.exceptions.Exit(EXIT_BROKEN if left else EXIT_HEALTHY)


def _show(letters: Sequence[Letter]) -> None:
    if not letters:
        click.echo("There are no dead letters.")
        return
    table = Table("messages", "about", "first sent", box=None, pad_edge=False)
    for about, many in sorted(Counter(_about(one) for one in letters).items()):
        first = min(one.sent_at for one in letters if _about(one) == about)
        table.add_row(str(many), about, moment(first))
    output().print(table)


def _about(letter: Letter) -> str:
    return f"a visit of {letter.visit.district}" if letter.visit else f"no visit: {letter.problem}"


def _to_json(letter: Letter) -> dict[str, object]:
    visit = {"district": letter.visit.district, "reason": letter.visit.reason} if letter.visit else {"problem": letter.problem}
    return {**visit, "sent_at": letter.sent_at.isoformat()}
