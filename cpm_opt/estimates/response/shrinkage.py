"""Shrinkage of thin segments to the whole: empirical Bayes for estimates of one quantity in many segments.

In: each segment's estimate and standard error. Out: `Shrunken`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.value.model_estimate import NORMAL_95

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]


STEPS = 300  # values of tau over which errors are averaged
WIDEST = 1e4  # of the largest spread of estimates and errors: the tail beyond it no longer counts


@dataclass(frozen=True)
class Shrunken:
    """`mean` of the whole with `mean_se`, `spread` (tau, the standard deviation of the true values between segments),
    `weight[S]` that a segment's own estimate keeps, and the shrunken `values[S]` with their `errors[S]`."""

    mean: float
    mean_se: float
    spread: float
    weight: Numbers
    values: Numbers
    errors: Numbers


def shrink(estimates: Numbers, errors: Numbers) -> Shrunken:
    """Shrinks `estimates[S]` with standard errors `errors[S]` (all above 0) to their common mean.

    Model: estimate_s ~ N(true_s, error_s^2), true_s ~ N(mean, tau^2). tau^2 is the one of Paule and Mandel (1982,
    "Consensus values and weighting factors", Journal of Research of the NBS 87(5)): it makes the weighted squares

        sum_s (estimate_s - mean)^2 / (error_s^2 + tau^2) = S - 1

    and is 0 where they are below S - 1 already. Then

        weight_s = tau^2 / (tau^2 + error_s^2)
        value_s  = weight_s estimate_s + (1 - weight_s) mean

    Their errors know that tau is an estimate too: they are root mean squares over what tau may be, given the estimates
    (`_possible`), of how far the truth lies from value_s.
    """
    own = np.asarray(estimates, dtype=np.float64)
    error = np.asarray(errors, dtype=np.float64)
    if (error <= 0).any() or not np.isfinite(error).all() or not np.isfinite(own).all():
        raise ValueError("estimates have to be finite and their standard errors above 0")
    every = np.arange(len(own))
    return shrink_slopes_of(own, np.diag(error**2), every)[2]


def shrink_slopes_of(
    values: Numbers, covariance: Numbers, slopes: Indices, follow: Numbers | None = None
) -> tuple[Numbers, Numbers, Shrunken]:
    """All parameters `[K]` and their covariance `[K, K]` with those at `slopes[S]` shrunk to their mean.

    `follow[K, S]` says how the others move with the slopes, to first order (`following`; without it they do not).
    Weights and tau are those of `shrink`; errors rest on the joint covariance of all parameters, for segments that
    share clusters err together. With p the segments' part in the mean, all shrunken parameters are L values, off the
    true ones by L (errors) + M (true slopes less their mean):

        covariance(tau) = L covariance L' + tau^2 M M',      M = F (I - W)(1 p' - I),   F = `follow`, I for slopes
        mean_se(tau)^2  = p' (covariance of slopes + tau^2 I) p

    Of the first the mean over what tau may be is taken, with the squares of how far L(tau) values lie from the shrunken
    ones. `mean_se` is what makes mean -+ 1.96 mean_se hold 95 % of all of these normals: its own variance has no bound
    with few segments.
    """
    variance = np.diag(covariance)[slopes]
    own = values[slopes]
    moves = np.zeros((len(values), len(slopes))) if follow is None else follow.copy()
    moves[slopes] = np.eye(len(slopes))
    tau = float(np.sqrt(_between(own, variance)))
    spread, part = _shrinking(tau, variance, moves)
    moved = np.asarray(values + spread @ own, dtype=np.float64)
    mean = float(part @ own)
    joint, means, spreads = covariance.copy(), [], []
    within = covariance[np.ix_(slopes, slopes)]
    possible_taus = _possible(own, variance)
    for possible, chance in zip(*possible_taus, strict=True):
        spread, other = _shrinking(possible, variance, moves)
        off = values + spread @ own - moved
        between = within + possible**2 * np.eye(len(slopes))
        cross = spread @ covariance[slopes]
        joint += chance * (cross + cross.T + spread @ between @ spread.T + np.outer(off, off))
        means.append(float(other @ own))
        spreads.append(float(np.sqrt(other @ between @ other)))
    told = Shrunken(
        mean=mean,
        mean_se=_reach(mean, np.array(means), np.array(spreads), possible_taus[1]) / NORMAL_95,
        spread=tau,
        weight=tau**2 / (tau**2 + variance),
        values=moved[slopes],
        errors=np.sqrt(np.diag(joint)[slopes]),
    )
    return moved, joint, told


def _reach(mean: float, means: Numbers, spreads: Numbers, chance: Numbers) -> float:
    """How far from `mean` 95 % of a mixture of normals lie."""
    from scipy.optimize import brentq  # type: ignore[import-untyped]
    from scipy.stats import norm  # type: ignore[import-untyped]

    def beyond(reach: float) -> float:
        inside = norm.cdf((mean + reach - means) / spreads) - norm.cdf((mean - reach - means) / spreads)
        return float(chance @ inside) - 0.95

    return float(brentq(beyond, 0.0, 10.0 * float((np.abs(means - mean) + spreads).max())))


def following(information: Numbers, slopes: Indices) -> Numbers:
    """How the other parameters of a likelihood move where its slopes are held elsewhere, `[K, S]`: to first order they
    stay where the likelihood is largest, -H_oo^-1 H_os with H the `information[K, K]` (the negative Hessian)."""
    others = np.setdiff1d(np.arange(len(information)), slopes)
    found = np.zeros((len(information), len(slopes)))
    if len(others):
        found[others] = -np.linalg.solve(
            information[np.ix_(others, others)], information[np.ix_(others, slopes)]
        )
    return found


def _shrinking(tau: float, variance: Numbers, moves: Numbers) -> tuple[Numbers, Numbers]:
    """M `[K, S]` of `shrink_slopes_of` for one tau (L is M in the columns of slopes, and 1 besides), and the segments'
    part in the mean `[S]`."""
    precision = 1.0 / (variance + tau**2)
    part = precision / precision.sum()
    weight = tau**2 * precision
    apart = (1.0 - weight)[:, None] * (part[None, :] - np.eye(len(part)))
    return moves @ apart, part


def _possible(own: Numbers, variance: Numbers) -> tuple[Numbers, Numbers]:
    """Values of tau and their chances, given the estimates, the mean being unknown as well.

        p(tau) ~ sqrt(V) prod_s (error_s^2 + tau^2)^-1/2 exp(-(estimate_s - mean)^2 / (2 (error_s^2 + tau^2)))

    V = 1 / sum_s 1 / (error_s^2 + tau^2), times a prior that is flat, as Gelman advises from three segments on (2006,
    "Prior distributions for variance parameters in hierarchical models", Bayesian Analysis 1(3)); of two segments, of
    which a flat one would make no distribution, the half-Cauchy of the size of the larger error.
    """
    size = 1.0 / np.sqrt(np.mean(1.0 / variance))  # of the finest step
    if len(own) < 2:
        return np.zeros(1), np.ones(1)
    widest = WIDEST * max(float(np.ptp(own)), float(np.sqrt(variance.max())))
    ends = size * np.sinh(np.linspace(0.0, np.arcsinh(widest / size), STEPS + 1))  # finer where tau is small
    tau = (ends[1:] + ends[:-1]) / 2.0
    precision = 1.0 / (variance + tau[:, None] ** 2)
    whole = precision.sum(axis=1)
    mean = precision @ own / whole
    log = 0.5 * np.log(precision).sum(axis=1) - 0.5 * np.log(whole)
    log -= 0.5 * (precision * (own - mean[:, None]) ** 2).sum(axis=1)
    log += np.log(np.diff(ends))
    if len(own) == 2:
        log -= np.log1p(tau**2 / variance.max())
    chance = np.exp(log - log.max())
    return tau, np.asarray(chance / chance.sum(), dtype=np.float64)


def _between(own: Numbers, variance: Numbers) -> float:
    """tau^2 by bisection; the weighted squares fall as it grows."""
    free = len(own) - 1
    if free < 1:
        return 0.0

    def excess(between: float) -> float:
        precision = 1.0 / (variance + between)
        mean = precision @ own / precision.sum()
        return float(precision @ (own - mean) ** 2) - free

    if excess(0.0) <= 0.0:
        return 0.0
    low, high = 0.0, float(np.sum((own - own.mean()) ** 2)) + float(variance.max())
    while excess(high) > 0.0:
        high *= 2.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    return 0.5 * (low + high)
