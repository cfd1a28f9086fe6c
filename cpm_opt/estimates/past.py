"""What customers have earned so far: the historical and the current value.

In: transactions, the ledger's last day, the rules of states. Out: frames by customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from cpm_opt.estimates.histories import WEEKS
from cpm_opt.estimates.service import base_service_cost
from cpm_opt.estimates.settings import StateRules
from cpm_opt.estimates.states import NOT_YET, build_panel, last_whole_period, period_of

EVERYBODY = "all"
NEW = "new"
WINDOW = 4


class Placed(NamedTuple):
    """The segment of each customer (`segment`, index customer), and of each segment its kind and base service cost."""

    segment: pd.Series[str]
    kind: Mapping[str, str]
    service: Mapping[str, float]


def past_profit(
    transactions: pd.DataFrame, end: pd.Timestamp, period: str, half_life: float, window: int = WINDOW
) -> pd.DataFrame:
    """One row a customer (index) of the transactions up to day `end`, money of profit before the cost to serve:

    first, last (days), purchases (days that were no refund), revenue, historical (all profit), historical_recent (each
    profit weighted by half to the power of its age over `half_life` periods), current (of the last whole period),
    before (of the one before that), recent (of the last `window` whole periods).
    """
    until = transactions[transactions["date"] <= end]
    age = (end - until["date"]).dt.days / (WEEKS[period] * 7.0)
    back = last_whole_period(end, period) - period_of(until["date"], period)
    profit = until["profit"]
    parts = pd.DataFrame(
        {
            "customer": until["customer"],
            "date": until["date"],
            "purchases": (until["revenue"] >= 0.0).astype(np.int64),
            "revenue": until["revenue"],
            "historical": profit,
            "historical_recent": profit * 0.5 ** (age / half_life),
            "current": profit.where(back == 0, 0.0),
            "before": profit.where(back == 1, 0.0),
            "recent": profit.where((back >= 0) & (back < window), 0.0),
        }
    )
    grouped = parts.groupby("customer", sort=True)
    sums = grouped[[name for name in parts.columns if name not in ("customer", "date")]].sum()
    sums.insert(0, "first", grouped["date"].min())
    sums.insert(1, "last", grouped["date"].max())
    return sums


def place(
    transactions: pd.DataFrame,
    rules: StateRules | None,
    period: str,
    end: pd.Timestamp,
    frames: Mapping[str, pd.DataFrame],
) -> Placed:
    """The state of each customer at the end of the last whole period, as in the planning tables.

    Who first bought after that is in segment `new`. Without rules of states all are in one segment `all`.
    """
    names = pd.Index(sorted(transactions.loc[transactions["date"] <= end, "customer"].unique()))
    if rules is None:
        kinds = {EVERYBODY: "active"}
        segment = pd.Series(EVERYBODY, index=names, dtype=object)
    else:
        last = last_whole_period(end, period)
        panel = build_panel(transactions, rules, period, last)
        seen = sorted(transactions.loc[period_of(transactions["date"], period) <= last, "customer"].unique())
        labels = np.array([*(state.name for state in panel.states), NEW], dtype=object)
        state = panel.state[:, -1]
        at_end = labels[np.where(state == NOT_YET, len(labels) - 1, state)]
        segment = pd.Series(at_end, index=pd.Index(seen)).reindex(names).fillna(NEW)
        kinds = {**{state.name: state.kind for state in panel.states}, NEW: "active"}
    cost = base_service_cost(frames, list(kinds), list(kinds.values()))
    return Placed(segment, kinds, dict(zip(kinds, cost, strict=True)))
