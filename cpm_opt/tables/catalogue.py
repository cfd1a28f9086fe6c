"""The catalogue: every table that an instance may hold, and every column of it.

`PLANNING` and `RAW` map a table's name to its `Table`. The reader checks files by it and the docs are made from it, so
a column that is not here does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from cpm_opt.tables import (
    catalogue_planning,
    catalogue_portfolios,
    catalogue_raw,
    catalogue_response,
    catalogue_rules,
)
from cpm_opt.tables.column import Column, Table

PLANNING: Mapping[str, Table] = MappingProxyType(
    {table.name: table for table in (*catalogue_planning.TABLES, *catalogue_rules.TABLES)}
)
RAW: Mapping[str, Table] = MappingProxyType(
    {
        table.name: table
        for table in (*catalogue_raw.TABLES, *catalogue_response.TABLES, *catalogue_portfolios.TABLES)
    }
)
ALL: Mapping[str, Table] = MappingProxyType({**PLANNING, **RAW})

# The frames carry the line of each record under this name, so no column of a file may have it.
LINE = "line"


def targets(scaled_by: str, measures: Iterable[str]) -> dict[str, Column]:
    """The columns that table `factors` or `scenarios` may multiply, by their names there, such as `usage.amount`."""
    names = tuple(measures)
    return {
        f"{table.name}.{column.name}": column
        for table in PLANNING.values()
        for column in table.with_measures(names)
        if scaled_by in column.scaled_by
    }


def reserved_measure_names() -> frozenset[str]:
    """Names that a measure of an instance may not have, because a column or a measure of ours has it."""
    names = {name for table in ("segments", "effects") for name in PLANNING[table].names}
    return frozenset(names | {LINE})
