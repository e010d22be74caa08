"""The lane of Rosterwatch: visits districts with the product's own code, in one process, and says what that took.

Started by the benchmarks with a plan on its standard input; says "ready" once everything is imported, goes on at the next line.
"""

from __future__ import annotations

import asyncio
import json
import resource
import ssl
import sys
import time
from typing import Any

from rosterwatch.client import Network
from rosterwatch.district import District, parse_secret
from rosterwatch.observation import CollectionState, Observation
from rosterwatch.probe import probe


def cpu() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_kib() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def district(name: str, plan: dict[str, Any], url: str) -> District:
    """A district as its secret would say it."""
    pair = {"consumer_id": plan["consumer_id"], "consumer_secret": plan["consumer_secret"]}
    made = parse_secret(name, json.dumps({"base_url": url, "provider": plan["provider"], "optional": [], **pair}))
    assert isinstance(made, District), made
    return made


def network(plan: dict[str, Any]) -> Network:
    """As check_districts makes it, but that it trusts nobody else than the others do."""
    made = Network(allow_private=True, turns=plan["turns"])
    made.context = ssl.create_default_context(cafile=plan["ca_file"])
    return made


async def visit_all(districts: list[District], shared: Network, side_by_side: int, seconds: float) -> list[Observation]:
    """Visit every district once, no more than so many at a time."""
    places = asyncio.Semaphore(side_by_side)

    async def one(each: District) -> Observation:
        async with places:
            return await probe(each, shared, seconds=seconds)

    return list(await asyncio.gather(*(one(each) for each in districts)))


def is_good(seen: Observation) -> bool:
    """Whether a token was granted and every collection held a record."""
    return (
        seen.token is not None
        and seen.token.granted
        and all(one.state is CollectionState.OK and one.records for one in seen.collections)
    )


def main() -> None:
    """Do what the plan says, and print what it took."""
    plan = json.loads(sys.stdin.readline())
    districts = [district(f"district-{number}", plan, url) for number, url in enumerate(plan["urls"])]
    shared = network(plan)
    if "warm_url" in plan:  # whatever the first visit of a process loads is start-up, not the visit's
        asyncio.run(visit_all([district("warm", plan, plan["warm_url"])], network(plan), 1, 60))
    print("ready", flush=True)
    sys.stdin.readline()
    started_cpu, started, before = cpu(), time.monotonic(), resident_kib()
    seen = asyncio.run(visit_all(districts, shared, plan["side_by_side"], plan.get("seconds", 600)))
    told = {
        "run_cpu": cpu() - started_cpu,
        "wall": time.monotonic() - started,
        "startup_cpu": started_cpu,
        "added_kib": resident_kib() - before,
        "good": sum(is_good(one) for one in seen),
        "requests": sum(one.requests for one in seen),
        "latencies": [c.exchange.milliseconds for one in seen for c in one.collections if c.exchange],
        "visits_ms": [one.milliseconds for one in seen],
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
