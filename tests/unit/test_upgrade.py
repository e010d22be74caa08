"""Two releases over one table: what one has written is read by the other, or left as it is."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dispatch_districts
import render_dashboard
import send_alerts
from rosterwatch import fleet_view
from rosterwatch import table as shaped
from rosterwatch.announcer import Announced, Announcer
from rosterwatch.board import BoardStore
from rosterwatch.finding import Diagnosis
from rosterwatch.health import Lesson, State, advance
from rosterwatch.incidents import Incident, Notice
from rosterwatch.items import read_incident
from rosterwatch.mute import Mute, Window
from rosterwatch.queue import REASONS, MessageError, Visit, VisitQueue, from_message, to_message
from rosterwatch.races import NewerItemError
from rosterwatch.secrets import SecretStore
from rosterwatch.settings import DispatchSettings, RenderSettings
from rosterwatch.sight import Sight
from rosterwatch.state import StateError, StateStore
from tests import template as template_file
from tests.corpus import CURRENT, corpus, kind, releases, shapes, stream
from tests.corpus.write import document, told
from tests.proof import REPOSITORY, Part, Proof
from tests.table import TABLE, Table
from tests.unit.boards import named
from tests.unit.observations import HEALTHY, diagnosis_of
from tests.unit.rows import ARN

#: Half an hour after the last that any file of the corpus tells.
LATER: Final = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
HOST: Final = "sis.example.org"
#: Those that can be rolled back to: the first could not even read its own states of healthy districts.
EARLIER: Final = [release for release in releases() if release not in {CURRENT, "e04c76f"}]
each_release = pytest.mark.parametrize("release", releases())
Item = dict[str, Any]


@pytest.fixture(autouse=True)
def _namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Rosterwatch")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "rosterwatch")


class Queue(VisitQueue):
    """Records what is put on it."""

    def __init__(self) -> None:
        self.sent: list[Visit] = []

    def send(self, visits: Sequence[Visit]) -> None:
        self.sent += visits


class Secrets(SecretStore):
    """Names districts."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def districts(self) -> Any:
        return iter(sorted(self.names))


@dataclass
class Release:
    """This release at work on a table: all that its functions and its command line do to it."""

    items: Sequence[Item]
    now: datetime = LATER
    names: tuple[str, ...] = ("text", "card", "alarm", "event")
    taken: list[tuple[str, int, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.table, self.queue = Table(), Queue()
        for item in self.items:
            self.table.items[item["pk"]["S"], item["sk"]["S"]] = copy.deepcopy(item)
        self.states, self.board = StateStore(self.table.client, TABLE), BoardStore(self.table.client, TABLE)
        self.sight = Sight(self.table.client, TABLE)

    def publish(self, name: str, incident: Incident, notice: Notice) -> None:
        """Every topic takes every notice."""
        self.taken.append((incident.key, notice.number, notice.kind.value, name))

    def announced(self, minutes: int = 1) -> Announced:
        """A run of the announcer, a while later."""
        self.now += minutes * MINUTE
        return Announcer(self.board, self, lambda: self.now).run()

    def dispatched(self) -> list[str]:
        """A tick of the schedule."""
        limits = DispatchSettings("rosterwatch/", TABLE, "https://queue", 600, 45)
        names = {name for name, _ in self.states.each()}
        edges = dispatch_districts.Edges(limits, Secrets(names), self.states, self.board, self.queue)
        before = len(self.queue.sent)
        dispatch_districts._queue({"reason": "schedule"}, edges)
        return [visit.district for visit in self.queue.sent[before:]]

    def visited(self, district: str, diagnosis: Diagnosis = HEALTHY, minutes: int = 1, host: str = HOST) -> bool:
        """A visit, as far as the table is concerned. False: it could not be made."""
        self.now += minutes * MINUTE
        state = self.states.read([district]).get(district)
        if isinstance(state, StateError):
            return False
        after, transition = advance(state, district, named(diagnosis, district), Lesson(host=host), self.now)
        return self.states.write(after, transition)

    def shown(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """The dashboard, every popup, and the command line's list."""
        limits = RenderSettings("rosterwatch/", TABLE, "https://queue", timedelta(minutes=45))
        edges = render_dashboard.Edges(limits, self.states, self.board, self.queue)
        monkeypatch.setattr(render_dashboard, "edges", lambda: edges)
        context = cast("Any", SimpleNamespace(invoked_function_arn=ARN))
        pages = [render_dashboard.handler({"widgetContext": {"params": {"show": "all"}}}, context)]
        states = dict(self.states.each())
        pages += [render_dashboard.handler({"open": name, "widgetContext": {}}, context) for name in states]
        board = self.board.surroundings()
        rows = fleet_view.rows(states.items(), board.mutes, board.windows, self.now)
        fleet_view.fleet_table(rows, rows, self.now, 120)
        return "\n".join([*pages, json.dumps(fleet_view.fleet_to_json("rosterwatch", rows, self.now))])

    def sees(self) -> None:
        """Our own network is up again, as the next batch would find."""
        self.sight.regained()
        self.board.note_majority(blind=False, at=self.now)


def newer(item: Item, *, looks_familiar: bool = True) -> Item:
    """The same item as a newer release would write it: in words that look familiar and mean something else, or in unknown ones."""
    kept: Item = item if looks_familiar else {name: item[name] for name in ("pk", "sk", "version", "number") if name in item}
    return {**kept, "shape": {"N": str(shaped.SHAPE + 1)}, "told": {"M": {"in": {"S": "another way"}}}}


def frozen(table: Table) -> dict[tuple[str, str], str]:
    """The items that a newer release has written, to the letter."""
    return {key: json.dumps(item, sort_keys=True) for key, item in table.items.items() if "told" in item}


# -- what earlier releases have written -------------------------------------------------------------------------------------------


@pytest.mark.claim(
    "What earlier releases have stored is read by this one, every item of every kind",
    part=Part.UPGRADE,
    how="items written by the code of earlier commits (tests/corpus), read by every reader of this one",
)
@each_release
def test_every_item_of_every_kind_is_read(release: str, proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    items = corpus(release)["items"]
    now = Release(items)
    states = dict(now.states.each())
    assert {name for name, state in states.items() if isinstance(state, State)} == {
        "bluffs",
        "dillon",
        "eagleton",
        "lanford",
        "ogden",
    } | {"pawnee", "quahog", "shelbyville", "wayne"}
    board = now.board.read()
    assert board.unread.names == []
    found = {"problem": board.problems, "incident": board.incidents, "mute": board.mutes, "mute#window": board.windows}
    assert {name: len(of) for name, of in found.items()} == {name: len(now.table.under(name)) for name in found}
    changes = sum(len(now.states.history(name, 100)) for name in states)
    assert changes == sum(kind(item) == "transition" for item in items)
    history = now.table.under("incident#closed").values()
    assert all(read_incident(item).resolved_at for item in history)
    if now.table.under("monitor"):
        assert (board.fleet.districts, board.fleet.hosts, board.majority) == (9, 1, True)
        assert board.fleet.blind_since
    page = now.shown(monkeypatch)
    assert all(name in page for name in states)
    assert "The stored state is" not in page
    proof.tried(len(items))


@pytest.mark.claim(
    "An upgrade loses and doubles no alert: what was told stays told, what was not is told once",
    part=Part.UPGRADE,
    how="the fleets of the corpus, with a notice half sent and a problem nobody has looked at, taken over and mended",
)
@pytest.mark.parametrize("release", [one for one in releases() if any(kind(i) == "incident" for i in corpus(one)["items"])])
def test_the_incidents_go_on_where_they_were(release: str, proof: Proof) -> None:
    now = Release(corpus(release)["items"])
    now.sees()
    now.board.unmute("district/shelbyville")
    before = {one.key: one for one in now.board.read().incidents}
    pending = {(key, notice.number): notice.sent for key, one in before.items() for notice in one.pending}
    assert pending, "the corpus has a notice that was sent in part"
    now.announced()
    for (key, number), sent in pending.items():
        assert [name for of, notice, _, name in now.taken if (of, notice) == (key, number)] == [
            n for n in now.names if n not in sent
        ]
    told = {(key, said) for key, number, said, _ in now.taken if (key, number) not in pending}
    [quahog] = {key for key, _ in told}
    assert quahog.startswith("district/quahog/")
    assert told <= {(quahog, "opened"), (quahog, "resolved")}
    now.taken.clear()

    for name in ("shelbyville", "ogden", "eagleton", "bluffs"):
        for _ in range(2):
            assert now.visited(name)
    now.announced()
    now.announced()
    ended = {key for key, _, said, _ in now.taken if said == "resolved"}
    assert ended == {key for key, one in before.items() if one.is_open}
    assert len(now.taken) == len(set(now.taken)) == len(ended) * len(now.names)
    proof.tried(len(before))


@pytest.mark.claim(
    "Messages on the queue and records of the stream are understood across releases",
    part=Part.UPGRADE,
    how="messages and transitions of every release in the corpus; messages with words and fields of a release to come",
)
@each_release
def test_what_is_in_flight_during_a_deployment_is_understood(release: str, proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    written = corpus(release)
    visits = [from_message(body) for body in written["messages"]]
    assert [(visit.district, visit.reason) for visit in visits] == [("wayne", reason) for reason in REASONS]
    for body in written["messages"]:
        more = json.loads(body) | {"reason": "of a release to come", "more": {"is": ["added"]}}
        assert from_message(json.dumps(more)).district == "wayne"
    now = Release(written["items"])
    monkeypatch.setattr(send_alerts, "edges", lambda: SimpleNamespace(announcer=Announcer(now.board, now, lambda: now.now)))
    event = stream(written["items"])
    context: Any = None
    assert send_alerts.handler(event, context)["batchItemFailures"] == []
    assert send_alerts.handler(event, context)["published"] == 0
    proof.tried(len(written["messages"]) + len(event["Records"]))


def test_a_message_of_a_newer_shape_waits_with_the_dead_letters_for_who_can_read_it() -> None:
    assert from_message(json.dumps({"district": "wayne", "shape": 1})) == Visit("wayne", "recheck")
    with pytest.raises(MessageError, match="a newer release has written the message"):
        from_message(json.dumps({"district": "wayne", "shape": 2}))
    assert json.loads(to_message(Visit("wayne"))) == {"district": "wayne", "reason": "schedule"}  # every release reads that


# -- what this release writes -----------------------------------------------------------------------------------------------------


def test_the_corpus_holds_what_this_release_writes() -> None:
    """When it fails: what is written has changed, so that the corpus lacks what the last commit wrote.

    Name current.json after that commit (git mv), and write it anew: python -m tests.corpus.write current. If the release before
    would misread what is written now, count up SHAPE in table.py.
    """
    assert shapes(document(CURRENT, told())) == shapes(corpus(CURRENT))


def test_every_kind_of_item_says_its_shape_and_the_story_has_them_all() -> None:
    items = corpus(CURRENT)["items"]
    assert {kind(item) for item in items} == {"district", "transition", "problem", "incident", "incident#closed"} | {
        "mute",
        "mute#window",
        "monitor",
    }
    assert {(item["pk"]["S"], item["shape"]["N"]) for item in items} == {(item["pk"]["S"], str(shaped.SHAPE)) for item in items}
    assert {item["sk"]["S"] for item in items if kind(item) == "monitor"} == {"fleet", "sight", "majority"}


READ: Final = """
import json, sys
from rosterwatch import queue, state
corpus = json.load(sys.stdin)
lost = []
for item in corpus["items"]:
    pk = item["pk"]["S"]
    if pk == "district" and not isinstance(state._state(item), state.State):
        lost.append(f"{pk} {item['sk']['S']}: {state._state(item)}")
    if pk.startswith("transition#"):
        json.loads(item["record"]["S"])
try:
    from rosterwatch.board import BoardStore
except ImportError:
    pass
else:
    class Client:
        def get_paginator(self, _):
            return self
        def paginate(self, **request):
            pk = request["ExpressionAttributeValues"][":pk"]
            return [{"Items": [item for item in corpus["items"] if item["pk"] == pk]}]
    board = BoardStore(Client(), "table").read()
    lost += getattr(getattr(board, "unread", None), "names", [])
    found = {"problem": board.problems, "incident": board.incidents, "mute": board.mutes, "mute#window": board.windows}
    for name, read in found.items():
        there = [item for item in corpus["items"] if item["pk"]["S"] == name]
        if len(read) != len(there):
            lost.append(f"{len(there) - len(read)} of {name}")
for body in corpus["messages"]:
    assert queue.from_message(body).district == "wayne"
print(json.dumps(lost))
"""


def package_of(release: str, folder: Path) -> Path:
    """The functions of an earlier commit; skips where there is no history."""
    done = subprocess.run(
        ["git", "archive", "--format=tar", "-o", str(folder / "then.tar"), release, "functions"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("needs the history of the repository")
    with tarfile.open(folder / "then.tar") as archive:
        archive.extractall(folder, filter="data")
    return folder / "functions"


@pytest.mark.claim(
    "What this release stores and queues is read by the earlier ones, so that it can be rolled back",
    part=Part.UPGRADE,
    how="this release's items and messages, read by the code of earlier commits",
)
@pytest.mark.parametrize("release", EARLIER)
def test_an_earlier_release_reads_what_this_one_writes(release: str, proof: Proof, tmp_path: Path) -> None:
    written = document(CURRENT, told())
    done = subprocess.run(
        [sys.executable, "-c", READ],
        input=json.dumps(written),
        env={"PYTHONPATH": str(package_of(release, tmp_path)), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    proof.tried(len(written["items"]) + len(written["messages"]))


# -- what a newer release has written ---------------------------------------------------------------------------------------------


def everything(now: Release, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that this release does to a table, in one go. Returns whom it could visit."""
    now.dispatched()
    names = [name for name, _ in now.states.each()]
    visited = [name for name in names if now.visited(name)]
    visited += [name for name in names if now.visited(name, diagnosis_of("credentials_revoked"), minutes=3)]
    now.announced()
    now.sight.lost(now.now)
    now.board.note_majority(blind=True, at=now.now)
    now.sight.noted()
    now.sees()
    for name in names:
        now.visited(name)
    now.announced(minutes=90)
    now.announced(minutes=90)
    now.shown(monkeypatch)
    return visited


NEWER_CLAIM = pytest.mark.claim(
    "What a newer release has written is left as it is and named; it costs no other district its visit or its alert",
    part=Part.UPGRADE,
    how="the fleet of the corpus with items of an unknown shape among it, through every function and command",
)


@NEWER_CLAIM
@pytest.mark.parametrize("of", sorted({kind(item) for item in corpus(CURRENT)["items"]}))
def test_an_item_of_a_newer_shape_is_left_as_it_is(
    of: str, proof: Proof, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    items = [newer(item) if kind(item) == of else item for item in corpus(CURRENT)["items"]]
    now = Release(items)
    before = frozen(now.table)
    visited = everything(now, monkeypatch)
    assert frozen(now.table) == before
    assert set(visited) == (set() if of == "district" else {key[1] for key in now.table.items if key[0] == "district"})
    announced = now.announced()
    now.dispatched()
    names = {"mute#window": "window {}", "monitor": "monitor"}
    logged = [" ".join(str(value) for value in vars(record).values()) for record in caplog.records]
    said = "\n".join([*announced.unread, *logged])
    for pk, sk in before:
        # History is not looked at until somebody asks for it; it is shown without what cannot be read.
        if kind({"pk": {"S": pk}}) not in {"transition", "incident#closed"}:
            assert names.get(pk, pk + " {}").format(sk) in said
    proof.tried(len(before))


@NEWER_CLAIM
def test_any_mixture_of_shapes_is_left_as_it_is(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    items = corpus(CURRENT)["items"]

    @settings(max_examples=proof.amount(quick=15, full=1000))
    @given(st.dictionaries(st.integers(0, len(items) - 1), st.booleans(), min_size=1))
    def mixed(which: dict[int, bool]) -> None:
        now = Release([newer(item, looks_familiar=which[place]) if place in which else item for place, item in enumerate(items)])
        before = frozen(now.table)
        everything(now, monkeypatch)
        assert frozen(now.table) == before
        proof.tried()

    mixed()


@NEWER_CLAIM
def test_without_the_size_of_the_fleet_nobody_takes_its_failures_for_our_own(proof: Proof) -> None:
    now = Release([newer(item) for item in corpus(CURRENT)["items"] if item["sk"]["S"] == "fleet"])
    for number in range(6):
        for _ in range(2):
            assert now.visited(f"d{number}")
            assert now.visited(f"d{number}", diagnosis_of("unreachable_timeout"), host=f"sis{number}.example.org")
            assert now.visited(f"d{number}", diagnosis_of("unreachable_timeout"), host=f"sis{number}.example.org")
    now.announced()
    told = {key.rpartition("/")[0] for key, _, said, _ in now.taken if said == "opened"}
    assert told == {f"host/sis{number}.example.org" for number in range(6)}
    proof.tried()


@NEWER_CLAIM
def test_a_newer_note_of_our_own_blindness_blinds_nobody(proof: Proof) -> None:
    items = corpus(CURRENT)["items"]
    then = Release(items)
    assert then.sight.noted() == {"sight", "majority"}
    now = Release([newer(item) if kind(item) == "monitor" else item for item in items])
    board = now.board.read()
    assert now.sight.noted() == frozenset()
    assert (board.majority, board.fleet.blind_since, board.unread.names) == (False, None, ["monitor"])
    proof.tried(3)


@NEWER_CLAIM
def test_whoever_asks_to_change_what_a_newer_release_has_written_is_told_so(proof: Proof) -> None:
    now = Release([newer(item) for item in corpus(CURRENT)["items"]])
    before = frozen(now.table)
    window = Window("nights", "all", ("sat",), datetime.min.time(), timedelta(hours=1), "UTC")
    asked: list[Callable[[], object]] = [
        lambda: now.board.mute(Mute("district/shelbyville", LATER, "-", "robin")),
        lambda: now.board.unmute("district/shelbyville"),
        lambda: now.board.mute_again(window),
        lambda: now.board.remove_window("nights"),
        lambda: now.states.remove("shelbyville"),
    ]
    for ask in asked:
        with pytest.raises(NewerItemError):
            ask()
        proof.tried()
    assert frozen(now.table) == before


@pytest.mark.claim(
    "While two releases run side by side, the older never writes over what the newer has just written",
    part=Part.UPGRADE,
    how="each write of this release that takes more than one step, with a newer release's write in between",
)
def test_an_old_instance_that_read_before_a_newer_one_wrote_stores_nothing(proof: Proof) -> None:
    now = Release(corpus(CURRENT)["items"])
    state = now.states.read(["shelbyville"])["shelbyville"]
    problem = next(one for one in now.board.read().problems if one.recovered_at is not None)
    is_open, closed = (next(one for one in now.board.read().incidents if one.is_open is wanted) for wanted in (True, False))
    assert isinstance(state, State)
    places = [("district", "shelbyville"), ("problem", problem.district), ("incident", is_open.key), ("incident", closed.key)]
    for place in places:
        item = newer(now.table.items[place])
        if "version" in item:
            item["version"] = {"N": str(int(item["version"]["N"]) + 1)}
        now.table.items[place] = item
    before = copy.deepcopy(now.table.items)
    for diagnosis in (HEALTHY, diagnosis_of("permission_missing")):
        after, transition = advance(state, "shelbyville", named(diagnosis, "shelbyville"), Lesson(host=HOST), LATER)
        assert not now.states.write(after, transition)
        proof.tried()
    assert not now.board.write(replace(is_open, version=is_open.version + 1))
    now.board.archive(closed)
    now.board.forget(problem)
    proof.tried(3)
    assert now.table.items == before


def test_a_problem_alone_of_a_newer_shape_is_not_written_over(proof: Proof) -> None:
    now = Release(corpus(CURRENT)["items"])
    now.table.items["problem", "shelbyville"] = newer(now.table.items["problem", "shelbyville"])
    before = frozen(now.table)
    assert not now.visited("shelbyville", diagnosis_of("permission_missing"))
    assert not now.visited("shelbyville")
    assert frozen(now.table) == before


# -- words and fields of a release to come ----------------------------------------------------------------------------------------


@pytest.mark.claim(
    "What a later release only adds does no harm: unknown fields are passed over, unknown words cost their own district alone",
    part=Part.UPGRADE,
    how="a field added at every place of every item, and every word of a closed list replaced by an unknown one",
)
def test_added_fields_do_no_harm(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    def grown(value: Any) -> Any:
        if isinstance(value, dict):
            proof.tried()
            return {**{name: grown(part) for name, part in value.items()}, "added": {"later": [1]}}
        return [grown(part) for part in value] if isinstance(value, list) else value

    def later(attribute: Item) -> Item:
        text = attribute.get("S", "")
        return {"S": json.dumps(grown(json.loads(text)))} if text.startswith("{") else attribute

    items = corpus(CURRENT)["items"]
    # The members of an incident and the usual totals are no fields but names: a number belongs beside each.
    text = json.dumps([{**{name: later(value) for name, value in item.items()}, "added": {"S": "later"}} for item in items])
    for names in ("members", "left", "baseline"):
        text = _without_growth(text, names)
    now, then = Release(json.loads(text)), Release(items)
    assert dict(now.states.each()) == dict(then.states.each())
    assert now.board.surroundings() == then.board.surroundings()
    assert [replace(one, record={}) for one in now.board.read().problems] == [
        replace(one, record={}) for one in then.board.read().problems
    ]
    assert everything(now, monkeypatch) == everything(then, monkeypatch)
    assert now.taken == then.taken


def _without_growth(text: str, names: str) -> str:
    """The items with nothing added to what is no document but a list of names with numbers."""
    items = json.loads(text)
    for item in items:
        for attribute in item.values():
            if "S" in attribute and attribute["S"].startswith("{"):
                held = json.loads(attribute["S"])
                if names in held:
                    held[names] = {name: number for name, number in held[names].items() if isinstance(number, int)}
                attribute["S"] = json.dumps(held)
    return json.dumps(items)


WORDS: Final = [
    ("district", "status"),
    ("district", "cause"),
    ("district", "suspected"),
    ("district", "dialect"),
    ("district", "provider"),
    ("district", "cells"),
    ("district", "looks"),
    ("problem", "cause"),
    ("incident", "cause"),
    ("incident", "told_cause"),
    ("incident", "group"),
]


@pytest.mark.claim(
    "What a later release only adds does no harm: unknown fields are passed over, unknown words cost their own district alone",
    part=Part.UPGRADE,
    how="a field added at every place of every item, and every word of a closed list replaced by an unknown one",
)
@pytest.mark.parametrize(("of", "word"), WORDS)
def test_an_unknown_word_costs_its_own_item_alone(of: str, word: str, proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    items = copy.deepcopy(corpus(CURRENT)["items"])
    member = "state" if of == "district" else of
    changed = set()
    for item in items:
        if kind(item) == of:
            held = json.loads(item[member]["S"])
            if word in held:
                held[word] = "of a release to come"
                item[member] = {"S": json.dumps(held)}
                changed.add(item["sk"]["S"])
    assert changed
    now = Release(items)
    unread = {name for name, state in now.states.each() if isinstance(state, StateError)}
    assert unread <= changed
    visited = everything(now, monkeypatch)
    assert set(visited) == {name for name, _ in now.states.each()} - unread
    proof.tried(len(changed))


# -- what holds all of it ---------------------------------------------------------------------------------------------------------

#: Named in other words, each would be made anew, and what it holds would be lost with the old one.
STATEFUL: Final = {
    "Table": "AWS::DynamoDB::Table",
    "FingerprintKey": "AWS::SecretsManager::Secret",
    **dict.fromkeys(("Queue", "DeadLetters", "UndeliveredTriggers", "UnsentAlerts", "UndeliveredMail"), "AWS::SQS::Queue"),
    **dict.fromkeys(("AlertTopic", "AlertCardTopic", "AlertAlarmTopic", "AlertEventTopic", "OpsTopic"), "AWS::SNS::Topic"),
}


@pytest.mark.claim(
    "No parameter and no renaming makes a deployment replace the table, the fingerprint key, a queue or a topic",
    part=Part.UPGRADE,
    how="what each of them in the template depends on, and the names under which CloudFormation knows them",
)
def test_what_holds_state_depends_on_no_parameter_and_keeps_its_name(proof: Proof) -> None:
    loaded = template_file.load()
    found = {name: one for name, one in loaded["Resources"].items() if one["Type"] in STATEFUL.values()}
    assert {name: one["Type"] for name, one in found.items()} == STATEFUL
    for one in found.values():
        said = json.dumps(one)
        for parameter in loaded["Parameters"]:
            assert f'{{"Ref": "{parameter}"}}' not in said
            assert f"${{{parameter}}}" not in said
            proof.tried()
        assert "Condition" not in one
    assert found["Table"]["UpdateReplacePolicy"] == "Retain"
    assert found["Table"]["Properties"]["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert {
        name for name, one in found.items() if {"TableName", "QueueName", "TopicName"} & one.get("Properties", {}).keys()
    } == set()
