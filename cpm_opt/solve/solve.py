"""Solve once: the short way for those who do not solve again."""

from __future__ import annotations

from collections.abc import Sequence

from cpm_opt.formulation.spec import ModelSpec
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.portfolio.scenarios import Scenario
from cpm_opt.solve.engine import Engine
from cpm_opt.solve.plan import Plan
from cpm_opt.solve.session import Session


def solve(
    portfolio: Portfolio,
    spec: ModelSpec,
    engine: Engine | None = None,
    started: float | None = None,
    scenarios: Sequence[Scenario] = (),
) -> Plan:
    """The best plan of the model on the portfolio, with its certificate.

    `started` (on `time.monotonic`'s clock) is when the model's time limit began to run. Statuses of the solver are
    values of the plan, not exceptions. `scenarios` are for a model with the component `risk`.
    """
    with Session(spec, engine) as session:
        return session.solve(portfolio, started, scenarios)
