"""Pure: incidents and notices, what they are made of, and how a notice is claimed and delivered.

An incident belongs to a *group*: ``district/<name>``, ``host/<host>`` or ``monitor``. What belongs together is decided in
``grouping.py``, and what is told of it in ``notices.py``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from rosterwatch.cause import Severity

MONITOR: Final = "monitor"
#: How many districts a message names; it says how many more there are.
MOST_NAMED: Final = 40


@dataclass(frozen=True, slots=True)
class Rules:
    """When people are told. The defaults are the promises in the documentation.

    ``blind_for``: how long the control page must have been out of reach before that is told. ``settle_for``: how long after we
    could not see a district may wait for its next visit before it is blamed for what was found meanwhile. ``blind_districts`` and
    ``blind_hosts``: with fewer of them failing, it cannot be the fleet; ``blind_above`` and ``blind_until`` are shares of it.
    """

    update_every: timedelta = timedelta(minutes=15)
    reminders: Mapping[Severity, timedelta] = field(
        default_factory=lambda: {Severity.PAGE: timedelta(hours=4), Severity.TICKET: timedelta(hours=24)}
    )
    same_incident_within: timedelta = timedelta(minutes=30)
    blind_for: timedelta = timedelta(minutes=1)
    settle_for: timedelta = timedelta(minutes=30)
    blind_districts: int = 5
    blind_hosts: int = 3
    blind_above: float = 0.5
    blind_until: float = 0.25


@dataclass(frozen=True, slots=True)
class Problem:
    """A district that is not healthy, as it was last told by its transition ``number``. ``record`` is that transition's.

    ``opening`` is the number of the transition that it began with; it tells this problem from the district's next one.
    ``recovered_at``: it is healthy again, and this says so until the incidents have taken note.
    """

    district: str
    host: str | None
    cause: str
    since: datetime
    number: int
    opening: int
    record: Mapping[str, Any]
    recovered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many districts are watched, on how many hosts; ``blind_since``: our own network is known to be down."""

    districts: int
    hosts: int
    blind_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """What of the board cannot be read, by name: damaged, or of a newer release. Nobody's problem is over because of that."""

    problems: frozenset[str] = frozenset()
    incidents: frozenset[str] = frozenset()
    others: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All of it, for the log."""
        return [
            *(f"problem {name}" for name in sorted(self.problems)),
            *(f"incident {name}" for name in sorted(self.incidents)),
            *self.others,
        ]


NOTHING_UNREAD: Final = Unread()


class Kind(enum.StrEnum):
    """What a notice is about."""

    OPENED = "opened"
    UPDATED = "updated"
    CHANGED = "changed"
    REMINDED = "reminded"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to be sent, in facts. ``sent`` names the topics that have already taken it."""

    number: int
    kind: Kind
    at: datetime
    record: Mapping[str, Any]
    sent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident. ``members`` are the districts in it now and ``left`` those that were, each with its problem's ``opening``.

    ``joined`` counts all that ever were in it, ``told_joined`` how many of them have been told of.
    ``told_cause`` and ``told_about`` (its status and collections) are what was said last.

    ``pending`` are the notices that not all topics have taken yet, oldest first; while ``claimed_until`` lies ahead, somebody
    is sending them. ``held_until``: not to be opened before, since nobody could see until just now. ``version`` counts writes.
    """

    key: str
    group: str
    opened_at: datetime
    cause: str
    members: Mapping[str, int] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)
    joined: int = 0
    told_joined: int = 0
    told_cause: str | None = None
    told_about: tuple[str, ...] = ()
    announced_at: datetime | None = None
    notified_at: datetime | None = None
    reminders: int = 0
    resolved_at: datetime | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    notices: int = 0
    pending: tuple[Notice, ...] = ()
    claimed_until: datetime | None = None
    held_until: datetime | None = None
    version: int = 0

    @property
    def is_open(self) -> bool:
        """Whether its cause has not gone yet."""
        return self.resolved_at is None

    @property
    def is_monitor(self) -> bool:
        """Whether it is about the monitor, and blames no district."""
        return self.group == MONITOR


def claim(incident: Incident, until: datetime) -> Incident:
    """The incident, claimed by whoever is about to send its notices."""
    return replace(incident, claimed_until=until, version=incident.version + 1)


def delivered(incident: Incident, sent: Mapping[int, Sequence[str]], topics: Sequence[str]) -> Incident:
    """The incident after sending: ``sent`` names by notice number which topics took it; what all have is no longer pending."""
    left = []
    for notice in incident.pending:
        took = tuple(dict.fromkeys((*notice.sent, *sent.get(notice.number, ()))))
        if not set(topics) <= set(took):
            left.append(replace(notice, sent=took))
    return replace(incident, pending=tuple(left), claimed_until=None, version=incident.version + 1)
