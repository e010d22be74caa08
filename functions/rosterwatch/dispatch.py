"""Pure: which districts are due, and when within the tick, so that no host is hit by all of its districts at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil
from typing import Final

from rosterwatch.queue import Visit

#: Districts of one slot are visited by one batch: full batches are what makes a visit cheap.
SLOT_SIZE: Final = 20
SLOT_SECONDS: Final = 30


def spread(districts: Iterable[str], hosts: Mapping[str, str | None], seconds: int) -> list[Visit]:
    """Visits for all districts over ``seconds``. Deterministic: a district keeps its place while the fleet stays the same.

    ``hosts`` names each district's host as far as it is known. Districts are dealt out in the order of their hosts, one to
    each slot in turn, so that one host's districts come as far apart as the slots allow.
    """
    ordered = sorted(set(districts), key=lambda name: (hosts.get(name) or "", name))
    slots = max(1, min(ceil(len(ordered) / SLOT_SIZE), seconds // SLOT_SECONDS + 1))
    step = seconds / slots
    return [Visit(name, "schedule", int(index % slots * step)) for index, name in enumerate(ordered)]
