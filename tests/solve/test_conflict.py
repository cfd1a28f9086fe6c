"""What `cpm solve` tells of an infeasible plan: rules of which each one is needed for the contradiction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cpm_opt.formulation.components import Pins
from cpm_opt.pipeline import Problem, solve_problem
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.solve import conflict, elastic
from cpm_opt.solve.engine import OutOfTime
from cpm_opt.solve.solve import solve
from tests.study.plans import problem

TABLES = {
    "segments": "segment,customers,margin\ngold,10,10\nsilver,20,2",
    "levers": "lever,choice\nservice,{choice}",
    "options": "lever,option,base\nservice,basic,true\nservice,plus,false",
    "effects": "segment,lever,option,margin\ngold,service,plus,1\nsilver,service,plus,2",
    "resources": "resource,capacity,unit\nhours,{hours},hours\nvans,100,vans",
    "usage": "resource,amount,segment,lever,option\nhours,1,,service,plus\nvans,1,gold,service,plus",
    "balance": "rule,measure,members,sense,value\ngold hours,use:hours,gold,min,6\nall hours,use:hours,all,max,29\n"
    "earn,margin,all,min,{earn}\nloose,margin,all,min,1",
}


def asked(folder: Path, choice: str, hours: int, earn: int) -> Problem:
    filled = {"choice": choice, "hours": hours, "earn": earn}
    texts = {name: text.format(**filled) for name, text in TABLES.items()}
    return problem(folder, texts, "capacity balance")


def without(p: Portfolio, rules: set[str]) -> Portfolio:
    """The portfolio without some rules; of a capacity, without its limit."""
    capacity = p.resources.capacity.copy()
    for position, name in enumerate(p.resources.names):
        if f"capacity {name}" in rules:
            capacity[position] = float("inf")
    balance = tuple(rule for rule in p.balance if rule.name not in rules)
    return replace(p, balance=balance, resources=replace(p.resources, capacity=capacity))


def every_rule(p: Portfolio) -> set[str]:
    return {rule.name for rule in p.balance} | {f"capacity {name}" for name in p.resources.names}


@pytest.mark.parametrize(
    ("choice", "hours", "earn", "expected"),
    [
        ("mix", 4, 0, {"capacity hours", "gold hours"}),
        ("single", 8, 0, {"capacity hours", "gold hours"}),  # all of gold or nobody: 10 hours or none
        ("mix", 40, 190, {"all hours", "earn"}),  # only all customers on plus earn so much, in 30 hours
        ("single", 12, 175, {"capacity hours", "earn"}),
    ],
)
def test_the_rules_told_are_irreducible(
    tmp_path: Path, choice: str, hours: int, earn: int, expected: set[str]
) -> None:
    problem_ = asked(tmp_path, choice, hours, earn)
    plan = solve_problem(problem_)
    assert plan.status == "infeasible"
    assert plan.irreducible
    told = set(plan.conflict)
    assert told == expected
    p, every = problem_.portfolio, every_rule(problem_.portfolio)
    assert solve(without(p, every - told), problem_.spec).status == "infeasible"
    for rule in told:
        assert solve(without(p, every - told | {rule}), problem_.spec).shown, rule


def test_a_pin_that_is_in_the_way_is_told(tmp_path: Path) -> None:
    problem_ = asked(tmp_path, "single", 12, 0)
    pins = Pins(("service=plus@silver", "service=plus@gold"))
    held = replace(
        problem_, spec=replace(problem_.spec, components={**problem_.spec.components, "pins": pins})
    )
    plan = solve_problem(held)
    assert plan.status == "infeasible"
    assert plan.irreducible
    assert any(name.startswith("fix service=plus@silver") for name in plan.conflict)


def test_without_time_the_solvers_own_word_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object) -> bool:
        raise OutOfTime("test")

    monkeypatch.setattr(elastic.Elastic, "feasible", late)
    plan = solve_problem(asked(tmp_path, "mix", 4, 0))
    assert plan.status == "infeasible"
    assert not plan.irreducible
    assert plan.conflict


def test_a_plan_is_left_as_it_is(tmp_path: Path) -> None:
    problem_ = asked(tmp_path, "mix", 20, 0)
    plan = solve(problem_.portfolio, problem_.spec)
    assert conflict.with_conflict(plan, problem_.portfolio, problem_.spec) is plan
