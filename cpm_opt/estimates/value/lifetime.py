"""Lifetime value of customers who are under no contract: purchases to come, discounted, times what one earns.

In: histories, a model of purchases and one of spend. Out: `Valued`, each customer's value with what the estimates of
the parameters leave open (delta method).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.value import bg_nbd, gamma_gamma, pareto_nbd
from cpm_opt.estimates.value.histories import Histories
from cpm_opt.estimates.value.model_estimate import NORMAL_95, ModelEstimate

Numbers = NDArray[np.float64]

MODELS: dict[str, ModuleType] = {bg_nbd.NAME: bg_nbd, pareto_nbd.NAME: pareto_nbd}
STEP = 1e-4
CUT_OFF = 1e-4
LONGEST = 2000


@dataclass(frozen=True)
class Valued:
    """Values of N customers and how they hang on K parameters.

    `value[N]` money; `gradient[N, K]` its change with the logarithm of each parameter; `covariance[K, K]` of these
    logarithms (nan where a model did not converge). `net` where a cost is taken off, so that values may lie near 0 and
    have either sign: their intervals are symmetric then.
    """

    value: Numbers
    gradient: Numbers
    covariance: Numbers
    net: bool = False

    def error(self) -> Numbers:
        """`[N]`: standard error of each value."""
        return np.asarray(
            np.sqrt(np.einsum("nk,kl,nl->n", self.gradient, self.covariance, self.gradient)), dtype=np.float64
        )

    def total_error(self, members: NDArray[np.bool_] | None = None) -> float:
        """Standard error of the sum over the members (all without them); their errors move together.

        Members without a value (nan) are no part of the sum.
        """
        there = ~np.isnan(self.value) if members is None else members & ~np.isnan(self.value)
        gradient = self.gradient[there]
        summed = gradient.sum(axis=0)
        return float(np.sqrt(summed @ self.covariance @ summed))


def interval(value: Numbers, error: Numbers, net: bool = False) -> tuple[Numbers, Numbers]:
    """Ends of the 95 % interval; it keeps the sign of the value, as if its logarithm were normal.

    A `net` value, from which a cost was taken, may have either sign: its interval is symmetric.
    """
    if net:
        return value - NORMAL_95 * error, value + NORMAL_95 * error
    with np.errstate(over="ignore"):
        width = np.exp(NORMAL_95 * error / np.where(value == 0.0, 1.0, np.abs(value)))
    ends = value / width, np.where(value == 0.0, 0.0, value * width)
    return np.minimum(*ends), np.maximum(*ends)


def counted_periods(discount_rate: float, periods: int | None) -> int:
    """How many periods are added up: the stated ones, else until a flow weighs less than one in ten thousand."""
    if periods is not None:
        return periods
    return min(LONGEST, math.ceil(-math.log(CUT_OFF) / math.log1p(discount_rate)))


def discounted_purchases(
    model: ModuleType,
    parameters: Sequence[float],
    histories: Histories,
    discount_rate: float,
    periods: int,
    weeks: float,
) -> Numbers:
    """`[N]`: expected purchases in each of `periods` periods of so many `weeks`, discounted to now:

    sum over k = 1 .. periods of (E[X(k weeks)] - E[X((k-1) weeks)]) / (1 + i)^(k-1)

    A flow of the period that begins now is not discounted, as in the plan and in the chain of states.
    """
    # What a customer who is alive will buy does not hang on recency: far fewer pairs than customers.
    pairs = np.column_stack([histories.frequency, histories.age])
    unique, where = np.unique(pairs, axis=0, return_inverse=True)
    x, age = unique[:, 0], unique[:, 1]
    total = np.zeros(len(unique))
    before = np.zeros(len(unique))
    for number in range(1, periods + 1):
        after = model.purchases_if_alive(parameters, number * weeks, x, age)
        total += (after - before) / (1.0 + discount_rate) ** (number - 1)
        before = after
    alive = model.probability_alive(parameters, histories.frequency, histories.recency, histories.age)
    return np.asarray(alive * total[where.reshape(-1)], dtype=np.float64)


def discounted_life(
    model: ModuleType,
    parameters: Sequence[float],
    histories: Histories,
    discount_rate: float,
    periods: int,
    weeks: float,
) -> Numbers:
    """`[N]`: expected periods in which the customer is alive at their beginning, discounted to now:

    sum over k = 0 .. periods - 1 of P(alive k periods from now) / (1 + i)^k
    """
    pairs = np.column_stack([histories.frequency, histories.age])
    unique, where = np.unique(pairs, axis=0, return_inverse=True)
    x, age = unique[:, 0], unique[:, 1]
    total = np.zeros(len(unique))
    for number in range(periods):
        survival = model.survival_if_alive(parameters, number * weeks, x, age)
        total += survival / (1.0 + discount_rate) ** number
    alive = model.probability_alive(parameters, histories.frequency, histories.recency, histories.age)
    return np.asarray(alive * total[where.reshape(-1)], dtype=np.float64)


def lifetime_value(
    purchases: ModelEstimate,
    spend: ModelEstimate,
    histories: Histories,
    margin_rate: Numbers,
    discount_rate: float,
    periods: int,
    weeks: float,
    service: Numbers | None = None,
) -> Valued:
    """Value of each customer: discounted purchases x expected spend x `margin_rate[N]` (profit over revenue).

    With `service[N]`, what serving a customer costs in a period, less that cost for each period at whose beginning the
    customer is alive; spend itself is modelled before it, because the model of spend needs money above 0. Spend that
    has no mean in the model (q at most 1, no repeat purchase) is nan.
    """
    model = MODELS[purchases.name]

    def bought(logs: Numbers) -> Numbers:
        return discounted_purchases(model, np.exp(logs).tolist(), histories, discount_rate, periods, weeks)

    def spent(logs: Numbers) -> Numbers:
        return gamma_gamma.expected_spend(np.exp(logs).tolist(), histories.frequency, histories.spend)

    number, number_slope = _with_slope(bought, np.log(purchases.values))
    money, money_slope = _with_slope(spent, np.log(spend.values))
    gradient = np.hstack(
        [number_slope * (money * margin_rate)[:, None], money_slope * (number * margin_rate)[:, None]]
    )
    value = number * money * margin_rate
    if service is None or not service.any():
        return Valued(value, gradient, joined(purchases, spend))

    def lived(logs: Numbers) -> Numbers:
        return discounted_life(model, np.exp(logs).tolist(), histories, discount_rate, periods, weeks)

    life, life_slope = _with_slope(lived, np.log(purchases.values))
    gradient[:, : life_slope.shape[1]] -= life_slope * service[:, None]
    return Valued(value - life * service, gradient, joined(purchases, spend), net=True)


def joined(*estimates: ModelEstimate) -> Numbers:
    """Covariance of the logarithms of all parameters, the estimates independent of each other."""
    sizes = [len(estimate.parameters) for estimate in estimates]
    covariance = np.zeros((sum(sizes), sum(sizes)))
    at = 0
    for size, estimate in zip(sizes, estimates, strict=True):
        block = estimate.log_covariance if estimate.log_covariance.size else np.full((size, size), np.nan)
        covariance[at : at + size, at : at + size] = block
        at += size
    return covariance


def _with_slope(function: Callable[[Numbers], Numbers], logs: Numbers) -> tuple[Numbers, Numbers]:
    """Values `[N]` and their slopes `[N, K]` by central differences."""
    shifts = np.eye(len(logs)) * STEP
    slopes = [(function(logs + shift) - function(logs - shift)) / (2.0 * STEP) for shift in shifts]
    return function(logs), np.column_stack(slopes)
