"""Profit by any dimension of the ledger: customer's segment or group, order, product, salesperson, channel, campaign.

In: `PeriodProfit`. Out: one row a value of the dimension, with tax a column of its own, adding up to the same profit.
"""

from __future__ import annotations

import pandas as pd

from cpm_opt.costing.blanks import blank_where_missing
from cpm_opt.costing.customer_profit import PeriodProfit, return_on_sales
from cpm_opt.faults import Fault, InputError, did_you_mean

OF_CUSTOMERS = ("segment", "group")
OF_LINES = ("order", "product", "product_group", "salesperson", "channel", "campaign")
DIMENSIONS = (*OF_CUSTOMERS, *OF_LINES)
MONEY = ("revenue", "product_cost", "tax", "cost_to_serve", "service_overhead", "campaign_cost", "profit")


def by_dimension(found: PeriodProfit, dimension: str, campaigns: pd.DataFrame) -> pd.DataFrame:
    """Revenue, product_cost, tax, cost_to_serve, service_overhead, campaign_cost, profit (money) and return_on_sales
    by the values of a dimension, the most profitable first; "" holds what leads to none of them.

    Activities follow the order or product that they were done for; a value of a line's dimension counts for an order
    where all its lines agree. `campaigns` are the rows of that table in the period: their cost is set against dimension
    campaign alone, whose column profit_over_cost is what it earned beyond its cost, over its cost. Raises InputError
    for a dimension that no ledger has.
    """
    if dimension not in DIMENSIONS:
        remedy = did_you_mean(dimension, DIMENSIONS)
        raise InputError(
            [Fault("--by", "is no dimension of the ledger", remedy, value=dimension, code="call")]
        )
    parts = _customers(found, dimension) if dimension in OF_CUSTOMERS else _lines(found, dimension)
    if dimension == "campaign" and len(campaigns):
        cost = campaigns.groupby("campaign")["cost"].sum()
        parts = pd.concat([parts, pd.DataFrame({"value": cost.index, "campaign_cost": cost.to_numpy()})])
    rows = parts.reindex(columns=["value", *MONEY]).fillna(0.0).groupby("value")[list(MONEY)].sum()
    costs = rows[["product_cost", "tax", "cost_to_serve", "service_overhead", "campaign_cost"]]
    rows["profit"] = rows["revenue"] - costs.sum(axis=1)
    rows["return_on_sales"] = return_on_sales(rows["profit"], rows["revenue"])
    if dimension == "campaign":
        rows["profit_over_cost"] = rows["profit"] / rows["campaign_cost"].where(rows["campaign_cost"] > 0)
    return rows.sort_values("profit", ascending=False, kind="stable").rename_axis(dimension)


def _customers(found: PeriodProfit, dimension: str) -> pd.DataFrame:
    columns = ["revenue", "product_cost", "tax", "cost_to_serve", "service_overhead"]
    return found.customers[[dimension, *columns]].rename(columns={dimension: "value"})


def _lines(found: PeriodProfit, dimension: str) -> pd.DataFrame:
    """Lines, accounts, activities and overhead, each with its value of the dimension."""
    lines = found.sales.by_value(found.period, dimension)
    accounts = found.accounts[["product", "revenue", "product_cost"]].rename(columns={"product": "value"})
    if dimension != "product":
        accounts["value"] = ""
    served = found.served.rows[found.served.rows["customer"] != ""]
    cost = pd.DataFrame({"value": _value(found, served, dimension), "cost_to_serve": served["cost"]})
    overhead = pd.DataFrame({"value": [""], "service_overhead": [found.total("service_overhead")]})
    return pd.concat([lines, accounts, cost, overhead], ignore_index=True)


def _value(found: PeriodProfit, served: pd.DataFrame, dimension: str) -> pd.Series[str]:
    """The value of a line's dimension that each row of activities leads to, by its order or else its product."""
    if dimension in served.columns:  # order and product themselves
        return served[dimension]
    agreed = found.sales.agreed(found.period, "order", dimension, set(served["order"]))
    value = blank_where_missing(served["order"].map(agreed))
    if dimension == "product_group":
        agreed = found.sales.agreed(found.period, "product", dimension, set(served["product"]))
        of_product = blank_where_missing(served["product"].map(agreed))
        value = of_product.where(of_product != "", value)
    return value
