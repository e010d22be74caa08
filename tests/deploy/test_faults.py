"""The deployed stack in a storm: every call may go wrong, messages come twice and in any order, functions die in the middle."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import pytest

from tests.deploy.command_line import CommandLine
from tests.deploy.grounds import POISON, Grounds, doubled_and_shuffled, patiently, told
from tests.deploy.weather import Storm
from tests.fault_proxy import Kind
from tests.local_aws import LocalAwsError
from tests.proof import Part, Proof

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the process of a call in /proc"),
]

#: What is done to a district, and what is then found. Each prevails over those before it, so that none needs to be taken back.
BREAKS: Final = {
    "untick": ("failing", "permission_missing"),
    "page": ("failing", "login_page"),
    "delete": ("failing", "credentials_revoked"),
    "spoil": ("unknown", "secret_malformed"),
}


@dataclass
class Patient:
    """One district through the storm: what it suffers from in turn, and whether it gets well again."""

    name: str
    ills: tuple[str, ...]
    healed: bool
    district: Any

    @classmethod
    def of(cls, number: int, name: str, district: Any, chance: Random) -> Patient:
        """A third stays well; of the others half change their cause, and two of three get well again."""
        if number % 3 == 0:
            return cls(name, (), healed=False, district=district)
        kinds = list(BREAKS)
        first = chance.choice(kinds)
        worse = kinds[kinds.index(first) + 1 :]
        changes = worse and number % 2 == 0
        return cls(name, (first, chance.choice(worse)) if changes else (first,), healed=number % 9 < 6, district=district)

    def fall_ill(self, ill: str, grounds: Grounds) -> None:
        """One thing more is wrong with it."""
        if ill == "untick":
            self.district.admin.untick("Classes")
        elif ill == "page":
            self.district.fail("login_page", phase="data")
        elif ill == "delete":
            self.district.admin.delete_record()
        else:
            grounds.aws.put_secret(self.name, {**self.district.credentials, "base_url": ""} if self.district.records else {})

    def get_well(self, grounds: Grounds) -> None:
        """Everything is put right, what prevails last: in between it is as ill as before."""
        if not self.healed:
            return
        if not self.district.records:
            self.district.admin.create_record()
        self.district.admin.tick("Classes")
        self.district.heal()
        if {"delete", "spoil"} & set(self.ills):
            grounds.aws.put_secret(self.name, dict(self.district.credentials))

    def standing(self, stage: int) -> tuple[str, str]:
        """How it has to be found at a stage: well, ill, perhaps with something else, perhaps well again."""
        if not self.ills or stage == 0 or (stage == 3 and self.healed):
            return "healthy", ""
        return BREAKS[self.ills[min(stage, 2, len(self.ills)) - 1]]


def weathered(grounds: Grounds, patients: Mapping[str, Patient], stage: int, chance: Random, seconds: float) -> None:
    """Ask for visits until every district stands as it has to."""
    for number, _ in enumerate(patiently(seconds)):
        found = grounds.states()
        wrong = [name for name, patient in patients.items() if found.get(name) != patient.standing(stage)]
        if not wrong:
            return
        if number % 4 == 0:
            grounds.send(doubled_and_shuffled(wrong, chance))
    found = grounds.states()
    pytest.fail(f"stage {stage}: {[(name, found.get(name), patients[name].standing(stage)) for name in wrong]}")


def go_through(grounds: Grounds, patients: Mapping[str, Patient], chance: Random, seconds: float) -> None:
    """Poison is sent, the districts are seen well, fall ill, change their cause, and get well again."""
    grounds.send(POISON)
    weathered(grounds, patients, 0, chance, seconds)
    for stage in (1, 2):
        for patient in patients.values():
            if len(patient.ills) >= stage:
                patient.fall_ill(patient.ills[stage - 1], grounds)
        weathered(grounds, patients, stage, chance, seconds)
    for patient in patients.values():
        patient.get_well(grounds)
    weathered(grounds, patients, 3, chance, seconds)


def settle(grounds: Grounds) -> None:
    """A few ticks of the clock after the storm."""
    for _ in patiently(30):
        grounds.let_claims_lapse()
        try:
            grounds.aws.invoke("AlertFunction", {"reason": "clock"})
        except LocalAwsError:
            continue
        if not any(incident.get("pending") for incident in grounds.incidents().values()):
            return
    pytest.fail("notices stay unsent")


@pytest.mark.claim(
    "However AWS fails, and wherever a function dies, every district ends with its right status and cause, every incident is told "
    "and its end is told, nothing twice but under the same key, and no message is lost",
    part=Part.FAULTS,
    how="districts break, change their cause and heal while calls of the functions are throttled, refused, cut, answered late, in "
    "part or not at all (1, 10 and 30 % of them), functions are killed or time out at them, and messages come twice, in any order "
    "and with poison among them",
)
@pytest.mark.parametrize(("seed", "percent"), [(1, 10), (2, 1), (3, 30)])
def test_after_the_storm_everything_is_as_it_has_to_be(grounds: Grounds, proof: Proof, seed: int, percent: int) -> None:
    if not proof.full and seed != 1:
        pytest.skip("one storm is enough for `make test`")
    chance, wait = Random(seed), 60 if not proof.full else 240
    grounds.drained(60)
    if proof.full and percent == 30:
        grounds.let_functions_time_out()
    assert grounds.dead() == []
    before = Counted.by(grounds)
    patients = {}
    for number in range(proof.amount(quick=6, full=20)):
        name = f"storm{seed}-{number}"
        district = grounds.sis.add_district(name)
        grounds.aws.put_secret(name, dict(district.credentials))
        patients[name] = Patient.of(number, name, district, chance)

    with grounds.coming_back_soon():
        with grounds.proxy.weather(Storm(seed, percent / 100, grounds.stalls)):
            go_through(grounds, patients, chance, wait)
        grounds.drained(wait)
    settle(grounds)
    dead, count = grounds.dead(), Counted.by(grounds)

    assert {name: grounds.states()[name] for name in patients} == {name: one.standing(3) for name, one in patients.items()}
    repeated = everything_is_told_once(grounds, patients)
    went_in, came_out = count.sent - before.sent, count.handled - before.handled + len(dead)
    assert came_out >= went_in, "a message was lost"
    if grounds.longest() < grounds.hidden_seconds:  # else some came back while they were still at work on
        assert came_out == went_in
    if len(dead) > len(POISON):  # visits that have failed three times are sent again, as docs/operating.md says
        CommandLine(grounds.aws, grounds.sis).run("dead-letters", "--again")
        grounds.drained(60)
    assert sorted(grounds.dead()) == sorted(POISON)
    CommandLine(grounds.aws, grounds.sis).run("dead-letters", "--discard")
    assert grounds.proxy.problems == []
    assert grounds.sis.problems == []
    struck = count.struck - before.struck
    assert struck.total() > 0
    if proof.full and percent == 30:
        assert set(grounds.proxy.struck) == set(Kind), "something that should have gone wrong did not"
    proof.tried(len(patients))
    proof.note(f"{percent} %: {went_in} messages, {struck.total()} faults, {repeated} alerts repeated with the same key")
    kinds = ", ".join(f"{many} {kind}" for kind, many in sorted(struck.items()))
    if percent == 30:
        proof.note(f"of these at 30 %: {kinds}")


def everything_is_told_once(grounds: Grounds, patients: Mapping[str, Patient]) -> int:
    """One incident for each district that fell ill, told from its first notice to its last, and no trace of anything else.

    Returns how many alerts were repeated.
    """
    incidents, (of_incidents, repeated) = grounds.incidents(), told(grounds.aws)
    for name, patient in patients.items():
        keys = [key for key in incidents if key.startswith(f"district/{name}/")]
        told_keys = [key for key in of_incidents if key.startswith(f"district/{name}/")]
        assert told_keys == keys
        assert len(keys) == bool(patient.ills), f"{name}: {keys}"
        for key in keys:
            tale = of_incidents[key]
            assert tale.nothing_is_missing, f"{key}: {tale}"
            # What came and went before anybody could be told is told by its end alone.
            assert patient.healed or tale.last_cause == BREAKS[patient.ills[-1]][1], f"{key}: {tale}"
            assert (tale.count["opened"], tale.count["resolved"]) == (1, int(patient.healed)), f"{key}: {tale}"
            assert ("resolved_at" in incidents[key]) == patient.healed
    ill = {name for name, patient in patients.items() if patient.ills and not patient.healed}
    assert {item["sk"]["S"] for item in grounds.aws.items("problem")} & set(patients) == ill
    return repeated


@dataclass(frozen=True)
class Counted:
    """How many messages have gone in and were handled so far, and what has gone wrong."""

    sent: int
    handled: int
    struck: Counter[Kind]

    @classmethod
    def by(cls, grounds: Grounds) -> Counted:
        """Count now."""
        return cls(grounds.sent + grounds.proxy.sent, grounds.handled(), grounds.proxy.struck.copy())
