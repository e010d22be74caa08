"""Builders of what incidents are made of: problems as the table would hand them out, and a board that remembers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from rosterwatch.board import BoardStore
from rosterwatch.causes import CAUSES
from rosterwatch.finding import Diagnosis, Finding
from rosterwatch.health import Lesson, State, Transition, advance
from rosterwatch.incidents import Fleet, Incident, Notice, Problem, delivered
from rosterwatch.links import Links
from rosterwatch.notices import Verdict, reconcile
from rosterwatch.state import StateStore
from tests.table import TABLE, Table
from tests.unit.observations import AT, HEALTHY, diagnosis_of

LINKS: Final = Links("us-west-2", "rosterwatch-dispatch", "rosterwatch/", "Rosterwatch", "https://docs.example.org/causes")
FLEET: Final = Fleet(100, 40)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)


def named(diagnosis: Diagnosis, district: str) -> Diagnosis:
    """The diagnosis as one of this district."""
    findings: list[Finding] = []
    for finding in diagnosis.findings:
        facts: Any = copy.copy(finding.facts)
        facts.update(district=district, secret=f"rosterwatch/{district}")
        findings.append(replace(finding, facts=facts))
    return replace(diagnosis, findings=tuple(findings))


@dataclass
class Sick:
    """One district through its visits; ``problem`` is what its item says after the last transition."""

    name: str
    host: str | None = "sis.example.org"
    state: State | None = None
    table: Table = field(default_factory=Table)

    @property
    def problem(self) -> Problem | None:
        """What the board reads of it."""
        return next(iter(BoardStore(self.table.client, TABLE).read().problems), None)

    def saw(self, diagnosis: Diagnosis, at: datetime) -> Transition | None:
        """One visit."""
        lesson = Lesson(host=self.host)
        self.state, transition = advance(self.state, self.name, named(diagnosis, self.name), lesson, at)
        assert StateStore(self.table.client, TABLE).write(self.state, transition)
        return transition

    def broke(self, cause: str, at: datetime) -> Problem:
        """As many visits as it takes to have a cause, or another one, confirmed."""
        patience = CAUSES[cause].patience
        for strike in range(patience):
            self.saw(diagnosis_of(cause), at - (patience - 1 - strike) * MINUTE)
        assert self.problem is not None
        return self.problem

    def recovered(self, at: datetime) -> Problem:
        """As many visits in order as it takes."""
        for look in range(2):
            self.saw(HEALTHY, at - (1 - look) * MINUTE)
        assert self.problem is not None
        assert self.problem.recovered_at is not None
        return self.problem


def broken(name: str, cause: str = "credentials_revoked", at: datetime = AT, host: str | None = "sis.example.org") -> Problem:
    """The problem of a district that was healthy until it broke at ``at``."""
    sick = Sick(name, host)
    sick.saw(HEALTHY, at - HOUR)
    return sick.broke(cause, at)


def nothing_muted(targets: Iterable[str]) -> bool:
    """The answer while nothing is muted."""
    return not list(targets)


@dataclass
class Desk:
    """Incidents kept from look to look, with every notice taken at once. ``told`` are the notices, oldest first."""

    fleet: Fleet = FLEET
    muted: Callable[[Iterable[str]], bool] = nothing_muted
    accepts: bool = True
    incidents: tuple[Incident, ...] = ()
    told: list[tuple[Incident, Notice]] = field(default_factory=list)

    def look(self, problems: Sequence[Problem], at: datetime) -> Verdict:
        """One run of the announcer, without its store. A second look at once must find nothing more to do."""
        verdict = reconcile(problems, self.incidents, self.fleet, self.muted, at)
        self.incidents = self._with(verdict.incidents)
        again = reconcile(problems, self.incidents, self.fleet, self.muted, at)
        assert again.incidents == ()
        if self.accepts:
            for incident in self.incidents:
                if incident.pending:
                    self.told += [(incident, notice) for notice in incident.pending]
                    taken = {notice.number: ["text"] for notice in incident.pending}
                    self.incidents = self._with((delivered(incident, taken, ["text"]),))
        return verdict

    def _with(self, changed: Iterable[Incident]) -> tuple[Incident, ...]:
        return tuple({**{one.key: one for one in self.incidents}, **{one.key: one for one in changed}}.values())

    @property
    def kinds(self) -> list[str]:
        """What was told, in a word each: kind and group."""
        return [f"{notice.kind.value} {notice.record['group']}" for _, notice in self.told]

    @property
    def open(self) -> list[Incident]:
        """The incidents that are open now."""
        return [incident for incident in self.incidents if incident.is_open]
