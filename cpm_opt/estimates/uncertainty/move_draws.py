"""Draws of migration and of what options do to it, from the model of moves.

In: `MoveEffects`, `Moves` where they were counted, table segments. Out: `Draws`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.moves.move_effects import MoveEffects
from cpm_opt.estimates.moves.moves import Moves
from cpm_opt.estimates.uncertainty.draws import NOTHING, Draws, factors, key, normal_draws

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]


def move_draws(
    effects: MoveEffects,
    segments: pd.DataFrame,
    count: int,
    seed: tuple[int, ...],
    with_base: bool,
    counted: Moves | None = None,
) -> Draws:
    """Joint draws of all parameters, each evaluated on the curve; of rates that were `counted`, from the counts.

    Target `migration.rate` (`with_base`) by segment of origin: a draw's part of customers who stay with the firm over
    the table's. One factor on all rates of a segment moves nothing but that part, so it has that part's error, and
    `uneven` tells what it misses of where stayers go. Target `migration_effects.rate` by segment of origin,
    lever and option: least squares over where moves lead (out is one of the places), and over in_force and on_change
    together. Money: customers times the change of each rate times what a customer is worth where it leads (end_value;
    margin where no segment has one).
    """
    drawn = normal_draws(effects.curve.values, effects.curve.covariance, count, seed)
    base, changes = effects.draw(drawn)
    rates = effects.base
    if counted is not None:
        rates, base = counted.rates, count_draws(counted, base[:, :, -1], (*seed, 1))
    names = effects.curve.segments
    worth, customers = _worth(segments, names)
    keys: list[Mapping[str, str]] = []
    found: list[Numbers] = []
    money: list[Numbers] = []
    lost: list[str] = []
    uneven: list[str] = []
    missed = 0.0
    for s, name in enumerate(names):
        if with_base and rates[s, :-1].sum() > NOTHING:
            factor = base[:, s, :-1].sum(axis=1) / rates[s, :-1].sum()
            keys.append(key("migration.rate", segment=name))
            found.append(factor)
            money.append(customers[s] * base[:, s, :-1] @ worth)
            uneven += _uneven(name, names, factor, base[:, s, :-1], rates[s, :-1])
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
    made = (tuple(keys), np.column_stack(found), np.column_stack(money), tuple(lost), missed, tuple(uneven))
    return Draws(*made)


def count_draws(moves: Moves, leaving: Numbers, seed: tuple[int, ...]) -> Numbers:
    """Draws `[N, S, S + 1]` of counted rates (the last column out), with the errors that table migration has.

    Leaving is moved by as many standard errors as the draw of the same panel's hazard, `leaving[N, S]`, so that both
    move together, and kept within 0 and 1; where stayers go is Dirichlet about the counted shares, of a weight that
    makes the variance of each x (1 - x) / size as `count_moves` has it.
    """
    rng = np.random.default_rng(seed)
    spread = leaving.std(axis=0)
    off = np.divide(leaving - leaving.mean(axis=0), spread, out=np.zeros_like(leaving), where=spread > 0)
    leave = np.clip(moves.rates[:, -1] + off * moves.errors[:, -1], 0.0, 1.0)
    drawn = np.zeros((*leaving.shape, leaving.shape[1] + 1))
    drawn[:, :, -1] = leave
    outward = moves.counts[:, -1].sum() / max(moves.at_risk.sum(), 1.0)
    for s, rates in enumerate(moves.rates[:, :-1]):
        there = rates > 0.0
        shares = rates[there] / max(rates.sum(), NOTHING)
        followed = moves.counts[s, :-1].sum()
        weight = followed + moves.weight * (1.0 - outward) if moves.weight > 0 else followed - 1.0
        places = rng.dirichlet(weight * shares, len(leave)) if weight > 0.0 and len(shares) > 1 else shares
        drawn[:, s, np.flatnonzero(there)] = (1.0 - leave[:, s, None]) * places
    return drawn


def _uneven(name: str, names: tuple[str, ...], factor: Numbers, drawn: Numbers, rates: Numbers) -> list[str]:
    """The spread of a segment's factor beside those of its rates, where one is twice the factor's or half of it."""
    there = np.flatnonzero(rates > NOTHING)
    spreads = drawn[:, there].std(axis=0) / rates[there]
    whole = float(factor.std())
    if not ((spreads > 2.0 * whole) | (spreads < 0.5 * whole)).any():
        return []
    each = ", ".join(
        f"{100 * spread:.2g} % to {names[k]}" for k, spread in zip(there, spreads.tolist(), strict=True)
    )
    return [f"all from {name} by {100 * whole:.2g} %, where by themselves they vary by {each}"]


def _worth(segments: pd.DataFrame, names: tuple[str, ...]) -> tuple[Numbers, Numbers]:
    """What a customer of each segment is worth, and how many there are."""
    own = segments.set_index("segment").loc[list(names)]
    ends = own["end_value"].to_numpy(dtype=np.float64)
    worth = ends if np.abs(ends).sum() > 0 else own["margin"].to_numpy(dtype=np.float64)
    return worth, own["customers"].to_numpy(dtype=np.float64)
