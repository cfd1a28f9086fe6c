"""The options component: each kind of rule catches the plan that breaks it, and lets the one that keeps it pass."""

from __future__ import annotations

import pytest

from cpm_opt.formulation.components import Options
from cpm_opt.formulation.draft import Weights
from cpm_opt.solve.certificate import certify
from cpm_opt.solve.recount import doing_nothing, recount
from tests.formulation.component_cases import on_plus, up5_in
from tests.portfolio.small import DECISION, built

HEADER = "rule,lever,option,kind,other_lever,other_option,value,members\n"
WEIGHTS = Weights()


def broken(rule: str, change, **tables: str) -> str:
    """What the certificate says is broken by a change of doing nothing; empty where the plan passes."""
    p = built({**DECISION, "option_rules": HEADER + rule, **tables}, 3)
    plan = change(p, doing_nothing(p))
    objective = recount(p, plan, [Options()], WEIGHTS)[0].objective
    certificate = certify(p, plan, [Options()], WEIGHTS, objective, None)[0]
    return "" if certificate.passed else certificate.where


# 500 customers are active (100 gold, 400 silver) and all on service basic; `on_plus` moves a share of each to plus.
@pytest.mark.parametrize(
    ("rule", "share", "where"),
    [
        ("r,service,plus,min,,,100,all", 0.0, ""),
        ("r,service,plus,min,,,100,all", 0.2, ""),
        ("r,service,plus,min,,,100,all", 0.19, "r in period 1"),
        ("r,service,plus,min,,,100,tier=top", 0.19, "r in period 1"),
        ("r,service,plus,max,,,100,all", 0.2, ""),
        ("r,service,plus,max,,,100,all", 0.21, "r in period 1"),
        ("r,service,plus,max,,,90,silver", 0.21, ""),
        ("r,service,basic,floor,,,0.8,", 0.2, ""),
        ("r,service,basic,floor,,,0.8,silver", 0.21, "r silver in period 1"),
        ("r,service,plus,needs,service,basic,,gold", 0.5, ""),
        ("r,service,plus,needs,service,basic,,gold", 0.51, "r gold in period 1"),
        ("r,service,plus,excludes,tariff,up5,,all", 1.0, ""),
        ("r,service,plus,excludes,tariff,keep,,gold", 0.01, "r gold in period 1"),
    ],
)
def test_the_certificate_catches_what_breaks_a_rule(rule: str, share: float, where: str):
    assert broken(rule, on_plus(share)) == where


@pytest.mark.parametrize(
    ("rule", "periods", "where"),
    [
        ("r,tariff,up5,once,,,,all", (1, 2), ""),
        ("r,tariff,up5,once,,,,all", (2, 3), ""),
        ("r,tariff,up5,once,,,,all", (1, 3), "r top in period 3"),
        ("r,tariff,up5,once,,,,silver", (1, 3), ""),
        ("r,tariff,keep,once,,,,all", (1,), ""),
        ("r,tariff,keep,once,,,,all", (2,), ""),
    ],
)
def test_an_option_is_taken_up_once(rule: str, periods: tuple[int, ...], where: str):
    assert broken(rule, up5_in(*periods)) == where


def test_once_does_not_count_the_option_of_today():
    current = "segment,lever,option,customers\ngold,tariff,up5,100"
    # Gold starts on up5, leaves it in period 1 and comes back: taken up once.
    assert broken("r,tariff,up5,once,,,,all", up5_twice, current=current) == ""


def up5_twice(p, idle):
    """Gold, on up5 today, is on keep in period 1 and on up5 after."""
    on, chosen = idle.customers_on.copy(), [each.copy() for each in idle.chosen]
    keep, up5, gold = p.options.index("keep"), p.options.index("up5"), p.segments.index("gold")
    number = [lever.name for lever in p.levers].index("tariff")
    chosen[number][p.levers[number].groups.index("top"), 0] = keep
    on[gold, keep, 0], on[gold, up5, 0] = on[gold, up5, 0], 0.0
    return type(idle)(on, tuple(chosen), idle.extra)


def test_once_needs_one_option_today_in_its_own_groups_only():
    current = "segment,lever,option,customers\nsilver,tariff,up5,100"
    rules = {"option_rules": HEADER + "r,tariff,up5,once,,,,all", "current": current}
    (fault,) = Options().check(built({**DECISION, **rules}))
    assert fault.code == "split_group"
    rules["option_rules"] = HEADER + "r,tariff,up5,once,,,,gold"
    assert Options().check(built({**DECISION, **rules})) == ()
