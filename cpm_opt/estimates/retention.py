"""The retention model: what a customer under contract is worth where each period keeps the same part of them.

Blattberg and Deighton 1996; Gupta and Lehmann 2003, "Customers as assets", Journal of Interactive Marketing 17(1),
9-24: the margin multiple r / (1 + i - r). In: rates. Out: multiples of one period's margin.
"""

from __future__ import annotations

import math


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
