"""The records of a large table that are in doubt, fetched few at a time and judged by the checks of small tables."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cpm_opt.faults import Fault
from cpm_opt.tables import names as naming
from cpm_opt.tables.cells import column_texts
from cpm_opt.tables.check import check_records
from cpm_opt.tables.column import Column
from cpm_opt.tables.ledgers import expressions as sql
from cpm_opt.tables.ledgers.broken import SHOWN, line_breaks
from cpm_opt.tables.records import Records

if TYPE_CHECKING:
    from cpm_opt.tables.ledgers.large import LargeTable

NUMBER = "record_number"


def cell_faults(large: LargeTable, needed: Sequence[str]) -> list[Fault]:
    """The faults of the first records with a cell in doubt among the needed columns, and how many more there are."""
    doubt = large.doubt(needed)
    records = fetched(large, doubt, SHOWN)
    faults = _judged(large, records)
    if faults and len(records.lines) == SHOWN:
        counted = large.ask(f"SELECT count(*) AS n FROM {large.relation} WHERE {doubt}")
        more = int(counted["n"][0]) - SHOWN
        if more:
            message = f"{more:,} more records hold cells that are faulty or in doubt"
            faults.append(Fault(large.table.name, message, "correct them likewise", code="more"))
    return faults


def name_faults(large: LargeTable, label: str, names: Sequence[str] | None) -> list[Fault]:
    """What is wrong with the names of a column (None: all that it holds), each at the record where it comes first."""
    column = large.table.column(label)
    if label not in large.cells:
        return []
    if names is None:
        names = _distinct(large, label)
    doubtful = doubtful_names(column, names)
    if not doubtful:
        return []
    few = ", ".join(sql.text(name) for name in sorted(doubtful)[: SHOWN * 4])
    value = large.value(label)
    first = f"QUALIFY row_number() OVER (PARTITION BY {value} ORDER BY {NUMBER}) = 1"
    return _judged(large, fetched(large, f"{value} IN ({few})", SHOWN * 4, first))


def doubtful_names(column: Column, names: Sequence[str]) -> set[str]:
    """The names of a column, each told once, that may be wrong by themselves or too much alike."""
    if _all_plain(names):
        return set()
    doubtful = {name for name in names if naming.texts([name], column)[1]}
    for name, earlier in naming.confusable(sorted(names)).items():
        doubtful |= {name, earlier}
    return doubtful


def _distinct(large: LargeTable, label: str) -> list[str]:
    """The names of a column that may be wrong, and every name where they are few."""
    value = large.value(label)
    counted = large.ask(f"SELECT approx_count_distinct({value}) AS n FROM {large.relation}")
    where = "" if int(counted["n"][0]) < 1_000_000 else f" WHERE {large.misnamed(label)}"
    query = f"SELECT DISTINCT {value} FROM {large.relation}{where}"
    return [str(row[0]) for row in large.told_by(large.engine.rows, query)]


def _all_plain(names: Sequence[str]) -> bool:
    """Whether names are printable ASCII without odd spaces, and no two are alike: told of all of them at once."""
    joined = "\n".join(names)
    if not joined.isascii() or not joined.replace("\n", "").isprintable() or "  " in joined:
        return False
    if (
        " \n" in joined
        or "\n " in joined
        or joined != joined.strip(" ")
        or joined.count("\n") >= max(len(names), 1)
    ):
        return False
    return max(map(len, names), default=0) <= naming.MAX_LENGTH and len(
        set(joined.lower().split("\n"))
    ) == len(names)


def repeated_faults(large: LargeTable) -> list[Fault]:
    """The first records that repeat the key of another one."""
    if not large.table.key:
        return []
    key = ", ".join(large.value(label) for label in large.table.key)
    again = large.ask(
        f"SELECT count(*) AS n FROM (SELECT 1 FROM {large.relation} GROUP BY {key} HAVING count(*) > 1)"
    )
    if not int(again["n"][0]):
        return []
    twice = f"QUALIFY count(*) OVER (PARTITION BY {key}) > 1"
    return _judged(large, fetched(large, "true", SHOWN, twice))


def fetched(large: LargeTable, where: str, most: int, qualify: str = "") -> Records:
    """The first records for which a condition over the raw cells holds, as text, with their lines."""
    labels = list(large.cells)
    cells = ", ".join(f"{large.cells[label]} AS {sql.name(f'_{at}')}" for at, label in enumerate(labels))
    numbered = f"(SELECT *, row_number() OVER () AS {NUMBER} FROM {large.relation})"
    if large.source.kind == "parquet":
        numbered = f"(SELECT *, file_row_number + 1 AS {NUMBER} FROM {large.relation})"
    query = f"SELECT {NUMBER}, {cells} FROM {numbered} WHERE {where} {qualify} ORDER BY {NUMBER} LIMIT {most}"
    # Records are numbered as they stand in the file, so here their order is kept.
    large.engine.connection.execute("SET preserve_insertion_order = true")
    try:
        rows = large.told_by(large.engine.rows, query)
    finally:
        large.engine.connection.execute("SET preserve_insertion_order = false")
    lines = lines_of(large, [int(row[0]) for row in rows])
    texts, odd = [], {}
    for at, label in enumerate(labels, start=1):
        column, strange = column_texts([row[at] for row in rows], large.source.spelling)
        texts.append(column)
        if strange:
            odd[label] = strange
    head = 1 if large.has_lines else None
    return Records(tuple(labels), texts, lines, head, large.source.spelling, odd)


def _judged(large: LargeTable, records: Records) -> list[Fault]:
    """The faults of these records by the checks of small tables; blank ones are no records."""
    kept = [at for at in range(len(records.lines)) if any(column[at].strip() for column in records.cells)]
    if not kept:
        return []
    if len(kept) < len(records.lines):
        cells = [[column[at] for at in kept] for column in records.cells]
        records = replace(records, cells=cells, lines=[records.lines[at] for at in kept])
    _, faults = check_records(large.table, records, large.info)
    return [fault for fault in faults if not fault.warning]


def lines_of(large: LargeTable, numbers: Sequence[int]) -> list[int]:
    """The lines of the file on which records start, by their numbers (a Parquet file has no lines: the numbers)."""
    if not large.has_lines or not numbers:
        return list(numbers)
    if large.state.plain_lines is None:
        large.state.plain_lines = line_breaks(large) == large.count() + 1
    if large.state.plain_lines:
        return [number + 1 for number in numbers]
    wanted = set(numbers)
    return [line for number, line in _starts(large, max(numbers)) if number in wanted]


def _starts(large: LargeTable, upto: int) -> Iterator[tuple[int, int]]:
    """Each record's number and the line on which it starts, for files with blank lines or quoted line breaks."""
    with large.path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.reader(stream, delimiter=large.source.delimiter)
        next(reader)
        number, line = 0, reader.line_num + 1
        for row in reader:
            # Counted as DuckDB counts: empty lines and rows of another width are no records.
            if len(row) == len(large.header):
                number += 1
                yield number, line
                if number >= upto:
                    return
            line = reader.line_num + 1


def refusal(large: LargeTable, error: Exception) -> Fault:
    """The fault for what DuckDB raised."""
    table, kind = large.table.name, type(error).__name__
    reason = " ".join(str(error).splitlines()[0].split())
    if kind == "OutOfMemoryException":
        return Fault(table, "needs more memory or room for temporary files than there is", "free some disk space, or "
                     "leave out what is not needed", code="memory")  # fmt: skip
    if kind in ("ConversionException", "OutOfRangeException"):
        message = "holds an amount beyond 9,000,000,000,000 of its unit, or sums of such"
        return Fault(table, message, "count in a larger unit", code="too_large")
    if kind == "IOException":
        return Fault(table, f"cannot be read: {reason}", "check the path and the disk", code="unreadable")
    remedy = "write it again with one kind of line break and quotes that are closed"
    return Fault(table, f"cannot be cut into records: {reason}", remedy, code="damaged")


__all__ = [
    "cell_faults",
    "doubtful_names",
    "fetched",
    "lines_of",
    "name_faults",
    "refusal",
    "repeated_faults",
]
