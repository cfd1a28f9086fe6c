"""Start-up of the command line against bare imports, whole processes in turn.

    python benchmarks/startup.py [--runs 7]

Prints the median ratios: `cpm --help` against `import pandas` (wanted: at most 0.4), and `cpm solve` of the bank
against importing pyomo, pandas and highspy (wanted: at most 2).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

IMPORT_PANDAS = [sys.executable, "-c", "import pandas"]
IMPORT_ALL = [sys.executable, "-c", "import pyomo.environ, pandas, highspy"]
CPM = [sys.executable, "-m", "cpm_opt.cli"]


def seconds(command: Sequence[str]) -> float:
    """Wall-clock seconds of a whole process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def ratio(command: Sequence[str], against: Sequence[str], runs: int) -> list[float]:
    """The ratio of the two, pair by pair, after one pair that does not count."""
    pairs = [(seconds(command), seconds(against)) for _ in range(runs + 1)]
    return [a / b for a, b in pairs[1:]]


def main() -> None:
    """Runs the benchmark and prints its ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=7)
    runs = options.parse_args().runs
    with tempfile.TemporaryDirectory() as results:
        solve = [*CPM, "solve", "instances/bank-clients", "--results", results]
        for title, command, against, wanted in (
            ("cpm --help / import pandas", [*CPM, "--help"], IMPORT_PANDAS, 0.4),
            ("cpm solve instances/bank-clients / import pyomo, pandas, highspy", solve, IMPORT_ALL, 2.0),
        ):
            found = ratio(command, against, runs)
            spread = f"{min(found):.2f} to {max(found):.2f}"
            print(
                f"{title}: {statistics.median(found):.2f} ({spread} in {runs} runs; wanted: at most {wanted})"
            )


if __name__ == "__main__":
    main()
