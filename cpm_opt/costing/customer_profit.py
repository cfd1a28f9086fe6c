"""The profit and loss of every customer in a period, layer by layer.

      list revenue
    - discount                 stated on the lines
    - other reductions         what else lies between the list and the net price
    + interest income          transfer income of deposits and interest on loans (a bank)
    = revenue
    - product cost             goods, interest paid and the funding of loans
    = gross profit
    - cost to serve            activities that were done for the customer or their orders
    = contribution
    - service overhead         expense per client: over the average clients of the period, by the days of being one
    - tax                      that the firm owes on their lines
    = profit                   return on sales = profit / revenue

In: `Ledger` and a period. Out: `PeriodProfit`. All money is in the tables' own unit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cpm_opt.costing.activities import Served, cost_to_serve
from cpm_opt.costing.bank import SUMS, account_results
from cpm_opt.costing.blanks import blank_where_missing
from cpm_opt.costing.connected import connected_groups
from cpm_opt.costing.ledger import Ledger
from cpm_opt.costing.periods import Period
from cpm_opt.costing.sales_lines import LineTotals, SalesLines
from cpm_opt.faults import DefectError, Fault, InputError

MONEY = (
    "list_revenue", "discount", "other_reductions", "sales_revenue", "interest_income", "revenue", "product_cost",
    "gross_profit", "cost_to_serve", "contribution", "service_overhead", "tax", "profit",
)  # fmt: skip


# Rounding of sums of floating-point numbers, relative to what is added.
NOISE = 1e-13


@dataclass(frozen=True)
class PeriodProfit:
    """One period's result.

    `customers`: one row each, by name: segment, group, days (as a customer), lines, quantity, the money of `MONEY`,
    deposits and loans (mean balances), minimum_deposits, return_on_sales, active (whether they turned over anything or
    kept a balance). `sales` are the sales lines of any period, `totals` those of this one added up,
    `accounts` what a bank's accounts brought, `served` the activities.
    """

    period: Period
    customers: pd.DataFrame = field(repr=False)
    sales: SalesLines = field(repr=False)
    totals: LineTotals
    accounts: pd.DataFrame = field(repr=False)
    served: Served = field(repr=False)
    average_clients: float
    unassigned: dict[str, float]
    ledger_total: float

    def total(self, column: str) -> float:
        """Sum over all customers of a money column."""
        return float(self.customers[column].sum())

    @property
    def unassigned_cost(self) -> float:
        """Cost that no customer causes or that nothing leads to one: pools without activities, campaigns, and
        activities done for nobody in particular."""
        return float(sum(self.unassigned.values()))

    @property
    def unreconciled(self) -> float:
        """Ledger total less (customers' profits - idle capacity - unassigned cost), to the cent."""
        idle = self.served.idle_capacity_cost
        return round(self.ledger_total - (self.total("profit") - idle - self.unassigned_cost), 2) + 0.0


def period_profit(ledger: Ledger, period: Period) -> PeriodProfit:
    """The profit of every customer of the period.

    Customers are those of table customers who were one in the period and whoever has a line, an account's balance or an
    activity in it, or a line before it. Raises InputError where a pool has activities and no expense in the period,
    DefectError where the sums do not reconcile to the cent.
    """
    lines = ledger.sales.by_customer(period)
    totals = ledger.sales.totals(period)
    accounts = _accounts(ledger, period)
    served = _served(ledger, period)
    names = _names(ledger, period, lines, accounts, served)
    customers = _customers(ledger, period, names)
    average = float(customers["days"].sum()) / period.days
    overhead = float(served.pools.loc[served.pools["per_client"], "expense"].sum())
    _fill(customers, lines, accounts, served)
    share = customers["days"] / period.days / average if average > 0 else 0.0
    _add_layers(customers, share * overhead)
    customers["active"] = (customers["lines"] > 0) | (
        customers["deposits"].abs() + customers["loans"].abs() > ledger.rules.negligible_balance
    )
    unassigned = {
        "pools without activities": float(served.pools["unassigned"].sum()),
        "overhead without clients": 0.0 if average > 0 else overhead,
        "activities for nobody in particular": float(
            served.rows.loc[served.rows["customer"] == "", "cost"].sum()
        ),
        "campaigns": float(_of(ledger, "campaigns", period)["cost"].sum()),
    }
    found = PeriodProfit(
        period,
        customers,
        ledger.sales,
        totals,
        accounts,
        served,
        average,
        unassigned,
        _ledger_total(ledger, period, totals, accounts, served),
    )
    if abs(found.unreconciled) > 0:
        _refuse_sums_without_cents(found)
        raise DefectError(f"the profit of {period} does not reconcile: {found.unreconciled:.2f} is left")
    return found


def _refuse_sums_without_cents(found: PeriodProfit) -> None:
    """Raises InputError where money is so large that floating-point sums have no room for cents."""
    size = float(found.customers[list(MONEY)].abs().to_numpy().sum())
    if abs(found.unreconciled) <= NOISE * size:
        message = f"money of {size:.3g} in all cannot be added up to the cent"
        remedy = "state the ledgers in thousands, with money_unit = 1000 in instance.toml"
        raise InputError([Fault("sales", message, remedy, code="too_large")])


def _of(ledger: Ledger, table: str, period: Period) -> pd.DataFrame:
    rows = ledger[table]
    return rows[period.holds(rows["date"])]


def _ledger_total(
    ledger: Ledger, period: Period, sales: LineTotals, accounts: pd.DataFrame, served: Served
) -> float:
    """All income less all expense of the period, straight from the tables.

    Revenue less tax and product cost of the sales, plus what the accounts brought, less the expense of every pool, the
    cost of campaigns, and activities without a pool at their rates.
    """
    income = sales.revenue - sales.tax - sales.product_cost
    bank = float(accounts["revenue"].sum() - accounts["product_cost"].sum())
    expense = float(
        _of(ledger, "cost_pools", period)["expense"].sum() + _of(ledger, "campaigns", period)["cost"].sum()
    )
    return income + bank - expense - served.outside_pools


def _accounts(ledger: Ledger, period: Period) -> pd.DataFrame:
    rules = ledger.rules.bank
    if rules is None or ledger["accounts"].empty:
        columns = {name: pd.Series([], dtype="float64") for name in (*SUMS, "stability", "rate")}
        texts = {name: pd.Series([], dtype=object) for name in ("account", "customer", "kind", "product")}
        return pd.DataFrame({**texts, **columns})
    return account_results(ledger["accounts"], ledger["balances"], rules, period)


def _served(ledger: Ledger, period: Period) -> Served:
    """The activities at cost, those of an order with the order's customer."""
    counts = _of(ledger, "activity_counts", period).copy()
    orders = set(counts["order"]) - {""}
    if orders:
        buyer = blank_where_missing(counts["order"].map(ledger.sales.buyers(orders)))
        counts["customer"] = counts["customer"].where(counts["customer"] != "", buyer)
    try:
        return cost_to_serve(
            counts, ledger["activities"], ledger["time_drivers"], _of(ledger, "cost_pools", period)
        )
    except KeyError as error:
        message = f"has activities of {period} and {error.args[0]} in it"
        raise InputError(
            [Fault("cost_pools", message, "add their expense and capacity", code="missing")]
        ) from None


def _names(
    ledger: Ledger, period: Period, lines: pd.DataFrame, accounts: pd.DataFrame, served: Served
) -> pd.Index[str]:
    stated = ledger["customers"]
    there = ~(stated["opened"] > period.last) & ~(stated["closed"] < period.first)
    before = ledger.sales.before(period.first)
    left = set(stated.loc[~there, "customer"])
    others = set(stated.loc[there, "customer"]) | (set(before) - left)
    others |= {*accounts["customer"].unique(), *served.rows["customer"].unique()}
    # Those with lines come in order from a long ledger, and what is nearly in order is soon sorted.
    buying = lines.index.tolist()
    index: pd.Index[str] = pd.Index(
        sorted(buying + list(others.difference(buying, {""}))), dtype=object, name="customer"
    )
    return index


def _customers(ledger: Ledger, period: Period, names: pd.Index[str]) -> pd.DataFrame:
    """One row a customer: segment, group, days as a customer in the period."""
    stated = ledger["customers"].set_index("customer").reindex(names)
    start = stated["opened"].where(stated["opened"] > period.first, period.first)
    end = stated["closed"].where(stated["closed"] < period.last, period.last)
    # Whoever was served before or after being a customer counts for no day.
    days = ((end - start).dt.days + 1).clip(lower=0)
    group = connected_groups(
        names.to_numpy(dtype=object), blank_where_missing(stated["group"]), ledger["links"]
    )
    return pd.DataFrame(
        {"segment": blank_where_missing(stated["segment"]), "group": group, "days": days}, index=names
    )


OF_LINES = {
    "quantity": "quantity",
    "list_revenue": "list_revenue",
    "discount": "discount",
    "tax": "tax",
    "revenue": "sales_revenue",
    "product_cost": "goods",
}


def _fill(customers: pd.DataFrame, lines: pd.DataFrame, accounts: pd.DataFrame, served: Served) -> None:
    """Adds what the ledgers hold of each customer."""
    at = customers.index.get_indexer(lines.index)
    for column, name in OF_LINES.items():
        sums = np.zeros(len(customers))
        sums[at] = lines[column].to_numpy()
        customers[name] = sums
    counts = np.zeros(len(customers), dtype=np.int64)
    counts[at] = lines["lines"].to_numpy()
    customers["lines"] = counts
    parts: dict[str, pd.Series[Any]] = {"cost_to_serve": served.rows.groupby("customer")["cost"].sum()}
    for name in ("transfer_income", "interest_earned", "interest_paid", "funding_cost"):
        parts[name] = accounts.groupby("customer")[name].sum()
    deposits = accounts[accounts["kind"] == "deposit"].groupby("customer")
    parts["deposits"], parts["minimum_deposits"] = deposits["mean"].sum(), deposits["minimum"].sum()
    parts["loans"] = accounts[accounts["kind"] == "loan"].groupby("customer")["mean"].sum()
    for name, values in parts.items():
        customers[name] = values.reindex(customers.index).fillna(0.0) if len(values) else 0.0


def _add_layers(customers: pd.DataFrame, overhead: pd.Series[float] | float) -> None:
    """Adds the layers of the profit and loss that follow from the others."""
    customers["other_reductions"] = (
        customers["list_revenue"] - customers["discount"] - customers["sales_revenue"]
    )
    customers["interest_income"] = customers["transfer_income"] + customers["interest_earned"]
    customers["revenue"] = customers["sales_revenue"] + customers["interest_income"]
    customers["product_cost"] = customers["goods"] + customers["interest_paid"] + customers["funding_cost"]
    customers["gross_profit"] = customers["revenue"] - customers["product_cost"]
    customers["contribution"] = customers["gross_profit"] - customers["cost_to_serve"]
    customers["service_overhead"] = overhead
    customers["profit"] = customers["contribution"] - customers["service_overhead"] - customers["tax"]
    customers["return_on_sales"] = return_on_sales(customers["profit"], customers["revenue"])


def return_on_sales(profit: pd.Series[float], revenue: pd.Series[float]) -> pd.Series[float]:
    """Profit over revenue; NaN where there is no revenue above 0."""
    return profit / revenue.where(revenue > 0, np.nan)
