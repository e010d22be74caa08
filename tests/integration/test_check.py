"""`rosterwatch check` against servers that nobody has described: what it finds out, what it costs, and what it never does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
from click.testing import CliRunner

from rosterwatch.cli import rosterwatch_command
from rosterwatch.district import District as Watched
from rosterwatch.district import parse_secret
from rosterwatch.way_in import MOST_REQUESTS
from tests.sis import PLANTED, PRODUCTS, Aeries, District, SimulatedSis

pytestmark = pytest.mark.integration

KEYS = {
    "status", "cause", "owner", "scope", "severity", "headline", "next_steps", "evidence", "findings", "collections", "base_url",
    "url_changes", "requests", "milliseconds", "discovered",
}  # fmt: skip
# What check finds out by itself: the way in of each product whose addresses can be found.
FOUND = {
    "classlink": {"auth": "oauth1_sha256"},
    "powerschool": {"token": "/oauth/access_token"},
    "synergy": {"token": "/token"},
    "eschoolplus": {"provider": "generic_1_2", "token": "/oauth/token"},
    "generic_1_1": {"token": "/oauth2/token"},
    "generic_1_2": {"provider": "generic_1_2", "token": "/auth/token"},
    "post": {"auth": "oauth2_post", "token": "/oauth/token"},
    "encoded": {"token": "/token"},
    "signed_sha1": {"auth": "oauth1_sha1"},
    "signed_or_token": {"auth": "oauth1_sha256"},
    "core_only": {"token": "/token"},
}


@dataclass(frozen=True)
class Checked:
    """What one run of the command said, and how it ended."""

    code: int
    said: dict[str, Any]
    text: str

    @property
    def found(self) -> dict[str, Any]:
        discovered = self.said["discovered"]
        assert isinstance(discovered, dict), self.said
        return discovered


@pytest.fixture(scope="module")
def sis() -> Iterator[SimulatedSis]:
    with SimulatedSis([], hosts=1) as running:
        yield running
    assert running.problems == []


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return count(1)


def add(sis: SimulatedSis, numbers: Iterator[int], product: str) -> District:
    dialect = PRODUCTS[product] if product in PRODUCTS else Aeries(product)
    district = sis.add_district(f"c{next(numbers)}", dialect=dialect)
    sis.ledger.reset()
    return district


def check(sis: SimulatedSis, district: District, *options: str, url: str = "", secret: str = "") -> Checked:
    """Run the command on what an operator has: a URL and a pair."""
    record = district.record
    arguments = ["check", "--url", url or district.base_url, "--consumer-id", record.consumer_id, "--ca-bundle", sis.ca_file]
    arguments += ["--allow-private", "--json", *options]
    environment = {"ROSTERWATCH_CONSUMER_SECRET": secret or record.consumer_secret}
    result = CliRunner().invoke(rosterwatch_command, arguments, env=environment, catch_exceptions=False)
    for value in (record.consumer_secret, record.consumer_id, *PLANTED):
        assert value not in result.output
    return Checked(result.exit_code, json.loads(result.stdout), result.output)


def stored(checked: Checked, district: District) -> Watched:
    """The secret that was printed, its blanks filled in."""
    secret = dict(checked.found["secret"])
    record = district.record
    pair = {"consumer_id": record.consumer_id, "consumer_secret": record.consumer_secret, "bearer_token": record.consumer_secret}
    parsed = parse_secret("springfield", json.dumps({name: pair.get(name, value) for name, value in secret.items()}))
    assert isinstance(parsed, Watched), parsed
    return parsed


@pytest.mark.parametrize("pasted", [False, True], ids=["base URL", "data URL"])
@pytest.mark.parametrize("product", FOUND)
def test_the_way_in_is_found_and_printed_as_a_secret(sis: SimulatedSis, numbers: Iterator[int], product: str, pasted: bool) -> None:
    district = add(sis, numbers, product)
    url = district.base_url + PRODUCTS[product].data_root if pasted else district.base_url
    checked = check(sis, district, url=url)
    assert (checked.code, checked.said["status"]) == (0, "healthy"), checked.text
    assert set(checked.said) == KEYS
    wanted = {"provider": "generic_1_1", "auth": "oauth2_basic", **FOUND[product]}
    found = checked.found
    assert (found["provider"], found["auth"]) == (wanted["provider"], wanted["auth"])
    assert found["token_url"] == (district.base_url + wanted["token"] if "token" in wanted else None)
    assert found["data_url"] == district.base_url + PRODUCTS[product].data_root
    assert found["requests"] <= MOST_REQUESTS
    assert checked.said["requests"] == len(sis.ledger.requests())
    assert sis.ledger.credentials_in_urls == []
    assert sis.ledger.strayed(sis.owners) == []
    parsed = stored(checked, district)
    assert parsed.auth.value == wanted["auth"]
    assert parsed.data.url == found["data_url"]
    assert len(parsed.token_dialects) == ("token" in wanted)


@pytest.mark.parametrize("generation", ["v4", "v2", "slash", "oauth"])
def test_aeries_is_known_for_aeries_with_two_requests(sis: SimulatedSis, numbers: Iterator[int], generation: str) -> None:
    district = add(sis, numbers, generation)
    checked = check(sis, district)
    assert checked.said["status"] == "healthy"
    assert checked.found["provider"] == "aeries"
    assert checked.found["requests"] == 2
    assert checked.found["secret"]["base_url"] == district.base_url
    assert set(checked.found["secret"]) == {"provider", "base_url", "consumer_id", "consumer_secret"}


def test_aeries_that_is_broken_is_diagnosed_as_aeries(sis: SimulatedSis, numbers: Iterator[int]) -> None:
    district = add(sis, numbers, "v4")
    district.admin.disable_oneroster()
    district.admin.recycle_app_pool()
    checked = check(sis, district)
    assert (checked.code, checked.said["cause"]) == (1, "oneroster_disabled")
    for fault, cause in (("windows_authentication", "windows_authentication"), ("maintenance", "maintenance")):
        district.fail(fault)
        checked = check(sis, district)
        assert (checked.said["cause"], checked.said["discovered"]) == (cause, None)
        district.heal()


def test_a_host_name_that_gives_the_product_away_costs_no_request() -> None:
    # Nothing is there: what counts is as what it was visited.
    result = CliRunner().invoke(
        rosterwatch_command,
        ["check", "--url", "https://springfield.aeries.net.invalid/aeries", "--consumer-id", "x", "--json"],
        env={"ROSTERWATCH_CONSUMER_SECRET": "y"},
    )
    assert json.loads(result.stdout)["cause"] == "unreachable_dns"


def test_credentials_that_are_refused_are_tried_once_for_each_way_to_authenticate(
    sis: SimulatedSis, numbers: Iterator[int]
) -> None:
    district = add(sis, numbers, "synergy")
    checked = check(sis, district, secret="w" * 64)
    assert (checked.code, checked.said["cause"]) == (1, "credentials_wrong")
    assert len(sis.ledger.requests(phase="token")) == 2
    assert checked.found["token_url"] == district.base_url + "/token"


def test_credentials_never_go_to_a_host_that_only_the_server_names(sis: SimulatedSis, numbers: Iterator[int]) -> None:
    district = add(sis, numbers, "edfi")
    token_url = district.credentials["token_url"]
    checked = check(sis, district)
    assert checked.said["cause"] == "token_url_wrong"
    (note,) = checked.found["notes"]
    assert f"The server names {token_url} as its token URL" in note
    assert "--token-url" in note
    checked = check(sis, district, "--token-url", token_url)
    assert checked.said["status"] == "healthy"
    assert checked.found["secret"]["token_url"] == token_url
    astray = replace(PRODUCTS["edfi"], start_page="{decoy}/oauth/token")
    check(sis, sis.add_district(f"c{next(numbers)}", dialect=astray))
    assert sis.ledger.requests(host="decoy") == []


def test_a_redirect_of_the_token_page_is_never_followed(sis: SimulatedSis, numbers: Iterator[int]) -> None:
    district = add(sis, numbers, "synergy")
    district.fail("redirect", phase="token", to="other_host", status=307)
    check(sis, district)
    assert sis.ledger.requests(host="decoy") == []
    assert sis.ledger.strayed(sis.owners) == []


def test_a_host_that_wants_to_be_left_alone_is_left_alone(sis: SimulatedSis, numbers: Iterator[int]) -> None:
    district = add(sis, numbers, "generic_1_2")
    district.fail("throttled", phase="any")
    checked = check(sis, district)
    assert checked.said["cause"] == "throttled"
    assert checked.said["discovered"] is None
    assert "/ims/oneroster/v1p1" not in "".join(one.target for one in sis.ledger.requests()[1:])


def test_a_server_without_oneroster_is_none(sis: SimulatedSis, numbers: Iterator[int]) -> None:
    district = add(sis, numbers, "synergy")
    checked = check(sis, district, url=f"{district.origin}/nowhere")
    assert (checked.code, checked.said["cause"], checked.said["discovered"]) == (1, "wrong_base_url", None)
    assert checked.said["requests"] == len(sis.ledger.requests())


@pytest.mark.parametrize(
    ("product", "options"),
    [
        ("infinite_campus", ["--token-url", "{base_url}/oauth2/token?appName=roster"]),
        ("infinite_campus", ["--provider", "infinite_campus", "--token-url", "{base_url}/oauth2/token?appName=roster"]),
        ("skyward", ["--token-url", "{base_url}/identity/connect/token"]),
        ("skyward", ["--data-url", "{base_url}/api/ims/oneroster/v1p1", "--token-url", "{base_url}/identity/connect/token"]),
        ("veracross", ["--scope", "sis:roster.read"]),
        ("powerschool", ["--no-scope"]),
        ("signed_or_token", ["--auth", "oauth1_sha256"]),
        ("signed_or_token", ["--auth", "oauth2_basic"]),
        ("signed_sha1", ["--auth", "oauth1_sha1", "--version", "1.1"]),
        ("post", ["--auth", "oauth2_post", "--provider", "generic_1_1"]),
        ("encoded", ["--auth", "oauth2_basic_encoded"]),
        ("classlink_proxy", ["--auth", "bearer"]),
        ("classlink_proxy", ["--provider", "classlink_proxy"]),
        ("generic_1_2", ["--version", "1.2"]),
    ],
)
def test_what_the_operator_knows_need_not_be_found_out(
    sis: SimulatedSis, numbers: Iterator[int], product: str, options: list[str]
) -> None:
    district = add(sis, numbers, product)
    checked = check(sis, district, *(option.format(base_url=district.base_url) for option in options))
    assert (checked.code, checked.said["status"]) == (0, "healthy"), checked.text
    if "--provider" in options:
        assert checked.said["discovered"] is None
    else:
        stored(checked, district)


def test_plain_http_is_spoken_with_this_machine_when_it_is_allowed(sis: SimulatedSis, numbers: Iterator[int]) -> None:
    district = add(sis, numbers, "synergy")
    host = district.host
    assert host is not None
    host.plain = "serve"
    try:
        url = host.plain_origin + district.base_path
        assert check(sis, district, url=url).code == 2
        checked = check(sis, district, "--allow-http", url=url)
    finally:
        host.plain = "redirect"
    assert checked.said["status"] == "healthy", checked.text
    assert checked.found["token_url"] == f"{url}/token"


def test_a_person_is_told_what_to_store(sis: SimulatedSis, numbers: Iterator[int]) -> None:
    district = add(sis, numbers, "synergy")
    arguments = ["check", "--url", district.base_url, "--consumer-id", district.record.consumer_id]
    result = CliRunner().invoke(
        rosterwatch_command,
        [*arguments, "--ca-bundle", sis.ca_file, "--allow-private"],
        env={"ROSTERWATCH_CONSUMER_SECRET": district.record.consumer_secret},
    )
    assert "HEALTHY" in result.stdout
    assert f"generic_1_1, OneRoster 1.1, oauth2_basic, token at {district.base_url}/token" in result.stdout
    assert '"consumer_secret": "<the Consumer Secret>"' in result.stdout
    assert district.record.consumer_secret not in result.output


def test_the_providers_are_listed_and_each_is_told_of() -> None:
    listed = CliRunner().invoke(rosterwatch_command, ["providers"]).stdout
    for product in PRODUCTS.values():
        assert product.provider in listed
    told = CliRunner().invoke(rosterwatch_command, ["providers", "infinite_campus"]).stdout
    assert "1.1 connections expire one year" in told
    assert "(not sure) " in CliRunner().invoke(rosterwatch_command, ["providers", "skyward"]).stdout
