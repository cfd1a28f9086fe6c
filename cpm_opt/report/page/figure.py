"""A figure of the page as a value: what is drawn, its words for those who do not see it, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cpm_opt.report.explanation import NUMBER, SHARE, Column, Table

# How it is drawn: a waterfall, upright bars stacked or side by side, lying bars, dots in a row, a curve of chances.
STEPS, STACK, COLUMNS, BARS, DOTS, CHANCES = "steps", "stack", "columns", "bars", "dots", "chances"
# What a series is, where that decides its colour and shape: as today, the plan's, a limit, what stays as it is, or what
# is too small to have a colour of its own.
TODAY, PLAN, LIMIT, BASE, REST, PLAIN = "today", "plan", "limit", "base", "rest", ""
DIGITS = 10


@dataclass(frozen=True)
class Series:
    """One name and its values, one a category; None where there is none."""

    name: str
    values: tuple[float | None, ...]
    role: str = PLAIN


@dataclass(frozen=True)
class View:
    """One way to look at a figure, such as by segment; `name` is blank where there is only one."""

    name: str
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Figure:
    """A figure: its kind, categories and views, with a title for each axis and its unit in it.

    `section` is the section of the page beside which it stands; `form` is that of its values (`number` or `share`).
    `unit` is that of a single value; `summary` says in a sentence what there is to see.
    """

    name: str
    section: str
    kind: str
    title: str
    category_title: str
    value_title: str
    categories: tuple[str, ...]
    views: tuple[View, ...]
    summary: str
    form: str = NUMBER
    unit: str = ""

    def as_dict(self) -> dict[str, object]:
        """JSON-ready fields for the script that draws it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "title": self.title,
            "categoryTitle": self.category_title,
            "valueTitle": self.value_title,
            "categories": list(self.categories),
            "views": [
                {"name": view.name, "series": [_series(each) for each in view.series]} for view in self.views
            ],
            "share": self.form == SHARE,
            "unit": self.unit,
        }

    def tables(self) -> tuple[Table, ...]:
        """The numbers of each view: a row a category, a column a series."""
        return tuple(
            Table(
                f"{self.name}-{number}",
                (
                    Column("category", self.category_title),
                    *(Column(str(at), each.name, self.form) for at, each in enumerate(view.series)),
                ),
                tuple(
                    (category, *(each.values[row] for each in view.series))
                    for row, category in enumerate(self.categories)
                ),
            )
            for number, view in enumerate(self.views)
        )


def _series(each: Series) -> dict[str, object]:
    return {"name": each.name, "values": [_short(value) for value in each.values], "role": each.role}


def _short(value: float | None) -> float | None:
    """A number with no more digits than a picture can show."""
    return None if value is None else float(f"{value:.{DIGITS}g}")


def fewest(series: Sequence[Series], most: int) -> tuple[Series, ...]:
    """The series with the largest values in their own order, and what is left of them added up as one more.

    A picture with more colours than `most` cannot be read.
    """
    if len(series) <= most:
        return tuple(series)

    def size(at: int) -> tuple[float, int]:
        return -max((abs(value) for value in series[at].values if value is not None), default=0.0), at

    kept = set(sorted(range(len(series)), key=size)[: most - 1])
    others = [each for at, each in enumerate(series) if at not in kept]
    rest = tuple(
        sum(value or 0.0 for value in values) for values in zip(*(o.values for o in others), strict=True)
    )
    return (
        *(each for at, each in enumerate(series) if at in kept),
        Series(f"{len(others)} others", rest, REST),
    )
