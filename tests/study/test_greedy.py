"""The greedy plan: best where greed is right (one resource, one period), never above the best plan, within capacity."""

from __future__ import annotations

import numpy as np
import pytest

from cpm_opt.formulation.components import Capacity, Switching
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.spec import Horizon, ModelSpec
from cpm_opt.solve.certificate import certify
from cpm_opt.solve.session import Session
from cpm_opt.solve.solve import solve
from cpm_opt.study.greedy import greedy
from tests.portfolio.small import built

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
