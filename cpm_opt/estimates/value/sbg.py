"""Shifted-beta-geometric: how long customers under contract stay.

At the end of each period a customer leaves with a probability of its own, beta(alpha, beta) over customers. So the
retention rate of a cohort rises with its age, though nobody's own does: those likely to leave go first. Fader and
Hardie 2007, "How to project customer retention", Journal of Interactive Marketing 21(1), 76-90; residual lifetimes:
Fader and Hardie 2010, "Customer-base valuation in a contractual setting: the perils of ignoring heterogeneity",
Marketing Science 29(1), 85-93. In: cohorts or tenures. Out: `ModelEstimate`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.value.likelihood import maximise
from cpm_opt.estimates.value.model_estimate import ModelEstimate, no_estimate

Numbers = NDArray[np.float64]

NAME = "sbg"
PARAMETERS = ("alpha", "beta")


def fit_cohort(survivors: Sequence[float]) -> ModelEstimate:
    """The model of one cohort, from how many are left at its start and after each period: 1000, 631, 468 ..."""
    alive = np.asarray(survivors, dtype=float)
    lost = np.append(0.0, -np.diff(alive))
    kept = np.zeros(len(alive))
    kept[-1] = alive[-1]
    return fit(lost, kept)


def fit(lost: Numbers, kept: Numbers) -> ModelEstimate:
    """Maximum likelihood of alpha and beta, from customers of many cohorts by tenure.

    `lost[t]` left at the end of their period t (t = 0 is empty), `kept[t]` are still there and have been renewed t
    times. Who was not yet up for a renewal (`kept[0]`) tells nothing. Needs both leavers and stayers.
    """
    n = round(float(lost[1:].sum() + kept[1:].sum()))
    if lost[1:].sum() <= 0 or (lost < 0).any():
        return no_estimate(NAME, PARAMETERS, n, "nobody was seen to leave")
    if kept[1:].sum() + lost[2:].sum() <= 0:
        return no_estimate(NAME, PARAMETERS, n, "everybody left at the first renewal")
    return maximise(NAME, PARAMETERS, lambda values: log_likelihood(values, lost, kept), (1.0, 1.0), n)


def log_likelihood(parameters: Sequence[float], lost: Numbers, kept: Numbers) -> float:
    """Sum of lost[t] ln P(T = t) + kept[t] ln S(t), with

    P(T = t) = B(alpha+1, beta+t-1) / B(alpha, beta)        S(t) = B(alpha, beta+t) / B(alpha, beta)
    """
    from scipy.special import betaln  # type: ignore[import-untyped]

    alpha, beta = parameters
    size = max(len(lost), len(kept))
    times = np.arange(1, size)
    leaving = betaln(alpha + 1.0, beta + times - 1.0) - betaln(alpha, beta)
    staying = betaln(alpha, beta + times) - betaln(alpha, beta)
    return float(lost[1:] @ leaving[: len(lost) - 1] + kept[1:] @ staying[: len(kept) - 1])


def survival(parameters: Sequence[float], periods: Numbers) -> Numbers:
    """S(t) = B(alpha, beta + t) / B(alpha, beta): the part of a cohort left after t periods."""
    from scipy.special import betaln

    alpha, beta = parameters
    return np.asarray(np.exp(betaln(alpha, beta + periods) - betaln(alpha, beta)), dtype=np.float64)


def retention_rate(parameters: Sequence[float], period: Numbers) -> Numbers:
    """r(t) = (beta + t - 1) / (alpha + beta + t - 1): the part that stays at the end of period t (from 1)."""
    alpha, beta = parameters
    return np.asarray((beta + period - 1.0) / (alpha + beta + period - 1.0), dtype=np.float64)


def renewals_to_come(
    parameters: Sequence[float], renewed: Numbers, discount_rate: float, periods: int | None = None
) -> Numbers:
    """`[N]`: discounted renewals still to come of customers who have been renewed `renewed` times already:

        sum over k = 1 .. of S(renewed + k) / S(renewed) / (1 + i)^k

    for `periods` renewals, or endless (2010, equation 6, a period later than there: the renewal that is due next comes
    a period from now). `discount_rate` i is per period, above 0 where endless.
    """
    from scipy.special import hyp2f1

    alpha, beta = parameters
    if periods is None:
        first = (beta + renewed) / (alpha + beta + renewed) / (1.0 + discount_rate)
        series = hyp2f1(1.0, beta + renewed + 1.0, alpha + beta + renewed + 1.0, 1.0 / (1.0 + discount_rate))
        return np.asarray(first * series, dtype=np.float64)
    total = np.zeros(len(renewed))
    left = np.ones(len(renewed))
    for ahead in range(1, periods + 1):
        left = left * retention_rate(parameters, renewed + ahead)
        total += left / (1.0 + discount_rate) ** ahead
    return total
