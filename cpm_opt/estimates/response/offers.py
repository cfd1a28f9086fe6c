"""What offers at randomised prices tell: who accepts, how much, and what it brings and loses, by price.

In: offers, one row each. Out: `OfferFit`, whose curves are evaluated at any price, with their joint covariance.

Columns of offers: `segment` (text), `stratum` (text: within which prices were drawn, such as a mailing wave), `price`
(above 0), `accepted` (0 or 1), and for accepted ones `amount`, `revenue`, `loss` (money; 0 or more), [`cluster`],
[covariates under names of their own].
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.explanatory import (
    profiles,
    refuse_collinear,
    refuse_few_clusters,
    shared_slopes,
    terms,
)
from cpm_opt.estimates.response.shrinkage import Shrunken, shrink_slopes_of
from cpm_opt.faults import Fault, InputError

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

TAKE_UP = "take_up"
CONDITIONAL = ("amount", "revenue", "loss")
LEAST_ACCEPTED = 5
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
    `offers[S]` and `accepted[S]` counts, `left_out` the offers in which a covariate is blank. Errors rest on so many
    `clusters` (0: none). `log_likelihood` is that of take_up before shrinkage. With `by_segment` False all segments
    share one b.
    `shrunken` tells by curve how b was shrunk; it is empty before `shrink_slopes`.
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
    values: Numbers
    covariance: Numbers = field(repr=False)
    log_likelihood: float = float("nan")
    by_segment: bool = True
    left_out: int = 0
    clusters: int = 0
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
    by segment, or with `by_segment` False alike in all. The covariance is the sandwich of all scores stacked, so it
    holds across curves; with column `cluster` scores are summed within clusters, times G / (G - 1). Raises InputError
    for a segment with fewer than 5 accepted offers, for unknown covariates, and for those that say the same thing.
    """
    found = terms(offers, covariates, "offers")
    left_out = int((~found.used).sum())
    offers = offers[found.used] if left_out else offers
    segments = tuple(sorted(str(name) for name in offers["segment"].unique()))
    position = {name: k for k, name in enumerate(segments)}
    of_row: Indices = np.asarray(offers["segment"].map(position), dtype=np.int64)
    price = offers["price"].to_numpy(dtype=np.float64)
    taken = offers["accepted"].to_numpy(dtype=np.float64)
    size = len(segments)
    count = np.bincount(of_row, minlength=size).astype(np.float64)
    accepted = np.asarray(np.bincount(of_row, weights=taken, minlength=size), dtype=np.float64)
    _refuse(offers, of_row, segments, by_segment)
    centre = np.bincount(of_row, weights=price, minlength=size) / count
    seen = np.array([[price[of_row == s].min(), price[of_row == s].max()] for s in range(size)])
    held = [name for name in CONDITIONAL if name in offers and float(offers[name].abs().sum()) > 0.0]
    spread = shared_slopes(size, found.columns.shape[1], by_segment)
    columns = _design(of_row, found.columns, price - centre[of_row], size) @ spread
    refuse_collinear(columns, "offers")
    fitted, influence = _fitted(columns, taken, "Binomial")
    index = columns @ fitted
    log_likelihood = float(np.sum(taken * index - np.logaddexp(0.0, index)))
    values, influences = [spread @ fitted], [influence @ spread.T]
    yes = taken > 0
    logs = _design(of_row[yes], found.columns[yes], np.log(price / centre[of_row])[yes], size) @ spread
    if held:
        refuse_collinear(logs, "offers")
    for name in held:
        fitted, influence = _fitted(logs, offers[name].to_numpy(dtype=np.float64)[yes], "Poisson")
        whole = np.zeros((len(offers), len(spread)))
        whole[yes] = influence @ spread.T
        values.append(spread @ fitted)
        influences.append(whole)
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
        values=np.concatenate(values),
        covariance=_joint(np.hstack(influences), offers),
        log_likelihood=log_likelihood,
        by_segment=by_segment,
        left_out=left_out,
        clusters=int(offers["cluster"].nunique()) if "cluster" in offers else 0,
    )


def shrink_slopes(fit: OfferFit) -> OfferFit:
    """The fit with each curve's slopes shrunk to their mean (`response.shrinkage`), curve by curve; a single segment,
    or slopes that all segments share, stay as they are."""
    if len(fit.segments) < 2 or not fit.by_segment:
        return fit
    values, covariance = fit.values, fit.covariance
    told = {}
    for outcome in fit.outcomes:
        slopes = np.arange(len(values))[fit.slopes(outcome)]
        values, covariance, told[outcome] = shrink_slopes_of(
            values, covariance, slopes, slopes - len(fit.segments)
        )
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


def _refuse(offers: pd.DataFrame, of_row: Indices, segments: tuple[str, ...], by_segment: bool) -> None:
    """Raises InputError with what keeps offers from being fitted."""
    price, taken = (offers[name].to_numpy(dtype=np.float64) for name in ("price", "accepted"))
    accepted = np.bincount(of_row, weights=taken, minlength=len(segments)).astype(np.float64)
    count = np.bincount(of_row, minlength=len(segments)).astype(np.float64)
    _refuse_thin(segments, accepted, count)
    _refuse_prices(segments, of_row, price, taken, by_segment)
    if "cluster" in offers:
        slope_of = of_row if by_segment else np.zeros_like(of_row)
        refuse_few_clusters(slope_of, segments if by_segment else ("",), offers["cluster"], "offers")


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


def _refuse_prices(
    segments: tuple[str, ...], of_row: Indices, price: Numbers, taken: Numbers, by_segment: bool
) -> None:
    """Raises InputError for segments (or, with one slope for all, offers) at one price, or whose price tells perfectly
    who accepts."""
    wrong = []
    for s, name in enumerate(segments if by_segment else ("",)):
        own = of_row == s if by_segment else np.ones(len(price), dtype=np.bool_)
        who = f"segment {name} has" if name else "there is"
        if len(np.unique(price[own])) < 2:
            text = f"{who} one price alone, so nothing tells what another would do"
            remedy = "join it with another segment, or leave it out"
            wrong.append(Fault("offers", text, remedy, column="price", code="one_price"))
            continue
        yes, no = price[own & (taken > 0)], price[own & (taken == 0)]
        if by_segment and (yes.max() <= no.min() or yes.min() >= no.max()):
            edge = "below" if yes.max() <= no.min() else "above"
            at = yes.max() if edge == "below" else yes.min()
            text = (
                f"segment {name}: no offer {edge} {at:g} was refused and none beyond it accepted, so the price tells "
                "perfectly who accepts (separation), and no curve is the likeliest"
            )
            remedy = "offer prices at which some accept and some do not, or join the segment with another"
            wrong.append(Fault("offers", text, remedy, column="price", code="separation"))
    if wrong:
        raise InputError(wrong)


def _design(of_row: Indices, rest: Numbers, x: Numbers, size: int) -> Numbers:
    """`[n, 2 S + V]`: levels and slopes of segments, then strata and covariates."""
    rows = np.arange(len(x))
    columns = np.zeros((len(x), 2 * size))
    columns[rows, of_row] = 1.0
    columns[rows, size + of_row] = x
    return np.hstack([columns, rest])


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
