"""What pins and locks cost: the same problem solved without them, and what its plan does with each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from cpm_opt.formulation.audit import facts_of
from cpm_opt.formulation.components.pins import Pins
from cpm_opt.formulation.locked import Locked
from cpm_opt.formulation.spec import ModelSpec
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.portfolio.scenarios import Scenario
from cpm_opt.solve.certificate import TOLERANCE
from cpm_opt.solve.plan import PinEffect, Plan
from cpm_opt.solve.solve import solve

FOUND = ("optimal", "feasible")


def weighed_pins(
    plan: Plan, portfolio: Portfolio, spec: ModelSpec, started: float, scenarios: Sequence[Scenario] = ()
) -> Plan:
    """The plan with what its pins and locks cost; the plan itself where the model has none.

    Solves once more without them, in what is left of the time limit that began at `started` (on `time.monotonic`'s
    clock). Where pins leave no plan but there is one without them, the conflict names the pins in its way.
    """
    held = [part for part in spec.components.values() if isinstance(part, Pins | Locked)]
    names = tuple(name for part in held for name in part.names(portfolio))
    if not names:
        return plan
    asked = plan.shown or plan.status == "infeasible"
    if not asked or time.monotonic() - started >= spec.solver.time_limit:
        return replace(plan, pins=PinEffect(names))
    rest = {name: component for name, component in spec.components.items() if component not in held}
    free = solve(portfolio, replace(spec, components=rest), None, started, scenarios)
    if free.status not in FOUND or not free.shown or free.decisions is None or free.objective is None:
        return replace(plan, pins=PinEffect(names))
    facts = facts_of(free.portfolio, free.decisions)
    rows = [row for part in held for row in part.audit(facts).rows]
    broken = {row.rule for row in rows if row.slack < -TOLERANCE * max(1.0, abs(row.limit))}
    in_its_way = tuple(name for name in names if name in broken)
    if plan.objective is None:
        told = any(each.startswith(names) for each in plan.conflict)
        conflict = plan.conflict if told else (*plan.conflict, *in_its_way)
        message = "no plan keeps all the rules and all pins; without the pins there is one"
        return replace(plan, pins=PinEffect(names, in_its_way), conflict=conflict, message=message)
    tolerance = max(TOLERANCE, spec.solver.mip_gap) * max(1.0, abs(plan.objective))
    dearer = free.objective - plan.objective > tolerance
    return replace(plan, pins=PinEffect(names, in_its_way if dearer else (), free.objective, free.bound))
