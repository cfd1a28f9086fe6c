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


def test_of_two_free_options_it_takes_the_better_whatever_their_names() -> None:
    """100 customers, options of +1 and +5 a customer that take no capacity: 1000 + 500."""
    for worse, better in (("a", "b"), ("b", "a")):
        tables = {
            "segments": "segment,customers,margin\nA,100,10",
            "levers": "lever,choice\nfee,mix",
            "options": f"lever,option,base\nfee,now,true\nfee,{worse},false\nfee,{better},false",
            "effects": f"segment,lever,option,margin\nA,fee,{worse},1\nA,fee,{better},5",
        }
        assert greedy(built(tables, periods=1), SPEC).recount.profit == pytest.approx(1500.0)


def test_who_took_a_free_option_moves_on_to_a_better_one_that_takes_capacity() -> None:
    """a is free and comes first; b then takes 1 hour a customer for 4 more, and there are 60: 1000 + 100 + 60 x 4."""
    tables = {
        "segments": "segment,customers,margin\nA,100,10",
        "levers": "lever,choice\nfee,mix",
        "options": "lever,option,base\nfee,now,true\nfee,a,false\nfee,b,false",
        "effects": "segment,lever,option,margin\nA,fee,a,1\nA,fee,b,5",
        "usage": "resource,amount,lever,option\nhours,1,fee,b",
        "resources": "resource,capacity\nhours,60",
    }
    assert greedy(built(tables, periods=1), SPEC).recount.profit == pytest.approx(1340.0)


def renamed(seed: int, shuffled: bool) -> dict[str, str]:
    """A drawn instance of a lever by segment and one by group; `shuffled`: other names of options and order of rows."""
    rng, order = np.random.default_rng(seed), np.random.default_rng(seed + 1000)
    segments = [f"s{number}" for number in range(4)]
    levers = {"care": ["o1", "o2", "o3", "o4"], "fee": ["p1", "p2", "p3"]}
    new = {old: old for options in levers.values() for old in options}
    if shuffled:
        for options in levers.values():
            new |= dict(zip(options, order.permutation(options).tolist(), strict=True))
    rows = {
        "segments": [f"{s},{rng.integers(5, 50)},{rng.uniform(5, 20)},t{k % 2}" for k, s in enumerate(segments)],
        "options": [
            f"{lever},{new[o]},{'true' if o == options[0] else 'false'},{rng.uniform(0, 9) * (lever == 'fee')},0.4"
            for lever, options in levers.items() for o in options
        ],
        "effects": [
            f"{s},{lever},{new[o]},{rng.uniform(-2, 9)}"
            for lever, options in levers.items() for o in options[1:] for s in segments
        ],
        "usage": [
            f"hours,{rng.choice([0.0, rng.uniform(-1, 3)])},{lever},{new[o]}"
            for lever, options in levers.items() for o in options[1:]
        ],
        "migration": [f"{s},{s},{rng.uniform(0.5, 1)}" for s in segments],
    }  # fmt: skip
    if shuffled:
        rows = {name: order.permutation(lines).tolist() for name, lines in rows.items()}
    heads = {
        "segments": "segment,customers,margin,tier",
        "options": "lever,option,base,fixed_cost,change_cost",
        "effects": "segment,lever,option,margin",
        "usage": "resource,amount,lever,option",
        "migration": "from,to,rate",
    }
    written_out = {name: "\n".join([heads[name], *lines]) for name, lines in rows.items()}
    levers_table = "lever,choice,scope\ncare,mix,segment\nfee,single,tier"
    return {**written_out, "levers": levers_table, "resources": "resource,capacity\nhours,60"}


@pytest.mark.parametrize("seed", range(14))
def test_names_and_the_order_of_rows_make_no_difference(seed: int) -> None:
    spec = ModelSpec("m", "M", Horizon(2, 0.0), components=SPEC.components)
    one, other = (greedy(built(renamed(seed, shuffled)), spec) for shuffled in (False, True))
    assert one.recount.objective == pytest.approx(other.recount.objective, rel=1e-12)
    assert np.isclose(one.decisions.customers_on.sum(), other.decisions.customers_on.sum())
    assert one.recount.use[0].max() <= 60.0 + 1e-9


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
