"""A bank's profile of its clients: balances, what is held back, interest, and what balances earn.

    mean balance      chronological mean: (b1/2 + b2 + ... + bn/2) / (n - 1), weighted by days where they are uneven
    stability         minimum over mean balance: the part that stays
    free for placing  mean balance x (1 - reserve - liquidity)
    transfer income   free for placing x transfer price x years        what the treasury pays for a deposit
    interest paid     mean balance x rate x years                      to the depositor
    interest earned   mean balance x rate x years                      from the borrower
    funding cost      mean balance x transfer price x years            what the treasury charges for a loan

Rates are fractions a year. Fees are rows of table sales whose product is the service.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.costing.periods import Period
from cpm_opt.costing.settings import BankRules

Numbers = NDArray[np.float64]


def chronological_mean(days: Numbers, balances: Numbers) -> float:
    """Mean over time of balances at rising `days` (numbers of days), with straight lines between them.

    One balance alone is its own mean.
    """
    if len(balances) == 1 or days[-1] == days[0]:
        return float(balances[-1])
    areas = np.diff(days) * (balances[1:] + balances[:-1]) / 2
    return float(areas.sum() / (days[-1] - days[0]))


def average_balances(balances: pd.DataFrame, period: Period) -> pd.DataFrame:
    """By account, over a period: mean, minimum and stability (minimum over mean; NaN for a mean of 0 or less).

    The balances of the period count, and those of the day before it and the day after it: its opening and closing.
    """
    day = pd.Timedelta(days=1)
    dates = balances["date"]
    rows = balances[(dates >= period.first - day) & (dates <= period.last + day)].sort_values(
        ["account", "date"]
    )
    code, accounts = pd.factorize(rows["account"])
    days = (rows["date"] - period.first).dt.days.to_numpy(dtype=np.float64)
    money = rows["balance"].to_numpy(dtype=np.float64)
    # Trapezia between neighbours of the same account, all accounts at once.
    same = code[1:] == code[:-1]
    width = np.where(same, np.diff(days), 0.0)
    area = np.bincount(code[1:], weights=width * (money[1:] + money[:-1]) / 2, minlength=len(accounts))
    span = np.bincount(code[1:], weights=width, minlength=len(accounts))
    last = rows.groupby("account", sort=False)["balance"].last().to_numpy(dtype=np.float64, copy=True)
    mean = np.divide(area, span, out=last, where=span > 0)
    found = pd.DataFrame({"account": accounts, "mean": mean})
    found["minimum"] = rows.groupby("account", sort=False)["balance"].min().to_numpy(dtype=np.float64)
    found["stability"] = stability(found["minimum"], found["mean"])
    return found


def stability(minimum: pd.Series[float], mean: pd.Series[float]) -> pd.Series[float]:
    """Minimum over mean balance; NaN where the mean is not above 0."""
    return minimum / mean.where(mean > 0)


def account_results(
    accounts: pd.DataFrame, balances: pd.DataFrame, rules: BankRules, period: Period
) -> pd.DataFrame:
    """What each account brought in a period; accounts without a balance in it are left out.

    Columns: account, customer, kind, product, rate, mean, minimum, stability, free (money that may be placed), and, as
    money of the period, transfer_income, interest_earned, interest_paid, funding_cost, revenue = transfer_income +
    interest_earned and product_cost = interest_paid + funding_cost.
    """
    rows = accounts.merge(average_balances(balances, period), on="account", how="inner")
    deposit = rows["kind"] == "deposit"
    rows["product"] = rows["product"].where(rows["product"] != "", rows["kind"])
    rows["free"] = (rows["mean"] * (1 - rules.reserve - rules.liquidity)).where(deposit, 0.0)
    rows["transfer_income"] = rows["free"] * rules.transfer_price * period.years
    interest = rows["mean"] * rows["rate"] * period.years
    rows["interest_paid"] = interest.where(deposit, 0.0)
    rows["interest_earned"] = interest.where(~deposit, 0.0)
    rows["funding_cost"] = (rows["mean"] * rules.transfer_price * period.years).where(~deposit, 0.0)
    rows["revenue"] = rows["transfer_income"] + rows["interest_earned"]
    rows["product_cost"] = rows["interest_paid"] + rows["funding_cost"]
    return rows
