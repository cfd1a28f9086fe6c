"""Draws of migration and of what options do to it, from the model of moves.

In: `MoveEffects`, table segments. Out: `Draws`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.moves.move_effects import MoveEffects
from cpm_opt.estimates.uncertainty.draws import NOTHING, Draws, factors, key, normal_draws

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]


def move_draws(
    effects: MoveEffects, segments: pd.DataFrame, count: int, seed: tuple[int, ...], with_base: bool
) -> Draws:
    """Joint draws of all parameters, each evaluated on the curve.

    Target `migration.rate` (`with_base`) by segment of origin: a draw's part of customers who stay over the estimated
    one. Target `migration_effects.rate` by segment of origin, lever and option: least squares over where moves lead
    (out is one of the places), and over in_force and on_change together. Money: customers times the change of each
    rate times what a customer is worth where it leads (end_value; margin where no segment has one).
    """
    drawn = normal_draws(effects.curve.values, effects.curve.covariance, count, seed)
    base, changes = effects.draw(drawn)
    names = effects.curve.segments
    worth, customers = _worth(segments, names)
    keys: list[Mapping[str, str]] = []
    found: list[Numbers] = []
    money: list[Numbers] = []
    lost: list[str] = []
    missed = 0.0
    for s, name in enumerate(names):
        staying = effects.base[s, :-1].sum()
        if with_base and staying > NOTHING:
            keys.append(key("migration.rate", segment=name))
            found.append(base[:, s, :-1].sum(axis=1) / staying)
            money.append(customers[s] * base[:, s, :-1] @ worth)
        for lever, option in dict.fromkeys((o.lever, o.option) for o, _ in effects.entries):
            mine = [e for e, (o, _) in enumerate(effects.entries) if (o.lever, o.option) == (lever, option)]
            if not effects.told[mine, s].any():
                continue
            # Out is one of the places: what becomes of leaving counts as much as each of the moves.
            now = effects.changes[mine, s].ravel()
            then = changes[:, mine, s].reshape(count, -1)
            now = np.where(np.abs(now) < NOTHING, 0.0, now)
            if not now.any():
                lost.append(f"{name}, {lever} {option}: moves")
                continue
            factor, miss = factors(then, now)
            missed = max(missed, miss)
            keys.append(key("migration_effects.rate", name, lever, option))
            found.append(factor)
            money += [customers[s] * changes[:, e, s, :-1] @ worth for e in mine]
    return Draws(tuple(keys), np.column_stack(found), np.column_stack(money), tuple(lost), missed)


def _worth(segments: pd.DataFrame, names: tuple[str, ...]) -> tuple[Numbers, Numbers]:
    """What a customer of each segment is worth, and how many there are."""
    own = segments.set_index("segment").loc[list(names)]
    ends = own["end_value"].to_numpy(dtype=np.float64)
    worth = ends if np.abs(ends).sum() > 0 else own["margin"].to_numpy(dtype=np.float64)
    return worth, own["customers"].to_numpy(dtype=np.float64)
