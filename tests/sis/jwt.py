"""JSON Web Tokens, as much of RFC 7519 as a server needs that issues and checks its own: HS256, scope, end."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from typing import Any


def issue(claims: dict[str, Any], key: bytes) -> str:
    head = _encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = _encode(json.dumps(claims).encode())
    return f"{head}.{body}.{_encode(_sign(f'{head}.{body}', key))}"


def check(token: str, key: bytes) -> dict[str, Any] | None:
    """The claims of a token that was signed with the key; whether it has ended is for the caller to see."""
    signed, _, signature = token.rpartition(".")
    try:
        if not hmac.compare_digest(_decode(signature), _sign(signed, key)):
            return None
        claims = json.loads(_decode(signed.partition(".")[2]))
    except (binascii.Error, ValueError):
        return None
    return claims if isinstance(claims, dict) else None


def watchable(token: str) -> str:
    """The longest run of letters and digits, for a ledger that looks for such runs."""
    runs: list[str] = re.findall(r"[0-9A-Za-z]+", token.split(".")[1])
    return max(runs, key=len)


def _sign(text: str, key: bytes) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
