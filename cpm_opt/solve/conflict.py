"""Why there is no plan: the rules that the solver blames, made irreducible."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from cpm_opt.formulation.spec import ModelSpec
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.portfolio.scenarios import Scenario
from cpm_opt.solve.elastic import Case, Elastic, Rule, composed, irreducible
from cpm_opt.solve.engine import OutOfTime
from cpm_opt.solve.plan import Plan

INFEASIBLE = "infeasible"
# Seconds for it at most, and the share of the model's time limit beyond what the solve took.
MOST_SECONDS, SHARE = 10.0, 0.5


def with_conflict(
    plan: Plan, portfolio: Portfolio, spec: ModelSpec, scenarios: Sequence[Scenario] = ()
) -> Plan:
    """The plan with rules that contradict each other and of which each is needed for that, where it is infeasible; any
    other plan as it is. Where the time (10 seconds, or half the model's limit) is too short, the rules stay those that
    the solver blamed, and `irreducible` is False."""
    if plan.status != INFEASIBLE:
        return plan
    seconds = min(MOST_SECONDS, SHARE * spec.solver.time_limit)
    if plan.seconds.get("build", 0.0) > seconds:  # building the model once more would take all of it
        return plan
    hurried = replace(spec, solver=replace(spec.solver, time_limit=seconds))
    try:
        case = Case(portfolio, tuple(scenarios))
        with Elastic(composed(case, spec), hurried, (), (), time.monotonic()) as elastic:
            if elastic.feasible(elastic.rules):
                return plan  # the two searches disagree: the solver's own word stands
            found = irreducible(elastic, _blamed(elastic, plan.conflict))
    except OutOfTime:
        return plan
    return replace(plan, conflict=tuple(name for _, name in found), irreducible=True)


def _blamed(elastic: Elastic, conflict: Sequence[str]) -> tuple[Rule, ...]:
    """The rules that the solver blamed, if they contradict each other; else all."""
    mine = tuple(rule for rule in elastic.rules if any(each.startswith(rule[1]) for each in conflict))
    return mine if mine and not elastic.feasible(mine) else elastic.rules
