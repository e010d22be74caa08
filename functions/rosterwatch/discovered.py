"""What an operator said of a server, and what was found out about it: what goes into the secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rosterwatch.address import without_query
from rosterwatch.district import Credentials
from rosterwatch.observation import Asked
from rosterwatch.oneroster import DATA_PATHS
from rosterwatch.providers import Auth, Provider


@dataclass(frozen=True, slots=True)
class Told:
    """What the operator said; everything but the base URL and the credentials may be open."""

    base_url: str
    credentials: Credentials
    token_url: str | None = None
    data_url: str | None = None
    auth: Auth | None = None
    scopes: tuple[str, ...] | None = None
    version: str | None = None
    allow_http: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A way in: how, where the token is had, what for. ``scopes`` is ``None`` where what is needed is asked for and granted."""

    auth: Auth
    token_url: str | None = None
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Discovered:
    """What was found out. ``secret`` holds what goes into the secret beside the credentials; ``notes`` are for the operator.

    ``asked`` is for the visit, which must not ask for it again.
    """

    provider: str
    version: str
    auth: Auth
    token_url: str | None
    data_url: str
    secret: dict[str, Any]
    requests: int = 0
    notes: tuple[str, ...] = ()
    asked: Asked = field(default_factory=Asked)


def describe(told: Told, provider: Provider, base_url: str, version: str, data_url: str | None, entry: Entry) -> Discovered:
    """The result, with as short a secret as says it all. ``data_url`` is ``None`` where the provider's entry says it."""
    token_url = entry.token_url or told.token_url
    scopes = told.scopes if told.scopes is not None else entry.scopes
    secret: dict[str, Any] = {"provider": provider.name, "base_url": base_url}
    if version != provider.version:
        secret["version"] = version
    if entry.auth is not provider.auth:
        secret["auth"] = entry.auth.value
    if token_url:
        secret["token_url"] = token_url
    if data_url and data_url != base_url + DATA_PATHS[version]:
        secret["data_url"] = data_url
    if scopes is not None and entry.auth.asks_for_token:
        secret["scopes"] = list(scopes)
    lies_at = data_url or base_url + (provider.data_path or DATA_PATHS[version])
    return Discovered(provider.name, version, entry.auth, token_url and without_query(token_url), lies_at, secret)
