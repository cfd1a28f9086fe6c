"""Break-even figures and the comparison of two periods.

break-even revenue       fixed cost / (1 - variable cost / revenue)
break-even margin        (cost - other income) / average working assets        a bank's dead centre, a fraction a year
price rise to break even loss / revenue                                        at unchanged volume
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import pandas as pd


def break_even_revenue(
    fixed: pd.Series[float], variable: pd.Series[float], revenue: pd.Series[float]
) -> pd.Series[float]:
    """Revenue at which profit is 0, costs that vary with revenue staying the same part of it.

    NaN where no volume breaks even: there is no revenue, or the variable cost takes all of it.
    """
    left = 1 - variable / revenue.where(revenue > 0)
    return fixed / left.where(left > 0)


def break_even_margin(cost: float, other_income: float, working_assets: float) -> float:
    """The margin of interest at which a bank's profit is 0 ("dead centre"): what cost less other income (fees) has to
    be earned on each unit of the assets at work. NaN where none are."""
    return (cost - other_income) / working_assets if working_assets > 0 else nan


@dataclass(frozen=True)
class Change:
    """Revenue and profit of two periods: 500,000 of 3,000,000 before, 600,000 of 4,000,000 now are 16.67 % and 15 %."""

    prior_revenue: float
    prior_profit: float
    revenue: float
    profit: float

    @property
    def return_on_sales(self) -> float:
        """Profit over revenue of this period."""
        return self.profit / self.revenue if self.revenue > 0 else nan

    @property
    def prior_return_on_sales(self) -> float:
        """Profit over revenue of the period before."""
        return self.prior_profit / self.prior_revenue if self.prior_revenue > 0 else nan

    @property
    def change_of_return(self) -> float:
        """Difference of the two returns, as a fraction: -0.0167 are -1.67 percentage points."""
        return self.return_on_sales - self.prior_return_on_sales

    @property
    def growth(self) -> float:
        """Growth of revenue as a fraction of the prior one."""
        return growth(self.revenue, self.prior_revenue)

    @property
    def profit_growth(self) -> float:
        """Growth of profit as a fraction of the prior one; NaN after a loss or nothing."""
        return growth(self.profit, self.prior_profit)


def growth(now: float, before: float) -> float:
    """Growth as a fraction; NaN where there was nothing above 0 before."""
    return now / before - 1 if before > 0 else nan
