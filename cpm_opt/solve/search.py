"""How a plan is searched for: requests to the solver in the order that gives the user an answer by the time limit.

A linear model is one run. With whole numbers: the relaxed model first (its optimum is a proven bound); where
there are many, a plan near the relaxed one; then the full search from there; then the integers of the best plan fixed
and the rest solved once more, which gives the final figures and the prices.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cpm_opt.portfolio.portfolio import Numbers
from cpm_opt.solve.engine import Engine, OutOfTime
from cpm_opt.solve.linear import LinearProgram

# Simplex is fastest below about this many non-zeros, interior points above. Of the two interior points, HiPO is at best
# twice as fast as IPX, but on models with scenarios it stalls and hands over to simplex (benchmarks/large_model.py,
# benchmarks/scenarios.py); so IPX is what `auto` takes.
LARGE = 50_000
METHODS = {"simplex": "simplex", "ipm": "ipx", "hipo": "hipo", "pdlp": "pdlp"}
FIXED_INTEGERS = "fixed integers"
INFEASIBLE, UNBOUNDED, OPTIMAL = "Infeasible", "Unbounded", "Optimal"
EITHER, UNKNOWN, EMPTY = "Primal infeasible or unbounded", "Unknown", "Empty"
MOMENT = 0.05
# From so many integers on, a plan near the relaxed one is looked for before the full search.
MANY = 500
# A group whose share of customers on one option is at least this has decided; the search among the undecided gets this
# share of the time, and stops at this gap.
DECIDED, NEAR_SHARE, NEAR_GAP = 0.999, 0.4, 1e-4


@dataclass(frozen=True)
class Found:
    """What the search found, in the solver's terms: `status` is that of a plan, `values` one number a column, prices
    one a row; `bound` is proven, None where nothing is."""

    status: str
    message: str = ""
    values: Numbers | None = None
    objective: float | None = None
    bound: float | None = None
    row_duals: Numbers | None = None
    ranges: tuple[Numbers, Numbers] | None = None
    prices_from: str = ""
    conflict: tuple[int, ...] = ()
    nodes: int = 0
    iterations: int = 0


@dataclass(frozen=True)
class Limits:
    """When to stop: `deadline` on `time.monotonic`'s clock, `grace` seconds after it the solver is killed; `gap` is
    the relative gap at which a plan counts as optimal."""

    deadline: float
    grace: float
    gap: float
    method: str

    @property
    def left(self) -> float:
        """Seconds until the deadline, at least a moment."""
        return max(MOMENT, self.deadline - time.monotonic())

    @property
    def killing(self) -> float:
        """When the solver is killed if it has not answered."""
        return self.deadline + self.grace


def search(engine: Engine, program: LinearProgram, limits: Limits, again: bool) -> Found:
    """Searches for the best plan of the loaded model; `again` where the solver holds a basis of a solve before."""
    try:
        engine.ask("whole_numbers", False, deadline=limits.killing)
        engine.ask("fix", None, deadline=limits.killing)
        relaxed = run(engine, limits, solver_for(program, limits.method, again))
    except OutOfTime:
        return Found("no_solution", "the time limit was reached before any plan; allow more time")
    if relaxed["status"] == EITHER:
        relaxed = _decided(engine, limits, relaxed)
    if relaxed["status"] not in (OPTIMAL, EMPTY):
        return _without_optimum(engine, limits, relaxed)
    if not program.integer.any():
        return _with_ranges(
            engine, program, limits, _finished("optimal", relaxed, relaxed["objective"], "lp")
        )
    return _search_integers(engine, program, limits, relaxed)


def solver_for(program: LinearProgram, method: str, again: bool) -> str:
    """HiGHS's name of the solver for a linear run; `again` where there is a basis to start from."""
    if again and method == "auto":
        return "simplex"
    if method == "auto":
        return "ipx" if len(program.value) >= LARGE else "choose"
    return METHODS[method]


def run(
    engine: Engine, limits: Limits, solver: str, seconds: float | None = None, gap: float | None = None
) -> dict[str, Any]:
    """One run of the loaded model, within `seconds` (all that are left) and to the relative gap (the limits' own)."""
    options = {
        "solver": solver,
        "time_limit": limits.left if seconds is None else max(MOMENT, seconds),
        "mip_rel_gap": limits.gap if gap is None else gap,
        "mip_abs_gap": limits.gap,
    }
    answer: dict[str, Any] = engine.ask("run", options, deadline=limits.killing)
    if answer["status"] == UNKNOWN and limits.left > MOMENT:
        # Numerical trouble, mostly of presolve's making: once more the plain way.
        engine.ask("change_option", "presolve", "off", deadline=limits.killing)
        answer = engine.ask(
            "run", {**options, "solver": "choose", "time_limit": limits.left}, deadline=limits.killing
        )
        engine.ask("change_option", "presolve", "choose", deadline=limits.killing)
    return answer


def _decided(engine: Engine, limits: Limits, answer: dict[str, Any]) -> dict[str, Any]:
    """Infeasible or unbounded: only presolve leaves that open, so once more without it."""
    try:
        engine.ask("change_option", "presolve", "off", deadline=limits.killing)
        answer = run(engine, limits, "simplex")
        engine.ask("change_option", "presolve", "choose", deadline=limits.killing)
    except OutOfTime:
        return answer
    return answer


def _without_optimum(engine: Engine, limits: Limits, answer: dict[str, Any]) -> Found:
    status = answer["status"]
    if status == INFEASIBLE:
        return Found("infeasible", "no plan keeps all the rules", conflict=_conflict(engine, limits))
    if status in (UNBOUNDED, EITHER):
        return Found("unbounded", "the objective has no limit; a cost or a limit is missing in the tables")
    return Found("no_solution", f"the solver stopped before any plan ({status.lower()}); allow more time")


def _conflict(engine: Engine, limits: Limits) -> tuple[int, ...]:
    try:
        options = {"iis_strategy": 6, "time_limit": min(10.0, limits.left)}
        return tuple(engine.ask("conflict", options, deadline=limits.killing))
    except OutOfTime:
        return ()


def _finished(status: str, answer: dict[str, Any], bound: float | None, prices_from: str) -> Found:
    return Found(
        status,
        "",
        answer["values"],
        answer["objective"],
        bound,
        answer["row_duals"],
        None,
        prices_from,
        (),
        answer["nodes"],
        answer["iterations"],
    )


def _with_ranges(engine: Engine, program: LinearProgram, limits: Limits, found: Found) -> Found:
    """The plan with the ranges of the prices of rows that a manager can name and that bind."""
    if found.row_duals is None:
        return found
    named = np.array(sorted(row for rows in program.keys.values() for row in rows), dtype=np.int64)
    binding = named[found.row_duals[named] != 0.0]
    try:
        ends = engine.ask("ranges", binding, deadline=limits.killing)
    except OutOfTime:
        return found
    if ends is None:
        return found
    ranges = np.full((2, len(program.row_lower)), np.nan)
    ranges[:, binding] = ends
    return replace(found, ranges=(ranges[0], ranges[1]))


def gap_of(objective: float, bound: float) -> float:
    """|bound - objective| / max(1, |objective|)."""
    return abs(bound - objective) / max(1.0, abs(objective))


def _search_integers(
    engine: Engine, program: LinearProgram, limits: Limits, relaxed: dict[str, Any]
) -> Found:
    bound, best = relaxed["objective"], None
    # Keep enough of the time to solve the rest once more with the integers of the best plan.
    reserve = min(1.5 * relaxed["seconds"], 0.3 * limits.left)
    try:
        if int(program.integer.sum()) >= MANY:
            best = _many_integers(engine, program, limits, relaxed, reserve)
        elif _all_whole(program, relaxed["values"]):
            best = with_integers_of(engine, program, limits, relaxed["values"], bound, "feasible")
    except OutOfTime:
        return ended(None, bound)
    if best is not None and best.objective is not None and gap_of(best.objective, bound) <= limits.gap:
        return replace(best, status="optimal")
    if not engine.alive:
        return ended(best, bound)
    try:
        answer = _full_search(engine, limits, best, reserve)
    except OutOfTime:
        return _after_kill(engine, best, bound)
    if answer["status"] in (INFEASIBLE, EITHER) and best is None:
        return Found("infeasible", "no plan keeps all the rules", conflict=_conflict(engine, limits))
    if np.isfinite(answer["bound"]):
        bound = min(bound, answer["bound"])
    if answer["values"] is None:
        return ended(best, bound)
    status = "optimal" if answer["status"] == OPTIMAL else "feasible"
    try:
        final = with_integers_of(engine, program, limits, answer["values"], bound, status)
    except OutOfTime:
        final = None
    # Without the last solve there are no prices, but the plan itself stands.
    return final or _better_of(best, _finished(status, {**answer, "row_duals": None}, bound, ""), bound)


def _full_search(engine: Engine, limits: Limits, best: Found | None, reserve: float) -> dict[str, Any]:
    engine.ask("fix", None, deadline=limits.killing)
    engine.ask("whole_numbers", True, deadline=limits.killing)
    engine.ask("watch", deadline=limits.killing)
    if best is not None:
        engine.ask("start_from", best.values, deadline=limits.killing)
    return run(engine, limits, "choose", limits.left - reserve)


def _better_of(best: Found | None, other: Found, bound: float) -> Found:
    if best is None or (best.objective or 0.0) < (other.objective or 0.0):
        return replace(other, bound=bound)
    return ended(best, bound)


def _all_whole(program: LinearProgram, values: Numbers) -> bool:
    integers = values[program.integer]
    return bool(np.abs(integers - np.round(integers)).max(initial=0.0) <= 1e-9)


def ended(best: Found | None, bound: float | None) -> Found:
    """What is told when the time is over: the best plan so far, if there is one."""
    if best is None:
        return Found(
            "no_solution", "the time limit was reached before any plan; allow more time", bound=bound
        )
    return replace(best, status="feasible", bound=bound, message="the time limit was reached")


def _after_kill(engine: Engine, best: Found | None, bound: float) -> Found:
    """The full search had to be killed: the best plan that it told of before, else the one found earlier."""
    told = engine.incumbents[-1] if engine.incumbents else None
    engine.kill()
    if told is None:
        return ended(best, bound)
    if np.isfinite(told["bound"]):
        bound = min(bound, told["bound"])
    found = _finished("feasible", {"row_duals": None, "nodes": 0, "iterations": 0, **told}, bound, "")
    return ended(_better_of(best, found, bound), bound)


def _many_integers(
    engine: Engine, program: LinearProgram, limits: Limits, relaxed: dict[str, Any], reserve: float
) -> Found | None:
    """A plan near the relaxed one, in seconds where the full search needs minutes for any plan at all.

    First every group takes the option on which most of its customers are (the basis of the relaxed plan is at hand, so
    this is quick); then those whose customers are all on one option keep it and the few others are searched.
    """
    every, decided = _favourites(program, relaxed["values"])
    bound, seconds = relaxed["objective"], NEAR_SHARE * (limits.left - reserve)
    best = None
    if not np.isnan(every[program.integer]).any():
        best = with_integers_of(engine, program, limits, every, bound, "feasible", "simplex", seconds)
        if best is not None and best.objective is not None and gap_of(best.objective, bound) <= limits.gap:
            return best
    if not engine.alive:
        return best
    try:
        engine.ask("fix", decided[program.integer], deadline=limits.killing)
        engine.ask("whole_numbers", True, deadline=limits.killing)
        seconds = NEAR_SHARE * (limits.left - reserve)
        answer = run(engine, limits, "choose", seconds, max(limits.gap, NEAR_GAP))
        if answer["values"] is None or (best is not None and (best.objective or 0.0) >= answer["objective"]):
            return best
        return with_integers_of(engine, program, limits, answer["values"], bound, "feasible") or best
    except OutOfTime:
        return best


def _favourites(program: LinearProgram, values: Numbers) -> tuple[Numbers, Numbers]:
    """A number a column (nan: open): the choice of every group by where most of its customers are in a relaxed plan,
    and of those groups alone of whom (nearly) all are on one option."""
    every, decided = np.full(len(values), np.nan), np.full(len(values), np.nan)
    for choice in program.choice_sets:
        served = values[choice.served].sum(axis=1)
        favourite = int(np.argmax(served))
        for settled in (every, decided) if served[favourite] >= DECIDED * served.sum() else (every,):
            settled[choice.columns.ravel()] = 0.0
            settled[choice.columns[favourite]] = 1.0
    return every, decided


def with_integers_of(
    engine: Engine,
    program: LinearProgram,
    limits: Limits,
    values: Numbers,
    bound: float,
    status: str,
    solver: str = "",
    seconds: float | None = None,
) -> Found | None:
    """The plan with its integers fixed at rounded values and the rest solved; None where that has no solution, or none
    was found in `seconds`."""
    engine.ask("whole_numbers", False, deadline=limits.killing)
    engine.ask("fix", np.round(values[program.integer]), deadline=limits.killing)
    answer = run(engine, limits, solver or solver_for(program, limits.method, False), seconds)
    if answer["status"] != OPTIMAL:
        return None
    return _with_ranges(engine, program, limits, _finished(status, answer, bound, FIXED_INTEGERS))
