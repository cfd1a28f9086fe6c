"""A run over scenarios, whose margins differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cpm_opt.formulation.components.capacity import Capacity
from cpm_opt.formulation.draft import Weights
from cpm_opt.runs import RunRecord, read_run
from cpm_opt.solve.plan import ScenarioPlan
from cpm_opt.solve.recount import doing_nothing, recount
from tests.handmade import RATE, decisions, plan, portfolio, written


def risky_run(results: Path, count: int) -> RunRecord:
    """A written run over `count` scenarios; margins grow evenly from 0.8 to 1.1 of what is expected."""
    made = plan(portfolio(money_unit=1.0))
    chosen, weights = decisions(made.portfolio), Weights(discount_rate=RATE)
    chances = [2.0 / count / (count + 1) * (count - number) for number in range(count)]
    cases = []
    for number, chance in enumerate(chances):
        factor = 0.8 + 0.3 * number / (count - 1)
        flows = {
            key: replace(flow, per_customer=flow.per_customer * factor)
            for key, flow in made.portfolio.flows.items()
        }
        p = replace(made.portfolio, flows=flows)
        done, _, _ = recount(p, chosen, (Capacity(),), weights)
        today, _, _ = recount(p, doing_nothing(p), (Capacity(),), weights)
        cases.append(ScenarioPlan(f"case {number}", chance, chosen, done, today, p))
    return read_run(written(results, replace(made, scenarios=tuple(cases))))
