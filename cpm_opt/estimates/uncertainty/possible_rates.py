"""Which draws leave every rate of migration between 0 and 1, whatever options are chosen.

In: tables migration and migration_effects, draws of factors on them. Out: a flag for each draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.moves.move_effects import IN_FORCE
from cpm_opt.estimates.uncertainty.draws import Draws

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]

TOLERANCE = 1e-9


def possible(
    migration: pd.DataFrame | None, effects: pd.DataFrame | None, draws: Draws, factors: Numbers
) -> NDArray[np.bool_]:
    """`[N]`: whether under the factors `[N, R]` (of `draws.keys`) no combination of options brings a rate below 0, or
    a rate or the sum of a segment's rates above 1. Without `migration` everybody stays."""
    fine = np.ones(len(factors), dtype=np.bool_)
    if effects is None or not len(effects):
        return fine
    place = {
        (row["target"], row["segment"], row["lever"], row["option"]): r for r, row in enumerate(draws.keys)
    }

    def scaled(rate: float, target: str, segment: str, lever: str = "", option: str = "") -> Numbers:
        r = place.get((target, segment, lever, option))
        return np.full(len(factors), rate) if r is None else rate * factors[:, r]

    base: dict[str, dict[str, Numbers]] = {}
    for row in [] if migration is None else migration.to_dict("records"):
        rate = scaled(float(row["rate"]), "migration.rate", row["from"])
        base.setdefault(row["from"], {})[row["to"]] = rate
    nobody = np.zeros(len(factors))
    for source, own in effects.groupby("from", sort=True):
        name = str(source)
        start = base.get(name, {}) if migration is not None else {name: nobody + 1.0}
        rows = [
            (row, scaled(float(row["rate"]), "migration_effects.rate", name, row["lever"], row["option"]))
            for row in own.to_dict("records")
        ]
        for target in sorted(set(own["to"])):
            mine = [(row, rate) for row, rate in rows if row["to"] == target]
            low, high = _reach(mine, start.get(target, nobody))
            fine &= (low >= -TOLERANCE) & (high <= 1.0 + TOLERANCE)
        fine &= _reach(rows, sum(start.values(), nobody))[1] <= 1.0 + TOLERANCE
    return fine


def _reach(rows: Sequence[tuple[Mapping[Any, Any], Numbers]], start: Numbers) -> tuple[Numbers, Numbers]:
    """Least and greatest sum that options can make, lever by lever, the base of each included."""
    low, high = start.copy(), start.copy()
    nothing = np.zeros(len(start))
    for lever in sorted({str(row["lever"]) for row, _ in rows}):
        states = [nothing]
        for option in sorted({str(row["option"]) for row, _ in rows if row["lever"] == lever}):
            own = [(row, rate) for row, rate in rows if row["lever"] == lever and row["option"] == option]
            states.append(sum((rate for row, rate in own if row["when"] == IN_FORCE), nothing))
            states.append(sum((rate for _, rate in own), nothing))
        low += np.min(states, axis=0)
        high += np.max(states, axis=0)
    return low, high
