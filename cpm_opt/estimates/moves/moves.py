"""Migration from a panel of segments: leavers and moves counted, thin rows smoothed towards where everybody goes.

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
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Moves:
    """`counts[S, S + 1]`: customers of each of `segments` who stayed and were followed to each of them, and (last
    column) those who left, of `at_risk[S]` rows. `rates[S, S + 1]` after smoothing, with their standard errors;
    `weight` of the prior, as so many customers."""

    segments: tuple[str, ...]
    counts: Numbers
    at_risk: Numbers
    rates: Numbers
    errors: Numbers
    weight: float

    @property
    def untold(self) -> tuple[str, ...]:
        """Segments in which customers stayed, but nobody was followed, so that where they go is not known: not even by
        smoothing, where no move of anybody leads to the segment itself and all would be sent away."""
        return self._names(self._unfollowed & ((self.weight == 0) | (self.counts[:, :-1].sum(axis=0) == 0)))

    @property
    def by_smoothing(self) -> tuple[str, ...]:
        """Segments of which no stayer was followed, so that smoothing alone says where they go."""
        return tuple(name for name in self._names(self._unfollowed) if name not in self.untold)

    @property
    def _unfollowed(self) -> NDArray[np.bool_]:
        stayed = self.at_risk - self.counts[:, -1]
        return np.asarray((stayed > 0) & (self.counts[:, :-1].sum(axis=1) == 0))

    def _names(self, which: NDArray[np.bool_]) -> tuple[str, ...]:
        return tuple(name for name, here in zip(self.segments, which, strict=True) if here)

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


@dataclass(frozen=True)
class Destinations:
    """`rows` of a panel by customer and period, the position `here[n]` of their segment, and `target[n]`: that of the
    next one, after the last (S) for leavers, -1 where a customer who stayed has no row in the next period. `segments`
    are all of the panel, sorted."""

    rows: pd.DataFrame
    here: Indices
    target: Indices
    segments: tuple[str, ...]


def count_moves(
    panel: pd.DataFrame, weight: float = 0.0, last_told: bool = True, only: NDArray[np.bool_] | None = None
) -> Moves:
    """Counts who leaves, and where those go who stay, and smooths both with a Dirichlet prior.

        leave[s]   = (left[s] + weight q_out) / (at_risk[s] + weight)              all rows, for each states `left`
        to[s,k]    = (count[s,k] + w q[k]) / (count[s] + w),  w = weight (1 - q_out)          stayers who are followed
        rate[s,k]  = (1 - leave[s]) to[s,k]                                        rate out: leave[s]

    Two parts, because a leaver's last row is always known and a stayer's next one is not: where windows of observation
    end, leavers alone would be counted. q_out is the part of all rows in which customers left, q[k] the part of all
    followed moves that leads to k; `weight` (0: no smoothing) says how many customers the prior is worth. The parts are
    independent, so that

        var rate[s,k] = var leave var to + var leave to^2 + var to (1 - leave)^2

    with x (1 - x) / (size + weight + 1) for the variance of each part (the posterior's; w for weight in `to`), or with
    weight 0 x (1 - x) / size and without the first term (the delta method). Where every stayer is followed all this is
    the Dirichlet posterior of the moves, or the binomial error, of one step. With `last_told` False it is not known who
    left in the panel's last period, and its rows are not at risk. `only[n]` of the rows are counted, if it is given. A
    segment without rows has rates 0 where nothing is smoothed, one with `untold` stayers no rates among segments.
    """
    if weight < 0:
        raise ValueError("the weight of the prior may not be negative")
    found = destinations(panel, only)
    here, target, segments = found.here, found.target, found.segments
    if not last_told:
        period = found.rows["period"].to_numpy()
        earlier = period < period.max(initial=0)
        here, target = here[earlier], target[earlier]
    size = len(segments)
    counts = np.zeros((size, size + 1))
    told = target >= 0
    np.add.at(counts, (here[told], target[told]), 1.0)
    at_risk = np.bincount(here, minlength=size).astype(np.float64)
    left, followed = counts[:, -1], counts[:, :-1]
    outward = left.sum() / at_risk.sum() if at_risk.sum() else 0.0
    onward = followed.sum(axis=0) / followed.sum() if followed.sum() else np.zeros(size)
    leave, leave_error = _smoothed(left[:, None], at_risk[:, None], np.array([outward]), weight)
    to, to_error = _smoothed(followed, followed.sum(axis=1, keepdims=True), onward, weight * (1.0 - outward))
    rates = np.hstack([(1.0 - leave) * to, leave])
    both = leave_error**2 * to_error**2 if weight > 0 else 0.0
    variance = both + leave_error**2 * to**2 + to_error**2 * (1.0 - leave) ** 2
    return Moves(segments, counts, at_risk, rates, np.hstack([np.sqrt(variance), leave_error]), weight)


def _smoothed(counts: Numbers, total: Numbers, prior: Numbers, weight: float) -> tuple[Numbers, Numbers]:
    """Shares of `total` with a prior worth `weight`, and their standard errors."""
    size = total + weight
    shares = np.divide(counts + weight * prior, size, out=np.zeros_like(counts), where=size > 0)
    below = size + 1.0 if weight > 0 else size
    variance = np.divide(shares * (1.0 - shares), below, out=np.zeros_like(counts), where=below > 0)
    return shares, np.sqrt(variance)


def destinations(panel: pd.DataFrame, only: NDArray[np.bool_] | None = None) -> Destinations:
    """Where each row of a panel leads, or each of `only[n]` of them; see `Destinations`. A row that is not among these
    still tells where the one before it led."""
    segments = tuple(sorted(str(name) for name in panel["segment"].unique()))
    place = {name: k for k, name in enumerate(segments)}
    kept = np.ones(len(panel), dtype=np.bool_) if only is None else only
    rows = panel.assign(kept=kept).sort_values(["customer", "period"], kind="stable")
    here: Indices = np.asarray(rows["segment"].map(place), dtype=np.int64)
    customer, period = rows["customer"].to_numpy(), rows["period"].to_numpy()
    follows = (customer[1:] == customer[:-1]) & (period[1:] == period[:-1] + 1)
    target = np.full(len(rows), -1, dtype=np.int64)
    target[:-1] = np.where(follows, here[1:], -1)
    target[rows["left"].to_numpy() == 1] = len(segments)
    kept = rows.pop("kept").to_numpy(dtype=np.bool_)
    return Destinations(rows[kept], here[kept], target[kept], segments)
