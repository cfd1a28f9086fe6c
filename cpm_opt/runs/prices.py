"""Shadow prices in the reader's terms.

A plan's shadow price is of the right side of a row as the solver has it. A reader sees something else on that side:

    capacity            right side = max_utilisation x capacity; the reader sees the capacity
    others              right side without the plan's own figures (0 for a share); the reader sees the limit
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpm_opt.solve.plan import Plan, ShadowPrice

CAPACITY = "capacity"

Key = tuple[str, str, int]
Price = tuple[float, float | None, float | None]


def reader_prices(plan: Plan) -> dict[Key, Price]:
    """By row: what one more unit of the limit adds to the objective, and the limits from and to which that holds."""
    if plan.recount is None or not plan.shown:
        return {}
    p = plan.portfolio
    usable = {
        (CAPACITY, name, period + 1): float(p.resources.max_utilisation[resource, period])
        for resource, name in enumerate(p.resources.names)
        for period in range(p.periods)
    }
    limits = {row.key: float(row.limit) for row in plan.recount.rows if row.key not in usable}
    return {
        key: _read(price, usable.get(key, 1.0), _shift(price, limits.get(key)))
        for key, price in sorted(plan.shadow_prices.items())
    }


def _shift(price: ShadowPrice, limit: float | None) -> float:
    """How far the limit that the reader sees is above the right side of the row."""
    return 0.0 if limit is None or price.right is None else limit - price.right


def _read(price: ShadowPrice, scale: float, shift: float) -> Price:
    """The price of what the reader sees where the right side is `scale` times that, less `shift`."""
    low, high = (
        None if end is None or scale <= 0.0 else (end + shift) / scale for end in (price.low, price.high)
    )
    return price.price * scale, low, high
