"""Figures in words: numbers with separators, money with its unit, periods, lists of names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from cpm_opt.runs.money import money_words

if TYPE_CHECKING:
    from cpm_opt.portfolio.portfolio import Portfolio
    from cpm_opt.tables import InstanceInfo


class Range(NamedTuple):
    """From `low` to `high`, both included."""

    low: float
    high: float


_COMMAND = re.compile(r"`(cpm [^`]+)`")
# What computing leaves of figures that cancel out: no reader is to see it as a figure.
ROUNDING = 1e-9


def amount(value: str | float | Range) -> str:
    """A number for a reader: separators between thousands, and no more digits than tell anything."""
    if isinstance(value, str):
        return value
    if isinstance(value, Range):
        low, high = amount(value.low), amount(value.high)
        return low if low == high else f"{low} to {high}"
    size = abs(value)
    if not math.isfinite(value):
        return "unlimited"
    if size < ROUNDING:
        return "0"
    if value == int(value) and size < 1e15:
        return f"{int(value):,}"
    if size >= 10_000:
        text = f"{value:,.0f}"
    elif size >= 100:
        text = f"{value:,.1f}"
    elif size >= 0.01:
        text = f"{value:,.2f}"
    else:
        text = format(Decimal(f"{value:.2g}"), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(value: str | float | Range) -> str:
    """A fraction as a percentage: 0.125 is `12.5%`."""
    if isinstance(value, str):
        return value
    if isinstance(value, Range):
        low, high = percent(value.low), percent(value.high)
        return low if low == high else f"{low[:-1]} to {high}"
    hundredfold = value * 100
    size = abs(hundredfold)
    if size >= 0.01:
        digits = 0 if size >= 1000 or abs(hundredfold - round(hundredfold)) < 0.005 else 1 if size >= 1 else 2
        text = f"{hundredfold:,.{digits}f}"
    else:
        text = format(Decimal(f"{hundredfold:.1g}"), "f") if hundredfold else "0"
    return f"{text}%"


def whole_periods(value: Range) -> str:
    """Periods of a table: `2` or `2-4`."""
    low, high = int(value.low), int(value.high)
    return str(low) if low == high else f"{low}-{high}"


def names(words: Sequence[str], most: int = 6) -> str:
    """Names in a sentence: `a, b and c`; of a long list the first ones and how many more there are."""
    if len(words) > most:
        return ", ".join(words[: most - 1]) + f" and {len(words) - most + 1} more"
    if len(words) > 1:
        return ", ".join(words[:-1]) + f" and {words[-1]}"
    return "".join(words)


def parted_commands(text: str) -> list[str]:
    """A sentence cut at the commands in it, which stand in backticks as on a terminal: every second part is one."""
    return _COMMAND.split(text)


def counted(number: int, word: str) -> str:
    """`1 rule`, `3 rules`."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


class Units:
    """The money and the periods of an instance, in words."""

    def __init__(self, instance: Mapping[str, Any]) -> None:
        self.currency = str(instance["currency"])
        self.money = money_words(self.currency, float(instance["money_unit"]))
        self.period = str(instance["period"])
        self.periods = int(instance["periods"])

    @classmethod
    def of_instance(cls, info: InstanceInfo) -> Units:
        """Those of an instance that is not planned: of one period."""
        return cls({**info.model_dump(include={"money_unit", "currency", "period"}), "periods": 1})

    @classmethod
    def of_portfolio(cls, p: Portfolio) -> Units:
        """Those of what is planned."""
        facts = {"money_unit": p.money_unit, "currency": p.currency, "period": p.period_name}
        return cls({**facts, "periods": p.periods})

    def worth(self, value: float) -> str:
        """An amount of money with its unit: `1,204 thousand RUB`."""
        return f"{amount(value)} {self.money}"

    def unit(self, text: str) -> str:
        """The unit of a rule's figures; money stands in the tables' own unit of it."""
        return self.money if text == self.currency else text

    def when(self, first: int, last: int) -> str:
        """`quarter 2`, `quarters 2 to 4`."""
        return f"{self.period} {first}" if first == last else f"{self.period}s {first} to {last}"

    @property
    def horizon(self) -> str:
        """`1 quarter`, `4 quarters`."""
        return counted(self.periods, self.period)


def spans(periods: Sequence[int]) -> list[tuple[int, int]]:
    """Sorted periods as unbroken spans: 1, 2, 4 are (1, 2) and (4, 4)."""
    found: list[tuple[int, int]] = []
    for period in sorted(periods):
        if found and period == found[-1][1] + 1:
            found[-1] = (found[-1][0], period)
        else:
            found.append((period, period))
    return found
