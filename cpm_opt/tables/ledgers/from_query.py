"""From a query of many rows to a CSV file that goes as soon as it was read: a block or some thousand rows at a time are
in memory. PostgreSQL writes the text itself (COPY), SQLite's rows are written as they come."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpm_opt.faults import Fault
from cpm_opt.tables.cells import Nested, column_texts
from cpm_opt.tables.column import Table
from cpm_opt.tables.database import bare, begun, connected, not_one_select, told_by
from cpm_opt.tables.files import Unreadable
from cpm_opt.tables.source import PLAIN, Source

if TYPE_CHECKING:
    from sqlalchemy import Connection

MANY_ROWS = 200_000
_CHUNK = 20_000
_TIMESTAMP = 1114  # PostgreSQL's number of the type


def has_many_rows(table: Table, source: Source) -> bool:
    """Whether a query gives more rows than a frame should hold; False where it cannot be asked (its reader says)."""
    from sqlalchemy.exc import SQLAlchemyError

    if not_one_select(source.query or "") is not None:
        return False
    try:
        with connected(source, table.name) as engine, engine.connect() as opened:
            counted = f"SELECT count(*) FROM ({bare(source)}\n) AS q"
            asked = begun(opened, source).execution_options(no_parameters=True)
            return int(asked.exec_driver_sql(counted).scalar_one()) > MANY_ROWS
    except (SQLAlchemyError, Unreadable):
        return False


def write_query(table: Table, source: Source, path: Path, held: Connection | None = None) -> None:
    """Writes the rows of a query as CSV, with a header, over a connection that is `held` or one of its own. Raises
    `Unreadable`."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if held is not None:
            _written(held, table, source, path)
            return
        with connected(source, table.name) as engine, engine.connect() as opened:
            _written(begun(opened, source), table, source, path)
    except SQLAlchemyError as error:
        raise Unreadable(told_by(error, source, table.name)) from error
    except OSError as error:
        message = f"its rows cannot be kept for reading: {(error.strerror or str(error)).lower()}"
        raise Unreadable(Fault(table.name, message, "free some disk space", code="disk")) from error


def _written(connection: Connection, table: Table, source: Source, path: Path) -> None:
    if source.path is None and source.spelling == PLAIN:
        _copied(connection, source, path)
    else:
        _fetched(connection, source, table, path)


def _copied(connection: Connection, source: Source, path: Path) -> None:
    """PostgreSQL's rows, in blocks of text."""
    import psycopg
    from sqlalchemy.exc import DBAPIError

    driver: Any = connection.connection.dbapi_connection
    try:
        with driver.cursor() as cursor, path.open("wb") as file:
            cursor.execute(f"SELECT * FROM ({bare(source)}\n) AS q LIMIT 0")
            columns = ", ".join(
                _column(str(column.name), int(column.type_code)) for column in cursor.description
            )
            query = f"COPY (SELECT {columns} FROM ({bare(source)}\n) AS q) TO STDOUT WITH (FORMAT csv, HEADER true)"
            with cursor.copy(query) as copy:
                for block in copy:
                    file.write(block)
    except psycopg.Error as error:
        raise DBAPIError(None, None, error) from error


def _column(label: str, kind: int) -> str:
    """A column as the small path reads it: midnight is a day."""
    quoted = '"' + label.replace('"', '""') + '"'
    if kind != _TIMESTAMP:
        return quoted
    day = f"to_char({quoted}, 'YYYY-MM-DD')"
    return f"CASE WHEN {quoted} = date_trunc('day', {quoted}) THEN {day} ELSE {quoted}::text END AS {quoted}"


def _fetched(connection: Connection, source: Source, table: Table, path: Path) -> None:
    """SQLite's rows, or any that are to be spelt like their texts, some thousand at a time."""
    result = connection.execution_options(no_parameters=True).exec_driver_sql(source.query or "")
    header = [str(column[0]) for column in result.cursor.description] if result.cursor is not None else []
    numbers = {column.name for column in table.columns if column.numeric}
    labels = {theirs: ours for ours, theirs in source.columns.items()}
    names = [
        at
        for at, label in enumerate(header)
        if labels.get(label, label) not in numbers or source.spelling != PLAIN
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        while part := result.fetchmany(_CHUNK):
            columns: list[Any] = list(zip(*part, strict=True))
            for at in names:
                try:
                    columns[at] = column_texts(columns[at], source.spelling)[0]
                except Nested as nested:
                    message = f"holds {nested.kind}, not single values"
                    raise Unreadable(
                        Fault(table.name, message, "cast it in the query", column=header[at], code="nested")
                    ) from nested
            writer.writerows(zip(*columns, strict=True))
    result.close()
