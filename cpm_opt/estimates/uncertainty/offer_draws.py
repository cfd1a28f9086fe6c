"""Draws of segments and effects that come from raw offers: every draw is evaluated on the curves.

In: `OfferFit`, `TariffPlan`. Out: `Draws`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.offer_tables import TariffPlan, changes, flows
from cpm_opt.estimates.response.offers import OfferFit
from cpm_opt.estimates.uncertainty.draws import NOTHING, Draws, key, normal_draws

Numbers = NDArray[np.float64]


def offer_draws(
    fit: OfferFit,
    plan: TariffPlan,
    options: Sequence[str],
    measures: Sequence[str],
    count: int,
    seed: tuple[int, ...],
    with_segments: bool,
) -> Draws:
    """Joint draws of all curves' parameters. `options` are those of `plan.prices[1:]`.

    Targets `segments.MEASURE` (`with_segments`) and `effects.MEASURE` by segment and offered option, for each of
    `measures`: a draw's figure over the estimate's, so a scenario has exactly those of its draw. Money: the margins
    of all offered options, times the segment's customers.
    """
    drawn = normal_draws(fit.values, fit.covariance, count, seed)
    flow, change = flows(fit, plan), changes(fit, plan)
    flow_then, change_then = flows(fit, plan, drawn), changes(fit, plan, drawn)
    offered = plan.offered(fit)
    keys: list[Mapping[str, str]] = []
    found: list[Numbers] = []
    money: list[Numbers] = []
    lost: list[str] = []

    def add(row: Mapping[str, str], then: Numbers, now: float) -> None:
        if abs(now) > NOTHING:
            keys.append(row)
            found.append(then / now)
        elif then.std() > NOTHING:
            lost.append(" ".join(word for word in row.values() if word))

    for s, name in enumerate(fit.segments):
        customers = plan.customers[name]
        if with_segments:
            money.append(customers * flow_then["margin"][:, s, 0])
            for measure in measures:
                add(key(f"segments.{measure}", name), flow_then[measure][:, s, 0], flow[measure][s, 0])
        for p, option in enumerate(options, start=1):
            if not offered[s, p] or plan.prices[p] == plan.base:
                continue
            money.append(customers * change_then["margin"][:, s, p])
            for measure in measures:
                row = key(f"effects.{measure}", name, plan.lever, option)
                add(row, change_then[measure][:, s, p], change[measure][s, p])
    return Draws(tuple(keys), np.column_stack(found), np.column_stack(money), tuple(lost))
