from __future__ import annotations

import pytest

from tests.simulation.run import failure, simulate

#: Seeds whose runs have found something, and enough others to see each kind of trouble. ``make simulate`` runs as many as wanted.
SEEDS = (*range(9), 17, 23, 80, 85)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_goes_wrong_every_alert_is_told_once_and_every_incident_ends(seed: int) -> None:
    assert failure(seed) is None


def test_a_seed_replays_to_the_letter() -> None:
    first, second = simulate(7), simulate(7)
    assert first.topics.taken
    assert first.topics.taken == second.topics.taken
    assert first.table.items == second.table.items
