"""A comparison of runs in words and tables: only what differs is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cpm_opt.report.explanation import NUMBER, PERIODS, SHARE, Cell, Column, Explanation, Section, Table
from cpm_opt.report.words import Range, counted, names
from cpm_opt.runs.money import money_words
from cpm_opt.study.compare import Comparison, Difference, Value

FIGURES = {  # in the words of the other pages
    "end_value": "value of the customers at the end",
    "objective": "all that counts",
    "bound": "the most that any plan can be worth",
    "today's objective": "all that counts, as today",
    "today's profit": "profit, as today",
}
MONEY = ("figures", "waterfall")  # tables of money
EQUAL = "The runs are equal: the same input, the same model, the same plan, the same figures."


def comparison(compared: Comparison) -> Explanation:
    """What differs between runs, their values in columns 1, 2, ...; equal runs are told to be equal."""
    runs = [f"Run {number}: {run.id}" for number, run in enumerate(compared.runs, 1)]
    if compared.equal:
        return Explanation("", "equal", EQUAL, (Section("runs", "", tuple(runs)),))
    parts = (
        ("input", "Input", [_table(compared, "input", ("input",), compared.input)]),
        ("model", "Model", [_table(compared, "model", ("key",), compared.model)]),
        (
            "plan",
            "Plan",
            [
                _table(compared, "choices", ("lever", "group"), compared.choices),
                _table(compared, "shares", ("segment", "lever", "option"), compared.shares, SHARE),
                _table(compared, "extra", ("resource",), compared.extra, NUMBER, "extra capacity of"),
            ],
        ),
        (
            "figures",
            "Figures",
            [
                _table(compared, "figures", ("figure",), _in_words(compared.figures), NUMBER),
                _table(
                    compared, "waterfall", ("source", "item"), compared.waterfall, NUMBER, "step from today:"
                ),
                _table(compared, "use", ("resource",), compared.use, NUMBER, "use of"),
                _table(
                    compared, "customers", ("segment",), compared.customers, NUMBER, "customers at the end in"
                ),
            ],
        ),
    )
    sections = []
    same = []
    for name, title, tables in parts:
        filled = tuple(table for table in tables if table.rows)
        if filled:
            sections.append(Section(name, title, (), filled))
        else:
            same.append(title.lower())
    told = [*runs, *_money(compared), *([f"Nothing differs in {names(same)}."] if same else [])]
    title = f"What differs between {counted(len(compared.runs), 'run')}"
    return Explanation("", "different", title, (Section("runs", "", tuple(told)), *sections))


def comparison_facts(compared: Comparison) -> dict[str, object]:
    """The comparison as JSON-ready fields: runs, whether they are equal, and every difference."""
    names = ("input", "model", "choices", "shares", "extra", "figures", "waterfall", "use", "customers")
    return {
        "runs": [run.id for run in compared.runs],
        "paths": [str(run.path) for run in compared.runs],
        "equal": compared.equal,
        "currency": list(compared.currencies),
        "money_unit": compared.money_units[0] if compared.one_currency else list(compared.money_units),
        "differences": {
            name: [_as_dict(difference) for difference in getattr(compared, name)] for name in names
        },
    }


def _money(compared: Comparison) -> list[str]:
    """In what money is told, and why there are no differences of it where there are none."""
    units = [money_words(*each) for each in zip(compared.currencies, compared.money_units, strict=True)]
    if compared.one_currency:
        return [f"Money is in {units[0]}."]
    told = names([f"run {number} in {unit}" for number, unit in enumerate(units, 1)], 20)
    return [f"Money is in different currencies ({told}), so no differences of it are given."]


def _as_dict(difference: Difference) -> dict[str, object]:
    fields: dict[str, object] = {"place": list(difference.place), "values": list(difference.values)}
    if difference.first:
        fields["periods"] = [difference.first, difference.last]
    return fields


def _in_words(figures: Sequence[Difference]) -> list[Difference]:
    return [replace(each, place=(FIGURES.get(each.place[0], each.place[0]),)) for each in figures]


def _table(
    compared: Comparison,
    name: str,
    places: Sequence[str],
    differences: Sequence[Difference],
    form: str = "text",
    what: str = "",
) -> Table:
    """Differences as rows: where, in which periods, and a column a run; two runs with numbers get their difference."""
    timed = any(difference.first for difference in differences)
    comparable = compared.one_currency or name not in MONEY
    paired = len(compared.runs) == 2 and form != "text" and comparable
    headings = [f"{what} {place}".strip() if number == 0 else place for number, place in enumerate(places)]
    columns = [Column(place, heading) for place, heading in zip(places, headings, strict=True)]
    columns += [Column("period", "period", PERIODS)] if timed else []
    columns += [Column(str(number), f"run {number}", form) for number in range(1, len(compared.runs) + 1)]
    columns += [Column("difference", "difference", form)] if paired else []
    rows = []
    for each in differences:
        cells: list[Cell] = [*each.place]
        cells += [Range(each.first, each.last)] if timed else []
        cells += [_cell(value) for value in each.values]
        cells += [_less(each.values)] if paired else []
        rows.append(tuple(cells))
    return Table(name, tuple(columns), tuple(rows))


def _cell(value: Value) -> Cell:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else value


def _less(values: Sequence[Value]) -> Cell:
    one, other = values
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return other - one
    return None
