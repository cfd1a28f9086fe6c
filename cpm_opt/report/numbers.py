"""Numbers read back from the tables of a run."""

from __future__ import annotations

from collections.abc import Mapping

from cpm_opt.runs.record import RunRecord


def number(run: RunRecord, table: str, row: Mapping[str, str], column: str) -> float:
    """The number in a cell; raises InputError where there is none."""
    value = optional(run, table, row, column)
    if value is None:
        raise run.damaged(f"{table}.csv", f"has a blank {column}")
    return value


def optional(run: RunRecord, table: str, row: Mapping[str, str], column: str) -> float | None:
    """The number in a cell, None where it is blank; raises InputError where it is no number."""
    text = row[column]
    try:
        return float(text) if text else None
    except ValueError:
        raise run.damaged(f"{table}.csv", f"has a {column} that is no number") from None
