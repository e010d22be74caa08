"""Cold starts: each function's built artifact, beside a function that only makes one boto3 client and asks it one thing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.lambda_rig import REPOSITORY, Rig, Run, rig, run_function
from benchmarks.statistics_of import interleaved, ratios, spread, table

_ONE_CLIENT: Final = """
import boto3

client = boto3.client("secretsmanager")


def handler(event, context):
    client.get_secret_value(SecretId="one")
    return {}
"""
_EVENTS: Final = {
    "dispatch_districts": "schedule.json",
    "check_districts": "queue.json",
    "send_alerts": "stream.json",
    "render_dashboard": "dashboard.json",
}


def one_client(folder: Path) -> Path:
    """The function that everything is compared with: the least that talks to AWS at all."""
    folder.mkdir(exist_ok=True)
    (folder / "one_client.py").write_text(_ONE_CLIENT, encoding="utf-8")
    return folder


def events(name: str) -> Any:
    """An event of the kind that wakes a function."""
    return json.loads((REPOSITORY / "events" / _EVENTS[name]).read_text(encoding="utf-8"))


def measure(
    artifact: Path, folder: Path, repetitions: int, progress: Callable[[str], None]
) -> tuple[list[str], dict[str, list[Run]]]:
    """The section, and the runs by handler."""
    baseline = one_client(folder / "one-client")
    with rig() as running:
        lanes: dict[str, Callable[[], Run]] = {"one boto3 client": partial(_once, running, baseline, "one_client.handler", {})}
        for name in _EVENTS:
            lanes[name] = partial(_once, running, artifact, f"{name}.handler", events(name))
        took = interleaved(lanes, repetitions, progress)
    theirs = [run.init + run.answered[0] for run in took["one boto3 client"]]
    their_init = [run.init for run in took["one boto3 client"]]
    rows = []
    for name, runs in took.items():
        ours = [run.init + run.answered[0] for run in runs]
        rows.append(
            [
                name,
                spread([run.init * 1000 for run in runs], 0),
                spread([run.answered[0] * 1000 for run in runs], 0),
                spread(ratios([run.init for run in runs], their_init), 2),
                spread(ratios(ours, theirs), 2),
                spread(ratios([run.cpu for run in runs], [run.cpu for run in took["one boto3 client"]]), 2),
            ]
        )
    head = [
        "function",
        "start, ms",
        "first event, ms",
        "start, times one client",
        "start and first event, times one client",
        "CPU, times one client",
    ]
    lines = [
        f"Fresh processes under AWS's runtime client (awslambdaric), in turn, {repetitions} each; Python {sys.version.split()[0]}, one "
        "core to themselves. Paths hold the built artifact and what Lambda's runtime brings, bytecode included.",
        "",
        *table(head, rows),
    ]
    return lines, took


def beside_one_client(took: dict[str, list[Run]], handler: str) -> list[float]:
    """A function's start and first event, in terms of those of the function with one client."""
    return ratios(
        [run.init + run.answered[0] for run in took[handler]], [run.init + run.answered[0] for run in took["one boto3 client"]]
    )


def _once(running: Rig, code: Path, handler: str, event: Any) -> Run:
    running.aws.items.clear()
    return run_function(running, code, handler, [event])
