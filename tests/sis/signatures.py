"""OAuth 1.0a as a server checks it: the signature by oauthlib, nonce and timestamp by ourselves (RFC 5849, sections 3.2 and 3.3).

oauthlib is another implementation than the one whose signatures it gets to see here.
"""

import time
from typing import TYPE_CHECKING

from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint

from tests.sis.admin import VendorRecord
from tests.sis.exchange import Request

if TYPE_CHECKING:
    from tests.sis.district import District

LIFETIME = 300  # seconds that a timestamp may be off, as servers commonly have it
_NEVER = 10**9  # oauthlib's own bound: off, since it knows no clock but the machine's


class _Validator(RequestValidator):  # type: ignore[misc]  # oauthlib ships no types
    """What oauthlib asks about a request: this server's clients, its memory of nonces, and its clock."""

    dummy_client = "nobody"
    timestamp_lifetime = _NEVER

    def __init__(self, district: "District", methods: tuple[str, ...]) -> None:
        super().__init__()
        self._district = district
        self._methods = methods

    @property
    def allowed_signature_methods(self) -> tuple[str, ...]:
        return self._methods

    def check_client_key(self, client_key: str) -> bool:
        return bool(client_key)

    def check_nonce(self, nonce: str) -> bool:
        return 8 <= len(nonce) <= 64

    def validate_client_key(self, client_key: str, request: object) -> bool:
        return self.record(client_key) is not None

    def get_client_secret(self, client_key: str, request: object) -> str:
        record = self.record(client_key)
        return record.consumer_secret if record else "nothing"

    def validate_timestamp_and_nonce(
        self,
        client_key: str,
        timestamp: str,
        nonce: str,
        request: object,
        request_token: object = None,
        access_token: object = None,
    ) -> bool:
        here = time.time() + self._district.settings.clock_ahead
        nonces = self._district.nodes[0].nonces
        fresh = abs(here - int(timestamp)) <= LIFETIME and (client_key, nonce) not in nonces
        nonces.add((client_key, nonce))
        return fresh

    def record(self, client_key: str) -> VendorRecord | None:
        return next((one for one in self._district.records if one.consumer_id == client_key), None)


def signer(request: Request, district: "District", methods: tuple[str, ...]) -> VendorRecord | None:
    """The record whose secret signed the request, or None for any reason not to believe it."""
    validator = _Validator(district, methods)
    scheme = "https" if request.tls else "http"
    uri = f"{scheme}://{request.header('host')}{request.target}"
    headers = {"Authorization": request.header("authorization") or ""}
    endpoint = SignatureOnlyEndpoint(validator)
    try:
        valid, seen = endpoint.validate_request(uri, request.method, request.body.decode("latin-1"), headers)
    except ValueError:  # what oauthlib says to a header that is none
        return None
    return validator.record(seen.client_key) if valid else None
