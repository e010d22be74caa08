"""What comes out of one visit on its way to people, collected place by place for the search for leaks."""

from __future__ import annotations

import base64
import functools
import io
import json
import logging
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from typing import Final

from rosterwatch import matrix, popup, widget
from rosterwatch.alerts import render
from rosterwatch.district import SecretFault
from rosterwatch.finding import Diagnosis
from rosterwatch.health import Lesson, State, Transition, advance
from rosterwatch.incidents import Fleet, Problem
from rosterwatch.items import incident_item
from rosterwatch.links import DIALECTS, Links
from rosterwatch.markup import Frame
from rosterwatch.notices import reconcile
from rosterwatch.observation import Observation
from rosterwatch.record import to_record
from rosterwatch.report import to_json
from rosterwatch.state import _item, problem_action
from rosterwatch.visit_view import show_visit
from tests.leaks import Canaries, Haul
from tests.reachable import told_by
from tests.sis import District, SimulatedSis
from tests.sis.school import BIRTH_MARK, PLANTED, SCHOOLS

#: Where something must have been collected when a visit has come to its end, and a problem was found.
OF_A_VISIT: Final = ("repr", "pickle", "report", "screen", "item", "widget")
OF_A_PROBLEM: Final = (*OF_A_VISIT, "message")
#: And of one that has sent a request, with `everything_logged`.
LOG: Final = "log"
#: The loggers that know most. The root logger alone is what an operator can set without changing the code.
TALKATIVE: Final = ("", "asyncio", "boto3", "botocore", "httpcore", "httpx", "rosterwatch", "urllib3")
_FRAME: Final = Frame(datetime.now(UTC), dark=False, endpoint="arn:aws:lambda:us-east-1:1:function:w", secret_prefix="rosterwatch/")
_LINKS: Final = Links("us-west-2", "rosterwatch-dispatch", "rosterwatch/", "Rosterwatch")


def canaries_of(sis: SimulatedSis, *districts: District) -> Canaries:
    """What is planted in districts: all that they ever gave out, the pair as it is sent, and the people."""
    names = {district.name for district in districts}
    watched = {name: values for name, values in sis.ledger.watched.items() if name.partition(".")[0] in names}
    planted = values_and_people(watched)
    for district in districts:
        for record in district.records:
            planted.plant(f"{district.name}.consumer_id", record.consumer_id)
            planted.plant(f"{district.name}.consumer_secret", record.consumer_secret)
            pair = f"{record.consumer_id}:{record.consumer_secret}"
            planted.plant(f"{district.name}.pair", base64.b64encode(pair.encode()).decode())
        for node in district.nodes:
            planted.plant(f"{district.name}.affinity", node.affinity)
    return planted


def values_and_people(watched: Mapping[str, Iterable[str]]) -> Canaries:
    """Values by their names, and the people and schools of the simulated SIS."""
    planted = Canaries(people())
    for name, values in watched.items():
        for value in values:
            planted.plant(name, value)
    return planted


@functools.cache
def people() -> Canaries:
    """All that marks the pupils, teachers and schools of the simulated SIS."""
    planted = Canaries()
    for mark in PLANTED:
        if mark != BIRTH_MARK:
            planted.plant(f"people {mark}", mark)
    planted.mark("people's birth dates", BIRTH_MARK + r"\d\d-\d\d")
    for _, school, _ in SCHOOLS:
        planted.plant(f"school {school}", school)
    return planted


class Lines(logging.Handler):
    """Keeps every line as it would be written, whoever writes it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s %(args)s %(exc_text)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def everything_logged(loggers: Sequence[str] = TALKATIVE) -> Iterator[Lines]:
    """Every logger at DEBUG, all of it kept, and written nowhere else."""
    root, handler, before = logging.getLogger(), Lines(), {name: logging.getLogger(name).level for name in loggers}
    for name in loggers:
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.handlers, others = [handler], root.handlers
    try:
        yield handler
    finally:
        root.handlers = others
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def lasting(diagnosis: Diagnosis, lesson: Lesson = Lesson()) -> tuple[State, Transition]:  # noqa: B008 - never changed
    """The state and its transition, after as many visits as it takes to say so."""
    state: State | None = None
    transition: Transition | None = None
    now, first = datetime.now(UTC), diagnosis.primary
    for number in range(first.cause.patience if first else 1):
        assert transition is None
        state, transition = advance(state, "springfield", diagnosis, lesson, now + number * timedelta(minutes=15))
    assert state is not None
    assert transition is not None
    return state, transition


def collect(haul: Haul, seen: Observation | SecretFault, diagnosis: Diagnosis, state: State, transition: Transition | None) -> None:
    """Put into the haul all that is shown, stored and sent of a visit."""
    haul.put("repr", *told_by((seen, diagnosis, state, transition)))
    haul.put("pickle", pickle.dumps((seen, diagnosis.primary and diagnosis.primary.cause.name, state)))
    haul.put("report", json.dumps(to_json(seen, diagnosis)), *("\n".join(one.next_steps) for one in diagnosis.findings))
    screen = io.StringIO()
    with redirect_stdout(screen), redirect_stderr(screen):
        show_visit(seen, diagnosis)
    haul.put("screen", screen.getvalue())
    records = [to_record(transition)] if transition else []
    haul.put("item", json.dumps(_item(state)), json.dumps(records))
    row = matrix.make_row(state.district, state, [], [], _FRAME.now, timedelta(hours=1))
    haul.put("widget", popup.render(row, records, _FRAME), widget.render([row], matrix.View("all"), _FRAME))
    if transition is None or state.cause is None or state.opened_at is None:
        return
    haul.put("item", json.dumps(problem_action("table", state, transition), default=str))
    problem = Problem(state.district, state.host, state.cause, state.since, transition.number, transition.number, records[0])
    (incident,) = reconcile([problem], [], Fleet(100, 50), lambda _: False, datetime.now(UTC) + timedelta(hours=3)).incidents
    haul.put("item", json.dumps(incident_item(incident), default=str))
    for dialect in DIALECTS:
        for notice in incident.pending:
            message = render(dialect, incident, notice, _LINKS)
            haul.put("message", message.subject, message.body, json.dumps(message.attributes))
