"""Tiers of customers by profit, and how customers move between them.

Customers who did not work (no turnover, a negligible balance) and customers who lost money are tiers of their own. The
others are cut by thresholds of profit, by shares of their number, or at natural breaks: the classes with the least sum
of squared differences from their means (Jenks 1977), which in one dimension are the best k-means clusters; kmeans1d
finds them exactly.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.costing.settings import TierRules


def tier_names(rules: TierRules) -> tuple[str, ...]:
    """Every tier, from the best to the least."""
    return (*rules.names, rules.unprofitable, rules.inactive)


def assign_tiers(profit: pd.Series[float], active: pd.Series[bool], rules: TierRules) -> pd.Series[str]:
    """The tier of each customer. Profits are compared to the cent; equal ones are in the same tier, the better one."""
    cents = profit.round(2)
    tier = np.full(len(profit), rules.inactive, dtype=object)
    losing = (active & (cents < 0)).to_numpy()
    tier[losing] = rules.unprofitable
    working = (active & (cents >= 0)).to_numpy()
    names = np.array(rules.names, dtype=object)
    profits: NDArray[np.float64] = cents.to_numpy(dtype=np.float64)[working]  # type: ignore[assignment]
    lowest = _lowest(profits, rules)
    # The first tier whose least profit the customer reaches.
    position = np.searchsorted(-lowest, -profits, side="left")
    tier[working] = names[np.minimum(position, len(names) - 1)]
    return pd.Series(tier, index=profit.index, dtype=object)


def _lowest(profits: NDArray[np.float64], rules: TierRules) -> NDArray[np.float64]:
    """The least profit of each tier but the last, falling."""
    if rules.method == "thresholds":
        return np.array(rules.values, dtype=np.float64)
    if not len(profits):
        return np.zeros(0)
    ranked = np.sort(profits)[::-1]
    if rules.method == "shares":
        ends = np.ceil(np.cumsum(rules.values[:-1]) * len(ranked) - 1e-9).astype(np.int64)
        # A tier that is too small for one customer is empty: its least profit is above everybody's.
        return np.where(ends > 0, ranked[np.maximum(ends, 1) - 1], np.inf)
    import kmeans1d

    classes = min(len(rules.names), len(np.unique(ranked)))
    label = np.array(kmeans1d.cluster(ranked.tolist(), classes)[0])
    return np.array([ranked[label == k].min() for k in range(classes - 1, 0, -1)])


def tier_summary(customers: pd.DataFrame, rules: TierRules) -> pd.DataFrame:
    """By tier, the best first: customers, share (of all customers), and in money revenue, cost_to_serve, profit,
    profit_each and least (the least profit of one)."""
    grouped = customers.groupby("tier")
    found = grouped[["revenue", "cost_to_serve", "profit"]].sum()
    found.insert(0, "customers", grouped.size())
    found["least"] = grouped["profit"].min()
    found = found.reindex(list(tier_names(rules)))
    found[["customers", "revenue", "cost_to_serve", "profit"]] = found[
        ["customers", "revenue", "cost_to_serve", "profit"]
    ].fillna(0.0)
    found["customers"] = found["customers"].astype("int64")
    found.insert(1, "share", found["customers"] / max(1, len(customers)))
    found["profit_each"] = found["profit"] / found["customers"].where(found["customers"] > 0)
    return found


def tier_moves(before: pd.Series[str], now: pd.Series[str], rules: TierRules) -> pd.DataFrame:
    """How many customers went from each tier (rows; `new`: not a customer before) to each (columns; `gone`)."""
    names = list(tier_names(rules))
    both = pd.DataFrame({"from": before, "to": now})
    both["from"] = both["from"].fillna(NEW)
    both["to"] = both["to"].fillna(GONE)
    counts = pd.crosstab(both["from"], both["to"])
    return counts.reindex(index=[*names, NEW], columns=[*names, GONE], fill_value=0)


NEW, GONE = "new", "gone"
