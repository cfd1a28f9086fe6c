"""What to estimate again: the rows of tables behind forecasts that failed, by the money that hangs on them.

The money at stake is what the rest of the plan is worth more or less if the error stays as it was, in money of the
period, n planned customers, d = 1 / (1 + i), V the worth of a customer (monitor_standards), later periods t' > t:

    move from a to b    |e| sum_t' d^(t'-t+1) n[a,t'] |V[b,t'+1] - V'[a,t'+1]|     e: error of the rate, V': mean worth
                                                                          of the others of a, wherever they go
    arrivals in s       |e| sum_t' d^(t'-t+1) V[s,t'+1]                    e: customers a period; of customers likewise
    margin of s         |e| sum_t' d^(t'-t) n[s,t']                        e: per customer
    use of r            |e| sum_t' d^(t'-t) n[t'] (unit_cost + price)      e: per active customer, price: shadow price
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cpm_opt.faults import shown
from cpm_opt.portfolio.portfolio import Numbers
from cpm_opt.study.monitor.forecast import ARRIVALS, CUSTOMERS, LEFT, MARGIN, MOVE, Forecast
from cpm_opt.study.monitor.plan import PlannedRun
from cpm_opt.study.monitor.settled import PRESENT, SettledPeriod
from cpm_opt.study.monitor.standards import Standard
from cpm_opt.study.monitor.value import actual_shares

MATERIAL = 0.05
MOST_ROWS = 3


@dataclass(frozen=True)
class Doubt:
    """An estimate that the actuals speak against: the forecast that failed, `rows` of tables it rests on (the likeliest
    first), and `stake`, the money that hangs on it. `tested`: whether chance was ruled out; else the figure is only off
    by more than is material."""

    forecast: Forecast
    rows: tuple[str, ...]
    stake: float
    tested: bool


def doubts(
    plan: PlannedRun,
    periods: Sequence[SettledPeriod],
    found: Sequence[Forecast],
    standards: Sequence[Standard],
    worth: Numbers,
    material: float = MATERIAL,
) -> tuple[Doubt, ...]:
    """The estimates to look at again, the dearest first. `material` is the relative error from which a figure counts of
    which the tables do not say how far it may spread."""
    last = periods[-1]
    count = {each.kind: len(periods) for each in found}
    count[CUSTOMERS] = 1
    rows = []
    for each in found:
        off = each.relative_error
        loose = each.p_value is None and each.kind != CUSTOMERS and (off is None or abs(off) > material)
        if each.flagged or (loose and abs(each.error) > PRESENT):
            stake = _stake(plan, last, each, standards, worth, count[each.kind])
            rows.append(Doubt(each, _rows(plan, last, each), stake, each.flagged))
    return tuple(
        sorted(rows, key=lambda row: (-row.stake, row.forecast.kind, row.forecast.subject, row.forecast.to))
    )


def _stake(
    plan: PlannedRun,
    last: SettledPeriod,
    row: Forecast,
    standards: Sequence[Standard],
    worth: Numbers,
    periods: int,
) -> float:
    p, t = plan.portfolio, last.t
    later = np.arange(t + 1, p.periods)
    if not later.size:
        return 0.0
    discount = (1.0 + plan.spec.horizon.discount_rate) ** -(later - t).astype(np.float64)
    next_worth = discount / (1.0 + plan.spec.horizon.discount_rate)
    each = row.error / row.base if row.base > PRESENT else 0.0
    starts = plan.recount.customers[:, later]
    if row.kind == MOVE:
        s = p.segments.index(row.subject)
        return abs(each) * sum(
            float(next_worth[k])
            * float(starts[s, k])
            * abs(_gain(p.segments, s, row.to, standards[u], worth[:, u + 1]))
            for k, u in enumerate(later.tolist())
        )
    if row.kind in (ARRIVALS, CUSTOMERS):
        value = worth[p.segments.index(row.subject), later + 1]
        return abs(row.error) / periods * abs(float(next_worth @ value))
    if row.kind == MARGIN:
        return abs(each) * float(discount @ starts[p.segments.index(row.subject)])
    i = p.resources.names.index(row.subject)
    price = _prices(plan, i)[later] * (1.0 + plan.spec.horizon.discount_rate) ** t
    cost = p.resources.unit_cost[i, later] * discount if plan.has("capacity") else np.zeros(len(later))
    return abs(each) * float(starts[p.active].sum(axis=0) @ (cost + price))


def _gain(segments: Sequence[str], s: int, to: str, standard: Standard, worth: Numbers) -> float:
    """What one more customer of s is worth who moves so instead of as the others do."""
    value = np.append(worth, 0.0)
    target = len(segments) if to == LEFT else segments.index(to)
    rates = standard.moves[s]
    others = 1.0 - rates[target]
    mean = float(rates @ value - rates[target] * value[target]) / others if others > PRESENT else 0.0
    return float(value[target]) - mean


def _prices(plan: PlannedRun, resource: int) -> Numbers:
    """`[T]`: shadow prices of the resource's capacity in the run, 0 where it has none."""
    p = plan.portfolio
    found = np.zeros(p.periods)
    for row in plan.record.table("resources"):
        if row["resource"] == p.resources.names[resource] and row["shadow_price"]:
            found[int(row["period"]) - 1] = float(row["shadow_price"])
    return found


def _rows(plan: PlannedRun, last: SettledPeriod, row: Forecast) -> tuple[str, ...]:
    """The rows of planning tables that a forecast rests on."""
    p = plan.portfolio
    if row.kind == MARGIN:
        s = p.segments.index(row.subject)
        weight = p.margin_se[s] * last.on[s]
        effects = [
            f"effects.margin of {shown(row.subject)} on {_option(plan, o)}"
            for o in sorted(range(len(p.options)), key=lambda o: (-weight[o], o))
            if last.on[s, o] > PRESENT and p.flows["margin"].per_option[s, o, last.t] != 0.0
        ]
        base = f"segments.margin of {shown(row.subject)}"
        return tuple([*effects, base][:MOST_ROWS] if weight.any() else [base, *effects][:MOST_ROWS])
    if row.kind == ARRIVALS:
        return (f"arrivals.customers of {shown(row.subject)}",)
    if row.kind == CUSTOMERS:
        return (f"migration.rate to {shown(row.subject)}", f"arrivals.customers of {shown(row.subject)}")
    if row.kind != MOVE:
        return (f"usage.amount of {shown(row.subject)}",)
    s = p.segments.index(row.subject)
    where = "out of the firm" if row.to == LEFT else f"to {shown(row.to)}"
    rows = [f"migration.rate from {shown(row.subject)} {where}"]
    share, e = actual_shares(last)[s], p.migration_effects
    for k in np.flatnonzero(e.source == s).tolist():
        o = int(e.option[k])
        acts = last.fresh[s, o] if e.on_change[k] else True
        if share[o] > PRESENT and acts and row.to in (LEFT, p.segments[int(e.target[k])]):
            rows.append(f"migration_effects.rate from {shown(row.subject)} on {_option(plan, o)}")
    return tuple(dict.fromkeys(rows))[:MOST_ROWS]


def _option(plan: PlannedRun, option: int) -> str:
    p = plan.portfolio
    return f"{p.levers[p.lever_of[option]].name}={p.options[option]}"
