"""What a secret may say of a connection beside the pair: where, how and until when."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from rosterwatch.access import shown_target, wanted_scopes
from rosterwatch.address import data_root, exact
from rosterwatch.auth import Grant, token_request
from rosterwatch.district import Credentials, District, SecretFault, parse_secret
from rosterwatch.fingerprint import fingerprint
from rosterwatch.oneroster import version_of
from rosterwatch.providers import Auth, TokenDialect

GOOD: dict[str, Any] = {
    "base_url": "https://sis.example.org/roster",
    "consumer_id": "client-1d",
    "consumer_secret": "secret-5e",
    "provider": "generic_1_1",
}
TOKEN = "bearer-70ken"


def read(*without: str, **changes: Any) -> District | SecretFault:
    told = {name: value for name, value in (GOOD | changes).items() if name not in without}
    return parse_secret("springfield", json.dumps(told), allow_http=False)


def district(*without: str, **changes: Any) -> District:
    parsed = read(*without, **changes)
    assert isinstance(parsed, District), parsed
    return parsed


def mistake(*without: str, **changes: Any) -> str:
    parsed = read(*without, **changes)
    assert isinstance(parsed, SecretFault)
    assert "5e" not in repr(parsed)
    assert TOKEN not in repr(parsed)
    (only,) = parsed.mistakes
    return only


def static(**changes: Any) -> dict[str, Any]:
    return {"bearer_token": TOKEN, "auth": "bearer", **changes}


@pytest.mark.parametrize(
    ("changes", "data", "version"),
    [
        ({}, "https://sis.example.org/roster/ims/oneroster/v1p1", "1.1"),
        ({"provider": "generic_1_2"}, "https://sis.example.org/roster/ims/oneroster/rostering/v1p2", "1.2"),
        ({"version": "1.2"}, "https://sis.example.org/roster/ims/oneroster/rostering/v1p2", "1.2"),
        ({"provider": "skyward"}, "https://sis.example.org/roster/api/ims/oneroster/v1p1", "1.1"),
        ({"provider": "skyward", "version": "1.2"}, "https://sis.example.org/roster/ims/oneroster/rostering/v1p2", "1.2"),
        ({"data_url": "https://data.example.org/x/v1p2/"}, "https://data.example.org/x/v1p2", "1.2"),
        ({"data_url": "https://data.example.org/x"}, "https://data.example.org/x", "1.1"),
        (
            {"base_url": "https://sis.example.org/api/app/ims/oneroster/rostering/v1p2/orgs?limit=1"},
            "https://sis.example.org/api/app/ims/oneroster/rostering/v1p2",
            "1.2",
        ),
        ({"base_url": "https://sis.example.org/ims/oneroster/v1p2/"}, "https://sis.example.org/ims/oneroster/v1p2", "1.2"),
        (
            {"provider": "aeries", "base_url": "https://sis.example.org/a/ims/oneroster/v1p1"},
            "https://sis.example.org/a/ims/oneroster/v1p1",
            "1.1",
        ),
    ],
)
def test_data_lies_where_it_was_named_or_pasted_or_where_the_product_has_it(changes: Any, data: str, version: str) -> None:
    parsed = district(**changes)
    assert (parsed.data.url, parsed.version) == (data, version)
    assert parsed.home is (parsed.data if "data_url" in changes else parsed.base)


def test_a_token_url_replaces_the_paths_of_the_product_and_keeps_its_query() -> None:
    parsed = district(token_url="https://accounts.example.org/oauth2/token?appName=roster", auth="oauth2_post")
    (dialect,) = parsed.token_dialects
    assert dialect == TokenDialect("token_url", "https://accounts.example.org/oauth2/token?appName=roster", Auth.OAUTH2_POST)
    assert shown_target(parsed, dialect) == "accounts.example.org/oauth2/token"
    here = TokenDialect("token_url", "https://sis.example.org/oauth2/token?appName=roster")
    assert shown_target(parsed, here) == "/oauth2/token"


def test_another_way_to_authenticate_goes_to_the_same_token_paths() -> None:
    plain, encoded = district(), district(auth="oauth2_basic_encoded")
    assert [d.path for d in plain.token_dialects] == [d.path for d in encoded.token_dialects]
    assert {d.auth for d in encoded.token_dialects} == {Auth.OAUTH2_BASIC_ENCODED}
    assert district(auth="oauth1_sha1").token_dialects == ()
    assert [d.path for d in district(provider="aeries", auth="aeries_v1_code").token_dialects] == ["/v1/oauth/token"]


def test_scopes_are_those_of_the_version_unless_they_are_chosen() -> None:
    assert all("/v1p1/" in scope for scope in wanted_scopes(district()))
    assert all("/v1p2/" in scope for scope in wanted_scopes(district(version="1.2")))
    assert wanted_scopes(district(scopes=["a:b", "c", "a:b"])) == ("a:b", "c")
    assert wanted_scopes(district(scopes=[])) == ()


def test_a_static_token_stands_in_place_of_the_pair_and_is_never_shown() -> None:
    parsed = district("consumer_id", "consumer_secret", **static())
    assert parsed.credentials.bearer_token == TOKEN
    assert TOKEN not in repr(parsed)
    assert district("consumer_id", "consumer_secret", "auth", bearer_token=TOKEN, provider="classlink_proxy").auth is Auth.BEARER
    prints = {fingerprint(b"key", Credentials("", "", None, token)) for token in ("one", "two")}
    assert len(prints) == 2
    assert fingerprint(b"key", Credentials("a", "b")) == fingerprint(b"key", Credentials("a", "b", "certificate"))


def test_the_day_on_which_the_credentials_end_is_a_day() -> None:
    assert district(expires_on="2027-06-30").expires_on == date(2027, 6, 30)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"auth": "oauth2"}, 'field "auth" names no auth we know: use one of oauth2_basic'),
        ({"version": "1.0"}, 'field "version" names no version we know: use one of 1.1, 1.2'),
        ({"version": 1.1}, 'field "version" must be a text in quotes, not a number'),
        ({"token_url": "http://sis.example.org/token"}, 'field "token_url" starts with http://'),
        ({"token_url": "sis.example.org/token"}, 'field "token_url" does not start with https://'),
        ({"token_url": "https://me:pass@sis.example.org/token"}, 'field "token_url" must not carry a user name or password'),
        (
            {"token_url": "https://sis.example.org/token?client_secret=x"},
            'field "token_url" must not carry credentials in its query',
        ),
        ({"token_url": "https://sis.example.org/token#x"}, 'field "token_url" must end with its path'),
        ({"data_url": "https://sis.example.org/v1p1?limit=1"}, 'field "data_url" must end with its path'),
        ({"data_url": ""}, 'field "data_url" is empty: fill it in, or leave it out'),
        ({"scopes": "roster"}, 'field "scopes" must be a list of scopes'),
        ({"scopes": ["two words"]}, 'field "scopes" holds something that is no scope'),
        ({"scopes": [1]}, 'field "scopes" holds something that is no scope'),
        ({"scopes": ["x"] * 41}, 'field "scopes" must be a list of scopes'),
        ({"expires_on": "30.6.2027"}, 'field "expires_on" is not a day: write it as 2027-06-30'),
        ({"expires_on": "20270630"}, 'field "expires_on" is not a day: write it as 2027-06-30'),
        ({"expires_on": "2027-02-30"}, 'field "expires_on" is not a day: write it as 2027-06-30'),
        ({"bearer_token": TOKEN}, 'field "bearer_token" is not used with auth "oauth2_basic": leave it out'),
        ({"auth": "oauth1_sha1", "scopes": []}, 'field "scopes" is not used with auth "oauth1_sha1": leave it out'),
        ({"auth": "oauth1_sha1", "token_url": "https://a.example.org/t"}, 'field "token_url" is not used with auth "oauth1_sha1"'),
        ({"auth": "aeries_v1_code"}, 'field "auth" is "aeries_v1_code", which only Aeries knows'),
        ({"api_certificate": "C7" * 16}, 'field "api_certificate" is not used with provider "generic_1_1": leave it out'),
        (
            {"consumer_secret": "client-1d"},
            'field "consumer_secret" is the same as "consumer_id": copy it from Client ID and Secret',
        ),
    ],
)
def test_a_mistake_is_named_with_its_fix(changes: dict[str, Any], said: str) -> None:
    assert mistake(**changes).startswith(said)


def test_a_static_token_needs_no_pair_and_suffers_none() -> None:
    assert mistake("consumer_id", "consumer_secret", auth="bearer") == 'field "bearer_token" is missing: add it'
    assert mistake("consumer_secret", **static()) == 'field "consumer_id" is not used with auth "bearer": leave it out'
    assert mistake("consumer_id", "consumer_secret", **static(bearer_token=f"{TOKEN} x")).startswith(
        'field "bearer_token" has a blank'
    )


def test_id_and_secret_are_form_encoded_before_they_become_a_header_where_that_is_chosen() -> None:
    pair = Credentials("a:b", "c d%/é"[:-1])
    plain = token_request("https://x.example", TokenDialect("t", "/t"), pair, ())
    encoded = token_request("https://x.example", TokenDialect("t", "/t", Auth.OAUTH2_BASIC_ENCODED), pair, ())
    assert plain.headers["Authorization"] == "Basic YTpiOmMgZCUv"  # a:b:c d%/
    assert encoded.headers["Authorization"] == "Basic YSUzQWI6YytkJTI1JTJG"  # a%3Ab:c+d%25%2F


def test_a_token_says_the_same_to_every_request() -> None:
    assert Grant("t0ken").headers("GET", "https://x.example") == {"Authorization": "Bearer t0ken"}


@pytest.mark.parametrize(
    ("pasted", "root"),
    [
        ("https://a.example.org/ims/oneroster/v1p1", "https://a.example.org/ims/oneroster/v1p1"),
        (
            "https://a.example.org/x/IMS/OneRoster/rostering/v1p2/orgs/1?limit=1",
            "https://a.example.org/x/IMS/OneRoster/rostering/v1p2",
        ),
        ("https://a.example.org/v1p2/ims/oneroster/v1p1/", "https://a.example.org/v1p2/ims/oneroster/v1p1"),
        ("https://a.example.org/ims/oneroster", None),
        ("https://a.example.org/v1p1", None),
        ("https://a.example.org", None),
        ("nonsense", None),
    ],
)
def test_a_pasted_data_url_is_known_by_its_version(pasted: str, root: str | None) -> None:
    assert data_root(pasted) == root


@pytest.mark.parametrize(
    ("url", "version"),
    [("https://a/v1p1", "1.1"), ("https://a/v1p1/b/v1p2/x", "1.2"), ("https://a/v1p3", None), ("https://a/v1p11", None)],
)
def test_a_version_is_read_from_the_last_part_that_names_one(url: str, version: str | None) -> None:
    assert version_of(url) == version


def test_a_token_url_is_used_to_the_letter() -> None:
    for url in ("https://a.example.org/token/", "https://a.example.org/t?appName=a%20b&x", "https://a.example.org:8443/t"):
        assert exact(url, query=True).url == url
