"""Steps from one set of figures to another in whole cents, so that they add up exactly along rows and columns.

start[k] + sum_j step[j, k] = end[k]        for each part k of the firm, in cents
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from cpm_opt.faults import DefectError
from cpm_opt.portfolio.portfolio import Numbers

Cents = tuple[int, ...]


@dataclass(frozen=True)
class Bridge:
    """`start` and `end` by part of the firm (the segments, and last what is no segment's alone), and `steps` by name,
    in units of 10**-decimals of the tables' money; None is a step that is not known."""

    start: Cents
    steps: Mapping[str, Cents | None]
    end: Cents
    decimals: int

    def money(self, cents: int) -> Decimal:
        """Cents as money."""
        return Decimal(cents).scaleb(-self.decimals)

    def total(self, name: str) -> Decimal | None:
        """The step over all parts of the firm."""
        parts = self.steps[name]
        return None if parts is None else self.money(sum(parts))

    @property
    def planned(self) -> Decimal:
        """All of `start`."""
        return self.money(sum(self.start))

    @property
    def actual(self) -> Decimal:
        """All of `end`."""
        return self.money(sum(self.end))


def bridge(start: Numbers, steps: Mapping[str, Numbers | None], end: Numbers, money_unit: float) -> Bridge:
    """The bridge in whole cents of the real money; each of `start`, `steps[name]` and `end` has a figure a part.

    Cents that rounding leaves over go to the figures whose rounding erred most. Raises DefectError where the steps
    miss the difference by more than computing may.
    """
    decimals = 2 + max(0, math.ceil(math.log10(money_unit) - 1e-9))
    scale = 10.0**decimals
    known = {name: amounts for name, amounts in steps.items() if amounts is not None}
    size = np.abs(start) + np.abs(end) + sum((np.abs(each) for each in known.values()), np.zeros(len(start)))
    missed = start + sum(known.values(), np.zeros(len(start))) - end
    # What is the firm's own is a difference of sums over all segments, so it errs as these do.
    if (np.abs(missed) > 1e-9 * size + 1e-12 * size.sum() + 1e-9).any():
        raise DefectError(f"the variances miss the difference of the profits by {np.abs(missed).max():g}")
    first = shared_out(start * scale, round(float(start.sum()) * scale))
    last = shared_out(end * scale, round(float(end.sum()) * scale))
    names = list(known)
    cells = np.array([known[name] for name in names]).reshape(len(names), len(start)) * scale
    whole = [shared_out(cells[:, k], last[k] - first[k]) for k in range(len(start))]
    found = {name: tuple(column[j] for column in whole) for j, name in enumerate(names)}
    return Bridge(tuple(first), {name: found.get(name) for name in steps}, tuple(last), decimals)


def shared_out(values: Sequence[float] | Numbers, total: int) -> list[int]:
    """The values as whole numbers that add up to `total`; what is left over goes to those that rounding put off most,
    of equals to the first. Values of 0 stay 0 as long as there are others."""
    whole = [round(float(value)) for value in values]
    left = total - sum(whole)
    if not left:
        return whole
    if not whole:
        raise DefectError("nothing can take up what rounding leaves")
    sign = 1 if left > 0 else -1
    order = sorted(
        range(len(whole)), key=lambda k: (values[k] == 0.0, -sign * (float(values[k]) - whole[k]), k)
    )
    live = [k for k in order if values[k] != 0.0] or order
    each, more = divmod(abs(left), len(live))
    for place, k in enumerate(live):
        whole[k] += sign * (each + (1 if place < more else 0))
    return whole
