"""An OAuth 2 token endpoint that is strict in every way one of the products is (reference sections 3.3 and 4).

POST with a form, one way to authenticate, scopes that are offered, the query it wants. Refusals are those of RFC 6749, 5.2.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote_plus

from tests.sis import jwt
from tests.sis.admin import VendorRecord
from tests.sis.exchange import Answer, Request, json_answer
from tests.sis.tokens import oauth_error

if TYPE_CHECKING:
    from tests.sis.district import District

FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Issuer:
    """How one product gives out tokens.

    `client` is how the pair must come: `basic` (as it is), `encoded` (form-encoded, RFC 6749 2.3.1) or `post`. `scopes` says
    what becomes of them: `required`, `ignored`, or `claimed` (named in the answer whatever they are, granted only if offered).
    `query` must be there to the letter. `host` answers and no other, if it is given.
    """

    path: str
    offered: tuple[str, ...]
    client: str = "basic"
    scopes: str = "required"
    names_scopes: bool = True
    expires_in: object = 3600
    kind: str = "opaque"  # or jwt
    query: dict[str, str] = field(default_factory=dict)
    refused_status: int = 401
    host: str = ""

    def answer(self, request: Request, district: "District") -> Answer:
        """Answer a request to the token endpoint."""
        if dict(request.query) != self.query:
            return Answer(200, (("Content-Type", "text/plain"),), b"No Campus Application selected")
        if request.method != "POST":
            return json_answer(405, {"error": "invalid_request"}, ("Allow", "POST"))
        form = self._form(request)
        if form is None or "grant_type" not in form:
            return oauth_error("invalid_request")
        if form["grant_type"] != "client_credentials":
            return oauth_error("unsupported_grant_type")
        return self._client_credentials(request, form, district)

    def _client_credentials(self, request: Request, form: dict[str, str], district: "District") -> Answer:
        record = self._client(request, form, district)
        if record is None:
            return oauth_error("invalid_client", self.refused_status)
        if not record.oneroster:
            return oauth_error("unauthorized_client")
        asked = frozenset(form.get("scope", "").split())
        if self.scopes == "required" and not (asked and asked <= set(self.offered)):
            return oauth_error("invalid_scope")
        granted = frozenset(self.offered) if self.scopes == "ignored" else asked & set(self.offered)
        return self._granted(district, record, granted, asked)

    def _granted(self, district: "District", record: VendorRecord, granted: frozenset[str], asked: frozenset[str]) -> Answer:
        seconds = float(str(self.expires_in))
        if self.kind == "jwt":
            claims = {"sub": record.consumer_id, "scope": " ".join(sorted(granted)), "exp": district.clock() + seconds}
            token = jwt.issue(claims | {"jti": district.hexadecimal(32)}, jwt_key(district))
            district.ledger.watch(f"{district.name}.token", jwt.watchable(token))
        else:
            token = district.grant(district.nodes[0], record, granted, seconds)
        body: dict[str, object] = {"access_token": token, "token_type": "bearer", "expires_in": self.expires_in}
        if self.names_scopes:
            body["scope"] = " ".join(sorted(asked if self.scopes == "claimed" else granted))
        return json_answer(200, body, ("Cache-Control", "no-store"))

    def _client(self, request: Request, form: dict[str, str], district: "District") -> VendorRecord | None:
        """The record of the pair, if it came in the one way this product takes it."""
        in_form = "client_secret" in form
        if in_form is not (self.client == "post") or (in_form and request.header("authorization")):
            return None
        pair = (form.get("client_id", ""), form["client_secret"]) if in_form else self._basic(request)
        return next((one for one in district.records if (one.consumer_id, one.consumer_secret) == pair), None)

    def _basic(self, request: Request) -> tuple[str, str] | None:
        scheme, _, encoded = (request.header("authorization") or "").partition(" ")
        try:
            user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        if scheme != "Basic" or not colon:
            return None
        return (unquote_plus(user), unquote_plus(password)) if self.client == "encoded" else (user, password)

    @staticmethod
    def _form(request: Request) -> dict[str, str] | None:
        if (request.header("content-type") or "").partition(";")[0] != FORM_TYPE:
            return None
        fields = parse_qsl(request.body.decode("latin-1"), keep_blank_values=True)
        return dict(fields) if len({name for name, _ in fields}) == len(fields) else None


def jwt_key(district: "District") -> bytes:
    """What signs the tokens of a district: known to whoever issues them and to whoever checks them."""
    return hashlib.sha256(f"{district.school.seed}/{district.name}/tokens".encode()).digest()
