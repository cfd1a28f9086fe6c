"""What a customer in a state is worth: the value of a Markov chain.

In: migration rates, the flow of one period by state, a discount rate. Out: value by state.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def chain_value(rates: Numbers, flow: Numbers, discount_rate: float, periods: int | None = None) -> Numbers:
    """Expected present value `[S]` of a customer who is in each state now.

    Formula (Pfeifer and Carraway 2000, "Modeling customer relationships as Markov chains", Journal of Interactive
    Marketing 14(2), 43-55), with P the rates and R the flow:

        V = sum over t = 0 .. periods - 1 of (P / (1 + d))^t R         `periods` flows, the first one undiscounted
        V = (I - P / (1 + d))^-1 R                                     `periods` None: endless

    The paper's horizon T counts flows 0 to T, so it is `periods = T + 1` here.

    `rates[S, S]` from row to column per period, fractions; a row that adds to less than 1 loses the rest, who are
    worth nothing from then on. `flow[S]` is money per customer and period, costs already taken off. `discount_rate`
    is a fraction per period, at least 0; the endless value needs it above 0 unless everybody leaves in the end.
    Raises ValueError where the endless sum has no limit.
    """
    discounted = rates / (1.0 + discount_rate)
    if periods is not None:
        value = np.zeros_like(flow)
        for _ in range(periods):
            value = flow + discounted @ value
        return value
    if np.abs(np.linalg.eigvals(discounted)).max(initial=0.0) >= 1.0 - 1e-12:
        raise ValueError("the endless value has no limit at this discount rate")
    return np.linalg.solve(np.eye(len(flow)) - discounted, flow).astype(np.float64)


def chain_value_error(
    rates: Numbers,
    observed: Numbers,
    flow: Numbers,
    flow_se: Numbers,
    discount_rate: float,
    periods: int | None = None,
) -> Numbers:
    """Standard error `[S]` of `chain_value`; see `chain_value_covariance`."""
    variance = np.diag(chain_value_covariance(rates, observed, flow, flow_se, discount_rate, periods))
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)


def chain_value_covariance(
    rates: Numbers,
    observed: Numbers,
    flow: Numbers,
    flow_se: Numbers,
    discount_rate: float,
    periods: int | None = None,
) -> Numbers:
    """Covariance `[S, S]` of `chain_value` over the states, by the delta method.

    Each row of rates is taken as a multinomial share of its `observed[S]` moves, each flow with its standard error
    `flow_se[S]`, all independent: with P' = P / (1 + d),

        dV = sum over t of P'^t ( dR + dP' V )        Var(dP'_s V) = Var_s(V) / (observed_s (1 + d)^2)

    where Var_s(V) is the variance of V over the states that row s leads to. A flow error of nan counts as 0; with a row
    of which no move was observed nobody knows how sure anything is: all is nan.
    """
    size = len(flow)
    if not (observed > 0).all():
        return np.full((size, size), np.nan)
    discounted = rates / (1.0 + discount_rate)
    own = np.nan_to_num(flow_se, nan=0.0)
    if periods is None:
        value = chain_value(rates, flow, discount_rate)
        reach = np.linalg.inv(np.eye(size) - discounted)
        row_se = np.sqrt(_spread(rates, value)) / (np.sqrt(observed) * (1.0 + discount_rate))
        return np.asarray((reach * (own**2 + row_se**2)) @ reach.T, dtype=np.float64)
    value = np.zeros(size)
    by_flow = np.zeros((size, size))  # change of each value with the flow of each state
    by_rate = np.zeros((size, size, size))  # and with each entry of each row of rates
    for _ in range(periods):
        by_flow = np.eye(size) + discounted @ by_flow
        by_rate = np.tensordot(discounted, by_rate, axes=1)
        by_rate[np.arange(size), np.arange(size)] += value / (1.0 + discount_rate)
        value = flow + discounted @ value
    covariance = (by_flow * own**2) @ by_flow.T
    for state in range(size):
        slope = by_rate[:, state, :]
        share = rates[state]
        mean = slope @ share
        covariance += ((slope * share) @ slope.T - np.outer(mean, mean)) / observed[state]
    return np.asarray(covariance, dtype=np.float64)


def _spread(rates: Numbers, value: Numbers) -> Numbers:
    """`[S]`: variance of the value over where each state leads; who leaves is worth 0."""
    return np.maximum(rates @ value**2 - (rates @ value) ** 2, 0.0)
