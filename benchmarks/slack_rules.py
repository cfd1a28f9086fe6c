"""Rules that do not bind: what building costs with them on and slack, against none of them.

    python benchmarks/slack_rules.py [--segments 200] [--runs 3]

On and slack: price, options, cash, concentration and robust. Capacity, balance and switching are on in both.
Prints the median ratio of building and compiling (wanted: at most 1.3), pair by pair in one run.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.generated import write_instance
from cpm_opt.formulation.components import (
    Balance,
    Capacity,
    Cash,
    Component,
    Concentration,
    Options,
    Price,
    Robust,
    Switching,
)
from cpm_opt.formulation.compose import compose
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.statement import state
from cpm_opt.pipeline import read_problem
from cpm_opt.portfolio import Portfolio
from cpm_opt.solve.linear import compile_model

BASE: tuple[Component, ...] = (Capacity(), Balance(), Switching())
SLACK: tuple[Component, ...] = (
    *BASE,
    Price(),
    Options(),
    Cash(opening=1e12),
    Concentration(measure="margin", top_k=1, top_share=1.0, hhi=1.0),
    Robust(budget=0, width=1.0),
)


def seconds(portfolio: Portfolio, parts: Sequence[Component]) -> float:
    """Seconds from the portfolio to the compiled model."""
    began = time.perf_counter()
    composition = compose(portfolio, parts, Weights(1.0, 1.0, 0.01))
    compile_model(state(composition), composition)
    return time.perf_counter() - began


def main() -> None:
    """Runs the benchmark and prints its ratio."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--segments", type=int, default=200)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        portfolio = read_problem(write_instance(Path(folder) / "slack", chosen.segments, 12)).portfolio
    seconds(portfolio, SLACK)
    ratios = [seconds(portfolio, SLACK) / seconds(portfolio, BASE) for _ in range(chosen.runs)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(
        f"building with every rule on and slack / without: {statistics.median(ratios):.2f} ({spread}; wanted: 1.3)"
    )


if __name__ == "__main__":
    main()
