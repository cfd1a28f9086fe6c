"""Capacity of resources, what their use costs, and extra capacity that may be bought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Breach, Facts, RuleRow
from cpm_opt.formulation.core import periods_of
from cpm_opt.formulation.draft import Draft
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Indices, Portfolio


@dataclass(frozen=True)
class Capacity:
    """Use of a resource stays within its capacity and the extra capacity that is bought.

        use[r,t] <= max_utilisation[r,t] (capacity[r,t] + extra[r,t])        for each resource r, period t
        0 <= extra[r,t] <= extra_capacity[r,t]                               none before its lead time has passed
        cost[t] = sum_r unit_cost use + capacity_cost capacity + extra_cost extra

    Use is net: a saving lowers it and is credited at unit_cost. `use`, `capacity` and `extra` are in units of the
    resource and period, costs in the currency. A resource of unlimited capacity has no row.
    """

    name: ClassVar[str] = "capacity"

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """Nothing beyond what the portfolio checks."""
        return ()

    def declare(self, draft: Draft) -> None:
        """Extra capacity, and the three costs."""
        p, r = draft.portfolio, draft.portfolio.resources
        extra = self._extra(draft)
        to_segment = np.broadcast_to(draft.cost_to_serve.cells, draft.use.shape).ravel()
        price = np.broadcast_to(r.unit_cost[:, None, :], draft.use.shape).ravel()
        served = draft.use.total().gathered(to_segment, draft.cost_to_serve.size, price)
        draft.cost_to_serve.post(self.name, "use", served)
        for number, resource in enumerate(r.names):
            mine = np.zeros(draft.use.shape)
            mine[number] = r.unit_cost[number]
            draft.cost("resource cost", resource, draft.use.per_period(mine))
            there = (
                np.where(np.isfinite(r.capacity[number]), r.capacity[number], 0.0) * r.capacity_cost[number]
            )
            draft.cost("capacity cost", resource, Terms.fixed(there))
            bought = Terms.of(p.periods, np.arange(p.periods), extra[number], r.extra_cost[number])
            draft.cost("extra capacity", resource, bought)

    def _extra(self, draft: Draft) -> Indices:
        p, r = draft.portfolio, draft.portfolio.resources
        where = np.isfinite(r.capacity) & (r.extra_capacity > 0.0)
        # What arrives by period 1 + lead time has to be ordered before it is known which scenario comes.
        ordered = np.arange(p.periods)[None, :] <= r.lead_time
        extra = draft.add_variables(
            self.name, "extra", [r.names, periods_of(p)], where, upper=r.extra_capacity, shared=ordered
        )
        draft.extra = extra
        return extra

    def constrain(self, draft: Draft) -> None:
        """One row a resource and period of limited capacity."""
        r = draft.portfolio.resources
        limited = np.isfinite(r.capacity)
        cells = np.arange(limited.size).reshape(limited.shape)
        to_cell = np.broadcast_to(cells[:, None, :], draft.use.shape).ravel()
        terms = draft.use.total().gathered(to_cell, limited.size)
        terms = terms - Terms.of(limited.size, cells, draft.extra, r.max_utilisation)
        index = [(r.names[i], t + 1) for i, t in np.argwhere(limited).tolist()]
        keys = [(self.name, resource, period) for resource, period in index]
        right = (r.max_utilisation * np.where(limited, r.capacity, 0.0))[limited]
        draft.limit(self.name, index, keys, terms.rows(limited.ravel()), "max", right)

    def audit(self, facts: Facts) -> Audit:
        """Rows of use against capacity; costs by resource; extra capacity within what may be bought."""
        p, r = facts.portfolio, facts.portfolio.resources
        rows, costs, breaches = [], {}, []
        for i, resource in enumerate(r.names):
            use, extra = facts.use[i].sum(axis=0), facts.decisions.extra[i]
            costs["resource cost", resource] = r.unit_cost[i] * use
            finite = np.isfinite(r.capacity[i])
            costs["capacity cost", resource] = np.where(finite, r.capacity[i], 0.0) * r.capacity_cost[i]
            costs["extra capacity", resource] = r.extra_cost[i] * extra
            for t in np.flatnonzero(finite).tolist():
                limit = r.max_utilisation[i, t] * (r.capacity[i, t] + extra[t])
                rows.append(
                    RuleRow(self.name, resource, t + 1, float(use[t]), "max", float(limit), r.units[i])
                )
            over = np.maximum(extra - r.extra_capacity[i], -extra) / np.maximum(1.0, r.extra_capacity[i])
            breaches += [
                Breach(f"extra capacity of {resource} in period {t + 1}", float(over[t]))
                for t in range(p.periods)
                if over[t] > 0.0
            ]
        served = np.einsum("rt,rst->st", r.unit_cost, facts.use)
        return Audit(tuple(rows), costs, {}, tuple(breaches), cost_to_serve=served)
