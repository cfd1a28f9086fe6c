"""One model on one portfolio, kept in the solver: the first solve, and solves again with other numbers."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from cpm_opt.faults import DefectError
from cpm_opt.formulation.components.least_change import SLIP, LeastChange
from cpm_opt.formulation.compose import compose
from cpm_opt.formulation.draft import Composition, Weights
from cpm_opt.formulation.spec import ModelSpec
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.portfolio.scenarios import Scenario
from cpm_opt.solve.answer import Question, answer, worth_of
from cpm_opt.solve.engine import Engine, OutOfTime
from cpm_opt.solve.linear import LinearProgram, compile_model, eased, edited
from cpm_opt.solve.plan import Plan
from cpm_opt.solve.refine import search_curved
from cpm_opt.solve.search import Found, Limits

# Seconds after the time limit before the solver is killed, and the share of a long limit.
GRACE, GRACE_SHARE = 1.0, 0.05


class Session:
    """Solves one model on a portfolio and, cheaply, on others that differ in numbers only.

    Use it as a context manager. `engine` may be one that was started earlier, to let it warm up meanwhile.
    """

    def __init__(self, spec: ModelSpec, engine: Engine | None = None) -> None:
        self.spec = spec
        self.engine = engine or Engine()
        self._program: LinearProgram | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="cpm-")
        self._log = Path(self._folder.name) / "solver.log"
        self.rebuilt = 0

    @property
    def weights(self) -> Weights:
        """The objective's weights and the discount rate of the model."""
        spec = self.spec
        return Weights(spec.objective.profit, spec.objective.end_value, spec.horizon.discount_rate)

    def solve(
        self, portfolio: Portfolio, started: float | None = None, scenarios: Sequence[Scenario] = ()
    ) -> Plan:
        """Solves the model on the portfolio; `started` (on `time.monotonic`'s clock) is when the time limit began.

        With `scenarios` (for a model with the component `risk`) it decides for all of them together. Raises
        DefectError where the program or the solver contradicts itself.
        """
        began = time.perf_counter()
        limits = self._limits(time.monotonic() if started is None else started)
        question = Question(portfolio, tuple(self.spec.components.values()), self.weights, tuple(scenarios))
        composition = compose(portfolio, question.components, self.weights, scenarios)
        program = self._compiled(composition)
        built = time.perf_counter()
        try:
            again = self._take(program, limits)
            found = search_curved(self.engine, program, limits, again)
        except OutOfTime:
            found = Found("no_solution", "the time limit was reached before any plan; allow more time")
        log = self._log.read_text("utf-8", "replace") if self._log.exists() else ""
        plan = answer(question, composition, program, found, log)
        least = self.spec.components.get(LeastChange.name)
        if isinstance(least, LeastChange) and plan.shown and self.engine.alive:
            plan = self._changing_least(plan, question, least, limits)
        seconds = {"build": built - began, "solve": time.perf_counter() - built}
        if not self.engine.alive:
            self.engine.restart()
            self._program = None
        return replace(plan, seconds=seconds)

    def _changing_least(self, plan: Plan, question: Question, least: LeastChange, limits: Limits) -> Plan:
        """The second solve: the plan itself where no other of (nearly) its worth changes less in the time left."""
        composition = compose(question.portfolio, question.components, self.weights, question.scenarios)
        chances = [case.probability for case in question.cases]
        assert plan.objective is not None
        composition = least.restated(composition, plan.objective, chances)
        program = self._compiled(composition)
        try:
            found = search_curved(self.engine, program, limits, self._take(program, limits))
        except OutOfTime:
            return plan
        if found.values is None:
            return plan
        worth = worth_of(question, composition, program, found.values)
        told = replace(found, status=plan.status, message=plan.message, objective=worth, bound=plan.bound)
        closer = answer(question, composition, program, told, plan.solver_log)
        if not closer.shown or closer.objective is None:
            return plan
        given_up = max(0.0, plan.objective - closer.objective)
        if given_up > 2.0 * SLIP * max(1.0, abs(plan.objective)):
            loss = f"{given_up:.6g} of the best plan's worth were given up to change less (component least_change)"
            message = f"{plan.message}; {loss}" if plan.message else loss
            closer = replace(closer, message=message, given_up=given_up)
        return replace(closer, shadow_prices=plan.shadow_prices, prices_from=plan.prices_from)

    def _limits(self, started: float) -> Limits:
        solver = self.spec.solver
        grace = max(GRACE, GRACE_SHARE * solver.time_limit)
        return Limits(started + solver.time_limit, grace, solver.mip_gap, solver.method)

    def _compiled(self, draft: Composition) -> LinearProgram:
        """The model as the solver takes it: the numbers of the program that it holds changed, where that will do."""
        changed = None if self._program is None else edited(self._program, draft)
        if changed is not None:
            return changed
        from cpm_opt.formulation.statement import state

        return compile_model(state(draft), draft)

    def _take(self, program: LinearProgram, limits: Limits) -> bool:
        """Gives the program to the solver: as edits where it holds one of the same structure, else whole. Whether it
        was edits."""
        held, self._program = self._program, program
        if held is not None and held.row_position is program.row_position:
            self.engine.ask("change", _edits(held, program), deadline=limits.killing)
            return True
        if held is not None:
            self.engine.restart()
        shape = self.engine.ask("load", loadable(program), self._options(), deadline=limits.killing)
        if tuple(shape) != program.shape:
            raise DefectError(
                f"the solver holds {shape} rows, columns and non-zeros, the model {program.shape}"
            )
        self.rebuilt += 1
        return False

    def _options(self) -> dict[str, Any]:
        solver = self.spec.solver
        return {
            "log_file": str(self._log),
            "random_seed": solver.seed,
            "threads": solver.threads,
        }

    def close(self) -> None:
        """Ends the solver's process and removes its log."""
        self.engine.close()
        with contextlib.suppress(OSError):
            self._folder.cleanup()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def loadable(program: LinearProgram) -> dict[str, Any]:
    """What the solver's process takes of a program: plain arrays by name."""
    names = (
        "cost",
        "offset",
        "row_lower",
        "row_upper",
        "lower",
        "upper",
        "integer",
        "start",
        "index",
        "value",
    )
    row_lower, row_upper = eased(program)
    return {
        **{name: getattr(program, name) for name in names},
        "row_lower": row_lower,
        "row_upper": row_upper,
    }


def _edits(old: LinearProgram, new: LinearProgram) -> dict[str, tuple[Any, ...]]:
    edits: dict[str, tuple[Any, ...]] = {}
    (old_lower, old_upper), (lower, upper) = eased(old), eased(new)
    rows = np.flatnonzero((old_lower != lower) | (old_upper != upper)).astype(np.int32)
    if len(rows):
        edits["row_bounds"] = (rows, lower[rows], upper[rows])
    columns = np.flatnonzero((old.lower != new.lower) | (old.upper != new.upper)).astype(np.int32)
    if len(columns):
        edits["column_bounds"] = (columns, new.lower[columns], new.upper[columns])
    costs = np.flatnonzero(old.cost != new.cost).astype(np.int32)
    if len(costs):
        edits["cost"] = (costs, new.cost[costs])
    values = np.flatnonzero(old.value != new.value)
    if len(values):
        column = np.searchsorted(new.start, values, side="right") - 1
        edits["coefficients"] = (new.index[values], column, new.value[values])
    if old.offset != new.offset:
        edits["offset"] = (new.offset,)
    return edits
