from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

import dispatch_districts
from dispatch_districts import Edges
from rosterwatch.board import BoardStore
from rosterwatch.finding import Status
from rosterwatch.health import State
from rosterwatch.queue import Visit, VisitQueue
from rosterwatch.secrets import SecretStore
from rosterwatch.settings import DispatchSettings
from rosterwatch.state import StateStore
from tests.table import TABLE, Table

SETTINGS = DispatchSettings("rosterwatch/", TABLE, "https://queue.example.org", 600, 45)


class Secrets(SecretStore):
    """Names, and nothing behind them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def districts(self) -> Iterator[str]:
        return iter(self.names)


class Queue(VisitQueue):
    """What was sent."""

    def __init__(self) -> None:
        self.sent: list[Visit] = []

    def send(self, visits: Sequence[Visit]) -> None:
        self.sent += visits


@pytest.fixture
def table() -> Table:
    return Table()


def edges(table: Table, names: Sequence[str]) -> Edges:
    return Edges(SETTINGS, Secrets(names), StateStore(table.client, TABLE), BoardStore(table.client, TABLE), Queue())


def test_districts_that_nobody_has_visited_yet_count_as_the_fleet(table: Table) -> None:
    names = [f"district-{number:02}" for number in range(40)]
    use = edges(table, names)
    assert dispatch_districts._queue({"reason": "schedule"}, use) == 40
    fleet = use.board.read().fleet
    # Without them, the first few that cannot be reached would be more than half of a fleet of none: "our own network is down".
    assert (fleet.districts, fleet.hosts) == (40, 0)


def test_a_district_whose_secret_has_gone_is_visited_and_counted_once(table: Table) -> None:
    use = edges(table, ["springfield"])
    now = datetime.now(UTC)
    for name in ("springfield", "shelbyville"):
        assert use.states.write(State(name, Status.HEALTHY, now, now, host="sis.example.org", version=1), None)
    assert dispatch_districts._queue({"reason": "schedule"}, use) == 2
    fleet = use.board.read().fleet
    assert (fleet.districts, fleet.hosts) == (2, 1)
