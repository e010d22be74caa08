"""Proving who we are: OAuth 2 client credentials, on Authlib's protocol core, which does no I/O of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from authlib.oauth2.auth import ClientAuth, TokenAuth

from rosterwatch.district import Credentials
from rosterwatch.providers import TokenDialect

_LONGEST_TOKEN: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What to POST. Headers and content carry the secret, so ``repr`` shows neither."""

    url: str
    headers: dict[str, str] = field(repr=False)
    content: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and the scopes the server says it granted (``None``: it does not say). ``repr`` hides the token."""

    access_token: str = field(repr=False)
    scopes: frozenset[str] | None = None


def token_request(base_url: str, dialect: TokenDialect, credentials: Credentials, scopes: tuple[str, ...]) -> TokenRequest:
    """The token request of RFC 6749 section 4.4.2 in the given dialect."""
    form = {"grant_type": "client_credentials"}
    if dialect.scoped and scopes:
        form["scope"] = " ".join(scopes)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    client = ClientAuth(credentials.consumer_id, credentials.consumer_secret, dialect.client_auth)
    url, headers, content = client.prepare("POST", base_url + dialect.path, headers, urlencode(form))
    return TokenRequest(url, headers, content)


def read_grant(document: Any) -> Grant | None:
    """The grant in a 2xx token answer; ``None`` unless it holds a usable ``access_token``.

    A token must be a non-empty printable ASCII text, since it goes into a header. ``error`` beside it voids it: some servers
    send both, and Authlib's own client would take any JSON object (reference exemplars, Authlib).
    """
    if not isinstance(document, dict) or document.get("error"):
        return None
    token = document.get("access_token")
    if not isinstance(token, str) or not 0 < len(token) <= _LONGEST_TOKEN:
        return None
    if not token.isascii() or not token.isprintable() or " " in token:
        return None
    scope = document.get("scope")
    return Grant(token, frozenset(scope.split()) if isinstance(scope, str) and scope.strip() else None)


def bearer_headers(grant: Grant) -> dict[str, str]:
    """The Authorization header, always with the word ``Bearer`` as RFC 6750 spells it, whatever ``token_type`` says."""
    _, headers, _ = TokenAuth({"access_token": grant.access_token, "token_type": "Bearer"}).prepare("", {}, "")
    return dict(headers)
