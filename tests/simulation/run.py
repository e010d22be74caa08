"""Runs seeds: ``python -m tests.simulation.run --seeds 500``, or ``--seed 17`` for one, told step by step."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
import traceback

from tests.simulation.checks import Checks
from tests.simulation.plan import draw
from tests.simulation.world import World


def simulate(seed: int) -> World:
    """One run, checked at every step. Raises AssertionError."""
    checks = Checks()
    world = World(draw(seed), checks.look)
    try:
        world.run()
        checks.end(world)
    except AssertionError as error:
        raise AssertionError(f"seed {seed} at {world.at:%m-%d %H:%M:%S}: {error}\nreplay it: make simulate SEED={seed}") from error
    return world


def failure(seed: int) -> str | None:
    """What a seed's run came to grief of; ``None``: nothing."""
    try:
        simulate(seed)
    except AssertionError as error:
        return str(error)
    except Exception:  # noqa: BLE001 - an accident of the code under test is a finding, too
        return f"seed {seed} ended by an exception\nreplay it: make simulate SEED={seed}\n{traceback.format_exc()}"
    return None


def main() -> int:
    """Run them, side by side, and say which failed. 1: some did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one, with all that it told")
    asked = parser.parse_args()
    if asked.seed is not None:
        return _one(asked.seed)
    began, failed = time.monotonic(), 0
    seeds = range(asked.first, asked.first + asked.seeds)
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for found in pool.imap(failure, seeds, chunksize=2):
            if found is not None:
                failed += 1
                sys.stdout.write(found + "\n\n")
    sys.stdout.write(f"{asked.seeds} seeds in {time.monotonic() - began:.0f} s: {failed} failed\n")
    return 1 if failed else 0


def _one(seed: int) -> int:
    plan = draw(seed)
    sys.stdout.write(f"{plan}\n\n")
    checks = Checks()
    world = World(plan, checks.look)
    try:
        world.run()
        checks.end(world)
    finally:
        for told in world.topics.taken:
            if told.topic == "event":
                event = told.event
                sys.stdout.write(
                    f"{told.at:%d %H:%M:%S} {event['kind']:9} {event['group']:22} {event['cause']:24} {event['districts']}\n"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
