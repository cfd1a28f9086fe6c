"""Migration from a panel of segments: moves counted, thin rows smoothed towards where everybody goes.

In: table panel. Out: `Moves`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Moves:
    """`counts[S, S + 1]` from each of `segments` to each of them, and (last column) out; `rates` after smoothing, with
    their standard errors; `weight` of the prior, as so many customers."""

    segments: tuple[str, ...]
    counts: Numbers
    rates: Numbers
    errors: Numbers
    weight: float

    def frame(self) -> pd.DataFrame:
        """Table migration: from, to, rate, se; moves of rate 0 are left out, and who leaves is in no row."""
        import pandas as pd

        rows = [
            {"from": source, "to": target, "rate": self.rates[s, k], "se": self.errors[s, k]}
            for s, source in enumerate(self.segments)
            for k, target in enumerate(self.segments)
            if self.rates[s, k] > 0.0
        ]
        return pd.DataFrame(rows, columns=["from", "to", "rate", "se"])


def count_moves(panel: pd.DataFrame, weight: float = 0.0) -> Moves:
    """Counts customers' moves from a period to the next, and smooths them with a Dirichlet prior.

        rate[s,k] = (count[s,k] + weight q[k]) / (count[s] + weight)
        error     = sqrt(rate (1 - rate) / (count[s] + weight + 1))          the posterior's standard deviation

    q is the part of all moves, from any segment, that leads to k or out; `weight` (0: no smoothing, and then the error
    is the binomial one, sqrt(rate (1 - rate) / count)) says how many customers that is worth. A row with `left` 1 is a
    move out; a row whose customer has none in the next period is not counted: nobody knows where they went. Nor is
    the panel's last period: who stayed there has no next row, so leavers alone would count. A segment without any move
    has rates 0 where nothing is smoothed.
    """
    if weight < 0:
        raise ValueError("the weight of the prior may not be negative")
    _, here, target, segments = destinations(panel)
    counts = np.zeros((len(segments), len(segments) + 1))
    np.add.at(counts, (here, target), 1.0)
    total = counts.sum(axis=1, keepdims=True)
    whole = counts.sum()
    prior = counts.sum(axis=0) / whole if whole else np.zeros(len(segments) + 1)
    size = total + weight
    rates = np.divide(counts + weight * prior, size, out=np.zeros_like(counts), where=size > 0)
    below = size + 1.0 if weight > 0 else size
    errors = np.sqrt(np.divide(rates * (1.0 - rates), below, out=np.zeros_like(counts), where=below > 0))
    return Moves(segments, counts, rates, errors, weight)


def destinations(
    panel: pd.DataFrame,
) -> tuple[pd.DataFrame, NDArray[np.int64], NDArray[np.int64], tuple[str, ...]]:
    """The rows before the panel's last period whose next segment is known, by customer and period; position of their
    segment and of the next one (after the last: out); all segments of the panel, sorted."""
    segments = tuple(sorted(str(name) for name in panel["segment"].unique()))
    place = {name: k for k, name in enumerate(segments)}
    rows = panel.sort_values(["customer", "period"], kind="stable")
    here = rows["segment"].map(place).to_numpy(dtype=np.int64)
    customer, period = rows["customer"].to_numpy(), rows["period"].to_numpy()
    left = rows["left"].to_numpy() == 1
    follows = np.zeros(len(rows), dtype=bool)
    follows[:-1] = (customer[1:] == customer[:-1]) & (period[1:] == period[:-1] + 1)
    target = np.full(len(rows), len(segments))
    target[:-1] = np.where(follows[:-1] & ~left[:-1], here[1:], len(segments))
    known = (left | follows) & (period < period.max(initial=0))
    return rows[known], here[known], target[known], segments
