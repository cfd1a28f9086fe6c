"""What the rules are audited on: a plan's decisions and what follows from them, as plain arrays.

Nothing here knows Pyomo or a solver. `facts_of` recomputes customers, use and flows from the portfolio and the
decisions alone; each rule's `audit` turns those facts into rows, costs and penalties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cpm_opt.portfolio.portfolio import Numbers, Portfolio


@dataclass(frozen=True)
class Decisions:
    """What the plan decides, and nothing that follows from it.

    `customers_on[S, O, T]`: customers of the segment on the option; `chosen[lever] = [G, T]`: position on the option
    axis of what each group of a `single` lever takes (levers in the portfolio's order; an empty array for `mix`);
    `extra[R, T]`: extra capacity bought, in units of the resource.
    """

    customers_on: Numbers
    chosen: tuple[NDArray[np.int64], ...]
    extra: Numbers


@dataclass(frozen=True)
class RuleRow:
    """One bounding row as it was recomputed: `rule` (a balance rule's name, `capacity`, ...), `subject` (the resource,
    group or segment it is about, may be empty), `period` (1-based), the two sides, `sense` (`min` or `max`), and the
    penalty per unit where it is soft. Both sides are in `unit`. `scale` is the size of the figures that a side is the
    difference of, if it is one: no miss counts that is nothing beside them. Where the rule is stated as a `share` or a
    `mean` (`basis`), `stated` is its limit as stated, and `of` what both sides are divided by to be told so: the total,
    or the customers."""

    rule: str
    subject: str
    period: int
    value: float
    sense: str
    limit: float
    unit: str = ""
    penalty: float | None = None
    scale: float = 0.0
    basis: str = ""
    stated: float = 0.0
    of: float = 0.0

    @property
    def ratio(self) -> float | None:
        """The share or the mean that there is; None for a rule on an amount, and where the total is not positive."""
        return self.value / self.of if self.basis and self.of > 0.0 else None

    @property
    def slack(self) -> float:
        """Room left before the limit; negative where the row is broken."""
        return self.limit - self.value if self.sense == "max" else self.value - self.limit

    @property
    def key(self) -> tuple[str, str, int]:
        """What names the row, here and in the model."""
        return (self.rule, self.subject, self.period)


@dataclass(frozen=True)
class Breach:
    """How far something that must be zero is from it: `amount`, in units of max(1, |right side|), and where."""

    where: str
    amount: float


@dataclass(frozen=True)
class Facts:
    """What follows from decisions: `customers[S, T + 1]`, `use[R, S, T]`, `flows[measure][S, T]`; `discount[T + 1]`,
    worth today of money of each period. `fixed_costs[lever] = [T]`; `costs[T]`: these and the costs of the rules that
    were audited before; `cost_to_serve[S, T]`: what of it is for a segment's use of resources."""

    portfolio: Portfolio
    decisions: Decisions
    customers: Numbers
    use: Numbers
    flows: Mapping[str, Numbers]
    discount: Numbers
    fixed_costs: Mapping[str, Numbers]
    costs: Numbers
    cost_to_serve: Numbers


@dataclass(frozen=True)
class Audit:
    """What one rule found: its rows, its costs `[T]` by (source, item), undiscounted, its penalties `[T]` by rule, what
    else it holds to be broken; `deductions`, money of today that it takes from the objective but not from profit, by
    rule; and `cost_to_serve[S, T]`, what of its costs is for a segment's use of resources."""

    rows: tuple[RuleRow, ...] = ()
    costs: Mapping[tuple[str, str], Numbers] = field(default_factory=dict)
    penalties: Mapping[str, Numbers] = field(default_factory=dict)
    breaches: tuple[Breach, ...] = ()
    deductions: Mapping[str, float] = field(default_factory=dict)
    cost_to_serve: Numbers | None = None


def facts_of(portfolio: Portfolio, decisions: Decisions, discount_rate: float = 0.0) -> Facts:
    """Recomputes customers by the law of migration, and from them use, flows and fixed costs."""
    customers = customers_of(portfolio, decisions)
    on = decisions.customers_on
    flows = {
        name: flow.per_customer * customers[:, :-1] + np.einsum("sot,sot->st", flow.per_option, on)
        for name, flow in portfolio.flows.items()
    }
    use = np.zeros((len(portfolio.resources.names), len(portfolio.segments), portfolio.periods))
    u = portfolio.usage
    starts = customers[u.segment, :-1]
    who = np.where((u.option < 0)[:, None], starts, on[u.segment, u.option]) if on.shape[1] else starts
    np.add.at(use, (u.resource, u.segment), u.amount * who)
    discount = (1.0 + discount_rate) ** -np.arange(portfolio.periods + 1, dtype=np.float64)
    fixed = _fixed_costs(portfolio, decisions)
    costs = np.sum([np.zeros(portfolio.periods), *fixed.values()], axis=0)
    nothing = np.zeros((len(portfolio.segments), portfolio.periods))
    return Facts(portfolio, decisions, customers, use, flows, discount, fixed, costs, nothing)


def _fixed_costs(portfolio: Portfolio, decisions: Decisions) -> dict[str, Numbers]:
    """By lever of choice `single`, the fixed costs `[T]` of what its groups have chosen."""
    return {
        lever.name: np.array([portfolio.fixed_cost[chosen[:, t], t].sum() for t in range(portfolio.periods)])
        for lever, chosen in zip(portfolio.levers, decisions.chosen, strict=True)
        if lever.single
    }


def customers_of(portfolio: Portfolio, decisions: Decisions) -> Numbers:
    """`[S, T + 1]`: customers at the start of each period, by the law of migration from the decisions."""
    moves, effects = portfolio.migration, portfolio.migration_effects
    customers = np.zeros((len(portfolio.segments), portfolio.periods + 1))
    customers[:, 0] = portfolio.customers
    fresh = newly_chosen(portfolio, decisions)
    for t in range(portfolio.periods):
        after = portfolio.arrivals[:, t].copy()
        np.add.at(after, moves.target, moves.rate[:, t] * customers[moves.source, t])
        acts = np.where(effects.on_change, fresh[effects.source, effects.option, t], True)
        moved = effects.rate[:, t] * decisions.customers_on[effects.source, effects.option, t] * acts
        np.add.at(after, effects.target, moved)
        customers[:, t + 1] = after
    return customers


def newly_chosen(portfolio: Portfolio, decisions: Decisions) -> NDArray[np.bool_]:
    """`[S, O, T]`: whether the segment's group has the option in the period and had another one in the period before
    (before period 1: the one its customers were on, the base if it had none)."""
    fresh = np.zeros((len(portfolio.segments), len(portfolio.options), portfolio.periods), dtype=bool)
    for lever, chosen in zip(portfolio.levers, decisions.chosen, strict=True):
        if not lever.single:
            continue
        for group in range(len(lever.groups)):
            members = np.flatnonzero(lever.group_of == group)
            before = lever.base
            for option in lever.options:
                if portfolio.current[members, option].sum() > portfolio.current[members, before].sum():
                    before = option
            for t in range(portfolio.periods):
                now = int(chosen[group, t])
                if now != before:
                    fresh[members, now, t] = True
                before = now
    return fresh
