"""The announcer over a table that holds to DynamoDB's conditions: what is written, what is sent, and what a crash leaves behind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from rosterwatch.announcer import CLAIMED_FOR, Announced, Announcer
from rosterwatch.board import KEPT_CLOSED, BoardStore
from rosterwatch.health import Lesson, State, advance
from rosterwatch.incidents import Incident, Notice
from rosterwatch.state import StateStore
from tests.table import TABLE, Table, refusal
from tests.unit.boards import HOUR, MINUTE, named
from tests.unit.observations import AT, HEALTHY, diagnosis_of


class CrashError(BaseException):
    """The process dies here."""


@dataclass
class Topics:
    """Records what is published; ``refuse`` names the topics that take nothing."""

    names: tuple[str, ...] = ("text", "event")
    refuse: set[str] = field(default_factory=set)
    taken: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None

    def publish(self, name: str, incident: Incident, notice: Notice) -> None:
        self.before()
        if name in self.refuse:
            raise refusal("InternalError", "Publish")
        self.taken.append((name, f"{notice.kind.value} {incident.group}"))
        self.after()


@dataclass
class Office:
    """A table, topics, and as many announcers as are wanted."""

    table: Table = field(default_factory=Table)
    topics: Topics = field(default_factory=Topics)
    now: datetime = AT
    states: dict[str, State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.board = BoardStore(self.table.client, TABLE)

    def saw(self, name: str, cause: str | None) -> None:
        diagnosis = HEALTHY if cause is None else named(diagnosis_of(cause), name)
        state, transition = advance(self.states.get(name), name, diagnosis, Lesson(host="sis.example.org"), self.now)
        assert StateStore(self.table.client, TABLE).write(state, transition)
        self.states[name] = state

    def broke(self, name: str = "a", cause: str = "credentials_revoked") -> None:
        self.saw(name, cause)

    def run(self, after: timedelta = timedelta(0)) -> Announced:
        self.now += after
        return Announcer(self.board, self.topics, lambda: self.now).run()

    @property
    def told(self) -> list[str]:
        return [what for name, what in self.topics.taken if name == "event"]


@pytest.fixture
def office() -> Office:
    made = Office()
    for name in ("a", "b"):
        made.saw(name, None)
    made.now += HOUR
    return made


BOTH = ["opened district/a"]


def test_what_is_written_is_sent_to_every_topic_and_that_is_written_down(office: Office) -> None:
    office.broke()
    announced = office.run()
    assert office.topics.taken == [("text", BOTH[0]), ("event", BOTH[0])]
    assert [notice.number for _, notice in announced.published] == [1]
    assert [incident.key for incident in announced.open_incidents] == ["district/a/20261006T150500Z"]
    [stored] = office.board.read().incidents
    assert (stored.pending, stored.claimed_until) == ((), None)
    assert office.run().published == ()
    assert len(office.topics.taken) == 2


def test_a_topic_that_refuses_for_an_hour_gets_everything_later_in_order_and_the_others_nothing_twice(office: Office) -> None:
    office.topics.refuse = {"event"}
    office.broke()
    for _ in range(30):
        assert office.run(2 * MINUTE).refused == ("ClientError",)
    office.saw("a", None)
    office.run(2 * MINUTE)
    assert office.topics.taken == [("text", "opened district/a")]
    office.topics.refuse = set()
    office.run(2 * MINUTE)
    assert office.told == ["opened district/a", "resolved district/a"]
    assert [what for name, what in office.topics.taken if name == "text"] == office.told
    assert office.run(2 * MINUTE).refused == ()


def test_an_incident_that_cannot_be_told_costs_no_other_its_message(office: Office) -> None:
    office.broke("a")
    office.broke("b")
    office.topics.before = iter_raise(KeyError("a secret"))
    announced = office.run()
    assert announced.refused == ("KeyError",)
    assert office.told == ["opened district/b"]
    office.run(2 * MINUTE)
    assert office.told == ["opened district/b", "opened district/a"]


def iter_raise(error: BaseException, at: int = 0) -> Callable[[], None]:
    """Raises at one call, the first by default, and never again."""
    calls: Iterator[int] = iter(range(10**6))

    def call() -> None:
        if next(calls) == at:
            raise error

    return call


STEPS = [(moment, number) for moment in ("before", "after") for number in range(8)]


@pytest.mark.parametrize(("moment", "number"), STEPS)
@pytest.mark.parametrize("where", ["table", "topics"])
def test_a_crash_between_any_two_steps_loses_nothing_and_repeats_at_most_with_the_same_words(
    office: Office, where: str, moment: str, number: int
) -> None:
    office.broke("a")
    office.run()
    office.saw("a", None)
    office.broke("b", "permission_missing")
    call = iter_raise(CrashError(), number)
    if where == "table":
        setattr(office.table, moment, lambda _what: call())
    else:
        setattr(office.topics, moment, call)
    crashed = False
    try:
        office.run(MINUTE)
    except CrashError:
        crashed = True
    office.table.before = office.table.after = lambda _what: None
    office.topics.before = office.topics.after = lambda: None
    for _ in range(3):
        office.run(CLAIMED_FOR)
    assert list(dict.fromkeys(office.told)) in (
        ["opened district/a", "resolved district/a", "opened district/b"],
        ["opened district/a", "opened district/b", "resolved district/a"],
    )
    for topic in office.topics.names:
        assert len([name for name, _ in office.topics.taken if name == topic]) <= (4 if crashed else 3)
    board = office.board.read()
    assert [problem.district for problem in board.problems] == ["b"]
    assert [incident.group for incident in board.incidents if incident.is_open] == ["district/b"]
    assert not [incident for incident in board.incidents if incident.pending]


@pytest.mark.parametrize(("moment", "number"), STEPS)
def test_a_crash_does_not_lose_what_came_and_went_between_two_runs(office: Office, moment: str, number: int) -> None:
    office.broke("a")
    office.now += MINUTE
    office.saw("a", None)
    call = iter_raise(CrashError(), number)
    setattr(office.table, moment, lambda _what: call())
    with contextlib.suppress(CrashError):
        office.run(MINUTE)
    office.table.before = office.table.after = lambda _what: None
    for _ in range(3):
        office.run(CLAIMED_FOR)
    assert list(dict.fromkeys(office.told)) == ["opened district/a", "resolved district/a"]
    assert office.board.read().problems == ()


def test_a_lost_race_does_not_lose_what_came_and_went_between_two_runs(office: Office) -> None:
    office.broke("a")
    office.now += MINUTE
    office.saw("a", None)
    lose = iter_raise(refusal("ConditionalCheckFailedException", "PutItem"))
    office.table.before = lambda _what: lose()
    office.run(MINUTE)
    assert office.told == ["opened district/a", "resolved district/a"]


def test_two_runs_at_once_send_one_message(office: Office) -> None:
    """The second begins and ends while the first is about to publish, and again while it is about to write down."""
    office.broke()

    def come_between() -> None:
        office.topics.before = lambda: None
        office.run()

    office.topics.before = come_between
    office.run()
    assert office.told == BOTH


def test_two_runs_that_decide_the_same_write_it_once(office: Office) -> None:
    office.broke()

    def come_between(_what: str) -> None:
        office.table.before = lambda _: None
        office.run()

    office.table.before = come_between
    office.run()
    assert office.told == BOTH


def test_a_notice_that_is_added_while_another_is_sent_is_sent_next_and_neither_twice(office: Office) -> None:
    office.broke("a", "credentials_revoked")

    def add() -> None:
        office.topics.before = lambda: None
        office.now += MINUTE
        office.saw("a", "permission_missing")
        office.run()

    office.topics.before = add
    office.run()
    assert office.told == BOTH
    assert [notice.kind.value for incident in office.board.read().incidents for notice in incident.pending] == ["changed"]
    office.run(MINUTE)
    assert office.told == ["opened district/a", "changed district/a"]


def test_a_claim_that_nobody_lived_to_keep_is_free_after_a_while(office: Office) -> None:
    office.broke()
    office.topics.before = iter_raise(CrashError())
    with pytest.raises(CrashError):
        office.run()
    office.run(CLAIMED_FOR - timedelta(seconds=1))
    assert office.told == []
    office.run(timedelta(seconds=1))
    assert office.told == BOTH


def test_a_board_that_keeps_changing_is_given_up_for_this_time(office: Office) -> None:
    office.broke()

    def lose(_what: str) -> None:
        raise refusal("ConditionalCheckFailedException", "PutItem")

    office.table.before = lose
    assert office.run().published == ()
    office.table.before = lambda _what: None
    assert [notice.kind.value for _, notice in office.run(MINUTE).published] == ["opened"]


def test_a_mute_on_the_board_is_kept_to(office: Office) -> None:
    document = '{"until": "2026-10-06T16:05:00+00:00", "reason": "a move", "by": "robin"}'
    office.table.items["mute", "district/a"] = {
        "pk": {"S": "mute"},
        "sk": {"S": "district/a"},
        "mute": {"S": document},
    }
    office.broke()
    office.run()
    assert office.told == []
    office.run(HOUR)
    assert office.told == BOTH


def test_what_has_been_closed_for_a_while_becomes_history(office: Office) -> None:
    office.broke()
    office.run()
    office.saw("a", None)
    office.run(MINUTE)
    office.run(KEPT_CLOSED)
    assert len(office.table.under("incident")) == 1
    office.run(MINUTE)
    assert office.table.under("incident") == {}
    [(key, kept)] = office.table.under("incident#closed").items()
    assert key.startswith("district/a/")
    assert int(kept["expires_at"]["N"]) == int((AT + HOUR + MINUTE + timedelta(days=400)).timestamp())


def test_damaged_items_are_named_and_cost_nobody_but_themselves(office: Office) -> None:
    office.broke("a")
    office.run()
    office.table.items["problem", "a"]["problem"] = {"S": "{"}
    office.table.items["mute", "all"] = {"pk": {"S": "mute"}, "sk": {"S": "all"}, "mute": {"S": "[]"}}
    office.broke("b")
    announced = office.run(MINUTE)
    assert announced.unread == ("problem a", "mute all")
    assert office.told == ["opened district/a", "opened district/b"]
    assert [incident.group for incident in office.board.read().incidents if incident.is_open] == ["district/a", "district/b"]
    assert office.table.items["problem", "a"]["problem"] == {"S": "{"}


def test_of_more_notices_than_one_run_can_send_each_run_sends_some(office: Office) -> None:
    districts = [f"d{number:03}" for number in range(300)]
    for name in districts:
        office.saw(name, None)
    office.now += HOUR
    for name in districts:
        office.broke(name)
    writes: list[str] = []

    def time_out(what: str) -> None:
        writes.append(what)
        if len(writes) % 120 == 0:  # it lives for so many writes, and its claims for a minute and a half
            raise CrashError

    office.table.before = time_out
    for _ in range(30):
        with contextlib.suppress(CrashError):
            office.run(MINUTE)
        writes.clear()
    told = [what for what in office.told if what.startswith("opened")]
    assert set(told) == {f"opened district/{name}" for name in districts}
    # What was under way when it died is told again; nothing else is.
    assert len(told) < len(districts) + 30
