"""What a frontier sets against the objective: a measure of the plan, as a rule that a model can take beside its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Facts, RuleRow
from cpm_opt.formulation.draft import Draft, Weights
from cpm_opt.formulation.measures import CUSTOMERS, by_segment, recounted
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Portfolio


@dataclass(frozen=True)
class Aim:
    """A measure of some segments over the whole horizon, bounded, pulled at, or both.

        amount = sum_members n[s,T+1] for customers, else sum_members sum_t a[s,t]
        amount >= bound (sense min)   or   amount <= bound (sense max)
        objective - pull amount, and the model's own objective under `own` >= floor

    a is the measure of a period as in table `balance`, undiscounted. The name makes it the last part in the order of
    parts, so that it sees all that the others post.
    """

    name: ClassVar[str] = "versus"

    measure: str
    members: tuple[bool, ...]
    sense: str = "min"
    bound: float | None = None
    pull: float = 0.0
    own: Weights | None = None
    floor: float = 0.0

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """Nothing: the frontier has checked its measure."""
        return ()

    def declare(self, draft: Draft) -> None:
        """Declares nothing."""

    def constrain(self, draft: Draft) -> None:
        """The bound, the floor and the pull, those that are on."""
        p = draft.portfolio
        if self.own is not None:
            theirs, draft.objective = draft.objective, self.own
            worth = draft.objective_terms()
            draft.objective = theirs
            draft.add_rows(self.name, "worth", [["objective"]], worth, ">=", self.floor)
        terms = self._terms(draft)
        if self.bound is not None:
            index, key = (self.measure,), (self.name, self.measure, p.periods)
            draft.limit(self.name, [index], [key], terms, self.sense, self.bound)
        if self.pull:
            draft.deductions.post(self.name, self.measure, terms.scaled(self.pull))

    def _terms(self, draft: Draft) -> Terms:
        p = draft.portfolio
        counted = np.repeat(np.array(self.members)[:, None], p.periods, axis=1)
        if self.measure == CUSTOMERS:
            counted = counted & (np.arange(p.periods) == p.periods - 1)
        return by_segment(draft, self.measure).gathered(np.where(counted.ravel(), 0, -1), 1)

    def audit(self, facts: Facts) -> Audit:
        """The measure recounted, its bound and what the pull takes."""
        figures, unit = recounted(facts, self.measure)
        mine = figures[np.array(self.members)]
        value = float((mine[:, -1] if self.measure == CUSTOMERS else mine).sum())
        size = float(np.abs(mine).sum())
        rows: tuple[RuleRow, ...] = ()
        if self.bound is not None:
            period = facts.portfolio.periods
            row = RuleRow(self.name, self.measure, period, value, self.sense, self.bound, unit, scale=size)
            rows = (row,)
        return Audit(rows, deductions={self.name: self.pull * value} if self.pull else {})


def amount(aim: Aim, facts: Facts) -> float:
    """The measure of a plan from its recounted facts, by the audit's own count."""
    found = Aim(aim.measure, aim.members, aim.sense, 0.0).audit(facts)
    return found.rows[0].value
