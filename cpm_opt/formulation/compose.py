"""From a portfolio and a model's components to a finished composition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cpm_opt.formulation import core
from cpm_opt.formulation.components.component import Component
from cpm_opt.formulation.components.risk import Risk
from cpm_opt.formulation.draft import Composition, Draft, Space, Weights, tidied
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.portfolio.scenarios import Scenario


def compose(
    portfolio: Portfolio,
    components: Iterable[Component],
    weights: Weights,
    scenarios: Sequence[Scenario] = (),
) -> Composition:
    """Drafts the model: first every part declares, then every part constrains; the order of components is theirs.

    With `scenarios`, each is drafted on its own portfolio and they share what is decided before it is known which one
    comes; the component `risk` weighs them. The composition is arrays; `statement.state` makes the Pyomo model of it.
    """
    parts = sorted(components, key=lambda component: component.name)
    space = Space()
    if scenarios:
        drafts = [Draft(scenario.portfolio, weights, space, scenario.name) for scenario in scenarios]
    else:
        drafts = [Draft(portfolio, weights, space)]
    for draft in drafts:
        _draft(draft, parts)
    worth = [draft.objective_terms() for draft in drafts]
    objective = worth[0] if not scenarios else _weighed(drafts, worth, parts, scenarios)
    return Composition(portfolio.name, space, tidied(objective), tuple(drafts))


def _draft(draft: Draft, parts: Sequence[Component]) -> None:
    core.declare(draft)
    for component in parts:
        component.declare(draft)
    core.constrain(draft)
    for component in parts:
        component.constrain(draft)


def _weighed(
    drafts: Sequence[Draft], worth: Sequence[Terms], parts: Sequence[Component], scenarios: Sequence[Scenario]
) -> Terms:
    risk = next((part for part in parts if isinstance(part, Risk)), Risk(weight=0.0))
    above = Draft(drafts[0].portfolio, drafts[0].objective, drafts[0].space)
    return risk.weigh(above, worth, [scenario.probability for scenario in scenarios])
