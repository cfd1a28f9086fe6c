"""A chart as one SVG text, drawn here: lines or points over an axis of numbers or of names.

matplotlib would bring seven more packages and more than 20 MB of wheels for charts as simple as these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from cpm_opt.report.words import amount

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 92, 24, 52, 64
COLOURS = ("#1f5fa8", "#d1571b", "#2f8a4c", "#8a4fa3", "#b3912b", "#4aa3b5", "#9c3848", "#5d6b78")
LETTER, LONG_TITLE = 6.6, 66


@dataclass(frozen=True)
class Series:
    """Points (x, y) under a name; `joined` draws a line through them in the order of x."""

    name: str
    points: tuple[tuple[float, float], ...]
    joined: bool = True


def chart(title: str, x_title: str, y_title: str, series: Sequence[Series], names: Sequence[str] = ()) -> str:
    """The chart as SVG. With `names`, x counts places from 0 on, and each has that name. Blank without points."""
    xs = [x for each in series for x, _ in each.points]
    ys = [y for each in series for _, y in each.points]
    if not xs:
        return ""
    across = [float(place) for place in range(len(names))] if names else ticks(min(xs), max(xs))
    up = ticks(min(ys), max(ys))
    low, high = min(across[0], *xs), max(across[-1], *xs)
    margin = 0.5 if names else 0.02 * (high - low)
    low, high = low - margin, high + margin
    plot = _Plot(low, high, up[0], up[-1], TOP + 18 * _legend_rows(series))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#222">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 26, _short(title, LONG_TITLE), "start", 'font-size="15" font-weight="600"'),
    ]
    parts += [_grid_line(plot, value) for value in up]
    parts += [_mark(plot, value, names) for value in across]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, _short(x_title, 95), "middle"))
    middle = (plot.top + HEIGHT - BOTTOM) / 2
    parts.append(_text(18, middle, y_title, "middle", f'transform="rotate(-90 18 {middle:.1f})"'))
    if len(series) > 1:
        parts += _legend(series)
    for number, each in enumerate(series):
        parts += _drawn(plot, each, COLOURS[number % len(COLOURS)])
    return "\n".join([*parts, "</svg>"]) + "\n"


def ticks(low: float, high: float) -> list[float]:
    """Round numbers, about five steps apart, from at or below `low` to at or above `high`."""
    if high - low <= 1e-9 * max(1.0, abs(low), abs(high)):
        room = 0.5 * abs(low) or 1.0
        low, high = low - room, high + room
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


@dataclass(frozen=True)
class _Plot:
    low: float
    high: float
    bottom: float
    ceiling: float
    top: float

    def x(self, value: float) -> float:
        return LEFT + (value - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        span = HEIGHT - BOTTOM - self.top
        return HEIGHT - BOTTOM - (value - self.bottom) / (self.ceiling - self.bottom) * span


def _grid_line(plot: _Plot, value: float) -> str:
    y = plot.y(value)
    line = f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
    return line + _text(LEFT - 8, y + 4, amount(value), "end")


def _mark(plot: _Plot, value: float, names: Sequence[str]) -> str:
    x, y = plot.x(value), HEIGHT - BOTTOM
    if not LEFT - 1 <= x <= WIDTH - RIGHT + 1:
        return ""
    name = names[int(value)] if names else amount(value)
    most = int((WIDTH - LEFT - RIGHT) / max(1, len(names)) / LETTER) if names else 20
    shown = name if len(name) <= most else name[: max(1, most - 1)] + "…"
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 5}" stroke="#888"/>' + _text(
        x, y + 19, shown, "middle"
    )


def _drawn(plot: _Plot, series: Series, colour: str) -> list[str]:
    points = [(plot.x(x), plot.y(y)) for x, y in sorted(series.points)]
    parts = []
    if series.joined and len(points) > 1:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    size = 3.5 if len(points) <= 60 else 2
    return parts + [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}"/>' for x, y in points]


def _placed(series: Sequence[Series]) -> list[tuple[float, int]]:
    """Where the legend's entries begin: x and row."""
    places, x, row = [], float(LEFT), 0
    for each in series:
        wide = 30 + LETTER * len(_short(each.name))
        if x + wide > WIDTH - RIGHT and x > LEFT:
            x, row = float(LEFT), row + 1
        places.append((x, row))
        x += wide
    return places


def _legend_rows(series: Sequence[Series]) -> int:
    return _placed(series)[-1][1] + 1 if len(series) > 1 else 0


def _legend(series: Sequence[Series]) -> list[str]:
    parts = []
    for number, (each, (x, row)) in enumerate(zip(series, _placed(series), strict=True)):
        y = TOP + 18 * row
        parts.append(
            f'<circle cx="{x + 5:.1f}" cy="{y - 4}" r="4.5" fill="{COLOURS[number % len(COLOURS)]}"/>'
        )
        parts.append(_text(x + 14, y, _short(each.name), "start"))
    return parts


def _short(name: str, most: int = 60) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    # XML knows no control characters, not even escaped.
    clean = "".join(c if c.isprintable() else " " for c in text)
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(clean)}</text>'
