"""Purchase histories as the models of purchases take them: frequency, recency, age and spend of each customer.

In: transactions (one a customer and day). Out: `Histories`, in weeks up to a day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

DAYS_A_WEEK = 7.0
WEEKS = {"month": 365.25 / 12 / 7, "quarter": 365.25 / 4 / 7, "year": 365.25 / 7}


@dataclass(frozen=True)
class Histories:
    """Histories of N customers up to the end of a day, in the order of their names.

    `frequency[N]` repeat purchases x, that is days with a purchase after the first one; `recency[N]` weeks from the
    first to the last purchase t_x (0 without repeats); `age[N]` weeks from the first purchase to the day T;
    `spend[N]` mean money of a repeat purchase z, refunds taken off (nan without repeats); `customer[N]` names.
    `refund_days` is how many days were refunds and so no purchase, `refunded` their money (negative).
    """

    customer: NDArray[np.object_]
    frequency: Numbers
    recency: Numbers
    age: Numbers
    spend: Numbers
    end: pd.Timestamp
    refund_days: int = 0
    refunded: float = 0.0

    def __len__(self) -> int:
        return len(self.customer)


@dataclass(frozen=True)
class Alike:
    """Histories that occur, each once: `frequency[U]`, `recency[U]`, `age[U]`, and how many customers have it.

    `times[F]` are the frequencies that occur and `which[U]` is the place of each history's among them: what hangs on
    frequency alone is computed for few.
    """

    frequency: Numbers
    recency: Numbers
    age: Numbers
    customers: Numbers
    times: Numbers
    which: NDArray[np.intp]


def build_histories(transactions: pd.DataFrame, end: pd.Timestamp) -> Histories:
    """Histories up to and with day `end`, of the customers who had bought by then.

    `transactions` as in `Profitability`. A day counts as a purchase where its lines together are not negative (a free
    one counts); a day whose refunds outweigh its purchases is none, but its money lowers the customer's mean spend.
    """
    until = transactions[transactions["date"] <= end]
    revenue = until["revenue"].to_numpy(dtype=float)
    bought = revenue >= 0.0
    purchases = until[bought]
    codes, names = pd.factorize(purchases["customer"], sort=True)
    size = len(names)
    days = (purchases["date"].to_numpy().astype("datetime64[D]")).astype(np.int64)
    first = np.full(size, np.iinfo(np.int64).max)
    last = np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(first, codes, days)
    np.maximum.at(last, codes, days)
    frequency = np.bincount(codes, minlength=size) - 1.0
    # Money after the first purchase, refunds with it.
    position = pd.Index(names).get_indexer(pd.Index(until["customer"]))
    all_days = until["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    known = position >= 0
    after = known & (all_days > first[position]) if size else known
    money = np.bincount(position[after], weights=revenue[after], minlength=size)
    with np.errstate(divide="ignore", invalid="ignore"):
        spend = np.where(frequency > 0, money / frequency, np.nan)
    return Histories(
        customer=np.asarray(names, dtype=object),
        frequency=frequency.astype(np.float64),
        recency=(last - first) / DAYS_A_WEEK,
        age=(end.to_datetime64().astype("datetime64[D]").astype(np.int64) - first) / DAYS_A_WEEK,
        spend=spend,
        end=end,
        refund_days=int((~bought).sum()),
        refunded=float(revenue[~bought].sum()),
    )


def purchase_days(transactions: pd.DataFrame, after: pd.Timestamp, end: pd.Timestamp) -> pd.Series[int]:
    """Purchases of each customer after day `after`, up to and with day `end`; index: the customers who made any."""
    days = transactions["date"]
    counted = transactions[(days > after) & (days <= end) & (transactions["revenue"] >= 0.0)]
    return counted.groupby("customer").size()


def alike(histories: Histories) -> Alike:
    """The histories with equal ones put together, so that a likelihood is computed once for each."""
    rows = np.column_stack([histories.frequency, histories.recency, histories.age])
    order = np.lexsort(rows.T)
    rows = rows[order]
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, len(rows))).astype(float)
    times, which = np.unique(rows[starts, 0], return_inverse=True)
    return Alike(rows[starts, 0], rows[starts, 1], rows[starts, 2], counts, times, which)
