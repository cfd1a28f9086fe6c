"""Doubts about figures that look like percents where a fraction belongs, or a factor near 1.

In: frames of planning tables. Out: `Lint`s, each with the first row that is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.lint.doubts import LINE
from cpm_opt.estimates.lint.words import NEAR, PERCENT, steps_of
from cpm_opt.estimates.value.model_estimate import Lint

if TYPE_CHECKING:
    import pandas as pd

    from cpm_opt.tables import InstanceInfo

CODE = "percent-not-fraction"
FRACTIONS = frozenset({"fraction", "share", "rate", "probability"})
SPREAD = (
    25.0  # so many times all others, in a column that is below 1 but for it: no fraction of the same kind
)
LARGE = 50.0  # a factor beyond this is likely in percent
FEWEST = 4  # cells by which one can be told from the others


def percents(frames: Mapping[str, pd.DataFrame], info: InstanceInfo | None) -> list[Lint]:
    """Price steps, rules of prices, factors, errors of rates, and measures in fractions."""
    return [
        *_price_steps(frames),
        *_rules(frames.get("price_rules")),
        *_factors("factors", frames.get("factors")),
        *_factors("scenarios", frames.get("scenarios")),
        *_errors_of_rates(frames),
        *_measures(frames, info),
    ]


def _price_steps(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """Levers all of whose price steps are of more than 100 %."""
    steps: dict[str, list[float]] = {}
    for (lever, _), step in steps_of(frames).items():
        steps.setdefault(lever, []).append(abs(step))
    return [
        Lint(CODE, "options", "price_change", f"lever {lever}: every price step is of more than 100 %; are they in "
             "percent?")
        for lever, sizes in steps.items()
        if min(sizes) > 1.0 + NEAR
    ]  # fmt: skip


def _rules(rules: pd.DataFrame | None) -> list[Lint]:
    """Steps of more than the whole price, which forbid nothing, and ratios of two prices beyond 10."""
    told = []
    for row in [] if rules is None else rules.to_dict("records"):
        value = float(row["value"])
        who = f"rule {row['rule']} of lever {row['lever']}"
        if row["kind"] in ("step", "total_step") and value > 1.0 + NEAR:
            text = f"{who} allows steps of {value:.4g} times the base price, which forbids hardly anything"
            told.append(_cell("price_rules", "value", row, text))
        if row["kind"] == "order" and value > PERCENT:
            text = (
                f"{who} allows a price of {value:.4g} times the other group's, which forbids hardly anything"
            )
            told.append(_cell("price_rules", "value", row, text))
    return told


def _factors(table: str, frame: pd.DataFrame | None) -> list[Lint]:
    """By target the largest factor beyond 50: seasons and trends lie about 1.

    Factors on effects are left out, because an effect that is near 0 may be many times as large in a draw.
    """
    if frame is None or not len(frame):
        return []
    told = []
    for target, own in frame.groupby("target", sort=False):
        large = own[own["factor"].abs() > LARGE]
        if len(large) and "effects." not in str(target):
            row = large.iloc[int(np.argmax(large["factor"].abs().to_numpy()))]
            others = f", and {len(large) - 1} more rows by as much" if len(large) > 1 else ""
            text = f"multiplies {target} by {float(row['factor']):.4g}{others}: 1.05 is 5 percent more"
            told.append(_cell(table, "factor", row, text))
    return told


def _errors_of_rates(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """Errors of rates that are larger than those of a single customer's move."""
    told = []
    moves, effects = frames.get("migration"), frames.get("migration_effects")
    for row in [] if moves is None else moves.to_dict("records"):
        rate, error = min(max(float(row["rate"]), 0.0), 1.0), float(row["se"])
        single = (rate * (1.0 - rate)) ** 0.5
        if error > 0.5 or (0.0 < rate < 1.0 and error > single):
            text = (
                f"{row['from']} to {row['to']}: the error of rate {rate:.4g} is that of less than one customer, "
                f"whose move alone would tell it to {single:.2g}"
            )
            told.append(_cell("migration", "se", row, text))
    for row in [] if effects is None else effects.to_dict("records"):
        if float(row["se"]) > 1.0:
            who = f"{row['from']} to {row['to']}, {row['lever']} {row['option']}"
            text = f"{who}: no change of a rate is so unsure, because none is beyond 1"
            told.append(_cell("migration_effects", "se", row, text))
    return told


def _measures(frames: Mapping[str, pd.DataFrame], info: InstanceInfo | None) -> list[Lint]:
    """Measures in fractions with figures above 1, and one segment's above 1 where all others are far below it."""
    told = []
    for name, measure in {} if info is None else info.measures.items():
        fraction = bool(FRACTIONS & set(measure.unit.lower().replace(",", " ").split()))
        for table in ("segments", "effects"):
            frame = frames.get(table)
            if frame is None or name not in frame or not len(frame):
                continue
            sizes = np.nan_to_num(frame[name].abs().to_numpy(dtype=np.float64))
            row = frame.iloc[int(np.argmax(sizes))]
            if fraction and sizes.max() > 1.0 + NEAR:
                who = f"segment {row['segment']}: measure {name} is in {measure.unit}"
                text = f"{who}, and {sizes.max():.4g} is above 1"
                told.append(_cell(table, name, row, text))
            elif table == "segments" and _one_beyond(sizes[sizes > 0.0]):
                others = float(np.sort(sizes)[-2])
                text = (
                    f"segment {row['segment']}: measure {name} is {sizes.max():.4g}, and {others:.4g} at most in all "
                    "other segments"
                )
                told.append(_cell(table, name, row, text))
    return told


def _one_beyond(sizes: NDArray[np.float64]) -> bool:
    """Whether the largest alone is above 1, and far above all others, which are like each other."""
    if len(sizes) < FEWEST:
        return False
    least, *_, next_one, largest = sorted(float(size) for size in sizes)
    return largest > max(1.0 + NEAR, SPREAD * next_one) and next_one < min(1.0, SPREAD * least)


def _cell(table: str, column: str, row: Mapping[Any, Any] | pd.Series[Any], text: str) -> Lint:
    return Lint(CODE, table, column, text, int(row[LINE]), f"{float(row[column]):.6g}")
