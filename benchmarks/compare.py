"""The lanes side by side: CPU and wall for the same districts, and whether the server had time to spare."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks import lanes
from benchmarks.lanes import Took
from benchmarks.standin import TOKEN, NotInstalledError, StandIn
from benchmarks.statistics_of import interleaved, ratios, spread, table


@dataclass(frozen=True, slots=True)
class Case:
    """So many districts, each on a host of its own, whose answers take so long. `crowd`: see `StandIn.among_others`."""

    districts: int
    delay_ms: int
    side_by_side: int
    crowd: bool = False

    def __str__(self) -> str:
        return f"{self.districts} districts at {self.delay_ms} ms" + (", usual authorities" if self.crowd else "")


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of one case, with how busy the server was at most."""

    case: Case
    took: dict[str, list[Took]]
    server_share: float

    def paired(self, other: str, *, whole: bool = False) -> list[float]:
        """Rosterwatch's CPU in terms of another lane's, repetition by repetition."""
        return ratios(_cpu(self.took["Rosterwatch"], whole=whole), _cpu(self.took[other], whole=whole))


def _cpu(runs: list[Took], *, whole: bool) -> list[float]:
    return [(run.whole_cpu if whole and run.whole_cpu is not None else run.run_cpu) for run in runs]


def measure(server: StandIn, case: Case, repetitions: int, progress: Callable[[str], None]) -> tuple[Result, list[str]]:
    """Run all lanes that can be run here; those that cannot are named with what they lack."""
    server = server.among_others() if case.crowd else server
    urls = [server.url(number, case.delay_ms) for number in range(case.districts)]
    lacking: list[str] = []
    shares: list[float] = []

    def watched(lane: lanes.Lane) -> Took:
        before = server.counts()
        took = lane(server, urls, case.side_by_side)
        shares.append(server.counts().since(before).cpu_seconds / took.wall)
        return took

    chosen: dict[str, Callable[[], Took]] = {"Rosterwatch": partial(watched, lanes.rosterwatch)}
    if shutil.which("curl"):
        chosen["curl --parallel"] = partial(watched, lanes.curl)
    else:
        lacking.append("curl is not installed: apt-get install curl")
    if lanes.REQUESTS_PYTHON.exists():
        chosen["requests"] = partial(watched, lanes.requests_script)
    else:
        lacking.append("requests is not installed: run this through make bench")
    try:
        with lanes.blackbox(server, urls) as blackbox:
            chosen["blackbox_exporter"] = partial(watched, blackbox)
            took = interleaved(chosen, repetitions, progress)
    except NotInstalledError as error:
        lacking.append(str(error))
        took = interleaved(chosen, repetitions, progress)
    return Result(case, took, max(shares)), lacking


def lines(result: Result) -> list[str]:
    """The case as a table."""
    case = result.case
    rows = []
    for name, runs in result.took.items():
        run_only = [run.run_cpu / case.districts * 1000 for run in runs]
        whole = [run.whole_cpu / case.districts * 1000 for run in runs if run.whole_cpu is not None]
        rows.append(
            [
                name,
                spread(run_only),
                spread(whole) if whole else "runs on",
                spread([run.wall for run in runs], 2),
                "1" if name == "Rosterwatch" else spread(result.paired(name), 2),
                "1" if name == "Rosterwatch" else spread(result.paired(name, whole=True), 2) if whole else "",
            ]
        )
    head = [
        "lane",
        "CPU a district, run only, ms",
        "whole process, ms",
        "wall, s",
        "Rosterwatch is, run only, x",
        "whole process, x",
    ]
    return [
        f"### {case}",
        "",
        *table(head, rows),
        f"The server was busy for {result.server_share:.0%} of its core at most.",
        "",
    ]


def ceiling(server: StandIn) -> str:
    """How many requests a second the server can answer, by wrk on the other core."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return "wrk is not installed (apt-get install wrk): the server's ceiling was not measured, only how busy it was."
    url = f"{server.url(0, 0)}/ims/oneroster/v1p1/orgs?limit=1"
    command = ["taskset", "-c", str(lanes.LANE_CPU), wrk, "-t1", "-c32", "-d3s", "-H", f"Authorization: Bearer {TOKEN}", url]
    said = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    found = re.search(r"Requests/sec:\s*([\d.]+)", said)
    rate = float(found[1]) if found else 0.0
    return f"The server alone answers {rate:,.0f} requests a second over TLS (wrk, 32 connections that stay open)."


def wall_beside_the_limit(result: Result, chain: float) -> list[float]:
    """The wall of many districts in terms of the chain or the CPU time, whichever is longer."""
    return [run.wall / max(chain, run.run_cpu) for run in result.took["Rosterwatch"]]
