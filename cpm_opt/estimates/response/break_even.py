"""What price steps of a plan do, beside what volume they could lose: from planning tables, stated or estimated.

In: frames of segments, options and effects, and the rules of levers that were estimated. Out: `PriceEffect`s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.price_response import break_even_volume, step_from_base
from cpm_opt.estimates.response.used_cost import Used, used_cost
from cpm_opt.estimates.settings import ResponseRules

if TYPE_CHECKING:
    import pandas as pd

PRICED = ("price_points", "choices", "offers", "stated")  # sources whose levers are prices
TAKE_UP = "take_up"
CROSSED = (
    1e-3  # of what the price alone does to revenue: effects that contradict one another by less are rounded
)
Told = Mapping[tuple[str, str], tuple[float, float]]
Basis = Literal["revenue", "take_up", "", "levers", "others", "margin"]


@dataclass(frozen=True)
class PriceEffect:
    """One price step for one segment, against the price of the lever's base.

    `price_change`, `volume` and `break_even` are fractions: of the base price, and of today's volume. `basis` says what
    they rest on. "revenue": `volume` is the change that the effect on revenue implies, (R + dR) / (R (1 + p)) - 1, R
    the revenue at this price (nan where the effect tells no revenue), and `break_even` the one at which margin stays as
    it is, -p / (p + g), g the gross margin of that revenue. "take_up": both are those of accepted offers, by their
    curves or the measure of that name. Else both are nan, for R is not known (""), several `levers` carry prices
    and nothing tells which part each does, the price moves sales of the firm's `others`, or the effect on `margin` is
    not that of volume alone. `margin` with its `margin_se` and `revenue` are changes in money per customer and period;
    `source` is estimated or stated.
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
    basis: Basis = "revenue"

    def as_dict(self) -> dict[str, object]:
        """JSON-ready fields, nan as None."""
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in vars(self).items()
        }


def price_effects(
    frames: Mapping[str, pd.DataFrame], rules: ResponseRules, accepted: Mapping[str, Told] | None = None
) -> tuple[PriceEffect, ...]:
    """Every offered effect of an option whose price differs from that of its lever's base.

    The revenue at a lever's price and its gross margin are those of its rules (`revenue_share`, `gross_margin`), the
    whole of the segment's where they say nothing. Where a plan has several levers with prices, and no rules for one of
    them, nothing tells which part of the revenue that one prices; and where a price moves sales of the firm's other
    alternatives too (`own_alternatives`), its effects are no change of one volume. `accepted` are volume and break-even
    by segment and option of each lever whose effects were estimated from offers (`accepted_steps`); of another lever
    that moves the measure `take_up` both follow from it and margin. Of a lever any of whose effects on margin has the
    other sign than its volume beside the break-even says, neither is told.
    """
    segments, options, effects = (frames.get(name) for name in ("segments", "options", "effects"))
    if segments is None or options is None or effects is None or not (options["price_change"] != 0.0).any():
        return ()
    known = {own.lever: own for source in PRICED for own in rules.of(source)}
    alone = options.loc[options["price_change"] != 0.0, "lever"].nunique() == 1
    step = _steps(options)
    accepting = set(effects.loc[effects[TAKE_UP] != 0.0, "lever"]) if TAKE_UP in effects else set()
    today = {row["segment"]: row for row in segments.to_dict("records")}
    found: list[PriceEffect] = []
    crossed: set[str] = set()
    used: dict[str, Used] = {}
    for row in effects[effects["offered"]].to_dict("records"):
        change = step.get((row["lever"], row["option"]), 0.0)
        if change == 0.0 or math.isnan(change) or row["segment"] not in today:
            continue
        effect = _untold(row, change)
        rule, offers = known.get(effect.lever), (accepted or {}).get(effect.lever)
        own = today[row["segment"]]
        if offers is not None:
            volume, break_even = offers.get((effect.segment, effect.option), (math.nan, math.nan))
            found.append(replace(effect, volume=volume, break_even=break_even, basis="take_up"))
        elif effect.lever in accepting and float(own[TAKE_UP]) > 0.0:
            if effect.lever not in used:
                used[effect.lever] = used_cost(frames, effect.lever)
            cost = used[effect.lever].get((effect.segment, effect.option), (0.0, 0.0))
            found.append(
                _of_take_up(effect, float(own["margin"]), float(own[TAKE_UP]), float(row[TAKE_UP]), cost)
            )
        elif rule is not None and rule.source == "offers":
            found.append(replace(effect, basis="margin"))
        elif rule is not None and rule.own_alternatives:
            found.append(replace(effect, basis="others"))
        elif rule is None and not alone:
            found.append(replace(effect, basis="levers"))
        else:
            revenue, gross = _priced(own, rule)
            found.append(_of_revenue(effect, revenue, gross))
            if _crossed(found[-1], revenue, gross):
                crossed.add(effect.lever)
    nothing = {"volume": math.nan, "break_even": math.nan, "basis": "margin"}
    return tuple(
        replace(effect, **nothing) if effect.lever in crossed else effect  # type: ignore[arg-type]
        for effect in found
    )


def _steps(options: pd.DataFrame) -> dict[tuple[str, str], float]:
    """By lever and option, the step of the price from the base's; nan where the base costs nothing."""
    base = {row["lever"]: float(row["price_change"]) for row in options[options["base"]].to_dict("records")}
    return {
        (row["lever"], row["option"]): step_from_base(float(row["price_change"]), base.get(row["lever"], 0.0))
        for row in options.to_dict("records")
    }


def _untold(row: Mapping[Any, Any], change: float) -> PriceEffect:
    """A row of table effects, as yet without volume and break-even."""
    return PriceEffect(
        lever=str(row["lever"]),
        segment=str(row["segment"]),
        option=str(row["option"]),
        price_change=change,
        volume=math.nan,
        break_even=math.nan,
        revenue=float(row["revenue"]),
        margin=float(row["margin"]),
        margin_se=float(row["margin_se"]),
        source=str(row["source"]),
    )


def _of_take_up(
    effect: PriceEffect, margin: float, taken: float, change: float, cost: tuple[float, float]
) -> PriceEffect:
    """As `accepted_steps` has it, from the tables: what an accepted offer leaves is margin less the `cost` of what is
    used (`used_cost`, under the option and under the base), over the measure take_up."""
    then = taken + change
    volume, break_even = of_accepted((taken, margin - cost[1]), (then, margin + effect.margin - cost[0]))
    return replace(effect, volume=volume, break_even=break_even, basis="take_up")


def of_accepted(now: tuple[float, float], then: tuple[float, float]) -> tuple[float, float]:
    """Change of volume and break-even from take-up and what is left of an offer, at the base's price and at another:

    volume     = T / T_0 - 1
    break-even = (M_0 / T_0) / (M / T) - 1        nan where M_0 or M is not above 0
    """
    (taken, left), (taken_then, left_then) = now, then
    told = taken_then > 0.0 and left > 0.0 and left_then > 0.0
    break_even = (left / taken) / (left_then / taken_then) - 1.0 if told else math.nan
    return taken_then / taken - 1.0, break_even


def _of_revenue(effect: PriceEffect, revenue: float, gross: float) -> PriceEffect:
    change, moved = effect.price_change, effect.revenue
    if revenue <= 0.0:
        return replace(effect, basis="")
    told = moved != 0.0 and change > -1.0
    return replace(
        effect,
        volume=(revenue + moved) / (revenue * (1.0 + change)) - 1.0 if told else math.nan,
        break_even=break_even_volume(change, gross),
    )


def _crossed(effect: PriceEffect, revenue: float, gross: float) -> bool:
    """Whether the effect on margin has the other sign than R (p + g) (volume - break-even), which is what it is where
    cost varies with volume."""
    if math.isnan(effect.volume) or math.isnan(effect.break_even):
        return False
    implied = revenue * (effect.price_change + gross) * (effect.volume - effect.break_even)
    least = CROSSED * revenue * abs(effect.price_change)
    return implied * effect.margin < 0.0 and min(abs(implied), abs(effect.margin)) > least


def _priced(segment: Mapping[Any, Any], rules: LeverRules | None) -> tuple[float, float]:
    """Revenue at the lever's price, and its gross margin."""
    whole = float(segment["revenue"])
    if whole <= 0.0:
        return 0.0, math.nan
    gross = float(segment["margin"]) / whole
    if rules is None:
        return whole, gross
    return whole * rules.revenue_share, gross if rules.gross_margin is None else rules.gross_margin
