"""``rosterwatch check``: visits one OneRoster server now, by the same code as the Lambda, and finds out first what it is."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from rosterwatch.address import without_query
from rosterwatch.case import Known
from rosterwatch.client import Network
from rosterwatch.diagnosis import diagnose
from rosterwatch.discovered import Discovered, Told
from rosterwatch.discovery import discover
from rosterwatch.district import District, SecretFault, looks_like_certificate, parse_secret
from rosterwatch.finding import Status
from rosterwatch.observation import Asked, Observation
from rosterwatch.oneroster import DATA_PATHS
from rosterwatch.probe import probe
from rosterwatch.providers import PROVIDERS, Auth
from rosterwatch.report import discovered_json, to_json
from rosterwatch.stack_option import district_argument, on_stack, stack_options
from rosterwatch.stored_visit import check_stored
from rosterwatch.terminal import EXIT_BROKEN, EXIT_HEALTHY, EXIT_USAGE, messages, read_text
from rosterwatch.visit_view import show_discovered, show_visit

SECRET_VARIABLE: Final = "ROSTERWATCH_CONSUMER_SECRET"  # noqa: S105 - the name of a variable
BEARER_VARIABLE: Final = "ROSTERWATCH_BEARER_TOKEN"
CERTIFICATE_VARIABLE: Final = "ROSTERWATCH_API_CERTIFICATE"
#: Products whose entry says where tokens are.
_DESCRIBED: Final = frozenset(name for name in PROVIDERS if not name.startswith("generic"))
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FILE_OR_INPUT = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


@click.command()
@district_argument(required=False)
@click.option("--url", help="The base URL, for example https://district.aeries.net/aeries")
@click.option("--consumer-id", help="The Consumer ID (or Client ID, or key). The Consumer Secret is never an argument.")
@click.option(
    "--consumer-secret-file",
    type=_FILE,
    help=f"A file that holds the Consumer Secret. Without it: the variable {SECRET_VARIABLE}, or a prompt.",
)
@click.option(
    "--bearer-token-file",
    type=_FILE,
    help=f"A file that holds a static token, for --auth bearer. Or the variable {BEARER_VARIABLE}.",
)
@click.option(
    "--secret",
    "secret_file",
    type=_FILE_OR_INPUT,
    help="A JSON file as it is stored in Secrets Manager, instead of the options above and below (- reads standard input).",
)
@click.option("--provider", type=click.Choice(list(PROVIDERS)), help="The SIS product.  [default: whatever is found out]")
@click.option("--auth", type=click.Choice([auth.value for auth in Auth]), help="How to authenticate, if not as the product has it.")
@click.option("--token-url", help="The whole token URL, if it cannot be found below the base URL. It may be on another host.")
@click.option("--data-url", help="The whole data URL, down to its version, if it is not where the specification puts it.")
@click.option("--version", "oneroster_version", type=click.Choice(list(DATA_PATHS)), help="The OneRoster version.")
@click.option("--scope", "scopes", multiple=True, help="A scope to ask for, instead of what is needed. May be repeated.")
@click.option("--no-scope", is_flag=True, help="Ask for no scope.")
@click.option("--ca-bundle", type=_FILE, help="A PEM file with further certificate authorities to trust.")
@click.option("--allow-private", is_flag=True, help="Allow private and loopback addresses.")
@click.option("--allow-http", is_flag=True, help="Allow plain http, for a server on this machine only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@stack_options
def check(
    district: str | None,
    url: str | None,
    consumer_id: str | None,
    consumer_secret_file: Path | None,
    bearer_token_file: Path | None,
    secret_file: Path | None,
    provider: str | None,
    auth: str | None,
    token_url: str | None,
    data_url: str | None,
    oneroster_version: str | None,
    scopes: tuple[str, ...],
    no_scope: bool,
    ca_bundle: Path | None,
    allow_private: bool,
    allow_http: bool,
    as_json: bool,
    stack_name: str,
    region: str | None,
    profile: str | None,
) -> None:
    """Visit one OneRoster server now, from here: DISTRICT with what the stack has stored, or any server, without AWS.

    Reads one record of each collection and shows none of them. Nothing is stored and nobody is told. With --url and without
    --provider it finds out first what the server is, with eight requests at most, and says what to store.

    Exit code 0: healthy; 1: not healthy; 2: bad usage or secret; 3: AWS or the stack cannot be used.
    """
    told = {
        "provider": provider,
        "base_url": url or data_url,
        "auth": auth,
        "token_url": token_url,
        "data_url": data_url,
        "version": oneroster_version,
        "scopes": [] if no_scope else list(scopes) or None,
    }
    fields: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    if district is not None:
        if fields or consumer_id or consumer_secret_file or bearer_token_file or secret_file or allow_http:
            raise click.UsageError("A district is visited with what is stored for it: name no other credentials and no URL.")
        here = {"ca_bundle": ca_bundle, "allow_private": allow_private, "as_json": as_json}
        on_stack(check_stored, stack_name, region, profile, district=district, **here)
        return
    if secret_file is not None:
        if fields or consumer_id or consumer_secret_file or bearer_token_file:
            raise click.UsageError("--secret stands alone: what the other options say are fields in it.")
        name, text = secret_file.stem if str(secret_file) != "-" else "standard input", read_text(secret_file)
        called = "from standard input" if str(secret_file) == "-" else str(secret_file)
    else:
        fields |= _credentials(fields, consumer_id, consumer_secret_file, bearer_token_file)
        name, called, text = str(fields["base_url"]), "of this district", json.dumps(fields)
    parsed = parse_secret(name, text, allow_http=allow_http)
    found: Discovered | None = None
    seen: Observation | SecretFault
    if isinstance(parsed, SecretFault):
        seen, known = parsed, Known(called)
    else:
        # Loopback is what plain http is for.
        network = _network(ca_bundle, allow_private=allow_private or (allow_http and parsed.home.url.startswith("http:")))
        look = secret_file is None and provider is None
        seen, found = asyncio.run(_look(parsed, fields if look else None, network, allow_http=allow_http))
        known = Known(called, looks_like_certificate=seen.provider == "aeries" and looks_like_certificate(parsed))
    diagnosis = diagnose(seen, known)
    if as_json:
        click.echo(json.dumps(to_json(seen, diagnosis) | {"discovered": discovered_json(found)}, indent=2))
    else:
        show_visit(seen, diagnosis)
        show_discovered(found)
    if isinstance(seen, SecretFault):
        raise click.exceptions.Exit(EXIT_USAGE)
    raise click.exceptions.Exit(EXIT_HEALTHY if diagnosis.status is Status.HEALTHY else EXIT_BROKEN)


async def _look(
    district: District, fields: dict[str, Any] | None, network: Network, *, allow_http: bool
) -> tuple[Observation, Discovered | None]:
    """Find out what the server is, where ``fields`` say that nobody has told, and visit it as that."""
    found, requests = None, 0
    if fields is not None:
        with messages().status(f"Finding out what {district.home.url} is ..."):
            found, requests = await discover(_told(district, fields, allow_http=allow_http), network)
    if fields is not None and found is not None:
        credentials = {name: fields[name] for name in ("consumer_id", "consumer_secret", "bearer_token") if name in fields}
        certificate = {name: fields[name] for name in ("api_certificate",) if name in fields and found.provider == "aeries"}
        # The URL as it was typed: what is changed about it is part of what the visit tells.
        text = json.dumps(found.secret | {"base_url": fields["base_url"]} | credentials | certificate)
        known = parse_secret(district.name, text, allow_http=allow_http)
        district = known if isinstance(known, District) else district
    with messages().status(f"Visiting {district.home.url} ..."):
        seen = await probe(district, network, asked=found.asked if found else Asked())
    seen = replace(seen, requests=seen.requests + requests)
    return seen, _completed(found, district, seen) if found else None


def _told(district: District, fields: dict[str, Any], *, allow_http: bool) -> Told:
    return Told(
        fields["base_url"],
        district.credentials,
        token_url=fields.get("token_url"),
        data_url=fields.get("data_url"),
        auth=Auth(fields["auth"]) if "auth" in fields else None,
        scopes=district.scopes if "scopes" in fields else None,
        version=fields.get("version"),
        allow_http=allow_http,
    )


def _completed(found: Discovered, district: District, seen: Observation) -> Discovered:
    """With the token page that answered the visit, where discovery had not come to it."""
    granted = seen.token.dialect if seen.token else None
    dialect = next((d for d in district.token_dialects if d.name == granted), None)
    if found.token_url is None and dialect is not None:
        url = dialect.url(district.base.url)
        secret = found.secret if found.provider in _DESCRIBED else found.secret | {"token_url": url}
        return replace(found, token_url=without_query(url), secret=secret)
    if (
        found.token_url is None
        and found.auth.asks_for_token
        and not found.notes
        and found.provider not in _DESCRIBED
        and not found.asked.refusals
    ):
        return replace(found, notes=(*found.notes, "No token page was found. If you know where it is, give it as --token-url."))
    return found


def _network(ca_bundle: Path | None, *, allow_private: bool) -> Network:
    try:
        return Network(ca_bundle=str(ca_bundle) if ca_bundle else None, allow_private=allow_private)
    except (OSError, ssl.SSLError):
        raise click.UsageError(f"--ca-bundle: {ca_bundle} holds no readable PEM certificate.") from None


def _credentials(
    fields: dict[str, Any], consumer_id: str | None, secret_file: Path | None, bearer_file: Path | None
) -> dict[str, str]:
    """The fields that prove who we are, from wherever they are kept."""
    auth = fields.get("auth") or (PROVIDERS[fields["provider"]].auth.value if "provider" in fields else None)
    if "base_url" not in fields or not (consumer_id or auth == Auth.BEARER):
        raise click.UsageError("Name a DISTRICT of the stack, or give --url and --consumer-id, or --secret FILE.json.")
    if auth == Auth.BEARER:
        return {"bearer_token": _hidden(bearer_file or secret_file, (BEARER_VARIABLE, SECRET_VARIABLE), "Bearer token")}
    found = {"consumer_id": consumer_id or "", "consumer_secret": _hidden(secret_file, (SECRET_VARIABLE,), "Consumer Secret")}
    certificate = os.environ.get(CERTIFICATE_VARIABLE)
    if certificate and fields.get("provider") in (None, "aeries"):
        found["api_certificate"] = certificate
    return found


def _hidden(path: Path | None, variables: tuple[str, ...], name: str) -> str:
    """A value that is no argument: from a file, from the environment, or asked for."""
    if path is not None:
        return read_text(path).rstrip("\r\n")
    from_environment = next((value for variable in variables if (value := os.environ.get(variable))), None)
    if from_environment:
        return from_environment
    if not sys.stdin.isatty():
        option = "--bearer-token-file" if variables[0] == BEARER_VARIABLE else "--consumer-secret-file"
        raise click.UsageError(f"No {name}: set {variables[0]}, or use {option}.")
    return str(click.prompt(name, hide_input=True, err=True))
