"""The plan of a run as arrays again: its tables read anew, its decisions taken from its folder, all recounted.

Raises InputError where the tables are no longer those that the run was made from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpm_opt.estimates import estimate
from cpm_opt.faults import Fault, InputError
from cpm_opt.formulation.audit import Decisions, Facts
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.registry import registered_components
from cpm_opt.formulation.spec import Horizon, ModelSpec, Objective, Solver
from cpm_opt.places import find_instance
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.portfolio.scenarios import Scenario
from cpm_opt.runs import RunRecord
from cpm_opt.runs.record import RUN_FILE
from cpm_opt.solve.plan import Recount
from cpm_opt.solve.recount import recount
from cpm_opt.study.base import question
from cpm_opt.tables import InstanceInfo, Tables, read_instance

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
    folder = _folder(record, instance)
    tables = read_instance(folder)
    _refuse_changes(record, tables)
    estimates = estimate(tables)
    wrong = [fault for fault in (*tables.faults, *estimates.faults) if not fault.warning]
    if wrong:
        raise InputError(wrong)
    spec = spec_of(record)
    frames = estimates.frames
    asked = question(spec, frames if "switching" in spec.components else _unheld(frames), tables.info)
    portfolio = asked.scenarios[0].portfolio if asked.scenarios else asked.portfolio
    decisions = _decisions(record, portfolio)
    weights = Weights(spec.objective.profit, spec.objective.end_value, spec.horizon.discount_rate)
    counted, facts, _ = recount(portfolio, decisions, tuple(spec.components.values()), weights)
    told = record.facts["scenarios"][0]["profit"] if asked.scenarios else record.facts["profit"]
    if not math.isclose(counted.profit, told, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
        message = "its tables do not give the profit that it tells: they were changed on the way to the solve"
        raise InputError([Fault("RUN", message, "solve again", value=record.id, code="stale")])
    return PlannedRun(
        record, folder, tables.info, frames, spec, portfolio, asked.scenarios, decisions, facts, counted
    )


def spec_of(record: RunRecord) -> ModelSpec:
    """The model of a run as it was resolved then; raises InputError where a component of it is not installed."""
    model = record.facts["model"]
    known = registered_components()
    missing = [name for name in model["components"] if name not in known]
    if missing:
        message = f"its model has component {missing[0]}, which is not installed here"
        raise InputError([Fault("RUN", message, "install its package", value=record.id, code="plugin")])
    try:
        return ModelSpec(
            name=str(model["name"]),
            title=str(model["title"]),
            horizon=Horizon(**model["horizon"]),
            objective=Objective(**model["objective"]),
            components={name: known[name](**_fields(keys)) for name, keys in model["components"].items()},
            solver=Solver(**model["solver"]),
        )
    except (TypeError, ValueError) as error:
        raise record.damaged(RUN_FILE, "holds a model of another version") from error


def _fields(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in keys.items()}


def _folder(record: RunRecord, instance: Path | str | None) -> Path:
    """Where the instance is: as told, else as the run says, else under its name."""
    if instance is not None:
        return find_instance(instance)
    said = record.facts["instance"]
    for place in (said["folder"], said["name"]):
        try:
            return find_instance(place)
        except InputError:
            continue
    message = f"its instance is not where it was ({said['folder']})"
    remedy = "name its folder with --instance"
    raise InputError([Fault("RUN", message, remedy, value=record.id, code="place")])


def _refuse_changes(record: RunRecord, tables: Tables) -> None:
    then = {str(name): str(value) for name, value in record.facts["hashes"].items()}
    now = dict(tables.hashes)
    changed = sorted(name for name in now if then.get(name) != now[name])
    # The model's own file is among the hashes, too; the run keeps the whole model, so that file does not matter.
    gone = sorted(name for name in then if name not in now and not name.endswith(".toml"))
    remedy = "solve again, or name the folder as it was with --instance"
    faults = [
        Fault(name, f"{what} since the run was solved", remedy, code="stale")
        for what, names in (("has changed", changed), ("is gone", gone))
        for name in names
    ]
    if faults:
        raise InputError(faults)


def _unheld(frames: Mapping[str, DataFrame]) -> Mapping[str, DataFrame]:
    """Without the component `switching` no choice has to hold."""
    levers = frames.get("levers")
    return frames if levers is None else {**frames, "levers": levers.assign(hold=1)}


def _decisions(record: RunRecord, p: Portfolio) -> Decisions:
    segments = {name: place for place, name in enumerate(p.segments)}
    levers = {lever.name: number for number, lever in enumerate(p.levers)}
    options = {(p.levers[lever].name, p.options[o]): o for o, lever in enumerate(p.lever_of.tolist())}
    resources = {name: place for place, name in enumerate(p.resources.names)}
    on = np.zeros((len(p.segments), len(p.options), p.periods))
    extra = np.zeros((len(resources), p.periods))
    chosen = [
        np.zeros((len(lever.groups) if lever.single else 0, p.periods), dtype=np.int64) for lever in p.levers
    ]
    try:
        for row in record.table("plan"):
            at = segments[row["segment"]], options[row["lever"], row["option"]], int(row["period"]) - 1
            on[at] = float(row["customers"])
        for row in record.table("choices"):
            number = levers[row["lever"]]
            group = p.levers[number].groups.index(row["group"])
            chosen[number][group, int(row["period"]) - 1] = options[row["lever"], row["option"]]
        for row in record.table("resources"):
            extra[resources[row["resource"]], int(row["period"]) - 1] = float(row["extra"] or 0.0)
    except (KeyError, ValueError, IndexError) as error:
        raise record.damaged("plan.csv", "does not fit the instance") from error
    return Decisions(on, tuple(chosen), extra)


def with_portfolio(plan: PlannedRun, portfolio: Portfolio) -> PlannedRun:
    """The same plan on other numbers, as those of another scenario: only its first period is known to be the same."""
    return replace(plan, portfolio=portfolio)
