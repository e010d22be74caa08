"""Pure: all that is known of one district, as the HTML of the popup that its row opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rosterwatch.causes import CAUSES
from rosterwatch.district_table import COLUMNS
from rosterwatch.finding import BLIND
from rosterwatch.health import State
from rosterwatch.markup import (
    Frame,
    ago,
    button,
    cause_words,
    cell_box,
    look_words,
    page,
    sentence,
    sparkline,
    status_badge,
    text,
)
from rosterwatch.matrix import Row
from rosterwatch.providers import PROVIDERS
from rosterwatch.snapshot import TLS, Look, cell
from rosterwatch.times import moment

#: How many of a district's last changes are shown.
CHANGES: Final = 10
_MOST_LINES: Final = 12


def render(row: Row, records: Sequence[Mapping[str, Any]], frame: Frame, *, notice: str = "") -> str:
    """The popup. ``records`` are the district's last transitions, newest first; ``notice`` says what a button has just done."""
    said = f'<p class="rw-note" role="status">{text(notice)}</p>' if notice else ""
    quiet = f'<p class="rw-note rw-warn">{text(row.quiet)}. Resolutions are told all the same.</p>' if row.quiet else ""
    since = f'<span class="rw-dim">since {text(moment(row.since))} ({text(ago(row.since, frame.now))})</span>' if row.since else ""
    head = f"<h2>{text(row.district)} {status_badge(row.status)}</h2>{since}"
    body = _trouble(row) if row.state is None else _known(row, row.state, records, frame)
    return page(frame, f'<div class="rw-pop">{said}{head}{_actions(row, frame)}{quiet}{body}{_changes(records)}</div>')


def gone(district: str, frame: Frame) -> str:
    """What a popup says of a district that is not there (any more)."""
    words = f"Nothing is stored of {text(district)}. It was removed, or has never been visited."
    return page(frame, f'<div class="rw-pop"><h2>{text(district)}</h2><p>{words}</p></div>')


# -- what can be done ---------------------------------------------------------------------------------------------------


def _actions(row: Row, frame: Frame) -> str:
    name = row.district

    def act(label: str, kind: str = "", confirmation: str = "", **sent: Any) -> str:
        sent = {"district": name, "in": "popup", **sent}
        return button(frame, label, sent, kind=f"rw-btn {kind}".strip(), display="popup", confirmation=confirmation)

    held = "It is watched all the same, and a resolution is still told."
    buttons = act("Re-check now", "rw-main", f"Visit {name} now?", do="recheck")
    for hours in (4, 24):
        buttons += act(f"Mute {hours} h", "", f"Hold the alerts of {name} back for {hours} hours? {held}", do="mute", hours=hours)
    if row.muted:
        buttons += act("Unmute", "", f"Let the alerts of {name} through again?", do="unmute")
    first = frame.now.date().isoformat()
    until = (
        f'<label>or until the end of <input type="date" name="until" min="{first}"></label>'
        '<label>because <input type="text" name="reason" maxlength="200" placeholder="reason, optional"></label>'
    ) + act("Mute", "", f"Hold the alerts of {name} back until the end of that day (UTC)? {held}", do="mute")
    return f'<form class="rw-acts-bar">{buttons}<span class="rw-form">{until}</span></form>'


# -- what is known ------------------------------------------------------------------------------------------------------


def _trouble(row: Row) -> str:
    steps = (
        "If the stack was rolled back to an older release, deploy the newer one again.",
        "If not, remove the district and let its secret be visited anew.",
    )
    lines = "".join(f"<li>{text(step)}</li>" for step in steps)
    return f'<p class="rw-head">{text(row.trouble)}</p><h3>What to do</h3><ol>{lines}</ol>'


def _known(row: Row, state: State, records: Sequence[Mapping[str, Any]], frame: Frame) -> str:
    parts = _wrong(row, records, frame) if row.cause else _suspected(state)
    return parts + _visit(state) + _facts(state, frame)


def _suspected(state: State) -> str:
    if not state.suspected:
        return ""
    words = f"The last visit found {cause_words(state.suspected)}. It counts if the next one finds it too."
    return f'<p class="rw-note rw-warn">{text(words)}</p>'


def _wrong(row: Row, records: Sequence[Mapping[str, Any]], frame: Frame) -> str:
    record = next((one for one in records if one.get("cause") == row.cause), {})
    cause = CAUSES.get(row.cause or "")
    headline = record.get("headline") or (CAUSES[BLIND].headline if row.cause == BLIND else sentence(cause_words(row.cause or "")))
    steps = record.get("next_steps") or (CAUSES[BLIND].next_steps if row.cause == BLIND else ())
    facts = [("Cause", f'<span class="rw-mono">{text(row.cause)}</span>')]
    if cause:
        facts += [("Whose move", f"<b>{text(sentence(cause.owner.value))}</b>"), ("Severity", text(cause.severity.word))]
        facts += [("Concerns", text({"district": "this district", "host": "its whole host"}.get(cause.scope.value, "ourselves")))]
    good = row.state.last_good_at if row.state else None
    facts += [("Last good", text(f"{moment(good)} ({ago(good, frame.now)} ago)") if good else "never")]
    if row.state and row.state.opened_at:
        facts += [("Open for", text(ago(row.state.opened_at, frame.now)))]
    parts = f'<p class="rw-head">{text(headline)}</p>{_pairs(facts)}'
    if steps:
        parts += f"<h3>What to do</h3><ol>{_lines(steps)}</ol>"
    if record.get("evidence"):
        parts += f'<h3>Evidence</h3><ul class="rw-bare rw-mono">{_lines(record["evidence"])}</ul>'
    if record.get("others"):
        parts += f"<h3>Found besides</h3><ul>{_lines(record['others'])}</ul>"
    return parts


def _visit(state: State) -> str:
    heading = "<h3>The last visit</h3>"
    if not state.cells:
        return f'{heading}<p class="rw-dim">It saw nothing of the server.</p>'
    boxes = ""
    for place in COLUMNS:
        found = cell(state.cells, place)
        if found.look is Look.NONE:
            continue
        words = look_words(place, found.look)
        if place == TLS and state.tls_until:
            words += f" until {state.tls_until}"
        if place in state.baseline and found.look is Look.OK:
            words = f"{state.baseline[place]:,} records"
        elif not found.required:
            words += ", optional"
        boxes += f"<div>{cell_box(place, found, state.tls_until)}<span>{text(place)}</span> <small>{text(words)}</small></div>"
    return f'{heading}<div class="rw-grid">{boxes}</div>{_lines_of_visits(state)}'


def _lines_of_visits(state: State) -> str:
    number, lines = len(state.durations), ""
    if number > 1:
        label = f"Time of the last {number} visits"
        drawn = sparkline(state.durations, f"{label}, now {state.durations[-1] / 1000:.1f} s", 180, 30)
        lines += f'<div><div class="rw-dim">{label}</div>{drawn} <b>{state.durations[-1] / 1000:.1f} s</b></div>'
    counted = [records for records in state.counts if records]
    if len(counted) > 1:
        drawn = sparkline(state.counts, f"Records in all required collections, now {counted[-1]:,}", 180, 30)
        lines += f'<div><div class="rw-dim">Records in all required collections</div>{drawn} <b>{counted[-1]:,}</b></div>'
    return f'<div class="rw-lines">{lines}</div>' if lines else ""


def _facts(state: State, frame: Frame) -> str:
    provider = PROVIDERS.get(state.provider or "")

    def when(at: datetime | None, never: str) -> str:
        return text(f"{moment(at)} ({ago(at, frame.now)} ago)") if at else never

    facts = [
        ("Visited", when(state.visited_at, "never")),
        ("Credentials worked", when(state.pair_worked_at, "never")),
        ("Host", text(state.host or "not known yet")),
        ("Product", text(provider.wording.product if provider else state.provider or "not known yet")),
        ("Secret", f'<span class="rw-mono">{text(frame.secret_prefix + state.district)}</span>'),
    ]
    if state.not_before and state.not_before > frame.now:
        facts.append(("Left alone until", text(moment(state.not_before))))
    return f"<h3>Facts</h3>{_pairs(facts)}"


def _changes(records: Sequence[Mapping[str, Any]]) -> str:
    if not records:
        return ""
    rows = "".join(
        f'<tr><td class="rw-mono">{text(record.get("at", ""))}</td><td>{text(_step(record))}</td>'
        f"<td>{text(record.get('headline', ''))}</td></tr>"
        for record in records[:CHANGES]
    )
    head = '<thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Found</th></tr></thead>'
    return f'<h3>Recent changes</h3><table class="rw-h">{head}<tbody>{rows}</tbody></table>'


def _step(record: Mapping[str, Any]) -> str:
    before, after = record.get("before"), record.get("status", "")
    return f"{before} → {after}" if before and before != after else str(after)


def _pairs(facts: Sequence[tuple[str, str]]) -> str:
    return '<dl class="rw-dl">' + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts) + "</dl>"


def _lines(lines: Sequence[object]) -> str:
    shown = "".join(f"<li>{text(line)}</li>" for line in lines[:_MOST_LINES])
    more = len(lines) - _MOST_LINES
    return shown + (f"<li>and {more} more</li>" if more > 0 else "")
