"""Lambda: answers the dashboard's custom widget with the fleet as HTML, and does what its buttons ask for."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

import boto3

from rosterwatch import matrix, popup, widget
from rosterwatch.board import Board, BoardStore
from rosterwatch.markup import Frame
from rosterwatch.mute import Mute
from rosterwatch.queue import Visit, VisitQueue, is_district
from rosterwatch.races import NewerItemError
from rosterwatch.settings import RenderSettings, render_settings
from rosterwatch.state import StateStore
from rosterwatch.telemetry import logger
from rosterwatch.times import moment

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

LONGEST_MUTE: Final = timedelta(days=90)
_LONGEST_REASON: Final = 200


@dataclass(frozen=True, slots=True)
class Edges:
    """The AWS services that this function uses, made once per process."""

    settings: RenderSettings
    states: StateStore
    board: BoardStore
    queue: VisitQueue


@functools.cache
def edges() -> Edges:
    """Made at the first event, not at import. Raises SettingError."""
    settings, session = render_settings(), boto3.Session()
    dynamodb = session.client("dynamodb")
    return Edges(
        settings,
        StateStore(dynamodb, settings.table),
        BoardStore(dynamodb, settings.table),
        VisitQueue(session.client("sqs"), settings.queue_url),
    )


def handler(event: Mapping[str, Any], context: LambdaContext) -> str:
    """Answer with HTML, or with the documentation in Markdown.

    Events: what CloudWatch sends, with the widget's parameters or a button's block beside ``widgetContext``. ``open`` asks for
    the popup of a district; ``do`` is ``recheck``, ``mute`` or ``unmute`` of ``district``; all else is about which rows to show.
    """
    if event.get("describe"):
        return widget.DESCRIPTION
    use, asked = edges(), _mapping(event.get("widgetContext"))
    frame = Frame(datetime.now(UTC), asked.get("theme") == "dark", context.invoked_function_arn, use.settings.secret_prefix)
    forms = _mapping(_mapping(asked.get("forms")).get("all"))
    notice = _do(event, forms, asked, frame) if "do" in event else ""
    board = use.board.surroundings()
    if "open" in event or event.get("in") == "popup":
        return _popup(str(event.get("open", event.get("district"))), board, frame, notice)
    rows = [_row(name, state, board, frame) for name, state in use.states.each()]
    view = matrix.read_view(event, forms, _mapping(asked.get("params")))
    return widget.render(rows, view, frame, notice=notice, blind_since=board.fleet.blind_since)


def _popup(district: str, board: Board, frame: Frame, notice: str) -> str:
    use = edges()
    state = use.states.read([district]).get(district) if is_district(district) else None
    if state is None:
        return popup.gone(district, frame)
    return popup.render(_row(district, state, board, frame), use.states.history(district, popup.CHANGES), frame, notice=notice)


def _row(district: str, state: Any, board: Board, frame: Frame) -> matrix.Row:
    return matrix.make_row(district, state, board.mutes, board.windows, frame.now, edges().settings.stale_after)


def _do(event: Mapping[str, Any], forms: Mapping[str, Any], asked: Mapping[str, Any], frame: Frame) -> str:
    """Do what a button asks for. Returns what has come of it, for the viewer."""
    use, district = edges(), event.get("district")
    if not is_district(district) or district not in use.states.read([str(district)]):
        return "No such district."
    try:
        said = _done(str(district), event, forms, asked, frame)
    except NewerItemError:
        return "Nothing was done: a newer release of Rosterwatch has written this mute. Deploy that release again."
    if said is None:
        return "Nothing was done: the button is not one of ours."
    logger().info("button pressed", extra={"district": district, "button": event["do"]})
    return said


def _done(district: str, event: Mapping[str, Any], forms: Mapping[str, Any], asked: Mapping[str, Any], frame: Frame) -> str | None:
    """What has come of a button of ours; ``None``: it is none. Raises NewerItemError."""
    use = edges()
    match event["do"]:
        case "recheck":
            use.queue.send([Visit(district, "recheck")])
            return f"{district} is on its way to be visited; look again in a minute."
        case "mute":
            return _mute(district, event, forms, asked, frame)
        case "unmute":
            there = use.board.unmute(f"district/{district}")
            return f"{district} is no longer muted." if there else f"{district} was not muted."
        case _:
            return None


def _mute(district: str, event: Mapping[str, Any], forms: Mapping[str, Any], asked: Mapping[str, Any], frame: Frame) -> str:
    until = frame.now + timedelta(hours=event["hours"]) if event.get("hours") in (4, 24) else _end_of(forms.get("until"))
    if until is None:
        return "Nothing was muted: choose the day until which to mute."
    if not frame.now < until <= frame.now + LONGEST_MUTE:
        return f"Nothing was muted: choose a day within the next {LONGEST_MUTE.days} days."
    reason = str(forms.get("reason") or "").strip()[:_LONGEST_REASON]
    by = f"the dashboard {asked.get('dashboardName') or ''}".strip()
    edges().board.mute(Mute(f"district/{district}", until, reason, by))
    return f"{district} is muted until {moment(until)}."


def _end_of(day: object) -> datetime | None:
    """The end of a day in UTC; ``None`` if it is no day."""
    try:
        return datetime.combine(date.fromisoformat(str(day)), time.max, UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
