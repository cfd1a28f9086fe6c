"""The workbook of a run: summary, explanation, a sheet for each of its tables, where it comes from."""

from __future__ import annotations

import io
from datetime import datetime

from cpm_opt.report.explain import explain
from cpm_opt.report.explanation import Explanation, Table
from cpm_opt.report.run_facts import Origin, attribution, origin
from cpm_opt.report.run_tables import run_tables
from cpm_opt.report.words import Units
from cpm_opt.report.workbook.book import Book
from cpm_opt.report.workbook.summary import (
    write_explanation,
    write_figures,
    write_head,
    write_origin,
    write_periods,
    write_resources,
)
from cpm_opt.report.workbook.tables import Total, Written, write_options, write_table, write_waterfall
from cpm_opt.runs.record import RUN_FILE, RunRecord

# A sheet takes a million rows, but hardly anybody's spreadsheet does; half a table would have wrong totals.
MOST_ROWS = 200_000
# Cells that the formulas of the sheet of options may look at, all together.
MOST_LOOKS = 20_000_000
STEPS = {
    "today": "profit if all stays as today",
    "margin": "margin of the customers, by where they are",
    "effects": "what the options change in margin",
    "fixed cost": "fixed costs of options",
    "change cost": "costs of changing options",
    "resource cost": "costs of resources",
    "extra capacity": "extra capacity",
    "credit cost": "cost of credit",
    "plan": "profit of the plan",
}
OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def workbook(run: RunRecord, told: Explanation | None = None) -> bytes:
    """The workbook of a run, the same bytes for the same folder, with its explanation, if one is there already.

    Raises InputError where the folder is damaged.
    """
    try:
        units = Units(run.facts["instance"])
        tables = tuple(each.table for each in run_tables(run, units)) if run.shown else ()
        return _written(run, units, told or explain(run), origin(run, units), tables)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise run.damaged(RUN_FILE, "lacks a figure or holds a wrong one") from error


def _written(
    run: RunRecord,
    units: Units,
    told: Explanation,
    where: Origin,
    tables: tuple[Table, ...],
) -> bytes:
    import xlsxwriter

    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, OPTIONS) as inner:
        # The time of the run, not of the call: one run, one file.
        inner.set_properties({"title": told.title[:250], "created": _created(run)})
        book = Book(inner)
        summary, explanation = book.sheet("summary"), book.sheet("explanation")
        row = write_head(summary, told, units, attribution(run))
        write_explanation(explanation, told)
        written: dict[str, Written] = {}
        totals: tuple[Total, Total] | None = None
        for table in tables:
            if len(table.rows) > MOST_ROWS:
                summary.text(
                    row,
                    0,
                    f"{table.file} has {len(table.rows):,} rows, too many for a sheet: it is left out.",
                )
                row += 1
            elif table.name == "waterfall":
                totals = write_waterfall(book.sheet(table.name), table, STEPS, float(run.facts["profit"]))
            else:
                written[table.name] = write_table(book.sheet(table.name), table)
            if table.name == "plan" and "plan" in written and _looks(table, units) <= MOST_LOOKS:
                write_options(book.sheet("options"), written["plan"], units.period)
        row += 1
        if run.shown:
            row = write_figures(summary, row, run.facts, units, totals)
        if "segments" in written:
            row = write_periods(summary, row, written["segments"], units)
        if "resources" in written and written["resources"].table.rows:
            write_resources(summary, row, written["resources"])
        write_origin(book.sheet("origin"), where)
        summary.inner.activate()
    return stream.getvalue()


def _looks(plan: Table, units: Units) -> int:
    """How many cells the formulas of the sheet of options look at."""
    options = {(row[2], row[3]) for row in plan.rows}
    return len(options) * units.periods * len(plan.rows) * 5


def _created(run: RunRecord) -> datetime:
    return datetime.fromisoformat(str(run.facts["created"]).replace("Z", "+00:00")).replace(tzinfo=None)
