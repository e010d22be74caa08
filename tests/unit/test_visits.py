from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rosterwatch import visits
from rosterwatch.board import BoardStore
from rosterwatch.client import Network
from rosterwatch.district import Credentials, District, SecretFault, SecretTrouble
from rosterwatch.finding import Status
from rosterwatch.fingerprint import fingerprint
from rosterwatch.health import State, Transition
from rosterwatch.observation import Exchange, Fault, Observation, Phase
from rosterwatch.queue import Visit, VisitQueue
from rosterwatch.secrets import SecretStore, SecretValue
from rosterwatch.sight import MAJORITY, SIGHT, Sight
from rosterwatch.state import StateError, StateStore
from rosterwatch.visits import Look, Outcome, Round
from tests.table import TABLE, Table
from tests.unit.observations import AT, answer, broken, collection, collections, granted, oauth, seen, turned_away

KEY = b"key"
PAIR = Credentials("1d" * 32, "5e" * 32)
NEW_PAIR = Credentials("2d" * 32, "6e" * 32)
OK, REFUSED = seen(), turned_away(answer(400, oauth("invalid_client")))


def secret(pair: Credentials = PAIR, version: str = "v1", **fields: Any) -> SecretValue:
    document = {
        "base_url": "https://sis.example.org/aeries",
        "consumer_id": pair.consumer_id,
        "consumer_secret": pair.consumer_secret,
    }
    return SecretValue(json.dumps(document | fields), version, AT - timedelta(days=1))


class Secrets(SecretStore):
    """Holds secrets; ``fresh`` ones are handed out when one is read by itself. ``read_alone`` records those readings."""

    def __init__(self, held: dict[str, SecretValue | SecretFault]) -> None:
        self.held = held
        self.fresh: dict[str, SecretValue | SecretFault] = {}
        self.previous: dict[str, SecretValue | SecretFault] = {}
        self.read_alone: list[str] = []

    def name_of(self, district: str) -> str:
        return f"rosterwatch/{district}"

    def read(self, districts: Iterable[str]) -> dict[str, SecretValue | SecretFault]:
        return {name: self.held[name] for name in districts}

    def read_one(self, district: str, stage: str = "AWSCURRENT") -> SecretValue | SecretFault:
        self.read_alone.append(f"{district} {stage}")
        return {**self.held, **self.fresh, **(self.previous if stage == "AWSPREVIOUS" else {})}[district]


class States(StateStore):
    """Holds states under the condition that the real table holds to; ``written`` records what was stored."""

    def __init__(self) -> None:
        self.held: dict[str, State | StateError] = {}
        self.written: list[tuple[State, Transition | None]] = []
        self.before_write: Callable[[], None] = lambda: None

    def read(self, districts: Sequence[str]) -> dict[str, State | StateError]:
        return {name: self.held[name] for name in districts if name in self.held}

    def write(self, state: State, transition: Transition | None) -> bool:
        self.before_write()
        held = self.held.get(state.district)
        if held is None and state.version > 1:
            return False
        if held is not None and (isinstance(held, StateError) or held.version != state.version - 1):
            return False
        self.held[state.district] = state
        self.written.append((state, transition))
        return True


class Queue(VisitQueue):
    """Records what is put on it."""

    def __init__(self) -> None:
        self.sent: list[Visit] = []

    def send(self, visits: Sequence[Visit]) -> None:
        self.sent += visits


@dataclass
class World:
    """One round with everything it needs, and a server that answers each district by a script, its last line for ever."""

    secrets: Secrets
    states: States = field(default_factory=States)
    queue: Queue = field(default_factory=Queue)
    scripts: dict[str, list[Observation | Exception]] = field(default_factory=dict)
    visited: list[District] = field(default_factory=list)
    hints: list[str | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    remaining: float = 300.0
    try_previous: bool = True
    second_look_seconds: int = 60
    sight: Sight | None = None
    control_url: str = "https://control.example.org/"
    control: bool = True
    asked: int = 0
    now: datetime = AT

    async def probe(
        self, district: District, _network: Network, *, dialect_hint: str | None = None, seconds: float, now: Any
    ) -> Observation:
        self.visited.append(district)
        self.hints.append(dialect_hint)
        self.seconds.append(seconds)
        await asyncio.sleep(0)
        script = self.scripts.get(district.name, [OK])
        line = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(line, Exception):
            raise line
        return replace(line, district=district.name, at=now())

    def a_round(self, key: bytes | None = KEY) -> Round:
        return Round(
            secrets=self.secrets,
            states=self.states,
            queue=self.queue,
            key=lambda: key,
            now=lambda: self.now,
            remaining=lambda: self.remaining,
            new_network=lambda: Network(resolver=_no_dns),
            second_look_seconds=self.second_look_seconds,
            try_previous=self.try_previous,
            sight=self.sight,
            control_url=self.control_url,
        )

    def run(self, *names: str, minutes: float = 0) -> dict[str, Outcome]:
        self.now += timedelta(minutes=minutes)
        outcomes = self.a_round().run(names or list(self.secrets.held))
        assert len({outcome.district for outcome in outcomes}) == len(outcomes)
        return {outcome.district: outcome for outcome in outcomes}

    async def can_reach(self, url: str, _network: Network) -> bool:
        assert url == self.control_url
        self.asked += 1
        return self.control

    def state(self, name: str = "a") -> State:
        state = self.states.held[name]
        assert isinstance(state, State)
        return state


async def _no_dns(host: str, port: int) -> list[str]:
    raise AssertionError(f"nothing here goes to {host}:{port}")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(Secrets({"a": secret()}))
    monkeypatch.setattr(visits, "probe", made.probe)
    monkeypatch.setattr(visits, "can_reach", made.can_reach)
    return made


UNREACHED = turned_away(Exchange(Phase.TOKEN, "/token", fault=Fault.CONNECT_TIMEOUT))


@pytest.fixture
def watched(world: World) -> World:
    """Three districts that were in order, and a table that notes whether we can see."""
    world.sight = Sight(Table().client, TABLE)
    world.secrets.held |= {"b": secret(), "c": secret()}
    world.run()
    return world


def test_when_a_batch_reaches_nobody_and_the_control_page_neither_every_state_is_frozen(watched: World) -> None:
    watched.scripts |= {name: [UNREACHED] for name in "abc"}
    watched.control = False
    for _ in range(3):
        watched.run(minutes=15)
    assert watched.sight is not None
    assert watched.sight.noted() == {SIGHT}
    for name in "abc":
        state = watched.state(name)
        assert (state.status, state.cause, state.unknown_since) == (Status.HEALTHY, None, AT + timedelta(minutes=15))


def test_when_the_control_page_answers_the_districts_are_to_blame(watched: World) -> None:
    watched.scripts |= {name: [UNREACHED] for name in "abc"}
    watched.run(minutes=15)
    watched.run(minutes=15)
    assert [watched.state(name).cause for name in "abc"] == ["unreachable_timeout"] * 3
    assert watched.asked == 2


def test_while_anybody_can_be_reached_the_control_page_is_not_asked(watched: World) -> None:
    watched.scripts["a"] = [UNREACHED]
    watched.run(minutes=15)
    assert (watched.asked, watched.state("a").suspected) == (0, "unreachable_timeout")


def test_once_the_control_page_answers_again_we_see_even_if_everybody_is_in_order(watched: World) -> None:
    watched.scripts |= {name: [UNREACHED] for name in "abc"}
    watched.control = False
    watched.run(minutes=15)
    watched.scripts.clear()
    watched.run(minutes=15)
    assert watched.sight is not None
    assert watched.sight.noted() == {SIGHT}  # the control page is still silent
    assert watched.state("a").unknown_since is None  # but who is reached is seen
    watched.control = True
    watched.run(minutes=15)
    assert watched.sight.noted() == frozenset()


def test_what_was_noted_before_the_control_page_was_taken_away_goes_when_anybody_is_reached(watched: World) -> None:
    assert watched.sight is not None
    watched.sight.lost(AT)
    watched.control_url = ""
    watched.run(minutes=15)
    assert (watched.sight.noted(), watched.asked) == (frozenset(), 0)


def test_while_most_of_the_fleet_is_out_of_reach_nobody_is_blamed_for_it(watched: World) -> None:
    table = Table()
    watched.sight = Sight(table.client, TABLE)
    BoardStore(table.client, TABLE).note_majority(blind=True, at=AT)
    watched.scripts |= {"a": [UNREACHED], "b": [REFUSED]}
    watched.run(minutes=15)
    watched.run(minutes=15)
    assert (watched.state("a").cause, watched.state("a").unknown_since) == (None, AT + timedelta(minutes=15))
    assert watched.state("b").cause == "credentials_revoked"
    assert watched.sight.noted() == {MAJORITY}


def test_two_deliveries_of_one_message_are_one_strike(world: World) -> None:
    world.run()
    world.scripts["a"] = [turned_away(answer(500))]
    world.run(minutes=15)
    assert world.run(minutes=0.1)["a"].transition is None
    assert world.run(minutes=1)["a"].transition is not None


def test_a_second_look_may_follow_as_soon_as_it_is_asked_for(world: World) -> None:
    world.second_look_seconds = 1
    world.run()
    world.scripts["a"] = [turned_away(answer(500))]
    world.run(minutes=15)
    assert world.run(minutes=1 / 60)["a"].transition is not None


def cause(outcome: Outcome) -> str | None:
    assert outcome.diagnosis is not None
    return outcome.diagnosis.primary.cause.name if outcome.diagnosis.primary else None


def test_a_district_in_order_is_stored_with_what_was_learnt(world: World) -> None:
    world.scripts["a"] = [seen(collections=collections(users=collection("users", total=1200)))]
    outcome = world.run()["a"]
    assert outcome.done
    assert outcome.diagnosis is not None
    assert outcome.diagnosis.status is Status.HEALTHY
    state = world.state()
    assert (state.status, state.version, state.last_good_at) == (Status.HEALTHY, 1, AT)
    assert (state.host, state.dialect, state.baseline) == ("sis.example.org", "token", {"users": 1200})
    assert state.pair == fingerprint(KEY, PAIR)
    world.run(minutes=15)
    assert world.hints == [None, "token"]
    assert world.queue.sent == []


def test_no_district_costs_another_its_verdict(world: World) -> None:
    world.secrets.held |= {
        "garbage": SecretValue("garbage", "v1", None),
        "gone": SecretFault("gone", SecretTrouble.MISSING, ("the secret does not exist",)),
        "crash": secret(),
        "damaged": secret(),
        "refused": secret(),
    }
    world.states.held["damaged"] = StateError("damaged")
    world.scripts |= {"crash": [RuntimeError("s3cret in a message")], "refused": [REFUSED]}
    outcomes = world.run()
    assert {name: outcome.done for name, outcome in outcomes.items()} == {
        "a": True,
        "garbage": True,
        "gone": True,
        "crash": False,
        "damaged": False,
        "refused": True,
    }
    assert cause(outcomes["a"]) is None
    assert cause(outcomes["garbage"]) == "secret_malformed"
    assert cause(outcomes["gone"]) == "secret_missing"
    assert cause(outcomes["refused"]) == "credentials_wrong"
    assert outcomes["crash"].problem == "RuntimeError"
    assert outcomes["damaged"].problem == "the stored state is damaged"
    assert sorted(district.name for district in world.visited) == ["a", "crash", "refused"]
    # What has neither a secret nor a state was removed, or never was.
    assert {state.district for state, _ in world.states.written} == {"a", "garbage", "refused"}


def test_a_district_named_twice_is_visited_once(world: World) -> None:
    world.run("a", "a")
    assert len(world.visited) == 1


def test_a_pair_that_worked_and_is_refused_was_revoked_and_is_told_at_once(world: World) -> None:
    world.run()
    world.scripts["a"] = [REFUSED]
    outcome = world.run(minutes=15)["a"]
    assert cause(outcome) == "credentials_revoked"
    assert outcome.transition is not None
    assert (outcome.transition.last_good_at, outcome.transition.since) == (AT, AT + timedelta(minutes=15))
    assert world.states.written[-1][1] == outcome.transition


def test_a_new_pair_that_is_refused_is_wrong_and_not_revoked(world: World) -> None:
    world.run()
    world.secrets.held["a"] = secret(NEW_PAIR, "v2")
    world.scripts["a"] = [REFUSED]
    assert cause(world.run(minutes=15)["a"]) == "credentials_wrong"


def test_a_refused_token_teaches_no_pair(world: World) -> None:
    world.scripts["a"] = [REFUSED]
    world.run()
    assert world.state().pair is None


def test_a_pair_that_gets_a_token_has_worked_even_if_its_data_is_broken(world: World) -> None:
    world.scripts["a"] = [seen(collections=broken(answer(403), "users"))]
    world.run()
    assert world.state().pair == fingerprint(KEY, PAIR)


def test_after_a_refusal_a_rotated_secret_is_tried_before_anything_is_said(world: World) -> None:
    world.run()
    world.secrets.fresh["a"] = secret(NEW_PAIR, "v2")
    world.scripts["a"] = [REFUSED, OK]
    outcome = world.run(minutes=15)["a"]
    assert cause(outcome) is None
    assert outcome.transition is None
    assert [district.credentials for district in world.visited[1:]] == [PAIR, NEW_PAIR]
    assert world.state().pair == fingerprint(KEY, NEW_PAIR)


def test_after_a_refusal_an_unchanged_secret_is_read_once_and_not_tried_again(world: World) -> None:
    world.scripts["a"] = [REFUSED]
    world.run()
    assert world.secrets.read_alone == ["a AWSCURRENT", "a AWSPREVIOUS"]
    assert len(world.visited) == 1


def test_a_refused_new_pair_has_the_one_before_it_tried_once_and_not_again_while_it_stays_so(world: World) -> None:
    world.secrets.held["a"] = secret(NEW_PAIR, "v2")
    world.secrets.previous["a"] = secret(PAIR, "v1")
    world.scripts["a"] = [REFUSED, OK, REFUSED]
    assert cause(world.run()["a"]) == "credentials_rotated_badly"
    assert [district.credentials for district in world.visited] == [NEW_PAIR, PAIR]
    outcome = world.run(minutes=15)["a"]
    assert (cause(outcome), outcome.transition) == ("credentials_rotated_badly", None)
    assert len(world.visited) == 3
    world.secrets.held["a"] = replace(secret(NEW_PAIR, "v3"), changed_at=AT + timedelta(minutes=20))
    world.run(minutes=15)
    assert len(world.visited) == 5


def test_the_pair_before_is_never_tried_where_that_is_switched_off(world: World) -> None:
    world.secrets.held["a"] = secret(NEW_PAIR, "v2")
    world.secrets.previous["a"] = secret(PAIR, "v1")
    world.scripts["a"] = [REFUSED]
    world.try_previous = False
    assert cause(world.run()["a"]) == "credentials_wrong"
    assert len(world.visited) == 1


def test_a_secret_that_went_while_it_was_refused_is_missing(world: World) -> None:
    world.secrets.fresh["a"] = SecretFault("a", SecretTrouble.MISSING, ("the secret does not exist",))
    world.scripts["a"] = [REFUSED]
    assert cause(world.run()["a"]) == "secret_missing"


def test_a_visit_in_order_reads_no_secret_again(world: World) -> None:
    world.run()
    assert world.secrets.read_alone == []


def test_a_first_strike_asks_for_a_second_look_and_the_second_one_is_told(world: World) -> None:
    world.run()
    world.scripts["a"] = [turned_away(answer(500))]
    first = world.run(minutes=15)["a"]
    assert first.transition is None
    assert world.queue.sent == [Visit("a", "second_look", 60)]
    second = world.run(minutes=1)["a"]
    assert second.transition is not None
    assert second.transition.since == AT + timedelta(minutes=15)
    assert len(world.queue.sent) == 1


def test_a_host_that_asks_to_be_left_alone_is_left_alone_until_then(world: World) -> None:
    world.scripts["a"] = [turned_away(answer(429, retry_after=1800.0)), OK]
    world.run()
    assert world.state().not_before == AT + timedelta(minutes=30)
    assert world.queue.sent == [Visit("a", "second_look", 1801)]
    outcome = world.run(minutes=29)["a"]
    assert (outcome.done, outcome.diagnosis) == (True, None)
    assert len(world.visited) == 1
    assert cause(world.run(minutes=1)["a"]) is None
    assert world.state().not_before is None


def test_no_host_can_ask_for_more_than_six_hours(world: World) -> None:
    world.scripts["a"] = [turned_away(answer(429, retry_after=999_999_999.0))]
    world.run()
    assert world.state().not_before == AT + timedelta(hours=6)


def test_a_starved_visit_says_nothing_and_comes_back(world: World) -> None:
    world.scripts["a"] = [replace(OK, starved=True)]
    outcome = world.run()["a"]
    assert not outcome.done
    assert world.states.written == []


@pytest.mark.parametrize(("remaining", "visited", "seconds"), [(17.9, False, 0), (18.0, True, 8.0), (300.0, True, 40.0)])
def test_a_visit_is_only_begun_with_time_to_end_it(world: World, remaining: float, visited: bool, seconds: float) -> None:
    world.remaining = remaining
    assert world.run()["a"].done is visited
    assert world.seconds == ([seconds] if visited else [])


def test_a_secret_that_cannot_be_used_needs_no_time(world: World) -> None:
    world.remaining = 0
    world.secrets.held["a"] = SecretValue("{}", "v1", None)
    assert cause(world.run()["a"]) == "secret_malformed"


def test_a_lost_race_against_an_earlier_visit_is_run_again_on_what_was_stored(world: World) -> None:
    world.run()
    other = replace(world.state(), version=2, visited_at=AT + timedelta(minutes=5), transitions=7)

    def interfere() -> None:
        world.states.before_write = lambda: None
        world.states.held["a"] = other

    world.states.before_write = interfere
    world.scripts["a"] = [REFUSED]
    outcome = world.run(minutes=15)["a"]
    assert outcome.done
    assert outcome.transition is not None
    assert outcome.transition.number == 8
    assert world.state().version == 3


def test_a_lost_race_against_a_later_visit_leaves_its_verdict_alone(world: World) -> None:
    world.run()
    later = replace(world.state(), version=2, visited_at=AT + timedelta(minutes=16))
    world.states.before_write = lambda: world.states.held.update(a=later)
    world.scripts["a"] = [REFUSED]
    outcome = world.run(minutes=15)["a"]
    assert (outcome.done, outcome.diagnosis) == (True, None)
    assert world.state() == later
    assert len(world.states.written) == 1


def test_a_state_that_changes_under_every_write_comes_back(world: World) -> None:
    world.run()

    def interfere() -> None:
        world.states.held["a"] = replace(world.state(), version=world.state().version + 1)

    world.states.before_write = interfere
    assert not world.run(minutes=15)["a"].done


def test_a_state_of_a_newer_release_that_appears_meanwhile_is_left_alone(world: World) -> None:
    world.states.before_write = lambda: world.states.held.update(a=StateError("written by a newer release"))
    outcome = world.run()["a"]
    assert (outcome.done, outcome.problem) == (False, "the stored state is written by a newer release")
    assert world.states.written == []


def test_the_same_message_twice_in_a_row_is_told_once(world: World) -> None:
    world.scripts["a"] = [REFUSED]
    assert world.run()["a"].transition is not None
    assert world.run()["a"].transition is None
    assert [transition.number for _, transition in world.states.written if transition] == [1]


def test_many_districts_are_visited_side_by_side_but_not_all_at_once(world: World) -> None:
    names = [f"d{number}" for number in range(25)]
    world.secrets.held = {name: secret() for name in names}
    under_way, most = 0, 0

    async def slow(district: District, *_: Any, **__: Any) -> Observation:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return replace(OK, district=district.name, token=granted(), at=datetime.now(UTC))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(visits, "probe", slow)
        outcomes = world.run()
    assert all(outcome.done for outcome in outcomes.values())
    assert most == visits.SIDE_BY_SIDE


def test_a_district_that_was_removed_while_it_was_visited_stays_removed(world: World) -> None:
    world.run()

    def removed() -> None:
        world.states.held.pop("a", None)

    world.states.before_write = removed
    outcome = world.run(minutes=15)["a"]
    assert (outcome.done, outcome.problem) == (True, "it was removed meanwhile")
    assert len(world.states.written) == 1


def test_a_look_from_elsewhere_is_judged_by_what_is_known_and_stores_nothing(world: World) -> None:
    world.run()
    world.states.held["a"] = replace(world.state(), not_before=world.now + timedelta(hours=1))
    before = world.state()
    world.scripts["a"] = [REFUSED]
    look = world.a_round().look_once("a")
    assert isinstance(look, Look)
    assert look.diagnosis.findings[0].cause.name == "credentials_revoked"
    assert world.state() == before
    assert world.queue.sent == []


def test_without_the_fingerprint_key_a_refusal_is_not_called_a_revocation(world: World) -> None:
    world.run()
    world.scripts["a"] = [REFUSED]
    look = world.a_round(key=None).look_once("a")
    assert isinstance(look, Look)
    assert look.known.pair_worked is None
    assert look.diagnosis.findings[0].cause.name == "credentials_wrong"
