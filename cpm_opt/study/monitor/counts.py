"""Distributions of counts, with all their probabilities written out: binomial, beta-binomial and Poisson.

binomial        C(n, k) p^k (1 - p)^(n - k)
beta-binomial   C(n, k) B(k + a, n - k + b) / B(a, b)
Poisson         m^k e^-m / k!
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cpm_opt.portfolio.portfolio import Numbers

# Beyond so many customers the probabilities are written out for this part of them about the mean alone.
REACH = 12.0


@dataclass(frozen=True, eq=False)
class Counts:
    """`chance[j]` is the probability of the count `first + j`; what lies outside is less likely than anything that is
    tested. `spread` is the standard deviation."""

    first: int
    chance: Numbers
    spread: float

    def two_sided(self, count: int) -> float:
        """Twice the smaller tail that begins at the count, at most 1."""
        at = count - self.first
        below = float(self.chance[: max(0, at + 1)].sum())
        above = float(self.chance[max(0, at) :].sum())
        return min(1.0, 2.0 * min(below, above))

    def quantile(self, level: float) -> int:
        """The smallest count up to which lies at least this part of all."""
        place = int(np.searchsorted(np.cumsum(self.chance), level * (1.0 - 1e-12)))
        return self.first + min(place, len(self.chance) - 1)


def binomial(n: int, p: float) -> Counts:
    """Successes in n trials of probability p."""
    from scipy.special import gammaln, xlog1py, xlogy  # type: ignore[import-untyped]

    spread = float(np.sqrt(n * p * (1.0 - p)))
    k = _counts(n, n * p, spread)
    logs = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, p) + xlog1py(n - k, -p)
    return Counts(int(k[0]), np.exp(logs), spread)


def beta_binomial(n: int, a: float, b: float) -> Counts:
    """Successes in n trials whose common probability is drawn from a beta distribution."""
    from scipy.special import betaln, gammaln

    mean = a / (a + b)
    spread = float(np.sqrt(n * mean * (1.0 - mean) * (a + b + n) / (a + b + 1.0)))
    k = _counts(n, n * mean, spread)
    logs = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + betaln(k + a, n - k + b) - betaln(a, b)
    return Counts(int(k[0]), np.exp(logs), spread)


def poisson(mean: float, most: float) -> Counts:
    """Events of which `mean` are expected, written out up to `most` at least."""
    from scipy.special import gammaln, xlogy

    spread = float(np.sqrt(mean))
    k = _counts(int(max(most, mean + REACH * spread + 30.0)) + 1, mean, spread)
    return Counts(int(k[0]), np.exp(xlogy(k, mean) - mean - gammaln(k + 1)), spread)


def _counts(n: int, mean: float, spread: float) -> Numbers:
    """0..n, or of very many the ones within reach of the mean."""
    if n <= 2_000:
        return np.arange(n + 1, dtype=np.float64)
    low, high = max(0, int(mean - REACH * spread - 30.0)), min(n, int(mean + REACH * spread + 30.0))
    return np.arange(low, high + 1, dtype=np.float64)
