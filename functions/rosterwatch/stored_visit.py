"""A visit from this machine with what the stack has stored: as the stack makes it, but nothing is stored and nobody is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rosterwatch.district import SecretFault, SecretTrouble
from rosterwatch.finding import Status
from rosterwatch.local_visit import network
from rosterwatch.probe import VISIT_SECONDS
from rosterwatch.queue import VisitQueue
from rosterwatch.report import to_json
from rosterwatch.terminal import EXIT_BROKEN, EXIT_HEALTHY, EXIT_USAGE, EndError, messages
from rosterwatch.visit_view import show_visit
from rosterwatch.visits import Look, Round

if TYPE_CHECKING:
    from rosterwatch.stack import Stack


def check_stored(stack: Stack, district: str, ca_bundle: Path | None, *, allow_private: bool, as_json: bool) -> None:
    """Visit a district with its stored secret, judge it by what is known of it, and end with its exit code."""
    unreadable: list[str] = []

    def key() -> bytes | None:
        found = stack.key()
        if found is None and not unreadable:
            unreadable.append("You may not read the stack's fingerprint key: whether these credentials ever worked is not known.")
        return found

    visit = Round(
        secrets=stack.secrets,
        states=stack.states,
        queue=VisitQueue(stack.connect("sqs"), stack.outputs["QueueUrl"]),
        key=key,
        now=lambda: datetime.now(UTC),
        remaining=lambda: 3 * VISIT_SECONDS,
        new_network=lambda: network(
            ca_bundle, allow_private=allow_private or stack.parameters.get("AllowPrivateAddresses") == "true"
        ),
        try_previous=stack.parameters.get("TryPreviousSecret", "true") == "true",
    )
    with messages().status(f"Visiting {district} from here ..."):
        stack.secret(district)  # ends the command if it may not be read
        look = visit.look_once(district)
    if not isinstance(look, Look):
        raise EndError(f"There was no visit: {look.problem}.")
    gone = isinstance(look.seen, SecretFault) and look.seen.trouble is SecretTrouble.MISSING
    if gone and look.state is None:
        raise EndError(f"There is no district {district}: it has no secret {stack.secrets.name_of(district)}.", EXIT_USAGE)
    for words in unreadable:
        click.echo(words, err=True)
    if as_json:
        click.echo(json.dumps(to_json(look.seen, look.diagnosis), indent=2))
    else:
        show_visit(look.seen, look.diagnosis)
    if isinstance(look.seen, SecretFault):
        raise click.exceptions.Exit(EXIT_USAGE)
    raise click.exceptions.Exit(EXIT_HEALTHY if look.diagnosis.status is Status.HEALTHY else EXIT_BROKEN)
