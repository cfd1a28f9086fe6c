"""What every part of the build works from: the tables, the names, the factors and the list of findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.faults import shown
from cpm_opt.portfolio.factors import LARGEST, Cells, Factors
from cpm_opt.portfolio.findings import Findings
from cpm_opt.portfolio.names import Names, References
from cpm_opt.portfolio.portfolio import Flags, Numbers
from cpm_opt.portfolio.rows import Rows
from cpm_opt.tables import catalogue

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Source:
    """The tables of one instance while a portfolio is made from them; `measures` are the instance's own, sorted."""

    frames: Mapping[str, DataFrame]
    measures: tuple[str, ...]
    periods: int
    names: Names
    references: References
    factors: Factors
    findings: Findings

    def rows(self, table: str) -> Rows:
        """The rows of a table, none where it is not there."""
        return Rows(table, self.frames.get(table))

    def scaled(self, target: str, values: Numbers, cells: Cells, applies: Flags | None = None) -> Numbers:
        """`values[K]` spread over the periods (or `values[K, T]`) times the factors of `target`
        (`table.column`).

        Values that a factor, or the adding up of rows, takes out of range (or below 0, where the column
        cannot be) are a fault of the table."""
        by_period = values if values.ndim == 2 else np.repeat(values[:, None], self.periods, axis=1)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = self.factors.scale(target, by_period, cells, applies)
        used = np.ones(len(scaled), dtype=np.bool_) if applies is None else applies
        low = catalogue.targets("factors", self.measures)[target].low
        floor = 0.0 if low == 0.0 else -LARGEST
        wild = used[:, None] & ~((scaled >= floor) & (np.abs(scaled) < LARGEST))
        if wild.any():
            k, period = (int(place) for place in np.argwhere(wild)[0])
            self._tell_range(target, cells, k, period, float(scaled[k, period]), floor)
        return scaled

    def _tell_range(self, target: str, cells: Cells, k: int, period: int, value: float, floor: float) -> None:
        table, column = target.split(".", 1)
        segment, option, resource = int(cells.segment[k]), int(cells.option[k]), int(cells.resource[k])
        subject = [f"segment {shown(self.names.segments[segment])}"] if segment >= 0 else []
        subject += [self.names.option_title(option)] if option >= 0 else []
        subject += [f"resource {shown(self.names.resources[resource])}"] if resource >= 0 else []
        where = ", ".join(subject)
        self.findings.fault(
            "out_of_range",
            table,
            f"comes to {value:g} in period {period + 1} for {where}, rows added up and factors multiplied",
            "it cannot be negative: check table factors"
            if -LARGEST < value < floor
            else f"stay below {LARGEST:g}",
            column=column,
        )
