"""Profit statements of small instances for tests."""

from __future__ import annotations

from pathlib import Path

from cpm_opt.costing import ProfitStatement, cost_and_profit
from tests.ledger import instance

MARGIN = "[estimates]\ngross_margin = 0.25\n"
PERIODS = (
    MARGIN
    + """[estimates.profit]
first_day = 2025-01-01
last_day = 2025-12-31
[estimates.profit.tiers]
method = "thresholds"
names = ["gold", "bronze"]
values = [30.0]
"""
)


def statement(folder: Path, rules: str = MARGIN, **tables: str) -> ProfitStatement:
    found = instance(folder, None, rules, "year", tables)
    assert [fault.line() for fault in found.faults] == []
    return cost_and_profit(found)
