"""From a file to a `LargeTable`: its first bytes and its header are judged as those of a small file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cpm_opt.faults import Fault
from cpm_opt.tables.column import Table
from cpm_opt.tables.files import Unreadable, decode
from cpm_opt.tables.headers import judge_columns
from cpm_opt.tables.info import InstanceInfo
from cpm_opt.tables.ledgers import expressions as sql
from cpm_opt.tables.ledgers.broken import long_line_fault
from cpm_opt.tables.ledgers.engine import Engine, start
from cpm_opt.tables.ledgers.large import LargeTable, stamp_of
from cpm_opt.tables.reading import renamed
from cpm_opt.tables.records import Records, header_faults, parse
from cpm_opt.tables.source import Source
from cpm_opt.toml_file import TomlFile

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD = 1_000_000
# DuckDB forgives a field too many where it is NULL, as an empty one is by default: a row such as `a,1,234,` would pass
# for one whose amount is 1. No cell is this text, so none is NULL.
NO_CELL = "\x01no cell is NULL\x01"


def opened(
    table: Table,
    source: Source,
    info: InstanceInfo,
    measures_known: bool,
    file: TomlFile | None,
    held: Connection | None = None,
) -> tuple[LargeTable | None, list[Fault]]:
    """See `open_large`; the rows of a query are fetched, over a connection that is `held` or one of its own."""
    engine = start()
    has_lines = source.kind == "csv"
    if source.kind == "sql":
        from cpm_opt.tables.ledgers.from_query import write_query

        try:
            write_query(table, source, engine.folder / "query.csv", held)
        except Unreadable as error:
            return None, [error.fault]
        source = Source(
            "csv",
            engine.folder / "query.csv",
            columns=source.columns,
            decimal=source.decimal,
            thousands=source.thousands,
            date_format=source.date_format,
        )
    path = source.path
    assert path is not None
    stamp = stamp_of(path)
    if source.kind == "csv":
        header, faults = _csv_header(table, source, path, info)
        if faults:
            return None, faults
        strict, lenient = _csv_relations(_plain_path(path, engine), header, source)
        raws = {label: f"nullif({sql.name(f'c{at}')}, '')" for at, label in reversed(list(enumerate(header)))}
        kinds = dict.fromkeys(header, "VARCHAR")
        row: int | None = 1 if has_lines else None
    else:
        strict = lenient = f"read_parquet({sql.text(_plain_path(path, engine))}, file_row_number = true)"
        described = _parquet_columns(engine, strict, table, path)
        if isinstance(described, Fault):
            return None, [described]
        kinds, row = described, None
        header = tuple(kinds)
        raws = {label: sql.name(label) for label in header}
    named, told = named_columns(table, source, info, measures_known, file, header, row)
    if named is None:
        return None, told
    cells = {ours: raws[theirs] for ours, theirs in named.items()}
    types = {ours: kinds[theirs] for ours, theirs in named.items()}
    return LargeTable(
        table, source, path, info, header, strict, lenient, cells, types, stamp, has_lines, engine
    ), told


def named_columns(
    table: Table,
    source: Source,
    info: InstanceInfo,
    measures_known: bool,
    file: TomlFile | None,
    header: tuple[str, ...],
    row: int | None,
) -> tuple[dict[str, str] | None, list[Fault]]:
    """The column of a header by the catalogue's name; None, and what is wrong, where the header does not fit."""
    stripped = Records(tuple(label.strip() for label in header), [()] * len(header), (), row)
    labels = {
        column.name: source.columns.get(column.name, column.name)
        for column in table.with_measures(info.measures)
    }
    named, told = renamed(stripped, source, table.name, labels, file) if source.columns else (stripped, [])
    if named is None:
        return None, told
    at = {label.strip(): label for label in reversed(header)}
    of_file = {ours: at[source.columns.get(ours, ours)] for ours in named.header}
    _, _, faults = judge_columns(table, table.with_measures(info.measures), named.header, measures_known, row)
    if faults:
        return None, [*told, *faults]
    return of_file, told


def _plain_path(path: Path, engine: Engine) -> str:
    """The path as DuckDB takes it: one with the marks of a pattern goes by another name."""
    full = str(path.absolute())
    if not any(mark in full for mark in "*?[]{}"):
        return full
    link = engine.folder / f"table{path.suffix}"
    link.symlink_to(full)
    return str(link)


def _csv_header(
    table: Table, source: Source, path: Path, info: InstanceInfo
) -> tuple[tuple[str, ...], list[Fault]]:
    try:
        with path.open("rb") as stream:
            start_of_file = stream.read(HEAD)
        broken_off = b"\n" not in start_of_file and b"\r" not in start_of_file
        if broken_off and (fault := long_line_fault(path, table.name)):
            return (), [fault]
        line = start_of_file.partition(b"\n")[0].rstrip(b"\r")
        text = decode(line + b"\n", table.name, path.name, source.encoding)
    except OSError as error:
        return (), [
            Fault(table.name, f"{path.name} cannot be read: {error.strerror}", "check the path and the disk")
        ]
    except Unreadable as error:
        return (), [error.fault]
    known = [source.columns.get(column.name, column.name) for column in table.with_measures(info.measures)]
    mapped = frozenset(source.columns.values())
    _, faults = parse(text, table.name, known, source.delimiter, mapped)
    # The header alone is an empty table; that there are rows is plain from the size of the file.
    faults = [fault for fault in faults if fault.code != "empty_table"]
    if faults:
        return (), faults
    if fault := long_line_fault(path, table.name):
        return (), [fault]
    header = next(csv.reader([text], strict=True, delimiter=source.delimiter))
    return tuple(label.strip() for label in header), []


def _csv_relations(path: str, header: Sequence[str], source: Source) -> tuple[str, str]:
    """The file as SQL reads it: up to a row that is no record, and without such rows."""
    columns = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(len(header)))
    strict, lenient = (
        f"read_csv({sql.text(path)}, header = true, auto_detect = false, delim = {sql.text(source.delimiter)}, "
        f"quote = '\"', escape = '\"', nullstr = {sql.text(NO_CELL)}, ignore_errors = {ignored}, "
        f"columns = {{{columns}}})"
        for ignored in ("false", "true")
    )
    return strict, lenient


def _parquet_columns(engine: Engine, relation: str, table: Table, path: Path) -> dict[str, str] | Fault:
    import duckdb

    try:
        found = engine.rows(f"DESCRIBE SELECT * EXCLUDE (file_row_number) FROM {relation}")
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        return Fault(
            table.name, f"{path.name} cannot be read as Parquet: {reason}", "write it again", code="parquet"
        )
    kinds = {str(row[0]): str(row[1]) for row in found}
    faults = header_faults(list(kinds), table.name, None, None)
    return faults[0] if faults else kinds
