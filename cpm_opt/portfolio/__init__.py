"""The problem as numbers only: typed planning tables in, one checked and frozen `Portfolio` out."""

from __future__ import annotations

from cpm_opt.portfolio.build import build_portfolio
from cpm_opt.portfolio.levers import option_before
from cpm_opt.portfolio.portfolio import (
    BalanceRule,
    Flow,
    Lever,
    Migration,
    MigrationEffects,
    OptionRule,
    Portfolio,
    PriceRule,
    Resources,
    Usage,
)

__all__ = [
    "BalanceRule",
    "Flow",
    "Lever",
    "Migration",
    "MigrationEffects",
    "OptionRule",
    "Portfolio",
    "PriceRule",
    "Resources",
    "Usage",
    "build_portfolio",
    "option_before",
]
