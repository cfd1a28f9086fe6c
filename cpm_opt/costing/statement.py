"""From ledgers to customers' profit, whole: in come `Tables`, out goes `ProfitStatement`.

read_ledger -> period_profit (reporting, prior) -> tiers -> concentration -> customer x product matrix

customers' profits - idle capacity - unassigned cost = ledger total, to the cent
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import nan

import pandas as pd

from cpm_opt.costing.bank import SHOWN, account_totals
from cpm_opt.costing.break_even import Change, break_even_margin, break_even_revenue
from cpm_opt.costing.concentration import (
    Concentration,
    concentration,
    connected_customers,
    large_customers,
)
from cpm_opt.costing.customer_profit import PeriodProfit, period_profit
from cpm_opt.costing.dimensions import by_dimension
from cpm_opt.costing.ledger import Ledger, read_ledger
from cpm_opt.costing.periods import Period, prior_period, reporting_period
from cpm_opt.costing.products import (
    NO_PRODUCT,
    loss_makers,
    product_margins,
    product_matrix,
    product_profit,
    ways_out,
)
from cpm_opt.costing.tiers import assign_tiers, tier_moves, tier_summary
from cpm_opt.tables import Tables


@dataclass(frozen=True)
class ProfitStatement:
    """What each customer costs and earns.

    - `figures`: one row a customer, by name, the most profitable first: the layers of `customer_profit.MONEY`,
      return_on_sales, tier, break_even_revenue (money; cost to serve and overhead stay, other costs follow revenue),
      break_even_quantity (units, at the customer's own net price), and where there is a prior period prior_revenue,
      prior_profit, growth and ros_change (fractions); `customers`: the same with how many orders each has;
    - `reporting`, `prior`: the periods' results, `prior` None where the ledger does not reach back;
    - `tiers`: by tier; `moves`: customers by tier of the prior period and of this one, None without one;
    - `matrix`, `products`, `loss_makers`, `ways_out`: see `products`; computed when they are asked for;
    - `large`: customers of 5 % of sales or more, `large_groups`: the same with connected clients as one, None where no
      ledger connects any;
    - `cost_by_activity`: activity, count, minutes, cost (money); `notes`: which rows of which table counted.
    """

    figures: pd.DataFrame = field(repr=False)
    reporting: PeriodProfit
    prior: PeriodProfit | None
    tiers: pd.DataFrame = field(repr=False)
    moves: pd.DataFrame | None = field(repr=False)
    concentration: Concentration
    large: pd.DataFrame = field(repr=False)
    large_groups: pd.DataFrame | None = field(repr=False)
    cost_by_activity: pd.DataFrame = field(repr=False)
    ledger: Ledger = field(repr=False)
    notes: tuple[str, ...]

    @cached_property
    def customers(self) -> pd.DataFrame:
        """The figures with the number of orders, which a long ledger is asked for only where they are wanted."""
        orders = self.reporting.sales.orders(self.reporting.period).reindex(self.figures.index).fillna(0)
        table = self.figures.copy()
        table.insert(list(table.columns).index("lines") + 1, "orders", orders.astype("int64"))
        return table

    @cached_property
    def matrix(self) -> pd.DataFrame:
        """Profit by customer and product."""
        return product_matrix(self.reporting)

    @cached_property
    def products(self) -> pd.DataFrame:
        """Profit by product."""
        return product_profit(self.matrix[self.matrix["product"] != NO_PRODUCT])

    @cached_property
    def loss_makers(self) -> pd.DataFrame:
        """The cells of the matrix that lose money."""
        return loss_makers(self.matrix)

    @cached_property
    def margins(self) -> pd.Series[float]:
        """Margin of each product (a fraction), the best product first."""
        return product_margins(self.reporting)

    @cached_property
    def losing(self) -> pd.Index[str]:
        """The customers who lose money, to the cent, the worst first."""
        profit = self.figures["profit"]
        return profit[(profit.round(2) < 0).to_numpy()].sort_index().sort_values(kind="stable").index

    @cached_property
    def ways_out(self) -> pd.DataFrame:
        """How each customer who loses money could break even."""
        return self.worst_ways_out(len(self.losing))

    def worst_ways_out(self, most: int) -> pd.DataFrame:
        """The same of the `most` who lose the most money."""
        return ways_out(product_matrix(self.reporting, self.losing[:most]), self.margins)

    @property
    def accounts(self) -> pd.DataFrame:
        """A bank's accounts that stood in the period, with the columns of `bank.account_results`; by account."""
        return self.reporting.accounts[list(SHOWN)].set_index("account")

    def account_totals(self, *by: str) -> pd.DataFrame:
        """The accounts added up by some of their columns, kind say; see `bank.account_totals`."""
        return account_totals(self.reporting.accounts, list(by))

    @property
    def change(self) -> Change | None:
        """The prior period beside the reporting one; None without a prior period."""
        if self.prior is None:
            return None
        now = self.reporting
        return Change(
            self.prior.total("revenue"), self.prior.total("profit"), now.total("revenue"), now.total("profit")
        )

    @property
    def margin_of_interest(self) -> float:
        """A bank's dead centre: the margin, a fraction a year of mean deposits, at which its clients' profit is 0; NaN
        without deposits. Cost to serve, overhead, tax and the goods less sales revenue (fees) have to be earned."""
        now = self.reporting
        cost = sum(now.total(name) for name in ("cost_to_serve", "service_overhead", "tax", "goods"))
        deposits = now.total("deposits")
        return (
            break_even_margin(cost, now.total("sales_revenue"), deposits * now.period.years)
            if deposits
            else nan
        )

    def tax_on_profit(self, found: PeriodProfit) -> float | None:
        """Tax on the firm's profit of a period, the total of its ledger: none on a loss; None without a tax_rate."""
        rate = self.ledger.rules.tax_rate
        return None if rate is None else rate * max(found.ledger_total, 0.0)

    @property
    def inactive_shares(self) -> tuple[float, float]:
        """The part of all customers that did not work, in the prior period (NaN without one) and in this one."""
        shares = [
            nan if found is None or found.customers.empty else 1 - float(found.customers["active"].mean())
            for found in (self.prior, self.reporting)
        ]
        return shares[0], shares[1]

    def by(self, dimension: str) -> pd.DataFrame:
        """Profit by a dimension of the ledger; see `dimensions.by_dimension`."""
        campaigns = self.ledger["campaigns"]
        return by_dimension(
            self.reporting, dimension, campaigns[self.reporting.period.holds(campaigns["date"])]
        )

    def as_dict(self) -> dict[str, object]:
        """The figures of `cpm profit --json`; costs are positive, so that profit - idle_capacity_cost -
        unassigned_cost = ledger_total, off which profit_tax comes (None without a tax_rate); peak_share is over the
        total profit, peak_at a fraction of customers; accounts are added up by kind (money; stability a fraction), and
        margin_of_interest is a fraction a year of mean deposits. Both None (NaN) where there are no accounts."""
        now, found = self.reporting, self.concentration
        change = self.change
        paid = self.tax_on_profit(now)
        return {
            "customers": len(self.figures),
            **{name: now.total(name) for name in ("revenue", "product_cost", "cost_to_serve")},
            "service_overhead": now.total("service_overhead"),
            "tax": now.total("tax"),
            "profit": now.total("profit"),
            "idle_capacity_cost": now.served.idle_capacity_cost,
            "unassigned_cost": now.unassigned_cost,
            "unassigned": now.unassigned,
            "ledger_total": now.ledger_total,
            "unreconciled": now.unreconciled,
            "profit_tax": paid,
            "profit_after_tax": None if paid is None else now.ledger_total - paid,
            "list_revenue": now.total("list_revenue"),
            "discount": now.total("discount"),
            "other_reductions": now.total("other_reductions"),
            "return_on_sales": now.total("profit") / now.total("revenue")
            if now.total("revenue") > 0
            else None,
            "tiers": {
                str(name): {"customers": int(row["customers"]), "profit": float(row["profit"])}
                for name, row in self.tiers.iterrows()
            },
            "whale": {
                "peak_share": found.whale.peak_share,
                "peak_at": found.whale.peak_at,
                "end": found.whale.end,
            },
            "top_share": found.top_share,
            "worst_loss": found.worst_loss,
            "gini": found.gini,
            "hhi": found.hhi,
            "period": [f"{now.period.first:%Y-%m-%d}", f"{now.period.last:%Y-%m-%d}"],
            "prior": None
            if change is None or self.prior is None
            else {
                "period": [f"{self.prior.period.first:%Y-%m-%d}", f"{self.prior.period.last:%Y-%m-%d}"],
                "revenue": change.prior_revenue,
                "profit": change.prior_profit,
                "growth": change.growth,
                "return_on_sales": change.prior_return_on_sales,
                "ros_change": change.change_of_return,
            },
            "moves": None if self.moves is None else self.moves.to_dict("index"),
            "large": self.large.reset_index().to_dict("records"),
            "accounts": None if now.accounts.empty else self.account_totals("kind").to_dict("index"),
            "margin_of_interest": self.margin_of_interest,
            "notes": list(self.notes),
        }


def cost_and_profit(tables: Tables) -> ProfitStatement:
    """What each customer of an instance costs and earns, from its raw tables and `[estimates.profit]`.

    Raises InputError with every fault of the raw tables at once, DefectError where the result does not reconcile.
    """
    ledger = read_ledger(tables)
    period = reporting_period(ledger.rules, ledger.dates)
    earlier = prior_period(ledger.rules, period)
    ledger = replace(ledger, sales=ledger.sales.divided((period, earlier)))
    now = period_profit(ledger, period)
    before = _prior(ledger, earlier)
    customers = _with_tiers(now, ledger)
    moves = None
    if before is not None:
        of_before = _with_tiers(before, ledger)
        moves = tier_moves(*_aligned(of_before["tier"], customers["tier"]), ledger.rules.tiers)
        _compare(customers, of_before)
    return ProfitStatement(
        figures=customers.sort_values("profit", ascending=False, kind="stable"),
        reporting=now,
        prior=before,
        tiers=tier_summary(customers, ledger.rules.tiers),
        moves=moves,
        concentration=concentration(customers["profit"], customers["revenue"]),
        large=large_customers(customers, ledger.rules.large_share),
        large_groups=large_customers(connected_customers(customers), ledger.rules.large_share)
        if (customers["group"] != "").any()
        else None,
        cost_by_activity=now.served.rows.groupby("activity")[["count", "minutes", "cost"]].sum(),
        ledger=ledger,
        notes=_notes(ledger, now, before),
    )


def _prior(ledger: Ledger, before: Period) -> PeriodProfit | None:
    """The result of the period before; None where no ledger has a row in it."""
    if len(ledger.sales.by_customer(before)):
        return period_profit(ledger, before)
    flows = [ledger[name]["date"] for name in ("activity_counts", "cost_pools")]
    # A balance of an earlier day holds or moves on; the day before a period is but its opening.
    stood = bool((ledger["balances"]["date"] < before.last).any())
    return period_profit(ledger, before) if stood or any(before.holds(day).any() for day in flows) else None


def _with_tiers(found: PeriodProfit, ledger: Ledger) -> pd.DataFrame:
    customers = found.customers
    fixed = customers["cost_to_serve"] + customers["service_overhead"]
    variable = customers["product_cost"] + customers["tax"]
    breaks_even = break_even_revenue(fixed, variable, customers["revenue"])
    price = customers["revenue"] / customers["quantity"].where(customers["quantity"] > 0)
    return customers.assign(
        tier=assign_tiers(customers["profit"], customers["active"], ledger.rules.tiers),
        break_even_revenue=breaks_even,
        break_even_quantity=breaks_even / price.where(price > 0),
    )


def _aligned(before: pd.Series[str], now: pd.Series[str]) -> tuple[pd.Series[str], pd.Series[str]]:
    every = before.index.union(now.index)
    return before.reindex(every), now.reindex(every)


def _compare(customers: pd.DataFrame, earlier: pd.DataFrame) -> None:
    """Adds the prior period's figures to each customer."""
    for name in ("revenue", "profit"):
        customers[f"prior_{name}"] = earlier[name].reindex(customers.index).fillna(0.0)
    prior = customers["prior_revenue"]
    customers["growth"] = customers["revenue"] / prior.where(prior > 0) - 1
    ros = customers["prior_profit"] / prior.where(prior > 0)
    customers["ros_change"] = customers["return_on_sales"] - ros


def _notes(ledger: Ledger, now: PeriodProfit, before: PeriodProfit | None) -> tuple[str, ...]:
    """Which rows of which table counted, and by which rule."""
    notes = [f"reporting period: {now.period}"]
    notes.append(
        f"prior period: {before.period}"
        if before is not None
        else "prior period: no ledger reaches back so far"
    )
    counts, lines = ledger["activity_counts"], ledger.sales.count()
    if lines:
        notes.append(
            f"sales: {now.totals.lines:,} of {lines:,} lines lie in it; product cost is stated on "
            f"{now.totals.stated:,} of them, by unit_cost of products or the gross margin on the others"
        )
    if told := ledger.sales.told():
        notes.append(f"sales: the rows were fetched instead of added up in the database: {told}")
    if len(counts):
        nobody = int((now.served.rows["customer"] == "").sum())
        notes.append(
            f"activity_counts: {len(now.served.rows):,} of {len(counts):,} rows lie in it, {nobody:,} lead to no "
            "customer"
        )
    if before is not None and len(now.served.rows) and before.served.rows.empty:
        notes.append("no activity_counts lie in the prior period: its profit is before cost to serve")
    if len(ledger["accounts"]):
        notes.append(_stood(ledger, now))
    listed = ledger["customers"]
    if len(listed):
        strange = int((~now.customers.index.isin(listed["customer"])).sum())
        notes.append(
            f"customers: {strange:,} of {len(now.customers):,} are in other tables and not in table customers"
        )
    if now.average_clients and (now.served.pools["per_client"]).any():
        notes.append(
            f"service overhead: over {now.average_clients:,.2f} average clients (days as a client over days)"
        )
    return tuple(notes)


def _stood(ledger: Ledger, now: PeriodProfit) -> str:
    """How many accounts stood in the period, and how many of them only by a balance from before it."""
    told = f"accounts: {len(now.accounts):,} of {len(ledger['accounts']):,} stood in it"
    latest = ledger["balances"].groupby("account")["date"].max().reindex(now.accounts["account"])
    held = int((latest < now.period.first - pd.Timedelta(days=1)).sum())
    return told + (f"; the last balance of {held:,} lies before it and is held" if held else "")
