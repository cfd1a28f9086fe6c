"""From a sheet of an Excel workbook to records, by python-calamine, with the true row of every cell.

Calamine gives errors such as #DIV/0! and formulas without a value as blank, and says nothing of hidden rows: these are
looked for in the sheet's own XML (ECMA-376, part 1, 18.3.1), so that nothing is taken for a blank that is none.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpm_opt.faults import Fault, did_you_mean
from cpm_opt.tables.cells import MAX_CELLS, column_texts
from cpm_opt.tables.files import Unreadable, read_bytes
from cpm_opt.tables.package import Package, open_package
from cpm_opt.tables.records import Odd, Records
from cpm_opt.tables.source import Spelling

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

MAX_TEXT = 500_000_000

_RECALCULATE = "open it in Excel or LibreOffice, let it calculate, and save it"


@dataclass(frozen=True)
class Book:
    """A workbook that was opened: its parts, calamine's view of it, its name and the sha256 of its bytes."""

    package: Package
    workbook: CalamineWorkbook
    name: str
    sha256: str


@dataclass(frozen=True)
class _Found:
    """What the XML of a sheet shows that calamine does not: by (row, column), from 0, cells without a sound value;
    hidden rows, from 1; merged areas."""

    odd: Mapping[tuple[int, int], tuple[str, str, str, str]] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()
    merged: Sequence[tuple[tuple[int, int], tuple[int, int]]] = ()


def open_book(path: Path, table: str) -> Book:
    """Open a workbook; raises `Unreadable`, whose fault has the place `table`."""
    data = read_bytes(path, table)
    package = open_package(data, path.name, table)
    from python_calamine import CalamineWorkbook

    with _reading(path.name, table):
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return Book(package, workbook, path.name, hashlib.sha256(data).hexdigest())


@contextmanager
def _reading(name: str, table: str) -> Iterator[None]:
    """Whatever calamine says of a workbook that it cannot read becomes `Unreadable`."""
    from python_calamine import CalamineError

    try:
        yield
    except (CalamineError, OSError, ValueError) as error:
        raise Unreadable(_damaged(name, table)) from error
    except BaseException as error:
        # A panic of its Rust is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise Unreadable(_damaged(name, table)) from error


def read_sheet(
    book: Book, sheet: str | None, table: str, spelling: Spelling, used: frozenset[str] | None
) -> tuple[Records | None, list[Fault]]:
    """The records of a sheet (the only one, where none is named), and what is wrong with the sheet as a whole.

    `used` are the columns that count; None: all.
    """
    name, wrong = _sheet_name(book, sheet, table)
    if name is None:
        return None, wrong
    xml = book.package.part(_part_of(book.package, name) or "")
    if xml is None:
        return None, [_damaged(book.name, table)]
    too_large = _too_large(xml, book, table)
    if too_large is not None:
        return None, [too_large]
    rows, (first_row, first_column), merged = _rows(book, name, table)
    found = _looked_through(xml, book.package, merged)
    filled = [at for at, row in enumerate(rows) if any(_is_filled(cell) for cell in row)]
    if not filled:
        return None, [
            _fault(table, f"sheet '{name}' of {book.name} is empty", "name another sheet", "empty_table")
        ]
    head, body = filled[0], filled[1:]
    header = tuple(_header_text(cell) for cell in rows[head])
    width = len(header)
    kept = [at for at in range(width) if header[at] or any(_is_filled(rows[row][at]) for row in body)]
    counts = [at for at in kept if used is None or header[at] in used]
    faults = _hidden(found, body, first_row, table, book) + _merged(
        found, counts, first_row, first_column, table
    )
    if not body:
        remedy = "name another sheet or add a row"
        return None, [
            *faults,
            _fault(table, "is an empty table: it has a header and no rows", remedy, "empty_table"),
        ]
    columns, odd = [], {}
    for at in kept:
        texts, strange = column_texts([rows[row][at] for row in body], spelling)
        strange += [
            Odd(i, value, code, message, remedy)
            for i, row in enumerate(body)
            if (known := found.odd.get((row + first_row, at + first_column)))
            for value, code, message, remedy in [known]
        ] if found.odd else []  # fmt: skip
        columns.append(texts)
        if strange:
            odd[header[at]] = strange
    lines = [row + first_row + 1 for row in body]
    names = tuple(header[at] for at in kept)
    return Records(names, columns, lines, head + first_row + 1, spelling, odd), faults


def _rows(
    book: Book, name: str, table: str
) -> tuple[list[list[Any]], tuple[int, int], Sequence[tuple[tuple[int, int], tuple[int, int]]]]:
    with _reading(book.name, table):
        sheet = book.workbook.get_sheet_by_name(name)
        return sheet.to_python(), sheet.start or (0, 0), sheet.merged_cell_ranges or ()


def _is_filled(cell: object) -> bool:
    return cell is not None and (not isinstance(cell, str) or cell.strip() != "")


def _header_text(cell: Any) -> str:
    return column_texts([cell], Spelling())[0][0].strip()


def _sheet_name(book: Book, stated: str | None, table: str) -> tuple[str | None, list[Fault]]:
    from python_calamine import SheetTypeEnum

    sheets = book.workbook.sheets_metadata
    names = [sheet.name for sheet in sheets if sheet.typ == SheetTypeEnum.WorkSheet]
    if stated is None:
        if len(names) == 1:
            return names[0], []
        message = f"{book.name} has {len(names)} sheets and none is named"
        listed = ", ".join(f"'{name}'" for name in names[:12])
        return None, [
            _fault(table, message, f"write sheet = ... in [tables.{table}]: it has {listed}", "sheet")
        ]
    if stated in names:
        return stated, []
    return None, [_fault(table, f"{book.name} has no sheet '{stated}'", did_you_mean(stated, names), "sheet")]


def _part_of(package: Package, sheet: str) -> str | None:
    """The name of the part that holds a sheet, by the workbook's list of sheets and its relations."""
    from xml.etree import ElementTree

    listed, relations = package.part("xl/workbook.xml"), package.part("xl/_rels/workbook.xml.rels")
    try:
        sheets = ElementTree.fromstring(listed or b"").iter()
        targets = {at.get("Id"): at.get("Target", "") for at in ElementTree.fromstring(relations or b"")}
    except (ElementTree.ParseError, LookupError, ValueError):
        return None
    for element in sheets:
        if element.tag.endswith("}sheet") and element.get("name") == sheet:
            marks = [value for key, value in element.attrib.items() if key.endswith("}id")]
            target = targets.get(marks[0], "") if marks else ""
            return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    return None


_FILLED = re.compile(rb"<(?:\w+:)?c\s([^>]*[^/>])>")
_ROW = re.compile(rb"""<(?:\w+:)?row\s[^>]*?\br=["'](\d+)["']""")
_LETTERS = re.compile(rb"""\br=["']([A-Z]{1,3})\d""")
_REFERENCE = re.compile(rb"""\br=["']([A-Z]{1,3})(\d{1,7})["']""")
_SHARED = re.compile(rb"""\bt=["']s["'][^>]*><(?:\w+:)?v>(\d+)<""")
_ITEM = re.compile(rb"<(?:\w+:)?si\b[^>]*>(.*?)</(?:\w+:)?si>", re.S)
_HIDDEN = re.compile(rb"""<(?:\w+:)?row\s(?=[^>]*\bhidden=["'](?:1|true)["'])[^>]*?\br=["'](\d+)["']""")
_ERROR = re.compile(rb"""<(?:\w+:)?c\s([^>]*\bt=["']e["'][^>]*)>(.*?)</(?:\w+:)?c>""", re.S)
_FORMULA = re.compile(rb"<(?:\w+:)?c\s([^>]*[^/>])>\s*<(?:\w+:)?f\b(.*?)</(?:\w+:)?c>", re.S)
_VALUE = re.compile(rb"<(?:\w+:)?v\b[^>]*>(.*?)</(?:\w+:)?v>", re.S)


def _place(attributes: bytes) -> tuple[int, int] | None:
    """Row and column, from 0, of the attributes of a cell."""
    found = _REFERENCE.search(attributes)
    if found is None:
        return None
    return int(found[2]) - 1, _column(found[1]) - 1


def _column(letters: bytes) -> int:
    """The number of a column, from 1: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


def _too_large(xml: bytes, book: Book, table: str) -> Fault | None:
    """The fault where a reader would need more room than a table does: calamine spans everything from the first
    filled cell to the last, and repeats a shared text in every cell that shows it."""
    count = len(_FILLED.findall(xml))
    columns = [_column(letters) for letters in set(_LETTERS.findall(xml))]
    bottom = max(map(int, _ROW.findall(xml)), default=0)
    if max(count, bottom * max(columns, default=0)) > MAX_CELLS:
        # Cells that are only formatted may lie anywhere, so look at the filled ones alone.
        places = [place for cell in _FILLED.finditer(xml) if (place := _place(cell[1])) is not None]
        height, width = (
            1 + max(at) - min(at) if at else 0 for at in (list(zip(*places, strict=True)) or [(), ()])
        )
        if max(count, height * width) > MAX_CELLS:
            message = f"its cells span {height:,} rows and {width:,} columns, over the limit"
            remedy = (
                f"delete what stands far from the table, or export it as Parquet (limit {MAX_CELLS:,} cells)"
            )
            return _fault(table, message, remedy, "too_large")
    shared = book.package.part("xl/sharedStrings.xml") or b""
    if len(shared) * count > MAX_TEXT:
        sizes = [len(item) for item in _ITEM.findall(shared)]
        used = sum(sizes[at] for at in map(int, _SHARED.findall(xml)) if at < len(sizes))
        if used > MAX_TEXT:
            return _fault(table, f"its texts add up to {used / 1e6:,.0f} MB", "shorten them", "too_large")
    return None


def _looked_through(
    xml: bytes, package: Package, merged: Sequence[tuple[tuple[int, int], tuple[int, int]]]
) -> _Found:
    odd: dict[tuple[int, int], tuple[str, str, str, str]] = {}
    if b'"e"' in xml or b"'e'" in xml:
        for cell in _ERROR.finditer(xml):
            value = _VALUE.search(cell[2])
            shown = value[1].decode("utf-8", "replace") if value else "#"
            place = _place(cell[1])
            if place is not None:
                remedy = "correct its formula and save the workbook again"
                odd[place] = (shown, "spreadsheet_error", "is an error of a spreadsheet", remedy)
    if re.search(rb"<(?:\w+:)?f[\s>/]", xml):
        # A library that writes formulas without calculating them asks Excel to do so when it opens the file.
        listed = package.part("xl/workbook.xml") or b""
        never = re.search(rb"""\bfullCalcOnLoad=["'](?:1|true)["']""", listed) is not None
        for cell in _FORMULA.finditer(xml):
            place = _place(cell[1])
            value = _VALUE.search(cell[2])
            text = (value[1] if value else b"").strip()
            blank = not text and re.search(rb"""\bt=["']str["']""", cell[1]) is None
            if place is not None and place not in odd and (blank or (never and text == b"0")):
                odd[place] = ("", "no_value", "is a formula without its value", _RECALCULATE)
    hidden = frozenset(int(row) for row in _HIDDEN.findall(xml))
    return _Found(odd, hidden, merged)


def _hidden(found: _Found, body: Sequence[int], first_row: int, table: str, book: Book) -> list[Fault]:
    rows = [row + first_row + 1 for row in body if row + first_row + 1 in found.hidden]
    if not rows:
        return []
    many = "a row is hidden" if len(rows) == 1 else f"{len(rows):,} rows are hidden"
    message = f"{many} in {book.name}, and it is not said whether that counts"
    remedy = "show them (clear the filter), or delete them"
    return [Fault(table, message, remedy, row=rows[0], code="hidden_rows")]


def _merged(
    found: _Found, counts: Sequence[int], first_row: int, first_column: int, table: str
) -> list[Fault]:
    read = {at + first_column for at in counts}
    areas = [
        (top, bottom)
        for (top, left), (bottom, right) in found.merged
        if not read.isdisjoint(range(left, right + 1)) and bottom >= first_row
    ]
    if not areas:
        return []
    many = "cells are merged" if len(areas) == 1 else f"cells are merged in {len(areas):,} places"
    row = min(top for top, _ in areas) + 1
    return [Fault(table, many, "unmerge them and fill each cell", row=row, code="merged_cells")]


def _damaged(name: str, table: str) -> Fault:
    message = f"{name} is damaged, or no workbook that can be read"
    return _fault(table, message, "open it in Excel or LibreOffice and save it as .xlsx", "damaged")


def _fault(table: str, message: str, remedy: str, code: str) -> Fault:
    return Fault(table, message, remedy, code=code)
