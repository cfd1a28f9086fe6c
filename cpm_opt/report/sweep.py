"""A sweep in words, a table and a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cpm_opt.report.chart import Series, chart
from cpm_opt.report.explanation import NUMBER, SHARE, Cell, Column, Explanation, Section, Table
from cpm_opt.report.run_list import PROVEN, status_words
from cpm_opt.report.words import Units, counted, percent
from cpm_opt.study.sweep import TABLE, Sweep

MOST_SERIES = 8
MOST_TOLD = 5  # points without a plan of which it is told why


def sweep_report(found: Sweep) -> Explanation:
    """How many points there are, the best of them, and all of them in a table."""
    units, open_points = Units(found.instance), _open(found)
    columns = (
        Column("point", "point"),
        *(Column(key, key) for key in found.keys),
        Column("status", "status"),
        Column("profit", "profit", NUMBER, units.money),
        Column("end_value", "end value", NUMBER, units.money),
        Column("objective", "all that counts", NUMBER, units.money),
        *((Column("gap", "may be short by", SHARE),) if open_points else ()),
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
    rows = [row for row in found.rows if row["certified"] and row[figure] is not None]
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
    x_title = ", ".join(filter(None, (x_key, found.units[x_key])))
    return chart(f"Sweep: {figure} of {found.name}", x_title, y_title, series, names)


def _sentences(found: Sweep, units: Units) -> list[str]:
    told = []
    planned = [row for row in found.rows if row["certified"]]
    if planned:
        best = max(planned, key=lambda row: float(str(row["profit"])))
        worst = min(planned, key=lambda row: float(str(row["profit"])))
        at = " and ".join(f"{key} = {best[key]}" for key in found.keys)
        told.append(
            f"The highest profit is {units.worth(float(str(best['profit'])))}, at {at} (point {best['point']})."
        )
        told.append(f"The lowest is {units.worth(float(str(worst['profit'])))} (point {worst['point']}).")
    told += _within_gaps(found)
    told += _without([row for row in found.rows if not row["certified"]])
    before = len(found.rows) - found.solved
    if before:
        told.append(
            f"{counted(before, 'point')} {'was' if before == 1 else 'were'} finished by an earlier call."
        )
    return told


def _without(rows: Sequence[Mapping[str, Cell]]) -> list[str]:
    """Of each point that has no plan why, and its run, which tells more; of many the first ones."""
    told = []
    for row in rows[:MOST_TOLD]:
        why = (
            str(row["message"] or "the plan did not pass its check")
            if row["run"]
            else "its values break the data"
        )
        run = f" (run {row['run']})" if row["run"] else ""
        told.append(f"Point {row['point']} has no plan: {why}{run}.")
    if len(rows) > MOST_TOLD:
        told.append(f"{counted(len(rows) - MOST_TOLD, 'more point')} without a plan: see {TABLE}.")
    return told


def _figure(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) else 0.0


def _open(found: Sweep) -> list[Mapping[str, Cell]]:
    """Points whose plan may be short of the best by more than computing leaves."""
    return [row for row in found.rows if row["certified"] and _figure(row["gap"]) > PROVEN]


def _within_gaps(found: Sweep) -> list[str]:
    """What the search leaves open, and how many points may be the best in truth: their plans or their bounds reach the
    best objective that was found."""
    rows = _open(found)
    if not rows:
        return []
    planned = [row for row in found.rows if row["certified"]]
    best = max(_figure(row["objective"]) for row in planned)
    reach = [row for row in planned if row["bound"] is None or _figure(row["bound"]) >= best]
    most = percent(max(_figure(row["gap"]) for row in rows))
    told = [
        f"The search stopped short of proof: plans may be short of the best by up to {most}, the gap that "
        "solver.mip_gap or the time allowed."
    ]
    if len(reach) > 1:
        many = f"{len(reach)} of {counted(len(planned), 'point')}"
        told.append(f"Differences within that tell nothing: {many} may be the best in all that counts.")
    return told


def _cell(row: Mapping[str, Cell], key: str) -> Cell:
    if key == "status":
        return status_words(str(row[key]), _figure(row["gap"]), "faults in the data")
    return row[key]


def _last(key: str) -> str:
    return key.rpartition(".")[2] if not key.startswith("tables.") else key.removeprefix("tables.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
