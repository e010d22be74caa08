"""A batch of visits: gather what is known, probe the districts side by side, decide, apply. One district's trouble is its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from rosterwatch.case import Known
from rosterwatch.causes import NETWORK
from rosterwatch.client import Network, can_reach
from rosterwatch.diagnosis import blinded, diagnose
from rosterwatch.district import District, SecretFault, SecretTrouble, looks_like_certificate, parse_secret
from rosterwatch.finding import Diagnosis
from rosterwatch.fingerprint import fingerprint, same_pair
from rosterwatch.health import APART, Lesson, Policy, State, Transition, advance, wants_second_look
from rosterwatch.observation import CollectionState, Observation
from rosterwatch.probe import VISIT_SECONDS, probe
from rosterwatch.queue import Visit, VisitQueue
from rosterwatch.secrets import SecretStore, SecretValue
from rosterwatch.sight import SIGHT, Sight
from rosterwatch.snapshot import snapshot
from rosterwatch.state import StateError, StateStore

#: Districts visited at a time. More only starve each other of CPU and invent slow districts (performance section 5).
SIDE_BY_SIDE: Final = 10
#: A visit is not begun with less time than this; its message comes back instead.
LEAST_SECONDS: Final = 8.0
_LONGEST_RETRY_AFTER: Final = timedelta(hours=6)
_WRITE_TRIES: Final = 3
_REFUSALS: Final = frozenset(
    {
        "credentials_revoked",
        "credentials_wrong",
        "credentials_rotated_badly",
        "credentials_expired",
        "certificate_in_consumer_field",
        "client_not_allowed",
    }
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one district's visit. ``done`` false: its messages must come back."""

    district: str
    done: bool
    diagnosis: Diagnosis | None = None
    transition: Transition | None = None
    milliseconds: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One district as it was seen at ``at``, and the verdict; not yet stored."""

    name: str
    state: State | None
    value: SecretValue | SecretFault
    seen: Observation | SecretFault
    known: Known
    diagnosis: Diagnosis
    at: datetime

    @property
    def reached_nobody(self) -> bool:
        """Whether the visit failed at the network, as it would if the fault were ours."""
        return self.diagnosis.primary is not None and self.diagnosis.primary.cause.name in NETWORK


@dataclass
class Round:
    """Everything a batch needs from outside. ``remaining`` tells the seconds left.

    ``key`` is the fingerprint key, ``None`` if it may not be read.
    ``control_url`` is asked whether anything at all can be reached, when a batch has reached nobody; empty: never.
    ``try_previous``: on a refusal of a pair that never worked, try the pair stored before it, once.
    """

    secrets: SecretStore
    states: StateStore
    queue: VisitQueue
    key: Callable[[], bytes | None]
    now: Callable[[], datetime]
    remaining: Callable[[], float]
    new_network: Callable[[], Network]
    second_look_seconds: int = 60
    reserve_seconds: float = 10.0
    sight: Sight | None = None
    control_url: str = ""
    try_previous: bool = True
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
        looks = await asyncio.gather(*(self._guarded(name, self._look(name, network, places)) for name in names))
        seen = [look for look in looks if isinstance(look, Look)]
        blind = await self._is_blind(seen, network)
        stored = await asyncio.gather(*(self._guarded(look.name, self._store(look, blind=blind)) for look in seen))
        return [one for one in (*looks, *stored) if isinstance(one, Outcome)]

    async def _guarded(self, name: str, doing: Awaitable[T]) -> T | Outcome:
        try:
            return await doing
        except Exception as error:  # noqa: BLE001 - our own fault with one district must not cost the others theirs
            # The type only: a message could carry what the exception was about.
            return Outcome(name, done=False, problem=type(error).__name__)

    def look_once(self, district: str) -> Look | Outcome:
        """Visit one district as ``run`` does, whatever its host has asked for, and store nothing. Raises what AWS raises."""
        self._values = {district: self.secrets.read_one(district)}
        self._states = self.states.read([district])
        state = self._states.get(district)
        if isinstance(state, State):
            self._states = {district: replace(state, not_before=None)}

        async def look() -> Look | Outcome:
            return await self._look(district, self.new_network(), asyncio.Semaphore(1))

        return asyncio.run(look())

    # -- looking --------------------------------------------------------------------------------------------------------------

    async def _look(self, name: str, network: Network, places: asyncio.Semaphore) -> Look | Outcome:
        async with places:
            state = self._states.get(name)
            if isinstance(state, StateError):
                return Outcome(name, done=False, problem=f"the stored state is {state}")
            if state is not None and state.not_before is not None and state.not_before > self.now():
                return Outcome(name, done=True, problem="left alone, as its host has asked")
            look = await self._visit(name, self._values[name], state, network)
            if isinstance(look, Look) and _is_refusal(look.diagnosis):
                fresh = await asyncio.to_thread(self.secrets.read_one, name)
                if _version(fresh) != _version(look.value):  # rotated while we were looking
                    look = await self._visit(name, fresh, state, network)
            if isinstance(look, Look) and _is_refusal(look.diagnosis):
                look = await self._compared_with_previous(look, network)
            if isinstance(look, Look) and isinstance(look.seen, Observation) and look.seen.starved:
                return Outcome(name, done=False, problem="waited in vain for a turn at its host")
            return look

    async def _visit(self, name: str, value: SecretValue | SecretFault, state: State | None, network: Network) -> Look | Outcome:
        district = value if isinstance(value, SecretFault) else parse_secret(name, value.text)
        known = await asyncio.to_thread(self._known, name, value, district, state)
        if isinstance(district, SecretFault):
            return Look(name, state, value, district, known, diagnose(district, known), self.now())
        seconds = self._seconds()
        if seconds < LEAST_SECONDS:
            return Outcome(name, done=False, problem="no time left")
        seen = await probe(district, network, dialect_hint=state.dialect if state else None, seconds=seconds, now=self.now)
        return Look(name, state, value, seen, known, diagnose(seen, known), self.now())

    def _seconds(self) -> float:
        return min(VISIT_SECONDS, self.remaining() - self.reserve_seconds)

    async def _compared_with_previous(self, look: Look, network: Network) -> Look:
        """The look, with what is known of the pair stored before this one: does that one still work? Asked once, not every time."""
        if not self.try_previous or look.known.pair_worked or not isinstance(look.seen, Observation):
            return look
        told = look.state.cause if look.state is not None and not _is_newer(look.value, look.state.visited_at) else None
        if told in _REFUSALS:  # what the first refusal of this pair has found stands
            known = replace(look.known, previous_works=True if told == "credentials_rotated_badly" else None)
            return replace(look, known=known, diagnosis=diagnose(look.seen, known))
        value = await asyncio.to_thread(self.secrets.read_one, look.name, "AWSPREVIOUS")
        current = parse_secret(look.name, look.value.text) if isinstance(look.value, SecretValue) else None
        previous = parse_secret(look.name, value.text) if isinstance(value, SecretValue) else None
        if not isinstance(previous, District) or not isinstance(current, District) or self._seconds() < LEAST_SECONDS:
            return look
        if previous.credentials == current.credentials:
            return look
        # One token and one record tell; the server is the current one, so that a moved district is not visited where it was.
        small = replace(current, credentials=previous.credentials, required=current.required[:1], optional=())
        seen = await probe(small, network, seconds=self._seconds(), now=self.now)
        known = replace(look.known, previous_works=seen.token is not None and seen.token.granted)
        return replace(look, known=known, diagnosis=diagnose(look.seen, known))

    async def _is_blind(self, looks: Sequence[Look], network: Network) -> bool:
        """Whether our own network is down. The control page is asked when a batch has reached nobody, and until it is up."""
        visited = [look for look in looks if isinstance(look.seen, Observation)]
        if self.sight is None or not visited:
            return False
        noted = await asyncio.to_thread(self.sight.noted)
        nobody = all(look.reached_nobody for look in visited)
        if self.control_url and (nobody or SIGHT in noted) and not await can_reach(self.control_url, network):
            await asyncio.to_thread(self.sight.lost, self.now())
            return True
        if SIGHT in noted and (self.control_url or not nobody):
            await asyncio.to_thread(self.sight.regained)
            noted -= {SIGHT}
        return bool(noted)

    def _known(self, name: str, value: SecretValue | SecretFault, district: District | SecretFault, state: State | None) -> Known:
        secret = self.secrets.name_of(name)
        if isinstance(district, SecretFault):
            return Known(secret)
        worked: bool | None = None
        if state is not None:
            current = self._fingerprint(district) if state.pair else None
            worked = (same_pair(state.pair, current) if current else None) if state.pair else False
        return Known(
            secret,
            pair_worked=worked,
            pair_worked_at=state.pair_worked_at if state else None,
            secret_changed_at=value.changed_at if isinstance(value, SecretValue) else None,
            baseline=state.baseline if state else {},
            terms=state.terms if state else (),
            looks_like_certificate=looks_like_certificate(district),
        )

    def _fingerprint(self, district: District) -> str | None:
        key = self.key()
        return fingerprint(key, district.credentials) if key is not None else None

    # -- storing --------------------------------------------------------------------------------------------------------------

    async def _store(self, look: Look, *, blind: bool) -> Outcome:
        if blind and look.reached_nobody:
            look = replace(look, diagnosis=blinded(look.diagnosis, look.known, look.name))
        return await asyncio.to_thread(self._apply, look, self._lesson(look))

    def _lesson(self, look: Look) -> Lesson:
        if isinstance(look.seen, SecretFault) or not isinstance(look.value, SecretValue):
            return Lesson()
        district = parse_secret(look.name, look.value.text)
        token = look.seen.token
        granted = token is not None and token.granted
        waits = [exchange.retry_after for exchange in look.seen.exchanges() if exchange.retry_after]
        return Lesson(
            pair=self._fingerprint(district) if granted and isinstance(district, District) else None,
            dialect=token.dialect if token else None,
            host=look.seen.host,
            totals={c.name: c.total for c in look.seen.collections if c.state is CollectionState.OK and c.total is not None},
            terms=look.seen.terms,
            not_before=look.at + min(timedelta(seconds=max(waits)), _LONGEST_RETRY_AFTER) if waits else None,
            snapshot=snapshot(look.seen),
        )

    def _apply(self, look: Look, lesson: Lesson) -> Outcome:
        name, state, now = look.name, look.state, look.at
        if state is None and isinstance(look.seen, SecretFault) and look.seen.trouble is SecretTrouble.MISSING:
            # It was never seen, or was removed while its visit was under way: there is nothing to watch.
            return Outcome(name, done=True, diagnosis=look.diagnosis)
        for _ in range(_WRITE_TRIES):
            after, transition = advance(state, name, look.diagnosis, lesson, now, self._policy())
            if self.states.write(after, transition):
                break
            reread = self.states.read([name]).get(name)
            if reread is None and state is not None:
                return Outcome(name, done=True, problem="it was removed meanwhile")
            if isinstance(reread, StateError):
                return Outcome(name, done=False, problem=f"the stored state is {reread}")
            if reread is not None and reread.visited_at >= now:
                return Outcome(name, done=True, problem="a later visit has already been stored")
            state = reread
        else:
            return Outcome(name, done=False, problem="the state kept changing")
        if wants_second_look(after):
            self.queue.send([Visit(name, "second_look", self._second_look_delay(after, now))])
        milliseconds = look.seen.milliseconds if isinstance(look.seen, Observation) else 0
        return Outcome(name, done=True, diagnosis=look.diagnosis, transition=transition, milliseconds=milliseconds)

    def _policy(self) -> Policy:
        return Policy(apart=min(APART, timedelta(seconds=self.second_look_seconds / 2)))

    def _second_look_delay(self, state: State, now: datetime) -> int:
        waits = (state.not_before - now).total_seconds() if state.not_before else 0.0
        return max(self.second_look_seconds, int(waits) + 1 if waits > 0 else 0)


def _is_refusal(diagnosis: Diagnosis) -> bool:
    return diagnosis.primary is not None and diagnosis.primary.cause.name in _REFUSALS


def _is_newer(value: SecretValue | SecretFault, than: datetime) -> bool:
    return isinstance(value, SecretValue) and value.changed_at is not None and value.changed_at > than


def _version(value: SecretValue | SecretFault) -> str | None:
    return value.version if isinstance(value, SecretValue) else None
