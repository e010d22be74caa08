"""Twenty thousand districts on paper: the product's own code in virtual time, around stand-ins that keep AWS's limits."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any, Final

import pytest

from benchmarks import lambda_rig
from benchmarks.quota import MB_PER_CORE
from rosterwatch.finding import Status
from rosterwatch.health import State
from rosterwatch.state import _item
from tests.load.function import running
from tests.load.limits import MOST_ITEM_BYTES, MOST_MESSAGE_BYTES, MOST_SECRETS
from tests.load.region import BATCH, BATCH_TAKES, SPREAD_SECONDS, START, TICK, Region
from tests.load.waiting import MOST_DELAY, MOST_ENTRIES
from tests.proof import Part, Proof
from tests.template import load, resources

_CLOUD: Final = "cloud.example.org"
_TICKS: Final = 4
_FROM, _UNTIL = START + TICK, START + 2 * TICK
_HOW: Final = (
    "the product's own dispatch, rounds, states and announcer in virtual time, around stand-ins that refuse what AWS would: 20,000 "
    "districts on 400 hosts, 9,000 of them on one, every 15 minutes for an hour; for one interval that host and a fifth of the "
    "others are down"
)


@dataclass
class Outage:
    """A region, and which of its hosts were down for a while."""

    region: Region
    down: set[str]


@pytest.fixture(scope="module")
def outage(request: pytest.FixtureRequest) -> Outage:
    proof = Proof(full=bool(request.config.getoption("prove")))
    districts, hosts = proof.amount(quick=600, full=20_000), proof.amount(quick=30, full=400)
    names = [f"unified-school-district-of-a-long-name-{number:05}" for number in range(districts)]
    places = [_CLOUD] * (districts * 45 // 100)
    places += [f"sis{number % (hosts - 1)}.example.org" for number in range(districts - len(places))]
    random.Random(districts).shuffle(places)  # or else the names' order would be the hosts'
    of_host = dict(zip(names, places, strict=True))
    down = {_CLOUD, *(f"sis{number}.example.org" for number in range(hosts // 5))}

    def cause(name: str, at: datetime) -> str | None:
        return "unreachable_timeout" if _FROM <= at < _UNTIL and of_host[name] in down else None

    # As many workers as the districts need (docs/scale.md), and one for second looks.
    workers = ceil(districts / BATCH * BATCH_TAKES / timedelta(seconds=SPREAD_SECONDS)) + 1
    region = Region(of_host, cause, workers)
    region.run(_TICKS)
    return Outage(region, down)


@pytest.mark.claim("Of 20,000 districts, each is visited once an interval, neither more nor less", part=Part.LOAD, how=_HOW)
def test_every_district_is_visited_once_an_interval(outage: Outage, proof: Proof) -> None:
    region = outage.region
    for name, looks in region.looks.items():
        proof.tried(len(looks))
        if region.hosts[name] in outage.down:
            assert len(looks) == _TICKS + 2, name  # two second looks: when it broke, and when it was mended
        else:
            assert len(looks) == _TICKS, name
            gaps = [after - before for before, after in pairwise(looks)]
            # Its place among the hosts is known only after the first round.
            assert all(abs(gap - TICK) < timedelta(minutes=2) for gap in gaps[1:]), (name, gaps)
    assert len(region.looks) == len(region.hosts)
    proof.note(f"the last visit of a round began {region.late.total_seconds():.0f} s after it was due")


@pytest.mark.claim("Visits are spread evenly over the interval, for each host as for all", part=Part.LOAD, how=_HOW)
def test_visits_are_spread_evenly(outage: Outage, proof: Proof) -> None:
    region = outage.region
    at: Counter[int] = Counter(delay for _, delay in region.visits)
    assert sorted(district for district, _ in region.visits) == sorted(region.hosts)
    assert max(at) <= min(SPREAD_SECONDS, MOST_DELAY)
    assert max(at.values()) - min(at.values()) <= 1
    of_host: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for district, delay in region.visits:
        of_host[region.hosts[district]][delay] += 1
    for slots in of_host.values():
        counts = [slots[delay] for delay in at]
        assert max(counts) - min(counts) <= 1
    proof.tried(len(region.visits))
    proof.note(f"{len(at)} slots of {max(at.values())} districts")


@pytest.mark.claim("An outage of many hosts is one mail a host when it begins and one when it ends", part=Part.LOAD, how=_HOW)
def test_an_outage_is_few_alerts(outage: Outage, proof: Proof) -> None:
    mails = [attributes for topic, attributes in outage.region.sns.taken if topic == "text"]
    kinds = Counter(mail["kind"] for mail in mails)
    # In between, one more says how many districts have joined since the first.
    assert kinds["opened"] == kinds["resolved"] == len(outage.down)
    assert len(mails) <= 3 * len(outage.down)
    concerned = sum(host in outage.down for host in outage.region.hosts.values())
    proof.tried(concerned)
    proof.note(f"{len(mails)} mails for {concerned:,} districts on {len(outage.down)} hosts")


@pytest.mark.claim("Nothing is larger than AWS takes: items, pages, batches, messages, subjects, delays", part=Part.LOAD, how=_HOW)
def test_nothing_is_larger_than_aws_takes(outage: Outage, proof: Proof) -> None:
    # What is larger is refused by the stand-ins, and the run would have failed or the alerts be missing.
    region = outage.region
    assert 0 < region.table.largest <= MOST_ITEM_BYTES
    assert 0 < region.sns.largest <= MOST_MESSAGE_BYTES
    assert region.listed.calls == _TICKS * ceil(len(region.hosts) / MOST_SECRETS)
    assert region.sqs.calls >= _TICKS * ceil(len(region.hosts) / MOST_ENTRIES)
    proof.tried(region.table.calls.total() + region.sqs.calls + len(region.sns.taken) + region.listed.calls)
    proof.note(
        f"the largest item has {region.table.largest // 1024} of 400 KB, the largest message {region.sns.largest // 1024} of 256"
    )


@pytest.mark.claim(
    "dispatch_districts queues 20,000 visits well within its time-out and memory",
    part=Part.LOAD,
    how="the built function under AWS's runtime client, its CPU time measured and reckoned at the share of a core that its memory "
    "buys, and 15 ms for each of its calls",
    only_full=True,
)
def test_a_round_of_twenty_thousand_is_dispatched_in_time(tmp_path_factory: pytest.TempPathFactory, proof: Proof) -> None:
    setting = resources(load(), "AWS::Serverless::Function")["DispatchDistricts"]
    artifact = lambda_rig.build(tmp_path_factory.mktemp("dispatch"))
    with lambda_rig.rig() as aws:
        _fill(aws.aws, 20_000)
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws.port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        with running(artifact, "dispatch_districts", environment, artifact.parent, setting["MemorySize"]) as dispatch:
            assert dispatch.invoke({"reason": "schedule"}) == {"queued": 20_000}
            cpu, memory = dispatch.cpu_seconds, dispatch.most_memory_mb
        calls = aws.aws.calls.total()
        assert aws.aws.calls["SendMessageBatch"] == 2000
    seconds = cpu * MB_PER_CORE / setting["MemorySize"] + calls * 0.015
    proof.tried(20_000)
    proof.note(f"{calls:,} calls and {cpu:.1f} s of a core: {seconds:.0f} of {setting['Timeout']} s")
    proof.note(f"{memory:.0f} of {setting['MemorySize']} MB")
    assert seconds < setting["Timeout"]
    assert memory < setting["MemorySize"]


def _fill(aws: lambda_rig.FakeAws, districts: int) -> None:
    """As many secrets and states, handed out in pages of AWS's size."""
    names = [f"district-{number:05}" for number in range(districts)]
    counts = dict.fromkeys(("orgs", "schools", "terms", "courses", "classes", "users", "students", "teachers", "enrollments"), 1234)
    now = datetime.now(START.tzinfo)
    states = [
        _item(State(name, Status.HEALTHY, now, now, host=f"sis{number % 400}.example.org", pair="k" * 70, baseline=counts,
                    looks="+" * 20, durations=(1234,) * 20, counts=(10,) * 20, last_good_at=now, pair_worked_at=now, version=3))
        for number, name in enumerate(names)
    ]  # fmt: skip
    page = 1024 * 1024 // len(json.dumps(states[0]))

    def list_secrets(asked: dict[str, Any]) -> dict[str, Any]:
        start = int(asked.get("NextToken") or 0)
        listed = [{"Name": lambda_rig.PREFIX + name, "ARN": name} for name in names[start : start + MOST_SECRETS]]
        return {"SecretList": listed} | ({"NextToken": str(start + MOST_SECRETS)} if start + MOST_SECRETS < districts else {})

    def query(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["ExpressionAttributeValues"][":pk"]["S"] != "district":
            return {"Items": []}
        start = int(asked.get("ExclusiveStartKey", {}).get("sk", {}).get("S", "0"))
        key = {"pk": {"S": "district"}, "sk": {"S": str(start + page)}}
        return {"Items": states[start : start + page]} | ({"LastEvaluatedKey": key} if start + page < districts else {})

    setattr(aws, "_ListSecrets", list_secrets)  # noqa: B010 - in place of the one that has no pages
    setattr(aws, "_Query", query)  # noqa: B010
