"""A server that hands back all it knows, and failures that carry it: nothing of that may come out of a visit.

The visits are those of the Lambda (`Round`), over TLS, with every logger at DEBUG; only AWS is not there.
tests/deploy/test_leaks.py has the same for the deployed stack.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count, product
from typing import Any

import httpcore
import httpx
import pytest
from click.testing import CliRunner

import rosterwatch.probe
from rosterwatch import access, auth, client
from rosterwatch.case import Known
from rosterwatch.cli import rosterwatch_command
from rosterwatch.client import Network
from rosterwatch.diagnosis import diagnose
from rosterwatch.district import District as Watched
from rosterwatch.district import parse_secret
from rosterwatch.finding import Status
from rosterwatch.health import State
from rosterwatch.network import Resolver
from rosterwatch.observation import Observation
from rosterwatch.secrets import SecretValue
from rosterwatch.state import StateError
from rosterwatch.visits import Look, Outcome, Round
from tests.integration.outputs import LOG, OF_A_PROBLEM, canaries_of, collect, everything_logged, lasting, people
from tests.leaks import Canaries, Haul
from tests.proof import REPOSITORY, Part, Proof
from tests.reachable import told_by
from tests.sis import PRODUCTS, Aeries, District, SimulatedSis, echoes
from tests.sis.__main__ import TOWNS
from tests.sis.ledger import Ledger
from tests.sis.school import School
from tests.unit.test_visits import Queue, Secrets, States

pytestmark = pytest.mark.integration

KEY = b"6c0ffee1e57ed5ec2e7f0a9b3d1"
PHASES = ("token", "data", "systeminfo", "certificate")
ECHOES = [one.__name__ for one in echoes.KINDS]
FORMS = list(echoes.FORMS)


@pytest.fixture(scope="module")
def sis() -> Iterator[SimulatedSis]:
    with SimulatedSis([]) as running:
        yield running
    assert running.problems == []


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    return (f"d{number}" for number in count(1))


def resolver(failure: BaseException | None = None) -> Resolver:
    async def resolve(_host: str, _port: int) -> list[str]:
        if failure is not None:
            raise failure
        return ["127.0.0.1"]

    return resolve


def a_round(sis: SimulatedSis, district: District, states: States, failure: BaseException | None = None) -> Round:
    """What the Lambda makes of a batch, with this district's secret."""
    secret = SecretValue(json.dumps(district.credentials), "v1", datetime.now(UTC))
    return Round(
        secrets=Secrets({district.name: secret}),
        states=states,
        queue=Queue(),
        key=lambda: KEY,
        now=lambda: datetime.now(UTC),
        remaining=lambda: 60.0,
        new_network=lambda: Network(
            ca_bundle=sis.ca_file, allow_private=True, resolver=resolver(failure), connect_seconds=5, request_seconds=5
        ),
        try_previous=False,
    )


def planted(sis: SimulatedSis, district: District) -> Canaries:
    found = canaries_of(sis, district)
    found.plant("fingerprint key", KEY.decode())
    return found


def searched(sis: SimulatedSis, district: District, failure: BaseException | None = None) -> Haul:
    """One visit of a batch, one more by itself, and all that came of them."""
    haul, states = Haul(), States()
    use = a_round(sis, district, states, failure)
    with everything_logged() as log:
        [outcome] = use.run([district.name])
        try:
            look = use.look_once(district.name)
        except (RuntimeError, LookupError):  # a mistake of ours is for the command line to tell, which makes such visits
            look = None
    haul.put("repr", *told_by((use, look, outcome)))
    haul.put(LOG, *log.lines)
    if isinstance(look, Look) and outcome.diagnosis is not None:
        collect(haul, look.seen, outcome.diagnosis, *lasting(look.diagnosis, use._lesson(look)))
    return haul


# --- a server that hands everything back -------------------------------------------------------------------------------


@pytest.mark.claim(
    "A server that hands back every value it knows gets none of them into a log, a table, a message or a page",
    part=Part.LEAKS,
    how="error bodies, pages, redirects, headers and members made of the pair, the certificate, tokens, cookies and a pupil, in "
    "each phase of the visit and nine forms (URL-encoded, escaped, base64, split, backwards, ...)",
)
@pytest.mark.parametrize("form", FORMS)
def test_what_a_server_hands_back_is_kept_nowhere(
    sis: SimulatedSis, names: Iterator[str], form: str, monkeypatch: pytest.MonkeyPatch, proof: Proof
) -> None:
    if proof.full and form == FORMS[0]:  # it takes four times as long
        monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    if not proof.full and form != FORMS[0]:
        pytest.skip("all forms are tried in `make prove`")
    for kind, phase in product(ECHOES, PHASES if proof.full else PHASES[:2]):
        district = sis.add_district(next(names))
        a_round(sis, district, States()).run([district.name])  # so that there are tokens and cookies to hand back
        district.fail(kind, phase=phase, form=form)
        haul = searched(sis, district)
        assert haul.leaks(planted(sis, district)) == {}, (kind, phase)
        assert haul.empty(("repr", LOG)) == [], (kind, phase)
        proof.tried()


@pytest.mark.parametrize("kind", ECHOES)
def test_the_values_are_in_what_the_server_says(sis: SimulatedSis, names: Iterator[str], kind: str, proof: Proof) -> None:
    """Else there would be nothing to keep back."""
    district = sis.add_district(next(names))
    a_round(sis, district, States()).run([district.name])
    canaries = planted(sis, district)
    for form in FORMS[:: proof.amount(quick=4, full=1)]:
        fault = district.fail(kind, form=form)
        with httpx.Client(verify=ssl.create_default_context(cafile=sis.ca_file), trust_env=False) as client:
            answer = client.get(f"{district.base_url}/ims/oneroster/v1p1/orgs")
        district.heal()
        said = answer.content + json.dumps(answer.headers.multi_items()).encode()
        found = {leak.name for leak in canaries.found_in(said)}
        assert found >= {f"{district.name}.{name}" for name in ("consumer_secret", "api_certificate", "consumer_id")}, fault
        assert kind != "echo_in_errors" or found >= {f"{district.name}.token", f"{district.name}.session", "people Zzyzxroster"}


# --- failures that carry it --------------------------------------------------------------------------------------------


def failures(value: str) -> dict[str, Callable[[], BaseException]]:
    """What the network, TLS and the libraries raise, with a value where they have room for words."""
    return {
        "no such name": lambda: socket.gaierror(socket.EAI_NONAME, f"{value}: Name or service not known"),
        "names not found now": lambda: socket.gaierror(socket.EAI_AGAIN, value),
        "an error of the system": lambda: OSError(113, value, value),
        "a reset": lambda: ConnectionResetError(104, value),
        "TLS": lambda: tls_error(value),
        "a header that is none": lambda: httpcore.LocalProtocolError(f"Illegal header value b'Bearer {value}'"),
        "an answer that is none": lambda: httpcore.RemoteProtocolError(f"illegal status line: bytearray(b'{value}')"),
        "too slow": lambda: httpcore.ReadTimeout(value),
        "no URL": lambda: httpx.InvalidURL(f"Invalid character in {value}"),
        "letters that do not fit": lambda: UnicodeEncodeError("ascii", value, 0, 1, value),
        "a mistake of ours": lambda: RuntimeError(f"cannot use {value}"),
        "a key that is not there": lambda: KeyError(value),
    }


def tls_error(value: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {value}] {value} (_ssl.c:1006)")
    error.reason, error.library = value, "SSL"
    return error


@pytest.mark.claim(
    "A failure that carries a secret in its words is told by its kind alone",
    part=Part.LEAKS,
    how="twelve exceptions of DNS, TLS, sockets, httpcore, httpx and our own, with the secret and the token as their text, "
    "chained and with notes, out of the connection of each visit",
)
@pytest.mark.parametrize("failure", failures(""))
def test_a_failure_that_carries_a_secret_is_told_by_its_kind_alone(
    sis: SimulatedSis, names: Iterator[str], failure: str, proof: Proof
) -> None:
    district = sis.add_district(next(names))
    record = district.record
    values = (record.consumer_secret, f"{record.consumer_id}:{record.consumer_secret}", record.certificate)
    for value in values[: proof.amount(quick=1, full=3)]:
        error = failures(value)[failure]()
        error.add_note(value)
        error.__cause__ = ValueError(value)
        haul = searched(sis, district, error)
        assert haul.leaks(planted(sis, district)) == {}
        assert haul.empty(("repr", LOG)) == []
        proof.tried()


@pytest.mark.claim(
    "What fails outside of a visit leaves with no secret in its frames, even where a crash report shows all local variables",
    part=Part.LEAKS,
    how="the table fails after the secrets were read; the traceback with `capture_locals`",
)
def test_a_round_that_fails_leaves_no_secret_in_its_frames(sis: SimulatedSis, names: Iterator[str]) -> None:
    district = sis.add_district(next(names))

    class Broken(States):
        def read(self, districts: Sequence[str]) -> dict[str, State | StateError]:
            raise RuntimeError("the table cannot be read")

    with pytest.raises(RuntimeError) as caught:
        a_round(sis, district, Broken()).run([district.name])
    # The first frame is this test's own, which holds the district itself.
    shown = traceback.TracebackException(RuntimeError, caught.value, caught.tb.tb_next, capture_locals=True)
    text = "".join(shown.format())
    assert "SecretValue(version=" in text
    assert planted(sis, district).found_in(text) == set()


@pytest.mark.claim(
    "No object of a visit shows a secret when it is printed",
    part=Part.LEAKS,
    how="`repr` and `str` of all that is reached from a visit, its requests, grants and answers, for each way to prove oneself",
)
@pytest.mark.parametrize("name", ["aeries v1", "aeries v4", "classlink", "classlink_proxy", "edfi", "post"])
def test_no_object_of_a_visit_shows_a_secret(
    sis: SimulatedSis, names: Iterator[str], name: str, monkeypatch: pytest.MonkeyPatch, proof: Proof
) -> None:
    product, generation = PRODUCTS.get(name), name.removeprefix("aeries ")
    district = sis.add_district(next(names), dialect=product or Aeries(generation))
    extra = {"auth": "aeries_v1_code"} if generation == "v1" else {}
    watched = parse_secret("springfield", json.dumps({**district.credentials, **extra}))
    assert isinstance(watched, Watched)
    kept: list[object] = [watched, SecretValue(json.dumps(district.credentials), "v1", None)]

    def keep(owner: object, function: str) -> None:
        honest = getattr(owner, function)

        def keeping(*args: Any, **kwargs: Any) -> Any:
            made = honest(*args, **kwargs)
            kept.append(made)
            return made

        monkeypatch.setattr(owner, function, keeping)

    for function in ("token_request", "aeries_code_request", "aeries_token_request", "read_grant"):
        keep(auth, function)
    keep(access, "static_proof")
    keep(client, "Answer")
    keep(rosterwatch.probe, "_Visit")

    async def run() -> Observation:
        network = Network(ca_bundle=sis.ca_file, allow_private=True, resolver=resolver())
        return await rosterwatch.probe.probe(watched, network)

    seen = asyncio.run(run())
    assert diagnose(seen, Known("")).status is Status.HEALTHY
    kept.append(seen)
    text = "\n".join(said for one in kept for said in told_by(one))
    assert planted(sis, district).found_in(text) == set()
    assert {type(one).__name__ for one in kept} >= {"District", "SecretValue", "_Visit", "Answer", "Observation"}
    proof.tried(len(kept))


# --- the command line --------------------------------------------------------------------------------------------------


@pytest.mark.claim(
    "`check` on a server that hands everything back, and that nobody has described, shows none of it",
    part=Part.LEAKS,
    how="each way of handing back, in each phase: as a table and as `--json`, with the secret from the environment",
)
@pytest.mark.parametrize("kind", ECHOES)
def test_check_shows_nothing_that_a_server_hands_back(sis: SimulatedSis, names: Iterator[str], kind: str, proof: Proof) -> None:
    for phase, form in product(("any", *PHASES), FORMS[:3]) if proof.full else [("any", FORMS[0])]:
        district = sis.add_district(next(names))
        a_round(sis, district, States()).run([district.name])
        district.fail(kind, phase=phase, form=form)
        haul = Haul()
        for extra in ((), ("--json",)):
            ended = command(sis, district, *extra)
            haul.put("screen", ended.output)
            haul.put("exception", repr(ended.exception))
        assert haul.leaks(planted(sis, district)) == {}
        assert haul.empty(("screen",)) == []
        proof.tried()


def test_a_token_url_that_a_server_makes_of_a_secret_is_not_shown(sis: SimulatedSis, names: Iterator[str]) -> None:
    district = sis.add_district(next(names), dialect=PRODUCTS["generic_1_2"])
    secret = district.record.consumer_secret
    for there in (f"https://sis.example.org/{secret}/token", f"{district.base_url}/{secret}/token"):
        page = district.fail("text_body", phase="other", text=json.dumps({"urls": {"oauth": there}}))
        said = command(sis, district).output
        assert planted(sis, district).found_in(said) == set(), page
        district.heal()


def command(sis: SimulatedSis, district: District, *extra: str) -> Any:
    record = district.record
    environment = {"ROSTERWATCH_CONSUMER_SECRET": record.consumer_secret, "ROSTERWATCH_API_CERTIFICATE": record.certificate}
    told = ("check", "--url", district.base_url, "--consumer-id", record.consumer_id)
    here = ("--allow-private", "--ca-bundle", sis.ca_file)
    return CliRunner().invoke(rosterwatch_command, [*told, *here, *extra], env=environment)


# --- the documentation -------------------------------------------------------------------------------------------------


@pytest.mark.claim(
    "No page or picture of the documentation holds a secret of the demo's districts, or a record",
    part=Part.LEAKS,
    how="every file of docs/ and the README, pictures included, for the credentials that the demo's seed makes",
)
def test_no_page_or_picture_holds_a_value_of_the_demo(proof: Proof) -> None:
    ledger = Ledger()
    districts = [District(name, Aeries(), School(name), ledger) for name in TOWNS]
    made = Canaries(people())
    for district in districts:
        for name, value in district.record.credentials.items():
            made.plant(f"{district.name}.{name}", value)
    haul = Haul()
    for path in [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*")]:
        if path.is_file():
            haul.put(str(path.relative_to(REPOSITORY)), path.read_bytes())
            proof.tried()
    assert haul.leaks(made) == {}
    assert {"README.md", "docs/alerts.md"} < set(haul.places)


# --- leaks on purpose --------------------------------------------------------------------------------------------------


@pytest.mark.claim(
    "The search finds a leak in every place of a visit",
    part=Part.LEAKS,
    how="one on purpose: a request that is told with the pair in base64, a line in the log with the token, an exception in an "
    "outcome, a state with a pupil's name",
)
def test_a_leak_on_purpose_is_found_in_every_place(
    sis: SimulatedSis, names: Iterator[str], monkeypatch: pytest.MonkeyPatch, proof: Proof
) -> None:
    district = sis.add_district(next(names))
    district.fail("echo_in_errors", phase="token")
    honest = access.shown_target
    pair = f"{district.record.consumer_id}:{district.record.consumer_secret}"
    monkeypatch.setattr(access, "shown_target", lambda *told: f"{honest(*told)}?{echoes.FORMS['base64'](pair)[7:40]}")
    found = searched(sis, district).leaks(planted(sis, district))
    assert set(found) == set(OF_A_PROBLEM)
    proof.tried(len(found))


def test_a_token_that_is_logged_on_purpose_is_found(
    sis: SimulatedSis, names: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    district = sis.add_district(next(names))
    honest = auth.read_grant

    def talkative(document: Any) -> Any:
        grant = honest(document)
        logging.getLogger("rosterwatch").debug("granted %s", grant.access_token[::-1] if grant else None)
        return grant

    monkeypatch.setattr(auth, "read_grant", talkative)
    assert {leak.name for leak in searched(sis, district).leaks(planted(sis, district))[LOG]} == {f"{district.name}.token"}


def test_an_exception_that_is_kept_on_purpose_is_found(
    sis: SimulatedSis, names: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    district = sis.add_district(next(names))

    async def keeps(self: Round, name: str, doing: Any) -> Any:
        try:
            return await doing
        except Exception as error:  # noqa: BLE001 - as the original
            return Outcome(name, done=False, problem=str(error))

    monkeypatch.setattr(Round, "_guarded", keeps)
    haul = searched(sis, district, RuntimeError(district.record.consumer_secret))
    assert set(haul.leaks(planted(sis, district))) == {"repr"}
