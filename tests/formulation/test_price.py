"""The price component: each kind of rule catches the plan that breaks it, and lets the one that keeps it pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cpm_opt.formulation.audit import Decisions
from cpm_opt.formulation.components import Price
from cpm_opt.formulation.draft import Weights
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.solve.certificate import certify
from cpm_opt.solve.recount import doing_nothing, recount
from tests.formulation.component_cases import PRICES
from tests.portfolio.small import DECISION, built

OPTIONS = PRICES + "tariff,up9,false,0.09\n"
HEADER = "rule,lever,kind,group,other_group,value\n"
WEIGHTS = Weights()


def priced(rule: str, current: str = "") -> Portfolio:
    more = {"current": f"segment,lever,option,customers\n{current}"} if current else {}
    return built({**DECISION, "options": OPTIONS, "price_rules": HEADER + rule, **more}, 3)


def with_tariffs(p: Portfolio, low: str, top: str) -> Decisions:
    """All customers on the tariffs of their tier, three options of each separated by blanks."""
    idle = doing_nothing(p)
    (number,) = (k for k, lever in enumerate(p.levers) if lever.name == "tariff")
    lever, on = p.levers[number], idle.customers_on.copy()
    chosen = np.array([[p.options.index(option) for option in row.split()] for row in (low, top)])
    on[:, np.array(lever.options)] = 0.0
    for s in range(len(p.segments)):
        for t in range(p.periods):
            on[s, chosen[lever.group_of[s], t], t] = p.customers[s]
    levers = [chosen if k == number else old for k, old in enumerate(idle.chosen)]
    return replace(idle, customers_on=on, chosen=tuple(levers))


def broken(p: Portfolio, plan: Decisions) -> str:
    """What the certificate says is broken; empty where the plan passes."""
    objective = recount(p, plan, [Price()], WEIGHTS)[0].objective
    certificate = certify(p, plan, [Price()], WEIGHTS, objective, None)[0]
    return "" if certificate.passed else certificate.where


@pytest.mark.parametrize(
    ("rule", "low", "top", "where"),
    [
        ("r,tariff,step,,,0.05", "up5 up9 up5", "keep keep up5", ""),
        ("r,tariff,step,,,0.05", "keep up9 up9", "keep keep keep", "r low, rise in period 2"),
        ("r,tariff,step,top,,0.05", "keep up9 up9", "keep keep keep", ""),
        ("r,tariff,step,,,0.05", "up5 up9 keep", "keep keep keep", "r low, fall in period 3"),
        ("r,tariff,total_step,,,0.05", "keep up5 up9", "up5 keep up5", "r low, rise in period 3"),
        ("r,tariff,order,top,low,", "keep up5 up5", "keep keep up5", ""),
        ("r,tariff,order,top,low,", "keep up5 keep", "keep up5 up5", "r top against low in period 3"),
        ("r,tariff,order,,low,1.05", "keep keep keep", "up5 up5 keep", ""),
        ("r,tariff,order,,low,1.05", "keep keep keep", "up5 up9 keep", "r top against low in period 2"),
        ("r,tariff,equal,,low,", "up5 up9 keep", "up5 up9 keep", ""),
        ("r,tariff,equal,,low,", "up5 up9 keep", "up5 up5 keep", "r top against low, at least in period 2"),
        ("r,tariff,equal,,low,", "up5 up9 keep", "up9 up9 keep", "r top against low, at most in period 1"),
        ("r,tariff,max_changes,,,1", "up5 up5 keep", "keep up9 up9", ""),
        ("r,tariff,max_changes,,,1", "up5 up5 keep", "keep up9 up5", "r in period 3"),
        ("r,tariff,max_changes,,,0", "up5 up5 up5", "keep keep keep", "r in period 1"),
    ],
)
def test_the_certificate_catches_what_breaks_a_rule(rule: str, low: str, top: str, where: str):
    p = priced(rule)
    assert broken(p, with_tariffs(p, low, top)) == where


def test_steps_start_from_today():
    p = priced("r,tariff,step,,,0.05", "gold,tariff,up9,100")
    assert broken(p, with_tariffs(p, "keep keep keep", "up5 keep keep")) == ""
    assert broken(p, with_tariffs(p, "keep keep keep", "keep keep keep")) == "r top, fall in period 1"


@pytest.mark.parametrize("kind", ["step", "total_step", "max_changes"])
def test_a_group_on_two_options_today_is_a_fault_where_the_rule_starts_from_it(kind: str):
    (fault,) = Price().check(priced(f"r,tariff,{kind},,,1", "silver,tariff,up9,100"))
    assert (fault.code, fault.warning) == ("split_group", False)
    assert Price().check(priced("r,tariff,step,top,,1", "silver,tariff,up9,100")) == ()
    assert Price().check(priced("r,tariff,order,top,low,1", "silver,tariff,up9,100")) == ()


def test_prices_that_never_change_are_doubtful():
    p = built({**DECISION, "price_rules": HEADER + "r,tariff,step,,,0.1"})
    (warning,) = Price().check(p)
    assert warning.warning
    assert warning.code == "no_prices"
