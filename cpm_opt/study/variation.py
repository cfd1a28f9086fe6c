"""What a sweep varies: keys of the model and cells of the planning tables, with the values that each takes.

    solver.seed=1,2,3                                            a key of the model
    tables.resources[resource=hours,period=2].capacity=80..120   cells of a table, between two numbers

In goes the text of the call and a `Problem`; out go `Variation`s, whose values were checked one by one, and `changed`
frames. Parts with `=`, `,`, `.` or brackets in them are quoted with "".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cpm_opt.faults import Fault, InputError, did_you_mean, shown

if TYPE_CHECKING:
    from pandas import DataFrame

    from cpm_opt.pipeline import Problem
    from cpm_opt.study.base import Base
    from cpm_opt.tables.column import Column, Table

TABLES, PERIOD = "tables", "period"
EXAMPLE = "write KEY=a,b,c, such as solver.seed=1,2,3 or tables.resources[resource=hours].capacity=80,100"
_SELECTED = re.compile(r"tables\.(?P<table>[^\[\].]+)(?:\[(?P<rows>.*)\])?\.(?P<column>[^\[\]]+)", re.DOTALL)
_RANGE = re.compile(r"(?P<low>[^.]+(?:\.\d+)?)\.\.(?P<high>.+)")


@dataclass(frozen=True)
class Variation:
    """One key and what it takes: texts, or any number between two (`low` to `high`, for a sample).

    `table`, `column` and `rows` (column, value) are filled in where cells of a table are meant.
    """

    key: str
    values: tuple[str, ...]
    low: float | None = None
    high: float | None = None
    table: str = ""
    column: str = ""
    rows: tuple[tuple[str, str], ...] = ()

    @property
    def ranged(self) -> bool:
        """Whether it takes any number between two."""
        return self.low is not None


def read_variations(texts: Sequence[str], problem: Problem, base: Base) -> tuple[Variation, ...]:
    """The variations of a call, checked against the model and the tables; raises InputError with all faults."""
    found: list[Variation] = []
    faults: list[Fault] = []
    for text in texts:
        try:
            variation = _parsed(text)
            if any(variation.key == other.key for other in found):
                raise _fault(text, f"varies {variation.key} a second time", "put all values into one --vary")
            _check(variation, text, problem, base)
            found.append(variation)
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    return tuple(found)


def changed(
    frames: Mapping[str, DataFrame], info: Any, variations: Sequence[Variation], values: Sequence[str]
) -> dict[str, DataFrame]:
    """The frames with the cells of table variations set and checked again; those of other tables are the same.

    Raises InputError where a changed row contradicts itself.
    """
    from cpm_opt.tables import check_frame

    result: dict[str, DataFrame] = dict(frames)
    touched = []
    for variation, value in zip(variations, values, strict=True):
        if variation.table:
            frame = result[variation.table]
            if variation.table not in touched:
                frame = frame.copy()
                touched.append(variation.table)
            column = _column(variation, info)
            typed: Any = float(value) if column.numeric else value
            if column.kind == "flag":
                typed = value.lower() == "true"
            if column.kind == "integer":
                typed = int(float(value))
            frame.loc[selected(frame, variation.rows), variation.column] = typed
            result[variation.table] = frame
    faults: list[Fault] = []
    for name in touched:
        result[name], found = check_frame(name, result[name], info)
        faults += [fault for fault in found if not fault.warning]
    if faults:
        raise InputError(faults)
    return result


def selected(frame: DataFrame, rows: Sequence[tuple[str, str]]) -> Any:
    """Which rows of the frame have these values in these columns; a blank one stands for "" or 0.

    A column that is not named may hold anything, but for the period: a row with one is an exception that replaces the
    row with a blank period, so it is chosen by its period, and without one only where there is no blank row.
    """
    import numpy as np

    keep = np.ones(len(frame), dtype=bool)
    for name, value in rows:
        column = frame[name]
        if column.dtype == bool:
            keep &= (column == (value.lower() == "true")).to_numpy()
        elif column.dtype.kind in "if":
            keep &= (column == _number(value or "0")).to_numpy(dtype=bool)
        else:
            keep &= (column.astype(str) == value).to_numpy(dtype=bool)
    if PERIOD in frame.columns and all(name != PERIOD for name, _ in rows):
        blank = keep & (frame[PERIOD] == 0).to_numpy(dtype=bool)
        return blank if blank.any() else keep
    return keep


def unit_of(variation: Variation, frames: Mapping[str, DataFrame]) -> str:
    """The unit of what varies where the tables tell it, as of the capacity of a resource; else blank."""
    if variation.table != "resources" or variation.column not in ("capacity", "extra_capacity"):
        return ""
    frame = frames[variation.table]
    units = {str(unit) for unit in frame.loc[selected(frame, variation.rows), "unit"]}
    return units.pop() if len(units) == 1 else ""


def _parsed(text: str) -> Variation:
    key, equals, written = _cut(text, "=")
    if not equals or not key.strip() or not written.strip():
        raise _fault(text, "has no key or no values", EXAMPLE)
    key = key.strip()
    values = [_unquoted(part) for part in _split(written, ",")]
    if "" in values:
        raise _fault(text, "has an empty value between its commas", EXAMPLE)
    repeated = next((value for value in values if values.count(value) > 1), None)
    if repeated is not None:
        raise _fault(text, f"names {shown(repeated)} twice", "keep one of them")
    variation = Variation(key, tuple(values), *_ends(text, values))
    if not key.startswith((TABLES + ".", TABLES + "[")):
        return variation
    selected = selection(key, text)
    return replace(selected, values=variation.values, low=variation.low, high=variation.high)


def selection(key: str, text: str = "") -> Variation:
    """The cells that a key means, as a variation without values; raises InputError of `text` where it says none."""
    match = _SELECTED.fullmatch(key)
    if match is None:
        remedy = "write tables.TABLE.COLUMN or tables.TABLE[COLUMN=VALUE,COLUMN=VALUE].COLUMN"
        raise _fault(text or key, "does not say which cells of a table", remedy)
    rows = []
    for part in _split(match["rows"], ",") if match["rows"] else []:
        name, equals, value = _cut(part, "=")
        if not equals or not name.strip():
            raise _fault(text or key, f"{shown(part)} selects no rows", "write COLUMN=VALUE in the brackets")
        rows.append((_unquoted(name), _unquoted(value)))
    return Variation(key, (), table=match["table"], column=match["column"].strip(), rows=tuple(rows))


def _ends(text: str, values: Sequence[str]) -> tuple[float | None, float | None]:
    """The two numbers of `low..high`, None where values are listed."""
    match = _RANGE.fullmatch(values[0])
    if match is None:
        return None, None
    low, high = _number(match["low"]), _number(match["high"])
    if len(values) > 1 or not low < high:
        message = "is no range of numbers from a lower to a higher one"
        raise _fault(text, message, "write KEY=80..120, and nothing beside it")
    return low, high


def _check(variation: Variation, text: str, problem: Problem, base: Base) -> None:
    """Raises InputError for a key that is not there, rows that are not there, and values that do not fit."""
    tried = [str(variation.low), str(variation.high)] if variation.ranged else list(variation.values)
    if not variation.table:
        faults = []
        for value in tried:
            try:
                base.spec({variation.key: value})
            except InputError as error:
                faults += [
                    Fault("--vary", fault.message, fault.remedy, None, fault.column, value, fault.code)
                    for fault in error.faults
                ]
        if faults:
            raise InputError(_once(faults))
        return
    column = _known_column(variation, text, problem)
    _check_rows(variation, text, problem)
    _check_values(variation, column, tried)


def _known_column(variation: Variation, text: str, problem: Problem) -> Column:
    from cpm_opt.tables.catalogue import PLANNING, RAW

    name = variation.table
    if name in RAW:
        remedy = "vary the tables that are estimated from it, such as segments"
        raise _fault(text, f"{name} is a raw table; a sweep varies planning tables", remedy, "raw_table")
    if name not in PLANNING:
        message = f"there is no table {shown(name)}"
        raise _fault(text, message, did_you_mean(name, PLANNING), "unknown_table")
    if name not in problem.frames:
        raise _fault(
            text,
            f"the instance has no table {name}",
            did_you_mean(name, PLANNING.keys() & problem.frames),
            "no_table",
        )
    table, frame = PLANNING[name], problem.frames[name]
    there = [label for label in frame.columns if label != "line"]
    for label in (variation.column, *(label for label, _ in variation.rows)):
        if label not in there:
            message = f"table {name} has no column {shown(label)}"
            raise _fault(text, message, did_you_mean(label, there), "unknown_column")
    column = _column(variation, problem.tables.info)
    if not _varies(column, table):
        what = "is a note for readers" if column.kind == "text" else "names things"
        message = f"column {column.name} of {name} {what}, and is no value to vary"
        values = [label for label in there if _varies(_column_of(name, label, problem.tables.info), table)]
        raise _fault(text, message, f"vary another column of it: {', '.join(values[:8])}", "key_column")
    return column


def _column(variation: Variation, info: Any) -> Column:
    return _column_of(variation.table, variation.column, info)


def _column_of(table: str, name: str, info: Any) -> Column:
    """The catalogue's column; a grouping column is one of names."""
    from cpm_opt.tables.catalogue import PLANNING
    from cpm_opt.tables.column import Column

    known = {column.name: column for column in PLANNING[table].with_measures(info.measures)}
    return known.get(name) or Column(name, "id", "grouping")


def _varies(column: Column, table: Table) -> bool:
    """Whether a column holds something that a plan depends on, and does not tell rows apart."""
    return column.name not in table.key and column.kind not in ("id", "text", "date")


def _check_rows(variation: Variation, text: str, problem: Problem) -> None:
    frame = problem.frames[variation.table]
    if selected(frame, variation.rows).any():
        return
    for name, value in variation.rows:  # the part that is to blame, if one alone is
        if not selected(frame, [(name, value)]).any():
            there = sorted({_text(cell) for cell in frame[name]})
            message = f"no row of {variation.table} has {name} {shown(value)}"
            raise _fault(text, message, _nearest(value, there), "no_row")
    message = f"no row of {variation.table} has all of {', '.join(f'{n}={v}' for n, v in variation.rows)}"
    raise _fault(text, message, "leave one of them out", "no_row")


def _nearest(value: str, there: Sequence[str]) -> str:
    if list(there) == [""]:
        return "it is blank in every row: leave it out of the brackets"
    return did_you_mean(value, [name for name in there if name])


def _text(cell: object) -> str:
    """A cell as a user writes it: a period that is blank is 0 in the frame."""
    if isinstance(cell, (int, float)):
        return f"{cell:g}" if cell else ""
    return str(cell)


def _check_values(variation: Variation, column: Column, tried: list[str]) -> None:
    from cpm_opt.tables import values

    judges: Any = {"flag": values.flags, "choice": values.choices}
    problems = judges.get(column.kind, values.numbers)(tried, column)[1]
    if not column.numeric and variation.ranged:
        raise _fault(variation.key, "is no number, so it has no range", "list its values")
    faults = [
        Fault("--vary", each.message, each.remedy, None, variation.key, tried[each.at], each.code)
        for each in problems
        if not each.warning
    ]
    if faults:
        raise InputError(faults)


def _once(faults: Sequence[Fault]) -> list[Fault]:
    """Without the repetitions of what is wrong with the key itself, whatever its value."""
    found: dict[tuple[str, str | None], Fault] = {}
    for fault in faults:
        value = None if fault.code in ("unknown_key", "unknown_component") else fault.value
        found.setdefault((fault.message, value), fault)
    return list(found.values())


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _split(text: str, mark: str) -> list[str]:
    """Text cut at the marks that stand outside of quotes and brackets."""
    parts = []
    rest = text
    while True:
        part, found, rest = _cut(rest, mark)
        parts.append(part)
        if not found:
            return parts


def _cut(text: str, mark: str) -> tuple[str, str, str]:
    """Before and after the first mark that stands outside of quotes and brackets."""
    quoted, depth = False, 0
    for at, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "[]":
            depth += 1 if character == "[" else -1
        elif not quoted and depth == 0 and character == mark:
            return text[:at], mark, text[at + 1 :]
    return text, "", ""


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _fault(value: str, message: str, remedy: str, code: str = "vary") -> InputError:
    return InputError([Fault("--vary", message, remedy, value=value, code=code)])
