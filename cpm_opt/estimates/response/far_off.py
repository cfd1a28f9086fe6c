"""Prices of raw tables that are far off all others of their kind, as by a percent or a slip of the decimal point.

In: frames of raw tables. Out: `Fault`s that are warnings, with the row. One such row can turn a whole curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.faults import Fault

if TYPE_CHECKING:
    import pandas as pd

FAR_OFF = "far-off"
LINE = "line"
TIMES = 10.0  # the median, or a tenth of it
SPREADS = 6.0  # normal standard deviations of logarithms, as their median absolute deviation tells them
TO_NORMAL = 1.4826
FEW = 0.1  # of the rows; more than these are a kind of their own
GAP = 5.0  # times the next of the others: a tail thins out, a slip leaps
LEAST = 8  # rows by which one can be told from the others
FROM_0 = ("effort", "promotion")  # amounts that may be next to nothing
# Table -> columns of which rows with the same words are alike, and columns of prices and amounts in them.
ALIKE: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "offers": (("segment",), ("price", "standard_price")),
    "price_points": (("lever", "segment"), ("price",)),
    "choices": (("alternative", "segment"), ("price",)),
    "efforts": (("lever", "segment"), ("effort",)),
    "panel": (("segment",), ("price",)),
    "acquisitions": (("firm",), ("price", "promotion")),
}


def far_off(frames: Mapping[str, pd.DataFrame]) -> tuple[Fault, ...]:
    """A warning for each column of a group of rows, with its first row, and how many more there are.

    A figure above 0 is far off where it is more than 10 times the median of its group, or less than a tenth of it, and
    6 standard deviations away besides (of logarithms, by the median absolute deviation), so that figures that are
    spread wide are not; where it is 5 times the next of the others, or a fifth, and no more than a tenth of the group
    is so far off, or a single row.
    """
    told = []
    for table, (kinds, columns) in ALIKE.items():
        frame = frames.get(table)
        if frame is None:
            continue
        for key, own in frame.groupby(list(kinds), sort=True):
            who = " and ".join(f"{kind} {name}" for kind, name in zip(kinds, key, strict=True) if name != "")
            for column in columns:
                kept = own[own[column] > 0.0]
                logs = np.log(kept[column].to_numpy(dtype=np.float64))
                rows = kept[_far(logs, column not in FROM_0)]
                if len(rows):
                    told.append(_warning(table, column, who, rows, float(np.exp(np.median(logs))), len(kept)))
    return tuple(told)


def _far(logs: NDArray[np.float64], below: bool) -> NDArray[np.bool_]:
    nothing = np.zeros(len(logs), dtype=np.bool_)
    if len(logs) < LEAST:
        return nothing
    off = logs - np.median(logs)
    reach = max(np.log(TIMES), SPREADS * TO_NORMAL * float(np.median(np.abs(off))))
    high, low = off > reach, (off < -reach) & below
    others = off[~high & ~low]
    if (high | low).sum() > max(1.0, FEW * len(logs)):
        return nothing
    high &= bool(off[high].min(initial=np.inf) > others.max() + np.log(GAP))
    low &= bool(off[low].max(initial=-np.inf) < others.min() - np.log(GAP))
    return np.asarray(high | low, dtype=np.bool_)


def _warning(table: str, column: str, who: str, rows: pd.DataFrame, median: float, count: int) -> Fault:
    value = float(rows[column].iloc[0])
    others = f" ({len(rows) - 1} more of them are as far off)" if len(rows) > 1 else ""
    message = (
        f"is {value / median:.3g} times the median, {median:.4g}, of {count} rows"
        f"{f' of {who}' if who else ''}{others}, and may turn the whole curve"
    )
    remedy = "correct the figure (a percent, or a slip of the decimal point?), or leave it if it is meant so"
    return Fault(table, message, remedy, int(rows[LINE].iloc[0]), column, f"{value:.6g}", FAR_OFF, True)
