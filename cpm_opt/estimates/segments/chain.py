"""The Markov chain of the states, counted from the panel.

In: `StatePanel`, or planning tables that state it. Out: `Chain`, rates with their standard errors and the money of the
period that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.segments.states import NO_FREQUENCY, NOT_YET, State, StatePanel

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Chain:
    """What was counted, axes S = the states that were seen.

    - `customers[S]`: in the state at the panel's end;
    - `counts[S, S]`: moves from the row's state at the end of a period to the column's at the end of the next, every
      customer and every pair of periods counted once; `observed[S]` their sums;
    - `rates[S, S] = counts / observed` (nan where nothing was observed) and `rate_se = sqrt(rate (1 - rate) /
      observed)`, the binomial error of each entry, as of a multinomial row;
    - `revenue[S]`, `margin[S]`: mean money in the period after being in the state, per customer, those who bought
      nothing included; `margin_se[S]` its standard error.
    """

    states: tuple[State, ...]
    customers: Numbers
    counts: Indices
    observed: Indices
    rates: Numbers
    rate_se: Numbers
    revenue: Numbers
    margin: Numbers
    margin_se: Numbers

    def leaving(self) -> dict[str, float]:
        """By state the part of its customers who are in no active state a period later, lost or gone."""
        active = np.array([state.kind == "active" for state in self.states], dtype=bool)
        stay = np.nan_to_num(self.rates)[:, active].sum(axis=1)
        return {state.name: float(part) for state, part in zip(self.states, 1.0 - stay, strict=True)}


def stated_chain(segments: pd.DataFrame, migration: pd.DataFrame) -> Chain:
    """The chain that planning tables state. How many moves their rates rest on is not known: `observed` is 0.

    Moves from or to segments that table segments does not have are left out; a segment without rows loses everybody.
    """
    names = [str(name) for name in segments["segment"]]
    frames = [
        migration.pivot(index="from", columns="to", values=column).reindex(index=names, columns=names)
        for column in ("rate", "se")
    ]
    rates, errors = (np.nan_to_num(frame.to_numpy(dtype=np.float64)) for frame in frames)
    unknown = np.zeros(len(names), dtype=np.int64)
    customers, revenue, margin = (
        segments[column].to_numpy(dtype=np.float64) for column in ("customers", "revenue", "margin")
    )
    return Chain(
        states=tuple(
            State(name, "", NO_FREQUENCY, str(kind))
            for name, kind in zip(names, segments["kind"], strict=True)
        ),
        customers=customers,
        counts=np.zeros((len(names), len(names)), dtype=np.int64),
        observed=unknown,
        rates=rates,
        rate_se=errors,
        revenue=revenue,
        margin=margin,
        margin_se=np.full(len(names), np.nan),
    )


def count_chain(panel: StatePanel) -> Chain:
    """Count the chain of the states that the panel shows; states nobody was ever in are left out."""
    seen = np.unique(panel.state[panel.state != NOT_YET])
    renumbered = np.searchsorted(seen, panel.state)
    size = len(seen)
    moves = panel.state[:, :-1] != NOT_YET
    source, target = renumbered[:, :-1][moves], renumbered[:, 1:][moves]
    counts = np.bincount(source * size + target, minlength=size * size).reshape(size, size)
    observed = counts.sum(axis=1)
    profit = panel.profit[:, 1:][moves]
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = counts / observed[:, None]
        rate_se = np.sqrt(rates * (1.0 - rates) / observed[:, None])
        revenue = np.bincount(source, panel.revenue[:, 1:][moves], size) / observed
        margin = np.bincount(source, profit, size) / observed
        spread = np.bincount(source, (profit - margin[source]) ** 2, size) / (observed - 1)
        margin_se = np.sqrt(spread / observed)
    at_end = panel.state[:, -1] != NOT_YET
    return Chain(
        states=tuple(panel.states[number] for number in seen),
        customers=np.bincount(renumbered[:, -1][at_end], minlength=size).astype(float),
        counts=counts,
        observed=observed,
        rates=rates,
        rate_se=rate_se,
        revenue=revenue,
        margin=margin,
        margin_se=margin_se,
    )
