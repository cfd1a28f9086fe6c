"""From a query against SQLite or PostgreSQL to records; the rows of its result count from 1.

A query can read and nothing else: it must be one SELECT, it runs in a transaction that is read-only and never
committed, and SQLite opens the file for reading, so that a file which is not there is not made. No message holds the
password of the URL.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cpm_opt.faults import Fault
from cpm_opt.tables.cells import MAX_CELLS, Nested, column_texts
from cpm_opt.tables.files import Unreadable, check_file
from cpm_opt.tables.records import Odd, Records
from cpm_opt.tables.source import Source

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

MAX_SECONDS = 300
CONNECT_SECONDS = 10
_CHUNK = 10_000

_READS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
_SKIPPED = re.compile(
    r"""--[^\n]*|/\*.*?\*/|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$""", re.S
)


def not_one_select(query: str) -> str | None:
    """Why a query is not a single SELECT (or WITH ... SELECT), by its words outside of quotes and comments."""
    words = _SKIPPED.sub(lambda found: " " if found[0][:2] in ("--", "/*") else "''", query).strip()
    bare = words.rstrip("; \t\r\n")
    if ";" in bare:
        return "is more than one statement"
    first = re.match(r"\w*", bare)
    if first is None or first[0].lower() not in ("select", "with"):
        return "does not begin with SELECT or WITH"
    return None


def read_query(
    source: Source, table: str, used: frozenset[str] | None, silent: dict[str, Fault]
) -> tuple[Records | None, list[Fault], str]:
    """The records of a query, what is wrong with them, and the sha256 over the rows in whatever order they came.

    `used` are the columns that count (None: all); others are named, and their cells left blank. `silent` are the
    servers that did not answer before, by their URL, and gets this one if it does not. Raises `Unreadable`.
    """
    wrong = not_one_select(source.query or "")
    if wrong is not None:
        raise Unreadable(Fault(table, f"the query {wrong}", "write one SELECT", code="query"))
    if source.url in silent:
        raise Unreadable(dataclasses.replace(silent[source.url], table=table))
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with connected(source, table) as engine, engine.connect() as connection:
            before = stamp(source)
            header, rows = _rows(connection, source, table)
            changed = before != stamp(source)
    except SQLAlchemyError as error:
        fault = told_by(error, source, table)
        if fault.code == "no_connection" and source.url is not None:
            silent[source.url] = fault
        raise Unreadable(fault) from error
    if changed:
        message = "the database changed while it was read"
        raise Unreadable(Fault(table, message, "run again when it is complete", code="changed_while_read"))
    if not rows:
        return None, [Fault(table, "the query gives no rows", "correct the query", code="empty_table")], ""
    records, faults = _records(header, rows, source, table, used)
    return records, faults, _hash(records) if records is not None else ""


@contextmanager
def connected(source: Source, table: str) -> Iterator[Engine]:
    """The database of a source, until it is left. Raises `Unreadable`, and SQLAlchemy's errors."""
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError
    from sqlalchemy.pool import NullPool

    path = source.path
    if path is not None:
        check_file(path, table, b"SQLite format 3\0", "an SQLite database")
        engine = create_engine("sqlite://", creator=lambda: _opened(path), poolclass=NullPool)
    else:
        try:
            url = make_url(source.url or "").set(drivername="postgresql+psycopg")
        except (ArgumentError, ValueError) as error:
            remedy = 'write url = "postgresql://USER@HOST/DATABASE"; a sign such as @ in a password is %40'
            raise Unreadable(
                Fault(table, "its url is none that can be read", remedy, code="wrong_url")
            ) from error
        limits = {"connect_timeout": CONNECT_SECONDS, "application_name": "cpm_opt"}
        engine = create_engine(url, poolclass=NullPool, connect_args=limits)
    try:
        yield engine
    finally:
        engine.dispose()


def _opened(path: Path) -> sqlite3.Connection:
    """An SQLite file, for reading alone and for so long."""
    way = "immutable=1" if _quiet(path) else "mode=ro"
    place = f"file:{quote(str(path.resolve()))}?{way}"
    connection = sqlite3.connect(place, uri=True, timeout=CONNECT_SECONDS)
    connection.execute("pragma query_only = on")
    end = time.monotonic() + MAX_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, 100_000)
    return connection


def stamp(source: Source) -> int | None:
    """The time of the last change of an SQLite file that is read without a lock; None for every other source."""
    return source.path.stat().st_mtime_ns if source.path is not None and _quiet(source.path) else None


def bare(source: Source) -> str:
    """The query without what ends a statement, to stand in another one (on a line of its own, for its comments)."""
    return (source.query or "").strip().rstrip("; \t\r\n")


def _quiet(path: Path) -> bool:
    """Whether a file keeps a write-ahead log (bytes 18 and 19 of its header are 2) that nobody has open: SQLite would
    leave two files beside it even where it only reads."""
    with path.open("rb") as stream:
        return stream.read(20)[18:] == b"\x02\x02" and not path.with_name(f"{path.name}-wal").exists()


def begun(connection: Connection, source: Source) -> Connection:
    """The connection in a transaction that can only read, and for so long."""
    if source.path is None:
        connection.exec_driver_sql("set transaction read only")
        connection.exec_driver_sql(f"set local statement_timeout = {round(MAX_SECONDS * 1000)}")
        # From the first query on, nothing can make the transaction writable again.
        connection.exec_driver_sql("select 1")
        return connection.execution_options(stream_results=True, max_row_buffer=_CHUNK)
    opened: Any = connection.connection.dbapi_connection
    opened.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY)
    return connection


def _rows(connection: Connection, source: Source, table: str) -> tuple[list[str], list[Sequence[Any]]]:
    connection = begun(connection, source)
    end = time.monotonic() + MAX_SECONDS
    result = connection.execution_options(no_parameters=True).exec_driver_sql(source.query or "")
    header = [str(column[0]) for column in result.cursor.description] if result.cursor is not None else []
    rows: list[Sequence[Any]] = []
    while part := result.fetchmany(_CHUNK):
        rows += part
        if len(rows) * len(header) > MAX_CELLS:
            message = f"the query gives more than {MAX_CELLS:,} cells"
            raise Unreadable(Fault(table, message, "aggregate in the query", code="too_large"))
        if time.monotonic() > end:
            raise Unreadable(_too_long(table))
    result.close()
    return header, rows


def _records(
    header: Sequence[str],
    rows: Sequence[Sequence[Any]],
    source: Source,
    table: str,
    used: frozenset[str] | None,
) -> tuple[Records | None, list[Fault]]:
    columns: list[list[str]] = []
    odd: dict[str, list[Odd]] = {}
    faults = []
    names = tuple(label.strip() for label in header)
    for label, cells in zip(names, zip(*rows, strict=True), strict=True):
        texts, strange = [""] * len(rows), list[Odd]()
        if used is None or label in used:
            try:
                texts, strange = column_texts(cells, source.spelling)
            except Nested as nested:
                message = f"holds {nested.kind}, not single values"
                faults.append(Fault(table, message, "cast it in the query", column=label, code="nested"))
        columns.append(texts)
        if strange:
            odd[label] = strange
    if faults:
        return None, faults
    return Records(names, columns, range(1, len(rows) + 1), None, source.spelling, odd), []


def _hash(records: Records) -> str:
    """sha256 over the header and a hash of each row; a database gives rows in any order, so these are sorted."""
    import numpy as np
    import pandas as pd

    digest = hashlib.sha256("\x1f".join(records.header).encode("utf-8", "surrogatepass"))
    frame = pd.DataFrame({at: pd.Series(cells, dtype=object) for at, cells in enumerate(records.cells)})
    rows = pd.util.hash_pandas_object(frame, index=False).to_numpy(dtype=np.uint64)
    digest.update(np.sort(rows).astype("<u8").tobytes())
    return digest.hexdigest()


_REMEDIES = {
    "28P01": "correct user and password: PGPASSWORD, ~/.pgpass or ${NAME} in the url",
    "28000": "correct user and password: PGPASSWORD, ~/.pgpass or ${NAME} in the url",
    "3D000": "correct the name of the database in the url",
    "42P01": "correct the name of the table in the query",
    "42703": "correct the name of the column in the query",
    "42601": "correct the query",
    "42501": "ask for the right to read it",
    "25006": "write a query that only reads",
}


def told_by(error: Any, source: Source, table: str) -> Fault:
    """One line for whatever a database said, without the password."""
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None)
    said = str(cause).strip() or type(cause).__name__
    if state == "57014" or said == "interrupted":
        return _too_long(table)
    if "decode" in said.lower() and source.path is not None:
        said = "it holds text that is not UTF-8"
    if "not authorized" in said or "prohibited" in said:
        return Fault(table, "the query does more than read", _REMEDIES["25006"], code="query")
    said = _without_password(said.splitlines()[0], source)
    if "is locked" in said:
        return Fault(table, f"another program holds it: {said}", "try again when that is done", code="locked")
    reached = state is not None or source.path is not None
    if not reached or state in ("28P01", "28000", "3D000"):
        remedy = _REMEDIES.get(state or "", "start the server, or correct host, port and user in the url")
        if "password" in said:
            remedy = _REMEDIES["28P01"]
        return Fault(table, f"the database cannot be reached: {said}", remedy, code="no_connection")
    return Fault(
        table, f"the query fails: {said}", _REMEDIES.get(state or "", "correct the query"), code="query"
    )


def _too_long(table: str) -> Fault:
    message = f"the query takes longer than {MAX_SECONDS} s"
    return Fault(table, message, "aggregate less, or make an index", code="timeout")


def _without_password(text: str, source: Source) -> str:
    from sqlalchemy import make_url

    password = str(make_url(source.url).password or "") if source.path is None and source.url else ""
    for secret in {password, quote(password, safe="")} - {""}:
        text = text.replace(secret, "…") if len(secret) > 2 else text
    return re.sub(r"://[^\s/]*@", "://…@", text)
