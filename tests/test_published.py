"""Published optima: Gurobi's modeling example "Marketing Campaign Optimization" (after M. D. Cohen, Exploiting response
models, Information Systems 29, 2004), https://github.com/Gurobi/modeling-examples.

Ten customers in two clusters, two products; profits and costs of an offer, at least two offers of each product, a
budget of 200 that can be raised at 10,000 a unit, and a hurdle rate: profit is at least 1.2 times the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cpm_opt.pipeline import solve_instance
from cpm_opt.solve.plan import Plan

INSTANCE = """
[instance]
name = "campaign"
title = "Marketing campaign"
currency = "USD"
period = "month"
source = "Gurobi modeling examples, Marketing Campaign Optimization"
licence = "Apache-2.0"
"""
MODEL = """
title = "A campaign"
[horizon]
periods = 1
[components.capacity]
[components.balance]
[solver]
mip_gap = 1e-9
"""
LEVERS = "lever,choice\noffer,mix\n"
OPTIONS = "lever,option,base\noffer,none,true\noffer,p1,false\noffer,p2,false\n"
HURDLE = 1.2
# Profit and cost of offering p1 and p2 to a customer.
CLUSTERS = {"k1": ((2000, 200), (1000, 100)), "k2": ((3000, 300), (2000, 200))}
CUSTOMERS = {
    "c1": ("k1", (2050, 205), (1050, 105)),
    "c2": ("k1", (1950, 195), (950, 95)),
    "c3": ("k1", (2000, 200), (1000, 100)),
    "c4": ("k1", (2100, 210), (1100, 110)),
    "c5": ("k1", (1900, 190), (900, 90)),
    "c6": ("k2", (3000, 300), (2000, 200)),
    "c7": ("k2", (2900, 290), (1900, 190)),
    "c8": ("k2", (3050, 305), (2050, 205)),
    "c9": ("k2", (3100, 310), (3100, 310)),
    "c10": ("k2", (2950, 295), (2950, 295)),
}


def solved(folder: Path, tables: Mapping[str, str]) -> Plan:
    folder.mkdir()
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    (folder / "instance.toml").write_text(INSTANCE, "utf-8")
    (folder / "model.toml").write_text(MODEL, "utf-8")
    return solve_instance(folder, folder / "model.toml")


def offers(figures: Mapping[str, tuple[tuple[int, int], ...]]) -> dict[str, str]:
    """Effects and usage of each segment's two offers; cash is what stands above the hurdle."""
    effects, usage = ["segment,lever,option,margin,cash"], ["resource,amount,segment,lever,option"]
    for segment, products in figures.items():
        for product, (profit, cost) in zip(("p1", "p2"), products, strict=True):
            effects.append(f"{segment},offer,{product},{profit},{profit - HURDLE * cost}")
            usage.append(f"budget,{cost},{segment},offer,{product}")
            usage.append(f"offers of {product},1,{segment},offer,{product}")
    return {"levers": LEVERS, "options": OPTIONS, "effects": "\n".join(effects), "usage": "\n".join(usage)}


def on(plan: Plan, segment: str, option: str) -> float:
    assert plan.decisions is not None
    p = plan.portfolio
    return float(plan.decisions.customers_on[p.segments.index(segment), p.options.index(option), 0])


def test_tactical_plan_of_the_clusters(tmp_path: Path) -> None:
    tables = offers(CLUSTERS) | {
        "segments": "segment,customers,margin\nk1,5,0\nk2,5,0\n",
        "resources": "resource,capacity,extra_capacity,extra_cost\nbudget,200,100000,10000\n"
        "offers of p1,,,\noffers of p2,,,\n",
        "balance": "rule,measure,members,sense,value\nhurdle,cash,all,min,0\n"
        "enough of p1,use:offers of p1,all,min,2\nenough of p2,use:offers of p2,all,min,2\n",
    }
    plan = solved(tmp_path / "tactical", tables)
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(-3_994_000, rel=1e-9)
    assert [on(plan, "k1", "p1"), on(plan, "k1", "p2")] == pytest.approx([2.0, 2.0])
    assert [on(plan, "k2", "p1"), on(plan, "k2", "p2")] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert plan.decisions is not None
    assert plan.decisions.extra[plan.portfolio.resources.names.index("budget"), 0] == pytest.approx(400.0)
    assert plan.shown


@pytest.mark.parametrize(("budget", "objective"), [("", 6_100), ("600", 6_000)])
def test_operational_plan_of_the_customers(tmp_path: Path, budget: str, objective: float) -> None:
    rows = [f"{name},1,0,true,{cluster}" for name, (cluster, *_) in CUSTOMERS.items()]
    rules = ["rule,measure,members,sense,value"]
    for product in ("p1", "p2"):
        rules += [
            f"{product} k1 {sense},use:offers of {product},cluster=k1,{sense},2" for sense in ("min", "max")
        ]
        rules.append(f"{product} k2,use:offers of {product},cluster=k2,max,0")
    tables = offers({name: (first, second) for name, (_, first, second) in CUSTOMERS.items()}) | {
        "segments": "\n".join(["segment,customers,margin,whole,cluster", *rows]),
        "resources": f"resource,capacity\nbudget,{budget}\noffers of p1,\noffers of p2,\n",
        "balance": "\n".join(rules),
    }
    plan = solved(tmp_path / "operational", tables)
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(objective, rel=1e-9)
    assert plan.shown
