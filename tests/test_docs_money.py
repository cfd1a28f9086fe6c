"""The models on docs/rules.md about cash, concentration and uncertain effects, solved as they stand."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from cpm_opt.formulation.components import Cash, Concentration, Robust
from cpm_opt.pipeline import solve_instance

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "rules.md").read_text("utf-8")
TABLES = {
    name: block
    for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    for name in tomllib.loads(block).get("components", {})
}


@pytest.mark.parametrize("component", [Cash, Concentration])
def test_a_table_of_the_page_is_a_rule_that_the_plan_keeps(component: type, tmp_path: Path) -> None:
    model = tmp_path / "model.toml"
    model.write_text('extends = "client-plan"\n' + TABLES[component.name], "utf-8")
    plan = solve_instance("bank-clients", model)
    assert plan.status == "optimal"
    assert plan.shown
    assert plan.recount is not None
    rows = {row.subject: row for row in plan.recount.rows if row.rule == component.name and row.period == 1}
    told = {"cash": {"credit", "growth"}, "concentration": {"top 3", "total", "index"}}
    assert set(rows) == told[component.name]
    if component is Cash:
        assert rows["credit"].value == pytest.approx(200.0)  # the limit is used up
        assert plan.shadow_prices["cash", "credit", 1].price > 0.0
        assert ("credit cost", "") in plan.recount.money


def test_the_table_of_uncertain_effects_is_read() -> None:
    assert Robust(**tomllib.loads(TABLES["robust"])["components"]["robust"]) == Robust(budget=2, width=1.5)
