"""What if an option earned more or less, or was not to be had: one model in the solver, asked again and again.

    value(shift) = max  objective + shift x customers       customers = sum_w p_w sum_t weight d[t] on[s,o,t]

`customers` are those of some segments on one option, discounted and weighed as profit is, so that `shift` is money per
customer and period by which the effect of the option on margin differs from its estimate. Only the objective is
shifted: rules about margin and cash keep their figures. Without the component `risk` the value is convex in the shift,
and the customers of the best plan are its slope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np

from cpm_opt.formulation.components.least_change import LeastChange
from cpm_opt.formulation.compose import compose
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.spec import ModelSpec
from cpm_opt.formulation.statement import state
from cpm_opt.portfolio.portfolio import Indices, Numbers, Portfolio
from cpm_opt.portfolio.scenarios import Scenario
from cpm_opt.solve.answer import decode
from cpm_opt.solve.engine import Engine, OutOfTime
from cpm_opt.solve.linear import LinearProgram, compile_model
from cpm_opt.solve.plan import Decisions
from cpm_opt.solve.refine import search_curved
from cpm_opt.solve.search import Limits
from cpm_opt.solve.session import GRACE, loadable

INFEASIBLE, OPTIMAL = "infeasible", "optimal"


@dataclass(frozen=True)
class Unit:
    """Whom a question is about: the customers of `segments` (positions) on `option` (its position on that axis); for a
    lever of choice `single` those of one whole `group` (else -1) of lever number `lever`."""

    lever: int
    group: int
    segments: Indices
    option: int


@dataclass(frozen=True)
class Found:
    """A best plan: its objective with the shift, and the customers of the unit (the slope); `decisions` are those of
    the first scenario."""

    value: float
    customers: float
    decisions: Decisions


class Probe:
    """Holds one model. Use it as a context manager; questions raise OutOfTime once `deadline` (on `time.monotonic`'s
    clock) has passed. The second solve of `least_change` is left out: it changes no plan's worth."""

    def __init__(
        self, portfolio: Portfolio, spec: ModelSpec, scenarios: Sequence[Scenario], deadline: float
    ) -> None:
        self._portfolio = portfolio
        weights = Weights(spec.objective.profit, spec.objective.end_value, spec.horizon.discount_rate)
        self._worth = weights.profit * weights.discount(portfolio.periods)[:-1]
        parts = [part for part in spec.components.values() if not isinstance(part, LeastChange)]
        composition = compose(portfolio, parts, weights, scenarios)
        self._drafts = composition.drafts
        self._chances = [scenario.probability for scenario in scenarios] or [1.0]
        families = composition.variables
        lower, upper = (
            np.concatenate([getattr(each, side) for each in families]) for side in ("lower", "upper")
        )
        self._idle = np.clip(np.zeros(composition.columns), lower, upper)
        # Nobody asks for prices here, so no row needs its name.
        self._program = replace(compile_model(state(composition), composition), keys={})
        self._held = self._program
        self._limits = Limits(deadline, GRACE, spec.solver.mip_gap, spec.solver.method)
        self._engine = Engine()
        self._ran = False
        options = {"random_seed": spec.solver.seed, "threads": spec.solver.threads}
        try:
            self._engine.ask("load", loadable(self._program), options, deadline=self._limits.killing)
        except BaseException:
            self._engine.close()
            raise

    def best(self, unit: Unit, shift: float = 0.0, without: bool = False) -> Found | None:
        """The best plan where the unit's option earns `shift` more; with `without`, one in which nobody of the unit is
        on the option in any period. None where no plan keeps the rules."""
        if not self._engine.alive:
            raise OutOfTime("probe")
        columns, amounts = self._customers(unit)
        program = self._program
        cost, upper = program.cost.copy(), program.upper.copy()
        if without:
            lower = program.lower[columns]
            if np.any(lower > 0.0):
                return None
            upper[columns] = 0.0
            upper[self._choices(unit)] = 0.0
        np.add.at(cost, columns, shift * amounts)
        self._take(replace(program, cost=cost, upper=upper))
        again, self._ran = self._ran, True
        found = search_curved(self._engine, self._held, self._limits, again)
        if found.status == INFEASIBLE:
            return None
        if found.status != OPTIMAL or found.values is None or found.objective is None:
            raise OutOfTime(found.message)
        every = self._idle.copy()
        used = program.position >= 0
        every[used] = found.values[program.position[used]]
        customers = float(amounts @ found.values[columns])
        return Found(found.objective, customers, decode(self._drafts[0], every))

    def customers(self, unit: Unit, decisions: Decisions) -> float:
        """The unit's customers, discounted and weighed as profit is, in decisions of the first scenario."""
        return float((decisions.customers_on[unit.segments, unit.option] @ self._worth).sum())

    def _customers(self, unit: Unit) -> tuple[Indices, Numbers]:
        """The columns of the unit's customers, and what one of each is in `customers`."""
        columns, amounts = [], []
        for draft, chance in zip(self._drafts, self._chances, strict=True):
            mine = draft.core.on[unit.segments, unit.option]
            weight = np.broadcast_to(chance * self._worth, mine.shape)
            place = np.where(mine >= 0, self._program.position[mine], -1)
            columns.append(place[place >= 0])
            amounts.append(weight[place >= 0])
        return np.concatenate(columns), np.concatenate(amounts)

    def _choices(self, unit: Unit) -> Indices:
        if unit.group < 0:
            return np.zeros(0, dtype=np.int64)
        found = []
        for draft in self._drafts:
            at = self._portfolio.levers[unit.lever].options.index(unit.option)
            mine = draft.core.chosen[unit.lever][unit.group, at]
            place = np.where(mine >= 0, self._program.position[mine], -1)
            found.append(place[place >= 0])
        return np.unique(np.concatenate(found))

    def _take(self, wanted: LinearProgram) -> None:
        held, self._held = self._held, wanted
        edits: dict[str, tuple[object, ...]] = {}
        costs = np.flatnonzero(held.cost != wanted.cost).astype(np.int32)
        bounds = np.flatnonzero(held.upper != wanted.upper).astype(np.int32)
        if len(costs):
            edits["cost"] = (costs, wanted.cost[costs])
        if len(bounds):
            edits["column_bounds"] = (bounds, wanted.lower[bounds], wanted.upper[bounds])
        if edits:
            self._engine.ask("change", edits, deadline=self._limits.killing)

    def __enter__(self) -> Probe:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.close()
