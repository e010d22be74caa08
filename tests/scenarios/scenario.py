"""One scenario: a file that says what happened to a district and what the monitor must make of it.

A file may hold, all of it data:

    rows        the rows of the table of failure modes that it covers
    story       what happened, in a sentence
    past        `none` or `healthy`; without it the scenario runs both ways, and the past must not change the answer
                unless `[after_past]` says how
    [district]  how the district is all along: `dialect` (of Aeries, or a name of `tests.sis.PRODUCTS`), `students`, `settings`
    [before]    the time of the healthy past, if it matters: `at`, `calendar`, `secret`
    admin       what the administrator did: lists of a verb of `tests.sis.admin.Admin`, its arguments and a table of options
    calendar    the school year, as a name of `tests.sis.school_year.CALENDARS` or as dates
    faults      what is broken: faults of `tests.sis` and their parameters
    [secret]    what differs in the stored secret; `text` replaces it, `without` lists fields to leave out
    [visit]     what differs in the visit: `at`, `seconds`, timeouts, `dns`, what is allowed
    [expect]    `cause` and `status`, exactly; `also`, the other causes, and `maybe`, those that chance decides on; the
                `collections` concerned; `words` that the alert must hold and `never` must not; `tokens` and `data`, how
                many requests of that phase were sent; `at_once`, how many the host may see at a time: more than four
                only where an answer is given up that the host is still busy with
    [after_past]  what of that is different for a district that was healthy before
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Expected:
    """What must come out."""

    cause: str
    status: str
    also: tuple[str, ...] = ()
    collections: tuple[str, ...] | None = None
    words: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()
    tokens: int | None = None
    data: int | None = None
    at_once: int = 4


@dataclass(frozen=True)
class Visit:
    """How the visit differs from a usual one. `dns` is one of `not_found`, `failing`, `no_route`, `private`, `metadata`."""

    at: Any = None
    seconds: float = 30.0
    connect_seconds: float = 5.0
    request_seconds: float = 10.0
    slow_seconds: float | None = None
    dns: str | None = None
    allow_private: bool = True
    allow_http: bool = False
    previous: bool = False  # try the pair that was stored before, as the pipeline does after a change


@dataclass(frozen=True)
class Before:
    """The healthy past, where it needs to be told."""

    at: Any = None
    calendar: Any = None
    secret: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    name: str
    story: str
    expect: Expected
    after_past: Expected
    rows: tuple[int, ...] = ()
    past: str = "both"
    district: dict[str, Any] = field(default_factory=dict)
    before: Before = Before()
    admin: tuple[tuple[Any, ...], ...] = ()
    calendar: Any = None
    faults: tuple[dict[str, Any], ...] = ()
    secret: dict[str, Any] = field(default_factory=dict)
    visit: Visit = Visit()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read one file. A key that means nothing is a mistake, not a comment."""
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        expect = _expected(told.pop("expect"))
        after = _expected(told.pop("after_past", {}), expect)
        told["admin"] = tuple(tuple(act) for act in told.get("admin", ()))
        told["faults"] = tuple(told.get("faults", ()))
        told["rows"] = tuple(told.get("rows", ()))
        told["visit"] = Visit(**told.get("visit", {}))
        told["before"] = Before(**told.get("before", {}))
        return cls(name=path.stem, expect=expect, after_past=after, **told)

    def cases(self) -> Iterator[tuple[bool, Expected]]:
        """Whether there is a healthy past, and what is expected then."""
        if self.past not in ("both", "none", "healthy"):
            raise ValueError(f"{self.name}: past is none or healthy, not {self.past}")
        if self.past != "healthy":
            yield False, self.expect
        if self.past != "none":
            yield True, self.after_past


def scenarios() -> list[Scenario]:
    """All of them, by name."""
    return [Scenario.read(path) for path in sorted(FOLDER.glob("*.toml"))]


def _expected(told: dict[str, Any], base: Expected | None = None) -> Expected:
    known = {one.name for one in fields(Expected)}
    if unknown := set(told) - known:
        raise ValueError(f"nothing is expected by the name {', '.join(sorted(unknown))}")
    lists: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    return replace(base, **lists) if base else Expected(**lists)
