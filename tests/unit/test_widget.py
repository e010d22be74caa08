"""The dashboard's widget and its popup, as HTML."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from rosterwatch import popup, widget
from rosterwatch.district_table import COLUMNS
from rosterwatch.finding import Status
from rosterwatch.markup import ago, span, sparkline, status_badge
from rosterwatch.matrix import PAGE_SIZE, SHOWN, Row, View, make_row
from rosterwatch.mute import Mute
from rosterwatch.snapshot import Look
from rosterwatch.state import StateError
from tests.unit.rows import ARN, FRAME, NOW, STALE, fleet, row

HOSTILE = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>&<use href=#a>"


class Tree(HTMLParser):
    """What a browser would make of it: elements in order, texts, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.actions: list[dict[str, Any]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("input", "polyline", "circle", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "cwdb-action":
            self.actions.append({**json.loads(data), "display": self.elements[-1][1]["display"]})
        elif "style" not in self.open:
            self.texts.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.texts).split())


def drawn(text: str) -> Tree:
    """The tree, which has to be one that CloudWatch shows as it is."""
    tree = Tree(text)
    assert not tree.open
    names = {tag for tag, _ in tree.elements}
    assert not names & {"script", "iframe", "use", "object", "embed", "link", "img", "a"}
    for tag, attributes in tree.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert "id" not in attributes  # several widgets may stand on one page
        if tag == "cwdb-action":
            assert attributes["endpoint"] == ARN
    return tree


def shown(rows: list[Row], view: View | None = None, **more: Any) -> Tree:
    return drawn(widget.render(rows, view or View("all"), FRAME, **more))


def record(**different: Any) -> dict[str, Any]:
    facts = {
        "at": "2026-10-06 11:05 UTC",
        "status": "failing",
        "before": "healthy",
        "cause": "credentials_revoked",
        "headline": "The Consumer ID and Secret worked before and are refused now",
        "next_steps": ["Open Security > API Security.", "Tick OneRoster."],
        "evidence": ["POST /token: 400 invalid_client, JSON, after 120 ms"],
        "others": ["The API Certificate is refused (api_certificate_wrong)"],
    }
    return {**facts, **different}


# -- the widget ---------------------------------------------------------------------------------------------------------


def test_a_row_says_what_is_wrong_whose_move_it_is_and_what_each_collection_answered() -> None:
    tree = shown([row(cause="permission_missing")])
    for words in ("Failing", "springfield", "Permission missing: classes, enrollments", "District administrator", "3 h", "4 min"):
        assert words in tree.words
    titles = {str(attributes["title"]) for _, attributes in tree.elements if "title" in attributes}
    assert {"classes: refused", "users: readable", "token: granted", "tls: valid, until 2027-03-01"} <= titles
    assert "demographics: readable (optional)" in titles


def test_no_state_of_a_cell_or_a_district_is_told_by_colour_alone() -> None:
    cells = "".join(look.value.upper() for look in Look)
    tree = shown([row(cells=cells.ljust(15, "-"))])
    boxes = [attributes for tag, attributes in tree.elements if tag == "span" and "rw-c" in str(attributes.get("class")).split()]
    with_titles = [attributes for attributes in boxes if "title" in attributes]
    assert len(with_titles) == len(COLUMNS)
    text = widget.render([row(cells=cells.ljust(15, "-"))], View("all"), FRAME)
    signs = dict(re.findall(r'class="rw-c rw-c-(\w+)" title="[^"]*">([^<]*)<', text))
    assert len(set(signs.values())) == len(signs) == len(Look)
    badges = {status: status_badge(status) for status in Status}
    assert all(status.value.capitalize() in badge for status, badge in badges.items())


@pytest.mark.parametrize("theme", [True, False])
def test_the_theme_is_a_class(theme: bool) -> None:
    text = widget.render([row()], View(), replace(FRAME, dark=theme))
    assert ('class="rw rw-dark"' in text) is theme


def test_nothing_that_is_stored_can_become_markup() -> None:
    hostile = row(HOSTILE, "permission_missing", host=HOSTILE, concerned=(HOSTILE,), provider=HOSTILE, tls_until=HOSTILE)
    muted = replace(hostile, quiet=HOSTILE)
    damaged = make_row(HOSTILE, StateError(HOSTILE), (), (), NOW, STALE)
    tree = shown([muted, damaged], View("all", find="script"), notice=HOSTILE)
    assert HOSTILE in tree.words
    assert {action["open"] for action in tree.actions if "open" in action} == {HOSTILE}
    facts = dict.fromkeys(("at", "status", "before", "headline"), HOSTILE)
    lists = {name: [HOSTILE] for name in ("next_steps", "evidence", "others")}
    opened = drawn(popup.render(muted, [record(**facts, **lists, cause="permission_missing")], FRAME, notice=HOSTILE))
    assert opened.words.count(HOSTILE) >= 8
    drawn(popup.gone(HOSTILE, FRAME))


def test_a_state_of_an_older_release_is_drawn_without_what_it_does_not_hold() -> None:
    old = row(cells="", durations=(), counts=(), provider=None, tls_until=None)
    assert "springfield" in shown([old]).words
    assert "saw nothing" in drawn(popup.render(old, [], FRAME)).words


def test_a_suspicion_is_no_verdict_yet() -> None:
    assert "Suspected: no answer" in shown([row(suspected="no_answer")]).words


def test_a_cause_that_a_newer_release_knows_is_shown_by_its_name() -> None:
    newer = replace(row(), cause="eaten_by_a_dog", status=Status.FAILING)
    assert "Eaten by a dog" in shown([newer]).words
    assert "Eaten by a dog" in drawn(popup.render(newer, [], FRAME)).words


def test_three_thousand_districts_are_a_page_of_fifty_and_small_enough() -> None:
    rows = [make_row(state.district, state, (), (), NOW, STALE) for state in fleet(3000, 240)]
    for view in (View(), View("all"), View("all", page=60)):
        text = widget.render(rows, view, FRAME)
        assert len(text.encode()) < 250_000
        assert len(re.findall(r"<tr>", text)) <= PAGE_SIZE + 1
    words = shown(rows).words
    assert "3,000 districts" in words
    assert "1-50 of 3,000" in words
    assert "Page 1 of 60" in words


def test_pages_are_turned_by_buttons_that_keep_the_rest_of_the_form() -> None:
    rows = [row(f"district-{number:03}", "slow") for number in range(3 * PAGE_SIZE)]
    turns = [action for action in shown(rows, View(page=2)).actions if set(action) == {"page", "display"}]
    assert [action["page"] for action in turns] == [1, 1, 3]  # Apply, Previous, Next
    tree = shown(rows, View(page=2, find="district"))
    fields = {attributes["name"]: attributes.get("value") for tag, attributes in tree.elements if tag in ("input", "select")}
    assert fields == {"show": None, "cause": None, "find": "district", "page": "2"}
    assert [action["page"] for action in shown(rows, View(page=3)).actions if set(action) == {"page", "display"}] == [1, 2]


def test_what_was_chosen_stays_chosen() -> None:
    text = widget.render([row(cause="slow", provider="classlink")], View("degraded", "slow", "classlink"), FRAME)
    assert re.findall(r'<option value="([^"]*)" selected', text) == ["degraded", "slow", "classlink"]


def test_the_tiles_count_and_show_by_status() -> None:
    tree = shown([row("a"), row("b", "slow"), row("c", "credentials_revoked"), row("d", "credentials_revoked")])
    assert "2 failing" in tree.words
    assert [action["show"] for action in tree.actions if "show" in action] == ["failing", "degraded", "unknown", "healthy", "all"]
    assert all(action["find"] == "" and action["page"] == 1 for action in tree.actions if "show" in action)


def test_without_any_district_it_says_how_to_store_the_first() -> None:
    words = shown([]).words
    assert "No district yet" in words
    assert "aws secretsmanager create-secret --name rosterwatch/springfield" in words
    assert "rosterwatch add springfield" in words


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (View(), "Nothing needs attention"),
        (View(), "The one district is healthy. The last visit was 4 min ago."),
        (View("failing"), "No district is failing."),
        (View(cause="slow"), "No district matches"),
        (View("all", find="nowhere"), "No district matches"),
    ],
)
def test_an_empty_page_says_why_and_leads_back(view: View, words: str) -> None:
    tree = shown([row()], view)
    assert words in tree.words
    assert {"show": "all", "cause": "", "provider": "", "find": "", "page": 1, "display": "widget"} in tree.actions


def test_a_blind_monitor_says_so_before_everything_else() -> None:
    assert shown([row()], blind_since=NOW - timedelta(minutes=7)).words.startswith("The monitor itself cannot see since")


def test_the_buttons_of_a_row_ask_before_they_act() -> None:
    text = widget.render([row(), row("z", mutes=(Mute("district/z", NOW + timedelta(hours=1), "", ""),))], View("all"), FRAME)
    acts = re.findall(r"<cwdb-action ([^>]*)>([^<]*\"do\"[^<]*)<", text)
    assert [json.loads(block)["do"] for _, block in acts] == ["recheck", "mute", "recheck", "unmute"]
    assert all(" confirmation=" in attributes for attributes, _ in acts)


def test_the_description_names_every_choice() -> None:
    assert widget.DESCRIPTION.startswith("## ")
    assert all(name in widget.DESCRIPTION for name in (*SHOWN, "cause", "provider", "find"))


# -- the popup ----------------------------------------------------------------------------------------------------------


def test_the_popup_tells_all_that_is_known() -> None:
    words = drawn(popup.render(row(cause="credentials_revoked"), [record(), record(status="healthy", cause=None)], FRAME)).words
    for part in (
        "The Consumer ID and Secret worked before and are refused now",
        "credentials_revoked",
        "District administrator",
        "Last good 2026-10-06 10:05 UTC (4 h ago)",
        "Open Security > API Security.",
        "POST /token: 400 invalid_client",
        "The API Certificate is refused",
        "healthy → failing",
        "rosterwatch/springfield",
        "sis.example.org",
        "Time of the last 3 visits",
        "Records in all required collections",
    ):
        assert part in words


def test_a_verdict_whose_record_has_expired_still_has_its_owner() -> None:
    words = drawn(popup.render(row(cause="credentials_revoked"), [], FRAME)).words
    assert "Credentials revoked" in words
    assert "District administrator" in words


def test_a_healthy_district_shows_its_records_and_no_steps() -> None:
    words = drawn(popup.render(row(), [record(status="healthy", cause=None)], FRAME)).words
    assert "4,321 records" in words
    assert "What to do" not in words


def test_the_popup_of_a_blind_monitor_tells_what_to_do_about_the_monitor() -> None:
    words = drawn(popup.render(row(unknown_since=NOW), [record()], FRAME)).words
    assert "its own way to the internet is down" in words
    assert "NAT gateway" in words


def test_a_damaged_state_says_so_and_can_still_be_acted_on() -> None:
    damaged = make_row("springfield", StateError("damaged"), (), (), NOW, STALE)
    tree = drawn(popup.render(damaged, [], FRAME))
    assert "The stored state is damaged" in tree.words
    assert {action["do"] for action in tree.actions} == {"recheck", "mute"}


def test_what_the_popup_does_is_shown_in_the_popup() -> None:
    muted = row(mutes=(Mute("district/springfield", NOW + timedelta(hours=1), "a move", "Ada"),))
    tree = drawn(popup.render(muted, [], FRAME))
    assert [action["do"] for action in tree.actions] == ["recheck", "mute", "mute", "unmute", "mute"]
    assert all(action["display"] == "popup" and action["in"] == "popup" for action in tree.actions)
    assert "Muted until 2026-10-06 15:05 UTC: a move" in tree.words


def test_long_lists_end_with_how_many_more_there_are() -> None:
    many = [f"line {number}" for number in range(40)]
    words = drawn(popup.render(row(cause="credentials_revoked"), [record(evidence=many)], FRAME)).words
    assert "line 11 and 28 more" in words


# -- small things -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "under 1 min"),
        (-5, "under 1 min"),
        (7, "7 min"),
        (60, "1 h"),
        (205, "3 h 25 min"),
        (1440, "1 d"),
        (1565, "1 d 2 h"),
        (90_000, "62 d"),
    ],
)
def test_a_span_has_two_units_at_most(minutes: int, words: str) -> None:
    assert span(timedelta(minutes=minutes)) == words
    assert ago(NOW - timedelta(minutes=minutes), NOW) == words


def test_a_sparkline_is_a_line_with_gaps_that_stays_in_its_box() -> None:
    line = sparkline((5, 9, 0, 7, 7, 3), "label")
    assert line.count("<polyline") == 2
    for x, y in re.findall(r"(\d+\.\d),(\d+\.\d)", line):
        assert 0 <= float(x) <= 72
        assert 0 <= float(y) <= 16
    assert sparkline((), "label") == sparkline((0, 0, 4), "label") == ""
