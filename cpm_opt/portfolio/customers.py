"""Who there is: segments with their kinds and groupings, customers at the start, and arrivals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cpm_opt.faults import shown
from cpm_opt.portfolio.factors import Cells
from cpm_opt.portfolio.names import positions
from cpm_opt.portfolio.portfolio import Flags, Indices, Numbers
from cpm_opt.portfolio.rows import Rows
from cpm_opt.portfolio.source import Source
from cpm_opt.tables import catalogue

WHOLE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Customers:
    """The segments in the order of their names; `place[N]` is the position of each row of table `segments`."""

    rows: Rows
    place: Indices
    kinds: tuple[str, ...]
    groupings: Mapping[str, tuple[str, ...]]
    customers: Numbers
    whole: Flags
    end_value: Numbers
    arrivals: Numbers

    @property
    def active(self) -> Flags:
        """`[S]`: segments of kind `active`."""
        return np.array([kind == "active" for kind in self.kinds], dtype=np.bool_)

    def placed(self, values: Numbers) -> Numbers:
        """A column of table `segments` in the order of the names."""
        ordered = np.zeros(len(self.kinds))
        ordered[self.place] = values
        return ordered


def read_customers(source: Source) -> Customers:
    """Tables `segments` (but for its flows) and `arrivals`; segments given whole must be whole and stay put."""
    rows = source.rows("segments")
    size = len(source.names.segments)
    place = np.array(
        [source.names.segment_at[name] for name in rows.text("segment")], dtype=np.int64
    ).reshape(rows.size)

    def ordered(column: str, default: str = "") -> tuple[str, ...]:
        cells = [""] * size
        for position, text in zip(place.tolist(), rows.text(column, default), strict=True):
            cells[position] = text
        return tuple(cells)

    ours = {*catalogue.PLANNING["segments"].names, *source.measures, catalogue.LINE}
    groupings = {column: ordered(column) for column in sorted(rows.columns) if column not in ours}
    draft = Customers(
        rows=rows,
        place=place,
        kinds=ordered("kind", "active"),
        groupings=groupings,
        customers=np.zeros(size),
        whole=np.zeros(size, dtype=np.bool_),
        end_value=np.zeros(size),
        arrivals=_arrivals(source),
    )
    customers = draft.placed(rows.number("customers"))
    whole = draft.placed(rows.flag("whole", False).astype(np.float64)) > 0
    arrivals = draft.arrivals
    if whole.any():
        _check_whole(source, rows, whole, customers, arrivals)
        # What is whole up to rounding becomes so: integers that add up to n need n to be one.
        customers = np.where(whole, np.round(customers), customers)
        arrivals = np.where(whole[:, None], np.round(arrivals), arrivals)
    end_value = draft.placed(rows.number("end_value"))
    return Customers(rows, place, draft.kinds, groupings, customers, whole, end_value, arrivals)


def _arrivals(source: Source) -> Numbers:
    """`[S, T]`: customers who come in each period, and are there from the next on."""
    rows = source.rows("arrivals")
    segment = source.references.segment(rows)
    period = rows.integer("period", 1)
    arrivals = np.zeros((len(source.names.segments), source.periods))
    used = (segment >= 0) & (period >= 1) & (period <= source.periods)
    arrivals[segment[used], period[used] - 1] = rows.number("customers")[used]
    cells = Cells.at(len(arrivals), segment=np.arange(len(arrivals)))
    named = np.isin(np.arange(len(arrivals)), segment)
    return source.scaled("arrivals.customers", arrivals, cells, applies=named)


def _check_whole(source: Source, rows: Rows, whole: Flags, customers: Numbers, arrivals: Numbers) -> None:
    """Whole customers need whole numbers of them, and nobody may move."""
    names, findings = source.names.segments, source.findings
    row_of = positions(rows.text("segment"))
    figures = {"customers": ("segments", customers[:, None]), "arrivals": ("arrivals", arrivals)}
    for what, (table, values) in figures.items():
        broken = np.abs(values - np.round(values)) > WHOLE_TOLERANCE * np.maximum(1.0, np.abs(values))
        for s in np.flatnonzero(whole & broken.any(axis=1)):
            value = values[s, broken[s]][0]
            findings.fault(
                "whole",
                table,
                f"segment {shown(names[s])} is given options in whole customers, but its {what} are {value:g}",
                "state a whole number, or leave `whole` out",
                row=rows.first_line([row_of[names[s]]]) if table == "segments" else None,
                column="customers",
            )
    first = shown(names[int(np.flatnonzero(whole)[0])])
    for table in ("migration", "migration_effects"):
        if source.rows(table).present:
            findings.fault(
                "whole",
                "segments",
                f"segment {first} is given options in whole customers, which table {table} would split",
                f"leave out `whole`, or table {table}",
                row=rows.first_line(rows.flag("whole", False)),
                column="whole",
            )
