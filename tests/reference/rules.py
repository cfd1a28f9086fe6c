"""Tables `price_rules` and `option_rules` as matrices."""

from __future__ import annotations

from tests.reference.numbers import Lever, Numbers
from tests.reference.program import Program, Terms, add
from tests.reference.read import Row, number


def price_rule(program: Program, numbers: Numbers, row: Row) -> None:
    """One row of `price_rules`, in every period."""
    lever, kind = numbers.levers[row["lever"]], row["kind"]
    periods = range(1, numbers.case.periods + 1)
    limit = number(row, "value", 1.0)
    if kind == "max_changes":
        for t in periods:
            moves = {_moves(program, numbers, row["rule"], lever, g, t): 1.0 for g in lever.groups}
            program.row(moves, upper=limit)
        return
    other = row.get("other_group", "")
    for g in [row["group"]] if row.get("group") else [g for g in lever.groups if g != other]:
        for t in periods:
            mine, now = _price(program, numbers, lever, g, t)
            if kind in ("order", "equal"):
                theirs, beside = _price(program, numbers, lever, other, t)
                ratio = limit if kind == "order" else 1.0
                add(mine, theirs, -ratio)
                right = ratio * (1 + beside) - (1 + now)
                program.row(mine, right if kind == "equal" else -float("inf"), right)
            else:
                was, then = _price(program, numbers, lever, g, t - 1 if kind == "step" else 0)
                add(mine, was, -1.0)
                program.row(mine, then - now - limit, then - now + limit)


def _price(program: Program, numbers: Numbers, lever: Lever, group: str, t: int) -> tuple[Terms, float]:
    """What a group pays above the base price in a period, as terms and a constant; period 0 is today."""
    if t == 0:
        return {}, numbers.price(lever, numbers.choice_before(lever, group))
    return {
        program.columns["y", lever.name, group, o, t]: numbers.price(lever, o) for o in lever.options
    }, 0.0


def _moves(program: Program, numbers: Numbers, rule: str, lever: Lever, group: str, t: int) -> int:
    """A column that is 1 where the group's option differs from the one of the period before."""
    column = program.column(("moves", rule, group, t), 0.0, 1.0, whole=True)
    for o in lever.options:
        now = program.columns["y", lever.name, group, o, t]
        if t == 1:
            program.row({column: 1.0, now: -1.0}, lower=-float(numbers.choice_before(lever, group) == o))
        else:
            program.row(
                {column: 1.0, now: -1.0, program.columns["y", lever.name, group, o, t - 1]: 1.0}, lower=0.0
            )
    return column


def option_rule(program: Program, numbers: Numbers, row: Row) -> None:
    """One row of `option_rules`, in every period."""
    lever, option, kind = numbers.levers[row["lever"]], row["option"], row["kind"]
    members = numbers.members(row.get("members", "") or "all")
    limit = number(row, "value")
    if kind == "once":
        for group in {lever.group[s] for s in members}:
            _once(program, numbers, row["rule"], lever, group, option)
        return
    for t in range(1, numbers.case.periods + 1):
        on = {s: program.columns["x", s, lever.name, option, t] for s in members}
        if kind in ("min", "max"):
            together = dict.fromkeys(on.values(), 1.0)
            if kind == "max":
                program.row(together, upper=limit)
            else:
                some = program.column(("some", row["rule"], t), 0.0, 1.0, whole=True)
                program.row({**together, some: -numbers.bound}, upper=0.0)
                program.row({**together, some: -limit}, lower=0.0)
            continue
        for s in members:
            there = program.columns["n", s, t]
            if kind == "floor":
                if numbers.offered((s, lever.name, option)):
                    program.row({on[s]: 1.0, there: -limit}, lower=0.0)
                continue
            beside = program.columns["x", s, row["other_lever"], row["other_option"], t]
            if kind == "needs":
                program.row(add({on[s]: 1.0}, {beside: 1.0}, -1.0), upper=0.0)
            else:
                program.row(add(add({on[s]: 1.0}, {beside: 1.0}), {there: 1.0}, -1.0), upper=0.0)


def _once(program: Program, numbers: Numbers, rule: str, lever: Lever, group: str, option: str) -> None:
    """However the periods are picked: on it, then off it, then on it again, makes two take-ups (off it at the start
    counts as being off it)."""
    y = {t: program.columns["y", lever.name, group, option, t] for t in range(1, numbers.case.periods + 1)}
    off_today = numbers.choice_before(lever, group) != option
    for first in y:
        for gap in range(first + 1, len(y) + 1):
            for again in range(gap + 1, len(y) + 1):
                if off_today:
                    program.row({y[first]: 1.0, y[gap]: -1.0, y[again]: 1.0}, upper=1.0)
                for back in range(again + 1, len(y) + 1):
                    for third in range(back + 1, len(y) + 1):
                        program.row(
                            {y[first]: 1.0, y[gap]: -1.0, y[again]: 1.0, y[back]: -1.0, y[third]: 1.0},
                            upper=2.0,
                        )
        if not off_today:
            for again in range(first + 1, len(y) + 1):
                for back in range(again + 1, len(y) + 1):
                    for third in range(back + 1, len(y) + 1):
                        # On it today, off it in `first`, on it in `again`, off it in `back`, on it in `third`.
                        program.row({y[first]: -1.0, y[again]: 1.0, y[back]: -1.0, y[third]: 1.0}, upper=1.0)
