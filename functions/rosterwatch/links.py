"""Where messages lead: to their topics, one for each dialect, and to what their readers open next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: What a notice is written in: for mail, chat cards, pagers and programs (``alerts.py``). Each has a topic of its own.
DIALECTS: Final = ("text", "card", "alarm", "event")


@dataclass(frozen=True, slots=True)
class Links:
    """What messages point to. ``dashboard`` is its name and ``runbook_url`` where the causes are documented; both may be empty."""

    region: str
    dispatch_function: str
    secret_prefix: str
    dashboard: str = ""
    runbook_url: str = ""
