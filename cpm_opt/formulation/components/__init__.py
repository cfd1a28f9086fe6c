"""The rules of the business, one file each. A new one is a file here and its class in `BUILT_IN`."""

from __future__ import annotations

from cpm_opt.formulation.components.balance import Balance
from cpm_opt.formulation.components.capacity import Capacity
from cpm_opt.formulation.components.cash import Cash
from cpm_opt.formulation.components.component import Component
from cpm_opt.formulation.components.concentration import Concentration
from cpm_opt.formulation.components.least_change import LeastChange
from cpm_opt.formulation.components.options import Options
from cpm_opt.formulation.components.pins import Pins
from cpm_opt.formulation.components.price import Price
from cpm_opt.formulation.components.risk import Risk
from cpm_opt.formulation.components.robust import Robust
from cpm_opt.formulation.components.switching import Switching
from cpm_opt.formulation.components.unchanged import Unchanged

__all__ = [
    "BUILT_IN",
    "COMPONENTS",
    "Balance",
    "Capacity",
    "Cash",
    "Component",
    "Concentration",
    "LeastChange",
    "Options",
    "Pins",
    "Price",
    "Risk",
    "Robust",
    "Switching",
    "Unchanged",
]

BUILT_IN: tuple[type[Component], ...] = (
    Capacity,
    Balance,
    Switching,
    Price,
    Options,
    Pins,
    Cash,
    Concentration,
    Robust,
    Risk,
    LeastChange,
    Unchanged,
)

COMPONENTS: dict[str, type[Component]] = {component.name: component for component in BUILT_IN}
