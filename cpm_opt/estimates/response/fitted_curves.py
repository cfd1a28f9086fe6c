"""Curves as values, to be plotted: each with its 95 % band and the points that were observed.

In: fits of offers, price points, choices, efforts and leaving. Out: `FittedCurve`s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.moves.hazard import Hazard
from cpm_opt.estimates.moves.panel_design import usable
from cpm_opt.estimates.response.choices import ChoiceFit, slopes_of, spread_of
from cpm_opt.estimates.response.effort import EffortFit
from cpm_opt.estimates.response.offers import TAKE_UP, OfferFit
from cpm_opt.estimates.response.price_points import LOGIT, POINTS, DemandFit
from cpm_opt.estimates.value.model_estimate import NORMAL_95

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
Scale = Literal["plain", "log", "log_odds"]

GRID = 41
BINS = 12


@dataclass(frozen=True)
class FittedCurve:
    """One curve: `estimate[P]` with its 95 % band from `low[P]` to `high[P]` at the grid `x[P]`.

    `name` is that of the model with the segment in brackets; titles and units say what the axes are. `seen_x[B]`,
    `seen_y[B]` are observed means and `seen_n[B]` how many observations each stands for. The band is of the curve, not
    of single observations, point by point (delta method); where a curve is stated it has no width. `stated` says so,
    and `shrunken` that slopes were shrunk to the whole, as in the plan's effects.
    """

    name: str
    x_title: str
    x_unit: str
    y_title: str
    y_unit: str
    x: tuple[float, ...]
    estimate: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    seen_x: tuple[float, ...]
    seen_y: tuple[float, ...]
    seen_n: tuple[float, ...]
    stated: bool = False
    shrunken: bool = False

    def as_dict(self) -> dict[str, object]:
        """JSON-ready fields."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()
        }


def band(
    estimate: Numbers, error: Numbers, scale: Scale, quantile: float = NORMAL_95
) -> tuple[Numbers, Numbers]:
    """Lower and upper ends: symmetric on the stated scale, so that a share stays in 0 to 1 and a volume above 0.

    plain      estimate -+ q error
    log        estimate exp(-+ q error / estimate)
    log_odds   logistic(logit(estimate) -+ q error / (estimate (1 - estimate)))
    """
    if scale == "log":
        reach = np.exp(quantile * np.divide(error, estimate, out=np.zeros_like(error), where=estimate > 0))
        return estimate / reach, estimate * reach
    if scale == "log_odds":
        inner = np.clip(estimate, 1e-12, 1.0 - 1e-12)
        index, width = np.log(inner / (1.0 - inner)), quantile * error / (inner * (1.0 - inner))
        return 1.0 / (1.0 + np.exp(width - index)), 1.0 / (1.0 + np.exp(-width - index))
    return estimate - quantile * error, estimate + quantile * error


def binned(x: Numbers, y: Numbers, weight: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Means of x and y and the summed weight: by value of x where it has at most 12, else in 12 bins of like size."""
    place = _bins(x)
    total = np.bincount(place, weights=weight)
    means = [np.bincount(place, weights=weight * of) / total for of in (x, y)]
    return means[0], means[1], np.asarray(total, dtype=np.float64)


def _bins(x: Numbers) -> NDArray[np.int64]:
    """The bin of each, from 0 on."""
    different, place = np.unique(x, return_inverse=True)
    if len(different) > BINS:
        edges = np.quantile(x, np.linspace(0.0, 1.0, BINS + 1)[1:-1])
        place = np.unique(np.searchsorted(edges, x, side="right"), return_inverse=True)[1]
    return np.asarray(place.reshape(-1), dtype=np.int64)


def _brought(
    price: Numbers, accepted: Numbers, told: NDArray[np.bool_], brought: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """What an offer brought by bin of the price, as `binned`: the part that was accepted, times the mean of those
    accepted that tell it (`told`). A bin of which none tells is left out."""
    place = _bins(price)
    total = np.bincount(place).astype(np.float64)
    size = len(total)
    taken = np.bincount(place, weights=accepted, minlength=size)
    tell = np.bincount(place[told], minlength=size)
    whole = np.bincount(place[told], weights=brought[told], minlength=size)
    mean = np.divide(whole, tell, out=np.zeros(size), where=tell > 0.0) * taken / total
    kept = (tell > 0.0) | (taken == 0.0)
    return (np.bincount(place, weights=price) / total)[kept], mean[kept], total[kept]


def offer_curves(
    fit: OfferFit, seen: dict[str, tuple[Numbers, Numbers, NDArray[np.bool_], Numbers]]
) -> tuple[FittedCurve, ...]:
    """By segment the part of the offers that is accepted, and where offers brought something what an offer brings
    (revenue less loss), by price. `seen` are by segment prices, acceptances, which offers tell what an accepted one
    brings, and what they brought."""
    made = []
    for s, name in enumerate(fit.segments):
        grid = np.linspace(fit.seen[s, 0], fit.seen[s, 1], GRID)
        price, accepted, told, brought = seen[name]
        means, slopes = fit.expected(grid), fit.jacobian(grid, s)
        figures = []
        for of in (means, slopes):
            nothing = np.zeros_like(of[TAKE_UP][s])
            brought_of = [of[name][s] if name in of else nothing for name in ("revenue", "loss")]
            figures.append((of[TAKE_UP][s], brought_of[0] - brought_of[1]))
        (taken, margin), by_parameter = figures
        errors = [
            np.sqrt(np.maximum(np.einsum("pk,kl,pl->p", slope, fit.covariance, slope, optimize=True), 0.0))
            for slope in by_parameter
        ]
        axis = ("price", "as price in table offers")
        observed = binned(price, accepted, np.ones(len(price)))
        titles = (*axis, "accepted", "fraction of the offers")
        made.append(
            curve_of(f"{TAKE_UP}[{name}]", titles, grid, taken, band(taken, errors[0], "log_odds"), observed)
        )
        if "revenue" in fit.outcomes:
            observed = _brought(price, accepted, told, brought)
            titles = (*axis, "revenue less loss", "money per offer")
            made.append(
                curve_of(f"margin[{name}]", titles, grid, margin, band(margin, errors[1], "plain"), observed)
            )
    return tuple(made)


def demand_curves(fit: DemandFit, name: str) -> tuple[FittedCurve, ...]:
    """By segment the volume by price; of a logit the part of the potential that buys."""
    from scipy.stats import t  # type: ignore[import-untyped]

    made = []
    share = fit.form == LOGIT
    for s, segment in enumerate(fit.segments):
        own = fit.observed[fit.observed[:, 0] == s]
        grid = np.linspace(fit.seen[s, 0], fit.seen[s, 1], GRID)
        price, volume = own[:, 1], own[:, 2] / own[:, 3] if share else own[:, 2]
        weight = own[:, 3] if share else np.ones(len(own))
        if fit.form == POINTS:  # each segment's own prices: the others may know nothing of them
            grid = np.sort(price)
        middle = fit.volume(grid)[s]
        ends = (middle, middle)
        if fit.form != POINTS:
            error = fit.spread(lambda values, s=s, grid=grid: fit.volume(grid, values)[:, s])
            # Binomial and Poisson likelihoods go by the normal distribution, as in statsmodels.
            quantile = float(t.ppf(0.975, fit.df)) if fit.least_squares else NORMAL_95
            ends = band(middle, error, fit.scale, quantile)
        y = ("bought", "fraction of the potential") if share else ("volume", "units an observation")
        titles = ("price", "as price in table price_points", *y)
        label = f"{name}[{segment}]" if segment else name
        seen = (price, volume, weight) if fit.form == POINTS else binned(price, volume, weight)
        made.append(curve_of(label, titles, grid, middle, ends, seen, fit.form == POINTS))
    return tuple(made)


def choice_curves(fit: ChoiceFit, name: str, alternative: str) -> tuple[FittedCurve, ...]:
    """By segment the part of the choices with an alternative that falls on it, by its price, all else as it stood."""
    design = fit.design
    values, size = fit.nudged()
    own = design.alternative == design.alternatives.index(alternative)
    made = []
    for s, segment in enumerate(design.segments):
        mine = own & (design.of_row == s)
        if not mine.any():
            continue
        price, weight = design.price[mine], design.weight[design.of_choice[mine]]
        grid = np.linspace(price.min(), price.max(), GRID)
        had = weight.sum() / design.weight[design.of_row[design.begins] == s].sum()
        middle = fit.shares(alternative, grid, (alternative,))[s, :, 0] / had
        slopes = slopes_of(fit.shares(alternative, grid, (alternative,), values)[:, s, :, 0] / had, size)
        ends = band(middle, spread_of(slopes, fit.covariance), "log_odds")
        titles = (
            f"price of {alternative}",
            "as price in table choices",
            "chosen",
            "fraction of the choices with it",
        )
        label = f"{name} {alternative}[{segment}]" if segment else f"{name} {alternative}"
        seen = binned(price, design.chosen[mine] / weight, weight)
        made.append(curve_of(label, titles, grid, middle, ends, seen))
    return tuple(made)


def effort_curve(fit: EffortFit, name: str, effort: Numbers, result: Numbers) -> FittedCurve:
    """What effort brings beyond none; the points are observed results less the level without effort."""
    grid = np.linspace(0.0, fit.high, GRID)
    gain = fit.gain(grid)
    titles = ("effort", "as effort in table efforts", "gain beyond no effort", "as result in table efforts")
    seen = binned(effort, result - float(fit.values[0]), np.ones(len(effort)))
    return curve_of(name, titles, grid, gain, band(gain, fit.band(grid), "plain"), seen)


def churn_curves(hazard: Hazard, panel: pd.DataFrame) -> tuple[FittedCurve, ...]:
    """The rate of leaving by price, and by a change of it, as far as they are terms: the mean over all rows of the
    panel, each with its other terms as they are."""
    if not hazard.model.converged:
        return ()
    rows = panel[usable(panel)]
    x, values = hazard.design.matrix(rows), np.array(hazard.model.values)
    left = rows["left"].to_numpy(dtype=np.float64)
    made = []
    for term, unit in (("price", "ratio to today's price"), ("price_change", "fraction of the price before")):
        if term not in hazard.design.numbers:
            continue
        k, seen = hazard.design.names.index(term), rows[term].to_numpy(dtype=np.float64)
        grid = np.linspace(seen.min(), seen.max(), GRID)
        rest = x @ values - seen * values[k]
        rates = 1.0 / (1.0 + np.exp(-(rest[None, :] + values[k] * grid[:, None])))
        by_index = rates * (1.0 - rates) / len(rows)
        slopes = by_index @ x
        slopes[:, k] = by_index.sum(axis=1) * grid
        error = np.sqrt(np.einsum("pk,kl,pl->p", slopes, hazard.covariance, slopes))
        mean = rates.mean(axis=1)
        titles = (term.replace("_", " "), unit, "leaving", "fraction a period")
        observed = binned(seen, left, np.ones(len(rows)))
        made.append(
            curve_of(f"churn by {titles[0]}", titles, grid, mean, band(mean, error, "log_odds"), observed)
        )
    return tuple(made)


def curve_of(
    name: str,
    titles: tuple[str, str, str, str],
    x: Numbers,
    estimate: Numbers,
    ends: tuple[Numbers, Numbers],
    seen: tuple[Numbers, Numbers, Numbers],
    stated: bool = False,
) -> FittedCurve:
    """A curve from its `titles` (of x and y, each with its unit), its `ends` and what was `seen`."""
    a, b, c, d, e, f, g = (tuple(float(value) for value in row) for row in (x, estimate, *ends, *seen))
    return FittedCurve(name, *titles, a, b, c, d, e, f, g, stated)
