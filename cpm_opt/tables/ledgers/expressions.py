"""From a column of the catalogue to SQL: the value of a cell, and whether the cell is in doubt.

A cell in doubt is not yet faulty: the same checks as for a small file decide (see offenders). With `exact` False the
SQL is the quick one for cells as programs write them, which may doubt a sound cell (`2025-01-01 `); with `exact` True
it reads whatever the small path reads, and doubts no more than that refuses.
"""

from __future__ import annotations

from dataclasses import dataclass

from cpm_opt.tables.column import Column
from cpm_opt.tables.source import PLAIN, Spelling

TOO_LARGE, TOO_SMALL = "1e15", "1e-9"
BELOW_TOO_LARGE = "CAST('999999999999999.9' AS DOUBLE)"  # the last float below 1e15
SPACES = "chr(32)||chr(9)||chr(10)||chr(13)||chr(160)"
_NUMBERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
)
_FLOATS = ("FLOAT", "DOUBLE", "DECIMAL")
_STAMPS = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
_PLAIN_NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"
# As names: control characters and those that cannot be seen (see tables/names.py).
HIDDEN = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\x{ad}\x{61c}\x{115f}\x{1160}\x{17b4}\x{17b5}\x{180e}\x{200b}-\x{200f}"
    r"\x{202a}-\x{202e}\x{2060}-\x{206f}\x{3164}\x{feff}\x{ffa0}\x{fff9}-\x{fffb}\x{e0000}-\x{e007f}]"
)


@dataclass(frozen=True)
class Cell:
    """SQL of one column: its value (NULL where blank has a meaning of its own), and whether a cell is in doubt."""

    value: str
    doubt: str


def text(value: str) -> str:
    """A SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def name(value: str) -> str:
    """A SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def number(value: float) -> str:
    """A SQL number of the same bits: a bare literal such as 0.7 would be a decimal."""
    return f"CAST('{float(value)!r}' AS DOUBLE)"


def cell(column: Column, raw: str, kind: str, spelling: Spelling = PLAIN, exact: bool = False) -> Cell:
    """The SQL of a column whose cells are `raw`, of a type of DuckDB. `kind` of CSV is VARCHAR throughout."""
    base = kind.partition("(")[0]
    if column.kind == "date":
        return _date(column, raw, base, spelling, exact)
    if column.numeric:
        return _number(column, raw, base, spelling, exact)
    return _name(column, raw, base, exact)


def misnamed(column: Column, raw: str, kind: str) -> str:
    """Whether a name is in doubt: too long, a space at an end, or characters that cannot be seen."""
    value = _name(column, raw, kind.partition("(")[0], False).value
    return f"(length({value}) > 200 OR {value} <> trim({value}, {SPACES}) OR regexp_matches({value}, '{HIDDEN}'))"


def _stripped(raw: str) -> str:
    return f"nullif(trim({raw}, {SPACES}), '')"


def _name(column: Column, raw: str, base: str, exact: bool) -> Cell:
    shown = raw
    if base in ("FLOAT", "DOUBLE", "DECIMAL"):
        whole = f"{raw} = floor({raw}) AND abs({raw}) < {TOO_LARGE}"
        shown = (
            f"CASE WHEN {whole} THEN CAST(CAST({raw} AS BIGINT) AS VARCHAR) ELSE CAST({raw} AS VARCHAR) END"
        )
    elif base != "VARCHAR":
        shown = f"CAST({raw} AS VARCHAR)"
    elif exact:
        shown = f"CASE WHEN trim({raw}, {SPACES}) = '' THEN NULL ELSE {raw} END"
    blank = str(column.stands_in)
    doubt = f"{shown} IS NULL" if column.default is None else "false"
    return Cell(f"coalesce({shown}, {text(blank)})", doubt)


def _number(column: Column, raw: str, base: str, spelling: Spelling, exact: bool) -> Cell:
    doubts = []
    if base in _NUMBERS or base in _FLOATS:
        there, value = raw, f"CAST({raw} AS DOUBLE)"
    elif exact or spelling.decimal != "." or spelling.thousands:
        there = _stripped(_as_text(raw, base))
        value = _spelt(there, spelling)
    else:
        there = _as_text(raw, base)
        value = f"TRY_CAST({there} AS DOUBLE)"
        # DuckDB takes 1_000 and +-5 for numbers.
        doubts = [f"contains({there}, '_')", f"({value} < 0 AND {there} < '-')"]
    doubts.append(
        f"NOT coalesce({value} = 0 OR abs({value}) BETWEEN {TOO_SMALL} AND {BELOW_TOO_LARGE}, false)"
    )
    if there != raw or base == "VARCHAR":
        # Whether a cell that is read as 0 says something else, as 1e-400 does.
        said = f"regexp_matches({there}, '^[^eE]*[1-9]')"
        doubts.append(f"CASE WHEN {value} = 0 AND strlen({there}) > 5 THEN {said} ELSE false END")
    if column.low is not None:
        doubts.append(f"{value} < {number(column.low)}")
    if column.high is not None:
        doubts.append(f"{value} > {number(column.high)}")
    if column.doubtful_above is not None:
        doubts.append(f"{value} > {number(column.doubtful_above)}")
    if column.kind == "integer":
        doubts.append(f"{value} <> floor({value})")
    if column.default is None:
        # A blank cell has no value either.
        return Cell(value, f"({' OR '.join(doubts)})")
    wrong = f"{there} IS NOT NULL AND ({' OR '.join(doubts)})"
    # Adding 0.0 turns -0.0 into 0.0, as for a small file.
    stands_in = value if column.blank_is_nan else f"coalesce({value}, {number(float(column.default))})"
    return Cell(stands_in, f"({wrong})")


def _spelt(there: str, spelling: Spelling) -> str:
    mark, between = spelling.decimal, spelling.thousands
    plain = there
    pattern = _PLAIN_NUMBER
    if mark != "." or between:
        point = "\\" + mark
        spaces = "[ \u00a0\u202f]" if between == " " else "\\" + between
        whole = rf"(\d+|\d{{1,3}}({spaces}\d{{3}})+)" if between else r"\d+"
        pattern = rf"[+-]?({whole}({point}\d*)?|{point}\d+)([eE][+-]?\d+)?"
        if between:
            plain = f"regexp_replace({plain}, {text(spaces)}, '', 'g')"
        if mark != ".":
            plain = f"replace({plain}, {text(mark)}, '.')"
    return f"CASE WHEN regexp_full_match({there}, {text(pattern)}) THEN TRY_CAST({plain} AS DOUBLE) END"


def _as_text(raw: str, base: str) -> str:
    return raw if base == "VARCHAR" else f"CAST({raw} AS VARCHAR)"


def _date(column: Column, raw: str, base: str, spelling: Spelling, exact: bool) -> Cell:
    doubts = []
    if base == "DATE":
        there, value = raw, raw
    elif base in _STAMPS:
        there, value = raw, f"CAST({raw} AS DATE)"
        if not spelling.date_format:
            doubts = [f"{raw} <> CAST({value} AS TIMESTAMP)"]
    else:
        there = _as_text(raw, base)
        if exact or spelling.date_format:
            there = _stripped(there)
        if spelling.date_format:
            value = f"CAST(try_strptime({there}, {text(spelling.date_format)}) AS DATE)"
        else:
            value, doubts = f"TRY_CAST({there} AS DATE)", [f"{there} NOT LIKE '____-__-__'"]
    doubts.append(f"NOT coalesce({value} BETWEEN DATE '1900-01-01' AND DATE '2200-12-31', false)")
    if column.default is None:
        # A blank day is no day between the two.
        return Cell(value, f"({' OR '.join(doubts)})")
    return Cell(value, f"({there} IS NOT NULL AND ({' OR '.join(doubts)}))")
