"""What a rule of the business looks like to the program: the protocol that every component follows.

A component is one small frozen dataclass in one file of this folder. Its fields are the keys of its table in a model
(`[components.<name>]`); its docstring holds the rule in a sentence, the formula, indices and units. It never reads
another component's variables: it posts to the ledgers of the draft and reads ledgers.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Audit, Facts
from cpm_opt.formulation.draft import Draft
from cpm_opt.portfolio.portfolio import Portfolio


@runtime_checkable
class Component(Protocol):
    """One rule of the business; `name` is its table in a model and its block in the Pyomo model."""

    name: ClassVar[str]
    # A rule that looks at the costs of the others says so with `audits_costs: ClassVar[bool] = True`.

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """Faults of the data that only matter with this rule on; warnings are faults with `warning` set."""
        ...

    def declare(self, draft: Draft) -> None:
        """First pass: variables, and what the rule posts to the ledgers."""
        ...

    def constrain(self, draft: Draft) -> None:
        """Second pass, when every part has declared: limits on what the ledgers add up to."""
        ...

    def audit(self, facts: Facts) -> Audit:
        """The rule recomputed from plain arrays, independently of `declare` and `constrain`."""
        ...
