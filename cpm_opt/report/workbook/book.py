"""Cells of a workbook: text that stays text, numbers with their formats, formulas with the value they have now."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cpm_opt.faults import DefectError
from cpm_opt.report.explanation import NUMBER, PERIODS, SHARE, TEXT, Cell, Column
from cpm_opt.report.terminal import clean

LONGEST_TEXT = 32_767  # what a cell can hold
WIDEST, NARROWEST = 48, 9
LINE_HEIGHT = 15
# A cell that begins with one of these becomes a formula where somebody edits it, unless it is marked as text.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
FINE_KEYS = frozenset({"shadow_price", "range_low", "range_high"})
AMOUNT, FINE, PERCENT, WHOLE = "#,##0.00", "#,##0.00####", "0.0%", "0"
HEAD = {"bold": True, "text_wrap": True, "valign": "bottom", "bottom": 1, "bg_color": "#EEF2F6"}


@dataclass
class Book:
    """An open workbook of xlsxwriter and the formats used so far."""

    workbook: Any
    formats: dict[tuple[tuple[str, object], ...], Any] = field(default_factory=dict)
    # Of the cells of tables, which are many: by the column's form, its key where that decides, and what is in the cell.
    of_cells: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def style(self, **wanted: object) -> Any:
        """The format with these properties."""
        key = tuple(sorted(wanted.items()))
        if key not in self.formats:
            self.formats[key] = self.workbook.add_format(wanted)
        return self.formats[key]

    def sheet(self, name: str) -> Sheet:
        """A new sheet."""
        inner = self.workbook.add_worksheet(name)
        inner.set_landscape()
        inner.set_paper(9)  # A4
        inner.fit_to_pages(1, 0)
        return Sheet(self, inner, name)


@dataclass
class Sheet:
    """One sheet; rows and columns count from 0."""

    book: Book
    inner: Any
    name: str
    lines: dict[int, int] = field(default_factory=dict)  # of the rows that are higher than one line

    def text(self, row: int, column: int, text: str, **style: object) -> None:
        """Writes text, whatever it begins with, as text."""
        words = cell_text(text)
        if words.startswith(FORMULA_STARTS):
            style = {**style, "quote_prefix": True}
        self._write_text(row, column, words, self.book.style(**{"num_format": "@", **style}))

    def _write_text(self, row: int, column: int, words: str, form: object) -> None:
        if words and self.inner.write_string(row, column, words, form) != 0:
            raise DefectError(f"sheet {self.name} does not take the text of row {row + 1}")

    def number(self, row: int, column: int, value: float | None, form: str = AMOUNT, **style: object) -> None:
        """Writes a number; blank where there is none."""
        if value is not None:
            self.inner.write_number(row, column, value, self.book.style(num_format=form, **style))

    def formula(
        self, row: int, column: int, formula: str, value: float | str, form: str = AMOUNT, **style: object
    ) -> None:
        """Writes a formula of ours and the value it has now, for readers that do not reckon."""
        self.inner.write_formula(row, column, formula, self.book.style(num_format=form, **style), value)

    def cell(self, row: int, column: int, cell: Cell, of: Column) -> None:
        """Writes a cell of a table as what its column says it is."""
        if isinstance(cell, int | float):
            self.inner.write_number(row, column, cell, self._of_cell(of, "number"))
        elif cell is not None:
            words = cell_text(of.text(cell))
            kind = "marked" if words.startswith(FORMULA_STARTS) else "text"
            self._write_text(row, column, words, self._of_cell(of, kind))

    def _of_cell(self, of: Column, kind: str) -> Any:
        """The format of a table's cell: a number's, a text's, or that of a text which looks like a formula."""
        key = (of.form, of.key if of.key in FINE_KEYS else "", kind)
        if key not in self.book.of_cells:
            common = {"align": "right" if of.form in (NUMBER, SHARE) else "left", "valign": "top"}
            if kind == "number":
                self.book.of_cells[key] = self.book.style(num_format=number_format(of), **common)
            else:
                marked = {"quote_prefix": True} if kind == "marked" else {}
                self.book.of_cells[key] = self.book.style(num_format="@", text_wrap=True, **common, **marked)
        return self.book.of_cells[key]

    def heads(self, row: int, columns: Sequence[Column], first: int = 0, wide: Sequence[float] = ()) -> None:
        """Writes the headings of columns, with their units; the row as high as they are in columns so `wide`."""
        self.high(row, [(column.title, int(each) - 2) for column, each in zip(columns, wide, strict=False)])
        for at, column in enumerate(columns, start=first):
            align = "right" if column.form in (NUMBER, SHARE) else "left"
            self.text(row, at, column.title, align=align, **HEAD)

    def high(self, row: int, texts: Iterable[tuple[str, int]]) -> None:
        """Makes a row, before its cells are written, as high as its texts are in columns of such widths.

        Excel does so by itself; other programs show one line of what is wrapped.
        """
        lines = max((len(textwrap.wrap(text, wide + 2)) for text, wide in texts), default=1)
        if lines > self.lines.get(row, 1):
            self.lines[row] = lines
            self.inner.set_row(row, LINE_HEIGHT * lines)

    def widths(self, columns: Iterable[Iterable[str]]) -> list[int]:
        """Sets the width of each column from texts in it, the heading first, and tells them."""
        found = []
        for at, texts in enumerate(columns):
            head, *rest = texts
            longest = max(map(len, rest), default=0)
            found.append(min(max(longest + 2, min(len(head) + 2, 16), NARROWEST), WIDEST))
            self.inner.set_column(at, at, found[-1])
        return found


def cell_text(text: str) -> str:
    """Text as a cell can hold it: in one line and not too long."""
    words = clean(text)
    return words if len(words) <= LONGEST_TEXT else words[: LONGEST_TEXT - 1] + "…"


def number_format(of: Column) -> str:
    """The number format of a column's cells."""
    if of.form == SHARE:
        return PERCENT
    if of.form in (PERIODS, TEXT):
        return WHOLE
    return FINE if of.key in FINE_KEYS else AMOUNT


def place(row: int, column: int, fixed: bool = True) -> str:
    """A cell's name, such as `$C$5`."""
    from xlsxwriter.utility import xl_rowcol_to_cell

    return str(xl_rowcol_to_cell(row, column, row_abs=fixed, col_abs=fixed))


def span(first: int, last: int, column: int, sheet: str = "") -> str:
    """The rows `first` to `last` of a column, such as `segments!$C$5:$C$9`."""
    cells = f"{place(first, column)}:{place(last, column)}"
    return f"{sheet}!{cells}" if sheet else cells
