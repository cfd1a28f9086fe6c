"""Balance of the portfolio: corridors for customers, money, use and measures of groups of segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Facts, RuleRow
from cpm_opt.formulation.draft import Draft
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import BalanceRule, Numbers, Portfolio


@dataclass(frozen=True)
class Balance:
    """A measure of some segments is at least, or at most, an amount, a share of the total, or a mean per customer.

        amount    sum_members a[s,t]                              >= or <=  value
        share     sum_members a[s,t] - value sum_active a[s,t]    >= or <=  0
        mean      sum_members a[s,t] - value sum_members n[s,t]   >= or <=  0

    for each rule of table `balance` and each of its periods t. a is customers at the end of the period, or margin,
    revenue, cash, use of a resource or a measure during it; n is customers at the start. Where the rule has a penalty,
    the row may be missed by a slack that costs `penalty` per unit and period. Rows are in the unit of the measure.
    """

    name: ClassVar[str] = "balance"

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """Nothing beyond what the portfolio checks."""
        return ()

    def declare(self, draft: Draft) -> None:
        """Declares nothing: slack is made with the row."""

    def constrain(self, draft: Draft) -> None:
        """One row a rule and period."""
        p = draft.portfolio
        for rule in p.balance:
            terms = self._terms(draft, rule)
            periods = np.arange(rule.first - 1, rule.last)
            keep = np.zeros(p.periods, dtype=bool)
            keep[periods] = True
            index = [(rule.name, t + 1) for t in periods.tolist()]
            keys = [(rule.name, "", t + 1) for t in periods.tolist()]
            right = rule.value if rule.basis == "amount" else 0.0
            soft = None if rule.penalty is None else rule.penalty
            draft.limit(self.name, index, keys, terms.rows(keep), rule.sense, right, soft)

    def _terms(self, draft: Draft, rule: BalanceRule) -> Terms:
        p = draft.portfolio
        weight = rule.members.astype(np.float64)
        if rule.basis == "share":
            weight = weight - rule.value * p.active
        if rule.measure == "customers":
            ends = np.zeros(draft.customers.shape)
            ends[:, 1:] = weight[:, None]
            terms = draft.customers.per_period(ends).rows(np.arange(p.periods + 1) > 0)
        elif rule.resource >= 0:
            mine = np.zeros(draft.use.shape)
            mine[rule.resource] = weight[:, None]
            terms = draft.use.per_period(mine)
        else:
            terms = draft.flows[rule.measure].per_period(weight[:, None])
        if rule.basis == "mean":
            starts = np.zeros(draft.customers.shape)
            starts[:, :-1] = rule.members[:, None] * rule.value
            terms = terms - draft.customers.per_period(starts).rows(np.arange(p.periods + 1) < p.periods)
        return terms

    def audit(self, facts: Facts) -> Audit:
        """Each rule's value against its limit, and what missing a soft one costs."""
        p = facts.portfolio
        rows: list[RuleRow] = []
        penalties: dict[str, Numbers] = {}
        for rule in p.balance:
            missed = np.zeros(p.periods)
            for t in range(rule.first - 1, rule.last):
                row = _audited(facts, rule, t)
                rows.append(row)
                missed[t] = max(0.0, -row.slack)
            if rule.penalty is not None:
                penalties[rule.name] = rule.penalty * missed
        return Audit(tuple(rows), {}, penalties)


def _audited(facts: Facts, rule: BalanceRule, t: int) -> RuleRow:
    p = facts.portfolio
    if rule.measure == "customers":
        amounts, unit = facts.customers[:, t + 1], "customers"
    elif rule.resource >= 0:
        amounts, unit = facts.use[rule.resource][:, t], p.resources.units[rule.resource]
    else:
        amounts, unit = facts.flows[rule.measure][:, t], p.measure_units.get(rule.measure, p.currency)
    members = float(amounts[rule.members].sum())
    if rule.basis == "amount":
        return RuleRow(rule.name, "", t + 1, members, rule.sense, rule.value, unit, rule.penalty)
    whole = amounts[p.active] if rule.basis == "share" else facts.customers[rule.members, t]
    of = float(whole.sum())
    return RuleRow(
        rule.name,
        "",
        t + 1,
        members,
        rule.sense,
        rule.value * of,
        unit,
        rule.penalty,
        basis=rule.basis,
        stated=rule.value,
        of=of,
    )
