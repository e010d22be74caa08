"""What is claimed, how it was tried and how often: the table that `make prove` prints and writes into docs/proof.md.

    @pytest.mark.claim("A long body costs no memory", part=Part.HOSTILE, how="500 MB from the simulated SIS, over TLS")
    def test_a_body_without_end(proof: Proof) -> None:
        for size in range(proof.amount(quick=10, full=100_000)):
            ...
            proof.tried()

Several tests may carry one claim: it holds if all of them pass. A test that does not count is counted as one trial.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent


class Part(StrEnum):
    """The parts of the table, in its order."""

    FAULTS = "Faults at every step"
    LOAD = "Load"
    HOSTILE = "Hostile servers"
    LEAKS = "Leaks"
    PRIVILEGE = "Least privilege"
    TEMPLATE = "The template"
    ARTIFACT = "The artifact"
    UPGRADE = "Upgrade and rollback"
    SUPPLY = "Supply chain"


class Outcome(StrEnum):
    """How a test ended, the worst last."""

    SKIPPED = "not tried"
    HOLDS = "holds"
    FAILED = "FAILED"


@dataclass
class Proof:
    """What a test says of its trials. `full`: this is `make prove`, which tries as much as a machine can in half an hour."""

    full: bool
    trials: int | None = None
    notes: list[str] = field(default_factory=list)

    def amount(self, *, quick: int, full: int) -> int:
        """How many to try: `quick` in `make test`, `full` in `make prove`."""
        return full if self.full else quick

    def tried(self, many: int = 1) -> None:
        """Count trials."""
        self.trials = (self.trials or 0) + many

    def note(self, text: str) -> None:
        """A figure for the result's cell: "p95 1.1 times that of a run without sick hosts"."""
        self.notes.append(text)


@dataclass(frozen=True, slots=True)
class Trial:
    """One test that has ended."""

    part: Part
    claim: str
    how: str
    outcome: Outcome
    trials: int = 1
    notes: Sequence[str] = ()

    def to_plain(self) -> dict[str, Any]:
        """As it travels between processes."""
        return {**asdict(self), "part": self.part.value, "outcome": self.outcome.value, "notes": list(self.notes)}

    @staticmethod
    def from_plain(plain: Any) -> Trial:
        """The trial of ``to_plain``."""
        return Trial(**{**plain, "part": Part(plain["part"]), "outcome": Outcome(plain["outcome"])})


@dataclass(frozen=True, slots=True)
class Row:
    """One claim, with all that was tried of it."""

    part: Part
    claim: str
    how: str
    many: int
    outcome: Outcome
    notes: Sequence[str]

    @property
    def result(self) -> str:
        """The last cell."""
        return "; ".join([self.outcome.value, *self.notes])


def rows(trials: Iterable[Trial]) -> list[Row]:
    """The table: claims in the order of their parts, and within a part as they come."""
    of_claim: dict[tuple[Part, str], list[Trial]] = {}
    for trial in trials:
        of_claim.setdefault((trial.part, trial.claim), []).append(trial)
    order = list(Part)
    return [
        Row(
            part,
            claim,
            "; ".join(dict.fromkeys(trial.how for trial in tried)),
            sum(trial.trials for trial in tried if trial.outcome is not Outcome.SKIPPED),
            max((trial.outcome for trial in tried), key=list(Outcome).index),
            tuple(dict.fromkeys(note for trial in tried for note in trial.notes)),
        )
        for (part, claim), tried in sorted(of_claim.items(), key=lambda found: order.index(found[0][0]))
    ]


def page(table: Sequence[Row], seconds: float, now: datetime) -> str:
    """docs/proof.md: what was tried, on what, and the table."""
    failed = sum(row.outcome is Outcome.FAILED for row in table)
    ran = f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, Python {platform.python_version()}"
    lines = [
        "# Proof",
        "",
        "<!-- Written by `make prove`: change the claims beside the tests that try them. -->",
        "",
        f"Run on {now:%Y-%m-%d %H:%M} UTC in {seconds / 60:.0f} minutes, at commit {_commit()}: {ran}.",
        f"{len(table)} claims, {failed} failed.",
        "",
        "Each claim is tried against the built and deployed stack in the local AWS, or over real sockets and TLS, unless its cell",
        "says something else. `make test` tries a quick selection of the same.",
    ]
    for part in Part:
        if of_part := [row for row in table if row.part is part]:
            lines += ["", f"## {part}", "", "| claim | how it was tried | how many | result |", "| --- | --- | --- | --- |"]
            lines += [f"| {' | '.join(_cell(cell) for cell in (r.claim, r.how, f'{r.many:,}', r.result))} |" for r in of_part]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _commit() -> str:
    """The commit that is checked out, and whether the tree differs from it."""
    said = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


def today() -> datetime:
    """Now, as the page tells it."""
    return datetime.now(UTC)
