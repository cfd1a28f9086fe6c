"""Cash: money out is covered by money in, by what was there before and by a credit line that costs something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Facts, RuleRow
from cpm_opt.formulation.core import periods_of
from cpm_opt.formulation.draft import Draft
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.members import members_of, members_remedy
from cpm_opt.portfolio.portfolio import Flags, Portfolio

CREDIT, GROWTH = "credit", "growth"


@dataclass(frozen=True)
class Cash:
    """The firm's balance never falls below its credit line; growing segments are paid for by those that fund them.

        balance[t] = balance[t-1] + cash[t] - credit_cost debt[t]         balance[0] = opening
        debt[t] >= -balance[t],   0 <= debt[t] <= credit_limit            for each period t
        sum_{grow and fund} cash[s,t] - cost to serve[s,t] >= 0           for each period t, if groups are named

    cash[t] is the measure `cash` of all segments less resource, fixed and change costs, but no penalties; cost to serve
    is a segment's use of resources at unit_cost. `credit_cost` is per period and unit of debt, a cost of the
    objective, too. `grow` and `fund` name members as in table `balance` (a segment, `all` or COLUMN=VALUE); either may
    be left out. In the currency of the tables. In the model, debt is what makes up in_hand = balance + debt >= 0.
    """

    name: ClassVar[str] = "cash"
    audits_costs: ClassVar[bool] = True

    opening: Annotated[float, Field(ge=-1e12, le=1e12)] = 0.0
    credit_limit: Annotated[float, Field(ge=0, le=1e12)] = 0.0
    credit_cost: Annotated[float, Field(ge=0, lt=1)] = 0.0
    grow: str = ""
    fund: str = ""

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """The groups are there."""
        faults = []
        for key, text in (("grow", self.grow), ("fund", self.fund)):
            problem = members_of(portfolio, text)[1] if text else ""
            if problem:
                remedy = members_remedy(portfolio, text, problem)
                faults.append(Fault(f"components.cash.{key}", problem, remedy, value=text, code="members"))
        return tuple(faults)

    def declare(self, draft: Draft) -> None:
        """Declares nothing: what debt costs is one of the costs that it depends on."""

    def constrain(self, draft: Draft) -> None:
        """The balance carried on from period to period, the credit line, and growth that is paid for."""
        p = draft.portfolio
        periods, numbers = np.arange(p.periods), periods_of(p)
        in_hand = draft.add_variables(self.name, "in_hand", [numbers])
        debt = draft.add_variables(self.name, "debt", [numbers])
        draft.cost("credit cost", "", Terms.of(p.periods, periods, debt, self.credit_cost))
        balance = Terms.of(p.periods, periods, in_hand, 1.0) - Terms.of(p.periods, periods, debt, 1.0)
        before = balance.gathered(np.where(periods + 1 < p.periods, periods + 1, -1), p.periods)
        terms = balance - before - draft.flows["cash"].per_period(1.0) + draft.costs.total()
        opening = np.where(periods == 0, self.opening, 0.0)
        draft.add_rows(self.name, "balance", [numbers], terms, "==", opening)
        index = [(CREDIT, t) for t in numbers]
        keys = [(self.name, CREDIT, t) for t in numbers]
        owed = Terms.of(p.periods, periods, debt, 1.0)
        draft.limit(self.name, index, keys, owed, "max", self.credit_limit)
        if self.grow or self.fund:
            self._growth(draft)

    def _growth(self, draft: Draft) -> None:
        numbers = periods_of(draft.portfolio)
        grow, others = self._members(draft.portfolio)
        weight = (grow | others).astype(np.float64)[:, None]
        terms = draft.flows["cash"].per_period(weight) - draft.cost_to_serve.per_period(weight)
        index = [(GROWTH, t) for t in numbers]
        draft.limit(self.name, index, [(self.name, GROWTH, t) for t in numbers], terms, "min", 0.0)

    def _members(self, portfolio: Portfolio) -> tuple[Flags, Flags]:
        """`[S]` each: the segments that grow, and those that fund them without growing themselves."""
        nobody = np.zeros(len(portfolio.segments), dtype=np.bool_)
        grow, fund = (members_of(portfolio, text)[0] if text else nobody for text in (self.grow, self.fund))
        return grow, fund & ~grow

    def audit(self, facts: Facts) -> Audit:
        """The balance played through period by period, with no more debt than it takes."""
        p = facts.portfolio
        earned = facts.flows["cash"].sum(axis=0)
        size = abs(self.opening) + np.cumsum(np.abs(earned) + np.abs(facts.costs))
        balance, debt = self.opening, np.zeros(p.periods)
        rows = []
        for t in range(p.periods):
            balance += earned[t] - facts.costs[t]
            debt[t] = max(0.0, -balance) / (1.0 - self.credit_cost)
            balance -= self.credit_cost * debt[t]
            rows.append(
                RuleRow(
                    self.name,
                    CREDIT,
                    t + 1,
                    float(debt[t]),
                    "max",
                    self.credit_limit,
                    p.currency,
                    scale=float(size[t]),
                )
            )
        if self.grow or self.fund:
            rows += self._audited_growth(facts)
        return Audit(tuple(rows), {("credit cost", ""): self.credit_cost * debt})

    def _audited_growth(self, facts: Facts) -> list[RuleRow]:
        """What the growing segments take at most, against what the others bring."""
        p = facts.portfolio
        grow, others = self._members(p)
        net = facts.flows["cash"] - facts.cost_to_serve
        size = np.abs(net[grow | others]).sum(axis=0)
        own, brought = net[grow].sum(axis=0), net[others].sum(axis=0)
        return [
            RuleRow(
                self.name,
                GROWTH,
                t + 1,
                float(own[t]),
                "min",
                float(-brought[t]),
                p.currency,
                scale=float(size[t]),
            )
            for t in range(p.periods)
        ]
