"""Who is watched under load: districts on hosts, which of them are broken, and what must be found of each.

What is wrong with a district is a scenario of `tests/scenarios`, with the cause that is expected there. Three hosts are sick as a
whole: one accepts connections and hangs, one refuses them, one answers a byte at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rosterwatch.cause import Scope
from rosterwatch.causes import CAUSES
from rosterwatch.visits import _REFUSALS
from tests.scenarios.scenario import Before, Scenario, Visit, scenarios
from tests.sis import KINDS

HANGING, REFUSING, DRIPPING = "hanging", "refusing", "dripping"
#: What breaks a whole host, and what is found of its districts.
SICK: Final = {
    HANGING: ("silent", "no_answer"),
    REFUSING: ("refuses", "unreachable_refused"),
    DRIPPING: ("drip_headers", "no_answer"),
}
#: Their hosts hold few districts: each of these visits takes until its deadline, and a test cannot wait for hundreds of them.
_DISTRICTS_OF: Final = {HANGING: 4, REFUSING: 20, DRIPPING: 3}


@dataclass(frozen=True)
class Broken:
    """One way to be broken. ``before_first_visit`` false: it was healthy once, and breaks after its first visit."""

    scenario: str
    before_first_visit: bool
    cause: str
    status: str


@dataclass(frozen=True)
class Watched:
    """One district on the host of a number. ``sick`` names what is wrong with its host, ``broken`` what is wrong with itself."""

    name: str
    host: int
    sick: str | None = None
    broken: Broken | None = None

    def cause(self, rounds: int) -> str | None:
        """What a visit in the round of this number must find; ``None``: nothing."""
        if self.sick:
            return SICK[self.sick][1]
        if self.broken is None or (rounds == 0 and not self.broken.before_first_visit):
            return None
        return self.broken.cause


@dataclass(frozen=True)
class Fleet:
    """All of them. ``hosts`` are the addresses; the first ones are sick."""

    districts: tuple[Watched, ...]
    hosts: tuple[str, ...]

    @property
    def well_hosts(self) -> tuple[Watched, ...]:
        """The districts whose host is not sick: the fleet of the run that sick hosts are left out of."""
        return tuple(one for one in self.districts if one.sick is None)

    def groups(self, rounds: int) -> dict[str, set[str]]:
        """The incidents that must be open after so many rounds, by group: the districts in each."""
        found: dict[str, set[str]] = {}
        for one in self.districts:
            cause = one.cause(rounds - 1)
            if cause is not None:
                of_host = CAUSES[cause].scope is Scope.HOST
                found.setdefault(f"host/{self.hosts[one.host]}" if of_host else f"district/{one.name}", set()).add(one.name)
        return found


def make(districts: int, hosts: int, broken: int, sick: Sequence[str] = tuple(SICK)) -> Fleet:
    """A fleet of which so many are broken, those on sick hosts among them."""
    names = [f"d{number:05}" for number in range(districts)]
    places: list[tuple[int, str]] = []
    for host, kind in enumerate(sick):
        places += [(host, kind)] * min(_DISTRICTS_OF[kind], max(2, broken // 3))
    cases = list(_cases())[: broken - len(places)]
    assert len(cases) == broken - len(places), f"there are only {len(cases)} ways to be broken"
    # Spread over the names, so that neither a host nor a part of a round gets more than its share of the broken ones.
    apart = districts // broken
    troubled = names[::apart][:broken]
    at_sick_hosts = dict(zip(troubled, places, strict=False))
    broken_alone = dict(zip(troubled[len(places) :], cases, strict=True))
    watched, well = [], 0
    for name in names:
        if name in at_sick_hosts:
            host, kind = at_sick_hosts[name]
            watched.append(Watched(name, host, sick=kind))
        else:
            watched.append(Watched(name, len(sick) + well % (hosts - len(sick)), broken=broken_alone.get(name)))
            well += 1
    # Addresses of their own on loopback, so that each counts as a host.
    return Fleet(tuple(watched), tuple(f"127.77.{number // 200}.{number % 200 + 1}" for number in range(hosts)))


def _cases() -> Iterator[Broken]:
    """Every scenario that may stand among others on a host, and is the same at each of many visits; each in turn, not by name."""
    usable = [one for one in scenarios() if _is_usable(one)]
    found = [
        Broken(one.name, not past, expected.cause, expected.status)
        for one in usable
        for past, expected in one.cases()
        if expected.cause != "healthy"
        and expected.at_once <= 4
        # A pair that was changed is compared with the one before, which a scenario alone does not do.
        and not (past and one.secret and expected.cause in _REFUSALS)
    ]
    third = -(-len(found) // 3)
    return (found[number] for start in range(third) for number in range(start, len(found), third))


def _is_usable(scenario: Scenario) -> bool:
    is_plain = scenario.visit == Visit() and scenario.before == Before() and scenario.calendar is None
    of_one_district = all(KINDS[str(fault["fault"])].level != "host" for fault in scenario.faults)
    at_every_visit = not any(name in fault for fault in scenario.faults for name in ("times", "skip", "retry_after"))
    # Ed-Fi's tokens are another host's, and the hosts here go by one address each.
    by_one_address = not str(scenario.district.get("dialect", "")).startswith("edfi")
    return is_plain and of_one_district and at_every_visit and by_one_address
