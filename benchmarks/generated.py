"""A planning instance of any size, written as tables: segments, three levers, migration, one scarce resource."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

TOML = """[instance]
name = "generated"
title = "Generated for benchmarks"
currency = "EUR"
period = "month"
source = "benchmarks/generated.py, seed {seed}"
licence = "none needed: made up"
default_model = "{model}"
"""
MODEL = """title = "Benchmark"
[horizon]
periods = {periods}
discount_rate = 0.01
[components.capacity]
[components.balance]
[components.switching]
[solver]
time_limit = {limit}
"""


def write_instance(
    folder: Path,
    segments: int,
    periods: int,
    single: Sequence[str] = (),
    seed: int = 1,
    limit: float = 900.0,
    scenarios: int = 0,
) -> Path:
    """Writes instance and model; 3 levers of 4 options each, so about 12 x segments x periods variables and as many
    again for changes of options that cost something. Levers in `single` choose one option a segment; `scenarios` draw
    margins, effects and migration anew. Returns the folder of the instance."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"s{number:04d}" for number in range(segments)]
    levers = ["service", "tariff", "programme"]
    options = [(lever, f"o{number}") for lever in levers for number in range(4)]
    customers = rng.integers(50, 150, segments)
    margin = rng.uniform(5, 20, segments).round(2)
    _table(
        folder,
        "segments",
        "segment,customers,margin,end_value",
        zip(names, customers, margin, (2 * margin).round(2), strict=True),
    )
    _table(
        folder,
        "levers",
        "lever,choice",
        [(lever, "single" if lever in single else "mix") for lever in levers],
    )
    _table(
        folder,
        "options",
        "lever,option,base,change_cost",
        [
            (lever, option, str(option == "o0").lower(), 0 if option == "o0" else 0.5)
            for lever, option in options
        ],
    )
    effects = [
        (name, lever, option, round(float(rng.uniform(-2, 6)), 3))
        for name in names
        for lever, option in options
        if option != "o0"
    ]
    _table(folder, "effects", "segment,lever,option,margin", effects)
    moves = [
        (a, names[(i + k) % segments], 0.7 if k == 0 else 0.02)
        for i, a in enumerate(names)
        for k in range(10)
    ]
    _table(folder, "migration", "from,to,rate", moves)
    answers = [
        (n, n, lever, "o1", round(float(rng.uniform(-0.08, 0.03)), 3)) for n in names for lever in levers
    ]
    _table(folder, "migration_effects", "from,to,lever,option,rate", answers)
    usage = [
        ("hours", 0.1 if option == "o0" else round(float(rng.uniform(0.3, 2)), 3), lever, option)
        for lever, option in options
    ]
    _table(folder, "usage", "resource,amount,lever,option", usage)
    _table(
        folder,
        "resources",
        "resource,capacity,unit,unit_cost,extra_capacity,extra_cost",
        [("hours", int(2.5 * customers.sum()), "hours", 0.1, int(0.1 * customers.sum()), 2.0)],
    )
    _table(
        folder,
        "balance",
        "rule,measure,members,sense,value",
        [("keep", "customers", "all", "min", int(0.02 * customers.sum()))],
    )
    if scenarios:
        _table(folder, "scenarios", "scenario,probability,target,factor", _drawn(rng, scenarios))
    model = folder.parent / f"{folder.name}-model.toml"
    model.write_text(MODEL.format(periods=periods, limit=limit), "utf-8")
    (folder / "instance.toml").write_text(TOML.format(seed=seed, model=model), "utf-8")
    return folder


def _drawn(rng: np.random.Generator, count: int) -> list[tuple[str, float | str, str, float]]:
    rows: list[tuple[str, float | str, str, float]] = []
    for number in range(count):
        name, chance = f"w{number:02d}", round(1.0 / count, 9)
        rows.append((name, chance, "segments.margin", round(float(rng.normal(1.0, 0.1)), 3)))
        rows.append((name, "", "effects.margin", round(float(rng.uniform(0.5, 1.3)), 3)))
        rows.append((name, "", "migration.rate", round(float(rng.uniform(0.9, 1.0)), 3)))
    return rows


def _table(folder: Path, name: str, header: str, rows: object) -> None:
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)  # type: ignore[arg-type]
