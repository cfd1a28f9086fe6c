"""A plan's rules made elastic: each negotiable number of the tables may move, and each rule may be left out.

The model is composed as for a solve; then every number gets a column, the size of its change, in the rows that it
moves. One program is loaded into the solver; questions about it (is it feasible without these rules? what is the
cheapest change?) are edits of its bounds and costs. Nothing here looks at profit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np

from cpm_opt.formulation.audit import Decisions
from cpm_opt.formulation.compose import compose
from cpm_opt.formulation.draft import Composition, Draft, Rows, Weights, tidied
from cpm_opt.formulation.spec import ModelSpec
from cpm_opt.formulation.statement import state
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Indices, Numbers, Portfolio
from cpm_opt.portfolio.scenarios import Scenario
from cpm_opt.solve.answer import decode
from cpm_opt.solve.engine import Engine, OutOfTime
from cpm_opt.solve.linear import LinearProgram, compile_model
from cpm_opt.solve.refine import search_curved
from cpm_opt.solve.search import INFEASIBLE, OPTIMAL, Limits, run, solver_for, with_integers_of
from cpm_opt.solve.session import GRACE, GRACE_SHARE, loadable

# Rules of tables (and pins) are known by their own names; the others by their component's and what it is about.
NAMED = ("balance", "price", "options", "pins", "locked")
# Parts of a model that limit nothing, and only weigh what a plan earns.
WEIGHING = ("risk", "robust", "least_change")
# A sum that no budget reaches, below what the solver refuses.
NO_LIMIT = 1e14

Rule = tuple[str, str]  # component and name
Label = tuple[str, str, str, tuple[object, ...]]  # scenario, component, family, index of a row


@dataclass(frozen=True)
class Case:
    """A planning problem: a portfolio, or one for each scenario, whose first then is `portfolio`."""

    portfolio: Portfolio
    scenarios: tuple[Scenario, ...] = ()

    @property
    def portfolios(self) -> tuple[Portfolio, ...]:
        """The portfolio of each scenario; where there are none, the only one."""
        return tuple(scenario.portfolio for scenario in self.scenarios) or (self.portfolio,)


def composed(case: Case, spec: ModelSpec) -> Composition:
    """The model without the parts that only weigh what a plan earns."""
    parts = [part for name, part in spec.components.items() if name not in WEIGHING]
    return compose(case.portfolio, parts, Weights(discount_rate=spec.horizon.discount_rate), case.scenarios)


def sides_of(composition: Composition) -> dict[Label, float]:
    """The right side of every row (its lower one where it has two, which then are equal)."""
    sides: dict[Label, float] = {}
    for family in composition.rows:
        side = np.where(np.isfinite(family.lower), family.lower, family.upper)
        sides |= zip(_labels(family), side.tolist(), strict=True)
    return sides


class Elastic:
    """A model in the solver whose rules may be left out and whose numbers may be changed.

    `moves[k]` tells by what each row's left side changes with one unit of change k. `prices[k]` is what one unit of it
    costs. Use it as a context manager. Every question raises OutOfTime where the model's time limit, which began at
    `started` on `time.monotonic`'s clock, leaves it unanswered.
    """

    def __init__(
        self,
        composition: Composition,
        spec: ModelSpec,
        moves: Sequence[Mapping[Label, float]],
        prices: Sequence[float],
        started: float,
    ) -> None:
        above = Draft(composition.drafts[0].portfolio, Weights(), composition.space)
        changes = above.add_variables("repair", "change", [list(range(len(moves)))])
        spent = Terms.of(1, 0, changes, np.array(prices))
        above.add_rows("repair", "spent", [[1]], spent, "<=", NO_LIMIT)
        composition.space.rows[:] = [_moved(family, moves, changes) for family in composition.rows]
        self._drafts = composition.drafts
        families = composition.variables
        lower, upper = (
            np.concatenate([getattr(each, side) for each in families]) for side in ("lower", "upper")
        )
        self._idle = np.clip(np.zeros(composition.columns), lower, upper)  # what no row uses stays at 0
        composition = replace(composition, objective=tidied(Terms.of(1, 0, changes, -1.0)))
        self._program = compile_model(state(composition), composition)
        self._changes = self._program.position[changes]
        self._rows = _rows_of_rules(composition, self._program)
        self._spent = _rows_named(composition, self._program, "repair")
        self.rules: tuple[Rule, ...] = tuple(sorted(self._rows, key=lambda rule: (rule[1], rule[0])))
        solver = spec.solver
        grace = max(GRACE, GRACE_SHARE * solver.time_limit)
        self._limits = Limits(started + solver.time_limit, grace, solver.mip_gap, solver.method)
        self._engine = Engine()
        options = {"random_seed": solver.seed, "threads": solver.threads}
        self._engine.ask("load", loadable(self._program), options, deadline=self._limits.killing)
        self._held = self._program
        self._ran = False

    def feasible(self, rules: Collection[Rule], eased: Collection[int] = ()) -> bool:
        """Whether a plan keeps these rules, with the `eased` numbers free to move as far as they like."""
        program = self._take(rules, eased, np.zeros(len(self._changes)), None)
        # Without the curved rows first: that needs no search for what is in the way.
        linear = self._runs(program)
        if not linear or not program.squares:
            return linear
        found = search_curved(self._engine, program, self._limits, self._again())
        if found.values is None and found.status != "infeasible":
            raise OutOfTime(found.message)
        return found.values is not None

    def cheapest(
        self, eased: Collection[int], prices: Sequence[float], budget: float | None = None
    ) -> tuple[Numbers, list[Decisions]] | None:
        """The change of each number with the least sum of `prices` times change, under all rules, and the decisions in
        each scenario; at most `budget` in the elastic model's own prices. None where there is none."""
        program = self._take(self.rules, eased, np.array(prices), budget)
        found = search_curved(self._engine, program, self._limits, self._again())
        if found.values is None:
            if found.status != "infeasible":
                raise OutOfTime(found.message)
            return None
        used = program.position >= 0
        every = self._idle.copy()
        every[used] = np.clip(found.values, program.lower, program.upper)[program.position[used]]
        changes = np.where(self._changes >= 0, found.values[self._changes], 0.0)
        return np.maximum(changes, 0.0), [decode(draft, every) for draft in self._drafts]

    def _again(self) -> bool:
        """Whether the solver has run before and may start from where it ended."""
        before, self._ran = self._ran, True
        return before

    def _runs(self, program: LinearProgram) -> bool:
        engine, limits = self._engine, self._limits
        engine.ask("whole_numbers", False, deadline=limits.killing)
        engine.ask("fix", None, deadline=limits.killing)
        relaxed = run(engine, limits, solver_for(program, limits.method, self._again()))
        if relaxed["status"] not in (INFEASIBLE, OPTIMAL):
            raise OutOfTime(relaxed["status"])
        if relaxed["status"] == INFEASIBLE or not program.integer.any():
            return bool(relaxed["status"] == OPTIMAL)
        engine.ask("whole_numbers", True, deadline=limits.killing)
        answer = run(engine, limits, "choose")
        if answer["values"] is not None:
            # Integers that are whole to a tolerance only may hide a plan that is none.
            return with_integers_of(engine, program, limits, answer["values"], 0.0, "feasible") is not None
        if answer["status"] != INFEASIBLE:
            raise OutOfTime(answer["status"])
        return False

    def _take(
        self, rules: Collection[Rule], eased: Collection[int], prices: Numbers, budget: float | None
    ) -> LinearProgram:
        """Gives the solver the program with other rules left out and other numbers eased."""
        base = self._program
        row_lower, row_upper = base.row_lower.copy(), base.row_upper.copy()
        for rule in set(self._rows) - set(rules):
            row_lower[self._rows[rule]], row_upper[self._rows[rule]] = -np.inf, np.inf
        row_upper[self._spent] = np.inf if budget is None else budget
        upper, cost = base.upper.copy(), np.zeros_like(base.cost)
        there = self._changes >= 0
        upper[self._changes[there]] = 0.0
        for number in eased:
            if there[number]:
                upper[self._changes[number]] = np.inf
        cost[self._changes[there]] = -prices[there]
        # A curve that serves no rule any more needs no tangents.
        squares = tuple(
            curved
            for curved in base.squares
            if any(
                np.isfinite(row_upper[list(base.keys[key])]).any()
                for key in set(curved.blamed) & set(base.keys)
            )
        )
        wanted = replace(
            base, row_lower=row_lower, row_upper=row_upper, upper=upper, cost=cost, squares=squares
        )
        edits = _edits(self._held, wanted)
        self._engine.ask("change", edits, deadline=self._limits.killing)
        self._held = wanted
        return wanted

    def __enter__(self) -> Elastic:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.close()


def irreducible(elastic: Elastic, among: tuple[Rule, ...] | None = None) -> tuple[Rule, ...]:
    """Rules that contradict each other and of which each one is needed for that; empty where the frame of the model
    (customers, choices) alone contradicts itself. `among` are rules that contradict each other (all of them, else).

    By halves (QuickXplain, Junker 2004), then once more one by one: leave a rule out and solve again.
    """
    if not elastic.feasible(()):
        return ()
    found = list(_halved(elastic, (), elastic.rules if among is None else among, False))
    for rule in tuple(found):
        rest = [other for other in found if other != rule]
        if not elastic.feasible(rest):
            found = rest
    return tuple(found)


def _halved(
    elastic: Elastic, kept: tuple[Rule, ...], rules: tuple[Rule, ...], asked: bool
) -> tuple[Rule, ...]:
    """Of `rules`, those that are needed to contradict `kept`; `asked` where `kept` alone may do."""
    if asked and not elastic.feasible(kept):
        return ()
    if len(rules) <= 1:
        return rules
    first, second = rules[: len(rules) // 2], rules[len(rules) // 2 :]
    of_second = _halved(elastic, kept + first, second, True)
    of_first = _halved(elastic, kept + of_second, first, bool(of_second))
    return of_first + of_second


def rule_of(family: Rows, position: int) -> Rule:
    """The rule that a row of a family belongs to."""
    name, subject, _ = family.keys[position]
    return family.block, name if family.block in NAMED else " ".join(filter(None, (name, subject)))


def _rows_of_rules(composition: Composition, program: LinearProgram) -> dict[Rule, Indices]:
    rows: dict[Rule, list[int]] = {}
    for family, where in zip(composition.rows, program.row_position, strict=True):
        for position in range(len(family.keys)):
            rows.setdefault(rule_of(family, position), []).append(int(where[position]))
    return {rule: np.array(each, dtype=np.int64) for rule, each in rows.items()}


def _rows_named(composition: Composition, program: LinearProgram, block: str) -> Indices:
    found = [
        where
        for family, where in zip(composition.rows, program.row_position, strict=True)
        if family.block == block
    ]
    return np.concatenate([np.zeros(0, dtype=np.int64), *found])


def _labels(family: Rows) -> list[Label]:
    return [(family.scenario, family.block, family.name, index) for index in family.index]


def _moved(family: Rows, moves: Sequence[Mapping[Label, float]], changes: Indices) -> Rows:
    """The rows with the columns of the changes that move them."""
    cells, columns, amounts = [], [], []
    for cell, label in enumerate(_labels(family)):
        for number, move in enumerate(moves):
            if label in move:
                cells.append(cell)
                columns.append(int(changes[number]))
                amounts.append(move[label])
    if not cells:
        return family
    added = Terms.of(family.terms.size, np.array(cells), np.array(columns), np.array(amounts))
    return replace(family, terms=tidied(family.terms + added))


def _edits(old: LinearProgram, new: LinearProgram) -> dict[str, tuple[object, ...]]:
    rows = np.flatnonzero((old.row_lower != new.row_lower) | (old.row_upper != new.row_upper)).astype(
        np.int32
    )
    columns = np.flatnonzero(old.upper != new.upper).astype(np.int32)
    costs = np.flatnonzero(old.cost != new.cost).astype(np.int32)
    edits: dict[str, tuple[object, ...]] = {}
    if len(rows):
        edits["row_bounds"] = (rows, new.row_lower[rows], new.row_upper[rows])
    if len(columns):
        edits["column_bounds"] = (columns, new.lower[columns], new.upper[columns])
    if len(costs):
        edits["cost"] = (costs, new.cost[costs])
    return edits
