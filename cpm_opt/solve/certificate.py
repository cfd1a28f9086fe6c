"""The certificate: every promise of a plan checked again, without Pyomo and without a solver."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cpm_opt.formulation.audit import Breach, Decisions, Facts
from cpm_opt.formulation.components.component import Component
from cpm_opt.formulation.draft import Weights
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.solve.plan import Certificate, Recount
from cpm_opt.solve.recount import recount

TOLERANCE = 1e-6
# A side that is a difference of large figures is off by what their sums round off: so much of the tolerance of these.
SUMMED = 0.01


def certify(
    portfolio: Portfolio,
    decisions: Decisions,
    components: Iterable[Component],
    objective: Weights,
    solver_objective: float,
    bound: float | None,
    part: bool = False,
) -> tuple[Certificate, Recount]:
    """Recounts the plan and reports the largest violation, in units of max(1, |right side|).

    Checked: finite numbers; customers on options not negative, only on what is offered, adding up to the customers of
    the segment; one option a group of a `single` lever and all its customers on it; whole customers where the segment
    says so; every row and every other condition of the rules; the objective against the solver's. `part`: this is one
    scenario of several; where it does not weigh, the solver may have left it worth less than the decisions make it.
    """
    countable = Decisions(
        np.nan_to_num(decisions.customers_on), decisions.chosen, np.nan_to_num(decisions.extra)
    )
    found, facts, breaches = recount(portfolio, countable, components, objective)
    structure, checked = _structure(facts)
    worst = Breach("", 0.0)
    rows = [
        Breach(
            f"{row.rule} {row.subject} in period {row.period}".replace("  ", " "),
            _scaled(-row.slack, max(abs(row.limit), SUMMED * row.scale)),
        )
        for row in found.rows
        if row.penalty is None
    ]
    drift = abs(found.objective - solver_objective) / max(1.0, abs(solver_objective))
    if part and found.objective > solver_objective:
        drift = 0.0
    finite = np.isfinite(decisions.customers_on).all() and np.isfinite(decisions.extra).all()
    countless = Breach("decisions that are no finite numbers", 0.0 if finite else float("inf"))
    every = [countless, *structure, *breaches, *rows, Breach("objective against the solver's", drift)]
    for breach in every:
        if not breach.amount <= worst.amount:
            worst = breach
    passed = bool(worst.amount <= TOLERANCE)
    checked += len(rows) + len(breaches) + 2
    certificate = Certificate(
        passed, float(worst.amount), worst.where, found.objective, solver_objective, bound, checked
    )
    return certificate, found


def _scaled(violation: float, right: float) -> float:
    return violation / max(1.0, abs(right))


def _structure(facts: Facts) -> tuple[list[Breach], int]:
    """Conditions of the core: the worst breach of each kind, and how many conditions there were."""
    p, on = facts.portfolio, facts.decisions.customers_on
    starts = facts.customers[:, :-1]
    breaches = [
        _worst("customers on options are negative", -on, 1.0),
        _worst("customers of a segment are negative", -facts.customers, 1.0),
        _worst("customers on an option that is not offered", on * ~p.offered[:, :, None], 1.0),
    ]
    checked = 2 * on.size + facts.customers.size
    for number, lever in enumerate(p.levers):
        mine = on[:, p.lever_of == number]
        off = np.abs(mine.sum(axis=1) - starts)
        breaches.append(_worst(f"customers on {lever.name} do not add up to the segment's", off, starts))
        checked += off.size
        if lever.single:
            breaches += _single(facts, number)
            checked += off.size + facts.decisions.chosen[number].size
        else:
            whole = np.abs(mine - np.round(mine)) * p.whole[:, None, None]
            breaches.append(_worst(f"parts of a customer on {lever.name}", whole, 1.0))
    return breaches, checked


def _single(facts: Facts, number: int) -> list[Breach]:
    p, lever, chosen = facts.portfolio, facts.portfolio.levers[number], facts.decisions.chosen[number]
    if chosen.shape != (len(lever.groups), p.periods) or not np.isin(chosen, lever.options).all():
        return [Breach(f"{lever.name}: a group without one option", float("inf"))]
    theirs = chosen[lever.group_of]
    positions = np.arange(len(p.options))[None, :, None]
    elsewhere = (p.lever_of == number)[None, :, None] & (positions != theirs[:, None, :])
    offered = p.offered[np.arange(len(p.segments))[:, None], theirs]
    return [
        _worst(
            f"customers on another option of {lever.name} than their group's",
            facts.decisions.customers_on * elsewhere,
            1.0,
        ),
        Breach(
            f"{lever.name}: a group on an option that is not offered", 0.0 if offered.all() else float("inf")
        ),
    ]


def _worst(where: str, violation: np.ndarray, right: np.ndarray | float) -> Breach:
    scaled = violation / np.maximum(1.0, np.abs(right))
    return Breach(where, max(0.0, float(scaled.max(initial=0.0))))
