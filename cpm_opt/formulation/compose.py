"""From a portfolio and a model's components to a finished draft."""

from __future__ import annotations

from collections.abc import Iterable

from cpm_opt.formulation import core
from cpm_opt.formulation.components.component import Component
from cpm_opt.formulation.draft import Draft, Weights
from cpm_opt.portfolio.portfolio import Portfolio


def compose(portfolio: Portfolio, components: Iterable[Component], objective: Weights) -> Draft:
    """Drafts the model: first every part declares, then every part constrains; the order of components is theirs.

    The draft is arrays; `statement.state` makes the Pyomo model of it.
    """
    parts = sorted(components, key=lambda component: component.name)
    draft = Draft(portfolio, objective)
    core.declare(draft)
    for component in parts:
        component.declare(draft)
    core.constrain(draft)
    for component in parts:
        component.constrain(draft)
    return draft
