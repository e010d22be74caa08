"""The lanes: the same work by different programs. For each district one token and every collection, each body looked at."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.lambda_rig import settings
from benchmarks.standin import (
    BASIC,
    COLLECTIONS,
    CONSUMER_ID,
    CONSUMER_SECRET,
    RECORD,
    TOKEN,
    NotInstalledError,
    StandIn,
    cpu_seconds,
)

REPOSITORY: Final = Path(__file__).resolve().parent.parent
#: The environment with requests in it lies beside the one this runs in (see the Makefile).
REQUESTS_PYTHON: Final = Path(sys.prefix).parent / "bench" / "bin" / "python"
#: Everything that is measured has this core to itself, the server the other one.
LANE_CPU: Final = 0
SERVER_CPU: Final = 1 if (os.cpu_count() or 1) > 1 else 0
#: Requests at a time to one host, as the template has it.
TURNS: Final = int(settings()["ROSTERWATCH_HOST_CONCURRENCY"])


@dataclass(frozen=True, slots=True)
class Took:
    """What one run of a lane took. `whole_cpu` has the program's start and end in it, `run_cpu` has not."""

    run_cpu: float
    wall: float
    whole_cpu: float | None = None
    startup_cpu: float | None = None
    told: dict[str, Any] | None = None


#: A lane runs the districts of these base URLs once.
Lane = Callable[[StandIn, list[str], int], Took]


def plan(server: StandIn, urls: list[str], side_by_side: int, **more: Any) -> dict[str, Any]:
    """What a child process is told to do."""
    return {
        "urls": urls,
        "ca_file": str(server.ca_file),
        "consumer_id": CONSUMER_ID,
        "consumer_secret": CONSUMER_SECRET,
        "collections": COLLECTIONS,
        "side_by_side": side_by_side,
        "turns": TURNS,
        "provider": "generic_1_1",
        **more,
    }


def child(python: str | Path, module: str, what: dict[str, Any], *, cpu: int | None = LANE_CPU, cgroup: Path | None = None) -> Took:
    """Run one of the lanes that are Python programs, in a fresh process."""
    environment = {"PYTHONPATH": f"{REPOSITORY / 'functions'}{os.pathsep}{REPOSITORY}", "PATH": os.environ["PATH"]}

    def settle() -> None:
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
        if cgroup is not None:
            (cgroup / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    process = subprocess.Popen(
        [python, "-m", module],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=settle,  # no thread of ours runs yet
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(what) + "\n")
    process.stdin.flush()
    ready = process.stdout.readline()
    assert ready == "ready\n", f"{module} did not start"
    process.stdin.write("go\n")
    process.stdin.flush()
    said = process.stdout.readline()
    process.stdin.close()
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{module} failed"
    told = json.loads(said)
    return Took(told["run_cpu"], told["wall"], used.ru_utime + used.ru_stime, told["startup_cpu"], told)


def rosterwatch(server: StandIn, urls: list[str], side_by_side: int) -> Took:
    """The product's own visit."""
    took = child(sys.executable, "benchmarks.visit_lane", plan(server, urls, side_by_side))
    _all_good(took.told["good"] if took.told else 0, len(urls), "rosterwatch")
    return took


def requests_script(server: StandIn, urls: list[str], side_by_side: int) -> Took:
    """A script with requests."""
    took = child(REQUESTS_PYTHON, "benchmarks.requests_lane", plan(server, urls, side_by_side))
    _all_good(took.told["good"] if took.told else 0, len(urls), "requests")
    return took


def curl(server: StandIn, urls: list[str], side_by_side: int) -> Took:
    """One curl for everything, token and data at once since the token is known: the least that a real client can take."""
    with tempfile.TemporaryDirectory(dir=server.folder) as name:
        bodies = Path(name)
        lines = [f'cacert = "{server.ca_file}"', "silent", "show-error", "fail-early"]
        for number, url in enumerate(urls):
            lines += ["next", f'cacert = "{server.ca_file}"', "silent", "show-error"] if number else []
            lines += [f'url = "{url}/token"', f'output = "{bodies}/{number}-token"', 'data = "grant_type=client_credentials"']
            lines += [f'header = "Authorization: Basic {BASIC}"', "next", f'cacert = "{server.ca_file}"', "silent", "show-error"]
            lines.append(f'header = "Authorization: Bearer {TOKEN}"')
            for collection in COLLECTIONS:
                where = f"{url}/ims/oneroster/v1p1/{collection}?limit=1"
                lines += [f'url = "{where}"', f'output = "{bodies}/{number}-{collection}"']
        (bodies / "curl.conf").write_text("\n".join(lines), encoding="utf-8")
        command = [
            "curl",
            "--no-progress-meter",
            "--parallel",
            "--parallel-max",
            str(min(side_by_side * 4, 300)),
            "--config",
            str(bodies / "curl.conf"),
        ]
        took = _run(command)
        good = sum(
            "access_token" in (bodies / f"{number}-token").read_text(encoding="utf-8")
            and all(RECORD in (bodies / f"{number}-{collection}").read_text(encoding="utf-8") for collection in COLLECTIONS)
            for number in range(len(urls))
        )
    _all_good(good, len(urls), "curl")
    return took


def _run(command: list[str]) -> Took:
    started = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {LANE_CPU}))
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command[0]} ended with {process.returncode}"
    cpu = used.ru_utime + used.ru_stime
    return Took(cpu, time.monotonic() - started, cpu, 0.0)


@contextmanager
def blackbox(server: StandIn, urls: list[str]) -> Iterator[Lane]:
    """A running blackbox_exporter with a module for each district, as the token URL is part of a module."""
    program = shutil.which("prometheus-blackbox-exporter")
    if program is None:
        raise NotInstalledError("blackbox_exporter is not installed: apt-get install prometheus-blackbox-exporter")
    folder = server.folder / "blackbox"
    folder.mkdir(exist_ok=True)
    (folder / "blackbox.yml").write_text(json.dumps({"modules": _modules(server, urls)}), encoding="utf-8")  # JSON is YAML
    port = server.status_port + 1
    process = subprocess.Popen(
        [program, f"--config.file={folder / 'blackbox.yml'}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {LANE_CPU}),
        env={"PATH": os.environ["PATH"], "GOMAXPROCS": "1"},
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/-/healthy")

        def lane(server: StandIn, urls: list[str], side_by_side: int) -> Took:
            return _probe(server, process.pid, port, urls, side_by_side)

        yield lane
    finally:
        process.terminate()
        process.wait(10)


def _modules(server: StandIn, urls: list[str]) -> dict[str, Any]:
    tls = {"ca_file": str(server.ca_file)}
    pair = {"client_id": CONSUMER_ID, "client_secret": CONSUMER_SECRET}
    return {
        f"d{number}": {
            "prober": "http",
            "timeout": "60s",
            "http": {
                "fail_if_body_not_matches_regexp": [RECORD],
                "fail_if_not_ssl": True,
                "preferred_ip_protocol": "ip4",
                "tls_config": tls,
                "oauth2": {**pair, "token_url": f"{url}/token", "tls_config": tls},
            },
        }
        for number, url in enumerate(urls)
    }


def _probe(server: StandIn, daemon: int, port: int, urls: list[str], side_by_side: int) -> Took:
    """Have every collection of every district probed; who asks runs on the server's core and is not counted."""
    with tempfile.TemporaryDirectory(dir=server.folder) as name:
        answers = Path(name)
        lines = ["silent", "show-error"]
        for number, url in enumerate(urls):
            for collection in COLLECTIONS:
                target = urllib.parse.quote(f"{url}/ims/oneroster/v1p1/{collection}?limit=1", safe="")
                lines.append(f'url = "http://127.0.0.1:{port}/probe?module=d{number}&target={target}"')
                lines.append(f'output = "{answers}/{number}-{collection}"')
        (answers / "curl.conf").write_text("\n".join(lines), encoding="utf-8")
        before, started = cpu_seconds(daemon), time.monotonic()
        subprocess.run(
            [
                "curl",
                "--no-progress-meter",
                "--parallel",
                "--parallel-max",
                str(min(side_by_side * 4, 300)),
                "--config",
                str(answers / "curl.conf"),
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CPU}),
        )
        took = Took(cpu_seconds(daemon) - before, time.monotonic() - started)
        good = sum(
            all(
                "\nprobe_success 1\n" in (answers / f"{number}-{collection}").read_text(encoding="utf-8")
                for collection in COLLECTIONS
            )
            for number in range(len(urls))
        )
    _all_good(good, len(urls), "blackbox_exporter")
    return took


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _all_good(good: int, wanted: int, lane: str) -> None:
    if good != wanted:
        raise RuntimeError(f"{lane}: only {good} of {wanted} districts were read whole")
