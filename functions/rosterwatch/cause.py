"""What a cause is: what shares it, whose move it is, how loudly it is told, and what to do about it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Scope(enum.StrEnum):
    """What shares the cause: one district, all districts on one host, or the monitor itself."""

    DISTRICT = "district"
    HOST = "host"
    OURSELVES = "ourselves"


class Owner(enum.StrEnum):
    """Whose move it is."""

    DISTRICT = "district administrator"
    VENDOR = "SIS vendor"
    NETWORK = "network"
    US = "us"


class Severity(enum.IntEnum):
    """How loudly it is told. Higher is worse."""

    NOTE = 1
    TICKET = 2
    PAGE = 3

    @property
    def word(self) -> str:
        """``page``, ``ticket`` or ``note``."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry. ``patience``: it counts only after so many visits in a row (``health.py``)."""

    name: str
    scope: Scope
    owner: Owner
    severity: Severity
    patience: int
    headline: str
    next_steps: tuple[str, ...]
