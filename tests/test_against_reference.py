"""The program against the second reading of the design in tests/reference, on random instances, hundreds of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpm_opt.pipeline import solve_instance
from tests.reference.formulation import build
from tests.reference.generate import ALONE, CHOICES_ONLY, MONEY, PRESETS, random_instance
from tests.reference.read import read_case

SETS = {**PRESETS, "choices only": CHOICES_ONLY, **ALONE, **MONEY}
SEEDS = {"lp": 30, "single": 30, "migration": 30, "everything": 60, "whole": 15, "choices only": 30}
SEEDS |= {**dict.fromkeys(MONEY, 10), "all about money": 15, "every rule": 25}
SEEDS |= {"price rules": 30, "option rules": 30, "everything and rules": 40}
INFEASIBLE = ("lp", "single", "migration", "everything", "soft rules", "everything and rules")


def _compare(folder: Path, seed: int, features: frozenset[str]) -> str:
    """Solves one instance both ways; returns the status that they agree on."""
    model = random_instance(seed, folder, features)
    expected = build(read_case(folder, model)).solve()
    plan = solve_instance(folder, model)
    assert plan.status == expected.status, f"seed {seed}: {plan.status}, the reference says {expected.status}"
    if expected.objective is None:
        assert plan.objective is None
        assert plan.certificate is None
        return plan.status
    assert plan.objective == pytest.approx(expected.objective, rel=1e-6, abs=1e-6), f"seed {seed}"
    assert plan.certificate is not None
    assert plan.certificate.passed, f"seed {seed}: {plan.certificate}"
    return plan.status


@pytest.mark.parametrize("name", SETS)
def test_objective_is_that_of_the_reference(tmp_path: Path, name: str) -> None:
    seeds = SEEDS.get(name, 7)
    statuses = [
        _compare(tmp_path / str(seed), seed, frozenset(SETS[name])) for seed in range(1000, 1000 + seeds)
    ]
    assert statuses.count("optimal") > len(statuses) / 2


@pytest.mark.parametrize("name", INFEASIBLE)
def test_infeasible_is_told(tmp_path: Path, name: str) -> None:
    features = frozenset(SETS[name] | {"infeasible"})
    assert {_compare(tmp_path / str(seed), seed, features) for seed in range(2000, 2004)} == {"infeasible"}


@pytest.mark.parametrize("name", ["everything", "soft rules", "migration"])
def test_profit_is_one_that_the_optimum_allows(tmp_path: Path, name: str) -> None:
    """Plans of one objective can differ in profit where penalties or end values count; profit must be one of theirs."""
    for seed in range(3000, 3010):
        folder = tmp_path / str(seed)
        model = random_instance(seed, folder, frozenset(SETS[name]))
        program = build(read_case(folder, model))
        best = program.solve()
        plan = solve_instance(folder, model)
        if best.objective is None:
            continue
        low, high = program.profit_range(best.objective)
        assert plan.profit is not None
        margin = 1e-6 * max(1.0, abs(high))
        assert low - margin <= plan.profit <= high + margin, f"seed {seed}"
