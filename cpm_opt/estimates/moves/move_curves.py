"""What the logits of moves say of leaving, by price, as curves to be plotted.

In: `MoveEffects` on logits, table panel. Out: `FittedCurve`s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.estimates.moves.move_effects import STEP, MoveEffects
from cpm_opt.estimates.moves.panel_design import usable
from cpm_opt.estimates.response.fitted_curves import GRID, FittedCurve, band, binned, curve_of
from cpm_opt.estimates.response.lever_terms import PRICE

if TYPE_CHECKING:
    import pandas as pd


def move_curves(effects: MoveEffects, panel: pd.DataFrame) -> tuple[FittedCurve, ...]:
    """By segment in which prices vary, the rate of leaving by price, every other lever on its base: the mean over the
    segment's rows, as in the plan's effects. The band is the delta method's, symmetric in log-odds."""
    rows = panel[usable(panel)]
    told = effects.curve.tells({PRICE: 1.0})
    if not told.any():
        return ()
    prices = rows[PRICE].to_numpy(dtype=np.float64)
    grid = np.linspace(prices.min(), prices.max(), GRID)
    values, covariance = effects.curve.values, effects.curve.covariance
    size = np.sqrt(np.maximum(np.diag(covariance), 0.0)) * STEP
    size[size == 0.0] = STEP
    asked = np.vstack([values, values + np.diag(size), values - np.diag(size)])
    count = len(values)
    leaving = np.array([effects.curve.rates({**effects.terms.base, PRICE: p}, asked)[:, :, -1] for p in grid])
    made = []
    for s, name in enumerate(effects.curve.segments):
        own = rows[rows["segment"] == name]
        if not told[s]:
            continue
        seen = own[PRICE].to_numpy(dtype=np.float64)
        kept = (grid >= seen.min()) & (grid <= seen.max())
        middle = leaving[kept, 0, s]
        slopes = (leaving[kept, 1 : count + 1, s] - leaving[kept, count + 1 :, s]) / (2.0 * size)
        error = np.sqrt(np.maximum(np.einsum("pk,kl,pl->p", slopes, covariance, slopes), 0.0))
        observed = binned(seen, own["left"].to_numpy(dtype=np.float64), np.ones(len(own)))
        ends = band(middle, error, "log_odds")
        titles = ("price", "ratio to today's price", "leaving", "fraction a period")
        made.append(curve_of(f"moves {name} by price", titles, grid[kept], middle, ends, observed))
    return tuple(made)
