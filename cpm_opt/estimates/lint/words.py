"""What doubts have in common: bounds, and words for an estimate whose sign is in doubt or a price beyond the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cpm_opt.estimates.response.price_response import step_from_base
from cpm_opt.estimates.value.model_estimate import Lint

if TYPE_CHECKING:
    import pandas as pd

WEAK = 2.0
TOLERANCE = 1e-9
NEAR = 1e-6
PERCENT = 10.0  # an elasticity, or a price against today's, beyond this is likely of prices in percent


def weak(table: str, column: str, what: str, value: Any, error: Any, row: int | None = None) -> Lint:
    """An estimate whose sign is in doubt."""
    text = f"{what} {float(value):.4g} with standard error {float(error):.4g}: t is below 2, its sign is in doubt"
    return Lint("weak-estimate", table, column, text, row, None if row is None else f"{float(value):.6g}")


def beyond(
    table: str, column: str, segment: str, values: Iterable[float], low: float, high: float
) -> list[Lint]:
    """Prices (or efforts) that the data say nothing of."""
    outside = [value for value in values if not low - TOLERANCE <= value <= high + TOLERANCE]
    if not outside:
        return []
    listed, ends = _told_apart(outside, (low, high))
    who = f"segment {segment}" if segment else "all segments"
    text = f"{who}: {column} {', '.join(listed)} is outside what the data hold, {' to '.join(ends)}"
    return [Lint("outside-range", table, column, text)]


def _told_apart(values: Iterable[float], ends: tuple[float, float]) -> tuple[list[str], list[str]]:
    """Values and ends with four digits, or as many as it takes to see that they differ."""
    for digits in range(4, 16):
        listed = [f"{value:.{digits}g}" for value in values]
        limits = [f"{end:.{digits}g}" for end in ends]
        if not set(listed) & set(limits):
            break
    return listed, limits


def steps_of(frames: Mapping[str, pd.DataFrame]) -> dict[tuple[str, str], float]:
    """Change of the price against the lever's base, a fraction of it, of the options where it is not 0."""
    options = frames.get("options")
    if options is None:
        return {}
    return {key: step for key, step in all_steps(options).items() if abs(step) > TOLERANCE}


def all_steps(options: pd.DataFrame) -> dict[tuple[str, str], float]:
    """By lever and option, the price over that of the lever's base, less 1; without levers whose base costs nothing."""
    base = {row["lever"]: float(row["price_change"]) for row in options[options["base"]].to_dict("records")}
    found = {
        (str(row["lever"]), str(row["option"])): step_from_base(
            float(row["price_change"]), base.get(row["lever"], 0.0)
        )
        for row in options.to_dict("records")
    }
    return {key: step for key, step in found.items() if step == step}
