"""The other products of the simulated SIS: each lets a careful client in, and each refuses a lenient one."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from oauthlib.oauth1 import Client as IndependentClient

from rosterwatch.case import Known
from rosterwatch.client import Network
from rosterwatch.diagnosis import diagnose
from rosterwatch.district import District as Watched
from rosterwatch.district import parse_secret
from rosterwatch.finding import Diagnosis
from rosterwatch.observation import Observation
from rosterwatch.probe import probe
from tests.sis import PRODUCTS, Aeries, District, SimulatedSis

pytestmark = pytest.mark.integration

CORE = "https://purl.imsglobal.org/spec/or/v1p1/scope/roster-core.readonly"


@pytest.fixture(scope="module")
def sis() -> Iterator[SimulatedSis]:
    with SimulatedSis([]) as running:
        yield running
    assert running.problems == []


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture
def http(sis: SimulatedSis) -> Iterator[httpx.Client]:
    with httpx.Client(verify=ssl.create_default_context(cafile=sis.ca_file), trust_env=False) as client:
        yield client


def add(sis: SimulatedSis, numbers: Iterator[int], product: str) -> District:
    return sis.add_district(f"p{next(numbers)}", dialect=PRODUCTS[product])


def look(sis: SimulatedSis, secret: dict[str, Any]) -> tuple[Observation, Diagnosis]:
    district = parse_secret("springfield", json.dumps(secret))
    assert isinstance(district, Watched), district

    async def run() -> Observation:
        return await probe(district, Network(ca_bundle=sis.ca_file, allow_private=True))

    seen = asyncio.run(run())
    return seen, diagnose(seen, Known("a secret"))


def cause(sis: SimulatedSis, secret: dict[str, Any]) -> str:
    first = look(sis, secret)[1].primary
    return first.cause.name if first else "healthy"


@pytest.mark.parametrize("product", [name for name in PRODUCTS if name != "edfi_that_claims"])
def test_a_careful_client_gets_in(sis: SimulatedSis, numbers: Iterator[int], product: str) -> None:
    district = add(sis, numbers, product)
    sis.ledger.reset()
    seen, diagnosis = look(sis, district.credentials)
    assert diagnosis.status.value == "healthy", diagnosis.findings
    assert seen.requests == len(sis.ledger.requests()) <= 20
    assert sis.ledger.credentials_in_urls == []
    for one in sis.ledger.requests(phase="data"):
        assert one.target.endswith("?limit=1")


# --- OAuth 1.0a --------------------------------------------------------------------------------------------------------


def signed(district: District, method: str = "HMAC-SHA256", timestamp: float | None = None, **facts: str) -> dict[str, str]:
    """Headers for `/orgs` that a client of another make has signed."""
    pair = {"client_key": district.record.consumer_id, "client_secret": district.record.consumer_secret, **facts}
    client = IndependentClient(signature_method=method, timestamp=str(int(timestamp or time.time())), **pair)
    _, headers, _ = client.sign(url(district), "GET")
    return dict(headers)


def url(district: District, query: str = "limit=1") -> str:
    return f"{district.base_url}/ims/oneroster/v1p1/orgs?{query}"


def test_a_client_of_another_make_is_believed(sis: SimulatedSis, numbers: Iterator[int], http: httpx.Client) -> None:
    district = add(sis, numbers, "classlink")
    assert http.get(url(district), headers=signed(district)).status_code == 200


def test_a_nonce_counts_once(sis: SimulatedSis, numbers: Iterator[int], http: httpx.Client) -> None:
    district = add(sis, numbers, "classlink")
    headers = signed(district)
    assert [http.get(url(district), headers=headers).status_code for _ in range(2)] == [200, 401]


@pytest.mark.parametrize(("ago", "status"), [(0, 200), (280, 200), (320, 401), (-320, 401)])
def test_a_timestamp_counts_for_five_minutes(
    sis: SimulatedSis, numbers: Iterator[int], http: httpx.Client, ago: int, status: int
) -> None:
    district = add(sis, numbers, "classlink")
    assert http.get(url(district), headers=signed(district, timestamp=time.time() - ago)).status_code == status


def test_any_other_signature_is_refused(sis: SimulatedSis, numbers: Iterator[int], http: httpx.Client) -> None:
    district = add(sis, numbers, "classlink")
    others = [
        signed(district, "HMAC-SHA1"),
        signed(district, "PLAINTEXT"),
        signed(district, client_secret="another"),
        signed(district, client_key="nobody"),
        {"Authorization": "OAuth"},
        {"Authorization": f"Bearer {district.record.consumer_secret}"},
        {},
    ]
    assert [http.get(url(district), headers=headers).status_code for headers in others] == [401] * len(others)
    assert http.get(url(district, "limit=2"), headers=signed(district)).status_code == 401  # signed over another query


@pytest.mark.parametrize("how", ["oauth1_sha1", "oauth2_basic", "bearer"])
def test_the_wrong_way_to_authenticate_is_refused(sis: SimulatedSis, numbers: Iterator[int], how: str) -> None:
    secret = add(sis, numbers, "classlink").credentials
    if how == "bearer":
        secret = {"base_url": secret["base_url"], "provider": "generic_1_1", "bearer_token": secret["consumer_secret"]}
    expected = {"oauth1_sha1": "credentials_wrong", "oauth2_basic": "token_url_wrong", "bearer": "credentials_wrong"}
    provider = {"provider": "generic_1_1"} if how == "oauth2_basic" else {}
    assert cause(sis, {**secret, "auth": how, **provider}) == expected[how]


# --- OAuth 2 -----------------------------------------------------------------------------------------------------------


def ask(http: httpx.Client, district: District, path: str, form: dict[str, str] | str, **how: Any) -> httpx.Response:
    pair = (district.record.consumer_id, district.record.consumer_secret)
    body = form if isinstance(form, str) else urlencode(form)
    headers = {"Content-Type": "application/x-www-form-urlencoded", **how.pop("headers", {})}
    return http.post(f"{district.base_url}{path}", content=body, headers=headers, auth=how.pop("auth", pair))


GRANT = {"grant_type": "client_credentials"}


@pytest.mark.parametrize(
    "case",
    [
        ("synergy", "/token", {**GRANT}, {}, "invalid_scope"),
        ("synergy", "/token", {**GRANT, "scope": f"{CORE} x"}, {}, "invalid_scope"),
        ("synergy", "/token", {"scope": CORE}, {}, "invalid_request"),
        ("synergy", "/token", {"grant_type": "password"}, {}, "unsupported_grant_type"),
        ("synergy", "/token", {**GRANT, "scope": CORE}, {"headers": {"Content-Type": "application/json"}}, "invalid_request"),
        ("synergy", "/token", "grant_type=client_credentials&grant_type=client_credentials", {}, "invalid_request"),
        ("synergy", "/token", {**GRANT, "scope": CORE}, {"auth": ("nobody", "x")}, "invalid_client"),
        ("synergy", "/token", {**GRANT, "client_secret": "x", "client_id": "y"}, {}, "invalid_client"),
        ("post", "/oauth/token", {**GRANT, "scope": CORE}, {}, "invalid_client"),
    ],
)
def test_a_token_page_refuses_what_is_not_as_it_wants_it(
    sis: SimulatedSis, numbers: Iterator[int], http: httpx.Client, case: tuple[str, str, Any, dict[str, Any], str]
) -> None:
    product, path, form, how, said = case
    answer = ask(http, add(sis, numbers, product), path, form, **how)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] == said


def test_bearer_is_matched_to_the_letter_and_queries_are_strict(
    sis: SimulatedSis, numbers: Iterator[int], http: httpx.Client
) -> None:
    district = add(sis, numbers, "synergy")
    granted = ask(http, district, "/token", {**GRANT, "scope": CORE}).json()
    assert granted["token_type"] == "bearer"  # which a client must not repeat
    token = granted["access_token"]
    asked = [
        (f"Bearer {token}", "limit=1", 200),
        (f"bearer {token}", "limit=1", 401),
        (f"Bearer {token}x", "limit=1", 401),
        (f"Bearer {token}", "limit=1&fields=sourcedId", 400),
        (f"Bearer {token}", "limit=0", 400),
    ]
    for authorization, query, status in asked:
        assert http.get(url(district, query), headers={"Authorization": authorization}).status_code == status


def test_secrets_of_every_character_get_in_by_the_way_that_was_chosen(sis: SimulatedSis, numbers: Iterator[int]) -> None:
    for product, other in (("encoded", "oauth2_basic"), ("synergy", "oauth2_basic_encoded"), ("post", "oauth2_basic")):
        district = add(sis, numbers, product)
        district.record.consumer_secret = "50%+off&more=:/?#~"
        assert cause(sis, district.credentials) == "healthy"
        assert cause(sis, {**district.credentials, "auth": other}) == "credentials_wrong"


def test_a_json_web_token_is_believed_by_its_signature_and_until_its_end(
    sis: SimulatedSis, numbers: Iterator[int], http: httpx.Client
) -> None:
    district = add(sis, numbers, "generic_1_2")
    scope = CORE.replace("v1p1", "v1p2")
    token = ask(http, district, "/auth/token", {**GRANT, "scope": scope}).json()["access_token"]
    orgs = f"{district.base_url}/ims/oneroster/rostering/v1p2/orgs"
    head, body, signature = token.split(".")

    def status(said: str) -> int:
        return http.get(orgs, headers={"Authorization": f"Bearer {said}"}).status_code

    assert status(token) == 200
    assert status(f"{head}.{body}x.{signature}") == 401
    assert status(f"{head}.{body}.") == 401
    assert http.get(orgs.replace("orgs", "demographics"), headers={"Authorization": f"Bearer {token}"}).status_code == 403
    district.admin.let_time_pass(4000)
    assert status(token) == 401


def test_the_first_dialect_of_aeries_is_spoken_only_when_asked_for(sis: SimulatedSis, numbers: Iterator[int]) -> None:
    district = sis.add_district(f"p{next(numbers)}", dialect=Aeries("v1"))
    assert cause(sis, district.credentials) == "oneroster_disabled"
    assert sis.ledger.credentials_in_urls == []
    seen, diagnosis = look(sis, {**district.credentials, "auth": "aeries_v1_code"})
    assert diagnosis.status.value == "healthy"
    assert district.record.consumer_secret not in repr(seen)
    district.admin.recreate_record()
    refused = {**district.credentials, "consumer_id": "0" * 64, "auth": "aeries_v1_code"}
    assert cause(sis, refused) == "credentials_wrong"
    sis.ledger.reset()
