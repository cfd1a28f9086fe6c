"""The greedy plan: best where greed is right (one resource, one period), never above the best plan, within capacity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cpm_opt.formulation.components import Capacity, Switching
from cpm_opt.formulation.components.unchanged import Unchanged
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.spec import Horizon, ModelSpec
from cpm_opt.pipeline import read_problem, solve_problem
from cpm_opt.solve.certificate import certify
from cpm_opt.solve.recount import recount
from cpm_opt.solve.session import Session
from cpm_opt.solve.solve import solve
from cpm_opt.study.beside import greedy_facts
from cpm_opt.study.given_tariff import carried, shares_of
from cpm_opt.study.greedy import greedy
from tests.portfolio.small import built
from tests.study.small_instance import FILES, SCENARIOS, problem, written

SPEC = ModelSpec("m", "M", Horizon(1, 0.0), components={"capacity": Capacity(), "switching": Switching()})


def knapsack(seed: int) -> dict[str, str]:
    rng = np.random.default_rng(seed)
    names = [f"s{number}" for number in range(5)]
    lines = {
        "segments": [f"{name},{rng.integers(5, 50)},10" for name in names],
        "effects": [f"{name},service,plus,{rng.integers(1, 20)}" for name in names],
        "usage": [f"hours,{rng.uniform(0.2, 3):.3f},{name},service,plus" for name in names],
    }
    return {
        "segments": "segment,customers,margin\n" + "\n".join(lines["segments"]),
        "effects": "segment,lever,option,margin\n" + "\n".join(lines["effects"]),
        "usage": "resource,amount,segment,lever,option\n" + "\n".join(lines["usage"]),
        "resources": "resource,capacity,unit_cost\nhours,60,0.5",
        "levers": "lever,choice\nservice,mix",
        "options": "lever,option,base,change_cost\nservice,basic,true,\nservice,plus,false,0.3",
    }


@pytest.mark.parametrize("seed", range(5))
def test_with_one_resource_and_one_period_greed_is_best(seed: int) -> None:
    portfolio = built(knapsack(seed), periods=1)
    with Session(SPEC) as session:
        plan = session.solve(portfolio)
    found = greedy(portfolio, SPEC)
    assert plan.objective is not None
    assert found.recount.objective == pytest.approx(plan.objective)
    assert found.recount.use[0, 0] == pytest.approx(60.0)
    assert found.broken == ()


def test_over_periods_and_groups_it_is_a_plan_but_not_the_best() -> None:
    tables = {
        "segments": "segment,customers,margin,tier,end_value\na,50,10,x,30\nb,80,6,x,20\nc,40,3,y,10",
        "levers": "lever,choice,scope,hold\nservice,mix,segment,\ntariff,single,tier,2",
        "options": "lever,option,base,fixed_cost,change_cost\nservice,basic,true,,\nservice,plus,false,,1\n"
        "service,gold,false,,2\ntariff,keep,true,,\ntariff,up,false,15,",
        "effects": "segment,lever,option,margin\na,service,plus,4\na,service,gold,6\nb,service,plus,3\n"
        "c,service,plus,1.5\na,tariff,up,1\nb,tariff,up,0.5\nc,tariff,up,0.3",
        "usage": "resource,amount,lever,option\nhours,1,service,plus\nhours,2,service,gold\nhours,-0.1,tariff,up",
        "resources": "resource,capacity\nhours,70",
        "migration": "from,to,rate\na,a,0.9\nb,b,0.8\nb,a,0.1\nc,c,0.9",
        "migration_effects": "from,to,lever,option,rate\na,a,tariff,up,-0.2\nb,b,service,plus,0.05",
    }
    spec = ModelSpec("m", "M", Horizon(4, 0.02), components=SPEC.components)
    portfolio = built(tables, periods=4)
    plan, found = solve(portfolio, spec), greedy(portfolio, spec)
    assert plan.objective is not None
    assert found.recount.objective < plan.objective - 1.0
    assert found.recount.profit > plan.today.profit
    parts, weights = tuple(spec.components.values()), Weights(discount_rate=0.02)
    counted = found.recount.objective
    certificate, _ = certify(portfolio, found.decisions, parts, weights, counted, plan.bound)
    assert certificate.passed, certificate.where
    up = portfolio.options.index("up")
    assert found.decisions.chosen[1].tolist() == [[up] * 4, [portfolio.options.index("keep")] * 4]


def test_levers_that_the_model_leaves_are_left() -> None:
    portfolio = built(knapsack(0), periods=1)
    held = ModelSpec(
        "m", "M", Horizon(1, 0.0), components={**SPEC.components, "unchanged": Unchanged("unpriced")}
    )
    assert greedy(portfolio, SPEC).recount.profit > greedy(portfolio, held).recount.profit
    assert greedy(portfolio, held).recount.profit == solve(portfolio, held).today.profit


def test_hard_limits_that_it_breaks_are_named(tmp_path: Path) -> None:
    rule = "rule,measure,members,sense,value\nkeep,customers,gold,min,95\n"
    asked = problem(tmp_path / "small", balance=rule)
    found = greedy_facts(asked)
    assert {(row["rule"], row["period"]) for row in found["broken"]} <= {("keep", 1), ("keep", 2)}
    assert found["broken"]
    assert found["profit"] == greedy(asked.portfolio, asked.spec).recount.profit


def test_over_scenarios_it_is_weighed_as_the_plan_is(tmp_path: Path) -> None:
    """Half of the objective is the mean of the two scenarios, half the worse of them."""
    folder = written(tmp_path / "small", scenarios=SCENARIOS)
    risk = '[components.risk]\nmeasure = "worst"\nweight = 0.5\n'
    (folder / "model.toml").write_text(FILES["model.toml"] + risk)
    asked = read_problem(folder, folder / "model.toml")
    plan, found = solve_problem(asked), greedy_facts(asked)
    planned = greedy(asked.portfolio, asked.spec).decisions
    share, weights = shares_of(asked.portfolio, planned), Weights(discount_rate=0.05)
    worth = []
    for case in asked.scenarios:
        decisions = carried(case.portfolio, share, planned.chosen, planned.extra)
        counted, _, _ = recount(case.portfolio, decisions, asked.spec.components.values(), weights)
        worth.append(counted.objective)
    assert worth[0] != pytest.approx(worth[1])
    assert found["objective"] == pytest.approx(0.5 * np.mean(worth) + 0.5 * min(worth))
    assert found["broken"] == []
    assert found["objective"] < plan.objective + 1e-6
