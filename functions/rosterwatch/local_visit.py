"""A visit made from this machine and not from the stack: by the same code, with the network's options of the command line."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rosterwatch.case import Known
from rosterwatch.client import Network
from rosterwatch.diagnosis import diagnose
from rosterwatch.district import District, SecretFault, looks_like_certificate, parse_secret
from rosterwatch.finding import Diagnosis
from rosterwatch.observation import Observation
from rosterwatch.probe import probe
from rosterwatch.terminal import EXIT_USAGE, EndError, messages


def with_network(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what may be reached and trusted from here."""
    for option in (
        click.option("--allow-private", is_flag=True, help="Allow private and loopback addresses."),
        click.option(
            "--ca-bundle",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="A PEM file with further certificate authorities to trust.",
        ),
    ):
        command = option(command)
    return command


def network(ca_bundle: Path | None, **options: Any) -> Network:
    """The network as the options want it; one for each event loop."""
    try:
        return Network(ca_bundle=str(ca_bundle) if ca_bundle else None, **options)
    except (OSError, ssl.SSLError):
        raise click.UsageError(f"--ca-bundle: {ca_bundle} holds no readable PEM certificate.") from None


def parsed(name: str, text: str) -> District:
    """A secret's JSON as a district. Every mistake in it ends the command."""
    district = parse_secret(name, text)
    if isinstance(district, SecretFault):
        raise EndError("\n  - ".join(["This cannot be used, and nothing was stored:", *district.mistakes]), EXIT_USAGE)
    return district


def visited(district: District, secret: str, ca_bundle: Path | None, *, allow_private: bool) -> tuple[Observation, Diagnosis]:
    """Visit a district from here, telling so meanwhile, and judge what was seen. ``secret`` is where its credentials will be."""
    known = Known(secret, looks_like_certificate=looks_like_certificate(district))
    here = network(ca_bundle, allow_private=allow_private)
    with messages().status(f"Visiting {district.base.url} ..."):
        seen = asyncio.run(probe(district, here))
    return seen, diagnose(seen, known)


def is_let_in(seen: Observation) -> bool:
    """Whether the server has accepted the credentials, whatever else is wrong."""
    return seen.token is not None and seen.token.granted
