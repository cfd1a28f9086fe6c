"""From a Parquet file to records, by DuckDB; its rows count from 1."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cpm_opt.faults import Fault
from cpm_opt.tables.cells import MAX_CELLS, column_texts
from cpm_opt.tables.files import Unreadable, read_bytes
from cpm_opt.tables.records import Records
from cpm_opt.tables.source import Spelling

_MARK, _ENCRYPTED = b"PAR1", b"PARE"
_AS_THEY_ARE = re.compile(
    r"(VARCHAR|BOOLEAN|U?(TINY|SMALL|BIG)INT|U?INTEGER|DOUBLE|DECIMAL.*|DATE|TIMESTAMP)"
)
_NESTED = re.compile(r".*\[\d*\]|(STRUCT|MAP|UNION|LIST)\b.*|BLOB|BIT|VARIANT.*|GEOMETRY.*|JSON")


def read_parquet(
    path: Path, table: str, spelling: Spelling, used: frozenset[str] | None
) -> tuple[Records | None, list[Fault], str]:
    """The records of a Parquet file, what is wrong with it, and the sha256 of its bytes.

    `used` are the columns that count (None: all); others are named, and their cells left blank. Raises `Unreadable`.
    """
    data = read_bytes(path, table)
    if not data.startswith(_MARK):
        message, remedy = "is no Parquet file", "write it again as Parquet"
        if data.startswith(_ENCRYPTED):
            message, remedy = "is encrypted", "write it without encryption"
        raise Unreadable(Fault(table, f"{path.name} {message}", remedy, code="not_parquet"))
    if not data.endswith(_MARK) or len(data) < 12:
        message = f"{path.name} is not complete: its end is missing"
        raise Unreadable(Fault(table, message, "copy or write it again", code="damaged"))
    with tempfile.TemporaryDirectory() as folder:
        # DuckDB takes * ? [ ] in a path for a pattern.
        plain = path
        if re.search(r"[*?\[\]{}]", str(path)):
            plain = Path(folder) / "table.parquet"
            shutil.copyfile(path, plain)
        records, faults = _read(plain, path.name, table, spelling, used)
    return records, faults, hashlib.sha256(data).hexdigest()


def _read(
    path: Path, name: str, table: str, spelling: Spelling, used: frozenset[str] | None
) -> tuple[Records | None, list[Fault]]:
    import duckdb

    try:
        with duckdb.connect(config={"autoinstall_known_extensions": False}) as database:
            place = [str(path)]
            described = database.execute("describe select * from read_parquet(?)", place).fetchall()
            types = {str(row[0]): str(row[1]).upper() for row in described}
            faults = _nested(types, table, used)
            if faults:
                return None, faults
            (count,) = database.execute("select count(*) from read_parquet(?)", place).fetchone() or (0,)
            wanted = [label for label in types if used is None or label in used]
            if count * max(len(wanted), 1) > MAX_CELLS:
                message = f"has {count:,} rows, over the limit of {MAX_CELLS:,} cells"
                return None, [Fault(table, message, "aggregate it first", code="too_large")]
            if not count:
                message = "is an empty table: it has columns and no rows"
                return None, [Fault(table, message, "delete the file or add a row", code="empty_table")]
            chosen = ", ".join(_selected(label, types[label]) for label in wanted) or "1"
            rows = database.execute(f"select {chosen} from read_parquet(?)", place).fetchall()
    except (duckdb.Error, ValueError, OverflowError) as error:
        message = f"{name} is damaged, or no Parquet that can be read"
        raise Unreadable(Fault(table, message, "write it again as Parquet", code="damaged")) from error
    return _records(types, wanted, rows, spelling), []


def _nested(types: dict[str, str], table: str, used: frozenset[str] | None) -> list[Fault]:
    return [
        Fault(
            table,
            f"holds {'bytes' if kind in ('BLOB', 'BIT') else 'lists or records'} ({kind.lower()}), not single values",
            "write it as one column a value",
            column=label.strip(),
            code="nested",
        )
        for label, kind in types.items()
        if _NESTED.fullmatch(kind) and (used is None or label.strip() in used)
    ]


def _selected(label: str, kind: str) -> str:
    """A column as Python can take it: short floats by their own digits, what has a time zone as text."""
    quoted = '"' + label.replace('"', '""') + '"'
    if kind == "FLOAT":
        return f"cast(cast({quoted} as varchar) as double)"
    return quoted if _AS_THEY_ARE.fullmatch(kind) else f"cast({quoted} as varchar)"


def _records(
    types: dict[str, str], wanted: Sequence[str], rows: Sequence[Sequence[object]], spelling: Spelling
) -> Records:
    read = dict(zip(wanted, zip(*rows, strict=True), strict=True)) if wanted else {}
    columns, odd = [], {}
    for label in types:
        texts, strange = column_texts(read[label], spelling) if label in read else ([""] * len(rows), [])
        columns.append(texts)
        if strange:
            odd[label.strip()] = strange
    header = tuple(label.strip() for label in types)
    return Records(header, columns, range(1, len(rows) + 1), None, spelling, odd)
