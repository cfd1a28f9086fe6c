"""Pareto/NBD: how often customers buy, and how long they live, where no contract tells.

A customer buys at random times at a rate of its own, gamma(r, alpha) over customers, and stops at a random time at a
rate of its own, gamma(s, beta). Schmittlein, Morrison and Colombo 1987, "Counting your customers: who are they and what
will they do next?", Management Science 33(1), 1-24; formulas as in Fader and Hardie 2005, "A note on deriving the
Pareto/NBD model and related expressions". In: histories in weeks. Out: `ModelEstimate`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.value.histories import Alike, Histories, alike
from cpm_opt.estimates.value.likelihood import maximise
from cpm_opt.estimates.value.model_estimate import ModelEstimate, no_estimate

Numbers = NDArray[np.float64]

NAME = "pareto_nbd"
PARAMETERS = ("r", "alpha", "s", "beta")
NEAR = 1e-6


def fit(histories: Histories) -> ModelEstimate:
    """Maximum likelihood of r, alpha (weeks), s and beta (weeks). Needs at least one repeat purchase."""
    if not histories.frequency.any():
        return no_estimate(NAME, PARAMETERS, len(histories), "nobody has bought a second time")
    seen = alike(histories)
    mean_age = max(float(histories.age.mean()), 1e-3)
    start = (0.5, 0.3 * mean_age, 0.6, 0.4 * mean_age)
    return maximise(NAME, PARAMETERS, lambda values: log_likelihood(values, seen), start, n=len(histories))


def log_likelihood(parameters: Sequence[float], seen: Alike) -> float:
    """Log-likelihood of all histories: of one with x, t_x and T

        L = G(r+x) alpha^r beta^s / G(r)  { (alpha+T)^-(r+x) (beta+T)^-s  +  s / (r+s+x) A0 }

    where s / (r+s+x) A0 is the integral of s (alpha+y)^-(r+x) (beta+y)^-(s+1) over y from t_x to T.
    """
    from scipy.special import gammaln  # type: ignore[import-untyped]

    r, alpha, s, beta = parameters
    x = seen.frequency
    common = gammaln(r + seen.times) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    alive = -(r + x) * np.log(alpha + seen.age) - s * np.log(beta + seen.age)
    gone = _log_gone(parameters, x, seen.recency, seen.age)
    return float(seen.customers @ (common[seen.which] + np.logaddexp(alive, gone)))


def probability_alive(
    parameters: Sequence[float], frequency: Numbers, recency: Numbers, age: Numbers
) -> Numbers:
    """`[N]`: probability that the customer is alive at T: 1 / (1 + s/(r+s+x) A0 (alpha+T)^(r+x) (beta+T)^s)."""
    r, alpha, s, beta = parameters
    gone = _log_gone(parameters, frequency, recency, age)
    with np.errstate(over="ignore"):
        odds = np.exp(gone + (r + frequency) * np.log(alpha + age) + s * np.log(beta + age))
    return np.asarray(1.0 / (1.0 + odds), dtype=np.float64)


def purchases_if_alive(
    parameters: Sequence[float], weeks: float, frequency: Numbers, age: Numbers
) -> Numbers:
    """`[N]`: expected purchases in the `weeks` after T of a customer who is alive at T:

    (r+x) (beta+T) / ((alpha+T) (s-1)) [ 1 - ((beta+T) / (beta+T+t))^(s-1) ]
    """
    r, alpha, s, beta = parameters
    excess = s - 1.0 if abs(s - 1.0) >= NEAR else NEAR
    kept = -np.expm1(-excess * np.log1p(weeks / (beta + age)))
    return np.asarray((r + frequency) * (beta + age) / ((alpha + age) * excess) * kept, dtype=np.float64)


def survival_if_alive(parameters: Sequence[float], weeks: float, frequency: Numbers, age: Numbers) -> Numbers:
    """`[N]`: probability that a customer who is alive at T is alive `weeks` later still, ((beta+T) / (beta+T+t))^s."""
    _, _, s, beta = parameters
    return np.asarray(np.exp(-s * np.log1p(weeks / (beta + age))) + 0.0 * frequency, dtype=np.float64)


def expected_purchases(
    parameters: Sequence[float], weeks: float, frequency: Numbers, recency: Numbers, age: Numbers
) -> Numbers:
    """`[N]`: expected purchases in the `weeks` after T, given the history."""
    alive = probability_alive(parameters, frequency, recency, age)
    return alive * purchases_if_alive(parameters, weeks, frequency, age)


def _log_gone(parameters: Sequence[float], frequency: Numbers, recency: Numbers, age: Numbers) -> Numbers:
    """Logarithm of s/(r+s+x) A0, the part of those who stopped between t_x and T; minus infinity where t_x = T."""
    _, _, s, _ = parameters
    upper = _log_tail(parameters, frequency, recency)
    lower = _log_tail(parameters, frequency, age)
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.log(-np.expm1(np.minimum(lower - upper, 0.0)))
    return np.asarray(np.log(s) + upper + difference, dtype=np.float64)


def _log_tail(parameters: Sequence[float], frequency: Numbers, at: Numbers) -> Numbers:
    """Logarithm of the integral of (alpha+y)^-(r+x) (beta+y)^-(s+1) over y from `at` to infinity.

    With m the larger and n the smaller of alpha and beta it is, by Euler's transformation, a 2F1 of positive terms:
    z = (m-n)/(m+at), 2F1(r+s+x, k; r+s+x+1; z) = (1-z)^(1-k) 2F1(1, r+s+x+1-k; r+s+x+1; z), k the smaller's power.
    """
    from scipy.special import hyp2f1

    r, alpha, s, beta = parameters
    total = r + s + frequency
    power: float | Numbers = s + 1.0 if alpha >= beta else r + frequency
    most, least = max(alpha, beta), min(alpha, beta)
    z = (most - least) / (most + at)
    series = np.log(hyp2f1(1.0, total + 1.0 - power, total + 1.0, z))
    return np.asarray(
        (1.0 - power) * np.log1p(-z) + series - total * np.log(most + at) - np.log(total), dtype=np.float64
    )
