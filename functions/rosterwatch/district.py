"""A district to watch, as its secret's JSON says: validated strictly, every mistake named with its fix, no value ever shown."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

from rosterwatch import fields, oneroster
from rosterwatch.address import BaseUrl, data_root, exact, normalise
from rosterwatch.observation import Term
from rosterwatch.providers import PROVIDERS, Auth, Provider, TokenDialect


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the administrator handed over: a pair, or a token that does not change. Neither ``repr`` nor ``str`` shows any of it."""

    consumer_id: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    api_certificate: str | None = field(default=None, repr=False)
    bearer_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class District:
    """One watched connection. ``required`` collections must be readable and non-empty, ``optional`` ones are looked at.

    ``auth`` is how it is entered, ``token_dialects`` where a token may be had. ``data`` is where the collections lie, and
    ``data_named`` says that the operator named it. ``scopes`` are asked for as they are; ``None``: what the collections need.
    ``terms`` are the district's own calendar, if it was written down: that goes before what the server says.
    """

    name: str
    provider: Provider
    base: BaseUrl
    credentials: Credentials
    required: tuple[str, ...]
    optional: tuple[str, ...]
    auth: Auth
    version: str
    data: BaseUrl
    data_named: bool = False
    token_dialects: tuple[TokenDialect, ...] = ()
    scopes: tuple[str, ...] | None = None
    expires_on: date | None = None
    terms: tuple[Term, ...] = ()

    @property
    def home(self) -> BaseUrl:
        """The address that the district goes by in alerts: where its data is, if that was named, or else the base URL."""
        return self.data if self.data_named else self.base


class SecretTrouble(enum.StrEnum):
    """Why a secret cannot be used; each is ours to mend, never the district's."""

    MISSING = "secret_missing"
    MALFORMED = "secret_malformed"
    ACCESS_DENIED = "secret_access_denied"
    UNREADABLE = "secret_unreadable"


@dataclass(frozen=True, slots=True)
class SecretFault:
    """A district that cannot be visited, and every mistake found: sentences that name the field and the fix."""

    district: str
    trouble: SecretTrouble
    mistakes: tuple[str, ...]


_PAIR: Final = ("consumer_id", "consumer_secret")
_FIELDS: Final = ("base_url", *_PAIR, *(name for name in fields.TEXTS if name not in ("base_url", *_PAIR)), *fields.LISTS)
# Aeries' shapes (reference section 1.3): an API Certificate is 32 letters and digits, a Consumer ID or Secret 64 hex digits.
_CERTIFICATE_SHAPE: Final = re.compile(r"[0-9A-Za-z]{32}")
_CONSUMER_SHAPE: Final = re.compile(r"[0-9a-fA-F]{64}")


def parse_secret(name: str, text: str, *, allow_http: bool = False) -> District | SecretFault:
    """Read one secret's JSON. All mistakes are reported at once; a value is never part of a mistake.

    Shape: ``{"base_url", "consumer_id", "consumer_secret"}`` and optionally ``api_certificate``, ``provider`` (default
    ``aeries``), ``required`` and ``optional`` (lists of collection names), and what differs from the provider's entry:
    ``auth``, ``token_url``, ``data_url``, ``version``, ``scopes``, ``bearer_token`` (instead of the pair), ``expires_on``;
    and ``terms``, the school calendar, where the server's own is missing or wrong.
    """
    given, mistakes = fields.load(text)
    if given is None:
        return SecretFault(name, SecretTrouble.MALFORMED, tuple(mistakes))
    told: list[str] = []  # mistakes of meaning, told after those of form
    provider = PROVIDERS[fields.choice(given, "provider", tuple(PROVIDERS), told) or "aeries"]
    auth = Auth(fields.choice(given, "auth", tuple(Auth), told) or provider.auth)
    needed = ("base_url", *(("bearer_token",) if auth is Auth.BEARER else _PAIR))
    mistakes += fields.check_names(given, needed, _FIELDS)
    mistakes += fields.check_texts(given, needed)
    mistakes += told
    mistakes += _check_together(given, provider, auth)
    mistakes += _check_pasting(given, provider)
    required = fields.collections(given, "required", provider.required, mistakes)
    optional = fields.collections(given, "optional", provider.optional, mistakes)
    if not required:
        mistakes.append('field "required" is empty: name at least one collection, or leave the field out')
    scopes = fields.scopes(given, mistakes)
    expires_on = fields.day(given, "expires_on", mistakes)
    terms = fields.terms(given, mistakes)
    token_url = fields.url(given, "token_url", mistakes, query=True, allow_http=allow_http)
    data_url = fields.url(given, "data_url", mistakes, query=False, allow_http=allow_http)
    version = fields.choice(given, "version", tuple(oneroster.DATA_PATHS), mistakes)
    base = _base(given, provider, mistakes, allow_http=allow_http)
    if mistakes or base is None:
        return SecretFault(name, SecretTrouble.MALFORMED, tuple(mistakes))
    data, version = _data(given, provider, base, data_url, version, allow_http=allow_http)
    return District(
        name,
        provider,
        base,
        Credentials(
            given.get("consumer_id", ""), given.get("consumer_secret", ""), given.get("api_certificate"), given.get("bearer_token")
        ),
        required,
        tuple(c for c in optional if c not in required),
        auth,
        version,
        data,
        data_url is not None,
        _token_dialects(provider, auth, token_url, explicit="auth" in given),
        scopes if scopes is not None else provider.scopes,
        expires_on,
        terms,
    )


def looks_like_certificate(district: District) -> bool:
    """Whether a Consumer field has the shape of an Aeries API Certificate: evidence, if the pair is refused."""
    pair = (district.credentials.consumer_id, district.credentials.consumer_secret)
    return district.provider.name == "aeries" and any(_CERTIFICATE_SHAPE.fullmatch(value) for value in pair)


def _check_together(given: dict[str, Any], provider: Provider, auth: Auth) -> list[str]:
    """Fields that are fine by themselves and mean nothing beside the others."""

    def unused(names: Sequence[str], reason: str) -> list[str]:
        return [f'field "{name}" is not used with {reason}: leave it out' for name in names if name in given]

    mistakes = unused(("token_url", "scopes"), f'auth "{auth}"') if not auth.asks_for_token else []
    if auth is Auth.AERIES_V1_CODE:
        mistakes += unused(("token_url", "scopes"), f'auth "{auth}"')
        if provider.name != "aeries":
            mistakes.append(f'field "auth" is "{auth}", which only Aeries knows: choose another, or correct "provider"')
    mistakes += unused(_PAIR if auth is Auth.BEARER else ("bearer_token",), f'auth "{auth}"')
    if provider.name != "aeries":
        mistakes += unused(("api_certificate",), f'provider "{provider.name}"')
    return mistakes


def _check_pasting(given: dict[str, Any], provider: Provider) -> list[str]:
    """The mix-ups that the Aeries page invites: three values side by side, two of which look alike."""
    texts = {name: given.get(name) for name in (*_PAIR, "api_certificate")}
    words = provider.wording.credentials
    mistakes = []
    for name, other in (_PAIR, _PAIR[::-1]):
        value, beside = texts[name], texts[other]
        if not isinstance(value, str) or not isinstance(beside, str) or not value.strip():
            continue
        shaped_as_certificate = _CERTIFICATE_SHAPE.fullmatch(value) and _CONSUMER_SHAPE.fullmatch(beside)
        if provider.name == "aeries" and (value == texts["api_certificate"] or shaped_as_certificate):
            mistakes.append(
                f'field "{name}" holds the API Certificate: put the value that Aeries shows under '
                '"Display Consumer ID & Secret Keys for OneRoster" there instead'
            )
        elif value == beside and name == "consumer_secret":
            copy = "the Consumer Secret Key" if provider.name == "aeries" else f"it from {words}"
            mistakes.append(f'field "consumer_secret" is the same as "consumer_id": copy {copy} again')
    return mistakes


def _base(given: dict[str, Any], provider: Provider, mistakes: list[str], *, allow_http: bool) -> BaseUrl | None:
    value = fields.text(given, "base_url")
    if value is None:
        return None  # already a mistake
    try:
        return normalise(value, subdirectory=provider.subdirectory, allow_http=allow_http)
    except ValueError as problem:
        mistakes.append(f'field "base_url" {problem}')
        return None


def _data(
    given: dict[str, Any], provider: Provider, base: BaseUrl, named: BaseUrl | None, version: str | None, *, allow_http: bool
) -> tuple[BaseUrl, str]:
    """Where the collections lie and in which version: as named, as pasted into the base URL, or as the provider has it."""
    if named is not None:
        return named, version or oneroster.version_of(named.url) or provider.version
    pasted = None if provider.subdirectory or version else data_root(given["base_url"])
    if pasted is not None and oneroster.version_of(pasted):
        return exact(pasted, query=False, allow_http=allow_http), oneroster.version_of(pasted) or provider.version
    at_home = version in (None, provider.version) and provider.data_path
    version = version or provider.version
    return replace(base, url=base.url + (at_home or oneroster.DATA_PATHS[version]), changes=()), version


def _token_dialects(provider: Provider, auth: Auth, token_url: BaseUrl | None, *, explicit: bool) -> tuple[TokenDialect, ...]:
    if not auth.asks_for_token:
        return ()
    if auth is Auth.AERIES_V1_CODE:
        return (TokenDialect("v1", "/v1/oauth/token", auth, scoped=False),)
    if token_url is not None:
        return (TokenDialect("token_url", token_url.url, auth),)
    return tuple(replace(dialect, auth=auth) for dialect in provider.token_dialects) if explicit else provider.token_dialects
