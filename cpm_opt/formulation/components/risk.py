"""Risk: what the plan earns when things go badly counts beside what it earns on average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Facts
from cpm_opt.formulation.draft import INFINITY, Draft
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Numbers, Portfolio


@dataclass(frozen=True)
class Risk:
    """The objective over scenarios w with probabilities p_w, where profit_w is the whole objective in scenario w.

        (1 - weight) sum_w p_w profit_w + weight CVaR        measure `cvar`
        (1 - weight) sum_w p_w profit_w + weight min_w profit_w        measure `worst`
        CVaR = max_e  e - sum_w p_w max(0, e - profit_w) / (1 - alpha)

    CVaR is the mean profit of the worst share 1 - alpha of cases (Rockafellar and Uryasev 2000). Which scenario comes
    is known after period 1: customers on options in period 1, extra capacity that has to be ordered by then and all
    choices of `single` levers are the same in every scenario. Money in the currency.
    """

    name: ClassVar[str] = "risk"

    measure: Literal["cvar", "worst"] = "cvar"
    alpha: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight: Annotated[float, Field(ge=0, le=1)] = 0.5

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """Nothing beyond what the portfolio checks."""
        return ()

    def declare(self, draft: Draft) -> None:
        """Declares nothing in a single scenario: see `weigh`."""

    def constrain(self, draft: Draft) -> None:
        """Limits nothing in a single scenario: see `weigh`."""

    def audit(self, facts: Facts) -> Audit:
        """Nothing in a single scenario: see `value`."""
        return Audit()

    def weigh(self, draft: Draft, worth: Sequence[Terms], probabilities: Sequence[float]) -> Terms:
        """The objective, made of what each scenario is worth (one expression each), in a draft above all of them."""
        mean = Terms.none(1)
        for terms, probability in zip(worth, probabilities, strict=True):
            mean = mean + terms.scaled((1.0 - self.weight) * probability)
        if self.weight == 0.0:
            return mean
        floor = int(draft.add_variables(self.name, "floor", [[0]], lower=-INFINITY)[0])
        bad = Terms.of(1, 0, floor, self.weight)
        short = np.full(len(worth), -1, dtype=np.int64)
        if self.measure == "cvar":
            short = draft.add_variables(self.name, "shortfall", [list(range(1, len(worth) + 1))])
            cost = self.weight * np.array(probabilities) / (1.0 - self.alpha)
            bad = bad - Terms.of(1, 0, short, cost)
        for number, terms in enumerate(worth):
            # floor - shortfall <= what the scenario is worth
            row = Terms.of(1, 0, floor, 1.0) - Terms.of(1, 0, short[number], 1.0) - terms
            draft.add_rows(self.name, "floor_row", [[number + 1]], row, "<=")
        return mean + bad

    def value(self, worth: Numbers, probabilities: Numbers) -> float:
        """The objective from what each scenario is worth, without a solver; the best floor is one of them."""
        mean = float(worth @ probabilities)
        if self.measure == "worst":
            bad = float(worth.min())
        else:
            missed = np.maximum(0.0, worth[:, None] - worth[None, :])  # [floor, scenario]
            bad = float((worth - missed @ probabilities / (1.0 - self.alpha)).max())
        return (1.0 - self.weight) * mean + self.weight * bad
