"""Repetitions in turn, and what may be said of them: medians, spreads, and ratios within pairs that ran side by side."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def interleaved(lanes: Mapping[str, Callable[[], T]], repetitions: int, progress: Callable[[str], None]) -> dict[str, list[T]]:
    """Run every lane once a repetition, in reversed order every other time."""
    took: dict[str, list[T]] = {name: [] for name in lanes}
    for repetition in range(repetitions):
        names = list(lanes) if repetition % 2 == 0 else list(lanes)[::-1]
        for name in names:
            progress(f"{repetition + 1}/{repetitions} {name}")
            took[name].append(lanes[name]())
    return took


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, with the least and the most."""
    return f"{statistics.median(values):,.{digits}f} [{min(values):,.{digits}f} to {max(values):,.{digits}f}]"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours in terms of theirs, repetition by repetition."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    return [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows), ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
