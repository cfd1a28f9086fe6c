"""Draws of effects of levers from price points, choices, efforts and trials, jointly for all options of a fit.

In: the raw table, `[[estimates.response.levers]]`, the effects that were estimated. Out: `Draws`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.choice_effects import choice_figures, choice_fit
from cpm_opt.estimates.response.effort_effects import effort_fits
from cpm_opt.estimates.response.lever_rows import RETENTION, price_steps_of, rows_of_lever
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.price_effects import VOLUME
from cpm_opt.estimates.response.price_points import POINTS, fit_demand, shrink_demand
from cpm_opt.estimates.response.trial_effects import arm_of_base
from cpm_opt.estimates.uncertainty.draws import NOTHING, Draws, key, normal_draws
from cpm_opt.faults import Fault, InputError

if TYPE_CHECKING:
    import pandas as pd

    from cpm_opt.estimates.response.effort import EffortFit

Numbers = NDArray[np.float64]
Frames = Mapping[str, "pd.DataFrame"]
Seed = tuple[int, ...]

MOST_TRIES = 20


def lever_draws(frames: Frames, lever: LeverRules, count: int, seed: Seed) -> Draws | None:
    """Joint draws of the lever's rows in table effects (or migration_effects: retention); None where its curve is
    stated, so that nothing is known of its errors.

    A factor is a draw's figure over the estimate's. Money: margins times the segment's customers; changes of retention
    times customers times margin.
    """
    figures: Mapping[
        str, Callable[[Frames, LeverRules, int, Seed], Mapping[tuple[str, str, str], Numbers]]
    ] = {
        "price_points": _price_figures,
        "choices": _choice_figures,
        "efforts": _effort_figures,
        "trials": _trial_figures,
    }
    found = figures[lever.source](frames, lever, count, seed)
    if not found:
        return None
    keys, factors, money, lost = [], [], [], []
    customers = dict(zip(frames["segments"]["segment"], frames["segments"]["customers"], strict=True))
    margin = dict(zip(frames["segments"]["segment"], frames["segments"]["margin"], strict=True))
    for (segment, option, measure), change in found.items():
        now = _estimate(frames, lever, segment, option, measure)
        if now is None:
            continue
        moves = measure == RETENTION
        target = "migration_effects.rate" if moves else f"effects.{measure}"
        if abs(now) <= NOTHING:
            lost.append(f"{segment}, {lever.lever} {option}: {measure}")
            continue
        keys.append(key(target, segment, lever.lever, option))
        factors.append(change / now)
        if moves or measure == "margin":
            money.append(float(customers[segment]) * change * (float(margin[segment]) if moves else 1.0))
    if not keys:
        return None
    money = money or [change * 1.0 for change in factors]
    return Draws(tuple(keys), np.column_stack(factors), np.column_stack(money), tuple(lost))


def _estimate(frames: Frames, lever: LeverRules, segment: str, option: str, measure: str) -> float | None:
    """The estimated figure in the planning table; None where there is no such row."""
    table, column, origin = (
        ("migration_effects", "rate", "from") if measure == RETENTION else ("effects", measure, "segment")
    )
    frame = frames[table]
    own = frame[(frame["lever"] == lever.lever) & (frame["option"] == option) & (frame[origin] == segment)]
    if measure == RETENTION:
        own = own[own["to"] == segment]
    return None if own.empty else float(own[column].iloc[0])


def _price_figures(
    frames: Frames, lever: LeverRules, count: int, seed: Seed
) -> dict[tuple[str, str, str], Numbers]:
    """Margin, revenue and volume by the curve's draws; see `price_effects`."""
    fit = fit_demand(rows_of_lever(frames["price_points"], lever.lever, "price_points"), lever)
    if fit.form == POINTS:
        return {}
    fit = shrink_demand(fit) if lever.shrink else fit
    own = frames["options"][frames["options"]["lever"] == lever.lever]
    base = float(lever.base_price or 0.0)
    steps = price_steps_of(own, lever)
    drawn = normal_draws(fit.values, fit.covariance, count, seed)
    ratio = fit.ratio(base * (1.0 + steps), base, drawn)
    place = {name: s for s, name in enumerate(fit.segments)}
    found: dict[tuple[str, str, str], Numbers] = {}
    for segment in frames["segments"].to_dict("records"):
        name = str(segment["segment"])
        s = place.get(name, place.get(""))
        if s is None or segment["revenue"] <= 0:
            continue
        whole = float(segment["revenue"])
        gross = float(segment["margin"]) / whole if lever.gross_margin is None else lever.gross_margin
        revenue = lever.revenue_share * whole
        for k, option in enumerate(own["option"]):
            if steps[k] == 0.0:
                continue
            volume = ratio[:, s, k]
            found[name, option, "margin"] = revenue * ((gross + steps[k]) * volume - gross)
            found[name, option, "revenue"] = revenue * ((1.0 + steps[k]) * volume - 1.0)
            if VOLUME in segment:
                found[name, option, VOLUME] = float(segment[VOLUME]) * (volume - 1.0)
    return found


def _choice_figures(
    frames: Frames, lever: LeverRules, count: int, seed: Seed
) -> dict[tuple[str, str, str], Numbers]:
    """Margin, revenue and volume by draws of the logit; see `choice_effects`."""
    fit = choice_fit(frames, lever)
    drawn = normal_draws(fit.values, fit.covariance, count, seed)
    own = frames["options"][frames["options"]["lever"] == lever.lever]
    segments = frames["segments"]
    figures = choice_figures(fit, segments, own, lever, VOLUME in segments, drawn)
    return {(*place, measure): of for place, own in figures.items() for measure, of in own.items()}


def _effort_figures(
    frames: Frames, lever: LeverRules, count: int, seed: Seed
) -> dict[tuple[str, str, str], Numbers]:
    """The measure by draws of each curve; segments of one curve share its draws."""
    fits = effort_fits(rows_of_lever(frames["efforts"], lever.lever, "efforts"), lever)
    drawn = {name: _shapes(fit, count, (*seed, place)) for place, (name, fit) in enumerate(fits.items())}
    own = frames["options"][frames["options"]["lever"] == lever.lever]
    base = next((o for o, is_base in zip(own["option"], own["base"], strict=True) if is_base), "")
    at = float(lever.options.get(base, 0.0))
    found: dict[tuple[str, str, str], Numbers] = {}
    for segment in frames["segments"]["segment"]:
        name = segment if segment in fits else ""
        if name not in fits:
            continue
        for option, effort in lever.options.items():
            if float(effort) != at:
                both = np.array([float(effort), at])
                gains = np.array([replace(fits[name], values=values).gain(both) for values in drawn[name]])
                found[str(segment), option, lever.measure] = lever.value * (gains[:, 0] - gains[:, 1])
    return found


def _shapes(fit: EffortFit, count: int, seed: Seed) -> Numbers:
    """Draws of level, scale and shape within the curve's domain; those outside it are drawn again."""
    kept = np.zeros((0, len(fit.values)))
    for attempt in range(MOST_TRIES):
        drawn = normal_draws(fit.values, fit.covariance, count, (*seed, attempt))
        inside = (drawn[:, 2] > 0.0) & ((drawn[:, 2] < 1.0) | (fit.form != "power"))
        kept = np.vstack([kept, drawn[inside]])
        if len(kept) >= count:
            break
    if len(kept) < count:
        message = f"a curve of {fit.form} of {fit.n} observations hardly tells its shape, so it has no draws"
        remedy = "take another curve, or leave [estimates.scenarios] out"
        raise InputError([Fault("efforts", message, remedy, column="effort", code="no-draws")])
    return kept[:count]


def _trial_figures(
    frames: Frames, lever: LeverRules, count: int, seed: Seed
) -> dict[tuple[str, str, str], Numbers]:
    """Effects of arms: normal, those of one segment correlated because they stand against the same arm (the control, or
    that of the base).

    cov(i, j) = sqrt(c_i c_j) se_i se_j,    c_i that arm's part of the variance of arm i's effect
    """
    trials = frames["trials"]
    programme = lever.programme or str(trials["programme"].iloc[0])
    trials = trials[trials["programme"] == programme]
    against = arm_of_base(frames["options"][frames["options"]["lever"] == lever.lever], trials, lever)
    planned = _trial_rows(frames, lever)
    found: dict[tuple[str, str, str], Numbers] = {}
    for place, segment in enumerate(sorted(set(trials["segment"]))):
        group = trials[trials["segment"] == segment]
        spread = {arm: float(own["outcome"].var() / len(own)) for arm, own in group.groupby("arm")}
        arms = [arm for arm in sorted(spread) if arm != against and np.isfinite(spread[arm])]
        own_rows = [row for row in planned if (row["trial_segment"] == segment) and row["arm"] in arms]
        if not own_rows:
            continue
        error = {row["arm"]: row["se"] for row in own_rows}
        used = sorted(error)
        part = np.array([spread[against] / max(spread[against] + spread[arm], 1e-300) for arm in used])
        se = np.array([error[arm] for arm in used])
        covariance = np.sqrt(np.outer(part, part)) * np.outer(se, se)
        np.fill_diagonal(covariance, se**2)
        shock = normal_draws(np.zeros(len(used)), covariance, count, (*seed, place))
        for row in own_rows:
            measure = RETENTION if lever.measure == RETENTION else lever.measure
            found[row["segment"], row["option"], measure] = (
                row["estimate"] + row["sign"] * shock[:, used.index(row["arm"])]
            )
    return found


def _trial_rows(frames: Frames, lever: LeverRules) -> list[dict[str, Any]]:
    """The rows that `trial_effects` made: option, arm, segment of the plan and of the trial, estimate and error."""
    moves = lever.measure == RETENTION
    frame = frames["migration_effects" if moves else "effects"]
    column, error, origin = (
        ("rate", "se", "from") if moves else (lever.measure, f"{lever.measure}_se", "segment")
    )
    own = frame[frame["lever"] == lever.lever]
    own = own[own["to"] == own["from"]] if moves else own
    known = set(frames["trials"]["segment"])
    return [
        {
            "segment": str(row[origin]),
            "option": str(row["option"]),
            "arm": str(lever.options.get(row["option"], row["option"])),
            "trial_segment": row[origin] if row[origin] in known else "",
            "estimate": float(row[column]),
            "se": float(row[error]),
            "sign": 1.0 if moves or lever.value >= 0 else -1.0,
        }
        for row in own.to_dict("records")
        if float(row[error]) > 0
    ]
