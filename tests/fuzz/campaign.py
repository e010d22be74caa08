"""Many inputs, one after the other and on all cores, each from a seed of its own, so that a failure can be had again.

python -m tests.fuzz bodies 4711    # the input with this number, alone
"""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.fuzz.chance import Chance

#: Fewer are not worth another process.
_SHARE: Final = 2_000
#: No single input may take longer than this, on a busy machine.
_LONGEST_SECONDS: Final = 5.0
_MOST_FAILURES: Final = 5


@dataclass(frozen=True, slots=True)
class Campaign:
    """One kind of input. ``one`` makes an input from its chance (or so many ``inputs``) and asserts what must hold for it."""

    name: str
    one: Callable[[Chance], object]
    inputs: int = 1

    def replay(self, number: int) -> None:
        """Try one input. Raises what is wrong with it."""
        began = time.process_time()
        self.one(Chance(f"{self.name}/{number}"))
        took = time.process_time() - began
        assert took < _LONGEST_SECONDS, f"took {took:.1f} s"

    def run(self, many: int) -> list[str]:
        """Try so many times, and tell of what failed."""
        workers = min(os.cpu_count() or 1, -(-many * self.inputs // _SHARE))
        if workers == 1:
            return _share(self, range(many))
        # Not a fork: there may be threads, and a child that inherits a lock that one of them holds waits for ever.
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            shares = pool.starmap(_share, [(self, range(first, many, workers)) for first in range(workers)])
        return [failure for share in shares for failure in share]


def _share(campaign: Campaign, numbers: range) -> list[str]:
    failures: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in numbers:
            try:
                campaign.replay(number)
            except Exception:  # noqa: BLE001 - any failure is told with its number, so that it can be had again
                failures.append(f"python -m tests.fuzz {campaign.name} {number}\n{traceback.format_exc()}")
                if len(failures) >= _MOST_FAILURES:
                    break
    return failures
