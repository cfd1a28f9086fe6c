"""Charts as values, and matplotlib's pictures of them: the same bytes for the same numbers, text always as text.

matplotlib takes about a second to import, so it is imported when the first picture is drawn.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from cpm_opt.faults import Fault, InputError
from cpm_opt.report.words import amount

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Formatter

COLOURS = ("#1f5fa8", "#d1571b", "#2f8a4c", "#8a4fa3", "#b3912b", "#4aa3b5", "#9c3848", "#5d6b78")
UP, DOWN, WHOLE, INK, SOFT, GRID = "#2a7f62", "#b5482f", "#33506b", "#222222", "#7b8794", "#dddddd"
FORMATS = ("svg", "png", "pdf")
LONG_TITLE, LONG_NAME, LONG_MARK = 66, 48, 22
PANEL = (7.6, 4.4)  # inches
ROW_HEIGHT = 0.3

# The salt makes ids in an SVG the same each time; letters stay letters, and a `$` in a name is no formula.
_SETTINGS: Any = {
    "svg.hashsalt": "cpm_opt",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.unicode_minus": True,
}


@dataclass(frozen=True)
class Series:
    """Points (x, y) under a name; `joined` draws a line through them in the order of x.

    `band` holds (low, high) beside each point, an interval; `sizes` how many customers or rows each point stands for.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    joined: bool = True
    band: tuple[tuple[float, float], ...] = ()
    sizes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Lines:
    """Lines, points and bands over an axis of numbers or, with `names`, of names: x then counts places from 0 on.

    `level` is a value of y that deserves a line of its own, such as 0 or all of the profit.
    """

    title: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    names: tuple[str, ...] = ()
    level: float | None = None


@dataclass(frozen=True)
class Bars:
    """Groups of upright bars: one bar a series over each name; an error bar where a series has a `band`."""

    title: str
    x_title: str
    y_title: str
    names: tuple[str, ...]
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Steps:
    """A waterfall: from a first total by steps to a last one, each step (name, change); amounts carry `unit`."""

    title: str
    unit: str
    first: tuple[str, float]
    steps: tuple[tuple[str, float], ...]
    last: tuple[str, float]


@dataclass(frozen=True)
class Bubbles:
    """Named points (x, y, size) in four fields, cut at `cuts` (x, y); `fields` are their names: top left, top right,
    bottom left, bottom right. x is on a scale of doublings that falls to the right, as the growth and share matrix
    has it."""

    title: str
    x_title: str
    y_title: str
    points: tuple[tuple[str, float, float, float], ...]
    cuts: tuple[float, float]
    fields: tuple[str, str, str, str]


Chart = Lines | Bars | Steps | Bubbles


def chart(title: str, x_title: str, y_title: str, series: Sequence[Series], names: Sequence[str] = ()) -> str:
    """One chart of lines as SVG; see `Lines`. Blank without points."""
    if not any(each.points for each in series):
        return ""
    return picture([Lines(title, x_title, y_title, tuple(series), tuple(names))], "svg").decode("utf-8")


def picture_format(option: str, name: str) -> str:
    """The format that a file's name asks for, of `FORMATS`; raises InputError for any other."""
    suffix = PurePath(name).suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        message = f"a picture's name ends in {', '.join('.' + each for each in FORMATS)}"
        raise InputError([Fault(option, message, "name such a file", value=name, code="call")])
    return suffix


def picture(charts: Sequence[Chart], form: str) -> bytes:
    """The charts one below the other (two abreast from three on) as one SVG, PNG or PDF."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    across = 1 if len(charts) < 3 else 2
    down = math.ceil(len(charts) / across)
    heights = [max(map(_height, charts[row * across : (row + 1) * across])) for row in range(down)]
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes in a PNG and stays whole in an SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        warnings.filterwarnings(
            "ignore", message="Matplotlib currently does not support", category=UserWarning
        )
        figure = Figure(figsize=(PANEL[0] * across, sum(heights)), layout="constrained", facecolor="white")
        places = figure.subplots(down, across, squeeze=False, height_ratios=heights)
        for number, axes in enumerate(places.flat):
            if number < len(charts):
                _draw(axes, charts[number])
            else:
                axes.set_axis_off()
        return _bytes(figure, form)


def _bytes(figure: Figure, form: str) -> bytes:
    stream = io.BytesIO()
    told: Mapping[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    figure.savefig(stream, format=form, dpi=144, metadata=dict(told[form]))
    data = stream.getvalue()
    return data[data.index(b"<svg") :] if form == "svg" else data  # without the prolog it can stand in a page


def _height(each: Chart) -> float:
    if isinstance(each, Steps):
        return 1.0 + ROW_HEIGHT * (len(each.steps) + 2)
    return PANEL[1]


def _draw(axes: Axes, each: Chart) -> None:
    axes.set_title(_clean(each.title, LONG_TITLE), loc="left", fontsize=12, fontweight="bold", color=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(SOFT)
    axes.tick_params(colors=INK, labelsize=9)
    if isinstance(each, Steps):
        _draw_steps(axes, each)
        return
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_xlabel(_clean(each.x_title, 95), color=INK)
    axes.set_ylabel(_clean(each.y_title, 60), color=INK)
    if isinstance(each, Bubbles):
        _draw_bubbles(axes, each)
        return
    if isinstance(each, Bars):
        _draw_bars(axes, each)
    else:
        _draw_lines(axes, each)
    axes.yaxis.set_major_formatter(_axis_numbers())
    if sum(1 for one in each.series if one.name) > 1:
        axes.legend(frameon=False, fontsize=9, loc="best")


def _draw_lines(axes: Axes, each: Lines) -> None:
    for number, series in enumerate(each.series):
        colour = COLOURS[number % len(COLOURS)]
        order = sorted(range(len(series.points)), key=lambda at: series.points[at])
        x, y = ([series.points[at][side] for at in order] for side in (0, 1))
        label = _clean(series.name, LONG_NAME) or None
        if series.band:
            low, high = ([series.band[at][side] for at in order] for side in (0, 1))
            axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        if series.sizes:
            most = max(series.sizes) or 1.0
            areas = [12 + 110 * series.sizes[at] / most for at in order]
            axes.scatter(x, y, s=areas, color=colour, alpha=0.6, linewidth=0, label=label)
        elif series.joined and (series.band or len(x) > 60):
            axes.plot(x, y, color=colour, linewidth=2, label=label)
        else:
            size = 5 if len(x) <= 60 else 2.5
            line = "-" if series.joined else "none"
            axes.plot(
                x, y, color=colour, linewidth=2, linestyle=line, marker="o", markersize=size, label=label
            )
    if each.level is not None:
        axes.axhline(each.level, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    if each.names:
        _name_places(axes, each.names)
    else:
        axes.xaxis.set_major_formatter(_axis_numbers())


def _draw_bars(axes: Axes, each: Bars) -> None:
    wide = 0.8 / max(1, len(each.series))
    for number, series in enumerate(each.series):
        colour = COLOURS[number % len(COLOURS)]
        x = [place + (number - (len(each.series) - 1) / 2) * wide for place, _ in series.points]
        y = [value for _, value in series.points]
        axes.bar(x, y, width=0.92 * wide, color=colour, label=_clean(series.name, LONG_NAME) or None)
        if series.band:
            arms = [
                [max(0.0, value - low) for value, (low, _) in zip(y, series.band, strict=True)],
                [max(0.0, high - value) for value, (_, high) in zip(y, series.band, strict=True)],
            ]
            axes.errorbar(x, y, yerr=arms, fmt="none", ecolor=INK, elinewidth=1, capsize=3)
    axes.axhline(0.0, color=SOFT, linewidth=1)
    _name_places(axes, each.names)


def _draw_bubbles(axes: Axes, each: Bubbles) -> None:
    most = max((size for *_, size in each.points), default=0.0) or 1.0
    for number, (name, x, y, size) in enumerate(each.points):
        colour = COLOURS[number % len(COLOURS)]
        axes.scatter([x], [y], s=40 + 900 * size / most, color=colour, alpha=0.65, linewidth=0)
        axes.annotate(_clean(name, 20), (x, y), ha="center", va="center", fontsize=9, color=INK)
    axes.set_xscale("log", base=2)
    across = [x for _, x, _, _ in each.points] + [each.cuts[0]]
    up = [y for _, _, y, _ in each.points] + [each.cuts[1]]
    axes.set_xlim(max(across) * 2, min(across) / 2)
    room = 0.25 * ((max(up) - min(up)) or abs(max(up)) or 1.0)
    axes.set_ylim(min(up) - room, max(up) + room)
    axes.axvline(each.cuts[0], color=INK, linewidth=1)
    axes.axhline(each.cuts[1], color=INK, linewidth=1)
    corners = ((0.01, 0.98, "top"), (0.99, 0.98, "top"), (0.01, 0.02, "bottom"), (0.99, 0.02, "bottom"))
    for field, (x, y, va) in zip(each.fields, corners, strict=True):
        ha = "left" if x < 0.5 else "right"
        axes.text(
            x, y, field, transform=axes.transAxes, ha=ha, va=va, color=SOFT, fontsize=10, fontweight="bold"
        )
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter(_axis_numbers())


def _name_places(axes: Axes, names: Sequence[str]) -> None:
    room = max(5, int(95 / max(1, len(names))))
    turned = len(names) > 1 and max(map(len, names)) > room
    shown = [_clean(name, LONG_MARK if turned else room) for name in names]
    every = max(1, math.ceil(len(names) / 40))  # more names than that cannot be read
    places = range(0, len(names), every)
    axes.set_xticks(list(places), [shown[place] for place in places])
    if turned:
        axes.tick_params(axis="x", labelrotation=35)
        for mark in axes.get_xticklabels():
            mark.set_horizontalalignment("right")
            mark.set_rotation_mode("anchor")
    beside = max(0.0, (4 - len(names)) / 2)  # few bars are not to fill the whole width
    axes.set_xlim(-0.6 - beside, len(names) - 0.4 + beside)


def _draw_steps(axes: Axes, each: Steps) -> None:
    rows = [each.first, *each.steps, each.last]
    total, spans = each.first[1], [(0.0, each.first[1])]
    for _, change in each.steps:
        spans.append((total, total + change))
        total += change
    spans.append((0.0, each.last[1]))
    ends = [end for span in (spans[1:-1] or spans) for end in span] + [each.first[1], each.last[1]]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or max(1.0, 0.05 * abs(high))
    # Where steps are small beside the totals, an axis from 0 on would leave nothing of them to see.
    edge = low - room if low > 0.6 * high else min(0.0, low - room)
    for row, ((_, change), (begin, end)) in enumerate(zip(rows, spans, strict=True)):
        whole = row in (0, len(rows) - 1)
        first, last = (max(edge, 0.0), end) if whole else (begin, end)
        colour = WHOLE if whole else UP if change >= 0 else DOWN
        axes.barh(row, abs(last - first), left=min(first, last), height=0.66, color=colour)
        text = amount(change) if whole else f"{'+' if change > 0 else ''}{amount(change)}"
        axes.annotate(
            text, (max(first, last), row), (5, 0), textcoords="offset points", va="center", fontsize=9
        )
    axes.set_yticks(range(len(rows)), [_clean(name, LONG_NAME) for name, _ in rows])
    axes.invert_yaxis()
    axes.set_xlim(edge, max(high, 0.0 if edge <= 0 else high) + 3.2 * room)
    axes.xaxis.set_major_formatter(_axis_numbers())
    cut = " (the axis does not begin at 0)" if edge > 0 else ""
    axes.set_xlabel(_clean(each.unit, 60) + cut, color=INK)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=GRID, linewidth=0.8)


def _axis_numbers() -> Formatter:
    """Marks with separators between thousands and as many decimals as the step between them needs."""
    from matplotlib.ticker import Formatter

    class Numbers(Formatter):
        def format_ticks(self, values: Sequence[float]) -> list[str]:
            step = min((after - before for before, after in pairwise(values)), default=1.0)
            most = max(map(abs, values), default=0.0)
            decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
            while decimals < 12 and round(step, decimals) != float(f"{step:.3g}"):
                decimals += 1
            if most >= 1e12 or (0 < most < 1e-4):
                return [f"{value:g}" for value in values]
            return [f"{value:,.{decimals}f}".replace("-", "\u2212") for value in values]

        def __call__(self, value: float, pos: int | None = None) -> str:
            return f"{value:,g}"

    return Numbers()


def _clean(text: str, most: int) -> str:
    """Text that fits: control characters, which XML does not know, as blanks, and cut with an ellipsis."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"
