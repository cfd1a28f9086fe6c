"""Cash, concentration and robust as rows, written in other ways than the program's own.

Cash adds up each cost once more from the columns; the k largest are every choice of k segments; the index is a cone
that is cut off at the points found (`Program.cones`); the uncertain effects are every choice of so many of them.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from tests.reference.flow import flow
from tests.reference.numbers import Numbers
from tests.reference.program import Program, Terms, add
from tests.reference.read import number


def money_rules(program: Program, numbers: Numbers, worth: dict[int, float]) -> None:
    """The rows of the components that are on."""
    components = numbers.case.model.get("components", {})
    if "cash" in components:
        _cash(program, numbers, worth, components["cash"])
    if "concentration" in components:
        for t in range(1, numbers.case.periods + 1):
            _concentration(program, numbers, components["concentration"], t)
    if "robust" in components:
        _robust(program, numbers, worth, components["robust"])


def _paid(program: Program, numbers: Numbers, t: int) -> tuple[Terms, float]:
    """What is paid in a period but for interest: terms and a constant."""
    case, constant = numbers.case, 0.0
    paid: Terms = {}
    for d, lever in numbers.levers.items():
        for o in lever.options:
            for g in lever.groups if lever.single else []:
                add(paid, {program.columns["y", d, g, o, t]: numbers.option_cost("fixed_cost", d, o, t)})
            change = numbers.option_cost("change_cost", d, o, t) if case.on("switching") else 0.0
            for s in numbers.segments if change else []:
                add(paid, {program.columns["moved", s, d, o, t]: change})
    for resource in numbers.resources if case.on("capacity") else []:
        supply = numbers.supply(resource, t)
        if supply is not None:
            add(paid, flow(program, numbers, f"use:{resource}", numbers.segments, t), supply.unit_cost)
            if supply.capacity is not None:
                add(paid, {program.columns["h", resource, t]: supply.extra_cost})
                constant += supply.capacity_cost * supply.capacity
    return paid, constant


def _cash(program: Program, numbers: Numbers, worth: dict[int, float], keys: dict[str, Any]) -> None:
    before: Terms = {}
    start, rate = float(keys.get("opening", 0.0)), float(keys.get("credit_cost", 0.0))
    for t in range(1, numbers.case.periods + 1):
        balance = program.column(("balance", t), -math.inf)
        debt = program.column(("debt", t), 0.0, float(keys.get("credit_limit", 0.0)))
        paid, constant = _paid(program, numbers, t)
        terms = add({balance: 1.0, debt: rate}, before, -1.0)
        add(terms, flow(program, numbers, "cash", numbers.segments, t), -1.0)
        add(terms, paid)
        program.row(terms, start - constant, start - constant)
        program.row({debt: 1.0, balance: 1.0}, lower=0.0)
        add(program.profit, {debt: -rate}, worth[t])
        before, start = {balance: 1.0}, 0.0
        groups = [numbers.members(str(keys[key])) for key in ("grow", "fund") if keys.get(key)]
        if groups:
            program.row(
                _after_service(program, numbers, list(dict.fromkeys(itertools.chain(*groups))), t), lower=0.0
            )


def _after_service(program: Program, numbers: Numbers, segments: list[str], t: int) -> Terms:
    """Cash of segments less what their use of resources costs."""
    terms = flow(program, numbers, "cash", segments, t)
    for resource in numbers.resources if numbers.case.on("capacity") else []:
        supply = numbers.supply(resource, t)
        if supply is not None:
            add(terms, flow(program, numbers, f"use:{resource}", segments, t), -supply.unit_cost)
    return terms


def _concentration(program: Program, numbers: Numbers, keys: dict[str, Any], t: int) -> None:
    measure = str(keys.get("measure", "margin"))
    each = [flow(program, numbers, measure, [s], t) for s in numbers.active]
    total: Terms = {}
    for terms in each:
        add(total, terms)
    if "top_k" in keys:
        for chosen in itertools.combinations(each, min(int(keys["top_k"]), len(each))):
            together: Terms = {}
            for terms in chosen:
                add(together, terms)
            program.row(add(together, total, -float(keys["top_share"])), upper=0.0)
    if "hhi" in keys:
        program.row(total, lower=0.0)
        program.cones.append((each, add({}, total, math.sqrt(float(keys["hhi"])))))


def _robust(program: Program, numbers: Numbers, worth: dict[int, float], keys: dict[str, Any]) -> None:
    at_risk = []
    for at, row in numbers.effects.items():
        error = float(keys["width"]) * number(row, "margin_se")
        if error and numbers.offered(at):
            periods = range(1, numbers.case.periods + 1)
            at_risk.append({program.columns["x", *at, t]: error * worth[t] for t in periods})
    lost = program.column(("lost",))
    add(program.penalty, {lost: 1.0})
    for chosen in itertools.combinations(at_risk, min(int(keys["budget"]), len(at_risk))):
        worst: Terms = {lost: 1.0}
        for terms in chosen:
            add(worst, terms, -1.0)
        program.row(worst, lower=0.0)
