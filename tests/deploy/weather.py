"""What goes wrong with the functions' calls, and when: at random but by a seed, or at one call exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.aws_answers import FAILURES, THROTTLES
from tests.fault_proxy import Call, Fault, Kind

#: How often each kind comes, beside the others.
_WEIGHTS: Final = {
    Kind.THROTTLED: 8,
    Kind.FAILED: 6,
    Kind.CUT: 6,
    Kind.LOST: 8,
    Kind.LATE: 4,
    Kind.PARTIAL: 20,
    Kind.CONFLICT: 4,
    Kind.KILLED_BEFORE: 2,
    Kind.KILLED_AFTER: 2,
    Kind.STALLED: 4,
}
_MOST_STALLS: Final = 3
_OF_MANY: Final = ("BatchGetItem", "BatchGetSecretValue", "SendMessageBatch")


@dataclass(frozen=True)
class Storm:
    """Every call goes wrong with the chance ``rate``.

    A function named in ``stalls`` may wait for so many seconds in vain, a few times: the emulator, unlike AWS, waits with it.
    """

    seed: int
    rate: float
    stalls: Mapping[str, float] = field(default_factory=dict)
    _stalled: Counter[str] = field(default_factory=Counter)

    def __call__(self, call: Call) -> Fault | None:
        """What becomes of a call. For the same seed it is the same, whatever happens beside it."""
        chance = Random(f"{self.seed}/{call.function}/{call}/{call.number}")
        if chance.random() >= self.rate or call.service not in THROTTLES:
            return None
        kinds = [kind for kind in _WEIGHTS if self._suits(kind, call)]
        [kind] = chance.choices(kinds, [_WEIGHTS[kind] for kind in kinds])
        code = ""
        if kind is Kind.THROTTLED:
            code = chance.choice(THROTTLES[call.service])
        elif kind is Kind.FAILED:
            code = chance.choice(FAILURES[call.service])
        elif kind is Kind.CONFLICT:
            code = "TransactionCanceledException" if call.operation == "TransactWriteItems" else "TransactionConflictException"
        seconds = chance.uniform(0.1, 1)
        if kind is Kind.STALLED:
            self._stalled[call.function] += 1
            seconds = self.stalls[call.function]
        return Fault(kind, code, chance.random(), seconds)

    def _suits(self, kind: Kind, call: Call) -> bool:
        if kind is Kind.STALLED:
            return call.function in self.stalls and self._stalled[call.function] < _MOST_STALLS
        if kind is Kind.PARTIAL:
            return call.operation in _OF_MANY
        if kind is Kind.CONFLICT:
            return call.service == "dynamodb" and call.writes
        return True


@dataclass
class At:
    """One fault for one call of one function: the ``place``-th from now on."""

    function: str
    place: int
    fault: Fault
    seen: Counter[str] = field(default_factory=Counter)
    struck: Call | None = None

    def __call__(self, call: Call) -> Fault | None:
        """The fault, when its turn has come."""
        self.seen[call.function] += 1
        if call.function != self.function or self.seen[call.function] != self.place:
            return None
        self.struck = call
        return self.fault


@dataclass(frozen=True)
class Only:
    """One fault for every call of one operation, as long as it lasts."""

    operation: str
    fault: Fault

    def __call__(self, call: Call) -> Fault | None:
        """The fault, for the operation."""
        return self.fault if str(call) == self.operation else None
