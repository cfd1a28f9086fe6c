"""Shrinkage of thin segments to the whole: empirical Bayes for estimates of one quantity in many segments.

In: each segment's estimate and standard error. Out: `Shrunken`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]


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
        error_s' = sqrt(weight_s error_s^2 + (1 - weight_s)^2 mean_se^2)

    tau itself is taken as known: with few segments the errors are a little too small.
    """
    variance = np.asarray(errors, dtype=np.float64) ** 2
    own = np.asarray(estimates, dtype=np.float64)
    if (variance <= 0).any() or not np.isfinite(variance).all() or not np.isfinite(own).all():
        raise ValueError("estimates have to be finite and their standard errors above 0")
    between = _between(own, variance)
    precision = 1.0 / (variance + between)
    mean = float(precision @ own / precision.sum())
    mean_se = float(1.0 / np.sqrt(precision.sum()))
    weight = between / (between + variance)
    values = weight * own + (1.0 - weight) * mean
    spread = np.sqrt(weight * variance + (1.0 - weight) ** 2 * mean_se**2)
    return Shrunken(mean, mean_se, float(np.sqrt(between)), weight, values, spread)


def shrink_slopes_of(
    values: Numbers, covariance: Numbers, slopes: Indices, levels: Indices | None = None
) -> tuple[Numbers, Numbers, Shrunken]:
    """All parameters `[K]` and their covariance `[K, K]` with those at `slopes[S]` shrunk to their mean.

    The level of a segment (at `levels[S]`) follows its slope as their covariance says: a'_s = a_s + cov(a, b) / var(b)
    (b'_s - b_s); without `levels` all other parameters follow all slopes, a' = a + cov(a, b) var(b)^-1 (b' - b).
    Weights and tau are those of `shrink`; errors rest on the joint covariance of all parameters, for segments that
    share clusters err together. With p the segments' part in the mean, all shrunken parameters are L values, off the
    true ones by L (errors) + M (true slopes less their mean):

        covariance' = L covariance L' + tau^2 M M',      M = (I - W)(1 p' - I) for slopes
        mean_se^2   = p' (covariance of slopes + tau^2 I) p

    which are the errors of `shrink` where segments err by themselves.
    """
    size = len(slopes)
    change, spread = np.eye(len(values)), np.zeros((len(values), size))
    variance = np.diag(covariance)[slopes]
    found = shrink(values[slopes], np.sqrt(variance))
    precision = 1.0 / (variance + found.spread**2)
    part = precision / precision.sum()
    pooled = np.diag(found.weight) + np.outer(1.0 - found.weight, part)
    if levels is None:
        others = np.setdiff1d(np.arange(len(values)), slopes)
        between = covariance[np.ix_(slopes, slopes)]
        follow = np.linalg.solve(between, covariance[np.ix_(slopes, others)]).T
    else:
        others, follow = levels, np.diag(covariance[levels, slopes] / variance)
    change[np.ix_(slopes, slopes)] = pooled
    change[np.ix_(others, slopes)] = follow @ (pooled - np.eye(size))
    spread[slopes] = (1.0 - found.weight)[:, None] * (part[None, :] - np.eye(size))
    spread[others] = follow @ spread[slopes]
    joint = np.asarray(change @ covariance @ change.T + found.spread**2 * spread @ spread.T, dtype=np.float64)
    between = covariance[np.ix_(slopes, slopes)] + found.spread**2 * np.eye(size)
    moved = np.asarray(change @ values, dtype=np.float64)
    told = replace(
        found,
        mean_se=float(np.sqrt(part @ between @ part)),
        errors=np.sqrt(np.diag(joint)[slopes]),
    )
    return moved, joint, told


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
