"""What offers at randomised prices tell: who accepts, how much, and what it brings and loses, by price.

In: offers, one row each. Out: `OfferFit`, whose curves are evaluated at any price, with their joint covariance.

Columns of offers: `segment` (text), `stratum` (text: within which prices were drawn, such as a mailing wave), `price`
(above 0), `accepted` (0 or 1), and for accepted ones `amount`, `revenue`, `loss` (money; 0 or more),
[`contract_price`: where it is another than `price`, the row tells take-up alone], [`cluster`], [covariates under names
of their own].
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.curve_data import CurveData
from cpm_opt.estimates.response.explanatory import (
    MOST_NAMED,
    clusters_by_segment,
    names_of_curve,
    profiles,
    refuse_collinear,
    shared_slopes,
    terms,
)
from cpm_opt.estimates.response.offer_faults import refuse_offers, told_by
from cpm_opt.estimates.response.separation import LOOSE, looseness, search
from cpm_opt.estimates.response.shrinkage import Shrunken, following, shrink_slopes_of
from cpm_opt.faults import Fault, InputError

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

TAKE_UP = "take_up"
CONDITIONAL = ("amount", "revenue", "loss")
LARGEST = 5_000_000  # cells that are held at once when curves are averaged over draws, prices and profiles
RUNAWAY = 50.0  # log-odds and logarithms of money beyond this mean that the likelihood has no maximum


@dataclass(frozen=True)
class OfferFit:
    """Curves of S segments: of take-up, and of what an accepted offer brings.

        take_up    P(accept) = 1 / (1 + exp(-(a_s + b_s (price - centre_s) + z c)))
        amount, revenue, loss of an accepted offer = exp(a_s + b_s ln(price / centre_s) + z c)

    z are the columns of `terms[V]`: dummies of all strata but the first, then covariates. `outcomes` names the curves
    that the data hold; `values[K]` are the parameters, curve after curve: S times a, S times b, V times c;
    `covariance[K, K]` is joint, across curves too. `profiles[M, V]` are the different z of the offers, of segment
    `profile_of[M]` (rising), `share[M]` of that segment's offers. `seen[S, 2]` is the lowest and highest price,
    `offers[S]` and `accepted[S]` counts, `told[S]` those of the accepted on which the curves of what they bring rest
    (`offer_faults.told_by`), `left_out` the offers in which a covariate is blank. Errors rest on so many
    `clusters` (0: none), `clusters_in[S]` of them in each segment. `log_likelihood` is that of take_up before
    shrinkage. With `by_segment` False all segments share one b.
    `data` is what each curve was fitted to; `shrunken` tells by curve how b was shrunk (empty before `shrink_slopes`).
    """

    outcomes: tuple[str, ...]
    segments: tuple[str, ...]
    terms: tuple[str, ...]
    centre: Numbers
    profiles: Numbers = field(repr=False)
    profile_of: Indices = field(repr=False)
    share: Numbers = field(repr=False)
    seen: Numbers
    offers: Numbers
    accepted: Numbers
    told: Numbers
    values: Numbers
    covariance: Numbers = field(repr=False)
    log_likelihood: float = float("nan")
    by_segment: bool = True
    left_out: int = 0
    clusters: int = 0
    clusters_in: tuple[int, ...] = ()
    data: tuple[CurveData, ...] = field(default=(), repr=False)
    shrunken: dict[str, Shrunken] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Parameters of one curve."""
        return 2 * len(self.segments) + len(self.terms)

    def slopes(self, outcome: str) -> slice:
        """Where the b of a curve stand in `values`."""
        start = self.outcomes.index(outcome) * self.width + len(self.segments)
        return slice(start, start + len(self.segments))

    def expected(self, prices: Numbers, values: Numbers | None = None) -> dict[str, Numbers]:
        """By outcome, the mean per OFFER at each of `prices[P]`, over the strata and covariates of a segment's offers.

        `[S, P]`; with `values[N, K]`, draws of the parameters say, `[N, S, P]`.
        """
        several = np.atleast_2d(self.values if values is None else values)
        step = max(1, LARGEST // (len(prices) * len(self.share)))
        parts = [self._means(prices, several[k : k + step]) for k in range(0, len(several), step)]
        means = {name: np.concatenate([part[name] for part in parts]) for name in self.outcomes}
        return {name: mean[0] for name, mean in means.items()} if values is None else means

    def _means(self, prices: Numbers, values: Numbers) -> dict[str, Numbers]:
        """`[N, S, P]` by outcome."""
        begins = np.searchsorted(self.profile_of, np.arange(len(self.segments)))
        taken = self._curve(TAKE_UP, prices, values)
        found = {TAKE_UP: taken}
        for outcome in self.outcomes[1:]:
            found[outcome] = taken * self._curve(outcome, prices, values)
        return {
            name: np.add.reduceat(curve * self.share, begins, axis=2).transpose(0, 2, 1)
            for name, curve in found.items()
        }

    def _curve(self, outcome: str, prices: Numbers, values: Numbers) -> Numbers:
        """`[N, P, M]`: acceptance, or what an accepted offer brings."""
        size, start = len(self.segments), self.outcomes.index(outcome) * self.width
        level, slope = values[:, start : start + size], values[:, start + size : start + 2 * size]
        rest = values[:, start + 2 * size : start + self.width] @ self.profiles.T
        if outcome == TAKE_UP:
            x = prices[:, None] - self.centre[None, :]
        else:
            x = np.log(prices[:, None] / self.centre[None, :])
        index = (level[:, None, :] + slope[:, None, :] * x[None])[:, :, self.profile_of] + rest[:, None, :]
        return 1.0 / (1.0 + np.exp(-index)) if outcome == TAKE_UP else np.exp(index)

    def jacobian(self, prices: Numbers, only: int | None = None) -> dict[str, Numbers]:
        """By outcome, the slopes `[S, P, K]` of `expected` by the parameters; 0 but for segment `only` where one is."""
        size, found = len(self.segments), {}
        for outcome in self.outcomes:
            slopes = np.zeros((size, len(prices), len(self.values)))
            for s in range(size) if only is None else (only,):
                own = self.profile_of == s
                taken, x = self._own(TAKE_UP, prices, own, s)
                brought, x_of = (1.0, x) if outcome == TAKE_UP else self._own(outcome, prices, own, s)
                by_take_up = taken * (1.0 - taken) * brought * self.share[own]
                self._add(slopes[s], TAKE_UP, by_take_up, x, own, s)
                if outcome != TAKE_UP:
                    self._add(slopes[s], outcome, taken * brought * self.share[own], x_of, own, s)
            found[outcome] = slopes
        return found

    def _own(self, outcome: str, prices: Numbers, own: NDArray[np.bool_], s: int) -> tuple[Numbers, Numbers]:
        """The curve of a segment's own profiles `[P, M of it]`, and the price as it stands in it `[P]`."""
        start = self.outcomes.index(outcome) * self.width
        x = prices - self.centre[s] if outcome == TAKE_UP else np.log(prices / self.centre[s])
        rest = self.profiles[own] @ self.values[start + 2 * len(self.segments) : start + self.width]
        index = self.values[start + s] + self.values[start + len(self.segments) + s] * x[:, None] + rest
        curve = 1.0 / (1.0 + np.exp(-index)) if outcome == TAKE_UP else np.exp(index)
        return np.asarray(curve, dtype=np.float64), x

    def _add(
        self, slopes: Numbers, outcome: str, by_index: Numbers, x: Numbers, own: NDArray[np.bool_], s: int
    ) -> None:
        """Adds to slopes `[P, K]` of one segment those by one curve's parameters, from those by its index."""
        start, size = self.outcomes.index(outcome) * self.width, len(self.segments)
        whole = by_index.sum(axis=1)
        slopes[:, start + s] += whole
        slopes[:, start + size + s] += whole * x
        slopes[:, start + 2 * size : start + self.width] += by_index @ self.profiles[own]

    def draw(self, count: int, seed: int) -> Numbers:
        """`[count, K]` draws of the parameters from their joint normal distribution."""
        # The symmetric root is unique, where a root by factors differs with the signs that a library gives them.
        spectrum, axes = np.linalg.eigh(self.covariance)
        root = (axes * np.sqrt(np.maximum(spectrum, 0.0))) @ axes.T
        normal = np.random.default_rng(seed).standard_normal((count, len(self.values)))
        return np.asarray(self.values + normal @ root, dtype=np.float64)


def fit_offers(offers: pd.DataFrame, covariates: tuple[str, ...] = (), by_segment: bool = True) -> OfferFit:
    """Fits the curves: a logit of acceptance, and for accepted offers Poisson quasi-likelihood with a logarithmic link.

    The quasi-likelihood needs the mean's form alone to be right. Curves whose column is absent or all 0 are left out.
    `covariates` are further columns (`explanatory.terms`); offers in which one is blank are left out. The price acts
    by segment, or with `by_segment` False alike in all. Accepted offers whose contract came to have another price tell
    take-up alone. The covariance is the sandwich of all scores stacked, so it holds across curves; with column
    `cluster` scores are summed within clusters, times G / (G - 1). Raises InputError for what cannot be fitted.
    """
    found = terms(offers, covariates, "offers")
    offers = offers[found.used]
    segments = tuple(sorted(str(name) for name in offers["segment"].unique()))
    of_row: Indices = np.asarray(offers["segment"].map(segments.index), dtype=np.int64)
    price, taken = (offers[name].to_numpy(dtype=np.float64) for name in ("price", "accepted"))
    size = len(segments)
    count = np.bincount(of_row, minlength=size).astype(np.float64)
    accepted = np.asarray(np.bincount(of_row, weights=taken, minlength=size), dtype=np.float64)
    yes = told_by(offers)
    held = [name for name in CONDITIONAL if name in offers and float(offers[name][yes].abs().sum()) > 0.0]
    refuse_offers(offers, of_row, segments, by_segment, found, bool(held))
    centre = np.bincount(of_row, weights=price, minlength=size) / count
    seen = np.array([[price[of_row == s].min(), price[of_row == s].max()] for s in range(size)])
    spread = shared_slopes(size, found.columns.shape[1], by_segment)
    columns = _design(of_row, found.columns, price - centre[of_row], size) @ spread
    names = names_of_curve(segments, by_segment, found.names)
    refuse_collinear(columns, "offers", names)
    fitted_taken, influence = _fitted(columns, taken, "Binomial", names)
    values, influences = [spread @ fitted_taken], [influence @ spread.T]
    data = [CurveData("Binomial", columns, taken)]
    logs = _design(of_row[yes], found.columns[yes], np.log(price / centre[of_row])[yes], size) @ spread
    if held:
        refuse_collinear(logs, "offers", names, "of accepted offers ")
    for name in held:
        data.append(CurveData("Poisson", logs, offers[name].to_numpy(dtype=np.float64)[yes]))
        fitted, influence = _fitted(logs, data[-1].y, "Poisson", names)
        values.append(spread @ fitted)
        influences.append(np.zeros((len(offers), len(spread))))
        influences[-1][yes] = influence @ spread.T
    profile_of, rows, share = profiles(of_row, found.columns, np.ones(len(offers)))
    return OfferFit(
        outcomes=(TAKE_UP, *held),
        segments=segments,
        terms=found.names,
        centre=centre,
        profiles=rows,
        profile_of=profile_of,
        share=share,
        seen=seen,
        offers=count,
        accepted=accepted,
        told=np.bincount(of_row[yes], minlength=size).astype(np.float64),
        values=np.concatenate(values),
        covariance=_joint(np.hstack(influences), offers),
        log_likelihood=_log_likelihood(columns @ fitted_taken, taken),
        by_segment=by_segment,
        left_out=int((~found.used).sum()),
        data=tuple(data),
        clusters=int(offers["cluster"].nunique()) if "cluster" in offers else 0,
        clusters_in=clusters_by_segment(of_row, offers["cluster"]) if "cluster" in offers else (),
    )


def _log_likelihood(log_odds: Numbers, taken: Numbers) -> float:
    return float(np.sum(taken * log_odds - np.logaddexp(0.0, log_odds)))


def shrink_slopes(fit: OfferFit) -> OfferFit:
    """The fit with each curve's slopes shrunk to their mean (`response.shrinkage`), curve by curve, and its other
    parameters fitted again with these held; a single segment, or slopes that all segments share, stay as they are."""
    if len(fit.segments) < 2 or not fit.by_segment:
        return fit
    values, covariance = fit.values, fit.covariance
    told = {}
    for outcome in fit.outcomes:
        slopes = np.arange(len(values))[fit.slopes(outcome)]
        if (
            np.diag(covariance)[slopes] <= 0.0
        ).any():  # offers that all bring the same leave nothing in doubt
            continue
        place = fit.outcomes.index(outcome)
        curve = slice(place * fit.width, (place + 1) * fit.width)
        data, within = fit.data[place], slopes - curve.start
        follow = np.zeros((len(values), len(slopes)))  # the other curves stay as they are
        follow[curve] = following(data.information(values[curve]), within)
        values, covariance, told[outcome] = shrink_slopes_of(values, covariance, slopes, follow)
        values[curve] = data.held(values[curve], within)
    return replace(fit, values=values, covariance=covariance, shrunken=told)


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
        if name == "stratum":  # those that lie within segments have a reference in each
            columns += list(terms(offers, (), "offers").columns.T)
            continue
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


def _design(of_row: Indices, rest: Numbers, x: Numbers, size: int) -> Numbers:
    """`[n, 2 S + V]`: levels and slopes of segments, then strata and covariates."""
    rows = np.arange(len(x))
    columns = np.zeros((len(x), 2 * size))
    columns[rows, of_row] = 1.0
    columns[rows, size + of_row] = x
    return np.hstack([columns, rest])


def _fitted(x: Numbers, y: Numbers, family: str, names: tuple[str, ...]) -> tuple[Numbers, Numbers]:
    """Parameters `[K]`, and each row's influence on them `[n, K]`: inverse information times score."""
    import statsmodels.api as sm

    model = sm.GLM(y, x, family=getattr(sm.families, family)())
    with (
        warnings.catch_warnings()
    ):  # what statsmodels would say of it is looked at below, and told as a fault
        warnings.simplefilter("ignore")
        found = model.fit(**search(float(y.sum()) if family == "Poisson" else len(y)))
        mean = np.asarray(found.fittedvalues, dtype=np.float64)
    weight = mean * (1.0 - mean) if family == "Binomial" else mean
    information = x.T @ (x * weight[:, None])
    loose = looseness(x, information) if family == "Binomial" else np.zeros(len(names))
    if (loose > LOOSE).any() or not found.converged or np.abs(x @ found.params).max() > RUNAWAY:
        reach = np.abs(found.params) * x.std(axis=0) * (loose > LOOSE)
        told = ", ".join(names[k] for k in np.argsort(-reach, kind="stable")[:MOST_NAMED] if reach[k] > 0.0)
        message = "the curve could not be fitted: the search did not settle" + (
            f", for who accepts hardly bounds {told}" if told else ""
        )
        remedy = (
            "leave out what tells perfectly who accepts" if told else "check the segments for too little data"
        )
        raise InputError([Fault("offers", message, remedy, code="not_converged")])
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
