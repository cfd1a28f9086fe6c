"""Customers under contract: what is sure of them, how long they stay, and what they are worth.

In: raw table contracts. Out: `Contractual`. Present value is that of running contracts alone; the lifetime value adds
the renewals that the shifted-beta-geometric model expects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.estimates.value import retention, sbg
from cpm_opt.estimates.value.lifetime import STEP, Valued, joined
from cpm_opt.estimates.value.model_estimate import ModelEstimate

Numbers = NDArray[np.float64]

CONTRACTS = "contracts"
MONTHS = {"month": 1.0, "quarter": 3.0, "year": 12.0}


@dataclass(frozen=True)
class Contractual:
    """Contracts valued: `model` their shifted-beta-geometric model, `retention` that of one rate for all.

    Per customer of `customer[M]` the `present[M]` value of running contracts and the `lifetime` value; a model that did
    not converge leaves the present value only.
    """

    model: ModelEstimate
    retention: ModelEstimate
    customer: NDArray[np.object_]
    present: Numbers
    lifetime: Valued


def value_contracts(
    contracts: pd.DataFrame, end: pd.Timestamp, period: str, discount_rate: float, periods: int
) -> Contractual:
    """Value at the close of day `end`, of contracts that had begun by then.

    A contract whose last day is past has ended: its customer left after as many periods as it ran, at least one. The
    others run: until their last day if they have one, else to the end of the period that is now. Periods are months,
    quarters or years by the calendar, from the day on which a contract began; flows are at the beginnings of periods,
    the first one now.
    """
    begun = contracts[contracts["start"] <= end]
    last = begun["end"]
    ended = ((last <= end) & last.notna()).to_numpy()
    ran = calendar_periods(begun["start"], last.where(last.notna() & (last <= end), end), period)
    times = np.where(ended, np.maximum(1.0, np.rint(ran)), np.floor(ran)).astype(np.int64)
    size = int(times.max(initial=0)) + 1
    lost, kept = (np.bincount(times[which], minlength=size).astype(np.float64) for which in (ended, ~ended))
    model = sbg.fit(lost, kept)
    running = begun[~ended]
    tomorrow = pd.Series(end + pd.Timedelta(days=1), index=running.index)
    sure = np.where(
        running["end"].isna(), 1.0, calendar_periods(tomorrow, running["end"].fillna(end), period)
    )
    present = running["margin"].to_numpy(dtype=float) * _annuity(sure, discount_rate)
    codes, names = pd.factorize(running["customer"], sort=True)
    later = _renewals(model, running, times[~ended], sure, discount_rate, periods)
    gradient = np.column_stack([_summed(codes, column, len(names)) for column in later.gradient.T])
    total = _summed(codes, present + later.value, len(names))
    return Contractual(
        model,
        retention.fit(lost, kept, discount_rate),
        np.asarray(names, dtype=object),
        _summed(codes, present, len(names)),
        Valued(total, gradient, later.covariance),
    )


def calendar_periods(first: pd.Series[pd.Timestamp], last: pd.Series[pd.Timestamp], period: str) -> Numbers:
    """How many months, quarters or years from each first day to each last one, both included, by the calendar: a year
    of 365 days is one, and so is a leap year. Days over whole months count as parts of the month in which they lie."""
    begin = first.to_numpy(dtype="datetime64[D]")
    after = last.to_numpy(dtype="datetime64[D]") + 1
    begin_month, after_month = begin.astype("datetime64[M]"), after.astype("datetime64[M]")
    begin_day = (begin - begin_month.astype("datetime64[D]")).astype(np.int64)
    after_day = (after - after_month.astype("datetime64[D]")).astype(np.int64)
    long = ((after_month + 1).astype("datetime64[D]") - after_month.astype("datetime64[D]")).astype(np.int64)
    # A contract of the 31st has its month's day on the last day of a shorter month.
    day = np.minimum(begin_day, long - 1)
    months = (after_month - begin_month).astype(np.int64) + (after_day - day) / long
    return np.asarray(months / MONTHS[period], dtype=np.float64)


def _summed(codes: NDArray[np.intp], amounts: Numbers, size: int) -> Numbers:
    return np.bincount(codes, weights=amounts, minlength=size).astype(np.float64)


def _annuity(periods: Numbers, discount_rate: float) -> Numbers:
    """Present value of 1 at the beginning of each of so many periods; part of a period pays its part."""
    whole = np.floor(periods)
    step = 1.0 / (1.0 + discount_rate)
    full = whole if discount_rate == 0.0 else (1.0 - step**whole) / (1.0 - step)
    return np.asarray(full + (periods - whole) * step**whole, dtype=np.float64)


def _renewals(
    model: ModelEstimate,
    running: pd.DataFrame,
    renewed: NDArray[np.int64],
    sure: Numbers,
    discount_rate: float,
    periods: int,
) -> Valued:
    """Value of the renewals after what is sure, contract by contract; 0 where the model did not converge."""
    count = len(running)
    if not model.converged:
        return Valued(np.zeros(count), np.zeros((count, 2)), np.zeros((2, 2)))
    margin = running["margin"].to_numpy(dtype=float)
    term = np.maximum(1.0, np.ceil(sure))
    at_renewal = renewed + term - 1.0
    left = np.maximum(periods - term, 0.0)
    weight = margin / (1.0 + discount_rate) ** (term - 1.0)

    def value(logs: Numbers) -> Numbers:
        parameters = np.exp(logs).tolist()
        total = np.zeros(count)
        for some in np.unique(left):
            members = left == some
            total[members] = sbg.renewals_to_come(parameters, at_renewal[members], discount_rate, int(some))
        return total * weight

    logs = np.log(model.values)
    shifts = np.eye(2) * STEP
    slopes = [(value(logs + shift) - value(logs - shift)) / (2.0 * STEP) for shift in shifts]
    return Valued(value(logs), np.column_stack(slopes), joined(model))
