"""Pure: times and lengths of time as people read them, the same in alerts, on the dashboard and at the terminal."""

from __future__ import annotations

from datetime import datetime


def moment(at: datetime) -> str:
    """A time as people read it: ``2026-11-24 09:05 UTC``."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def lasting(seconds: float) -> str:
    """A length of time as people say it: ``2 d 3 h``, ``1 h 5 min``, ``less than a minute``."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    days, minutes = divmod(minutes, 24 * 60)
    parts = ((days, "d"), (minutes // 60, "h"), (minutes % 60, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
