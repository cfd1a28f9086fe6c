"""From a `Source` to records under the catalogue's names: the one door through which every kind of source comes.

read bytes or rows -> records as they stand -> the column map -> records
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from cpm_opt.faults import Fault, did_you_mean, shown
from cpm_opt.tables.column import Column
from cpm_opt.tables.files import Unreadable, read_text
from cpm_opt.tables.opened import Opened
from cpm_opt.tables.records import Records, header_faults, is_the_header, no_header, parse
from cpm_opt.tables.source import Source
from cpm_opt.toml_file import TomlFile

_SHOWN = 5


def read_source(
    source: Source, table: str, known: Sequence[Column], file: TomlFile | None, opened: Opened
) -> tuple[Records | None, list[Fault], str]:
    """The records of a table under the catalogue's names (None where there are none), what is wrong with its source,
    and the hash of what was read ("" where nothing was).

    `known` are the table's columns, `file` is instance.toml for the lines of its column map, and `opened` is what was
    opened for other tables.
    """
    labels = {column.name: source.columns.get(column.name, column.name) for column in known}
    mapped = frozenset(source.columns.values())
    used = mapped | set(labels.values()) if mapped else None
    try:
        records, faults, sha256 = _raw(
            source, table, [*labels.values(), *mapped - set(labels.values())], used, opened
        )
    except Unreadable as error:
        return None, [error.fault], ""
    if records is None:
        return None, faults, sha256
    if source.kind != "csv":
        wrong = header_faults(records.header, table, records.head, used)
        if not mapped and not is_the_header(records.header, list(labels)):
            wrong = [no_header(table, list(labels), records.head)]
        if wrong:
            return None, faults + wrong, sha256
    if mapped:
        records, told = renamed(records, source, table, labels, file)
        faults += told
    return records, faults, sha256


def _raw(
    source: Source, table: str, labels: Sequence[str], used: frozenset[str] | None, opened: Opened
) -> tuple[Records | None, list[Fault], str]:
    """The records as they stand in the source. Raises `Unreadable`."""
    path = source.path
    if source.kind == "sql":
        from cpm_opt.tables.database import read_query

        return read_query(source, table, used, opened.silent)
    assert path is not None
    if source.kind == "parquet":
        from cpm_opt.tables.parquet import read_parquet

        return read_parquet(path, table, source.spelling, used)
    if source.kind == "excel":
        from cpm_opt.tables.workbook import open_book, read_sheet

        book = opened.books.get(path) or opened.books.setdefault(path, open_book(path, table))
        sheet, faults = read_sheet(book, source.sheet, table, source.spelling, used)
        return sheet, faults, book.sha256
    read = read_text(path, table, source.encoding)
    mapped = frozenset(source.columns.values())
    records, faults = parse(read.text, table, labels, source.delimiter, mapped)
    if records is not None:
        records = dataclasses.replace(records, spelling=source.spelling)
    return records, faults, read.sha256


def renamed(
    records: Records, source: Source, table: str, labels: Mapping[str, str], file: TomlFile | None
) -> tuple[Records | None, list[Fault]]:
    """The records under the catalogue's names by the column map, and one warning for the columns left out."""
    place = {name: at for at, name in reversed(list(enumerate(records.header)))}
    missing = {name: label for name, label in source.columns.items() if label not in place}
    if missing:
        return None, [_not_there(name, label, place, table, source, file) for name, label in missing.items()]
    # A mapped column counts for more than one that has the catalogue's name by itself.
    wanted = {**{name: label for name, label in labels.items() if label in place}, **source.columns}
    names = tuple(wanted)
    cells = [records.cells[place[wanted[name]]] for name in names]
    odd = {name: records.odd[wanted[name]] for name in names if wanted[name] in records.odd}
    left = [name or "(no name)" for name in records.header if name not in wanted.values()]
    faults = []
    if left:
        named = ", ".join(shown(name) for name in left[:_SHOWN]) + (", ..." if len(left) > _SHOWN else "")
        message = f"{len(left)} column{'s are' if len(left) > 1 else ' is'} left out: {named}"
        remedy = f"name in columns of [tables.{table}] what is needed"
        faults.append(Fault(table, message, remedy, row=records.head, code="left_out", warning=True))
    return dataclasses.replace(records, header=names, cells=cells, odd=odd), faults


def _not_there(
    name: str, label: str, there: Mapping[str, int], table: str, source: Source, file: TomlFile | None
) -> Fault:
    message = f"{source.name} has no such column"
    remedy = did_you_mean(label, [column for column in there if column])
    if file is None:
        return Fault(table, message, remedy, column=label, code="not_in_file")
    return file.fault(("tables", table, "columns", name), message, remedy, "not_in_file")
