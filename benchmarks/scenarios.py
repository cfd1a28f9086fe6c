"""The extensive form of 20 scenarios: 30 segments, 8 periods, tariffs decided once for all scenarios.

    python benchmarks/scenarios.py [--segments 30] [--periods 8] [--scenarios 20]

Prints the size of the model, the gap reached and the share of the default time limit that it took (wanted: a gap of
1e-4 within the limit).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.generated import write_instance
from cpm_opt.formulation.spec import Solver
from cpm_opt.pipeline import read_problem, solve_problem

WANTED = ("components.risk.weight=0.5", "solver.mip_gap=1e-4", f"solver.time_limit={Solver().time_limit}")


def main() -> None:
    """Runs the benchmark and prints what it found."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--segments", type=int, default=30)
    options.add_argument("--periods", type=int, default=8)
    options.add_argument("--scenarios", type=int, default=20)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        instance = write_instance(
            Path(folder) / "uncertain",
            chosen.segments,
            chosen.periods,
            ("tariff",),
            scenarios=chosen.scenarios,
        )
        problem = read_problem(instance, settings=WANTED)
        plan = solve_problem(problem)
    print(dict(plan.solver))
    print(f"{plan.status}, objective {plan.objective}, gap {plan.gap} (wanted: at most 1e-4)")
    print(
        f"{plan.seconds['total'] / Solver().time_limit:.2f} of the default time limit, {dict(plan.seconds)}"
    )


if __name__ == "__main__":
    main()
