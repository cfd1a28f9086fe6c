"""Ranges of shadow prices, computed row by row, against HiGHS's own ranging of the whole model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cpm_opt.formulation.components import Balance, Capacity, Switching
from cpm_opt.formulation.compose import compose
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.statement import state
from cpm_opt.solve.linear import LinearProgram, compile_model
from cpm_opt.solve.session import loadable
from cpm_opt.solve.worker import Worker
from tests.portfolio.small import built
from tests.solve.test_traps import TABLES


def random_program(seed: int) -> LinearProgram:
    """A linear model with other margins, capacities and rules each time."""
    rng = np.random.default_rng(seed)
    rules = [
        f"rule{n},{rng.choice(['customers', 'margin', 'use:hours'])},{rng.choice(['gold', 'all'])},max,"
        f"{rng.integers(20, 400)},{rng.uniform(0.5, 3):.2f}"
        for n in range(3)
    ]
    portfolio = built(
        {
            **TABLES,
            "levers": "lever,choice,scope\nservice,mix,segment\ntariff,mix,segment",
            "balance": "\n".join(["rule,measure,members,sense,value,penalty", *rules]),
        },
        periods=3,
    )
    resources = portfolio.resources
    capacity = resources.capacity * rng.uniform(0.2, 1.5, resources.capacity.shape)
    portfolio = replace(portfolio, resources=replace(resources, capacity=capacity))
    draft = compose(portfolio, [Capacity(), Balance(), Switching()], Weights(1.0, 1.0, 0.03))
    return compile_model(state(draft), draft)


@pytest.mark.parametrize("seed", range(15))
def test_ranges_are_those_of_the_solver(seed: int) -> None:
    program = random_program(seed)
    worker = Worker(answers=None)  # type: ignore[arg-type]
    worker.load(loadable(program), {})
    answer = worker.run({})
    assert answer["status"] == "Optimal"
    named = np.array(sorted(row for rows in program.keys.values() for row in rows))
    binding = named[answer["row_duals"][named] != 0.0]
    assert len(binding) > 0
    ends = worker.ranges(binding)
    assert ends is not None
    _, ranging = worker.highs.getRanging()
    for found, record in zip(ends, (ranging.row_bound_dn, ranging.row_bound_up), strict=True):
        theirs = np.array(record.value_)[binding]
        endless = np.abs(theirs) >= 1e20
        assert np.isinf(found[endless]).all()
        assert found[~endless] == pytest.approx(theirs[~endless], rel=1e-7, abs=1e-7)
