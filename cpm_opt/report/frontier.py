"""A frontier in words, a table and a chart."""

from __future__ import annotations

from cpm_opt.report.chart import Series, chart
from cpm_opt.report.explain import OUT_OF_TIME
from cpm_opt.report.explanation import NUMBER, Column, Explanation, Section, Table
from cpm_opt.report.limits import FIXED_NOTE, INTEGERS_FIXED
from cpm_opt.report.run_list import status_words
from cpm_opt.report.words import Units, amount, counted
from cpm_opt.study.frontier import ALL, RISK, TABLE, Frontier, rows_of

NO_PLAN = {
    "infeasible": "No frontier: no plan keeps all the rules",
    "unbounded": "No frontier: profit is without limit",
    "no_solution": "No frontier: the time limit was reached before any plan",
}


def frontier_report(found: Frontier) -> Explanation:
    """Both ends in words, and all points in a table."""
    units, measure = Units(found.instance), name_of(found)
    if not found.points:
        title = NO_PLAN.get(found.status, "No frontier: the plan did not pass its check")
        late = found.message.startswith(OUT_OF_TIME)
        message = "Allow more with --time-limit." if late else found.message
        return Explanation("", found.status, title, (Section("points", "", (message,)),))
    unit = units.unit(found.unit)
    columns = (
        Column("point", "point"),
        Column("measure", measure, NUMBER, unit),
        Column("objective", _objective(found), NUMBER, units.money),
        Column("profit", "profit", NUMBER, units.money),
        Column("end_value", "end value", NUMBER, units.money),
        Column("price", "one more is worth", NUMBER, units.money),
        Column("status", "status"),
    )
    rows = tuple(
        tuple(
            status_words(point.plan.status, point.plan.gap) if c.key == "status" else row[c.key]
            for c in columns
        )
        for point, row in zip(found.points, rows_of(found), strict=True)
    )
    table = Table("points", columns, rows, most=100, file=TABLE)
    section = Section("points", "", tuple(_sentences(found, units, unit)), (table,))
    return Explanation(
        "", found.status, f"{_capital(measure)} against {_objective(found)}: {found.title}", (section,)
    )


def frontier_chart(found: Frontier) -> str:
    """The points as SVG; blank without any."""
    units = Units(found.instance)
    points = tuple((point.measure, point.objective) for point in found.points)
    x_title = f"{name_of(found)}, {units.unit(found.unit)}"
    y_title = f"{_objective(found)}, {units.money}"
    return chart(f"Frontier: {name_of(found)}", x_title, y_title, [Series("", points)])


def name_of(found: Frontier) -> str:
    """The measure in words: `customers at the end`, `use of hours over the horizon (client_class=1)`."""
    words = {"customers": "customers at the end", RISK: "what the worst cases bring"}
    plain = f"use of {found.versus.removeprefix('use:')}" if found.versus.startswith("use:") else found.versus
    name = words.get(found.versus, f"{plain} over the horizon")
    if found.versus == RISK:
        return name
    return name if found.members == ALL else f"{name} ({found.members})"


def _objective(found: Frontier) -> str:
    return "the mean over scenarios" if found.versus == RISK else "all that counts"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentences(found: Frontier, units: Units, unit: str) -> list[str]:
    first, last = found.points[0], found.points[-1]
    measure, better = name_of(found), "most" if found.more else "least"
    whole = _objective(found)
    told = [f"Where {whole} is at its best, {measure}: {amount(first.measure)} {unit}."]
    if len(found.points) == 1:
        told.append("No plan has a better one, so there is nothing to trade.")
    else:
        lost = first.objective - last.objective
        told.append(
            f"The {better} that any plan reaches is {amount(last.measure)} {unit}; it costs {units.worth(lost)} of "
            f"{whole}."
        )
        told.append("No point of the table is beaten by another in both.")
    if any(
        point.price is not None and point.plan.prices_from == INTEGERS_FIXED for point in found.points[1:-1]
    ):
        told.append(f"What one more is worth: {FIXED_NOTE[:1].lower()}{FIXED_NOTE[1:]}")
    if found.missed:
        told.append(f"For {counted(found.missed, 'bound')} no plan was found within the time limit.")
    return told
