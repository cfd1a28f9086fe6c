"""A budget of uncertainty: the plan is judged as if the effects that matter most fell short of their estimates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Facts
from cpm_opt.formulation.core import option_labels
from cpm_opt.formulation.draft import Draft
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Numbers, Portfolio


@dataclass(frozen=True)
class Robust:
    """At most `budget` effects on margin fall short of their estimates at a time, each by `width` standard errors.

        at_risk[s,d,o] = width margin_se[s,d,o] sum_t (1+i)^-(t-1) on[s,d,o,t]        money of today
        deduction      = the sum of the `budget` largest at_risk
                       = min  budget z + sum p     with  p[s,d,o] + z >= at_risk[s,d,o],  p >= 0,  z >= 0

    The deduction is taken from the objective, multiplied by objective.profit like profit, but it is no part of profit:
    it is what the plan may lose, not what it is expected to. By Bertsimas and Sim (2004), The price of robustness.
    """

    name: ClassVar[str] = "robust"

    budget: Annotated[int, Field(ge=0)]
    width: Annotated[float, Field(ge=0, le=1000)]

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """A warning where no effect has a standard error, so that nothing is deducted."""
        if portfolio.margin_se.any():
            return ()
        message = "no effect has a standard error, so component robust deducts nothing"
        remedy = "fill in margin_se, or leave the component out"
        return (
            Fault("effects", message, remedy, column="margin_se", code="no_standard_error", warning=True),
        )

    def declare(self, draft: Draft) -> None:
        """The two parts of the deduction, in the terms of its dual."""
        p, on = draft.portfolio, draft.core.on
        share = self._share(p)
        uncertain = (share > 0.0) & p.offered
        if self.budget == 0 or not uncertain.any():
            return
        threshold = draft.add_variables(self.name, "threshold", [["z"]])
        above = draft.add_variables(self.name, "above", [p.segments, option_labels(p)], uncertain)
        taken = Terms.of(1, 0, threshold, float(self.budget)) + Terms.of(1, 0, above, 1.0)
        draft.deductions.post(self.name, "", taken)
        cells = np.arange(uncertain.size).reshape(uncertain.shape)
        worth = share[:, :, None] * draft.objective.discount(p.periods)[:-1]
        terms = Terms.of(cells.size, cells, above, 1.0) + Terms.of(cells.size, cells, threshold[0], 1.0)
        terms = terms - Terms.of(cells.size, cells[:, :, None], on, worth)
        draft.add_rows(self.name, "at_risk", [p.segments, option_labels(p)], terms, ">=", 0.0, uncertain)

    def constrain(self, draft: Draft) -> None:
        """Limits nothing."""

    def _share(self, portfolio: Portfolio) -> Numbers:
        """`[S, O]`: what may be lost per customer and period."""
        return self.width * portfolio.margin_se

    def audit(self, facts: Facts) -> Audit:
        """The deduction, found by sorting."""
        on = facts.decisions.customers_on
        at_risk = self._share(facts.portfolio) * (on @ facts.discount[:-1])
        worst = np.sort(at_risk, axis=None)[::-1][: self.budget]
        return Audit(deductions={self.name: float(np.maximum(worst, 0.0).sum())})
