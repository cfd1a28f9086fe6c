"""The retention model: what a customer under contract is worth where each period keeps the same part of them.

Blattberg and Deighton 1996; Gupta and Lehmann 2003, "Customers as assets", Journal of Interactive Marketing 17(1),
9-24: the margin multiple r / (1 + i - r). In: rates. Out: multiples of one period's margin.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cpm_opt.estimates.value.model_estimate import ModelEstimate, no_estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "retention"
PARAMETERS = ("r", "multiple")


def fit(lost: NDArray[np.float64], kept: NDArray[np.float64], discount_rate: float) -> ModelEstimate:
    """One retention rate r for all, and the multiple r / (1 + i - r) of a period's margin that renewals are worth.

    `lost[t]` left at the end of their period t, after t - 1 renewals; `kept[t]` were renewed t times and are there. By
    maximum likelihood r = renewals / (renewals + leavers), with the error sqrt(r (1 - r) / decisions) of a proportion
    and (1 + i) / (1 + i - r)^2 times that of the multiple. Set beside the sBG, whose rate rises with age, its
    log-likelihood tells which of the two the contracts speak for. Needs both leavers and stayers.
    """
    left = float(lost[1:].sum())
    renewals = float(
        sum(max(0, t - 1) * n for t, n in enumerate(lost)) + sum(t * n for t, n in enumerate(kept))
    )
    n = round(left + renewals)
    if left <= 0:
        return no_estimate(NAME, PARAMETERS, n, "nobody was seen to leave")
    if renewals <= 0:
        return no_estimate(NAME, PARAMETERS, n, "everybody left at the first renewal")
    rate = renewals / (renewals + left)
    error = math.sqrt(rate * (1.0 - rate) / (renewals + left))
    slope = (1.0 + discount_rate) / (1.0 + discount_rate - rate) ** 2
    return ModelEstimate(
        NAME,
        {"r": rate, "multiple": margin_multiple(rate, discount_rate)},
        {"r": error, "multiple": slope * error},
        renewals * math.log(rate) + left * math.log1p(-rate),
        n,
        True,
    )


def margin_multiple(retention: float, discount_rate: float, periods: int | None = None) -> float:
    """Present value of a margin of 1 a period, the first one a period from now and paid if the customer stays:

        r / (1 + i - r)                              endless
        that times (1 - (r / (1 + i))^periods)       for so many periods

    Add 1 for a margin that is paid now. `retention` r and `discount_rate` i are fractions per period. Raises
    ValueError where a rate is out of range or the endless sum has no limit (r = 1 and i = 0).
    """
    if not 0.0 <= retention <= 1.0:
        raise ValueError("the retention rate is no fraction from 0 to 1")
    if discount_rate < 0.0 or not math.isfinite(discount_rate):
        raise ValueError("the discount rate is negative")
    kept = retention / (1.0 + discount_rate)
    if kept == 1.0:
        if periods is None:
            raise ValueError("the endless value has no limit at this discount rate")
        return float(periods)
    endless = retention / (1.0 + discount_rate - retention)
    return endless if periods is None else endless * (1.0 - kept**periods)
