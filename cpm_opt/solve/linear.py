"""The model as the solver takes it: arrays, compiled from the Pyomo model and compared with the draft."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from cpm_opt.faults import DefectError
from cpm_opt.formulation.draft import ChoiceSet, Composition, Key
from cpm_opt.formulation.terms import Squares, Terms
from cpm_opt.portfolio.portfolio import Indices, Numbers

# HiGHS refuses a whole batch of rows over one number as large as this.
BEYOND = 1e15
LARGE_SIDE = 1e6


@dataclass(frozen=True)
class LinearProgram:
    """`max cost x + offset` subject to `row_lower <= A x <= row_upper` and `lower <= x <= upper`.

    A is by column (`start[columns + 1]`, `index`, `value`). `position[j]` is where column j of the draft stands, -1
    where no row and no objective uses it. `keys` gives the positions of the rows that a manager knows by one name
    (one a scenario); `choice_sets` are positions of columns;
    `squares` are curved rows beside A, their columns as positions.
    """

    cost: Numbers
    offset: float
    row_lower: Numbers
    row_upper: Numbers
    lower: Numbers
    upper: Numbers
    integer: np.ndarray
    start: Indices
    index: Indices
    value: Numbers
    position: Indices
    row_position: tuple[Indices, ...]
    keys: dict[Key, tuple[int, ...]]
    choice_sets: tuple[ChoiceSet, ...]
    squares: tuple[Squares, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, non-zeros."""
        return len(self.row_lower), len(self.cost), len(self.value)


def compile_model(model: Any, draft: Composition) -> LinearProgram:
    """Compiles the Pyomo model to arrays and holds them against the draft.

    Raises DefectError where rows, columns or non-zeros got lost or doubled on the way, a right side changed, or a
    number is not finite.
    """
    columns = {id(variable): number for number, variable in enumerate(model.draft_columns)}
    if len(columns) != draft.columns:
        raise DefectError(f"the model has {len(columns)} variables, the draft {draft.columns}")
    read = _read_rows(model, columns)
    cost, offset = _read_objective(model, columns)
    used = np.zeros(draft.columns, dtype=bool)
    used[read.column] = True
    used[cost != 0.0] = True
    position = np.where(used, np.cumsum(used) - 1, -1)
    order = np.lexsort((read.row, position[read.column]))
    start = np.searchsorted(position[read.column][order], np.arange(int(used.sum()) + 1))
    lower, upper, integer = (_column_property(draft, name) for name in ("lower", "upper", "integer"))
    row_position = _row_positions(draft)
    program = LinearProgram(
        cost[used],
        offset,
        read.lower,
        read.upper,
        lower[used],
        upper[used],
        integer[used].astype(bool),
        start,
        read.row[order],
        read.value[order],
        position,
        row_position,
        _row_keys(draft, row_position),
        tuple(
            ChoiceSet(position[choice.columns], position[choice.served], choice.today)
            for choice in draft.space.choice_sets
        ),
        _squares(draft, position),
    )
    _hold_against(program, draft, model)
    return program


@dataclass(frozen=True)
class _ReadRows:
    """Rows as Pyomo holds them: entries (row, column of the draft, value) and the two sides."""

    row: Indices
    column: Indices
    value: Numbers
    lower: Numbers
    upper: Numbers


def _read_rows(model: Any, columns: dict[int, int]) -> _ReadRows:
    where: list[int] = []
    value: list[float] = []
    count: list[int] = []
    lower: list[float] = []
    upper: list[float] = []
    for row in model.draft_rows:
        low, body, high = row.to_bounded_expression()
        where.extend([columns[id(variable)] for variable in body.linear_vars])
        value.extend(body.linear_coefs)
        count.append(len(body.linear_vars))
        lower.append(-np.inf if low is None else low)
        upper.append(np.inf if high is None else high)
    return _ReadRows(
        np.repeat(np.arange(len(count)), count),
        np.array(where, dtype=np.int64),
        np.array(value, dtype=np.float64),
        np.array(lower, dtype=np.float64),
        np.array(upper, dtype=np.float64),
    )


def _read_objective(model: Any, columns: dict[int, int]) -> tuple[Numbers, float]:
    expression = model.objective.expr
    cost = np.zeros(len(columns))
    cost[[columns[id(variable)] for variable in expression.linear_vars]] = expression.linear_coefs
    return cost, float(expression.constant)


def _column_property(draft: Composition, name: str) -> Numbers:
    return np.concatenate(
        [np.broadcast_to(getattr(family, name), len(family.index)) for family in draft.variables]
    )


def _row_positions(draft: Composition) -> tuple[Indices, ...]:
    ends = np.cumsum([0, *(family.terms.size for family in draft.rows)])
    return tuple(np.arange(first, last) for first, last in pairwise(ends))


def _by_row(draft: Composition, row_position: tuple[Indices, ...], rows: int) -> tuple[Numbers, Numbers]:
    lower, upper = np.full(rows, np.nan), np.full(rows, np.nan)
    for family, where in zip(draft.rows, row_position, strict=True):
        lower[where], upper[where] = family.lower, family.upper
    return lower, upper


def _row_keys(draft: Composition, row_position: tuple[Indices, ...]) -> dict[Key, tuple[int, ...]]:
    keys: dict[Key, tuple[int, ...]] = {}
    for family, where in zip(draft.rows, row_position, strict=True):
        for key, position in zip(family.keys, where.tolist(), strict=False):
            keys[key] = (*keys.get(key, ()), position)
    return keys


def _hold_against(program: LinearProgram, draft: Composition, model: Any) -> None:
    stated = sum(1 for block in model.component_data_objects(_constraint(), active=True) if block is not None)
    drafted = sum(family.terms.size for family in draft.rows)
    if not stated == drafted == len(program.row_lower):
        raise DefectError(f"the model has {stated} rows, the draft {drafted}")
    lower, upper = _by_row(draft, program.row_position, drafted)
    if not (np.array_equal(lower, program.row_lower) and np.array_equal(upper, program.row_upper)):
        raise DefectError("right sides changed between the draft and the model")
    entries = sum(len(family.terms.cell) for family in draft.rows)
    if len(program.value) != entries:
        raise DefectError(f"the model has {len(program.value)} non-zeros, the draft {entries}")
    sides = np.where(np.isfinite(program.row_lower), program.row_lower, program.row_upper)
    floors = program.lower[~np.isneginf(program.lower)]
    for array in (program.cost, program.value, floors, sides, np.array([program.offset])):
        if not np.isfinite(array).all() or np.abs(array).max(initial=0.0) >= BEYOND:
            raise DefectError("a number of the model is not finite, or beyond what the solver takes (1e15)")


def _constraint() -> Any:
    import pyomo.environ as pyo

    return pyo.Constraint


def eased(program: LinearProgram) -> tuple[Numbers, Numbers]:
    """The two sides of each row as the solver gets them: large ones of inequalities eased by 1e-10 of themselves.

    HiGHS keeps rows to 1e-7, which at a side of 1e10 is less than the last digit of the numbers that it adds up: a plan
    that keeps the row exactly would be told infeasible.
    """
    lower, upper = program.row_lower.copy(), program.row_upper.copy()
    apart = lower != upper
    for side, sign in ((lower, -1.0), (upper, 1.0)):
        large = apart & np.isfinite(side) & (np.abs(side) >= LARGE_SIDE)
        side[large] += sign * 1e-10 * np.abs(side[large])
    return lower, upper


def edited(program: LinearProgram, draft: Composition) -> LinearProgram | None:
    """The program with the numbers of another draft; None where that has other variables, rows or non-zeros.

    Needs no Pyomo model: the first compilation proved that draft and model hold the same numbers.
    """
    if draft.columns != len(program.position) or len(draft.rows) != len(program.row_position):
        return None
    if any(f.terms.size != len(w) for f, w in zip(draft.rows, program.row_position, strict=True)):
        return None
    integer = _column_property(draft, "integer")[program.position >= 0]
    if not draft.rows or not np.array_equal(integer.astype(bool), program.integer):
        return None
    value = _values_in_place(program, draft)
    objective = draft.objective
    if value is None or (program.position[objective.column] < 0).any():
        return None
    cost = np.zeros_like(program.cost)
    cost[program.position[objective.column]] = objective.coefficient
    row_lower, row_upper = _by_row(draft, program.row_position, len(program.row_lower))
    bounds = [_in_place(program, draft, side) for side in ("lower", "upper")]
    return replace(
        program,
        cost=cost,
        offset=float(objective.constant[0]),
        row_lower=row_lower,
        row_upper=row_upper,
        lower=bounds[0],
        upper=bounds[1],
        value=value,
        squares=_squares(draft, program.position),
    )


def _squares(draft: Composition, position: Indices) -> tuple[Squares, ...]:
    def placed(terms: Terms) -> Terms:
        column = position[terms.column]
        return Terms.of(terms.size, terms.cell, column, terms.coefficient) + Terms.fixed(terms.constant)

    return tuple(
        replace(
            curved,
            root=placed(curved.root),
            base=placed(curved.base),
            square=position[curved.square],
            limit=placed(curved.limit),
        )
        for curved in draft.space.squares
    )


def _in_place(program: LinearProgram, draft: Composition, side: str) -> Numbers:
    drafted = np.concatenate([getattr(family, side) for family in draft.variables])
    used = program.position >= 0
    result = np.empty(len(program.cost))
    result[program.position[used]] = drafted[used]
    return result


def _values_in_place(program: LinearProgram, draft: Composition) -> Numbers | None:
    families = list(zip(draft.rows, program.row_position, strict=True))
    if sum(len(family.terms.cell) for family, _ in families) != len(program.value):
        return None
    row = np.concatenate([where[family.terms.cell] for family, where in families])
    column = program.position[np.concatenate([family.terms.column for family, _ in families])]
    value = np.concatenate([family.terms.coefficient for family, _ in families])
    order = np.lexsort((row, column))
    start = np.searchsorted(column[order], np.arange(len(program.cost) + 1))
    same = np.array_equal(start, program.start) and np.array_equal(row[order], program.index)
    return value[order] if same else None
