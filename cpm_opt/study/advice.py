"""What would change the advice: for each choice of a plan the nearest alternative, its flip point, and what it would be
worth to know its effect better.

A choice is the option that a group of a `single` lever, or a segment on a `mix` one, is on for most of the time. Its
nearest alternative is the best plan in which it is on that option in no period. The flip is told of the chosen option's
effect on margin; where nothing is estimated about that (as of the base), of the effect of the option that would take
its place. An error shifts the effect of one option for the customers of one group in all periods by the same money.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from cpm_opt.formulation.components import Risk
from cpm_opt.formulation.components.unchanged import Unchanged
from cpm_opt.formulation.spec import ModelSpec
from cpm_opt.pipeline import Problem
from cpm_opt.portfolio.portfolio import Lever, Numbers, Portfolio
from cpm_opt.solve.engine import OutOfTime
from cpm_opt.solve.plan import Decisions
from cpm_opt.solve.probe import Found, Probe, Unit
from cpm_opt.study.flip import Curve, Point, first_change, flip, worth_of_knowing

TIGHT_GAP = 1e-9
# Solves that the value of knowing one effect may take beyond those of its flip.
MOST_SOLVES = 12
# For so many times the choices that are looked into, the nearest alternative is found first.
PREVIEWED = 2


@dataclass(frozen=True)
class Choice:
    """One choice and what would change it. Money is of today; effects are money per customer and period.

    `lever`, `who` (a group, or a segment) and `option`; `periods` in which it stands (1-based). `alternative` is the
    option that most of its customers take in the best plan without it, and `cost` what that plan is worth less (None:
    no plan does without it). `about` is the option whose effect the flip tells of: `effect` is its estimate, `error`
    its standard error (None: none stated), `flip` the effect at which the choice is gone (None: not known), `begins`
    the one at which it begins to shrink. `worth_knowing` is what knowing that effect exactly is worth at most,
    `worth_at_least` at least; None without a standard error. `money` is what the ranking went by.

    Of a group `error` takes the errors of its segments as independent of each other. However they go together, it is
    at most `error_most`, and `worth_knowing_most` is a bound of the worth all the same.
    """

    lever: str
    who: str
    option: str
    periods: tuple[int, ...]
    money: float
    alternative: str = ""
    cost: float | None = None
    about: str = ""
    effect: float = 0.0
    error: float | None = None
    flip: float | None = None
    begins: float | None = None
    worth_knowing: float | None = None
    worth_at_least: float | None = None
    error_most: float | None = None
    worth_knowing_most: float | None = None


@dataclass(frozen=True)
class Advice:
    """Choices with most at stake first; `left` more were not looked into, `out_of_time` tells that time was why.
    `objective` is what the best plan is worth; `flips`: whether the model allows to tell flip points at all."""

    choices: tuple[Choice, ...]
    left: int
    out_of_time: bool
    objective: float
    flips: bool


def advice(problem: Problem, decisions: Decisions, objective: float, most: int, seconds: float) -> Advice:
    """Looks into the `most` choices with most money at stake, for at most so many `seconds`. `decisions` are the plan's
    (of the first scenario), `objective` is its worth."""
    spec = _tight(problem.spec)
    p = problem.scenarios[0].portfolio if problem.scenarios else problem.portfolio
    units = sorted(
        _units(p, decisions, spec), key=lambda each: (-each[1], each[0].lever, each[0].segments.tolist())
    )
    flips = not _weighs_risk(problem, spec) and spec.objective.profit > 0.0
    if not units:
        return Advice((), 0, False, objective, flips)
    started = time.monotonic()
    with Probe(problem.portfolio, spec, problem.scenarios, started + seconds) as probe:
        try:
            case = _case(p, spec, probe, decisions, objective, flips, units[0][0])
        except OutOfTime:
            return Advice((), len(units), True, objective, flips)
        # What is at stake is a guess; where solves are quick, the nearest alternative tells which choices matter most.
        quick = (time.monotonic() - started) * 4.0 * PREVIEWED * most < seconds
        found, out_of_time = _explored(case, units[: PREVIEWED * most if quick else most], most)
    return Advice(tuple(found), len(units) - len(found), out_of_time, case.value, flips)


def _explored(case: _Case, units: Sequence[tuple[Unit, float]], most: int) -> tuple[list[Choice], bool]:
    """The choices that cost most to do without, dearest first, and whether the time ran out; then those that were not
    reached have no flip, or are left out."""
    beside: list[_Beside] = []
    out_of_time = False
    try:
        for unit, money in units:
            beside.append(_with_alternative(case, unit, money))
    except OutOfTime:
        out_of_time = True
    beside.sort(key=lambda each: (each.choice.cost is None, -(each.choice.cost or 0.0)))
    found: list[Choice] = []
    for each in beside[:most]:
        try:
            told = each.choice if out_of_time or each.other is None else _looked_into(case, each, each.other)
        except OutOfTime:
            out_of_time, told = True, each.choice
        found.append(told)
    return found, out_of_time


def _weighs_risk(problem: Problem, spec: ModelSpec) -> bool:
    """Whether bad cases weigh more than others, so that worth is no longer convex in the error of an estimate."""
    risk = spec.components.get(Risk.name)
    return bool(problem.scenarios) and isinstance(risk, Risk) and risk.weight > 0.0


def _case(
    p: Portfolio,
    spec: ModelSpec,
    probe: Probe,
    decisions: Decisions,
    objective: float,
    flips: bool,
    anybody: Unit,
) -> _Case:
    """What choices are judged against: the plan, or the best one where that is worth more."""
    case = _Case(p, spec, probe, decisions, objective, flips)
    best = probe.best(anybody)
    if best is None or best.value <= objective + case.tolerance:
        return case if best is None else replace(case, value=max(objective, best.value))
    return replace(case, value=best.value, decisions=best.decisions)


def _tight(spec: ModelSpec) -> ModelSpec:
    """Differences of plans are small beside the plans: the search goes on until they can be told."""
    gap = TIGHT_GAP if spec.solver.mip_gap <= 1e-6 else spec.solver.mip_gap
    return replace(spec, solver=replace(spec.solver, mip_gap=gap))


def _units(p: Portfolio, decisions: Decisions, spec: ModelSpec) -> Iterator[tuple[Unit, float]]:
    """Every choice with the money that is at stake in it: what its customers would bring more or less, at most, on
    another option that they are offered. Levers that the model leaves as they are have no choices."""
    discount = (1.0 + spec.horizon.discount_rate) ** -np.arange(p.periods)
    margin, on = p.flows["margin"].per_option, decisions.customers_on
    served = on @ discount
    for number, lever in enumerate(p.levers):
        options = np.array(lever.options)
        if len(options) < 2 or _held(lever, p, spec):
            continue
        groups = range(len(lever.groups)) if lever.single else range(len(p.segments))
        for group in groups:
            members = np.flatnonzero(lever.group_of == group) if lever.single else np.array([group])
            amounts = served[np.ix_(members, options)].sum(axis=0)
            if amounts.max(initial=0.0) <= 1e-9:
                continue
            option = int(options[int(np.argmax(amounts))])
            apart = np.abs(margin[np.ix_(members, options)] - margin[members, option][:, None, :])
            offered = p.offered[np.ix_(members, options)][:, :, None]
            stake = np.einsum("st,st,t->", (apart * offered).max(axis=1), on[members, option], discount)
            yield Unit(number, group if lever.single else -1, members, option), float(stake)


def _held(lever: Lever, p: Portfolio, spec: ModelSpec) -> bool:
    """Whether the model leaves the lever as it is today."""
    unchanged = spec.components.get(Unchanged.name)
    return isinstance(unchanged, Unchanged) and unchanged.stays(p, lever)


@dataclass(frozen=True)
class _Case:
    """What all choices of a plan are judged against; `value` is what the best plan is worth."""

    p: Portfolio
    spec: ModelSpec
    probe: Probe
    decisions: Decisions
    value: float
    flips: bool

    @property
    def tolerance(self) -> float:
        """Money that the search leaves open."""
        return max(2e-9, 2.0 * self.spec.solver.mip_gap) * max(1.0, abs(self.value))

    def discounted(self, values: Numbers) -> Numbers:
        """Sums over periods (the last axis), in money or customers of today."""
        return np.asarray(values @ (1.0 + self.spec.horizon.discount_rate) ** -np.arange(self.p.periods))


@dataclass(frozen=True)
class _Beside:
    """A choice with the best plan that does without it (None: there is none)."""

    unit: Unit
    choice: Choice
    other: Found | None


def _with_alternative(case: _Case, unit: Unit, money: float) -> _Beside:
    p, lever = case.p, case.p.levers[unit.lever]
    who = lever.groups[unit.group] if unit.group >= 0 else p.segments[int(unit.segments[0])]
    there = case.decisions.customers_on[unit.segments, unit.option].sum(axis=0) > 1e-9
    periods = tuple((np.flatnonzero(there) + 1).tolist())
    choice = Choice(lever.name, who, p.options[unit.option], periods, money)
    other = case.probe.best(unit, without=True)
    if other is None:
        return _Beside(unit, choice, None)
    takes = _most_taken(case, unit, other)
    cost = max(0.0, case.value - other.value)
    choice = replace(choice, alternative=p.options[takes] if takes >= 0 else "", cost=cost)
    return _Beside(unit, choice, other)


def _looked_into(case: _Case, beside: _Beside, other: Found) -> Choice:
    """The choice with its flip, where the model allows to tell it."""
    p, unit, choice = case.p, beside.unit, beside.choice
    if not case.flips:
        return choice
    takes = _most_taken(case, unit, other)
    estimated = (
        bool(np.any(p.flows["margin"].per_option[unit.segments, unit.option]))
        or _error(case, unit).most > 0.0
    )
    if estimated:
        now = Point(0.0, case.value, case.probe.customers(unit, case.decisions))
        return _with_flip(case, choice, unit, now, now, other.value)
    if takes < 0:
        return choice
    instead = replace(unit, option=takes)
    forced = Point(0.0, other.value, case.probe.customers(instead, other.decisions))
    if case.probe.customers(instead, case.decisions) > 1e-9:
        return choice  # some are on it already: its effect moves more than this choice
    return _with_flip(case, choice, instead, forced, Point(0.0, case.value, 0.0), case.value)


def _with_flip(case: _Case, choice: Choice, unit: Unit, start: Point, now: Point, without: float) -> Choice:
    """The choice with the flip of the unit's option: `start` has customers on it, `now` is the plan's."""

    def ask(shift: float) -> Point:
        found = case.probe.best(unit, shift)
        if found is None:
            raise OutOfTime("a plan was not found again")
        return Point(shift, found.value, found.customers)

    effect, error = _effect(case, unit), _error(case, unit)
    known = error.most > 0.0
    told = replace(choice, about=case.p.options[unit.option], effect=effect)
    if known:
        told = replace(told, error=error.size, error_most=error.most)
    if start.slope <= 0.0:
        return told
    curve = Curve(ask, (now,), case.tolerance)
    gone = flip(curve, start, without)
    begins = first_change(curve, now, without, gone) if now.slope > 0.0 else gone
    told = replace(told, flip=effect + gone, begins=effect + begins)
    if not known:
        return told
    most_customers, solves = _most_customers(case, unit), curve.solves + MOST_SOLVES
    low, high = worth_of_knowing(curve, now, without, gone, error.size, most_customers, solves)
    told = replace(told, worth_knowing=high, worth_at_least=low, worth_knowing_most=high)
    if error.most > error.size * (1.0 + 1e-9):
        solves = curve.solves + MOST_SOLVES
        _, most = worth_of_knowing(curve, now, without, gone, error.most, most_customers, solves)
        told = replace(told, worth_knowing_most=max(most, high))
    return told


def _most_taken(case: _Case, unit: Unit, other: Found) -> int:
    """The option on which most of the unit's customers are in the other plan; -1 where it has none."""
    options = np.array(case.p.levers[unit.lever].options)
    served = case.discounted(other.decisions.customers_on[np.ix_(unit.segments, options)]).sum(axis=0)
    return int(options[int(np.argmax(served))]) if served.max(initial=0.0) > 1e-9 else -1


def _weights(case: _Case, unit: Unit) -> Numbers:
    """`[segments, T]`: the unit's customers on any option of the lever, discounted: what means are weighed by."""
    options = np.array(case.p.levers[unit.lever].options)
    present = case.decisions.customers_on[np.ix_(unit.segments, options)].sum(axis=1)
    discount = (1.0 + case.spec.horizon.discount_rate) ** -np.arange(case.p.periods)
    weights = present * discount
    return np.asarray(weights if weights.sum() > 0.0 else np.ones_like(weights))


def _effect(case: _Case, unit: Unit) -> float:
    """The estimate of the option's effect: the mean over customers and periods."""
    weights = _weights(case, unit)
    effects = case.p.flows["margin"].per_option[unit.segments, unit.option]
    return float((weights * effects).sum() / weights.sum())


class _Error(NamedTuple):
    """A standard error: `size` where those of several segments are independent of each other, `most` where they are in
    step, which is the most that they can come to."""

    size: float
    most: float


def _error(case: _Case, unit: Unit) -> _Error:
    """The standard error of the option's effect, a mean over the unit's segments. The tables have no covariance of the
    segments' errors, so there are two: v = error x part of the customers, root of the sum of v^2 and the sum of v."""
    weights = _weights(case, unit).sum(axis=1)
    parts = weights * case.p.margin_se[unit.segments, unit.option] / weights.sum()
    return _Error(float(np.sqrt((parts**2).sum())), float(parts.sum()))


def _most_customers(case: _Case, unit: Unit) -> float:
    """The most customers who can be on the option, discounted and weighed as profit is."""
    most = np.minimum(case.p.ceiling[unit.segments, :-1], 1e15)
    return float(case.spec.objective.profit * case.discounted(most).sum())
