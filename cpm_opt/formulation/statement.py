"""The draft stated in Pyomo: a `ConcreteModel` with a block per part, named variables, rows and the objective.

    model.core.on['gold','service','full',2]      a variable, named by its labels
    model.capacity.limit['hours',2]               a row that a manager can name
    model.objective                               discounted profit less penalties, and end value; maximised

Rows are handed to Pyomo as ready-made linear expressions: summing term by term takes about ten times as long.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr import LinearExpression

from cpm_opt.formulation.draft import Draft, Rows, Variables
from cpm_opt.formulation.terms import Terms


def state(draft: Draft) -> pyo.ConcreteModel:
    """Makes the Pyomo model; the plain lists `model.draft_columns` and `model.draft_rows` hold its variables and its
    indexed constraints in the draft's order."""
    with _collector_paused():
        model = pyo.ConcreteModel(name=draft.portfolio.name)
        columns: list[Any] = []
        for family in draft.variables:
            columns += _state_variables(model, family)
        model.draft_columns = columns
        model.draft_rows = [_state_rows(model, rows, columns) for rows in draft.rows]
        terms = draft.objective_terms()
        model.objective = pyo.Objective(
            expr=LinearExpression(
                constant=float(terms.constant[0]),
                linear_coefs=terms.coefficient.tolist(),
                linear_vars=[columns[column] for column in terms.column.tolist()],
            ),
            sense=pyo.maximize,
        )
    return model


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


def _block(model: pyo.ConcreteModel, name: str) -> Any:
    block = model.component(name)
    if block is None:
        block = pyo.Block()
        model.add_component(name, block)
    return block


def _free_name(block: Any, name: str) -> str:
    """`name`, or `name_2`, ... where the block has it already (one family a lever, say)."""
    number, free = 1, name
    while block.component(free) is not None:
        number += 1
        free = f"{name}_{number}"
    return free


def _state_variables(model: pyo.ConcreteModel, family: Variables) -> list[Any]:
    block = _block(model, family.block)
    name = _free_name(block, family.name)
    bounds = dict(
        zip(family.index, zip(family.lower.tolist(), _open(family.upper), strict=True), strict=True)
    )
    variable = pyo.Var(
        list(family.index),
        domain=pyo.Integers if family.integer else pyo.Reals,
        bounds=lambda _block, *index: bounds[index],
    )
    block.add_component(name, variable)
    return list(variable.values())


def _open(bounds: np.ndarray) -> list[float | None]:
    return [bound if np.isfinite(bound) else None for bound in bounds.tolist()]


def _state_rows(model: pyo.ConcreteModel, rows: Rows, columns: list[Any]) -> Any:
    block = _block(model, rows.block)
    constraint = pyo.Constraint(list(rows.index))
    block.add_component(_free_name(block, rows.name), constraint)
    lower, upper = _open(rows.lower), _open(rows.upper)
    for position, expression in enumerate(_expressions(rows.terms, columns)):
        low, high = lower[position], upper[position]
        sides = (low, expression, low) if low == high else (low, expression, high)
        constraint.add(rows.index[position], sides)
    return constraint


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
