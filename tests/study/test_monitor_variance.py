"""Variances: published figures, the sums to the cent, and what is not delivered is not split."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from cpm_opt.faults import DefectError
from cpm_opt.formulation.components import Capacity
from cpm_opt.solve.recount import doing_nothing
from cpm_opt.study.monitor.actuals import read_actuals
from cpm_opt.study.monitor.money import bridge, shared_out
from cpm_opt.study.monitor.plan import PlannedRun
from cpm_opt.study.monitor.settled import settle
from cpm_opt.study.monitor.standards import standard, worth
from cpm_opt.study.monitor.value import value_bridge
from cpm_opt.study.monitor.variance import Variance, variance
from tests.portfolio.small import built
from tests.study.drawn_plans import drawn_actuals, drawn_plan, planned_run
from tests.study.happened import as_planned, written


def sold(budget: dict[str, tuple[float, float]], more: dict[str, str] | None = None) -> PlannedRun:
    """A plan of one period without levers: products as segments, (units, margin a unit) each."""
    rows = [f"{name},{units},{margin},{2 * margin}" for name, (units, margin) in budget.items()]
    portfolio = built({"segments": "\n".join(["segment,customers,margin,revenue", *rows]), **(more or {})}, 1)
    return planned_run(portfolio, doing_nothing(portfolio))


def judged(plan: PlannedRun, folder: Path, volume: str | None = None, **tables: str) -> Variance:
    folder.mkdir()
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text.strip() + "\n", "utf-8")
    (period,) = settle(plan, read_actuals(folder, plan.portfolio, plan.info))
    return variance(plan, period, standard(plan, 0), None, volume)


@pytest.mark.parametrize(
    ("budget", "actual", "quantity", "mix"),
    [
        # Soda King: Horngren, Datar and Foster, Cost Accounting, 11th edition, problem 14-24.
        (
            {"Kola": (400_000, 2.0), "Limor": (600_000, 1.2), "Orlem": (1_500_000, 2.5)},
            {"Kola": 480_000, "Limor": 900_000, "Orlem": 1_620_000},
            1_054_000,
            -234_000,
        ),
        # Milano Company: Drury, Management and Cost Accounting, chapter on sales mix and quantity variances.
        (
            {"X": (8_000, 20.0), "Y": (7_000, 12.0), "Z": (5_000, 9.0)},
            {"X": 6_000, "Y": 7_000, "Z": 9_000},
            28_900,
            -32_900,
        ),
    ],
)
def test_the_published_mix_and_quantity_variances(budget, actual, quantity, mix, tmp_path):
    customers = "\n".join(f"{name},{units},0" for name, units in actual.items())
    margins = "\n".join(f"{name},{units * budget[name][1]!r}" for name, units in actual.items())
    found = judged(
        sold(budget),
        tmp_path / "a",
        actual_customers=f"segment,start,end\n{customers}",
        actual_results=f"segment,margin\n{margins}",
    )
    totals = {name: found.profit.total(name) for name in found.profit.steps}
    assert totals["volume"] == quantity
    assert totals["mix"] == mix
    assert totals["margin"] == 0
    assert found.profit.actual - found.profit.planned == quantity + mix
    if "Limor" in budget:  # each product's own, as printed
        places = dict(zip(sorted(budget), range(3), strict=True))
        by_product = found.profit.steps["mix"]
        assert [by_product[places[name]] for name in ("Kola", "Limor", "Orlem")] == [
            0,
            21_600_000,
            -45_000_000,
        ]


WEBB = {
    "resources": "resource,capacity,unit_cost,capacity_cost\ncloth,,30,\nlabour,,20,\noverhead,,30,\nplant,276000,,1",
    "usage": "resource,amount\ncloth,2\nlabour,0.8\noverhead,0.4",
}


def test_the_flexible_budget_of_a_maker_of_jackets(tmp_path):
    """The budget is Webb Company's (Horngren, Datar and Rajan, Cost Accounting, chapter 7): jackets at 120, 12,000
    planned. What happened, and its variances, are worked by hand: 10,000 sold at 125; 22,200 square yards at 28, 9,000
    hours at 22, 4,500 machine-hours at 29; fixed costs of 276,000 became 285,000. Margin here is revenue: all costs are
    of resources."""
    portfolio = built({"segments": "segment,customers,margin,revenue\njackets,12000,120,120", **WEBB}, 1)
    plan = planned_run(portfolio, doing_nothing(portfolio))
    assert plan.has(Capacity.name)
    found = judged(
        plan,
        tmp_path / "a",
        actual_customers="segment,start,end\njackets,10000,0",
        actual_results="segment,revenue,margin\njackets,1250000,1250000",
        actual_use="resource,use,cost\ncloth,22200,621600\nlabour,9000,198000\noverhead,4500,130500\nplant,0,285000",
    )
    steps = {name: found.profit.total(name) for name in found.profit.steps}
    assert found.profit.planned == 108_000
    assert steps["volume"] == -64_000
    assert found.profit.money(sum(found.flexible)) == 44_000
    assert steps["price"] == 50_000
    assert steps["efficiency"] == -66_000 - 20_000 - 15_000
    assert steps["spending"] == 44_400 - 18_000 + 4_500 - 9_000
    assert found.profit.actual == 14_900
    assert found.complete
    assert found.unsplit == ()


def books(plan: PlannedRun, period) -> float:
    """The profit of a period from what was delivered, with no variance in sight."""
    costs = sum(period.costs.values()) + period.cost.sum()
    return float(np.nansum(period.results["margin"]) - costs)


def test_variances_add_up_to_the_cent_on_a_thousand_instances():
    complete = 0
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        plan = drawn_plan(rng)
        several = seed % 4 == 0
        actuals = drawn_actuals(rng, plan, 2 if several else 1, 0.0 if seed % 3 else 0.3)
        first, *second = settle(plan, actuals)
        found = [variance(plan, first, standard(plan, 0), None, "units" if seed % 5 == 0 else None)]
        if several:
            standards = [standard(plan, t) for t in range(3)]
            arrived = np.where(np.isnan(first.arrivals), plan.portfolio.arrivals[:, 0], first.arrivals)
            came = first.start @ standards[0].moves[:, :-1] + arrived
            found.append(variance(plan, second[0], standards[1], came))
        bridges = [each.profit for each in found]
        if several:
            value = value_bridge(plan, second[0], standards[1], worth(plan, standards))
            assert value is not None
            bridges.append(value[0])
        for each in bridges:
            known = [parts for parts in each.steps.values() if parts is not None]
            for k, (start, end) in enumerate(zip(each.start, each.end, strict=True)):
                assert start + sum(parts[k] for parts in known) == end
            totals = [each.total(name) for name, parts in each.steps.items() if parts is not None]
            assert each.planned + sum(totals, Decimal(0)) == each.actual
        for t, each in enumerate(bridges[: len(found)]):
            money = sum(float(flow[t]) for flow in plan.recount.money.values())
            assert float(each.planned) == pytest.approx(money, abs=0.5000001 * 10.0**-each.decimals)
        for each in found:
            for step in ("spending", "other"):
                whole = sum(each.profit.steps[step] or ())
                assert sum(piece.cents for piece in each.pieces if piece.step == step) == whole
            for piece in each.pieces:
                effect = (piece.standard - piece.paid) * 10.0**each.profit.decimals
                assert piece.cents == pytest.approx(effect, abs=2.0)
        for each, period in zip(found, actuals.periods, strict=True):
            if each.complete:
                complete += 1
                near = 0.5000001 * 10.0**-each.profit.decimals
                assert float(each.profit.actual) == pytest.approx(books(plan, period), abs=near)
    assert complete > 700


def test_nothing_differs_where_all_came_as_planned(tmp_path):
    rng = np.random.default_rng(5)
    for number in range(5):
        plan = drawn_plan(rng)
        folder = tmp_path / str(number)
        for t in (0, 1):
            written(folder / str(t), as_planned(plan, t), t + 1)
            (period,) = settle(plan, read_actuals(folder / str(t), plan.portfolio, plan.info))
            found = variance(plan, period, standard(plan, t), period.planned)
            assert found.complete, found.assumed
            assert not any(any(parts) for parts in found.profit.steps.values())


def test_what_a_period_moved_otherwise_is_the_next_ones_migration_and_not_its_mix(tmp_path):
    tables = {
        "segments": "segment,customers,margin\ngold,100,50\nsilver,400,10",
        "migration": "from,to,rate\ngold,gold,0.8\ngold,silver,0.1\nsilver,silver,0.9",
    }
    portfolio = built(tables, 2)
    plan = planned_run(portfolio, doing_nothing(portfolio))
    (tmp_path / "actual_customers.csv").write_text(
        "segment,period,start,end\ngold,1,100,85\nsilver,1,400,380\n"
    )
    (tmp_path / "actual_results.csv").write_text("segment,period,margin\ngold,2,4250\nsilver,2,3800\n")
    periods = settle(plan, read_actuals(tmp_path, portfolio, plan.info))
    second = standard(plan, 1)
    came = periods[0].start @ standard(plan, 0).moves[:, :-1]
    found = variance(plan, periods[1], second, came)
    # Planned were 80 and 370: five more of gold at 50, ten more of silver at 10, and all because they moved otherwise.
    assert {name: found.profit.total(name) for name in ("volume", "mix", "migration")} == {
        "volume": 0,
        "mix": 0,
        "migration": 350,
    }
    assert found.profit.actual == 4250 + 3800


def test_what_was_not_delivered_is_told_and_not_split(tmp_path):
    plan = sold({"X": (100, 20.0), "Y": (50, 8.0)})
    found = judged(plan, tmp_path / "a", actual_customers="segment,start,end\nX,90,0\nY,60,0")
    assert not found.complete
    assert "margin of every segment" in found.assumed
    assert found.profit.steps["price"] is None
    assert found.profit.steps["product cost"] is None
    assert found.profit.actual == 90 * 20 + 60 * 8
    plain = built({"segments": "segment,customers,margin\nX,100,20"}, 1)
    alone = judged(
        planned_run(plain, doing_nothing(plain)), tmp_path / "c", actual_results="segment,margin\nX,2100"
    )
    assert alone.profit.total("margin") == 100
    assert alone.profit.steps["price"] is None
    assert alone.unsplit == ("price and product cost (the plan states no revenue)",)
    part = judged(plan, tmp_path / "b", actual_results="segment,revenue,margin\nX,4100,1900")
    assert part.assumed == ("margin of 1 of 2 segments",)
    assert part.profit.total("price") == 100
    assert part.profit.total("product cost") == -200
    assert part.profit.actual == 1900 + 400


def test_a_measure_of_what_is_bought_parts_purchases_from_price(tmp_path):
    tables = "segment,customers,margin,revenue,satisfaction\nX,100,20,50,5"
    portfolio = built({"segments": tables}, 1)
    plan = planned_run(portfolio, doing_nothing(portfolio))
    results = "segment,revenue,margin,satisfaction\nX,6600,2900,600"
    found = judged(plan, tmp_path / "a", "satisfaction", actual_results=results)
    # 600 units instead of 500, at 11 instead of 10 a unit; a unit's margin is 4, its cost 6 and in fact 3,700 / 600.
    assert found.profit.total("purchases") == 100 * 4
    assert found.profit.total("price") == 600
    assert found.profit.total("product cost") == -(3700 - 3600)
    assert found.profit.actual == 2900


def test_worth_of_a_customer_is_what_the_plan_is_worth(tmp_path):
    compared = 0
    for seed in range(20):
        plan = drawn_plan(np.random.default_rng(seed))
        p, r = plan.portfolio, plan.recount
        if (r.customers[:, :-1] < 1.0).any():  # what it costs to change nobody is not known
            continue
        compared += 1
        value = worth(plan, [standard(plan, t) for t in range(p.periods)])
        whole = r.customers[:, 0] @ value[:, 0]
        whole += sum(p.arrivals[:, t] @ value[:, t + 1] * r.discount[t + 1] for t in range(p.periods))
        firm = ("fixed cost", "capacity cost", "extra capacity")
        costs = sum(float(flow @ r.discount[:-1]) for (source, _), flow in r.money.items() if source in firm)
        assert whole + costs == pytest.approx(r.objective, rel=1e-9)
    assert compared > 10


def test_cents_are_shared_out_whole_and_always_alike():
    assert shared_out([0.4, 0.4, 0.2], 1) == [1, 0, 0]
    assert shared_out([1.5, 2.5, 0.0], 4) == [2, 2, 0]
    assert shared_out([-0.5, 0.5], -1) == [-1, 0]
    assert shared_out([], 0) == []
    with pytest.raises(DefectError):
        shared_out([], 1)
    with pytest.raises(DefectError, match="miss"):
        bridge(np.array([1.0]), {"a": np.array([1.0])}, np.array([3.0]), 1.0)
