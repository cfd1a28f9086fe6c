"""The rules of the business, one file each. A new one is a file here and its class in `BUILT_IN`."""

from __future__ import annotations

from cpm_opt.formulation.components.balance import Balance
from cpm_opt.formulation.components.capacity import Capacity
from cpm_opt.formulation.components.component import Component
from cpm_opt.formulation.components.switching import Switching

__all__ = ["BUILT_IN", "COMPONENTS", "Balance", "Capacity", "Component", "Switching"]

BUILT_IN: tuple[type[Component], ...] = (Capacity, Balance, Switching)

COMPONENTS: dict[str, type[Component]] = {component.name: component for component in BUILT_IN}
