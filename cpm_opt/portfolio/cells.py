"""Cells that a row must have, or must leave blank, because of what another cell of it says."""

from __future__ import annotations

import numpy as np

from cpm_opt.portfolio.portfolio import Flags
from cpm_opt.portfolio.rows import Rows
from cpm_opt.portfolio.source import Source

NUMBERS = ("value",)


def told_missing(source: Source, rows: Rows, column: str, needed: Flags, remedy: str) -> None:
    """A fault for each row marked in `needed` whose cell is blank; `kind` of the row says why it is needed."""
    if source.findings.incomplete(rows.table, column):
        return
    for k in np.flatnonzero(needed & _blank(rows, column)).tolist():
        message = f"is blank, but a rule of kind {rows.text('kind')[k]} needs it"
        source.findings.fault(
            "missing_cell", rows.table, message, remedy, row=rows.first_line([k]), column=column
        )


def told_unused(source: Source, rows: Rows, column: str, unused: Flags, why: str = "") -> None:
    """What stands in a cell that a rule of its kind does not read: a number is doubtful, a name is a fault."""
    for k in np.flatnonzero(unused & ~_blank(rows, column)).tolist():
        kind = rows.text("kind")[k]
        tell = source.findings.warn if column in NUMBERS else source.findings.fault
        tell(
            "unused_cell",
            rows.table,
            f"has no meaning in a rule of kind {kind}" + (f": {why}" if why else ""),
            "leave it blank, or correct the kind",
            row=rows.first_line([k]),
            column=column,
            value=f"{rows.number(column)[k]:g}" if column in NUMBERS else rows.text(column)[k],
        )


def _blank(rows: Rows, column: str) -> Flags:
    if column in NUMBERS:
        return np.isnan(rows.number(column, np.nan))
    return np.array([text == "" for text in rows.text(column)], dtype=np.bool_)
