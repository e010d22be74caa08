"""A whole fleet under load: the built functions, real sockets, real TLS, and servers that are sick in every way."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from benchmarks import lambda_rig
from rosterwatch.finding import Status
from tests.load.fleet import REFUSING, SICK, Fleet, make
from tests.load.servers import Servers, serving
from tests.load.stack import Stack, deployed
from tests.load.waiting import listening
from tests.local_aws import started
from tests.proof import Part, Proof

pytestmark = pytest.mark.deploy

_PIECES: Final = 3  # of a round, between which the fleet without sick hosts gets its turn
#: How much longer the slowest twentieth of the healthy visits may take beside sick hosts. Side by side, in one run.
_MOST_DELAYED: Final = 1.5
_HOW: Final = (
    "the built functions under AWS's runtime client (awslambdaric), two processes of check_districts side by side as the template "
    "has it, around the table, secrets and topics of the local AWS; simulated SIS over TLS, an address each, answering in 50 ms; "
    "a queue of our own whose clock does not wait out the spread; three rounds of 2,000 districts on 40 hosts, 200 of them broken: "
    "one host hangs, one refuses, one drips, the others are scenarios of the catalogue, some of which begin after a healthy visit"
)


@dataclass
class Run:
    """What came of it. ``at_once`` are the most requests at a time that each host has seen, by its address."""

    fleet: Fleet
    rounds: int
    stack: Stack
    without: Stack | None
    due: list[int] = field(default_factory=list)  # visits that each round dispatched
    ends: list[int] = field(default_factory=list)  # of the rounds, in the list of visits
    at_once: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)  # what no server should ever have seen
    seconds: list[float] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    def visits(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each visit's log line and the number of its round."""
        start = 0
        for number, end in enumerate(self.ends):
            for line in self.stack.visited[start:end]:
                yield number, line
            start = end


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Run]:
    proof = Proof(full=bool(request.config.getoption("prove")))
    with socket.socket() as probe:
        try:
            probe.bind(("127.77.0.1", 0))
        except OSError:
            pytest.skip("this machine's loopback has one address only, and hosts need one each")
    fleet = make(
        districts=proof.amount(quick=60, full=2000),
        hosts=proof.amount(quick=6, full=40),
        broken=proof.amount(quick=12, full=200),
        sick=tuple(SICK) if proof.full else (REFUSING,),  # the others take their deadlines
    )
    folder = tmp_path_factory.mktemp("load")
    with ExitStack() as stack:
        servers = stack.enter_context(serving(fleet))
        aws = stack.enter_context(started())
        artifact = lambda_rig.build(folder)
        ca_file = folder / "districts.pem"
        ca_file.write_text(servers.ca, encoding="ascii")
        queues = stack.enter_context(listening())

        def start(name: str) -> Stack:
            return stack.enter_context(deployed(name, aws, artifact, ca_file, queues))

        run = Run(fleet, proof.amount(quick=1, full=3), start("fleet"), start("well-hosts") if proof.full else None)
        run.stack.store(servers.secrets)
        if run.without is not None:
            run.without.store({one.name: servers.secrets[one.name] for one in fleet.well_hosts})
            run.without.new_round()
        _all_rounds(run, servers)
        yield run


def _all_rounds(run: Run, servers: Servers) -> None:
    """Round after round, in pieces; after each, a piece of half a round of the fleet without sick hosts."""
    stack, without = run.stack, run.without
    batches = -(-len(run.fleet.districts) // stack.settings.batch)
    beside = -(-batches // (2 * _PIECES * run.rounds))
    for number in range(run.rounds):
        if number == 1:
            stack.store(servers.break_more())
        run.due.append(stack.new_round())
        took = 0.0
        for piece in range(_PIECES):
            last = piece == _PIECES - 1
            took += stack.work(None if last else batches // _PIECES)
            stack.tell()
            _note(run, run.at_once, servers)
            if without is not None:
                without.work(beside)
                _note(run, run.at_once, servers)
        run.seconds.append(took)
        run.ends.append(len(stack.visited))
    stack.tell()
    run.events += stack.events()
    run.memory_mb += [check.most_memory_mb for check in stack.checks]


def _note(run: Run, most: Counter[str], servers: Servers) -> None:
    at_once, wrong = servers.seen()
    for host, many in at_once.items():
        most[host] = max(most[host], many)
    run.wrong += wrong


@pytest.mark.claim(
    "Under load, every visit names the cause, and every district ends with its right status", part=Part.LOAD, how=_HOW
)
def test_every_verdict_is_right(run: Run, proof: Proof) -> None:
    by_name = {one.name: one for one in run.fleet.districts}
    wrong: Counter[str] = Counter()
    for number, line in run.visits():
        proof.tried()
        one = by_name[line["district"]]
        expected = one.cause(number) or "none"
        if line["cause"] != expected:
            wrong[f"{one.sick or one.broken}: {line['cause']} instead of {expected} in round {number + 1}"] += 1
    assert wrong == {}
    states = run.stack.items("district")
    assert states.keys() == by_name.keys()
    for name, one in by_name.items():
        cause = one.cause(run.rounds - 1)
        status = one.broken.status if one.broken and cause else Status.FAILING if one.sick else Status.HEALTHY
        found = states[name]["status"]["S"], states[name].get("cause", {}).get("S")
        assert found == (status, cause), (name, one.sick, one.broken)
    ways = {one.broken.scenario for one in run.fleet.districts if one.broken}
    proof.note(f"{len(ways)} kinds of broken districts beside the sick hosts")


@pytest.mark.claim("Under load, no visit is lost and none is made twice", part=Part.LOAD, how=_HOW)
def test_no_visit_is_lost(run: Run, proof: Proof) -> None:
    everyone = len(run.fleet.districts)
    assert run.due == [everyone] * run.rounds
    queue = run.stack.queue
    sent: Counter[str] = Counter()
    for (district, _), many in queue.sent.items():
        sent[district] += many
    made = Counter(line["district"] for line in run.stack.visited)
    assert made == sent
    assert {reason for _, reason in queue.sent} <= {"schedule", "second_look"}
    assert all(queue.sent[one.name, "schedule"] == run.rounds for one in run.fleet.districts)
    # What the table has counted: a write for each visit.
    versions = {name: int(item["version"]["N"]) for name, item in run.stack.items("district").items()}
    assert versions == made
    assert (queue.left, queue.broken_rules, run.wrong) == (0, [], [])
    proof.tried(sum(made.values()))
    proof.note(f"{sum(made.values()) - everyone * run.rounds:,} second looks, {queue.returned} handed back and made later")
    proof.note(f"a round took {max(run.seconds):.0f} s at most")


@pytest.mark.claim(
    f"Sick hosts delay no other: the p95 of healthy districts' visits is under {_MOST_DELAYED} times that of a run without them",
    part=Part.LOAD,
    how=_HOW + "; in between, in nine pieces, half a round of the same districts without those on the three sick hosts",
    only_full=True,
)
def test_healthy_districts_are_not_delayed(run: Run, proof: Proof) -> None:
    assert run.without is not None
    healthy = {one.name for one in run.fleet.districts if one.sick is None and one.broken is None}

    def p95(lines: list[dict[str, Any]]) -> float:
        took = sorted(line["milliseconds"] for line in lines if line["warm"] and line["district"] in healthy)
        proof.tried(len(took))
        return float(took[len(took) * 95 // 100])

    beside, without = p95(run.stack.visited), p95(run.without.visited)
    proof.note(f"p95 {beside:.0f} ms beside {without:.0f} ms, a ratio of {beside / without:.2f}")
    assert beside < _MOST_DELAYED * without


@pytest.mark.claim("The process that visits stays within the memory that the template gives it", part=Part.LOAD, how=_HOW)
def test_memory_stays_within_the_setting(run: Run, proof: Proof) -> None:
    proof.tried(len(run.stack.visited))
    proof.note(f"{max(run.memory_mb):.0f} MB at most of {run.stack.settings.check_mb} MB")
    assert max(run.memory_mb) < run.stack.settings.check_mb


@pytest.mark.claim("No host serves more than four requests at a time", part=Part.LOAD, how=_HOW + "; counted by the SIS itself")
def test_no_host_serves_more_than_four_requests_at_a_time(run: Run, proof: Proof) -> None:
    proof.tried(len(run.at_once))
    assert set(run.at_once) == set(run.fleet.hosts)
    assert max(run.at_once.values()) <= 4, run.at_once
    # Or else nothing would have been measured: both processes met at a host.
    assert max(run.at_once.values()) > run.stack.settings.at_once
    proof.note(f"{sum(many == 4 for many in run.at_once.values())} hosts saw four at a time")


@pytest.mark.claim("Under load, each incident is told once, and a host that is down is one incident", part=Part.LOAD, how=_HOW)
def test_each_incident_is_told_once(run: Run, proof: Proof) -> None:
    documents = [json.loads(item["incident"]["S"]) for item in run.stack.items("incident").values()]
    groups = run.fleet.groups(run.rounds)
    assert {one["group"]: set(one["members"]) for one in documents} == groups
    assert len(documents) == len(groups)
    kinds = Counter((event["group"], event["kind"]) for event in run.events)
    assert {group for group, kind in kinds if kind == "opened"} == set(groups)
    # When more of a host's districts are found, its incident may turn to a worse cause, and after a quarter of an hour it is told
    # how many have joined. Nothing else is told, and nothing twice.
    assert set(kinds.values()) == {1}
    assert all(kind == "opened" or (kind in ("changed", "updated") and len(groups[group]) > 1) for group, kind in kinds), kinds
    proof.tried(len(documents))
    down = max(len(members) for members in groups.values())
    proof.note(f"{len(run.events)} alerts; the largest incident has {down} districts")
