"""Builders of states and rows as the dashboard shows them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rosterwatch.causes import CAUSES
from rosterwatch.finding import Status
from rosterwatch.health import State
from rosterwatch.markup import Frame
from rosterwatch.matrix import Row, make_row
from rosterwatch.mute import Mute

NOW: Final = datetime(2026, 10, 6, 14, 5, tzinfo=UTC)
STALE: Final = timedelta(minutes=45)
ARN: Final = "arn:aws:lambda:us-east-1:123456789012:function:rosterwatch-render-dashboard"
FRAME: Final = Frame(NOW, dark=False, endpoint=ARN, secret_prefix="rosterwatch/")

IN_ORDER: Final = "KKKKKKKkKKKKKKk"
#: What a visit leaves behind, by the cause it found.
FOUND: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "credentials_revoked": ("DDKUUUUuUUUUUUu", ()),
    "permission_missing": ("KKKKKKKkKDKKKDk", ("classes", "enrollments")),
    "certificate_expiring": ("KKSKKKKkKKKKKKk", ()),
    "unreachable_timeout": ("U-UUUUUuUUUUUUu", ()),
    "everything_empty": ("KKKEEEEeEEEEEEe", ("orgs", "schools", "users", "classes")),
    "slow": ("KKKKKKKkKKKKKKk", ("users",)),
}


def state(name: str = "springfield", cause: str | None = None, **different: Any) -> State:
    """A district's state after many visits; healthy without a cause."""
    cells, concerned = FOUND.get(cause or "", (IN_ORDER, ()))
    status = Status.HEALTHY
    if cause:
        status = Status.FAILING if CAUSES[cause].severity.word == "page" else Status.DEGRADED
    facts: dict[str, Any] = {
        "since": NOW - timedelta(hours=3),
        "visited_at": NOW - timedelta(minutes=4),
        "status": status,
        "cause": cause,
        "opened_at": NOW - timedelta(hours=3) if cause else None,
        "concerned": concerned,
        "last_good_at": NOW - timedelta(hours=4),
        "pair_worked_at": NOW - timedelta(hours=4),
        "host": "sis.example.org",
        "baseline": {"students": 4321},
        "provider": "aeries",
        "cells": cells,
        "tls_until": "2027-03-01",
        "durations": (1200, 1500, 1300),
        "counts": (9000, 0, 9010),
        "version": 3,
    }
    return State(name, **{**facts, **different})


def row(name: str = "springfield", cause: str | None = None, *, mutes: tuple[Mute, ...] = (), **different: Any) -> Row:
    return make_row(name, state(name, cause, **different), mutes, (), NOW, STALE)


def fleet(districts: int, broken: int, now: datetime = NOW) -> list[State]:
    """A fleet in which some districts are broken, in many ways and for as many times; the same at each call."""
    chance, causes = random.Random(6), list(FOUND)
    states = []
    for number in range(districts):
        cause = causes[number % len(causes)] if number < broken else None
        states.append(
            state(
                f"district-{number:04}",
                cause,
                since=now - timedelta(minutes=chance.randrange(5, 9000)),
                opened_at=now - timedelta(minutes=chance.randrange(5, 9000)) if cause else None,
                visited_at=now - timedelta(minutes=chance.randrange(1, 14)),
                last_good_at=now - timedelta(minutes=chance.randrange(15, 9000)),
                pair_worked_at=now - timedelta(minutes=chance.randrange(15, 9000)),
                host=f"sis{number % 9}.example.org",
                durations=tuple(chance.randrange(1200, 2600) for _ in range(20)),
                counts=tuple(24_100 + chance.randrange(40) for _ in range(20)),
            )
        )
    chance.shuffle(states)
    return states
