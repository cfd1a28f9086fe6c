"""Pins: choices that are fixed or forbidden, from the command line (`--fix`, `--forbid`) or in a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Facts, RuleRow
from cpm_opt.formulation.draft import Draft
from cpm_opt.formulation.pinned import FIX, Pin, read_pins
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Portfolio

CHOICES, CUSTOMERS = "choices", "customers"


@dataclass(frozen=True)
class Pins:
    """An option is fixed, or forbidden, for some groups in some periods; each pin is LEVER=OPTION[@GROUP][:t1-t2].

        fix      chosen[d,g,o,t] >= 1                     for each group g and period t of the pin
        forbid   chosen[d,g,o,t] <= 0
        fix      on[s,d,o,t] >= customers[s,t]            on a lever of choice mix, for each segment s
        forbid   on[s,d,o,t] <= 0

    Without GROUP a pin holds for all; on a lever of choice mix GROUP is a segment, `all` (the active ones) or
    COLUMN=VALUE. Rows are in choices (0 or 1), or in customers.
    """

    fix: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()

    name: ClassVar[str] = "pins"

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """Unknown names, options that are not offered, pins that contradict each other."""
        return tuple(read_pins(portfolio, self.fix, self.forbid)[1])

    def names(self, portfolio: Portfolio) -> tuple[str, ...]:
        """The pins as their rows are named."""
        return tuple(pin.name for pin in read_pins(portfolio, self.fix, self.forbid)[0])

    def declare(self, draft: Draft) -> None:
        """Declares nothing: a pin is about choices that are there."""

    def constrain(self, draft: Draft) -> None:
        """A row for each pin, group and period."""
        for pin in read_pins(draft.portfolio, self.fix, self.forbid)[0]:
            lever = draft.portfolio.levers[pin.lever]
            periods = slice(pin.first - 1, pin.last)
            if lever.single:
                columns = draft.core.chosen[pin.lever][pin.targets, lever.options.index(pin.option), periods]
            else:
                columns = draft.core.on[pin.targets, pin.option, periods]
            cells = np.arange(columns.size).reshape(columns.shape)
            terms, right = Terms.of(columns.size, cells, columns, 1.0), 0.0
            if pin.words.kind == FIX and lever.single:
                right = 1.0
            elif pin.words.kind == FIX:
                there = draft.core.customers[pin.targets, periods]
                terms = terms - Terms.of(columns.size, cells, there, 1.0)
            keys = _keys(draft.portfolio, pin)
            draft.limit(self.name, keys, keys, terms, "min" if pin.words.kind == FIX else "max", right)

    def audit(self, facts: Facts) -> Audit:
        """Each pin's rows from the choices and the customers on options."""
        p, rows = facts.portfolio, []
        for pin in read_pins(p, self.fix, self.forbid)[0]:
            single, fixed = p.levers[pin.lever].single, pin.words.kind == FIX
            keys = iter(_keys(p, pin))
            for target in pin.targets.tolist():
                for t in range(pin.first - 1, pin.last):
                    if single:
                        value = float(facts.decisions.chosen[pin.lever][target, t] == pin.option)
                        most = 1.0
                    else:
                        value = float(facts.decisions.customers_on[target, pin.option, t])
                        most = float(facts.customers[target, t])
                    sense, limit = ("min", most) if fixed else ("max", 0.0)
                    rows.append(RuleRow(*next(keys), value, sense, limit, CHOICES if single else CUSTOMERS))
        return Audit(tuple(rows))


def _keys(portfolio: Portfolio, pin: Pin) -> list[tuple[str, str, int]]:
    """The rows of a pin by its name, group (or segment) and period."""
    lever = portfolio.levers[pin.lever]
    names = lever.groups if lever.single else portfolio.segments
    return [
        (pin.name, names[target], t)
        for target in pin.targets.tolist()
        for t in range(pin.first, pin.last + 1)
    ]
