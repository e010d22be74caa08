"""Pure: the problems of all districts become incidents, one for one cause, and notices: what people are told, and when.

``reconcile`` looks at what is true now, not at what has happened since: it may run twice, late, or after a crash, and comes to
the same end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rosterwatch.cause import Scope
from rosterwatch.causes import CAUSES, NETWORK
from rosterwatch.grouping import Grouping
from rosterwatch.incidents import MONITOR, MOST_NAMED, NOTHING_UNREAD, Fleet, Incident, Kind, Notice, Problem, Rules, Unread

Muted = Callable[[Iterable[str]], bool]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What has to be written: incidents that are new or changed, problems that are over and noted, and whether we are blind."""

    incidents: tuple[Incident, ...]
    noted: tuple[Problem, ...]
    blind: bool


def reconcile(  # noqa: PLR0913 - all that the incidents are decided from
    problems: Sequence[Problem],
    incidents: Sequence[Incident],
    fleet: Fleet,
    muted: Muted,
    now: datetime,
    *,
    rules: Rules | None = None,
    unread: Unread = NOTHING_UNREAD,
) -> Verdict:
    """Bring the incidents in line with the problems. ``muted`` tells whether any of some mute targets is muted now.

    ``incidents`` are the open ones, and those closed recently enough to be opened again.
    """
    grouping = Grouping(problems, incidents, fleet, rules or Rules(), now, unread)
    grouping.assign()
    before = {incident.key: incident for incident in incidents}
    desk = _Desk(grouping, muted)
    desk.close_what_is_over(before)  # first, since what others are told depends on it
    changed = [desk.conclude(incident) for incident in grouping.incidents.values()]
    return Verdict(
        tuple(replace(one, version=one.version + 1) for one in changed if before.get(one.key) != one),
        tuple(problem for problem in problems if problem.recovered_at is not None),
        grouping.blind,
    )


class _Desk:
    """Where it is decided what is told of each incident."""

    def __init__(self, grouping: Grouping, muted: Muted) -> None:
        self.grouping, self.muted = grouping, muted
        self.active, self.now, self.rules = grouping.active, grouping.now, grouping.rules

    def close_what_is_over(self, before: Mapping[str, Incident]) -> None:
        """Close the incidents whose cause has gone, each with the notice that is due."""
        for incident in self.grouping.open():
            if not incident.members and not (incident.is_monitor and self.grouping.blind):
                self.grouping.put(self._close(incident, before.get(incident.key)))

    def conclude(self, incident: Incident) -> Incident:
        """An open incident with its cause brought up to date, and with the notice that is due."""
        if not incident.is_open:
            return incident
        incident = self._up_to_date(incident)
        if self._is_muted(incident):
            return incident
        kind = self._due(incident)
        return self._with_notice(incident, kind) if kind else incident

    def _close(self, incident: Incident, before: Incident | None) -> Incident:
        closed = replace(incident, resolved_at=self.now)
        if incident.announced_at is not None:
            return self._with_notice(closed, Kind.RESOLVED)
        # Opened and ended by this same look: a real outage that nobody was told of in time. A mute is the only reason not to.
        came_and_went = incident.joined > 0 and (before is None or not before.is_open)
        if came_and_went and not self._is_muted(incident):
            return self._with_notice(self._with_notice(closed, Kind.OPENED), Kind.RESOLVED)
        return closed

    def _up_to_date(self, incident: Incident) -> Incident:
        if incident.is_monitor:
            return replace(incident, cause="monitor_network")
        members = [self.active[name] for name in incident.members if name in self.active]
        own = [problem for problem in members if not self._is_told_elsewhere(incident, problem)]
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
        of_the_host = CAUSES[problem.cause].scope is Scope.HOST and self._is_told(f"host/{problem.host}")
        return of_the_host or (problem.cause in NETWORK and self._is_told(MONITOR))

    def _is_told(self, group: str) -> bool:
        """Whether a group has an incident, or had one until so recently that not all of its districts were visited since."""
        return self.grouping.key_of(group) is not None or self._ended_just_now(group)

    def _ended_just_now(self, group: str) -> bool:
        ends = [one.resolved_at for one in self.grouping.of_group(group)]
        return any(end is not None and self.now - end < self.rules.settle_for for end in ends)

    def _is_muted(self, incident: Incident) -> bool:
        """Whether the incident is to be silent: its group is muted, or each of its districts, or everything."""
        if self.muted([incident.group]):
            return True
        names = incident.members or incident.left
        return bool(names) and all(self.muted(self._targets(name)) for name in names)

    def _targets(self, name: str) -> list[str]:
        problem = self.active.get(name) or self.grouping.recovered.get(name)
        return [f"district/{name}", *([f"host/{problem.host}"] if problem and problem.host else [])]

    def _due(self, incident: Incident) -> Kind | None:
        rules, blind, settling = self.rules, self.grouping.blind and not incident.is_monitor, self._ended_just_now(MONITOR)
        if incident.cause in NETWORK and (blind or (settling and incident.announced_at is not None)):
            return None  # nobody can say whether it is so
        if incident.announced_at is None:
            waits = incident.is_monitor and not incident.members and self.now - incident.opened_at < rules.blind_for
            held = incident.held_until is not None and self.now < incident.held_until and incident.cause in NETWORK
            return None if waits or held else Kind.OPENED
        since_told = self.now - (incident.notified_at or incident.opened_at)
        if self._has_changed(incident) and (self._is_urgent(incident) or since_told >= rules.update_every):
            return Kind.CHANGED
        if incident.pending or blind or settling:
            return None  # what has not been said yet need not be repeated, nor what nobody has looked at
        if incident.joined > incident.told_joined and since_told >= rules.update_every:
            return Kind.UPDATED
        every = rules.reminders.get(CAUSES[incident.cause].severity)
        return Kind.REMINDED if every is not None and since_told >= every else None

    def _has_changed(self, incident: Incident) -> bool:
        # Without words nobody knows what an earlier release has told: that is no news.
        news = bool(incident.told_about) and not set(_about(incident)) <= set(incident.told_about)
        return (news and incident.group.startswith("district/")) or incident.cause != incident.told_cause

    def _is_urgent(self, incident: Incident) -> bool:
        """One district's news are told at once; those of many wait for their turn, unless they are worse."""
        told = CAUSES[incident.told_cause].severity if incident.told_cause else 0
        return incident.group.startswith("district/") or CAUSES[incident.cause].severity > told

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
            told_about=_about(incident),
            reminders=incident.reminders + (kind is Kind.REMINDED),
        )

    def _facts(self, incident: Incident, kind: Kind) -> Mapping[str, Any]:
        """What the message needs besides the incident's record, as plain JSON."""
        # Of those that left, some may still be broken for reasons of their own: they are not what is over.
        recovered = [name for name in incident.left if name not in self.active]
        names = incident.members or recovered or incident.left
        return {
            **incident.record,
            "kind": kind.value,
            "incident": incident.key,
            "group": incident.group,
            "opened_at": incident.opened_at.isoformat(),
            "told_at": self.now.isoformat(),
            "districts": sorted(names)[:MOST_NAMED],
            "district_count": len(names),
            "joined": incident.joined,
            "moved": not incident.members and not recovered and bool(incident.left),
            "previous_cause": incident.told_cause if kind is Kind.CHANGED and incident.told_cause != incident.cause else None,
            "failing_elsewhere": len(self.active) - sum(name in self.active for name in incident.members),
            "reminder": incident.reminders + 1 if kind is Kind.REMINDED else 0,
        }


def _about(incident: Incident) -> tuple[str, ...]:
    """What makes one record of a cause news after another."""
    return str(incident.record.get("status", "")), *(str(name) for name in incident.record.get("collections", ()))
