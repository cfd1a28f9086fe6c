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
