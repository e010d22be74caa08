"""The simulated SIS as a process of its own.

    python -m tests.sis --hosts 2 --districts 6 --state-file FILE

FILE appears, whole and readable by its owner only, when everything listens:

    {"pid": 4711, "ca_file": PATH, "control_url": URL,
     "hosts": [{"name", "origin", "plain_origin"}], "districts": [{"name", "host", "base_url", "consumer_id",
     "consumer_secret", "api_certificate", ...}]}

SIGTERM and SIGINT end it; the file and the certificates are gone then.
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from threading import Event

from tests.sis.control import ControlServer, describe
from tests.sis.faults import KINDS
from tests.sis.products import PRODUCTS
from tests.sis.server import SimulatedSis

TOWNS = ("springfield", "shelbyville", "ogdenville", "brockway", "cypress", "capital")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sis", description="A simulated SIS with every fault.")
    parser.add_argument("--hosts", type=int, default=1, help="how many TLS ports")
    parser.add_argument("--districts", type=int, default=6, help="how many districts, going round the hosts in turn")
    parser.add_argument("--products", action="store_true", help="and one district of each other product, by its name")
    parser.add_argument("--students", type=int, default=240, help="pupils in each")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same data and credentials")
    parser.add_argument("--name", default="localhost", help="the host name in the URLs; it must lead to 127.0.0.1")
    parser.add_argument("--state-file", type=Path, help="where to write addresses and credentials (default: the screen)")
    parser.add_argument("--list-faults", action="store_true", help="list every fault with its parameters, and end")
    wanted = parser.parse_args(arguments)
    if wanted.list_faults:
        _list_faults()
        return 0
    # Before anything starts: a signal that comes early must not leave files behind.
    over = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    names = [TOWNS[n] if n < len(TOWNS) else f"district-{n + 1}" for n in range(wanted.districts)]
    sis = SimulatedSis(names, hosts=wanted.hosts, seed=wanted.seed, students=wanted.students, names=(wanted.name,))
    with sis, ControlServer(sis) as control:
        for name, product in PRODUCTS.items() if wanted.products else ():
            sis.add_district(name.replace("_", "-"), dialect=product)
        state = json.dumps(
            {
                "pid": os.getpid(),
                "ca_file": sis.ca_file,
                "control_url": control.url,
                "hosts": [{"name": host.name, "origin": host.origin, "plain_origin": host.plain_origin} for host in sis.hosts],
                "districts": [describe(district) for district in sis.districts],
            },
            indent=2,
        )
        if wanted.state_file is None:
            _say(state)
            over.wait()
            return 0
        try:
            _write(wanted.state_file, state)
            over.wait()
        finally:
            wanted.state_file.unlink(missing_ok=True)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _write(path: Path, text: str) -> None:
    """Whoever sees the file sees all of it."""
    draft = path.with_name(f"{path.name}.draft")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def _list_faults() -> None:
    for kind in sorted(KINDS.values(), key=lambda one: (one.level, one.action, one.name)):
        parameters = ", ".join(f"{name}={value!r}" for name, value in kind.parameters.items())
        _say(f"{kind.level:8} {kind.action:7} {kind.phase:5} {kind.name}({parameters})\n    {kind.explanation}")


if __name__ == "__main__":
    sys.exit(main())
