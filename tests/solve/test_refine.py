"""Curved rows: the index of concentration against a solver for curves, kept within the time, again and again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from cpm_opt.formulation.components import Capacity, Component, Concentration
from cpm_opt.formulation.spec import Horizon, ModelSpec, Solver
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.solve.session import Session
from cpm_opt.solve.solve import solve
from tests.portfolio.small import built

SIZES = (120.0, 80.0, 60.0, 40.0, 20.0)
MARGINS = (12.0, 12.0, 9.0, 14.0, 11.0)
GAINS = (9.0, 6.0, 8.0, 3.0, 5.0)
HOURS = 130.0


def served(hours: float = HOURS, choice: str = "mix", periods: int = 1) -> Portfolio:
    """Five segments; the better service brings the large ones more, and hours are short."""
    segments = [f"s{k},{SIZES[k]},{MARGINS[k]}" for k in range(5)]
    effects = [f"s{k},service,plus,{GAINS[k]}" for k in range(5)]
    fixed = "fixed_cost" if choice == "single" else "change_cost"
    return built(
        {
            "segments": "\n".join(["segment,customers,margin", *segments]),
            "levers": f"lever,choice\nservice,{choice}",
            "options": f"lever,option,base,{fixed}\nservice,basic,true,\nservice,plus,false,1",
            "effects": "\n".join(["segment,lever,option,margin", *effects]),
            "resources": f"resource,capacity\nhours,{hours}",
            "usage": "resource,amount,lever,option\nhours,1,service,plus",
        },
        periods,
    )


def spec(*components: Component, limit: float = 60.0) -> ModelSpec:
    named = {component.name: component for component in components}
    return ModelSpec("m", "M", Horizon(1), components=named, solver=Solver(time_limit=limit, mip_gap=1e-9))


def by_a_solver_for_curves(hhi: float) -> float:
    """The same problem in thousands of money, as scipy's SLSQP takes it."""
    base, gain = np.array(SIZES) * np.array(MARGINS) / 1000.0, np.array(GAINS) / 1000.0

    def room(x: np.ndarray) -> float:
        amounts = base + gain * x
        return float(np.sqrt(hhi) * amounts.sum() - np.linalg.norm(amounts))

    def slope(x: np.ndarray) -> np.ndarray:
        amounts = base + gain * x
        return gain * (np.sqrt(hhi) - amounts / np.linalg.norm(amounts))

    found = minimize(
        lambda x: -(base + gain * x).sum(),
        np.full(5, 5.0),
        jac=lambda x: -gain,
        bounds=[(0.0, size) for size in SIZES],
        constraints=[
            {"type": "ineq", "fun": lambda x: HOURS - x.sum(), "jac": lambda x: -np.ones(5)},
            {"type": "ineq", "fun": room, "jac": slope},
        ],
        method="SLSQP",
        options={"ftol": 1e-10, "maxiter": 500},
    )
    assert found.success, found.message
    return float(-1000.0 * found.fun)


@pytest.mark.parametrize("hhi", [0.32, 0.3, 0.27])
def test_objective_is_that_of_a_solver_for_curves(hhi: float) -> None:
    plan = solve(served(), spec(Capacity(), Concentration(hhi=hhi)))
    free = solve(served(), spec(Capacity()))
    assert plan.objective is not None
    assert free.objective is not None
    assert plan.objective < free.objective - 1.0
    assert plan.objective == pytest.approx(by_a_solver_for_curves(hhi), rel=1e-6)
    assert plan.shown
    index = next(row for row in (plan.recount.rows if plan.recount else ()) if row.subject == "index")
    assert index.value == pytest.approx(hhi, abs=1e-7)


def test_a_price_of_the_index_is_what_the_limit_is_worth() -> None:
    step = 1e-4
    plan, eased = (solve(served(), spec(Capacity(), Concentration(hhi=hhi))) for hhi in (0.3, 0.3 + step))
    assert plan.objective is not None
    assert eased.objective is not None
    assert plan.recount is not None
    total = next(row.value for row in plan.recount.rows if row.subject == "total")
    price = plan.shadow_prices["concentration", "index", 1].price
    assert price * total * step == pytest.approx(eased.objective - plan.objective, rel=0.02)


def test_choices_are_as_good_as_the_best_of_all_of_them() -> None:
    hhi = 0.3
    plan = solve(served(choice="single"), spec(Capacity(), Concentration(hhi=hhi)))
    best = -np.inf
    for number in range(32):
        on = np.array([number >> k & 1 for k in range(5)])
        amounts = np.array(SIZES) * (np.array(MARGINS) + on * np.array(GAINS))
        if on @ np.array(SIZES) <= HOURS and amounts @ amounts <= hhi * amounts.sum() ** 2:
            best = max(best, float(amounts.sum() - on.sum()))
    assert plan.objective == pytest.approx(best, rel=1e-9)
    assert plan.status == "optimal"


def test_no_tangent_is_left_for_the_next_solve() -> None:
    """Tangents belong to the numbers of one portfolio: the next one, in the same solver, has its own."""
    model = spec(Capacity(), Concentration(hhi=0.3))
    hours = (HOURS, 60.0, 110.0, HOURS)
    with Session(model) as session:
        together = [session.solve(served(each)).objective for each in hours]
        assert session.rebuilt == 1
    alone = [solve(served(each), model).objective for each in hours]
    assert together == pytest.approx(alone, rel=1e-9)


def test_an_index_that_no_plan_keeps_is_named() -> None:
    plan = solve(served(), spec(Capacity(), Concentration(hhi=0.2)))
    assert plan.status == "infeasible"
    assert plan.conflict
    assert any(name.startswith("concentration") for name in plan.conflict)


def test_the_time_limit_holds() -> None:
    plan = solve(served(periods=12), spec(Capacity(), Concentration(hhi=0.3), limit=0.05))
    assert "time limit" in plan.message or plan.status != "optimal"
    assert plan.shown or plan.decisions is None
