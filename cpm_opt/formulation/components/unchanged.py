"""Unchanged levers: what a plan leaves as it is today, so that it decides on prices alone, or on service alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Breach, Facts
from cpm_opt.formulation.components.least_change import shares_today
from cpm_opt.formulation.core import option_labels, periods_of, today_of
from cpm_opt.formulation.draft import Axes, Draft
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Flags, Lever, Portfolio


@dataclass(frozen=True)
class Unchanged:
    """Customers stay on what they have today on some levers; the plan decides on the others.

        on[s,d,o,t] = share[s,o] n[s,t]       for each lever d that stays, each segment s, option o, period t

    `levers = "priced"` keeps every lever that has an option with a price change (so the plan allocates service only),
    `levers = "unpriced"` all others (so it decides on prices only). share is that of before period 1 (table `current`,
    else the base). Rows are in customers. What a segment is no longer offered is left to the plan.
    """

    name: ClassVar[str] = "unchanged"

    levers: Literal["priced", "unpriced"]

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """Warns where every lever stays, so that nothing is left to decide."""
        if portfolio.levers and all(self.stays(portfolio, lever) for lever in portfolio.levers):
            message = f"every lever is {self.levers} and stays as it is today, so there is nothing to decide"
            remedy = "take another model, or add a lever"
            return (Fault("levers", message, remedy, code="nothing_to_decide", warning=True),)
        return ()

    def stays(self, portfolio: Portfolio, lever: Lever) -> bool:
        """Whether the lever stays as it is."""
        priced = bool(np.any(portfolio.price_change[np.array(lever.options)] != 0.0))
        return priced == (self.levers == "priced")

    def declare(self, draft: Draft) -> None:
        """Declares nothing."""

    def constrain(self, draft: Draft) -> None:
        """One row a segment, option and period of the levers that stay, and the choice of their groups."""
        p, on = draft.portfolio, draft.core.on
        where = np.broadcast_to(self._kept(p)[:, :, None], on.shape) & (on >= 0)
        cells = np.arange(on.size).reshape(on.shape)
        share = shares_today(p)[:, :, None]
        terms = Terms.of(on.size, cells, np.where(where, on, -1), 1.0)
        terms = terms - Terms.of(
            on.size, cells, np.where(where, draft.core.customers[:, None, :-1], -1), share
        )
        axes = [p.segments, option_labels(p), periods_of(p)]
        draft.add_rows(self.name, "as_today", axes, terms, "==", 0.0, where)
        for lever, chosen in zip(p.levers, draft.core.chosen, strict=True):
            if lever.single and self.stays(p, lever):
                today = np.array(lever.options)[None, :] == today_of(p, lever)[:, None]
                keep = today[:, :, None] & (chosen >= 0)
                rows = np.arange(chosen.size).reshape(chosen.shape)
                labels = [(lever.name, group) for group in lever.groups]
                choice: Axes = [labels, [p.options[option] for option in lever.options], periods_of(p)]
                one = Terms.of(chosen.size, rows, np.where(keep, chosen, -1), 1.0)
                draft.add_rows(self.name, "choice_as_today", choice, one, "==", 1.0, keep)

    def _kept(self, portfolio: Portfolio) -> Flags:
        """`[S, O]`: segments that are offered what they have today on a lever that stays, and all options of it."""
        kept = np.zeros((len(portfolio.segments), len(portfolio.options)), dtype=bool)
        share = shares_today(portfolio)
        for lever in portfolio.levers:
            if self.stays(portfolio, lever):
                options = np.array(lever.options)
                offered = ((share[:, options] == 0.0) | portfolio.offered[:, options]).all(axis=1)
                kept[:, options] = offered[:, None]
        return kept

    def audit(self, facts: Facts) -> Audit:
        """Customers on other options of a lever that stays than they have today."""
        p = facts.portfolio
        kept, share = self._kept(p), shares_today(p)
        starts = facts.customers[:, None, :-1]
        off = np.abs(facts.decisions.customers_on - share[:, :, None] * starts) * kept[:, :, None]
        breaches = []
        for number, lever in enumerate(p.levers):
            worst = float((off[:, p.lever_of == number] / np.maximum(1.0, starts)).max(initial=0.0))
            if worst > 0.0:
                breaches.append(Breach(f"{lever.name} does not stay as it is today", worst))
        return Audit(breaches=tuple(breaches))
