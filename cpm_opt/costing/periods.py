"""The reporting period and the one before it: first and last days, both included."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from cpm_opt.costing.settings import ProfitRules


@dataclass(frozen=True)
class Period:
    """From `first` to `last`, both days included. `reporting`: rows without a date belong to it."""

    first: pd.Timestamp
    last: pd.Timestamp
    reporting: bool = True

    @property
    def days(self) -> int:
        """Number of days."""
        return int((self.last - self.first).days) + 1

    @property
    def years(self) -> float:
        """Its length in years: whole months count a twelfth each, else days over 365."""
        months = whole_months(self.first, self.last)
        return months / 12 if months is not None else self.days / 365

    def holds(self, dates: pd.Series[pd.Timestamp]) -> pd.Series[bool]:
        """Which rows lie in it; those without a date lie in the reporting period."""
        inside = (dates >= self.first) & (dates <= self.last)
        return inside | dates.isna() if self.reporting else inside

    def __str__(self) -> str:
        return f"{self.first:%Y-%m-%d} to {self.last:%Y-%m-%d}"


def whole_months(first: pd.Timestamp, last: pd.Timestamp) -> int | None:
    """How many calendar months the days from `first` to `last` are, None where they are not whole ones."""
    after = last + pd.Timedelta(days=1)
    if first.day != after.day or first.day > 28:
        return None
    return int((after.year - first.year) * 12 + after.month - first.month)


def reporting_period(rules: ProfitRules, dates: Callable[[], Iterable[pd.Series[pd.Timestamp]]]) -> Period:
    """The stated period; where a day is not stated, the ledger's first or last one. `dates` gives those of all its
    tables, and is called only where they are needed."""
    if rules.first_day is not None and rules.last_day is not None:
        return Period(pd.Timestamp(rules.first_day), pd.Timestamp(rules.last_day))
    seen = [column.dropna() for column in dates()]
    known = [column for column in seen if len(column)]
    today = pd.Timestamp("1970-01-01")  # no row has a date: any day will do
    first = min((column.min() for column in known), default=today)
    last = max((column.max() for column in known), default=today)
    if rules.first_day is not None:
        first = pd.Timestamp(rules.first_day)
    if rules.last_day is not None:
        last = pd.Timestamp(rules.last_day)
    return Period(first, max(first, last))


def prior_period(rules: ProfitRules, reporting: Period) -> Period:
    """The stated prior period, else the one of the same length (in whole months, else days) just before."""
    if rules.prior_first_day is not None and rules.prior_last_day is not None:
        first, last = pd.Timestamp(rules.prior_first_day), pd.Timestamp(rules.prior_last_day)
        return Period(first, last, reporting=False)
    last = reporting.first - pd.Timedelta(days=1)
    months = whole_months(reporting.first, reporting.last)
    if months is not None:
        return Period(reporting.first - pd.DateOffset(months=months), last, reporting=False)
    return Period(last - pd.Timedelta(days=reporting.days - 1), last, reporting=False)
