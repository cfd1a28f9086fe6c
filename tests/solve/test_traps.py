"""Known traps of the tools, each with its defence; every test here fails without the defence that it names."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cpm_opt.faults import DefectError
from cpm_opt.formulation.components import Balance, Capacity, Switching
from cpm_opt.formulation.compose import compose
from cpm_opt.formulation.draft import Draft, Weights
from cpm_opt.formulation.spec import Horizon, ModelSpec, Solver
from cpm_opt.formulation.statement import state
from cpm_opt.portfolio import Portfolio
from cpm_opt.solve import session
from cpm_opt.solve.engine import Engine
from cpm_opt.solve.linear import compile_model
from cpm_opt.solve.session import Session
from cpm_opt.solve.solve import solve
from tests.portfolio.small import DECISION, built

COMPONENTS = {"capacity": Capacity(), "balance": Balance(), "switching": Switching()}
TABLES = {
    **DECISION,
    "effects": "segment,lever,option,margin\ngold,service,plus,20\nsilver,service,plus,4\n"
    "gold,tariff,up5,2\nsilver,tariff,up5,1",
    "resources": "resource,capacity,unit,extra_capacity,extra_cost\nhours,90,hours,20,3",
    "usage": "resource,amount,segment,lever,option\nhours,0.5,,service,plus",
    "migration": "from,to,rate\ngold,gold,0.8\ngold,silver,0.1\nsilver,silver,0.9\nsilver,gold,0.05\n"
    "later,later,0.7\nlater,silver,0.2",
    "migration_effects": "from,to,lever,option,rate\ngold,gold,tariff,up5,-0.1\nsilver,silver,tariff,up5,-0.02",
}


def spec(**solver: object) -> ModelSpec:
    return ModelSpec("m", "M", Horizon(2, 0.05), components=COMPONENTS, solver=replace(Solver(), **solver))


def draft_of(portfolio: Portfolio) -> Draft:
    return compose(portfolio, COMPONENTS.values(), Weights(1.0, 1.0, 0.05))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1e15, -1e16])
def test_a_number_that_the_solver_would_misread_never_reaches_it(wrong: float) -> None:
    draft = draft_of(built(TABLES))
    rows = draft.rows[-1]
    rows.terms.coefficient[0] = wrong
    with pytest.raises(DefectError, match="1e15"):
        compile_model(state(draft), draft)


def test_a_row_that_the_model_lost_is_noticed() -> None:
    draft = draft_of(built(TABLES))
    model = state(draft)
    model.capacity.limit["hours", 1].deactivate()
    with pytest.raises(DefectError, match="rows"):
        compile_model(model, draft)


def test_a_row_that_the_solver_lost_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = session.loadable

    def without_a_coefficient(program: object) -> dict[str, object]:
        arrays = whole(program)  # type: ignore[arg-type]
        start = arrays["start"].copy()
        start[-1] -= 1
        return {**arrays, "start": start, "index": arrays["index"][:-1], "value": arrays["value"][:-1]}

    monkeypatch.setattr(session, "loadable", without_a_coefficient)
    with pytest.raises(DefectError, match="non-zeros"):
        solve(built(TABLES), spec())


def test_a_rule_whose_terms_all_vanish_still_binds() -> None:
    """A minimum on what is always 0 must end infeasible; a modelling layer would drop the row without variables."""
    rule = "rule,measure,members,sense,value\nsell,revenue,all,min,5"
    assert solve(built({**TABLES, "balance": rule}), spec()).status == "infeasible"


def test_no_old_values_after_an_infeasible_solve() -> None:
    """The same session: first a plan, then a portfolio without one, and no figure of the first may show through."""
    portfolio = built(TABLES)
    tight = replace(portfolio.resources, capacity=portfolio.resources.capacity - 500.0)
    with Session(spec()) as kept:
        first = kept.solve(portfolio)
        second = kept.solve(replace(portfolio, resources=tight))
    assert first.status == "optimal"
    assert second.status == "infeasible"
    assert (second.objective, second.decisions, second.recount, second.certificate) == (
        None,
        None,
        None,
        None,
    )
    assert dict(second.shadow_prices) == {}
    assert second.conflict == ("capacity hours",)


def test_a_solver_that_hangs_is_stopped_soon_after_the_limit() -> None:
    portfolio = built(TABLES)
    with Engine() as engine:
        engine.ask("whole_numbers", False)  # it is up and answers
        os.kill(engine._process.pid, signal.SIGSTOP)
        plan = solve(portfolio, spec(time_limit=1.0), engine)
    # Doing nothing keeps every rule here, so it is the plan for want of a better one; its gap is not known.
    assert plan.status == "feasible"
    assert plan.shown
    assert plan.gap is None
    assert plan.objective == pytest.approx(plan.today.objective)


def test_a_hanging_solver_and_no_plan_at_hand_is_no_solution() -> None:
    rule = "rule,measure,members,sense,value\nmore,margin,all,min,9001"
    with Engine() as engine:
        engine.ask("whole_numbers", False)
        os.kill(engine._process.pid, signal.SIGSTOP)
        plan = solve(built({**TABLES, "balance": rule}), spec(time_limit=0.5), engine)
    assert plan.status == "no_solution"
    assert plan.decisions is None


def test_the_solver_ends_with_its_parent() -> None:
    engine = Engine()
    engine.ask("whole_numbers", False)
    os.close(engine._lifeline)  # what the system does when the parent dies
    assert engine._process.wait(timeout=20) != 0
    engine._lifeline = os.open(os.devnull, os.O_RDONLY)
    engine.close()


def test_prices_of_a_plan_with_integers_come_from_fixed_integers_and_say_so() -> None:
    mixed = "lever,choice,scope\nservice,mix,segment\ntariff,mix,segment"
    assert solve(built(TABLES), spec()).prices_from == "fixed integers"
    assert solve(built({**TABLES, "levers": mixed}), spec()).prices_from == "lp"


def test_shadow_price_is_what_one_more_unit_earns_within_its_range() -> None:
    portfolio = built(TABLES)
    with Session(spec()) as kept:
        plan = kept.solve(portfolio)
        price = plan.shadow_prices["capacity", "hours", 1]
        assert price.price > 0.0
        assert price.high is not None
        step = min(1.0, 0.9 * (price.high - 90.0))
        more = portfolio.resources.capacity.copy()
        more[0, 0] += step
        again = kept.solve(replace(portfolio, resources=replace(portfolio.resources, capacity=more)))
    assert plan.objective is not None
    assert again.objective == pytest.approx(plan.objective + step * price.price, rel=1e-9)


def test_solving_again_edits_the_model_instead_of_building_it() -> None:
    """Capacity, margin, a rate, a cost and a rule's value change; the answers are those of fresh solves."""
    base = built(TABLES)
    changed = [
        built({**TABLES, "resources": TABLES["resources"].replace("90", "60")}),
        built({**TABLES, "segments": DECISION["segments"].replace("50,active", "70,active")}),
        built({**TABLES, "migration": TABLES["migration"].replace("gold,silver,0.1", "gold,silver,0.15")}),
        built({**TABLES, "resources": TABLES["resources"].replace("20,3", "5,30")}),
        base,
    ]
    with Session(spec()) as kept:
        kept.solve(base)
        again = [kept.solve(portfolio).objective for portfolio in changed]
        assert kept.rebuilt == 1
    fresh = [solve(portfolio, spec()).objective for portfolio in changed]
    assert again == pytest.approx(fresh, rel=1e-9)


def test_another_structure_is_built_anew() -> None:
    rule = "rule,measure,members,sense,value\nkeep,customers,gold,min,60"
    with Session(spec()) as kept:
        kept.solve(built(TABLES))
        plan = kept.solve(built({**TABLES, "balance": rule}))
        assert kept.rebuilt == 2
    assert plan.recount is not None
    assert [row.rule for row in plan.recount.rows if row.rule == "keep"] == ["keep", "keep"]


def test_equal_input_gives_an_equal_plan_whatever_the_order_of_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    plans = []
    for _ in range(4):
        shuffled = {}
        for name, text in TABLES.items():
            header, *rows = text.strip().splitlines()
            shuffled[name] = "\n".join([header, *(rows[i] for i in rng.permutation(len(rows)))])
        plan = solve(built(shuffled), spec())
        assert plan.decisions is not None
        plans.append(plan.decisions.customers_on.tobytes())
    assert len(set(plans)) == 1
