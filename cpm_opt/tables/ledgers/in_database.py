"""A raw table that stays in the user's database: the query is wrapped, and sums come out instead of rows.

What the database cannot answer as the reader of files would (spellings of its own, cells in doubt, an overflow) is
read row by row, from the same view of the data.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cpm_opt.faults import Fault, InputError
from cpm_opt.tables.column import Table
from cpm_opt.tables.database import MAX_SECONDS, bare, begun, connected, stamp, told_by
from cpm_opt.tables.files import Unreadable
from cpm_opt.tables.info import InstanceInfo
from cpm_opt.tables.ledgers import expressions as sql
from cpm_opt.tables.ledgers.dialects import DUCKDB, POSTGRES, SQLITE, Dialect
from cpm_opt.tables.ledgers.large import DOUBTFUL, InRowsNow, LargeTable
from cpm_opt.tables.source import PLAIN, Source
from cpm_opt.toml_file import TomlFile

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CHUNK = 20_000
FETCH_SECONDS = MAX_SECONDS
_DAYS = ("date", "first", "last")
# PostgreSQL's numbers of its types.
_KINDS = {20: "integer", 21: "integer", 23: "integer", 701: "float", 1700: "numeric", 25: "text", 1043: "text",
          1082: "date", 1114: "timestamp"}  # fmt: skip


class Database:
    """A connection with one view of the data until it is let go: a read-only transaction that stays open."""

    def __init__(self, source: Source, table: str) -> None:
        """Opens it. Raises `Unreadable`, and SQLAlchemy's errors."""
        self.source, self.table = source, table
        self.stack = ExitStack()
        self._closed = weakref.finalize(self, self.stack.close)
        try:
            engine = self.stack.enter_context(connected(source, table))
            opened = self.stack.enter_context(engine.connect())
            self.stamp = stamp(source)
            if source.path is None:
                opened.exec_driver_sql("set transaction isolation level repeatable read")
                opened.exec_driver_sql("set local standard_conforming_strings = on")
            else:
                raw: Any = opened.connection.dbapi_connection
                raw.execute("begin")
                # The end of a transaction is more than reading, which `begun` forbids.
                self.stack.callback(raw.set_authorizer, None)
            self.connection: Connection = begun(opened, source)
        except BaseException:
            self._closed()
            raise

    def close(self) -> None:
        """Lets it go; a second time is no harm."""
        self._closed()

    @property
    def driver(self) -> Any:
        """The driver's own connection."""
        return self.connection.connection.dbapi_connection

    def allow(self, seconds: float) -> None:
        """Gives SQLite so long for what comes next; PostgreSQL counts for itself."""
        if self.source.path is not None:
            end = time.monotonic() + seconds
            self.driver.set_progress_handler(lambda: time.monotonic() > end, 100_000)

    def columns(self) -> dict[str, str]:
        """The query's columns and their kinds, as far as a dialect knows them."""
        with _Cursor(self.driver.cursor()) as cursor:
            cursor.execute(f"SELECT * FROM ({bare(self.source)}\n) AS q LIMIT 0")
            if self.source.path is not None:
                return {str(column[0]): "any" for column in cursor.description}
            return {str(c.name): _KINDS.get(int(c.type_code), "") for c in cursor.description}

    def ask(self, query: str) -> Mapping[str, Any]:
        """The answer of a query, one array a column (masked where it holds NULLs)."""
        named = {"name": "cpm_opt"} if self.source.path is None else {}
        self.allow(MAX_SECONDS)
        with _Cursor(self.driver.cursor(**named)) as cursor:
            cursor.execute(query)
            part = cursor.fetchmany(_CHUNK)
            labels = [str(column[0]) for column in cursor.description]
            parts: list[list[Any]] = [[] for _ in labels]
            while part:
                for kept, cells in zip(parts, zip(*part, strict=True), strict=True):
                    kept.append(_array(cells))
                part = cursor.fetchmany(_CHUNK)
        if self.stamp != stamp(self.source):
            message = "the database changed while it was read"
            remedy = "run again when it is complete"
            raise InputError([Fault(self.table, message, remedy, code="changed_while_read")])
        return {label: _joined(label, kept) for label, kept in zip(labels, parts, strict=True)}


class _Cursor:
    """A cursor that is closed; after an error PostgreSQL's transaction goes on where it was."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        self.connection = cursor.connection
        self.guarded = hasattr(self.connection, "pgconn")

    def __enter__(self) -> Any:
        if self.guarded:
            self.connection.execute("savepoint cpm_opt")
        return self.cursor

    def __exit__(self, kind: Any, *_: object) -> None:
        self.cursor.close()
        if self.guarded and kind is not None and not self.connection.broken:
            self.connection.execute("rollback to savepoint cpm_opt")


@dataclass(eq=False)
class _State:
    """The rows, where they had to be fetched, and why; the columns whose cells are sound; how many rows there are."""

    rows: LargeTable | None = None
    why: str = ""
    checked: set[str] = field(default_factory=set)
    count: int | None = None


@dataclass(frozen=True, eq=False)
class DatabaseTable:
    """A table of the catalogue as a query gives it: asked like a `LargeTable`, in the dialect of the database.

    `found` is the SQL of the value and of the doubt of each column, by the catalogue's name; `opening` what `opened`
    takes to read the rows (info, whether its measures are known, instance.toml).
    """

    table: Table
    source: Source
    found: Mapping[str, sql.Cell]
    language: Dialect
    database: Database = field(repr=False)
    opening: tuple[InstanceInfo, bool, TomlFile | None] = field(repr=False)
    state: _State = field(default_factory=_State, repr=False)

    @property
    def of_query(self) -> bool:
        """Whether its records are those of a query."""
        return True

    @property
    def dialect(self) -> Dialect:
        """The SQL that it is asked in at present."""
        return self.language if self.state.rows is None else DUCKDB

    @property
    def told(self) -> str:
        """Why its rows had to be fetched; blank where sums were enough."""
        return self.state.why

    def has(self, column: str) -> bool:
        """Whether the query has a column of the catalogue."""
        return column in self.found

    def condense(self, needed: Sequence[str], query: str) -> Mapping[str, Any]:
        """The answer of a query over `{rows}`, as `LargeTable.condense`. Raises `InRowsNow` where the database cannot
        tell, InputError with faults."""
        if self.state.rows is not None:
            return self.state.rows.condense(needed, query)
        wanted = {label for label in needed if label in self.found}
        checked = f" AS {DOUBTFUL}" in query
        if not checked and not wanted <= self.state.checked:
            self.condense(needed, self._check())
        found = self._ask(query.replace("{rows}", self._rows(needed)))
        if checked:
            if int(found[DOUBTFUL].sum()):
                self.in_rows("some of its cells are not written as plain numbers, days or names")
                raise InRowsNow
            self.state.checked |= wanted
        return found

    def check_names(self, label: str, names: Iterable[str]) -> None:
        """Checks the names of a column, each told once. Raises InputError with what is wrong with them."""
        from cpm_opt.tables.ledgers.offenders import doubtful_names

        names = list(names)
        if label in self.found and doubtful_names(self.table.column(label), names):
            self.in_rows("some of its names are in doubt").check_names(label, names)

    def check(self) -> list[Fault]:
        """Every fault of the whole table: all its columns, all its names."""
        from cpm_opt.tables.ledgers.offenders import doubtful_names

        if self.state.rows is None:
            try:
                self.condense(list(self.found), self._check())
                for label in self.found:
                    if self.table.column(label).kind == "id":
                        each = f"SELECT DISTINCT {sql.name(label)} AS one FROM {self._rows([label])} AS s"
                        if doubtful_names(self.table.column(label), list(self._ask(each)["one"])):
                            return self.in_rows("some of its names are in doubt").check()
                return []
            except InRowsNow:
                pass
        return self.in_rows("").check()

    def count(self) -> int:
        """How many records there are."""
        if self.state.rows is not None:
            return self.state.rows.count()
        if self.state.count is None:
            try:
                counted = self._ask(f"SELECT count(*) AS n FROM {self._rows([])} AS s")
            except InRowsNow:
                return self.count()
            self.state.count = int(counted["n"][0])
        return self.state.count

    def sha256(self) -> str:
        """The sha256 of the rows as CSV, for which they are fetched."""
        return self.in_rows("").sha256()

    def in_rows(self, why: str) -> LargeTable:
        """The rows in a file of our own, fetched once; `why` is told to the user. Raises InputError."""
        from cpm_opt.tables.ledgers.opening import opened

        if self.state.rows is None:
            info, measures_known, file = self.opening
            self.database.allow(FETCH_SECONDS)
            rows, faults = opened(
                self.table, self.source, info, measures_known, file, self.database.connection
            )
            self.database.close()
            if rows is None:
                raise InputError(faults)
            self.state.rows, self.state.why = rows, why
        return self.state.rows

    def _check(self) -> str:
        return f"SELECT {self.language.counted(DOUBTFUL)} AS {DOUBTFUL} FROM {{rows}} AS s"

    def _rows(self, needed: Iterable[str]) -> str:
        """A subquery of these columns with sound values, and `doubtful`."""
        parts, doubts = [], ["false"]
        for label in needed:
            cell = self.found.get(label)
            value = self.language.default(self.table.column(label)) if cell is None else cell.value
            parts.append(f"{value} AS {sql.name(label)}")
            doubts += [] if cell is None else [cell.doubt]
        parts.append(f"({' OR '.join(doubts)}) AS {DOUBTFUL}")
        return f"(SELECT {', '.join(parts)} FROM ({bare(self.source)}\n) AS q{self.language.apart})"

    def _ask(self, query: str) -> Mapping[str, Any]:
        import sqlite3

        import psycopg

        try:
            return self.database.ask(query)
        except (psycopg.Error, sqlite3.Error, OverflowError) as error:
            fault = told_by(error, self.source, self.table.name)
            if fault.code not in ("query", "timeout"):
                raise InputError([fault]) from error
            late = fault.code == "timeout"
            self.in_rows("the database takes too long to add up" if late else "the database cannot add it up")
            raise InRowsNow from error


def opened_in_database(
    table: Table, source: Source, info: InstanceInfo, measures_known: bool, file: TomlFile | None
) -> tuple[DatabaseTable | LargeTable | None, list[Fault]]:
    """The table in its database, or its rows where that cannot be asked; and what is wrong with its header."""
    import sqlite3

    import psycopg
    from sqlalchemy.exc import SQLAlchemyError

    from cpm_opt.tables.ledgers.opening import named_columns, opened
    from cpm_opt.tables.records import header_faults

    try:
        database = Database(source, table.name)
        kinds = database.columns()
    except Unreadable as error:
        return None, [error.fault]
    except (SQLAlchemyError, psycopg.Error, sqlite3.Error) as error:
        return None, [told_by(error, source, table.name)]
    faults = header_faults(list(kinds), table.name, None, None)
    if faults:
        return None, faults
    of_query, told = named_columns(table, source, info, measures_known, file, tuple(kinds), None)
    if of_query is None:
        return None, told
    language = POSTGRES if source.path is None else SQLITE
    cells = {
        ours: language.cell(table.column(ours), f"q.{sql.name(theirs)}", kinds[theirs])
        for ours, theirs in of_query.items()
    }
    found = {ours: cell for ours, cell in cells.items() if cell is not None}
    odd = [ours for ours in cells if ours not in found]
    if odd or source.spelling != PLAIN:
        why = "numbers or days are spelt in a way of their own" if source.spelling != PLAIN else ""
        why = why or f"column {odd[0]} is of a type that is read row by row"
        rows, wrong = opened(table, source, info, measures_known, file, database.connection)
        database.close()
        if rows is not None:
            rows.state.told = why
        return rows, wrong
    return DatabaseTable(table, source, found, language, database, (info, measures_known, file)), told


def _array(cells: Sequence[Any]) -> Any:
    """A block of one column: numbers as floats (masked where there is none), all else as it came."""
    import decimal

    first = next((cell for cell in cells if cell is not None), None)
    if isinstance(first, bool) or not isinstance(first, (int, float, decimal.Decimal)):
        return np.array(cells, dtype=object) if first is not None else np.full(len(cells), None, dtype=object)
    if isinstance(first, int) and None not in cells:
        return np.array(cells, dtype=np.int64)
    missing = [cell is None for cell in cells]
    values = np.array([0.0 if cell is None else float(cell) for cell in cells])
    return np.ma.array(values, mask=missing) if any(missing) else values


_MASKED: Any = np.ma  # its functions are not typed


def _joined(label: str, parts: Sequence[Any]) -> Any:
    """The blocks of a column as one; a block of NULLs alone is of the others' type."""
    if not parts:
        return np.array([], dtype=np.float64)
    if any(part.dtype != object for part in parts):
        parts = [
            part if part.dtype != object else _MASKED.masked_all(len(part), dtype=np.float64)
            for part in parts
        ]
    joined = _MASKED.concatenate(parts) if any(map(np.ma.isMaskedArray, parts)) else np.concatenate(parts)
    if joined.dtype != object:
        return joined
    if label in _DAYS:
        return joined.astype("datetime64[D]").astype("datetime64[ns]")
    missing = np.array([cell is None for cell in joined], dtype=bool)
    return np.ma.array(joined, mask=missing) if missing.any() else joined
