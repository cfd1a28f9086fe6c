"""From typed cells (of a workbook, a Parquet file or a database) to the text that a CSV file would hold.

The text is in the source's own spelling, so that typed cells and cells stored as text go through one door.
"""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from collections.abc import Sequence
from types import NoneType

from cpm_opt.tables.records import Odd
from cpm_opt.tables.source import Spelling

MAX_CELLS = 10_000_000
"""As many cells of one table are held in memory as text; more are refused before they are read."""

EXACT = 1e15
"""From here on a float does not hold every whole number that has so many digits, so it is no sound id."""

_CLOCK = ("%H", "%M", "%S")


class Nested(Exception):
    """A cell that holds a list, a record or bytes; `kind` says which. Never leaves the room."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(kind)


def column_texts(cells: Sequence[object], spelling: Spelling) -> tuple[list[str], list[Odd]]:
    """The text of each cell of a column, and the floats among them that are too long to be names.

    Raises `Nested` where a cell is no single value.
    """
    kinds = set(map(type, cells))
    if kinds <= {str} or kinds <= {int}:
        return list(map(str, cells)), []
    if kinds <= {str, NoneType}:
        return ["" if cell is None else str(cell) for cell in cells], []
    odd = []
    if kinds & {float, decimal.Decimal}:
        message = "is a number of more digits than it can hold, so as a name it may be damaged"
        odd = [
            Odd(at, str(cell), "digits", message, "store names as text", names_only=True)
            for at, cell in enumerate(cells)
            if isinstance(cell, float) and EXACT <= abs(cell) < math.inf
        ]
    if kinds <= {float, int, NoneType}:
        words = ["" if cell is None else repr(cell) for cell in cells]
        return [word.removesuffix(".0").replace(".", spelling.decimal) for word in words], odd
    if kinds <= {datetime.date, NoneType} or kinds <= {datetime.datetime, NoneType}:
        known = {cell: cell_text(cell, spelling) for cell in set(cells)}
        return [known[cell] for cell in cells], odd
    return [cell_text(cell, spelling) for cell in cells], odd


def cell_text(cell: object, spelling: Spelling) -> str:
    """One cell: 7.0 is 7, a flag true or false, a day 2026-01-31 or as the source writes days, nothing is blank."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, float | decimal.Decimal):
        return _number(cell).replace(".", spelling.decimal)
    if isinstance(cell, datetime.date):
        return _day(cell, spelling.date_format)
    if isinstance(cell, datetime.time | datetime.timedelta | uuid.UUID):
        return str(cell)
    raise Nested("bytes" if isinstance(cell, bytes | bytearray | memoryview) else "lists or records")


def _number(number: float | decimal.Decimal) -> str:
    if not math.isfinite(number):
        return str(number).lower()
    whole = int(number)
    if number == whole and abs(whole) < EXACT:
        return str(whole)
    return repr(number) if isinstance(number, float) else format(number, "f")


def _day(day: datetime.date, form: str | None) -> str:
    if isinstance(day, datetime.datetime):
        if day.tzinfo is None and day.time() == datetime.time():
            day = day.date()
        elif form is None or day.tzinfo is not None or not any(part in form for part in _CLOCK):
            return day.isoformat(sep=" ")
    return day.strftime(form) if form else day.isoformat()
