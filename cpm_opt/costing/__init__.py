"""From ledgers to profit: `cost_and_profit(tables) -> ProfitStatement`, `profitability(tables) -> Profitability`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpm_opt.costing.profitability import Profitability, profitability
from cpm_opt.faults import Fault
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    from cpm_opt.costing.statement import ProfitStatement, cost_and_profit

__all__ = ["ProfitStatement", "Profitability", "cost_and_profit", "costing_faults", "profitability"]

OF_COSTING = {"cost_pools", "activities", "time_drivers", "activity_counts", "accounts", "balances"}


def costing_faults(tables: Tables) -> tuple[Fault, ...]:
    """Names in the tables of costing (activities, cost_pools, accounts and so on) that lead to no row of another, and
    every fault of the ledgers that were left where they lie."""
    broken = tuple(fault for ledger in tables.large.values() for fault in ledger.check())
    if OF_COSTING.isdisjoint(tables.frames):
        return broken
    from cpm_opt.costing.ledger import reference_faults

    return (*broken, *reference_faults(tables))


def __getattr__(name: str) -> object:
    # A plan needs only the transactions; the statement is imported when it is first asked for.
    if name in ("ProfitStatement", "cost_and_profit"):
        from cpm_opt.costing import statement

        return getattr(statement, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
