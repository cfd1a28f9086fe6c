"""A time limit counts from the run that it is given to, though HiGHS's clock goes on from run to run."""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import cast

import numpy as np

from cpm_opt.solve.worker import Worker


def test_the_time_of_runs_before_does_not_count() -> None:
    rows, columns = 250, 350
    rng = np.random.default_rng(3)
    program = {
        "cost": rng.random(columns),
        "offset": 0.0,
        "row_lower": np.full(rows, -np.inf),
        "row_upper": 100.0 * rng.random(rows),
        "lower": np.zeros(columns),
        "upper": np.full(columns, 10.0),
        "integer": np.zeros(columns, dtype=bool),
        "start": np.arange(0, rows * columns + 1, rows),
        "index": np.tile(np.arange(rows), columns),
        "value": rng.random(rows * columns),
    }
    worker = Worker(cast(Connection, None))
    worker.load(program, {})
    seconds = []
    while sum(seconds) < 8.0 * max(seconds, default=1.0) and len(seconds) < 60:
        worker.highs.clearSolver()
        seconds.append(worker.run({"time_limit": 60.0})["seconds"])
    worker.highs.clearSolver()
    assert worker.run({"time_limit": 0.9 * sum(seconds)})["status"] == "Optimal"
