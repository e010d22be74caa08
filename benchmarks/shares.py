"""The visits under a function's own share of a core: what latency they report, and what a batch costs in GB-seconds."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.lambda_rig import PREFIX, Rig, rig, run_function
from benchmarks.lanes import Took, child, plan
from benchmarks.quota import quota
from benchmarks.standin import CONSUMER_ID, CONSUMER_SECRET, StandIn
from benchmarks.statistics_of import interleaved, percentile, spread, table


@dataclass(frozen=True, slots=True)
class Batch:
    """One memory size and batch size: the warm invocation's seconds, and what it did for how many districts."""

    memory_mb: int
    districts: int
    seconds: float
    cold_seconds: float
    calls: dict[str, float]  # a district's, warm
    written_bytes: float
    log_bytes: float
    max_rss_mb: float
    reported_ms: list[int]

    @property
    def gb_seconds(self) -> float:
        """A district's share."""
        return self.seconds * self.memory_mb / 1024 / self.districts


def latencies(
    server: StandIn,
    memories: Sequence[int],
    side_by_side: Sequence[int],
    districts: int,
    repetitions: int,
    progress: Callable[[str], None],
) -> tuple[list[str], dict[str, list[float]]]:
    """What a visit says a request took, where the server's answer takes 200 ms; and the 95th percentiles in terms of those."""
    urls = [server.url(number, 200) for number in range(districts)]

    def once(memory: int, many: int) -> Took:
        with quota(memory) as group:
            return child(sys.executable, "benchmarks.visit_lane", plan(server, urls, many, warm_url=server.url(0, 0)), cgroup=group)

    lanes: dict[str, Callable[[], Took]] = {f"{m}/{many}": partial(once, m, many) for m in memories for many in side_by_side}
    took = interleaved(lanes, repetitions, progress)
    rows, beside = [], {}
    for memory in memories:
        row = [f"{memory} MB"]
        for many in side_by_side:
            told = [one.told["latencies"] for one in took[f"{memory}/{many}"] if one.told]
            p50 = statistics.median(percentile(one, 0.5) for one in told)
            beside[f"{memory}/{many}"] = [percentile(one, 0.95) / 200 for one in told]
            p95 = statistics.median(percentile(one, 0.95) for one in told)
            row.append(f"{p50:.0f} / {p95:.0f} ({p95 / 200:.2f} x)")
        rows.append(row)
    return table(["CPU share of", *(f"{many} districts side by side" for many in side_by_side)], rows), beside


def batches(
    server: StandIn, artifact: Path, memories: Sequence[int], sizes: Sequence[int], progress: Callable[[str], None]
) -> list[Batch]:
    """Invocations of the built check_districts over districts that are well, two requests at a time to each host."""
    measured = []
    pair = {"consumer_id": CONSUMER_ID, "consumer_secret": CONSUMER_SECRET}
    with rig() as running:
        for number in range(max(sizes)):
            secret = {"base_url": server.url(number, 200), "optional": [], **pair}
            running.aws.secrets[f"{PREFIX}district-{number}"] = json.dumps(secret)
        environment = {"ROSTERWATCH_CA_BUNDLE": str(server.ca_file)}
        # A first look at everybody, so that what is measured finds nothing new.
        run_function(running, artifact, "check_districts.handler", [_event(max(sizes))], environment)
        for memory in memories:
            for size in sizes:
                progress(f"{memory} MB, {size} districts")
                measured.append(_batch(running, artifact, memory, size, environment))
    return measured


def _event(districts: int) -> dict[str, Any]:
    bodies = [json.dumps({"district": f"district-{number}", "reason": "schedule"}) for number in range(districts)]
    return {"Records": [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]}


def _batch(running: Rig, artifact: Path, memory: int, districts: int, environment: dict[str, str]) -> Batch:
    aws, events = running.aws, [_event(districts)] * 3
    aws.calls.clear()
    aws.written_bytes.clear()
    with quota(memory) as group:
        run = run_function(
            running,
            artifact,
            "check_districts.handler",
            events,
            environment | {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory)},
            cgroup=group,
        )
    lines = [json.loads(line) for line in run.log.splitlines() if line.startswith(b'{"level"')]
    visited = [line for line in lines if line.get("message") == "visited"]
    if len(visited) != len(events) * districts or any(line["status"] != "healthy" for line in visited):
        raise RuntimeError(f"not every district was visited and found well: {run.log[-1500:].decode(errors='replace')}")
    visits = len(events) * districts
    return Batch(
        memory,
        districts,
        statistics.median(run.answered[1:]),
        run.init + run.answered[0],
        {name: count / visits for name, count in aws.calls.items() if name != "GetSecretValue"},
        statistics.median(aws.written_bytes),
        len(run.log) / visits,
        run.max_rss_kib / 1024,
        [line["milliseconds"] for line in visited[districts:]],
    )


def batch_table(measured: Sequence[Batch]) -> list[str]:
    """The batches, a row each."""
    rows = [
        [
            f"{one.memory_mb} MB",
            str(one.districts),
            f"{one.cold_seconds:.1f}",
            f"{one.seconds:.2f}",
            f"{one.gb_seconds * 1000:.0f}",
            spread(one.reported_ms, 0),
            f"{one.max_rss_mb:.0f}",
        ]
        for one in measured
    ]
    head = [
        "memory",
        "districts in the batch",
        "cold, s",
        "warm, s",
        "mGB-s a district, warm",
        "a visit, ms as reported",
        "memory used, MB",
    ]
    return table(head, rows)
