"""What every solve of a study starts from: a problem that was read once, and the model as the call set it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cpm_opt.faults import Fault, InputError

if TYPE_CHECKING:
    from pandas import DataFrame

    from cpm_opt.formulation.spec import ModelSpec
    from cpm_opt.pipeline import Problem
    from cpm_opt.portfolio import Portfolio
    from cpm_opt.portfolio.scenarios import Scenario
    from cpm_opt.runs import RunFacts
    from cpm_opt.tables import InstanceInfo


@dataclass(frozen=True)
class Base:
    """The model's name or path, with settings, pins and time limit (seconds) of the call."""

    model: str
    settings: tuple[str, ...] = ()
    time_limit: float | None = None
    fix: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()

    def spec(self, settings: Mapping[str, str]) -> ModelSpec:
        """The model with further keys set, which go before those of the call; raises InputError as `load_model`."""
        from cpm_opt.formulation.components import Pins
        from cpm_opt.formulation.spec import load_model

        kept = [text for text in self.settings if text.partition("=")[0].strip() not in settings]
        limit = None if "solver.time_limit" in settings else self.time_limit
        added = [f"{key}={value}" for key, value in settings.items()]
        spec = load_model(self.model, [*kept, *added], limit)
        if not (self.fix or self.forbid):
            return spec
        own = spec.components.get(Pins.name, Pins())
        pins = Pins((*own.fix, *self.fix), (*own.forbid, *self.forbid))
        return replace(spec, components={**spec.components, Pins.name: pins})


@dataclass(frozen=True)
class Question:
    """One solve: a model, the portfolio over its horizon and, where it weighs risk, the scenarios."""

    spec: ModelSpec
    portfolio: Portfolio
    scenarios: tuple[Scenario, ...]


def question(spec: ModelSpec, frames: Mapping[str, DataFrame], info: InstanceInfo) -> Question:
    """Builds and checks one solve from planning tables; raises InputError with every fault."""
    from cpm_opt.portfolio import build_portfolio
    from cpm_opt.portfolio.scenarios import build_scenarios

    portfolio = build_portfolio(frames, info, spec.horizon.periods)
    found = [fault for component in spec.components.values() for fault in component.check(portfolio)]
    broken: list[Fault] = [fault for fault in found if not fault.warning]
    if broken:
        raise InputError(broken)
    risky = "risk" in spec.components
    scenarios = build_scenarios(frames, info, spec.horizon.periods) if risky else ()
    return Question(spec, portfolio, scenarios)


def run_facts_of(problem: Problem, spec: ModelSpec) -> RunFacts:
    """What the folder of a run says about where it comes from, for a problem as it was read."""
    from cpm_opt.runs import RunFacts

    info = problem.tables.info
    return RunFacts(
        instance=info.name,
        folder=str(problem.folder.resolve()),
        model=spec.name,
        resolved=spec.resolved(),
        hashes=problem.hashes,
        notes=problem.notes,
        source=info.source,
        licence=info.licence,
    )
