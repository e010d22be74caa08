"""The fields of a secret, checked one by one. A mistake is a sentence that names the field and the fix, and never a value."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from rosterwatch import oneroster
from rosterwatch.address import BaseUrl, exact
from rosterwatch.observation import Term

#: The fields of text, the longest that each may be, and whether it must be there is for ``district.py`` to say.
TEXTS: Final = (
    "base_url",
    "consumer_id",
    "consumer_secret",
    "api_certificate",
    "provider",
    "auth",
    "token_url",
    "data_url",
    "bearer_token",
    "version",
    "expires_on",
)
LISTS: Final = ("scopes", "required", "optional", "terms")
_LONGEST_VALUE: Final = 4096
_LONGEST_TOKEN: Final = 16 * 1024
_MOST_SCOPES: Final = 40
_MOST_TERMS: Final = 40
# RFC 6749 section 3.3: a scope token is printable ASCII without blank, quote and backslash.
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,300}")


def load(text: str) -> tuple[dict[str, Any] | None, list[str]]:
    """The fields of a secret's JSON, or why it cannot be read."""
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
            raise _DuplicateFieldError(shown(name))
        seen[name] = value
    return seen


def shown(name: str) -> str:
    """A field's name, safe to show. A name that looks like a pasted value is not shown."""
    return f'"{name}"' if re.fullmatch(r"[A-Za-z_][A-Za-z_ -]{0,39}", name) else "(a name that looks like a value)"


def check_names(fields: dict[str, Any], required: Sequence[str], known: Sequence[str]) -> list[str]:
    """What is missing, and what nobody knows."""
    unknown = sorted(shown(name) for name in fields if name not in known)
    missing = [name for name in required if name not in fields]
    return [f'field "{name}" is missing: add it' for name in missing] + [
        f"field {name} is unknown: remove it or correct its spelling (known: {', '.join(known)})" for name in unknown
    ]


def check_texts(fields: dict[str, Any], required: Sequence[str]) -> list[str]:
    """What is wrong with the fields of text, whatever they mean."""
    mistakes = []
    for name in TEXTS:
        if name not in fields:
            continue
        value = fields[name]
        longest = _LONGEST_TOKEN if name == "bearer_token" else _LONGEST_VALUE
        if not isinstance(value, str):
            mistakes.append(f'field "{name}" must be a text in quotes, not {_kind(value)}')
        elif not value.strip():
            leave_out = "" if name in required or name == "provider" else ", or leave it out"
            mistakes.append(f'field "{name}" is empty: fill it in{leave_out}')
        elif value != value.strip():
            mistakes.append(f'field "{name}" has blanks or line breaks around its value: remove them')
        elif any(character.isspace() or not character.isprintable() for character in value):
            mistakes.append(f'field "{name}" has a blank or an invisible character inside its value: copy it again')
        elif name != "base_url" and not value.isascii():
            mistakes.append(f'field "{name}" has a character outside ASCII: copy it again as plain text')
        elif len(value) > longest:
            mistakes.append(f'field "{name}" is longer than {longest} characters: that is not what was handed over')
    return mistakes


def text(fields: dict[str, Any], name: str) -> str | None:
    """A field's value if it is a text that may be looked at; anything else is a mistake that ``check_texts`` has named."""
    value = fields.get(name)
    return value if isinstance(value, str) and value == value.strip() and value else None


def choice(fields: dict[str, Any], name: str, choices: Sequence[str], mistakes: list[str]) -> str | None:
    """A field whose value is one of a closed list."""
    value = text(fields, name)
    if value is None or value in choices:
        return value
    mistakes.append(f'field "{name}" names no {name} we know: use one of {", ".join(choices)}')
    return None


def collections(fields: dict[str, Any], name: str, default: tuple[str, ...], mistakes: list[str]) -> tuple[str, ...]:
    """A list of collection names."""
    if name not in fields:
        return default
    value = fields[name]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        mistakes.append(f'field "{name}" must be a list of collection names, such as ["orgs", "users"]')
        return default
    unknown = sorted({shown(item) for item in value if item not in oneroster.ENVELOPES})
    if unknown:
        mistakes.append(f'field "{name}" names unknown collections {", ".join(unknown)}: use {", ".join(oneroster.ENVELOPES)}')
        return default
    return tuple(dict.fromkeys(value))


def scopes(fields: dict[str, Any], mistakes: list[str]) -> tuple[str, ...] | None:
    """The scopes to ask for; none at all for an empty list; ``None`` if the field is not there."""
    if "scopes" not in fields:
        return None
    value = fields["scopes"]
    if not isinstance(value, list) or len(value) > _MOST_SCOPES:
        mistakes.append('field "scopes" must be a list of scopes, or [] to ask for none')
        return None
    if not all(isinstance(item, str) and _SCOPE.fullmatch(item) for item in value):
        mistakes.append('field "scopes" holds something that is no scope: each is one text without blanks, quotes or backslashes')
        return None
    return tuple(dict.fromkeys(value))


def terms(fields: dict[str, Any], mistakes: list[str]) -> tuple[Term, ...]:
    """The district's own school calendar: a list of ``[first day, last day]``."""
    value = fields.get("terms", [])
    if not isinstance(value, list) or len(value) > _MOST_TERMS:
        mistakes.append('field "terms" must be a list of first and last days, such as [["2026-08-12", "2027-06-04"]]')
        return ()
    found = []
    for entry in value:
        try:
            first, last = (date.fromisoformat(one) for one in entry)
        except (TypeError, ValueError):
            mistakes.append('field "terms" has an entry that is no first and last day: write it as ["2026-08-12", "2027-06-04"]')
            return ()
        if first > last:
            mistakes.append('field "terms" has an entry whose last day comes before its first: turn them round')
            return ()
        found.append(Term(first, last))
    return tuple(found)


def day(fields: dict[str, Any], name: str, mistakes: list[str]) -> date | None:
    """A calendar day as ISO 8601 writes it."""
    value = text(fields, name)
    if value is None:
        return None
    try:
        found = date.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.isoformat() != value:  # ISO 8601 has shorter ways to write a day
        mistakes.append(f'field "{name}" is not a day: write it as 2027-06-30')
        return None
    return found


def url(fields: dict[str, Any], name: str, mistakes: list[str], *, query: bool, allow_http: bool) -> BaseUrl | None:
    """A URL that is used as it stands."""
    value = text(fields, name)
    if value is None:
        return None
    try:
        return exact(value, query=query, allow_http=allow_http)
    except ValueError as problem:
        mistakes.append(f'field "{name}" {problem}')
        return None


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", bool: "true or false", int: "a number", float: "a number"}
    return "null" if value is None else kinds.get(type(value), "something else")
