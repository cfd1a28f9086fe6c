"""Scenarios by hand: one programme a scenario, columns that must be shared made one, and the risk written out."""

from __future__ import annotations

import csv
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from tests.reference.formulation import build
from tests.reference.program import Key, Program
from tests.reference.read import Case, Row, read_case, whole_number

KEYS = ("segment", "lever", "option", "resource")
TARGETS = (
    "segments.margin",
    "effects.margin",
    "segments.end_value",
    "resources.capacity",
    "resources.unit_cost",
)


def add_scenarios(seed: int, folder: Path, model: Path) -> tuple[Path, dict[str, object]]:
    """Writes table `scenarios` beside the others and a model with risk; returns its path and the risk's keys."""
    rng = random.Random(seed)
    count = rng.randint(2, 4)
    shares = [rng.randint(1, 5) for _ in range(count)]
    chances = [round(share / sum(shares), 6) for share in shares]
    chances[0] += 1.0 - sum(chances)
    rows: list[dict[str, object]] = []
    for number, chance in enumerate(chances):
        name = f"w{number}"
        rows.append({"scenario": name, "probability": chance})
        for target in rng.sample(TARGETS, rng.randint(0, 3)):
            low = 0.95 if target == "resources.capacity" else 0.6
            rows.append({"scenario": name, "target": target, "factor": round(rng.uniform(low, 1.4), 3)})
    with (folder / "scenarios.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["scenario", "probability", "target", "factor"])
        writer.writeheader()
        writer.writerows(rows)
    worst = rng.random() < 0.3
    risk: dict[str, object] = {
        "measure": "worst" if worst else "cvar",
        "weight": rng.choice([0.0, 0.3, 0.8, 1.0]),
    }
    if not worst:
        risk["alpha"] = rng.choice([0.0, 0.5, 0.9])
    lines = [
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in risk.items()
    ]
    uncertain = model.with_name("uncertain.toml")
    uncertain.write_text(
        model.read_text("utf-8") + "\n[components.risk]\n" + "\n".join(lines) + "\n", "utf-8"
    )
    return uncertain, risk


def solve_uncertain(folder: Path, model: Path, risk: dict[str, object]) -> float | None:
    """The best objective over all scenarios; None where no plan keeps the rules in all of them. `model` is the one
    without risk."""
    case = read_case(folder, model)
    with (folder / "scenarios.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = list(dict.fromkeys(row["scenario"] for row in rows))
    chances = np.array([sum(float(r["probability"] or 0) for r in rows if r["scenario"] == n) for n in names])
    programs = [build(_in_scenario(case, [r for r in rows if r["scenario"] == n])) for n in names]
    return _extensive(case, programs, chances, risk)


def _in_scenario(case: Case, rows: list[dict[str, str]]) -> Case:
    tables = {name: [dict(row) for row in table] for name, table in case.tables.items()}
    factors: list[Row] = tables.setdefault("factors", [])
    for row in rows:
        if row["target"] == "segments.end_value":
            for segment in tables["segments"]:
                if segment.get("end_value"):
                    segment["end_value"] = repr(float(segment["end_value"]) * float(row["factor"]))
        elif row["target"]:
            factors += [
                {"target": row["target"], "period": str(t), "factor": row["factor"]}
                for t in range(1, case.periods + 1)
            ]
    return replace(case, tables=tables)


def _shared(case: Case, key: Key) -> bool:
    """Whether it is decided before the scenario is known."""
    if key[0] == "y":
        return True
    if key[0] == "x":
        return key[-1] == 1
    return key[0] == "h" and int(str(key[2])) <= 1 + _lead_time(case, str(key[1]), int(str(key[2])))


def _lead_time(case: Case, resource: str, period: int) -> int:
    rows = [row for row in case.rows("resources") if row["resource"] == resource]
    dated = [row for row in rows if row.get("period", "") == str(period)]
    (row,) = dated or [row for row in rows if not row.get("period", "")]
    return whole_number(row, "lead_time")


def _extensive(
    case: Case, programs: list[Program], chances: np.ndarray, risk: dict[str, object]
) -> float | None:
    columns: dict[Key, int] = {}
    places = [
        [
            columns.setdefault(key if _shared(case, key) else (w, *key), len(columns))
            for key in program.columns
        ]
        for w, program in enumerate(programs)
    ]
    size = len(columns) + 1 + len(programs)
    floor = len(columns)
    lower, upper, whole = np.full(size, -np.inf), np.full(size, np.inf), np.zeros(size)
    lower[floor + 1 :] = 0.0
    entries: list[tuple[int, int, float]] = []
    low: list[float] = []
    high: list[float] = []
    gain, constant = np.zeros(size), 0.0
    weight, is_worst = float(str(risk["weight"])), risk["measure"] == "worst"
    for w, program in enumerate(programs):
        at = np.array(places[w])
        lower[at] = np.maximum(lower[at], program.lower)
        upper[at] = np.minimum(upper[at], program.upper)
        whole[at] = program.whole
        for terms, left, right in program.rows:
            entries += [(len(low), int(at[column]), value) for column, value in terms.items()]
            low.append(left)
            high.append(right)
        fixed = program.profit_weight * program.constant
        worth = np.zeros(size)
        np.add.at(worth, at, program.gain())
        gain += (1 - weight) * chances[w] * worth
        constant += (1 - weight) * chances[w] * fixed
        # floor - shortfall <= worth
        entries += [(len(low), int(c), -float(worth[c])) for c in np.flatnonzero(worth)] + [
            (len(low), floor, 1.0)
        ]
        if not is_worst:
            entries.append((len(low), floor + 1 + w, -1.0))
            gain[floor + 1 + w] = -weight * chances[w] / (1 - float(str(risk["alpha"])))
        low.append(-np.inf)
        high.append(fixed)
    gain[floor] = weight
    if weight == 0.0:
        lower[floor] = upper[floor] = -1e9
    row, column, value = zip(*entries, strict=True)
    matrix = coo_array((value, (row, column)), shape=(len(low), size)).tocsr()
    found = milp(
        -gain,
        integrality=whole,
        bounds=Bounds(lower, upper),
        constraints=LinearConstraint(matrix, low, high),
        options={"mip_rel_gap": 1e-10},
    )
    return None if found.status == 2 else float(gain @ found.x) + constant
