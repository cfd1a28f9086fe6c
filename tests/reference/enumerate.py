"""The best plan of a tiny instance, by trying every plan: each is simulated, so no solver has a word in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from tests.reference.numbers import Lever, Numbers
from tests.reference.program import Key
from tests.reference.read import Case
from tests.reference.simulate import Choices, Outcome, simulate


@dataclass(frozen=True)
class Best:
    """The best plan among `tried`; None where every one breaks a wall."""

    outcome: Outcome | None
    tried: int


def trajectories(numbers: Numbers, lever: Lever, group: str) -> list[tuple[str, ...]]:
    """Every row of choices of one group over the periods that offers and `hold` allow."""
    periods = numbers.case.periods
    options = [o for o in lever.options if numbers.available(lever, group, o)]
    hold = lever.hold if numbers.case.on("switching") else 1
    blocks = -(-periods // hold)
    return [
        tuple(row[t // hold] for t in range(periods)) for row in itertools.product(options, repeat=blocks)
    ]


def all_choices(case: Case) -> Iterator[Choices]:
    """Every plan of the `single` levers."""
    numbers = Numbers(case)
    groups = [(lever, group) for lever in numbers.levers.values() if lever.single for group in lever.groups]
    for rows in itertools.product(*(trajectories(numbers, lever, group) for lever, group in groups)):
        yield {
            (lever.name, group, t): option
            for (lever, group), row in zip(groups, rows, strict=True)
            for t, option in enumerate(row, start=1)
        }


def count_choices(case: Case) -> int:
    """How many plans `all_choices` has."""
    numbers = Numbers(case)
    out = 1
    for lever in numbers.levers.values():
        for group in lever.groups if lever.single else []:
            out *= len(trajectories(numbers, lever, group))
    return out


def best_of_choices(case: Case) -> Best:
    """The best plan where every lever is `single`: nothing is left to decide then but the choices."""
    best, tried = None, 0
    for choices in all_choices(case):
        outcome = simulate(case, choices, _no_split)
        tried += 1
        if not outcome.broken and (best is None or outcome.objective > best.objective):
            best = outcome
    return Best(best, tried)


def best_of_splits(case: Case) -> Best:
    """The best plan where every customer counts whole (`whole`) and levers are `mix`: every division is tried."""
    numbers = Numbers(case)
    customers = {s: [round(numbers.customers[s])] * (case.periods + 1) for s in numbers.segments}
    for s in numbers.segments:
        for t in range(1, case.periods + 1):
            customers[s][t] = customers[s][t - 1] + round(numbers.arrivals(s, t))
    places = [
        (s, lever, t)
        for s in numbers.segments
        for lever in numbers.levers.values()
        for t in range(1, case.periods + 1)
    ]
    ways = [divisions(customers[s][t - 1], len(lever.options)) for s, lever, t in places]
    best, tried = None, 0
    for row in itertools.product(*ways):
        plan = {
            (s, lever.name, t): dict(zip(lever.options, map(float, parts), strict=True))
            for (s, lever, t), parts in zip(places, row, strict=True)
        }
        outcome = simulate(case, {}, lambda s, d, t, _, plan=plan: plan[s, d, t])
        tried += 1
        if not outcome.broken and (best is None or outcome.objective > best.objective):
            best = outcome
    return Best(best, tried)


def divisions(customers: int, options: int) -> list[tuple[int, ...]]:
    """Every way to put whole customers on options."""
    if options == 1:
        return [(customers,)]
    return [(k, *rest) for k in range(customers + 1) for rest in divisions(customers - k, options - 1)]


def fixed_by(choices: Choices) -> dict[Key, float]:
    """The columns of the programme that a plan of the `single` levers fixes at 1 (the rest follow)."""
    return {("y", lever, group, option, t): 1.0 for (lever, group, t), option in choices.items()}


def _no_split(segment: str, lever: str, period: int, customers: float) -> dict[str, float]:
    raise AssertionError(f"{lever} of {segment} is not single")
