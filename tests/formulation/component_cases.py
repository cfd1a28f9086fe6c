"""One small case a component: the tables, a plan that keeps the rule and one that breaks it.

A new component adds an entry here; `test_components.py` fails while it has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from cpm_opt.formulation.audit import Decisions
from cpm_opt.formulation.components import (
    Balance,
    Capacity,
    Cash,
    Component,
    Concentration,
    Options,
    Pins,
    Price,
    Robust,
    Switching,
    Unchanged,
)
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.solve.recount import doing_nothing
from tests.portfolio.small import DECISION, built


@dataclass(frozen=True)
class Case:
    """Tables beside those of `DECISION`, and how to come from doing nothing to a good and to a bad plan (which a rule
    does not have that only weighs plans)."""

    component: Component
    bad: Callable[[Portfolio, Decisions], Decisions] | None = None
    good: Callable[[Portfolio, Decisions], Decisions] = field(default=lambda _portfolio, idle: idle)
    tables: Mapping[str, str] = field(default_factory=dict)

    def portfolio(self) -> Portfolio:
        return built({**DECISION, **self.tables})

    def plan(self, of: Callable[[Portfolio, Decisions], Decisions]) -> Decisions:
        """The good plan or the bad one."""
        portfolio = self.portfolio()
        return of(portfolio, doing_nothing(portfolio))


def on_plus(share: float) -> Callable[[Portfolio, Decisions], Decisions]:
    """`share` of everybody on service plus."""

    def moved(portfolio: Portfolio, idle: Decisions) -> Decisions:
        on = idle.customers_on.copy()
        basic, plus = (portfolio.options.index(option) for option in ("basic", "plus"))
        on[:, plus] = share * on[:, basic]
        on[:, basic] *= 1.0 - share
        return replace(idle, customers_on=on)

    return moved


def up5_in(*periods: int) -> Callable[[Portfolio, Decisions], Decisions]:
    """The tariff of tier top goes up in these periods."""

    def raised(portfolio: Portfolio, idle: Decisions) -> Decisions:
        number = [lever.name for lever in portfolio.levers].index("tariff")
        lever = portfolio.levers[number]
        chosen = list(idle.chosen)
        chosen[number] = chosen[number].copy()
        up5, top = portfolio.options.index("up5"), lever.groups.index("top")
        on = idle.customers_on.copy()
        members = np.flatnonzero(lever.group_of == top)
        for t in (period - 1 for period in periods):
            chosen[number][top, t] = up5
            on[members, up5, t] = on[members, lever.base, t]
            on[members, lever.base, t] = 0.0
        return replace(idle, customers_on=on, chosen=tuple(chosen))

    return raised


def low_on_plus_in_2(portfolio: Portfolio, idle: Decisions) -> Decisions:
    """Silver, the active segment of tier low, is all on service plus in period 2."""
    on, silver = idle.customers_on.copy(), portfolio.segments.index("silver")
    on[silver, portfolio.options.index("plus"), 1] = on[silver, portfolio.options.index("basic"), 1]
    on[silver, portfolio.options.index("basic"), 1] = 0.0
    return replace(idle, customers_on=on)


PRICES = """lever,option,base,price_change
service,basic,true,
service,plus,false,
tariff,keep,true,
tariff,up5,false,0.05
"""

CASES = {
    "capacity": Case(
        Capacity(),
        good=on_plus(0.25),
        bad=on_plus(0.5),
        tables={
            "resources": "resource,capacity,unit,unit_cost,capacity_cost,extra_capacity,extra_cost,max_utilisation\n"
            "hours,400,hours,2,1,40,5,0.8",
            "usage": "resource,amount,segment,lever,option\nhours,0.25,,,\nhours,0.6,,service,plus\nhours,1,gold,,",
        },
    ),
    "balance": Case(
        Balance(),
        bad=on_plus(1.0),
        tables={
            "effects": "segment,lever,option,margin\ngold,service,plus,20\nsilver,service,plus,-4",
            "balance": "rule,measure,members,sense,value,basis,penalty\n"
            "gold's part of margin,margin,gold,max,0.6,share,\n"
            "enough silver,customers,silver,min,300,amount,\n"
            "margin a head,margin,all,min,21,mean,1.5",
        },
    ),
    "switching": Case(
        Switching(),
        good=up5_in(1, 2),
        bad=up5_in(2),
        tables={
            "levers": "lever,choice,scope,hold\nservice,mix,segment,\ntariff,single,tier,2",
            "options": "lever,option,base,change_cost\n"
            "service,basic,true,\nservice,plus,false,3\ntariff,keep,true,\ntariff,up5,false,0.5",
            "current": "segment,lever,option,customers\nsilver,service,plus,50",
        },
    ),
    "price": Case(
        Price(),
        bad=up5_in(1),
        tables={
            "options": PRICES,
            "price_rules": "rule,lever,kind,group,other_group,value\n"
            "small steps,tariff,step,,,0.05\nnear today,tariff,total_step,low,,0.04\n"
            "top pays more,tariff,order,low,top,\none price,tariff,equal,low,top,\none at once,tariff,max_changes,,,0",
        },
    ),
    "options": Case(
        Options(),
        good=on_plus(0.5),
        bad=on_plus(0.75),
        tables={
            "levers": "lever,choice,scope\nservice,mix,segment\nextras,mix,segment\ntariff,single,tier",
            "options": PRICES + "extras,none,true,\nextras,gift,false,",
            "option_rules": "rule,lever,option,kind,other_lever,other_option,value,members\n"
            "worth it,service,plus,min,,,200,all\nroom,service,plus,max,,,270,all\n"
            "the old way,service,basic,floor,,,0.4,\n"
            "no more,service,plus,needs,service,basic,,gold\nnot both,service,plus,excludes,extras,gift,,tier=low\n"
            "one rise,tariff,up5,once,,,,all",
        },
    ),
    "pins": Case(
        Pins(
            fix=("service=plus@tier=low:2", "tariff=keep@low"), forbid=("service=plus@gold", "tariff=up5:1")
        ),
        good=lambda portfolio, idle: low_on_plus_in_2(portfolio, up5_in(2)(portfolio, idle)),
        bad=up5_in(2),
    ),
    "unchanged": Case(Unchanged("priced"), good=on_plus(0.5), bad=up5_in(1), tables={"options": PRICES}),
    "cash": Case(
        Cash(opening=-9100.0, credit_limit=200.0, credit_cost=0.05, grow="gold", fund="tier=low"),
        bad=on_plus(1.0),
        tables={
            "effects": "segment,lever,option,margin,cash\ngold,service,plus,20,-70\nsilver,service,plus,3,-6"
        },
    ),
    "concentration": Case(
        Concentration(top_k=1, top_share=0.7, hhi=0.58),
        bad=on_plus(1.0),
        tables={"effects": "segment,lever,option,margin\ngold,service,plus,60"},
    ),
    "robust": Case(
        Robust(budget=2, width=1.5),
        tables={
            "effects": "segment,lever,option,margin,margin_se\n"
            "gold,service,plus,20,4\nsilver,service,plus,5,2\nsilver,tariff,up5,1,0.5"
        },
    ),
}
