"""The simulated world: a clock, a queue, a table and topics around the real rounds and the real announcer."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from unittest.mock import patch

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from rosterwatch import visits
from rosterwatch.announcer import Announced, Announcer
from rosterwatch.board import BoardStore
from rosterwatch.case import Known
from rosterwatch.client import Network
from rosterwatch.dispatch import spread
from rosterwatch.finding import Diagnosis
from rosterwatch.health import Lesson, State
from rosterwatch.queue import Visit, VisitQueue
from rosterwatch.secrets import SecretStore, SecretValue
from rosterwatch.sight import Sight
from rosterwatch.state import StateStore
from rosterwatch.topic import AlertTopics
from rosterwatch.visits import Look, Outcome, Round
from tests.simulation.plan import MINUTE, START, Plan
from tests.table import TABLE, Table, refusal
from tests.unit.boards import LINKS, named
from tests.unit.observations import HEALTHY, diagnosis_of, seen

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

TICK: Final = timedelta(minutes=15)
QUIET: Final = timedelta(hours=9)
INVISIBLE: Final = timedelta(minutes=17)
DIALECTS: Final = ("text", "event")
T = TypeVar("T")


class Crash(BaseException):
    """The process dies here."""


@dataclass(frozen=True)
class Told:
    """A message as a topic took it. ``decided_at`` is the time on the announcer's clock when it was decided."""

    at: datetime
    topic: str
    key: str
    event: Mapping[str, Any]
    body: str

    @property
    def decided_at(self) -> datetime:
        return datetime.fromisoformat(self.event["at"])


@dataclass(frozen=True)
class Seen:
    """One look at a district."""

    at: datetime
    cause: str | None


class Topics:
    """SNS, as much of its client as is used."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.taken: list[Told] = []

    def publish(self, **request: Any) -> dict[str, str]:
        world = self.world
        if world.is_refusing() or world.happens(world.plan.odds.refusal):
            raise refusal("InternalError", "Publish")
        world.may_crash("before publishing")
        topic, body = request["TopicArn"], request["Message"]
        key = request["MessageAttributes"]["key"]["StringValue"]
        event = (
            json.loads(body)
            if topic == "event"
            else next((one.event for one in reversed(self.taken) if one.key == key and one.topic == "event"), {})
        )
        self.taken.append(Told(world.at, topic, key, event, body))
        world.may_crash("after publishing")
        if world.happens(world.plan.odds.lost_answer):
            world.trip()
            raise ReadTimeoutError(endpoint_url="https://sns.example.org")
        return {"MessageId": "1"}


class Queue(VisitQueue):
    """SQS: hands messages out when they are due, some of them twice, some late, some again because their reader died."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.waiting: list[tuple[datetime, int, str]] = []
        self.numbers = itertools.count()

    def send(self, visits: Sequence[Visit]) -> None:
        odds = self.world.plan.odds
        for visit in visits:
            times = 2 if self.world.happens(odds.duplicate) else 1
            for _ in range(times):
                late = self.world.chance.randint(0, 240) if self.world.happens(odds.delay) else 0
                self.put(visit.district, self.world.at + timedelta(seconds=visit.delay + late))

    def put(self, district: str, at: datetime) -> None:
        heapq.heappush(self.waiting, (at, next(self.numbers), district))

    def take(self, most: int) -> list[str]:
        taken: list[str] = []
        while self.waiting and self.waiting[0][0] <= self.world.at and len(taken) < most:
            taken.append(heapq.heappop(self.waiting)[2])
        return taken


class Glance(Round):
    """The real round, but for the look itself: it finds what the plan says."""

    world: World

    async def _look(self, name: str, _network: Network, _places: asyncio.Semaphore) -> Look | Outcome:
        world, state = self.world, self._states.get(name)
        assert not isinstance(state, Exception), state
        cause = world.plan.cause(name, world.at)
        world.looks.setdefault(name, []).append(Seen(world.at, cause))
        await asyncio.sleep(0)
        return Look(name, state, SECRET, seen(), Known(f"rosterwatch/{name}"), world.diagnosis(name, cause), self.now())

    def _lesson(self, look: Look) -> Lesson:
        return Lesson(host=self.world.plan.hosts[look.name])


SECRET: Final = SecretValue("{}", "v1", None)


class Secrets(SecretStore):
    """There is always one."""

    def __init__(self) -> None:
        """Without a client."""

    def read(self, districts: Any) -> dict[str, Any]:
        return dict.fromkeys(districts, SECRET)


@dataclass
class World:
    """One run. ``trips`` are the times of what may lead to a repetition: crashes, lost answers, calls that failed.

    ``disturbed`` counts how often somebody came in between, which leads to none. ``clean``: the last step was a run of the
    announcer with nothing of either.
    """

    plan: Plan
    check: Callable[[World], None] = lambda _world: None
    at: datetime = START
    looks: dict[str, list[Seen]] = field(default_factory=dict)
    trips: list[datetime] = field(default_factory=list)
    disturbed: int = 0
    frozen: dict[str, list[tuple[datetime, datetime | None]]] = field(default_factory=dict)
    clean: bool = False
    quiet: bool = False
    announced: int = 0
    _depth: int = 0
    _diagnoses: dict[tuple[str, str | None], Diagnosis] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.plan.seed + 1)
        self.table = Table(page=5)
        self.table.before, self.table.after, self.table.reading = self._before, self._after, self._reading
        client = self.table.client
        self.states, self.board, self.sight = StateStore(client, TABLE), BoardStore(client, TABLE), Sight(client, TABLE)
        self.queue, self.topics = Queue(self), Topics(self)
        arns = {dialect: dialect for dialect in reversed(DIALECTS)}
        topics = AlertTopics(cast("SNSClient", self.topics), arns, LINKS, sleep=lambda _: None)
        self.announcer = Announcer(self.board, topics, self.now)
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    # -- time ---------------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """What our clocks say, which have been put forward or back."""
        return self.at + sum((by for when, by in self.plan.steps if when <= self.at), timedelta())

    def later(self, after: timedelta, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.at + after, next(self._numbers), do))

    def run(self) -> None:
        """All of it, and then hours in which nothing goes wrong any more."""
        for since, mute in self.plan.mutes:
            self.later(since - START, lambda mute=mute: self._set(lambda: self.board.mute(mute)))  # type: ignore[misc]
        for window in self.plan.windows:
            self.board.mute_again(window)
        self.later(timedelta(0), self._tick)
        self.later(timedelta(seconds=7), self._poll)
        self.later(timedelta(seconds=31), self._clock)
        self.later(self.plan.ends - START, self._calm)
        ends = self.plan.ends + QUIET
        with self._in_virtual_time():
            while self._events[0][0] < ends:
                self.at, _, do = heapq.heappop(self._events)
                self.clean = False
                do()
                self.check(self)
        self.at = ends

    @contextmanager
    def _in_virtual_time(self) -> Iterator[None]:
        async def at_once(do: Callable[..., T], *args: Any) -> T:
            return do(*args)

        async def can_reach(_url: str, _network: Network) -> bool:
            return self.plan.blind(self.at) is None

        with patch.object(asyncio, "to_thread", at_once), patch.object(visits, "can_reach", can_reach):
            yield

    def _calm(self) -> None:
        self.quiet = True

    def _set(self, do: Callable[[], None]) -> None:
        quiet, self.quiet = self.quiet, True
        do()
        self.quiet = quiet

    # -- what the functions do ------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self.later(TICK, self._tick)
        try:
            known = {name: state.host for name, state in self.states.each() if isinstance(state, State)}
            everyone = {*self.plan.hosts, *known}
            self.board.count_fleet(len(everyone), len({host for host in known.values() if host}))
            self.queue.send(spread(everyone, known, 600))
        except (ClientError, BotoCoreError, Crash):
            self.trip()
            self.queue.send(spread(self.plan.hosts, {}, 600))  # the schedule tries again

    def _poll(self) -> None:
        self.later(timedelta(seconds=20), self._poll)
        names = self.queue.take(20)
        if names:
            self._round(names)
        if self.table.inserted:
            told = [pk for pk, _ in self.table.inserted if pk.startswith("transition#")]
            self.table.inserted.clear()
            if told:
                self.later(timedelta(seconds=3), self.announce)

    def _round(self, names: list[str]) -> None:
        back = self.at + INVISIBLE
        if self.happens(self.plan.odds.vanish):
            for name in names:
                self.queue.put(name, back)
            return
        one = Glance(
            Secrets(),
            self.states,
            self.queue,
            lambda: b"key",
            self.now,
            lambda: 300.0,
            Network,
            sight=self.sight,
            control_url=self.plan.control_url,
        )
        one.world = self
        try:
            outcomes = {outcome.district: outcome.done for outcome in self._alone(lambda: one.run(names))}
        except (ClientError, BotoCoreError, Crash):
            outcomes = {}
            self.trip()
        for name in names:
            if not outcomes.get(name):
                self.queue.put(name, back)
        self._note_frozen(names)

    def _note_frozen(self, names: list[str]) -> None:
        """Since when we could not see, for the checks."""
        for name in names:
            item = self.table.items.get(("district", name))
            is_frozen = item is not None and "unknown_since" in item["state"]["S"]
            since = self.frozen.setdefault(name, [])
            if is_frozen and (not since or since[-1][1] is not None):
                since.append((self.at, None))
            elif not is_frozen and since and since[-1][1] is None:
                since[-1] = (since[-1][0], self.at)

    def _clock(self) -> None:
        self.later(MINUTE, self._clock)
        self.announce()

    def announce(self) -> None:
        """One run of the announcer. It is ``clean`` if nothing came between."""
        before = len(self.trips), self.disturbed
        try:
            announced: Announced = self.announcer.run()
        except (ClientError, BotoCoreError, Crash):
            self.trip()
            return
        self.announced += len(announced.published)
        self.clean = (len(self.trips), self.disturbed) == before and not self._depth

    # -- what goes wrong ------------------------------------------------------------------------------------------------------

    def happens(self, odds: float) -> bool:
        """Whether something of these odds happens now; nothing does in quiet times."""
        return not self.quiet and odds > 0 and self.chance.random() < odds

    def trip(self) -> None:
        """Note that something may now be repeated."""
        self.trips.append(self.at)

    def may_crash(self, _where: str) -> None:
        if self.happens(self.plan.odds.crash):
            self.trip()
            raise Crash

    def is_refusing(self) -> bool:
        return not self.quiet and any(begins <= self.at < ends for begins, ends in self.plan.refusing)

    def diagnosis(self, district: str, cause: str | None) -> Diagnosis:
        """What a visit makes of a cause."""
        found = self._diagnoses.get((district, cause))
        if found is None:
            found = self._diagnoses[district, cause] = HEALTHY if cause is None else named(diagnosis_of(cause), district)
        return found

    def _reading(self, operation: str) -> None:
        if self.happens(self.plan.odds.throttle / 3):
            self.trip()
            raise refusal("ProvisionedThroughputExceededException", operation)

    def _before(self, what: str) -> None:
        operation = what.partition(" ")[0]
        self._between()
        self.may_crash("before " + what)
        if self.happens(self.plan.odds.throttle):
            self.trip()
            raise refusal("ProvisionedThroughputExceededException", operation)

    def _after(self, what: str) -> None:
        self.may_crash("after " + what)
        if self.happens(self.plan.odds.lost_answer):
            # The client has asked again by itself, and its own first write is now in the way.
            self.trip()
            raise refusal("ConditionalCheckFailedException", what.partition(" ")[0])

    def _between(self) -> None:
        """Somebody else comes in between a reading and a writing."""
        if self._depth or not self.happens(self.plan.odds.interleave):
            return
        self.disturbed += 1
        self._depth += 1
        try:
            if self.chance.random() < 0.5:
                self.announce()
            else:
                names = sorted(self.plan.hosts)
                self._round(self.chance.sample(names, min(3, len(names))))
        finally:
            self._depth -= 1

    def _alone(self, do: Callable[[], T]) -> T:
        """Run what has an event loop of its own, also from inside of another one."""
        if not self._depth:
            return do()
        got: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                got.append(do())
            except BaseException as error:  # noqa: BLE001 - handed on below
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return got[0]
