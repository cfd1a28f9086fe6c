"""One model on one portfolio, kept in the solver: the first solve, and solves again with other numbers."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from cpm_opt.faults import DefectError
from cpm_opt.formulation.compose import compose
from cpm_opt.formulation.draft import Draft, Key, Weights
from cpm_opt.formulation.spec import ModelSpec
from cpm_opt.portfolio.portfolio import Numbers, Portfolio
from cpm_opt.solve.certificate import certify
from cpm_opt.solve.engine import Engine, OutOfTime
from cpm_opt.solve.linear import LinearProgram, compile_model, edited
from cpm_opt.solve.plan import Decisions, Plan, Recount, ShadowPrice
from cpm_opt.solve.recount import doing_nothing, recount
from cpm_opt.solve.search import Found, Limits, gap_of, search

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

    def solve(self, portfolio: Portfolio, started: float | None = None) -> Plan:
        """Solves the model on the portfolio; `started` (on `time.monotonic`'s clock) is when the time limit began.

        Raises DefectError where the program or the solver contradicts itself.
        """
        began = time.perf_counter()
        limits = self._limits(time.monotonic() if started is None else started)
        draft = compose(portfolio, self.spec.components.values(), self.weights)
        program = self._compiled(draft)
        built = time.perf_counter()
        try:
            again = self._take(program, limits)
            found = search(self.engine, program, limits, again)
        except OutOfTime:
            found = Found("no_solution", "the time limit was reached before any plan; allow more time")
        plan = self._plan(portfolio, draft, found)
        seconds = {"build": built - began, "solve": time.perf_counter() - built}
        if not self.engine.alive:
            self.engine.restart()
            self._program = None
        return Plan(**{**plan.__dict__, "seconds": seconds})

    def _limits(self, started: float) -> Limits:
        solver = self.spec.solver
        grace = max(GRACE, GRACE_SHARE * solver.time_limit)
        return Limits(started + solver.time_limit, grace, solver.mip_gap, solver.method)

    def _compiled(self, draft: Draft) -> LinearProgram:
        """The draft as the solver takes it: the numbers of the program that it holds changed, where that will do."""
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
            raise DefectError(f"the solver holds {shape} rows, columns and non-zeros, the model {program.shape}")
        self.rebuilt += 1
        return False

    def _options(self) -> dict[str, Any]:
        solver = self.spec.solver
        return {
            "log_file": str(self._log),
            "random_seed": solver.seed,
            "threads": solver.threads,
        }

    def _plan(self, portfolio: Portfolio, draft: Draft, found: Found) -> Plan:
        components = tuple(self.spec.components.values())
        today = recount(portfolio, doing_nothing(portfolio), components, self.weights)[0]
        common: dict[str, Any] = {
            "portfolio": portfolio,
            "status": found.status,
            "message": found.message,
            "bound": found.bound,
            "today": today,
            "solver_log": self._log.read_text("utf-8", "replace") if self._log.exists() else "",
            "solver": self._solver_facts(found),
        }
        if found.status == "no_solution" and (idle := self._idle(portfolio, common)) is not None:
            return idle
        if found.values is None or found.objective is None or self._program is None:
            conflict = self._names(found.conflict)
            return Plan(
                **common, objective=None, gap=None, decisions=None, recount=None, certificate=None, conflict=conflict
            )
        decisions = decode(portfolio, draft, self._program, found.values)
        certificate, counted = certify(
            portfolio, decisions, components, self.weights, found.objective, found.bound
        )
        return Plan(
            **common,
            objective=counted.objective,
            gap=None if found.bound is None else gap_of(counted.objective, found.bound),
            decisions=decisions,
            recount=counted,
            certificate=certificate,
            shadow_prices=self._prices(found, counted),
            prices_from=found.prices_from,
        )

    def _idle(self, portfolio: Portfolio, common: dict[str, Any]) -> Plan | None:
        """Doing nothing, as a plan for want of a better one, where it keeps all the rules."""
        decisions, components = doing_nothing(portfolio), tuple(self.spec.components.values())
        value, bound = common["today"].objective, common["bound"]
        certificate, counted = certify(portfolio, decisions, components, self.weights, value, bound)
        if not certificate.passed:
            return None
        told = {"status": "feasible", "message": "the time limit was reached; leaving all as it is keeps every rule"}
        return Plan(
            **{**common, **told},
            objective=counted.objective,
            gap=None if bound is None else gap_of(counted.objective, bound),
            decisions=decisions,
            recount=counted,
            certificate=certificate,
        )

    def _solver_facts(self, found: Found) -> dict[str, object]:
        rows, columns, nonzeros = self._program.shape if self._program else (0, 0, 0)
        integers = int(self._program.integer.sum()) if self._program else 0
        return {
            "rows": rows,
            "columns": columns,
            "nonzeros": nonzeros,
            "integers": integers,
            "nodes": found.nodes,
            "iterations": found.iterations,
        }

    def _names(self, rows: tuple[int, ...]) -> tuple[str, ...]:
        names = {position: key for key, position in self._program.keys.items()} if self._program else {}
        rules = [names[row] for row in rows if row in names]
        return tuple(dict.fromkeys(" ".join(filter(None, (rule, subject))) for rule, subject, _ in sorted(rules)))

    def _prices(self, found: Found, counted: Recount) -> dict[Key, ShadowPrice]:
        """Prices of the rows that a manager can name, each with the right sides between which it holds."""
        if found.row_duals is None or self._program is None:
            return {}
        slack = {row.key: row.slack for row in counted.rows}
        prices: dict[Key, ShadowPrice] = {}
        for key, row in self._program.keys.items():
            price = float(found.row_duals[row])
            side, most = float(self._program.row_upper[row]), np.isfinite(self._program.row_upper[row])
            if price == 0.0:
                # Nothing presses on the row: its price stays 0 until its right side has moved by all its slack.
                room = max(0.0, slack.get(key, 0.0))
                side = side if most else float(self._program.row_lower[row])
                ends = (side - room, None) if most else (None, side + room)
            elif found.ranges is None:
                ends = (None, None)
            else:
                ends = (_finite(found.ranges[0][row]), _finite(found.ranges[1][row]))
            prices[key] = ShadowPrice(price, *ends)
        return prices

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


def decode(portfolio: Portfolio, draft: Draft, program: LinearProgram, values: Numbers) -> Decisions:
    """The decisions in a solver's answer; columns that no row uses stand at their bound nearest to 0."""
    lower = np.concatenate([family.lower for family in draft.variables])
    upper = np.concatenate([family.upper for family in draft.variables])
    every = np.clip(np.zeros(draft.columns), lower, upper)
    used = program.position >= 0
    every[used] = np.clip(values[program.position[used]], lower[used], upper[used])
    on = np.where(draft.core.on >= 0, every[draft.core.on], 0.0)
    chosen = []
    for lever, columns in zip(portfolio.levers, draft.core.chosen, strict=True):
        share = np.where(columns >= 0, every[columns], -1.0)
        options = np.array(lever.options)
        picked = options[np.argmax(share, axis=1)] if lever.single else np.zeros((0, portfolio.periods))
        chosen.append(picked.astype(np.int64))
    extra = np.where(draft.extra >= 0, every[draft.extra], 0.0)
    return Decisions(on, tuple(chosen), extra)


def loadable(program: LinearProgram) -> dict[str, Any]:
    """What the solver's process takes of a program: plain arrays by name."""
    names = ("cost", "offset", "row_lower", "row_upper", "lower", "upper", "integer", "start", "index", "value")
    return {name: getattr(program, name) for name in names}


def _edits(old: LinearProgram, new: LinearProgram) -> dict[str, tuple[Any, ...]]:
    edits: dict[str, tuple[Any, ...]] = {}
    rows = np.flatnonzero((old.row_lower != new.row_lower) | (old.row_upper != new.row_upper)).astype(np.int32)
    if len(rows):
        edits["row_bounds"] = (rows, new.row_lower[rows], new.row_upper[rows])
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


def _finite(bound: float) -> float | None:
    return float(bound) if np.isfinite(bound) and abs(bound) < 1e20 else None
