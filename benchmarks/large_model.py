"""Building against solving on about 150,000 variables, HiGHS's algorithms against one another, and a solve again.

    python benchmarks/large_model.py [--segments 480] [--methods simplex,ipx,hipo] [--limit 300]

Prints ratios measured in one run: building and handing over against the fastest algorithm (wanted: at most 0.25), and
a solve again after one capacity changed against the first solve (wanted: at most 0.1).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.generated import write_instance
from cpm_opt.formulation.compose import compose
from cpm_opt.formulation.statement import state
from cpm_opt.pipeline import Problem, read_problem
from cpm_opt.solve.engine import Engine, OutOfTime
from cpm_opt.solve.linear import LinearProgram, compile_model
from cpm_opt.solve.session import Session, loadable


def handed_over(problem: Problem) -> tuple[float, LinearProgram]:
    """Seconds from the portfolio to the model in the solver."""
    with Engine() as engine, Session(problem.spec, engine) as session:
        engine.ask("fix", None)  # wait until the process is up: it starts while tables are read
        began = time.perf_counter()
        draft = compose(problem.portfolio, problem.spec.components.values(), session.weights)
        program = compile_model(state(draft), draft)
        engine.ask("load", loadable(program), {})
        return time.perf_counter() - began, program


def timed(program: LinearProgram, method: str, limit: float) -> float | None:
    """Seconds that HiGHS takes with one algorithm, None where it does not end by the limit."""
    with Engine() as engine:
        engine.ask("load", loadable(program), {})
        try:
            answer = engine.ask(
                "run", {"solver": method, "time_limit": limit}, deadline=time.monotonic() + limit + 5
            )
        except OutOfTime:
            return None
        print(
            f"  {method:8} {answer['status']:20} {answer['seconds']:8.2f} s  objective {answer['objective']}"
        )
        return float(answer["seconds"]) if answer["status"] == "Optimal" else None


def solved_again(problem: Problem) -> tuple[float, float]:
    """Seconds of the first solve, and of one after the capacity of one period fell by a hundredth."""
    portfolio, resources = problem.portfolio, problem.portfolio.resources
    capacity = resources.capacity.copy()
    capacity[0, 1] *= 0.99
    with Session(problem.spec) as session:
        times = []
        for numbers in (portfolio, replace(portfolio, resources=replace(resources, capacity=capacity))):
            began = time.perf_counter()
            plan = session.solve(numbers)
            times.append(time.perf_counter() - began)
            print(f"  {plan.status}, objective {plan.objective}, {times[-1]:.2f} s")
    return times[0], times[1]


def main() -> None:
    """Runs the benchmark and prints its ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--segments", type=int, default=480)
    options.add_argument("--methods", default="simplex,ipx,hipo")
    options.add_argument("--limit", type=float, default=300.0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        problem = read_problem(write_instance(Path(folder) / "large", chosen.segments, 12))
        build, program = handed_over(problem)
        rows, columns, nonzeros = program.shape
        print(
            f"{rows} rows, {columns} variables, {nonzeros} non-zeros; built and handed over in {build:.2f} s"
        )
        solves = {method: timed(program, method, chosen.limit) for method in chosen.methods.split(",")}
        ended = {method: seconds for method, seconds in solves.items() if seconds is not None}
        if ended:
            best = min(ended, key=lambda method: ended[method])
            print(f"building / best algorithm ({best}): {build / ended[best]:.3f}  (wanted: at most 0.25)")
        print("first solve, and again after one capacity changed:")
        first, again = solved_again(problem)
        print(f"again / first: {again / first:.3f}  (wanted: at most 0.1)")


if __name__ == "__main__":
    main()
