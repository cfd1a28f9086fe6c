"""Choice among priced alternatives: McFadden's conditional logit, and the shares that it foresees at other prices.

In: table choices. Out: `ChoiceFit`, whose shares are evaluated at any price. docs/response.md has the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.choice_design import TABLE, ChoiceDesign, choice_design
from cpm_opt.estimates.response.explanatory import refuse_collinear
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.separation import LOOSE
from cpm_opt.estimates.response.shrinkage import Shrunken, following, shrink_slopes_of
from cpm_opt.faults import Fault, InputError

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

STEP = 1e-5  # of a standard error, for slopes of the shares by the parameters
MOST_STEPS = 100
SETTLED = 1e-10  # of the log-likelihood: what another step of the search could still gain
LEAST_STEP = 1e-9
MOSTLY = 0.2  # of the largest part in a direction, from which a parameter is named
FARTHEST = 600.0  # of a utility against the best one's, so that its exponential is a number


@dataclass(frozen=True)
class ChoiceFit:
    """Utilities of alternatives, V = constant_sa + b_s price + z c, and P(a) = exp(V_a) / sum_j exp(V_j) in a choice.

    `values[K]` are the parameters under `design.names`, with their `covariance[K, K]`. `n` is how many chose,
    `equal_chances` the log-likelihood in which all alternatives of a choice are alike, `clusters` on how many of them
    errors rest (0: none). `shrunken` is None before `shrink_choices`.
    """

    design: ChoiceDesign
    values: Numbers
    covariance: Numbers = field(repr=False)
    log_likelihood: float
    equal_chances: float
    n: float
    clusters: int = 0
    shrunken: Shrunken | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of `values`."""
        return self.design.names

    @property
    def slopes(self) -> slice:
        """Where the b stand in `values`."""
        return self.design.prices

    def shares(
        self,
        alternative: str,
        prices: Numbers,
        of: tuple[str, ...],
        values: Numbers | None = None,
        relative: bool = False,
    ) -> Numbers:
        """The part of each segment's choices that falls on each alternative in `of[A]`, `[S, P, A]`, where
        `alternative` costs `prices[P]` in all of them (or with `relative` so many times what it did) and everything
        else stays as it was observed.

        The mean over the choices of a segment (sample enumeration). With `values[N, K]` `[N, S, P, A]`.
        """
        several = np.atleast_2d(self.values if values is None else values)
        before = self.design.price[self._own(alternative).row]
        moved = np.outer(prices, before) if relative else np.repeat(prices[:, None], len(before), axis=1)
        found = np.array([self._shares(alternative, moved - before, of, own) for own in several])
        return np.asarray(found[0] if values is None else found, dtype=np.float64)

    def ratio(
        self,
        alternative: str,
        prices: Numbers,
        base: float,
        of: tuple[str, ...],
        values: Numbers | None = None,
        relative: bool = False,
    ) -> Numbers:
        """Shares at `prices[P]` over those at price `base`: `[S, P, A]`, nan where a segment never had an
        alternative; or `[N, S, P, A]` with `values[N, K]`. Prices as in `shares`."""
        both = self.shares(alternative, np.append(prices, base), of, values, relative)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(both[..., :-1, :] / both[..., -1:, :], dtype=np.float64)

    def elasticities(self, values: Numbers | None = None) -> Numbers:
        """By how many percent the share of an alternative (second) changes for 1 % on the price of one (first).

        `[A, A]` over all choices at the prices that stood, or `[N, A, A]` with `values[N, K]`:

            sum_i w_i P_ia (1[a = k] - P_ik) b price_ik / sum_i w_i P_ia
        """
        several = np.atleast_2d(self.values if values is None else values)
        found = np.array([self._elasticities(own) for own in several])
        return np.asarray(found[0] if values is None else found, dtype=np.float64)

    def nudged(self) -> tuple[Numbers, Numbers]:
        """Values `[2 K, K]`, each parameter moved up and then each down, and by how much `[K]`, for slopes of a figure
        by the parameters; see `slopes_of`."""
        size = np.sqrt(np.diag(self.covariance)) * STEP
        size[size == 0.0] = STEP
        return np.vstack([self.values + np.diag(size), self.values - np.diag(size)]), size

    def chances(self) -> Numbers:
        """P of each row's alternative within its choice, `[R]`."""
        pull, _ = _pulls(self.design, self.values)
        return np.asarray(
            pull / np.add.reduceat(pull, self.design.begins)[self.design.of_choice], dtype=np.float64
        )

    def influence(self) -> Numbers:
        """What everybody who chose (or every cluster) adds to the error of the parameters, `[rows or clusters, K]`,
        whose products add to the sandwich; in the order of `design.summed`."""
        hessian = _derivatives(self.design, self.values)[1]
        return np.asarray(_each(self.design, self.values) @ np.linalg.inv(hessian), dtype=np.float64)

    def _shares(self, alternative: str, changes: Numbers, of: tuple[str, ...], values: Numbers) -> Numbers:
        """`shares` with the price of each row of the alternative changed by `changes[P, rows of it]`."""
        d, own = self.design, self._own(alternative)
        pull, best = _pulls(d, values)
        others = np.add.reduceat(pull, d.begins)
        others[own.choice] -= pull[own.row]
        others = np.maximum(others, 0.0)
        slope = values[own.slope]
        utility = (d.x @ values - best[d.of_choice])[own.row]
        weight = np.bincount(own.segment, weights=d.weight, minlength=len(d.segments))
        rows = [np.flatnonzero(d.alternative == d.alternatives.index(name)) for name in of]
        found = np.zeros((len(d.segments), len(changes), len(of)))
        for p, change in enumerate(changes):
            moved = np.exp(np.clip(utility + slope * change, -FARTHEST, FARTHEST))
            whole = others.copy()
            whole[own.choice] += moved
            for a, name in enumerate(of):
                up = moved if name == alternative else pull[rows[a]]
                choice = d.of_choice[rows[a]]
                found[:, p, a] = np.bincount(
                    own.segment[choice],
                    weights=d.weight[choice] * up / whole[choice],
                    minlength=len(d.segments),
                )
        return found / weight[:, None, None]

    def _elasticities(self, values: Numbers) -> Numbers:
        d = self.design
        size = len(d.alternatives)
        pull, _ = _pulls(d, values)
        chance = np.zeros((len(d.begins), size))
        price = np.zeros_like(chance)
        chance[d.of_choice, d.alternative] = pull / np.add.reduceat(pull, d.begins)[d.of_choice]
        slope = values[[d.slope_of(s) for s in range(len(d.segments))]][d.of_row]
        price[d.of_choice, d.alternative] = slope * d.price
        weighed = d.weight[:, None] * chance
        both = (weighed * price).sum(axis=0)
        found = np.diag(both) - (chance * price).T @ weighed
        return np.asarray(found / weighed.sum(axis=0)[None, :], dtype=np.float64)

    def _own(self, alternative: str) -> _Own:
        d = self.design
        row = np.flatnonzero(d.alternative == d.alternatives.index(alternative))
        slopes = np.array([d.slope_of(s) for s in range(len(d.segments))])
        return _Own(row, d.of_choice[row], slopes[d.of_row[row]], d.of_row[d.begins])


@dataclass(frozen=True)
class ShareElasticity:
    """By how many percent the share of `alternative` changes for 1 % on the price of `price_of`, with its error; over
    all choices of the fit `model` at the prices that stood."""

    model: str
    price_of: str
    alternative: str
    elasticity: float
    elasticity_se: float


class _Own(NamedTuple):
    """Rows of an alternative, their choices and prices' parameters; and the segment of every choice."""

    row: NDArray[np.int64]
    choice: NDArray[np.int64]
    slope: NDArray[np.int64]
    segment: NDArray[np.int64]


def slopes_of(figures: Numbers, size: Numbers) -> Numbers:
    """Central differences `[K, ...]` of `figures[2 K, ...]` at the values of `ChoiceFit.nudged`, moved by `size`."""
    ahead, behind = figures[: len(size)], figures[len(size) :]
    return np.asarray(
        (ahead - behind) / (2.0 * size.reshape(-1, *([1] * (ahead.ndim - 1)))), dtype=np.float64
    )


def spread_of(slopes: Numbers, covariance: Numbers) -> Numbers:
    """Standard error of a figure whose `slopes[K, ...]` by the parameters are known, by the delta method."""
    variance = np.einsum("k...,kl,l...->...", slopes, covariance, slopes)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)


def share_elasticities(fit: ChoiceFit, model: str) -> tuple[ShareElasticity, ...]:
    """Own and cross elasticities by the prices of all alternatives that have one, errors by the delta method."""
    values, size = fit.nudged()
    found = fit.elasticities()
    error = spread_of(slopes_of(fit.elasticities(values), size), fit.covariance)
    return tuple(
        ShareElasticity(model, price_of, alternative, float(found[k, a]), float(error[k, a]))
        for k, price_of in enumerate(fit.design.alternatives)
        if fit.design.price[fit.design.alternative == k].any()
        for a, alternative in enumerate(fit.design.alternatives)
    )


def fit_choices(choices: pd.DataFrame, rules: LeverRules) -> ChoiceFit:
    """Maximum likelihood of McFadden's conditional logit ("Conditional logit analysis of qualitative choice behavior",
    in Zarembka (ed.), Frontiers in Econometrics, 1974), by Newton's method: the log-likelihood is concave.

    Errors: the sandwich of the scores of all who chose, or of scores summed within clusters times G / (G - 1) where
    every row names one; the inverse of the Hessian with `rules.errors = "classical"`. Raises InputError for what cannot
    be fitted.
    """
    design = choice_design(choices, rules)
    apart = _centred(design, design.x)
    refuse_collinear(apart, TABLE)
    # Columns that are uncorrelated within choices and of size 1: neither unit nor origin of a column matters then.
    whiten = np.linalg.inv(np.linalg.qr(apart, mode="r")) * np.sqrt(len(apart))
    white = replace(design, x=apart @ whiten)
    values, inverse = _search(white, whiten * np.sqrt(np.mean(apart**2, axis=0))[:, None])
    covariance = inverse
    if rules.errors != "classical":
        scores = _each(white, values)
        covariance = inverse @ (scores.T @ scores) @ inverse
    return ChoiceFit(
        design=design,
        values=whiten @ values,
        covariance=np.asarray(whiten @ covariance @ whiten.T, dtype=np.float64),
        log_likelihood=_likelihood(white, values),
        equal_chances=_likelihood(white, np.zeros(len(values))),
        n=float(design.weight.sum()),
        clusters=int(design.cluster.max()) + 1 if len(design.cluster) else 0,
    )


def _search(design: ChoiceDesign, loadings: Numbers) -> tuple[Numbers, Numbers]:
    """Parameters of the largest likelihood, and the inverse of the negative Hessian there; of whitened columns, whose
    directions are the named parameters by `loadings[K, K]`.

    Raises InputError where a term tells perfectly what is chosen: its parameter would grow for ever.
    """
    every = np.arange(design.x.shape[1])
    values, settled = _climbed(design, np.zeros(len(every)), every)
    size, axes = np.linalg.eigh(_derivatives(design, values)[1])
    if size[0] * LOOSE**2 < 1.0 or not settled:
        weight = np.abs(loadings @ axes[:, 0])
        names = [name for name, own in zip(design.names, weight, strict=True) if own > MOSTLY * weight.max()]
        message = f"the search did not settle: what is chosen hardly bounds {', '.join(names[:5])}"
        remedy = "leave out what tells perfectly what is chosen, or join alternatives and segments"
        raise InputError([Fault(TABLE, message, remedy, code="not_converged")])
    return values, np.asarray((axes / size) @ axes.T, dtype=np.float64)


def _climbed(design: ChoiceDesign, values: Numbers, free: Indices) -> tuple[Numbers, bool]:
    """`values[K]` with those at `free` where the likelihood is largest, and whether the search came to rest."""
    likelihood = _likelihood(design, values)
    for _ in range(MOST_STEPS):
        scores, hessian = _derivatives(design, values)
        gradient = scores.sum(axis=0)[free]
        step = np.zeros(len(values))
        step[free] = np.linalg.lstsq(hessian[np.ix_(free, free)], gradient, rcond=None)[0]
        size = 1.0
        while size > LEAST_STEP and _likelihood(design, values + size * step) < likelihood:
            size /= 2.0
        values = values + (size * step if size > LEAST_STEP else 0.0)
        likelihood = _likelihood(design, values)
        if float(gradient @ step[free]) <= SETTLED * max(1.0, abs(likelihood)):
            return values, True
    return values, False


def shrink_choices(fit: ChoiceFit) -> ChoiceFit:
    """The fit with segments' slopes of the price shrunk to their mean, and all other parameters fitted again with
    these held. A single segment, and a shared slope, stay as they are."""
    slopes = np.arange(len(fit.values))[fit.slopes]
    if len(slopes) < 2:
        return fit
    follow = following(_derivatives(fit.design, fit.values)[1], slopes)
    values, joint, told = shrink_slopes_of(fit.values, fit.covariance, slopes, follow)
    others = np.setdiff1d(np.arange(len(values)), slopes)
    if len(others):
        values = _climbed(fit.design, values, others)[0]
    return replace(fit, values=values, covariance=joint, shrunken=told)


def _pulls(design: ChoiceDesign, values: Numbers) -> tuple[Numbers, Numbers]:
    """Exp of each row's utility less the best one's of its choice, and that best one."""
    utility = design.x @ values
    best = np.maximum.reduceat(utility, design.begins)
    return np.exp(utility - best[design.of_choice]), best


def _likelihood(design: ChoiceDesign, values: Numbers) -> float:
    utility = design.x @ values
    best = np.maximum.reduceat(utility, design.begins)
    log_sum = best + np.log(np.add.reduceat(np.exp(utility - best[design.of_choice]), design.begins))
    return float(design.chosen @ utility - design.weight @ log_sum)


def _derivatives(design: ChoiceDesign, values: Numbers) -> tuple[Numbers, Numbers]:
    """Scores of each choice `[C, K]`, and the negative Hessian `[K, K]`: the sum of w (E[x x'] - E[x] E[x]')."""
    pull, _ = _pulls(design, values)
    chance = pull / np.add.reduceat(pull, design.begins)[design.of_choice]
    expected = chance * design.weight[design.of_choice]
    scores = np.add.reduceat((design.chosen - expected)[:, None] * design.x, design.begins)
    mean = np.add.reduceat(chance[:, None] * design.x, design.begins)
    apart = design.x - mean[design.of_choice]
    return scores, np.asarray((apart * expected[:, None]).T @ apart, dtype=np.float64)


def _each(design: ChoiceDesign, values: Numbers) -> Numbers:
    """Scores whose products add to the middle of the sandwich: of a row so many alike as chose it, or of clusters."""
    pull, _ = _pulls(design, values)
    chance = pull / np.add.reduceat(pull, design.begins)[design.of_choice]
    mean = np.add.reduceat(chance[:, None] * design.x, design.begins)
    return design.summed(design.x - mean[design.of_choice])


def _centred(design: ChoiceDesign, x: Numbers) -> Numbers:
    """Columns less their mean over the alternatives of a choice: what a choice can tell of them."""
    mean = np.add.reduceat(x, design.begins) / np.bincount(design.of_choice)[:, None]
    return np.asarray(x - mean[design.of_choice], dtype=np.float64)
