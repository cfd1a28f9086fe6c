"""What price steps of a plan do, beside what volume they could lose: from planning tables, stated or estimated.

In: frames of segments, options and effects, and the rules of levers that were estimated. Out: `PriceEffect`s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.price_response import break_even_volume
from cpm_opt.estimates.settings import ResponseRules

if TYPE_CHECKING:
    import pandas as pd

PRICED = ("price_points", "choices", "offers", "stated")  # sources whose levers are prices


@dataclass(frozen=True)
class PriceEffect:
    """One price step for one segment, against the price of the lever's base.

    `price_change`, `volume` and `break_even` are fractions: of the base price, and of today's volume. `volume` is the
    change that the effect on revenue implies, (R + dR) / (R (1 + p)) - 1, R the revenue at this price; nan where the
    effect tells no revenue. `break_even` is the change of volume at which margin stays as it is, -p / (p + g), g the
    gross margin of that revenue. Both are nan where nothing tells R, and where the price `moves_others`, sales of the
    firm's other alternatives: see `price_effects`. `margin` with its `margin_se`
    and `revenue` are changes in money per customer and period; `source` is estimated or stated.
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
    moves_others: bool = False

    def as_dict(self) -> dict[str, object]:
        """JSON-ready fields, nan as None."""
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in vars(self).items()
        }


def price_effects(frames: Mapping[str, pd.DataFrame], rules: ResponseRules) -> tuple[PriceEffect, ...]:
    """Every offered effect of an option whose price differs from that of its lever's base.

    The revenue at a lever's price and its gross margin are those of its rules (`revenue_share`, `gross_margin`), the
    whole of the segment's where they say nothing. Where a plan has several levers with prices, and no rules for one of
    them, nothing tells which part of the revenue that one prices; and where a price moves sales of the firm's other
    alternatives too (`own_alternatives`), its effects are no change of one volume.
    """
    segments, options, effects = (frames.get(name) for name in ("segments", "options", "effects"))
    if segments is None or options is None or effects is None or not (options["price_change"] != 0.0).any():
        return ()
    known = {own.lever: own for source in PRICED for own in rules.of(source)}
    alone = options.loc[options["price_change"] != 0.0, "lever"].nunique() == 1
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
        rule = known.get(row["lever"])
        others = rule is not None and bool(rule.own_alternatives)
        told = (rule is not None or alone) and not others
        revenue, gross = _priced(own, rule) if told else (0.0, math.nan)
        moved = float(row["revenue"])
        volume = math.nan
        if revenue > 0.0 and moved != 0.0 and change > -1.0:
            volume = (revenue + moved) / (revenue * (1.0 + change)) - 1.0
        found.append(
            PriceEffect(
                lever=str(row["lever"]),
                segment=str(row["segment"]),
                option=str(row["option"]),
                price_change=change,
                volume=volume,
                break_even=break_even_volume(change, gross) if revenue > 0.0 else math.nan,
                revenue=moved,
                margin=float(row["margin"]),
                margin_se=float(row["margin_se"]),
                source=str(row["source"]),
                moves_others=others,
            )
        )
    return tuple(found)


def _priced(segment: Mapping[Any, Any], rules: LeverRules | None) -> tuple[float, float]:
    """Revenue at the lever's price, and its gross margin."""
    whole = float(segment["revenue"])
    if whole <= 0.0:
        return 0.0, math.nan
    gross = float(segment["margin"]) / whole
    if rules is None:
        return whole, gross
    return whole * rules.revenue_share, gross if rules.gross_margin is None else rules.gross_margin
