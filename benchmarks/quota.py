"""A share of a core, as Lambda gives by memory, with the kernel's own means; where those may not be used, it says so."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: So much memory comes with one whole core (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
MB_PER_CORE: Final = 1769
_PERIOD_MICROSECONDS: Final = 20_000
_VERSION_1: Final = Path("/sys/fs/cgroup/cpu")
_VERSION_2: Final = Path("/sys/fs/cgroup")


class QuotaError(Exception):
    """When no CPU quota can be set here. Says why."""


@contextlib.contextmanager
def quota(memory_mb: int) -> Iterator[Path]:
    """A control group with the CPU share of so much memory. Raises QuotaError."""
    first = (_VERSION_1 / "cpu.shares").exists()
    folder = (_VERSION_1 if first else _VERSION_2) / f"rosterwatch-bench-{memory_mb}"
    share = max(1000, round(_PERIOD_MICROSECONDS * memory_mb / MB_PER_CORE))
    try:
        folder.mkdir(exist_ok=True)
        if first:
            (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_MICROSECONDS), encoding="ascii")
            (folder / "cpu.cfs_quota_us").write_text(str(share), encoding="ascii")
        else:
            (folder / "cpu.max").write_text(f"{share} {_PERIOD_MICROSECONDS}", encoding="ascii")
    except OSError as error:
        raise QuotaError(
            f"no CPU quota can be set here ({error.strerror}): run as root where control groups can be written"
        ) from error
    try:
        yield folder
    finally:
        for _ in range(50):  # as soon as the last process has left it
            try:
                folder.rmdir()
            except OSError:
                time.sleep(0.1)
            else:
                break
