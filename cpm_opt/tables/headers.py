"""From the names of a file's columns to those of the catalogue: the user's own ones, the missing, the unknown."""

from __future__ import annotations

from collections.abc import Sequence

from cpm_opt.faults import Fault, did_you_mean
from cpm_opt.tables import names
from cpm_opt.tables.catalogue import LINE
from cpm_opt.tables.column import Column, Table

_WORDS = {
    "groupings": "grouping column",
    "drivers": "driver",
    "covariates": "covariate",
}  # columns of the user's own


def judge_columns(
    table: Table, known: Sequence[Column], there: Sequence[str], measures_known: bool, row: int | None
) -> tuple[list[Column], list[str], list[Fault]]:
    """The user's own columns among those that are there, the required ones that are missing, and the faults of both.

    A missing column and an unknown one that are plainly the same, misspelt, are one fault. Where the instance's
    measures are not known (its file is broken), columns that may be measures are not judged. `row` is the header's.
    """
    own, unknown = _extra_columns(table, known, there, measures_known, row)
    missing = [column.name for column in known if column.required and column.name not in there]
    pairs = _misspelt(missing, [fault.column or "" for fault in unknown], known)
    meant = set(pairs.values())
    faults = [fault for fault in unknown if fault.column not in meant]
    for name in missing:
        remedy = "add it to the header and fill it in"
        if name in pairs:
            remedy = f"is '{pairs[name]}' meant? then rename that"
        faults.append(_column_fault(table, row, name, "the column is missing", remedy, "missing_column"))
    return own, missing, faults


def _misspelt(missing: Sequence[str], unknown: Sequence[str], known: Sequence[Column]) -> dict[str, str]:
    """The unknown column by the missing one that it must mean: nothing else is like it, and it like nothing else."""
    by_name = [column.name for column in known]
    pairs = {}
    for name in missing:
        like = [other for other in unknown if names.misspelt(other, [name])]
        if len(like) == 1 and names.misspelt(like[0], by_name) == name:
            pairs[name] = like[0]
    return pairs


def _extra_columns(
    table: Table, known: Sequence[Column], there: Sequence[str], measures_known: bool, row: int | None
) -> tuple[list[Column], list[Fault]]:
    """Grouping columns and drivers among those that the catalogue does not know, and a fault for each other one."""
    groupings = []
    faults = []
    by_name = [column.name for column in known]
    for name in there:
        if name in by_name:
            continue
        slip = names.misspelt(name, by_name)
        free = table.extra in _WORDS
        if free and slip is None and name != LINE:
            wrong = names.texts([name], Column(name, "id", ""))[1]
            if wrong:
                message = f"its name {wrong[0].message}"
                faults.append(_column_fault(table, row, name, message, wrong[0].remedy, "unknown_column"))
            groupings.append(_extra_column(table, name))
        elif name == LINE and free:
            message = "the name is kept for the lines of files"
            faults.append(
                _column_fault(table, row, name, message, "rename it, to product_line say", "unknown_column")
            )
        elif free:
            message = (
                f"is neither the known column '{slip}' nor unlike it enough to be a {_WORDS[table.extra]}"
            )
            faults.append(
                _column_fault(table, row, name, message, f"write '{slip}', or rename it", "unknown_column")
            )
        elif measures_known or table.extra == "none":
            remedy = f"did you mean '{slip}'?" if slip else did_you_mean(name, by_name)
            faults.append(_column_fault(table, row, name, "unknown column", remedy, "unknown_column"))
    return groupings, faults


def _extra_column(table: Table, name: str) -> Column:
    """A column under a name of the user's own: a grouping, or the driver of a time equation."""
    if table.extra == "drivers":
        return Column(name, "number", "driver of a time equation", "units of the driver", default=0.0)
    if table.extra == "covariates":
        # As text: whether it is a number or a word, the estimate that names it says.
        return Column(name, "text", "covariate", default="")
    return Column(name, "id", "grouping", default="")


def _column_fault(table: Table, row: int | None, column: str, message: str, remedy: str, code: str) -> Fault:
    return Fault(table.name, message, remedy, row=row, column=column, code=code)
