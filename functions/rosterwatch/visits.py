"""A batch of visits: gather what is known, probe the districts side by side, decide, apply. One district's trouble is its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from rosterwatch.client import Network
from rosterwatch.diagnosis import Diagnosis, Known, diagnose
from rosterwatch.district import District, SecretFault, looks_like_certificate, parse_secret
from rosterwatch.fingerprint import fingerprint, same_pair
from rosterwatch.health import Lesson, State, Transition, advance, wants_second_look
from rosterwatch.observation import CollectionState, Observation
from rosterwatch.probe import VISIT_SECONDS, probe
from rosterwatch.queue import Visit, VisitQueue
from rosterwatch.secrets import SecretStore, SecretValue
from rosterwatch.state import StateError, StateStore

#: Districts visited at a time. More only starve each other of CPU and invent slow districts (performance section 5).
SIDE_BY_SIDE: Final = 10
#: A visit is not begun with less time than this; its message comes back instead.
LEAST_SECONDS: Final = 8.0
_LONGEST_RETRY_AFTER: Final = timedelta(hours=6)
_WRITE_TRIES: Final = 3
_REFUSALS: Final = frozenset({"credentials_revoked", "credentials_wrong", "certificate_in_consumer_field", "client_not_allowed"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one district's visit. ``done`` false: its messages must come back."""

    district: str
    done: bool
    diagnosis: Diagnosis | None = None
    transition: Transition | None = None
    milliseconds: int = 0
    problem: str | None = None


@dataclass
class Round:
    """Everything a batch needs from outside. ``remaining`` tells the seconds left; ``key`` is the fingerprint key."""

    secrets: SecretStore
    states: StateStore
    queue: VisitQueue
    key: Callable[[], bytes]
    now: Callable[[], datetime]
    remaining: Callable[[], float]
    new_network: Callable[[], Network]
    second_look_seconds: int = 60
    reserve_seconds: float = 10.0
    _values: Mapping[str, SecretValue | SecretFault] = field(default_factory=dict)
    _states: Mapping[str, State | StateError] = field(default_factory=dict)

    def run(self, districts: Sequence[str]) -> list[Outcome]:
        """Visit each district once and store what came of it. Raises only if AWS itself fails before any visit."""
        names = list(dict.fromkeys(districts))
        self._values = self.secrets.read(names)
        self._states = self.states.read(names)
        return asyncio.run(self._all(names))

    async def _all(self, names: list[str]) -> list[Outcome]:
        network = self.new_network()
        places = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(name: str) -> Outcome:
            async with places:
                try:
                    return await self._visit(name, network)
                except Exception as error:  # noqa: BLE001 - our own fault with one district must not cost the others theirs
                    # The type only: a message could carry what the exception was about.
                    return Outcome(name, done=False, problem=type(error).__name__)

        return list(await asyncio.gather(*(one(name) for name in names)))

    async def _visit(self, name: str, network: Network) -> Outcome:
        state = self._states.get(name)
        if isinstance(state, StateError):
            return Outcome(name, done=False, problem=f"the stored state is {state}")
        now = self.now()
        if state is not None and state.not_before is not None and state.not_before > now:
            return Outcome(name, done=True, problem="left alone, as its host has asked")
        value = self._values[name]
        seen, known = await self._look(name, value, state, network)
        if seen is None:
            return Outcome(name, done=False, problem="no time left")
        diagnosis = diagnose(seen, known)
        if diagnosis.primary and diagnosis.primary.cause.name in _REFUSALS:
            fresh = await asyncio.to_thread(self.secrets.read_one, name)
            if _version(fresh) != _version(value):  # rotated while we were looking
                seen, known = await self._look(name, fresh, state, network)
                if seen is None:
                    return Outcome(name, done=False, problem="no time left")
                value, diagnosis = fresh, diagnose(seen, known)
        if isinstance(seen, Observation) and seen.starved:
            return Outcome(name, done=False, problem="waited in vain for a turn at its host")
        lesson = self._lesson(name, value, seen, self.now())
        return await asyncio.to_thread(self._apply, name, state, diagnosis, lesson, seen)

    async def _look(
        self, name: str, value: SecretValue | SecretFault, state: State | None, network: Network
    ) -> tuple[Observation | SecretFault | None, Known]:
        district = value if isinstance(value, SecretFault) else parse_secret(name, value.text)
        known = await asyncio.to_thread(self._known, name, value, district, state)
        if isinstance(district, SecretFault):
            return district, known
        seconds = min(VISIT_SECONDS, self.remaining() - self.reserve_seconds)
        if seconds < LEAST_SECONDS:
            return None, known
        hint = state.dialect if state else None
        return await probe(district, network, dialect_hint=hint, seconds=seconds, now=self.now), known

    def _known(self, name: str, value: SecretValue | SecretFault, district: District | SecretFault, state: State | None) -> Known:
        secret = self.secrets.name_of(name)
        if isinstance(district, SecretFault):
            return Known(secret)
        worked: bool | None = None
        if state is not None:
            worked = same_pair(state.pair, fingerprint(self.key(), district.credentials)) if state.pair else False
        return Known(
            secret,
            pair_worked=worked,
            pair_worked_at=state.pair_worked_at if state else None,
            secret_changed_at=value.changed_at if isinstance(value, SecretValue) else None,
            baseline=state.baseline if state else {},
            looks_like_certificate=looks_like_certificate(district),
        )

    def _lesson(self, name: str, value: SecretValue | SecretFault, seen: Observation | SecretFault, now: datetime) -> Lesson:
        if isinstance(seen, SecretFault) or not isinstance(value, SecretValue):
            return Lesson()
        district = parse_secret(name, value.text)
        granted = seen.token is not None and seen.token.granted
        waits = [exchange.retry_after for exchange in seen.exchanges() if exchange.retry_after]
        return Lesson(
            pair=fingerprint(self.key(), district.credentials) if granted and isinstance(district, District) else None,
            dialect=seen.token.dialect if seen.token else None,
            host=seen.host,
            totals={c.name: c.total for c in seen.collections if c.state is CollectionState.OK and c.total is not None},
            not_before=now + min(timedelta(seconds=max(waits)), _LONGEST_RETRY_AFTER) if waits else None,
        )

    def _apply(
        self, name: str, state: State | None, diagnosis: Diagnosis, lesson: Lesson, seen: Observation | SecretFault
    ) -> Outcome:
        now = self.now()
        for _ in range(_WRITE_TRIES):
            after, transition = advance(state, name, diagnosis, lesson, now)
            if self.states.write(after, transition):
                break
            reread = self.states.read([name]).get(name)
            if isinstance(reread, StateError):
                return Outcome(name, done=False, problem=f"the stored state is {reread}")
            if reread is not None and reread.visited_at >= now:
                return Outcome(name, done=True, problem="a later visit has already been stored")
            state = reread
        else:
            return Outcome(name, done=False, problem="the state kept changing")
        if wants_second_look(after):
            self.queue.send([Visit(name, "second_look", self._second_look_delay(after, now))])
        milliseconds = seen.milliseconds if isinstance(seen, Observation) else 0
        return Outcome(name, done=True, diagnosis=diagnosis, transition=transition, milliseconds=milliseconds)

    def _second_look_delay(self, state: State, now: datetime) -> int:
        waits = (state.not_before - now).total_seconds() if state.not_before else 0.0
        return max(self.second_look_seconds, int(waits) + 1 if waits > 0 else 0)


def _version(value: SecretValue | SecretFault) -> str | None:
    return value.version if isinstance(value, SecretValue) else None
