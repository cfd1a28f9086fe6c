"""Multiple-choice knapsacks put into planning tables: a class is a segment of one customer, its items are the options.

Optima are known without a solver. The published problems are small enough to try every choice. The others are drawn
here as Pisinger (1995, A minimal algorithm for the multiple-choice knapsack problem, European Journal of Operational
Research 83, 394-410) draws his strongly correlated ones, and a dynamic programme gives their optimum.
"""

from __future__ import annotations

import csv
import itertools
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cpm_opt.pipeline import solve_instance

DATA = Path(__file__).parent / "data" / "hiremath-hill.txt"


@dataclass(frozen=True)
class Knapsack:
    """`classes[k][j]`: profit and weights of item j of class k, one weight for each capacity."""

    capacities: tuple[int, ...]
    classes: tuple[tuple[tuple[int, ...], ...], ...]


def read_published() -> dict[str, Knapsack]:
    """The published problems, by name."""
    capacities: dict[str, tuple[int, ...]] = {}
    classes: dict[str, list[list[tuple[int, ...]]]] = {}
    name = ""
    for line in DATA.read_text(encoding="utf-8").splitlines():
        if line.startswith("problem"):
            name = line
            classes[name] = []
        elif line.startswith("class"):
            classes[name].append([])
        elif not line.startswith("#"):
            numbers = tuple(map(int, line.split()))
            if name in capacities:
                classes[name][-1].append(numbers)
            else:
                capacities[name] = numbers
    return {k: Knapsack(capacities[k], tuple(map(tuple, v))) for k, v in classes.items()}


def strongly_correlated(seed: int, classes: int = 12, items: int = 6, largest: int = 100) -> Knapsack:
    """Weights are sums of ever more draws from 1..largest, profits those plus 10 a draw; no item is dominated."""
    rng = random.Random(seed)
    drawn = []
    for _ in range(classes):
        weights = sorted(rng.randint(1, largest) for _ in range(items))
        summed = list(itertools.accumulate(weights))
        drawn.append(tuple((w + 10 * (j + 1), w) for j, w in enumerate(summed)))
    half = sum(kind[0][1] + kind[-1][1] for kind in drawn) // 2
    return Knapsack((half,), tuple(drawn))


def best_by_dynamic_programme(problem: Knapsack) -> int:
    """best[c] = greatest profit of the classes so far at a weight of c at most, class by class."""
    (capacity,) = problem.capacities
    best = np.zeros(capacity + 1)
    for items in problem.classes:
        after = np.full(capacity + 1, -np.inf)
        for profit, weight in items:
            if weight <= capacity:
                after[weight:] = np.maximum(after[weight:], best[: capacity + 1 - weight] + profit)
        best = after
    return int(best[-1])


def best_of_all(problem: Knapsack) -> int:
    """The greatest profit of all choices, each tried."""
    total = np.zeros((1, 1 + len(problem.capacities)), dtype=int)
    for items in problem.classes:
        total = (total[:, None, :] + np.array(items)[None, :, :]).reshape(-1, total.shape[1])
    fits = (total[:, 1:] <= np.array(problem.capacities)).all(axis=1)
    return int(total[fits, 0].max())


def write_tables(problem: Knapsack, folder: Path) -> Path:
    """The problem as an instance; returns its model."""
    places = [(k, j, item) for k, items in enumerate(problem.classes) for j, item in enumerate(items)]
    tables = {
        "segments": [
            ("segment", "customers", "margin"),
            *((f"c{k}", 1, 0) for k in range(len(problem.classes))),
        ],
        "levers": [("lever", "choice", "scope"), ("item", "single", "segment")],
        "options": [
            ("lever", "option", "base"),
            *(("item", f"i{j}", str(j == 0).lower()) for j in range(len(problem.classes[0]))),
        ],
        "effects": [
            ("segment", "lever", "option", "margin"),
            *((f"c{k}", "item", f"i{j}", item[0]) for k, j, item in places),
        ],
        "usage": [
            ("resource", "segment", "lever", "option", "amount"),
            *(
                (f"knapsack {r}", f"c{k}", "item", f"i{j}", weight)
                for k, j, item in places
                for r, weight in enumerate(item[1:])
            ),
        ],
        "resources": [
            ("resource", "capacity"),
            *((f"knapsack {r}", capacity) for r, capacity in enumerate(problem.capacities)),
        ],
    }
    folder.mkdir()
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    (folder / "instance.toml").write_text(
        '[instance]\nname = "knapsack"\ntitle = "A multiple-choice knapsack"\ncurrency = "EUR"\nperiod = "year"\n'
        'source = "tests/test_knapsack.py"\nlicence = "CC0-1.0"\n',
        encoding="utf-8",
    )
    model = folder / "model.toml"
    model.write_text(
        'title = "One choice a class"\n[horizon]\nperiods = 1\ndiscount_rate = 0.0\n'
        "[components.capacity]\n[solver]\nmip_gap = 1e-9\n",
        encoding="utf-8",
    )
    return model


@pytest.mark.parametrize("name", read_published())
def test_published_knapsack(tmp_path: Path, name: str) -> None:
    problem = read_published()[name]
    assert [len(items) for items in problem.classes] == [10] * 5
    plan = solve_instance(tmp_path / "k", write_tables(problem, tmp_path / "k"))
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(best_of_all(problem), rel=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_strongly_correlated_knapsack(tmp_path: Path, seed: int) -> None:
    problem = strongly_correlated(seed)
    plan = solve_instance(tmp_path / "k", write_tables(problem, tmp_path / "k"))
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(best_by_dynamic_programme(problem), rel=1e-9)


def test_the_two_ways_to_the_optimum_agree() -> None:
    for seed in range(5):
        problem = strongly_correlated(seed, classes=5, items=4, largest=20)
        assert best_by_dynamic_programme(problem) == best_of_all(problem)


def test_too_small_a_knapsack_has_no_plan(tmp_path: Path) -> None:
    problem = strongly_correlated(1)
    least = sum(min(weight for _, weight in items) for items in problem.classes)
    too_small = Knapsack((least - 1,), problem.classes)
    plan = solve_instance(tmp_path / "k", write_tables(too_small, tmp_path / "k"))
    assert plan.status == "infeasible"
