"""Choices of an earlier plan that are kept: a part of the model beside those that a model's file can name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Facts, RuleRow
from cpm_opt.formulation.core import known_customers
from cpm_opt.formulation.draft import Draft, Key
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Indices, Numbers, Portfolio

CHOICES, CUSTOMERS = "choices", "customers"
OPEN = -1


@dataclass(frozen=True, eq=False)
class Locked:
    """What an earlier plan chose stays chosen; the plan decides on the rest.

        chosen[d,g,o,t] >= 1                    for the option o that is locked for group g in period t
        on[s,d,o,t] >= share[s,o,t] n[s,t]      on a lever of choice mix; whole customers: that rounded down

    `locks` are as written, each with the id of its run. `chosen[lever] = [G, T]` are positions on the option axis
    (-1: open), `share[S, O, T]` shares of a segment's customers (nan: open), and `by_choice[lever] = [G, T]` and
    `by_share[S, O, T]` the lock (its position) that each comes from. Rows are in choices (0 or 1), or in customers.
    """

    locks: tuple[str, ...]
    chosen: tuple[Indices, ...] = field(repr=False)
    share: Numbers = field(repr=False)
    by_choice: tuple[Indices, ...] = field(repr=False)
    by_share: Indices = field(repr=False)

    name: ClassVar[str] = "locked"

    def resolved(self) -> dict[str, object]:
        """What a run tells of the part: the locks; what they come to stands in their runs."""
        return {"locks": list(self.locks)}

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """Nothing: what is locked was read on the portfolio."""
        return ()

    def names(self, portfolio: Portfolio) -> tuple[str, ...]:
        """The locks as their rows are named."""
        return tuple(_name(text) for text in self.locks)

    def declare(self, draft: Draft) -> None:
        """Declares nothing: a lock is about choices that are there."""

    def constrain(self, draft: Draft) -> None:
        """A row for each locked choice of a group, and for each locked share."""
        p, on = draft.portfolio, draft.core.on
        choices = list(self._choices(p))
        if choices:
            at = [p.levers[d].options.index(int(self.chosen[d][group, t])) for d, group, t, _ in choices]
            columns = [draft.core.chosen[d][g, o, t] for (d, g, t, _), o in zip(choices, at, strict=True)]
            terms = Terms.of(len(columns), np.arange(len(columns)), np.array(columns), 1.0)
            keys = [key for *_, key in choices]
            draft.limit(self.name, keys, keys, terms, "min", 1.0)
        cells = list(self._shares(p))
        if not cells:
            return
        segment, option, period = (np.array(axis) for axis in zip(*(cell[:3] for cell in cells), strict=True))
        keys = [cell[3] for cell in cells]
        rows = np.arange(len(cells))
        terms = Terms.of(len(cells), rows, on[segment, option, period], 1.0)
        known = known_customers(p)
        if known is not None:
            draft.limit(
                self.name, keys, keys, terms, "min", self._least(p, known[:, :-1])[segment, option, period]
            )
            return
        share = self.share[segment, option, period]
        terms = terms - Terms.of(len(cells), rows, draft.core.customers[segment, period], share)
        draft.limit(self.name, keys, keys, terms, "min", 0.0)

    def audit(self, facts: Facts) -> Audit:
        """Each lock's rows from the choices and the customers on options."""
        p, rows = facts.portfolio, []
        for number, group, t, key in self._choices(p):
            kept = facts.decisions.chosen[number][group, t] == self.chosen[number][group, t]
            rows.append(RuleRow(*key, float(kept), "min", 1.0, CHOICES))
        least = self._least(p, facts.customers[:, :-1])
        for segment, option, t, key in self._shares(p):
            value = float(facts.decisions.customers_on[segment, option, t])
            rows.append(RuleRow(*key, value, "min", float(least[segment, option, t]), CUSTOMERS))
        return Audit(tuple(rows))

    def _least(self, p: Portfolio, customers: Numbers) -> Numbers:
        """`[S, O, T]`: the customers who are locked (0 where nothing is)."""
        least = np.nan_to_num(self.share) * customers[:, None, :]
        return np.where(p.whole[:, None, None], np.floor(least + 1e-6), least)

    def _choices(self, p: Portfolio) -> Iterator[tuple[int, int, int, Key]]:
        """Lever, group and period (from 0) of each locked choice, with the key of its row."""
        for number, lever in enumerate(p.levers):
            if lever.single:
                for group, t in np.argwhere(self.chosen[number] >= 0).tolist():
                    text = self.locks[int(self.by_choice[number][group, t])]
                    yield number, group, t, (_name(text), f"{lever.name} {lever.groups[group]}", t + 1)

    def _shares(self, p: Portfolio) -> Iterator[tuple[int, int, int, Key]]:
        """Segment, option and period (from 0) of each locked share, with the key of its row."""
        for segment, option, t in np.argwhere(np.nan_to_num(self.share) > 0.0).tolist():
            lever = p.levers[int(p.lever_of[option])]
            text = self.locks[int(self.by_share[segment, option, t])]
            yield (
                segment,
                option,
                t,
                (_name(text), f"{lever.name}={p.options[option]} {p.segments[segment]}", t + 1),
            )


def _name(text: str) -> str:
    return f"lock {text}"
