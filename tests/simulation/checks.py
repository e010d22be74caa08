"""What must hold at every step of a run, and what at its end. Raises AssertionError with a sentence that says what happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from rosterwatch.cause import Scope, Severity
from rosterwatch.causes import CAUSES, NETWORK
from rosterwatch.finding import Status
from rosterwatch.health import State
from rosterwatch.incidents import MONITOR, Incident, Problem, Rules
from tests.simulation.plan import MINUTE, START
from tests.simulation.world import DIALECTS, TICK, Told, World

#: What is promised, said again, so that a change of the code's own numbers is noticed.
RULES: Final = Rules(
    update_every=timedelta(minutes=15),
    reminders={Severity.PAGE: timedelta(hours=4), Severity.TICKET: timedelta(hours=24)},
    same_incident_within=timedelta(minutes=30),
    blind_for=timedelta(minutes=1),
    settle_for=timedelta(minutes=30),
)
APART: Final = timedelta(seconds=20)
#: How far two clocks of ours may differ after one of them was put forward or back.
SLACK: Final = timedelta(seconds=1)
LOUD: Final = ("opened", "updated", "changed", "reminded")


@dataclass
class Checks:
    """Keeps what was seen so far; ``look`` is called after every step and ``end`` once."""

    read: int = 0
    stories: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    firsts: dict[tuple[str, str], Told] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)

    def look(self, world: World) -> None:
        """Every message since the last step; and, when an announcer has run undisturbed, that the incidents say what is true."""
        for told in world.topics.taken[self.read :]:
            self._message(world, told)
        self.read = len(world.topics.taken)
        if world.clean:
            self._board(world)

    # -- messages -----------------------------------------------------------------------------------------------------------

    def _message(self, world: World, told: Told) -> None:
        first = self.firsts.setdefault((told.topic, told.key), told)
        if first is not told:
            assert first.body == told.body, f"{told.key} was repeated with other words"
            assert any(first.at <= at <= told.at for at in world.trips), f"{told.key} was told twice and nothing had gone wrong"
            return
        if told.topic != "event":
            return
        event, story = told.event, self.stories[told.event["incident"]]
        self._order(told, story)
        if event["kind"] in LOUD:
            self._silence(world, told)
        if event["kind"] == "opened":
            self._patience(world, told)
            self._scope(world, told)
        if event["kind"] == "resolved":
            self._mended(world, told)
        self._pace(world, told, story)
        story.append(told)

    def _order(self, told: Told, story: list[Told]) -> None:
        kind, last = told.event["kind"], story[-1].event["kind"] if story else "resolved"
        number = int(told.key.rpartition("/")[2])
        assert number == len(story) + 1, f"{told.key} came out of its order"
        assert (kind == "opened") == (last == "resolved"), f"{told.key}: {kind} after {last}"
        if kind != "resolved":
            assert told.event["cause"] in CAUSES
            return
        since = next(one for one in reversed(story) if one.event["kind"] == "opened")
        assert told.decided_at >= since.decided_at - timedelta(minutes=20)

    def _silence(self, world: World, told: Told) -> None:
        """No opening, update, change or reminder was decided while its district, its host, or everything was muted or frozen."""
        if world.plan.steps:
            return  # mutes begin by another clock
        at, group = told.at, told.event["group"]
        decided = min(told.decided_at, at)
        quiet = [at_ for at_ in (decided,) if world.plan.is_muted(group, at_)]
        assert not quiet, f"{told.key} ({told.event['kind']}) while {group} was muted"
        if group == MONITOR:
            return
        names = told.event["districts"]
        muted = [
            world.plan.is_muted(f"district/{n}", decided) or world.plan.is_muted(f"host/{world.plan.hosts[n]}", decided)
            for n in names
        ]
        assert not all(muted), f"{told.key} ({told.event['kind']}) while all of {names} were muted"
        if told.event["kind"] in ("updated", "reminded") or told.event["cause"] in NETWORK:
            frozen = [self._was_frozen(world, name, decided) for name in names]
            assert not all(frozen), f"{told.key} ({told.event['kind']}) while we could not see {names}"

    def _was_frozen(self, world: World, name: str, at: datetime) -> bool:
        since = world.frozen.get(name, [])
        return any(begins + MINUTE < at and (ends is None or at < ends) for begins, ends in since)

    def _patience(self, world: World, told: Told) -> None:
        """Somebody in it has had as many bad looks in a row as the cause asks for."""
        if told.event["group"] == MONITOR:
            assert world.plan.blindness or len(world.plan.hosts) >= RULES.blind_districts
            return
        patience = CAUSES[told.event["cause"]].patience if told.event["cause"] != "flapping" else 2
        until = told.at
        longest = max(self._bad_in_a_row(world, name, until, patience) for name in told.event["districts"])
        assert longest >= patience, f"{told.key} was opened after {longest} looks that found something, of {patience}"

    def _scope(self, world: World, told: Told) -> None:
        """What a host's districts share is its host's, what is a district's own is its own, and what is ours blames nobody."""
        group, cause = told.event["group"], CAUSES[told.event["cause"]]
        assert (cause.name == "monitor_network") == (group == MONITOR), f"{told.key}: {cause.name} is told of {group}"
        if cause.scope is Scope.DISTRICT:
            assert group.startswith("district/"), f"{told.key}: {cause.name} is told of {group}"
        if cause.scope is Scope.HOST and not world.plan.mutes and not world.plan.windows:
            assert not group.startswith("district/"), f"{told.key}: {cause.name} is told of {group}"

    def _mended(self, world: World, told: Told) -> None:
        """What needed patience to break had two good looks in a row before it was over."""
        names = told.event["districts"]
        problem = world.table.items.get(("problem", names[0])) if names else None
        moved = problem is not None and "recovered_at" not in problem
        if len(names) != 1 or CAUSES[told.event["cause"]].patience == 1 or moved or world.plan.steps:
            return
        last_bad = next(seen.cause for seen in reversed(world.looks[names[0]]) if seen.cause is not None)
        if CAUSES[last_bad].patience == 1:
            return
        since = datetime.fromisoformat(told.event["opened_at"])
        if any(since <= at <= told.at for at in world.trips):
            return  # a look may not have been stored
        best = count = 0
        last: datetime | None = None
        for seen in world.looks[names[0]]:
            if since <= seen.at <= told.at:
                far = last is None or seen.at - last >= APART
                count = 0 if seen.cause is not None else count + far
                last = seen.at
                best = max(best, count)
        assert best > 1, f"{told.key} was over after {best} good looks"

    def _bad_in_a_row(self, world: World, name: str, until: datetime, most: int) -> int:
        best = count = 0
        last: datetime | None = None
        for seen in world.looks.get(name, ()):
            if seen.at > until or best >= most:
                break
            if seen.cause is None:
                count, last = 0, None
            elif last is None or seen.at - last >= APART:
                count += 1
            last = seen.at if seen.cause is not None else None
            best = max(best, count)
        return best

    def _pace(self, world: World, told: Told, story: list[Told]) -> None:
        """Updates and reminders keep their distance; what one host says does not grow with its districts."""
        kind, group = told.event["kind"], told.event["group"]
        if not story or world.plan.steps:
            return
        since = told.decided_at - story[-1].decided_at + SLACK
        if kind == "updated":
            assert since >= RULES.update_every, f"{told.key}: an update after {since}"
        if kind == "changed" and not group.startswith("district/"):
            worse = _severity(told) > _severity(story[-1])
            assert worse or since >= RULES.update_every, f"{told.key}: {group} changed again after {since}"
        if kind == "reminded":
            every = RULES.reminders[Severity[told.event["severity"].upper()]]
            assert since >= every, f"{told.key}: a reminder after {since}"

    # -- the board ----------------------------------------------------------------------------------------------------------

    def _board(self, world: World) -> None:
        quiet, world.quiet = world.quiet, True
        board = world.board.read()
        world.quiet = quiet
        active = {problem.district: problem for problem in board.problems if problem.recovered_at is None}
        left = [problem.district for problem in board.problems if problem.recovered_at is not None]
        assert not left, f"the ends of {left} were not noted"
        open_ones = [incident for incident in board.incidents if incident.is_open]
        groups = [incident.group for incident in open_ones]
        assert len(groups) == len(set(groups)), f"two open incidents for one group: {groups}"
        homes = [name for incident in open_ones for name in incident.members]
        assert sorted(homes) == sorted(active), f"open incidents explain {sorted(homes)}, but {sorted(active)} are failing"
        for incident in open_ones:
            self._announced(world, incident, active)

    def _announced(self, world: World, incident: Incident, active: Mapping[str, Problem]) -> None:
        """What is open and may be told is told, or about to be."""
        if incident.announced_at is not None:
            return
        now = world.now()
        blind = incident.is_monitor and now - incident.opened_at <= RULES.blind_for + MINUTE
        silent = (
            bool(world.plan.steps)
            or world.plan.is_muted(incident.group, now)
            or all(
                world.plan.is_muted(f"district/{name}", now) or world.plan.is_muted(f"host/{active[name].host}", now)
                for name in incident.members
            )
        )
        frozen = bool(board_is_blind(world)) and not incident.is_monitor
        held = incident.held_until is not None and now <= incident.held_until
        assert silent or blind or frozen or held, f"{incident.key} is open, and nobody was told"

    # -- the end ------------------------------------------------------------------------------------------------------------

    def end(self, world: World) -> None:
        """After hours in which nothing went wrong, nothing is left."""
        board = world.board.read()
        assert not board.problems, f"problems are left: {[problem.district for problem in board.problems]}"
        assert not [one.key for one in board.incidents if one.is_open], (
            f"left open: {[i.key for i in board.incidents if i.is_open]}"
        )
        assert not [one.key for one in board.incidents if one.pending], "notices are left"
        assert not world.table.under("monitor").keys() - {"fleet"}, "the monitor still thinks that it cannot see"
        states = world.states.read(list(world.plan.hosts))
        for name in world.plan.hosts:
            state = states[name]
            assert isinstance(state, State)
            assert state.status is Status.HEALTHY, f"{name} is {state.status} ({state.cause})"
            assert state.unknown_since is None, f"{name} is still unknown"
        for key, story in self.stories.items():
            assert story[-1].event["kind"] == "resolved", f"{key} was never resolved"
            for topic in DIALECTS:
                missing = [one.key for one in story if (topic, one.key) not in self.firsts]
                assert not missing, f"{missing} never reached {topic}"
            if not key.startswith("district/"):
                self._few(story)
        if world.plan.odds.is_calm and not world.plan.steps:
            self._all_told(world)

    def _few(self, story: list[Told]) -> None:
        """However many districts a host or the monitor has, its messages are as many as its hours ask for."""
        lasted = story[-1].at - story[0].at
        most = 2 * (1 + lasted // RULES.same_incident_within) + 2 * (lasted // RULES.update_every) + 4
        assert len(story) <= most, f"{story[0].key}: {len(story)} messages in {lasted}"

    def _all_told(self, world: World) -> None:
        """In calm surroundings every real, steady trouble that could be told was told, and soon."""
        plan = world.plan
        for trouble in plan.troubles:
            kind, _, name = trouble.target.partition("/")
            cause = CAUSES[trouble.cause]
            soon = TICK + timedelta(seconds=90 + 80 * (cause.patience - 1))
            victims = [one for one, host in plan.hosts.items() if name == (one if kind == "district" else host)]
            for victim in victims:
                span = [*(trouble.begins + step * MINUTE for step in range(int(soon / MINUTE) + 1)), trouble.begins + soon]
                steady = all(plan.cause(victim, at) == trouble.cause and not plan.blind(at) for at in span)
                before = [trouble.begins - step * MINUTE for step in range(1, 60)]
                fresh = all(plan.cause(victim, at) is None and not plan.blind(at) for at in before)
                hushed = [plan.is_muted(t, at) for at in span for t in (f"district/{victim}", f"host/{plan.hosts[victim]}")]
                refused = any(begins < span[-1] and ends > span[0] for begins, ends in plan.refusing)
                if trouble.period or not steady or not fresh or any(hushed) or refused or trouble.begins < START + TICK:
                    continue
                heard = [
                    told
                    for story in self.stories.values()
                    for told in story
                    if victim in told.event["districts"] and trouble.begins <= told.at <= span[-1] and told.event["kind"] in LOUD
                ]
                joined = any(
                    told.event["group"] == f"host/{plan.hosts[victim]}" or told.event["group"] == MONITOR
                    for story in self.stories.values()
                    for told in story
                    if told.at <= span[-1]
                )
                assert heard or joined, f"{trouble} was not told of {victim} by {span[-1]}"


def board_is_blind(world: World) -> Any:
    """Whether it is noted that we cannot see."""
    return world.table.under("monitor").keys() - {"fleet"}


def _severity(told: Told) -> Severity:
    return Severity[told.event["severity"].upper()]
