"""A profit statement as charts: from list price to profit, the whale curve, tiers and activities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.report.chart import Bars, Chart, Lines, Series, Steps
from cpm_opt.report.words import Units

if TYPE_CHECKING:
    from cpm_opt.costing import ProfitStatement
    from cpm_opt.tables import InstanceInfo

WHALE_POINTS, MOST_ACTIVITIES = 400, 15
DOWN_TO_PROFIT = (
    ("discount", "discounts", -1),
    ("other_reductions", "other reductions", -1),
    ("interest_income", "income from balances", 1),
    ("product_cost", "product cost", -1),
    ("cost_to_serve", "cost to serve", -1),
    ("service_overhead", "service overhead", -1),
    ("tax", "tax on sales", -1),
)


def profit_charts(statement: ProfitStatement, info: InstanceInfo) -> list[Chart]:
    """The charts of a statement; those of tiers and activities only where there are any."""
    units = Units.of_instance(info)
    charts: list[Chart] = [_waterfall(statement, units), _whale(statement, units)]
    tiers = statement.tiers[statement.tiers["customers"] > 0]
    if len(tiers):
        names = tuple(f"{name} ({count:,})" for name, count in tiers["customers"].items())
        profits = tuple((float(place), float(value)) for place, value in enumerate(tiers["profit"]))
        charts.append(Bars("Profit by tier", "tier (customers)", units.money, names, (Series("", profits),)))
    costs = statement.cost_by_activity["cost"]
    costs = costs[costs != 0].sort_values(ascending=False, kind="stable").head(MOST_ACTIVITIES)
    if len(costs):
        points = tuple((float(place), float(value)) for place, value in enumerate(costs))
        names = tuple(str(name) for name in costs.index)
        charts.append(
            Bars("Cost to serve by activity", "activity", units.money, names, (Series("", points),))
        )
    return charts


def _waterfall(statement: ProfitStatement, units: Units) -> Steps:
    now = statement.reporting
    steps = [(name, sign * now.total(column)) for column, name, sign in DOWN_TO_PROFIT]
    return Steps(
        f"From list prices to profit, {now.period}",
        units.money,
        ("sales at list prices", now.total("list_revenue")),
        tuple((name, change) for name, change in steps if abs(change) >= 0.005),
        ("profit of all customers", now.total("profit")),
    )


def _whale(statement: ProfitStatement, units: Units) -> Lines:
    """Cumulative profit over the share of customers, the most profitable first; the line is the total."""
    curve = statement.concentration.whale.curve
    count = len(curve)
    kept = np.unique(np.linspace(0, max(count - 1, 0), min(count, WHALE_POINTS)).round().astype(np.int64))
    points = ((0.0, 0.0), *((float(k + 1) / count, float(curve[k])) for k in kept))
    title = "Whale curve: profit of the customers, the best first"
    x_title = "fraction of the customers"
    return Lines(
        title,
        x_title,
        f"cumulative profit, {units.money}",
        (Series("", points),),
        (),
        float(curve[-1]) if count else None,
    )
