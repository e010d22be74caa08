"""Faults as data: a name, where it strikes, how often, and its parameters, so that a scenario file can name one.

    Fault.named("status", phase="data", collection="enrollments", status=503, body="app_offline")
    Fault.named("bearer_refused", times=1)
    Fault.named("refuses")                      # the whole host

A kind belongs to one level. `exchange` kinds replace an honest answer (`answers.py`), or bend it or the world it tells
of (`bends.py`). `wire` kinds break the bytes of one answer, `host` kinds the listener itself (`wire.py`); both are served
by a bare socket in place of hypercorn, over HTTP/1.1.

Every fault takes, beside its own parameters: `phase` (token, data, systeminfo, certificate, other, any), `collection`,
`times` (how many requests it strikes, None for all) and `skip` (how many it lets pass first).
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from tests.sis.dialect import PHASES, Place, World
from tests.sis.exchange import Answer, Request

if TYPE_CHECKING:
    from tests.sis.district import District


@dataclass(frozen=True)
class Kind:
    """A sort of fault: what it does, to what, and its parameters with their defaults."""

    name: str
    level: str  # exchange, wire, host
    action: str  # replace, bend, world, wire, host
    phase: str  # where it strikes unless told otherwise
    run: Callable[..., Any]
    parameters: dict[str, object]
    explanation: str

    def check(self, given: dict[str, object]) -> None:
        for name, value in given.items():
            if name not in self.parameters:
                there_are = ", ".join(self.parameters) or "none"
                raise ValueError(f"the fault {self.name} has no parameter {name!r}; there are {there_are}")
            default = self.parameters[name]
            fits = isinstance(value, (int, float) if isinstance(default, float) else type(default))
            if default is not None and (not fits or (isinstance(value, bool) and not isinstance(default, bool))):
                raise ValueError(f"the parameter {name} of {self.name} is a {type(default).__name__}, not {value!r}")


KINDS: dict[str, Kind] = {}

Function = TypeVar("Function", bound=Callable[..., Any])


def kind(action: str, phase: str = "any") -> Callable[[Function], Function]:
    """Enter a function into `KINDS` under its name; its keyword-only parameters become the fault's."""

    def enter(function: Function) -> Function:
        signature = inspect.signature(function)
        parameters = {name: one.default for name, one in signature.parameters.items() if one.kind is inspect.Parameter.KEYWORD_ONLY}
        level = action if action in ("wire", "host") else "exchange"
        explanation = (inspect.getdoc(function) or "").partition("\n")[0]
        KINDS[function.__name__] = Kind(function.__name__, level, action, phase, function, parameters, explanation)
        return function

    return enter


@dataclass(frozen=True)
class Fault:
    """One fault. Build it with `named`, which checks every word."""

    name: str
    phase: str = "any"
    collection: str | None = None
    times: int | None = None
    skip: int = 0
    parameters: dict[str, object] = field(default_factory=dict)

    @classmethod
    def named(
        cls,
        name: str,
        /,
        *,
        phase: str | None = None,
        collection: str | None = None,
        times: int | None = None,
        skip: int = 0,
        **parameters: object,
    ) -> "Fault":
        """The fault of that name; ValueError says which names and parameters there are."""
        if name not in KINDS:
            raise ValueError(f"no fault is called {name!r}; there are {', '.join(sorted(KINDS))}")
        KINDS[name].check(parameters)
        # A fault of one collection strikes data, whatever its kind's usual place.
        where = phase or ("data" if collection else KINDS[name].phase)
        if where not in (*PHASES, "any"):
            raise ValueError(f"no phase is called {where!r}; there are {', '.join(PHASES)} and any")
        return cls(name, where, collection, times, skip, parameters)

    @classmethod
    def from_json(cls, words: Mapping[str, Any]) -> "Fault":
        """The same from one JSON object, its name under `fault`: `{"fault": "slow", "phase": "token", "seconds": 2}`."""
        others = dict(words)
        return cls.named(others.pop("fault"), **others)

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    @property
    def level(self) -> str:
        return self.kind.level

    @property
    def action(self) -> str:
        return self.kind.action

    def parameter(self, name: str) -> Any:
        return self.parameters.get(name, self.kind.parameters[name])

    def strikes(self, place: Place) -> bool:
        return self.phase in ("any", place.phase) and self.collection in (None, place.collection)


_HONEST = World()


@dataclass(frozen=True)
class Case:
    """One request under faults."""

    request: Request
    place: Place
    district: "District"
    world: World = _HONEST

    def honest(self, request: Request | None = None) -> Answer:
        """The answer without faults (but of this world), to this request or to another."""
        return self.district.dialect.answer(request or self.request, self.place, self.district, self.world)


class Faults:
    """The faults of one district, in the order they were added."""

    def __init__(self) -> None:
        self._active: tuple[Fault, ...] = ()
        self._struck: dict[int, int] = {}  # by identity: equal faults, added twice, are counted apart

    @property
    def active(self) -> tuple[Fault, ...]:
        return self._active

    @property
    def on_the_wire(self) -> bool:
        return any(fault.level == "wire" for fault in self._active)

    def add(self, fault: Fault) -> None:
        self._active = (*self._active, replace(fault))

    def clear(self) -> None:
        self._active = ()
        self._struck = {}

    def answer(self, case: Case) -> Answer:
        """The honest answer with every fault applied that strikes here.

        1. Faults of the world change what there is to tell.
        2. The first replacement speaks instead of the dialect.
        3. What bends, bends in the order it was added. The first fault of the wire is left to the socket.
        """
        near = [fault for fault in self._active if fault.strikes(case.place)]
        for fault in near:
            if fault.action == "world" and self._turn(fault):
                case = replace(case, world=fault.kind.run(case.world, **fault.parameters))
        # `next` stops at the first, so that a fault waiting behind it is not used up.
        replacing = next((fault for fault in near if fault.action == "replace" and self._turn(fault)), None)
        answer: Answer = replacing.kind.run(case, **replacing.parameters) if replacing else case.honest()
        for fault in near:
            if fault.action == "bend" and self._turn(fault):
                answer = fault.kind.run(answer, case, **fault.parameters)
        wire = next((fault for fault in near if fault.action == "wire" and self._turn(fault)), None)
        return replace(answer, wire=wire) if wire else answer

    def _turn(self, fault: Fault) -> bool:
        """Count a request; say whether the fault's turn has come and is not over."""
        count = self._struck[id(fault)] = self._struck.get(id(fault), 0) + 1
        return count > fault.skip and (fault.times is None or count <= fault.skip + fault.times)
