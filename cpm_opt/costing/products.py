"""The customer by product matrix of profit (Kotler, Marketing Management): which products make which customers
unprofitable, and the two ways out, with the figure that each needs to break even.

A cell is revenue less product cost, tax, and the cost of activities that were done for that product. What was done for
the customer as a whole (or for an order) and overhead are the customer's, and stand under no product.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from cpm_opt.costing.blanks import blank_where_missing
from cpm_opt.costing.customer_profit import PeriodProfit

NO_PRODUCT = ""


def product_matrix(found: PeriodProfit, customers: Collection[str] | None = None) -> pd.DataFrame:
    """One row a customer and product: revenue, cost (all of it) and profit, in money; of all, or of some customers.

    Rows of product "" hold what is no product's, so that each customer's rows add up to their profit.
    """
    lines = found.sales.cells(found.period, customers)
    accounts = found.accounts[["customer", "product", "revenue"]].assign(cost=found.accounts["product_cost"])
    served = found.served.rows.loc[found.served.rows["customer"] != "", ["customer", "product", "cost"]]
    overhead = (
        found.customers[["service_overhead"]].reset_index().rename(columns={"service_overhead": "cost"})
    )
    rows = pd.concat(
        [lines, accounts, served.assign(revenue=0.0), overhead.assign(product=NO_PRODUCT, revenue=0.0)]
    )
    if customers is not None:
        rows = rows[rows["customer"].isin(set(customers))]
    # Names are looked up once and grouped as numbers, which a long ledger is much faster by.
    names = found.customers.index
    product, products = pd.factorize(rows["product"], sort=True)
    rows = rows.assign(customer=names.get_indexer(pd.Index(rows["customer"], dtype=object)), product=product)
    cells = rows.groupby(["customer", "product"], sort=True, as_index=False)[["revenue", "cost"]].sum()
    cells["customer"] = names.to_numpy(dtype=object)[cells["customer"]]
    cells["product"] = np.asarray(products, dtype=object)[cells["product"]]
    cells["profit"] = cells["revenue"] - cells["cost"]
    return cells


def product_margins(found: PeriodProfit) -> pd.Series[float]:
    """Profit over revenue of each product that has revenue, all customers together; no matrix is needed for it."""
    lines = found.sales.by_value(found.period, "product").rename(columns={"value": "product"})
    lines = lines.assign(cost=lines["product_cost"] + lines["tax"])
    accounts = found.accounts[["product", "revenue"]].assign(cost=found.accounts["product_cost"])
    served = found.served.rows.loc[found.served.rows["customer"] != "", ["product", "cost"]].assign(
        revenue=0.0
    )
    rows = pd.concat([part[["product", "revenue", "cost"]] for part in (lines, accounts, served)])
    sums = rows[rows["product"] != NO_PRODUCT].groupby("product")[["revenue", "cost"]].sum()
    # As in product_profit the best product comes first, so that of equal margins its name is told.
    profit = (sums["revenue"] - sums["cost"]).sort_values(ascending=False, kind="stable")
    margin: pd.Series[float] = profit / sums["revenue"].where(sums["revenue"] > 0).reindex(profit.index)
    return margin


def product_profit(cells: pd.DataFrame) -> pd.DataFrame:
    """By product: customers, revenue, cost, profit and margin (profit over revenue), the best first."""
    grouped = cells.groupby("product")
    found = grouped[["revenue", "cost", "profit"]].sum()
    found.insert(0, "customers", grouped.size())
    found["margin"] = found["profit"] / found["revenue"].where(found["revenue"] > 0)
    return found.sort_values("profit", ascending=False, kind="stable")


def loss_makers(cells: pd.DataFrame) -> pd.DataFrame:
    """The loss-making cells of products, the largest loss first: customer, product, revenue, profit, price_rise.

    `price_rise`: by which fraction the price of the product has to rise for that customer to break even on it, at
    unchanged volume; NaN without revenue.
    """
    bad = cells[(cells["product"] != NO_PRODUCT) & (cells["profit"].round(2) < 0)].copy()
    bad["price_rise"] = -bad["profit"] / bad["revenue"].where(bad["revenue"] > 0)
    return bad.sort_values(["profit", "customer", "product"], kind="stable").reset_index(drop=True)


def ways_out(cells: pd.DataFrame, margins: pd.Series[float]) -> pd.DataFrame:
    """For each unprofitable customer of the matrix, the worst first, the two ways to break even; `margins` are those of
    the products.

    Columns: loss (money); worst_product (with the largest loss, blank: no product is the cause) and its product_loss;
    price_rise: of all the customer's loss-making products (of all products where none is), the fraction that ends the
    loss at unchanged volume; stopping: the profit (money) if the loss-making products were no longer sold and all their
    cost fell away; sell: the product with the best margin over all customers, and sell_revenue: how much of it, at that
    margin, the customer has to buy on top to end the loss (NaN where no product has a margin).
    """
    totals = cells.groupby("customer")[["revenue", "profit"]].sum()
    losing = totals[totals["profit"].round(2) < 0]
    goods = cells[(cells["product"] != NO_PRODUCT) & cells["customer"].isin(losing.index)]
    bad = goods[goods["profit"].round(2) < 0]
    worst = bad.sort_values(["customer", "profit", "product"], kind="stable").groupby("customer").first()
    found = pd.DataFrame({"loss": -losing["profit"]})
    found["worst_product"] = blank_where_missing(worst["product"].reindex(found.index))
    found["product_loss"] = -worst["profit"].reindex(found.index).fillna(0.0) + 0.0
    bad_sums = bad.groupby("customer")[["revenue", "profit"]].sum().reindex(found.index).fillna(0.0)
    base = bad_sums["revenue"].where(bad_sums["revenue"] > 0, losing["revenue"])
    found["price_rise"] = found["loss"] / base.where(base > 0)
    found["stopping"] = losing["profit"] - bad_sums["profit"]
    margins = margins[margins > 0].sort_values(ascending=False, kind="stable")
    found["sell"] = margins.index[0] if len(margins) else NO_PRODUCT
    found["sell_revenue"] = found["loss"] / margins.iloc[0] if len(margins) else float("nan")
    return found.sort_values("loss", ascending=False, kind="stable")
