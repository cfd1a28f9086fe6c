"""A raw table that stays where it is: `LargeTable` knows its columns, and asks DuckDB for sums instead of rows.

Only the columns that a question needs are read, and every cell of them is checked in the same scan. Cells in doubt go
through the checks of small tables, so that the faults are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cpm_opt.faults import Fault, InputError
from cpm_opt.tables.column import Column, Table
from cpm_opt.tables.info import InstanceInfo
from cpm_opt.tables.ledgers import expressions as sql
from cpm_opt.tables.ledgers.dialects import DUCKDB, Dialect
from cpm_opt.tables.ledgers.engine import Engine
from cpm_opt.tables.records import empty_table
from cpm_opt.tables.source import Source
from cpm_opt.toml_file import TomlFile

if TYPE_CHECKING:
    from cpm_opt.tables.ledgers.in_database import DatabaseTable

THRESHOLD = 20_000_000
CONDENSED = frozenset({"sales"})
DOUBTFUL = "doubtful"
CHECK = f"SELECT coalesce(count_if({DOUBTFUL}), 0) AS {DOUBTFUL}, count(*) AS records FROM {{rows}}"

Answer = TypeVar("Answer")
Stamp = tuple[int, int, int]


class InRowsNow(Exception):
    """A database cannot answer; from now on its rows are in a file, and DuckDB is asked."""


@dataclass(eq=False)
class _State:
    """What was learnt by asking: whether cells need the exact reading, how many records there are, and whether each is
    a line of its own; `told`, why the rows of a query had to be fetched. `broken`: the faults of rows that are no
    records, once some were met (None: none were; an empty list: they are blank)."""

    exact: bool = False
    broken: list[Fault] | None = None
    count: int | None = None
    plain_lines: bool | None = None
    told: str = ""
    checked: set[str] = field(default_factory=set)


@dataclass(frozen=True, eq=False)
class LargeTable:
    """A table of the catalogue in a CSV or Parquet file, with a DuckDB at hand (a query's rows are in a CSV file that
    goes with it, and its records have numbers instead of lines).

    `strict` is the file as SQL reads it, up to the first row that is no record; `lenient` leaves such rows out.
    `cells` is the SQL of each column's raw cells by the catalogue's name, `kinds` their types in DuckDB, `header` the
    file's own columns in order; `stamp` tells whether the file is still the same.
    """

    table: Table
    source: Source
    path: Path
    info: InstanceInfo
    header: tuple[str, ...]
    strict: str
    lenient: str
    cells: Mapping[str, str]
    kinds: Mapping[str, str]
    stamp: Stamp
    has_lines: bool
    engine: Engine = field(repr=False)
    state: _State = field(default_factory=_State, repr=False)

    @property
    def of_query(self) -> bool:
        """Whether its records are those of a query."""
        return self.source.kind == "csv" and not self.has_lines

    @property
    def dialect(self) -> Dialect:
        """The SQL that it is asked in."""
        return DUCKDB

    @property
    def relation(self) -> str:
        """The file as SQL reads it at present."""
        return self.strict if self.state.broken is None else self.lenient

    @property
    def told(self) -> str:
        """Why the rows of a query had to be fetched; blank for a file."""
        return self.state.told

    def in_rows(self, why: str) -> LargeTable:
        """Itself: its rows are at hand."""
        return self

    def has(self, column: str) -> bool:
        """Whether the file has a column of the catalogue."""
        return column in self.cells

    def rows(self, needed: Iterable[str]) -> str:
        """A subquery of these columns with sound values (defaults where the file has none), and `doubtful`."""
        parts, doubts = [], ["false"]
        for label in needed:
            column = self.table.column(label)
            if label not in self.cells:
                parts.append(f"{DUCKDB.default(column)} AS {sql.name(label)}")
                continue
            found = self._cell(column)
            parts.append(f"{found.value} AS {sql.name(label)}")
            doubts.append(found.doubt)
        where = ""
        if self.state.exact and self.source.kind == "csv":
            where = f" WHERE NOT ({self._blank()})"
        doubt = " OR ".join(doubts)
        parts.append(f"({doubt}) AS {DOUBTFUL}")
        return f"(SELECT {', '.join(parts)} FROM {self.relation}{where})"

    def condense(self, needed: Sequence[str], query: str) -> Mapping[str, Any]:
        """The answer of a query, one array a column, over `{rows}`: the needed columns of every record.

        The cells are checked by the same scan where the query returns a column `doubtful`, count_if(doubtful) of each
        group, else by one before it. Raises InputError with the faults of records that are no good, as for a small
        file.
        """
        wanted = {label for label in needed if label in self.cells}
        checked = f" AS {DOUBTFUL}" in query
        if not checked and not wanted <= self.state.checked:
            self.condense(needed, CHECK)
        try:
            found = self.ask(query.replace("{rows}", self.rows(needed)))
        except InputError as error:
            if query != CHECK and error.faults[0].code == "too_large":
                self.condense(needed, CHECK)  # what cannot be added may be no number
            raise
        if not checked:
            return found
        broken = self._broken()
        if not self.state.exact and int(found[DOUBTFUL].sum()):
            self._judge(needed, broken)
            found = self.ask(query.replace("{rows}", self.rows(needed)))
        if broken or (self.state.exact and int(found[DOUBTFUL].sum())):
            self._judge(needed, broken)
        self._refuse_nothing(found)
        self.state.checked.update(wanted)
        return found

    def numbers(
        self, needed: Sequence[str], priced: Callable[[Sequence[str], str], str], where: str, most: int
    ) -> list[int]:
        """The numbers of the first `most` records for which a condition holds, over what `priced` makes of the rows."""
        number = "file_row_number + 1"
        rows = self.rows(needed)
        if self.source.kind == "csv":
            # Counted before records are left out, so that each keeps its number.
            relation = f"(SELECT *, row_number() OVER () AS n FROM {self.relation})"
            rows, number = rows.replace(self.relation, relation), "n"
        rows = rows.replace("(SELECT ", f"(SELECT {number} AS record_number, ", 1)
        lines = priced([*needed, "record_number"], rows)
        connection = self.engine.connection
        connection.execute("SET preserve_insertion_order = true")
        try:
            found = self.told_by(
                self.engine.rows,
                f"SELECT record_number FROM {lines} WHERE {where} ORDER BY record_number LIMIT {most}",
            )
        finally:
            connection.execute("SET preserve_insertion_order = false")
        return [int(row[0]) for row in found]

    def ask(self, query: str) -> Mapping[str, Any]:
        """The answer of a query, one array a column. Raises InputError where the file cannot be cut into records,
        changed meanwhile, or needs more memory or disk than there is."""
        found = self.told_by(self.engine.columns, query)
        if stamp_of(self.path) != self.stamp:
            message, remedy = f"{self.path.name} changed while it was read", "run again when it is complete"
            raise InputError([Fault(self.table.name, message, remedy, code="changed_while_read")])
        return found

    def told_by(self, run: Callable[[str], Answer], query: str) -> Answer:
        """What the engine's `run` makes of a query. Where a row is no record, the faults of all such rows are gathered
        once; the query is then answered without them. Raises InputError as `ask`."""
        import duckdb

        from cpm_opt.tables.ledgers.broken import broken_faults
        from cpm_opt.tables.ledgers.offenders import refusal

        try:
            try:
                return run(query)
            except duckdb.InvalidInputException as error:
                if "CSV Error" not in str(error)[:100] or self.strict not in query:
                    raise
            if self.state.broken is None:
                self.state.broken = broken_faults(self)
            return run(query.replace(self.strict, self.lenient))
        except duckdb.Error as error:
            raise InputError([refusal(self, error)]) from error

    def check_names(self, label: str, names: Iterable[str]) -> None:
        """Checks the names of a column, each told once. Raises InputError with what is wrong with them."""
        from cpm_opt.tables.ledgers.offenders import name_faults

        faults = name_faults(self, label, list(names))
        if faults:
            raise InputError(faults)

    def check(self) -> list[Fault]:
        """Every fault of the whole table: all its columns, all its names."""
        from cpm_opt.tables.ledgers.offenders import name_faults, repeated_faults

        labels = list(self.cells)
        faults: list[Fault] = []
        try:
            self.condense(labels, CHECK)
            faults += repeated_faults(self)
        except InputError as error:
            faults += error.faults
        if all(fault.code in ("field_count", "more") or fault.column for fault in faults):
            for label in labels:
                if self.table.column(label).kind == "id":
                    faults += name_faults(self, label, None)
            # A name that is no text is met only when names are read.
            faults += self.state.broken or []
        return list(dict.fromkeys(faults))

    def count(self) -> int:
        """How many records there are."""
        if self.state.count is None:
            self.state.count = int(self.ask(f"SELECT count(*) AS n FROM {self.rows([])}")["n"][0])
        return self.state.count

    def sha256(self) -> str:
        """The sha256 of the file's bytes."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def misnamed(self, label: str) -> str:
        """SQL of whether a name of the column is in doubt."""
        return sql.misnamed(self.table.column(label), self.cells[label], self.kinds[label])

    def doubt(self, needed: Iterable[str]) -> str:
        """SQL over the raw relation: whether any of these cells is in doubt."""
        doubts = [self._cell(self.table.column(label)).doubt for label in needed if label in self.cells]
        return " OR ".join(doubts) or "false"

    def value(self, label: str) -> str:
        """SQL over the raw relation: the value of a column."""
        return self._cell(self.table.column(label)).value

    def _cell(self, column: Column) -> sql.Cell:
        raw, kind = self.cells[column.name], self.kinds[column.name]
        return sql.cell(column, raw, kind, self.source.spelling, self.state.exact)

    def _refuse_nothing(self, found: Mapping[str, Any]) -> None:
        """Raises InputError where the answer tells of no records since there are none."""
        some = found["records"].sum() if "records" in found else len(found[DOUBTFUL])
        if some or self.state.broken:
            return
        # Asked anew: `count` may be of a time when blank records were not yet left out.
        if not int(self.ask(f"SELECT count(*) AS n FROM {self.rows([])}")["n"][0]):
            raise InputError([empty_table(self.table.name, self.source.kind)])

    def _broken(self) -> list[Fault]:
        """The rows of another width. Raises InputError where a quote or a byte went astray: cells are not what they
        were meant to be then."""
        broken = self.state.broken or []
        astray = [fault for fault in broken if fault.code not in ("field_count", "more")]
        if astray:
            raise InputError(astray)
        return broken

    def _blank(self) -> str:
        raws = [sql.name(f"c{at}") for at in range(len(self.header))]
        return " AND ".join(f"trim(coalesce({raw}, ''), {sql.SPACES}) = ''" for raw in raws)

    def _judge(self, needed: Sequence[str], broken: Sequence[Fault]) -> None:
        """Raises InputError where records in doubt are faulty; else the exact reading is needed from now on."""
        from cpm_opt.tables.ledgers.offenders import cell_faults

        faults = [*broken, *cell_faults(self, needed)]
        if faults:
            raise InputError(faults)
        if self.state.exact:
            message = "holds cells that the reader of large tables does not take"
            raise InputError([Fault(self.table.name, message, "export it again with plain numbers and days")])
        self.state.exact = True


def stamp_of(path: Path) -> Stamp:
    """What tells a file from another, or from itself after a change."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def too_long_for_a_frame(table: Table, source: Source) -> bool:
    """Whether a table is read where it lies: a ledger of many rows in CSV (UTF-8), Parquet or a query."""
    if table.name not in CONDENSED:
        return False
    if source.kind == "sql":
        from cpm_opt.tables.ledgers.from_query import has_many_rows

        return has_many_rows(table, source)
    if source.kind not in ("csv", "parquet") or source.path is None:
        return False
    try:
        return source.path.is_file() and source.path.stat().st_size > THRESHOLD and _utf8(source)
    except OSError:
        return False


def _utf8(source: Source) -> bool:
    if source.kind == "parquet" or source.path is None:
        return True
    with source.path.open("rb") as stream:
        return source.encoding == "utf-8" and stream.read(2) not in (b"\xff\xfe", b"\xfe\xff")


def open_large(
    table: Table, source: Source, info: InstanceInfo, measures_known: bool, file: TomlFile | None
) -> tuple[LargeTable | DatabaseTable | None, list[Fault]]:
    """The table, and what is wrong with its header; None where it cannot be used. `file` is instance.toml."""
    if source.kind == "sql":
        from cpm_opt.tables.ledgers.in_database import opened_in_database

        return opened_in_database(table, source, info, measures_known, file)
    from cpm_opt.tables.ledgers.opening import opened

    return opened(table, source, info, measures_known, file)
