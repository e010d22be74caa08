"""Run every benchmark and write docs/performance.md: `make bench`, or `python -m benchmarks --quick --to FOLDER` for a try."""

from __future__ import annotations

import argparse
import os
import platform
import ssl
import statistics
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import cold_start, compare, cost, detection, footprint, lanes, shares
from benchmarks.compare import Case, Result
from benchmarks.lambda_rig import REPOSITORY, build
from benchmarks.lanes import SERVER_CPU
from benchmarks.plot import line_plot
from benchmarks.quota import QuotaError
from benchmarks.shares import Batch
from benchmarks.standin import NotInstalledError, StandIn, standin
from benchmarks.statistics_of import spread, table

#: What the words between the measurements say; the numbers are the run's own.
WORDS: Final = REPOSITORY / "benchmarks" / "performance.md"
TEMPLATE_MB: Final = 512
TEMPLATE_BATCH: Final = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    repetitions: int
    cases: Sequence[Case]
    share_memories: Sequence[int]
    share_many: Sequence[int]
    share_districts: int
    batch_memories: Sequence[int]
    batch_sizes: Sequence[int]
    at_once: int
    fleets: tuple[int, ...]


FULL: Final = Plan(
    repetitions=7,
    cases=(Case(50, 0, 50), Case(50, 0, 50, crowd=True), Case(50, 200, 50), Case(500, 0, 100), Case(500, 200, 100)),
    share_memories=(512, 1024),
    share_many=(5, 10, 20),
    share_districts=30,
    batch_memories=(256, 512, 1024, 1769),
    batch_sizes=(10, 20, 40),
    at_once=100,
    fleets=(10, 1000),
)
QUICK: Final = Plan(
    repetitions=1,
    cases=(Case(2, 0, 2, crowd=True), Case(3, 10, 2)),
    share_memories=(512,),
    share_many=(2,),
    share_districts=2,
    batch_memories=(512,),
    batch_sizes=(2,),
    at_once=3,
    fleets=(2,),
)


@dataclass
class Document:
    """The sections as they come, and what is said of each target."""

    sections: dict[str, list[str]] = field(default_factory=dict)
    targets: list[tuple[str, str, str, bool | None]] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    plots: dict[str, str] = field(default_factory=dict)

    def target(self, what: str, wanted: str, values: Sequence[float], most: float, digits: int = 2) -> None:
        """Note a target and whether the median keeps it; a spread of more than twice the target settles nothing."""
        met = None if statistics.median(values) <= most < max(values) / 2 else statistics.median(values) <= most
        self.targets.append((what, wanted, spread(values, digits), met))


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny numbers, to see that everything runs")
    parser.add_argument("--to", type=Path, default=REPOSITORY / "docs", help="the folder to write into (docs)")
    parser.add_argument("--repetitions", type=int, help="how often everything is run (7)")
    given = parser.parse_args()
    chosen = QUICK if given.quick else FULL
    repetitions = given.repetitions or chosen.repetitions
    document = Document()
    try:
        with standin(max(case.districts for case in chosen.cases), SERVER_CPU) as server, tempfile.TemporaryDirectory() as name:
            _measure(server, Path(name), chosen, repetitions, document)
    except NotInstalledError as error:
        sys.exit(f"Nothing can be measured here. {error}")
    given.to.mkdir(parents=True, exist_ok=True)
    (given.to / "performance.md").write_text(_written(document, repetitions), encoding="utf-8")
    for file, drawn in document.plots.items():
        (given.to / file).write_text(drawn, encoding="utf-8")
    for what in document.lacking:
        print(f"Left out: {what}")
    for what, wanted, measured, met in document.targets:
        print(f"{_met(met):8} {what}: {measured} ({wanted})")


def _measure(server: StandIn, folder: Path, chosen: Plan, repetitions: int, document: Document) -> None:
    document.sections["ceiling"] = [compare.ceiling(server)]
    document.sections["connections"] = footprint.connections(server)
    wall, ratio = footprint.wall(server, repetitions, _progress("wall"))
    document.sections["wall"] = wall
    document.target("wall, one district at 200 ms, beside the chain", "at most 1.15", [ratio], 1.15)
    results = [_compared(server, case, repetitions, document) for case in chosen.cases]
    _lane_targets(results, document)
    document.sections["memory"], added = footprint.memory(server, chosen.at_once, repetitions, _progress("memory"))
    document.target(f"memory added per {chosen.at_once} districts at once, MB", "at most 40", added["many"], 40, 0)
    document.target("memory added by 500 MB bodies, MB", "at most 10", added["huge"], 10, 1)
    document.target("memory added by gzip bombs, MB", "at most 10", added["bomb"], 10, 1)
    artifact = build(folder)
    _under_a_share(server, artifact, chosen, repetitions, document)
    document.sections["cold"], took = cold_start.measure(artifact, folder, repetitions, _progress("cold start"))
    for handler, most in (
        ("check_districts", 1.5),
        ("dispatch_districts", 1.25),
        ("send_alerts", 1.25),
        ("render_dashboard", 1.25),
    ):
        values = cold_start.beside_one_client(took, handler)
        document.target(f"cold start of {handler} beside one boto3 client", f"at most {most}", values, most)
    document.sections["detection"], lacking = detection.measure(chosen.fleets, max(1, repetitions // 3), _progress("detection"))
    document.lacking += lacking
    document.sections["artifact"], megabytes = footprint.artifact(build(folder, "lambda"))
    document.target("artifact, MB zipped", "under 8", [megabytes], 8)


def _compared(server: StandIn, case: Case, repetitions: int, document: Document) -> Result:
    # Five hundred districts take minutes a repetition and spread little: half as often is enough.
    often = repetitions if case.districts < 500 else max(1, repetitions // 2)
    result, lacking = compare.measure(server, case, often, _progress(str(case)))
    document.sections.setdefault("lanes", []).extend(compare.lines(result))
    document.lacking += [what for what in lacking if what not in document.lacking]
    return result


def _lane_targets(results: Sequence[Result], document: Document) -> None:
    for lane, whole, wanted, most in (
        ("blackbox_exporter", False, "at most 0.5", 0.5),
        ("requests", False, "at most 0.35", 0.35),
        ("curl --parallel", True, "at most 4", 4.0),
    ):
        for result in results:
            if lane in result.took and not (whole and result.case.districts >= 500):
                kind = "whole process" if whole else "run only"
                what = f"CPU beside {lane}, {kind}, {result.case}"
                document.target(what, wanted, result.paired(lane, whole=whole), most)
    last = results[-1]
    beside = compare.wall_beside_the_limit(last, footprint.rounds(lanes.TURNS) * last.case.delay_ms / 1000)
    what = f"wall, {last.case}, beside the longer of chain and CPU"
    document.target(what, "at most 1.5", beside, 1.5)


def _under_a_share(server: StandIn, artifact: Path, chosen: Plan, repetitions: int, document: Document) -> None:
    often = max(1, repetitions // 2)
    try:
        document.sections["latency"], told = shares.latencies(
            server, chosen.share_memories, chosen.share_many, chosen.share_districts, often, _progress("latency")
        )
        measured = shares.batches(server, artifact, chosen.batch_memories, chosen.batch_sizes, _progress("batch"))
    except QuotaError as error:
        document.lacking.append(str(error))
        document.targets.append(("latency under the template's CPU share; cost", "", "not measured: no CPU quota", None))
        return
    memory, many = (TEMPLATE_MB, 10) if f"{TEMPLATE_MB}/10" in told else next(iter(told)).split("/")
    document.target(
        "latency reported (p95) under the template's share, times the true delay", "at most 1.5", told[f"{memory}/{many}"], 1.5
    )
    document.sections["batches"] = shares.batch_table(measured)
    document.plots["gb-seconds.svg"] = _curve(measured, chosen)
    check = next((one for one in measured if (one.memory_mb, one.districts) == (TEMPLATE_MB, TEMPLATE_BATCH)), measured[0])
    bill = cost.measure(artifact, check, _progress("cost"))
    document.sections["cost"] = cost.tables(bill)
    document.sections["calls"] = [
        *table(["AWS call", "a district"], [[name, f"{often:.2f}"] for name, often in sorted(check.calls.items())]),
        f"A state is {check.written_bytes:.0f} bytes, and a visit logs {check.log_bytes:.0f} bytes.",
    ]
    document.plots["cost.svg"] = cost.plot(bill)
    document.target("cost a district and month at 15 minutes, dollars", "at most 0.03", [cost.of_a_district(bill, 15)], 0.03, 4)


def _curve(measured: Sequence[Batch], chosen: Plan) -> str:
    lines = {
        f"{size} in a batch": [one.gb_seconds * 1000 for one in measured if one.districts == size] for size in chosen.batch_sizes
    }
    marks = [f"{memory} MB" for memory in chosen.batch_memories]
    return line_plot("A district's visit, warm", "memory (CPU comes with it)", "mGB-seconds", marks, lines)


def _progress(what: str) -> Callable[[str], None]:
    return lambda now: print(f"{what}: {now}", file=sys.stderr, flush=True)


def _met(met: bool | None) -> str:
    return "not resolved" if met is None else "met" if met else "NOT MET"


def _machine(repetitions: int) -> list[str]:
    flags = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimised = "with" if "--enable-optimizations" in flags else "without"
    load = os.getloadavg()[2]
    return [
        f"Measured on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {os.cpu_count()} cores ({platform.machine()}), Linux {platform.release()}, "
        f"load over the last quarter of an hour {load:.1f}; Python {platform.python_version()} built {optimised} "
        f"`--enable-optimizations`, {ssl.OPENSSL_VERSION}. {repetitions} repetitions, in turn, in reversed order every other time "
        f"(half as many of 500 districts and of latencies under a CPU quota, a third of breaks, and one of each batch, which is warm twice). Figures are medians [least to most]; ratios are of "
        "runs that stood side by side.",
    ]


def _written(document: Document, repetitions: int) -> str:
    targets = [[what, wanted, measured, _met(met)] for what, wanted, measured, met in document.targets]
    sections = document.sections | {
        "machine": _machine(repetitions),
        "targets": table(["what", "target", "measured", ""], targets),
        "lacking": [f"Left out here: {what}." for what in document.lacking] or ["Nothing was left out."],
    }
    text = WORDS.read_text(encoding="utf-8")
    for name, lines in sections.items():
        text = text.replace(f"<!-- {name} -->", "\n".join(lines).strip())
    return text


if __name__ == "__main__":
    main()
