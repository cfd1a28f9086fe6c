"""The certificate catches every kind of corrupted plan, and needs neither Pyomo nor a solver to do it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cpm_opt.formulation.audit import Decisions
from cpm_opt.formulation.components import Balance, Capacity, Switching
from cpm_opt.formulation.draft import Weights
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.solve.certificate import certify
from cpm_opt.solve.recount import doing_nothing, recount
from tests.portfolio.small import DECISION, built

COMPONENTS = (Capacity(), Balance(), Switching())
WEIGHTS = Weights(1.0, 1.0, 0.05)
TABLES = {
    **DECISION,
    "levers": "lever,choice,scope,hold\nservice,mix,segment,\ntariff,single,tier,2\nvisit,mix,segment,",
    "options": "lever,option,base\nservice,basic,true\nservice,plus,false\ntariff,keep,true\ntariff,up5,false\n"
    "visit,none,true\nvisit,yearly,false",
    "segments": "segment,customers,margin,kind,tier,whole\ngold,100,50,active,top,true\n"
    "silver,400,10,active,low,false\nlater,30,0,prospect,low,false",
    "effects": "segment,lever,option,offered,margin\nsilver,visit,yearly,false,0\ngold,service,plus,true,5",
    "resources": "resource,capacity,unit,extra_capacity,extra_cost\nhours,120,hours,20,3",
    "usage": "resource,amount,segment,lever,option\nhours,1,gold,,\nhours,0.5,,service,plus",
    "balance": "rule,measure,members,sense,value\nkeep gold,customers,gold,min,90",
}


def option(portfolio: Portfolio, name: str) -> int:
    return portfolio.options.index(name)


def moved(
    decisions: Decisions, segment: int, source: int, target: int, customers: float, t: int
) -> Decisions:
    on = decisions.customers_on.copy()
    on[segment, source, t] -= customers
    on[segment, target, t] += customers
    return replace(decisions, customers_on=on)


def chosen(portfolio: Portfolio, decisions: Decisions, group: str, name: str, t: int) -> Decisions:
    number = [lever.name for lever in portfolio.levers].index("tariff")
    picks = list(decisions.chosen)
    picks[number] = picks[number].copy()
    picks[number][portfolio.levers[number].groups.index(group), t] = option(portfolio, name)
    return replace(decisions, chosen=tuple(picks))


def extra(decisions: Decisions, amount: float) -> Decisions:
    return replace(decisions, extra=np.full_like(decisions.extra, amount))


def lost(decisions: Decisions, segment: int) -> Decisions:
    on = decisions.customers_on.copy()
    on[segment, :, 1] *= 0.99
    return replace(decisions, customers_on=on)


def added(decisions: Decisions, segment: int, position: int, customers: float) -> Decisions:
    on = decisions.customers_on.copy()
    on[segment, position, 0] += customers
    return replace(decisions, customers_on=on)


def not_a_number(decisions: Decisions) -> Decisions:
    on = decisions.customers_on.copy()
    on[0, 0, 0] = np.nan
    return replace(decisions, customers_on=on)


Corruption = Callable[[Portfolio, Decisions], Decisions]
GOLD, LATER, SILVER = 0, 1, 2
CORRUPTIONS: dict[str, tuple[str, Corruption]] = {
    "a customer served twice": (
        "do not add up",
        lambda p, d: added(d, SILVER, option(p, "basic"), 1.0),
    ),
    "customers lost on the way": ("do not add up", lambda p, d: lost(d, SILVER)),
    "negative customers": (
        "negative",
        lambda p, d: moved(d, LATER, option(p, "basic"), option(p, "plus"), -5.0, 0),
    ),
    "an option that is not offered": (
        "not offered",
        lambda p, d: moved(d, SILVER, option(p, "none"), option(p, "yearly"), 5.0, 0),
    ),
    "part of a customer of a firm": (
        "parts of a customer",
        lambda p, d: moved(d, GOLD, option(p, "none"), option(p, "yearly"), 0.5, 0),
    ),
    "customers beside their group's choice": (
        "another option",
        lambda p, d: moved(d, SILVER, option(p, "keep"), option(p, "up5"), 3.0, 0),
    ),
    "a choice without its customers": ("another option", lambda p, d: chosen(p, d, "top", "up5", 0)),
    "a choice of another lever": ("without one option", lambda p, d: chosen(p, d, "top", "plus", 0)),
    "a held choice that changes": (
        "hold",
        lambda p, d: chosen(
            p, moved(d, GOLD, option(p, "keep"), option(p, "up5"), 100.0, 1), "top", "up5", 1
        ),
    ),
    "use over capacity": (
        "capacity hours",
        lambda p, d: moved(d, SILVER, option(p, "basic"), option(p, "plus"), 100.0, 0),
    ),
    "more extra capacity than there is": ("extra capacity of hours", lambda p, d: extra(d, 20.5)),
    "negative extra capacity": ("extra capacity of hours", lambda p, d: extra(d, -1.0)),
    "no number": ("no finite numbers", lambda p, d: not_a_number(d)),
}


def value_of(portfolio: Portfolio, decisions: Decisions) -> float:
    countable = replace(decisions, customers_on=np.nan_to_num(decisions.customers_on))
    return recount(portfolio, countable, COMPONENTS, WEIGHTS)[0].objective


def test_doing_nothing_passes() -> None:
    portfolio = built(TABLES)
    idle = doing_nothing(portfolio)
    certificate, _ = certify(portfolio, idle, COMPONENTS, WEIGHTS, value_of(portfolio, idle), None)
    assert certificate.passed, certificate.where


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
def test_catches(name: str) -> None:
    where, corrupt = CORRUPTIONS[name]
    portfolio = built(TABLES)
    decisions = corrupt(portfolio, doing_nothing(portfolio))
    certificate, _ = certify(portfolio, decisions, COMPONENTS, WEIGHTS, value_of(portfolio, decisions), None)
    assert not certificate.passed
    assert where in certificate.where


def test_catches_an_objective_that_is_not_the_plans() -> None:
    portfolio = built(TABLES)
    idle = doing_nothing(portfolio)
    claimed = value_of(portfolio, idle) * (1.0 + 3e-6)
    certificate, _ = certify(portfolio, idle, COMPONENTS, WEIGHTS, claimed, None)
    assert not certificate.passed
    assert "objective" in certificate.where


def test_catches_a_broken_rule_of_balance_but_not_a_soft_one() -> None:
    hard = {**TABLES, "balance": "rule,measure,members,sense,value\nmore gold,customers,gold,min,101"}
    soft = {
        **TABLES,
        "balance": "rule,measure,members,sense,value,penalty\nmore gold,customers,gold,min,101,2",
    }
    verdicts = []
    for tables in (hard, soft):
        portfolio = built(tables)
        idle = doing_nothing(portfolio)
        certificate, counted = certify(portfolio, idle, COMPONENTS, WEIGHTS, value_of(portfolio, idle), None)
        verdicts.append((certificate.passed, [round(float(x.sum()), 9) for x in counted.penalties.values()]))
    assert verdicts == [(False, []), (True, [4.0])]  # one customer short, in two periods, at 2 each


def test_knows_no_pyomo_and_no_solver() -> None:
    code = (
        "import sys, cpm_opt.solve.certificate;"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('pyomo', 'highspy')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
