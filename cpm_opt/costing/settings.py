"""`[estimates.profit]` of instance.toml as a closed, frozen model: what cost and profit need to be told.

[estimates.profit]
first_day = 2025-01-01           # of the reporting period; without them it is the whole ledger
last_day = 2025-12-31
prior_first_day = 2024-01-01     # of the period before; without them as long a one, just before
prior_last_day = 2024-12-31
large_share = 0.05               # customers of this share of sales or more are shown one by one
negligible_balance = 0.0         # average balance up to which a customer without turnover is inactive
tax_rate = 0.2                   # of the firm's profit, none on a loss; without it there is no such line

[estimates.profit.bank]          # needed with table accounts
transfer_price = 0.10            # a year, at which balances are placed and loans are funded
reserve = 0.40                   # part of a deposit held back as reserve, which earns nothing
liquidity = 0.0                  # further part held back as liquidity

[estimates.profit.tiers]
method = "shares"                # or "thresholds", "natural_breaks"
names = ["platinum", "gold", "bronze", "wood"]       # the most profitable first
values = [0.05, 0.15, 0.3, 0.5]  # shares: of each; thresholds: least profit of each but the last; natural_breaks: none
unprofitable = "unprofitable"
inactive = "inactive"
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cpm_opt.faults import Fault, did_you_mean

SECTION = "profit"
REMEDY = "write [estimates.profit] as docs/profit.md shows"

_Fraction = Annotated[float, Field(ge=0, lt=1)]
_Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^\S[^\r\n]*$")]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TierRules(_Closed):
    """The tiers of profitable, working customers, from the best to the least; see the module for the meaning."""

    method: Literal["shares", "thresholds", "natural_breaks"] = "shares"
    names: tuple[_Name, ...] = Field(
        default=("top", "middle", "base"), min_length=1, max_length=20, strict=False
    )
    values: tuple[float, ...] = Field(default=(), strict=False)
    unprofitable: _Name = "unprofitable"
    inactive: _Name = "inactive"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        every = (*self.names, self.unprofitable, self.inactive)
        if len(set(every)) < len(every):
            raise ValueError("names a tier twice")
        wanted = {"shares": len(self.names), "thresholds": len(self.names) - 1, "natural_breaks": 0}[
            self.method
        ]
        if len(self.values) != wanted:
            raise ValueError(f"needs {wanted} values with {len(self.names)} names and method {self.method}")
        if any(value < 0 for value in self.values):
            raise ValueError("has a negative value")
        if self.method == "shares" and abs(sum(self.values) - 1) > 1e-9:
            raise ValueError(f"has shares that add to {sum(self.values):g} instead of 1")
        if self.method == "thresholds" and any(later >= earlier for earlier, later in pairwise(self.values)):
            raise ValueError("has thresholds that do not fall")
        return self


DEFAULT_TIERS = TierRules(values=(0.2, 0.3, 0.5))


class BankRules(_Closed):
    """Prices and hold-backs of a bank's own treasury; fractions, rates a year."""

    transfer_price: _Fraction
    reserve: _Fraction = 0.0
    liquidity: _Fraction = 0.0

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.reserve + self.liquidity > 1:
            raise ValueError("holds back more than there is: reserve and liquidity add to more than 1")
        return self


class ProfitRules(_Closed):
    """The whole of `[estimates.profit]`; every key may be left out."""

    first_day: datetime.date | None = None
    last_day: datetime.date | None = None
    prior_first_day: datetime.date | None = None
    prior_last_day: datetime.date | None = None
    large_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    negligible_balance: Annotated[float, Field(ge=0)] = 0.0
    tax_rate: _Fraction | None = None
    bank: BankRules | None = None
    tiers: TierRules = DEFAULT_TIERS

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for first, last in (("first_day", "last_day"), ("prior_first_day", "prior_last_day")):
            start, end = getattr(self, first), getattr(self, last)
            if start is not None and end is not None and end < start:
                raise ValueError(f"{last} is before {first}")
        if (self.prior_first_day is None) != (self.prior_last_day is None):
            raise ValueError("prior_first_day and prior_last_day go together")
        return self


def read_profit_rules(estimates: Mapping[str, Any]) -> tuple[ProfitRules, tuple[Fault, ...]]:
    """The rules in the instance's table `[estimates]`, and every fault in them (the defaults stand in then)."""
    raw = estimates.get(SECTION, {})
    try:
        return ProfitRules.model_validate(dict(raw) if isinstance(raw, Mapping) else raw), ()
    except ValidationError as error:
        return ProfitRules(), tuple(_fault(problem) for problem in error.errors())


def _fault(problem: Any) -> Fault:
    """One complaint of pydantic in our words."""
    path = [str(part) for part in problem["loc"]]
    column = ".".join(("estimates", SECTION, *path))
    if problem["type"] == "extra_forbidden":
        nested: dict[str, type[BaseModel]] = {"tiers": TierRules, "bank": BankRules}
        known = (nested.get(path[0], ProfitRules) if len(path) > 1 else ProfitRules).model_fields
        return _told("is no key that is known here", did_you_mean(path[-1], known), column, None)
    message = problem["msg"].removeprefix("Value error, ").replace("Input ", "")
    given = problem["input"]
    shown = None if isinstance(given, Mapping) else str(given)
    return _told(message[:1].lower() + message[1:], REMEDY, column, shown)


def _told(message: str, remedy: str, column: str, value: str | None) -> Fault:
    return Fault("instance.toml", message, remedy, column=column, value=value, code="estimates")
