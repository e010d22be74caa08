"""All that an object says of itself, and all that it holds, as a log line, a debugger or a crash report would show it."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any

_LEAVES = (str, bytes, int, float, complex, date, enum.Enum, type, type(None))


def told_by(thing: Any) -> Iterator[str]:
    """`repr` and `str` of an object, and of everything of ours that can be reached from it.

    Whatever a dataclass hides from its `repr` it has to hold somewhere: plain values in such fields are left out, and objects
    in them are asked themselves.
    """
    yield from dict.fromkeys(_told(thing, set()))


def _told(thing: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(thing, _LEAVES) or id(thing) in seen:
        return
    seen.add(id(thing))
    yield repr(thing)
    yield str(thing)
    if isinstance(thing, BaseException):
        for next_one in (*thing.args, thing.__cause__, thing.__context__, *getattr(thing, "__notes__", ())):
            yield from _told(next_one, seen)
    for part in _parts(thing):
        yield from _told(part, seen)


def _parts(thing: Any) -> Iterator[Any]:
    if isinstance(thing, Mapping):
        yield from thing.keys()
        yield from thing.values()
    elif isinstance(thing, Collection):
        yield from thing
    elif dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            value = getattr(thing, field.name)
            if field.repr or not isinstance(value, Collection):
                yield value
    elif type(thing).__module__.partition(".")[0] == "rosterwatch" and hasattr(thing, "__dict__"):
        yield from vars(thing).values()
