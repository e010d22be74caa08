"""Pure: the dashboard's widget, which is the fleet at a glance and a page of its districts, as HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from rosterwatch.district_table import table
from rosterwatch.finding import Status
from rosterwatch.markup import (
    LOOK_SIGNS,
    STATUS_SIGNS,
    Frame,
    ago,
    button,
    cause_words,
    page,
    text,
)
from rosterwatch.matrix import SHOWN, Page, Row, View, count, select
from rosterwatch.providers import PROVIDERS
from rosterwatch.snapshot import Look
from rosterwatch.times import moment

_LEGEND: Final = (
    (Look.OK, "in order"),
    (Look.DENIED, "refused"),
    (Look.BROKEN, "fails"),
    (Look.EMPTY, "empty"),
    (Look.ENDING, "ends soon"),
    (Look.UNTESTED, "not asked"),
)

DESCRIPTION: Final = """## Rosterwatch: districts

Shows every watched district: what can be read from its OneRoster server, what is wrong, since when, and whose move it is.

* **Tiles** count the districts by status; a click shows those of one kind. The default shows what needs attention.
* **A row** has one cell for the token, the API Certificate, the TLS certificate and each collection. Hold the pointer over one.
* **The district's name** opens all that is known of it: evidence, next steps, recent changes.
* **Re-check** visits a district now. **Mute** holds its alerts back for a time; resolutions are still told.

### Parameters (all optional)
``` yaml
show: broken        # broken, failing, degraded, unknown, healthy, stale, muted or all
cause: ""           # a cause by its name, such as credentials_revoked
provider: ""        # a provider by its name, such as aeries
find: ""            # part of a district's or a host's name
```

Whoever uses the buttons needs `lambda:InvokeFunction` on this function, and nothing else.
"""


def render(rows: Sequence[Row], view: View, frame: Frame, *, notice: str = "", blind_since: datetime | None = None) -> str:
    """The whole widget. ``notice`` says what a button has just done; ``blind_since``: the monitor itself cannot see."""
    notes = _notes(notice, blind_since, frame)
    if not rows:
        return page(frame, notes + _no_district(frame))
    shown = select(rows, view)
    counts = count(rows)
    body = table(shown, frame) if shown.rows else _nothing(shown.view, counts, rows, frame)
    parts = (_tiles(counts, shown.view, frame), _form(rows, shown, frame), body, _foot())
    return page(frame, f'<div class="rw-in">{notes}{"".join(parts)}</div>')


def _notes(notice: str, blind_since: datetime | None, frame: Frame) -> str:
    notes = f'<p class="rw-note" role="status">{text(notice)}</p>' if notice else ""
    if blind_since is not None:
        notes += (
            f'<p class="rw-note rw-warn" role="status"><b>The monitor itself cannot see</b> since {text(moment(blind_since))} '
            f"({text(ago(blind_since, frame.now))}): its own way to the internet is down. No district is blamed meanwhile.</p>"
        )
    return notes


# -- the fleet ----------------------------------------------------------------------------------------------------------


def _tiles(counts: Mapping[str, int], view: View, frame: Frame) -> str:
    tiles = ""
    for status in (Status.FAILING, Status.DEGRADED, Status.UNKNOWN, Status.HEALTHY):
        sign = f'<i aria-hidden="true">{STATUS_SIGNS[status]}</i>'
        tiles += _tile(status.value, sign, status.value, counts[status.value], view, frame)
    for show in ("stale", "muted"):
        if counts[show]:
            tiles += _tile(show, "", SHOWN[show].lower(), counts[show], view, frame)
    tiles += _tile("all", "", "districts", counts["all"], view, frame)
    parts = "".join(
        f'<span class="rw-bar-{status.value}" style="flex:{counts[status.value]}"></span>'
        for status in (Status.FAILING, Status.DEGRADED, Status.UNKNOWN, Status.HEALTHY)
        if counts[status.value]
    )
    return (
        f'<div class="rw-top" role="group" aria-label="Districts by status">{tiles}</div>'
        f'<div class="rw-bar" aria-hidden="true">{parts}</div>'
    )


def _tile(show: str, sign: str, word: str, number: int, view: View, frame: Frame) -> str:
    pressed = "true" if view.show == show and not view.is_narrowed else "false"
    kind = f'rw-tile rw-t-{show}{"" if number else " rw-zero"}" aria-pressed="{pressed}'
    sent = {"show": show, "cause": "", "provider": "", "find": "", "page": 1}
    return button(frame, f"{sign}<b>{number:,}</b> {text(word)}", sent, kind=kind, title=f"Show: {SHOWN[show]}")


def _form(rows: Sequence[Row], shown: Page, frame: Frame) -> str:
    view = shown.view
    causes = Counter(row.cause for row in rows if row.cause)
    providers = Counter(row.provider for row in rows if row.provider)
    fields = _select("show", "Show", [(name, words) for name, words in SHOWN.items()], view.show)
    if causes or view.cause:
        some = [(name, f"{cause_words(name)} ({causes[name]:,})") for name in sorted({*causes, view.cause} - {""})]
        fields += _select("cause", "Cause", [("", "Any"), *some], view.cause)
    if len(providers) > 1 or view.provider:
        many = [(name, f"{_product(name)} ({providers[name]:,})") for name in sorted({*providers, view.provider} - {""})]
        fields += _select("provider", "Provider", [("", "Any"), *many], view.provider)
    fields += (
        f'<label>Find <input type="search" name="find" value="{text(view.find)}" placeholder="district or host" maxlength="100">'
        "</label>"
    )
    fields += f'<input type="hidden" name="page" value="{view.page}">'
    return f'<form class="rw-form">{fields}{button(frame, "Apply", {"page": 1}, kind="rw-btn")}{_pages(shown, frame)}</form>'


def _select(name: str, label: str, options: Iterable[tuple[str, str]], chosen: str) -> str:
    lines = "".join(
        f'<option value="{text(value)}"{" selected" if value == chosen else ""}>{text(words)}</option>' for value, words in options
    )
    return f'<label>{label} <select name="{name}">{lines}</select></label>'


def _product(provider: str) -> str:
    known = PROVIDERS.get(provider)
    return known.wording.product if known else provider


# -- around it ----------------------------------------------------------------------------------------------------------


def _foot() -> str:
    legend = "".join(
        f'<span><i class="rw-c rw-c-{look.name.lower()}" aria-hidden="true">{LOOK_SIGNS[look]}</i>{words}</span>'
        for look, words in _LEGEND
    )
    return f'<div class="rw-foot">{legend}<span>Failing first, and of those what began last.</span></div>'


def _pages(shown: Page, frame: Frame) -> str:
    last = shown.first + len(shown.rows) - 1
    turn = f"<span>{shown.first:,}-{last:,} of {shown.total:,}</span>" if shown.rows else ""
    if shown.pages > 1:
        before, after = shown.view.page - 1, shown.view.page + 1
        turn += f"<span>Page {shown.view.page} of {shown.pages}</span>"
        if before >= 1:
            turn += button(frame, "Previous", {"page": before}, kind="rw-btn", name="Previous page")
        if after <= shown.pages:
            turn += button(frame, "Next", {"page": after}, kind="rw-btn", name="Next page")
    return f'<span class="rw-pages">{turn}</span>'


def _nothing(view: View, counts: Mapping[str, int], rows: Sequence[Row], frame: Frame) -> str:
    every = button(frame, "Show all districts", _sent(replace(view, show="all", cause="", provider="", find="")), kind="rw-btn")
    if view.is_narrowed:
        return f'<div class="rw-empty"><h2>No district matches</h2><p>Nothing here under these filters.</p>{every}</div>'
    if view.show == "broken":
        visits = [row.state.visited_at for row in rows if row.state]
        last = f" The last visit was {text(ago(max(visits), frame.now))} ago." if visits else ""
        number = counts["all"]
        of_all = "The one district is" if number == 1 else f"All {number:,} districts are"
        return f'<div class="rw-empty"><h2>Nothing needs attention</h2><p>{of_all} healthy.{last}</p>{every}</div>'
    return f'<div class="rw-empty"><h2>None</h2><p>No district is {text(SHOWN[view.show].lower())}.</p>{every}</div>'


def _sent(view: View) -> dict[str, Any]:
    return {"show": view.show, "cause": view.cause, "provider": view.provider, "find": view.find, "page": view.page}


def _no_district(frame: Frame) -> str:
    name = text(f"{frame.secret_prefix}springfield")
    return (
        '<div class="rw-empty"><h2>No district yet</h2><p>A district is watched as soon as its credentials are stored. With the '
        "command line, which visits the server before it stores anything:</p><pre>rosterwatch add springfield</pre>"
        "<p>Or store your first secret like this, with the four things that the district's administrator has handed over:</p>"
        f"<pre>cat &gt; springfield.json &lt;&lt;'END'\n"
        '{"base_url": "https://springfield.aeries.example/aeries",\n "api_certificate": "...", "consumer_id": "...", '
        '"consumer_secret": "..."}\nEND\n'
        f"aws secretsmanager create-secret --name {name} --secret-string file://springfield.json\nrm springfield.json</pre>"
        "<p>It is visited within a minute, and shows up here.</p></div>"
    )
