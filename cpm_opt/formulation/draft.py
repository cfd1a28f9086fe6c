"""The draft of a model: variables, rows and ledgers as arrays, before Pyomo states them.

Parts of the model (the core and the components) work on a `Draft`: first all `declare` their variables and post to
the ledgers, then all `constrain`. `statement.state` turns the finished draft into a Pyomo `ConcreteModel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, product

import numpy as np
from numpy.typing import ArrayLike

from cpm_opt.formulation.terms import Ledger, Squares, Terms
from cpm_opt.portfolio.portfolio import Indices, Numbers, Portfolio

Key = tuple[str, str, int]
Axes = Sequence[Sequence[object]]
INFINITY = float("inf")
# HiGHS drops coefficients up to this without a word (and with a smaller option, it fails on models that it solves
# otherwise); so they are dropped here, where rows and non-zeros are still counted, and the certificate has the last
# word.
NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Weights:
    """Weights of the objective: profit of the periods, end value, and the discount rate per period."""

    profit: float = 1.0
    end_value: float = 1.0
    discount_rate: float = 0.0

    def discount(self, periods: int) -> Numbers:
        """`[periods + 1]`: worth today of one unit in period t = 1..T, and last of the end value after period T."""
        return (1.0 + self.discount_rate) ** -np.arange(periods + 1, dtype=np.float64)


@dataclass(frozen=True)
class Variables:
    """A family of variables: Pyomo's `block.name[index]`, columns `start ..`, bounds, and whether whole numbers."""

    block: str
    name: str
    index: tuple[tuple[object, ...], ...]
    start: int
    lower: Numbers
    upper: Numbers
    integer: bool
    scenario: str = ""


@dataclass(frozen=True)
class Rows:
    """A family of rows `lower <= terms <= upper`: Pyomo's `block.name[index]`. `keys` names each row to a manager by
    (rule, subject, period); structural rows, which no manager can move, have none."""

    block: str
    name: str
    index: tuple[tuple[object, ...], ...]
    terms: Terms
    lower: Numbers
    upper: Numbers
    keys: tuple[Key, ...] = ()
    scenario: str = ""


@dataclass(frozen=True)
class ChoiceSet:
    """Columns of which one must be 1: `columns[alternative, position]` stand or fall together (the periods of a hold);
    what rounding of a relaxed plan works on. `served[alternative, :]` are the columns of the customers whom each one
    would serve: they tell more of a relaxed plan than fractions of a yes. `today` is the alternative in force before
    period 1, or -1."""

    columns: Indices
    served: Indices
    today: int


@dataclass(frozen=True)
class Core:
    """Columns of the core: `customers[S, T + 1]`, `on[S, O, T]` (-1 where not offered), and by lever
    `chosen[G, options of the lever, T]` (empty for `mix`)."""

    customers: Indices
    on: Indices
    chosen: tuple[Indices, ...]


@dataclass
class Space:
    """All variables and rows of one model; `shared` remembers the columns that scenarios have in common."""

    variables: list[Variables] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    choice_sets: list[ChoiceSet] = field(default_factory=list)
    squares: list[Squares] = field(default_factory=list)
    columns: int = 0
    shared: dict[tuple[str, str, int], Indices] = field(default_factory=dict)

    def has_choice_set(self, columns: Indices) -> bool:
        """Whether choice sets are there for (the first of) these columns: scenarios share them."""
        return any(len(columns) and columns[0] in choice.columns for choice in self.choice_sets)


@dataclass
class Draft:
    """What one scenario of the model is made of (the only one, where nothing is uncertain); see the module's text.

    Ledgers: `customers[S, T + 1]` at the start of each period; `flows[measure][S, T]`; `use[R, S, T]`;
    `profit[T]`, undiscounted money; `penalties[T]`, what soft limits cost; `costs[T]`, the costs within profit;
    `cost_to_serve[S, T]`, what of these is for a segment's use of resources; `deductions[1]`, money of today that is
    taken from the objective, but not from profit. `extra[R, T]` holds the columns of extra capacity, -1 where none can
    be bought. `scenario` is the draft's name, empty where there is only one.
    """

    portfolio: Portfolio
    objective: Weights
    space: Space = field(default_factory=Space)
    scenario: str = ""
    core: Core = field(init=False)
    extra: Indices = field(init=False)

    def __post_init__(self) -> None:
        p = self.portfolio
        segments, periods = len(p.segments), p.periods
        money = p.currency
        self.customers = Ledger("customers", (segments, periods + 1), "customers")
        self.flows = {
            name: Ledger(name, (segments, periods), p.measure_units.get(name, money)) for name in p.flows
        }
        self.use = Ledger("use", (len(p.resources.names), segments, periods), "units of the resource")
        self.profit = Ledger("profit", (periods,), money)
        self.penalties = Ledger("penalties", (periods,), money)
        self.costs = Ledger("costs", (periods,), money)
        self.cost_to_serve = Ledger("cost to serve", (segments, periods), money)
        self.deductions = Ledger("deductions", (1,), money)
        self.extra = np.full((len(p.resources.names), periods), -1, dtype=np.int64)
        self._shared_here: list[tuple[str, str, int]] = []

    def add_variables(
        self,
        block: str,
        name: str,
        axes: Sequence[Sequence[object]],
        where: ArrayLike = True,
        lower: ArrayLike = 0.0,
        upper: ArrayLike = INFINITY,
        integer: bool = False,
        shared: ArrayLike = False,
    ) -> Indices:
        """Adds `block.name[label of each axis]` where `where` holds; returns its columns in the shape of the axes, -1
        where there is none. An axis that holds tuples contributes all their parts to the index.

        `shared` marks what is decided before it is known which scenario comes: those are the same columns in all.
        """
        shape = tuple(len(axis) for axis in axes)
        wanted = np.broadcast_to(np.asarray(where, dtype=bool), shape)
        common = np.broadcast_to(np.asarray(shared, dtype=bool), shape) & bool(self.scenario)
        bounds = [np.broadcast_to(np.asarray(bound, dtype=np.float64), shape) for bound in (lower, upper)]
        columns = self._new_columns(block, name, axes, wanted & ~common, bounds, integer, self.scenario)
        if not common.any():
            return columns
        # The same call comes once a scenario, and its number among those of its name is the same each time.
        number = sum(1 for key in self._shared_here if key[:2] == (block, name))
        key = (block, name, number)
        self._shared_here.append(key)
        if key not in self.space.shared:
            self.space.shared[key] = self._new_columns(
                block, name, axes, wanted & common, bounds, integer, ""
            )
        else:
            self._tighten(self.space.shared[key], wanted & common, bounds)
        return np.maximum(columns, np.where(wanted & common, self.space.shared[key], -1))

    def _new_columns(
        self,
        block: str,
        name: str,
        axes: Sequence[Sequence[object]],
        wanted: np.ndarray,
        bounds: Sequence[Numbers],
        integer: bool,
        scenario: str,
    ) -> Indices:
        space, count = self.space, int(wanted.sum())
        columns = np.full(wanted.shape, -1, dtype=np.int64)
        columns[wanted] = space.columns + np.arange(count)
        if count:
            low, high = (bound[wanted] for bound in bounds)
            labels = _labels(axes, wanted)
            space.variables.append(
                Variables(block, name, labels, space.columns, low, high, integer, scenario)
            )
            space.columns += count
        return columns

    def _tighten(self, columns: Indices, wanted: np.ndarray, bounds: Sequence[Numbers]) -> None:
        """A column that scenarios share keeps to the bounds of each of them; 0 where one has no such thing."""
        there = columns >= 0
        lowest = np.where(wanted, bounds[0], 0.0)[there]
        highest = np.where(wanted, bounds[1], 0.0)[there]
        for family in self.space.variables:
            mine = (columns[there] >= family.start) & (columns[there] < family.start + len(family.index))
            place = columns[there][mine] - family.start
            family.lower[place] = np.maximum(family.lower[place], lowest[mine])
            family.upper[place] = np.minimum(family.upper[place], highest[mine])

    def add_rows(
        self,
        block: str,
        name: str,
        axes: Sequence[Sequence[object]],
        terms: Terms,
        sense: str,
        right: ArrayLike = 0.0,
        where: ArrayLike = True,
    ) -> None:
        """Adds structural rows `terms sense right` (`<=`, `>=` or `==`), one a cell of the axes where `where` holds."""
        shape = tuple(len(axis) for axis in axes)
        wanted = np.broadcast_to(np.asarray(where, dtype=bool), shape)
        rights = np.broadcast_to(np.asarray(right, dtype=np.float64), shape)[wanted]
        self._append(block, name, _labels(axes, wanted), terms.rows(wanted.ravel()), sense, rights, ())

    def limit(
        self,
        block: str,
        index: Sequence[tuple[object, ...]],
        keys: Sequence[Key],
        terms: Terms,
        sense: str,
        right: ArrayLike,
        soft: ArrayLike | None = None,
    ) -> None:
        """The one door for rows that a manager can name: `terms sense right`, with `sense` `min` or `max`.

        `soft` is a penalty per unit and row (nan: a wall): such a row may be missed by a slack variable, whose cost
        goes to the ledger of penalties in the period of the row's key.
        """
        rights = np.broadcast_to(np.asarray(right, dtype=np.float64), (terms.size,))
        if soft is not None:
            terms = terms + self._slack(
                block, index, keys, sense, np.broadcast_to(np.asarray(soft), (terms.size,))
            )
        self._append(
            block, "limit", tuple(index), terms, "<=" if sense == "max" else ">=", rights, tuple(keys)
        )

    def cost(self, source: str, item: str, terms: Terms) -> None:
        """Posts a cost, `terms[T]`, to the ledgers of costs and of profit."""
        self.costs.post(source, item, terms)
        self.profit.post(source, item, terms.scaled(-1.0))

    def _slack(
        self,
        block: str,
        index: Sequence[tuple[object, ...]],
        keys: Sequence[Key],
        sense: str,
        penalty: Numbers,
    ) -> Terms:
        soft = ~np.isnan(penalty)
        columns = self.add_variables(block, "missed", [list(index)], soft)
        period = np.array([key[2] - 1 for key in keys], dtype=np.int64)
        self.penalties.post(
            block, "penalty", Terms.of(self.penalties.size, period, columns, np.where(soft, penalty, 0.0))
        )
        return Terms.of(len(keys), np.arange(len(keys)), columns, -1.0 if sense == "max" else 1.0)

    def _append(
        self,
        block: str,
        name: str,
        index: tuple[tuple[object, ...], ...],
        terms: Terms,
        sense: str,
        right: Numbers,
        keys: tuple[Key, ...],
    ) -> None:
        sides = right - terms.constant
        lower = np.full(terms.size, -INFINITY) if sense == "<=" else sides
        upper = np.full(terms.size, INFINITY) if sense == ">=" else sides
        terms = self._without_empty(tidied(terms), lower, upper)
        filled = np.bincount(terms.cell, minlength=terms.size) > 0
        if filled.any():
            kept = filled.tolist()
            index, keys = tuple(compress(index, kept)), tuple(compress(keys, kept))
            kept_rows = terms.rows(filled)
            self.space.rows.append(
                Rows(block, name, index, kept_rows, lower[filled], upper[filled], keys, self.scenario)
            )

    def _without_empty(self, terms: Terms, lower: Numbers, upper: Numbers) -> Terms:
        """A row in which every coefficient is zero either holds always, and is no row; or never, and then must make
        the model infeasible instead of vanishing: it gets a variable that is fixed at 0."""
        empty = np.bincount(terms.cell, minlength=terms.size) == 0
        tolerance = 1e-9 * np.maximum(1.0, np.minimum(np.abs(lower), np.abs(upper)))
        broken = np.flatnonzero(empty & ((lower > tolerance) | (upper < -tolerance)))
        if not len(broken):
            return terms
        nothing = self.add_variables("core", "nothing", [self._fresh_numbers(len(broken))], upper=0.0)
        return terms + Terms.of(terms.size, broken, nothing, 1.0)

    def _fresh_numbers(self, count: int) -> list[int]:
        """Labels that no other variable of that name has."""
        return list(range(self.space.columns, self.space.columns + count))

    def objective_terms(self) -> Terms:
        """The objective, one expression to be maximised: discounted profit less penalties and deductions, and the
        end value."""
        p = self.portfolio
        discount = self.objective.discount(p.periods)
        earned = self.profit.total() - self.penalties.total()
        total = earned.gathered(np.zeros(p.periods, dtype=np.int64), 1, discount[:-1] * self.objective.profit)
        worth = np.zeros(self.customers.shape)
        worth[:, -1] = p.end_value * discount[-1] * self.objective.end_value
        total = total - self.deductions.total().scaled(self.objective.profit)
        ends = self.customers.total().gathered(np.where(worth.ravel() != 0.0, 0, -1), 1, worth.ravel())
        return total + ends


def _labels(axes: Sequence[Sequence[object]], wanted: np.ndarray) -> tuple[tuple[object, ...], ...]:
    """Index labels where wanted: one label of each axis, those that are tuples spread out."""
    if not any(axis and isinstance(axis[0], tuple) for axis in axes):
        return tuple(compress(product(*axes), wanted.ravel().tolist()))
    parts = [[label if isinstance(label, tuple) else (label,) for label in axis] for axis in axes]
    return tuple(
        tuple(chain.from_iterable(label)) for label in compress(product(*parts), wanted.ravel().tolist())
    )


@dataclass(frozen=True)
class Composition:
    """A finished model before Pyomo states it: its variables, rows and objective (one expression, maximised), and the
    draft of each scenario (the shown one first)."""

    name: str
    space: Space
    objective: Terms
    drafts: tuple[Draft, ...]

    @property
    def variables(self) -> list[Variables]:
        """Families of variables, in the order of their columns."""
        return self.space.variables

    @property
    def rows(self) -> list[Rows]:
        """Families of rows."""
        return self.space.rows

    @property
    def columns(self) -> int:
        """The number of variables."""
        return self.space.columns


def tidied(terms: Terms) -> Terms:
    """The same expressions with one entry a (cell, column), sorted, and without coefficients that cancelled out."""
    if not len(terms.cell):
        return terms
    order = np.lexsort((terms.column, terms.cell))
    cell, column, coefficient = terms.cell[order], terms.column[order], terms.coefficient[order]
    first = np.ones(len(cell), dtype=bool)
    first[1:] = (cell[1:] != cell[:-1]) | (column[1:] != column[:-1])
    starts = np.flatnonzero(first)
    sums = np.add.reduceat(coefficient, starts)
    keep = np.abs(sums) > NEGLIGIBLE
    return Terms(terms.size, cell[starts][keep], column[starts][keep], sums[keep], terms.constant)
