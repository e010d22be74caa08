"""Which cause one exchange points to. The order is the rule: fault, challenge and redirect, page, body dialect, then status.

Each table is read from the top and the first match counts, so a reader finds the rule for a symptom in one look. What only a
whole visit can tell (all empty, worked before, out of session) is decided in ``diagnosis.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rosterwatch.observation import BodyKind, Collection, CollectionState, Dialect, Exchange, Fault, Page

#: No HTTP answer: the fault is the cause. (Reference section 5, rows 1 to 12.)
BY_FAULT: Final[Mapping[Fault, str]] = {
    Fault.DNS_NOT_FOUND: "unreachable_dns",
    Fault.DNS_FAILING: "unreachable_dns_failing",
    Fault.ADDRESS_NOT_ALLOWED: "address_not_allowed",
    Fault.CONNECT_REFUSED: "unreachable_refused",
    Fault.CONNECT_TIMEOUT: "unreachable_timeout",
    Fault.NO_ROUTE: "unreachable_route",
    Fault.RESET: "unreachable_reset",
    Fault.TLS_EXPIRED: "certificate_expired",
    Fault.TLS_NOT_YET_VALID: "unreachable_tls",
    Fault.TLS_SELF_SIGNED: "certificate_self_signed",
    Fault.TLS_INCOMPLETE_CHAIN: "certificate_incomplete_chain",
    Fault.TLS_WRONG_NAME: "certificate_wrong_name",
    Fault.TLS_TOO_OLD: "tls_too_old",
    Fault.TLS_NOT_SPOKEN: "tls_not_spoken",
    Fault.TLS_FAILED: "unreachable_tls",
    Fault.READ_TIMEOUT: "no_answer",
    Fault.DEADLINE: "no_answer",
    Fault.PROTOCOL: "not_http",
}

Test = Callable[[Exchange], bool]


def _page(*pages: Page) -> Test:
    return lambda e: e.body.page in pages


def _code(*codes: str) -> Test:
    return lambda e: e.body.code in codes


def _status(*statuses: int) -> Test:
    return lambda e: e.status in statuses


def _redirects(test: Callable[[Exchange], bool]) -> Test:
    return lambda e: e.redirect is not None and test(e)


#: What something in front of the SIS says, in whatever step it says it. (Rows 13 to 16, 29, 30, 43 to 46.)
IN_FRONT: Final[tuple[tuple[Test, str], ...]] = (
    (lambda e: e.status == 401 and bool(e.challenges & {"negotiate", "ntlm"}), "windows_authentication"),
    (_redirects(lambda e: e.redirect is not None and e.redirect.to_https and e.redirect.same_host), "redirected_to_https"),
    (_redirects(lambda e: e.redirect is not None and not e.redirect.same_host), "redirected_elsewhere"),
    (_redirects(lambda e: e.redirect is not None and e.redirect.to_login), "login_page"),
    (_redirects(lambda _: True), "redirected"),
    (_status(429), "throttled"),
    (_code("server_busy", "temporarily_unavailable"), "throttled"),
    (lambda e: e.body.page is Page.OFFLINE and e.status in (200, 502, 503, 504), "maintenance"),
    (lambda e: e.body.page is Page.BLOCKED and e.status in (200, 400, 401, 403, 405, 406, 418, 501, 503), "blocked"),
    (_status(406), "blocked"),
    (_status(503), "maintenance"),
    (lambda e: e.body.page is Page.LOGIN and e.status in (200, 401, 403), "login_page"),
    (lambda e: e.status is not None and e.status >= 500, "server_error"),
)

#: A token request that got no token. (Rows 17 to 23; ``REFUSED`` is split by what is known of the pair.)
REFUSED: Final = "credentials_refused"
AT_TOKEN: Final[tuple[tuple[Test, str], ...]] = (
    (_code("invalid_client", "invalid_grant", "access_denied"), REFUSED),
    (_code("unauthorized_client"), "client_not_allowed"),
    (_code("invalid_scope", "insufficient_scope"), "scope_refused"),
    (_code("invalid_request", "unsupported_grant_type"), "our_bad_request"),
    (_code("server_error"), "server_error"),
    (lambda e: e.succeeded and e.body.kind in (BodyKind.HTML, BodyKind.TEXT), "not_oneroster"),
    (lambda e: e.succeeded, "token_missing"),
    (_status(401), REFUSED),
    (_status(403), "client_not_allowed"),
    (_status(404, 405, 410), "token_path_missing"),
    (lambda e: e.status is not None, "token_unclear"),
)

#: A collection that could not be read. (Rows 26 to 31, 38 to 41, 47.)
AT_COLLECTION: Final[tuple[tuple[Test, str], ...]] = (
    (_status(401), "bearer_refused"),
    (_status(403), "permission_missing"),
    (lambda e: e.body.kind is BodyKind.OVERSIZE, "body_too_large"),
    (lambda e: e.body.kind is BodyKind.ENCODED, "encoded_unasked"),
    (lambda e: e.succeeded and e.body.kind is BodyKind.TRUNCATED, "truncated"),
    (lambda e: e.succeeded and e.body.kind in (BodyKind.HTML, BodyKind.TEXT, BodyKind.SCALAR, BodyKind.NONE), "not_oneroster"),
    (lambda e: e.succeeded and e.body.dialect not in (None, Dialect.STATUS_INFO_SET), "error_with_success"),
    (lambda e: e.succeeded and e.body.dialect is Dialect.STATUS_INFO_SET and e.body.code is not None, "error_with_success"),
    (lambda e: e.succeeded, "envelope_missing"),
    (_status(404, 405, 410, 501), "collection_missing"),
    (lambda e: e.status is not None, "request_refused"),
)

#: The check of the API Certificate. (Row 51.)
AT_CERTIFICATE: Final[tuple[tuple[Test, str], ...]] = (
    (_status(401), "api_certificate_wrong"),
    (_status(403), "api_certificate_permission"),
    (_status(404, 405, 410), "api_certificate_path"),
    (lambda e: not e.succeeded or e.body.kind is not BodyKind.ARRAY, "api_certificate_unproved"),
)


def _first(exchange: Exchange, *tables: tuple[tuple[Test, str], ...]) -> str:
    if exchange.fault is not None:
        return BY_FAULT[exchange.fault]
    return next((cause for table in tables for test, cause in table if test(exchange)), "unknown")


def at_token(exchange: Exchange) -> str:
    """The cause behind a token exchange that granted nothing; ``REFUSED`` and ``token_path_missing`` want more context."""
    return _first(exchange, IN_FRONT, AT_TOKEN)


def at_collection(collection: Collection) -> str | None:
    """The cause behind one collection that is not as it should be; ``None`` if it is readable or was never asked for."""
    if collection.state in (CollectionState.OK, CollectionState.UNTESTED) or collection.exchange is None:
        return None
    if collection.state is CollectionState.EMPTY:
        return "collection_empty"
    if collection.malformed and collection.records:
        return "records_without_id"
    return _first(collection.exchange, IN_FRONT, AT_COLLECTION)


def at_data_root(exchange: Exchange) -> bool:
    """Whether an answer without credentials shows that OneRoster is there: refused, or even opened, but not missing."""
    if exchange.fault is not None or any(test(exchange) for test, _ in IN_FRONT):
        return False
    return exchange.status in (401, 403) or (exchange.succeeded and exchange.body.kind is BodyKind.OBJECT)


def at_certificate(exchange: Exchange) -> str | None:
    """The cause behind the certificate check; ``None`` if the certificate opened what it should."""
    if exchange.fault is not None or any(test(exchange) for test, _ in IN_FRONT):
        return "api_certificate_unproved"  # whatever stands in front says nothing of the certificate
    return next((cause for test, cause in AT_CERTIFICATE if test(exchange)), None)
