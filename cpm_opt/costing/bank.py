"""A bank's profile of its clients: balances, what is held back, interest, and what balances earn.

    mean balance      integral over the period of straight lines between the account's balances / its days; where the
                      balances are equally spaced, the chronological mean (b1/2 + b2 + ... + bn/2) / (n - 1)
    stability         minimum over mean balance of the days on which the account stood: the part that stays
    free for placing  mean balance x (1 - reserve - liquidity)
    transfer income   free for placing x transfer price x years        what the treasury pays for a deposit
    interest paid     mean balance x rate x years                      to the depositor
    interest earned   mean balance x rate x years                      from the borrower
    funding cost      mean balance x transfer price x years            what the treasury charges for a loan

Rates are fractions a year. Fees are rows of table sales whose product is the service.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.costing.periods import Period
from cpm_opt.costing.settings import BankRules

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]

SUMS = ("mean", "mean_open", "minimum", "free", "transfer_income", "interest_earned", "interest_paid", "funding_cost",
        "revenue", "product_cost")  # fmt: skip
SHOWN = ("account", "customer", "kind", "product", "rate", "mean", "mean_open", "minimum", "stability", "free",
         "transfer_income", "interest_earned", "interest_paid", "funding_cost", "revenue", "product_cost")  # fmt: skip


@dataclass(frozen=True)
class _Pieces:
    """Straight pieces of the balances of all accounts within a period: which account, how many days (0 or more), the
    balance at both ends, and the rows (in the order of `order`) between which each lies."""

    code: Codes
    width: Numbers
    start: Numbers
    end: Numbers
    left: Codes
    right: Codes


@dataclass(frozen=True)
class _Lines:
    """The accounts that stood in a period: names, days of the period, whether each stood, and the pieces."""

    accounts: pd.Index[str]
    days: Numbers
    stood: NDArray[np.bool_]
    pieces: _Pieces
    order: Codes


def _lines(balances: pd.DataFrame, period: Period) -> _Lines:
    """The straight lines between balances, cut at the period's opening and closing.

    Time counts in days from the end of the period's first day, 0. A period opens at the end of the day before it, -1,
    and closes at the end of its last day; where an account has a balance of the first day and none of the day before,
    that one is its opening, and where it has one of the day after and none of the last day, that one is its closing.
    """
    names, accounts = pd.factorize(balances["account"])
    order = np.lexsort((balances["date"].to_numpy(), names))
    rows, code = balances.iloc[order], names[order]
    day = (rows["date"] - period.first).dt.days.to_numpy(dtype=np.float64)
    money = rows["balance"].to_numpy(dtype=np.float64)
    last = period.days - 1

    def seen(when: int) -> NDArray[np.bool_]:
        return np.bincount(code[day == when], minlength=len(accounts)) > 0

    opening = np.where(seen(0) & ~seen(-1) & (last > 0), 0.0, -1.0)
    closing = np.where(seen(last + 1) & ~seen(last), last + 1.0, float(last))
    heads = np.flatnonzero(np.diff(code, prepend=-1))
    tails = np.flatnonzero(np.diff(code, append=len(accounts)))
    # An account whose last balance is 0 and lies before the period is closed.
    stood = (day[heads] <= last) & ~((day[tails] < 0) & (money[tails] == 0))
    left = np.flatnonzero(code[1:] == code[:-1])
    ends = [
        (left, left + 1, day[left], day[left + 1]),  # between two balances of an account
        (tails, tails, day[tails], np.maximum(closing, day[tails])),  # the last one holds
        (
            heads,
            heads,
            day[heads] - 1,
            day[heads],
        ),  # the first one is that of the whole day on which it opens
    ]
    a, b, begin, until = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    low = np.maximum(begin, opening[code[a]])
    high = np.minimum(until, closing[code[a]])
    inside = (low <= high) & stood[code[a]]
    a, b, begin, until, low, high = (each[inside] for each in (a, b, begin, until, low, high))
    span = np.where(until > begin, until - begin, 1.0)

    def at(when: Numbers) -> Numbers:
        share = (when - begin) / span
        return np.asarray(money[a] * (1 - share) + money[b] * share)

    pieces = _Pieces(code[a], high - low, at(low), at(high), a, b)
    return _Lines(pd.Index(accounts), closing - opening, stood, pieces, order)


def average_balances(balances: pd.DataFrame, period: Period) -> pd.DataFrame:
    """By account, over a period: mean, mean_open, minimum and stability.

    Between two balances an account moves in a straight line, also where they lie outside the period. Before its first
    balance it did not exist: it opens on that day, with that balance, and counts 0 before. After its last one that
    balance holds; where it is 0 and before the period, the account is closed and left out. `mean` is the integral over
    the period divided by the period's days; `mean_open` and `minimum` are those of the days on which the account
    stood, and stability is minimum over mean_open (a fraction; NaN for a mean of 0 or less).
    """
    lines = _lines(balances, period)
    pieces, many = lines.pieces, len(lines.accounts)
    areas = pieces.width * (pieces.start + pieces.end) / 2
    area = np.bincount(pieces.code, weights=areas, minlength=many)
    open_days = np.bincount(pieces.code, weights=pieces.width, minlength=many)
    minimum = np.full(many, np.inf)
    np.minimum.at(minimum, pieces.code, np.minimum(pieces.start, pieces.end))
    stood = lines.stood
    found = pd.DataFrame({"account": lines.accounts[stood], "mean": area[stood] / lines.days[stood]})
    found["mean_open"] = area[stood] / open_days[stood]
    found["minimum"] = minimum[stood]
    found["stability"] = stability(found["minimum"], found["mean_open"])
    return found


def balances_that_count(balances: pd.DataFrame, period: Period) -> NDArray[np.bool_]:
    """Which rows the mean balances of a period are computed from: those in it, and their neighbours on both sides."""
    lines = _lines(balances, period)
    wide = lines.pieces.width > 0
    used = np.zeros(len(balances), dtype=bool)
    used[lines.order[lines.pieces.left[wide]]] = True
    used[lines.order[lines.pieces.right[wide]]] = True
    return used


def stability(minimum: pd.Series[float], mean: pd.Series[float]) -> pd.Series[float]:
    """Minimum over mean balance; NaN where the mean is not above 0."""
    return minimum / mean.where(mean > 0)


def account_results(
    accounts: pd.DataFrame, balances: pd.DataFrame, rules: BankRules, period: Period
) -> pd.DataFrame:
    """What each account brought in a period; accounts that did not stand in it are left out.

    Columns: account, customer, kind, product, rate, mean, mean_open, minimum, stability, free (money that may be
    placed), and, as money of the period, transfer_income, interest_earned, interest_paid, funding_cost, revenue =
    transfer_income + interest_earned and product_cost = interest_paid + funding_cost.
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


def account_totals(accounts: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The accounts of `account_results` added up by some of its columns: accounts (their number), the sums of `SUMS`,
    and stability, the sum of minimums over the sum of means (fraction)."""
    groups = accounts.groupby(by, sort=True)
    totals = groups[list(SUMS)].sum()
    totals.insert(0, "accounts", groups.size())
    totals.insert(4, "stability", stability(totals["minimum"], totals["mean_open"]))
    return totals
