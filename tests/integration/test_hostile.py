"""Servers that mean harm, or are broken beyond belief: the visit ends in time, stays small, goes nowhere else, and says so."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpcore
import pytest

from rosterwatch.case import Known
from rosterwatch.client import Network
from rosterwatch.diagnosis import diagnose
from rosterwatch.district import District as Watched
from rosterwatch.district import parse_secret
from rosterwatch.finding import Diagnosis, Status
from rosterwatch.network import Resolver
from rosterwatch.observation import Fault, Observation
from rosterwatch.probe import probe
from tests.proof import Part
from tests.sis import District, SimulatedSis
from tests.sis import Fault as Broken

pytestmark = pytest.mark.integration

SIS = "the simulated SIS, over TLS"
MEMORY = "However much is poured in, a visit grows by at most 10 MB and says what was wrong"
TIME = "A server that hangs or drips is left at the visit's deadline, and holds nobody else up"
BYTES = "What lies about the bytes of one collection is that collection's own trouble"
PLACES = "No redirect and no answer of a name server leads anywhere but to the named host, at an address that was checked"

GROWTH_KIB = 10 * 1024
SECONDS = 2.0  # for a visit to a server that never comes to an end
GRACE = 1.5  # for saying goodbye to it, on a busy machine


@pytest.fixture(scope="module")
def sis() -> Iterator[SimulatedSis]:
    with SimulatedSis([], hosts=2) as running:
        yield running
    assert running.problems == []


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    return (f"d{number}" for number in count(1))


@pytest.fixture
def district(sis: SimulatedSis, names: Iterator[str]) -> Iterator[District]:
    one = sis.add_district(next(names), host=0)
    sis.ledger.reset()
    yield one
    one.heal()
    assert sis.ledger.strayed(sis.owners) == []  # whatever was wrong, no secret went to another host, or in the clear
    assert sis.ledger.credentials_in_urls == []


@pytest.fixture
def elsewhere(sis: SimulatedSis, names: Iterator[str]) -> District:
    """A healthy district on the other host."""
    return sis.add_district(next(names), host=1)


class Resolved:
    """A name server that notes what it was asked for."""

    def __init__(self, *answers: list[str]) -> None:
        self.asked: list[str] = []
        self._answers = answers or (["127.0.0.1"],)

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self._answers[min(len(self.asked), len(self._answers)) - 1]


def watched(district: District) -> Watched:
    parsed = parse_secret(district.name, json.dumps(district.credentials))
    assert isinstance(parsed, Watched)
    return parsed


def visit(
    sis: SimulatedSis, *districts: District, seconds: float = 20.0, resolver: Resolver | None = None, allow_private: bool = True
) -> list[Observation]:
    """Visit districts side by side, as one batch does."""

    async def run() -> list[Observation]:
        network = Network(ca_bundle=sis.ca_file, allow_private=allow_private, resolver=resolver or Resolved())
        return list(await asyncio.gather(*(probe(watched(one), network, seconds=seconds) for one in districts)))

    return asyncio.run(run())


def judge(seen: Observation) -> Diagnosis:
    return diagnose(seen, Known("rosterwatch/springfield"))


def causes(seen: Observation) -> set[str]:
    return {finding.cause.name for finding in judge(seen).findings}


def weigh(sis: SimulatedSis, healthy: District, hostile: District) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.lone_visit", sis.ca_file],
        input=json.dumps([healthy.credentials, hostile.credentials]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path), "PYTHONDEVMODE": ""},
    )
    assert done.returncode == 0, done.stderr
    weighed: dict[str, Any] = json.loads(done.stdout)
    return weighed


# --- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.claim(
    MEMORY, part=Part.HOSTILE, how="300 MB bodies, compression bombs, deep nesting, giant headers; the process is weighed"
)
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ({"fault": "endless_body", "megabytes": 300, "style": "records"}, "body_too_large"),
        ({"fault": "endless_body", "megabytes": 300, "style": "string"}, "body_too_large"),
        ({"fault": "endless_body", "megabytes": 300, "style": "whitespace"}, "body_too_large"),
        ({"fault": "gzip_bomb", "megabytes": 200}, "encoded_unasked"),
        ({"fault": "gzip_bomb", "megabytes": 200, "phase": "token"}, "token_missing"),
        ({"fault": "nested", "depth": 500_000}, "truncated"),
        ({"fault": "huge_headers", "phase": "data"}, "not_http"),
        ({"fault": "huge_headers", "phase": "data", "count": 10_240}, "not_http"),
    ],
    ids=["records", "one string", "whitespace", "gzip", "gzip for a token", "nested", "one header", "many headers"],
)
def test_memory_stays_flat_whatever_is_poured_in(
    sis: SimulatedSis, district: District, elsewhere: District, fault: dict[str, Any], cause: str
) -> None:
    district.fail(Broken.from_json(fault))
    weighed = weigh(sis, elsewhere, district)
    assert cause in weighed["causes"]
    assert weighed["growth"] <= GROWTH_KIB
    assert weighed["seconds"] < 20


# --- time ------------------------------------------------------------------------------------------------------------

ENDLESS = [
    {"fault": "drip", "phase": "data"},
    {"fault": "drip", "phase": "token"},
    {"fault": "drip_headers", "phase": "data"},
    {"fault": "drip_headers", "phase": "token"},
    {"fault": "stalls", "after": "half", "phase": "data"},
    {"fault": "drips_handshake"},
    {"fault": "silent"},
    {"fault": "drops_connections"},
]


@pytest.mark.claim(TIME, part=Part.HOSTILE, how=SIS)
@pytest.mark.parametrize("fault", ENDLESS, ids=lambda fault: "-".join(str(word) for word in fault.values()))
def test_a_visit_ends_at_its_deadline_and_holds_nobody_up(
    sis: SimulatedSis, district: District, elsewhere: District, fault: dict[str, Any]
) -> None:
    district.fail(Broken.from_json(fault))
    hostile, healthy = visit(sis, district, elsewhere, seconds=SECONDS)
    assert hostile.milliseconds < (SECONDS + GRACE) * 1000
    assert judge(hostile).status is Status.FAILING
    assert judge(healthy).status is Status.HEALTHY
    assert healthy.milliseconds < SECONDS * 1000


@pytest.mark.claim(TIME, part=Part.HOSTILE, how=SIS)
def test_a_neighbour_on_the_same_host_comes_back_later_and_is_not_blamed(
    sis: SimulatedSis, district: District, names: Iterator[str]
) -> None:
    neighbour = sis.add_district(next(names), host=0)
    district.fail("drip", phase="data")
    sis.ledger.reset()
    _, beside = visit(sis, district, neighbour, seconds=SECONDS)
    assert beside.starved or judge(beside).status is Status.HEALTHY
    assert sis.ledger.most_at_once("host0") <= 4


# --- bytes -----------------------------------------------------------------------------------------------------------


@pytest.mark.claim(BYTES, part=Part.HOSTILE, how=SIS)
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ({"fault": "nested", "collection": "users", "closed": False}, "truncated"),
        ({"fault": "huge_number", "collection": "users"}, "truncated"),
        ({"fault": "invalid_utf8", "collection": "users"}, "envelope_missing"),
        ({"fault": "duplicate_keys", "collection": "users"}, "collection_empty"),
        ({"fault": "chunk_lies", "collection": "users", "lie": "no_end"}, "truncated"),
        ({"fault": "chunk_lies", "collection": "users", "lie": "short"}, "truncated"),
        ({"fault": "chunk_lies", "collection": "users", "lie": "number"}, "collection_failing"),
        ({"fault": "wrong_length", "collection": "users", "by": 1000}, "truncated"),
        ({"fault": "closes", "collection": "users", "after": "half"}, "truncated"),
        ({"fault": "resets", "collection": "users", "after": "half"}, "truncated"),
        ({"fault": "closes", "collection": "users", "after": "head"}, "collection_failing"),
        ({"fault": "huge_headers", "collection": "users", "kilobytes": 300}, "collection_failing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(str(word) for word in value.values()),
)
def test_lies_about_bytes_are_the_collections_own_trouble(
    sis: SimulatedSis, district: District, fault: dict[str, Any], cause: str
) -> None:
    district.fail(Broken.from_json(fault))
    (seen,) = visit(sis, district)
    (finding,) = judge(seen).findings
    assert finding.cause.name == cause
    assert finding.collections == ("users",)


@pytest.mark.claim(BYTES, part=Part.HOSTILE, how=SIS)
def test_more_bytes_than_announced_are_not_read(sis: SimulatedSis, district: District) -> None:
    district.fail("wrong_length", collection="users", by=-20)
    (seen,) = visit(sis, district)
    # Whoever gets that connection next may find it closed.
    assert "truncated" in causes(seen)
    assert causes(seen) <= {"truncated", "collection_failing", "optional_unreadable"}


@pytest.mark.claim(BYTES, part=Part.HOSTILE, how=SIS)
def test_a_length_beside_chunks_is_overruled_by_the_chunks(sis: SimulatedSis, district: District) -> None:
    district.fail("chunk_lies", collection="users", lie="length")
    (seen,) = visit(sis, district)
    # The server closes the connection behind the lie, which may meet whatever collection was to use it next.
    assert causes(seen) <= {"collection_failing", "optional_unreadable"}


@pytest.mark.claim("A flood of cookies is not sent back", part=Part.HOSTILE, how=SIS)
@pytest.mark.parametrize("number", [1000, 5000])
def test_a_flood_of_cookies_is_not_sent_back(sis: SimulatedSis, district: District, number: int) -> None:
    district.fail("many_cookies", count=number)
    sis.ledger.reset()
    (seen,) = visit(sis, district)
    assert seen.requests <= 20
    for request in sis.ledger.requests():
        assert sum(len(name) for name in request.cookie_names) < 8 * 1024


# --- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.claim(PLACES, part=Part.HOSTILE, how=SIS)
@pytest.mark.parametrize("to", ["metadata", "other_host", "http", "https://10.0.0.1/token", "//metadata.google.internal/"])
def test_a_redirect_is_never_followed(sis: SimulatedSis, district: District, to: str) -> None:
    district.fail("redirect", to=to)
    sis.ledger.reset()
    resolver = Resolved()
    (seen,) = visit(sis, district, resolver=resolver)
    assert judge(seen).status is Status.FAILING
    assert set(resolver.asked) == {"localhost"}
    assert sis.ledger.requests(host=sis.decoy.name) == []
    assert {request.target.partition("?")[0].removeprefix(district.base_path) for request in sis.ledger.requests()} <= {
        "/api/v5/systeminfo",
        "/api/v5/schools",
        "/token",
        "/token/",
        "/v2/oauth/token",
        "/oauth/token",
    }


@pytest.mark.claim(PLACES, part=Part.HOSTILE, how="name servers that lie, change their minds, or mix; connections are noted")
def test_a_private_address_is_not_even_knocked_at(sis: SimulatedSis, district: District) -> None:
    connections = sis.ledger.connections("host0")
    (seen,) = visit(sis, district, allow_private=False)
    assert causes(seen) == {"address_not_allowed"}
    assert sis.ledger.connections("host0") == connections


class Connected:
    """In place of the network: notes where it was sent, and gets nobody through."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    async def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        self.addresses.append(host)
        raise httpcore.ConnectError from ConnectionResetError()


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Connected:
    one = Connected()
    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", lambda _, *args, **kwargs: one.connect_tcp(*args, **kwargs))
    return one


@pytest.mark.claim(PLACES, part=Part.HOSTILE, how="name servers that lie, change their minds, or mix; connections are noted")
def test_a_name_that_is_public_when_checked_and_private_later_leads_nowhere_private(
    sis: SimulatedSis, district: District, connected: Connected
) -> None:
    rebinding = Resolved(["93.184.216.34"], ["127.0.0.1"], ["169.254.169.254"], ["93.184.216.34"], ["10.0.0.1"])
    (seen,) = visit(sis, district, resolver=rebinding, allow_private=False)
    assert len(rebinding.asked) > 1
    assert set(connected.addresses) == {"93.184.216.34"}
    faults = {exchange.fault for exchange in seen.exchanges()}
    assert faults <= {Fault.RESET, Fault.ADDRESS_NOT_ALLOWED}


@pytest.mark.claim(PLACES, part=Part.HOSTILE, how="name servers that lie, change their minds, or mix; connections are noted")
def test_of_public_and_private_addresses_only_the_public_ones_are_tried(
    sis: SimulatedSis, district: District, connected: Connected
) -> None:
    mixed = ["127.0.0.1", "93.184.216.34", "10.0.0.1", "169.254.169.254", "::1", "2606:2800:220:1:248:1893:25c8:1946"]
    visit(sis, district, resolver=Resolved(mixed), allow_private=False)
    assert set(connected.addresses) == {"93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"}


@pytest.mark.claim(PLACES, part=Part.HOSTILE, how="name servers that lie, change their minds, or mix; connections are noted")
def test_the_connection_goes_to_the_address_that_was_checked_whatever_the_system_would_say(names: Iterator[str]) -> None:
    with SimulatedSis([next(names)], names=["sis.example.org"]) as sis:
        resolver = Resolved()
        (seen,) = visit(sis, sis.districts[0], resolver=resolver)
    assert seen.host == "sis.example.org"
    assert judge(seen).status is Status.HEALTHY
    assert set(resolver.asked) == {"sis.example.org"}
