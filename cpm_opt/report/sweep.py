"""A sweep in words, a table and a chart."""

from __future__ import annotations

from collections.abc import Mapping

from cpm_opt.report.chart import Series, chart
from cpm_opt.report.explanation import NUMBER, Cell, Column, Explanation, Section, Table
from cpm_opt.report.run_list import STATUS_WORDS
from cpm_opt.report.words import Units, counted
from cpm_opt.study.sweep import TABLE, Sweep

MOST_SERIES = 8


def sweep_report(found: Sweep) -> Explanation:
    """How many points there are, the best of them, and all of them in a table."""
    units = Units(found.instance)
    columns = (
        Column("point", "point"),
        *(Column(key, key) for key in found.keys),
        Column("status", "status"),
        Column("profit", "profit", NUMBER, units.money),
        Column("end_value", "end value", NUMBER, units.money),
        Column("objective", "all that counts", NUMBER, units.money),
        Column("seconds", "seconds", NUMBER),
    )
    rows = tuple(tuple(_cell(row, column.key) for column in columns) for row in found.rows)
    table = Table("points", columns, rows, file=TABLE)
    title = f"Sweep over {' and '.join(found.keys)}: {counted(len(found.rows), 'point')}"
    return Explanation("", "", title, (Section("points", "", tuple(_sentences(found, units)), (table,)),))


def sweep_chart(found: Sweep) -> str:
    """Profit over the key with the most numbers (seconds, where keys of the solver alone are varied), as SVG.

    One other key with a few values gets a line for each of them; more keys leave points without lines. Blank where no
    point has a plan.
    """
    solver = all(key.startswith("solver") for key in found.keys)
    figure, y_title = (
        ("seconds", "seconds") if solver else ("profit", f"profit, {Units(found.instance).money}")
    )
    rows = [row for row in found.rows if row["certified"] == "true" and row[figure] is not None]
    values = {key: list(dict.fromkeys(str(row[key]) for row in rows)) for key in found.keys}
    x_key = max(found.keys, key=lambda key: (all(map(_is_number, values[key])), len(values[key])))
    others = [key for key in found.keys if key != x_key]
    names = () if all(map(_is_number, values[x_key])) else tuple(values[x_key])

    def point(row: Mapping[str, Cell]) -> tuple[float, float]:
        text = str(row[x_key])
        return float(names.index(text) if names else text), float(str(row[figure]))

    if len(others) == 1 and len(values[others[0]]) <= MOST_SERIES:
        series = [
            Series(
                f"{_last(others[0])} = {value}",
                tuple(point(row) for row in rows if str(row[others[0]]) == value),
            )
            for value in values[others[0]]
        ]
    else:
        series = [Series("", tuple(map(point, rows)), joined=not others)]
    return chart(f"{found.title}", x_key, y_title, series, names)


def _sentences(found: Sweep, units: Units) -> list[str]:
    told = []
    planned = [row for row in found.rows if row["certified"] == "true"]
    if planned:
        best = max(planned, key=lambda row: float(str(row["profit"])))
        worst = min(planned, key=lambda row: float(str(row["profit"])))
        at = " and ".join(f"{key} = {best[key]}" for key in found.keys)
        told.append(
            f"The highest profit is {units.worth(float(str(best['profit'])))}, at {at} (point {best['point']})."
        )
        told.append(f"The lowest is {units.worth(float(str(worst['profit'])))} (point {worst['point']}).")
    missing = len(found.rows) - len(planned)
    if missing:
        told.append(f"{counted(missing, 'point')} {'has' if missing == 1 else 'have'} no plan.")
    before = len(found.rows) - found.solved
    if before:
        told.append(
            f"{counted(before, 'point')} {'was' if before == 1 else 'were'} finished by an earlier call."
        )
    return told


def _cell(row: Mapping[str, Cell], key: str) -> Cell:
    if key == "status":
        return STATUS_WORDS.get(str(row[key]), "faults in the data")
    return row[key]


def _last(key: str) -> str:
    return key.rpartition(".")[2] if not key.startswith("tables.") else key.removeprefix("tables.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
