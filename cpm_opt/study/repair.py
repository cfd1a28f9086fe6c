"""Repair: the cheapest set of changes that makes an infeasible plan feasible, and rules that contradict each other.

What may be changed are the numbers of two tables: the capacity of a row of `resources`, and the value of a balance rule
that is a wall. A change of one number counts once, for all periods in which the number holds, and costs `repair_cost`
a unit: of the resource, or of the rule's row, as its penalty does (so customers or money for a share or a mean, whose
new value is then the one that the missing amount comes to). Where no number has a repair_cost, the fewest rules are
changed, each by as little of its size as will do; else a number without one is not negotiable.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cpm_opt.faults import DefectError
from cpm_opt.formulation.audit import Decisions, facts_of
from cpm_opt.formulation.components import Balance
from cpm_opt.pipeline import Problem
from cpm_opt.portfolio import build_portfolio
from cpm_opt.portfolio.portfolio import BalanceRule, Numbers, Portfolio
from cpm_opt.portfolio.scenarios import build_scenarios
from cpm_opt.runs.money import unit_words
from cpm_opt.solve.elastic import Case, Elastic, Label, composed, irreducible, sides_of
from cpm_opt.solve.engine import OutOfTime
from cpm_opt.solve.plan import Plan
from cpm_opt.solve.recount import doing_nothing
from cpm_opt.solve.solve import solve

FEASIBLE, REPAIRED, BEYOND, OUT_OF_TIME = "feasible", "repaired", "not_repairable", "no_solution"
BY_COST, BY_COUNT = "repair_cost", "rules"
SMALLEST = 1e-9
# Sets of the fewest rules are compared by size up to so many of them.
MOST_SETS = 500


@dataclass(frozen=True)
class Number:
    """A number of the tables that a repair may change.

    `rule` as the manager knows it; `table`, `column`, and of its row the `name` (of the rule or the resource) and the
    `period` (0: all); `value` in `unit`; what easing it by a unit costs (None where none is stated); `sign`: whether
    easing makes it larger (+1) or smaller (-1); `size` is what the limit amounts to in units of the rule's row; `moves`
    tells by what each row moves with a unit of easing; `relational`: the value is a share or a mean.
    """

    rule: str
    table: str
    column: str
    name: str
    period: int
    value: float
    unit: str
    repair_cost: float | None
    sign: int
    size: float
    moves: Mapping[Label, float] = field(repr=False)
    relational: bool = False


@dataclass(frozen=True)
class Change:
    """One change: `number` goes from its value to `to`; `cost` is money (or 1 where rules are counted), `missing` what
    was missing in units of the rule's row, `relative` that as a share of the row's size."""

    number: Number
    to: float
    cost: float
    missing: float
    relative: float


@dataclass(frozen=True)
class Repair:
    """What makes a plan feasible. `status`: `feasible` (nothing to do), `repaired`, `not_repairable`, or `no_solution`
    where the time ran out. `basis`: whether costs or the number of rules were made least. `conflict`: rules that
    contradict each other and of which each is needed for that. `plan`: the best plan after the changes."""

    problem: Problem
    status: str
    basis: str
    changes: tuple[Change, ...] = ()
    conflict: tuple[str, ...] = ()
    plan: Plan | None = None
    complete: bool = True

    @property
    def total_cost(self) -> float:
        """Cost of all changes; their number where no costs are stated."""
        return float(sum(change.cost for change in self.changes))


def repair(problem: Problem) -> Repair:
    """The cheapest changes and a conflict, within the model's time limit; the changed instance is built and solved
    anew. Raises DefectError where that shows no plan."""
    case = Case(problem.portfolio, problem.scenarios)
    numbers = negotiable(problem, case)
    stated = any(number.repair_cost is not None for number in numbers)
    if stated:
        numbers = [number for number in numbers if number.repair_cost is not None]
    try:
        while True:
            found = _searched(problem, case, numbers, stated)
            if found.status != REPAIRED:
                return found
            verified = _verified(found)
            if verified is not None:
                return verified
            # A share or a mean of a total that is not positive cannot always be moved to where it would hold.
            stuck = {change.number.name for change in found.changes if change.number.relational}
            if not stuck:
                raise DefectError("the repaired instance has no plan")
            numbers = [number for number in numbers if number.table != "balance" or number.name not in stuck]
    except OutOfTime:
        return Repair(problem, OUT_OF_TIME, BY_COST if stated else BY_COUNT)


def _searched(problem: Problem, case: Case, numbers: Sequence[Number], stated: bool) -> Repair:
    """The changes and the conflict, not yet tried."""
    basis = BY_COST if stated else BY_COUNT
    prices = [number.repair_cost or 0.0 for number in numbers]
    moves = [number.moves for number in numbers]
    with Elastic(composed(case, problem.spec), problem.spec, moves, prices, problem.started) as elastic:
        if elastic.feasible(elastic.rules):
            return Repair(problem, FEASIBLE, basis)
        conflict = tuple(name for _, name in irreducible(elastic))
        if not elastic.feasible(elastic.rules, range(len(numbers))):
            return Repair(problem, BEYOND, basis, conflict=conflict)
        found, complete = _by_cost(elastic, numbers) if stated else _by_count(elastic, numbers)
    changes = _changes(case, numbers, *found, stated)
    return Repair(problem, REPAIRED, basis, changes, conflict, None, complete)


def negotiable(problem: Problem, case: Case) -> list[Number]:
    """The numbers that matter in the model, whether or not a repair_cost is stated."""
    found: list[Number] = []
    if "balance" in problem.spec.components:
        sizes = _sizes(case.portfolio)
        found += [
            _of_rule(case, rule, sizes[rule.name]) for rule in case.portfolio.balance if rule.penalty is None
        ]
    if "capacity" in problem.spec.components:
        found += _of_resources(problem, case)
    return [number for number in found if number.moves]


def _sizes(portfolio: Portfolio) -> dict[str, float]:
    """What each balance rule's limit amounts to as things are today, in units of its row."""
    rows = Balance().audit(facts_of(portfolio, doing_nothing(portfolio))).rows
    sizes: dict[str, float] = {}
    for row in rows:
        sizes[row.rule] = max(sizes.get(row.rule, 0.0), abs(row.limit))
    return {rule: size or 1.0 for rule, size in sizes.items()}


def _of_rule(case: Case, rule: BalanceRule, size: float) -> Number:
    names = [scenario.name for scenario in case.scenarios] or [""]
    ease = 1.0 if rule.sense == "min" else -1.0
    moves: dict[Label, float] = {
        (name, "balance", "limit", (rule.name, t)): ease
        for name in names
        for t in range(rule.first, rule.last + 1)
    }
    p = case.portfolio
    unit = unit_words(p, p.measure_units.get(rule.measure, p.currency))
    if rule.measure == "customers":
        unit = "customers"
    elif rule.resource >= 0:
        unit = p.resources.units[rule.resource]
    sign = -1 if rule.sense == "min" else 1
    cost, relational = rule.repair_cost, rule.basis != "amount"
    return Number(
        rule.name, "balance", "value", rule.name, 0, rule.value, unit, cost, sign, size, moves, relational
    )


def _of_resources(problem: Problem, case: Case) -> list[Number]:
    """A number for each row of `resources` that holds in some period; what a unit of it moves is found by composing the
    model with one more: factors, utilisation and the cost of capacity (in cash) are all in that."""
    frames = problem.frames
    if "resources" not in frames:
        return []
    base = sides_of(composed(case, problem.spec))
    table, found = frames["resources"], []
    units = dict(zip(case.portfolio.resources.names, case.portfolio.resources.units, strict=True))
    for row in table.to_dict("records"):
        capacity, period = float(row["capacity"]), int(row["period"])
        if not np.isfinite(capacity) or period > case.portfolio.periods:
            continue
        more = {("resources", "capacity", row["resource"], period): capacity + 1.0}
        moved = sides_of(composed(changed(problem, more), problem.spec))
        moves = {
            label: base[label] - side
            for label, side in moved.items()
            if label in base and abs(side - base[label]) > 1e-12
        }
        cost = float(row["repair_cost"])
        found.append(
            Number(
                f"capacity {row['resource']}",
                "resources",
                "capacity",
                str(row["resource"]),
                period,
                capacity,
                units[row["resource"]],
                None if np.isnan(cost) else cost,
                1,
                abs(capacity) or 1.0,
                moves,
            )
        )
    return found


def changed(problem: Problem, values: Mapping[tuple[str, str, str, int], float]) -> Case:
    """The problem with other numbers in its tables: `values[table, column, name, period]`, where `name` is the rule or
    the resource of the row, and `period` that of a row of `resources` (0: the blank one)."""
    frames = dict(problem.frames)
    for (table, column, name, period), value in values.items():
        frame = frames[table].copy()
        mine = frame["resource" if table == "resources" else "rule"] == name
        if table == "resources":
            mine &= frame["period"] == period
        frame.loc[mine, column] = value
        frames[table] = frame
    info, periods = problem.tables.info, problem.spec.horizon.periods
    scenarios = build_scenarios(frames, info, periods) if problem.scenarios else ()
    return Case(build_portfolio(frames, info, periods), scenarios)


Found = tuple[Numbers, list[Decisions]]


def _by_cost(elastic: Elastic, numbers: Sequence[Number]) -> tuple[Found, bool]:
    """The cheapest changes; among equally cheap ones the least in size."""
    every, prices = range(len(numbers)), [number.repair_cost or 0.0 for number in numbers]
    first = elastic.cheapest(every, prices)
    if first is None:
        raise DefectError("a repair that is there was not found again")
    budget = float(np.dot(prices, first[0]))
    second = elastic.cheapest(
        every, [1.0 / number.size for number in numbers], budget + 1e-9 * max(1.0, budget)
    )
    return (first if second is None else second), True


def _by_count(elastic: Elastic, numbers: Sequence[Number]) -> tuple[Found, bool]:
    """The fewest rules whose change makes the plan feasible, with the least relative size; and whether all such sets
    were compared. Each set of rules that will not do leaves rules of which one has to be changed, too."""
    rules = sorted({number.rule for number in numbers})
    hit: list[frozenset[str]] = []
    best: tuple[float, Found] | None = None
    tried = 0
    for count in range(1, len(rules) + 1):
        for chosen in _sets(rules, count, hit):
            if best is not None and tried >= MOST_SETS:
                return best[1], False
            tried += 1
            eased = [k for k, number in enumerate(numbers) if number.rule in chosen]
            if not elastic.feasible(elastic.rules, eased):
                hit.append(_beside(elastic, numbers, rules, chosen))
                continue
            sizes = [1.0 / number.size for number in numbers]
            answer = elastic.cheapest(eased, sizes)
            if answer is None:
                continue
            size = float(np.dot(sizes, answer[0]))
            if best is None or size < best[0] * (1.0 - 1e-9):
                best = size, answer
        if best is not None:
            return best[1], True
    raise DefectError("a repair that is there was not found again")


def _sets(rules: Sequence[str], count: int, hit: Sequence[frozenset[str]]) -> Iterator[tuple[str, ...]]:
    """Sets of so many rules that meet each of the sets known so far (which grow while this runs)."""
    for chosen in itertools.combinations(rules, count):
        if all(not known.isdisjoint(chosen) for known in hit):
            yield chosen


def _beside(
    elastic: Elastic, numbers: Sequence[Number], rules: Sequence[str], chosen: Sequence[str]
) -> frozenset[str]:
    """Rules of which one has to be changed, because all others changed do not make the plan feasible: as few as halving
    the rest finds."""
    kept = set(chosen)
    for rule in rules:
        eased = [k for k, number in enumerate(numbers) if number.rule in kept | {rule}]
        if rule not in kept and not elastic.feasible(elastic.rules, eased):
            kept.add(rule)
    return frozenset(rules) - kept


def _changes(
    case: Case, numbers: Sequence[Number], amounts: Numbers, decisions: Sequence[Decisions], stated: bool
) -> tuple[Change, ...]:
    found: list[Change] = []
    costly: set[str] = set()
    for number, missing in zip(numbers, amounts.tolist(), strict=True):
        if missing <= SMALLEST * max(1.0, number.size):
            continue
        to = _clean(number.value + number.sign * missing, number.sign)
        if number.relational:
            to = _clean(_reached(case, number, decisions), number.sign)
        else:
            missing = abs(to - number.value)
        # Without costs a rule counts once, however many of its numbers change.
        counted = 0.0 if number.rule in costly else 1.0
        costly.add(number.rule)
        cost = missing * (number.repair_cost or 0.0) if stated else counted
        found.append(Change(number, to, cost, missing, missing / number.size))
    return tuple(sorted(found, key=lambda change: (change.number.rule, change.number.period)))


def _clean(value: float, sign: int) -> float:
    """The number without the last digits, which are the solver's noise; rounded to the side that eases."""
    near = float(f"{value:.9g}")
    if sign * (near - value) >= -1e-10 * max(1.0, abs(value)):
        return near
    digit = 10.0 ** (math.floor(math.log10(abs(value))) - 8)
    return float(f"{near + sign * digit:.9g}")


def _reached(case: Case, number: Number, decisions: Sequence[Decisions]) -> float:
    """The share or mean that the decisions reach in the worst period and scenario."""
    values = [number.value]
    for portfolio, each in zip(case.portfolios, decisions, strict=True):
        mine = [replace(rule, value=1.0) for rule in portfolio.balance if rule.name == number.name]
        for row in Balance().audit(facts_of(replace(portfolio, balance=tuple(mine)), each)).rows:
            if row.limit > 0.0:
                values.append(row.value / row.limit)
    return max(values) if number.sign > 0 else min(values)


def _verified(found: Repair) -> Repair | None:
    """The repair with the plan of the changed instance, None where there is none; numbers go a little further where a
    solver's rounding needs it."""
    problem = found.problem
    for further in (0.0, 1e-7, 1e-6):
        changes = tuple(
            replace(change, to=change.to + change.number.sign * further * max(1.0, abs(change.to)))
            for change in found.changes
        )
        case = changed(problem, {_place(change.number): change.to for change in changes})
        # What is left of the time, but enough for a plan of a small problem in any case.
        started = max(problem.started, time.monotonic() - 0.5 * problem.spec.solver.time_limit)
        plan = solve(case.portfolio, problem.spec, None, started, case.scenarios)
        if plan.status == "unbounded" or plan.shown:
            return replace(found, changes=changes, plan=plan)
        if plan.status == "no_solution":
            return replace(found, changes=changes)
    return None


def _place(number: Number) -> tuple[str, str, str, int]:
    return number.table, number.column, number.name, number.period
