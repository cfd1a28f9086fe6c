"""Records: the cells of a table as text, from whatever source; and from CSV text to them, by our own rules on top of
Python's csv module.

pandas' parser is not used: it drops duplicate headers, shifts columns where rows have a field too many, and takes the
ids NA, None and 007 for something else.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cpm_opt.faults import Fault
from cpm_opt.tables.names import misspelt
from cpm_opt.tables.source import PLAIN, Spelling

MAX_COLUMNS = 1000
MAX_LINE = 1_000_000
MAX_FAULTS = 1000

_DELIMITERS = {",": "commas", ";": "';'", "\t": "a tab", "|": "'|'"}


@dataclass(frozen=True)
class Odd:
    """A cell that its source holds no sound value for: position in its column, what it shows, a code, what is wrong
    and the remedy. With `names_only` it is wrong as a name alone, and a sound number."""

    at: int
    value: str
    code: str
    message: str
    remedy: str
    names_only: bool = False


@dataclass(frozen=True)
class Records:
    """The cells of a table as text: `header`, one list of cells per column (in the order of the header), and for each
    record the line of the file on which it starts (its number, where the source has no lines).

    `head` is the line of the header (None: it has none), `spelling` how numbers and days are written, `odd` the cells
    without a sound value by column.
    """

    header: tuple[str, ...]
    cells: Sequence[Sequence[str]]
    lines: Sequence[int]
    head: int | None = 1
    spelling: Spelling = PLAIN
    odd: Mapping[str, Sequence[Odd]] = field(default_factory=dict)


def parse(
    text: str, table: str, known: Iterable[str], delimiter: str = ",", mapped: frozenset[str] = frozenset()
) -> tuple[Records | None, list[Fault]]:
    """Cut CSV text (its line breaks are line feeds) into records; None where the structure is beyond reading.

    `known` are the names of the table's columns in the file; by them a missing header or a wrong delimiter is
    recognised. `mapped` are those that a column map names: where there is one, other columns may be nameless or
    doubled. Records with a wrong number of fields are told and left out. Blank lines are skipped.
    """
    lines = text.split("\n")
    longest = max(map(len, lines))
    if longest > MAX_LINE:
        row = next(at for at, line in enumerate(lines, start=1) if len(line) == longest)
        return None, [line_too_long(table, row, longest)]
    rows, starts, broken = _rows(lines, table, delimiter)
    if not rows:
        if broken:
            return None, broken
        return None, [Fault(table, "has no header", "write the names of its columns first", code="no_header")]
    header = tuple(name.strip() for name in rows[0])
    names = tuple(known)
    wrong = _not_the_header(header, lines[starts[0] - 1], table, names, delimiter, bool(mapped))
    wrong = wrong or header_faults(header, table, starts[0], frozenset(names) if mapped else None)
    if wrong:
        return None, wrong
    if broken:
        return None, broken
    body, at, faults = _even_rows(rows[1:], starts[1:], len(header), table)
    if not body and not faults:
        return None, [empty_table(table)]
    columns: list[Sequence[str]] = list(zip(*body, strict=True)) if body else [() for _ in header]
    return (Records(header, columns, at) if body else None), faults


def line_too_long(table: str, row: int, length: int) -> Fault:
    """The fault of a line of more than `MAX_LINE` characters."""
    message = f"the line has {length:,} characters, over the limit of {MAX_LINE:,}"
    return Fault(table, message, "the file is not a table", row=row, code="line_too_long")


def empty_table(table: str, kind: str = "csv") -> Fault:
    """The fault of a table without a row, from a file of this kind."""
    remedy, head = "delete the file or add a row", "columns" if kind == "parquet" else "a header"
    return Fault(table, f"is an empty table: it has {head} and no rows", remedy, code="empty_table")


def _rows(lines: list[str], table: str, delimiter: str) -> tuple[list[list[str]], list[int], list[Fault]]:
    """Rows that are not blank, the line on which each starts, and the fault that stopped the reading, if any."""
    reader = csv.reader((line + "\n" for line in lines), strict=True, delimiter=delimiter)
    rows: list[list[str]] = []
    starts: list[int] = []
    line = 1
    try:
        for row in reader:
            if row and (row[0].strip() or any(cell.strip() for cell in row)):
                rows.append(row)
                starts.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        return rows, starts, [_quote_fault(str(error), line, lines, table)]
    return rows, starts, []


def _quote_fault(reason: str, line: int, lines: list[str], table: str) -> Fault:
    remedy = "close it, and write a quote inside a quoted cell twice"
    if "field limit" in reason and '"' not in lines[line - 1]:
        message = f"a cell has more than {csv.field_size_limit():,} characters"
        return Fault(table, message, "shorten it", row=line, code="cell_too_long")
    if "expected after" in reason and lines[line - 1].count('"') % 2 == 0 and '"' in lines[line - 1]:
        message = "a closing quote is followed by more text in the same cell"
    elif "expected after" in reason or "unexpected end" in reason or "field limit" in reason:
        message = "a quote opens here and is not closed where its cell ends"
    else:
        message, remedy = f"is no CSV: {reason}", "export the table again as CSV"
    return Fault(table, message, remedy, row=line, code="quote")


def _not_the_header(
    header: tuple[str, ...], line: str, table: str, names: tuple[str, ...], delimiter: str, mapped: bool
) -> list[Fault]:
    """The fault where the first line names no column of the table, by what it seems to be."""
    if len(header) > MAX_COLUMNS or is_the_header(header, names):
        return []
    for mark, called in _DELIMITERS.items():
        cells = [cell.strip().strip('"').casefold() for cell in line.split(mark)]
        if mark != delimiter and len(cells) > 1 and set(cells) & {name.casefold() for name in names}:
            message = f"its columns are separated by {called} instead of {_DELIMITERS[delimiter]}"
            written = "\\t" if mark == "\t" else mark
            remedy = f'export it with commas, or write delimiter = "{written}" in [tables.{table}] of instance.toml'
            return [Fault(table, message, remedy, row=1, code="delimiter")]
    if mapped:
        return []  # The columns that the map names and the file has not are told one by one.
    return [no_header(table, names, 1)]


def is_the_header(header: Sequence[str], names: Sequence[str]) -> bool:
    """Whether these are the names of a table's columns: one of them at least, perhaps misspelt."""
    return bool(set(header) & set(names)) or any(misspelt(cell, names) for cell in header)


def no_header(table: str, names: Sequence[str], row: int | None) -> Fault:
    """The fault of a table whose first row names none of its columns."""
    message = "its first line names none of the table's columns, so it has no header or is another table"
    return Fault(table, message, f"begin with {','.join(names[:4])},...", row=row, code="no_header")


def header_faults(
    header: Sequence[str], table: str, row: int | None, used: frozenset[str] | None
) -> list[Fault]:
    """What is wrong with the names of columns; only with the `used` ones, where these are given."""
    if len(header) > MAX_COLUMNS:
        message = f"has {len(header):,} columns, over the limit of {MAX_COLUMNS:,}"
        return [Fault(table, message, "leave out what is not needed", row=row, code="too_many_columns")]
    faults = []
    for at, name in enumerate(header):
        if used is not None and name not in used:
            continue
        if not name:
            message, remedy = f"column {at + 1} has no name", "name it or delete the column"
            faults.append(Fault(table, message, remedy, row=row, code="blank_header"))
        elif name in header[:at]:
            message = f"is there twice, as columns {list(header).index(name) + 1} and {at + 1}"
            faults.append(
                Fault(table, message, "delete or rename one", row=row, column=name, code="duplicate_column")
            )
    return faults


def _even_rows(
    rows: list[list[str]], starts: list[int], width: int, table: str
) -> tuple[list[list[str]], list[int], list[Fault]]:
    """The rows that have `width` fields, their lines, and a fault for each other row."""
    odd = [at for at, row in enumerate(rows) if len(row) != width]
    if not odd:
        return rows, starts, []
    widths = {len(rows[at]) for at in odd}
    if len(odd) == len(rows) and len(widths) == 1 and len(rows) > 1:
        (found,) = widths
        message = f"every row has {found} fields while the header names {width} columns"
        remedy = "make header and rows agree (a name is missing, or a comma stands inside an unquoted cell)"
        return [], [], [Fault(table, message, remedy, row=starts[0], code="field_count")]
    faults = []
    for at in odd[:MAX_FAULTS]:
        much = "too many" if len(rows[at]) > width else "too few"
        message = f"the row has {len(rows[at])} fields, {much}: the header names {width} columns"
        remedy = "quote cells that hold commas, or fill in what is missing"
        faults.append(Fault(table, message, remedy, row=starts[at], code="field_count"))
    if len(odd) > MAX_FAULTS:
        message = f"{len(odd) - MAX_FAULTS:,} more rows have a wrong number of fields"
        faults.append(Fault(table, message, "correct them likewise", code="field_count"))
    left_out = set(odd)
    kept = [at for at in range(len(rows)) if at not in left_out]
    return [rows[at] for at in kept], [starts[at] for at in kept], faults
