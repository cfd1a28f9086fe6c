"""Least change: among plans that are nearly as good, the one that moves fewest customers from what they have today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Facts
from cpm_opt.formulation.core import option_labels, periods_of, today_of
from cpm_opt.formulation.draft import Composition, Draft, tidied
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Numbers, Portfolio


@dataclass(frozen=True)
class LeastChange:
    """A second solve: of all plans that lose at most `loss` (a fraction of the best objective), the one that changes
    least from today.

        min  sum_{s,o,t} moved[s,o,t]       moved[s,o,t] >= on[s,o,t] - share[s,o] n[s,t],  moved >= 0
        with objective >= best - loss max(1, |best|)

    share[s,o] is the share of the segment's customers on the option before period 1 (table `current`, else the base);
    moved is in customers and periods. The bound and the shadow prices stay those of the first solve. Without this
    component ties fall as the solver breaks them, the same way every time.
    """

    name: ClassVar[str] = "least_change"

    loss: Annotated[float, Field(ge=0, le=1)] = 0.0

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """Nothing beyond what the portfolio checks."""
        return ()

    def declare(self, draft: Draft) -> None:
        """Declares nothing in the first solve: see `restated`."""

    def constrain(self, draft: Draft) -> None:
        """Limits nothing in the first solve: see `restated`."""

    def audit(self, facts: Facts) -> Audit:
        """Nothing to break: the plan keeps the rules of the others."""
        return Audit()

    def restated(self, composition: Composition, best: float, probabilities: Sequence[float]) -> Composition:
        """The second model: the first one, its objective as a row, and the customers moved as what is to be least."""
        moved = Terms.none(1)
        for draft, probability in zip(composition.drafts, probabilities, strict=True):
            moved = moved + self._moved(draft).scaled(-probability)
        first = composition.drafts[0]
        above = Draft(first.portfolio, first.objective, composition.space)
        worth = best - self.loss * max(1.0, abs(best)) - SLIP * max(1.0, abs(best))
        above.add_rows(self.name, "worth_at_least", [[1]], composition.objective, ">=", worth)
        # A trace of the first objective, worth a thousandth of a customer at most: of plans that move equally many the
        # better one, and nothing bought or written off that nobody needs.
        trace = 1e-3 / (max(1.0, abs(best)) * max(self.loss, 1e-6))
        aim = moved + composition.objective.scaled(trace)
        return Composition(composition.name, composition.space, tidied(aim), composition.drafts)

    def _moved(self, draft: Draft) -> Terms:
        p, on = draft.portfolio, draft.core.on
        axes = [p.segments, option_labels(p), periods_of(p)]
        moved = draft.add_variables(self.name, "moved", axes, on >= 0)
        cells = np.arange(on.size).reshape(on.shape)
        share = shares_today(p)[:, :, None]
        more = Terms.of(on.size, cells, moved, 1.0) - Terms.of(on.size, cells, on, 1.0)
        more = more + Terms.of(
            on.size, cells, np.where(on >= 0, draft.core.customers[:, None, :-1], -1), share
        )
        draft.add_rows(self.name, "moved_on", axes, more, ">=", 0.0, on >= 0)
        return Terms.of(1, 0, moved, 1.0)


# What rounding in the solver may cost: the best plan itself must stay within reach.
SLIP = 1e-9


def shares_today(portfolio: Portfolio) -> Numbers:
    """`[S, O]`: the share of each segment's customers on each option before period 1, as doing nothing keeps it."""
    p = portfolio
    share = np.zeros((len(p.segments), len(p.options)))
    for lever in p.levers:
        options = np.array(lever.options)
        if lever.single:
            share[np.arange(len(p.segments)), today_of(p, lever)[lever.group_of]] = 1.0
            continue
        total = p.current[:, options].sum(axis=1, keepdims=True)
        based = (options == lever.base).astype(np.float64)
        share[:, options] = np.where(
            total > 0.0, p.current[:, options] / np.where(total > 0.0, total, 1.0), based
        )
    return share
