"""Customer equity: the lifetime values of the base, and of each segment or tier, added up.

In: the customers' frame of `Values`. Out: a frame by group, and sums with their intervals.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.estimates.value import lists
from cpm_opt.estimates.value.lifetime import Valued, interval


def shares(customers: pd.DataFrame, valued: Valued, by: str) -> pd.DataFrame:
    """A row a group: customers, sums of the kinds of value, mean probability_alive of those with a repeat purchase (of
    the others BG/NBD tells nothing), equity with its interval and its
    share of all equity (nan where that is not above 0)."""
    total = float(customers["lifetime"].sum())
    kinds = [name for name in lists.KINDS if name != "lifetime"]
    rows = []
    for name, members in customers.groupby(by, sort=True):
        chosen = (customers[by] == name).to_numpy()
        worth = equity(members["lifetime"], valued, chosen)
        rows.append(
            {
                by: name,
                "customers": len(members),
                "customer_share": len(members) / len(customers),
                **{kind: float(members[kind].sum(min_count=1)) for kind in kinds},
                "probability_alive": float(members.loc[members["frequency"] > 0, "probability_alive"].mean()),
                "equity": worth["value"],
                "equity_low": worth["low"],
                "equity_high": worth["high"],
                "equity_share": worth["value"] / total if total > 0 else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def equity(lifetime: pd.Series[float], valued: Valued, members: NDArray[np.bool_]) -> dict[str, float]:
    """Sum of lifetime values with its 95 % interval: value, low, high; nan where no model tells how sure it is."""
    value = float(lifetime.sum(min_count=1))
    error = valued.total_error(members) if valued.gradient.shape[1] else float("nan")
    low, high = interval(np.array([value]), np.array([error]), valued.net)
    return {"value": value, "low": float(low[0]), "high": float(high[0])}
