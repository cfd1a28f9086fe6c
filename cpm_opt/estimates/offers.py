"""What offers at randomised prices tell: who accepts, how much, and what it brings and loses, by price.

In: offers, one row each. Out: `OfferFit`, whose curves are evaluated at any price, with their joint covariance.

Columns of offers: `segment` (text), `stratum` (text: within which prices were drawn, such as a mailing wave), `price`
(above 0), `accepted` (0 or 1), and for accepted ones `amount`, `revenue`, `loss` (money; 0 or more), [`cluster`].
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.shrinkage import Shrunken, shrink
from cpm_opt.faults import Fault, InputError

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

TAKE_UP = "take_up"
CONDITIONAL = ("amount", "revenue", "loss")
LEAST_ACCEPTED = 5
RUNAWAY = 50.0  # log-odds and logarithms of money beyond this mean that the likelihood has no maximum


@dataclass(frozen=True)
class OfferFit:
    """Curves of S segments: of take-up, and of what an accepted offer brings.

        take_up    P(accept) = 1 / (1 + exp(-(a_s + b_s (price - centre_s) + c_stratum)))
        amount, revenue, loss of an accepted offer = exp(a_s + b_s ln(price / centre_s) + c_stratum)

    `outcomes` names the curves that the data hold; `values[K]` are the parameters, curve after curve: S times a, S
    times b, then c of all strata but the first; `covariance[K, K]` is joint, across curves too. `mix[S, B]` is the
    share of each stratum among a segment's offers, `seen[S, 2]` the lowest and highest price, `offers[S]` and
    `accepted[S]` counts. `log_likelihood` is that of take_up before shrinkage.
    `shrunken` tells by curve how b was shrunk; it is empty before `shrink_slopes`.
    """

    outcomes: tuple[str, ...]
    segments: tuple[str, ...]
    strata: tuple[str, ...]
    centre: Numbers
    mix: Numbers
    seen: Numbers
    offers: Numbers
    accepted: Numbers
    values: Numbers
    covariance: Numbers = field(repr=False)
    log_likelihood: float = float("nan")
    shrunken: dict[str, Shrunken] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Parameters of one curve."""
        return 2 * len(self.segments) + len(self.strata) - 1

    def slopes(self, outcome: str) -> slice:
        """Where the b of a curve stand in `values`."""
        start = self.outcomes.index(outcome) * self.width + len(self.segments)
        return slice(start, start + len(self.segments))

    def expected(self, prices: Numbers, values: Numbers | None = None) -> dict[str, Numbers]:
        """By outcome, the mean per OFFER at each of `prices[P]`, over the segment's mix of strata.

        `[S, P]`; with `values[N, K]`, draws of the parameters say, `[N, S, P]`.
        """
        several = np.atleast_2d(self.values if values is None else values)
        taken = self._curve(TAKE_UP, prices, several)
        found = {TAKE_UP: taken}
        for outcome in self.outcomes[1:]:
            found[outcome] = taken * self._curve(outcome, prices, several)
        means = {name: np.einsum("nspb,sb->nsp", curve, self.mix) for name, curve in found.items()}
        return {name: mean[0] for name, mean in means.items()} if values is None else means

    def _curve(self, outcome: str, prices: Numbers, values: Numbers) -> Numbers:
        """`[N, S, P, B]`: acceptance, or what an accepted offer brings."""
        size, start = len(self.segments), self.outcomes.index(outcome) * self.width
        level, slope = values[:, start : start + size], values[:, start + size : start + 2 * size]
        strata = np.zeros((len(values), len(self.strata)))
        strata[:, 1:] = values[:, start + 2 * size : start + self.width]
        if outcome == TAKE_UP:
            x = prices[None, :] - self.centre[:, None]
        else:
            x = np.log(prices[None, :] / self.centre[:, None])
        index = level[:, :, None] + slope[:, :, None] * x[None]
        index = index[..., None] + strata[:, None, None, :]
        return 1.0 / (1.0 + np.exp(-index)) if outcome == TAKE_UP else np.exp(index)

    def draw(self, count: int, seed: int) -> Numbers:
        """`[count, K]` draws of the parameters from their joint normal distribution."""
        # The symmetric root is unique, where a root by factors differs with the signs that a library gives them.
        spectrum, axes = np.linalg.eigh(self.covariance)
        root = (axes * np.sqrt(np.maximum(spectrum, 0.0))) @ axes.T
        normal = np.random.default_rng(seed).standard_normal((count, len(self.values)))
        return np.asarray(self.values + normal @ root, dtype=np.float64)


def fit_offers(offers: pd.DataFrame) -> OfferFit:
    """Fits the curves: a logit of acceptance, and for accepted offers Poisson quasi-likelihood with a logarithmic link.

    The quasi-likelihood needs the mean's form alone to be right. Curves whose column is absent or all 0 are left out.
    The covariance is the sandwich of all scores stacked, so it holds across curves; with column `cluster` scores are
    summed within clusters, times G / (G - 1). Raises InputError for a segment with fewer than 5 accepted offers.
    """
    segments, strata = _names(offers, "segment"), _names(offers, "stratum")
    position = {name: k for k, name in enumerate(segments)}
    of_row: Indices = np.asarray(offers["segment"].map(position), dtype=np.int64)
    price = offers["price"].to_numpy(dtype=np.float64)
    taken = offers["accepted"].to_numpy(dtype=np.float64)
    size = len(segments)
    count = np.bincount(of_row, minlength=size).astype(np.float64)
    accepted = np.asarray(np.bincount(of_row, weights=taken, minlength=size), dtype=np.float64)
    _refuse_thin(segments, accepted, count)
    centre = np.bincount(of_row, weights=price, minlength=size) / count
    place = {name: k for k, name in enumerate(strata)}
    stratum: Indices = np.asarray(offers["stratum"].map(place), dtype=np.int64)
    mix = np.zeros((size, len(strata)))
    np.add.at(mix, (of_row, stratum), 1.0)
    seen = np.array([[price[of_row == s].min(), price[of_row == s].max()] for s in range(size)])
    held = [name for name in CONDITIONAL if name in offers and float(offers[name].abs().sum()) > 0.0]
    columns = _design(of_row, stratum, price - centre[of_row], size, len(strata))
    values, influence = [], []
    fitted, share = _fitted(columns, taken, "Binomial")
    index = columns @ fitted
    log_likelihood = float(np.sum(taken * index - np.logaddexp(0.0, index)))
    values.append(fitted)
    influence.append(share)
    yes = taken > 0
    logs = _design(of_row[yes], stratum[yes], np.log(price / centre[of_row])[yes], size, len(strata))
    for name in held:
        fitted, share = _fitted(logs, offers[name].to_numpy(dtype=np.float64)[yes], "Poisson")
        whole = np.zeros((len(offers), share.shape[1]))
        whole[yes] = share
        values.append(fitted)
        influence.append(whole)
    return OfferFit(
        outcomes=(TAKE_UP, *held),
        segments=segments,
        strata=strata,
        centre=centre,
        mix=mix / count[:, None],
        seen=seen,
        offers=count,
        accepted=accepted,
        values=np.concatenate(values),
        covariance=_joint(np.hstack(influence), offers),
        log_likelihood=log_likelihood,
    )


def shrink_slopes(fit: OfferFit) -> OfferFit:
    """The fit with each curve's slopes shrunk to their mean (`cpm_opt.estimates.shrinkage`), curve by curve.

    A segment's level follows its slope as their covariance says: a'_s = a_s + cov(a, b) / var(b) (b'_s - b_s). Both
    are linear in the parameters, so covariance' = L covariance L' + what the spread between segments leaves open.
    """
    size = len(fit.segments)
    change = np.eye(len(fit.values))
    left_open = np.zeros_like(fit.covariance)
    told = {}
    for outcome in fit.outcomes:
        slopes = np.arange(len(fit.values))[fit.slopes(outcome)]
        levels = slopes - size
        variance = np.diag(fit.covariance)[slopes]
        found = shrink(fit.values[slopes], np.sqrt(variance))
        told[outcome] = found
        precision = 1.0 / (variance + found.spread**2)
        pooled = np.diag(found.weight) + np.outer(1.0 - found.weight, precision / precision.sum())
        follow = fit.covariance[levels, slopes] / variance
        change[np.ix_(slopes, slopes)] = pooled
        change[np.ix_(levels, slopes)] = follow[:, None] * (pooled - np.eye(size))
        open_ = found.weight * (1.0 - found.weight) * variance
        for s in range(size):
            along = np.zeros(len(fit.values))
            along[slopes[s]], along[levels[s]] = 1.0, follow[s]
            left_open += open_[s] * np.outer(along, along)
    covariance = change @ fit.covariance @ change.T + left_open
    return replace(fit, values=change @ fit.values, covariance=covariance, shrunken=told)


@dataclass(frozen=True)
class Line:
    """A straight line of acceptance by price: `slope` per unit of price with `slope_se`, `elasticity` at the means,
    `n` offers and `clusters` (0: errors from independent offers of equal variance)."""

    slope: float
    slope_se: float
    elasticity: float
    n: int
    clusters: int = 0


def acceptance_line(offers: pd.DataFrame, controls: tuple[str, ...], clustered: bool = False) -> Line:
    """Ordinary least squares of acceptance on the price and dummies of the columns `controls`."""
    import pandas as pd
    import statsmodels.api as sm  # type: ignore[import-untyped]

    columns = [np.ones(len(offers)), offers["price"].to_numpy(dtype=np.float64)]
    for name in controls:
        columns += list(pd.get_dummies(offers[name].astype(str), drop_first=True, dtype=float).to_numpy().T)
    x = np.column_stack(columns)
    accepted = offers["accepted"].to_numpy(dtype=np.float64)
    model = sm.OLS(accepted, x)
    if clustered:
        groups = offers["cluster"].astype("category").cat.codes.to_numpy()
        found = model.fit(cov_type="cluster", cov_kwds={"groups": groups})
    else:
        found = model.fit()
    slope = float(found.params[1])
    elasticity = slope * float(offers["price"].mean()) / float(accepted.mean())
    clusters = int(offers["cluster"].nunique()) if clustered else 0
    return Line(slope, float(found.bse[1]), elasticity, len(offers), clusters)


def _names(offers: pd.DataFrame, column: str) -> tuple[str, ...]:
    return tuple(sorted(str(name) for name in offers[column].unique()))


def _refuse_thin(segments: tuple[str, ...], accepted: Numbers, count: Numbers) -> None:
    thin = [
        Fault(
            "offers",
            f"segment {name} has {int(accepted[s])} accepted of {int(count[s])} offers, too few for a curve",
            "join it with a segment that is like it",
            column="segment",
            code="few_accepted",
        )
        for s, name in enumerate(segments)
        if accepted[s] < LEAST_ACCEPTED or accepted[s] == count[s]
    ]
    if thin:
        raise InputError(thin)


def _design(of_row: Indices, stratum: Indices, x: Numbers, size: int, strata: int) -> Numbers:
    """`[n, 2 S + B - 1]`: levels and slopes of segments, dummies of all strata but the first."""
    rows = np.arange(len(x))
    columns = np.zeros((len(x), 2 * size + strata - 1))
    columns[rows, of_row] = 1.0
    columns[rows, size + of_row] = x
    later = stratum > 0
    columns[rows[later], 2 * size + stratum[later] - 1] = 1.0
    return columns


def _fitted(x: Numbers, y: Numbers, family: str) -> tuple[Numbers, Numbers]:
    """Parameters `[K]`, and each row's influence on them `[n, K]`: inverse information times score."""
    import statsmodels.api as sm

    model = sm.GLM(y, x, family=getattr(sm.families, family)())
    with (
        warnings.catch_warnings()
    ):  # what statsmodels would say of it is looked at below, and told as a fault
        warnings.simplefilter("ignore")
        found = model.fit(maxiter=100, tol=1e-12)
    if not found.converged or np.abs(x @ found.params).max() > RUNAWAY:
        message = "the curve could not be fitted: the search did not settle"
        raise InputError(
            [Fault("offers", message, "check the segments for too little data", code="not_converged")]
        )
    mean = np.asarray(found.fittedvalues, dtype=np.float64)
    weight = mean * (1.0 - mean) if family == "Binomial" else mean
    information = x.T @ (x * weight[:, None])
    scores = x * (y - mean)[:, None]
    influence = np.asarray(np.linalg.solve(information, scores.T).T, dtype=np.float64)
    return np.asarray(found.params, dtype=np.float64), influence


def _joint(influence: Numbers, offers: pd.DataFrame) -> Numbers:
    """Covariance of all parameters from the influence of rows, summed within clusters where there are any."""
    if "cluster" not in offers:
        return np.asarray(influence.T @ influence, dtype=np.float64)
    codes = offers["cluster"].astype("category").cat.codes.to_numpy()
    groups = int(codes.max()) + 1
    summed = np.zeros((groups, influence.shape[1]))
    np.add.at(summed, codes, influence)
    return np.asarray(summed.T @ summed * groups / (groups - 1), dtype=np.float64)
