"""Demand from observed prices and volumes: a constant elasticity, a line or a logit by segment, or points as stated.

In: table price_points. Out: `DemandFit`, whose curves are evaluated at any price, with their joint covariance.
docs/response.md has the formulas.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.curve_data import CurveData
from cpm_opt.estimates.response.explanatory import (
    Terms,
    clusters_by_segment,
    names_of_curve,
    profiles,
    refuse_collinear,
    refuse_few_clusters,
    shared_slopes,
    terms,
)
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.separation import LOOSE, looseness, refuse_alike, search
from cpm_opt.estimates.response.shrinkage import Shrunken, following, shrink_slopes_of
from cpm_opt.faults import Fault, InputError

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

TABLE = "price_points"
ELASTICITY, LINEAR, LOGIT, POINTS = "constant_elasticity", "linear", "logit", "points"
COMPARABLE = (ELASTICITY, LOGIT)  # slopes of lines are in each segment's own units, so they are not shrunk
STEP = 1e-5  # of a standard error, for slopes of the curves by the parameters
RUNAWAY = 50.0
LEAST = 3  # observations of a segment with a slope of its own


@dataclass(frozen=True)
class DemandFit:
    """Curves of volume by price, of S segments ("" alone: one curve for all).

        constant_elasticity    ln volume = a_s + b_s ln price + z c       b_s is the elasticity
        linear                 volume    = a_s + b_s price + z c          0 from where that is negative
        logit                  ln(volume / (potential - volume)) = a_s + b_s price + z c
        points                 straight between the stated points

    z are the columns of `terms[V]`: strata, then covariates. `values[K]` are S times a, S times b, V times c, with
    their `covariance[K, K]`; both empty for points. `profiles[M, V]` are the different z, of segment `profile_of[M]`,
    with `share[M]` of its observations. `seen[S, 2]` lowest and highest price, `counts[S]` observations, `n` of all,
    `df` degrees of freedom (clusters less 1, else observations less parameters), `least_squares` whether that is what
    was fitted, `clusters` (0: none) and `clusters_in[S]` those of each segment, `observed` the rows that were used
    (segment as a number, price, volume, potential). `free[S]` is what a segment's observations leave beyond the
    parameters, its observations less their leverages (whose sum over all is the number of parameters).
    `log_likelihood` is there where the fit has one, and `data` is what it was fitted to. `shrunken` is None before
    `shrink_demand`.
    """

    form: str
    segments: tuple[str, ...]
    terms: tuple[str, ...]
    values: Numbers
    covariance: Numbers = field(repr=False)
    profiles: Numbers = field(repr=False)
    profile_of: Indices = field(repr=False)
    share: Numbers = field(repr=False)
    seen: Numbers
    counts: Numbers
    n: int
    df: int
    observed: Numbers = field(repr=False)
    log_likelihood: float = float("nan")
    by_segment: bool = True
    left_out: int = 0
    least_squares: bool = False
    clusters: int = 0
    clusters_in: tuple[int, ...] = ()
    free: tuple[float, ...] = ()
    data: CurveData | None = field(default=None, repr=False)
    shrunken: Shrunken | None = None

    @property
    def scale(self) -> Literal["plain", "log", "log_odds"]:
        """The scale on which the curve is a line, and its errors are nearest to normal."""
        return "log" if self.form == ELASTICITY else "log_odds" if self.form == LOGIT else "plain"

    @property
    def slopes(self) -> slice:
        """Where the b stand in `values`."""
        return slice(len(self.segments), 2 * len(self.segments))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of `values`: level[SEGMENT], elasticity[SEGMENT] (or price[SEGMENT]), and `terms`."""
        slope = "elasticity" if self.form == ELASTICITY else "price"
        each = [f"[{name}]" if name else "" for name in self.segments]
        return (*(f"level{name}" for name in each), *(f"{slope}{name}" for name in each), *self.terms)

    def volume(self, prices: Numbers, values: Numbers | None = None) -> Numbers:
        """Volume of an observation of each segment at `prices[P]`, `[S, P]`, the mean over its strata and covariates.

        Of a constant elasticity by least squares of logarithms it is the typical (median) volume; of a logit the share
        of the potential. With `values[N, K]` `[N, S, P]`. nan for a price outside a segment's stated points.
        """
        if self.form == POINTS:
            return np.stack([_between(self.observed, s, prices) for s in range(len(self.segments))])
        several = np.atleast_2d(self.values if values is None else values)
        size = len(self.segments)
        x = np.log(prices) if self.form == ELASTICITY else prices
        index = several[:, :size, None] + several[:, size : 2 * size, None] * x
        rest = several[:, 2 * size :] @ self.profiles.T
        index = index[:, self.profile_of] + rest[:, :, None]
        if self.form == ELASTICITY:
            index = np.exp(index)
        elif self.form == LOGIT:
            index = 1.0 / (1.0 + np.exp(-index))
        begins = np.searchsorted(self.profile_of, np.arange(size))
        mean = np.add.reduceat(index * self.share[None, :, None], begins, axis=1)
        mean = np.maximum(mean, 0.0)
        return mean[0] if values is None else mean

    def ratio(self, prices: Numbers, base: float, values: Numbers | None = None) -> Numbers:
        """Volume at `prices[P]` over that at price `base`: `[S, P]`, or `[N, S, P]` with `values[N, K]`."""
        both = self.volume(np.append(prices, base), values)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(both[..., :-1] / both[..., -1:], dtype=np.float64)

    def spread(self, of: Any) -> Numbers:
        """Standard error of `of(values[N, K])`, a figure `[N, ...]` of the curves, by the delta method."""
        size = np.sqrt(np.diag(self.covariance)) * STEP
        size[size == 0.0] = STEP
        ahead, behind = of(self.values + np.diag(size)), of(self.values - np.diag(size))
        slope = (ahead - behind) / (2.0 * size.reshape(-1, *([1] * (ahead.ndim - 1))))
        variance = np.einsum("k...,kl,l...->...", slope, self.covariance, slope)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)


def fit_demand(points: pd.DataFrame, rules: LeverRules) -> DemandFit:
    """Fits the curve that `rules.curve` names (a constant elasticity where it names none), all segments in one design.

    Least squares (`rules.fit` "poisson": Poisson quasi-likelihood, which takes volumes of 0) or, for a logit, binomial
    likelihood of volume out of potential; all statsmodels'. Errors: robust to unequal variance (HC1 of least squares,
    HC0 of the likelihoods), or summed within clusters with statsmodels' correction where every row names one; classical
    ones with `rules.errors`. Rows with a blank covariate are left out. Raises InputError for what cannot be fitted.
    """
    form = rules.curve or ELASTICITY
    if form not in (ELASTICITY, LINEAR, LOGIT, POINTS):
        message, remedy = (
            f"curve {form} is none of prices",
            "write constant_elasticity, linear, logit or points",
        )
        raise InputError([Fault(TABLE, message, remedy, code="curve")])
    if "period" in points:  # a blank one is -1 in the frame, which is no number to explain anything by
        points = points.assign(period=points["period"].astype(float).where(points["period"] >= 0))
    found = terms(points, rules.covariates, TABLE)
    used = points[found.used]
    segments = tuple(sorted(str(name) for name in used["segment"].unique()))
    place = {name: s for s, name in enumerate(segments)}
    of_row: Indices = np.asarray(used["segment"].map(place), dtype=np.int64)
    price, volume, potential = (
        used[name].to_numpy(dtype=np.float64) for name in ("price", "volume", "potential")
    )
    observed = np.column_stack([of_row.astype(np.float64), price, volume, potential])
    _refuse(form, rules, segments, observed)
    held = DemandFit(
        form=form,
        segments=segments,
        terms=(),
        values=np.zeros(0),
        covariance=np.zeros((0, 0)),
        profiles=np.zeros((0, 0)),
        profile_of=np.zeros(0, dtype=np.int64),
        share=np.zeros(0),
        seen=np.array([[price[of_row == s].min(), price[of_row == s].max()] for s in range(len(segments))]),
        counts=np.bincount(of_row).astype(np.float64),
        n=len(used),
        df=0,
        observed=observed,
        by_segment=rules.by_segment,
        left_out=int((~found.used).sum()),
    )
    return held if form == POINTS else _fitted(held, found, used, rules)


def shrink_demand(fit: DemandFit) -> DemandFit:
    """The fit with its slopes shrunk to their mean, and the others fitted again with these held. A single segment, a
    shared slope, lines (whose slopes are in each segment's own units) and stated points stay as they are."""
    if len(fit.segments) < 2 or not fit.by_segment or fit.form not in COMPARABLE:
        return fit
    slopes = np.arange(len(fit.values))[fit.slopes]
    if (
        np.diag(fit.covariance)[slopes] <= 0.0
    ).any():  # without errors nothing is in doubt, and nothing to shrink
        return fit
    follow = None if fit.data is None else following(fit.data.information(fit.values), slopes)
    values, covariance, told = shrink_slopes_of(fit.values, fit.covariance, slopes, follow)
    values = values if fit.data is None else fit.data.held(values, slopes)
    return replace(fit, values=values, covariance=covariance, shrunken=told)


def _fitted(held: DemandFit, found: Terms, used: pd.DataFrame, rules: LeverRules) -> DemandFit:
    """The parameters and their covariance, by statsmodels."""
    import statsmodels.api as sm  # type: ignore[import-untyped]

    of_row: Indices = held.observed[:, 0].astype(np.int64)
    volume, potential = held.observed[:, 2:].T
    size = len(held.segments)
    x = _design(held, found, rules.by_segment)
    if len(x) <= x.shape[1]:
        message = f"{len(x)} observations are too few for {x.shape[1]} parameters"
        remedy = "leave covariates or strata out, or write by_segment = false"
        raise InputError([Fault(TABLE, message, remedy, code="too_few")])
    refuse_collinear(x, TABLE, names_of_curve(held.segments, rules.by_segment, found.names))
    if held.form == LOGIT:
        data = CurveData("Binomial", x, volume, potential)
        model = sm.GLM(np.column_stack([volume, potential - volume]), x, family=sm.families.Binomial())
    elif held.form == ELASTICITY and rules.fit == "poisson":
        data = CurveData("Poisson", x, volume)
        model = sm.GLM(volume, x, family=sm.families.Poisson())
    else:
        data = CurveData("Gaussian", x, np.log(volume) if held.form == ELASTICITY else volume)
        model = sm.OLS(data.y, x)
    least_squares = isinstance(model, sm.OLS)
    options, df = _errors(
        used, rules, least_squares, of_row if rules.by_segment else np.zeros_like(of_row), held.segments
    )
    if not least_squares:
        words = ("nothing was sold", "everybody bought", "observations")
        most = np.full(len(x), np.inf) if data.trials is None else data.trials
        refuse_alike(found, volume, most, TABLE, words)
    fit = _settled(model, options, data)
    spread = shared_slopes(size, len(found.names), rules.by_segment)
    # Rows weigh alike, but those of a logit by how many could have bought.
    weight = potential if held.form == LOGIT else np.ones(len(x))
    profile_of, different, share = profiles(of_row, found.columns, weight)
    return replace(
        held,
        terms=found.names,
        values=spread @ np.asarray(fit.params, dtype=np.float64),
        covariance=np.asarray(spread @ np.asarray(fit.cov_params()) @ spread.T, dtype=np.float64),
        profiles=different,
        profile_of=profile_of,
        share=share,
        df=len(x) - x.shape[1] if df is None else df,
        least_squares=least_squares,
        clusters=0 if df is None else df + 1,
        clusters_in=() if df is None else clusters_by_segment(of_row, used["cluster"]),
        free=_free(x, of_row),
        data=data,
        log_likelihood=float("nan") if rules.fit == "poisson" and not least_squares else float(fit.llf),
    )


def _design(held: DemandFit, found: Terms, by_segment: bool) -> Numbers:
    """The columns that are fitted: levels, price (its logarithm for an elasticity) by segment or once, `found`."""
    of_row: Indices = held.observed[:, 0].astype(np.int64)
    price, size = held.observed[:, 1], len(held.segments)
    x = np.zeros((len(price), size + (size if by_segment else 1) + len(found.names)))
    rows = np.arange(len(price))
    x[rows, of_row] = 1.0
    x[rows, size + (of_row if by_segment else 0)] = np.log(price) if held.form == ELASTICITY else price
    x[:, x.shape[1] - len(found.names) :] = found.columns
    return x


def _settled(model: Any, options: Mapping[str, Any], data: CurveData) -> Any:
    """The results of statsmodels. Raises InputError where the search for them came to no end."""
    fit = None
    # What statsmodels would say is looked at below, and told as a fault.
    with warnings.catch_warnings(), suppress(ValueError, np.linalg.LinAlgError):
        warnings.simplefilter("ignore")
        fit = model.fit(**options)
    if fit is None or (
        data.family != "Gaussian" and not (fit.converged and _bounded(data, np.asarray(fit.params)))
    ):
        message, remedy = (
            "the curve could not be fitted: the search did not settle",
            "check prices and volumes",
        )
        raise InputError([Fault(TABLE, message, remedy, code="not_converged")])
    return fit


def _bounded(data: CurveData, values: Numbers) -> bool:
    """Whether the search for a likelihood's maximum ended at one, and not on the way to nowhere."""
    if np.abs(data.x @ values).max() > RUNAWAY:
        return False
    each = float(np.mean(data.y if data.trials is None else data.trials))
    return bool((looseness(data.x, data.information(values) / each) <= LOOSE).all())


def _free(x: Numbers, of_row: Indices) -> tuple[float, ...]:
    """By segment, its observations less their leverages, the diagonal of x (x'x)^-1 x'."""
    leverage = (np.linalg.qr(x)[0] ** 2).sum(axis=1)
    return tuple(float(own) for own in np.bincount(of_row, weights=1.0 - leverage))


def _errors(
    used: pd.DataFrame, rules: LeverRules, least_squares: bool, slope_of: Indices, segments: tuple[str, ...]
) -> tuple[dict[str, Any], int | None]:
    """How statsmodels is to fit, and clusters less 1 where errors are summed within clusters."""
    total = used["potential" if rules.curve == LOGIT else "volume"].sum()
    options: dict[str, Any] = {} if least_squares else {**search(float(total))}
    if rules.errors == "classical":
        return options, None
    if (used["cluster"] == "").any():
        return {**options, "cov_type": "HC1" if least_squares else "HC0"}, None
    refuse_few_clusters(slope_of, segments if rules.by_segment else ("",), used["cluster"], TABLE)
    groups = used["cluster"].astype("category").cat.codes.to_numpy()
    return {**options, "cov_type": "cluster", "cov_kwds": {"groups": groups}}, int(groups.max())


def _refuse(form: str, rules: LeverRules, segments: tuple[str, ...], observed: Numbers) -> None:
    """What keeps observations from being fitted, all at once."""
    wrong: list[tuple[str, str, str, str]] = []
    _, price, volume, potential = observed.T
    if form == ELASTICITY and rules.fit == "ols" and (volume <= 0.0).any():
        text = f"{int((volume <= 0.0).sum())} volumes are 0 and have no logarithm"
        wrong.append(
            (text, 'write fit = "poisson", join such rows, or leave them out', "volume", "no_logarithm")
        )
    if form == LOGIT and not ((volume <= potential) & (potential > 0.0)).all():
        text = "curve logit needs potential, above 0, in every row, and no volume above it"
        wrong.append(
            (text, "write how many could have bought, or take another curve", "potential", "potential")
        )
    for s, name in enumerate(segments):
        own = price[observed[:, 0] == s]
        who = f"segment {name} has" if name else "there is"
        if form == POINTS and len(np.unique(own)) < len(own):
            text = f"{who} one price twice, and a stated curve has one volume at a price"
            wrong.append((text, "join such rows, or let a curve be fitted", "price", "price_twice"))
        if len(np.unique(own if rules.by_segment or form == POINTS else price)) < 2:
            text = f"{who} one price alone, so nothing tells what another would do"
            wrong.append((text, "join it with another segment, or leave it out", "price", "one_price"))
        sold = volume[observed[:, 0] == s]
        if (form == LOGIT or rules.fit == "poisson") and not (sold > 0.0).any():
            wrong.append((f"{who} no volume at any price", "leave the segment out", "volume", "nothing_sold"))
        if form == LOGIT and (sold >= potential[observed[:, 0] == s]).all():
            text = f"{who} nobody at any price who did not buy"
            wrong.append((text, "write how many could have bought", "potential", "all_bought"))
        if rules.by_segment and form != POINTS and len(own) < LEAST:
            text = f"{who} {len(own)} observations, and two parameters fit them without error"
            wrong.append(
                (text, "join it with another segment, or write by_segment = false", "segment", "too_few")
            )
    if wrong:
        raise InputError(
            [Fault(TABLE, text, remedy, column=at, code=code) for text, remedy, at, code in wrong]
        )


def _between(observed: Numbers, segment: int, prices: Numbers) -> Numbers:
    """Straight between the stated points of a segment; nan beyond them (but for rounding)."""
    own = observed[observed[:, 0] == segment]
    own = own[np.argsort(own[:, 1])]
    slack = 1e-9 * own[-1, 1]
    inside = (prices >= own[0, 1] - slack) & (prices <= own[-1, 1] + slack)
    return np.where(inside, np.interp(prices, own[:, 1], own[:, 2]), np.nan)
