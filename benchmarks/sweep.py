"""A sweep of the bank's hours against separate solves, whole processes both.

    python benchmarks/sweep.py [--points 200] [--solves 5]

Prints the ratio of the sweep to as many `cpm solve` as it has points (wanted: at most 0.1). Of those only `--solves` are
run, half of them before the sweep and half after it, and their mean counts for all.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

CPM = [sys.executable, "-m", "cpm_opt.cli"]
INSTANCE = "instances/bank-clients"
KEY = "tables.resources[resource=staff-hours].capacity"


def seconds(command: Sequence[str]) -> float:
    """Wall-clock seconds of a whole process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Runs the benchmark and prints its ratio."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--points", type=int, default=200)
    options.add_argument("--solves", type=int, default=5)
    given = options.parse_args()
    values = ",".join(f"{9000 + 2000 * k / given.points:g}" for k in range(given.points))
    with tempfile.TemporaryDirectory() as results:
        solve = [*CPM, "solve", INSTANCE, "--results", results]
        seconds(solve)  # once that does not count
        half = given.solves // 2
        alone = [seconds(solve) for _ in range(half)]
        swept = seconds([*CPM, "sweep", INSTANCE, "--vary", f"{KEY}={values}", "--results", results])
        alone += [seconds(solve) for _ in range(given.solves - half)]
    separate = sum(alone) / len(alone)
    ratio = swept / (separate * given.points)
    print(f"one `cpm solve`: {separate:.2f} s; a sweep of {given.points}: {swept:.1f} s")
    print(f"sweep / {given.points} separate solves: {ratio:.3f} (wanted: at most 0.1)")


if __name__ == "__main__":
    main()
