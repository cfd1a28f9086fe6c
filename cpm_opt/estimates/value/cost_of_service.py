"""What serving each customer costs in a period of the plan, from the statement of `cpm profit`.

In: `ProfitStatement`. Out: `ServiceCost`, which values of customers are net of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cpm_opt.estimates.value.histories import WEEKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpm_opt.costing import ProfitStatement
    from cpm_opt.costing.customer_profit import PeriodProfit

DAYS_A_WEEK = 7.0


@dataclass(frozen=True)
class ServiceCost:
    """Cost to serve by customer (index), money of the tables.

    `per_period`: of a period of the plan, the reporting period's cost over the periods in which the customer was one;
    `known`: all that the reporting and the prior period hold, `recent` the same with each period's cost weighted like
    past profit; `days` says of which days that is.
    """

    per_period: pd.Series[float] = field(repr=False)
    known: pd.Series[float] = field(repr=False)
    recent: pd.Series[float] = field(repr=False)
    days: str

    def of(self, customers: pd.Series[str] | NDArray[np.object_]) -> NDArray[np.float64]:
        """`[N]`: cost of these customers in a period of the plan; 0 where the ledger has none."""
        return np.asarray(self.per_period.reindex(pd.Index(customers)).fillna(0.0), dtype=np.float64)


def cost_of_service(
    statement: ProfitStatement,
    first: pd.Series[pd.Timestamp],
    end: pd.Timestamp,
    period: str,
    half_life: float,
) -> ServiceCost | None:
    """The cost to serve of every customer; None where no ledger tells of any.

    `first` is the day of each customer's first purchase (index customer): who came within the reporting period is
    charged with what they cost over the days since, at least a whole period. `half_life` in periods, as of past profit.
    """
    now, before = statement.reporting, statement.prior
    periods = [now, *([] if before is None else [before])]
    if not any(found.total("cost_to_serve") for found in periods):
        return None
    length = WEEKS[period] * DAYS_A_WEEK
    known, recent = pd.Series(dtype="float64"), pd.Series(dtype="float64")
    for found in periods:
        cost = found.customers["cost_to_serve"]
        known = known.add(cost, fill_value=0.0)
        recent = recent.add(cost * _weight(found, end, length * half_life), fill_value=0.0)
    earliest = periods[-1].period.first
    told = f"{earliest:%Y-%m-%d} to {now.period.last:%Y-%m-%d}"
    return ServiceCost(per_period(now, first, period), known, recent, told)


def per_period(found: PeriodProfit, first: pd.Series[pd.Timestamp], period: str) -> pd.Series[float]:
    """Cost to serve of each customer (index) in a period of the plan, over the periods since their first day."""
    customers = found.customers
    since = (found.period.last - first.reindex(customers.index)).dt.days + 1.0
    days = np.fmin(customers["days"].to_numpy(dtype=float), since.to_numpy(dtype=float))
    spans = np.clip(days / found.period.days * plan_periods(found, period), 1.0, None)
    cost: pd.Series[float] = customers["cost_to_serve"] / spans
    return cost


def plan_periods(found: PeriodProfit, period: str) -> float:
    """How many periods of the plan a period of profit is: a quarter of a year is 1 quarter, of 90 days or of 92."""
    return found.period.years * WEEKS["year"] / WEEKS[period]


def _weight(found: PeriodProfit, end: pd.Timestamp, half_life: float) -> float:
    """Weight of a period's cost in a value weighted to the recent: that of its middle; `half_life` in days."""
    middle = found.period.first + (found.period.last - found.period.first) / 2
    return float(0.5 ** (max(0.0, (end - middle) / pd.Timedelta(days=1)) / half_life))
