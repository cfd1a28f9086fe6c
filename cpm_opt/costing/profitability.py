"""What each transaction earned: in come the raw tables, out goes `Profitability`.

The product cost of a line is its own, that of its product, or what the declared gross margin leaves of its revenue
(see product_cost). What it costs to serve a customer is not taken off here: that is the cost of the modelled resources,
and would be counted twice. `cost_and_profit` tells all of a customer's profit, cost to serve included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cpm_opt.costing.gross_margin import GROSS_MARGIN, REMEDY, checked_gross_margin
from cpm_opt.costing.product_cost import own_costs, priced_lines
from cpm_opt.faults import Fault, InputError
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

    from cpm_opt.costing.large_sales import LargeSales

SALES, PRODUCTS = "sales", "products"


@dataclass(frozen=True)
class Profitability:
    """Sales as transactions, with their profit.

    `transactions` has one row per customer and day, sorted by both: customer, date, lines (purchase lines of that
    day), quantity, revenue, product_cost, profit = revenue - product_cost, all money in the tables' own unit.
    A day's purchases that cost nothing are a transaction too. `gross_margin` is the declared fraction of revenue, or
    where lines have costs of their own, what came out over all of them.
    """

    transactions: pd.DataFrame
    gross_margin: float

    @property
    def customers(self) -> int:
        """Customers with at least one transaction."""
        return int(self.transactions["customer"].nunique())

    @property
    def revenue(self) -> float:
        """Revenue of all transactions."""
        return float(self.transactions["revenue"].sum())

    @property
    def product_cost(self) -> float:
        """Product cost of all transactions."""
        return float(self.transactions["product_cost"].sum())

    @property
    def profit(self) -> float:
        """Gross profit of all transactions, before the cost to serve."""
        return float(self.transactions["profit"].sum())


def profitability(tables: Tables) -> Profitability:
    """Profit of each transaction, from raw tables `sales` and `products` and `[estimates] gross_margin`.

    Several purchases of one customer on one day are one transaction. Raises InputError where the instance has no
    sales, or no usable gross margin and lines that need it, with both faults at once.
    """
    if SALES in tables.large:
        return _of_large(tables)
    faults: list[Fault] = []
    lines = _usable(tables.frames.get(SALES))
    if lines is None:
        remedy = "add sales.csv with customer, date and revenue"
        faults.append(Fault(SALES, "is missing or has no usable row", remedy, code="missing"))
    faults += product_cost_faults(tables)
    if lines is None or faults:
        raise InputError(faults)
    products = tables.frames.get(PRODUCTS)
    if own_costs(lines, products):
        days = _transactions(priced_lines(lines, products, tables.info.estimates)[0])
        revenue, profit = float(days["revenue"].sum()), float(days["profit"].sum())
        return Profitability(days, profit / revenue if revenue else 0.0)
    margin = declared_gross_margin(tables.info.estimates)
    return Profitability(_transactions(lines, margin), margin)


def product_cost_faults(tables: Tables) -> list[Fault]:
    """What keeps the product cost of sales from being known: a gross margin unusable, or missing where it is needed."""
    sales, products = tables.frames.get(SALES), tables.frames.get(PRODUCTS)
    if SALES in tables.large:
        return _large(tables)[1]
    if sales is not None and own_costs(sales, products):
        return priced_lines(sales, products, tables.info.estimates)[1]
    try:
        declared_gross_margin(tables.info.estimates)
    except InputError as error:
        return list(error.faults)
    return []


def _large(tables: Tables) -> tuple[LargeSales, list[Fault]]:
    from cpm_opt.costing.large_sales import large_sales

    return large_sales(tables.large[SALES], tables.frames.get(PRODUCTS), tables.info.estimates)


def _of_large(tables: Tables) -> Profitability:
    """The same from sales that lie in their file: DuckDB condenses them to customers and days."""
    sales, faults = _large(tables)
    if faults:
        raise InputError(faults)
    days = sales.transactions()
    days["profit"] = days["revenue"] - days["product_cost"]
    if sales.margin is not None and not sales.own_costs:
        return Profitability(days, sales.margin)
    revenue, profit = float(days["revenue"].sum()), float(days["profit"].sum())
    return Profitability(days, profit / revenue if revenue else 0.0)


def declared_gross_margin(estimates: Mapping[str, Any]) -> float:
    """`gross_margin` of the instance's table `[estimates]`. Raises InputError where it is missing or no fraction."""
    place = f"estimates.{GROSS_MARGIN}"
    if GROSS_MARGIN not in estimates:
        raise InputError([Fault("instance.toml", "is missing", REMEDY, column=place, code="missing")])
    value = estimates[GROSS_MARGIN]
    try:
        return checked_gross_margin(value)
    except ValueError as error:
        fault = Fault("instance.toml", str(error), REMEDY, column=place, value=str(value), code="value")
        raise InputError([fault]) from None


def _usable(sales: pd.DataFrame | None) -> pd.DataFrame | None:
    """The lines with a customer and a day, or None if there are none; the reader has told of the others."""
    if sales is None:
        return None
    lines = sales[sales["date"].notna() & (sales["customer"] != "")]
    return None if lines.empty else lines


def _transactions(lines: pd.DataFrame, margin: float | None = None) -> pd.DataFrame:
    """Lines by customer and day; at a gross margin, or with the lines' own `product_cost`."""
    costs = {} if margin is not None else {"product_cost": ("product_cost", "sum")}
    # Sorted by amount too: a sum of floats depends on its order, and the order of rows must never matter.
    days: pd.DataFrame = (
        lines.sort_values(["customer", "date", "revenue", "quantity", *costs])
        .groupby(["customer", "date"], sort=True, as_index=False)
        .agg(lines=("revenue", "size"), quantity=("quantity", "sum"), revenue=("revenue", "sum"), **costs)
    )
    if margin is not None:
        days["product_cost"] = days["revenue"] * (1.0 - margin)
    days["profit"] = days["revenue"] - days["product_cost"]
    return days
