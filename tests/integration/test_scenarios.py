"""Every scenario of `tests/scenarios` over real sockets and real TLS, through the code that the Lambda runs."""

import asyncio
import errno
import json
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from rosterwatch.alerts import Message, render
from rosterwatch.case import Known
from rosterwatch.causes import CAUSES
from rosterwatch.client import Network
from rosterwatch.diagnosis import SLOW_SECONDS, diagnose
from rosterwatch.district import District as Watched
from rosterwatch.district import SecretFault, looks_like_certificate, parse_secret
from rosterwatch.finding import Diagnosis, Status
from rosterwatch.fingerprint import fingerprint, same_pair
from rosterwatch.health import Change, Lesson, State, advance
from rosterwatch.incidents import Fleet, Problem
from rosterwatch.links import DIALECTS, Links
from rosterwatch.network import Resolver
from rosterwatch.notices import reconcile
from rosterwatch.observation import CollectionState, Observation
from rosterwatch.probe import probe
from rosterwatch.providers import PROVIDERS
from rosterwatch.record import to_record
from tests.integration.outputs import LOG, OF_A_PROBLEM, OF_A_VISIT, Lines, canaries_of, collect, everything_logged, lasting
from tests.leaks import Haul
from tests.proof import Part, Proof
from tests.scenarios.scenario import Expected, Scenario, Visit, scenarios
from tests.sis import PRODUCTS, Aeries, District, Fault, SimulatedSis
from tests.sis.school_year import CALENDARS, Calendar

pytestmark = pytest.mark.integration

KEY = b"a key for fingerprints in tests"
SECRET = "rosterwatch/springfield"
MOST_REQUESTS = 20

SCENARIOS = scenarios()
CASES = [
    pytest.param(one, past, expected, id=one.name + ("-after_past" if past else ""))
    for one in SCENARIOS
    for past, expected in one.cases()
]

# Causes that no remote can produce: who produces them, and so where they are covered.
ONLY_OURS = {
    "secret_missing": "Secrets Manager says so; the tests of secrets.py",
    "secret_access_denied": "Secrets Manager says so; the tests of secrets.py",
    "secret_unreadable": "Secrets Manager says so; the tests of secrets.py",
    "monitor_network": "many districts at once say so; the tests of the batch",
    "flapping": "many visits say so; the tests of health.py",
    "unknown": "the honest answer to what the catalogue does not know; the tests of diagnosis.py",
}
# Rows of the table of failure modes that one visit cannot see, and why.
NOT_SEEN = {
    50: "the visit sends no query that a signature could stumble over",
    54: "what Incident IQ itself has stored is not on the district's server",
}
ROWS = range(1, 58)


@dataclass(frozen=True)
class Outcome:
    """What one visit led to."""

    seen: Observation | SecretFault
    diagnosis: Diagnosis


@dataclass(frozen=True)
class Past:
    """What is left of a healthy past: the state, and what was stored as the secret."""

    state: State
    stored: dict[str, str] = field(repr=False)


@pytest.fixture(scope="module")
def sis() -> Iterator[SimulatedSis]:
    with SimulatedSis([]) as running:
        yield running
    assert running.problems == []


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    # Names that say nothing: a base path with "login" in it would be evidence.
    return (f"d{number}" for number in count(1))


@pytest.mark.claim(
    "Whatever a server does, no secret, token, cookie or record of it is in anything that its visit shows, logs, stores or sends",
    part=Part.LEAKS,
    how="every scenario, with and without a healthy past, over TLS and with every logger at DEBUG; searched: reprs, pickles, the "
    "report, the screen, table items, the four dialects, the dashboard and its popup, the log",
)
@pytest.mark.parametrize(("scenario", "past", "expected"), CASES)
def test_the_cause_is_named(
    sis: SimulatedSis, names: Iterator[str], scenario: Scenario, past: bool, expected: Expected, proof: Proof
) -> None:
    district = settle(sis, next(names), scenario)
    try:
        learnt = remember(sis, district, scenario) if past else None
        stored = district.credentials
        happen(district, scenario)
        sis.ledger.reset()
        with everything_logged() as log:
            outcome = look(sis, secret_text(district, scenario.secret, stored), scenario.visit, learnt)
    finally:
        district.heal()
    alert = tell(outcome)
    assert_expected(outcome, expected, alert)
    if expected.tokens is not None:
        assert len(sis.ledger.requests(phase="token")) == expected.tokens
    if expected.data is not None:
        assert len(sis.ledger.requests(phase="data")) == expected.data
    assert_well_behaved(sis, scenario, expected)
    # A past changes what is said of the same answers: what is said without one is enough for every day.
    if proof.full or not past or scenario.past == "healthy":
        assert_nothing_leaks(sis, district, outcome, log)
        proof.tried()


# --- the story -------------------------------------------------------------------------------------------------------


def settle(sis: SimulatedSis, name: str, scenario: Scenario) -> District:
    """A district as it was before anything happened."""
    told = dict(scenario.district)
    settings = told.pop("settings", {})
    wanted = told.pop("dialect", "v4")
    dialect = PRODUCTS[wanted] if wanted in PRODUCTS else Aeries(wanted)
    district = sis.add_district(name, dialect=dialect, **told)
    district.admin.change_settings(**settings)
    return district


def happen(district: District, scenario: Scenario) -> None:
    """What the administrator did, and what broke."""
    for verb, *arguments in scenario.admin:
        options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        getattr(district.admin, verb)(*arguments, **options)
    if scenario.calendar is not None:
        district.admin.use_calendar(calendar(scenario.calendar))
    for fault in scenario.faults:
        district.fail(Fault.from_json(fault))


def calendar(told: Any) -> Calendar:
    if isinstance(told, str):
        return CALENDARS[told](datetime.now(UTC).date())
    return Calendar(**{"name": "told", **told})


def secret_text(district: District, changes: dict[str, Any], stored: dict[str, str]) -> str:
    """The secret as it is stored, by default all that the administrator once handed over."""
    if "text" in changes:
        return str(changes["text"])
    host, today = district.host, datetime.now(UTC).date()
    assert host is not None
    facts = {
        **stored,
        "origin": district.origin,
        "plain_origin": host.plain_origin,
        "path": district.base_path,
        "consumer_secret_cut": stored.get("consumer_secret", "")[:-1],
        "certificate_in_capitals": stored.get("api_certificate", "").upper(),
        "yesterday": (today - timedelta(days=1)).isoformat(),
        "in_ten_days": (today + timedelta(days=10)).isoformat(),
        **{f"new_{name}": value for name, value in (district.credentials if district.records else {}).items()},
    }
    changed = {name: value.format_map(facts) if isinstance(value, str) else value for name, value in changes.items()}
    left_out = changed.pop("without", ())
    return json.dumps({name: value for name, value in {**stored, **changed}.items() if name not in left_out})


def remember(sis: SimulatedSis, district: District, scenario: Scenario) -> Past:
    """Visit the district while it is healthy; what was learnt is what is known later."""
    before = scenario.before
    if before.calendar is not None:
        district.admin.use_calendar(calendar(before.calendar))
    text = secret_text(district, before.secret, district.credentials)
    outcome = look(sis, text, Visit(at=before.at or datetime.now(UTC) - timedelta(hours=1)), None)
    assert outcome.diagnosis.status is Status.HEALTHY, [finding.headline for finding in outcome.diagnosis.findings]
    assert isinstance(outcome.seen, Observation)
    state, _ = advance(None, district.name, outcome.diagnosis, lesson(text, outcome.seen), outcome.seen.at)
    return Past(state, district.credentials)


# --- the visit -------------------------------------------------------------------------------------------------------


def look(sis: SimulatedSis, text: str, how: Visit, past: Past | None) -> Outcome:
    """`parse_secret`, `probe`, `diagnose`: as `visits.py` does it, without AWS."""
    district = parse_secret("springfield", text, allow_http=how.allow_http)
    if isinstance(district, SecretFault):
        return Outcome(district, diagnose(district, Known(SECRET)))
    known = knowledge(district, past)
    hint = past.state.dialect if past else None
    if how.previous and past is not None:
        previous = parse_secret("springfield", json.dumps(past.stored))
        assert isinstance(previous, Watched)
        tried = visit(sis, previous, how, hint)
        known = replace(known, previous_works=tried.token is not None and tried.token.granted)
    seen = visit(sis, district, how, hint)
    slow = SLOW_SECONDS if how.slow_seconds is None else how.slow_seconds
    return Outcome(seen, diagnose(seen, known, slow_seconds=slow))


def visit(sis: SimulatedSis, district: Watched, how: Visit, hint: str | None) -> Observation:
    async def run() -> Observation:
        network = Network(
            ca_bundle=sis.ca_file,
            allow_private=how.allow_private,
            resolver=resolver(how.dns),
            connect_seconds=how.connect_seconds,
            request_seconds=how.request_seconds,
        )
        at = how.at or datetime.now(UTC)
        return await probe(district, network, dialect_hint=hint, seconds=how.seconds, now=lambda: at)

    return asyncio.run(run())


def resolver(dns: str | None) -> Resolver:
    """A name server of our own, honest by default."""
    errors: dict[str, OSError] = {
        "not_found": socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        "failing": socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        "no_route": OSError(errno.EHOSTUNREACH, "No route to host"),
    }
    addresses = {"private": ["10.1.2.3", "192.168.7.7"], "metadata": ["169.254.169.254"]}

    async def resolve(host: str, port: int) -> list[str]:
        if dns in errors:
            raise errors[dns]
        return addresses[dns] if dns else ["127.0.0.1"]

    return resolve


def knowledge(district: Watched, past: Past | None) -> Known:
    """What is known of a district before the visit."""
    known = Known(SECRET, looks_like_certificate=looks_like_certificate(district))
    if past is None:
        return known
    state = past.state
    assert state.pair is not None
    return replace(
        known,
        pair_worked=same_pair(state.pair, fingerprint(KEY, district.credentials)),
        pair_worked_at=state.pair_worked_at,
        baseline=state.baseline,
        terms=state.terms,
    )


def lesson(text: str, seen: Observation) -> Lesson:
    """What a healthy visit teaches."""
    district = parse_secret("springfield", text)
    assert isinstance(district, Watched)
    return Lesson(
        pair=fingerprint(KEY, district.credentials),
        dialect=seen.token.dialect if seen.token else None,
        host=seen.host,
        totals={c.name: c.total for c in seen.collections if c.state is CollectionState.OK and c.total is not None},
        terms=seen.terms,
    )


@dataclass(frozen=True)
class Told:
    """What is stored of an opening and what is sent of it, in every dialect."""

    record: dict[str, Any]
    messages: dict[str, Message]

    @property
    def text(self) -> str:
        """What a person reads, without the line breaks."""
        message = self.messages["text"]
        return " ".join(f"{message.subject} {message.body}".split())


def tell(outcome: Outcome) -> Told | None:
    """The alert, after as many visits as the cause's patience asks for."""
    if outcome.diagnosis.primary is None:
        return None
    state, transition = lasting(outcome.diagnosis)
    assert transition.change is Change.OPENED
    record, now = to_record(transition), state.since
    cause = outcome.diagnosis.primary.cause.name
    problem = Problem("springfield", "localhost", cause, now, transition.number, transition.number, record)
    (incident,) = reconcile([problem], [], Fleet(100, 50), lambda _: False, now).incidents
    (notice,) = incident.pending
    links = Links("us-west-2", "rosterwatch-dispatch", "rosterwatch/", "Rosterwatch")
    return Told(record, {dialect: render(dialect, incident, notice, links) for dialect in DIALECTS})


# --- what must hold --------------------------------------------------------------------------------------------------


def assert_expected(outcome: Outcome, expected: Expected, alert: Told | None) -> None:
    diagnosis = outcome.diagnosis
    found = tuple(finding.cause.name for finding in diagnosis.findings)
    told = "\n".join(f"{f.cause.name}: {f.headline} {f.collections} {f.evidence}" for f in diagnosis.findings)
    causes = ([] if expected.cause == "healthy" else [expected.cause]) + list(expected.also)
    counted = [cause for cause in found if cause not in expected.maybe or cause in causes]
    assert Counter(counted) == Counter(causes), told
    assert (diagnosis.primary.cause.name if diagnosis.primary else "healthy") == expected.cause, told
    assert diagnosis.status.value == expected.status, told
    if expected.collections is not None:
        assert set(diagnosis.findings[0].collections) == set(expected.collections)
    text = alert.text if alert else told
    for word in expected.words:
        assert word in text
    for word in expected.never:
        assert word not in text
    assert "unknown" not in found
    assert "unknown" not in text.replace("is unknown: remove it", "").replace("springfield is unknown", "").replace("UNKNOWN", "")


def assert_well_behaved(sis: SimulatedSis, scenario: Scenario, expected: Expected) -> None:
    requests = sis.ledger.requests()
    visits = 2 if scenario.visit.previous else 1
    assert len(requests) <= MOST_REQUESTS * visits
    assert all(sis.ledger.most_at_once(host.name) <= expected.at_once for host in sis.hosts)
    assert sis.ledger.requests(host=sis.decoy.name) == []
    assert sis.ledger.credentials_in_urls == []
    if not scenario.visit.allow_http:
        assert sis.ledger.strayed(sis.owners) == []


def assert_nothing_leaks(sis: SimulatedSis, district: District, outcome: Outcome, log: Lines) -> None:
    state, transition = lasting(outcome.diagnosis)
    haul = Haul()
    collect(haul, outcome.seen, outcome.diagnosis, state, transition)
    haul.put(LOG, *log.lines)
    assert haul.leaks(canaries_of(sis, district)) == {}
    places = OF_A_PROBLEM if outcome.diagnosis.primary else OF_A_VISIT
    assert haul.empty((*places, LOG) if isinstance(outcome.seen, Observation) else places) == []


# --- the cover -------------------------------------------------------------------------------------------------------


def test_every_cause_has_a_scenario_or_a_reason_why_no_remote_produces_it() -> None:
    covered = {cause for one in SCENARIOS for _, expected in one.cases() for cause in (expected.cause, *expected.also)}
    covered.remove("healthy")
    assert covered <= set(CAUSES)
    assert set(CAUSES) - covered <= set(ONLY_OURS)
    assert covered.isdisjoint(ONLY_OURS)


def test_every_row_of_the_table_of_failure_modes_has_a_scenario_or_a_reason() -> None:
    covered = {row for one in SCENARIOS for row in one.rows}
    assert covered | set(NOT_SEEN) == set(ROWS)
    assert covered.isdisjoint(NOT_SEEN)


def test_every_provider_has_a_scenario_in_which_it_is_healthy_and_one_in_which_it_breaks() -> None:
    def provider(one: Scenario) -> str:
        product = PRODUCTS.get(one.district.get("dialect", ""))
        return product.provider if product else "aeries"

    healthy = {provider(one) for one in SCENARIOS if one.expect.cause == "healthy"}
    broken = {provider(one) for one in SCENARIOS if one.expect.cause != "healthy"}
    assert healthy == broken == set(PROVIDERS)


def test_there_are_at_least_75_scenarios_and_each_tells_its_story() -> None:
    assert len(SCENARIOS) >= 75
    assert all(one.story.endswith(".") for one in SCENARIOS)
    assert max(Counter(one.story for one in SCENARIOS).values()) == 1
