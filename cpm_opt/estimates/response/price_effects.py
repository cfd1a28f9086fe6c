"""Effects of a lever whose options are prices, from observed prices and volumes: on the curve itself, nothing linear.

In: `DemandFit`, table segments and the options of the lever. Out: `LeverRows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.lint.fits import lint_demand
from cpm_opt.estimates.response.lever_rows import (
    LeverRows,
    not_in_plan,
    options_of,
    plan_segments,
    price_steps_of,
    refused,
    rows_of_lever,
    without_data,
    without_revenue,
)
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.price_points import POINTS, TABLE, DemandFit, fit_demand, shrink_demand
from cpm_opt.estimates.response.price_response import (
    ConstantElasticity,
    LinearDemand,
    LogitDemand,
    Product,
    price_steps,
    volume_error,
)
from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]

VOLUME = "volume"  # filled where the instance declares a measure of that name


def price_point_rows(tables: Tables, frames: Mapping[str, pd.DataFrame], rules: LeverRules) -> LeverRows:
    """Effects of each option of the lever on each segment with revenue, by the (shrunken) curve.

        v       = volume(price) / volume(base_price)              price = base_price (1 + p)
        revenue = R ((1 + p) v - 1)              p the step from the base's price, R revenue_share x revenue
        margin  = R ((g + p) v - g)              g gross_margin, else margin / revenue of the segment
        volume  = V (v - 1)                      where `volume` is a measure, V its level

    Standard errors by the delta method. Raises InputError where curve or options cannot be had.
    """
    own = options_of(frames, rules, TABLE)
    segments = plan_segments(frames, rules, TABLE)
    if rules.base_price is None:
        raise refused(rules, "base_price", "is missing", "write the price of the lever's base")
    steps = price_steps_of(own, rules)
    points = rows_of_lever(frames[TABLE], rules.lever, TABLE)
    whole = fit_demand(points, rules)
    fit = shrink_demand(whole) if rules.shrink else whole
    place = {name: s for s, name in enumerate(fit.segments)}
    told, missing, free = [], [], []
    for segment in segments.to_dict("records"):
        name = str(segment["segment"])
        s = place.get(name, place.get(""))
        if s is None:
            missing.append(name)
        elif segment["revenue"] <= 0:
            free.append(name)
        else:
            told.append((segment, s))
    if not told:
        message = f"says how lever {rules.lever} moves volume, but no segment of the plan has revenue and rows there"
        remedy = "fill in column revenue of table segments, and name segments alike"
        raise InputError([Fault(TABLE, message, remedy, code="no_effects")])
    ratio, spread = _ratios(fit, sorted({s for _, s in told}), steps, rules)
    rows = []
    for segment, s in told:
        rows += _rows(segment, own, steps, ratio[s], spread[s], rules, VOLUME in tables.info.measures)
    notes = (*without_data(rules, missing, TABLE), *without_revenue(rules, free))
    doubts = (*lint_demand(whole), *not_in_plan(points, segments, TABLE))
    return LeverRows(effects=tuple(rows), notes=notes, doubts=doubts)


def stated_rows(tables: Tables, frames: Mapping[str, pd.DataFrame], rules: LeverRules) -> LeverRows:
    """Effects by an elasticity that is stated, on its curve (`price_response`), as `price_point_rows` counts them.

    They stay marked as stated, also where a standard error is. Raises InputError where curve or options cannot be had.
    """
    own = options_of(frames, rules)
    segments = plan_segments(frames, rules, "a stated elasticity")
    if rules.elasticity is None:
        raise refused(
            rules, "elasticity", "is missing", "write the elasticity at today's price, such as -1.5"
        )
    _refuse_unknown(rules, [str(name) for name in segments["segment"]])
    steps = price_steps_of(own, rules)
    rows, missing, free = [], [], []
    for segment in segments.to_dict("records"):
        name, value = str(segment["segment"]), rules.elasticity
        known = value.get(name) if isinstance(value, dict) else value
        if known is None:
            missing.append(name)
            continue
        if segment["revenue"] <= 0:
            free.append(name)
            continue
        curve = _stated_curve(rules, known)
        moved = price_steps(curve, Product(revenue=1.0, gross_margin=0.0), steps.tolist())
        ratio = np.array([step.volume + 1.0 for step in moved])
        sure = (
            rules.elasticity_se == 0.0
        )  # a figure that is stated without its error: not known, rather than 0
        spread = np.array([np.nan if sure else volume_error(curve, float(step)) for step in steps])
        made = _rows(segment, own, steps, ratio, spread, rules, VOLUME in tables.info.measures)
        rows += [{**row, "source": "stated"} for row in made]
    notes = (*without_data(rules, missing, "the stated elasticity"), *without_revenue(rules, free))
    return LeverRows(effects=tuple(rows), notes=notes)


def _refuse_unknown(rules: LeverRules, segments: list[str]) -> None:
    """Raises InputError for elasticities of segments that the plan has not."""
    named = rules.elasticity if isinstance(rules.elasticity, dict) else {}
    faults = [
        fault
        for name in named
        if name not in segments
        for fault in refused(
            rules, "elasticity", "names no segment of the plan", did_you_mean(name, segments), name
        ).faults
    ]
    if faults:
        raise InputError(faults)


def _stated_curve(rules: LeverRules, elasticity: float) -> ConstantElasticity | LinearDemand | LogitDemand:
    if rules.curve in (None, "constant_elasticity"):
        return ConstantElasticity(elasticity, rules.elasticity_se)
    if rules.curve == "linear":
        return LinearDemand(elasticity, rules.elasticity_se)
    if rules.curve != "logit":
        raise refused(
            rules, "curve", "is none of a stated elasticity", "write constant_elasticity, linear or logit"
        )
    if rules.share is None:
        raise refused(
            rules, "share", "is missing", "write the part of everybody that buys today, such as 0.2"
        )
    # The elasticity of a logit at today's price is slope x (1 - share).
    return LogitDemand(
        rules.share, elasticity / (1.0 - rules.share), rules.elasticity_se / (1.0 - rules.share)
    )


def _ratios(fit: DemandFit, needed: list[int], steps: Numbers, rules: LeverRules) -> tuple[Numbers, Numbers]:
    """Volume over that at the base price, and its standard error (nan where the curve is stated): `[S, options]`.

    Raises InputError for each segment that is `needed` and has no volume at a price; of the others no figure counts.
    """
    base = float(rules.base_price or 0.0)
    prices = base * (1.0 + steps)
    faults = []
    volume = fit.volume(np.append(prices, base))
    for s in needed:
        who = f"segment {fit.segments[s]}" if fit.segments[s] else "the curve"
        outside = [f"{price:g}" for price in prices[np.isnan(volume[s, :-1])]]
        if outside or np.isnan(volume[s, -1]):
            low, high = fit.seen[s]
            at = ", ".join(outside) or f"{base:g} of the base"
            message = (
                f"of lever {rules.lever}: {who} has stated points from {low:g} to {high:g}, not at price {at}"
            )
            remedy = "state the volume at that price too, or let a curve be fitted"
            faults.append(Fault(TABLE, message, remedy, column="price", code="outside_points"))
        elif volume[s, -1] <= 0.0:
            message = f"of lever {rules.lever}: {who} has no volume at the base price {base:g}"
            remedy = "check base_price, or take another curve"
            faults.append(Fault(TABLE, message, remedy, code="no_volume"))
    if faults:
        raise InputError(faults)
    ratio = fit.ratio(prices, base)
    if fit.form == POINTS:
        return ratio, np.full(ratio.shape, np.nan)
    with np.errstate(invalid="ignore"):  # of segments that are not needed
        return ratio, fit.spread(lambda values: fit.ratio(prices, base, values))


def _rows(
    segment: Mapping[Any, Any],
    own: pd.DataFrame,
    steps: Any,
    ratio: Any,
    spread: Any,
    rules: LeverRules,
    volume: bool,
) -> list[dict[str, Any]]:
    whole = float(segment["revenue"])
    margin = float(segment["margin"]) / whole if rules.gross_margin is None else rules.gross_margin
    revenue = rules.revenue_share * whole
    rows = []
    for option, step, v, error in zip(own["option"], steps, ratio, spread, strict=True):
        if step == 0.0:
            continue
        row = {
            "segment": segment["segment"],
            "lever": rules.lever,
            "option": option,
            "margin": revenue * ((margin + step) * v - margin),
            "margin_se": revenue * abs(margin + step) * error,
            "revenue": revenue * ((1.0 + step) * v - 1.0),
            "revenue_se": revenue * (1.0 + step) * error,
            "source": "stated" if np.isnan(error) else "estimated",
        }
        if volume:
            level = float(segment[VOLUME])
            row |= {VOLUME: level * (v - 1.0), f"{VOLUME}_se": abs(level) * error}
        rows.append(row)
    return rows
