"""How profit and sales gather in few customers: whale curve, top and bottom shares, large customers, Gini and HHI.

The whale curve (Kaplan and Narayanan 2001) is the cumulative profit of customers from the most profitable on, over the
total: it rises to its peak with the profitable ones and comes down to 1 with the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TOP, WORST = 0.2, 0.3
NOISE = 1e-9


@dataclass(frozen=True)
class Whale:
    """`curve[k]`: cumulative profit (money) of the k + 1 most profitable customers.

    `peak`: its highest point (money); `peak_share`: that over the total, 1.5 where losses eat a third of what is
    earned, NaN where the total is not above 0; `peak_at`: the fraction of customers with which it is reached first;
    `end`: the total profit (money), where it ends.
    """

    curve: NDArray[np.float64] = field(repr=False)
    peak: float
    peak_share: float
    peak_at: float
    end: float


@dataclass(frozen=True)
class Concentration:
    """`top_share`: part of all profit that the best 20 % of customers make (NaN without a profit); `worst_loss`: the
    loss that the worst 30 % make together (money, 0 or more); `gini` and `hhi` of revenue, NaN without revenue."""

    whale: Whale
    top_share: float
    worst_loss: float
    gini: float
    hhi: float


def concentration(profit: pd.Series[float], revenue: pd.Series[float]) -> Concentration:
    """Of customers with these profits and revenues. A share of customers is rounded up to whole ones."""
    ranked = np.sort(_array(profit))[::-1]
    best, worst = ceil(TOP * len(ranked) - 1e-9), ceil(WORST * len(ranked) - 1e-9)
    total = float(ranked.sum())
    top = float(ranked[:best].sum()) / total if total > 0 else nan
    bottom = float(ranked[len(ranked) - worst :].sum())
    sales = _array(revenue)
    return Concentration(whale_curve(ranked), top, max(0.0, -bottom) + 0.0, gini(sales), hhi(sales))


def _array(values: pd.Series[float]) -> NDArray[np.float64]:
    # np.asarray would look for its hooks among the labels of the index, which is slow where they are many.
    array: NDArray[np.float64] = values.to_numpy(dtype=np.float64)  # type: ignore[assignment]
    return array


def whale_curve(profits: NDArray[np.float64]) -> Whale:
    """The whale curve of customers' profits, in whatever order they are given."""
    ranked = np.sort(profits)[::-1]
    if not len(ranked):
        return Whale(ranked, 0.0, nan, 0.0, 0.0)
    curve = np.cumsum(ranked)
    # Where it is highest, told by the profits themselves: sums of floats may rise by a hair where nothing is added.
    above = int((ranked > NOISE).sum())
    peak = float(curve[above - 1]) if above else 0.0
    end = float(curve[-1])
    return Whale(curve, peak, peak / end if end > 0 else nan, above / len(ranked), end)


def large_customers(customers: pd.DataFrame, share: float) -> pd.DataFrame:
    """Customers with at least `share` of all revenue, the largest first: revenue, share (a fraction), profit,
    return_on_sales."""
    total = float(customers["revenue"].sum())
    found = customers[["revenue", "profit", "return_on_sales"]].copy()
    found.insert(1, "share", found["revenue"] / total if total > 0 else nan)
    return found[(found["share"] >= share - 1e-12).to_numpy()].sort_values(
        "revenue", ascending=False, kind="stable"
    )


def connected_customers(customers: pd.DataFrame) -> pd.DataFrame:
    """Revenue, profit and return_on_sales with the customers of one group of connected clients as one; others stand
    alone under their own name."""
    one = customers["group"].where(customers["group"] != "", customers.index.to_series())
    sums = customers.groupby(one)[["revenue", "profit"]].sum().rename_axis("customer")
    return sums.assign(return_on_sales=sums["profit"] / sums["revenue"].where(sums["revenue"] > 0))


def gini(values: NDArray[np.float64]) -> float:
    """Gini coefficient: 0 where all have the same, near 1 where one has everything. NaN with a total of 0 or less, or
    with negative values (refunds above purchases), for which it is not defined."""
    total = float(values.sum())
    if total <= 0 or values.min() < 0:
        return nan
    ranked = np.sort(values)
    n = len(ranked)
    return float(2 * (np.arange(1, n + 1) * ranked).sum() / (n * total) - (n + 1) / n)


def hhi(values: NDArray[np.float64]) -> float:
    """Herfindahl-Hirschman index: the sum of squared shares, 1 / n where all have the same, 1 where one has all."""
    total = float(values.sum())
    return float(((values / total) ** 2).sum()) if total > 0 else nan
