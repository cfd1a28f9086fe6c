"""Shadow prices in the reader's terms.

A plan's shadow price is of the right side of a row as the solver has it. A reader sees something else on that side:

    capacity            right side = max_utilisation x capacity; the reader sees the capacity
    others              right side without the plan's own figures (0 for a share); the reader sees the limit
    concentration       the row of the index is in units of the total; the reader sees the index
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpm_opt.solve.plan import Plan, ShadowPrice

CAPACITY, CONCENTRATION = "capacity", "concentration"

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
    usable |= {
        (rule, "index", period): max(0.0, float(row.value))
        for row in plan.recount.rows
        for rule, subject, period in [row.key]
        if (rule, subject) == (CONCENTRATION, "total")
    }
    return {
        key: _read(price, usable.get(key, 1.0), _shift(price, limits.get(key), usable.get(key, 1.0)))
        for key, price in sorted(plan.shadow_prices.items())
    }


def _shift(price: ShadowPrice, limit: float | None, scale: float) -> float:
    """How far what the reader sees, in units of the row, is above the right side of the row."""
    return 0.0 if limit is None or price.right is None else limit * scale - price.right


def _read(price: ShadowPrice, scale: float, shift: float) -> Price:
    """The price of what the reader sees where the right side is `scale` times that, less `shift`."""
    low, high = (
        None if end is None or scale <= 0.0 else (end + shift) / scale for end in (price.low, price.high)
    )
    return price.price * scale, low, high
