"""What the plan holds to be the standard of a period: figures per customer, moves, and what a customer is worth.

    margin[s] = m[s] + sum_o share[s,o] dm[s,o]                     revenue and measures likewise
    use[r,s]  = u0[s,r] + sum_o share[s,o] u[s,o,r]
    moves     Q[s,s'] = P[s,s'] + sum_o share[s,o] dP[s,s',o]       the rest leaves
    worth     V[s,T+1] = w_end end_value[s]
              V[s,t] = w_profit contribution[s,t] + sum_s' Q[s,s',t] V[s',t+1] / (1 + i)

`V[s,t]` is what a customer of s at the start of period t brings from then on under the plan, in money of that period:
margin less use at unit_cost and the plan's cost of changing, before fixed costs and the price of scarce capacity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpm_opt.formulation.audit import newly_chosen
from cpm_opt.portfolio.portfolio import Flags, Numbers, Portfolio
from cpm_opt.study.monitor.plan import PlannedRun
from cpm_opt.study.monitor.settled import PRESENT, planned_shares

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, eq=False)
class Standard:
    """Period t of the plan per customer: `share[S, O]`, `flows[measure] = [S]`, `use[R, S]`, `unit_cost[R]`, `change[S,
    L]` (cost of changing by lever), `moves[S, S + 1]` with those who leave last. `contribution[S]`: margin less use at
    unit_cost and cost of changing."""

    share: Numbers
    flows: Mapping[str, Numbers]
    use: Numbers
    unit_cost: Numbers
    change: Numbers
    moves: Numbers

    @property
    def contribution(self) -> Numbers:
        """`[S]`, money per customer."""
        cost = self.unit_cost @ self.use + self.change.sum(axis=1)
        each: Numbers = self.flows["margin"] - cost
        return each


def standard(plan: PlannedRun, t: int, portfolio: Portfolio | None = None) -> Standard:
    """The standard of period t (0-based); `portfolio` is that of another scenario, if not the plan's own."""
    p = portfolio or plan.portfolio
    share = planned_shares(plan, t)
    on = plan.decisions.customers_on[:, :, t]
    before = p.current if t == 0 else plan.decisions.customers_on[:, :, t - 1]
    starts = plan.recount.customers[:, t]
    cost = change_costs(plan, t, before, on)
    change = np.where(starts[:, None] > PRESENT, cost / np.maximum(starts, PRESENT)[:, None], 0.0)
    fresh = newly_chosen(plan.portfolio, plan.decisions)[:, :, t]
    return Standard(
        share=share,
        flows={name: flow_of(p, name, t, np.ones(len(share)), share) for name in p.flows},
        use=use_of(p, t, np.ones(len(share)), share),
        unit_cost=unit_costs(plan, t),
        change=change,
        moves=moves_of(p, t, share, fresh),
    )


def flow_of(p: Portfolio, measure: str, t: int, customers: Numbers, on: Numbers) -> Numbers:
    """`[S]`: a measure of segments with these customers on these options."""
    flow = p.flows[measure]
    total: Numbers = flow.per_customer[:, t] * customers + (flow.per_option[:, :, t] * on).sum(axis=1)
    return total


def use_of(p: Portfolio, t: int, customers: Numbers, on: Numbers) -> Numbers:
    """`[R, S]`: use of resources by segments with these customers on these options."""
    u = p.usage
    use = np.zeros((len(p.resources.names), len(p.segments)))
    who = np.where(u.option < 0, customers[u.segment], on[u.segment, u.option] if on.shape[1] else 0.0)
    np.add.at(use, (u.resource, u.segment), u.amount[:, t] * who)
    return use


def unit_costs(plan: PlannedRun, t: int) -> Numbers:
    """`[R]`: what a unit of use costs; 0 where the model has no capacity component."""
    cost = plan.portfolio.resources.unit_cost[:, t]
    return cost if plan.has("capacity") else np.zeros_like(cost)


def change_costs(plan: PlannedRun, t: int, before: Numbers, on: Numbers) -> Numbers:
    """`[S, L]`: cost of customers newly on options; 0 where the model has no switching component."""
    p = plan.portfolio
    cost = np.zeros((len(p.segments), len(p.levers)))
    if not plan.has("switching"):
        return cost
    newly = np.maximum(0.0, on - before) * p.change_cost[None, :, t]
    np.add.at(cost.T, p.lever_of, newly.T)
    return cost


def moves_of(p: Portfolio, t: int, share: Numbers, fresh: Flags) -> Numbers:
    """`[S, S + 1]`: the part of each segment's customers who are in each segment a period later; the rest leaves."""
    size = len(p.segments)
    moves = np.zeros((size, size + 1))
    np.add.at(moves, (p.migration.source, p.migration.target), p.migration.rate[:, t])
    e = p.migration_effects
    if len(e.option):
        acts = np.where(e.on_change, fresh[e.source, e.option], True)
        np.add.at(moves, (e.source, e.target), e.rate[:, t] * share[e.source, e.option] * acts)
    moves[:, -1] = 1.0 - moves[:, :-1].sum(axis=1)
    # What rounding leaves of rates that add up to 1 is nobody.
    moves[np.abs(moves) < PRESENT] = 0.0
    return moves


def move_errors(plan: PlannedRun, share: Numbers) -> Numbers:
    """`[S, S]`: standard error of the rates of `moves_of` by the tables' `se`, base and effects taken as independent;
    0 where none is stated."""
    p = plan.portfolio
    place = {name: s for s, name in enumerate(p.segments)}
    option = {(p.levers[lever].name, p.options[o]): o for o, lever in enumerate(p.lever_of.tolist())}
    square = np.zeros((len(p.segments), len(p.segments)))
    for row in _rows(plan.frames.get("migration")):
        square[place[row["from"]], place[row["to"]]] += row["se"] ** 2
    for row in _rows(plan.frames.get("migration_effects")):
        origin, target = place[row["from"]], place[row["to"]]
        square[origin, target] += (share[origin, option[row["lever"], row["option"]]] * row["se"]) ** 2
    root: Numbers = np.sqrt(square)
    return root


def _rows(frame: DataFrame | None) -> list[dict[Any, Any]]:
    """Rows with a stated standard error."""
    if frame is None or "se" not in frame:
        return []
    return frame[frame["se"] > 0.0].to_dict("records")


def worth(plan: PlannedRun, standards: list[Standard]) -> Numbers:
    """`[S, T + 1]`: V of the module's text; `standards` are those of every period."""
    p, weights = plan.portfolio, plan.spec.objective
    value = np.zeros((len(p.segments), p.periods + 1))
    value[:, -1] = weights.end_value * p.end_value
    rate = 1.0 + plan.spec.horizon.discount_rate
    for t in reversed(range(p.periods)):
        later = standards[t].moves[:, :-1] @ value[:, t + 1] / rate
        value[:, t] = weights.profit * standards[t].contribution + later
    return value
