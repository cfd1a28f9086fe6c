"""Effects of a lever whose options are prices of one alternative, from choices: on the logit itself, nothing linear.

In: `ChoiceFit`, table segments and the options of the lever. Out: `LeverRows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.lint.fits import lint_choices
from cpm_opt.estimates.response.choice_design import TABLE
from cpm_opt.estimates.response.choices import ChoiceFit, fit_choices, shrink_choices, slopes_of, spread_of
from cpm_opt.estimates.response.lever_rows import (
    LeverRows,
    not_in_plan,
    options_of,
    plan_segments,
    price_steps_of,
    refused,
    without_data,
    without_revenue,
)
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.price_effects import VOLUME
from cpm_opt.faults import Fault, InputError
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
Figures = dict[tuple[str, str], dict[str, Numbers]]


def choice_rows(tables: Tables, frames: Mapping[str, pd.DataFrame], rules: LeverRules) -> LeverRows:
    """Effects of each option of the lever on each segment with revenue, by the (shrunken) conditional logit.

        v_a     = share_a(price) / share_a(base_price)            price = base_price (1 + p) of the own
        revenue = R ((1 + p) v - 1) + sum_a R_a (v_a - 1)         p the step of the price, R revenue_share x revenue
        margin  = R ((g + p) v - g) + g sum_a R_a (v_a - 1)       a the firm's other alternatives, R_a their revenue
        volume  = V (v - 1)                                       where `volume` is a measure, V its level

    Without base_price each price that was observed is moved by the step. Standard errors by the delta method.
    Raises InputError where shares or options cannot be had.
    """
    own = options_of(frames, rules, TABLE)
    segments = plan_segments(frames, rules, TABLE)
    _refuse(rules)
    whole = fit_choices(frames[TABLE], rules)
    fit = shrink_choices(whole) if rules.shrink else whole
    _refuse_free(fit, rules)
    measured = VOLUME in tables.info.measures
    now = choice_figures(fit, segments, own, rules, measured, fit.values[None])
    values, size = fit.nudged()
    moved = choice_figures(fit, segments, own, rules, measured, values)
    rows = []
    for (segment, option), figures in now.items():
        row: dict[str, Any] = {
            "segment": segment,
            "lever": rules.lever,
            "option": option,
            "source": "estimated",
        }
        for measure, figure in figures.items():
            slopes = slopes_of(moved[segment, option][measure], size)
            row |= {measure: float(figure[0]), f"{measure}_se": float(spread_of(slopes, fit.covariance))}
        rows.append(row)
    told = {segment for segment, _ in now}
    free = [str(name) for name in segments.loc[segments["revenue"] <= 0, "segment"]]
    missing = [str(name) for name in segments["segment"] if name not in told and name not in free]
    if not rows:
        message = f"says how lever {rules.lever} moves shares, but no segment of the plan has revenue and rows there"
        remedy = "fill in column revenue of table segments, and name segments alike"
        raise InputError([Fault(TABLE, message, remedy, code="no_effects")])
    notes = (*without_data(rules, missing, TABLE), *without_revenue(rules, free))
    doubts = (*lint_choices(whole, rules.alternative), *not_in_plan(frames[TABLE], segments, TABLE))
    return LeverRows(effects=tuple(rows), notes=notes, doubts=doubts)


def choice_fit(frames: Mapping[str, pd.DataFrame], rules: LeverRules) -> ChoiceFit:
    """The logit by which a lever's effects are made. Raises InputError where it cannot be fitted."""
    fit = fit_choices(frames[TABLE], rules)
    return shrink_choices(fit) if rules.shrink else fit


def choice_figures(
    fit: ChoiceFit,
    segments: pd.DataFrame,
    options: pd.DataFrame,
    rules: LeverRules,
    measured: bool,
    values: Numbers,
) -> Figures:
    """Margin, revenue and (where `measured`) volume `[N]` of each segment and option, for parameters `values[N, K]`;
    see `choice_rows`. Options at the base price, and segments of which nothing is known, are left out."""
    own, relative = str(rules.alternative), rules.base_price is None
    base = 1.0 if rules.base_price is None else rules.base_price
    steps = price_steps_of(options, rules, free=True)
    ratio = fit.ratio(own, base * (1.0 + steps), base, (own, *rules.own_alternatives), values, relative)
    place = {name: s for s, name in enumerate(fit.design.segments)}
    found: Figures = {}
    for segment in segments.to_dict("records"):
        name, whole = str(segment["segment"]), float(segment["revenue"])
        s = place.get(name, place.get(""))
        if s is None or whole <= 0.0 or np.isnan(ratio[0, s, :, 0]).any():
            continue
        gross = float(segment["margin"]) / whole if rules.gross_margin is None else rules.gross_margin
        revenue = rules.revenue_share * whole
        for k, (option, step) in enumerate(zip(options["option"], steps, strict=True)):
            if step == 0.0:
                continue
            v = ratio[:, s, k, 0]
            # An alternative that a segment never could choose brings nothing there that could move.
            others = sum(
                (part * whole * np.nan_to_num(ratio[:, s, k, 1 + a] - 1.0)
                 for a, part in enumerate(rules.own_alternatives.values())),
                start=np.zeros(len(values)),
            )  # fmt: skip
            figures = {
                "margin": revenue * ((gross + step) * v - gross) + gross * others,
                "revenue": revenue * ((1.0 + step) * v - 1.0) + others,
            }
            if measured:
                figures[VOLUME] = float(segment[VOLUME]) * (v - 1.0)
            found[name, str(option)] = figures
    return found


def _refuse_free(fit: ChoiceFit, rules: LeverRules) -> None:
    """Raises InputError where steps are parts of observed prices, and those are all 0."""
    low_mean_high = fit.design.seen(str(rules.alternative)).values()
    if rules.base_price is None and all(high == 0.0 for _, _, high in low_mean_high):
        message = f"is missing, and {rules.alternative} was free in every choice, so no step moves its price"
        raise refused(rules, "base_price", message, "write the price of the lever's base")


def _refuse(rules: LeverRules) -> None:
    """What the effects need of the rules."""
    if rules.alternative is None:
        remedy = "name the alternative of table choices whose price the lever is"
        raise refused(rules, "alternative", "is missing", remedy)
    parts = rules.revenue_share + sum(rules.own_alternatives.values())
    if rules.own_alternatives and parts > 1.0 + 1e-9:
        message = f"has parts that with revenue_share add to {parts:g}, more than all revenue"
        raise refused(
            rules, "own_alternatives", message, "write revenue_share and the parts as fractions of 1"
        )
