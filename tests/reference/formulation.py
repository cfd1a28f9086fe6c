"""The planning problem as matrices: section 3 of the design, row by row, from `Numbers`."""

from __future__ import annotations

from pathlib import Path

from tests.reference.flow import flow
from tests.reference.money import money_rules
from tests.reference.numbers import Lever, Numbers
from tests.reference.program import Answer, Program, Terms, add
from tests.reference.read import Case, Row, flag, number, read_case, whole_number
from tests.reference.rules import option_rule, price_rule


def solve_reference(folder: Path, model: Path) -> Answer:
    """Status, objective, profit and decisions of an instance folder under a model file."""
    return build(read_case(folder, model)).solve()


def build(case: Case) -> Program:
    """The whole programme."""
    numbers, program = Numbers(case), Program()
    weights = case.model.get("objective", {})
    program.profit_weight = float(weights.get("profit", 1.0))
    program.end_weight = float(weights.get("end_value", 1.0))
    rate = float(case.model["horizon"].get("discount_rate", 0.0))
    worth = {t: (1 + rate) ** -(t - 1) for t in range(1, case.periods + 2)}
    _customers(program, numbers, worth)
    for lever in numbers.levers.values():
        _assignment(program, numbers, lever, worth)
        if lever.single:
            _single(program, numbers, lever, worth)
    _migration(program, numbers)
    if case.on("switching"):
        _switching(program, numbers, worth)
    if case.on("capacity"):
        _capacity(program, numbers, worth)
    if case.on("balance"):
        for row in case.rows("balance"):
            _balance(program, numbers, row, worth)
    for row in case.rows("price_rules") if case.on("price") else ():
        price_rule(program, numbers, row)
    for row in case.rows("option_rules") if case.on("options") else ():
        option_rule(program, numbers, row)
    money_rules(program, numbers, worth)
    return program


def _customers(program: Program, numbers: Numbers, worth: dict[int, float]) -> None:
    last = numbers.case.periods + 1
    for s in numbers.segments:
        for t in range(1, last + 1):
            start = numbers.customers[s]
            low, high = (start, start) if t == 1 else (0.0, numbers.bound)
            column = program.column(("n", s, t), low, high)
            if t < last:
                add(program.profit, {column: numbers.base("margin", s, t)}, worth[t])
            else:
                add(program.end, {column: number(numbers.segment_rows[s], "end_value")}, worth[t])


def _assignment(program: Program, numbers: Numbers, lever: Lever, worth: dict[int, float]) -> None:
    for t in range(1, numbers.case.periods + 1):
        for s in numbers.segments:
            whole = flag(numbers.segment_rows[s], "whole")
            everybody = {program.columns["n", s, t]: -1.0}
            for o in lever.options:
                at = (s, lever.name, o)
                top = numbers.bound if numbers.offered(at) else 0.0
                column = program.column(("x", *at, t), 0.0, top, whole)
                everybody[column] = 1.0
                add(program.profit, {column: numbers.effect("margin", at, t)}, worth[t])
            program.row(everybody, 0.0, 0.0)


def _single(program: Program, numbers: Numbers, lever: Lever, worth: dict[int, float]) -> None:
    d = lever.name
    for t in range(1, numbers.case.periods + 1):
        for g in lever.groups:
            one: Terms = {}
            for o in lever.options:
                top = 1.0 if numbers.available(lever, g, o) else 0.0
                column = program.column(("y", d, g, o, t), 0.0, top, whole=True)
                one[column] = 1.0
                add(program.profit, {column: -numbers.option_cost("fixed_cost", d, o, t)}, worth[t])
            program.row(one, 1.0, 1.0)
        for s in numbers.segments:
            for o in lever.options:
                chosen = program.columns["y", d, lever.group[s], o, t]
                program.row({program.columns["x", s, d, o, t]: 1.0, chosen: -numbers.bound}, upper=0.0)


def _migration(program: Program, numbers: Numbers) -> None:
    for t in range(1, numbers.case.periods + 1):
        into: dict[str, Terms] = {s: {program.columns["n", s, t + 1]: -1.0} for s in numbers.segments}
        for (source, to), rate in numbers.moves(t).items():
            add(into[to], {program.columns["n", source, t]: rate})
        for to, at, rate in numbers.pushes("in_force", t):
            add(into[to], {program.columns["x", *at, t]: rate})
        for to, at, rate in numbers.pushes("on_change", t):
            add(into[to], {_newly(program, numbers, at, t): rate})
        for s, terms in into.items():
            program.row(terms, -numbers.arrivals(s, t), -numbers.arrivals(s, t))


def _newly(program: Program, numbers: Numbers, at: tuple[str, str, str], t: int) -> int:
    """The column that is x[s,d,o,t] where the group's option is new in t, else 0."""
    s, d, o = at
    if ("new", *at, t) in program.columns:
        return program.columns["new", *at, t]
    lever = numbers.levers[d]
    g = lever.group[s]
    if ("turn", d, g, o, t) not in program.columns:
        turn = program.column(("turn", d, g, o, t), 0.0, 1.0, whole=True)
        now = program.columns["y", d, g, o, t]
        if t == 1:
            was = 1.0 if numbers.choice_before(lever, g) == o else 0.0
            program.row({turn: 1.0}, upper=1.0 - was)
            program.row({turn: 1.0, now: -1.0}, lower=-was, upper=0.0)
        else:
            then = program.columns["y", d, g, o, t - 1]
            program.row({turn: 1.0, then: 1.0}, upper=1.0)
            program.row({turn: 1.0, now: -1.0}, upper=0.0)
            program.row({turn: 1.0, now: -1.0, then: 1.0}, lower=0.0)
    new, turn, x = (
        program.column(("new", *at, t)),
        program.columns["turn", d, g, o, t],
        program.columns["x", *at, t],
    )
    program.row({new: 1.0, x: -1.0}, upper=0.0)
    program.row({new: 1.0, turn: -numbers.bound}, upper=0.0)
    program.row({new: 1.0, x: -1.0, turn: -numbers.bound}, lower=-numbers.bound)
    return new


def _switching(program: Program, numbers: Numbers, worth: dict[int, float]) -> None:
    for lever in numbers.levers.values():
        d = lever.name
        for t in range(1, numbers.case.periods + 1):
            for o in lever.options:
                cost = numbers.option_cost("change_cost", d, o, t)
                for s in numbers.segments if cost else []:
                    moved = program.column(("moved", s, d, o, t))
                    add(program.profit, {moved: -cost}, worth[t])
                    terms = {moved: 1.0, program.columns["x", s, d, o, t]: -1.0}
                    if t > 1:
                        terms[program.columns["x", s, d, o, t - 1]] = 1.0
                    program.row(terms, lower=-numbers.before((s, d, o)) if t == 1 else 0.0)
            if lever.single and (t - 1) % lever.hold:
                for g in lever.groups:
                    for o in lever.options:
                        then, now = program.columns["y", d, g, o, t - 1], program.columns["y", d, g, o, t]
                        program.row({now: 1.0, then: -1.0}, 0.0, 0.0)


def _capacity(program: Program, numbers: Numbers, worth: dict[int, float]) -> None:
    for resource in numbers.resources:
        for t in range(1, numbers.case.periods + 1):
            supply = numbers.supply(resource, t)
            if supply is None:
                continue
            use = flow(program, numbers, f"use:{resource}", numbers.segments, t)
            add(program.profit, use, -supply.unit_cost * worth[t])
            if supply.capacity is None:
                continue
            program.constant -= worth[t] * supply.capacity_cost * supply.capacity
            extra = program.column(("h", resource, t), 0.0, supply.extra)
            add(program.profit, {extra: -supply.extra_cost}, worth[t])
            add(use, {extra: -supply.utilisation})
            program.row(use, upper=supply.utilisation * supply.capacity)


def _balance(program: Program, numbers: Numbers, row: Row, worth: dict[int, float]) -> None:
    measure = row.get("measure", "") or "customers"
    members = numbers.members(row["members"])
    basis, value = row.get("basis", "") or "amount", number(row, "value")
    last = min(whole_number(row, "last_period", numbers.case.periods), numbers.case.periods)
    for t in range(whole_number(row, "first_period", 1), last + 1):
        terms, side = flow(program, numbers, measure, members, t), 0.0
        if basis == "share":
            add(terms, flow(program, numbers, measure, numbers.active, t), -value)
        elif basis == "mean":
            add(terms, {program.columns["n", s, t]: 1.0 for s in members}, -value)
        else:
            side = value
        at_most = row["sense"] == "max"
        if row.get("penalty"):
            slack = program.column(("slack", row["rule"], t))
            add(terms, {slack: -1.0 if at_most else 1.0})
            add(program.penalty, {slack: number(row, "penalty")}, worth[t])
        program.row(terms, *((-float("inf"), side) if at_most else (side, float("inf"))))
