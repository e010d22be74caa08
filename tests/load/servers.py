"""The districts' servers: simulated SIS in processes of their own, since one core could not serve the whole fleet."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from tests.integration.test_scenarios import happen, secret_text, settle
from tests.load.fleet import DRIPPING, SICK, Fleet, Watched
from tests.scenarios.scenario import Scenario, scenarios
from tests.sis import SimulatedSis

_PROCESSES: Final = 4
_START_SECONDS: Final = 60
#: What a healthy server takes to answer. Without it no two requests would ever meet.
_ANSWER_SECONDS: Final = 0.05


@dataclass
class Servers:
    """All of them. ``ca`` holds the certificates of their authorities, ``secrets`` what is stored of each district at first."""

    ca: str
    secrets: dict[str, str]
    _pipes: Sequence[Connection]

    def break_more(self) -> dict[str, str]:
        """Break the districts that were healthy at their first visit. Returns the secrets that change with it."""
        return {name: text for told in self._ask("break") for name, text in told.items()}

    def seen(self) -> tuple[dict[str, int], list[str]]:
        """What they saw since the last call: the most requests at a time by host, and what should never be.

        That is a mistake of the simulation itself, or credentials that went to another host than their own.
        """
        told = self._ask("seen")
        return {host: many for most, _ in told for host, many in most.items()}, [one for _, wrong in told for one in wrong]

    def _ask(self, what: str) -> list[Any]:
        for pipe in self._pipes:
            pipe.send(what)
        return [pipe.recv() for pipe in self._pipes]


@contextlib.contextmanager
def serving(fleet: Fleet) -> Iterator[Servers]:
    """Start them, sick and broken as they are to be at the first visit."""
    context = multiprocessing.get_context("spawn")
    many = max(1, min(_PROCESSES, len(fleet.hosts) // 3))
    children, pipes = [], []
    try:
        for number in range(many):
            ours, theirs = context.Pipe()
            child = context.Process(target=_serve, args=(fleet, range(number, len(fleet.hosts), many), theirs), daemon=True)
            child.start()
            theirs.close()
            children.append(child)
            pipes.append(ours)
        told = []
        for pipe in pipes:
            if not pipe.poll(_START_SECONDS):
                raise TimeoutError("a simulated SIS did not start")
            told.append(pipe.recv())
        yield Servers("".join(ca for ca, _ in told), {name: text for _, texts in told for name, text in texts.items()}, pipes)
    finally:
        for pipe in pipes:
            pipe.close()  # tells them to end
        for child in children:
            child.join(20)
            if child.is_alive():
                child.kill()
                child.join()


@cache
def _scenarios() -> dict[str, Scenario]:
    return {one.name: one for one in scenarios()}


def _serve(fleet: Fleet, hosts: range, pipe: Connection) -> None:
    """One process: the hosts of these numbers."""
    local = {number: position for position, number in enumerate(hosts)}
    ours = [one for one in fleet.districts if one.host in local]
    with SimulatedSis([], addresses=[fleet.hosts[number] for number in hosts]) as sis:
        texts = {one.name: _settle(sis, one, local[one.host]) for one in ours}
        for one in ours:
            if one.sick == DRIPPING:
                sis.district(one.name).fail(SICK[DRIPPING][0])
            elif one.sick and sis.hosts[local[one.host]].fault is None:
                sis.hosts[local[one.host]].fail(SICK[one.sick][0])
        pipe.send((Path(sis.ca_file).read_text(encoding="ascii"), texts))
        with contextlib.suppress(EOFError):
            while True:
                pipe.send(_break(sis, ours, texts) if pipe.recv() == "break" else _seen(sis, fleet, hosts))


def _settle(sis: SimulatedSis, one: Watched, host: int) -> str:
    """Add a district, broken if it is so from the beginning. Returns its secret."""
    if one.broken is None:
        district = sis.add_district(one.name, host=host)
        if one.sick is None:
            district.fail("slow", seconds=_ANSWER_SECONDS)
        return secret_text(district, {}, district.credentials)
    scenario = _scenarios()[one.broken.scenario]
    district = settle(sis, one.name, replace(scenario, district={**scenario.district, "host": host}))
    stored = district.credentials
    if not one.broken.before_first_visit:
        return secret_text(district, {}, stored)
    happen(district, scenario)
    return secret_text(district, scenario.secret, stored)


def _break(sis: SimulatedSis, ours: Sequence[Watched], texts: dict[str, str]) -> dict[str, str]:
    changed = {}
    for one in ours:
        if one.broken is not None and not one.broken.before_first_visit:
            scenario, district = _scenarios()[one.broken.scenario], sis.district(one.name)
            stored = district.credentials
            happen(district, scenario)
            text = secret_text(district, scenario.secret, stored)
            if text != texts[one.name]:
                changed[one.name] = texts[one.name] = text
    return changed


def _seen(sis: SimulatedSis, fleet: Fleet, hosts: range) -> tuple[dict[str, int], list[str]]:
    most = {fleet.hosts[number]: 0 for number in hosts}
    by_name = {sis.hosts[position].name: fleet.hosts[number] for position, number in enumerate(hosts)}
    for seen in sis.ledger.requests():
        if seen.host in by_name:
            most[by_name[seen.host]] = max(most[by_name[seen.host]], seen.at_once)
    wrong = [repr(one) for one in sis.problems] + [f"strayed: {one.line}" for one in sis.ledger.strayed(sis.owners)]
    sis.ledger.reset()
    return most, wrong
