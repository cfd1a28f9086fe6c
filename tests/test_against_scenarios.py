"""Risk against an extensive form written out by hand, on random instances."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpm_opt.pipeline import solve_instance
from tests.reference.generate import ALONE, PRESETS, random_instance
from tests.reference.uncertain import add_scenarios, solve_uncertain

SETS = {
    "lp": (PRESETS["lp"], 25),
    "single": (PRESETS["single"], 15),
    "migration": (PRESETS["migration"], 15),
    "extra capacity": (ALONE["extra capacity"], 15),
    "everything": (PRESETS["everything"], 12),
}


@pytest.mark.parametrize("name", SETS)
def test_objective_over_scenarios_is_that_of_the_extensive_form(tmp_path: Path, name: str) -> None:
    features, seeds = SETS[name]
    solved = 0
    for seed in range(5000, 5000 + seeds):
        folder = tmp_path / str(seed)
        model = random_instance(seed, folder, frozenset(features))
        uncertain, risk = add_scenarios(seed, folder, model)
        expected = solve_uncertain(folder, model, risk)
        plan = solve_instance(folder, uncertain)
        if expected is None:
            assert plan.status == "infeasible", f"seed {seed}"
            continue
        assert plan.status == "optimal", f"seed {seed}: {plan.message}"
        assert plan.objective == pytest.approx(expected, rel=1e-6, abs=1e-6), f"seed {seed}, {risk}"
        assert plan.shown, f"seed {seed}: {plan.certificate}"
        solved += 1
    assert solved > seeds / 3
