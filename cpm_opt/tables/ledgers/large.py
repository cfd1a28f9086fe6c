"""A raw table that stays where it is: `LargeTable` knows its columns, and asks DuckDB for sums instead of rows.

Only the columns that a question needs are read, and every cell of them is checked in the same scan. Cells in doubt go
through the checks of small tables, so that the faults are the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cpm_opt.faults import Fault, InputError
from cpm_opt.tables.column import Column, Table
from cpm_opt.tables.info import InstanceInfo
from cpm_opt.tables.ledgers import expressions as sql
from cpm_opt.tables.ledgers.engine import Engine
from cpm_opt.tables.source import Source

THRESHOLD = 20_000_000
CONDENSED = frozenset({"sales"})
DOUBTFUL = "doubtful"

Stamp = tuple[int, int, int]


@dataclass(eq=False)
class _State:
    """What was learnt by asking: whether cells need the exact reading, and how many records there are."""

    exact: bool = False
    count: int | None = None
    checked: set[frozenset[str]] = field(default_factory=set)


@dataclass(frozen=True, eq=False)
class LargeTable:
    """A table of the catalogue in a CSV or Parquet file, with a DuckDB at hand.

    `relation` is the file as SQL reads it, `cells` the SQL of each column's raw cells by the catalogue's name, `kinds`
    their types in DuckDB, `header` the file's own columns in order; `stamp` tells whether the file is still the same.
    """

    table: Table
    source: Source
    path: Path
    info: InstanceInfo
    header: tuple[str, ...]
    relation: str
    cells: Mapping[str, str]
    kinds: Mapping[str, str]
    stamp: Stamp
    engine: Engine = field(repr=False)
    state: _State = field(default_factory=_State, repr=False)

    def has(self, column: str) -> bool:
        """Whether the file has a column of the catalogue."""
        return column in self.cells

    def rows(self, needed: Iterable[str]) -> str:
        """A subquery of these columns with sound values (defaults where the file has none), and `doubtful`."""
        parts, doubts = [], ["false"]
        for label in needed:
            column = self.table.column(label)
            if label not in self.cells:
                parts.append(f"{_default(column)} AS {sql.name(label)}")
                continue
            found = self._cell(column)
            parts.append(f"{found.value} AS {sql.name(label)}")
            doubts.append(found.doubt)
        where = ""
        if self.state.exact and self.source.kind == "csv":
            where = f" WHERE NOT ({self._blank()})"
        doubt = " OR ".join(doubts)
        return f"(SELECT {', '.join(parts)}, ({doubt}) AS {DOUBTFUL} FROM {self.relation}{where})"

    def condense(self, needed: Sequence[str], query: str) -> Mapping[str, Any]:
        """The answer of a query, one array a column, over `{rows}`: the needed columns of every record.

        The query returns a column `doubtful`, count_if(doubtful) of each group. Raises InputError with the faults of
        the records that are no good, as for a small file.
        """
        found = self.ask(query.replace("{rows}", self.rows(needed)))
        if not self.state.exact and int(found[DOUBTFUL].sum()):
            self._judge(needed)
            found = self.ask(query.replace("{rows}", self.rows(needed)))
        if self.state.exact and int(found[DOUBTFUL].sum()):
            self._judge(needed)
        return found

    def ask(self, query: str) -> Mapping[str, Any]:
        """The answer of a query, one array a column. Raises InputError where the file cannot be cut into records,
        changed meanwhile, or needs more memory or disk than there is."""
        from cpm_opt.tables.ledgers.offenders import broken_faults, refusal

        import duckdb

        try:
            found = self.engine.columns(query)
        except duckdb.Error as error:
            raise InputError([refusal(self, error), *broken_faults(self)]) from error
        if stamp_of(self.path) != self.stamp:
            message, remedy = f"{self.path.name} changed while it was read", "run again when it is complete"
            raise InputError([Fault(self.table.name, message, remedy, code="changed_while_read")])
        broken = broken_faults(self)
        if broken:
            raise InputError(broken)
        return found

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
        try:
            self.condense(labels, f"SELECT count_if({DOUBTFUL}) AS {DOUBTFUL} FROM {{rows}}")
            faults = list(repeated_faults(self))
            for label in labels:
                if self.table.column(label).kind == "id" and not faults:
                    faults += name_faults(self, label, None)
        except InputError as error:
            return list(error.faults)
        return faults

    def count(self) -> int:
        """How many records there are."""
        if self.state.count is None:
            self.state.count = int(self.ask(f"SELECT count(*) AS n FROM {self.rows([])}")["n"][0])
        return self.state.count

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

    def _blank(self) -> str:
        raws = [sql.name(f"c{at}") for at in range(len(self.header))]
        return " AND ".join(f"trim(coalesce({raw}, ''), {sql.SPACES}) = ''" for raw in raws)

    def _judge(self, needed: Sequence[str]) -> None:
        """Raises InputError where records in doubt are faulty; else the exact reading is needed from now on."""
        from cpm_opt.tables.ledgers.offenders import cell_faults

        faults = cell_faults(self, needed)
        if faults:
            raise InputError(faults)
        if self.state.exact:
            message = "holds cells that the reader of large tables does not take"
            raise InputError([Fault(self.table.name, message, "export it again with plain numbers and days")])
        self.state.exact = True


def _default(column: Column) -> str:
    if column.numeric:
        return "CAST(NULL AS DOUBLE)" if column.blank_is_nan else sql.number(float(column.stands_in))
    return "CAST(NULL AS DATE)" if column.kind == "date" else sql.text(str(column.stands_in))


def stamp_of(path: Path) -> Stamp:
    """What tells a file from another, or from itself after a change."""
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def too_long_for_a_frame(table: Table, source: Source) -> bool:
    """Whether a table is read where it lies: a ledger of many rows in CSV (UTF-8) or Parquet."""
    if table.name not in CONDENSED or source.kind not in ("csv", "parquet") or source.path is None:
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
    table: Table, source: Source, info: InstanceInfo, measures_known: bool
) -> tuple[LargeTable | None, list[Fault]]:
    """The table, and the faults of its header; None where it cannot be used."""
    from cpm_opt.tables.ledgers.opening import opened

    return opened(table, source, info, measures_known)
