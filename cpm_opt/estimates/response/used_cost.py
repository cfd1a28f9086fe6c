"""What the resources cost that a price lever's options use: a cost that a plan takes off beside the margin.

In: frames of planning tables. Out: money per customer and period, by segment and option.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

Used = Mapping[tuple[str, str], tuple[float, float]]


def used_cost(frames: Mapping[str, pd.DataFrame], lever: str) -> Used:
    """By segment and option: use times `unit_cost` under the option, and under the lever's base.

    Only of resources of which the option uses another amount than the base: what is used whatever the price does not
    vary with volume. `unit_cost` is that of all periods, else of the first row. Who uses nothing is not in it.
    """
    tables = [frames.get(name) for name in ("usage", "resources", "options", "segments")]
    if any(table is None for table in tables):
        return {}
    usage, resources, options, segments = (table for table in tables if table is not None)
    rows = resources.sort_values("period", kind="stable").drop_duplicates("resource")
    price = dict(zip(rows["resource"], rows["unit_cost"].astype(float), strict=True))
    own = options[options["lever"] == lever]
    base = next(iter(own.loc[own["base"], "option"].astype(str)), "")
    amounts: dict[tuple[str, str, str], float] = {}
    for row in usage[usage["lever"] == lever].to_dict("records"):
        for segment in [row["segment"]] if row["segment"] else segments["segment"]:
            at = (str(segment), str(row["option"]), str(row["resource"]))
            amounts[at] = amounts.get(at, 0.0) + float(row["amount"])
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for segment in {at[0] for at in amounts}:
        for option in own["option"]:
            cost = cost_of_base = 0.0
            for resource, each in price.items():
                then = amounts.get((segment, option, resource), 0.0)
                now = amounts.get((segment, base, resource), 0.0)
                if then != now:
                    cost, cost_of_base = cost + each * then, cost_of_base + each * now
            found[segment, str(option)] = (cost, cost_of_base)
    return found
