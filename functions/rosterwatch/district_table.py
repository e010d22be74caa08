"""Pure: the widget's table of districts: a row each, with a cell for everything that a visit looks at, and its buttons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rosterwatch import oneroster
from rosterwatch.causes import CAUSES
from rosterwatch.markup import Frame, ago, button, cause_words, cell_box, sentence, sparkline, status_badge, text
from rosterwatch.matrix import Page, Row
from rosterwatch.snapshot import CERTIFICATE, TLS, TOKEN, cell
from rosterwatch.times import moment

#: The columns of cells, in the order in which a visit asks.
COLUMNS: Final = (TOKEN, CERTIFICATE, TLS, *oneroster.REQUIRED, *oneroster.OPTIONAL)
_HEADS: Final = {
    TOKEN: "Tok",
    CERTIFICATE: "Crt",
    TLS: "TLS",
    "orgs": "Org",
    "schools": "Sch",
    "academicSessions": "Ses",
    "terms": "Trm",
    "courses": "Crs",
    "classes": "Cls",
    "users": "Usr",
    "students": "Stu",
    "teachers": "Tch",
    "enrollments": "Enr",
    "gradingPeriods": "Grd",
    "demographics": "Dem",
}
_MOST_COLLECTIONS: Final = 3


def table(shown: Page, frame: Frame) -> str:
    """The page's districts, a row each."""
    cells = "".join(
        f'<th scope="col" class="rw-x{" rw-gap" if place in (TOKEN, "orgs", "gradingPeriods") else ""}">'
        f'<abbr title="{text(place)}">{_HEADS[place]}</abbr></th>'
        for place in COLUMNS
    )
    head = (
        '<th scope="col">Status</th><th scope="col">District</th>'
        '<th scope="col">What is wrong <span class="rw-dim">&middot; whose move</span></th>'
        f'<th scope="col">Since</th><th scope="col">Seen</th>{cells}<th scope="col">Visit time</th>'
        '<th scope="col"><span class="rw-hide">Actions</span></th>'
    )
    rows = "".join(_row(row, frame) for row in shown.rows)
    caption = f"Districts {shown.first} to {shown.first + len(shown.rows) - 1} of {shown.total}"
    return (
        '<div class="rw-scroll" tabindex="0" role="region" aria-label="Table of districts"><table class="rw-m">'
        f'<caption class="rw-hide">{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _row(row: Row, frame: Frame) -> str:
    state = row.state
    opened = button(
        frame,
        text(row.district),
        {"open": row.district},
        kind="rw-name",
        display="popup",
        title=_title(row),
        name=f"Open {row.district}",
    )
    tags = f'<span class="rw-tag" title="{text(row.quiet)}">muted</span>' if row.quiet else ""
    cells = "".join(
        f'<td class="rw-x{" rw-gap" if place in (TOKEN, "orgs", "gradingPeriods") else ""}">'
        f"{cell_box(place, cell(state.cells, place), state.tls_until) if state and state.cells else ''}</td>"
        for place in COLUMNS
    )
    since = f'<span title="{text(moment(row.since))}">{text(ago(row.since, frame.now))}</span>' if row.since else ""
    line = sparkline(state.durations, _durations_label(state.durations)) if state else ""
    return (
        f'<tr><td>{status_badge(row.status)}</td><th scope="row">{opened}</th><td class="rw-why">{_why(row)}{tags}</td>'
        f'<td>{since}</td><td>{_seen(row, frame)}</td>{cells}<td>{line}</td><td class="rw-acts">{_actions(row, frame)}</td></tr>'
    )


def _title(row: Row) -> str:
    return f"{row.district}" + (f" on {row.state.host}" if row.state and row.state.host else "") + ": show what is known"


def _why(row: Row) -> str:
    if row.trouble:
        return f"{text(row.trouble)} <small>Our move</small>"
    state = row.state
    if row.cause is None or state is None:
        if state is not None and state.suspected:
            return f"<small>Suspected: {text(cause_words(state.suspected))}, to be looked at again</small>"
        return ""
    words = cause_words(row.cause)
    if state.concerned and row.cause == state.cause:
        names = ", ".join(state.concerned[:_MOST_COLLECTIONS])
        more = len(state.concerned) - _MOST_COLLECTIONS
        words += f": {names}" + (f" and {more} more" if more > 0 else "")
    cause = CAUSES.get(row.cause)
    owner = f"<small>{text(sentence(cause.owner.value))}</small>" if cause else ""
    return f"{text(sentence(words))} {owner}"


def _seen(row: Row, frame: Frame) -> str:
    if row.state is None:
        return ""
    words = f'<span title="{text(moment(row.state.visited_at))}">{text(ago(row.state.visited_at, frame.now))}</span>'
    return words + ('<span class="rw-tag">stale</span>' if row.stale else "")


def _durations_label(durations: Sequence[int]) -> str:
    return f"Time of the last {len(durations)} visits, now {durations[-1] / 1000:.1f} s" if durations else ""


def _actions(row: Row, frame: Frame) -> str:
    name = row.district
    recheck = button(
        frame,
        "Re-check",
        {"do": "recheck", "district": name},
        title="Visit this district now",
        name=f"Re-check {name} now",
        confirmation=f"Visit {name} now?",
    )
    if row.muted:
        quiet = button(
            frame,
            "Unmute",
            {"do": "unmute", "district": name},
            title="Let its alerts through again",
            name=f"Unmute {name}",
            confirmation=f"Let the alerts of {name} through again?",
        )
    else:
        quiet = button(
            frame,
            "Mute 4 h",
            {"do": "mute", "district": name, "hours": 4},
            title="Hold its alerts back for four hours",
            name=f"Mute {name} for 4 hours",
            confirmation=f"Hold the alerts of {name} back for 4 hours? It is watched all the same, and a resolution is still told.",
        )
    return recheck + quiet
