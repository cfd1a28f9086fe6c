"""Measures of the segments, as terms of the ledgers for a rule's rows and as plain figures for its audit.

A measure is `customers` (at the end of the period), `margin`, `revenue`, `cash`, a measure of the instance, or
`use:RESOURCE`.
"""

from __future__ import annotations

import numpy as np

from cpm_opt.formulation.audit import Facts
from cpm_opt.formulation.draft import Draft
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Numbers, Portfolio

CUSTOMERS, USE = "customers", "use:"


def measures_of(portfolio: Portfolio) -> tuple[str, ...]:
    """Every measure that there is."""
    return (CUSTOMERS, *portfolio.flows, *(USE + resource for resource in portfolio.resources.names))


def by_segment(draft: Draft, measure: str) -> Terms:
    """One expression a segment and period, `[S, T]` in row order: the measure of the whole segment."""
    p = draft.portfolio
    segments, periods = len(p.segments), p.periods
    cells = np.arange(segments * periods).reshape(segments, periods)
    if measure == CUSTOMERS:
        at_end = np.full(draft.customers.shape, -1)
        at_end[:, 1:] = cells
        return draft.customers.total().gathered(at_end.ravel(), cells.size)
    if measure.startswith(USE):
        used = np.full(draft.use.shape, -1)
        used[_resource(p, measure)] = cells
        return draft.use.total().gathered(used.ravel(), cells.size)
    return draft.flows[measure].total()


def recounted(facts: Facts, measure: str) -> tuple[Numbers, str]:
    """The measure of each segment and period `[S, T]`, and its unit."""
    p = facts.portfolio
    if measure == CUSTOMERS:
        return facts.customers[:, 1:], "customers"
    if measure.startswith(USE):
        resource = _resource(p, measure)
        return facts.use[resource], p.resources.units[resource]
    return facts.flows[measure], p.measure_units.get(measure, p.currency)


def _resource(portfolio: Portfolio, measure: str) -> int:
    return portfolio.resources.names.index(measure.removeprefix(USE))
