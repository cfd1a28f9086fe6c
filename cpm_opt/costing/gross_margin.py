"""The gross margin that an instance declares under `[estimates]`: the part of revenue that is left after the goods."""

from __future__ import annotations

GROSS_MARGIN = "gross_margin"
REMEDY = "write the part of revenue left after the cost of the goods, such as gross_margin = 0.3"


def checked_gross_margin(value: object) -> float:
    """`value` as a fraction above 0 and up to 1. Raises ValueError that says what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number")
    if 1 < value <= 100:
        raise ValueError("looks like a percent")
    if not 0 < value <= 1:
        raise ValueError("is no fraction above 0 and up to 1")
    return float(value)
