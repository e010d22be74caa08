from __future__ import annotations

import pytest

from rosterwatch import rules
from rosterwatch.causes import CAUSES
from rosterwatch.observation import Body, BodyKind, CollectionState, Dialect, Exchange, Fault, Page, Phase
from tests.unit.observations import answer, collection, oauth, page, redirect

IMSX = Body(BodyKind.OBJECT, 90, Dialect.IMSX, "unauthorized")
SUCCESS_AND_DATA = Body(BodyKind.OBJECT, 90, Dialect.STATUS_INFO_SET)
FAILED_STATUS_INFO = Body(BodyKind.OBJECT, 90, Dialect.STATUS_INFO_SET, "forbidden")
BUSY = Body(BodyKind.OBJECT, 90, Dialect.IMSX, "server_busy")

# In the order of the table: one exchange that each row is there for.
IN_FRONT: list[tuple[Exchange, str]] = [
    (answer(401, page(Page.LOGIN), challenges=frozenset({"negotiate", "ntlm"})), "windows_authentication"),
    (answer(301, redirect=redirect(to_https=True)), "redirected_to_https"),
    (answer(302, redirect=redirect(same_host=False, to_login=True)), "redirected_elsewhere"),
    (answer(302, redirect=redirect(to_login=True)), "login_page"),
    (answer(307, redirect=redirect()), "redirected"),
    (answer(429, page(Page.BLOCKED)), "throttled"),
    (answer(500, BUSY), "throttled"),
    (answer(200, page(Page.OFFLINE)), "maintenance"),
    (answer(503, page(Page.BLOCKED)), "blocked"),
    (answer(406, BodyKind.NONE), "blocked"),
    (answer(503, page(Page.CRASH)), "maintenance"),
    (answer(200, page(Page.LOGIN)), "login_page"),
    (answer(500, page(Page.CRASH)), "server_error"),
]
AT_TOKEN: list[tuple[Exchange, str]] = [
    (answer(400, oauth("invalid_client")), rules.REFUSED),
    (answer(401, oauth("unauthorized_client")), "client_not_allowed"),
    (answer(400, oauth("invalid_scope")), "scope_refused"),
    (answer(400, oauth("invalid_request")), "our_bad_request"),
    (answer(400, oauth("server_error")), "server_error"),
    (answer(200, page(Page.OTHER)), "not_oneroster"),
    (answer(200, BodyKind.OBJECT), "token_missing"),
    (answer(401, BodyKind.NONE), rules.REFUSED),
    (answer(403, BodyKind.NONE), "client_not_allowed"),
    (answer(404, page(Page.OTHER)), "token_path_missing"),
    (answer(400, BodyKind.TEXT), "token_unclear"),
]
AT_COLLECTION: list[tuple[Exchange, str]] = [
    (answer(401, IMSX), "bearer_refused"),
    (answer(403, IMSX), "permission_missing"),
    (answer(200, BodyKind.OVERSIZE), "body_too_large"),
    (answer(200, BodyKind.ENCODED), "encoded_unasked"),
    (answer(200, BodyKind.TRUNCATED), "truncated"),
    (answer(200, BodyKind.TEXT), "not_oneroster"),
    (answer(200, IMSX), "error_with_success"),
    (answer(200, FAILED_STATUS_INFO), "error_with_success"),
    (answer(200, SUCCESS_AND_DATA), "envelope_missing"),
    (answer(404, BodyKind.OBJECT), "collection_missing"),
    (answer(400, IMSX), "request_refused"),
]
AT_CERTIFICATE: list[tuple[Exchange, str]] = [
    (answer(401, phase=Phase.CERTIFICATE), "api_certificate_wrong"),
    (answer(403, phase=Phase.CERTIFICATE), "api_certificate_permission"),
    (answer(404, phase=Phase.CERTIFICATE), "api_certificate_path"),
    (answer(200, BodyKind.OBJECT, phase=Phase.CERTIFICATE), "api_certificate_unproved"),
]
TABLES = [
    (rules.IN_FRONT, IN_FRONT),
    (rules.AT_TOKEN, AT_TOKEN),
    (rules.AT_COLLECTION, AT_COLLECTION),
    (rules.AT_CERTIFICATE, AT_CERTIFICATE),
]


@pytest.mark.parametrize(("table", "cases"), TABLES, ids=["in front", "token", "collection", "certificate"])
def test_every_row_has_a_symptom_that_reaches_it_and_no_row_above(
    table: tuple[tuple[rules.Test, str], ...], cases: list[tuple[Exchange, str]]
) -> None:
    reached = [next(row for row, (test, _) in enumerate(table) if test(exchange)) for exchange, _ in cases]
    assert reached == list(range(len(table)))
    assert [cause for _, cause in table] == [cause for _, cause in cases]


@pytest.mark.parametrize(("exchange", "cause"), IN_FRONT + AT_TOKEN)
def test_a_token_request_without_a_token_points_to_its_cause(exchange: Exchange, cause: str) -> None:
    assert rules.at_token(exchange) == cause


@pytest.mark.parametrize(("exchange", "cause"), IN_FRONT + AT_COLLECTION)
def test_a_collection_that_cannot_be_read_points_to_its_cause(exchange: Exchange, cause: str) -> None:
    assert rules.at_collection(collection("users", CollectionState.BROKEN, exchange)) == cause


@pytest.mark.parametrize("status", [200, 201, 301, 400, 401, 403, 404, 408, 418, 429, 500, 503, 599, 999])
@pytest.mark.parametrize("kind", list(BodyKind))
def test_no_answer_with_a_status_is_without_a_cause(status: int, kind: BodyKind) -> None:
    exchange = answer(status, kind)
    assert rules.at_token(exchange) != "unknown"
    assert rules.at_collection(collection("users", CollectionState.BROKEN, exchange)) != "unknown"


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_has_a_cause_of_the_catalogue(fault: Fault) -> None:
    exchange = Exchange(Phase.TOKEN, "/token", fault=fault)
    assert rules.at_token(exchange) == rules.BY_FAULT[fault]
    assert rules.BY_FAULT[fault] in CAUSES
    assert rules.at_collection(collection("users", CollectionState.BROKEN, exchange)) == rules.BY_FAULT[fault]
    assert rules.at_certificate(exchange) == "api_certificate_unproved"


def test_every_cause_in_the_tables_is_in_the_catalogue_or_split_later() -> None:
    named = {cause for table, _ in TABLES for _, cause in table}
    assert named - set(CAUSES) == {rules.REFUSED, "token_path_missing"}


def test_an_exchange_with_neither_fault_nor_status_is_honestly_unknown() -> None:
    assert rules.at_token(Exchange(Phase.TOKEN, "/token")) == "unknown"


def test_a_readable_or_untested_collection_has_no_cause_and_an_empty_one_is_empty() -> None:
    assert rules.at_collection(collection("users")) is None
    assert rules.at_collection(collection("users", CollectionState.UNTESTED)) is None
    assert rules.at_collection(collection("users", CollectionState.EMPTY)) == "collection_empty"


@pytest.mark.parametrize(("exchange", "cause"), AT_CERTIFICATE)
def test_a_certificate_that_opens_nothing_points_to_its_cause(exchange: Exchange, cause: str) -> None:
    assert rules.at_certificate(exchange) == cause


def test_a_certificate_that_opens_the_list_of_schools_is_proved() -> None:
    assert rules.at_certificate(answer(200, BodyKind.ARRAY, phase=Phase.CERTIFICATE)) is None
