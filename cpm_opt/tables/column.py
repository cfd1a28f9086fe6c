"""What a column and a table of the catalogue are: the words in which the tables are described.

Nothing comes in; `Column` and `Table` go out. The catalogue states them, the reader obeys them, the docs print them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["id", "text", "number", "integer", "flag", "choice", "date"]
Extra = Literal["none", "groupings", "measures", "drivers", "covariates"]
Default = float | int | str | bool | None

SCALED_BY_BOTH = ("factors", "scenarios")


@dataclass(frozen=True)
class Column:
    """One column: what it holds, in which unit, and which values are allowed.

    - `required`: the column must be there; `default`: what a blank cell and an absent optional column mean. None: a
      cell must be filled; nan: blank has a meaning of its own (`blank` says which);
    - `low`, `high`: inclusive bounds of a number; `doubtful_above`: larger ones are allowed, with a warning;
    - `fraction`: values above `high` are told that they look like a percent;
    - `choices`: the allowed words of a choice, the first is the default of an optional column;
    - `scaled_by`: the tables (`factors`, `scenarios`) that may multiply the column.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    required: bool = False
    default: Default = None
    low: float | None = None
    high: float | None = None
    doubtful_above: float | None = None
    fraction: bool = False
    choices: tuple[str, ...] = ()
    blank: str = ""
    scaled_by: tuple[str, ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether its cells are numbers."""
        return self.kind in ("number", "integer")

    @property
    def blank_is_nan(self) -> bool:
        """Whether a blank cell stays NaN in the frame, because blank has a meaning of its own."""
        return isinstance(self.default, float) and math.isnan(self.default)

    @property
    def stands_in(self) -> float | int | str | bool:
        """What a frame holds where the cell is faulty, so that later checks can go on."""
        if self.default is not None:
            return self.default
        if self.kind == "choice":
            return self.choices[0]
        if self.kind == "flag":
            return False
        if self.numeric:
            return max(self.low or 0.0, 0.0) if self.kind == "number" else int(max(self.low or 0, 0))
        return ""


@dataclass(frozen=True)
class Table:
    """One table: its columns in the order of the docs, its key (no two rows are alike in it; empty: rows may repeat),
    and whether it takes further columns: `groupings` and the instance's measures (`segments`), `measures` and their
    standard errors (`effects`), `drivers`, numbers under names of the user's own (`activity_counts`), or `covariates`,
    numbers or words that answers are explained by (`offers`, `price_points`,
    `choices`) or segments made by (`customers`)."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    extra: Extra = "none"

    def column(self, name: str) -> Column:
        """The column of that name; KeyError where the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name}.{name}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the docs."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that must be there."""
        return tuple(column.name for column in self.columns if column.required)

    def with_measures(self, measures: Iterable[str]) -> tuple[Column, ...]:
        """The columns of the table in an instance that declares these measures."""
        if self.extra in ("none", "drivers", "covariates"):
            return self.columns
        added: list[Column] = []
        for measure in measures:
            change = self.extra == "measures"
            added.append(
                Column(
                    measure,
                    "number",
                    f"{'change of' if change else 'level of'} the instance's measure `{measure}`",
                    unit="the measure's unit per customer and period",
                    default=0.0,
                    scaled_by=SCALED_BY_BOTH,
                )
            )
            if change:
                added.append(standard_error(measure))
        return self.columns + tuple(added)


def standard_error(of: str, name: str | None = None, read: bool = True) -> Column:
    """The optional column that holds the standard error of column `of`; blank where it is not known.

    With `read` False its text says that no calculation reads it.
    """
    return Column(
        name or f"{of}_se",
        "number",
        f"standard error of `{of}`" + ("" if read else "; kept for the record; no calculation reads it"),
        unit=f"as `{of}`",
        default=math.nan,
        low=0.0,
        blank="not known",
    )


def reference(name: str, meaning: str) -> Column:
    """A name that must be there in every row."""
    return Column(name, "id", meaning, required=True)


def optional_reference(name: str, meaning: str, blank: str) -> Column:
    """A name that may be left out; `blank` says what that means."""
    return Column(name, "id", meaning, default="", blank=blank)


def cost(name: str, meaning: str, unit: str) -> Column:
    """A cost, 0 where it is not stated, that factors and scenarios may multiply."""
    return Column(name, "number", meaning, unit, default=0.0, low=0.0, scaled_by=SCALED_BY_BOTH)


def negotiable(name: str, meaning: str, unit: str, blank: str) -> Column:
    """A number of 0 or more whose absence has a meaning of its own."""
    return Column(name, "number", meaning, unit, default=math.nan, low=0.0, blank=blank)
