"""Where each figure of a profit statement comes from: which table, which rows counted, by which rule.

In: a `ProfitStatement` and a customer (or the whole firm). Out: `Trace`. The parts of a figure add up to it, and a
figure that is made of others says of which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cpm_opt.costing.bank import balances_that_count
from cpm_opt.costing.customer_profit import PeriodProfit
from cpm_opt.costing.periods import Period
from cpm_opt.costing.product_cost import BY_MARGIN, BY_UNIT_COST, STATED
from cpm_opt.costing.statement import ProfitStatement
from cpm_opt.faults import Fault, InputError, did_you_mean

FIRST = 10
MANY = 5000

RULES = {
    "list_revenue": "list_price x quantity of each line; without a list price revenue + discount",
    "discount": "discount of each line",
    "sales_revenue": "revenue of each line",
    "tax": "tax of each line",
    STATED: "cost of the line itself",
    BY_UNIT_COST: "unit_cost of table products x quantity",
    BY_MARGIN: "(1 - gross_margin) x revenue",
    "transfer_income": "deposits: mean balance x (1 - reserve - liquidity) x transfer_price x years",
    "interest_earned": "loans: mean balance x rate x years",
    "interest_paid": "deposits: mean balance x rate x years",
    "funding_cost": "loans: mean balance x transfer_price x years",
}
MADE_OF: dict[str, tuple[tuple[int, str], ...]] = {
    "other_reductions": ((1, "list_revenue"), (-1, "discount"), (-1, "sales_revenue")),
    "revenue": ((1, "sales_revenue"), (1, "interest_income")),
    "gross_profit": ((1, "revenue"), (-1, "product_cost")),
    "contribution": ((1, "gross_profit"), (-1, "cost_to_serve")),
    "profit": ((1, "contribution"), (-1, "service_overhead"), (-1, "tax")),
    "profit_after_tax": ((1, "ledger_total"), (-1, "profit_tax")),
    "ledger_total": ((1, "profit"), (-1, "idle_capacity_cost"), (-1, "unassigned_cost")),
}
ORDER = (
    "list_revenue", "discount", "other_reductions", "sales_revenue", "interest_income", "revenue", "product_cost",
    "gross_profit", "cost_to_serve", "contribution", "service_overhead", "tax", "profit",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Rows of one table that count in a figure by one rule: how many, what they add (money), and the lines of the file
    on which the first of them stand (of a Parquet file or a query the numbers of the rows)."""

    table: str
    rule: str
    rows: int
    amount: float
    lines: tuple[int, ...]


@dataclass(frozen=True)
class Traced:
    """A figure (money): the parts that add up to it, or the figures that it is made of, each with its sign."""

    name: str
    amount: float
    parts: tuple[Part, ...] = ()
    made_of: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Trace:
    """Every figure of a customer's statement (`customer` None: of the firm's) in its order."""

    customer: str | None
    period: Period
    figures: tuple[Traced, ...]

    def as_dict(self) -> dict[str, object]:
        """The figures of `cpm profit --customer --json` and `--trace --json`."""
        return {
            "customer": self.customer,
            "period": [f"{self.period.first:%Y-%m-%d}", f"{self.period.last:%Y-%m-%d}"],
            "figures": [
                {
                    "figure": figure.name,
                    "amount": figure.amount,
                    "made_of": {name: sign for sign, name in figure.made_of},
                    "parts": [
                        {
                            "table": part.table,
                            "rule": part.rule,
                            "rows": part.rows,
                            "amount": part.amount,
                            "lines": list(part.lines),
                        }
                        for part in figure.parts
                    ],
                }
                for figure in self.figures
            ],
        }


def trace(statement: ProfitStatement, customer: str | None = None, most: int = FIRST) -> Trace:
    """Each figure of the reporting period with its rows, of each part the first `most` lines.

    Raises InputError for somebody who is no customer of the period.
    """
    now = statement.reporting
    if customer is not None and customer not in now.customers.index:
        names = [] if len(now.customers) > MANY else list(now.customers.index)
        remedy = did_you_mean(customer, names) if names else "write the name as it stands in the ledger"
        raise InputError(
            [Fault("--customer", "is no customer of the period", remedy, value=customer, code="call")]
        )
    parts = {
        **_of_sales(statement, customer, most),
        "cost_to_serve": _of_activities(statement, customer, most),
        "service_overhead": _of_overhead(statement, customer, most),
    }
    for name, bank in (("interest_income", ("transfer_income", "interest_earned")),
                       ("product_cost", ("interest_paid", "funding_cost"))):  # fmt: skip
        parts[name] = [*parts.get(name, []), *_of_accounts(statement, customer, bank, most)]
    amounts = {name: _amount(now, name, customer) for name in ORDER}
    figures = [
        Traced(name, amounts[name], tuple(parts.get(name, ())), MADE_OF.get(name, ())) for name in ORDER
    ]
    if customer is None:
        figures += _of_the_firm(statement, most)
    return Trace(customer, now.period, tuple(figures))


def _amount(now: PeriodProfit, name: str, customer: str | None) -> float:
    if customer is None:
        return now.total(name)
    return float(now.customers[name].to_numpy(dtype=np.float64)[now.customers.index.get_loc(customer)])


def _of_sales(statement: ProfitStatement, customer: str | None, most: int) -> dict[str, list[Part]]:
    now = statement.reporting
    found = now.sales.traced(now.period, customer, most)
    if found.empty:
        return {}
    lines = int(found["lines"].sum())
    first = tuple(sorted(number for numbers in found["first"] for number in numbers)[:most])
    columns = {
        "list_revenue": "list_revenue",
        "discount": "discount",
        "sales_revenue": "revenue",
        "tax": "tax",
    }
    parts = {
        name: [Part("sales", RULES[name], lines, float(found[column].sum()), first)]
        for name, column in columns.items()
    }
    parts["product_cost"] = [
        Part("sales", RULES[str(rule)], int(row["lines"]), float(row["product_cost"]), tuple(row["first"]))
        for rule, row in found.iterrows()
    ]
    return parts


def _of_accounts(
    statement: ProfitStatement, customer: str | None, incomes: Sequence[str], most: int
) -> list[Part]:
    """Interest by its rule: the balances of the accounts that bring or cost it."""
    now = statement.reporting
    accounts = now.accounts if customer is None else now.accounts[now.accounts["customer"] == customer]
    balances = statement.ledger["balances"]
    inside = balances_that_count(balances, now.period)
    parts = []
    for name in incomes:
        kind = "deposit" if name in ("transfer_income", "interest_paid") else "loan"
        own = accounts[accounts["kind"] == kind]
        rows = balances[inside & balances["account"].isin(set(own["account"]))]
        if len(rows):
            parts.append(_part("balances", RULES[name], rows, float(own[name].sum()), most))
    return parts


def _of_activities(statement: ProfitStatement, customer: str | None, most: int) -> list[Part]:
    """Activities done for the customer, or for an order of theirs; of the firm, for any customer."""
    rows = statement.reporting.served.rows
    rows = rows[rows["customer"] != ""] if customer is None else rows[rows["customer"] == customer]
    counts = statement.ledger["activity_counts"]
    return [
        _part("activity_counts", f"{name}: {_rate(statement, str(name))}", counts.loc[done.index],
              float(done["cost"].sum()), most)
        for name, done in rows.groupby("activity")
    ]  # fmt: skip


def _rate(statement: ProfitStatement, activity: str) -> str:
    """The rule of an activity's cost."""
    known = statement.ledger["activities"].set_index("activity").loc[activity]
    if known["transaction_rate"] == known["transaction_rate"]:
        return f"count x {known['transaction_rate']:g}"
    rates = {str(pool): float(rate) for pool, rate in statement.reporting.served.pools["rate"].items()}
    rate = rates[str(known["pool"])]
    return f"minutes by its time equation x {rate:.6g} a minute of {known['pool']}"


def _of_overhead(statement: ProfitStatement, customer: str | None, most: int) -> list[Part]:
    now = statement.reporting
    pools = statement.ledger["cost_pools"]
    rows = pools[now.period.holds(pools["date"]) & pools["per_client"]]
    amount = now.total("service_overhead")
    rule = "expense of pools that are per_client"
    if customer is not None:
        amount = _amount(now, "service_overhead", customer)
        days = int(_amount(now, "days", customer))
        rule += f" x {days} days as a customer / {int(now.customers['days'].sum())} days of all customers"
    return [_part("cost_pools", rule, rows, amount, most)] if len(rows) else []


def _of_the_firm(statement: ProfitStatement, most: int) -> list[Traced]:
    """What is on no customer, and the total."""
    now, ledger = statement.reporting, statement.ledger
    pools, campaigns = (
        rows[now.period.holds(rows["date"])] for rows in (ledger["cost_pools"], ledger["campaigns"])
    )
    limited = pools[pools["pool"].isin(set(now.served.pools.index[now.served.pools["idle_cost"] != 0]))]
    idle = now.served.idle_capacity_cost
    parts = [_part("cost_pools", "expense of pools with a capacity - what their activities took of it", limited, idle,
                   most)] if len(limited) else []  # fmt: skip
    nobody = ledger["activity_counts"].loc[now.served.rows.index[now.served.rows["customer"] == ""]]
    without = now.served.pools.index[now.served.pools["unassigned"] != 0]
    rows_of = {
        "pools without activities": ("cost_pools", pools[pools["pool"].isin(set(without))]),
        "overhead without clients": ("cost_pools", pools[pools["per_client"]]),
        "activities for nobody in particular": ("activity_counts", nobody),
        "campaigns": ("campaigns", campaigns),
    }
    unassigned = [
        _part(rows_of[name][0], name, rows_of[name][1], cost, most)
        for name, cost in now.unassigned.items()
        if cost
    ]
    figures = [
        Traced("idle_capacity_cost", idle, tuple(parts)),
        Traced("unassigned_cost", now.unassigned_cost, tuple(unassigned)),
        Traced("ledger_total", now.ledger_total, (), MADE_OF["ledger_total"]),
    ]
    paid = statement.tax_on_profit(now)
    if paid is not None:
        rule = "tax_rate of [estimates.profit] x ledger_total, none on a loss"
        figures.append(Traced("profit_tax", paid, (Part("instance.toml", rule, 0, paid, ()),)))
        figures.append(Traced("profit_after_tax", now.ledger_total - paid, (), MADE_OF["profit_after_tax"]))
    return figures


def _part(table: str, rule: str, rows: pd.DataFrame, amount: float, most: int) -> Part:
    return Part(table, rule, len(rows), amount, tuple(sorted(map(int, rows["line"]))[:most]))
