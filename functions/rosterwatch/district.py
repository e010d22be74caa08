"""A district to watch, as its secret's JSON says: validated strictly, every mistake named with its fix, no value ever shown."""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from rosterwatch import oneroster
from rosterwatch.address import BaseUrl, normalise
from rosterwatch.providers import PROVIDERS, Provider


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the administrator handed over. Neither ``repr`` nor ``str`` shows any of it."""

    consumer_id: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    api_certificate: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class District:
    """One watched connection. ``required`` collections must be readable and non-empty, ``optional`` ones are looked at."""

    name: str
    provider: Provider
    base: BaseUrl
    credentials: Credentials
    required: tuple[str, ...] = oneroster.REQUIRED
    optional: tuple[str, ...] = oneroster.OPTIONAL


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


_TEXT_FIELDS: Final = ("base_url", "consumer_id", "consumer_secret")
_FIELDS: Final = (*_TEXT_FIELDS, "api_certificate", "provider", "required", "optional")
# Aeries' shapes (reference section 1.3): an API Certificate is 32 letters and digits, a Consumer ID or Secret 64 hex digits.
_CERTIFICATE_SHAPE: Final = re.compile(r"[0-9A-Za-z]{32}")
_CONSUMER_SHAPE: Final = re.compile(r"[0-9a-fA-F]{64}")
_LONGEST_VALUE: Final = 4096


def parse_secret(name: str, text: str, *, allow_http: bool = False) -> District | SecretFault:
    """Read one secret's JSON. All mistakes are reported at once; a value is never part of a mistake.

    Shape: ``{"base_url", "consumer_id", "consumer_secret"}`` and optionally ``api_certificate``, ``provider`` (default
    ``aeries``), ``required`` and ``optional`` (lists of collection names).
    """
    fields, mistakes = _load(text)
    if fields is None:
        return SecretFault(name, SecretTrouble.MALFORMED, tuple(mistakes))
    mistakes += _check_names(fields)
    mistakes += _check_texts(fields)
    provider = _provider(fields, mistakes)
    mistakes += _check_pasting(fields)
    required = _collections(fields, "required", oneroster.REQUIRED, mistakes)
    optional = _collections(fields, "optional", oneroster.OPTIONAL, mistakes)
    if not required:
        mistakes.append('field "required" is empty: name at least one collection, or leave the field out')
    base = _base(fields, provider, mistakes, allow_http=allow_http)
    if mistakes or base is None:
        return SecretFault(name, SecretTrouble.MALFORMED, tuple(mistakes))
    credentials = Credentials(fields["consumer_id"], fields["consumer_secret"], fields.get("api_certificate"))
    return District(name, provider, base, credentials, required, tuple(c for c in optional if c not in required))


def looks_like_certificate(district: District) -> bool:
    """Whether a Consumer field has the shape of an Aeries API Certificate: evidence, if the pair is refused."""
    pair = (district.credentials.consumer_id, district.credentials.consumer_secret)
    return district.provider.name == "aeries" and any(_CERTIFICATE_SHAPE.fullmatch(value) for value in pair)


def _load(text: str) -> tuple[dict[str, Any] | None, list[str]]:
    try:
        document = json.loads(text, object_pairs_hook=_no_duplicates)
    except _DuplicateFieldError as duplicate:
        return None, [f"field {duplicate.args[0]} is there twice: keep one of them"]
    except json.JSONDecodeError as error:
        return None, [f"the secret is not valid JSON (line {error.lineno}, column {error.colno}): store one JSON object of fields"]
    except (ValueError, RecursionError):
        return None, ["the secret is not valid JSON: store one JSON object of fields"]
    if not isinstance(document, dict):
        return None, ["the secret is JSON, but not an object: store one JSON object of fields"]
    return document, []


class _DuplicateFieldError(ValueError):
    """When a JSON object names a field twice: which value was meant cannot be known."""


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if name in seen:
            raise _DuplicateFieldError(_shown(name))
        seen[name] = value
    return seen


def _shown(name: str) -> str:
    """A field's name, safe to show. A name that looks like a pasted value is not shown."""
    return f'"{name}"' if re.fullmatch(r"[A-Za-z_][A-Za-z_ -]{0,39}", name) else "(a name that looks like a value)"


def _check_names(fields: dict[str, Any]) -> list[str]:
    unknown = sorted(_shown(name) for name in fields if name not in _FIELDS)
    missing = [name for name in _TEXT_FIELDS if name not in fields]
    known = ", ".join(_FIELDS)
    return [f'field "{name}" is missing: add it' for name in missing] + [
        f"field {name} is unknown: remove it or correct its spelling (known: {known})" for name in unknown
    ]


def _check_texts(fields: dict[str, Any]) -> list[str]:
    mistakes = []
    for name in (*_TEXT_FIELDS, "api_certificate", "provider"):
        if name not in fields:
            continue
        value = fields[name]
        if not isinstance(value, str):
            mistakes.append(f'field "{name}" must be a text in quotes, not {_kind(value)}')
        elif not value.strip():
            mistakes.append(f'field "{name}" is empty: fill it in' + (", or leave it out" if name == "api_certificate" else ""))
        elif value != value.strip():
            mistakes.append(f'field "{name}" has blanks or line breaks around its value: remove them')
        elif any(character.isspace() or not character.isprintable() for character in value):
            mistakes.append(f'field "{name}" has a blank or an invisible character inside its value: copy it again')
        elif name != "base_url" and not value.isascii():
            mistakes.append(f'field "{name}" has a character outside ASCII: copy it again as plain text')
        elif len(value) > _LONGEST_VALUE:
            mistakes.append(f'field "{name}" is longer than {_LONGEST_VALUE} characters: that is not what Aeries shows')
    return mistakes


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", bool: "true or false", int: "a number", float: "a number"}
    return "null" if value is None else kinds.get(type(value), "something else")


def _provider(fields: dict[str, Any], mistakes: list[str]) -> Provider:
    name = fields.get("provider", "aeries")
    if isinstance(name, str) and name in PROVIDERS:
        return PROVIDERS[name]
    if isinstance(name, str) and name.strip() == name != "":
        mistakes.append(f'field "provider" names no provider we know: use one of {", ".join(PROVIDERS)}')
    return PROVIDERS["aeries"]


def _check_pasting(fields: dict[str, Any]) -> list[str]:
    """The mix-ups that the Aeries page invites: three values side by side, two of which look alike."""
    texts = {name: fields.get(name) for name in ("consumer_id", "consumer_secret", "api_certificate")}
    mistakes = []
    for name, other in (("consumer_id", "consumer_secret"), ("consumer_secret", "consumer_id")):
        value, beside = texts[name], texts[other]
        if not isinstance(value, str) or not isinstance(beside, str) or not value.strip():
            continue
        shaped_as_certificate = _CERTIFICATE_SHAPE.fullmatch(value) and _CONSUMER_SHAPE.fullmatch(beside)
        if value == texts["api_certificate"] or shaped_as_certificate:
            mistakes.append(
                f'field "{name}" holds the API Certificate: put the value that Aeries shows under '
                '"Display Consumer ID & Secret Keys for OneRoster" there instead'
            )
        elif value == beside and name == "consumer_secret":
            mistakes.append('field "consumer_secret" is the same as "consumer_id": copy the Consumer Secret Key again')
    return mistakes


def _collections(fields: dict[str, Any], name: str, default: tuple[str, ...], mistakes: list[str]) -> tuple[str, ...]:
    if name not in fields:
        return default
    value = fields[name]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        mistakes.append(f'field "{name}" must be a list of collection names, such as ["orgs", "users"]')
        return default
    unknown = sorted({_shown(item) for item in value if item not in oneroster.ENVELOPES})
    if unknown:
        mistakes.append(f'field "{name}" names unknown collections {", ".join(unknown)}: use {", ".join(oneroster.ENVELOPES)}')
        return default
    return tuple(dict.fromkeys(value))


def _base(fields: dict[str, Any], provider: Provider, mistakes: list[str], *, allow_http: bool) -> BaseUrl | None:
    value = fields.get("base_url")
    if not isinstance(value, str) or not value.strip() or value != value.strip():
        return None  # already a mistake
    try:
        return normalise(value, subdirectory=provider.subdirectory, allow_http=allow_http)
    except ValueError as problem:
        mistakes.append(f'field "base_url" {problem}')
        return None
