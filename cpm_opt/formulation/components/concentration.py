"""Concentration: the firm does not hang on a few segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from cpm_opt.faults import Fault, did_you_mean
from cpm_opt.formulation.audit import Audit, Facts, RuleRow
from cpm_opt.formulation.core import periods_of
from cpm_opt.formulation.draft import INFINITY, Draft, Key
from cpm_opt.formulation.measures import by_segment, measures_of, recounted
from cpm_opt.formulation.terms import Squares, Terms
from cpm_opt.portfolio.portfolio import Indices, Numbers, Portfolio

INDEX, TOTAL = "index", "total"
# A sum of squares up to this is no money at all, and breaks no limit.
NOTHING = 1e-6


@dataclass(frozen=True)
class Concentration:
    """In each period the largest segments have at most a share of the total, or the Herfindahl index stays low.

        the top_k largest a[s,t] together <= top_share total[t],   total[t] = sum_active a[s,t]
        sum_active a[s,t]^2 <= hhi total[t]^2,   total[t] >= 0

    a is `measure` of each active segment: customers at the end of the period, or margin, revenue, cash, use:RESOURCE or
    a measure during it. The first is linear: the k largest are min_z k z + sum max(0, a - z). The second is
    curved: with square[s,t] >= a[s,t]^2 / total[t] it is sum square <= hhi total, and each curve is kept by tangents
        square >= 2 r a - r^2 total
    at shares r, a few from the start and more where the plan leaves the curve. `top_share` and `hhi` are fractions.
    """

    name: ClassVar[str] = "concentration"

    measure: str = "margin"
    top_k: Annotated[int | None, Field(ge=1)] = None
    top_share: Annotated[float | None, Field(ge=0, le=1)] = None
    hhi: Annotated[float | None, Field(gt=0, le=1)] = None

    def __post_init__(self) -> None:
        if (self.top_k is None) != (self.top_share is None):
            raise ValueError("top_k and top_share belong together")
        if self.top_k is None and self.hhi is None:
            raise ValueError("limits nothing: it needs top_k with top_share, or hhi")

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """The measure is there."""
        if self.measure in measures_of(portfolio):
            return ()
        remedy = did_you_mean(self.measure, measures_of(portfolio))
        place = "components.concentration.measure"
        return (Fault(place, "is no measure of the instance", remedy, value=self.measure, code="measure"),)

    def declare(self, draft: Draft) -> None:
        """Declares nothing: what it needs is made with the rows."""

    def constrain(self, draft: Draft) -> None:
        """The total, and each of the two limits that is on."""
        p = draft.portfolio
        if not p.active.any():
            return
        amounts = by_segment(draft, self.measure).rows(np.repeat(p.active, p.periods))
        numbers = periods_of(p)
        total = draft.add_variables(self.name, "total", [numbers], lower=-INFINITY)
        summed = amounts.gathered(np.tile(np.arange(p.periods), int(p.active.sum())), p.periods)
        terms = Terms.of(p.periods, np.arange(p.periods), total, 1.0) - summed
        draft.add_rows(self.name, "is_total", [numbers], terms, "==")
        if self.top_k is not None and self.top_share is not None:
            self._top(draft, amounts, total)
        if self.hhi is not None:
            self._index(draft, amounts, total, self.hhi)

    def _top(self, draft: Draft, amounts: Terms, total: Indices) -> None:
        p, numbers = draft.portfolio, periods_of(draft.portfolio)
        active, count = _active(p), min(self.top_k or 0, int(p.active.sum()))
        threshold = draft.add_variables(self.name, "threshold", [numbers], lower=-INFINITY)
        above = draft.add_variables(self.name, "above", [active, numbers])
        cells = np.arange(above.size).reshape(above.shape)
        least = (
            Terms.of(cells.size, cells, above, 1.0) + Terms.of(cells.size, cells, threshold, 1.0) - amounts
        )
        draft.add_rows(self.name, "above_threshold", [active, numbers], least, ">=")
        periods = np.arange(p.periods)
        terms = Terms.of(p.periods, periods, threshold, float(count)) + Terms.of(
            p.periods, periods, above, 1.0
        )
        terms = terms - Terms.of(p.periods, periods, total, self.top_share or 0.0)
        index, keys = self._keys(p, self._subject)
        draft.limit(self.name, index, keys, terms, "max", 0.0)

    def _index(self, draft: Draft, amounts: Terms, total: Indices, hhi: float) -> None:
        p, numbers, periods = draft.portfolio, periods_of(draft.portfolio), np.arange(draft.portfolio.periods)
        active = _active(p)
        index, keys = self._keys(p, TOTAL)
        draft.limit(self.name, index, keys, Terms.of(p.periods, periods, total, 1.0), "min", 0.0)
        square = draft.add_variables(self.name, "square", [active, numbers])
        index, keys = self._keys(p, INDEX)
        terms = Terms.of(p.periods, periods, square, 1.0) - Terms.of(p.periods, periods, total, hhi)
        draft.limit(self.name, index, keys, terms, "max", 0.0)
        cells = np.arange(square.size).reshape(square.shape)
        base = Terms.of(cells.size, cells, total, 1.0)
        mine = Terms.of(cells.size, cells, square, 1.0)
        for number, share in enumerate(sorted({1.0 / len(active), float(np.sqrt(hhi))})):
            tangent = mine - amounts.scaled(2.0 * share) + base.scaled(share**2)
            draft.add_rows(self.name, f"tangent_{number + 1}", [active, numbers], tangent, ">=")
        limit = Terms.of(p.periods, periods, total, hhi)
        group = np.tile(periods, len(active))
        draft.space.squares.append(Squares(amounts, base, square.ravel(), group, limit, tuple(keys)))

    @property
    def _subject(self) -> str:
        return f"top {self.top_k}"

    def _keys(self, portfolio: Portfolio, subject: str) -> tuple[list[tuple[object, ...]], list[Key]]:
        numbers = periods_of(portfolio)
        return [(subject, t) for t in numbers], [(self.name, subject, t) for t in numbers]

    def audit(self, facts: Facts) -> Audit:
        """The largest by sorting, and the index by its formula."""
        p = facts.portfolio
        if not p.active.any():
            return Audit()
        figures, unit = recounted(facts, self.measure)
        amounts = figures[p.active]
        rows: list[RuleRow] = []
        for t in range(p.periods):
            now = amounts[:, t]
            total, size = float(now.sum()), float(np.abs(now).sum())
            if self.top_k is not None and self.top_share is not None:
                largest = float(np.sort(now)[::-1][: self.top_k].sum())
                limit = self.top_share * total
                rows.append(RuleRow(self.name, self._subject, t + 1, largest, "max", limit, unit, scale=size))
            if self.hhi is not None:
                rows.append(RuleRow(self.name, TOTAL, t + 1, total, "min", 0.0, unit, scale=size))
                rows.append(RuleRow(self.name, INDEX, t + 1, _herfindahl(now), "max", self.hhi, "index"))
        return Audit(tuple(rows))


def _herfindahl(amounts: Numbers) -> float:
    """Sum of squares by the square of the sum; 0 where there is nothing to share."""
    squares, total = float(amounts @ amounts), float(amounts.sum())
    if squares <= NOTHING:
        return 0.0
    return squares / total**2 if total > 0.0 else INFINITY


def _active(portfolio: Portfolio) -> list[str]:
    return [
        name for name, active in zip(portfolio.segments, portfolio.active.tolist(), strict=True) if active
    ]
