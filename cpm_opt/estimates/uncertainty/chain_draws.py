"""Draws of margins and end values of segments that come from a ledger.

In: `Chain`, table segments, `[estimates.value]`. Out: `Draws`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.segments.chain import Chain
from cpm_opt.estimates.settings import ValueRules
from cpm_opt.estimates.uncertainty.draws import NOTHING, Draws, key
from cpm_opt.estimates.value.markov import chain_value

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]


def chain_draws(
    chain: Chain, segments: pd.DataFrame, rules: ValueRules | None, count: int, seed: tuple[int, ...]
) -> Draws | None:
    """Margins normal with their standard errors, rows of rates Dirichlet with the moves that were counted, all
    independent; end values follow from both along the chain. None where no standard error is known.

    Targets `segments.margin` and `segments.end_value`. The rates themselves are not moved: table scenarios has no key
    for where a move leads, and all of a ledger's rates of a segment add to 1. Money: customers times each of both.
    """
    own = segments.set_index("segment").reindex([state.name for state in chain.states])
    margin, customers = own["margin"].to_numpy(dtype=np.float64), own["customers"].to_numpy(dtype=np.float64)
    error = np.nan_to_num(chain.margin_se)
    if not (error > 0).any() or np.isnan(margin).any():
        return None
    rng = np.random.default_rng(seed)
    margins = margin + error * rng.standard_normal((count, len(margin)))
    ends = _end_values(chain, own["end_value"].to_numpy(dtype=np.float64), margin, margins, rules, rng)
    keys: list[Mapping[str, str]] = []
    found: list[Numbers] = []
    money: list[Numbers] = []
    for target, now, then in (
        ("segments.margin", margin, margins),
        *(() if ends is None else (("segments.end_value", *ends),)),
    ):
        for s, state in enumerate(chain.states):
            if abs(now[s]) > NOTHING and then[:, s].std() > 0:
                keys.append(key(target, state.name))
                found.append(then[:, s] / now[s])
                money.append(customers[s] * then[:, s])
    return Draws(tuple(keys), np.column_stack(found), np.column_stack(money)) if keys else None


def _end_values(
    chain: Chain,
    ends: Numbers,
    margin: Numbers,
    margins: Numbers,
    rules: ValueRules | None,
    rng: np.random.Generator,
) -> tuple[Numbers, Numbers] | None:
    """End values `[S]` as they are and `[N, S]` by draw; None where they are not those of the chain."""
    if rules is None or not (chain.observed > 0).all() or not np.abs(ends).any():
        return None
    reach = _reach(chain.rates, rules)
    flow = np.linalg.solve(reach, ends)  # the margin net of base service
    drawn = np.empty_like(margins)
    for n, own in enumerate(margins):
        # A row of rates that does not add to 1 loses the rest; nowhere is one more place.
        places = np.column_stack([chain.counts, chain.observed - chain.counts.sum(axis=1)])
        gamma = rng.gamma(np.maximum(places, 0.0))
        rates = (gamma / gamma.sum(axis=1, keepdims=True))[:, :-1]
        drawn[n] = _reach(rates, rules) @ (flow + own - margin)
    return ends, drawn


def _reach(rates: Numbers, rules: ValueRules) -> Numbers:
    """`[S, S]`: the value of each segment by the flow of each."""
    units = np.eye(len(rates))
    return np.column_stack([chain_value(rates, unit, rules.discount_rate, rules.periods) for unit in units])
