"""A region full of districts, in virtual time: the real dispatch, rounds, states and announcer around stand-ins with AWS's limits.

What a visit finds is decided here; everything that is made of it is the product's own code.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from unittest.mock import patch

import dispatch_districts
from rosterwatch.announcer import Announcer
from rosterwatch.board import BoardStore
from rosterwatch.case import Known
from rosterwatch.client import Network
from rosterwatch.finding import Diagnosis
from rosterwatch.health import Lesson
from rosterwatch.links import DIALECTS
from rosterwatch.queue import VisitQueue
from rosterwatch.secrets import SecretStore, SecretValue
from rosterwatch.settings import DispatchSettings
from rosterwatch.state import StateStore
from rosterwatch.topic import AlertTopics
from rosterwatch.visits import Look, Outcome, Round
from tests.load.limits import LimitedTable, Secrets, Sns, Sqs
from tests.table import TABLE
from tests.unit.boards import LINKS, named
from tests.unit.observations import HEALTHY, diagnosis_of, seen

START: Final = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
TICK: Final = timedelta(minutes=15)
SPREAD_SECONDS: Final = 600
BATCH: Final = 20
#: What a batch of well districts takes (docs/performance.md, 512 MB and twenty districts, servers that answer in 200 ms).
BATCH_TAKES: Final = timedelta(seconds=3.03)
_SECRET: Final = SecretValue("{}", "v1", None)
T = TypeVar("T")


class Glance(Round):
    """The real round, but for the look itself: it finds what the region says."""

    region: Region

    async def _look(self, name: str, _network: Network, _places: asyncio.Semaphore) -> Look | Outcome:
        state = self._states.get(name)
        assert not isinstance(state, Exception), state
        found = self.region.finds(name)
        return Look(name, state, _SECRET, seen(), Known(f"rosterwatch/{name}"), found, self.now())

    def _lesson(self, look: Look) -> Lesson:
        return Lesson(host=self.region.hosts[look.name])


class _Values(SecretStore):
    """There is always one."""

    def read(self, districts: Any) -> dict[str, Any]:
        return dict.fromkeys(districts, _SECRET)


class Region:
    """Districts by name, each with its host. ``cause`` says what a visit finds at a time; ``workers`` visit side by side."""

    def __init__(self, hosts: Mapping[str, str], cause: Callable[[str, datetime], str | None], workers: int) -> None:
        self.hosts, self.cause = hosts, cause
        self.at = START
        self.looks: defaultdict[str, list[datetime]] = defaultdict(list)
        self.visits: list[tuple[str, int]] = []  # those of the last tick, with their delays
        self.waiting: list[tuple[datetime, int, str]] = []
        self.late = timedelta(0)
        self._free = [START] * workers
        self._numbers = itertools.count()
        self._diagnoses: dict[tuple[str, str | None], Diagnosis] = {}
        self.table, self.sqs, self.sns = LimitedTable(), Sqs(), Sns()
        self.listed = Secrets([f"rosterwatch/{name}" for name in hosts])
        client = self.table.client
        self.states, self.board = StateStore(client, TABLE), BoardStore(client, TABLE)
        self.queue = VisitQueue(self.sqs.client, "https://sqs.example.org/queue")
        topics = AlertTopics(self.sns.client, {one: one for one in DIALECTS}, LINKS, sleep=lambda _: None)
        self.announcer = Announcer(self.board, topics, lambda: self.at)
        self.edges = dispatch_districts.Edges(
            DispatchSettings("rosterwatch/", TABLE, "https://sqs.example.org/queue", SPREAD_SECONDS, 45),
            SecretStore(self.listed.client, "rosterwatch/"),
            self.states,
            self.board,
            self.queue,
        )

    def finds(self, name: str) -> Diagnosis:
        """What a visit makes of what is there now."""
        cause = self.cause(name, self.at)
        self.looks[name].append(self.at)
        if cause is None:
            return HEALTHY
        found = self._diagnoses.get((name, cause))
        if found is None:
            found = self._diagnoses[name, cause] = named(diagnosis_of(cause), name)
        return found

    def run(self, ticks: int) -> None:
        """So many ticks of the schedule, each with its visits, and the alerts' clock every minute."""
        with _in_virtual_time():
            for _ in range(ticks):
                ends = self.at + TICK
                self.sqs.sent.clear()
                dispatch_districts._queue({"reason": "schedule"}, self.edges)
                self.visits = [(json.loads(body)["district"], delay) for delay, body in self.sqs.sent]
                self._collect()
                minute = self.at + timedelta(minutes=1)
                while minute <= ends:
                    self._visit_until(minute)
                    self.at = minute
                    self.announcer.run()
                    minute += timedelta(minutes=1)

    def _collect(self) -> None:
        for delay, body in self.sqs.sent:
            due = self.at + timedelta(seconds=delay)
            heapq.heappush(self.waiting, (due, next(self._numbers), json.loads(body)["district"]))
        self.sqs.sent.clear()

    def _visit_until(self, moment: datetime) -> None:
        """Whoever is free first takes the next batch that is due, as long as there is one."""
        while self.waiting:
            begins = max(self._free[0], self.waiting[0][0])
            if begins >= moment:
                return
            self.at = begins
            self.late = max(self.late, begins - self.waiting[0][0])
            names: list[str] = []
            while self.waiting and self.waiting[0][0] <= begins and len(names) < BATCH:
                names.append(heapq.heappop(self.waiting)[2])
            heapq.heapreplace(self._free, begins + BATCH_TAKES)
            one = Glance(
                _Values(self.listed.client, "rosterwatch/"),
                self.states,
                self.queue,
                lambda: b"key",
                lambda: self.at,
                lambda: 300.0,
                Network,
            )
            one.region = self
            assert all(outcome.done for outcome in one.run(names))
            self._collect()

    def told(self) -> Counter[str]:
        """How many messages of each kind and group the mail topic has taken."""
        return Counter(attributes["key"] for topic, attributes in self.sns.taken if topic == "text")


@contextmanager
def _in_virtual_time() -> Iterator[None]:
    async def at_once(do: Callable[..., T], *args: Any) -> T:
        return do(*args)

    with patch.object(asyncio, "to_thread", at_once):
        yield
