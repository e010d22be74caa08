"""Pure: the problems of all districts become incidents, one for one cause, and notices: what people are told, and when.

``reconcile`` looks at what is true now, not at what has happened since: it may run twice, late, or after a crash, and comes to
the same end. An incident belongs to a *group*: ``district/<name>``, ``host/<host>`` or ``monitor``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from rosterwatch.causes import CAUSES, NETWORK, Scope, Severity

MONITOR: Final = "monitor"


@dataclass(frozen=True, slots=True)
class Rules:
    """When people are told. The defaults are the promises in the documentation."""

    update_every: timedelta = timedelta(minutes=15)
    reminders: Mapping[Severity, timedelta] = field(
        default_factory=lambda: {Severity.PAGE: timedelta(hours=4), Severity.TICKET: timedelta(hours=24)}
    )
    same_incident_within: timedelta = timedelta(minutes=30)
    blind_districts: int = 5
    blind_hosts: int = 3
    blind_above: float = 0.5
    blind_until: float = 0.25


@dataclass(frozen=True, slots=True)
class Problem:
    """A district that is not healthy, as it was last told by its transition ``number``. ``record`` is that transition's.

    ``opening`` is the number of the transition that it began with; it tells this problem from the district's next one.
    ``recovered_at``: it is healthy again, and this says so until the incidents have taken note.
    """

    district: str
    host: str | None
    cause: str
    since: datetime
    number: int
    opening: int
    record: Mapping[str, Any]
    recovered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many districts are watched, on how many hosts; ``blind_since``: our own network is known to be down."""

    districts: int
    hosts: int
    blind_since: datetime | None = None


class Kind(enum.StrEnum):
    """What a notice is about."""

    OPENED = "opened"
    UPDATED = "updated"
    CHANGED = "changed"
    REMINDED = "reminded"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to be sent, in facts. ``sent`` names the topics that have already taken it."""

    number: int
    kind: Kind
    at: datetime
    record: Mapping[str, Any]
    sent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident. ``members`` are the districts in it now and ``left`` those that were, each with its problem's ``opening``.

    ``joined`` counts all that ever were in it, ``told_joined`` how many of them have been told of.

    ``pending`` are the notices that not all topics have taken yet, oldest first; while ``claimed_until`` lies ahead, somebody
    is sending them. ``version`` counts writes.
    """

    key: str
    group: str
    opened_at: datetime
    cause: str
    members: Mapping[str, int] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)
    joined: int = 0
    told_joined: int = 0
    told_cause: str | None = None
    told_number: int = 0
    announced_at: datetime | None = None
    notified_at: datetime | None = None
    reminders: int = 0
    resolved_at: datetime | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    notices: int = 0
    pending: tuple[Notice, ...] = ()
    claimed_until: datetime | None = None
    version: int = 0

    @property
    def is_open(self) -> bool:
        """Whether its cause has not gone yet."""
        return self.resolved_at is None

    @property
    def is_monitor(self) -> bool:
        """Whether it is about the monitor, and blames no district."""
        return self.group == MONITOR


@dataclass(frozen=True, slots=True)
class Verdict:
    """What has to be written: incidents that are new or changed, problems that are over and noted, and whether we are blind."""

    incidents: tuple[Incident, ...]
    noted: tuple[Problem, ...]
    blind: bool


Muted = Callable[[Iterable[str]], bool]


def reconcile(
    problems: Sequence[Problem],
    incidents: Sequence[Incident],
    fleet: Fleet,
    muted: Muted,
    now: datetime,
    rules: Rules | None = None,
) -> Verdict:
    """Bring the incidents in line with the problems. ``muted`` tells whether any of some mute targets is muted now.

    ``incidents`` are the open ones, and those closed recently enough to be opened again.
    """
    board = _Board(problems, incidents, fleet, rules or Rules(), now)
    board.assign()
    changed = [board.conclude(incident, muted) for incident in board.incidents.values()]
    before = {incident.key: incident for incident in incidents}
    return Verdict(
        tuple(replace(one, version=one.version + 1) for one in changed if before.get(one.key) != one),
        tuple(problem for problem in problems if problem.recovered_at is not None),
        board.blind,
    )


def claim(incident: Incident, until: datetime) -> Incident:
    """The incident, claimed by whoever is about to send its notices."""
    return replace(incident, claimed_until=until, version=incident.version + 1)


def delivered(incident: Incident, sent: Mapping[int, Sequence[str]], topics: Sequence[str]) -> Incident:
    """The incident after sending: ``sent`` names by notice number which topics took it; what all have is no longer pending."""
    left = []
    for notice in incident.pending:
        took = tuple(dict.fromkeys((*notice.sent, *sent.get(notice.number, ()))))
        if not set(topics) <= set(took):
            left.append(replace(notice, sent=took))
    return replace(incident, pending=tuple(left), claimed_until=None, version=incident.version + 1)


class _Board:
    """The problems laid out over the incidents."""

    def __init__(
        self, problems: Sequence[Problem], incidents: Sequence[Incident], fleet: Fleet, rules: Rules, now: datetime
    ) -> None:
        self.fleet, self.rules, self.now = fleet, rules, now
        self.incidents = {incident.key: incident for incident in incidents}
        self.active = {problem.district: problem for problem in problems if problem.recovered_at is None}
        self.recovered = {problem.district: problem for problem in problems if problem.recovered_at is not None}
        self.blind = self._is_blind()

    # -- who belongs where --------------------------------------------------------------------------------------------------

    def assign(self) -> None:
        """Let the districts that recovered or changed go, and give every other one its incident."""
        homes = {name: incident.key for incident in self._open() for name in incident.members}
        for name in [name for name in homes if name not in self.active]:
            self._leave(homes.pop(name), name)
        for name, problem in self.active.items():
            home = self.incidents[homes[name]] if name in homes else None
            group = self._group(problem, home)
            if home is None:
                self._join(group, problem)
            elif home.group != group:
                self._move(home, group, problem)
        for name, problem in self.recovered.items():
            if name not in homes and not self._is_known(problem):
                group = self._group(problem, None)  # it came and went between two looks at the board
                self._join(group, problem)
                self._leave(self._in(group), name)
        if self.fleet.blind_since is not None and self._in(MONITOR) is None:
            self._create(MONITOR, self.fleet.blind_since, "monitor_network", {})

    def _group(self, problem: Problem, home: Incident | None) -> str:
        own = f"district/{problem.district}"
        if home is not None and home.group == own:
            return own  # a district that is broken for its own reason keeps its own incident
        if problem.cause in NETWORK and self.blind and (home is None or home.is_monitor):
            return MONITOR
        if CAUSES[problem.cause].scope is Scope.HOST and problem.host:
            return f"host/{problem.host}"
        return own

    def _is_blind(self) -> bool:
        """Whether so much of the fleet fails at the network at once that it must be our own."""
        if self.fleet.blind_since is not None:
            return True
        failing = [problem for problem in self.active.values() if problem.cause in NETWORK]
        hosts = {problem.host for problem in failing}
        if self._in(MONITOR) is not None:
            return len(failing) > self.rules.blind_until * self.fleet.districts
        return (
            len(failing) >= self.rules.blind_districts
            and len(hosts) >= self.rules.blind_hosts
            and len(failing) > self.rules.blind_above * self.fleet.districts
            and len(hosts) > self.rules.blind_above * self.fleet.hosts
        )

    def _open(self) -> list[Incident]:
        return [incident for incident in self.incidents.values() if incident.is_open]

    def _in(self, group: str) -> str | None:
        """The key of the group's open incident."""
        return next((incident.key for incident in self._open() if incident.group == group), None)

    def _is_known(self, problem: Problem) -> bool:
        """Whether an incident has already taken note of this very problem and its end."""
        return any(incident.left.get(problem.district, 0) >= problem.opening for incident in self.incidents.values())

    def _join(self, group: str, problem: Problem) -> None:
        key = self._in(group) or self._reopened(group) or self._create(group, problem.since, problem.cause, problem.record)
        incident = self.incidents[key]
        members = {**incident.members, problem.district: problem.opening}
        self.incidents[key] = replace(incident, members=members, joined=incident.joined + 1)

    def _leave(self, key: str | None, name: str) -> None:
        if key is not None:
            incident = self.incidents[key]
            members = {member: opening for member, opening in incident.members.items() if member != name}
            self.incidents[key] = replace(incident, members=members, left={**incident.left, name: incident.members[name]})

    def _move(self, home: Incident, group: str, problem: Problem) -> None:
        """A problem that now belongs elsewhere. If it was all that its incident was ever about, the incident goes with it."""
        if home.joined == 1 and self._in(group) is None and not home.is_monitor:
            self.incidents[home.key] = replace(home, group=group)
            return
        self._leave(home.key, problem.district)
        self._join(group, problem)

    def _create(self, group: str, opened_at: datetime, cause: str, record: Mapping[str, Any]) -> str:
        key = f"{group}/{opened_at:%Y%m%dT%H%M%SZ}"
        self.incidents[key] = Incident(key, group, opened_at, cause, record=record)
        return key

    def _reopened(self, group: str) -> str | None:
        """A recently closed incident of the group, open again: it is the same one."""
        earliest = self.now - self.rules.same_incident_within
        closed = [
            i for i in self.incidents.values() if i.group == group and i.resolved_at is not None and i.resolved_at >= earliest
        ]
        if not closed:
            return None
        last = max(closed, key=lambda incident: incident.opened_at)
        self.incidents[last.key] = replace(last, resolved_at=None, announced_at=None, told_cause=None, reminders=0)
        return last.key

    # -- what is told -------------------------------------------------------------------------------------------------------

    def conclude(self, incident: Incident, muted: Muted) -> Incident:
        """The incident with its cause brought up to date, closed if it is over, and with the notice that is due."""
        if not incident.is_open:
            return incident
        if not incident.members and not (incident.is_monitor and self.blind):
            return self._close(incident, muted)
        incident = self._up_to_date(incident)
        if self._is_muted(incident, muted):
            return incident
        kind = self._due(incident)
        return self._with_notice(incident, kind) if kind else incident

    def _close(self, incident: Incident, muted: Muted) -> Incident:
        closed = replace(incident, resolved_at=self.now)
        if incident.announced_at is not None:
            return self._with_notice(closed, Kind.RESOLVED)
        # Made and ended by this same look: a real outage that nobody was told of in time. A mute is the only reason not to.
        came_and_went = incident.version == 0 and incident.joined > 0
        if came_and_went and not self._is_muted(incident, muted):
            return self._with_notice(self._with_notice(closed, Kind.OPENED), Kind.RESOLVED)
        return closed

    def _up_to_date(self, incident: Incident) -> Incident:
        if incident.is_monitor:
            return replace(incident, cause="monitor_network")
        own = [self.active[name] for name in incident.members if not self._is_told_elsewhere(incident, self.active[name])]
        if not own:
            return incident  # what it suffers from just now is another incident's; its own reason cannot be seen meanwhile
        worst = max(
            own,
            key=lambda problem: (CAUSES[problem.cause].severity, -problem.since.timestamp(), problem.district),
        )
        return replace(incident, cause=worst.cause, record=worst.record)

    def _is_told_elsewhere(self, incident: Incident, problem: Problem) -> bool:
        """Whether a district with an incident of its own suffers just now from what its host's or the monitor's is about."""
        if not incident.group.startswith("district/"):
            return False
        of_the_host = CAUSES[problem.cause].scope is Scope.HOST and self._in(f"host/{problem.host}") is not None
        return of_the_host or (problem.cause in NETWORK and self._in(MONITOR) is not None)

    def _is_muted(self, incident: Incident, muted: Muted) -> bool:
        """Whether the incident is to be silent: its group is muted, or each of its districts, or everything."""
        if muted([incident.group]):
            return True
        names = incident.members or incident.left
        return bool(names) and all(muted(self._targets(name)) for name in names)

    def _targets(self, name: str) -> list[str]:
        problem = self.active.get(name) or self.recovered.get(name)
        return [f"district/{name}", *([f"host/{problem.host}"] if problem and problem.host else [])]

    def _due(self, incident: Incident) -> Kind | None:
        if incident.announced_at is None:
            return Kind.OPENED
        number = int(incident.record.get("number", 0))
        news = incident.group.startswith("district/") and number > incident.told_number
        if incident.cause != incident.told_cause or news:
            return Kind.CHANGED
        if incident.pending:
            return None  # what has not been said yet need not be repeated
        since_told = self.now - (incident.notified_at or incident.opened_at)
        if incident.joined > incident.told_joined and since_told >= self.rules.update_every:
            return Kind.UPDATED
        every = self.rules.reminders.get(CAUSES[incident.cause].severity)
        return Kind.REMINDED if every is not None and since_told >= every else None

    def _with_notice(self, incident: Incident, kind: Kind) -> Incident:
        number = incident.notices + 1
        return replace(
            incident,
            notices=number,
            pending=(*incident.pending, Notice(number, kind, self.now, self._facts(incident, kind))),
            announced_at=incident.announced_at or self.now,
            notified_at=self.now,
            told_joined=incident.joined,
            told_cause=incident.cause,
            told_number=int(incident.record.get("number", 0)),
            reminders=incident.reminders + (kind is Kind.REMINDED),
        )

    def _facts(self, incident: Incident, kind: Kind) -> Mapping[str, Any]:
        """What the message needs besides the incident's record, as plain JSON."""
        elsewhere = len(self.active) - len(incident.members)
        return {
            **incident.record,
            "kind": kind.value,
            "incident": incident.key,
            "group": incident.group,
            "opened_at": incident.opened_at.isoformat(),
            "told_at": self.now.isoformat(),
            "districts": sorted(incident.members or incident.left)[:MOST_NAMED],
            "district_count": len(incident.members or incident.left),
            "joined": incident.joined,
            "previous_cause": incident.told_cause if kind is Kind.CHANGED and incident.told_cause != incident.cause else None,
            "failing_elsewhere": elsewhere,
            "reminder": incident.reminders + 1 if kind is Kind.REMINDED else 0,
        }


#: How many districts a message names; it says how many more there are.
MOST_NAMED: Final = 40
