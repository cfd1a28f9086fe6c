"""The trace of a profit statement in words and a table: in comes `Trace`, out goes `Explanation`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpm_opt.report.explanation import NUMBER, Cell, Column, Explanation, Section, Table
from cpm_opt.report.words import Units, counted

if TYPE_CHECKING:
    from cpm_opt.costing.trace import Trace, Traced
    from cpm_opt.tables import InstanceInfo

SHOWN = 5


def trace_report(trace: Trace, info: InstanceInfo) -> Explanation:
    """Each figure that is not 0 with its rows: which table, how many, where the first stand; then the rules."""
    units = Units.of_instance(info)
    figures = [figure for figure in trace.figures if figure.amount or figure.parts or figure.name == "profit"]
    columns = (
        Column("figure", "figure"),
        Column("amount", "amount", NUMBER, units.money),
        Column("table", "from table"),
        Column("rows", "rows", NUMBER),
        Column("lines", "lines"),
        Column("rule", "rule", NUMBER),
    )
    rows: list[tuple[Cell, ...]] = []
    rules: list[str] = []
    for figure in figures:
        rows += _rows(figure, rules)
    who = f"customer {trace.customer}" if trace.customer is not None else "all customers and the firm"
    title = f"{info.title}: where the profit of {who} comes from, {trace.period}"
    told = tuple(f"({at}) {rule}" for at, rule in enumerate(rules, start=1))
    sections = (
        Section(
            "figures",
            "Figures and the rows that count in them",
            (),
            (Table("figures", columns, tuple(rows), 400),),
        ),
        Section("rules", "Rules", told),
    )
    return Explanation("", "", title, sections)


def _rows(figure: Traced, rules: list[str]) -> list[tuple[Cell, ...]]:
    """The figure, and its parts where there are several."""
    name = _in_words(figure.name)
    if figure.made_of:
        made = " ".join(f"{'+-'[sign < 0]} {_in_words(part)}" for sign, part in figure.made_of)
        return [(f"= {name}", figure.amount, "", None, "", float(_number(made.removeprefix("+ "), rules)))]
    if not figure.parts:
        return [(name, figure.amount, "", None, "", None)]
    found: list[tuple[Cell, ...]] = []
    for at, part in enumerate(figure.parts):
        shown = ", ".join(map(str, part.lines[:SHOWN])) + (", ..." if part.rows > SHOWN else "")
        label = name if not at else f"  {name}"
        rule = float(_number(part.rule, rules))
        found.append((label, part.amount, part.table, float(part.rows), shown, rule))
    if len(figure.parts) > 1:
        found.append((f"= {name}", figure.amount, f"({counted(len(figure.parts), 'part')})", None, "", None))
    return found


def _in_words(name: str) -> str:
    """A figure as docs/profit.md and the statement call it; its key stays the name of the column and in JSON."""
    return name.replace("_", " ")


def _number(rule: str, rules: list[str]) -> int:
    if rule not in rules:
        rules.append(rule)
    return rules.index(rule) + 1
