"""What a visit takes besides CPU: memory, connections and requests, wall time beside the chain that cannot be shortened."""

from __future__ import annotations

import gzip
import io
import socket
import ssl
import statistics
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.lanes import Took, child, plan
from benchmarks.standin import COLLECTIONS, StandIn
from benchmarks.statistics_of import interleaved, spread, table

_BOMB_BYTES: Final = 500 * 1024 * 1024


def memory(
    server: StandIn, districts: int, repetitions: int, progress: Callable[[str], None]
) -> tuple[list[str], dict[str, list[float]]]:
    """Resident memory that is added by many districts at once, and by servers that send too much."""
    if not (server.folder / "bomb.gz").exists():
        with gzip.open(server.folder / "bomb.gz", "wb", compresslevel=9) as bomb:
            for _ in range(_BOMB_BYTES // 1048576):
                bomb.write(b" " * 1048576)
    many = [server.url(number, 200) for number in range(districts)]

    def at_once() -> Took:
        return child(sys.executable, "benchmarks.visit_lane", plan(server, many, districts, turns=4, warm_url=server.url(0, 0)))

    def hostile(kind: str) -> Took:
        url = f"https://127.0.0.1:{server.ports[0]}/{kind}"
        return child(sys.executable, "benchmarks.visit_lane", plan(server, [url], 1, warm_url=server.url(0, 0)))

    took = interleaved({"many": at_once, "huge": lambda: hostile("huge"), "bomb": lambda: hostile("bomb")}, repetitions, progress)
    names = {
        "many": f"{districts} districts at once, four connections each",
        "huge": "one district whose every collection sends 500 MB",
        "bomb": "one district whose every collection is 0.5 MB of gzip that holds 500 MB",
    }
    added = {name: [run.told["added_kib"] / 1024 for run in runs if run.told] for name, runs in took.items()}
    rows = [[names[name], spread(added[name]), spread([run.wall for run in runs])] for name, runs in took.items()]
    return table(["case", "memory added, MB", "wall, s"], rows), added


def connections(server: StandIn) -> list[str]:
    """Requests and connections of one visit, as the server counts them."""
    rows = []
    for provider, what in (("generic_1_1", "token and ten collections"), ("aeries", "systeminfo, token and ten collections")):
        for turns in (2, 4):
            before = server.counts()
            took = child(
                sys.executable, "benchmarks.visit_lane", plan(server, [server.url(0, 50)], 1, turns=turns, provider=provider)
            )
            seen = server.counts().since(before)
            told = took.told or {}
            rows.append([what, str(turns), str(seen.requests), str(told["requests"]), str(seen.connections)])
    return table(["visit", "requests at a time", "requests, by the server", "requests, by the visit", "connections"], rows)


def wall(server: StandIn, repetitions: int, progress: Callable[[str], None]) -> tuple[list[str], float]:
    """One district at 200 ms, beside the chain: token with systeminfo beside it, then the collections, so many at a time."""
    lanes: dict[str, Callable[[], Took]] = {
        str(turns): lambda turns=turns: child(  # type: ignore[misc]
            sys.executable,
            "benchmarks.visit_lane",
            plan(server, [server.url(0, 200)], 1, turns=turns, provider="aeries", warm_url=server.url(0, 0)),
        )
        for turns in (2, 4)
    }
    took = interleaved(lanes, repetitions, progress)
    handshake = statistics.median(took_handshake(server) for _ in range(9))
    rows, at_four = [], 0.0
    for name, runs in took.items():
        chain = rounds(int(name)) * 0.2 + handshake
        walls = [run.told["visits_ms"][0] / 1000 for run in runs if run.told]
        at_four = statistics.median(walls) / chain
        rows.append([name, f"{chain:.3f}", spread(walls, 3), spread([each / chain for each in walls], 3)])
    return table(["requests at a time", "the chain, s", "a visit, s", "times the chain"], rows), at_four


def rounds(turns: int) -> int:
    """How often a visit waits for the server, one after the other: for the token, then for so many collections at a time."""
    return 1 + -(-len(COLLECTIONS) // turns)


def took_handshake(server: StandIn) -> float:
    """Seconds that a connection with TLS takes here."""
    context = ssl.create_default_context(cafile=str(server.ca_file))
    started = time.monotonic()
    with (
        socket.create_connection(("127.0.0.1", server.ports[0])) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1"),
    ):
        return time.monotonic() - started


def artifact(folder: Path) -> tuple[list[str], float]:
    """The parts of an artifact by their size, zipped each for itself, and the megabytes of the whole zip."""
    sizes: dict[str, tuple[int, int]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            top = path.relative_to(folder).parts[0]
            content = path.read_bytes()
            plain, zipped = sizes.get(top, (0, 0))
            sizes[top] = (plain + len(content), zipped + _zipped(content))
    whole = sum(zipped for _, zipped in sizes.values()) / 1e6
    largest = sorted(sizes.items(), key=lambda item: -item[1][1])[:8]
    rows = [[name, f"{plain / 1e6:.2f}", f"{zipped / 1e6:.2f}"] for name, (plain, zipped) in largest]
    rows.append(["everything", f"{sum(plain for plain, _ in sizes.values()) / 1e6:.2f}", f"{whole:.2f}"])
    return table(["part", "MB", "MB zipped"], rows), whole


def _zipped(content: bytes) -> int:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("x", content)
    return into.tell()
