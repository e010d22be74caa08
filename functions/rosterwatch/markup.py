"""Pure: the HTML that all parts of the dashboard's widget are made of. Every text goes through ``text``, every attribute too.

CloudWatch strips scripts, ``<iframe>`` and ``<use>``, and makes a click of the ``<cwdb-action>`` behind an element:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_interactivity.html
"""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from typing import Any, Final

from rosterwatch.finding import Status
from rosterwatch.snapshot import CERTIFICATE, TLS, TOKEN, Cell, Look

STATUS_SIGNS: Final = {Status.FAILING: "✕", Status.DEGRADED: "!", Status.UNKNOWN: "?", Status.HEALTHY: "✓"}
LOOK_SIGNS: Final = {
    Look.OK: "✓",
    Look.EMPTY: "0",
    Look.DENIED: "✕",
    Look.BROKEN: "!",
    Look.UNTESTED: "·",
    Look.ENDING: "~",
    Look.NONE: "",
}
_LOOK_WORDS: Final = {
    Look.OK: "readable",
    Look.EMPTY: "readable, but empty",
    Look.DENIED: "refused",
    Look.BROKEN: "fails",
    Look.UNTESTED: "not asked",
    Look.ENDING: "ends soon",
    Look.NONE: "not watched",
}
_DOOR_WORDS: Final = {
    (TOKEN, Look.OK): "granted",
    (CERTIFICATE, Look.OK): "accepted",
    (CERTIFICATE, Look.NONE): "none stored, or not asked",
    (TLS, Look.OK): "valid",
    (TLS, Look.UNTESTED): "not seen",
    (TLS, Look.BROKEN): "no trusted connection",
}


_AS_JSON: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"}


@dataclass(frozen=True, slots=True)
class Frame:
    """What every part needs to know: when it is, how it is lit, and whom its buttons call (an ARN)."""

    now: datetime
    dark: bool
    endpoint: str
    secret_prefix: str


def text(value: object) -> str:
    """Any text as HTML, for content and attributes alike."""
    return html.escape(str(value), quote=True)


def action(frame: Frame, sent: Mapping[str, Any], *, display: str = "widget", confirmation: str = "") -> str:
    """What a click on the element before it does: call us with ``sent`` and show the answer as ``widget`` or ``popup``."""
    asked = f' confirmation="{text(confirmation)}"' if confirmation else ""
    endpoint = text(frame.endpoint)
    # Escaped as JSON, so that it reads the same whether the console takes it as text or as markup.
    block = json.dumps(sent, separators=(",", ":")).translate(_AS_JSON)
    return f'<cwdb-action action="call" endpoint="{endpoint}" display="{display}"{asked}>{block}</cwdb-action>'


def button(frame: Frame, label: str, sent: Mapping[str, Any], *, kind: str = "", display: str = "widget", **more: str) -> str:
    """A button and what it does. ``label`` is HTML; ``kind`` its class; ``title`` and ``confirmation`` are texts."""
    title = f' title="{text(more["title"])}"' if "title" in more else ""
    named = f' aria-label="{text(more["name"])}"' if "name" in more else ""
    call = action(frame, sent, display=display, confirmation=more.get("confirmation", ""))
    return f'<button type="button" class="rw-b {kind}"{title}{named}>{label}</button>{call}'


def page(frame: Frame, content: str) -> str:
    """All of it, with its style. The first element switches CloudWatch's own styles off."""
    theme = "rw rw-dark" if frame.dark else "rw"
    return f'<div class="cwdb-no-default-styles"></div><style>{_style()}</style><div class="{theme}">{content}</div>'


def status_badge(status: Status) -> str:
    """A status as sign and word."""
    return (
        f'<span class="rw-s rw-s-{status.value}"><i aria-hidden="true">{STATUS_SIGNS[status]}</i>{status.value.capitalize()}</span>'
    )


def look_words(place: str, look: Look) -> str:
    """What became of a place, for people."""
    return _DOOR_WORDS.get((place, look), _LOOK_WORDS[look])


def cell_box(place: str, found: Cell, tls_until: str | None = None) -> str:
    """One place as a coloured sign, with its words as a title."""
    words = look_words(place, found.look)
    if place == TLS and tls_until:
        words = f"{words}, until {tls_until}"
    if not found.required and found.look is not Look.NONE:
        words = f"{words} (optional)"
    kind = found.look.name.lower() + ("" if found.required else " rw-opt")
    return f'<span class="rw-c rw-c-{kind}" title="{text(place)}: {text(words)}">{LOOK_SIGNS[found.look]}</span>'


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, in at most two units: ``3 h 20 min``."""
    return span(now - moment)


def span(length: timedelta) -> str:
    """A length of time in at most two units."""
    minutes = max(0, int(length.total_seconds() // 60))
    if minutes < 1:
        return "under 1 min"
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    if days >= 10:
        return f"{days} d"
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number]
    return " ".join(parts[:2] if not days else [part for part in parts if not part.endswith("min")])


def cause_words(name: str) -> str:
    """A cause's name as people read it."""
    return name.replace("_", " ").replace("tls", "TLS").replace("oneroster", "OneRoster").replace("api ", "API ").strip()


def sentence(words: str) -> str:
    """The words with a capital at the beginning, and the others as they are."""
    return words[:1].upper() + words[1:]


def sparkline(values: Sequence[int], label: str, width: int = 72, height: int = 16) -> str:
    """Values as a line, oldest first; 0 is a gap. Empty if there are fewer than two values to draw."""
    known = [value for value in values if value > 0]
    if len(known) < 2:
        return ""
    low, high = float(min(known)), max(known)
    reach = max(high - low, high * 0.1, 1)  # a steady count is a flat line in the middle, not a mountain range
    low -= (reach - (high - low)) / 2
    step = (width - 4) / (len(values) - 1)
    runs: list[list[str]] = [[]]
    for number, value in enumerate(values):
        if value > 0:
            runs[-1].append(f"{2 + number * step:.1f},{height - 2 - (value - low) / reach * (height - 4):.1f}")
        elif runs[-1]:
            runs.append([])
    lines = "".join(f'<polyline points="{" ".join(run)}"/>' for run in runs if len(run) > 1)
    end = runs[-1][-1].split(",") if runs[-1] else None
    dot = f'<circle cx="{end[0]}" cy="{end[1]}" r="1.8"/>' if end else ""
    return (
        f'<svg class="rw-line" role="img" aria-label="{text(label)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><title>{text(label)}</title>{lines}{dot}</svg>'
    )


@functools.cache
def _style() -> str:
    """The style sheet, without what only its authors need."""
    sheet = resources.files("rosterwatch").joinpath("widget.css").read_text(encoding="utf-8")
    return re.sub(r"\s*([{}:;,>])\s*", r"\1", re.sub(r"/\*.*?\*/|\s+", " ", sheet, flags=re.DOTALL)).strip()
