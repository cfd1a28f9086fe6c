"""The solver's own process: holds one model in HiGHS and answers requests over a pipe.

A process apart, because HiGHS may run past its time limit and then has to be killed, because two solves in threads
of one process can deadlock, and because it starts while the model is still being built.

Started by `engine.Engine` as `python -m cpm_opt.solve.worker READ WRITE LIFELINE` with three inherited pipes. When the
lifeline closes, the parent is gone and so is this process. Requests are tuples `(name, arguments)`; each gets one
`("done", answer)` or `("refused", why)`; better plans found on the way are sent as `("incumbent", {...})`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import highspy
import numpy as np
from highspy import cb

INTEGER, CONTINUOUS = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous


class Refused(Exception):
    """HiGHS did not take what it was given."""


class Worker:
    """One HiGHS instance and what may be asked of it; each public method is a request."""

    def __init__(self, answers: Connection) -> None:
        self.answers = answers
        self.highs = highspy.Highs()
        self.highs.setOptionValue("log_to_console", False)
        self.integer = np.zeros(0, dtype=np.int32)
        self.whole = False
        self.lower = np.zeros(0)
        self.upper = np.zeros(0)

    def load(self, program: dict[str, Any], options: dict[str, Any]) -> tuple[int, int, int]:
        """Takes a model; answers the rows, columns and non-zeros that the solver says it has."""
        for name, value in options.items():
            self._option(name, value)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(program["cost"]), len(program["row_lower"])
        lp.sense_ = highspy.ObjSense.kMaximize
        lp.offset_ = program["offset"]
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = program["cost"], program["lower"], program["upper"]
        lp.row_lower_, lp.row_upper_ = program["row_lower"], program["row_upper"]
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_ = program["start"], program["index"]
        lp.a_matrix_.value_ = program["value"]
        self.integer = np.flatnonzero(program["integer"]).astype(np.int32)
        self.whole = len(self.integer) > 0
        self.lower, self.upper = program["lower"], program["upper"]
        self._taken(self.highs.passModel(lp), "the model")
        return self.highs.getNumRow(), self.highs.getNumCol(), self.highs.getNumNz()

    def change(self, edits: dict[str, tuple[Any, ...]]) -> None:
        """Changes numbers of the loaded model: `row_bounds`, `column_bounds`, `cost`, `coefficients`, `offset`."""
        h = self.highs
        if "row_bounds" in edits:
            index, lower, upper = edits["row_bounds"]
            self._taken(h.changeRowsBounds(len(index), index, lower, upper), "right sides")
        if "column_bounds" in edits:
            index, lower, upper = edits["column_bounds"]
            self.lower[index], self.upper[index] = lower, upper
            self._taken(h.changeColsBounds(len(index), index, lower, upper), "bounds")
        if "cost" in edits:
            index, cost = edits["cost"]
            self._taken(h.changeColsCost(len(index), index, cost), "the objective")
        for row, column, value in zip(*edits.get("coefficients", ((), (), ())), strict=True):
            self._taken(h.changeCoeff(int(row), int(column), float(value)), "a coefficient")
        if "offset" in edits:
            self._taken(h.changeObjectiveOffset(float(edits["offset"][0])), "the objective's constant")

    def add_rows(self, upper: np.ndarray, start: np.ndarray, index: np.ndarray, value: np.ndarray) -> None:
        """Adds rows `sum value x <= upper` at the end; row k has the entries from `start[k]` on."""
        lower = np.full(len(upper), -highspy.kHighsInf)
        added = (len(upper), lower, upper, len(value), start.astype(np.int32), index.astype(np.int32), value)
        self._taken(self.highs.addRows(*added), "rows")

    def withdraw_rows(self, count: int) -> None:
        """Takes the last `count` rows away."""
        rows = np.arange(self.highs.getNumRow() - count, self.highs.getNumRow(), dtype=np.int32)
        self._taken(self.highs.deleteRows(count, rows), "the end of rows")

    def change_option(self, name: str, value: Any) -> None:
        """Sets one of HiGHS's options for the runs to come."""
        self._option(name, value)

    def whole_numbers(self, on: bool) -> None:
        """Switches integrality on or off."""
        count = len(self.integer)
        self.whole = on and count > 0
        if count:
            kind = np.full(count, int(INTEGER if on else CONTINUOUS), dtype=np.uint8)
            self._taken(self.highs.changeColsIntegrality(count, self.integer, kind), "integrality")

    def fix(self, values: np.ndarray | None) -> None:
        """Fixes the integer columns at `values`, one a column, where they are numbers (nan: free); None frees all."""
        if not len(self.integer):
            return
        wanted = np.full(len(self.integer), np.nan) if values is None else values
        lower = np.where(np.isnan(wanted), self.lower[self.integer], wanted)
        upper = np.where(np.isnan(wanted), self.upper[self.integer], wanted)
        self._taken(self.highs.changeColsBounds(len(self.integer), self.integer, lower, upper), "bounds")

    def start_from(self, values: np.ndarray) -> None:
        """Offers a plan, one number a column, for the next run to start from."""
        solution = highspy.HighsSolution()
        solution.col_value = values.tolist()
        self.highs.setSolution(solution)

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        """Solves; answers the status and, only where a solution is reported, its values and prices."""
        self._options(options)
        started = time.perf_counter()
        self.highs.run()
        return {**self._answer(), "seconds": time.perf_counter() - started}

    def ranges(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Right sides of the named rows between which their prices hold (lower, upper); None without a basis.

        The price of a row holds while the basis stays feasible: moving its right side by d moves the basic variables by
        d times a column of the inverse of the basis. HiGHS's own ranging does this for every row and column of the
        model, which on a large one takes as long as the solve.
        """
        h = self.highs
        if not h.getBasis().valid:
            return None
        lp, solution = h.getLp(), h.getSolution()
        status, basic = h.getBasicVariables()
        if status == highspy.HighsStatus.kError:
            return None
        logical = basic < 0
        column, row = np.where(logical, 0, basic), np.where(logical, -1 - basic, 0)
        # HiGHS counts the variable of a row as minus its activity.
        activity = -np.array(solution.row_value)[row]
        value = np.where(logical, activity, np.array(solution.col_value)[column])
        lower = np.where(logical, -np.array(lp.row_upper_)[row], np.array(lp.col_lower_)[column])
        upper = np.where(logical, -np.array(lp.row_lower_)[row], np.array(lp.col_upper_)[column])
        down, up = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        for position, number in enumerate(rows.tolist()):
            status, step = h.getBasisInverseCol(number)
            if status == highspy.HighsStatus.kError:
                continue
            side = float(solution.row_value[number])
            down[position] = side - _room(-step, value, lower, upper)
            up[position] = side + _room(step, value, lower, upper)
        return down, up

    def conflict(self, options: dict[str, Any]) -> list[int]:
        """Rows of an irreducible set that contradict each other; empty where none was found."""
        self._options(options)
        status, iis = self.highs.getIis()
        if status == highspy.HighsStatus.kError or not iis.valid_:
            return []
        return [int(row) for row in iis.row_index_]

    def watch(self) -> None:
        """Sends every better plan of a run with whole numbers to the parent, as it is found."""
        self.highs.setCallback(self._heard, None)
        self.highs.startCallback(cb.HighsCallbackType.kCallbackMipImprovingSolution)

    def _heard(self, kind: int, message: str, out: Any, into: Any, data: object) -> None:
        self.answers.send(
            (
                "incumbent",
                {
                    "objective": float(out.objective_function_value),
                    "bound": float(out.mip_dual_bound),
                    "values": np.array(out.mip_solution),
                },
            )
        )

    def _answer(self) -> dict[str, Any]:
        h, info = self.highs, self.highs.getInfo()
        answer: dict[str, Any] = {
            "status": h.modelStatusToString(h.getModelStatus()),
            "objective": None,
            "bound": float(info.mip_dual_bound),
            "iterations": int(info.simplex_iteration_count + info.ipm_iteration_count),
            "nodes": int(info.mip_node_count),
            "values": None,
            "row_duals": None,
        }
        if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
            solution = h.getSolution()
            answer["objective"] = float(info.objective_function_value)
            answer["values"] = np.array(solution.col_value)
            if info.dual_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
                answer["row_duals"] = np.array(solution.row_dual)
        return answer

    def _options(self, options: dict[str, Any]) -> None:
        """Sets options for a run; `time_limit` in seconds from now. The clock that HiGHS holds it against goes on from
        run to run, but for runs with whole numbers, which have one of their own."""
        for name, value in options.items():
            self._option(name, value)
        if "time_limit" in options and not self.whole:
            self._option("time_limit", self.highs.getRunTime() + options["time_limit"])

    def _option(self, name: str, value: Any) -> None:
        self._taken(self.highs.setOptionValue(name, value), f"option {name} = {value}")

    def _taken(self, status: Any, what: str) -> None:
        if status == highspy.HighsStatus.kError:
            raise Refused(f"HiGHS refused {what}")


def _room(step: np.ndarray, value: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """How far the basic variables may go along `step` before one of them meets a bound."""
    rising, falling = step > 1e-9, step < -1e-9
    with np.errstate(invalid="ignore"):
        above = (upper[rising] - value[rising]) / step[rising]
        below = (lower[falling] - value[falling]) / step[falling]
    nearest = min(float(np.min(above, initial=np.inf)), float(np.min(below, initial=np.inf)))
    return max(0.0, nearest)


def _leave_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)


def main() -> None:
    """Serves requests until the pipe closes."""
    requests, answers = (
        Connection(int(sys.argv[1]), writable=False),
        Connection(int(sys.argv[2]), readable=False),
    )
    threading.Thread(target=_leave_with_parent, args=(int(sys.argv[3]),), daemon=True).start()
    worker = Worker(answers)
    while True:
        try:
            name, arguments = requests.recv()
        except EOFError:
            return
        try:
            answers.send(("done", getattr(worker, name)(*arguments)))
        except Refused as refused:
            answers.send(("refused", str(refused)))


if __name__ == "__main__":
    main()
