"""From today's profit to the plan's: step by step, and what of it comes of which lever and which segment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from cpm_opt.report.explanation import NUMBER, Cell, Column, Section, Table
from cpm_opt.report.numbers import optional
from cpm_opt.report.words import Units, names
from cpm_opt.runs.record import RunRecord

STEP_WORDS = {
    "today": "profit if all stays as today",
    "margin": "margin of the customers, by where they are",
    "effects": "what the options change in margin",
    "fixed cost": "fixed costs of options",
    "change cost": "costs of changing options",
    "resource cost": "costs of resources",
    "capacity cost": "costs of the capacity there is",
    "extra capacity": "extra capacity",
    "credit cost": "cost of credit",
    "plan": "profit of the plan",
}
PARTS = "waterfall_parts"
CUSTOMERS, FIRM, ALL = "customers who come, stay and go", "the firm as a whole", "in all"
# Kinds of money that have a column of their own; what else there is stands under `other`.
KINDS = {
    "margin": "margin",
    "effects": "margin",
    "resource cost": "resources",
    "change cost": "changing",
    "fixed cost": "fixed",
}
HEADINGS = {
    "margin": "margin",
    "resources": "use of resources",
    "changing": "changing",
    "fixed": "fixed costs",
    "other": "other",
    "total": ALL,
}
# More levers than these share a column in the table by segment.
MOST_LEVERS = 6

Part = Mapping[str, str]
Sums = dict[str, dict[str, Decimal]]


def waterfall_section(run: RunRecord, units: Units) -> Section:
    """The steps, and tables by lever and by segment; runs written before there were parts say that these are absent."""
    tables = [_steps(run, units)]
    if not run.has(PARTS):
        absent = (
            "This run was written before the steps were parted by lever and segment: solve again to see that."
        )
        return Section(
            "waterfall", "From today's profit to the plan's", (absent,), tuple(tables), brief=False
        )
    parts = [(row, _amount(run, row)) for row in run.table(PARTS)]
    sentences: tuple[str, ...] = ()
    if parts:
        by_lever, by_segment = _by_lever(parts), _by_segment(parts)
        sentences = tuple(_most(by_lever, units))
        tables += [
            _table("by_lever", "what changes", by_lever, HEADINGS, units, "waterfall_parts.csv"),
            _table(
                "by_segment",
                "segment",
                by_segment,
                _segment_headings(by_segment),
                units,
                "waterfall_parts.csv",
            ),
        ]
    return Section("waterfall", "From today's profit to the plan's", sentences, tuple(tables), brief=False)


def _steps(run: RunRecord, units: Units) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for row in run.table("waterfall"):
        step = STEP_WORDS.get(row["source"], row["source"])
        step += f": {row['item']}" if row["item"] else ""
        change = None if row["source"] in ("today", "plan") else optional(run, "waterfall", row, "amount")
        rows.append((step, change, optional(run, "waterfall", row, "total")))
    columns = (
        Column("step", "step"),
        Column("amount", "change", NUMBER, units.money),
        Column("total", "profit so far", NUMBER, units.money),
    )
    return Table("waterfall", columns, tuple(rows), file="waterfall.csv")


def _amount(run: RunRecord, row: Part) -> Decimal:
    """Exact: the amounts are whole cents, and sums of them are to be so, too."""
    try:
        return Decimal(row["amount"])
    except InvalidOperation:
        raise run.damaged(f"{PARTS}.csv", "has an amount that is no number") from None


def _summed(
    parts: Sequence[tuple[Part, Decimal]], row_of: Callable[[Part], str], column_of: Callable[[Part], str]
) -> Sums:
    sums: Sums = {}
    for part, amount in parts:
        mine = sums.setdefault(row_of(part), {})
        for column in (column_of(part), "total"):
            mine[column] = mine.get(column, Decimal(0)) + amount
    return sums


def _by_lever(parts: Sequence[tuple[Part, Decimal]]) -> Sums:
    def behind(part: Part) -> str:
        if part["lever"]:
            return part["lever"]
        return CUSTOMERS if part["source"] in ("margin", "resource cost") else FIRM

    return _summed(parts, behind, lambda part: KINDS.get(part["source"], "other"))


def _by_segment(parts: Sequence[tuple[Part, Decimal]]) -> Sums:
    levers: dict[str, Decimal] = {}
    for part, amount in parts:
        if part["source"] == "effects":
            levers[part["lever"]] = levers.get(part["lever"], Decimal(0)) + abs(amount)
    shown = set(sorted(levers, key=lambda lever: (-levers[lever], lever))[:MOST_LEVERS])

    def column(part: Part) -> str:
        if part["source"] == "effects":
            return f"lever {part['lever']}" if part["lever"] in shown else "other levers"
        return "customers" if part["source"] == "margin" else KINDS.get(part["source"], "other")

    return _summed(parts, lambda part: part["segment"] or FIRM, column)


def _segment_headings(sums: Sums) -> dict[str, str]:
    """Customers first, then the levers' effects, then costs."""
    levers = sorted({column for row in sums.values() for column in row if column.startswith("lever ")})
    headings = {"customers": "customers who come, stay, go"}
    headings |= {lever: lever.removeprefix("lever ") for lever in levers}
    return headings | {"other levers": "other levers"} | {k: v for k, v in HEADINGS.items() if k != "margin"}


def _table(name: str, first: str, sums: Sums, headings: Mapping[str, str], units: Units, file: str) -> Table:
    """The largest first, then the firm as a whole, and last what all add up to; columns without money are left out."""
    whole = {
        column: sum((row.get(column, Decimal(0)) for row in sums.values()), Decimal(0)) for column in headings
    }
    shown = [
        column for column in headings if column == "total" or any(row.get(column) for row in sums.values())
    ]
    order = sorted(sums, key=lambda row: (row == FIRM, -abs(sums[row]["total"]), row))
    rows: list[tuple[Cell, ...]] = [
        (row, *(float(cell) if (cell := sums[row].get(column)) else None for column in shown))
        for row in order
    ]
    rows.append((ALL, *(float(whole[column]) for column in shown)))
    columns = (Column("name", first), *(Column(key, headings[key], NUMBER, units.money) for key in shown))
    return Table(name, columns, tuple(rows), most=60, file=file)


def _most(by_lever: Sums, units: Units) -> list[str]:
    """What brings most of the difference, and what it costs elsewhere."""
    totals = {
        row: float(cells["total"])
        for row, cells in by_lever.items()
        if row not in (CUSTOMERS, FIRM) and cells["total"]
    }
    gains = sorted((row for row in totals if totals[row] > 0.0), key=lambda row: (-totals[row], row))
    losses = sorted((row for row in totals if totals[row] < 0.0), key=lambda row: (totals[row], row))
    sentences = []
    if gains:
        each = names([f"{row} {units.worth(totals[row])}" for row in gains])
        sentences.append(f"Net of what they use and cost, these decisions bring more profit: {each}.")
    if losses:
        each = names([f"{row} {units.worth(-totals[row])}" for row in losses])
        sentences.append(f"These cost profit within the plan's {units.period}s: {each}.")
    moved = float(by_lever.get(CUSTOMERS, {}).get("total", Decimal(0)))
    if moved:
        what = "brings" if moved > 0.0 else "costs"
        sentences.append(
            f"That customers come, stay and go otherwise than they would {what} {units.worth(abs(moved))}."
        )
    return sentences
