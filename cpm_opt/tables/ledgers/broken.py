"""The rows of a long CSV file that are no records: of another width, with a stray quote, no text. DuckDB tells them
where they are few; it takes long over many, so these are met by Python, which stops when it has enough.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cpm_opt.faults import Fault
from cpm_opt.tables.ledgers import expressions as sql
from cpm_opt.tables.records import MAX_LINE, line_too_long, parse

if TYPE_CHECKING:
    from cpm_opt.tables.ledgers.large import LargeTable

SHOWN = 50
# DuckDB takes about 30 microseconds for each row that it rejects and keeps.
FEW = 20_000
# DuckDB's own limit for a line, in bytes.
MAX_LINE_BYTES = 2_000_000
_BLOCK, _GLANCE = MAX_LINE // 2, 4096
_CONTINUED = bytes(range(0x80, 0xC0))

Row = tuple[int, str, str]


def broken_faults(large: LargeTable) -> list[Fault]:
    """The faults of the first rows that DuckDB could not cut into records, each as the small path tells it, and how
    many more there may be; none where all such rows are blank."""
    every = ", ".join(f"count({sql.name(f'c{at}')}) AS c{at}" for at in range(len(large.header)))
    sound, *_ = large.engine.rows(f"SELECT count(*), {every} FROM {large.lenient}")[0]
    at_most = line_breaks(large) - 1 - int(sound)
    if at_most <= FEW and sound:
        return _rejected(large, every)
    found, read = _met(large)
    if not found:
        # What DuckDB left out and Python would not is DuckDB's to tell.
        return [] if read == sound else _rejected(large, every)
    if not sound and (same := _every_row(large, found, read)):
        return same
    faults = [fault for row in found[:SHOWN] for fault in _broken(large, *row)]
    if len(found) > SHOWN:
        faults.append(_more(large, f"up to {at_most - SHOWN:,}"))
    return faults


def _more(large: LargeTable, number: str) -> Fault:
    message = f"{number} more rows have a wrong number of fields"
    return Fault(large.table.name, message, "correct them likewise", code="more")


def _rejected(large: LargeTable, every: str) -> list[Fault]:
    """The faults of the rows that DuckDB rejects."""
    kept = large.lenient.replace("ignore_errors = true", "store_rejects = true")
    large.engine.rows(f"SELECT {every} FROM {kept}")
    told = "SELECT line, first(error_type) AS kind, first(csv_line) AS text FROM reject_errors GROUP BY line"
    rows = large.engine.rows(f"{told} ORDER BY line LIMIT {SHOWN * 4}")
    faults: list[Fault] = []
    for line, kind, text in rows:
        shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text or "")
        faults += _broken(large, int(line), str(kind), shown)
    if len(faults) > SHOWN:
        marks = f"{sql.SPACES}||{sql.text(large.source.delimiter)}"
        found = f"SELECT count(*) FROM ({told}) WHERE trim(CAST(text AS VARCHAR), {marks}) <> ''"
        ((number,),) = large.engine.rows(found)
        return [*faults[:SHOWN], _more(large, f"{int(number) - SHOWN:,}")]
    return faults


def _met(large: LargeTable) -> tuple[list[Row], int]:
    """The first rows that are no records, one more than are shown, and how many records were met up to there."""
    taken: list[str] = []
    found: list[Row] = []
    sound, width = 0, len(large.header)
    # Bytes that are no UTF-8 become surrogates, which no text holds otherwise.
    with large.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:

        def lines() -> Iterator[str]:
            for line in stream:
                taken.append(line)
                yield line

        reader = csv.reader(lines(), strict=True, delimiter=large.source.delimiter)
        next(reader)
        while len(found) <= SHOWN:
            taken.clear()
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                break
            except csv.Error:
                found.append((line, "UNQUOTED VALUE", "".join(taken)))
                break
            text = taken[0] if len(taken) == 1 else "".join(taken)
            if not text.isascii() and any("\udc80" <= mark <= "\udcff" for mark in text):
                found.append((line, "INVALID ENCODING", text))
            elif len(row) == width:
                sound += 1
            elif not text.isspace() and any(cell.strip() for cell in row):
                found.append((line, "", text))
    return found, sound


def _every_row(large: LargeTable, found: list[Row], sound: int) -> list[Fault]:
    """The one fault of a file whose rows have all the same wrong width; empty where that is not so."""
    if sound or len(found) < 2 or any(kind for _, kind, _ in found):
        return []
    texts = "".join(text if text.endswith("\n") else f"{text}\n" for _, _, text in found)
    faults = _parsed(large, texts)
    if len(faults) != 1 or faults[0].row != 2:
        return []
    if len(found) > SHOWN:
        import duckdb

        width = len(next(csv.reader([found[0][2]], delimiter=large.source.delimiter)))
        named = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(width))
        other = large.strict[: large.strict.rindex("columns = {")] + f"columns = {{{named}}})"
        try:
            large.engine.rows(f"SELECT count(*) FROM {other}")
        except duckdb.InvalidInputException:
            return []
    return [replace(faults[0], row=found[0][0])]


def _broken(large: LargeTable, line: int, kind: str, text: str) -> list[Fault]:
    table = large.table.name
    if kind == "INVALID ENCODING":
        message = f"{large.path.name} is not UTF-8, likely Latin-1 or Windows text"
        return [Fault(table, message, "save it as UTF-8", row=line, code="encoding")]
    if not text.strip():
        return []
    found = _parsed(large, f"{text}\n")
    if found:
        return [replace(fault, row=line) for fault in found[:1]]
    if kind in ("", "MISSING COLUMNS", "TOO MANY COLUMNS"):
        return []  # empty cells alone are a blank row
    message = f"cannot be cut into cells ({kind.lower()})"
    if kind == "UNQUOTED VALUE":
        message = "a quote opens here, or on a line before, and is not closed where its cell ends"
    return [Fault(table, message, "correct the line", row=line, code="quote")]


def _parsed(large: LargeTable, rows: str) -> list[Fault]:
    """The faults of rows by the small path, without that of an empty table."""
    head = large.source.delimiter.join(f'"{label}"' for label in large.header)
    text = f"{head}\n{rows}".replace("\r\n", "\n")
    _, found = parse(text, large.table.name, large.header, large.source.delimiter, frozenset(large.header))
    return [fault for fault in found if fault.code != "empty_table"]


def line_breaks(large: LargeTable) -> int:
    """How many lines the file has: line feeds, and one more where the last line has none."""
    found, last = 0, b"\n"
    with large.path.open("rb") as stream:
        while block := stream.read(1 << 24):
            found += block.count(b"\n")
            last = block[-1:]
    return found + (last != b"\n")


def long_line_fault(path: Path, table: str) -> Fault | None:
    """The fault of the longest line, where it is over the limit: DuckDB leaves out some of these without a word.

    Only a little of each block of the file is read where it holds a line feed, as it does in a line's usual length.
    """
    longest: tuple[int, int] | None = None
    with path.open("rb", buffering=0) as stream:
        size, at, upto = stream.seek(0, 2), 0, 0
        while at < size:
            if at >= upto and not _ends_a_line(stream, at):
                begin, upto = _around(stream, at, size)
                stream.seek(begin)
                if upto - begin > MAX_LINE:
                    length = _characters(stream, upto - begin)
                    over = length > MAX_LINE or upto - begin > MAX_LINE_BYTES
                    if over and (longest is None or length > longest[1]):
                        longest = (begin, length)
            at += _BLOCK
        if longest is None:
            return None
        stream.seek(0)
        line, left = 1, longest[0]
        while left and (block := stream.read(min(1 << 24, left))):
            line += block.count(b"\n")
            left -= len(block)
    fault = line_too_long(table, line, longest[1])
    if longest[1] <= MAX_LINE:
        message = f"the line has more than {MAX_LINE_BYTES:,} bytes, which is the limit"
        return replace(fault, message=message)
    return fault


def _ends_a_line(stream: io.FileIO, at: int) -> bool:
    """Whether a line ends in the block that begins there."""
    stream.seek(at)
    return b"\n" in stream.read(_GLANCE) or b"\n" in stream.read(_BLOCK - _GLANCE)


def _around(stream: io.FileIO, at: int, size: int) -> tuple[int, int]:
    """Where the line begins and ends that a block without a line feed lies in."""
    begin = at
    while begin:
        stream.seek(before := max(begin - _BLOCK, 0))
        found = stream.read(begin - before).rfind(b"\n")
        begin = before if found < 0 else before + found + 1
        if found >= 0:
            break
    end = min(at + _BLOCK, size)
    stream.seek(end)
    while block := stream.read(_BLOCK):
        found = block.find(b"\n")
        if found >= 0:
            return begin, end + found
        end += len(block)
    return begin, end


def _characters(stream: io.FileIO, left: int) -> int:
    """How many characters of UTF-8 the next bytes are, without a carriage return at their end."""
    number, block = 0, b""
    while left and (block := stream.read(min(left, 1 << 24))):
        number += len(block.translate(None, _CONTINUED))
        left -= len(block)
    return number - block.endswith(b"\r")
