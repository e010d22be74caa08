"""OAuth 1.0a: each request signed anew, on Authlib's protocol core.

RFC 5849, https://datatracker.ietf.org/doc/html/rfc5849. Authlib knows HMAC-SHA1; HMAC-SHA256, which ClassLink and others want,
is registered there once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from authlib.oauth1.rfc5849.client_auth import ClientAuth
from authlib.oauth1.rfc5849.signature import generate_signature_base_string
from authlib.oauth1.rfc5849.util import escape

from rosterwatch.district import Credentials
from rosterwatch.providers import Auth

_METHODS: Final = {Auth.OAUTH1_SHA1: "HMAC-SHA1", Auth.OAUTH1_SHA256: "HMAC-SHA256"}
# What may stand in a path as it is; "%" too, since a path that is encoded already stays as it is.
_PATH_CHARACTERS: Final = "/%:@!$&'()*+,;=~-._"


def _sign_hmac_sha256(client: ClientAuth, request: Any) -> str:
    key = f"{escape(client.client_secret or '')}&{escape(client.token_secret or '')}"
    digest = hmac.new(key.encode(), generate_signature_base_string(request).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


ClientAuth.register_signature_method("HMAC-SHA256", _sign_hmac_sha256)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests with one pair. ``repr`` hides the pair."""

    credentials: Credentials = field(repr=False)
    auth: Auth

    def headers(self, method: str, url: str) -> dict[str, str]:
        """What proves one request: nonce and timestamp are of this moment, so never send it twice."""
        pair = self.credentials.consumer_id, self.credentials.consumer_secret
        client = ClientAuth(*pair, signature_method=_METHODS[self.auth])
        _, headers, _ = client.sign(method, as_sent(url), {}, b"")
        return dict(headers)


def as_sent(url: str) -> str:
    """The URL with all of it percent-encoded, as it goes over the wire: Authlib takes no raw quote or blank in a query."""
    parts = urlsplit(url)
    query = urlencode(parse_qsl(parts.query, keep_blank_values=True), quote_via=quote)
    return urlunsplit((parts.scheme, parts.netloc, quote(parts.path, safe=_PATH_CHARACTERS), query, ""))
