"""From ledgers to profit: `cost_and_profit(tables) -> ProfitStatement`, `profitability(tables) -> Profitability`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpm_opt.costing.profitability import Profitability, profitability

if TYPE_CHECKING:
    from cpm_opt.costing.statement import ProfitStatement, cost_and_profit

__all__ = ["ProfitStatement", "Profitability", "cost_and_profit", "profitability"]


def __getattr__(name: str) -> object:
    # A plan needs only the transactions; the statement is imported when it is first asked for.
    if name in ("ProfitStatement", "cost_and_profit"):
        from cpm_opt.costing import statement

        return getattr(statement, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
