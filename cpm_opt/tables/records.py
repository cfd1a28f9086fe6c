"""From text to records: CSV by our own rules on top of Python's csv module. Every cell stays text.

pandas' parser is not used: it drops duplicate headers, shifts columns where rows have a field too many, and takes the
ids NA, None and 007 for something else.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cpm_opt.faults import Fault
from cpm_opt.tables.names import misspelt

MAX_COLUMNS = 1000
MAX_LINE = 1_000_000
MAX_FAULTS = 1000

_OTHER_DELIMITERS = {";": "';'", "\t": "a tab", "|": "'|'"}


@dataclass(frozen=True)
class Records:
    """The cells of a file: `header`, one list of cells per column (in the order of the header), and for each record
    the line of the file on which it starts."""

    header: tuple[str, ...]
    cells: Sequence[Sequence[str]]
    lines: Sequence[int]


def parse(text: str, table: str, known: Iterable[str]) -> tuple[Records | None, list[Fault]]:
    """Cut CSV text (its line breaks are line feeds) into records; None where the structure is beyond reading.

    `known` are the names of the table's columns; by them a missing header or a wrong delimiter is recognised. Records
    with a wrong number of fields are told and left out. Blank lines are skipped.
    """
    lines = text.split("\n")
    longest = max(map(len, lines))
    if longest > MAX_LINE:
        message = f"the line has {longest:,} characters, over the limit of {MAX_LINE:,}"
        row = next(at for at, line in enumerate(lines, start=1) if len(line) == longest)
        return None, [Fault(table, message, "the file is not a table", row=row, code="line_too_long")]
    rows, starts, broken = _rows(lines, table)
    if not rows:
        if broken:
            return None, broken
        return None, [Fault(table, "has no header", "write the names of its columns first", code="no_header")]
    header = tuple(name.strip() for name in rows[0])
    wrong = _header_faults(header, lines[starts[0] - 1], table, known)
    if wrong:
        return None, wrong
    if broken:
        return None, broken
    body, at, faults = _even_rows(rows[1:], starts[1:], len(header), table)
    if not body and not faults:
        remedy = "delete the file or add a row"
        return None, [
            Fault(table, "is an empty table: it has a header and no rows", remedy, code="empty_table")
        ]
    columns: list[Sequence[str]] = list(zip(*body, strict=True)) if body else [() for _ in header]
    return (Records(header, columns, at) if body else None), faults


def _rows(lines: list[str], table: str) -> tuple[list[list[str]], list[int], list[Fault]]:
    """Rows that are not blank, the line on which each starts, and the fault that stopped the reading, if any."""
    reader = csv.reader((line + "\n" for line in lines), strict=True)
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


def _header_faults(header: tuple[str, ...], line: str, table: str, known: Iterable[str]) -> list[Fault]:
    names = tuple(known)
    if len(header) > MAX_COLUMNS:
        message = f"has {len(header):,} columns, over the limit of {MAX_COLUMNS:,}"
        return [Fault(table, message, "leave out what is not needed", row=1, code="too_many_columns")]
    if not any(misspelt(cell, names) for cell in header) and not set(header) & set(names):
        for mark, called in _OTHER_DELIMITERS.items():
            cells = [cell.strip().strip('"').casefold() for cell in line.split(mark)]
            if len(cells) > 1 and set(cells) & {name.casefold() for name in names}:
                message = f"its columns are separated by {called} instead of commas"
                remedy = "export it with commas, and a point as the decimal mark"
                return [Fault(table, message, remedy, row=1, code="delimiter")]
        message = "its first line names none of the table's columns, so it has no header or is another table"
        return [Fault(table, message, f"begin with {','.join(names[:4])},...", row=1, code="no_header")]
    faults = []
    for at, name in enumerate(header):
        if not name:
            message, remedy = f"column {at + 1} has no name", "name it or delete the column"
            faults.append(Fault(table, message, remedy, row=1, code="blank_header"))
        elif name in header[:at]:
            message = f"is there twice, as columns {header.index(name) + 1} and {at + 1}"
            faults.append(
                Fault(table, message, "delete or rename one", row=1, column=name, code="duplicate_column")
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
