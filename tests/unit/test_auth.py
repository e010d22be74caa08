from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs

import pytest

from rosterwatch.auth import Grant, bearer_headers, read_grant, token_request
from rosterwatch.district import Credentials
from rosterwatch.providers import AERIES, Auth, TokenDialect

PAIR = Credentials("consumer-1d", "secret-5e", "certificate-c7")
BASE = "https://sis.example.org/aeries"


def test_the_current_dialect_is_the_client_credentials_grant_of_rfc_6749_with_basic() -> None:
    request = token_request(BASE, AERIES.token_dialects[0], PAIR, ("scope:a", "scope:b"))
    assert request.url == BASE + "/token"
    scheme, _, encoded = request.headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(encoded)) == ("Basic", b"consumer-1d:secret-5e")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Accept"] == "application/json"
    assert parse_qs(request.content) == {"grant_type": ["client_credentials"], "scope": ["scope:a scope:b"]}
    assert "secret-5e" not in request.content


def test_the_post_dialect_carries_the_pair_in_the_form_and_nowhere_else() -> None:
    request = token_request(BASE, TokenDialect("post", "/token", Auth.OAUTH2_POST), PAIR, ("scope:a",))
    assert parse_qs(request.content)["client_id"] == ["consumer-1d"]
    assert parse_qs(request.content)["client_secret"] == ["secret-5e"]
    assert parse_qs(request.content)["grant_type"] == ["client_credentials"]
    assert "Authorization" not in request.headers
    assert request.url == BASE + "/token"


def test_a_dialect_without_scopes_sends_none() -> None:
    request = token_request(BASE, TokenDialect("v2", "/v2/oauth/token", scoped=False), PAIR, ("scope:a",))
    assert parse_qs(request.content) == {"grant_type": ["client_credentials"]}
    assert "scope" not in token_request(BASE, AERIES.token_dialects[0], PAIR, ()).content


def test_the_certificate_is_never_part_of_a_token_request() -> None:
    for dialect in AERIES.token_dialects:
        request = token_request(BASE, dialect, PAIR, ("scope:a",))
        assert "certificate-c7" not in f"{request.url}{request.headers}{request.content}"


@pytest.mark.parametrize(
    ("document", "scopes"),
    [
        ({"access_token": "t0ken", "token_type": "bearer", "expires_in": "3600.5"}, None),
        ({"access_token": "t0ken", "scope": "a b"}, frozenset({"a", "b"})),
        ({"access_token": "t0ken", "scope": " "}, None),
        ({"access_token": "t0ken", "scope": ["a"]}, None),
        ({"access_token": "t0ken", "error": None}, None),
    ],
)
def test_a_grant_holds_the_token_and_the_scopes_that_the_server_names(document: Any, scopes: frozenset[str] | None) -> None:
    assert read_grant(document) == Grant("t0ken", scopes)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "t0ken",
        {},
        {"message": "Unauthorized"},
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 7},
        {"access_token": ["t0ken"]},
        {"access_token": "two words"},
        {"access_token": "line\nbreak"},
        {"access_token": "tökén"},
        {"access_token": "x" * 20_000},
        {"access_token": "t0ken", "error": "invalid_client"},
        {"Access_Token": "t0ken"},
    ],
)
def test_an_answer_without_a_usable_token_is_no_grant(document: Any) -> None:
    assert read_grant(document) is None


def test_bearer_is_spelled_as_rfc_6750_spells_it() -> None:
    assert bearer_headers(Grant("t0ken")) == {"Authorization": "Bearer t0ken"}


def test_no_representation_shows_a_secret_or_a_token() -> None:
    request = token_request(BASE, AERIES.token_dialects[0], PAIR, ())
    shown = repr(request) + repr(PAIR) + repr(read_grant({"access_token": "t0ken"}))
    for value in ("consumer-1d", "secret-5e", "certificate-c7", "t0ken", base64.b64encode(b"consumer-1d:secret-5e").decode()):
        assert value not in shown


def test_a_grant_shows_neither_its_token_nor_what_the_server_calls_a_scope() -> None:
    grant = read_grant({"access_token": "t0ken", "scope": "a Maggie-Simpson"})
    assert repr(grant) == "Grant()"
