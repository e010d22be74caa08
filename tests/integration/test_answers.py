"""Answers that no good server gives, in every step of a visit: what is said of them, and where the credentials went."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from rosterwatch.case import Known
from rosterwatch.client import Network
from rosterwatch.diagnosis import diagnose
from rosterwatch.district import District, parse_secret
from rosterwatch.finding import Diagnosis, Status
from rosterwatch.observation import Observation
from rosterwatch.probe import probe
from tests.integration.impostor import (
    CERTIFICATE,
    ID,
    SECRET,
    Bystander,
    Impostor,
    Liar,
    canaries,
    honest,
    listening,
    phase_of,
    respond,
)
from tests.proof import Part, Proof
from tests.sis.certificates import Authority

pytestmark = pytest.mark.integration

HOST: Final = "sis.example.org"
SECONDS: Final = 6.0
GRACE: Final = 2.0  # for saying goodbye, on a busy machine


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority((HOST,))


@pytest.fixture(scope="module")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    path.write_bytes(authority.root_pem)
    return path


async def only_the_named_host(host: str, port: int) -> list[str]:
    assert host == HOST, f"somebody asked for {host}:{port}"
    return ["127.0.0.1"]


def watched(port: int) -> District:
    fields = {
        "base_url": f"https://{HOST}:{port}/aeries",
        "consumer_id": ID,
        "consumer_secret": SECRET,
        "api_certificate": CERTIFICATE,
    }
    district = parse_secret("springfield", json.dumps(fields))
    assert isinstance(district, District)
    return district


def network(ca_file: Path) -> Network:
    return Network(
        ca_bundle=str(ca_file), allow_private=True, resolver=only_the_named_host, request_seconds=2.0, connect_seconds=2.0
    )


async def visit(ca_file: Path, context: ssl.SSLContext, impostor: Impostor, *bystanders: Bystander) -> Observation:
    """One visit, beside which everybody else listens too and must hear nothing."""
    async with listening(impostor, context):
        seen = await probe(watched(impostor.port), network(ca_file), seconds=SECONDS)
    for bystander in bystanders:
        assert bystander.connections == 0
        assert bystander.received == b""
    assert seen.milliseconds < (SECONDS + GRACE) * 1000
    return seen


def judge(seen: Observation) -> Diagnosis:
    return diagnose(seen, Known("rosterwatch/springfield"))


ORGS: Final = b'{"orgs":[{"sourcedId":"1"}]}'
CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#: An answer, and the cause that it has where a token is asked for and where data are.
LIES: Final[dict[str, tuple[Callable[[str], bytes], set[str], set[str]]]] = {
    "silence": (lambda _: b"", {"unreachable_reset"}, {"unreachable_reset"}),
    "HTTP/0.9": (lambda _: ORGS + b"\n\n", {"not_http"}, {"not_http"}),
    "half a line": (lambda _: ORGS, {"unreachable_reset"}, {"unreachable_reset"}),
    "HTTP/2": (lambda _: b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", {"not_http"}, {"not_http"}),
    "an HTTP/2 preface": (lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {"not_http"}, {"not_http"}),
    "an upgrade": (
        lambda _: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        {"not_http"},
        {"not_http"},
    ),
    "a status that is none": (lambda _: b"HTTP/1.1 2x0 OK\r\n\r\n", {"not_http"}, {"not_http"}),
    "a header that is none": (lambda _: b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", {"not_http"}, {"not_http"}),
    "two lengths": (
        lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", {"not_http"}, {"not_http"}
    ),
    "a length and chunks that disagree": (
        lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        {"token_missing"},
        {"envelope_missing"},
    ),
    "a chunk of minus one": (lambda _: CHUNKED + b"-1\r\n{}", {"not_http"}, {"not_http"}),
    "a chunk of 2^80": (lambda _: CHUNKED + b"f" * 20 + b"\r\n{}", {"not_http", "token_missing"}, {"not_http", "truncated"}),
    "chunks without end": (lambda _: CHUNKED + b"2\r\n{}\r\n", {"token_missing"}, {"truncated"}),
    "fewer bytes than announced": (lambda _: respond({})[:-1], {"token_missing"}, {"truncated"}),
    "an announced gigabyte": (
        lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n{}", {"token_missing"}, {"truncated"}
    ),
    "a compressed body": (lambda _: respond({}, "Content-Encoding: gzip"), {"token_missing"}, {"encoded_unasked"}),
    "nesting 100,000 deep": (lambda _: respond(b'{"orgs":' + b"[" * 100_000), {"token_missing"}, {"truncated"}),
    "nesting that is closed": (lambda _: respond(b"[" * 100_000 + b"]" * 100_000), {"token_missing"}, {"truncated"}),
    "a number of 100,000 digits": (lambda _: respond(b'{"a":' + b"9" * 100_000 + b"}"), {"token_missing"}, {"truncated"}),
    "twenty thousand lists": (lambda _: respond(b"[" + b"[]," * 20_000 + b"[]]"), {"token_missing"}, {"envelope_missing"}),
    "a body without end": (lambda _: respond(b'{"orgs":"' + b"x" * 1_100_000), {"token_missing"}, {"body_too_large"}),
    "bytes that are no UTF-8": (lambda _: respond(b'{"orgs\xff":[\xc3\x28]}'), {"token_missing"}, {"truncated"}),
    "NULs": (lambda _: respond(b"\x00" * 1_000), {"token_missing"}, {"not_oneroster"}),
    "a member twice": (
        lambda _: respond(b'{"access_token":"a","access_token":null,"orgs":[],"orgs":7}'), {"token_missing"}, {"envelope_missing"}
    ),
    "comments without end": (lambda _: respond(b"<!-- -->" * 100_000 + b"x"), {"not_oneroster"}, {"not_oneroster"}),
    "a redirect to itself": (
        lambda path: respond(b"", f"Location: {path}", status="302 Found"), {"redirected"}, {"redirected"}
    ),
    "a redirect to no place": (
        lambda _: respond(b"", "Location: /\x01\x02 \x7f", status="302 Found"),
        {"redirected", "not_http"},
        {"redirected", "not_http"},
    ),
    "a redirect with a tab": (lambda _: respond(b"", "Location: /a\tb", status="302 Found"), {"redirected"}, {"redirected"}),
    "a redirect to the metadata": (
        lambda _: respond(b"", "Location: http://169.254.169.254/latest/meta-data/", status="307 x"),
        {"redirected_elsewhere"},
        {"redirected_elsewhere"},
    ),
    "five thousand cookies": (
        lambda _: respond({}, *(f"Set-Cookie: c{n}={n}; path=/" for n in range(2_000))), {"token_missing"}, {"envelope_missing"}
    ),
    "a header of 300 KB": (lambda _: respond({}, "X: " + "x" * 300_000), {"not_http"}, {"not_http"}),
}  # fmt: skip
#: Answers that are odd, and good.
ODD: Final[dict[str, Callable[[str], bytes]]] = {
    "a hundred interim answers": lambda path: b"HTTP/1.1 100 Continue\r\n\r\n" * 100 + honest(path),
    "hints": lambda path: b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + honest(path),
    "a byte order mark": lambda path: respond(b"\xef\xbb\xbf" + honest(path).partition(b"\r\n\r\n")[2]),
    "UTF-16": lambda path: respond(honest(path).partition(b"\r\n\r\n")[2].decode().encode("utf-16")),
    "HTTP/1.0": lambda path: honest(path).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "a retry after a lifetime": lambda path: honest(path).replace(b"\r\n", b"\r\nRetry-After: 999999999\r\n", 1),
}
CLEAR: Final = "Each kind of lie about an answer has a clear cause, in time, and leads no credential anywhere but to the named host"
HOW: Final = (
    "a TLS server that answers byte for byte; all that it and two bystanders were sent is searched for credentials in every form"
)


@asynccontextmanager
async def bystanders() -> AsyncIterator[tuple[Bystander, Bystander]]:
    """A port of the same machine in the clear, and another: where a redirect or a default might lead."""
    one, other = Bystander(), Bystander()
    async with listening(one), listening(other):
        yield one, other


def told(
    ca_file: Path, authority: Authority, where: str, lie: Liar, *, closes: bool = True, endless: bool = False
) -> tuple[Observation, Impostor]:
    """A visit to a server that lies in one step, and to whatever else is asked for a token."""
    places = (where, "other") if where == "token" else (where,)

    async def run() -> tuple[Observation, Impostor]:
        async with bystanders() as others:
            impostor = Impostor(lambda path: lie(path) if phase_of(path) in places else None, closes, endless)
            return await visit(ca_file, authority.context(), impostor, *others), impostor

    seen, impostor = asyncio.run(run())
    went_to_their_place(impostor)
    return seen, impostor


def went_to_their_place(impostor: Impostor) -> None:
    """Each credential went where it belongs, in a header or a body, never in a URL."""
    planted = canaries()
    for path, raw in impostor.requests:
        assert planted.found_in(path) == set()
        found = {leak.name for leak in planted.found_in(raw)}
        allowed = {"systeminfo": set(), "certificate": {"certificate", "cookie"}, "data": {"token", "cookie"}}
        assert found <= allowed.get(phase_of(path), {"id", "secret"}), path


@pytest.mark.claim(CLEAR, part=Part.HOSTILE, how=HOW)
@pytest.mark.parametrize("where", ["token", "data", "systeminfo", "certificate"])
def test_a_lie_has_a_clear_cause_and_leads_nobody_astray(ca_file: Path, authority: Authority, proof: Proof, where: str) -> None:
    tried = list(LIES.items())
    for name, (lie, at_token, at_data) in tried if proof.full or where in ("token", "data") else tried[::4]:
        seen, _ = told(ca_file, authority, where, lie)
        causes = {finding.cause.name for finding in judge(seen).findings}
        worst = judge(seen).primary
        if where in ("token", "data"):
            assert worst is not None, name
            assert worst.cause.name in (at_token if where == "token" else at_data), (name, causes)
            assert judge(seen).status is not Status.HEALTHY
        else:
            # The data tell that all is well; what is beside them is a matter of its own.
            assert worst is None or worst.cause.name.startswith("api_certificate"), (name, causes)
        proof.tried()


@pytest.mark.claim(
    "What is odd about an answer, and allowed, is no reason to call a district broken",
    part=Part.HOSTILE,
    how="the same server: interim answers, byte order marks, UTF-16, HTTP/1.0, answers without a length",
)
@pytest.mark.parametrize("where", ["token", "data"])
def test_what_is_odd_and_allowed_is_read(ca_file: Path, authority: Authority, proof: Proof, where: str) -> None:
    for name, lie in ODD.items():
        seen, _ = told(ca_file, authority, where, lie, closes=False)
        assert judge(seen).primary is None, (name, [finding.evidence for finding in judge(seen).findings])
        assert seen.token is not None
        assert seen.token.granted
        proof.tried()


@pytest.mark.claim(CLEAR, part=Part.HOSTILE, how=HOW)
@pytest.mark.parametrize("where", ["token", "data", "systeminfo", "certificate"])
def test_an_answer_behind_the_answer_misleads_about_this_district_at_most(
    ca_file: Path, authority: Authority, proof: Proof, where: str
) -> None:
    stolen = respond({"access_token": "stolen-by-an-answer-that-nobody-asked-for", "orgs": [], "users": 7})
    seen, impostor = told(ca_file, authority, where, lambda path: honest(path) + stolen, closes=False)
    assert judge(seen).status in Status
    assert all(b"Host: sis.example.org" in raw for _, raw in impostor.requests)
    assert len(impostor.requests) <= 20
    proof.tried()


ENDLESS: Final[dict[str, bytes]] = {
    "interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
    "headers": b"X-Padding: " + b"x" * 4_000 + b"\r\n",
    "chunks": b"1000\r\n" + b" " * 4096 + b"\r\n",
}


@pytest.mark.claim(
    "A server that never comes to an end is left at the visit's deadline, and named",
    part=Part.HOSTILE,
    how="interim answers, headers and chunks without end, over TLS",
)
@pytest.mark.parametrize("where", ["token", "data"])
def test_what_never_ends_is_left(ca_file: Path, authority: Authority, proof: Proof, where: str) -> None:
    for name, piece in list(ENDLESS.items())[: proof.amount(quick=1, full=len(ENDLESS))]:
        first = {"headers": b"HTTP/1.1 200 OK\r\n", "chunks": CHUNKED}.get(name, b"")
        seen, _ = told(ca_file, authority, where, _saying(first + piece * 100), endless=True, closes=False)
        worst = judge(seen).primary
        assert worst is not None, name
        assert worst.cause.name in ("no_answer", "not_http", "body_too_large", "truncated", "token_missing"), name
        proof.tried()


def _saying(raw: bytes) -> Liar:
    return lambda _: raw
