from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from rosterwatch.dispatch import SLOT_SIZE, spread
from rosterwatch.queue import MOST_DELAY_SECONDS

FLEET = [f"district-{number:03}" for number in range(100)]
HOSTS: dict[str, str | None] = {name: f"host-{int(name[-3:]) % 10}" for name in FLEET}


def test_every_district_is_visited_once_whatever_the_order_and_the_repetitions() -> None:
    visits = spread([*FLEET, *reversed(FLEET)], HOSTS, 600)
    assert sorted(visit.district for visit in visits) == FLEET
    assert {visit.reason for visit in visits} == {"schedule"}


def test_a_district_keeps_its_place_from_tick_to_tick() -> None:
    assert spread(FLEET, HOSTS, 600) == spread(set(FLEET), dict(HOSTS), 600)


def test_the_districts_of_one_host_come_in_different_slots() -> None:
    delays: defaultdict[str | None, list[int]] = defaultdict(list)
    for visit in spread(FLEET, HOSTS, 600):
        delays[HOSTS[visit.district]].append(visit.delay)
    for of_host in delays.values():
        assert sorted(of_host) == [0, 0, 120, 120, 240, 240, 360, 360, 480, 480]


def test_a_slot_is_a_full_batch() -> None:
    visits = spread(FLEET, {}, 600)
    assert {sum(visit.delay == delay for visit in visits) for delay in {visit.delay for visit in visits}} == {SLOT_SIZE}


def test_a_small_fleet_is_one_batch_at_once_and_no_fleet_is_none() -> None:
    assert {visit.delay for visit in spread(FLEET[:20], {}, 600)} == {0}
    assert spread([], {}, 600) == []


def test_no_time_to_spread_over_means_now() -> None:
    assert {visit.delay for visit in spread(FLEET, HOSTS, 0)} == {0}


@given(st.sets(st.text(max_size=5), max_size=200), st.integers(0, MOST_DELAY_SECONDS))
def test_every_delay_lies_within_the_tick(names: set[str], seconds: int) -> None:
    visits = spread(names, {name: name[:1] or None for name in names}, seconds)
    assert {visit.district for visit in visits} == names
    assert all(0 <= visit.delay <= seconds for visit in visits)
