"""What each transaction earned: in come the raw tables, out goes `Profitability`.

The product cost of a line is what the declared gross margin leaves of its revenue. What it costs to serve a customer
is not taken off here: that is the cost of the modelled resources, and would be counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cpm_opt.costing.gross_margin import GROSS_MARGIN, REMEDY, checked_gross_margin
from cpm_opt.faults import Fault, InputError
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

SALES = "sales"


@dataclass(frozen=True)
class Profitability:
    """Sales as transactions, with their profit.

    `transactions` has one row per customer and day, sorted by both: customer, date, lines (purchase lines of that
    day), quantity, revenue, product_cost, profit = revenue - product_cost, all money in the tables' own unit.
    A day's purchases that cost nothing are a transaction too. `gross_margin` is the fraction they were computed at.
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
    """Profit of each transaction, from raw table `sales` and `[estimates] gross_margin`.

    Several purchases of one customer on one day are one transaction. Raises InputError where the instance has no
    sales or no usable gross margin, with both faults at once.
    """
    faults: list[Fault] = []
    lines = _usable(tables.frames.get(SALES))
    if lines is None:
        remedy = "add sales.csv with customer, date and revenue"
        faults.append(Fault(SALES, "is missing or has no usable row", remedy, code="missing"))
    try:
        margin = declared_gross_margin(tables.info.estimates)
    except InputError as error:
        faults += error.faults
    if lines is None or faults:
        raise InputError(faults)
    return Profitability(_transactions(lines, margin), margin)


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


def _transactions(lines: pd.DataFrame, margin: float) -> pd.DataFrame:
    # Sorted by amount too: a sum of floats depends on its order, and the order of rows must never matter.
    days = (
        lines.sort_values(["customer", "date", "revenue", "quantity"])
        .groupby(["customer", "date"], sort=True, as_index=False)
        .agg(lines=("revenue", "size"), quantity=("quantity", "sum"), revenue=("revenue", "sum"))
    )
    days["product_cost"] = days["revenue"] * (1.0 - margin)
    days["profit"] = days["revenue"] - days["product_cost"]
    return days
