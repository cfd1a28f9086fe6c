"""Switching: what it costs to move customers to another option, and how long a choice must hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Breach, Facts
from cpm_opt.formulation.core import option_labels, periods_of
from cpm_opt.formulation.draft import Axes, Draft
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Numbers, Portfolio


@dataclass(frozen=True)
class Switching:
    """Customers who are newly on an option cost its change cost; a held choice changes only when its time is over.

        newly[s,o,t] = max(0, on[s,o,t] - on[s,o,t-1])        customers; before period 1 table `current` holds
        cost[t] = sum_{s,o} change_cost[o,t] newly[s,o,t]     currency
        chosen[d,g,o,t] = chosen[d,g,o,t-1]                   unless t = 1, 1 + hold, 1 + 2 hold, ...

    Those who migrate into a segment count as newly on its option, too.
    """

    name: ClassVar[str] = "switching"

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """Nothing beyond what the portfolio checks."""
        return ()

    def declare(self, draft: Draft) -> None:
        """Customers newly on each option that costs something to change to."""
        p, on = draft.portfolio, draft.core.on
        where = (on >= 0) & (p.change_cost[None, :, :] > 0.0)
        axes = [p.segments, option_labels(p), periods_of(p)]
        newly = draft.add_variables(self.name, "newly", axes, where)
        for number, lever in enumerate(p.levers):
            mine = p.lever_of == number
            terms = Terms.of(p.periods, np.arange(p.periods), newly[:, mine, :], p.change_cost[mine])
            draft.cost("change cost", lever.name, terms)
        before = np.full_like(on, -1)
        before[:, :, 1:] = on[:, :, :-1]
        cells = np.arange(on.size).reshape(on.shape)
        more = Terms.of(on.size, cells, np.where(where, on, -1), 1.0)
        more = more - Terms.of(on.size, cells, np.where(where, before, -1), 1.0)
        started = np.zeros(on.shape)
        started[:, :, 0] = p.current
        terms = Terms.of(on.size, cells, newly, 1.0) - more
        draft.add_rows(self.name, "newly_on", axes, terms, ">=", -started, where)

    def constrain(self, draft: Draft) -> None:
        """Choices that must hold."""
        p = draft.portfolio
        for lever, chosen in zip(p.levers, draft.core.chosen, strict=True):
            if not lever.single or lever.hold <= 1:
                continue
            before = np.full_like(chosen, -1)
            before[:, :, 1:] = chosen[:, :, :-1]
            held = (chosen >= 0) & (np.arange(p.periods) % lever.hold != 0)
            cells = np.arange(chosen.size).reshape(chosen.shape)
            terms = Terms.of(chosen.size, cells, chosen, 1.0) - Terms.of(chosen.size, cells, before, 1.0)
            labels = [(lever.name, group) for group in lever.groups]
            axes: Axes = [labels, [p.options[option] for option in lever.options], periods_of(p)]
            draft.add_rows(self.name, "hold", axes, terms, "==", 0.0, held)

    def audit(self, facts: Facts) -> Audit:
        """Change cost by lever, and choices that changed too early."""
        p = facts.portfolio
        costs: dict[tuple[str, str], Numbers] = {}
        breaches: list[Breach] = []
        on = facts.decisions.customers_on
        for number, lever in enumerate(p.levers):
            cost = np.zeros(p.periods)
            for option in lever.options:
                path = np.concatenate([p.current[:, option, None], on[:, option, :]], axis=1)
                cost += p.change_cost[option] * np.maximum(0.0, np.diff(path, axis=1)).sum(axis=0)
            costs["change cost", lever.name] = cost
            if lever.single:
                breaches += _broken_holds(p, number, facts)
        return Audit((), costs, {}, tuple(breaches))


def _broken_holds(portfolio: Portfolio, number: int, facts: Facts) -> list[Breach]:
    lever, chosen = portfolio.levers[number], facts.decisions.chosen[number]
    return [
        Breach(f"hold of {lever.name} for {group} in period {t + 1}", 1.0)
        for g, group in enumerate(lever.groups)
        for t in range(1, portfolio.periods)
        if t % lever.hold != 0 and chosen[g, t] != chosen[g, t - 1]
    ]
