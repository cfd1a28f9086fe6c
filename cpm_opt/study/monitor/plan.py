"""The plan of a run as arrays again: its tables read anew, its decisions taken from its folder, all recounted.

Raises InputError where the tables are no longer those that the run was made from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cpm_opt.faults import Fault, InputError
from cpm_opt.formulation.audit import Decisions, Facts
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.spec import ModelSpec
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.portfolio.scenarios import Scenario
from cpm_opt.runs import RunRecord
from cpm_opt.solve.plan import Recount
from cpm_opt.solve.recount import recount
from cpm_opt.study.rerun import decisions_of, problem_of
from cpm_opt.tables import InstanceInfo

if TYPE_CHECKING:
    from pandas import DataFrame

# Decisions are written with 9 decimals; what they come to may differ by so much of the profit.
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """A run's plan and what it was made from: `frames` are the planning tables, estimated ones too; under uncertainty
    `portfolio`, `decisions` and `recount` are those of the most probable scenario, which the run's tables show."""

    record: RunRecord
    folder: Path
    info: InstanceInfo
    frames: Mapping[str, DataFrame]
    spec: ModelSpec
    portfolio: Portfolio
    scenarios: tuple[Scenario, ...]
    decisions: Decisions
    facts: Facts
    recount: Recount

    def has(self, component: str) -> bool:
        """Whether the run's model has the component."""
        return component in self.spec.components


def read_plan(record: RunRecord, instance: Path | str | None = None) -> PlannedRun:
    """The plan of a run; `instance` is where its tables are now, if no longer where the run says.

    Raises InputError where the run holds no plan, or its tables have changed since.
    """
    if not record.shown:
        message = "holds no plan, so nothing can be held against it"
        raise InputError([Fault("RUN", message, "take a run with a plan", value=record.id, code="no_plan")])
    problem = problem_of(record, instance)
    spec, scenarios = problem.spec, problem.scenarios
    portfolio = scenarios[0].portfolio if scenarios else problem.portfolio
    decisions = decisions_of(record, portfolio)
    weights = Weights(spec.objective.profit, spec.objective.end_value, spec.horizon.discount_rate)
    counted, facts, _ = recount(portfolio, decisions, tuple(spec.components.values()), weights)
    told = record.facts["scenarios"][0]["profit"] if scenarios else record.facts["profit"]
    if not math.isclose(counted.profit, told, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
        message = "its tables do not give the profit that it tells: they were changed on the way to the solve"
        raise InputError([Fault("RUN", message, "solve again", value=record.id, code="stale")])
    return PlannedRun(
        record=record,
        folder=problem.folder,
        info=problem.tables.info,
        frames=problem.frames,
        spec=spec,
        portfolio=portfolio,
        scenarios=scenarios,
        decisions=decisions,
        facts=facts,
        recount=counted,
    )
