"""The first sheet: what the plan earns against today, and totals of each period and resource, all of them live."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from cpm_opt.report.explanation import NUMBER, PERIODS, SHARE, Column, Explanation
from cpm_opt.report.run_facts import Origin, Pairs, penalties_today
from cpm_opt.report.words import Units, parted_commands
from cpm_opt.report.workbook.book import AMOUNT, PERCENT, WHOLE, Sheet, place
from cpm_opt.report.workbook.tables import Total, Written, added

ACTIVE = "active"
EXPLAINED = (44, 24)  # widths of the explanation's first column and of the others
FIGURE, LEAST_COLUMNS = (
    17,
    12,
)  # the width of columns of figures on the first sheet, and how many have it at least
FLOWS = ("margin", "cash", "revenue")


def write_head(sheet: Sheet, told: Explanation, units: Units, attribution: Pairs) -> int:
    """Writes the headline, and whose data it is; the next free row."""
    sheet.text(0, 0, told.title, bold=True, font_size=14)
    first = told.sections[0].sentences[:1] if told.sections else ()
    data = [f"{name.capitalize()} of the data: {value}" for name, value in attribution]
    lines = (*map(_quoted, first), f"Money is in {units.money}. Run {told.run}.", *data)
    for row, sentence in enumerate(lines, start=1):
        sheet.text(row, 0, sentence)
    sheet.inner.set_column(0, 0, EXPLAINED[0])
    sheet.inner.set_column(1, LEAST_COLUMNS, FIGURE)
    return 1 + len(lines)


def write_figures(
    sheet: Sheet, row: int, facts: Mapping[str, Any], units: Units, profits: tuple[Total, Total] | None
) -> int:
    """Writes the figures that the plan is judged by, today's beside it; the next free row.

    `profits` are the cells of the waterfall with today's profit and the plan's, rounded to the cent as it is.
    """
    columns = (
        Column("figure", "figure"),
        Column("today", "as today", NUMBER, units.money),
        Column("plan", "plan", NUMBER, units.money),
        Column("difference", "difference", NUMBER, units.money),
        Column("share", "difference, of today", SHARE),
    )
    sheet.heads(row, columns, wide=[EXPLAINED[0], *[FIGURE] * (len(columns) - 1)])
    today = facts["today"]
    sheet.text(row + 1, 0, "profit")
    before, after = (today["profit"], facts["profit"])
    if profits is None:
        sheet.number(row + 1, 1, before)
        sheet.number(row + 1, 2, after)
    else:
        before, after = (total.value for total in profits)
        for column, total in enumerate(profits, start=1):
            sheet.formula(row + 1, column, f"={total.cell}", total.value)
    _difference(sheet, row + 1, before, after)
    lines = (
        (
            f"value of the customers after {units.period} {units.periods}",
            today["end_value"],
            facts["end_value"],
        ),
        ("penalties for missed rules", 0.0 - penalties_today(facts), 0.0 - facts["penalties"]),
        ("reserve for effects that fall short", 0.0 - _deductions(today), 0.0 - _deductions(facts)),
    )
    for at, (name, old, new) in enumerate(lines, start=row + 2):
        sheet.text(at, 0, name)
        sheet.number(at, 1, old)
        sheet.number(at, 2, new)
        _difference(sheet, at, old, new)
    last = row + 2 + len(lines)
    sheet.text(last, 0, "all that counts, as the model weighs it", bold=True)
    _objective(sheet, row + 1, last, facts, (before, after))
    return last + 2


def _deductions(facts: Mapping[str, Any]) -> float:
    return math.fsum((facts.get("deductions") or {}).values())


def _difference(sheet: Sheet, row: int, before: float, after: float) -> None:
    b, a = place(row, 1, fixed=False), place(row, 2, fixed=False)
    sheet.formula(row, 3, f"={a}-{b}", after - before)
    share = (after - before) / before if before > 0 else ""
    sheet.formula(row, 4, f'=IF({b}>0,({a}-{b})/{b},"")', share, PERCENT)


def _objective(
    sheet: Sheet, first: int, row: int, facts: Mapping[str, Any], profits: tuple[float, float]
) -> None:
    """The objectives, from the lines above where they are sums of them; under risk they are not, and stand as they are.

    `profits` are today's and the plan's as the lines above have them, rounded.
    """
    weights = facts["model"]["objective"]
    of_profit, of_end = float(weights["profit"]), float(weights["end_value"])
    shown = []
    sides = ((facts["today"], penalties_today(facts)), (facts, facts["penalties"]))
    for column, ((of, penalties), profit) in enumerate(zip(sides, profits, strict=True), start=1):
        rest, value = -penalties - _deductions(of), of["objective"]
        exact = of_profit * (of["profit"] + rest) + of_end * of["end_value"]
        if not facts["scenarios"] and math.isclose(exact, value, rel_tol=1e-9, abs_tol=1e-6):
            p, e, m, d = (place(first + at, column, fixed=False) for at in range(4))
            value = of_profit * (profit + rest) + of_end * of["end_value"]
            sheet.formula(row, column, f"={of_profit!r}*({p}+{m}+{d})+{of_end!r}*{e}", value, bold=True)
        else:
            sheet.number(row, column, value, bold=True)
        shown.append(value)
    _difference(sheet, row, *shown)


def write_periods(sheet: Sheet, row: int, segments: Written, units: Units) -> int:
    """Writes customers and flows of each period, added up from the sheet of segments; the next free row."""
    flows = [
        (key, segments.table.columns[at])
        for key, at in segments.columns.items()
        if segments.table.columns[at].form == NUMBER and key != "customers"
    ]
    heads = [
        Column("period", units.period, PERIODS),
        Column("customers", "active customers at the start", NUMBER),
        *(Column(key, f"{column.heading} of all segments", NUMBER, column.unit) for key, column in flows),
    ]
    sheet.heads(row, heads, wide=[EXPLAINED[0], *[FIGURE] * (len(heads) - 1)])
    sheet.inner.set_column(1, max(LEAST_COLUMNS, len(heads) - 1), FIGURE)
    kinds, periods = segments.values("group:kind"), segments.values("period")
    numbers = range(1, units.periods + 2)
    for at, number in enumerate(numbers, start=row + 1):
        rows = [place for place, each in enumerate(periods) if each == number]
        sheet.number(at, 0, number, WHOLE, align="left")
        test = f"{segments.cells('period')},{place(at, 0)}"
        counts = segments.values("customers")
        active = added([counts[each] for each in rows if kinds[each] == ACTIVE])
        kind = f'{segments.cells("group:kind")},"{ACTIVE}"'
        sheet.formula(at, 1, f"=SUMIFS({segments.cells('customers')},{test},{kind})", active)
        for column, (key, _) in enumerate(flows, start=2):
            if number <= units.periods:
                values = segments.values(key)
                total = added([values[each] for each in rows])
                sheet.formula(at, column, f"=SUMIFS({segments.cells(key)},{test})", total)
    last = row + 1 + units.periods
    sheet.text(last + 1, 0, f"sum ({units.period} {units.periods + 1} is the end of the plan)", bold=True)
    for column, (key, _) in enumerate(flows, start=2):
        if key not in FLOWS:  # a balance or a rate: what it adds up to over periods is nothing
            continue
        cells = f"{place(row + 1, column, fixed=False)}:{place(last, column, fixed=False)}"
        sheet.formula(last + 1, column, f"=SUM({cells})", added(segments.values(key)), bold=True, top=1)
    return last + 3


def write_resources(sheet: Sheet, row: int, resources: Written) -> int:
    """Writes each resource's use over the horizon and its fullest period; the next free row."""
    heads = (
        Column("resource", "resource"),
        Column("unit", "unit"),
        Column("use", "use over all periods", NUMBER),
        Column("extra", "extra bought", NUMBER),
        Column("used", "most in use", SHARE),
    )
    sheet.heads(row, heads, wide=[EXPLAINED[0], *[FIGURE] * (len(heads) - 1)])
    use, limit, extra = (resources.values(key) for key in ("use", "limit", "extra"))
    at = row
    for name, unit, rows in _blocks(resources):
        at += 1
        first, last = resources.first + rows[0], resources.first + rows[-1]
        sheet.text(at, 0, name)
        sheet.text(at, 1, unit)
        for column, key, values in ((2, "use", use), (3, "extra", extra)):
            cells = _cells(first, last, resources.columns[key])
            sheet.formula(at, column, f"=SUM({cells})", added([values[each] for each in rows]), AMOUNT)
        shares = [
            u / m
            for u, m in ((use[each], limit[each]) for each in rows)
            if isinstance(u, float) and isinstance(m, float) and m > 0.0
        ]
        if shares:
            cells = _cells(first, last, len(resources.table.columns))
            sheet.formula(at, 4, f"=MAX({cells})", max(shares), PERCENT)
    return at + 2


def _cells(first: int, last: int, column: int) -> str:
    return f"resources!{place(first, column)}:{place(last, column)}"


def _blocks(resources: Written) -> Iterable[tuple[str, str, list[int]]]:
    """Each resource with its unit and its rows, which stand together."""
    blocks: dict[str, list[int]] = {}
    units: dict[str, str] = {}
    for row, (name, unit) in enumerate(
        zip(resources.values("resource"), resources.values("unit"), strict=True)
    ):
        blocks.setdefault(str(name), []).append(row)
        units[str(name)] = str(unit)
    return [(name, units[name], rows) for name, rows in blocks.items()]


def write_explanation(sheet: Sheet, told: Explanation) -> None:
    """Writes every section: its sentences, and its tables with typed cells."""
    sheet.text(0, 0, told.title, bold=True, font_size=14)
    row = 2
    for section in told.sections:
        sheet.text(row, 0, section.title, bold=True, font_size=12)
        row += 1
        for sentence in section.sentences:
            sheet.text(row, 0, _quoted(sentence))
            row += 1
        for table in (whole.without_blanks() for whole in section.tables):
            row += 1
            sheet.heads(row, table.columns, wide=[EXPLAINED[at > 0] for at in range(len(table.columns))])
            for cells in table.rows:
                row += 1
                told_cells = enumerate(zip(table.columns, cells, strict=True))
                sheet.high(row, [(of.text(cell), EXPLAINED[at > 0]) for at, (of, cell) in told_cells])
                for column, cell in enumerate(cells):
                    sheet.cell(row, column, cell, table.columns[column])
            row += 1
        row += 1
    sheet.inner.set_column(0, 0, EXPLAINED[0])
    sheet.inner.set_column(1, 15, EXPLAINED[1])


def _quoted(sentence: str) -> str:
    """A sentence with its commands in quotation marks."""
    return "".join(
        f"\u201c{part}\u201d" if at % 2 else part for at, part in enumerate(parted_commands(sentence))
    )


def write_origin(sheet: Sheet, origin: Origin) -> None:
    """Writes where the run comes from: the check, the model, inputs and programs."""
    row = 0
    parts = {
        "The run": origin.run,
        "The check": origin.check,
        "The model, with every setting": origin.model,
        "Inputs (SHA-256 of each)": origin.inputs,
        "Programs": origin.programs,
    }
    for title, pairs in parts.items():
        sheet.text(row, 0, title, bold=True, font_size=12)
        for row, (name, value) in enumerate(pairs, start=row + 1):  # noqa: B020
            sheet.text(row, 0, name)
            sheet.text(row, 1, value)
        row += 2
    sheet.inner.set_column(0, 0, 34)
    sheet.inner.set_column(1, 1, 90)
