"""Time-driven activity-based costing (Kaplan and Anderson, Harvard Business Review 11/2004; book of 2007).

    rate of a pool          = expense / practical capacity                           money per minute
    minutes of a row        = count x base minutes + sum over drivers of amount x minutes per unit    (time equation)
    cost by duration        = minutes x rate
    cost by transaction     = count x transaction rate
    idle capacity           = practical capacity - minutes, at the rate: its own line, never spread over customers

In: the tables cost_pools, activities, time_drivers, activity_counts of one period. Out: `Served`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Served:
    """What was done, at cost.

    `rows`: one per row of activity_counts, with activity, customer, order, product, count, minutes and cost (money).
    `pools`: by pool, with expense (money), practical_capacity and minutes, rate (money per minute), assigned (money),
    idle_minutes, idle_cost (negative where more was done than the capacity gives), and unassigned (money: the expense
    of pools that serve no activity and are not spread per client).
    """

    rows: pd.DataFrame
    pools: pd.DataFrame

    @property
    def idle_capacity_cost(self) -> float:
        """Cost of capacity that nobody used."""
        return float(self.pools["idle_cost"].sum())

    @property
    def outside_pools(self) -> float:
        """Cost at stated transaction rates of activities that belong to no pool: an expense by its rate alone."""
        return float(self.rows.loc[self.rows["pool"] == "", "cost"].sum())


def capacity_rate(expense: float, practical_capacity: float) -> float:
    """Cost of a unit of capacity: 560,000 over 700,000 minutes is 0.80 a minute."""
    if practical_capacity <= 0:
        raise ValueError("the practical capacity has to be above 0")
    return expense / practical_capacity


def minutes_of(
    counts: pd.DataFrame, activities: pd.DataFrame, time_drivers: pd.DataFrame
) -> pd.Series[float]:
    """Minutes of each row of `counts` by its activity's time equation."""
    base = counts["activity"].map(activities.set_index("activity")["base_minutes"]).fillna(0.0)
    minutes: pd.Series[float] = counts["count"] * base
    for driver, equation in time_drivers.groupby("driver", sort=True):
        unit = counts["activity"].map(equation.set_index("activity")["minutes"]).fillna(0.0)
        minutes = minutes + counts[driver] * unit
    return minutes


def cost_to_serve(
    counts: pd.DataFrame, activities: pd.DataFrame, time_drivers: pd.DataFrame, pools: pd.DataFrame
) -> Served:
    """The activities of one period at cost, and what is left of the pools.

    `pools` are rows of table cost_pools of the period, several of one pool are added. An activity with a
    transaction_rate costs that, else its minutes at the rate of its pool. KeyError where a pool is not there.
    """
    totals = _pools(pools)
    known = activities.set_index("activity")
    rows = counts[["activity", "customer", "order", "product", "count"]].copy()
    rows["pool"] = rows["activity"].map(known["pool"])
    rows["minutes"] = minutes_of(counts, activities, time_drivers)
    stated = rows["activity"].map(known["transaction_rate"])
    by_time = rows["pool"].map(totals["rate"])
    rows["cost"] = np.where(stated.notna(), rows["count"] * stated, rows["minutes"] * by_time)
    if rows["cost"].isna().any():
        missing = sorted(set(rows.loc[rows["cost"].isna(), "pool"]))
        raise KeyError(f"no rate of pools {', '.join(missing)}")
    return Served(rows, _used(totals, rows))


def _pools(pools: pd.DataFrame) -> pd.DataFrame:
    """Expense, capacity and rate by pool; capacity is NaN, and so is the rate, of pools that serve no activity."""
    totals = pools.groupby("pool", sort=True).agg(
        expense=("expense", "sum"),
        practical_capacity=("practical_capacity", lambda part: part.sum(min_count=1)),
        per_client=("per_client", "any"),
    )
    totals["practical_capacity"] = totals["practical_capacity"].astype("float64")
    totals["rate"] = totals["expense"] / totals["practical_capacity"]
    return totals


def _used(totals: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The pools with what was assigned of them and what is left."""
    done = rows.groupby("pool")[["minutes", "cost"]].sum().reindex(totals.index, fill_value=0.0)
    limited = totals["practical_capacity"].notna()
    used = totals.assign(minutes=done["minutes"], assigned=done["cost"])
    used["idle_minutes"] = (used["practical_capacity"] - used["minutes"]).where(limited)
    used["idle_cost"] = (used["expense"] - used["assigned"]).where(limited, 0.0)
    used["unassigned"] = used["expense"].where(~limited & ~used["per_client"], 0.0)
    return used
