"""Whose money it is: the postings to profit of a plan split by segment and, for use of resources, by lever.

    margin           margin per customer x customers                              of their segment
    effects          effect on margin x customers on the option                   of their segment
    fixed cost       of a group that is one segment; of a larger group it is nobody's alone
    change cost      change_cost x customers newly on the option                  of their segment
    resource cost    unit_cost x use                                              of their segment, by lever that uses

All other postings (capacity, extra capacity, credit, what further components post) are the firm's as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cpm_opt.formulation.audit import Decisions
from cpm_opt.portfolio.portfolio import Numbers, Portfolio
from cpm_opt.solve.plan import Recount

# (source, item, lever): lever is empty where no lever is behind the posting.
Posting = tuple[str, str, str]
MARGIN, EFFECTS, FIXED, CHANGE, RESOURCE = "margin", "effects", "fixed cost", "change cost", "resource cost"
# What differs from its total by this share of the figures that were added up is rounding.
ROUNDING = 1e-9


def by_segment(portfolio: Portfolio, decisions: Decisions, recount: Recount) -> dict[Posting, Numbers]:
    """Money of today `[S + 1]` by posting: each segment's, and last what is no segment's alone.

    The parts of each (source, item) add up to the recount's posting, discounted.
    """
    discount, count = recount.discount[:-1], len(portfolio.segments)
    found: dict[Posting, Numbers] = {}
    for key, flows in _postings(portfolio, decisions, recount).items():
        if key[:2] in recount.money and np.any(flows):
            found[key] = np.append(flows @ discount, 0.0)
    levers = {lever.name for lever in portfolio.levers}
    for (source, item), flow in recount.money.items():
        mine = [amounts for key, amounts in found.items() if key[:2] == (source, item)]
        rest = float(flow @ discount) - float(np.sum(mine))
        size = float(np.abs(flow) @ discount) + float(np.sum(np.abs(mine)))
        if abs(rest) > ROUNDING * size:
            key = (source, item, item if item in levers and source in (FIXED, EFFECTS, CHANGE) else "")
            found.setdefault(key, np.zeros(count + 1))[-1] += rest
    return found


def _postings(p: Portfolio, decisions: Decisions, recount: Recount) -> Mapping[Posting, Numbers]:
    """`[S, T]`, undiscounted; costs are negative."""
    on, margin = decisions.customers_on, p.flows["margin"]
    starts = recount.customers[:, :-1]
    found = {(MARGIN, "", ""): margin.per_customer * starts}
    for lever, chosen in zip(p.levers, decisions.chosen, strict=True):
        options = np.array(lever.options)
        name = lever.name
        found[EFFECTS, name, name] = np.einsum("sot,sot->st", margin.per_option[:, options], on[:, options])
        if lever.single:
            found[FIXED, name, name] = -_fixed(p, lever.group_of, chosen)
        if (CHANGE, name) in recount.money:
            before = np.concatenate([p.current[:, options, None], on[:, options, :-1]], axis=2)
            newly = np.maximum(0.0, on[:, options] - before)
            found[CHANGE, name, name] = -np.einsum("ot,sot->st", p.change_cost[options], newly)
    found.update(_resources(p, on, starts))
    return found


def _fixed(p: Portfolio, group_of: np.ndarray, chosen: np.ndarray) -> Numbers:
    """`[S, T]`: fixed cost of groups that are one segment."""
    alone = np.bincount(group_of, minlength=len(chosen))[group_of] == 1
    cost = p.fixed_cost[chosen, np.arange(p.periods)[None, :]]
    return np.where(alone[:, None], cost[group_of], 0.0)


def _resources(p: Portfolio, on: Numbers, starts: Numbers) -> dict[Posting, Numbers]:
    """Use at unit_cost, by resource and by the lever whose option uses it (none for the base need)."""
    u, price = p.usage, p.resources.unit_cost
    if not len(u.resource):
        return {}
    based = u.option < 0
    who = np.where(based[:, None], starts[u.segment], on[u.segment, u.option] if on.shape[1] else 0.0)
    cost = -price[u.resource] * u.amount * who
    behind = np.where(based, len(p.levers), p.lever_of[u.option] if len(p.options) else 0)
    names = [*(lever.name for lever in p.levers), ""]
    shape = (len(p.resources.names), len(names), len(p.segments), p.periods)
    total = np.zeros(shape)
    np.add.at(total, (u.resource, behind, u.segment), cost)
    return {
        (RESOURCE, resource, name): total[i, j]
        for i, resource in enumerate(p.resources.names)
        for j, name in enumerate(names)
    }
