"""Gamma-Gamma: what a purchase is worth, by customer.

The money of a customer's purchases is gamma(p, nu), nu gamma(q, v) over customers, and does not depend on how often
they buy. Fader, Hardie and Lee 2005, "RFM and CLV: using iso-value curves for customer base analysis", Journal of
Marketing Research 42(4), 415-430; Fader and Hardie 2013, "The gamma-gamma model of monetary value". In: histories.
Out: `ModelEstimate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.value.histories import Histories
from cpm_opt.estimates.value.likelihood import maximise
from cpm_opt.estimates.value.model_estimate import ModelEstimate, no_estimate

Numbers = NDArray[np.float64]

NAME = "gamma_gamma"
PARAMETERS = ("p", "q", "v")
FEWEST = 10


@dataclass(frozen=True)
class Spends:
    """Mean spends z over x purchases as the likelihood takes them: `frequency[N]` x, `log_spend[N]` ln z, `money[N]`
    xz; `times[F]` the frequencies that occur and `customers[F]` how often, for what hangs on frequency alone.
    """

    frequency: Numbers
    log_spend: Numbers
    money: Numbers
    times: Numbers
    customers: Numbers


def spends(frequency: Numbers, spend: Numbers) -> Spends:
    """Mean spends (above 0) over so many purchases (1 or more)."""
    times, customers = np.unique(frequency, return_counts=True)
    return Spends(frequency, np.log(spend), frequency * spend, times, customers.astype(np.float64))


def usable(histories: Histories) -> NDArray[np.bool_]:
    """`[N]`: who has a mean spend that the model can take: a repeat purchase, and more than 0 after refunds."""
    return (histories.frequency > 0) & (np.nan_to_num(histories.spend, nan=0.0) > 0.0)


def fit(histories: Histories) -> ModelEstimate:
    """Maximum likelihood of p, q and v (money) on the customers with repeat purchases. Needs ten of them."""
    used = usable(histories)
    n = int(used.sum())
    if n < FEWEST:
        return no_estimate(
            NAME, PARAMETERS, n, f"fewer than {FEWEST} customers have a repeat purchase with money"
        )
    seen = spends(histories.frequency[used], histories.spend[used])
    start = (4.0, 4.0, float(histories.spend[used].mean()) * 3.0 / 4.0)
    return maximise(NAME, PARAMETERS, lambda values: log_likelihood(values, seen), start, n=n)


def log_likelihood(parameters: Sequence[float], seen: Spends) -> float:
    """Log-likelihood of mean spends z over x purchases each:

    f(z | x) = G(px+q) / (G(px) G(q))  v^q z^(px-1) x^px / (v + xz)^(px+q)
    """
    from scipy.special import gammaln  # type: ignore[import-untyped]

    p, q, v = parameters
    shape = p * seen.times
    of_times = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v) + shape * np.log(seen.times)
    total = float(seen.customers @ of_times)
    shape = p * seen.frequency
    return total + float(((shape - 1.0) * seen.log_spend - (shape + q) * np.log(v + seen.money)).sum())


def mean_spend(parameters: Sequence[float]) -> float:
    """Mean spend of a purchase over the whole base, pv / (q - 1); nan where q is at most 1: it has no mean."""
    p, q, v = parameters
    return p * v / (q - 1.0) if q > 1.0 else float("nan")


def expected_spend(parameters: Sequence[float], frequency: Numbers, spend: Numbers) -> Numbers:
    """`[N]`: expected spend of a customer's purchase, p (v + xz) / (px + q - 1).

    Customers without a repeat purchase, or whose mean spend is nan or not above 0, get the mean of the base.
    """
    p, q, v = parameters
    known = (frequency > 0) & (np.nan_to_num(spend, nan=0.0) > 0.0)
    x = np.where(known, frequency, 0.0)
    money = np.where(known, frequency * np.nan_to_num(spend, nan=0.0), 0.0)
    below = p * x + q - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(below > 0.0, p * (v + money) / below, np.nan)
    return np.asarray(value, dtype=np.float64)
