"""The sales of a ledger as costing asks for them: sums by customer, product or another dimension, never row by row.

`SalesLines` says what can be asked. `FrameSales` answers from lines held in memory, `large_sales.LargeSales` by SQL
where they lie; the formulas of a line's money are those of product_cost in both, and a test holds them equal.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
import pandas as pd

from cpm_opt.costing.periods import Period

SUMS = ("quantity", "list_revenue", "discount", "tax", "revenue", "product_cost")
MONEY = ("revenue", "product_cost", "tax")


@dataclass(frozen=True)
class LineTotals:
    """All lines of a period together: how many, on how many the product cost is stated, and their money."""

    lines: int
    stated: int
    revenue: float
    product_cost: float
    tax: float


class SalesLines(Protocol):
    """Sales lines with their money; a period holds a line by its day."""

    def divided(self, periods: Sequence[Period]) -> Self:
        """The same lines, ready to be asked for these periods."""

    def count(self) -> int:
        """How many lines there are, in whatever period."""

    def days(self) -> pd.Series[pd.Timestamp]:
        """The first and the last day; empty without lines."""

    def before(self, day: pd.Timestamp) -> Collection[str]:
        """The customers with a line before a day on which a period begins."""

    def by_customer(self, period: Period) -> pd.DataFrame:
        """By customer (index): lines and the `SUMS`."""

    def orders(self, period: Period) -> pd.Series[int]:
        """How many orders by customer; lines without an order are one order a day."""

    def totals(self, period: Period) -> LineTotals:
        """All lines together, added up without a look at customers."""

    def by_value(self, period: Period, dimension: str) -> pd.DataFrame:
        """By value of a dimension (column `value`): revenue, product_cost, tax."""

    def cells(self, period: Period, customers: Collection[str] | None = None) -> pd.DataFrame:
        """By customer and product: revenue, cost = product_cost + tax; of some customers alone, or of all."""

    def buyers(self, orders: Collection[str]) -> pd.Series[str]:
        """The customer of each of these orders (index), where it has one alone."""

    def agreed(self, period: Period, key: str, dimension: str, values: Collection[str]) -> pd.Series[str]:
        """The value of a dimension on which all lines of an order (or product) of the period agree, by that key."""

    def told(self) -> str:
        """Why the rows of a database had to be fetched; blank where they were not."""

    def traced(self, period: Period, customer: str | None, most: int) -> pd.DataFrame:
        """By rule of the product cost (see product_cost): lines, the `SUMS`, and `first`, the first `most` lines."""


@dataclass(frozen=True)
class FrameSales:
    """Lines in memory, with `product_cost` and `list_revenue` (see product_cost.priced_lines)."""

    lines: pd.DataFrame = field(repr=False)

    def divided(self, periods: Sequence[Period]) -> FrameSales:
        """Itself: any period can be asked for."""
        return self

    def count(self) -> int:
        """How many lines there are."""
        return len(self.lines)

    def days(self) -> pd.Series[pd.Timestamp]:
        """The first and the last day; empty without lines."""
        dates = self.lines["date"]
        return dates if dates.empty else pd.Series([dates.min(), dates.max()])

    def before(self, day: pd.Timestamp) -> Collection[str]:
        """The customers with a line before a day."""
        return set(self.lines.loc[self.lines["date"] < day, "customer"].unique())

    def by_customer(self, period: Period) -> pd.DataFrame:
        """By customer: lines and the `SUMS`."""
        lines = self._of(period)
        # By positions: one look-up of the names does for all columns of a long ledger.
        at, names = pd.factorize(lines["customer"])
        size = len(names)
        sums = {
            name: np.bincount(at, weights=np.asarray(lines[name], dtype=np.float64), minlength=size)
            for name in SUMS
        }
        return pd.DataFrame(
            {"lines": np.bincount(at, minlength=size), **sums}, index=pd.Index(names, dtype=object)
        )

    def orders(self, period: Period) -> pd.Series[int]:
        """How many orders by customer."""
        lines = self._of(period)
        # Lines without an order belong to one order a day; the days are numbered below 0, apart from the orders.
        day = -1 - lines["date"].astype("datetime64[ns]").astype("int64") // 86_400_000_000_000
        order = np.where(lines["order"] != "", pd.factorize(lines["order"])[0], day)
        every = pd.DataFrame({"customer": lines["customer"], "order": order}).drop_duplicates()
        return every.groupby("customer").size()

    def totals(self, period: Period) -> LineTotals:
        """All lines together."""
        lines = self._of(period)
        money = {name: float(lines[name].sum()) for name in MONEY}
        return LineTotals(len(lines), int(lines["cost"].notna().sum()), **money)

    def by_value(self, period: Period, dimension: str) -> pd.DataFrame:
        """By value of a dimension."""
        sums = self._of(period).groupby(dimension)[list(MONEY)].sum()
        return sums.rename_axis("value").reset_index()

    def cells(self, period: Period, customers: Collection[str] | None = None) -> pd.DataFrame:
        """By customer and product."""
        lines = self._of(period)
        if customers is not None:
            lines = lines[lines["customer"].isin(set(customers))]
        lines = lines[["customer", "product", "revenue"]].assign(cost=lines["product_cost"] + lines["tax"])
        # Names are looked up once and grouped as numbers, which a long ledger is much faster by.
        who, names = pd.factorize(lines["customer"])
        what, products = pd.factorize(lines["product"])
        lines = lines.assign(customer=who, product=what)
        sums = lines.groupby(["customer", "product"], as_index=False)[["revenue", "cost"]].sum()
        return sums.assign(
            customer=np.asarray(names, dtype=object)[sums["customer"]],
            product=np.asarray(products, dtype=object)[sums["product"]],
        )

    def buyers(self, orders: Collection[str]) -> pd.Series[str]:
        """The customer of each of these orders."""
        found = self.lines[self.lines["order"].isin(set(orders) - {""})].groupby("order")["customer"]
        each = found.agg(["first", "nunique"])
        return each.loc[each["nunique"] == 1, "first"]

    def agreed(self, period: Period, key: str, dimension: str, values: Collection[str]) -> pd.Series[str]:
        """The value on which all lines of an order (or product) agree."""
        lines = self._of(period)
        found = lines[lines[key].isin(set(values) - {""})].groupby(key)[dimension].agg(["first", "nunique"])
        return found.loc[found["nunique"] == 1, "first"]

    def told(self) -> str:
        """Nothing: rows in memory are no long ledger's."""
        return ""

    def traced(self, period: Period, customer: str | None, most: int) -> pd.DataFrame:
        """By the rule of the product cost."""
        lines = self._of(period)
        if customer is not None:
            lines = lines[lines["customer"] == customer]
        grouped = lines.groupby("cost_rule")
        found = grouped[list(SUMS)].sum()
        found.insert(0, "lines", grouped.size())
        found["first"] = grouped["line"].apply(lambda numbers: sorted(numbers)[:most])
        return found

    def _of(self, period: Period) -> pd.DataFrame:
        return self.lines[period.holds(self.lines["date"])]
