"""Rules on who may be on an option: how many, with which other option, and how often it is taken up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Facts, RuleRow
from cpm_opt.formulation.checks import split_groups
from cpm_opt.formulation.core import known_customers, periods_of
from cpm_opt.formulation.draft import Draft
from cpm_opt.formulation.take_up import choices_from_today, take_ups
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Flags, Indices, OptionRule, Portfolio

CUSTOMERS, TAKE_UPS = "customers", "take-ups"
# Customers who count as nobody, in units of max(1, value): what the certificate tolerates in any row.
NOBODY = 1e-6


@dataclass(frozen=True)
class Options:
    """Options keep to the rules of table `option_rules`, for the members s of each rule and in each period t.

        min        sum_s on[s,o,t] = 0  or  >= value      value used <= sum_s on <= N used,  used in {0, 1}
        max        sum_s on[s,o,t] <= value
        floor      on[s,o,t] >= value customers[s,t]      for each member that is offered the option
        needs      on[s,o,t] <= on[s,other,t]             for each member
        excludes   on[s,o,t] + on[s,other,t] <= customers[s,t]
        once       sum_t taken_up[g,o,t] <= 1             for each group g with a member; taken_up[g,o,t] is 1 where g
                                                          has the option and had not in the period before, or today

    Values are customers, that of floor is a fraction; N is the most customers that the members can come to. What a
    segment is not offered counts as 0.
    """

    name: ClassVar[str] = "options"

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """A rule of kind once needs each of its groups on one option today."""
        faults = []
        for rule in portfolio.option_rules:
            if rule.kind == "once":
                lever = portfolio.levers[rule.lever]
                faults += split_groups(portfolio, rule.name, lever, _groups(portfolio, rule))
        return tuple(faults)

    def declare(self, draft: Draft) -> None:
        """Declares nothing: what a rule needs is made with its rows."""

    def constrain(self, draft: Draft) -> None:
        """The rows of each rule."""
        taken_up = self._take_ups(draft)
        for rule in draft.portfolio.option_rules:
            if rule.kind in ("min", "max"):
                self._together(draft, rule)
            elif rule.kind == "once":
                self._once(draft, rule, taken_up[rule.lever])
            else:
                self._each(draft, rule)

    def _together(self, draft: Draft, rule: OptionRule) -> None:
        p = draft.portfolio
        periods = np.arange(p.periods)
        terms = Terms.of(p.periods, periods, draft.core.on[rule.members, rule.option], 1.0)
        keys = [(rule.name, "", t + 1) for t in periods.tolist()]
        if rule.kind == "max":
            draft.limit(self.name, keys, keys, terms, "max", rule.value)
        elif rule.value > 0.0:
            axes: list[Sequence[object]] = [[rule.name], periods_of(p)]
            used = draft.add_variables(self.name, "used", axes, upper=1.0, integer=True)
            known = known_customers(p)
            most = (p.ceiling if known is None else known)[:, :-1]
            most = most[rule.members & p.offered[:, rule.option]].sum(axis=0)
            any_on = terms - Terms.of(p.periods, periods, used[0], most)
            draft.add_rows(self.name, "used_if_any", axes, any_on, "<=")
            draft.limit(
                self.name, keys, keys, terms - Terms.of(p.periods, periods, used[0], rule.value), "min", 0.0
            )

    def _each(self, draft: Draft, rule: OptionRule) -> None:
        """Rows of the members one by one; none where the option is not offered, and nothing can break the rule."""
        p, core = draft.portfolio, draft.core
        mine, there = core.on[:, rule.option], core.customers[:, :-1]
        other = core.on[:, rule.other] if rule.other >= 0 else np.full_like(mine, -1)
        cells = np.arange(mine.size).reshape(mine.shape)
        on, beside, all_of = (Terms.of(mine.size, cells, columns, 1.0) for columns in (mine, other, there))
        terms = {"floor": on - all_of.scaled(rule.value), "needs": on - beside}.get(
            rule.kind, on + beside - all_of
        )
        keep = rule.members[:, None] & (mine >= 0)
        keys = [(rule.name, p.segments[s], t + 1) for s, t in np.argwhere(keep).tolist()]
        draft.limit(
            self.name, keys, keys, terms.rows(keep.ravel()), "min" if rule.kind == "floor" else "max", 0.0
        )

    def _take_ups(self, draft: Draft) -> dict[int, Indices]:
        """Columns of take-ups by lever, for all its rules of kind once together."""
        p = draft.portfolio
        where: dict[int, Flags] = {}
        for rule in p.option_rules:
            if rule.kind == "once":
                lever = p.levers[rule.lever]
                wanted = where.setdefault(
                    rule.lever, np.zeros((len(lever.groups), len(lever.options)), dtype=bool)
                )
                wanted[_groups(p, rule), lever.options.index(rule.option)] = True
        return {number: take_ups(draft, self.name, number, wanted) for number, wanted in where.items()}

    def _once(self, draft: Draft, rule: OptionRule, taken_up: Indices) -> None:
        p, lever = draft.portfolio, draft.portfolio.levers[rule.lever]
        groups = _groups(p, rule)
        columns = taken_up[groups, lever.options.index(rule.option)]
        terms = Terms.of(len(groups), np.arange(len(groups))[:, None], columns, 1.0)
        keys = [(rule.name, lever.groups[g], p.periods) for g in groups.tolist()]
        draft.limit(self.name, keys, keys, terms, "max", 1.0)

    def audit(self, facts: Facts) -> Audit:
        """Each rule's rows from the customers on options and the choices of the groups."""
        return Audit(tuple(row for rule in facts.portfolio.option_rules for row in _audited(facts, rule)))


def _groups(portfolio: Portfolio, rule: OptionRule) -> Indices:
    """The groups of the rule's lever that have a member."""
    return np.unique(portfolio.levers[rule.lever].group_of[rule.members])


def _audited(facts: Facts, rule: OptionRule) -> list[RuleRow]:
    p, on = facts.portfolio, facts.decisions.customers_on
    rows = []
    if rule.kind == "once":
        path = choices_from_today(p, rule.lever, facts.decisions.chosen[rule.lever])
        for g in sorted({int(p.levers[rule.lever].group_of[s]) for s in np.flatnonzero(rule.members)}):
            starts = sum(
                path[g, t] == rule.option and path[g, t - 1] != rule.option for t in range(1, p.periods + 1)
            )
            name = p.levers[rule.lever].groups[g]
            rows.append(RuleRow(rule.name, name, p.periods, float(starts), "max", 1.0, TAKE_UPS))
        return rows
    for t in range(p.periods):
        if rule.kind in ("min", "max"):
            together = float(on[rule.members, rule.option, t].sum())
            if rule.kind == "max" or together > NOBODY * max(1.0, rule.value):
                rows.append(RuleRow(rule.name, "", t + 1, together, rule.kind, rule.value, CUSTOMERS))
            continue
        for s in np.flatnonzero(rule.members & p.offered[:, rule.option]).tolist():
            mine, there = float(on[s, rule.option, t]), float(facts.customers[s, t])
            beside = float(on[s, rule.other, t]) if rule.other >= 0 else 0.0
            limit = {"floor": rule.value * there, "needs": beside}.get(rule.kind, there - beside)
            sense = "min" if rule.kind == "floor" else "max"
            rows.append(RuleRow(rule.name, p.segments[s], t + 1, mine, sense, limit, CUSTOMERS))
    return rows
