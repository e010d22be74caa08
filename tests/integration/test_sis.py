"""The simulated SIS is strict and real: it refuses what Aeries refuses, and breaks as told. Over real sockets, with httpx."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.sis import KINDS, PLANTED, Aeries, District, Fault, SimulatedSis
from tests.sis.control import VERBS, Control, ControlServer
from tests.sis.oneroster import CORE, DEMOGRAPHICS, FULL
from tests.sis.school import COLLECTIONS

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = "/ims/oneroster/v1p1"
BOTH = f"{CORE} {DEMOGRAPHICS}"


@pytest.fixture
def sis() -> Iterator[SimulatedSis]:
    with SimulatedSis(["springfield", "shelbyville"]) as running:
        yield running
    assert running.problems == []


@pytest.fixture
def springfield(sis: SimulatedSis) -> District:
    return sis.district("springfield")


class Vendor:
    """A well-behaved client of one district: asks for a token, keeps cookies, says Bearer."""

    def __init__(self, sis: SimulatedSis, district: District, **options: Any) -> None:
        self.credentials = district.credentials
        self.url = district.base_url
        self.bearer = ""
        options = {"verify": ssl.create_default_context(cafile=sis.ca_file), "timeout": 5, **options}
        self.http = httpx.Client(trust_env=False, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def ask_token(self, path: str = "/token", scope: str | None = BOTH, **changes: Any) -> httpx.Response:
        form = {"grant_type": "client_credentials"} | ({} if scope is None else {"scope": scope})
        basic = (self.credentials["consumer_id"], self.credentials["consumer_secret"])
        return self.http.post(self.url + path, **{"auth": basic, "data": form, **changes})

    def log_in(self) -> Self:
        answer = self.ask_token()
        assert answer.status_code == 200, answer.text
        self.bearer = answer.json()["access_token"]
        return self

    def get(self, collection: str, query: str = "?limit=1", scheme: str = "Bearer") -> httpx.Response:
        return self.http.get(f"{self.url}{DATA}/{collection}{query}", headers={"Authorization": f"{scheme} {self.bearer}"})

    def get_schools(self, certificate: str) -> httpx.Response:
        return self.http.get(f"{self.url}/api/v5/schools", headers={"AERIES-CERT": certificate})


@pytest.fixture
def vendor(sis: SimulatedSis, springfield: District) -> Iterator[Vendor]:
    with Vendor(sis, springfield) as one:
        yield one


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_a_token_is_opaque_lasts_six_hours_and_echoes_its_scopes(vendor: Vendor) -> None:
    answer = vendor.ask_token(scope=CORE)
    assert answer.status_code == 200
    body = answer.json()
    assert len(body["access_token"]) == 32
    assert int(body["access_token"], 16) >= 0
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("bearer", 21_600, CORE)
    assert {"ASP.NET_SessionId", "ARRAffinity"} <= set(answer.cookies)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": None}, "invalid_scope"),
        ({"scope": f"{CORE} https://purl.imsglobal.org/spec/or/v1p2/scope/roster.readonly"}, "invalid_scope"),
        ({"data": {"grant_type": "password", "scope": CORE}}, "unsupported_grant_type"),
        ({"data": {"scope": CORE}}, "invalid_request"),
        ({"data": None, "json": {"grant_type": "client_credentials", "scope": CORE}}, "invalid_request"),
        ({"params": {"client_id": "x"}}, "invalid_request"),
        ({"auth": None}, "invalid_client"),
        ({"auth": ("wrong", "pair")}, "invalid_client"),
        ({"data": {"grant_type": "client_credentials", "scope": CORE, "client_secret": "x"}}, "invalid_request"),
    ],
)
def test_a_token_request_of_the_wrong_shape_is_refused(vendor: Vendor, changes: dict[str, Any], error: str) -> None:
    answer = vendor.ask_token(**changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_deleted_record_is_refused_but_its_old_token_still_reads(springfield: District, vendor: Vendor) -> None:
    vendor.log_in()
    springfield.admin.recreate_record()
    assert vendor.ask_token().json() == {"error": "invalid_client"}
    assert vendor.get("orgs").status_code == 200
    springfield.admin.let_time_pass(21_601)
    assert vendor.get("orgs").status_code == 401


def test_the_recreated_record_works_and_its_certificate_is_new(springfield: District, vendor: Vendor) -> None:
    old = vendor.credentials["api_certificate"]
    vendor.credentials = springfield.admin.recreate_record()
    vendor.log_in()
    assert vendor.get("orgs").status_code == 200
    assert vendor.get_schools(old).status_code == 401
    assert vendor.get_schools(vendor.credentials["api_certificate"]).status_code == 200


def test_a_refusal_can_be_a_401(springfield: District, vendor: Vendor) -> None:
    springfield.admin.change_settings(refused_status=401)
    springfield.admin.delete_record()
    answer = vendor.ask_token()
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_an_unticked_oneroster_box_is_an_unauthorized_client(springfield: District, vendor: Vendor) -> None:
    springfield.admin.untick_oneroster()
    assert vendor.ask_token().json() == {"error": "unauthorized_client"}
    springfield.admin.tick_oneroster()
    assert vendor.ask_token().status_code == 200


def test_an_unticked_oneroster_box_can_be_felt_at_the_data_instead(springfield: District, vendor: Vendor) -> None:
    springfield.admin.change_settings(unticked_refuses="data")
    springfield.admin.untick_oneroster()
    vendor.log_in()
    assert {vendor.get(name).status_code for name in COLLECTIONS} == {403}


def test_enabling_oneroster_counts_only_after_the_pool_is_recycled(springfield: District, vendor: Vendor) -> None:
    springfield.admin.disable_oneroster()
    assert vendor.ask_token().status_code == 200
    springfield.admin.recycle_app_pool()
    answer = vendor.ask_token()
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    springfield.admin.enable_oneroster()
    assert vendor.ask_token().status_code == 404
    springfield.admin.recycle_app_pool()
    assert vendor.ask_token().status_code == 200


def test_a_recycled_pool_forgets_tokens_and_so_does_expiry(springfield: District, vendor: Vendor) -> None:
    for forget in (springfield.admin.recycle_app_pool, springfield.admin.expire_tokens):
        assert vendor.log_in().get("orgs").status_code == 200
        forget()
        assert vendor.get("orgs").status_code == 401


def test_a_token_is_unknown_to_the_other_node(springfield: District, vendor: Vendor) -> None:
    vendor.log_in()
    assert {vendor.get("orgs").status_code for _ in range(6)} == {200}
    vendor.http.cookies.clear()
    statuses = []
    for _ in range(4):
        statuses.append(vendor.get("orgs").status_code)
        vendor.http.cookies.clear()
    assert sorted(statuses) == [200, 200, 401, 401]
    springfield.admin.change_settings(affinity=False)
    vendor.log_in().http.cookies.clear()
    assert {vendor.get("orgs").status_code for _ in range(4)} == {200}


def test_data_wants_bearer_to_the_letter(vendor: Vendor) -> None:
    vendor.log_in()
    assert vendor.get("orgs", scheme="Bearer").status_code == 200
    for scheme in ("bearer", "BEARER", "Bearer ", "Token"):
        assert vendor.get("orgs", scheme=scheme).status_code == 401
    missing = vendor.http.get(f"{vendor.url}{DATA}/orgs")
    assert missing.status_code == 401


def test_the_generations_of_token_endpoints_are_strangers_to_each_other(sis: SimulatedSis) -> None:
    paths = {"v4": "/token", "v3": "/token", "v2": "/v2/oauth/token", "slash": "/token/", "oauth": "/oauth/token"}
    for generation, right in paths.items():
        district = sis.add_district(f"aeries-{generation}", dialect=Aeries(generation))
        with Vendor(sis, district) as vendor:
            for path in ("/token", "/token/", "/oauth/token", "/v2/oauth/token", "/v1/oauth/token"):
                answer = vendor.ask_token(path)
                expected = 200 if path == right else 400 if generation == "slash" and path == "/token" else 404
                assert answer.status_code == expected, (generation, path)
                assert "error" not in answer.text or expected == 404


def test_older_generations_want_no_scope_and_v2_takes_the_pair_in_the_body(sis: SimulatedSis) -> None:
    with Vendor(sis, sis.add_district("three", dialect=Aeries("v3"))) as vendor:
        answer = vendor.ask_token(data=None)
        assert answer.status_code == 200
        assert "scope" not in answer.json()
    with Vendor(sis, sis.add_district("two", dialect=Aeries("v2"))) as vendor:
        pair = {"client_id": vendor.credentials["consumer_id"], "client_secret": vendor.credentials["consumer_secret"]}
        form = {"grant_type": "client_credentials", **pair}
        assert vendor.ask_token("/v2/oauth/token", auth=None, data=form).status_code == 200
        assert vendor.ask_token("/v2/oauth/token", auth=None, data=form | {"client_secret": "x"}).status_code == 400


def test_v1_gives_a_code_once_and_takes_the_secret_in_the_url(sis: SimulatedSis) -> None:
    with Vendor(sis, sis.add_district("one", dialect=Aeries("v1"))) as vendor:
        pair = vendor.credentials
        code = vendor.http.post(f"{vendor.url}/v1/oauth/authorize?client_id={pair['consumer_id']}").json()
        query = {
            "client_id": pair["consumer_id"],
            "client_secret": pair["consumer_secret"],
            "authorization_code": code["authorization_code"],
            "scope": "OneRoster",
        }
        answers = [vendor.http.post(f"{vendor.url}/v1/oauth/token", params=query) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[1].json()["error"] == "invalid_grant"
    (told, again) = sis.ledger.credentials_in_urls
    assert told.secrets_in_url == again.secrets_in_url == {"one.consumer_secret"}
    assert pair["consumer_secret"] not in told.target


# --- data ------------------------------------------------------------------------------------------------------------


def test_every_collection_reads_with_one_record_a_total_and_planted_people(vendor: Vendor) -> None:
    vendor.log_in()
    text = ""
    for name in COLLECTIONS:
        answer = vendor.get(name)
        assert answer.status_code == 200
        ((_, rows),) = answer.json().items()
        assert len(rows) == 1
        assert rows[0]["sourcedId"]
        assert int(answer.headers["X-Total-Count"]) > 1
        text += answer.text
    assert [mark for mark in PLANTED if mark not in text] == []
    assert '"href":"~/ims/oneroster/v1p1/' in text
    assert '"metadata":null' in text


def test_envelopes_are_named_after_the_kind_of_thing(vendor: Vendor) -> None:
    vendor.log_in()
    keys = {name: next(iter(vendor.get(name).json())) for name in ("schools", "terms", "gradingPeriods", "students")}
    assert keys == {
        "schools": "orgs",
        "terms": "academicSessions",
        "gradingPeriods": "academicSessions",
        "students": "users",
    }


def test_the_records_of_a_district_refer_to_each_other(vendor: Vendor) -> None:
    vendor.log_in()
    rows = {name: next(iter(vendor.get(name, "?limit=9999").json().values())) for name in COLLECTIONS}
    known = {name: {row["sourcedId"] for row in rows[name]} for name in rows}
    assert {row["user"]["sourcedId"] for row in rows["enrollments"]} <= known["users"]
    assert {row["class"]["sourcedId"] for row in rows["enrollments"]} == known["classes"]
    assert {row["course"]["sourcedId"] for row in rows["classes"]} <= known["courses"]
    assert {row["terms"][0]["sourcedId"] for row in rows["classes"]} <= known["terms"]
    assert {row["parent"]["sourcedId"] for row in rows["gradingPeriods"]} <= known["terms"]
    assert known["students"] | known["teachers"] == known["users"]
    assert known["demographics"] == known["students"]
    assert all(len(ids) == len(rows[name]) for name, ids in known.items())
    classes = {row["sourcedId"]: row["school"]["sourcedId"] for row in rows["classes"]}
    assert all(classes[row["class"]["sourcedId"]] == row["school"]["sourcedId"] for row in rows["enrollments"])
    assert "" in {row["title"] for row in rows["classes"]}


def test_limit_and_offset_walk_the_whole_collection(springfield: District, vendor: Vendor) -> None:
    springfield.admin.change_settings(largest_page=100)
    vendor.log_in()
    seen: list[str] = []
    pages = []
    while page := vendor.get("students", f"?limit=1000&offset={len(seen)}").json()["users"]:
        seen += [row["sourcedId"] for row in page]
        pages.append(len(page))
    assert pages == [100, 100, 40]
    assert len(set(seen)) == 240


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=-1", "?limit=ten", "?limit=1&limit=1", "?offset=-1", "?limit=1&sort=sourcedId", "?Limit=1"]
)
def test_a_parameter_the_server_does_not_like_is_a_400(vendor: Vendor, query: str) -> None:
    answer = vendor.log_in().get("orgs", query)
    assert answer.status_code == 400
    assert answer.json()["statusInfoSet"][0]["imsx_codeMinor"] == "invalid data"


def test_an_unknown_collection_or_object_is_a_404_and_a_known_object_is_found(vendor: Vendor) -> None:
    vendor.log_in()
    assert vendor.get("resources").status_code == 404
    assert vendor.get("orgs/4711", "").status_code == 404
    assert vendor.get("orgs/0", "").json()["org"]["type"] == "district"


@pytest.mark.parametrize(
    ("box", "refused"),
    [
        ("Student Data", {"students", "users", "demographics"}),
        ("Teacher Data", {"teachers", "users"}),
        ("Master Schedule", {"classes"}),
        ("Course Data", {"courses"}),
        ("Classes", {"enrollments"}),
        ("Schools", {"orgs", "schools"}),
        ("Terms", {"academicSessions", "terms", "gradingPeriods"}),
        ("Users", {"users"}),
    ],
)
def test_an_unticked_box_refuses_its_collections_at_once(
    springfield: District, vendor: Vendor, box: str, refused: set[str]
) -> None:
    vendor.log_in()
    springfield.admin.untick(box)
    statuses = {name: vendor.get(name).status_code for name in COLLECTIONS}
    assert statuses == {name: 403 if name in refused else 200 for name in COLLECTIONS}
    springfield.admin.tick(box)
    assert {vendor.get(name).status_code for name in refused} == {200}


def test_a_box_that_does_not_exist_cannot_be_ticked(springfield: District) -> None:
    with pytest.raises(ValueError, match="no such box: Student data"):
        springfield.admin.untick("Student data")


def test_demographics_need_a_scope_of_their_own(vendor: Vendor) -> None:
    vendor.bearer = vendor.ask_token(scope=FULL).json()["access_token"]
    assert (vendor.get("users").status_code, vendor.get("demographics").status_code) == (200, 403)


def test_x_total_count_is_optional(springfield: District, vendor: Vendor) -> None:
    springfield.admin.change_settings(total_count=False)
    assert "X-Total-Count" not in vendor.log_in().get("orgs").headers


def test_systeminfo_needs_no_credential_and_the_schools_need_the_certificate(springfield: District, vendor: Vendor) -> None:
    info = vendor.http.get(f"{vendor.url}/api/v5/systeminfo").json()
    assert info["DatabaseYear"] == springfield.calendar.database_year
    certificate = vendor.credentials["api_certificate"]
    schools = vendor.get_schools(certificate).json()
    assert schools[0]["Terms"][0]["StartDate"].startswith(springfield.calendar.starts.isoformat())
    for wrong in (certificate.upper(), certificate[:-1], ""):
        assert (vendor.get_schools(wrong).status_code, list(vendor.get_schools(wrong).json())) == (401, ["Message"])
    springfield.admin.untick("Schools")
    assert vendor.get_schools(certificate).status_code == 403


@pytest.mark.parametrize(
    ("calendar", "empty"),
    [
        ("in_session", set()),
        ("summer", {"students", "enrollments", "demographics", "terms", "gradingPeriods"}),
        ("rolled_over", {"students", "enrollments", "demographics"}),
        ("last_year", set()),
    ],
)
def test_the_calendar_empties_what_it_empties(springfield: District, vendor: Vendor, calendar: str, empty: set[str]) -> None:
    springfield.admin.set_calendar(calendar)
    vendor.log_in()
    found = {name for name in COLLECTIONS if next(iter(vendor.get(name).json().values())) == []}
    assert found - {"users"} == empty


def test_the_rollover_makes_next_years_database_the_default(springfield: District, vendor: Vendor) -> None:
    before = springfield.calendar
    springfield.admin.roll_over()
    info = vendor.http.get(f"{vendor.url}/api/v5/systeminfo").json()
    assert info["DatabaseYear"] == f"{before.year + 1}-{before.year + 2}"
    assert info["AvailableDatabaseYears"][1] == before.database_year
    assert vendor.log_in().get("students").json() == {"users": []}


def test_a_portal_address_and_a_missing_sub_directory_give_html(vendor: Vendor) -> None:
    portal = vendor.http.get(f"{vendor.url}/Login.aspx")
    assert (portal.status_code, "Password" in portal.text) == (200, True)
    root = vendor.url.rpartition("/")[0]
    bare = vendor.http.post(f"{root}/token")
    assert (bare.status_code, bare.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_credentials_of_one_district_are_unknown_to_another_on_the_same_host(sis: SimulatedSis, vendor: Vendor) -> None:
    vendor.log_in()
    vendor.url = sis.district("shelbyville").base_url
    assert vendor.ask_token().json() == {"error": "invalid_client"}
    assert vendor.get("orgs").status_code == 401


# --- what the server saw ---------------------------------------------------------------------------------------------


def test_the_ledger_counts_connections_and_requests_at_one_time(sis: SimulatedSis, springfield: District) -> None:
    springfield.fail("slow", seconds=0.2)

    async def visit(requests: int, http2: bool) -> None:
        context = ssl.create_default_context(cafile=sis.ca_file)
        async with httpx.AsyncClient(verify=context, http2=http2, trust_env=False) as client:
            await client.get(f"{springfield.base_url}/api/v5/systeminfo")
            urls = [f"{springfield.base_url}/api/v5/systeminfo"] * requests
            assert {answer.status_code for answer in await asyncio.gather(*map(client.get, urls))} == {200}

    asyncio.run(visit(5, http2=True))
    assert (sis.ledger.connections("host0"), sis.ledger.most_at_once("host0")) == (1, 5)
    assert {seen.http_version for seen in sis.ledger.requests()} == {"2"}
    sis.ledger.reset()
    asyncio.run(visit(3, http2=False))
    assert (sis.ledger.connections("host0"), sis.ledger.most_at_once("host0")) == (3, 3)
    assert sis.ledger.paths("springfield") == {"/springfield/api/v5/systeminfo": 4}
    assert sis.ledger.statuses("springfield") == {200: 4}


def test_the_ledger_keeps_names_and_no_values(sis: SimulatedSis, vendor: Vendor) -> None:
    vendor.log_in().get("orgs")
    token, data = sis.ledger.requests("springfield")
    assert token.line == "POST /springfield/token HTTP/1.1"
    assert "authorization" in token.header_names
    assert token.secrets == {"springfield.consumer_secret"}
    assert data.secrets == {"springfield.token", "springfield.session"}
    assert set(data.cookie_names) == {"ASP.NET_SessionId", "ARRAffinity"}
    assert data.user_agent == f"python-httpx/{httpx.__version__}"
    shown = repr(sis.ledger.requests())
    assert not [value for values in sis.ledger.watched.values() for value in values if value in shown]


def test_a_client_that_follows_a_redirect_is_seen_to_stray(sis: SimulatedSis, springfield: District) -> None:
    springfield.fail("redirect", phase="data", to="other_host", status=307)
    with Vendor(sis, springfield) as careful:
        assert careful.log_in().get("orgs").status_code == 307
    assert sis.ledger.strayed(sis.owners) == []
    with Vendor(sis, springfield, follow_redirects=True) as careless:
        careless.log_in()
        careless.http.headers["X-Key"] = careless.credentials["api_certificate"]
        assert careless.get("orgs").json()["orgs"][0]["sourcedId"] == "decoy"
    (stray,) = sis.ledger.strayed(sis.owners)
    assert stray.host == "decoy"
    assert "springfield.api_certificate" in stray.secrets


def test_a_secret_sent_in_the_clear_is_seen_to_stray(sis: SimulatedSis, springfield: District, vendor: Vendor) -> None:
    assert springfield.host is not None
    vendor.url = f"{springfield.host.plain_origin}/springfield"
    answer = vendor.ask_token()
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{springfield.base_url}/token")
    (stray,) = sis.ledger.strayed(sis.owners)
    assert not stray.tls
    assert stray.secrets == {"springfield.consumer_secret"}
    springfield.host.plain = "serve"
    assert vendor.ask_token().status_code == 200


# --- faults of an exchange -------------------------------------------------------------------------------------------


def test_a_fault_strikes_its_phase_and_collection_only_as_often_as_told(springfield: District, vendor: Vendor) -> None:
    vendor.log_in()
    springfield.fail("status", collection="users", status=503, body="app_offline", times=2, skip=1)
    assert [vendor.get("users").status_code for _ in range(4)] == [200, 503, 503, 200]
    springfield.fail("status", phase="token", status=500)
    assert vendor.ask_token().status_code == 500
    assert vendor.get("orgs").status_code == 200
    springfield.heal()
    assert vendor.ask_token().status_code == 200


def test_a_misspelt_fault_is_refused_with_a_list_of_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"no fault is called 'stauts'; there are .*status"):
        Fault.named("stauts")
    with pytest.raises(ValueError, match="the fault status has no parameter 'code'; there are status, body"):
        Fault.named("status", code=500)
    with pytest.raises(ValueError, match="the parameter status of status is a int, not '500'"):
        Fault.named("status", status="500")
    with pytest.raises(ValueError, match="no phase is called 'tokens'"):
        Fault.named("status", phase="tokens")


HONEST = (200, "application/json; charset=utf-8")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"fault": "status", "body": "text", "status": 502}, (502, "text/plain; charset=utf-8")),
        ({"fault": "status", "body": "problem", "status": 503}, (503, "application/problem+json")),
        ({"fault": "login_page"}, (200, "text/html; charset=utf-8")),
        ({"fault": "windows_authentication"}, (401, "text/html; charset=utf-8")),
        ({"fault": "waf_block"}, (403, "text/html; charset=utf-8")),
        ({"fault": "maintenance"}, (503, "text/html; charset=utf-8")),
        ({"fault": "throttled"}, (429, "text/html; charset=utf-8")),
        ({"fault": "redirect"}, (302, "text/html; charset=utf-8")),
        ({"fault": "redirect", "to": "https://elsewhere.invalid/x", "status": 308}, (308, "text/html; charset=utf-8")),
        ({"fault": "echoed_secrets"}, (400, "application/json; charset=utf-8")),
        ({"fault": "oauth_error", "error": "invalid_scope"}, (400, "application/json; charset=utf-8")),
        ({"fault": "no_token", "kind": "html"}, (200, "text/html; charset=utf-8")),
        ({"fault": "text_body", "text": "hello", "content_type": "text/plain"}, (200, "text/plain")),
        ({"fault": "content_type", "value": "text/html"}, (200, "text/html")),
    ],
    ids=lambda value: value["fault"] if isinstance(value, dict) else None,
)
def test_an_answer_is_replaced(springfield: District, vendor: Vendor, fault: dict[str, Any], expected: tuple[int, str]) -> None:
    springfield.fail(Fault.from_json({"phase": "token", **fault}))
    answer = vendor.ask_token()
    assert (answer.status_code, answer.headers["Content-Type"]) == expected
    springfield.heal()
    assert vendor.ask_token().status_code == 200


def test_windows_authentication_and_retry_after_are_in_the_headers(springfield: District, vendor: Vendor) -> None:
    springfield.fail("windows_authentication", times=1)
    springfield.fail("throttled", retry_after=90, times=1)
    springfield.fail("throttled", form="date", times=1)
    springfield.fail("maintenance", retry_after=600)
    answers = [vendor.ask_token() for _ in range(4)]
    assert answers[0].headers.get_list("WWW-Authenticate") == ["Negotiate", "NTLM"]
    assert answers[1].headers["Retry-After"] == "90"
    assert answers[2].headers["Retry-After"].endswith(" GMT")
    assert (answers[3].status_code, answers[3].headers["Retry-After"]) == (503, "600")


def test_a_secret_echoed_by_an_error_is_really_there(springfield: District, vendor: Vendor) -> None:
    springfield.fail("echoed_secrets")
    assert vendor.credentials["consumer_secret"] in vendor.ask_token().json()["error_description"]


@pytest.mark.parametrize("kind", ["missing", "null", "blank", "number", "list", "array", "not_json", "html", "empty"])
def test_a_token_answer_without_a_token(springfield: District, vendor: Vendor, kind: str) -> None:
    springfield.fail("no_token", kind=kind)
    answer = vendor.ask_token()
    assert answer.status_code == 200
    try:
        token = answer.json()["access_token"]
    except (ValueError, TypeError, KeyError):
        token = None
    assert not (isinstance(token, str) and token)


def test_a_narrowed_scope_is_echoed_and_enforced(springfield: District, vendor: Vendor) -> None:
    springfield.fail("narrowed_scope", keep="roster-demographics.readonly")
    answer = vendor.ask_token(scope=BOTH).json()
    vendor.bearer = answer["access_token"]
    assert answer["scope"] == DEMOGRAPHICS
    assert (vendor.get("orgs").status_code, vendor.get("demographics").status_code) == (403, 200)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("empty_list", lambda text: json.loads(text) == {"users": []}),
        ("wrong_envelope", lambda text: list(json.loads(text)) == ["data"]),
        ("alias_envelope", lambda text: list(json.loads(text)) == ["teachers"]),
        ("single_object", lambda text: isinstance(json.loads(text)["users"], dict)),
        ("bare_list", lambda text: isinstance(json.loads(text), list)),
        ("null_list", lambda text: json.loads(text) == {"users": None}),
        ("no_sourced_ids", lambda text: "sourcedId" not in json.loads(text)["users"][0]),
        ("warning_beside", lambda text: set(json.loads(text)) == {"users", "statusInfoSet"}),
        ("truncated_json", lambda text: text.startswith('{"users":') and not text.endswith("}")),
        ("not_json", lambda text: text == "Service is warming up"),
        ("bom", lambda text: text.startswith("\ufeff{")),
        ("invalid_utf8", lambda text: "\ufffd" in text),
        ("nul_bytes", lambda text: text.endswith("\0")),
        ("duplicate_keys", lambda text: text.count('"users":') == 2 and json.loads(text) == {"users": []}),
        ("huge_number", lambda text: "9" * 100_000 in text),
        ("nested", lambda text: text.startswith("[" * 100_000)),
        ("ignores_limit", lambda text: len(json.loads(text)["users"]) == 12),
        ("everything_empty", lambda text: json.loads(text) == {"users": []}),
    ],
)
def test_the_data_are_bent(springfield: District, vendor: Vendor, fault: str, check: Any) -> None:
    vendor.log_in()
    assert not check(vendor.get("teachers").text)
    springfield.fail(fault, collection="teachers")
    answer = vendor.get("teachers")
    assert (answer.status_code, answer.headers["Content-Type"]) == HONEST
    assert check(answer.text)
    assert vendor.get("orgs").json()["orgs"][0]["sourcedId"] == "0"


def test_totals_shrink_and_terms_move(springfield: District, vendor: Vendor) -> None:
    vendor.log_in()
    springfield.fail("totals_shrunk", factor=0.5)
    assert vendor.get("students").headers["X-Total-Count"] == "120"
    springfield.fail("terms_past")
    term = vendor.get("terms").json()["academicSessions"][0]
    school = vendor.get_schools(vendor.credentials["api_certificate"]).json()[0]
    assert term["endDate"] < time.strftime("%Y-%m-%d")
    assert school["Terms"][0]["EndDate"].startswith(term["endDate"])
    springfield.heal()
    springfield.fail("terms_future")
    assert vendor.get("terms").json()["academicSessions"][0]["startDate"] > time.strftime("%Y-%m-%d")


def test_a_wrong_clock_shows_in_the_date_and_in_systeminfo(springfield: District, vendor: Vendor) -> None:
    url = f"{vendor.url}/api/v5/systeminfo"
    right = vendor.http.get(url)
    springfield.fail("clock_skew", seconds=86_400)
    wrong = vendor.http.get(url)
    dates = [parsedate_to_datetime(answer.headers["Date"]) for answer in (right, wrong)]
    assert (dates[1] - dates[0]).total_seconds() > 86_000
    assert right.json()["CurrentDateTime"][:10] < wrong.json()["CurrentDateTime"][:10]


def test_members_of_a_token_answer_can_be_changed_or_left_out(springfield: District, vendor: Vendor) -> None:
    springfield.fail("member", name="expires_in", value="3600.5")
    springfield.fail("no_member", name="scope")
    springfield.fail("no_cookies")
    springfield.fail("many_cookies", count=40)
    answer = vendor.ask_token()
    assert answer.json()["expires_in"] == "3600.5"
    assert "scope" not in answer.json()
    assert (len(answer.cookies), "ARRAffinity" in answer.cookies) == (40, False)


def test_a_huge_body_is_made_only_as_far_as_it_is_read(sis: SimulatedSis, springfield: District, vendor: Vendor) -> None:
    vendor.log_in()
    springfield.fail("endless_body", megabytes=100_000)
    for http2 in (True, False):
        with Vendor(sis, springfield, http2=http2) as reader:
            url = f"{reader.url}{DATA}/users?limit=1"
            with reader.http.stream("GET", url, headers={"Authorization": f"Bearer {vendor.bearer}"}) as answer:
                read = 0
                for piece in answer.iter_bytes():
                    read += len(piece)
                    if read > 2_000_000:
                        break
            assert "content-length" not in answer.headers
        deadline = time.monotonic() + 5
        while sis.ledger.serving_now("host0"):
            assert time.monotonic() < deadline, "it still makes a body for a client that left"
            time.sleep(0.01)
    springfield.heal()
    assert vendor.get("users").status_code == 200


def test_a_bomb_is_small_on_the_wire_and_large_inside(springfield: District, vendor: Vendor) -> None:
    springfield.fail("gzip_bomb", phase="any", megabytes=20)
    with vendor.http.stream("GET", f"{vendor.url}/api/v5/systeminfo") as answer:
        sent = sum(len(piece) for piece in answer.iter_raw())
    assert answer.headers["Content-Encoding"] == "gzip"
    assert sent < 200_000


def test_a_slow_or_dripping_answer_outlasts_the_patience_of_a_client(
    sis: SimulatedSis, springfield: District, vendor: Vendor
) -> None:
    url = f"{vendor.url}/api/v5/systeminfo"
    springfield.fail("slow", seconds=30, times=1)
    with pytest.raises(httpx.ReadTimeout):
        vendor.http.get(url, timeout=0.3)
    springfield.fail("drip", seconds=0.1)
    for http2 in (True, False):
        with Vendor(sis, springfield, http2=http2, timeout=0.3) as patient, patient.http.stream("GET", url) as answer:
            started = time.monotonic()
            pieces = [piece for piece, _ in zip(answer.iter_raw(), range(6), strict=False)]
            assert time.monotonic() - started > 0.3
        assert max(map(len, pieces)) <= 2
        assert int(answer.headers["Content-Length"]) > 100


# --- faults of the wire and of the host ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "parameters", "error"),
    [
        ("stalls", {}, httpx.ReadTimeout),
        ("stalls", {"after": "half"}, httpx.ReadTimeout),
        ("closes", {}, httpx.RemoteProtocolError),
        ("closes", {"after": "half"}, httpx.RemoteProtocolError),
        # A kernel may report a reset as the end of the stream, when something was left to read.
        ("resets", {}, (httpx.ReadError, httpx.RemoteProtocolError)),
        ("resets", {"after": "half"}, (httpx.ReadError, httpx.RemoteProtocolError)),
        ("wrong_length", {}, httpx.RemoteProtocolError),
        ("chunk_lies", {"lie": "no_end"}, httpx.RemoteProtocolError),
        ("chunk_lies", {"lie": "short"}, httpx.RemoteProtocolError),
        ("chunk_lies", {"lie": "number"}, httpx.RemoteProtocolError),
        ("garbage", {}, httpx.RemoteProtocolError),
        ("huge_headers", {}, httpx.RemoteProtocolError),
        ("huge_headers", {"count": 1000}, httpx.RemoteProtocolError),
        ("drip_headers", {"seconds": 0.4}, httpx.ReadTimeout),
    ],
)
def test_one_answer_is_broken_on_the_wire_and_the_others_are_not(
    springfield: District, vendor: Vendor, fault: str, parameters: dict[str, Any], error: Any
) -> None:
    vendor.log_in()
    springfield.fail(fault, collection="users", **parameters)
    with pytest.raises(error):
        vendor.http.get(f"{vendor.url}{DATA}/users?limit=1", headers={"Authorization": f"Bearer {vendor.bearer}"}, timeout=0.3)
    orgs = vendor.get("orgs")
    assert (orgs.status_code, orgs.headers["X-Total-Count"]) == (200, "5")
    springfield.heal()
    assert vendor.get("users").status_code == 200


def test_a_bare_server_answers_what_is_not_http_with_a_400(sis: SimulatedSis, springfield: District) -> None:
    springfield.fail("closes", phase="certificate")
    context = ssl.create_default_context(cafile=sis.ca_file)
    for nonsense in (b"HELLO\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: ten\r\n\r\n"):
        plain = socket.create_connection(("127.0.0.1", sis.hosts[0].port), timeout=5)
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(nonsense)
            assert secure.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_a_length_too_small_cuts_the_body(springfield: District, vendor: Vendor) -> None:
    vendor.log_in()
    springfield.fail("wrong_length", collection="orgs", by=-20)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        vendor.get("orgs").json()


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ("refuses", httpx.ConnectError, "refused"),
        ("resets_handshake", httpx.ConnectError, "reset"),
        ("closes_handshake", httpx.ConnectError, "EOF"),
        ("silent", httpx.ConnectTimeout, "timed out"),
        ("drips_handshake", httpx.ConnectTimeout, "timed out"),
        ("drops_connections", httpx.ConnectTimeout, "timed out"),
        ("not_tls", httpx.ConnectError, "(?i)wrong.version.number|record layer"),
    ],
)
def test_a_host_breaks_for_all_its_districts_and_mends(
    sis: SimulatedSis, springfield: District, fault: str, error: type[Exception], said: str
) -> None:
    springfield.fail(fault)
    for district in sis.districts:
        with Vendor(sis, district, timeout=0.4) as vendor, pytest.raises(error, match=said):
            vendor.ask_token()
    springfield.heal()
    with Vendor(sis, springfield) as vendor:
        assert vendor.ask_token().status_code == 200


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("expired", "certificate has expired"),
        ("not_yet_valid", "not yet valid"),
        ("self_signed", "self.signed certificate"),
        ("unknown_authority", "self.signed certificate in certificate chain"),
        ("wrong_name", "Hostname mismatch"),
        ("incomplete_chain", "unable to get local issuer certificate"),
    ],
)
def test_a_bad_certificate_is_refused_for_its_own_reason(sis: SimulatedSis, springfield: District, kind: str, said: str) -> None:
    springfield.fail("certificate", kind=kind)
    with Vendor(sis, springfield) as vendor, pytest.raises(httpx.ConnectError, match=said):
        vendor.ask_token()


def test_an_expiring_certificate_still_works(sis: SimulatedSis, springfield: District, vendor: Vendor) -> None:
    springfield.fail("certificate", kind="expiring", days=7)
    with vendor.http.stream("GET", f"{vendor.url}/api/v5/systeminfo") as answer:
        peer = answer.extensions["network_stream"].get_extra_info("ssl_object").getpeercert()
    days = (ssl.cert_time_to_seconds(peer["notAfter"]) - time.time()) / 86_400
    assert 7 < days < 7.1


def test_an_old_server_answers_with_an_alert_and_serves_whoever_still_speaks_its_tongue(
    sis: SimulatedSis, springfield: District
) -> None:
    springfield.fail("certificate", kind="good", protocol="old")
    with Vendor(sis, springfield) as vendor, pytest.raises(httpx.ConnectError, match=r"(?i)alert protocol version"):
        vendor.ask_token()
    lax = ssl.create_default_context(cafile=sis.ca_file)
    lax.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        lax.minimum_version = ssl.TLSVersion.TLSv1
    with Vendor(sis, springfield, verify=lax) as vendor:
        assert vendor.ask_token().status_code == 200


def test_a_certificate_is_good_for_every_name_it_was_made_for() -> None:
    with SimulatedSis(names=("sis.example", "localhost")) as sis:
        assert sis.district("springfield").base_url.startswith("https://sis.example:")
        port = sis.hosts[0].port
        with httpx.Client(verify=ssl.create_default_context(cafile=sis.ca_file), trust_env=False) as http:
            url = f"https://127.0.0.1:{port}/springfield/api/v5/systeminfo"
            assert http.get(url).status_code == 200
            named = http.get(url, headers={"Host": "sis.example"}, extensions={"sni_hostname": "sis.example"})
            assert named.status_code == 200


# --- from another process --------------------------------------------------------------------------------------------


def test_the_control_api_drives_admin_and_faults(sis: SimulatedSis, springfield: District, vendor: Vendor) -> None:
    with ControlServer(sis) as server:
        control = Control(server.url)
        vendor.credentials = control.admin("springfield", "recreate_record")
        vendor.log_in()
        control.admin("springfield", "untick", "Classes")
        assert vendor.get("enrollments").status_code == 403
        control.admin("springfield", "change_settings", total_count=False)
        assert "X-Total-Count" not in vendor.get("orgs").headers
        control.fail("springfield", "status", collection="orgs", status=500)
        assert vendor.get("orgs").status_code == 500
        control.call("POST", "/hosts/0/faults", {"fault": "refuses"})
        with pytest.raises(httpx.ConnectError):
            vendor.get("orgs")
        control.heal("springfield")
        assert vendor.get("orgs").status_code == 200
        assert control.call("GET", "/counters")["districts"]["springfield"]["statuses"]["403"] == 1
        assert control.call("GET", "/requests")[-1]["secrets"] == ["springfield.session", "springfield.token"]
        assert vendor.bearer in control.call("GET", "/planted")["springfield.token"]
        for method, path in (("GET", "/nothing"), ("POST", "/districts/springfield/admin/_known")):
            with pytest.raises(ValueError, match="nothing is at"):
                control.call(method, path)
        with pytest.raises(ValueError, match=r"no fault is called 'nope'"):
            control.fail("springfield", "nope")
        with pytest.raises(ValueError, match="nothing is at"):
            Control(server.url[:-1]).call("GET", "/districts")
    assert {"recreate_record", "untick", "roll_over", "recycle_app_pool"} <= VERBS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_writes_its_state_and_cleans_up_when_told_to_end(tmp_path: Path, number: int) -> None:
    state_file = tmp_path / "state.json"
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "tests.sis",
        "--hosts",
        "2",
        "--districts",
        "8",
        "--state-file",
        str(state_file),
    ]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + 20
            while not state_file.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            state = json.loads(state_file.read_text())
            assert state["pid"] == process.pid
            assert state_file.stat().st_mode & 0o077 == 0
            assert len({district["base_url"] for district in state["districts"]}) == 8
            last = state["districts"][-1]
            context = ssl.create_default_context(cafile=state["ca_file"])
            with httpx.Client(verify=context, trust_env=False) as http:
                assert http.get(f"{last['base_url']}/api/v5/systeminfo").status_code == 200
                fresh = Control(state["control_url"]).admin(last["name"], "recreate_record")
                pair = (fresh["consumer_id"], fresh["consumer_secret"])
                form = {"grant_type": "client_credentials", "scope": CORE}
                assert http.post(f"{last['base_url']}/token", auth=pair, data=form).status_code == 200
            os.kill(process.pid, number)
            assert process.wait(timeout=10) == 0
            assert process.stderr is not None
            assert process.stderr.read() == b""
        finally:
            process.kill()
    assert not state_file.exists()
    assert not Path(state["ca_file"]).parent.exists()


def test_every_kind_of_fault_explains_itself() -> None:
    assert len(KINDS) > 50
    assert [kind.name for kind in KINDS.values() if not kind.explanation.endswith((".", ")."))] == []
