"""A sweep of an instance's hours against separate solves, whole processes both.

    python benchmarks/sweep.py [--points 200] [--solves 6]

Prints, for each of two instances, the ratio of the sweep to as many `cpm solve` as it has points (wanted: at most
0.1). Of those only `--solves` are run, half of them before the sweep and half after it, and their mean counts for all.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

CPM = [sys.executable, "-m", "cpm_opt.cli"]
# An instance, a capacity of it, and between which amounts that varies.
CASES = (
    ("instances/bank-clients", "tables.resources[resource=staff-hours].capacity", 9000.0, 11000.0),
    ("instances/consumer-credit", "tables.resources[resource=branch-hours].capacity", 3000.0, 6000.0),
)


def seconds(command: Sequence[str]) -> float:
    """Wall-clock seconds of a whole process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def ratio(instance: str, key: str, low: float, high: float, points: int, solves: int) -> str:
    """What both took on one instance, in words."""
    values = ",".join(f"{low + (high - low) * k / points:g}" for k in range(points))
    with tempfile.TemporaryDirectory() as results:
        solve = [*CPM, "solve", instance, "--results", results]
        seconds(solve)  # once that does not count
        half = solves // 2
        alone = [seconds(solve) for _ in range(half)]
        swept = seconds([*CPM, "sweep", instance, "--vary", f"{key}={values}", "--results", results])
        alone += [seconds(solve) for _ in range(solves - half)]
    separate = sum(alone) / len(alone)
    found = swept / (separate * points)
    times = f"one `cpm solve` {separate:.2f} s, a sweep of {points} {swept:.1f} s"
    return f"{instance}: {times}, sweep / separate solves {found:.3f} (wanted: at most 0.1)"


def main() -> None:
    """Runs the benchmark and prints its ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--points", type=int, default=200)
    options.add_argument("--solves", type=int, default=6)
    given = options.parse_args()
    for case in CASES:
        print(ratio(*case, given.points, given.solves), flush=True)


if __name__ == "__main__":
    main()
