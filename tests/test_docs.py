"""The documentation's examples run, and every command, component and example is in it."""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cpm_opt.formulation.components import BUILT_IN
from cpm_opt.formulation.registry import registered_components
from cpm_opt.formulation.spec import load_model
from cpm_opt.solve.solve import solve
from tests.portfolio.small import built
from tests.solve.test_traps import TABLES

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "adding-a-rule.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def churn_cap(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class of the walk, registered as if it were built in."""
    (code,) = blocks("python")
    module = ModuleType("churn_cap_of_the_docs")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, str(PAGE), "exec"), module.__dict__)
    component = module.__dict__["ChurnCap"]
    known = {**registered_components(), component.name: component}
    monkeypatch.setattr("cpm_opt.formulation.spec.registered_components", lambda: known)
    return component


def test_the_rule_of_the_walk_is_read_binds_and_is_audited(churn_cap: Any, tmp_path: Path) -> None:
    (table,) = blocks("toml")
    assert tomllib.loads(table) == {"components": {"churn_cap": {"max_share": 0.05}}}
    model = tmp_path / "capped.toml"
    model.write_text("[horizon]\nperiods = 2\n" + table.replace("0.05", "0.12"), "utf-8")
    spec = load_model(model)
    tables = {
        **TABLES,
        "levers": "lever,choice,scope\nservice,mix,segment\ntariff,mix,segment",
        "migration": "from,to,rate\ngold,gold,0.8\nsilver,silver,0.9",
    }
    plan = solve(built(tables), spec)
    free = solve(built(tables), replace(spec, components={}))
    assert plan.status == free.status == "optimal"
    assert plan.recount is not None
    assert plan.objective is not None
    assert free.objective is not None
    shares = [row.value / row.limit for row in plan.recount.rows]
    assert max(shares) == pytest.approx(1.0)  # it binds
    assert plan.objective < free.objective
    assert max(price.price for price in plan.shadow_prices.values()) > 0.0
    loose = churn_cap(max_share=0.05).audit  # a tighter cap is broken by this plan, and the audit says so
    from cpm_opt.formulation.audit import facts_of

    assert plan.decisions is not None
    assert any(row.slack < 0.0 for row in loose(facts_of(plan.portfolio, plan.decisions)).rows)


def test_the_walk_names_places_that_are_there() -> None:
    text = PAGE.read_text("utf-8")
    for place in re.findall(r"`((?:cpm_opt|tests)/[\w/.]+?)`", text):
        if "churn_cap" not in place:
            assert (ROOT / place).exists(), place
    assert "BUILT_IN" in text
    assert BUILT_IN


def test_readme_links_and_commands_are_there() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
