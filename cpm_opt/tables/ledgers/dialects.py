"""The SQL in which a ledger is asked for sums: DuckDB's, and that of a user's own PostgreSQL or SQLite.

In all three a line's money is a float, rounded half to even to a millionth of its unit and added as a whole number, so
the three give the same sums. A database doubts more cells than it has to: whatever it doubts is read row by row.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from cpm_opt.tables.column import Column
from cpm_opt.tables.ledgers.expressions import BELOW_TOO_LARGE, TOO_SMALL, Cell, name, number, text

FIRST_DAY, LAST_DAY = datetime.date(1900, 1, 1), datetime.date(2200, 12, 31)
DOUBLE = "DOUBLE PRECISION"
_BELOW = BELOW_TOO_LARGE.replace("DOUBLE", DOUBLE)


@dataclass(frozen=True)
class Dialect:
    """DuckDB's. `small` is a type for codes of periods; `grouping_sets` whether one scan can group in two ways;
    `apart` ends a subquery whose values are to be computed once, however often they are used."""

    small: str = "TINYINT"
    grouping_sets: bool = True
    of_database: bool = False
    apart: str = ""

    def number(self, value: float) -> str:
        """A float of the same bits."""
        return number(value)

    def nothing(self) -> str:
        """A float that is not there."""
        return "CAST(NULL AS DOUBLE)"

    def day(self, day: datetime.date) -> str:
        """A day, to be compared with a column of days."""
        return f"DATE '{day:%Y-%m-%d}'"

    def counted(self, condition: str) -> str:
        """For how many rows a condition holds."""
        return f"count_if({condition})"

    def micro_sum(self, value: str) -> str:
        """The sum of a float in millionths, exact."""
        return f"sum(CAST({value} * 1e6 AS BIGINT))"

    def default(self, column: Column) -> str:
        """What stands for the cells of a column that is not there."""
        if column.numeric:
            return self.nothing() if column.blank_is_nan else self.number(float(column.stands_in))
        return "CAST(NULL AS DATE)" if column.kind == "date" else text(str(column.stands_in))

    def listed(self, columns: Collection[str], frame: pd.DataFrame) -> str:
        """A subquery that holds a small frame: its names as text, its numbers as floats."""
        raise NotImplementedError("DuckDB holds small frames as tables of its own")

    def cell(self, column: Column, raw: str, kind: str) -> Cell | None:
        """The SQL of a column of the user's database; None where its `kind` has to be read row by row."""
        raise NotImplementedError("the cells of a file are those of expressions")


@dataclass(frozen=True)
class _OfDatabase(Dialect):
    of_database: bool = True

    def number(self, value: float) -> str:
        return f"CAST('{float(value)!r}' AS {DOUBLE})"

    def nothing(self) -> str:
        return f"CAST(NULL AS {DOUBLE})"

    def counted(self, condition: str) -> str:
        return f"count(*) FILTER (WHERE {condition})"

    def listed(self, columns: Collection[str], frame: pd.DataFrame) -> str:
        rows = []
        for row in frame[list(columns)].itertuples(index=False):
            cells = [
                text(cell) if isinstance(cell, str) else self.nothing() if cell != cell else self.number(cell)
                for cell in row
            ]
            rows.append(f"({', '.join(cells)})")
        # Nothing is equal to NULL, so that nothing is found in an empty table.
        empty = ", ".join("NULL" if frame[column].dtype == object else self.nothing() for column in columns)
        # SQLite makes an index for a join only over a column of a stated type.
        shown = ", ".join(
            f"CAST(column{at} AS {'TEXT' if frame[column].dtype == object else DOUBLE}) AS {name(column)}"
            for at, column in enumerate(columns, start=1)
        )
        return f"(SELECT {shown} FROM (VALUES {', '.join(rows) or f'({empty})'}) AS v{self.apart})"

    def _doubts(self, column: Column, value: str) -> list[str]:
        """What is out of any number's or of the column's bounds, or is no number."""
        fine = f"{value} = 0 OR abs({value}) BETWEEN {TOO_SMALL} AND {_BELOW}"
        doubts = [f"NOT coalesce({fine}, false)"]
        if column.low is not None:
            doubts.append(f"{value} < {self.number(column.low)}")
        for most in (column.high, column.doubtful_above):
            if most is not None:
                doubts.append(f"{value} > {self.number(most)}")
        if column.kind == "integer":
            doubts.append(f"{value} <> round({value})")
        return doubts

    def _number(self, column: Column, there: str, value: str, doubts: list[str]) -> Cell:
        doubt = f"({' OR '.join([*self._doubts(column, value), *doubts])})"
        if column.default is None:
            return Cell(value, doubt)
        blank = value if column.blank_is_nan else f"coalesce({value}, {self.number(float(column.default))})"
        return Cell(blank, f"({there} IS NOT NULL AND {doubt})")

    def _date(self, column: Column, there: str, value: str, doubts: list[str]) -> Cell:
        within = f"{value} BETWEEN {self.day(FIRST_DAY)} AND {self.day(LAST_DAY)}"
        doubt = f"({' OR '.join([f'NOT coalesce({within}, false)', *doubts])})"
        return Cell(value, doubt if column.default is None else f"({there} IS NOT NULL AND {doubt})")

    def _name(self, column: Column, value: str, doubts: list[str]) -> Cell:
        if column.default is None:
            doubts = [f"{value} IS NULL", *doubts]
        return Cell(
            f"coalesce({value}, {text(str(column.stands_in))})", f"({' OR '.join(doubts) or 'false'})"
        )


class _Postgres(_OfDatabase):
    def cell(self, column: Column, raw: str, kind: str) -> Cell | None:
        there = f"nullif(CAST({raw} AS text), '')"
        if column.kind == "date":
            if kind == "date":
                return self._date(column, raw, raw, [])
            if kind == "timestamp":
                return self._date(column, raw, f"CAST({raw} AS date)", [f"{raw} <> date_trunc('day', {raw})"])
            if kind == "text":
                day = (
                    f"CASE WHEN {there} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$' THEN CAST({there} AS date) END"
                )
                return self._date(column, there, day, [])
        elif column.numeric:
            value = f"CAST({raw} AS {DOUBLE})"
            if kind in ("integer", "float"):
                return self._number(column, raw, value, [])
            if kind == "numeric":
                return self._number(column, raw, value, [f"({value} = 0 AND {raw} <> 0)"])
            if kind == "text":
                spelt = f"{there} ~ '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)$' AND length({there}) <= 20"
                return self._number(
                    column, there, f"CASE WHEN {spelt} THEN CAST({there} AS {DOUBLE}) END", []
                )
        elif kind == "text":
            spaces = "' ' || chr(9) || chr(10) || chr(13) || chr(160)"
            return self._name(column, f'({there} COLLATE "C")', [f"btrim({there}, {spaces}) = ''"])
        elif kind == "integer":
            return self._name(column, f'(CAST({raw} AS text) COLLATE "C")', [])
        return None


class _Sqlite(_OfDatabase):
    """A cell has a type of its own in SQLite, so that each is asked for it."""

    def day(self, day: datetime.date) -> str:
        return f"'{day:%Y-%m-%d}'"

    def default(self, column: Column) -> str:
        return "NULL" if column.kind == "date" else super().default(column)

    def micro_sum(self, value: str) -> str:
        micro = f"({value} * 1e6)"
        # round() takes halves away from 0. abs() of the least integer is the overflow that a cast would hide.
        even = f"2 * CAST(round({micro} / 2.0) AS INTEGER)"
        whole = f"CAST(round({micro}) AS INTEGER)"
        half = f"abs({micro} - CAST({micro} AS INTEGER)) = 0.5"
        return (
            f"sum(CASE WHEN abs({value}) >= 9e12 THEN abs(-9223372036854775807 - 1) "
            f"WHEN {half} THEN {even} ELSE {whole} END)"
        )

    def cell(self, column: Column, raw: str, kind: str) -> Cell | None:
        there = f"nullif({raw}, '')"
        if column.kind == "date":
            plain = (
                f"typeof({there}) = 'text' AND length({there}) = 10 AND date({there}, '+0 days') = {there}"
            )
            return self._date(column, there, f"CASE WHEN {plain} THEN {there} END", [])
        if column.numeric:
            digits = f"substr({there}, CASE WHEN substr({there}, 1, 1) IN ('+', '-') THEN 2 ELSE 1 END)"
            spelt = (
                f"length({there}) <= 15 AND {digits} GLOB '*[0-9]*' AND {digits} NOT GLOB '*[^0-9.]*' "
                f"AND {digits} NOT GLOB '*.*.*'"
            )
            value = (
                f"CASE typeof({there}) WHEN 'integer' THEN CAST({there} AS REAL) WHEN 'real' THEN {there} "
                f"WHEN 'text' THEN CASE WHEN {spelt} THEN CAST({there} AS REAL) END END"
            )
            return self._number(column, there, f"({value})", [])
        shown = f"CASE typeof({there}) WHEN 'integer' THEN CAST({there} AS TEXT) WHEN 'text' THEN {there} END"
        spaces = "char(32, 9, 10, 13, 160)"
        odd = f"({there} IS NOT NULL AND coalesce(trim({shown}, {spaces}) = '', true))"
        return self._name(column, f"({shown})", [odd])


DUCKDB = Dialect()
POSTGRES: Dialect = _Postgres("SMALLINT")
# SQLite puts the expressions of a subquery in the place of their names, unless it has a limit.
SQLITE: Dialect = _Sqlite("INTEGER", grouping_sets=False, apart=" LIMIT -1")
