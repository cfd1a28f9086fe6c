"""Money in words: the currency, and how many units of it a figure of the tables stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpm_opt.portfolio.portfolio import Portfolio

THOUSAND_WORDS = {1.0: "", 1e3: "thousand ", 1e6: "million ", 1e9: "billion "}


def money_words(currency: str, money_unit: float) -> str:
    """The unit of the tables' own money: `RUB`, `thousand RUB`."""
    times = THOUSAND_WORDS.get(money_unit)
    return f"{f'x {money_unit:,.15g} ' if times is None else times}{currency}"


def unit_words(p: Portfolio, unit: str) -> str:
    """The unit of a row's figures: where it is the currency, that in which the tables' money stands."""
    return money_words(p.currency, p.money_unit) if unit == p.currency else unit
