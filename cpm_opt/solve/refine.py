"""Curved rows, kept by tangents: solve, add a tangent wherever the plan leaves its curve, and solve again.

A square `root^2 / base` (with base >= 0) is at least each of its tangents `2 r root - r^2 base`, one for each share
r = root / base. Every tangent holds for every plan that keeps the rule, so the solver's bound stays proven; a plan
counts only when the squares themselves keep their limit. With whole numbers, the relaxed model is refined first, and
then the rest of each plan found, its integers fixed; when that plan reaches the bound, it is the best one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from cpm_opt.formulation.terms import Squares, Terms
from cpm_opt.portfolio.portfolio import Indices, Numbers
from cpm_opt.solve.engine import Engine, OutOfTime
from cpm_opt.solve.linear import LinearProgram
from cpm_opt.solve.search import (
    MOMENT,
    OPTIMAL,
    Found,
    Limits,
    ended,
    gap_of,
    run,
    search,
    solver_for,
    with_integers_of,
)

# A limit is kept where it is missed by this share of the base at most; and so many rounds of tangents.
CLOSE, MOST_ROUNDS = 1e-9, 60
# Coefficients up to this are left out of tangents, as the solver would.
NEGLIGIBLE = 1e-9


def search_curved(engine: Engine, program: LinearProgram, limits: Limits, again: bool) -> Found:
    """As `search.search`, for a program that may have curved rows; the solver holds none of the tangents afterwards."""
    if not program.squares:
        return search(engine, program, limits, again)
    tangents = _Tangents(engine, program, limits)
    try:
        if program.integer.any():
            again = _refine_relaxed(tangents, again)
        found = _refined(tangents, again)
        tangents.withdraw()
    except OutOfTime:
        return ended(tangents.best, tangents.bound)
    return tangents.blamed(found)


@dataclass
class _Tangents:
    """The tangents that the solver has been given; `rows` tells of each which row a manager knows it by (-1: none).
    `best` is the best plan so far that keeps the curves, `bound` what no plan can exceed."""

    engine: Engine
    program: LinearProgram
    limits: Limits
    rows: list[int] = field(default_factory=list)
    best: Found | None = None
    bound: float | None = None

    def missing(self, values: Numbers) -> list[tuple[Squares, Indices, Numbers]]:
        """The curves that a point leaves: of each family, which ones, and at what share."""
        left = []
        for curved in self.program.squares:
            root, base = _value(curved.root, values), _value(curved.base, values)
            share = np.divide(root, base, out=np.zeros_like(root), where=base > CLOSE)
            true = share * root
            over = np.bincount(curved.group, true, minlength=curved.limit.size) - _value(curved.limit, values)
            missed = true - np.where(curved.square >= 0, values[curved.square], 0.0)
            broken = over[curved.group] > CLOSE * np.maximum(1.0, base)
            off = np.flatnonzero(broken & (missed > NEGLIGIBLE * CLOSE * np.maximum(1.0, base)))
            if len(off):
                left.append((curved, off, share[off]))
        return left

    def add(self, missing: list[tuple[Squares, Indices, Numbers]]) -> None:
        """Gives the solver a tangent for each."""
        for curved, which, share in missing:
            picked = np.zeros(curved.root.size, dtype=bool)
            picked[which] = True
            count = len(which)
            terms = curved.root.rows(picked).scaled(2.0 * share) - curved.base.rows(picked).scaled(share**2)
            terms = terms - Terms.of(count, np.arange(count), curved.square[which], 1.0)
            keep = np.abs(terms.coefficient) > NEGLIGIBLE
            cell, column, value = _added_up(terms.cell[keep], terms.column[keep], terms.coefficient[keep])
            start = np.searchsorted(cell, np.arange(count))
            self.engine.ask("add_rows", -terms.constant, start, column, value, deadline=self.limits.killing)
            known = [self.program.keys.get(curved.blamed[g], (-1,)) for g in curved.group[which].tolist()]
            self.rows += [positions[0] for positions in known]

    def withdraw(self) -> None:
        """Takes the tangents away again: they belong to the numbers of this program."""
        if self.rows and self.engine.alive:
            self.engine.ask("withdraw_rows", len(self.rows), deadline=self.limits.killing)

    def blamed(self, found: Found) -> Found:
        """What was found, a contradiction told by rows of the program and prices of these alone."""
        own = len(self.program.row_lower)
        told = tuple(row if row < own else self.rows[row - own] for row in found.conflict)
        duals = None if found.row_duals is None else found.row_duals[:own]
        return replace(found, conflict=tuple(dict.fromkeys(row for row in told if row >= 0)), row_duals=duals)


def _value(terms: Terms, values: Numbers) -> Numbers:
    amounts = terms.coefficient * values[terms.column]
    return np.asarray(np.bincount(terms.cell, amounts, minlength=terms.size) + terms.constant)


def _added_up(cell: Indices, column: Indices, value: Numbers) -> tuple[Indices, Indices, Numbers]:
    """Entries in the order of their rows, one a column: the solver refuses a column that stands twice in a row."""
    order = np.lexsort((column, cell))
    cell, column, value = cell[order], column[order], value[order]
    first = np.ones(len(cell), dtype=bool)
    first[1:] = (np.diff(cell) != 0) | (np.diff(column) != 0)
    starts = np.flatnonzero(first)
    return cell[starts], column[starts], np.add.reduceat(value, starts)


def _refine_relaxed(tangents: _Tangents, again: bool) -> bool:
    """Tangents for the model without whole numbers, which is quickly solved; whether the solver holds a basis."""
    engine, limits = tangents.engine, tangents.limits
    engine.ask("whole_numbers", False, deadline=limits.killing)
    engine.ask("fix", None, deadline=limits.killing)
    for _ in range(MOST_ROUNDS):
        answer = run(engine, limits, solver_for(tangents.program, limits.method, again))
        if answer["status"] != OPTIMAL:
            return again
        again = True
        missing = tangents.missing(answer["values"])
        if not missing:
            break
        tangents.add(missing)
    return again


def _refined(tangents: _Tangents, again: bool) -> Found:
    engine, program, limits = tangents.engine, tangents.program, tangents.limits
    found, bound = ended(None, None), float("inf")
    for _ in range(MOST_ROUNDS):
        found = search(engine, program, limits, again)
        again = True
        if found.bound is not None:
            tangents.bound = bound = min(bound, found.bound)
        if found.values is None:
            return found if tangents.best is None else ended(tangents.best, bound)
        missing = tangents.missing(found.values)
        if not missing:
            return _better(tangents.best, replace(found, bound=bound), limits)
        if not engine.alive or limits.left <= MOMENT:
            return ended(tangents.best, bound)
        tangents.add(missing)
        if program.integer.any():
            plan = _with_integers(tangents, found.values, bound)
            if plan is not None and _worth(plan) > _worth(tangents.best):
                tangents.best = plan
            if tangents.best is not None and gap_of(_worth(tangents.best), bound) <= limits.gap:
                return replace(tangents.best, status="optimal", bound=bound)
    return ended(tangents.best, bound)


def _with_integers(tangents: _Tangents, values: Numbers, bound: float) -> Found | None:
    """The best plan with these integers that keeps the curves; None where there is none, or no time for it."""
    for _ in range(MOST_ROUNDS):
        plan = with_integers_of(tangents.engine, tangents.program, tangents.limits, values, bound, "feasible")
        if plan is None or plan.values is None:
            return None
        missing = tangents.missing(plan.values)
        if not missing:
            return plan
        tangents.add(missing)
    return None


def _worth(plan: Found | None) -> float:
    return -np.inf if plan is None or plan.objective is None else plan.objective


def _better(best: Found | None, found: Found, limits: Limits) -> Found:
    """The better of two plans; it is the best there is where it reaches the bound."""
    if best is None or _worth(found) >= _worth(best) or found.bound is None:
        return found
    near = gap_of(_worth(best), found.bound) <= limits.gap
    return replace(best, status="optimal" if near else "feasible", bound=found.bound)
