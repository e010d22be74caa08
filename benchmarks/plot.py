"""A line plot as plain SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

_WIDTH: Final = 640
_HEIGHT: Final = 320
_LEFT: Final = 70
_RIGHT: Final = 150
_TOP: Final = 40
_BOTTOM: Final = 50
_COLOURS: Final = ("#1f6feb", "#d9480f", "#2b8a3e", "#6f42c1", "#555555")


def line_plot(title: str, horizontal: str, vertical: str, marks: Sequence[str], lines: Mapping[str, Sequence[float]]) -> str:
    """A line for each name over the same marks, which stand at equal distances. The vertical axis begins at nought."""
    most = _round_up(max(value for values in lines.values() for value in values))
    across, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(position: int, value: float) -> tuple[float, float]:
        return _LEFT + across * position / max(1, len(marks) - 1), _TOP + down * (1 - value / most)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="14" font-weight="bold">{title}</text>',
    ]
    for step in range(5):
        value = most * step / 4
        _, y = at(0, value)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for position, mark in enumerate(marks):
        x, _ = at(position, 0)
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{mark}</text>')
    parts.append(f'<text x="{_LEFT + across / 2}" y="{_HEIGHT - 10}" text-anchor="middle">{horizontal}</text>')
    middle = _TOP + down / 2
    parts.append(f'<text x="18" y="{middle}" text-anchor="middle" transform="rotate(-90 18 {middle})">{vertical}</text>')
    for values, colour in zip(lines.values(), _COLOURS, strict=False):
        points = [at(position, value) for position, value in enumerate(values)]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    for number, (name, colour) in enumerate(zip(lines, _COLOURS, strict=False)):
        y = _TOP + 14 + 20 * number
        parts.append(f'<rect x="{_WIDTH - _RIGHT + 14}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 32}" y="{y}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _round_up(value: float) -> float:
    """To a number whose quarters are easy to read."""
    step = 1e-6
    while True:
        for factor in (1, 2, 4, 8):
            if factor * step >= value:
                return factor * step
        step *= 10
