"""The frontier of a plan: how much of the objective each step in a measure costs, between the two single optima.

    ends      the best objective, and of all plans with it the best measure; the best measure, and of these the best
              objective
    between   the best objective with the measure at least (at most) each of evenly spaced bounds
    risk      the objective's mean against the mean of its worst cases (or the worst), by weights from 0 to 1

Every point is solved for the model's own objective under its bound, certified, and written as a run. A point that
another one dominates is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.formulation.audit import facts_of
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.measures import CUSTOMERS, USE, measures_of
from cpm_opt.formulation.spec import ModelSpec, Objective
from cpm_opt.portfolio import Portfolio
from cpm_opt.portfolio.members import members_of, members_remedy
from cpm_opt.runs import check_results, write_run
from cpm_opt.runs.money import unit_words
from cpm_opt.runs.record import folder_faults
from cpm_opt.runs.sheets import csv_text
from cpm_opt.solve.plan import Plan
from cpm_opt.solve.session import Session
from cpm_opt.study.aim import Aim, amount
from cpm_opt.study.base import run_facts_of
from cpm_opt.whole_files import replace_file

if TYPE_CHECKING:
    from cpm_opt.pipeline import Problem

RISK, ALL = "risk", "all"
TABLE = "frontier.csv"
COLUMNS = ("point", "measure", "objective", "profit", "end_value", "price", "status", "run")
MOST_POINTS = 1000
# Ends are exact to this share; the model's own gap where a user has set a wider one than the default.
GAP, DEFAULT_GAP = 1e-9, 1e-6
# Two figures nearer than this share of their size are the same.
SAME = 1e-8
# What a bound, and the best objective, may be missed by, so that the plan that set them keeps them.
ROOM, FLOOR_ROOM = 1e-9, 1e-11


@dataclass(frozen=True)
class Call:
    """What was asked: the measure (or `risk`), whose measure it is (as in table `balance`), whether more (`max`) or
    less (`min`) of it is wished for (blank: less use, more of all else), how many points, and where they go."""

    versus: str
    members: str
    sense: str
    points: int
    results: Path
    out: Path | None = None


@dataclass(frozen=True)
class Point:
    """One plan of the frontier: the measure's amount, the objective, and what one more unit of the bound adds to the
    objective (None at the two ends, and where it is not known)."""

    measure: float
    plan: Plan
    objective: float
    price: float | None
    run: str = ""


@dataclass(frozen=True)
class Frontier:
    """Points from the best objective to the best measure; `unit` of the measure, `more` whether more of it is better;
    `missed`: bounds for which no plan was found in time.

    Without points, `status` says what kept all plans away (infeasible, unbounded, no_solution).
    """

    title: str
    versus: str
    members: str
    unit: str
    more: bool
    points: tuple[Point, ...]
    status: str
    message: str
    instance: dict[str, Any]
    missed: int = 0
    folder: Path | None = None


class NoPlan(Exception):
    """There is no plan at all; holds the answer that says why."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        super().__init__(plan.message)


def frontier(problem: Problem, call: Call, tell: Callable[[int], None] | None = None) -> Frontier:
    """Computes the frontier and writes its runs and table; `tell` hears how many plans are solved."""
    members, more = _checked(problem, call)
    check_results(call.results)
    if call.out is not None:
        _make(call.out)
    p, info = problem.portfolio, problem.tables.info
    facts = {
        "currency": info.currency,
        "money_unit": info.money_unit,
        "period": info.period,
        "periods": p.periods,
    }
    unit = unit_words(p, p.currency) if call.versus == RISK else _unit(p, call.versus)
    solver = _Solver(problem, tell)
    done, message = "done", ""
    points: list[Point] = []
    try:
        with Session(problem.spec) as solver.session:
            if call.versus == RISK:
                points = _by_weights(solver, call.points)
            else:
                aim = Aim(call.versus, members, "min" if more else "max")
                points = _by_bounds(solver, aim, call.points)
    except NoPlan as none:
        done, message = none.plan.status, none.plan.message
    kept = [_written(problem, call, point) for point in undominated(points, more)]
    found = Frontier(
        p.title, call.versus, call.members, unit, more, tuple(kept), done, message, facts, solver.missed
    )
    if not kept:
        return found
    mark = kept[0].run.rpartition("-")[2]
    folder = call.out or call.results / f"frontier-{problem.spec.name}-{info.name}-{mark}"
    _make(folder)
    replace_file("--out", folder / TABLE, csv_text(COLUMNS, [tuple(row.values()) for row in rows_of(found)]))
    return replace(found, folder=folder)


def _make(folder: Path) -> None:
    with folder_faults(folder, "cannot be written", "--out"):
        folder.mkdir(exist_ok=True)


def rows_of(found: Frontier) -> list[dict[str, str | int | float | None]]:
    """The points as rows of the table, from the best objective to the best measure."""
    return [
        {
            "point": number,
            "measure": point.measure,
            "objective": point.objective,
            "profit": point.plan.profit,
            "end_value": _end_value(point.plan),
            "price": point.price if 1 < number < len(found.points) else None,
            "status": point.plan.status,
            "run": point.run,
        }
        for number, point in enumerate(found.points, 1)
    ]


def undominated(points: Sequence[Point], more: bool) -> list[Point]:
    """The points that no other beats, from the best objective on; of points that are the same, one."""
    sign = 1.0 if more else -1.0
    scale = [max((abs(value) for value in values), default=1.0) or 1.0 for values in (
        [point.objective for point in points], [point.measure for point in points],
    )]  # fmt: skip
    ordered = sorted(points, key=lambda point: (-point.objective, -sign * point.measure))
    kept: list[Point] = []
    for point in ordered:
        if kept and sign * (point.measure - kept[-1].measure) <= SAME * scale[1]:
            continue
        if kept and kept[-1].objective - point.objective <= SAME * scale[0]:
            kept.pop()  # as good, and better in the measure
        kept.append(point)
    return kept


@dataclass
class _Solver:
    """Solves the problem's portfolio under changed models, in one session."""

    problem: Problem
    tell: Callable[[int], None] | None
    session: Session = None  # type: ignore[assignment]
    solved: int = 0
    missed: int = 0

    @property
    def spec(self) -> ModelSpec:
        """The model, with a gap at which the ends are exact."""
        spec = self.problem.spec
        gap = spec.solver.mip_gap if spec.solver.mip_gap > DEFAULT_GAP else min(GAP, spec.solver.mip_gap)
        return replace(spec, solver=replace(spec.solver, mip_gap=gap))

    def solve(self, spec: ModelSpec, aim: Aim | None = None) -> Plan:
        """The best plan of a model; NoPlan where there is none that may be shown."""
        if aim is not None:
            spec = replace(spec, components={**spec.components, aim.name: aim})
        self.session.spec = spec
        plan = self.session.solve(self.problem.portfolio, scenarios=self.problem.scenarios)
        self.solved += 1
        if self.tell is not None:
            self.tell(self.solved)
        if not plan.shown or plan.objective is None:
            raise NoPlan(plan)
        return plan


def _by_bounds(solver: _Solver, aim: Aim, count: int) -> list[Point]:
    spec = solver.spec
    own = Weights(spec.objective.profit, spec.objective.end_value, spec.horizon.discount_rate)
    best = solver.solve(spec)
    first, top = _amount(aim, best), float(best.objective or 0.0)
    # Of all plans with the best objective the one with the most of the measure.
    sizes = max(1.0, abs(top)), max(1.0, abs(first))
    floored = replace(aim, own=own, floor=top - FLOOR_ROOM * sizes[0])
    first = _better(aim, first, _pulled(solver, floored, sizes))
    last = _pulled(solver, aim, sizes)
    if last is None:
        message = "has no best amount, or none was found within the time limit"
        remedy = "limit it in the tables, or allow more time"
        raise InputError([Fault("--versus", message, remedy, value=aim.measure, code="no_end")])
    points = [_bounded(solver, aim, bound) for bound in (first, last)]
    found = [point for point in points if point is not None]
    found.append(Point(_amount(aim, best), best, top, None))
    for bound in np.linspace(first, last, count)[1:-1].tolist():
        point = _bounded(solver, aim, bound)
        if point is not None:
            found.append(point)
    return found


def _pulled(solver: _Solver, aim: Aim, sizes: tuple[float, float]) -> float | None:
    """The best amount of the measure under the model's rules (and the aim's floor); None where no plan was found.

    The objective is weighed so low that it does not count: 1e-9 of the measure in all.
    """
    weight = 1e-9 * sizes[1] / sizes[0]
    spec = replace(solver.spec, objective=Objective(weight, 0.0))
    sign = -1.0 if aim.sense == "min" else 1.0
    try:
        plan = solver.solve(spec, replace(aim, pull=sign / weight))
    except NoPlan:
        return None
    return _amount(aim, plan)


def _better(aim: Aim, one: float, other: float | None) -> float:
    if other is None:
        return one
    return max(one, other) if aim.sense == "min" else min(one, other)


def _bounded(solver: _Solver, aim: Aim, bound: float) -> Point | None:
    """The best plan with at least (or at most) so much of the measure; None where the limits of time leave none."""
    room = ROOM * max(1.0, abs(bound)) * (-1.0 if aim.sense == "min" else 1.0)
    try:
        plan = solver.solve(solver.spec, replace(aim, bound=bound + room))
    except NoPlan:
        solver.missed += 1
        return None
    price = plan.shadow_prices.get((aim.name, aim.measure, plan.portfolio.periods))
    worth = None if price is None else float(price.price)
    return Point(_amount(aim, plan), plan, float(plan.objective or 0.0), worth)


def _by_weights(solver: _Solver, count: int) -> list[Point]:
    """Mean against risk: a weight between 0 and 1 gives a plan that no other beats; the ends get a hair of the other
    aim, so that of the best plans the better one is taken."""
    risk = solver.spec.components[RISK]
    points = []
    for weight in [0.0, 1e-6, *np.linspace(0.0, 1.0, count)[1:-1].tolist(), 1.0 - 1e-6, 1.0]:
        parts = {**solver.spec.components, RISK: replace(risk, weight=weight)}
        plan = solver.solve(replace(solver.spec, components=parts))
        worth = np.array([each.recount.objective for each in plan.scenarios])
        chance = np.array([each.probability for each in plan.scenarios])
        bad = replace(risk, weight=1.0).value(worth, chance)
        points.append(Point(float(bad), plan, float(worth @ chance), None))
    return points


def _amount(aim: Aim, plan: Plan) -> float:
    assert plan.decisions is not None
    return amount(aim, facts_of(plan.portfolio, plan.decisions))


def _checked(problem: Problem, call: Call) -> tuple[tuple[bool, ...], bool]:
    """Whose measure it is and whether more is better; raises InputError with every fault of the call."""
    p = problem.portfolio
    faults: list[Fault] = []
    if not 2 <= call.points <= MOST_POINTS:
        message = "is no number of points for a frontier"
        faults.append(
            Fault("--points", message, f"write 2 to {MOST_POINTS}", value=str(call.points), code="points")
        )
    if call.sense not in ("", "min", "max"):
        message = "is neither min nor max"
        faults.append(Fault("--sense", message, "write min or max", value=call.sense, code="sense"))
    if call.versus == RISK:
        if not problem.scenarios or RISK not in problem.spec.components:
            message = "needs scenarios and a model that weighs risk"
            remedy = "add table scenarios, and --set components.risk.weight=0.5"
            faults.append(Fault("--versus", message, remedy, value=RISK, code="risk"))
    elif call.versus not in measures_of(p):
        remedy = did_you_mean(call.versus, [*measures_of(p), RISK])
        faults.append(
            Fault("--versus", "is no measure of the instance", remedy, value=call.versus, code="measure")
        )
    elif problem.scenarios:
        message = "is set against the objective of one future, but the model weighs risk over several"
        faults.append(Fault("--versus", message, "take a model without [components.risk]", value=call.versus))
    members, wrong = members_of(p, call.members)
    if wrong:
        remedy = members_remedy(p, call.members, wrong)
        faults.append(Fault("--members", wrong, remedy, value=call.members, code="members"))
    if faults:
        raise InputError(faults)
    more = call.sense == "max" or (not call.sense and not call.versus.startswith(USE))
    return tuple(bool(flag) for flag in members), more or call.versus == RISK


def _unit(p: Portfolio, measure: str) -> str:
    if measure == CUSTOMERS:
        return "customers"
    if measure.startswith(USE):
        return p.resources.units[p.resources.names.index(measure.removeprefix(USE))] or "units"
    return unit_words(p, p.measure_units.get(measure, p.currency))


def _end_value(plan: Plan) -> float | None:
    if plan.scenarios:
        return sum(each.probability * each.recount.end_value for each in plan.scenarios)
    return None if plan.recount is None else plan.recount.end_value


def _written(problem: Problem, call: Call, point: Point) -> Point:
    """The point with its run in the store."""
    spec = problem.spec
    told = f"a point of the frontier of the objective and {call.versus} of {call.members}: {point.measure:.9g} of it"
    facts = run_facts_of(problem, spec)
    record = write_run(call.results, point.plan, replace(facts, notes=(*facts.notes, told), study="frontier"))
    return replace(point, run=record.id)
