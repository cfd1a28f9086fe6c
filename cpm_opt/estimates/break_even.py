"""What price steps of a plan do, beside what volume they could lose: from planning tables, stated or estimated.

In: frames of segments, options and effects. Out: `PriceEffect`s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpm_opt.estimates.price_response import break_even_volume

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PriceEffect:
    """One price step for one segment, against the price of the lever's base.

    `price_change`, `volume` and `break_even` are fractions: of the base price, and of today's volume. `volume` is the
    change that the stated revenue implies, (R + dR) / (R (1 + p)) - 1; nan where the effect tells no revenue.
    `break_even` is the change of volume at which margin stays as it is, -p / (p + g), g the margin over the revenue of
    the segment; nan where that has none. `margin` with its `margin_se` and `revenue` are changes in money per customer
    and period; `source` is estimated or stated.
    """

    lever: str
    segment: str
    option: str
    price_change: float
    volume: float
    break_even: float
    revenue: float
    margin: float
    margin_se: float
    source: str

    def as_dict(self) -> dict[str, object]:
        """JSON-ready fields, nan as None."""
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in vars(self).items()
        }


def price_effects(frames: Mapping[str, pd.DataFrame]) -> tuple[PriceEffect, ...]:
    """Every offered effect of an option whose price differs from that of its lever's base."""
    segments, options, effects = (frames.get(name) for name in ("segments", "options", "effects"))
    if segments is None or options is None or effects is None or not (options["price_change"] != 0.0).any():
        return ()
    base = {row["lever"]: float(row["price_change"]) for row in options[options["base"]].to_dict("records")}
    step = {
        (row["lever"], row["option"]): (1.0 + float(row["price_change"]))
        / (1.0 + base.get(row["lever"], 0.0))
        - 1.0
        for row in options.to_dict("records")
    }
    today = {row["segment"]: row for row in segments.to_dict("records")}
    found = []
    for row in effects[effects["offered"]].to_dict("records"):
        change = step.get((row["lever"], row["option"]), 0.0)
        own = today.get(row["segment"])
        if change == 0.0 or own is None:
            continue
        revenue, lost = float(own["revenue"]), math.nan
        if revenue > 0.0:
            lost = break_even_volume(change, float(own["margin"]) / revenue)
        told = revenue > 0.0 and float(row["revenue"]) != 0.0 and change > -1.0
        found.append(
            PriceEffect(
                lever=str(row["lever"]),
                segment=str(row["segment"]),
                option=str(row["option"]),
                price_change=change,
                volume=(revenue + float(row["revenue"])) / (revenue * (1.0 + change)) - 1.0
                if told
                else math.nan,
                break_even=lost,
                revenue=float(row["revenue"]),
                margin=float(row["margin"]),
                margin_se=float(row["margin_se"]),
                source=str(row["source"]),
            )
        )
    return tuple(found)
