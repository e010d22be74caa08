"""Items of the table with something wrong in one of them, beside good ones: the widget, the visits and the alerts go on."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rosterwatch import popup, widget
from rosterwatch.announcer import Announcer
from rosterwatch.board import Board, BoardStore
from rosterwatch.case import Known
from rosterwatch.diagnosis import diagnose
from rosterwatch.finding import Diagnosis, Status
from rosterwatch.health import Lesson, State, advance
from rosterwatch.incidents import Incident, Notice
from rosterwatch.markup import Frame
from rosterwatch.matrix import View, make_row
from rosterwatch.mute import Mute, Window
from rosterwatch.record import to_record
from rosterwatch.state import StateError, StateStore
from rosterwatch.topic import AlertTopics
from tests.fuzz.chance import MARKUP, Chance
from tests.fuzz.visits import check_html, observation
from tests.table import TABLE, Table
from tests.unit.boards import LINKS, Sick
from tests.unit.observations import AT
from tests.unit.rows import state

_NOW: Final = AT + timedelta(hours=5)
_FRAME: Final = Frame(_NOW, dark=False, endpoint="arn:aws:lambda:us-east-1:123456789012:function:x", secret_prefix="rosterwatch/")
_TEXTS: Final = ("state", "problem", "incident", "mute", "window", "fleet", "record")
_VALUES: Final[tuple[Any, ...]] = (
    "2026-10-06T14:05:00", "2026-10-06T14:05:00+00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59",
    "failing", "healthy", "flapping", "credentials_revoked", "no_such_cause", "district/springfield", "host/x", "monitor",
    [], {}, [["2026-08-12", "2027-06-04"]], {"springfield": 1}, ["a"], -1, 10**400, "10", "opened", MARKUP, [None],
    {"x": None}, "America/Los_Angeles", "KKKK", 2, "2",
)  # fmt: skip


class Topics(AlertTopics):
    """Takes every notice, written in every dialect as SNS would be given it."""

    def __init__(self) -> None:
        self.took: list[tuple[str, int]] = []
        super().__init__(self, dict.fromkeys(("text", "card", "alarm", "event"), "arn"), LINKS)  # type: ignore[arg-type]  # it is SNS, too

    def publish(self, name: str, incident: Incident, notice: Notice) -> None:
        super().publish(name, incident, notice)
        self.took.append((incident.key, notice.number))

    def send(self, name: str, message: Any) -> None:
        assert len(message.subject) <= 100


@functools.cache
def _good() -> Table:
    """A table with a healthy district, one that is to be told, one that was told, and all that the board has besides."""
    table = Table()
    states, board = StateStore(table.client, TABLE), BoardStore(table.client, TABLE)
    for name, cause, hours in (
        ("springfield", "credentials_revoked", 3),
        ("shelbyville", "permission_missing", 2),
        ("ogdenville", None, 1),
    ):
        sick = Sick(name, "sis.example.org", table=table)
        if cause:
            sick.broke(cause, _NOW - timedelta(hours=hours))
        if name == "springfield":
            Announcer(board, Topics(), lambda: _NOW - timedelta(hours=2, minutes=59)).run()
    assert states.write(state("ogdenville", version=1, visited_at=_NOW, terms=()), None)
    board.mute(Mute("district/ogdenville", _NOW + timedelta(hours=1), "planned", "somebody"))
    board.mute_again(Window("nightly", "all", ("mon",), datetime(2026, 1, 1, 22, 30, tzinfo=UTC).time(), timedelta(hours=4), "UTC"))
    board.count_fleet(3, 1)
    return table


def damaged(chance: Chance) -> None:
    """An item that is damaged costs nobody but itself: it is read as it is meant, or named and left alone."""
    table = Table()
    table.items = copy.deepcopy(_good().items)
    place = chance.choice(sorted(table.items))
    _damage(chance, table.items[place])
    states, board = StateStore(table.client, TABLE), BoardStore(table.client, TABLE)
    read = board.read()
    known = dict(states.each())
    assert set(known) == {"springfield", "shelbyville", "ogdenville"}
    for name, found in known.items():
        if ("district", name) != place:
            assert isinstance(found, State), name
        elif isinstance(found, State):
            _goes_on(chance, found)
    if place[0] not in ("problem", "incident"):  # which the widget does not read
        _is_shown(known, read, states)
    _is_told(place, table, board)


def _damage(chance: Chance, item: dict[str, Any]) -> None:
    name = chance.choice([name for name in item if name not in ("pk", "sk")])
    (kind, value) = next(iter(item[name].items()))
    if name in _TEXTS and chance.randrange(8):
        document = json.loads(value)
        for _ in range(chance.randrange(1, 3)):
            document = chance.changed(document, [*document] if isinstance(document, dict) else ["x"], _VALUES)
        item[name] = {kind: json.dumps(document) if chance.randrange(10) else chance.spoilt(json.dumps(document))}
    elif chance.one_in(3):
        del item[name]
    else:
        item[name] = {chance.choice(("S", kind)): chance.choice((chance.text(), "7", "x", "-1"))}


def _goes_on(chance: Chance, found: State) -> None:
    """The next visits of a district with this state are judged and written."""
    seen = diagnose(observation(chance, found.district, _NOW), Known("rosterwatch/x", baseline=found.baseline, terms=found.terms))
    current: State = found
    for diagnosis in (seen, Diagnosis(Status.HEALTHY), Diagnosis(Status.HEALTHY)):
        current, transition = advance(
            current, found.district, diagnosis, Lesson(), max(_NOW, found.visited_at) + timedelta(minutes=1)
        )
        if transition is not None:
            json.dumps(to_record(transition))
    assert current.version == found.version + 3


def _is_shown(known: Mapping[str, State | StateError], board: Board, states: StateStore) -> None:
    rows = [make_row(name, found, board.mutes, board.windows, _NOW, timedelta(minutes=45)) for name, found in known.items()]
    shown = widget.render(rows, View("all"), _FRAME, blind_since=board.fleet.blind_since)
    assert all(name in shown for name in known)
    for row in rows:
        assert row.district in popup.render(row, states.history(row.district, popup.CHANGES), _FRAME)
    if MARKUP in shown:
        check_html(shown)


def _is_told(place: tuple[str, str], table: Table, board: BoardStore) -> None:
    """What another district has to be told of is told, whatever has become of this item."""
    topics = Topics()
    announced = Announcer(board, topics, lambda: _NOW).run()
    told = {key.partition("/")[2].partition("/")[0] for key, _ in topics.took}
    if place[0] in ("district", "mute") or place == ("problem", "springfield"):
        assert "shelbyville" in told, (told, announced)
    assert len(topics.took) <= 40
