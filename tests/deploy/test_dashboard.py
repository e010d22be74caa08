"""The deployed dashboard in a real browser: what is seen, what can be done, and by whom."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from rosterwatch.case import Known
from rosterwatch.diagnosis import diagnose
from rosterwatch.health import Lesson, State, advance
from rosterwatch.snapshot import snapshot
from rosterwatch.state import StateStore, _item
from tests.browser.console import PICTURES, Console, find_chromium
from tests.local_aws import LocalAws, wait_for
from tests.sis import SimulatedSis
from tests.unit.observations import answer, oauth, seen, turned_away
from tests.unit.rows import fleet

CHROMIUM = find_chromium()
pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
KINDS = ("district", "mute", "monitor", "problem", "transition")


def forget(aws: LocalAws) -> None:
    """Everything that earlier tests have left, so that the dashboard shows what this one has stored."""
    aws.sqs.purge_queue(QueueUrl=aws.outputs["QueueUrl"])
    keys = [{"pk": item["pk"], "sk": item["sk"]} for item in aws.items() if item["pk"]["S"].partition("#")[0] in KINDS]
    write(aws, [{"DeleteRequest": {"Key": key}} for key in keys])


def write(aws: LocalAws, requests: Sequence[Any]) -> None:
    for start in range(0, len(requests), 25):
        left: Any = {aws.outputs["TableName"]: list(requests[start : start + 25])}
        while left:
            left = aws.dynamodb.batch_write_item(RequestItems=left).get("UnprocessedItems")


def store(aws: LocalAws, states: Sequence[State]) -> None:
    write(aws, [{"PutRequest": {"Item": _item(state)}} for state in states])


@pytest.fixture(scope="module")
def console(aws: LocalAws) -> Iterator[Console]:
    with Console(aws) as running:
        yield running


@pytest.fixture(scope="module")
def browser(console: Console) -> Iterator[Page]:
    assert CHROMIUM
    with console.browser(CHROMIUM) as page:
        yield page


@pytest.fixture
def page(aws: LocalAws, console: Console, browser: Page) -> Iterator[Page]:
    """A page in a browser, over a fleet without districts. Nothing may have been said on its console in the end."""
    forget(aws)
    console.trouble.clear()
    yield browser
    assert browser.evaluate("stripped") == []
    assert console.trouble == []
    forget(aws)


def look(page: Page, console: Console, theme: str = "light", height: int = 640) -> None:
    page.goto("about:blank")
    page.goto(console.address(theme, height))
    settled(page)


def settled(page: Page) -> None:
    expect(page.locator("#widget")).to_have_attribute("aria-busy", "false")


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def picture_of(page: Page, place: str, name: str) -> None:
    page.locator(place).screenshot(path=PICTURES / f"{name}.png")


def names(page: Page) -> list[str]:
    return page.locator("#widget tbody th").all_inner_texts()


def press(page: Page, name: str, place: str = "#widget") -> None:
    """Press a button, say yes if asked, and wait for what comes of it."""
    before = page.evaluate("calls.length")
    page.locator(place).get_by_role("button", name=name, exact=True).click()
    if page.locator("#question").is_visible():
        page.locator("#yes").click()
    page.wait_for_function("before => calls.length > before", arg=before)
    settled(page)


def is_accessible(page: Page, place: str) -> None:
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "place => axe.run(place, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})", place
    )
    told = [
        f"{one['id']}: {node['target']} {node['any'][0]['message'] if node['any'] else node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]
    assert told == []


def visit(aws: LocalAws, *districts: str) -> None:
    bodies = [json.dumps({"district": name, "reason": "recheck"}) for name in districts]
    event = {"Records": [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]}
    assert aws.invoke("CheckFunction", event) == {"batchItemFailures": []}


def test_without_a_district_it_says_how_to_store_the_first(page: Page, console: Console) -> None:
    look(page, console)
    expect(page.locator("#widget h2")).to_have_text("No district yet")
    is_accessible(page, "#widget")
    picture(page, "empty-light")


def test_three_districts_of_which_one_is_broken_seen_opened_muted_mended_and_checked_again(
    aws: LocalAws, sis: SimulatedSis, page: Page, console: Console
) -> None:
    towns = {name: sis.add_district(name) for name in ("amityville", "bedrock", "stars-hollow")}
    for name, district in towns.items():
        aws.put_secret(name, dict(district.credentials))
    visit(aws, *towns)
    time.sleep(1)
    visit(aws, *towns)
    towns["bedrock"].admin.untick("Classes")
    visit(aws, *towns)

    look(page, console)
    assert names(page) == ["bedrock"]
    expect(page.locator("#widget tbody tr")).to_contain_text("Permission missing: enrollments")
    expect(page.locator('#widget tbody [title="enrollments: refused"]')).to_have_text("✕")
    expect(page.locator('#widget tbody [title="users: readable"]')).to_have_text("✓")
    picture(page, "three-broken-light")
    press(page, "3 districts")
    assert names(page)[0] == "bedrock"
    assert set(names(page)) == set(towns)
    picture(page, "three-light")

    press(page, "Open bedrock")
    popup = page.locator("#content")
    for words in (
        "District administrator",
        "Scheduling > Classes",
        "GET /enrollments: 403",
        "healthy → failing",
        "rosterwatch/bedrock",
    ):
        expect(popup).to_contain_text(words)
    is_accessible(page, "#popup")
    picture(page, "three-popup-light")

    press(page, "Mute 24 h", "#content")
    expect(popup).to_contain_text("bedrock is muted until")
    [mute] = aws.items("mute")
    assert mute["sk"]["S"] == "district/bedrock"
    assert json.loads(mute["mute"]["S"])["by"] == "the dashboard rosterwatch"
    press(page, "Unmute", "#content")
    assert aws.items("mute") == []
    day = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    popup.locator("[name=until]").fill(day)
    popup.locator("[name=reason]").fill("the district knows")
    press(page, "Mute", "#content")
    expect(popup).to_contain_text(f"Muted until {day} 23:59 UTC: the district knows")
    page.keyboard.press("Escape")
    expect(page.locator("#popup")).not_to_be_visible()

    look(page, console)
    press(page, "Unmute bedrock")
    expect(page.locator("#widget [role=status]")).to_have_text("bedrock is no longer muted.")
    press(page, "Mute bedrock for 4 hours")
    expect(page.locator("#widget tbody tr", has_text="bedrock")).to_contain_text("muted")
    assert len(aws.items("mute")) == 1

    towns["bedrock"].admin.tick("Classes")
    press(page, "Re-check bedrock now")
    expect(page.locator("#widget [role=status]")).to_contain_text("on its way to be visited")

    def mended() -> bool | None:
        return any(item["sk"]["S"] == "bedrock" and item["status"]["S"] == "healthy" for item in aws.items("district")) or None

    wait_for(mended, 30, "bedrock healthy")
    look(page, console)
    expect(page.locator("#widget h2")).to_have_text("Nothing needs attention")


def test_a_question_that_is_answered_with_no_changes_nothing(aws: LocalAws, page: Page, console: Console) -> None:
    store(aws, fleet(1, 1, datetime.now(UTC)))
    look(page, console)
    page.get_by_role("button", name="Mute district-0000 for 4 hours").click()
    expect(page.locator("#asked")).to_contain_text("resolution is still told")
    page.locator("#no").click()
    assert aws.items("mute") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_two_hundred_districts_are_calm_and_legible(aws: LocalAws, page: Page, console: Console, theme: str) -> None:
    store(aws, fleet(200, 14, datetime.now(UTC)))
    tell_of(aws, "springfield")
    look(page, console, theme)
    assert len(names(page)) == 15
    is_accessible(page, "#widget")
    picture(page, f"two-hundred-{theme}")
    picture_of(page, "main", f"widget-{theme}")
    press(page, "201 districts")
    assert len(names(page)) == 50
    is_accessible(page, "#widget")
    picture(page, f"two-hundred-all-{theme}")
    page.locator("[name=cause]").select_option("credentials_revoked")
    press(page, "Apply")
    assert "springfield" in names(page)
    press(page, "Open springfield")
    expect(page.locator("#content")).to_contain_text("Security > API Security")
    box = page.locator("#content").bounding_box()
    assert box
    assert 600 <= box["width"] <= 900
    is_accessible(page, "#popup")
    picture(page, f"popup-{theme}")
    picture_of(page, "#popup", f"popup-alone-{theme}")
    page.locator("#close").click()


def tell_of(aws: LocalAws, name: str) -> None:
    """Twenty good visits to a district and one after its record was deleted, stored as `check_districts` would have."""
    store, state, now = StateStore(aws.dynamodb, aws.outputs["TableName"]), None, datetime.now(UTC)
    known = Known(f"rosterwatch/{name}", pair_worked=True, pair_worked_at=now - timedelta(minutes=18))
    good, bad = seen(district=name), turned_away(answer(400, oauth("invalid_client")), district=name)
    for number in range(21):
        visit = good if number < 20 else bad
        told = replace(snapshot(visit), milliseconds=1450 + number * number * 37 % 420, records=24_100 + number * 3)
        lesson = Lesson("fingerprint", "v5", "sis3.example.org", {"students": 8_412}, snapshot=told)
        at = now - timedelta(minutes=15 * (20 - number) + 3)
        state, transition = advance(
            state, name, diagnose(visit, known), lesson if visit is good else replace(lesson, pair=None), at
        )
        assert store.write(state, transition)


def test_three_thousand_districts_are_paged_and_found_within_a_few_seconds(aws: LocalAws, page: Page, console: Console) -> None:
    store(aws, fleet(3000, 240, datetime.now(UTC)))
    started = time.monotonic()
    look(page, console)
    assert time.monotonic() - started < 15  # on two busy cores, with Lambda emulated
    assert len(names(page)) == 50
    expect(page.locator(".rw-pages")).to_contain_text("Page 1 of 5")
    picture(page, "three-thousand-light")
    first = names(page)
    press(page, "Next page")
    expect(page.locator(".rw-pages")).to_contain_text("Page 2 of 5")
    assert not set(names(page)) & set(first)
    press(page, "Previous page")
    assert names(page) == first
    page.locator("[name=show]").select_option("all")
    page.locator("[name=find]").fill("district-29")
    press(page, "Apply")
    assert len(names(page)) == 50
    expect(page.locator(".rw-pages")).to_contain_text("1-50 of 100")
    assert page.evaluate("document.getElementById('widget').innerHTML.length") < 500_000


def test_everything_can_be_reached_and_done_with_the_keyboard_alone(aws: LocalAws, page: Page, console: Console) -> None:
    store(aws, fleet(3, 1, datetime.now(UTC)))
    look(page, console)
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = "const e = document.activeElement; return e.getAttribute('aria-label') || e.getAttribute('name') || e.innerText"
        reached.append(page.evaluate(f"(() => {{ {focused} }})()"))
        if reached[-1] == "Open district-0000":
            break
    assert {"show", "cause", "find", "Apply"} <= set(reached)
    assert reached[-1] == "Open district-0000"
    style = page.evaluate(
        "(() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth] })()"
    )
    assert style == ["solid", "2px"]
    picture(page, "focus-light")
    page.keyboard.press("Enter")
    expect(page.locator("#content h2")).to_contain_text("district-0000")
    page.keyboard.press("Escape")
    expect(page.locator("#popup")).not_to_be_visible()


def test_a_narrow_widget_scrolls_its_table_and_nothing_else(aws: LocalAws, page: Page, console: Console) -> None:
    store(aws, fleet(20, 6, datetime.now(UTC)))
    page.set_viewport_size({"width": 760, "height": 700})
    try:
        look(page, console)
        wide = "(() => { const w = document.getElementById('widget'); return w.scrollWidth <= w.clientWidth + 1 })()"
        assert page.evaluate(wide)
        picture(page, "narrow-light")
    finally:
        page.set_viewport_size({"width": 1480, "height": 860})
