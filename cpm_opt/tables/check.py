"""From records to a checked frame, by the catalogue: columns, values, keys and what the cells of a row say together.

Tables that were read and tables that were estimated come through this one door.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.faults import Fault
from cpm_opt.tables import names, values
from cpm_opt.tables.catalogue import ALL, LINE
from cpm_opt.tables.column import Column, Table
from cpm_opt.tables.headers import judge_columns
from cpm_opt.tables.info import InstanceInfo
from cpm_opt.tables.records import Odd, Records
from cpm_opt.tables.rows import row_faults
from cpm_opt.tables.source import PLAIN, Spelling
from cpm_opt.tables.values import Problem

MAX_FAULTS = 1000

Cells = Sequence[str] | NDArray[Any]


@dataclass(frozen=True)
class _Layout:
    """Where records stand and how their cells are written: the line of each, that of the header (None: it has none),
    the spelling of numbers and days, and the cells without a sound value."""

    lines: NDArray[np.int64]
    head: int | None = 1
    spelling: Spelling = PLAIN
    odd: Mapping[str, Sequence[Odd]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Checked:
    """One column done: its values, the cells it refused, and the faults told about it."""

    values: Sequence[str] | NDArray[Any]
    refused: frozenset[int]
    faults: list[Fault]


def check_records(
    table: Table, records: Records, info: InstanceInfo, measures_known: bool = True
) -> tuple[pd.DataFrame | None, list[Fault]]:
    """Check the text of a file; the frame is None where a column of the key is missing.

    Where the instance's measures are not known (its file is broken), columns that may be measures are not judged.
    """
    cells = dict(zip(records.header, records.cells, strict=True))
    lines = np.asarray(records.lines, dtype=np.int64)
    layout = _Layout(lines, records.head, records.spelling, records.odd)
    return _check(table, cells, layout, info, measures_known)


def check_frame(name: str, frame: pd.DataFrame, info: InstanceInfo) -> tuple[pd.DataFrame, list[Fault]]:
    """Check a table that was estimated instead of read: ranges, keys, duplicates, references to no column.

    Cells may be text or typed. Column `line` is kept where it is there, else the first row counts as line 2, as in a
    file. Numbers nearer to 0 than 1e-9 become 0: they are noise of a computation here, while in a file they are a
    fault. Returns the frame in the catalogue's shape (without rows, where a column of the key is missing) and the
    faults; raises KeyError for a name that is no table.
    """
    table = ALL[name]
    lines = np.arange(2, len(frame) + 2, dtype=np.int64)
    if LINE in frame.columns:
        lines = frame[LINE].to_numpy(dtype=np.int64)
    cells: dict[str, Cells] = {}
    for label in frame.columns:
        if label != LINE:
            cells[str(label)] = _as_cells(frame[label])
    checked, faults = _check(table, cells, _Layout(lines), info, True)
    return (_without_rows(table, info) if checked is None else checked), faults


def _as_cells(series: pd.Series[Any]) -> Cells:
    """Numbers and days as arrays, everything else as text; missing cells are blank."""
    if pd.api.types.is_bool_dtype(series.dtype):
        return ["" if pd.isna(flag) else str(flag).lower() for flag in series]
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return ["" if pd.isna(day) else day.strftime("%Y-%m-%d") for day in series]
    return ["" if pd.isna(cell) else str(cell) for cell in series]


def _without_rows(table: Table, info: InstanceInfo) -> pd.DataFrame:
    columns = {column.name: _series(column, []) for column in table.with_measures(info.measures)}
    return pd.DataFrame({**columns, LINE: pd.Series([], dtype="int64")})


def _check(
    table: Table,
    cells: Mapping[str, Cells],
    layout: _Layout,
    info: InstanceInfo,
    measures_known: bool,
) -> tuple[pd.DataFrame | None, list[Fault]]:
    known = table.with_measures(info.measures)
    lines = layout.lines
    cells = _with_blank_bases(table, cells)
    groupings, missing, faults = judge_columns(table, known, tuple(cells), measures_known, layout.head)
    drop = np.zeros(len(lines), dtype=bool)
    done: dict[str, _Checked] = {}
    for column in (*known, *groupings):
        if column.name not in cells:
            continue
        checked = _column(table.name, column, cells[column.name], layout)
        done[column.name] = checked
        faults += checked.faults
        if column.name in table.key:
            drop[[at for at in checked.refused if checked.values[at] == "" or column.kind != "id"]] = True
    if not set(table.key).isdisjoint(missing):
        return None, faults
    series = {}
    for column in (*known, *groupings):
        filled: Any = done[column.name].values if column.name in done else [column.stands_in] * len(lines)
        series[column.name] = _series(column, filled)
    series[LINE] = pd.Series(lines, dtype="int64")
    frame = pd.DataFrame(series)
    if drop.any():
        frame = frame.loc[~drop].reset_index(drop=True)
    frame, repeated = _unique(table, frame)
    faults += repeated
    refused = {name: {int(lines[at]) for at in checked.refused} for name, checked in done.items()}
    faults += row_faults(table.name, frame, refused)
    return frame, faults


def _with_blank_bases(table: Table, cells: Mapping[str, Cells]) -> Mapping[str, Cells]:
    """A blank `base` counts as false where another option of the lever says true; a table in which only the base is
    marked means just that."""
    if table.name != "options" or not {"lever", "base"} <= set(cells):
        return cells
    levers, bases = (list(cells[name]) for name in ("lever", "base"))
    marked = {lever for lever, base in zip(levers, bases, strict=True) if str(base).strip().lower() == "true"}
    filled = [
        "false" if str(base).strip() == "" and lever in marked else str(base)
        for lever, base in zip(levers, bases, strict=True)
    ]
    return {**cells, "base": filled}


def _column(table: str, column: Column, cells: Cells, layout: _Layout) -> _Checked:
    """Convert one column and tell what is wrong in it."""
    lines = layout.lines
    found: Sequence[str] | NDArray[Any]
    problems: list[Problem]
    if column.numeric:
        typed = isinstance(cells, np.ndarray)
        found, problems = (
            _typed_numbers(cells, column) if typed else values.numbers(list(cells), column, layout.spelling)
        )
    else:
        words = [_plain(cell) for cell in cells] if isinstance(cells, np.ndarray) else cells
        if column.kind == "flag":
            found, problems = values.flags(words, column)
        elif column.kind == "choice":
            found, problems = values.choices(words, column)
        elif column.kind == "date":
            found, problems = values.days(words, column, layout.spelling)
        else:
            found, problems = names.texts(words, column)
    odd = [cell for cell in layout.odd.get(column.name, ()) if not (cell.names_only and column.numeric)]
    if odd:
        found, problems = _without_odd(found, problems, odd, column)
        cells = _showing(cells, odd)
    faults = [_told(table, column, problem, cells, lines) for problem in problems[:MAX_FAULTS]]
    if len(problems) > MAX_FAULTS:
        message = f"{len(problems) - MAX_FAULTS:,} more cells of the column are faulty"
        faults.append(Fault(table, message, "correct them likewise", column=column.name, code="more"))
    if column.kind == "id":
        faults += _alike(table, column, found, lines)
    refused = frozenset(problem.at for problem in problems if not problem.warning)
    return _Checked(found, refused, faults)


def _without_odd(
    found: Sequence[str] | NDArray[Any], problems: list[Problem], odd: Sequence[Odd], column: Column
) -> tuple[Sequence[str] | NDArray[Any], list[Problem]]:
    """Values and problems of a column, where each cell without a sound value has that as its only problem."""
    at = {cell.at for cell in odd}
    told = [Problem(cell.at, cell.code, cell.message, cell.remedy) for cell in odd]
    kept = [problem for problem in problems if problem.at not in at]
    if not isinstance(found, np.ndarray):
        found = [str(column.stands_in) if i in at else value for i, value in enumerate(found)]
    return found, sorted(kept + told, key=lambda problem: problem.at)


def _showing(cells: Cells, odd: Sequence[Odd]) -> Cells:
    """The cells as a message shows them."""
    shown = {cell.at: cell.value for cell in odd}
    return [shown.get(at, str(cell)) for at, cell in enumerate(cells)]


def _typed_numbers(cells: Cells, column: Column) -> tuple[NDArray[np.float64], list[Problem]]:
    numbers = np.array(cells, dtype=np.float64)
    numbers[np.abs(numbers) < values.TOO_SMALL] = 0.0
    missing = np.isnan(numbers)
    if column.kind == "integer" and column.default is not None:
        # In a frame that was read, a blank period is its default already, and that may lie below the range.
        missing |= numbers == float(column.default)
    if not column.required or column.blank_is_nan:
        return values.settled(numbers, missing, column, [])
    # A computation that gave no number is no cell that somebody left blank.
    message, remedy = "is not a number", "the data do not determine it: state the table, or give it more data"
    problems = [Problem(int(at), "not_a_number", message, remedy) for at in np.flatnonzero(missing)]
    return values.settled(numbers, np.zeros(len(numbers), dtype=bool), column, problems)


def _plain(number: float) -> str:
    """A number that stands for a name (customer 7, period 3.0) as text; NaN is blank."""
    if np.isnan(number):
        return ""
    return str(int(number)) if float(number).is_integer() and abs(number) < values.TOO_LARGE else str(number)


def _told(table: str, column: Column, problem: Problem, cells: Cells, lines: NDArray[np.int64]) -> Fault:
    return Fault(
        table,
        problem.message,
        problem.remedy,
        row=int(lines[problem.at]),
        column=column.name,
        value=None if problem.code == "blank" else str(cells[problem.at]),
        code=problem.code,
        warning=problem.warning,
    )


def _alike(
    table: str, column: Column, found: Sequence[str] | NDArray[Any], lines: NDArray[np.int64]
) -> list[Fault]:
    """A fault for each name that differs from an earlier one of its column in nothing that can be seen."""
    distinct = dict.fromkeys(found)
    # Options of two levers, and groupings of two columns, have nothing to do with one another.
    if len(distinct) < 2 or column.name in ("option", "other_option", "members", "measure", "target"):
        return []
    confusable = names.confusable(distinct)
    if not confusable:
        return []
    first = {name: int(lines[at]) for at, name in reversed(list(enumerate(found)))}
    faults = []
    for name, earlier in list(confusable.items())[:MAX_FAULTS]:
        message = f"differs only in case, spaces or Unicode form from '{earlier}' of line {first[earlier]}"
        remedy = "write one of them everywhere, or make them differ plainly"
        faults.append(
            Fault(table, message, remedy, row=first[name], column=column.name, value=name, code="confusable")
        )
    return faults


def _series(column: Column, found: Any) -> pd.Series[Any]:
    # An explicit object dtype: pandas 2 and 3 differ in what they make of text.
    dtypes: dict[str, Any] = {
        "number": "float64",
        "integer": "int64",
        "flag": "bool",
        "date": "datetime64[ns]",
    }
    series: pd.Series[Any] = pd.Series(found, dtype=dtypes.get(column.kind, object))
    return series


def _unique(table: Table, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Fault]]:
    """The frame without rows that repeat the key of an earlier one, and a fault for each of them."""
    if not table.key or frame.empty:
        return frame, []
    key = list(table.key)
    again = frame.duplicated(key, keep="first").to_numpy()
    if not again.any():
        return frame, []
    first = frame.loc[~again].set_index(key)[LINE].to_dict()
    faults = []
    repeated = frame.loc[again]
    for row in repeated.head(MAX_FAULTS).to_dict("records"):
        place = tuple(row[name] for name in key)
        named = ", ".join(
            f"{name} {_shown_key(row[name])}" for name in key if row[name] not in ("", 0, pd.NaT)
        )
        message = f"the row repeats the key of line {first[place if len(key) > 1 else place[0]]} ({named})"
        faults.append(Fault(table.name, message, "keep one of the two", row=int(row[LINE]), code="duplicate"))
    if len(repeated) > MAX_FAULTS:
        message = f"{len(repeated) - MAX_FAULTS:,} more rows repeat the key of another"
        faults.append(Fault(table.name, message, "keep one of each", code="duplicate"))
    return frame.loc[~again].reset_index(drop=True), faults


def _shown_key(cell: object) -> str:
    if isinstance(cell, pd.Timestamp):
        return f"{cell:%Y-%m-%d}"
    return f"'{cell}'" if isinstance(cell, str) else str(cell)
