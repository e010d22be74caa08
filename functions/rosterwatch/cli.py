"""The command line: ``rosterwatch check`` visits one OneRoster server from a laptop, by the same code as the Lambda.

Exit codes: 0 healthy, 1 not healthy, 2 bad usage or bad secret, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from pathlib import Path
from typing import Final, NoReturn

try:
    import click
    from rich.console import Console
except ImportError:  # pragma: no cover - seen only without the extra
    sys.exit("The command line needs its extra: pip install 'rosterwatch[cli]'")

import rosterwatch
from rosterwatch.client import Network
from rosterwatch.diagnosis import Known, Status, diagnose
from rosterwatch.district import District, SecretFault, looks_like_certificate, parse_secret
from rosterwatch.explain_command import explain
from rosterwatch.fleet_commands import recheck, status
from rosterwatch.observation import Observation
from rosterwatch.probe import probe
from rosterwatch.providers import PROVIDERS
from rosterwatch.report import to_json
from rosterwatch.terminal import EXIT_BROKEN, EXIT_HEALTHY, EXIT_INTERRUPTED, EXIT_USAGE, EndError, read_text
from rosterwatch.visit_view import show_visit

SECRET_VARIABLE: Final = "ROSTERWATCH_CONSUMER_SECRET"  # noqa: S105 - the name of a variable
CERTIFICATE_VARIABLE: Final = "ROSTERWATCH_API_CERTIFICATE"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(rosterwatch.__version__, prog_name="rosterwatch")
def rosterwatch_command() -> None:
    """Says whether a OneRoster connection works, and if not: why, whose move it is, and how to fix it."""


@rosterwatch_command.command()
@click.option("--url", help="The base URL, for example https://district.aeries.net/aeries")
@click.option("--consumer-id", help="The Consumer ID. The Consumer Secret is never an argument.")
@click.option(
    "--consumer-secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"A file that holds the Consumer Secret. Without it: the variable {SECRET_VARIABLE}, or a prompt.",
)
@click.option(
    "--secret",
    "secret_file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="A JSON file as it is stored in Secrets Manager, instead of the three options above (- reads standard input).",
)
@click.option("--provider", type=click.Choice(list(PROVIDERS)), help="The SIS product.  [default: aeries]")
@click.option(
    "--ca-bundle",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A PEM file with further certificate authorities to trust.",
)
@click.option("--allow-private", is_flag=True, help="Allow private and loopback addresses.")
@click.option("--allow-http", is_flag=True, help="Allow plain http, for a server on this machine only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(
    url: str | None,
    consumer_id: str | None,
    consumer_secret_file: Path | None,
    secret_file: Path | None,
    provider: str | None,
    ca_bundle: Path | None,
    allow_private: bool,
    allow_http: bool,
    as_json: bool,
) -> None:
    """Visit one OneRoster server now. Needs no AWS.

    Reads one record of each collection and shows none of them. Exit code 0: healthy; 1: not healthy; 2: bad usage or secret.
    """
    if secret_file is not None:
        if url or consumer_id or consumer_secret_file or provider:
            raise click.UsageError("--secret stands alone: base_url, consumer_id, consumer_secret and provider are fields in it.")
        name, text = secret_file.stem if str(secret_file) != "-" else "standard input", read_text(secret_file)
        called = "from standard input" if str(secret_file) == "-" else str(secret_file)
    else:
        if not url or not consumer_id:
            raise click.UsageError("Give --url and --consumer-id, or --secret FILE.json.")
        name, called = url, "of this district"
        text = _as_secret(url, consumer_id, _consumer_secret(consumer_secret_file), provider)
    district = parse_secret(name, text, allow_http=allow_http)
    seen: Observation | SecretFault
    if isinstance(district, SecretFault):
        seen, known = district, Known(called)
    else:
        known = Known(called, looks_like_certificate=looks_like_certificate(district))
        seen = _visit(district, ca_bundle, allow_private=allow_private or (allow_http and district.base.url.startswith("http:")))
    diagnosis = diagnose(seen, known)
    if as_json:
        click.echo(json.dumps(to_json(seen, diagnosis), indent=2))
    else:
        show_visit(seen, diagnosis)
    if isinstance(seen, SecretFault):
        raise click.exceptions.Exit(EXIT_USAGE)
    raise click.exceptions.Exit(EXIT_HEALTHY if diagnosis.status is Status.HEALTHY else EXIT_BROKEN)


def _visit(district: District, ca_bundle: Path | None, *, allow_private: bool) -> Observation:
    try:
        network = Network(ca_bundle=str(ca_bundle) if ca_bundle else None, allow_private=allow_private)
    except (OSError, ssl.SSLError):
        raise click.UsageError(f"--ca-bundle: {ca_bundle} holds no readable PEM certificate.") from None
    with Console(stderr=True).status(f"Visiting {district.base.url} ..."):
        return asyncio.run(probe(district, network))


def _consumer_secret(path: Path | None) -> str:
    if path is not None:
        return read_text(path).rstrip("\r\n")
    from_environment = os.environ.get(SECRET_VARIABLE)
    if from_environment:
        return from_environment
    if not sys.stdin.isatty():
        raise click.UsageError(f"No Consumer Secret: set {SECRET_VARIABLE}, or use --consumer-secret-file.")
    return str(click.prompt("Consumer Secret", hide_input=True, err=True))


def _as_secret(url: str, consumer_id: str, consumer_secret: str, provider: str | None) -> str:
    fields = {"base_url": url, "consumer_id": consumer_id, "consumer_secret": consumer_secret}
    certificate = os.environ.get(CERTIFICATE_VARIABLE)
    if certificate:
        fields["api_certificate"] = certificate
    return json.dumps(fields | ({"provider": provider} if provider else {}))


for command in (status, recheck, explain):
    rosterwatch_command.add_command(command)


def main() -> NoReturn:
    """The entry point: every way to end is a sentence and an exit code, never a traceback."""
    try:
        # Click answers with the exit code that a command has ended with, or None.
        code = rosterwatch_command(standalone_mode=False) or EXIT_HEALTHY
    except click.ClickException as error:
        error.show()
        code = error.code if isinstance(error, EndError) else EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nInterrupted. Nothing was changed.", err=True)
        _leave(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell but standard error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo("The output was closed before everything was written.", err=True)
        _leave(EXIT_BROKEN)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End now: a name server that still owes us an answer must not hold the terminal."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = EXIT_BROKEN
    os._exit(code)
