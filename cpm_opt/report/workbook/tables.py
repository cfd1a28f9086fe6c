"""The sheets of the run's own tables, each with its live totals above the headings, where a filter leaves them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cpm_opt.report.explanation import NUMBER, SHARE, Column, Table
from cpm_opt.report.run_tables import CHOICE, NO, TITLES, YES
from cpm_opt.report.workbook.book import AMOUNT, FINE, PERCENT, Sheet, place, span

TITLE_ROW, TOTAL_ROW, HEAD_ROW, FIRST_ROW = 0, 1, 2, 3
# Columns whose sum says something; in the others a sum would not.
ADDITIVE = {
    "plan": {"customers"},
    "resources": {"use", "extra"},
    "waterfall_parts": {"amount"},
}
# What has to be filtered before a sum says something.
FILTERED = {
    "plan": " (filter a period and a decision)",
    "segments": " (filter a period)",
    "resources": " (filter a resource)",
}
SPARE = 14  # the width of the columns beside those of resources
SHOWN_ROWS = 400  # rows that decide on the width of columns


@dataclass(frozen=True)
class Written:
    """Where a table stands in its sheet: first and last row, and the column of each key."""

    table: Table
    first: int
    last: int
    columns: Mapping[str, int]

    def cells(self, key: str) -> str:
        """All cells of a column, for a formula in another sheet."""
        return span(self.first, self.last, self.columns[key], self.table.name)

    def values(self, key: str) -> list[object]:
        """The values of a column, row by row."""
        at = self.columns[key]
        return [row[at] for row in self.table.rows]


def write_table(sheet: Sheet, table: Table) -> Written:
    """Writes a table with headings, filter and frozen headings, and the totals of what a filter leaves."""
    sheet.text(TITLE_ROW, 0, TITLES.get(table.name, table.name), bold=True, font_size=14)
    wide = sheet.widths(_texts(column, at, table) for at, column in enumerate(table.columns))
    sheet.heads(HEAD_ROW, table.columns, wide=wide)
    for at, row in enumerate(table.rows, start=FIRST_ROW):
        for column, cell in enumerate(row):
            sheet.cell(at, column, cell, table.columns[column])
    last = FIRST_ROW + len(table.rows) - 1
    keys = {column.key: at for at, column in enumerate(table.columns)}
    written = Written(table, FIRST_ROW, last, keys)
    if table.rows:
        _totals(sheet, written)
        sheet.inner.autofilter(HEAD_ROW, 0, last, len(table.columns) - 1)
    sheet.inner.freeze_panes(FIRST_ROW, 1)
    sheet.inner.repeat_rows(HEAD_ROW)
    if table.name == "resources" and table.rows:
        _spare(sheet, written)
    return written


def _texts(column: Column, at: int, table: Table) -> list[str]:
    cells = (row[at] for row in table.rows[:SHOWN_ROWS])
    return [
        column.title,
        *(f"{cell:,.2f}" if isinstance(cell, float) else column.text(cell) for cell in cells),
    ]


def _totals(sheet: Sheet, written: Written) -> None:
    table = written.table
    if table.name == "scenarios":
        _means(sheet, written)
        return
    sums = ADDITIVE.get(table.name, set())
    if table.name == "segments":
        sums = {column.key for column in table.columns if column.form == NUMBER}
    if not sums:
        return
    sheet.text(TOTAL_ROW, 0, f"sum of the rows shown{FILTERED.get(table.name, '')}", italic=True)
    for key, at in written.columns.items():
        if key in sums:
            formula = f"=SUBTOTAL(109,{span(written.first, written.last, at)})"
            sheet.formula(TOTAL_ROW, at, formula, added(written.values(key)), bold=True)


def _means(sheet: Sheet, written: Written) -> None:
    """Of scenarios: the mean by probability, which has to add up to 1."""
    chances, at = written.values("probability"), written.columns["probability"]
    sheet.text(TOTAL_ROW, 0, "mean by probability", italic=True)
    sheet.formula(
        TOTAL_ROW, at, f"=SUM({span(written.first, written.last, at)})", added(chances), PERCENT, bold=True
    )
    weights = span(written.first, written.last, at)
    for key, column in written.columns.items():
        if written.table.columns[column].form == NUMBER:
            formula = f"=SUMPRODUCT({weights},{span(written.first, written.last, column)})"
            products = [_number(p) * _number(v) for p, v in zip(chances, written.values(key), strict=True)]
            sheet.formula(TOTAL_ROW, column, formula, math.fsum(products), bold=True)


def _spare(sheet: Sheet, written: Written) -> None:
    """Of resources: the share in use and what is left, reckoned from the cells beside them."""
    first = len(written.table.columns)
    heads = (Column("used", "in use of what is usable", SHARE), Column("left", "left", NUMBER))
    sheet.heads(HEAD_ROW, heads, first, (SPARE, SPARE))
    use, limit = written.columns["use"], written.columns["limit"]
    for row, (used, most) in enumerate(
        zip(written.values("use"), written.values("limit"), strict=True), start=written.first
    ):
        if isinstance(used, float) and isinstance(most, float) and most > 0.0:
            u, m = place(row, use, fixed=False), place(row, limit, fixed=False)
            sheet.formula(row, first, f'=IF({m}>0,{u}/{m},"")', used / most, PERCENT)
            sheet.formula(row, first + 1, f"={m}-{u}", most - used, AMOUNT)
    sheet.inner.set_column(first, first + 1, SPARE)
    sheet.inner.autofilter(HEAD_ROW, 0, written.last, first + 1)


@dataclass(frozen=True)
class Total:
    """A cell that other sheets refer to, and the value that it has."""

    cell: str
    value: float


def write_waterfall(
    sheet: Sheet, table: Table, words: Mapping[str, str], profit: float
) -> tuple[Total, Total]:
    """Writes the waterfall, each total reckoned from the one above; the profit as today and the plan's.

    Below, the plan's profit as the run holds it and the difference, which is 0 to the cent.
    """
    columns = (
        Column("step", "step"),
        Column("item", "of"),
        *(_of(table, key) for key in ("amount", "total")),
    )
    sheet.text(TITLE_ROW, 0, TITLES["waterfall"], bold=True, font_size=14)
    sheet.heads(HEAD_ROW, columns)
    today = total = 0.0
    keys = {column.key: at for at, column in enumerate(table.columns)}
    for row, cells in enumerate(table.rows, start=FIRST_ROW):
        source, item = str(cells[keys["source"]]), str(cells[keys["item"]] or "")
        sheet.text(row, 0, words.get(source, source), bold=source in ("today", "plan"))
        sheet.text(row, 1, item)
        above = place(row - 1, 3, fixed=False)
        if source == "today":
            today = total = _number(cells[keys["total"]])
            sheet.number(row, 3, total, bold=True)
        elif source == "plan":
            sheet.formula(row, 3, f"={above}", total, bold=True, top=1)
        else:
            change = _number(cells[keys["amount"]])
            total = round(total + change, 9)
            sheet.number(row, 2, change)
            sheet.formula(row, 3, f"={above}+{place(row, 2, fixed=False)}", total)
    last = FIRST_ROW + len(table.rows) - 1
    sheet.text(last + 2, 0, "profit of the plan, as the run holds it")
    sheet.number(last + 2, 3, profit)
    sheet.text(last + 3, 0, "difference (0, up to rounding to the cent)")
    sheet.formula(last + 3, 3, f"={place(last, 3)}-{place(last + 2, 3)}", total - profit, FINE)
    sheet.inner.freeze_panes(FIRST_ROW, 0)
    sheet.inner.set_column(0, 0, 44)
    sheet.inner.set_column(1, 1, 30)
    sheet.inner.set_column(2, 3, 18)
    return (
        Total(f"{sheet.name}!{place(FIRST_ROW, 3)}", today),
        Total(f"{sheet.name}!{place(last, 3)}", total),
    )


def write_options(sheet: Sheet, plan: Written, period: str) -> None:
    """Writes how many customers each option has in each period, reckoned from the sheet of the plan: of those for whom
    there is anything to choose.

    Names are compared letter by letter (EXACT): as a criterion of SUMIFS, a name such as `>5` or `*` would be an order.
    """
    levers, options, periods = (plan.values(key) for key in ("lever", "option", "period"))
    customers, choice = plan.values("customers"), plan.values(CHOICE)
    numbers = sorted({int(_number(each)) for each in periods})
    sums: dict[tuple[str, str], dict[int, list[object]]] = {}
    for lever, option, at, count, told in zip(levers, options, periods, customers, choice, strict=True):
        if told == NO:
            continue
        by_period = sums.setdefault((str(lever), str(option)), {})
        by_period.setdefault(int(_number(at)), []).append(count)
    columns = [Column("lever", "decision"), Column("option", "option")]
    columns += [Column(str(number), f"customers, {period} {number}", NUMBER) for number in numbers]
    sheet.text(
        TITLE_ROW,
        0,
        f"Customers on each option, where there is anything to choose (sheet {plan.table.name})",
        bold=True,
        font_size=14,
    )
    sheet.text(TOTAL_ROW, 0, period, italic=True)
    sheet.heads(HEAD_ROW, columns)
    for at, number in enumerate(numbers, start=2):
        sheet.number(TOTAL_ROW, at, number, "0", italic=True)  # what the formulas below compare with
    for row, ((lever, option), by_period) in enumerate(sorted(sums.items()), start=FIRST_ROW):
        sheet.text(row, 0, lever)
        sheet.text(row, 1, option)
        for at, number in enumerate(numbers, start=2):
            same = [
                f"EXACT({plan.cells('lever')},{place(row, 0)})",
                f"EXACT({plan.cells('option')},{place(row, 1)})",
                f"({plan.cells('period')}={place(TOTAL_ROW, at)})",
                f'({plan.cells(CHOICE)}="{YES}")',
            ]
            formula = f"=SUMPRODUCT({'*'.join(same)},{plan.cells('customers')})"
            sheet.formula(row, at, formula, added(by_period.get(number, ())))
    sheet.inner.freeze_panes(FIRST_ROW, 2)
    sheet.inner.set_column(0, 1, 28)
    sheet.inner.set_column(2, 1 + len(numbers), 15)


def _of(table: Table, key: str) -> Column:
    return next(column for column in table.columns if column.key == key)


def added(values: Sequence[object]) -> float:
    """The sum of the numbers among the values."""
    return math.fsum(value for value in values if isinstance(value, int | float))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
