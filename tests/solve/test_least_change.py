"""The second solve: nearly as good, and nearer to today."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cpm_opt.formulation.components import Capacity, LeastChange
from cpm_opt.formulation.components.least_change import shares_today
from cpm_opt.formulation.spec import Horizon, ModelSpec
from cpm_opt.solve.plan import Plan
from cpm_opt.solve.session import Session
from cpm_opt.solve.solve import solve
from tests.portfolio.small import DECISION, built

# Service plus earns silver 0.01 a customer more, gold 5; the tariff is the same for both.
TABLES = {
    **DECISION,
    "levers": "lever,choice,scope\nservice,mix,segment\ntariff,mix,segment",
    "effects": "segment,lever,option,margin\ngold,service,plus,5\nsilver,service,plus,0.01",
    "current": "segment,lever,option,customers\ngold,tariff,up5,40",
    "resources": "resource,capacity,unit\nhours,300,hours",
    "usage": "resource,amount,segment,lever,option\nhours,1,,service,plus",
}


def spec(least: LeastChange | None) -> ModelSpec:
    extra = {} if least is None else {"least_change": least}
    return ModelSpec("m", "M", Horizon(2, 0.0), components={"capacity": Capacity(), **extra})


def moved(plan: Plan) -> float:
    assert plan.decisions is not None
    assert plan.recount is not None
    stays = shares_today(plan.portfolio)[:, :, None] * plan.recount.customers[:, None, :-1]
    return float(np.maximum(0.0, plan.decisions.customers_on - stays).sum())


def test_ties_fall_to_what_is_today() -> None:
    """Prospects and the tariff change nothing in profit, so nobody of them moves; what earns is still done."""
    best, least = solve(built(TABLES), spec(None)), solve(built(TABLES), spec(LeastChange(0.0)))
    assert least.objective == pytest.approx(best.objective, rel=1e-8)
    assert moved(least) == pytest.approx(2 * (100 + 200), rel=1e-5)  # gold, and silver as far as hours go
    assert least.shown
    assert least.status == "optimal"
    assert least.bound == best.bound
    assert (least.given_up, least.message) == (0.0, "")


def test_a_stated_loss_buys_fewer_changes() -> None:
    """Silver's cents (200 customers, two periods: 4 in all) are within a loss of 4 / best, so silver stays."""
    best = solve(built(TABLES), spec(None))
    assert best.objective is not None
    least = solve(built(TABLES), spec(LeastChange(4.0 / best.objective)))
    assert moved(least) == pytest.approx(2 * 100, rel=1e-6)
    assert least.objective == pytest.approx(best.objective - 4.0, rel=1e-8)
    assert least.given_up == pytest.approx(4.0, rel=1e-5)
    assert least.message.startswith("4.0000")
    assert "of the best plan's worth were given up to change less" in least.message
    assert dict(least.shadow_prices) == dict(best.shadow_prices)


def test_with_integers_and_again_in_one_session() -> None:
    single = {**TABLES, "levers": "lever,choice,scope\nservice,single,segment\ntariff,mix,segment"}
    portfolio = built(single)
    less = replace(portfolio.resources, capacity=portfolio.resources.capacity / 4.0)
    with Session(spec(LeastChange(0.001))) as session:
        first = session.solve(portfolio)
        second = session.solve(replace(portfolio, resources=less))
    assert first.shown
    assert second.shown
    fresh = solve(replace(portfolio, resources=less), spec(LeastChange(0.001)))
    assert moved(second) == pytest.approx(moved(fresh))
    assert moved(second) < moved(first)
