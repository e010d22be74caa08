"""Writes what one release stores and queues, by that release's own code, as a file of the corpus.

    .venv/dev/bin/python -m tests.corpus.write current

This release's file. For another one, its package comes first on the path:

    git worktree add /tmp/then COMMIT
    PYTHONPATH=/tmp/then/functions .venv/dev/bin/python -m tests.corpus.write COMMIT

A release knows fewer words than a later one, so what it does not know yet is left out here.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from rosterwatch import causes, health, observation, queue, state
from tests.corpus import FOLDER
from tests.table import TABLE, Table

#: Where the types of a diagnosis are at home; earlier releases had them beside the judgement.
diagnosis: Any = importlib.import_module(
    "rosterwatch.finding" if importlib.util.find_spec("rosterwatch.finding") else "rosterwatch.diagnosis"
)
AT: Final = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
HOST: Final = "sis.example.org"


class Facts(dict[str, str]):
    """What the texts of the catalogue are filled with; nothing where a text asks for more."""

    def __missing__(self, name: str) -> str:
        return ""


@dataclass
class Story:
    """A fleet in which every kind of item comes to be. ``now`` goes on as it is told; ``bodies`` are the messages on the queue."""

    table: Table = field(default_factory=Table)
    now: datetime = AT
    bodies: list[str] = field(default_factory=list)
    refusing: tuple[str, ...] = ()
    states: dict[str, Any] = field(default_factory=dict)

    # -- what the release's code asks of its surroundings ---------------------------------------------------------------------

    names: Sequence[str] = ("text", "card", "alarm", "event")

    def publish(self, name: str, _incident: object, _notice: object) -> None:
        """A topic takes a notice, or does not."""
        if name in self.refusing:
            raise ConnectionError

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        """The queue takes what is sent."""
        self.bodies += [entry["MessageBody"] for entry in request["Entries"]]
        return {}

    # -- what happens ---------------------------------------------------------------------------------------------------------

    def saw(self, district: str, cause: str | None = None, host: str = HOST, times: int = 1) -> None:
        """Visits that found a cause, or everything in order."""
        for _ in range(times):
            self.now += MINUTE
            self.states[district], transition = health.advance(
                self.states.get(district), district, _diagnosed(district, cause), _lesson(host, cause, self.now), self.now
            )
            assert state.StateStore(self.table.client, TABLE).write(self.states[district], transition)

    def announced(self) -> None:
        """A run of the announcer."""
        announcer, board = (importlib.import_module(f"rosterwatch.{name}") for name in ("announcer", "board"))
        given = {"refusals": (ConnectionError,), "store": board.BoardStore(self.table.client, TABLE), "topics": self}
        announcer.Announcer(**known(announcer.Announcer, {**given, "now": lambda: self.now})).run()


def known(kind: Any, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Those facts that the release's dataclass has a field for."""
    return {field.name: facts[field.name] for field in fields(kind) if field.name in facts}


def _diagnosed(district: str, cause: str | None) -> Any:
    if cause is None:
        return diagnosis.Diagnosis(diagnosis.Status.HEALTHY)
    facts = Facts(
        district=district, secret=f"rosterwatch/{district}", provider="aeries", url=f"https://{HOST}/{district}", host=HOST
    )
    collections = ("classes", "enrollments") if cause == "permission_missing" else ()
    finding = diagnosis.Finding(causes.CAUSES[cause], facts, ("POST /token: 400 invalid_client, JSON, after 25 ms",), collections)
    return diagnosis.Diagnosis(diagnosis.Status.FAILING, (finding,))


def _lesson(host: str, cause: str | None, now: datetime) -> Any:
    facts: dict[str, Any] = {"host": host}
    if cause == "throttled":
        facts["not_before"] = now + HOUR
    if cause is None:
        year = observation.Term(date(2026, 8, 17), date(2026, 12, 18)) if hasattr(observation, "Term") else None
        facts |= {"pair": "v1.0f1e2d3c.5b6a7988", "dialect": "token", "totals": {"students": 4321, "users": 5432}}
        facts["terms"] = (year,) if year else ()
    if "snapshot" in {one.name for one in fields(health.Lesson)}:
        snapshot = importlib.import_module("rosterwatch.snapshot")
        facts["snapshot"] = snapshot.Snapshot("KKKKKKKkKKKKKKk", "aeries", 1300, 9753, "2027-03-01")
    return health.Lesson(**known(health.Lesson, facts))


def told() -> Story:
    """The story, as far as the release can follow it."""
    story = Story()
    has_board = importlib.util.find_spec("rosterwatch.board") is not None
    for district in ("wayne", "shelbyville", "ogden", "eagleton", "quahog", "dillon", "lanford"):
        story.saw(district)
    story.saw("pawnee")
    story.saw("pawnee", "server_error")  # suspected, and not yet believed
    story.saw("bluffs", "throttled", times=2)
    story.saw("lanford", "credentials_revoked")
    if has_board:
        story.announced()
        story.saw("lanford")
        story.announced()  # over; after an hour it is history
        story.now += HOUR
    story.saw("shelbyville", "credentials_revoked")
    story.saw("dillon", "permission_missing")
    if has_board:
        story.announced()
    story.saw("dillon")
    if has_board:
        story.announced()  # over, and not yet history
    story.refusing = ("card",)
    for _ in range(2):  # two districts of one host
        story.saw("ogden", "unreachable_timeout")
        story.saw("eagleton", "unreachable_timeout")
    if has_board:
        story.announced()  # not all topics take it
    story.saw("quahog", "credentials_wrong")
    story.saw("quahog")  # it came and went, and nobody has looked yet
    if "unknown_since" in {one.name for one in fields(health.State)}:
        story.saw("wayne", "monitor_network")
    if has_board:
        _around(story)
    visits = [queue.Visit("wayne", reason, 60) for reason in queue.REASONS]
    queue.VisitQueue(story, "https://sqs.example.org/queue").send(visits)  # type: ignore[arg-type]
    return story


def _around(story: Story) -> None:
    """The mutes, and the notes about the monitor itself."""
    board, mute = (importlib.import_module(f"rosterwatch.{name}") for name in ("board", "mute"))
    sight = importlib.import_module("rosterwatch.sight") if importlib.util.find_spec("rosterwatch.sight") else board
    store = board.BoardStore(story.table.client, TABLE)
    store.mute(mute.Mute("district/shelbyville", AT + 12 * HOUR, "server move", "user/robin"))
    days = {"target": f"host/{HOST}", "days": ["sat", "sun"], "start": "22:30", "duration_minutes": 90, "reason": "patches"}
    store.mute_again(mute.parse_window("nights", {**days, "zone": "America/Los_Angeles"}))
    store.count_fleet(9, 1)
    sight.Sight(story.table.client, TABLE).lost(story.now)
    store.note_majority(blind=True, at=story.now)


def document(release: str, story: Story) -> dict[str, Any]:
    """The file of a release."""
    return {"release": release, "items": [item for _, item in sorted(story.table.items.items())], "messages": story.bodies}


if __name__ == "__main__":
    [name] = sys.argv[1:]
    (FOLDER / f"{name}.json").write_text(json.dumps(document(name, told()), indent=1) + "\n", encoding="utf-8")
