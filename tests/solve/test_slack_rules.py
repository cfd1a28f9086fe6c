"""A rule that does not bind costs nothing: with every rule on and slack, the optimum is that without them."""

from __future__ import annotations

import pytest

from cpm_opt.formulation.components import (
    Balance,
    Capacity,
    Cash,
    Component,
    Concentration,
    Options,
    Price,
    Risk,
    Robust,
    Switching,
)
from cpm_opt.formulation.spec import Horizon, ModelSpec
from cpm_opt.portfolio.scenarios import build_scenarios
from cpm_opt.solve.solve import solve
from tests.portfolio.small import DECISION, INFO, built, frames

TABLES = {
    **DECISION,
    "options": "lever,option,base,price_change\nservice,basic,true,\nservice,plus,false,\ntariff,keep,true,0\n"
    "tariff,up5,false,0.05",
    "effects": "segment,lever,option,margin,margin_se\ngold,service,plus,20,5\nsilver,service,plus,-4,1\n"
    "gold,tariff,up5,2,1\nsilver,tariff,up5,1,1",
    "migration": "from,to,rate\ngold,gold,0.8\ngold,silver,0.1\nsilver,silver,0.9\nsilver,gold,0.05\n"
    "later,later,0.7\nlater,silver,0.2",
    "migration_effects": "from,to,lever,option,rate\ngold,gold,tariff,up5,-0.1\nsilver,silver,tariff,up5,-0.02",
    "resources": "resource,capacity,unit\nhours,100000,hours",
    "usage": "resource,amount,segment,lever,option\nhours,0.5,,service,plus",
    "balance": "rule,measure,members,sense,value\nsome,customers,all,min,1",
    "price_rules": "rule,lever,kind,group,other_group,value\nsteps,tariff,step,,,1\nin all,tariff,total_step,,,1\n"
    "not more,tariff,order,low,top,9\nfew,tariff,max_changes,,,9",
    "option_rules": "rule,lever,option,kind,value,members\nroom,service,plus,max,100000,all\n"
    "all of it,service,basic,floor,0,all",
    "scenarios": "scenario,probability,target,factor\nonly,1,,",
}
SLACK: tuple[Component, ...] = (
    Capacity(),
    Balance(),
    Switching(),
    Price(),
    Options(),
    Cash(opening=1e8),
    Concentration(measure="margin", top_k=1, top_share=1.0, hhi=1.0),
    Robust(budget=0, width=1.0),
    Risk(measure="cvar", alpha=0.9, weight=0.5),
)


@pytest.mark.parametrize("parts", [(part,) for part in SLACK] + [SLACK], ids=lambda parts: parts[-1].name)
def test_the_optimum_is_that_without_the_rules(parts: tuple[Component, ...]) -> None:
    portfolio = built(TABLES, periods=3)
    scenarios = (
        build_scenarios(frames(TABLES), INFO, 3) if any(isinstance(part, Risk) for part in parts) else ()
    )
    horizon = Horizon(3, 0.05)
    free = solve(portfolio, ModelSpec("m", "M", horizon))
    bound = solve(
        portfolio,
        ModelSpec("m", "M", horizon, components={part.name: part for part in parts}),
        scenarios=scenarios,
    )
    assert free.status == bound.status == "optimal"
    assert bound.objective == pytest.approx(free.objective, rel=1e-8)
    assert bound.shown
