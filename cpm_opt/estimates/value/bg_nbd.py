"""BG/NBD: how often customers buy, and when they stop, where no contract tells.

A customer buys at random times at a rate of its own, gamma(r, alpha) over customers, and after each purchase stops for
good with a probability of its own, beta(a, b). Fader, Hardie and Lee 2005, "Counting your customers the easy way: an
alternative to the Pareto/NBD model", Marketing Science 24(2), 275-284. In: histories in weeks. Out: `ModelEstimate`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.value.histories import Alike, Histories, alike
from cpm_opt.estimates.value.likelihood import maximise
from cpm_opt.estimates.value.model_estimate import ModelEstimate, no_estimate

Numbers = NDArray[np.float64]

NAME = "bg_nbd"
PARAMETERS = ("r", "alpha", "a", "b")
NEAR = 1e-6


def fit(histories: Histories) -> ModelEstimate:
    """Maximum likelihood of r, alpha (weeks), a and b. Without a single repeat purchase nothing can be fitted."""
    if not histories.frequency.any():
        return no_estimate(NAME, PARAMETERS, len(histories), "nobody has bought a second time")
    seen = alike(histories)
    mean_age = float(histories.age.mean())
    start = (0.5, max(0.25 * mean_age, 1e-3), 0.5, 2.0)
    return maximise(NAME, PARAMETERS, lambda values: log_likelihood(values, seen), start, n=len(histories))


def log_likelihood(parameters: Sequence[float], seen: Alike) -> float:
    """Log-likelihood of all histories: with x, t_x and T, and d = 1 where x > 0, of one

        L = G(r+x) alpha^r / G(r)  B(a, b+x) / B(a, b)  { (alpha+T)^-(r+x) + d a / (b+x-1) (alpha+t_x)^-(r+x) }

    (equation 6 of the paper, in its later and steadier arrangement).
    """
    from scipy.special import gammaln  # type: ignore[import-untyped]

    r, alpha, a, b = parameters
    x, times = seen.frequency, seen.times
    common = gammaln(r + times) - gammaln(r) + r * np.log(alpha)
    common = common + gammaln(a + b) + gammaln(b + times) - gammaln(b) - gammaln(a + b + times)
    alive = -(r + x) * np.log(alpha + seen.age)
    gone = _gone(parameters, x, seen.recency)
    return float(seen.customers @ (common[seen.which] + np.logaddexp(alive, gone)))


def probability_alive(
    parameters: Sequence[float], frequency: Numbers, recency: Numbers, age: Numbers
) -> Numbers:
    """`[N]`: probability that the customer will buy again: 1 / (1 + d a / (b+x-1) ((alpha+T) / (alpha+t_x))^(r+x)).

    Customers without a repeat purchase have probability 1 by the model: nobody stops before a purchase, and the
    first one does not count as a chance to stop.
    """
    r, alpha, _, _ = parameters
    gone = _gone(parameters, frequency, recency)
    with np.errstate(over="ignore"):
        odds = np.exp(gone + (r + frequency) * np.log(alpha + age))
    return np.asarray(1.0 / (1.0 + odds), dtype=np.float64)


def purchases_if_alive(
    parameters: Sequence[float], weeks: float, frequency: Numbers, age: Numbers
) -> Numbers:
    """`[N]`: expected purchases in the `weeks` after T of a customer who is alive at T:

        (a+b+x-1) / (a-1) [ 1 - ((alpha+T) / (alpha+T+t))^(r+x) 2F1(r+x, b+x; a+b+x-1; t / (alpha+T+t)) ]

    (equation 10), with Euler's transformation of 2F1, which neither overflows nor cancels for large x.
    """
    from scipy.special import hyp2f1

    r, alpha, a, b = parameters
    a = _off(a, 1.0)
    c = a + b + frequency - 1.0
    c = np.where(np.abs(c) < NEAR, NEAR, c)
    z = weeks / (alpha + age + weeks)
    bracket = 1.0 - (1.0 - z) ** (a - 1.0) * hyp2f1(a + b - 1.0 - r, a - 1.0, c, z)
    return np.asarray(c / (a - 1.0) * bracket, dtype=np.float64)


def survival_if_alive(parameters: Sequence[float], weeks: float, frequency: Numbers, age: Numbers) -> Numbers:
    """`[N]`: probability that a customer who is alive at T is alive `weeks` later still:

        E[exp(-lambda p t)] = 2F1(r+x, a; a+b+x; -t / (alpha+T))

    With the rate lambda ~ gamma(r+x, alpha+T) and the chance to stop p ~ beta(a, b+x) that a history of x repeat
    purchases leaves to who is alive, purchases that end the customer come at the rate lambda p. Computed by Pfaff's
    transformation, (1-z)^a 2F1(a+b-r, a; a+b+x; z) with z = t / (alpha+T+t).
    """
    from scipy.special import hyp2f1

    r, alpha, a, b = parameters
    z = weeks / (alpha + age + weeks)
    series = hyp2f1(a + b - r, a, a + b + frequency, z)
    return np.asarray((1.0 - z) ** a * series, dtype=np.float64)


def expected_purchases(
    parameters: Sequence[float], weeks: float, frequency: Numbers, recency: Numbers, age: Numbers
) -> Numbers:
    """`[N]`: expected purchases in the `weeks` after T, given the history."""
    alive = probability_alive(parameters, frequency, recency, age)
    return alive * purchases_if_alive(parameters, weeks, frequency, age)


def _gone(parameters: Sequence[float], frequency: Numbers, recency: Numbers) -> Numbers:
    """Logarithm of the second term in braces; minus infinity without a repeat purchase."""
    r, alpha, a, b = parameters
    repeats = np.maximum(frequency, 1.0)
    value = np.log(a) - np.log(b + repeats - 1.0) - (r + frequency) * np.log(alpha + recency)
    return np.where(frequency > 0, value, -np.inf)


def _off(value: float, pole: float) -> float:
    """The value, moved off a pole of the formula that its limit does not have."""
    return pole + NEAR if abs(value - pole) < NEAR else value
