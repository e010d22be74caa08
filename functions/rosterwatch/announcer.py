"""Brings incidents in line with the problems, and sees to it that every notice reaches its topics.

The order is: the incident is written with its notices, then they are published, then that is written down. Whoever writes the
incident claims its notices for a while, so that two of us do not send the same one; a crash after publishing repeats a message
with the same key, and nothing can lose one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from rosterwatch.board import KEPT_CLOSED, Board, BoardStore
from rosterwatch.incidents import Incident, Notice, Rules, claim, delivered
from rosterwatch.mute import is_muted
from rosterwatch.notices import reconcile

#: So many incidents are claimed while they are written; the others when it is their turn to be sent.
MOST_CLAIMED: Final = 50
#: Longer than publishing takes, shorter than people would notice.
CLAIMED_FOR: Final = timedelta(seconds=90)
_TRIES: Final = 5


class Topics(Protocol):
    """Where notices go."""

    @property
    def names(self) -> Sequence[str]:
        """The topics, in the order of publishing."""

    def publish(self, name: str, incident: Incident, notice: Notice) -> None:
        """Hand a notice to one topic. Raises whatever says that it was not taken."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What one run came to. ``refused`` names the errors by which a notice was not taken, ``unread`` what cannot be read."""

    published: tuple[tuple[Incident, Notice], ...]
    refused: tuple[str, ...]
    open_incidents: tuple[Incident, ...]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Announcer:
    """Everything a run needs from outside."""

    store: BoardStore
    topics: Topics
    now: Callable[[], datetime]
    rules: Rules | None = None

    def run(self) -> Announced:
        """Look at the board, decide, write, send. May run at any time, twice, or after a crash."""
        board, written, ours = self._decide()
        published: list[tuple[Incident, Notice]] = []
        refused: list[str] = []
        for incident in self._to_send({one.key: one for one in board.incidents} | written, ours):
            self._send(incident, published, refused)
        for incident in board.incidents:
            closed = incident.resolved_at
            if closed is not None and not incident.pending and closed < self.now() - KEPT_CLOSED and incident.key not in written:
                self.store.archive(incident)
        still_open = {one.key: one for one in (*board.incidents, *written.values())}
        return Announced(
            tuple(published),
            tuple(refused),
            tuple(one for one in still_open.values() if one.is_open),
            tuple(board.unread.names),
        )

    def _decide(self) -> tuple[Board, dict[str, Incident], dict[str, None]]:
        """The board, the incidents that we have written, and the keys of those whose notices we have claimed."""
        written: dict[str, Incident] = {}
        ours: dict[str, None] = {}  # in the order of writing
        for _ in range(_TRIES):
            board, now = self.store.read(), self.now()
            written = {name: written[name] for name in ours}
            verdict = reconcile(
                board.problems, board.incidents, board.fleet, _muting(board, now), now, rules=self.rules, unread=board.unread
            )
            for incident in verdict.incidents:
                few = len(ours) < MOST_CLAIMED and _is_free(incident, now)
                is_ours = bool(incident.pending) and (incident.key in ours or few)
                new = replace(incident, claimed_until=now + CLAIMED_FOR) if is_ours else incident
                if not self.store.write(new):
                    break  # somebody else is at it: look again at what is true now
                written[new.key] = new
                if is_ours:
                    ours[new.key] = None
            else:
                self._note(board, blind=verdict.blind, now=now)
                for problem in verdict.noted:
                    self.store.forget(problem)
                return board, written, ours
        return self.store.read(), {name: incident for name, incident in written.items() if name in ours}, ours

    def _note(self, board: Board, *, blind: bool, now: datetime) -> None:
        majority = blind and board.fleet.blind_since is None
        if majority != board.majority:
            self.store.note_majority(majority, now)

    def _to_send(self, incidents: Mapping[str, Incident], ours: Mapping[str, None]) -> Iterator[Incident]:
        """Notices to send: those we have claimed, then those that are nobody's, or of somebody who did not live to send them.

        The latter are claimed one by one: who claims thousands and dies over it keeps everybody from sending any.
        """
        yield from (incidents[name] for name in ours)
        for name, incident in incidents.items():
            if incident.pending and name not in ours and _is_free(incident, self.now()):
                mine = claim(incident, self.now() + CLAIMED_FOR)
                if self.store.write(mine):
                    yield mine

    def _send(self, incident: Incident, published: list[tuple[Incident, Notice]], refused: list[str]) -> None:
        sent: dict[int, list[str]] = {}
        try:
            for notice in incident.pending:
                for name in self.topics.names:
                    if name not in notice.sent:
                        self.topics.publish(name, incident, notice)
                        sent.setdefault(notice.number, []).append(name)
                published.append((incident, notice))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one incident must not cost the others their messages
            # The type only: a message could carry anything. The rest waits behind it, so that nothing is told out of order.
            refused.append(type(error).__name__)
        self._write_down(incident, sent)

    def _write_down(self, incident: Incident, sent: Mapping[int, Sequence[str]]) -> None:
        """Note what was sent. Somebody may have added a notice meanwhile: theirs stays, ours goes."""
        current = incident
        for _ in range(_TRIES):
            if self.store.write(delivered(current, sent, self.topics.names)):
                return
            again = {one.key: one for one in self.store.read().incidents}.get(incident.key)
            if again is None:
                return
            current = again


def _is_free(incident: Incident, now: datetime) -> bool:
    return incident.claimed_until is None or incident.claimed_until <= now


def _muting(board: Board, now: datetime) -> Callable[[Iterable[str]], bool]:
    return lambda targets: is_muted(targets, board.mutes, board.windows, now)
