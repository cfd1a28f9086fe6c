"""Where the rows of a table come from and how its cells are spelt: a file, a sheet of a workbook, or a query.

In comes a section `[tables.<table>]` of instance.toml that was checked, or a file that lies beside it; out goes a
`Source`. Nothing is opened here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

Kind = Literal["csv", "excel", "parquet", "sql"]
Delimiter = Literal[",", ";", "\t", "|"]
Decimal = Literal[".", ","]
Thousands = Literal["", ".", ",", " ", "'"]
Encoding = Literal[
    "utf-8", "utf-16", "windows-1250", "windows-1251", "windows-1252", "iso-8859-1", "iso-8859-15"
]

ENCODINGS: tuple[str, ...] = get_args(Encoding)


@dataclass(frozen=True)
class Spelling:
    """How numbers and days are written in a source: the decimal mark, the mark between thousands ("" for none), and
    the order of a day as in strptime (None: 2026-01-31)."""

    decimal: Decimal = "."
    thousands: Thousands = ""
    date_format: str | None = None


PLAIN = Spelling()


@dataclass(frozen=True)
class Source:
    """Where one table is read from.

    - `kind`: `csv` (any delimited text), `excel` (.xlsx, .xlsm), `parquet`, or `sql`;
    - `path`: the file, resolved against the instance's folder (of `sql`: the SQLite database, None for PostgreSQL);
    - `sheet`: of a workbook; None where it has one sheet alone;
    - `url`, `query`: of `sql`; the URL may hold a password, so it is never printed;
    - `columns`: the column of the file by the catalogue's column, for those that go by another name. Where it is not
      empty, columns that are neither mapped nor known to the catalogue are left out;
    - `delimiter`, `encoding`: of `csv` alone; `decimal`, `thousands`, `date_format`: how its cells are spelt.
    """

    kind: Kind
    path: Path | None = None
    sheet: str | None = None
    url: str | None = field(default=None, repr=False)
    query: str | None = None
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    delimiter: Delimiter = ","
    decimal: Decimal = "."
    thousands: Thousands = ""
    date_format: str | None = None
    encoding: Encoding = "utf-8"

    @property
    def spelling(self) -> Spelling:
        """How its numbers and days are written."""
        return Spelling(self.decimal, self.thousands, self.date_format)

    @property
    def name(self) -> str:
        """What messages call it: the name of its file, or `the query`."""
        return "the query" if self.kind == "sql" or self.path is None else self.path.name


SUFFIXES: Mapping[str, Kind] = MappingProxyType(
    {
        ".csv": "csv",
        ".txt": "csv",
        ".tsv": "csv",
        ".xlsx": "excel",
        ".xlsm": "excel",
        ".parquet": "parquet",
    }
)

# Files of these endings beside instance.toml are tables without being named in it.
BESIDE = (".csv", ".parquet", ".xlsx")

OTHER_SUFFIXES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        ".xls": ("is an old Excel workbook, which is not read", "save it as .xlsx"),
        ".xlsb": ("is a binary Excel workbook, which is not read", "save it as .xlsx"),
        ".ods": ("is an OpenDocument sheet, which is not read", "save it as .xlsx or CSV"),
        ".feather": ("is a Feather file, which is not read", "write it as Parquet"),
        ".json": ("is JSON, which is not read", "write it as CSV or Parquet"),
        ".gz": ("is packed", "unpack it first"),
        ".zip": ("is packed", "unpack it first"),
        ".db": (
            "is a database, not a table",
            'write url = "sqlite:FILE" and query = "select ..." in instance.toml',
        ),
        ".sqlite": (
            "is a database, not a table",
            'write url = "sqlite:FILE" and query = "select ..." in instance.toml',
        ),
    }
)
