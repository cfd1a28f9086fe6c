"""The panel of states: in which state each customer was at the end of each period, and what came after.

In: transactions with their profit, the instance's rules of states. Out: `StatePanel`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.estimates.segments.merging import merge_small
from cpm_opt.estimates.settings import StateRules

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

MONTHS = {"month": 1, "quarter": 3, "year": 12}
NOT_YET = -1
NO_FREQUENCY = "none"


@dataclass(frozen=True)
class State:
    """One state: its name, its recency and frequency bands (`none`: no purchase in the window), and its kind."""

    name: str
    recency: str
    frequency: str
    kind: str


@dataclass(frozen=True)
class StatePanel:
    """States of N customers at the end of each of K periods.

    `state[N, K]` is a position in `states`, `NOT_YET` before a customer's first purchase; `revenue[N, K]` and
    `profit[N, K]` are money of the period itself; `period_names[K]` such as `1998Q2`; `merged` says of each state that
    was too small into which other one it went.
    """

    states: tuple[State, ...]
    period_names: tuple[str, ...]
    state: Indices
    revenue: Numbers
    profit: Numbers
    merged: tuple[str, ...] = ()


def possible_states(rules: StateRules) -> tuple[State, ...]:
    """Every state that the rules allow, in the order of the bands: those with purchases in the window first."""
    starts = list(rules.recency.values())
    states = []
    for position, (band, start) in enumerate(rules.recency.items()):
        kind = "lost" if band in rules.lost else "active"
        end = starts[position + 1] if position + 1 < len(starts) else None
        if start < rules.frequency_periods:
            states += [State(f"{band}-{often}", band, often, kind) for often in rules.frequency]
        if end is None or end > rules.frequency_periods:
            states.append(State(band, band, NO_FREQUENCY, kind))
    return tuple(states)


def period_of(dates: pd.Series[pd.Timestamp], period: str) -> pd.Series[int]:
    """Running number of the month, quarter or year in which each day lies."""
    return (dates.dt.year * 12 + dates.dt.month - 1) // MONTHS[period]


def last_whole_period(day: pd.Timestamp, period: str) -> int:
    """Running number of the last period that is over at the end of that day."""
    following = pd.Series([day + pd.Timedelta(days=1)])
    return int(period_of(following, period).iloc[0]) - 1


def period_name(number: int, period: str) -> str:
    """A running number as people write it: 1998, 1998Q2, 1998-06."""
    year, month = divmod(number * MONTHS[period], 12)
    return {"year": f"{year}", "quarter": f"{year}Q{month // 3 + 1}", "month": f"{year}-{month + 1:02d}"}[
        period
    ]


def build_panel(transactions: pd.DataFrame, rules: StateRules, period: str, last: int) -> StatePanel:
    """The panel from the first transaction's period to period number `last`; later transactions are left out.

    `transactions` as in `Profitability`; `period` is month, quarter or year. With no transaction up to `last` the
    panel has no customers.
    """
    numbers = period_of(transactions["date"], period)
    used = transactions[numbers <= last]
    numbers = numbers[numbers <= last]
    first = int(numbers.min()) if len(numbers) else last
    customer = pd.factorize(used["customer"], sort=True)[0].astype(np.int64)
    shape = (int(customer.max(initial=-1)) + 1, last - first + 1)
    cell = customer * shape[1] + (numbers - first).to_numpy(dtype=np.int64)
    counts = _summed(shape, cell, np.ones(len(used)))
    states = possible_states(rules)
    # A state without purchases in the window has no neighbour of its own recency to go into.
    families = [state.name if state.frequency == NO_FREQUENCY else state.recency for state in states]
    state, merged = merge_small(
        _states_at(counts, rules, states), families, [state.name for state in states], rules.smallest
    )
    return StatePanel(
        states=states,
        period_names=tuple(period_name(first + k, period) for k in range(shape[1])),
        state=state,
        revenue=_summed(shape, cell, used["revenue"].to_numpy(dtype=float)),
        profit=_summed(shape, cell, used["profit"].to_numpy(dtype=float)),
        merged=merged,
    )


def _summed(shape: tuple[int, int], cell: Indices, amounts: Numbers) -> Numbers:
    """`[N, K]`: amounts added up by customer and period; `cell` numbers those row by row."""
    flat: Numbers = np.bincount(cell, weights=amounts, minlength=shape[0] * shape[1]).astype(np.float64)
    return flat.reshape(shape)


def _states_at(counts: Numbers, rules: StateRules, states: tuple[State, ...]) -> Indices:
    """`[N, K]`: positions of the states, from `counts[N, K]` of transactions."""
    periods = np.arange(counts.shape[1])
    last_bought = np.maximum.accumulate(np.where(counts > 0, periods, -1), axis=1)
    recency = _band(periods - last_bought, rules.recency)
    so_far = np.cumsum(counts, axis=1)
    window = so_far.copy()
    window[:, rules.frequency_periods :] -= so_far[:, : -rules.frequency_periods]
    # Band 0 is "no purchase in the window", so the frequency bands follow from 1 on.
    frequency = np.where(window > 0, _band(window, rules.frequency) + 1, 0)
    position = np.full((len(rules.recency), len(rules.frequency) + 1), NOT_YET)
    recency_names, frequency_names = list(rules.recency), [NO_FREQUENCY, *rules.frequency]
    for number, state in enumerate(states):
        position[recency_names.index(state.recency), frequency_names.index(state.frequency)] = number
    return np.where(last_bought >= 0, position[recency, frequency], NOT_YET)


def _band(values: NDArray[np.float64] | Indices, bands: dict[str, int]) -> Indices:
    return np.searchsorted(np.array(list(bands.values())), values, side="right") - 1
