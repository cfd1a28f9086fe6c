"""Variance of the customers' worth at the end of a period: those who were planned against those who are there.

With v[s] the worth of a customer of s under the rest of the plan, in money of the period (monitor_standards: V[s,t+1]
discounted by one period), Q the planned moves, Q' the planned moves of those who were there on what they were on:

    start       sum_s (a[s] - n[s]) Q[s,.] v              more or fewer customers at the start
    choices     sum_s a[s] (Q'[s,.] - Q[s,.]) v            other options than planned move customers otherwise
    arrivals    (arrived - planned) v
    migration   (end - sum_s a[s] Q'[s,.] - arrived) v     moves at other rates than planned
"""

from __future__ import annotations

import numpy as np

from cpm_opt.portfolio.portfolio import Numbers
from cpm_opt.study.monitor.money import Bridge, bridge
from cpm_opt.study.monitor.plan import PlannedRun
from cpm_opt.study.monitor.settled import PRESENT, SettledPeriod
from cpm_opt.study.monitor.standards import Standard, moves_of

START, CHOICES, ARRIVALS, MIGRATION = "start", "choices", "arrivals", "migration"


def actual_shares(settled: SettledPeriod) -> Numbers:
    """`[S, O]`: shares of the customers who were there on options; as planned where there were none."""
    some = settled.start > PRESENT
    each = settled.on / np.where(some, settled.start, 1.0)[:, None]
    return np.where(some[:, None], each, settled.share)


def expected_moves(plan: PlannedRun, settled: SettledPeriod) -> Numbers:
    """`[S, S + 1]`: the moves that the plan's rates give for the options that customers were on."""
    return moves_of(plan.portfolio, settled.t, actual_shares(settled), settled.fresh)


def value_bridge(
    plan: PlannedRun, settled: SettledPeriod, standard: Standard, worth: Numbers
) -> tuple[Bridge, tuple[str, ...]] | None:
    """The bridge by the segment where customers are at the end, and what was assumed; None where no end was delivered.

    `worth[S, T + 1]` is V of monitor_standards.
    """
    if np.isnan(settled.end).all():
        return None
    p, t = plan.portfolio, settled.t
    each = worth[:, t + 1] / (1.0 + plan.spec.horizon.discount_rate)
    usual, now = standard.moves[:, :-1], expected_moves(plan, settled)[:, :-1]
    told = ~np.isnan(settled.arrivals)
    arrived = np.where(told, settled.arrivals, p.arrivals[:, t])
    foreseen = settled.start @ now + arrived
    end = np.where(np.isnan(settled.end), foreseen, settled.end)
    assumed = []
    if np.isnan(settled.end).any():
        assumed.append(
            f"customers at the end in {int(np.isnan(settled.end).sum())} segments: as the rates give"
        )
    if not told.all() and p.arrivals[:, t].any():
        assumed.append("arrivals: as planned, so `migration` holds what came otherwise")

    def parts(customers: Numbers) -> Numbers:
        return np.append(customers * each, 0.0)

    steps = {
        START: parts((settled.start - settled.planned) @ usual),
        CHOICES: parts(settled.start @ (now - usual)),
        ARRIVALS: parts(arrived - p.arrivals[:, t]) if told.any() else None,
        MIGRATION: parts(end - foreseen),
    }
    first = parts(settled.planned @ usual + p.arrivals[:, t])
    return bridge(first, steps, parts(end), p.money_unit), tuple(assumed)
