"""The draft stated in Pyomo: a `ConcreteModel` with a block per part, named variables, rows and the objective.

    model.core.on['gold','service','full',2]      a variable, named by its labels
    model.capacity.limit['hours',2]               a row that a manager can name
    model.objective                               discounted profit less penalties, and end value; maximised

Rows are handed to Pyomo as ready-made linear expressions: summing term by term takes about ten times as long.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr import LinearExpression

from cpm_opt.formulation.draft import Composition, Rows, Variables
from cpm_opt.formulation.terms import Terms

Family = TypeVar("Family", Variables, Rows)


def state(draft: Composition) -> pyo.ConcreteModel:
    """Makes the Pyomo model; the plain lists `model.draft_columns` and `model.draft_rows` hold its variables and its
    rows in the draft's order."""
    with _collector_paused():
        model = pyo.ConcreteModel(name=draft.name)
        columns: list[Any] = [None] * draft.columns
        for variables in _by_name(draft.variables):
            _state_variables(model, variables, columns)
        stated = [_state_rows(model, rows, columns) for rows in _by_name(draft.rows)]
        model.draft_columns = columns
        model.draft_rows = _in_order(draft.rows, stated)
        terms = draft.objective
        model.objective = pyo.Objective(
            expr=LinearExpression(
                constant=float(terms.constant[0]),
                linear_coefs=terms.coefficient.tolist(),
                linear_vars=[columns[column] for column in terms.column.tolist()],
            ),
            sense=pyo.maximize,
        )
    return model


def _by_name(families: Sequence[Family]) -> list[list[Family]]:
    """Families of one name together (those of each lever, or of each rule), in the order of their first."""
    groups: dict[tuple[str, str, str], list[Family]] = {}
    for family in families:
        groups.setdefault((family.scenario, family.block, family.name), []).append(family)
    return list(groups.values())


def _in_order(families: Sequence[Rows], stated: Sequence[dict[int, list[Any]]]) -> list[Any]:
    rows = {number: each for group in stated for number, each in group.items()}
    return [row for family in families for row in rows[id(family)]]


@contextmanager
def _collector_paused() -> Iterator[None]:
    # Hundreds of thousands of small objects that all stay alive: collecting in between finds nothing and doubles
    # the time to build.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _block(model: pyo.ConcreteModel, family: Variables | Rows) -> Any:
    """The block of a family's part: `model.capacity`, or `model.scenario['dear'].capacity` in a scenario."""
    within: Any = model
    if family.scenario:
        if model.component("scenario") is None:
            model.scenario = pyo.Block(pyo.Any)
        within = model.scenario[family.scenario]
    block = within.component(family.block)
    if block is None:
        block = pyo.Block()
        within.add_component(family.block, block)
    return block


def _state_variables(model: pyo.ConcreteModel, families: Sequence[Variables], columns: list[Any]) -> None:
    index = [label for family in families for label in family.index]
    lower = [bound for family in families for bound in _open(family.lower)]
    upper = [bound for family in families for bound in _open(family.upper)]
    bounds = dict(zip(index, zip(lower, upper, strict=True), strict=True))
    first = families[0]
    variable = pyo.Var(
        index,
        domain=pyo.Integers if first.integer else pyo.Reals,
        bounds=lambda _block, *label: bounds[label],
    )
    _block(model, first).add_component(first.name, variable)
    made, used = list(variable.values()), 0
    for family in families:
        columns[family.start : family.start + len(family.index)] = made[used : used + len(family.index)]
        used += len(family.index)


def _open(bounds: np.ndarray) -> list[float | None]:
    return [bound if np.isfinite(bound) else None for bound in bounds.tolist()]


def _state_rows(
    model: pyo.ConcreteModel, families: Sequence[Rows], columns: list[Any]
) -> dict[int, list[Any]]:
    """States families of one name as one constraint; returns the rows of each by its `id`."""
    constraint = pyo.Constraint([label for family in families for label in family.index])
    _block(model, families[0]).add_component(families[0].name, constraint)
    made: dict[int, list[Any]] = {}
    for family in families:
        lower, upper = _open(family.lower), _open(family.upper)
        made[id(family)] = [
            constraint.add(family.index[position], (low, expression, low if low == high else high))
            for position, (expression, low, high) in enumerate(
                zip(_expressions(family.terms, columns), lower, upper, strict=True)
            )
        ]
    return made


def _expressions(terms: Terms, columns: list[Any]) -> Iterator[LinearExpression]:
    """The row expressions, in order."""
    ends = np.searchsorted(terms.cell, np.arange(terms.size + 1)).tolist()
    column, coefficient = terms.column.tolist(), terms.coefficient.tolist()
    for row in range(terms.size):
        first, last = ends[row], ends[row + 1]
        yield LinearExpression(
            constant=0,
            linear_coefs=coefficient[first:last],
            linear_vars=[columns[j] for j in column[first:last]],
        )
