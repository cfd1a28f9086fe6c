"""The tables of a run folder as values: cells of their type, headings for a reader, units in the headings.

A workbook and a page show them; the segments are given their kind and their groups beside their name, the rows of the
plan whether there is anything to choose: it is all the same what those are on for whom all options of a lever do the
same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cpm_opt.report.explanation import NUMBER, PERIODS, SHARE, TEXT, Cell, Column, Table
from cpm_opt.report.numbers import optional
from cpm_opt.report.run_facts import choiceless
from cpm_opt.report.words import Units
from cpm_opt.runs.columns import COLUMNS, LATER, SEGMENTS
from cpm_opt.runs.record import RunRecord

PERIOD = "period"
# A column of the plan's table that is not in its file, and what stands in it.
CHOICE, YES, NO = "choice", "yes", "no"
NAMES = frozenset(
    {
        "segment",
        "lever",
        "option",
        "group",
        "resource",
        "unit",
        "rule",
        "subject",
        "sense",
        "source",
        "item",
        "scenario",
    }
)
FRACTIONS = frozenset({"share", "share_limit", "probability"})

MONEY = frozenset(
    {
        "amount",
        "total",
        "penalty",
        "shadow_price",
        "profit",
        "end_value",
        "objective",
        "today_profit",
        "today_end_value",
    }
)
PER_UNIT = frozenset({"penalty", "shadow_price"})
HEADINGS = {
    "total": "profit so far",
    "shadow_price": "one more is worth",
    "range_low": "worth holds from",
    "range_high": "worth holds to",
    "limit": "limit",
    "objective": "all that counts",
    "today_profit": "profit as today",
    "today_end_value": "end value as today",
}
TITLES = {
    "plan": "Plan: who gets what",
    "segments": "Segments",
    "resources": "Resources",
    "choices": "Choices of groups",
    "rules": "Rules",
    "waterfall": "Waterfall",
    "waterfall_parts": "Waterfall by lever and segment",
    "scenarios": "Scenarios",
}


@dataclass(frozen=True)
class RunTable:
    """A table of a run, or its first rows, and how many rows it has in the run's folder."""

    table: Table
    count: int


def run_tables(run: RunRecord, units: Units, most: int | None = None) -> tuple[RunTable, ...]:
    """Every table that the run's folder holds, the first `most` rows of each. Raises InputError if one is damaged."""
    names = [name for name in COLUMNS if (run.path / f"{name}.csv").is_file()]
    found = ((name, run.table(name)) for name in names)
    return tuple(RunTable(_table(run, units, name, rows[:most]), len(rows)) for name, rows in found)


def _table(run: RunRecord, units: Units, name: str, rows: Sequence[Mapping[str, str]]) -> Table:
    keys = list(rows[0]) if rows else list(COLUMNS[name])
    if name == "plan":
        return _plan(run, units, keys, rows)
    # What not every run has is left out where no row has anything in it.
    blank = {key for key in LATER.get(name, ()) if not any(row.get(key) for row in rows)}
    keys = [key for key in keys if key not in blank]
    if name != "segments":
        columns = tuple(_column(key, units) for key in keys)
        return Table(name, columns, tuple(_row(run, name, row, columns) for row in rows), file=f"{name}.csv")
    measures = [key for key in keys if key not in SEGMENTS]
    told = run.facts["portfolio"]["measure_units"]
    columns = (
        *(_column(key, units) for key in ("segment", PERIOD, "customers")),
        *(
            Column(key, key, NUMBER, units.unit(str(told.get(key, ""))))
            for key in ("margin", "cash", *measures)
        ),
    )
    groups, of_segment = _groups(run)
    return Table(
        name,
        (columns[0], *groups, *columns[1:]),
        tuple(
            (cells[0], *of_segment.get(row["segment"], ("",) * len(groups)), *cells[1:])
            for row in rows
            for cells in [_row(run, name, row, columns)]
        ),
        file=f"{name}.csv",
    )


def _plan(run: RunRecord, units: Units, keys: Sequence[str], rows: Sequence[Mapping[str, str]]) -> Table:
    """The plan; beside each row whether the lever leaves the segment anything to choose."""
    columns, without = tuple(_column(key, units) for key in keys), choiceless(run)
    cells = tuple(
        (*_row(run, "plan", row, columns), NO if row["segment"] in without[row["lever"]] else YES)
        for row in rows
    )
    return Table("plan", (*columns, Column(CHOICE, "anything to choose")), cells, file="plan.csv")


def _groups(run: RunRecord) -> tuple[tuple[Column, ...], Mapping[str, tuple[str, ...]]]:
    """Columns for the kind and the groupings of segments, and each segment's cells in them."""
    portfolio = run.facts["portfolio"]
    names = ["kind", *portfolio["groupings"]]
    values = zip(portfolio["kinds"], *portfolio["groupings"].values(), strict=True)
    return tuple(Column(f"group:{name}", name) for name in names), dict(
        zip(portfolio["segments"], (tuple(map(str, each)) for each in values), strict=True)
    )


def _column(key: str, units: Units) -> Column:
    if key == PERIOD:
        return Column(key, units.period, PERIODS)
    heading = HEADINGS.get(key, key.replace("_", " "))
    if key in NAMES:
        return Column(key, heading, TEXT)
    if key in FRACTIONS:
        return Column(key, heading, SHARE)
    money = f"{units.money} a unit" if key in PER_UNIT else units.money if key in MONEY else ""
    return Column(key, heading, NUMBER, money)


def _row(run: RunRecord, name: str, row: Mapping[str, str], columns: tuple[Column, ...]) -> tuple[Cell, ...]:
    return tuple(_cell(run, name, row, column) for column in columns)


def _cell(run: RunRecord, name: str, row: Mapping[str, str], column: Column) -> Cell:
    if column.form == TEXT:
        return row[column.key]
    value = optional(run, name, row, column.key)
    return int(value) if column.form == PERIODS and value is not None else value
