"""The whole way, from an instance and a model to a certified plan; one page, read from top to bottom.

read_instance -> estimate -> build_portfolio -> solve
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cpm_opt.faults import Fault, InputError

if TYPE_CHECKING:
    from pandas import DataFrame

    from cpm_opt.formulation.spec import ModelSpec
    from cpm_opt.portfolio.portfolio import Portfolio
    from cpm_opt.portfolio.scenarios import Scenario
    from cpm_opt.solve.engine import Engine
    from cpm_opt.solve.plan import Plan
    from cpm_opt.tables import Tables


NO_MODEL = "no_model"
_NOTHING_UNCERTAIN = Fault(
    "scenarios",
    "the model weighs risk, but the instance has no scenarios, so nothing is uncertain",
    "add table scenarios, or take a model without [components.risk]",
    code="no_scenarios",
    warning=True,
)


@dataclass(frozen=True)
class Problem:
    """An instance and a model, read, estimated and checked: ready to solve.

    `notes` tell what was estimated from raw tables; `hashes` are the SHA-256 of every input file by name; `seconds` is
    what reading took; `started` is when it began, on `time.monotonic`'s clock: the time limit runs from there.
    `scenarios` are there where the model weighs risk; `frames` are all planning tables, the estimated ones too.
    """

    folder: Path
    tables: Tables
    spec: ModelSpec
    portfolio: Portfolio
    notes: tuple[str, ...]
    hashes: Mapping[str, str]
    seconds: Mapping[str, float]
    started: float
    scenarios: tuple[Scenario, ...] = ()
    frames: Mapping[str, DataFrame] = field(default_factory=dict, repr=False)


def read_problem(
    instance: str | Path,
    model: str | Path | None = None,
    settings: Sequence[str] = (),
    time_limit: float | None = None,
    fix: Sequence[str] = (),
    forbid: Sequence[str] = (),
    doubts: bool = False,
) -> Problem:
    """Reads an instance (a folder or a name) and a model (a file or a name; without one, the instance's default).

    `settings` are `key=value` changes of the model, `time_limit` in seconds goes before the model's own; `fix` and
    `forbid` are pins, LEVER=OPTION[@GROUP][:t1-t2]; with `doubts` the warnings hold what is doubtful about effects too.
    Raises InputError with every fault of tables, estimates and model at once.
    """
    problem, faults, _ = _examine(instance, model, settings, time_limit, fix, forbid, doubts)
    if problem is None:
        raise InputError(faults)
    return problem


def check_instance(
    instance: str | Path,
    model: str | Path | None = None,
    settings: Sequence[str] = (),
    fix: Sequence[str] = (),
    forbid: Sequence[str] = (),
) -> tuple[list[Fault], list[Fault]]:
    """Every fault of an instance under a model (and pins), and every warning; nothing is solved."""
    _, faults, warnings = _examine(instance, model, settings, None, fix, forbid, doubts=True)
    # Tables can be checked without a model; only a solve needs one.
    return [fault for fault in faults if fault.code != NO_MODEL], warnings


def solve_problem(problem: Problem, engine: Engine | None = None) -> Plan:
    """Solves a problem; `engine` may be one that was started while the problem was read. With pins, once more without
    them, to tell what they cost; where no plan is possible, until it is known which rules are in the way."""
    from cpm_opt.solve.solve import solve
    from cpm_opt.solve.unpinned import weighed_pins

    plan = solve(problem.portfolio, problem.spec, engine, problem.started, problem.scenarios)
    plan = weighed_pins(plan, problem.portfolio, problem.spec, problem.started, problem.scenarios)
    if plan.status == "infeasible":
        from cpm_opt.solve.conflict import with_conflict

        plan = with_conflict(plan, problem.portfolio, problem.spec, problem.scenarios)
    total = time.monotonic() - problem.started
    return replace(plan, seconds={**problem.seconds, **plan.seconds, "total": total})


def solve_instance(
    instance: str | Path,
    model: str | Path | None = None,
    settings: Sequence[str] = (),
    time_limit: float | None = None,
    fix: Sequence[str] = (),
    forbid: Sequence[str] = (),
) -> Plan:
    """The whole way in one call; see `read_problem` for the arguments and what is raised."""
    from cpm_opt.solve.engine import Engine

    with Engine() as engine:
        return solve_problem(read_problem(instance, model, settings, time_limit, fix, forbid), engine)


def _examine(
    instance: str | Path,
    model: str | Path | None,
    settings: Sequence[str],
    time_limit: float | None,
    fix: Sequence[str],
    forbid: Sequence[str],
    doubts: bool = False,
) -> tuple[Problem | None, list[Fault], list[Fault]]:
    """The problem where there is one, and the faults and warnings of everything that could be looked at.

    With `doubts` the effects are looked at too (`estimates.lint`), which a study of many plans need not pay for.
    """
    from cpm_opt.costing import costing_faults
    from cpm_opt.estimates import estimate
    from cpm_opt.places import find_instance
    from cpm_opt.tables import read_instance

    started, began = time.monotonic(), time.perf_counter()
    try:
        folder = find_instance(instance)
        tables = read_instance(folder)
    except InputError as error:
        faults = [*error.faults, *_pin_faults(fix, forbid)]
        return None, _with_model_faults(faults, model, settings, time_limit), []
    spec, faults = _read_model(model or tables.info.default_model, settings, time_limit)
    spec = _pinned(spec, fix, forbid)
    # Scenarios cost time and may fail by themselves: a model that weighs no risk does without.
    estimates = estimate(tables, scenarios=spec is not None and "risk" in spec.components)
    frames, unheld = _held(estimates.frames, spec)
    # A ledger that was left where it lies is told once, though estimates and costing both met its faults.
    told = list(dict.fromkeys([*tables.faults, *faults, *estimates.faults, *costing_faults(tables)]))
    portfolio, found, warnings = _build(frames, tables, spec, told)
    warnings = [*warnings, *unheld]
    if doubts:
        warnings = _with_doubts(tables, estimates.frames, warnings, found)
    if spec is None and model is None:
        found = _without_segments(found, tables)
    if portfolio is None or spec is None:
        return None, [*found, *_pin_faults(fix, forbid)], warnings
    rules = [fault for component in spec.components.values() for fault in component.check(portfolio)]
    warnings = [*warnings, *(fault for fault in rules if fault.warning)]
    broken = [fault for fault in rules if not fault.warning]
    if broken:
        return None, broken, warnings
    portfolio = replace(portfolio, warnings=tuple(warnings))
    try:
        scenarios = _scenarios(frames, tables, spec)
    except InputError as error:
        return None, list(error.faults), warnings
    if "risk" in spec.components and not scenarios:
        warnings = [*warnings, _NOTHING_UNCERTAIN]
        portfolio = replace(portfolio, warnings=tuple(warnings))
    hashes = {**tables.hashes, **tables.large_hashes(), **_model_hash(model or tables.info.default_model)}
    seconds = {"read": time.perf_counter() - began}
    made = (folder, tables, spec, portfolio, estimates.notes, hashes, seconds, started, scenarios)
    problem = Problem(*made, frames=frames)
    return problem, [], warnings


def _with_doubts(
    tables: Tables, frames: Mapping[str, DataFrame], warnings: Sequence[Fault], faults: Sequence[Fault]
) -> list[Fault]:
    from cpm_opt.estimates.lint.doubts import each_once
    from cpm_opt.estimates.lint.plans import planning_warnings

    return each_once([*warnings, *planning_warnings(tables, frames)], faults)


def _held(
    frames: Mapping[str, DataFrame], spec: ModelSpec | None
) -> tuple[Mapping[str, DataFrame], list[Fault]]:
    """The tables as the model reads them: without the component `switching` no choice has to hold, and that is told."""
    levers = frames.get("levers")
    if spec is None or "switching" in spec.components or levers is None or not (levers["hold"] > 1).any():
        return frames, []
    message = "is not enforced: the model has no [components.switching]"
    remedy = "turn that component on, or leave hold blank"
    told = Fault("levers", message, remedy, column="hold", code="hold_unused", warning=True)
    return {**frames, "levers": levers.assign(hold=1)}, [told]


def _build(
    frames: Mapping[str, object], tables: Tables, spec: ModelSpec | None, told: Sequence[Fault]
) -> tuple[Portfolio | None, list[Fault], list[Fault]]:
    """The portfolio where there is one, the faults and the warnings. Without a model there is no horizon: one period
    still shows every fault that does not need it, but tells nothing of what begins later."""
    from cpm_opt.portfolio import build_portfolio
    from cpm_opt.portfolio.balance import BEYOND_HORIZON

    periods = 1 if spec is None else spec.horizon.periods
    portfolio, faults = None, []
    try:
        portfolio = build_portfolio(frames, tables.info, periods, told)  # type: ignore[arg-type]
        warnings = list(portfolio.warnings)
    except InputError as error:
        faults = [fault for fault in error.faults if not fault.warning]
        warnings = [fault for fault in error.faults if fault.warning]
    if spec is None:
        warnings = [fault for fault in warnings if fault.code != BEYOND_HORIZON]
    return portfolio, faults, warnings


def _without_segments(faults: list[Fault], tables: Tables) -> list[Fault]:
    """Where no model is named, raw tables alone are an instance too: for profit, products or suppliers."""
    from cpm_opt.portfolio.findings import MISSING_TABLE
    from cpm_opt.tables import RAW

    if not RAW.keys() & tables.frames.keys():
        return faults
    return [fault for fault in faults if (fault.table, fault.code) != ("segments", MISSING_TABLE)]


def _scenarios(frames: Mapping[str, object], tables: Tables, spec: ModelSpec) -> tuple[Scenario, ...]:
    """The scenarios, where the model weighs risk; without that component their table is unused."""
    from cpm_opt.portfolio.scenarios import build_scenarios

    if "risk" not in spec.components:
        return ()
    return build_scenarios(frames, tables.info, spec.horizon.periods)  # type: ignore[arg-type]


def _read_model(
    model: str | Path | None, settings: Sequence[str], time_limit: float | None
) -> tuple[ModelSpec | None, list[Fault]]:
    from cpm_opt.formulation.spec import load_model

    if model is None:
        message = "the instance names no default_model"
        return None, [
            Fault("--model", message, "name a model with --model, or add default_model", code=NO_MODEL)
        ]
    try:
        return load_model(model, settings, time_limit), []
    except InputError as error:
        return None, list(error.faults)


def _pinned(spec: ModelSpec | None, fix: Sequence[str], forbid: Sequence[str]) -> ModelSpec | None:
    """The model with the pins beside its own."""
    from cpm_opt.formulation.components import Pins

    if spec is None or not (fix or forbid):
        return spec
    own = spec.components.get(Pins.name, Pins())
    pins = Pins((*own.fix, *fix), (*own.forbid, *forbid))
    return replace(spec, components={**spec.components, Pins.name: pins})


def _pin_faults(fix: Sequence[str], forbid: Sequence[str]) -> list[Fault]:
    """Pins that cannot be read, which needs no tables; importing the formulation waits until there is a pin."""
    if not (fix or forbid):
        return []
    from cpm_opt.formulation.pinned import pin_faults

    return pin_faults(fix, forbid)


def _model_hash(model: str | Path | None) -> dict[str, str]:
    """SHA-256 of the model's file; what it extends stands whole in the resolved model of a run."""
    import hashlib

    from cpm_opt.places import find_model

    if model is None:
        return {}
    path = find_model(model)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}


def _with_model_faults(
    faults: Sequence[Fault], model: str | Path | None, settings: Sequence[str], time_limit: float | None
) -> list[Fault]:
    """Faults of an instance that could not be read, and those of the model where one is named."""
    return [*faults, *(_read_model(model, settings, time_limit)[1] if model is not None else ())]
