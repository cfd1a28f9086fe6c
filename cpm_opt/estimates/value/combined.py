"""Lifetime values of purchases, contracts and the chain of segments put together, customer by customer.

In: the customers' frame and what each of the models made of it. Out: the frame with present and lifetime value, and
`Valued` for sums with their errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.estimates.segments.chain import Chain
from cpm_opt.estimates.settings import ValueRules
from cpm_opt.estimates.value.contracts import Contractual
from cpm_opt.estimates.value.lifetime import Valued, interval
from cpm_opt.estimates.value.markov import chain_value, chain_value_covariance
from cpm_opt.estimates.value.model_estimate import NORMAL_95, Lint
from cpm_opt.estimates.value.purchases import Purchases

Numbers = NDArray[np.float64]

FIGURES = (
    "frequency", "recency", "age", "probability_alive", "probability_alive_before", "expected_purchases",
    "expected_spend",
)  # fmt: skip


@dataclass(frozen=True)
class Chained:
    """Value along the chain of S segments, by name: `value[S]` money, net of service, `covariance[S, S]`; `leaving` is
    the part of a segment that is in no active one a period later."""

    names: tuple[str, ...]
    value: Numbers
    covariance: Numbers
    leaving: Mapping[str, float] = field(default_factory=dict)

    def of(self, segment: pd.Series[str]) -> Valued:
        """The value of each customer by their segment; nan where the chain does not have it."""
        position = pd.Index(self.names).get_indexer(pd.Index(segment))
        known = position >= 0
        belongs = np.zeros((len(position), len(self.names)))
        belongs[np.flatnonzero(known), position[known]] = 1.0
        value = (
            np.where(known, self.value[position], np.nan)
            if len(self.names)
            else np.full(len(position), np.nan)
        )
        return Valued(value, belongs, self.covariance, net=True)


def chained(chain: Chain | None, service: Mapping[str, float], rules: ValueRules) -> Chained:
    """The chain's values, its margins net of `service` (base service per segment); no names without a chain."""
    if chain is None:
        return Chained((), np.zeros(0), np.zeros((0, 0)))
    names = tuple(state.name for state in chain.states)
    flow = chain.margin - np.array([service.get(name, 0.0) for name in names])
    observed = chain.observed.astype(float)
    terms = (rules.discount_rate, rules.periods)
    covariance = chain_value_covariance(chain.rates, observed, flow, chain.margin_se, *terms)
    return Chained(names, chain_value(chain.rates, flow, *terms), covariance, chain.leaving())


def with_chain(customers: pd.DataFrame, found: Chained) -> pd.DataFrame:
    """The customers with the value along the chain, migration, and its 95 % interval; nan without a chain."""
    valued = found.of(customers["segment"])
    width = NORMAL_95 * valued.error() + 0.0 * valued.value  # nan where there is no value
    return customers.assign(
        migration=valued.value, migration_low=valued.value - width, migration_high=valued.value + width
    )


def with_lifetime(
    customers: pd.DataFrame,
    purchases: Purchases | None,
    contracts: Contractual | None,
    chain: Chained,
    gone: NDArray[np.bool_],
) -> tuple[pd.DataFrame, Valued, list[Lint]]:
    """The frame with present and lifetime value and what the models say; the values as sums with their errors.

    Lifetime value is that of purchases plus that of contracts. Where there is no model of purchases, or none could be
    estimated, it is the value along the chain instead. Who is `gone[N]`, by what table customers says, is alive with
    probability 0 and worth nothing, whatever a model makes of their past.
    """
    names = pd.Index(customers["customer"])
    size = len(names)
    figures = {name: np.full(size, np.nan) for name in FIGURES}
    doubts: list[Lint] = []
    valued, by_chain = Valued(np.zeros(size), np.zeros((size, 0)), np.zeros((0, 0))), False
    if purchases is not None:
        where = names.get_indexer(pd.Index(purchases.histories.customer))
        for name, numbers in _figures(purchases).items():
            figures[name] = _spread(numbers, where, size, np.nan)
        if purchases.valued is not None:
            valued = _placed(purchases.valued, where, size)
    # Who has a contract and no ledger is worth that contract; without both nothing is known but the segment.
    if (purchases is None or purchases.valued is None) and (
        contracts is None or customers["migration"].notna().any()
    ):
        valued, by_chain = chain.of(customers["segment"]), True
        if contracts is not None:
            valued = Valued(np.nan_to_num(valued.value), valued.gradient, valued.covariance, net=True)
        doubts.append(_by_chain(bool(np.isnan(valued.value).all()), failed=purchases is not None))
    valued = replace(
        valued,
        value=np.where(gone, 0.0, valued.value),
        gradient=np.where(gone[:, None], 0.0, valued.gradient),
    )
    figures["probability_alive"] = np.where(gone, 0.0, figures["probability_alive"])
    present = np.zeros(size)
    if contracts is not None:
        where = names.get_indexer(pd.Index(contracts.customer))
        present = _spread(contracts.present, where, size, 0.0)
        valued = _added(valued, _placed(contracts.lifetime, where, size))
    low, high = interval(valued.value, valued.error(), valued.net)
    unknown = np.isnan(valued.value)
    frame = customers.assign(
        **figures,
        present=present,
        lifetime=valued.value,
        lifetime_low=np.where(unknown, np.nan, low),
        lifetime_high=np.where(unknown, np.nan, high),
    )
    if not by_chain:
        doubts += _negative(valued)
    return frame, valued, doubts


def _figures(purchases: Purchases) -> dict[str, Numbers]:
    histories = purchases.histories
    numbers = (
        histories.frequency, histories.recency, histories.age, purchases.alive, purchases.alive_before,
        purchases.next_period, purchases.spend,
    )  # fmt: skip
    return dict(zip(FIGURES, numbers, strict=True))


def _spread(numbers: Numbers, where: NDArray[np.intp], size: int, rest: float) -> Numbers:
    whole = np.full(size, rest)
    whole[where] = numbers
    return whole


def _placed(own: Valued, where: NDArray[np.intp], size: int) -> Valued:
    """The values at the places of their customers among `size`; 0 for the others."""
    gradient = np.zeros((size, own.gradient.shape[1]))
    gradient[where] = own.gradient
    return Valued(_spread(own.value, where, size, 0.0), gradient, own.covariance, own.net)


def _added(first: Valued, second: Valued) -> Valued:
    """Two values of the same customers added up, the estimates behind them independent of each other."""
    size = len(first.covariance)
    both = np.zeros((size + len(second.covariance),) * 2)
    both[:size, :size], both[size:, size:] = first.covariance, second.covariance
    gradient = np.hstack([first.gradient, second.gradient])
    return Valued(first.value + second.value, gradient, both, first.net or second.net)


def _by_chain(nothing: bool, failed: bool) -> Lint:
    what = (
        "lifetime values are blank"
        if nothing
        else "lifetime values are those of the chain of segments instead"
    )
    if failed:
        return Lint(
            "no-lifetime-model", "sales", "", f"no model of purchases and spend was estimated: {what}"
        )
    return Lint(
        "no-lifetime-model",
        "accounts",
        "",
        f"accounts are no purchases: {what}",
    )


def _negative(valued: Valued) -> list[Lint]:
    """Customers who cost more than they bring."""
    losing = valued.value < 0
    if not valued.net or not losing.any():
        return []
    message = (
        f"customers who will cost more to serve than they bring: {int(losing.sum())} "
        f"({float(valued.value[losing].sum()):.2f}); their lifetime values are negative, not cut at 0"
    )
    return [Lint("negative-value", "activity_counts", "", message)]
