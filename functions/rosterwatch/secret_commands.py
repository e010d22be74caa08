"""``rosterwatch add``, ``rotate`` and ``remove``: a district's secret, proved against its server before it is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rosterwatch import fields, fleet_view, import_command, intake
from rosterwatch.finding import Diagnosis, Status
from rosterwatch.fleet_commands import show_one, visit_and_wait
from rosterwatch.local_visit import is_let_in, parsed, visited, with_network
from rosterwatch.observation import Observation
from rosterwatch.providers import PROVIDERS
from rosterwatch.secrets import SecretValue
from rosterwatch.stack_option import district_argument, with_stack
from rosterwatch.table import NEWER
from rosterwatch.terminal import (
    EXIT_BROKEN,
    EXIT_HEALTHY,
    EXIT_INTERRUPTED,
    EXIT_LATE,
    EXIT_USAGE,
    EndError,
    is_sure,
    output,
    read_text,
)
from rosterwatch.visit_view import show_visit

if TYPE_CHECKING:
    from rosterwatch.stack import Stack

_WAIT_SECONDS = 300
_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


@click.command()
@district_argument(required=False)
@click.option("--provider", type=click.Choice(list(PROVIDERS)), default="aeries", show_default=True, help="The SIS product.")
@click.option(
    "--secret", "secret_file", type=_FILE, help="Take the fields from a JSON file and ask nothing (- reads standard input)."
)
@click.option("--force", is_flag=True, help="Store it even if the visit finds something wrong.")
@click.option("--wait/--no-wait", default=True, help="Whether to wait for the stack's own first visit.  [default: wait]")
@click.option("--csv", "csv_file", type=_FILE, help="Add many: a file with one district a row (see below).")
@click.option("--dry-run", is_flag=True, help="With --csv: visit and report, and store nothing.")
@click.option("--yes", is_flag=True, help="With --csv: store what is healthy without asking.")
@with_network
@with_stack
def add(
    stack: Stack,
    district: str | None,
    provider: str,
    secret_file: Path | None,
    force: bool,
    wait: bool,
    csv_file: Path | None,
    dry_run: bool,
    yes: bool,
    ca_bundle: Path | None,
    allow_private: bool,
) -> None:
    """Begin to watch DISTRICT: ask for its credentials, visit its server, and store them as a secret if all is well.

    Asked for are the four things that an Aeries administrator hands over: the URL, the API Certificate, the Consumer ID and the
    Consumer Secret. Where standard input is no terminal, the answers are read from it, one a line, in this order.

    The file for --csv has a header; its columns are district, base_url, consumer_id, consumer_secret and, where needed,
    api_certificate, provider and any other field of a secret. All rows are visited and reported before any is stored; a row that
    is not stored stays as it is in the file: correct it and run the same command again, which leaves out what is stored by then.

    Exit code 0: stored, and healthy; 1: not healthy (and not stored, unless --force); 2: bad usage or bad values; 3: AWS or the
    stack cannot be used; 4: stored, but the stack's own verdict is late.
    """
    if (district is None) == (csv_file is None):
        raise click.UsageError("Name a district, or give --csv FILE.")
    if csv_file is not None:
        if secret_file is not None:
            raise click.UsageError("--csv and --secret exclude each other.")
        options = import_command.Options(dry_run, yes, force, ca_bundle, allow_private)
        import_command.add_many(stack, read_text(csv_file), options)
    elif dry_run or yes:
        raise click.UsageError("--dry-run and --yes are for --csv.")
    else:
        _add_one(stack, str(district), _given(secret_file, provider, stack, str(district)), force, wait, ca_bundle, allow_private)


def _given(secret_file: Path | None, provider: str, stack: Stack, district: str) -> dict[str, Any]:
    """The fields, from a file or from answers; before anything is asked, the name has to be free."""
    exists = stack.secrets.exists(district)
    name = stack.secrets.name_of(district)
    if exists is None:
        raise EndError(
            f"{name} is scheduled for deletion. To have it back: aws secretsmanager restore-secret --secret-id {name}", EXIT_USAGE
        )
    if exists:
        raise EndError(f"{district} is watched already. For new credentials: rosterwatch rotate {district}", EXIT_USAGE)
    if secret_file is None:
        return intake.ask_for_everything(PROVIDERS[provider])
    given, mistakes = fields.load(read_text(secret_file))
    if given is None:
        raise EndError(f"{secret_file}: {mistakes[0]}.", EXIT_USAGE)
    return given


def _add_one(
    stack: Stack, name: str, given: dict[str, Any], force: bool, wait: bool, ca_bundle: Path | None, allow_private: bool
) -> None:
    secret = stack.secrets.name_of(name)
    district = parsed(name, intake.as_stored(given))
    seen, diagnosis = visited(district, secret, ca_bundle, allow_private=allow_private)
    show_visit(seen, diagnosis)
    if diagnosis.status is not Status.HEALTHY and not force:
        raise EndError(
            "Nothing is stored: have this mended and run the command again, or store it as it is with --force.", EXIT_BROKEN
        )
    base_url = district.base.url if district.provider.subdirectory else None
    stack.secrets.create(name, intake.as_stored(given, base_url), intake.tags(name, district.provider.name))
    click.echo(f"Stored as {secret}; {name} is watched from now on.")
    if not wait:
        raise click.exceptions.Exit(EXIT_HEALTHY if diagnosis.status is Status.HEALTHY else EXIT_BROKEN)
    after = _waited(stack, name)
    if after is Status.HEALTHY:
        click.echo("The stack has visited it, too: healthy.")
        raise click.exceptions.Exit(EXIT_HEALTHY)
    show_one(stack, name)


def _waited(stack: Stack, district: str) -> Status:
    """What the stack's own visit says. However this ends, the secret is stored."""
    try:
        return visit_and_wait(stack, district, _WAIT_SECONDS).status
    except KeyboardInterrupt:
        raise EndError(f"Interrupted while waiting. The secret of {district} is stored.", EXIT_INTERRUPTED) from None
    except EndError as late:
        raise EndError(f"The secret is stored. {late.message}", EXIT_LATE) from None


@click.command()
@district_argument()
@click.option(
    "--secret", "secret_file", type=_FILE, help="Take all fields from a JSON file and ask nothing (- reads standard input)."
)
@with_network
@with_stack
def rotate(stack: Stack, district: str, secret_file: Path | None, ca_bundle: Path | None, allow_private: bool) -> None:
    """Give DISTRICT new credentials, after its vendor record was deleted and recreated.

    Asks for the new Consumer ID and Consumer Secret, and for the new API Certificate where one is stored. They are tried on the
    district's server first: if it refuses them, nothing is stored. Then the stack's own visit is waited for, and what came of it
    is shown. Where standard input is no terminal, the answers are read from it, one a line, in this order.

    Exit code 0: stored, and healthy; 1: refused, or stored and something else is wrong; 2: bad usage or bad values; 3: AWS or the
    stack cannot be used; 4: stored, but the stack's own verdict is late.
    """
    value = stack.secret(district)
    if not isinstance(value, SecretValue):
        raise EndError(
            f"{district} cannot be rotated: {value.mistakes[0]}. To begin with it: rosterwatch add {district}", EXIT_USAGE
        )
    stored, mistakes = fields.load(value.text)
    if secret_file is not None:
        renewed, mistakes = fields.load(read_text(secret_file))
    else:
        renewed = intake.ask_for_renewal(stored) if stored is not None else None
    if renewed is None:
        hint = "" if secret_file else " Give all of it anew with --secret FILE."
        raise EndError(f"{mistakes[0]}.{hint}".capitalize(), EXIT_USAGE)
    text = intake.as_stored(renewed)
    new = parsed(district, text)
    seen, diagnosis = visited(new, stack.secrets.name_of(district), ca_bundle, allow_private=allow_private)
    show_visit(seen, diagnosis)
    _refuse_unproved(seen, diagnosis, changed=renewed.get("api_certificate") != (stored or {}).get("api_certificate"))
    again = stack.secret(district)
    if not isinstance(again, SecretValue) or again.version != value.version:
        raise EndError(
            "Somebody else has changed the secret meanwhile. Nothing is stored: look at it, and run this again.", EXIT_BROKEN
        )
    before = stack.state(district)
    stack.secrets.replace(district, text)
    click.echo(f"Stored as {stack.secrets.name_of(district)}.")
    after = _waited(stack, district)
    if after is not Status.HEALTHY:
        show_one(stack, district)
    click.echo(f"{district} is healthy: the stack has visited it with the new credentials.")
    state = stack.state(district)
    if before is not None and before.cause and state is not None:
        fleet_view.show_end(output(), before, state, datetime.now(UTC))
    raise click.exceptions.Exit(EXIT_HEALTHY)


def _refuse_unproved(seen: Observation, diagnosis: Diagnosis, *, changed: bool) -> None:
    """End the command unless the server has accepted what was given."""
    if not is_let_in(seen):
        first = diagnosis.primary
        raise EndError(f"Nothing is stored: {first.headline if first else 'the server has not accepted them'}.", EXIT_BROKEN)
    if changed and any(finding.cause.name == "api_certificate_wrong" for finding in diagnosis.findings):
        raise EndError("Nothing is stored: the new pair is accepted, but the API Certificate is refused.", EXIT_BROKEN)


@click.command()
@district_argument()
@click.option("--delete-secret", is_flag=True, help="Delete its secret, too; it can be restored for some days.")
@click.option(
    "--recovery-days",
    type=click.IntRange(7, 30),
    default=30,
    show_default=True,
    help="For how many days the secret can be restored.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_stack
def remove(stack: Stack, district: str, delete_secret: bool, recovery_days: int, yes: bool) -> None:
    """Stop watching DISTRICT: forget its state, its open problem, its changes and its mute.

    A district is watched as long as it has a secret: where there is one, --delete-secret is needed. An open alert about it is
    resolved within a minute. Exit code 0: removed; 2: there is no such district, or its secret is still there; 3: AWS or the
    stack cannot be used; 130: not confirmed.
    """
    exists, state = stack.secrets.exists(district), stack.states.read([district]).get(district)
    name = stack.secrets.name_of(district)
    if state is None and exists is not True:
        raise EndError(f"There is no district {district}: it has neither a state nor a secret {name}.", EXIT_USAGE)
    if isinstance(state, Exception) and str(state).startswith(NEWER):
        raise EndError(f"Nothing is removed: the stored state of {district} is {state}. Install that release here.")
    if exists and not delete_secret:
        raise EndError(f"{district} is watched as long as there is its secret {name}: delete it with --delete-secret.", EXIT_USAGE)
    too = f" and delete its secret (restorable for {recovery_days} days)" if exists else ""
    if not yes and not is_sure(f"Stop watching {district}, forget all about it{too}?"):
        raise EndError("Nothing is removed.", EXIT_INTERRUPTED)
    if exists:
        stack.secrets.delete(district, recovery_days)
        click.echo(f"{name} is deleted. To have it back: aws secretsmanager restore-secret --secret-id {name}")
    stack.states.remove(district)
    stack.board.unmute(f"district/{district}")
    click.echo(f"{district} is no longer watched.")
