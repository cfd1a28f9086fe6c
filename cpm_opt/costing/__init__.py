"""From ledgers to profit: `profitability(tables) -> Profitability`."""

from __future__ import annotations

from cpm_opt.costing.profitability import Profitability, profitability

__all__ = ["Profitability", "profitability"]
