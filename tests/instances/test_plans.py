"""Every plan that an instance's expected.toml names comes out again: its objective, or that there is none."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from cpm_opt.formulation.spec import load_model
from cpm_opt.pipeline import solve_instance

ROOT = Path(__file__).resolve().parents[2]
PLANS = [
    pytest.param(file.parent, model, plan, id=f"{file.parent.name}-{model}")
    for file in sorted(ROOT.glob("instances/*/expected.toml"))
    for model, plan in tomllib.loads(file.read_text(encoding="utf-8")).get("plans", {}).items()
]


@pytest.mark.parametrize(("folder", "model", "expected"), PLANS)
def test_the_plan_is_the_expected_one(folder: Path, model: str, expected: dict[str, Any]) -> None:
    path = ROOT / "models" / f"{model}.toml"
    plan = solve_instance(folder, path)
    if "objective" not in expected:
        assert plan.status == expected["status"] == "infeasible"
        assert plan.objective is None
        assert not plan.shown
        assert set(expected.get("conflict", ())) <= set(plan.conflict)
        return
    assert plan.status == "optimal"
    assert plan.shown
    assert plan.objective is not None
    gap = load_model(
        path
    ).solver.mip_gap  # as far as two optimal answers may lie apart, beside how figures are rounded
    assert abs(plan.objective - expected["objective"]) <= (1e-6 + gap) * max(1.0, abs(expected["objective"]))


def test_every_shipped_instance_names_the_plan_of_its_own_model() -> None:
    for file in sorted(ROOT.glob("instances/*/instance.toml")):
        own = tomllib.loads(file.read_text(encoding="utf-8"))["instance"]["default_model"]
        expected = tomllib.loads((file.parent / "expected.toml").read_text(encoding="utf-8"))
        assert expected["plans"][own]["objective"] > 0.0, file.parent.name
