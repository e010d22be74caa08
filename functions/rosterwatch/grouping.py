"""Pure: which incident each problem belongs to. One cause that many districts share is one incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from rosterwatch.cause import Scope
from rosterwatch.causes import CAUSES, NETWORK
from rosterwatch.incidents import MONITOR, Fleet, Incident, Problem, Rules, Unread


class Grouping:
    """The problems laid out over the incidents, which it changes as ``assign`` gives every district its place.

    ``active`` and ``recovered`` are the problems by district. ``blind``: what fails at the network says nothing about a district.
    """

    def __init__(
        self, problems: Sequence[Problem], incidents: Sequence[Incident], fleet: Fleet, rules: Rules, now: datetime, unread: Unread
    ) -> None:
        self.fleet, self.rules, self.now, self.unread = fleet, rules, now, unread
        self.incidents: dict[str, Incident] = {}
        self._of_group: dict[str, dict[str, None]] = {}
        self._members: dict[str, dict[str, int]] = {}
        self._left: dict[str, dict[str, int]] = {}
        for incident in incidents:
            self.put(incident)
        self.active = {problem.district: problem for problem in problems if problem.recovered_at is None}
        self.recovered = {problem.district: problem for problem in problems if problem.recovered_at is not None}
        self.blind = self._is_blind()

    def put(self, incident: Incident) -> None:
        """Enter an incident, new or changed, and find it by its group from now on."""
        before = self.incidents.get(incident.key)
        if before is not None and before.group != incident.group:
            del self._of_group[before.group][incident.key]
        self.incidents[incident.key] = incident
        self._of_group.setdefault(incident.group, {})[incident.key] = None

    def of_group(self, group: str) -> list[Incident]:
        """All incidents of a group. Looked up, not looked for: thousands of districts ask in one run."""
        return [self.incidents[key] for key in self._of_group.get(group, ())]

    def assign(self) -> None:
        """Let the districts that recovered or changed go, and give every other one its incident."""
        homes = self._homes()
        known = {name for name, problem in self.recovered.items() if name in homes or self._is_known(problem)}
        for name in [name for name in homes if name not in self.active and name not in self.unread.problems]:
            self._leave(homes.pop(name), name)
        for name, problem in self.active.items():
            home = self.incidents[homes[name]] if name in homes else None
            group = self._group(problem, home)
            if home is None:
                self._join(group, problem)
            elif home.group != group:
                self._move(home, group, problem)
        for name in self.recovered.keys() - known:  # it came and went between two looks at the board
            group = self._group(self.recovered[name], None)
            self._join(group, self.recovered[name])
            self._leave(self.key_of(group), name)
        if self.fleet.blind_since is not None and self.key_of(MONITOR) is None:
            self._create(MONITOR, self.fleet.blind_since, "monitor_network", {})

    def _homes(self) -> dict[str, str]:
        """Each district's incident. After a crash between two writes one may be in two: its own counts before its host's."""
        homes: dict[str, str] = {}
        for incident in sorted(self.open(), key=lambda one: (one.group.partition("/")[0] == "host", one.is_monitor)):
            for name in incident.members:
                if name in homes:
                    self._leave(incident.key, name)
                else:
                    homes[name] = incident.key
        return homes

    def open(self) -> list[Incident]:
        """The incidents whose cause has not gone."""
        return [incident for incident in self.incidents.values() if incident.is_open]

    def key_of(self, group: str) -> str | None:
        """The key of the group's open incident."""
        return next((incident.key for incident in self.of_group(group) if incident.is_open), None)

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
        """Whether our own network is down, or so much of the fleet fails at the network at once that it must be."""
        if self.fleet.blind_since is not None:
            return True
        rules, fleet = self.rules, self.fleet
        failing = [problem for problem in self.active.values() if problem.cause in NETWORK]
        hosts = {problem.host for problem in failing}
        if self.key_of(MONITOR) is not None:
            least_districts, least_hosts, share = 2, 2, rules.blind_until
        else:
            least_districts, least_hosts, share = rules.blind_districts, rules.blind_hosts, rules.blind_above
        if not fleet.districts:  # not counted yet, or noted in a way that only a newer release can read
            return False
        return (
            len(failing) >= least_districts
            and len(hosts) >= least_hosts
            and len(failing) > share * fleet.districts
            and len(hosts) > share * fleet.hosts
        )

    def _is_known(self, problem: Problem) -> bool:
        """Whether an incident has already taken note of this very problem and its end."""
        return any(incident.left.get(problem.district, 0) >= problem.opening for incident in self.incidents.values())

    def _join(self, group: str, problem: Problem) -> None:
        key = self.key_of(group) or self._reopened(group) or self._create(group, problem.since, problem.cause, problem.record)
        incident = self._ours(key)
        self._members[key][problem.district] = problem.opening
        self.put(replace(incident, joined=incident.joined + 1))

    def _ours(self, key: str) -> Incident:
        """The incident, its members and those that left copied once, so that they may be changed in place.

        A copy for every district would take the square of a large host's districts.
        """
        if key not in self._members:
            incident = self.incidents[key]
            self._members[key], self._left[key] = dict(incident.members), dict(incident.left)
            self.put(replace(incident, members=self._members[key], left=self._left[key]))
        return self.incidents[key]

    def _leave(self, key: str | None, name: str) -> None:
        if key is None:
            return
        self._ours(key)
        gone = self.recovered.get(name)
        self._left[key][name] = max(self._members[key].pop(name), gone.opening if gone else 0)

    def _move(self, home: Incident, group: str, problem: Problem) -> None:
        """A problem that now belongs elsewhere. If it was all that its incident was ever about, the incident goes with it."""
        alone = len(home.members) + len(home.left) <= 2 and {*home.members, *home.left} == {problem.district}
        if alone and self.key_of(group) is None and not home.is_monitor:
            self._ours(home.key)
            self._members[home.key][problem.district] = problem.opening
            self.put(replace(self.incidents[home.key], group=group))
            return
        self._leave(home.key, problem.district)
        self._join(group, problem)
        joined = self.incidents[self.key_of(group) or ""]
        if home.is_monitor and problem.cause in NETWORK and joined.version == 0:
            self.put(replace(joined, held_until=self.now + self.rules.settle_for))

    def _create(self, group: str, opened_at: datetime, cause: str, record: Mapping[str, Any]) -> str:
        key = f"{group}/{opened_at:%Y%m%dT%H%M%SZ}"
        while key in self.incidents or key in self.unread.incidents:
            key += "+"
        self.put(Incident(key, group, opened_at, cause, record=record))
        return key

    def _reopened(self, group: str) -> str | None:
        """A recently closed incident of the group, open again: it is the same one."""
        earliest = self.now - self.rules.same_incident_within
        closed = [i for i in self.of_group(group) if i.resolved_at is not None and i.resolved_at >= earliest]
        if not closed:
            return None
        last = max(closed, key=lambda incident: incident.opened_at)
        self.put(replace(last, resolved_at=None, announced_at=None, told_cause=None, reminders=0))
        return last.key
