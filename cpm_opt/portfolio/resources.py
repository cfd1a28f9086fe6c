"""What is short, by period, and who uses how much of it."""

from __future__ import annotations

import numpy as np

from cpm_opt.faults import shown
from cpm_opt.portfolio.customers import Customers
from cpm_opt.portfolio.factors import Cells
from cpm_opt.portfolio.portfolio import Flags, Indices, Numbers, Resources, Usage
from cpm_opt.portfolio.rows import Rows
from cpm_opt.portfolio.source import Source

BASE_NEED = -1
FREE = {
    "capacity": np.inf,
    "unit_cost": 0.0,
    "capacity_cost": 0.0,
    "extra_capacity": 0.0,
    "extra_cost": 0.0,
    "max_utilisation": 1.0,
    "repair_cost": np.nan,
    "lead_time": 0.0,
}
"""A resource in a period for which no row is there: free and unlimited."""


def read_resources(source: Source) -> Resources:
    """Table `resources`. A row with a period replaces the blank row whole; extra capacity is 0 up to the lead time."""
    rows = source.rows("resources")
    names = source.names.resources
    resource, period = source.references.resource(rows), rows.integer("period")
    holds = np.full((len(names), source.periods), -1, dtype=np.int64)
    always = np.flatnonzero(period <= 0)
    holds[resource[always]] = always[:, None]
    dated = np.flatnonzero((period >= 1) & (period <= source.periods))
    holds[resource[dated], period[dated] - 1] = dated
    _check_unlimited(source, rows, holds)
    cells = Cells.at(len(names), resource=np.arange(len(names), dtype=np.int64))
    columns: dict[str, Numbers] = {}
    for column, free in FREE.items():
        given = rows.number(column, free)
        values = np.full(holds.shape, free)
        values[holds >= 0] = given[holds[holds >= 0]]
        columns[column] = values
    for column in ("unit_cost", "capacity_cost", "extra_capacity", "extra_cost"):
        columns[column] = source.scaled(f"resources.{column}", columns[column], cells)
    columns["capacity"] = _scaled_capacity(source, columns["capacity"], cells)
    late = np.arange(1, source.periods + 1)[None, :] <= columns["lead_time"]
    columns["extra_capacity"] = np.where(late, 0.0, columns["extra_capacity"])
    return Resources(names=names, units=_units(rows, names, resource, period), **columns)


def _scaled_capacity(source: Source, capacity: Numbers, cells: Cells) -> Numbers:
    """Capacity times its factors; unlimited (blank in the table) stays unlimited, even times 0."""
    limited = np.isfinite(capacity)
    applies: Flags = np.asarray(limited.any(axis=1), dtype=np.bool_)
    scaled = source.scaled("resources.capacity", np.where(limited, capacity, 0.0), cells, applies)
    return np.where(limited, scaled, np.inf)


def _check_unlimited(source: Source, rows: Rows, holds: Indices) -> None:
    """Nobody can pay for each unit of a capacity without end."""
    if source.findings.incomplete("resources", "capacity"):
        return
    costly = np.isnan(rows.number("capacity", np.nan)) & (rows.number("capacity_cost") > 0)
    for k in np.flatnonzero(costly & np.isin(np.arange(rows.size), holds)):
        source.findings.fault(
            "unlimited_cost",
            "resources",
            f"resource {shown(rows.text('resource')[k])} has unlimited capacity, so a cost of capacity has no end",
            "state its capacity, or leave capacity_cost blank (unit_cost is per unit used)",
            row=rows.first_line([int(k)]),
            column="capacity_cost",
            value=f"{rows.number('capacity_cost')[k]:g}",
        )


def _units(rows: Rows, names: tuple[str, ...], resource: Indices, period: Indices) -> tuple[str, ...]:
    """The unit of each resource: that of the blank row, else of the earliest one that states it."""
    units = [""] * len(names)
    texts = rows.text("unit")
    for k in np.lexsort((period, resource))[::-1]:
        if texts[k]:
            units[resource[k]] = texts[k]
    return tuple(units)


def read_usage(source: Source, customers: Customers, offered: Flags) -> Usage:
    """Table `usage`, one row for each (resource, segment, option) that uses something, named and blank rows
    added.

    A blank segment means the active ones that are offered the option; what is not offered uses nothing.
    """
    rows = source.rows("usage")
    resource = source.references.resource(rows)
    segment = source.references.segment(rows)
    lever = source.references.lever(rows)
    option = source.references.option(rows, lever)
    _check_pairs(source, rows, lever, option)
    amount = rows.number("amount")
    sound = (
        (resource >= 0) & (segment >= -1) & ((option >= 0) | ((option == BASE_NEED) & (lever == BASE_NEED)))
    )
    named = np.flatnonzero(sound & (segment >= 0))
    spread = np.flatnonzero(sound & (segment == -1))
    # Column 0 stands for base need, so that it lies beside the options.
    may = np.concatenate([np.ones((len(offered), 1), dtype=np.bool_), offered], axis=1)
    who, which = np.nonzero((may & customers.active[:, None])[:, option[spread] + 1])
    row = np.concatenate([named, spread[which]])
    who = np.concatenate([segment[named], who])
    kept = may[who, option[row] + 1]
    row, who = row[kept], who[kept]
    segments, needs = may.shape
    triples, place = np.unique(
        (resource[row] * segments + who) * needs + option[row] + 1, return_inverse=True
    )
    total = np.zeros(len(triples))
    # At most a named and a blank row meet here, so their order does not show in the sum.
    np.add.at(total, place, amount[row])
    axes = (triples // needs // segments, triples // needs % segments, triples % needs - 1)
    cells = Cells(resource=axes[0], segment=axes[1], option=axes[2])
    return Usage(*axes, amount=source.scaled("usage.amount", total, cells))


def _check_pairs(source: Source, rows: Rows, lever: Indices, option: Indices) -> None:
    for k in np.flatnonzero((lever == BASE_NEED) != (option == BASE_NEED)):
        filled, blank = ("option", "lever") if lever[k] == BASE_NEED else ("lever", "option")
        source.findings.fault(
            "half_a_key",
            "usage",
            f"names a {filled} but no {blank}",
            "fill in both, or leave both blank for the base need",
            row=rows.first_line([int(k)]),
            column=blank,
        )
