"""What base service costs a customer of a segment, from the stated tables.

In: the stated frames and the segments with their kinds. Out: money per customer and period. End values are net of
it; the margins are not, because the plan pays for the resources itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd


def base_service_cost(
    frames: Mapping[str, pd.DataFrame], segments: Sequence[str], kinds: Sequence[str]
) -> list[float]:
    """Cost per customer and period of each segment: sum over resources of unit_cost x (base need + use by the base
    options).

    Rows of `usage` with a blank segment count for the segments of kind active. A resource's unit_cost is that of
    its row without period, else of its latest period. Options other than the base are decisions, and no base cost.
    """
    usage = frames.get("usage")
    resources = frames.get("resources")
    if usage is None or resources is None:
        return [0.0] * len(segments)
    # Sorted, because a sum of floats depends on its order, and the order of rows must never matter.
    rows = usage[_is_base(usage, frames.get("options"))].sort_values(
        ["segment", "resource", "lever", "option"]
    )
    # The blank period reads as 0; it goes last, so that it is the one that stays.
    period = resources["period"].astype("float64")
    priced = resources.assign(order=period.where(period > 0, float("inf")))
    unit_cost = priced.sort_values("order").groupby("resource")["unit_cost"].last()
    cost = rows["amount"] * rows["resource"].map(unit_cost).fillna(0.0)
    by_segment = cost.groupby(rows["segment"]).sum()
    everyone = float(by_segment.get("", 0.0))
    return [
        float(by_segment.get(segment, 0.0)) + (everyone if kind == "active" else 0.0)
        for segment, kind in zip(segments, kinds, strict=True)
    ]


def _is_base(usage: pd.DataFrame, options: pd.DataFrame | None) -> pd.Series[bool]:
    """Which rows of `usage` are base need or belong to a base option."""
    need = (usage["lever"] == "") & (usage["option"] == "")
    if options is None:
        return need
    base = options[options["base"]]
    chosen = pd.MultiIndex.from_frame(usage[["lever", "option"]]).isin(
        pd.MultiIndex.from_frame(base[["lever", "option"]])
    )
    return need | chosen
