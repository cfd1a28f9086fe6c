"""Repair: cheapest by enumeration, conflicts irreducible by solving without each rule, and the repaired plan solved."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.pipeline import Problem, read_problem
from cpm_opt.report import text_of
from cpm_opt.report.repairs import repair_report
from cpm_opt.solve.session import Session
from cpm_opt.study.repair import BEYOND, Repair, changed, repair
from tests.reference.formulation import build
from tests.reference.generate import ALONE, MONEY, PRESETS, random_instance
from tests.reference.read import read_case
from tests.study.plans import instance, model, problem

TABLES = {
    "segments": "segment,customers,margin\ngold,10,10\nsilver,20,2",
    "levers": "lever,choice\nservice,{choice}",
    "options": "lever,option,base\nservice,basic,true\nservice,plus,false",
    "effects": "segment,lever,option,margin\ngold,service,plus,1\nsilver,service,plus,2",
    "resources": "resource,capacity,unit,repair_cost\nhours,{hours},hours,{hours_cost}\n"
    "support,{support},calls,{support_cost}",
    "usage": "resource,amount,segment,lever,option\nhours,1,gold,service,plus\nhours,1,silver,service,plus\n"
    "support,1,silver,service,plus\nsupport,0.5,gold,,",
    "balance": "rule,measure,members,sense,value,repair_cost\nuse gold,use:hours,gold,min,{gold},{gold_cost}\n"
    "earn,margin,all,min,{earn},{earn_cost}",
}
BLANK = {"hours_cost": "", "support_cost": "", "gold_cost": "", "earn_cost": ""}
COMPONENTS = "capacity balance"


def tables(**numbers: object) -> dict[str, str]:
    filled = {"choice": "mix", "hours": 4, "support": 8, "gold": 6, "earn": 140, **BLANK, **numbers}
    return {name: text.format(**filled) for name, text in TABLES.items()}


def drawn(seed: int) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    return {
        "choice": ["mix", "single"][seed % 2],
        "hours": int(rng.integers(0, 8)),
        "support": int(rng.integers(4, 8)),
        "gold": int(rng.integers(2, 10)),
        "earn": int(rng.integers(141, 165)),
    }


def places(of: Problem) -> list[tuple[str, str, str, int]]:
    rules = [("balance", "value", rule.name, 0) for rule in of.portfolio.balance]
    return [("resources", "capacity", "hours", 0), ("resources", "capacity", "support", 0), *rules]


def keeps_rules(session: Session, of: Problem, values: dict[tuple[str, str, str, int], float]) -> bool:
    return session.solve(changed(of, values).portfolio).status == "optimal"


def changes_of(found: Repair) -> dict[tuple[str, str, str, int], float]:
    return {(c.number.table, c.number.column, c.number.name, c.number.period): c.to for c in found.changes}


@pytest.mark.parametrize("seed", range(4))
def test_no_cheaper_change_on_a_grid_keeps_the_rules(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    prices = {name: int(rng.integers(1, 9)) for name in BLANK}
    of = problem(tmp_path, tables(**drawn(seed), **prices), COMPONENTS, periods=1)
    found = repair(of)
    with Session(of.spec) as session:
        if found.status == "feasible":
            assert keeps_rules(session, of, {})
            return
        assert found.status == "repaired"
        assert found.plan is not None
        assert found.plan.shown
        assert keeps_rules(session, of, changes_of(found))
        names = ("hours_cost", "support_cost", "earn_cost", "gold_cost")
        costs = dict(zip(places(of), (prices[name] for name in names), strict=True))
        for change in found.changes:
            place = (change.number.table, change.number.column, change.number.name, change.number.period)
            assert change.cost == pytest.approx(costs[place] * abs(change.to - change.number.value))
        start = {("resources", "capacity", "hours", 0): float(drawn(seed)["hours"])}  # type: ignore[arg-type]
        start |= {("resources", "capacity", "support", 0): float(drawn(seed)["support"])}  # type: ignore[arg-type]
        start |= {("balance", "value", rule.name, 0): rule.value for rule in of.portfolio.balance}
        sign = {place: 1 if place[0] == "resources" else -1 for place in start}
        cheaper = 0
        for steps in itertools.product(range(0, 21, 5), repeat=4):
            moved = dict(zip(start, steps, strict=True))
            if sum(costs[place] * step for place, step in moved.items()) < found.total_cost - 1e-6:
                cheaper += 1
                assert not keeps_rules(session, of, {p: start[p] + sign[p] * moved[p] for p in start}), moved
        assert cheaper


@pytest.mark.parametrize("seed", range(4))
def test_without_costs_the_fewest_rules_are_changed(tmp_path: Path, seed: int) -> None:
    of = problem(tmp_path, tables(**drawn(seed)), COMPONENTS, periods=1)
    found = repair(of)
    if found.status == "feasible":
        return
    far = dict(zip(places(of), (1e4, 1e4, -1e4, -1e4), strict=True))
    with Session(of.spec) as session:
        assert keeps_rules(session, of, changes_of(found))
        for count in range(len(found.changes)):
            for chosen in itertools.combinations(far, count):
                assert not keeps_rules(session, of, {place: far[place] for place in chosen})
        # The least relative size: a little less of any one change, and the rules cannot be kept.
        for change in found.changes:
            place = (change.number.table, change.number.column, change.number.name, change.number.period)
            less = {
                **changes_of(found),
                place: change.number.value + 0.98 * (change.to - change.number.value),
            }
            assert not keeps_rules(session, of, less)
    assert found.total_cost == len(found.changes)


def without(of: Problem, left_out: Iterable[str]) -> Problem:
    """The problem without rules: capacities without limit, balance rules gone."""
    p, gone = of.portfolio, set(left_out)
    capacity = p.resources.capacity.copy()
    for position, name in enumerate(p.resources.names):
        if f"capacity {name}" in gone:
            capacity[position] = np.inf
    kept = tuple(rule for rule in p.balance if rule.name not in gone)
    return replace(of, portfolio=replace(p, balance=kept, resources=replace(p.resources, capacity=capacity)))


@pytest.mark.parametrize("choice", ["mix", "single"])
@pytest.mark.parametrize("seed", range(4))
def test_a_conflict_is_irreducible(tmp_path: Path, choice: str, seed: int) -> None:
    of = problem(tmp_path, tables(**{**drawn(seed), "choice": choice}), COMPONENTS, periods=2)
    found = repair(of)
    every = {"capacity hours", "capacity support", "use gold", "earn"}
    assert set(found.conflict) <= every
    with Session(of.spec) as session:
        if found.status == "feasible":
            assert found.conflict == ()
            assert session.solve(of.portfolio).status == "optimal"
            return
        assert session.solve(without(of, every - set(found.conflict)).portfolio).status == "infeasible"
        for rule in found.conflict:
            rest = set(found.conflict) - {rule}
            assert session.solve(without(of, every - rest).portfolio).status == "optimal", rule


def test_a_blank_cost_is_not_negotiable_where_others_are_stated(tmp_path: Path) -> None:
    found = repair(problem(tmp_path / "a", tables(earn_cost=100), COMPONENTS, periods=1))
    assert found.status == "not_repairable"
    assert found.conflict == ("capacity hours", "use gold")
    found = repair(problem(tmp_path / "b", tables(hours_cost=100), COMPONENTS, periods=1))
    assert [
        (change.number.rule, change.number.value, change.to, change.cost) for change in found.changes
    ] == [("capacity hours", 4.0, pytest.approx(6.0), pytest.approx(200.0))]


def test_a_share_moves_by_what_is_missing_and_a_number_once_for_all_periods(tmp_path: Path) -> None:
    shares = {
        "segments": "segment,customers,margin\ngold,100,10\nsilver,300,2",
        "balance": "rule,measure,members,sense,value,basis,repair_cost\nmix,customers,gold,min,0.5,share,7",
        "migration": "from,to,rate\ngold,gold,0.9\nsilver,silver,1",
    }
    found = repair(problem(tmp_path, shares, "balance", periods=2))
    (change,) = found.changes
    # After two periods 81 of 381 are gold, which is 109.5 fewer than half.
    assert (change.number.value, change.to) == (0.5, pytest.approx(81 / 381))
    assert change.cost == pytest.approx(7 * (0.5 * 381 - 81))
    assert found.conflict == ("mix",)


def test_a_row_of_a_period_and_what_capacity_costs_in_cash(tmp_path: Path) -> None:
    dated = {
        **tables(gold=0, earn=0),
        "resources": "resource,capacity,unit,period,repair_cost,capacity_cost,max_utilisation\n"
        "hours,10,hours,,4,1,0.5\nhours,2,hours,2,3,1,0.5",
        "usage": "resource,amount,segment\nhours,0.5,gold",
        "balance": "rule,measure,members,sense,value\nany,customers,all,min,1",
    }
    found = repair(problem(tmp_path / "a", dated, COMPONENTS))
    assert [(c.number.rule, c.number.period, c.to, c.cost) for c in found.changes] == [
        ("capacity hours", 2, pytest.approx(10.0), pytest.approx(24.0))
    ]
    broke = "[components.capacity]\n[components.balance]\n[components.cash]\nopening = -1000.0\ncredit_limit = 0.0\n"
    found = repair(problem(tmp_path / "b", dated, broke, periods=1))
    assert found.conflict == ("cash credit",)
    assert found.status == "not_repairable"


def test_rules_on_prices_and_pins_contradict_each_other_where_choices_are_whole(tmp_path: Path) -> None:
    priced = {
        "segments": "segment,customers,margin\ngold,10,10\nsilver,20,2",
        "levers": "lever,choice,scope\ntariff,single,segment",
        "options": "lever,option,base,price_change\ntariff,keep,true,\ntariff,up10,false,0.1\ntariff,up30,false,0.3",
        "effects": "segment,lever,option,margin\ngold,tariff,up10,1\ngold,tariff,up30,3",
        "price_rules": "rule,lever,kind,group,value,other_group\nsteps,tariff,step,,0.15,\n"
        "alike,tariff,equal,gold,,silver",
        "balance": "rule,measure,members,sense,value,repair_cost\nearn,margin,gold,min,125,2",
    }
    found = repair(problem(tmp_path / "a", priced, "price balance", periods=1))
    # One step of 15 % allows up10 in the first period: 110 of margin; 125 needs up30.
    assert found.conflict == ("earn", "steps")
    assert [(c.number.rule, c.to, c.cost) for c in found.changes] == [
        ("earn", pytest.approx(110), pytest.approx(30))
    ]
    pinned = problem(
        tmp_path / "b", priced, "price", periods=2, fix=("tariff=up30@silver:2", "tariff=keep@gold:2")
    )
    found = repair(pinned)
    assert found.status == "not_repairable"
    assert found.conflict == ("alike", "fix tariff=keep@gold:2", "fix tariff=up30@silver:2")


def test_a_number_holds_in_every_scenario(tmp_path: Path) -> None:
    risky = {
        **tables(hours_cost=2, gold=6),
        "scenarios": "scenario,probability,target,factor,resource\ngood,0.5,,,\nbad,0.5,resources.capacity,0.5,hours",
    }
    of = problem(
        tmp_path, risky, "[components.capacity]\n[components.balance]\n[components.risk]\n", periods=2
    )
    found = repair(of)
    assert [(c.number.rule, c.to, c.cost) for c in found.changes] == [
        ("capacity hours", pytest.approx(12), pytest.approx(16))
    ]
    assert found.plan is not None
    assert found.plan.shown
    assert len(found.plan.scenarios) == 2


@pytest.mark.parametrize("preset", ["lp", "everything", "everything and rules"])
def test_the_reference_finds_a_plan_where_it_found_none(tmp_path: Path, preset: str) -> None:
    features = {**PRESETS, **ALONE, **MONEY}[preset]
    for seed in range(2100, 2103):
        folder = tmp_path / str(seed)
        of = random_instance(seed, folder, frozenset(features | {"infeasible"}))
        assert build(read_case(folder, of)).solve().status == "infeasible"
        found = repair(read_problem(folder, of))
        assert found.status == "repaired"
        assert found.conflict
        for change in found.changes:
            path = folder / f"{change.number.table}.csv"
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            mine = table["resource" if change.number.table == "resources" else "rule"] == change.number.name
            if "period" in table.columns:
                mine &= table["period"] == (str(change.number.period) if change.number.period else "")
            assert mine.sum() == 1
            table.loc[mine, change.number.column] = repr(change.to)
            table.to_csv(path, index=False)
        assert build(read_case(folder, of)).solve().status == "optimal", seed


def test_beyond_repair_the_key_that_eases_a_rule_is_named(tmp_path: Path) -> None:
    plain = {"segments": "segment,customers,margin\nfirm,100,10"}
    found = repair(problem(tmp_path, plain, "[components.cash]\nopening = -9000\n"))
    assert (found.status, found.conflict) == (BEYOND, ("cash credit",))
    told = " ".join(text_of(repair_report(found), io.StringIO()).split())
    assert told.endswith("To ease cash credit, change components.cash.credit_limit or opening.")


def test_the_command(tmp_path: Path) -> None:
    folder, of = instance(tmp_path / "i", tables(hours_cost=5)), model(tmp_path, COMPONENTS, 1)
    words = ["repair", str(folder), "--model", str(of), "--json"]
    done = CliRunner().invoke(app, words)
    answer = json.loads(done.stdout)
    assert done.exit_code == 0
    assert answer["status"] == "repaired"
    assert answer["changes"][0].keys() >= {"rule", "from", "to", "cost"}
    assert answer["total_cost"] == pytest.approx(sum(change["cost"] for change in answer["changes"]))
    assert answer["conflict"] == ["capacity hours", "use gold"]
    text = CliRunner().invoke(app, words[:-1]).stdout
    assert "Raise capacity hours from 4 to" in text
    assert "capacity hours and use gold" in text
    instance(folder, tables(gold=0, earn=0))
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, json.loads(done.stdout)["changes"]) == (0, [])
    assert "nothing has to be changed" in CliRunner().invoke(app, words[:-1]).stdout
    instance(folder, tables(earn_cost=5))
    assert CliRunner().invoke(app, words).exit_code == 3
    assert CliRunner().invoke(app, ["repair", str(tmp_path / "none")]).exit_code == 2


def test_a_repair_is_told_in_words(tmp_path: Path) -> None:
    report = repair_report(repair(problem(tmp_path, tables(), COMPONENTS, periods=1)))
    assert [section.name for section in report.sections] == ["conflict", "changes"]
