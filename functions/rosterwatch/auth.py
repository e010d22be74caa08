"""Proving who we are: OAuth 2 client credentials and static tokens, on Authlib's protocol core, which does no I/O of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from authlib.oauth2.auth import ClientAuth, TokenAuth

from rosterwatch.district import Credentials
from rosterwatch.providers import Auth, TokenDialect

_LONGEST_TOKEN: Final = 16 * 1024
_AERIES_V1_SCOPE: Final = "OneRoster"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What to POST. Headers and content carry the secret, so ``repr`` shows neither."""

    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    content: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and the scopes the server says it granted (``None``: it does not say). ``repr`` shows neither: any text is one."""

    access_token: str = field(repr=False)
    scopes: frozenset[str] | None = field(default=None, repr=False)

    def headers(self, method: str, url: str) -> dict[str, str]:  # noqa: ARG002 - a signature needs them, a token does not
        """What proves a data request."""
        return bearer_headers(self)


def token_request(base_url: str, dialect: TokenDialect, credentials: Credentials, scopes: tuple[str, ...]) -> TokenRequest:
    """The token request of RFC 6749 section 4.4.2 in the given dialect."""
    if dialect.auth is Auth.OAUTH2_BASIC_ENCODED:  # section 2.3.1: both form-encoded before they become a Basic header
        pair = quote_plus(credentials.consumer_id), quote_plus(credentials.consumer_secret)
    else:
        pair = credentials.consumer_id, credentials.consumer_secret
    form = {"grant_type": "client_credentials"}
    if dialect.scoped and scopes:
        form["scope"] = " ".join(scopes)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    method = "client_secret_post" if dialect.auth is Auth.OAUTH2_POST else "client_secret_basic"
    url, headers, content = ClientAuth(*pair, method).prepare("POST", dialect.url(base_url), headers, urlencode(form))
    return TokenRequest(url, headers, content)


def aeries_code_request(base_url: str, credentials: Credentials) -> TokenRequest:
    """The first half of Aeries' oldest dialect: a code that is good for five minutes (reference section 1.3)."""
    query = urlencode({"client_id": credentials.consumer_id})
    return TokenRequest(f"{base_url}/v1/oauth/authorize?{query}", {"Accept": "application/json"}, "")


def aeries_token_request(base_url: str, credentials: Credentials, code: str) -> TokenRequest:
    """The second half: the code and the secret in a query, which is why nobody gets this dialect without asking for it."""
    query = {"client_id": credentials.consumer_id, "authorization_code": code}
    query |= {"client_secret": credentials.consumer_secret, "scope": _AERIES_V1_SCOPE}
    return TokenRequest(f"{base_url}/v1/oauth/token?{urlencode(query)}", {"Accept": "application/json"}, "")


def read_code(document: Any) -> str | None:
    """The authorization code in an answer. No source shows the member's name; these are the two that are likely."""
    code = (document.get("authorization_code") or document.get("code")) if isinstance(document, dict) else None
    return code if isinstance(code, str) and 0 < len(code) <= _LONGEST_TOKEN and code.isascii() and code.isprintable() else None


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
