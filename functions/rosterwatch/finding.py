"""Pure: what a visit turned out to mean: findings, each a cause with its evidence, and the diagnosis that they add up to."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rosterwatch.cause import Cause, Severity
from rosterwatch.providers import PROVIDERS

#: The cause that says nothing about a district.
BLIND: Final = "monitor_network"


class Status(enum.StrEnum):
    """How a district stands. ``unknown``: we could not look, for reasons of our own."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILING = "failing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause that was found, its evidence, the collections it concerns, and the facts that fill its templates."""

    cause: Cause
    facts: Mapping[str, str]
    evidence: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The cause's headline with this finding's facts in it."""
        return self.cause.headline.format_map(self.facts)

    @property
    def concerns(self) -> tuple[str, ...]:
        """What it is about, sorted: its collections, or how near an end has come. More than before is news."""
        return tuple(sorted(self.collections)) or ((self.facts["ending"],) if "ending" in self.facts else ())

    @property
    def next_steps(self) -> tuple[str, ...]:
        """The steps, with the provider's own wording put in where the catalogue refers to it."""
        wording = PROVIDERS[self.facts["provider"]].wording
        steps: list[str] = []
        for step in self.cause.next_steps:
            steps += getattr(wording, step[1:]) if step.startswith("@") else [step]
        return tuple(step.format_map(self.facts).strip() for step in dict.fromkeys(steps))


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The verdict on one visit. ``findings`` come in the order of repair; notes among them do not count against health."""

    status: Status
    findings: tuple[Finding, ...] = ()

    @property
    def primary(self) -> Finding | None:
        """The finding whose fix comes first; ``None`` when there is nothing worse than a note."""
        first = self.findings[0] if self.findings else None
        return first if first is not None and first.cause.severity > Severity.NOTE else None
