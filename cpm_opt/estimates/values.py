"""What each customer is worth, in four ways side by side: in come `Tables`, out go `Values`.

Computed on request only: a plan needs the segments' figures, not these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.costing.profitability import SALES, Profitability
from cpm_opt.estimates import lists
from cpm_opt.estimates.contracts import CONTRACTS, Contractual, value_contracts
from cpm_opt.estimates.equity import equity, shares
from cpm_opt.estimates.estimate import Estimates
from cpm_opt.estimates.holdout import Holdout
from cpm_opt.estimates.ledger_inputs import read_inputs, value_rules
from cpm_opt.estimates.lifetime import NORMAL_95, Valued, counted_periods, interval
from cpm_opt.estimates.markov import chain_value, chain_value_error
from cpm_opt.estimates.model_estimate import Lint, ModelEstimate
from cpm_opt.estimates.past import EVERYBODY, WINDOW, Placed, past_profit, place
from cpm_opt.estimates.purchases import Purchases, value_purchases
from cpm_opt.estimates.settings import EstimateRules, ValueRules
from cpm_opt.tables import Tables

Numbers = NDArray[np.float64]
FEW_MOVES = 30


@dataclass(frozen=True)
class Values:
    """The values at the close of day `end`; money in the tables' own unit.

    `customers`, a row each: customer, segment, kind, [tier], first, last, purchases, revenue; frequency, recency, age
    (weeks); probability_alive and probability_alive_before (a period ago), expected_purchases (of the next period),
    expected_spend; the four kinds: historical (and historical_recent), current (of the last whole period, net of base
    service; before and change are gross), present (running contracts), lifetime (with lifetime_low and lifetime_high,
    95 %); migration, the value along the chain of segments, with its interval; recent, profit of the last periods.
    `segments` (and `tiers`): customers, their share, sums of the kinds, equity = sum of lifetime values with its
    interval and its share of all. `equity`: value, low, high. `ranks`: Spearman's correlations of the kinds. The lists
    `at_risk`, `ready_for_more`, `inactive` and `reversals` have reason and money_at_stake. `models` are those of the
    calibration, `value_models` those behind the values, fitted to the whole ledger.
    """

    end: pd.Timestamp
    customers: pd.DataFrame
    segments: pd.DataFrame
    tiers: pd.DataFrame | None
    equity: Mapping[str, float]
    ranks: pd.DataFrame
    at_risk: pd.DataFrame
    ready_for_more: pd.DataFrame
    inactive: pd.DataFrame
    reversals: pd.DataFrame
    models: tuple[ModelEstimate, ...]
    value_models: tuple[ModelEstimate, ...]
    holdout: Holdout | None
    lint: tuple[Lint, ...]


def customer_values(
    tables: Tables, estimates: Estimates | None = None, tiers: Mapping[str, str] | None = None
) -> Values:
    """The values of every customer in the raw tables sales and contracts (either may be missing).

    `estimates` saves work where they are there already, and adds the value along their chain; `tiers` (customer to
    tier, such as costing's) adds the table of tiers. Raises InputError with every fault of the rules or the ledger.
    """
    rules, profit, end = read_inputs(tables, estimates)
    value = value_rules(rules)
    period = tables.info.period
    window = WINDOW if rules.states is None else rules.states.frequency_periods
    purchases, customers, lint = None, _nobody(), []
    if profit is not None:
        customers, placed = _past(profit, tables, rules, value, end, window)
        purchases = value_purchases(profit.transactions, _margin_rate(customers), rules, value, period, end)
        customers = _with_chain(customers, estimates, placed, value)
        lint += [*purchases.lint, *_chain_lint(estimates)]
    contracts = None
    if CONTRACTS in tables.frames:
        periods = counted_periods(value.discount_rate, value.periods)
        contracts = value_contracts(tables.frames[CONTRACTS], end, period, value.discount_rate, periods)
        customers = _with_contractors(customers, contracts)
        if not contracts.model.converged:
            lint.append(_unfitted(contracts.model))
    customers, valued, doubts = _lifetime(customers, purchases, contracts)
    tier_of = None if tiers is None else customers["customer"].map(tiers).fillna("").astype(object)
    if tier_of is not None:
        customers.insert(3, "tier", tier_of)
    models = () if purchases is None else purchases.models
    refitted = () if purchases is None else purchases.value_models
    of_contracts = () if contracts is None else (contracts.model,)
    return Values(
        end=end,
        customers=customers,
        segments=shares(customers, valued, "segment"),
        tiers=None if tiers is None else shares(customers, valued, "tier"),
        equity=equity(customers["lifetime"], valued, np.ones(len(customers), dtype=bool)),
        ranks=lists.rank_table(customers),
        at_risk=lists.at_risk(customers, value, period),
        ready_for_more=lists.ready_for_more(customers, value, period, window),
        inactive=lists.inactive(customers[customers["purchases"] > 0], value),
        reversals=lists.reversals(customers, value),
        models=(*models, *of_contracts),
        value_models=(*refitted, *of_contracts),
        holdout=None if purchases is None else purchases.holdout,
        lint=(*lint, *doubts),
    )


def _past(
    profit: Profitability,
    tables: Tables,
    rules: EstimateRules,
    value: ValueRules,
    end: pd.Timestamp,
    window: int,
) -> tuple[pd.DataFrame, Placed]:
    """What is known of the past, one row a customer, with segments; current is net of base service."""
    period = tables.info.period
    past = past_profit(profit.transactions, end, period, value.half_life, window)
    placed = place(profit.transactions, rules.states, period, end, tables.frames)
    segment = placed.segment.reindex(past.index)
    past["change"] = past["current"] - past["before"]
    past["current"] -= segment.map(placed.service).to_numpy(dtype=float)
    past.insert(0, "customer", past.index.to_numpy())
    past.insert(1, "segment", segment.to_numpy())
    past.insert(2, "kind", segment.map(placed.kind).to_numpy())
    return past.reset_index(drop=True), placed


def _margin_rate(customers: pd.DataFrame) -> pd.Series[float]:
    """Profit over revenue of each customer (index); of all together where a customer has paid nothing on balance."""
    paid = customers["revenue"] > 0
    total = float(customers["revenue"].sum())
    every = float(customers["historical"].sum()) / total if total > 0 else 0.0
    rate = (customers["historical"] / customers["revenue"].where(paid)).fillna(every)
    return pd.Series(rate.to_numpy(), index=pd.Index(customers["customer"]))


def _with_chain(
    customers: pd.DataFrame, estimates: Estimates | None, placed: Placed, rules: ValueRules
) -> pd.DataFrame:
    """The value along the chain of segments, net of base service, with its interval; nan without a chain."""
    chain = None if estimates is None else estimates.chain
    value: dict[str, float] = {}
    error: dict[str, float] = {}
    if chain is not None:
        names = [state.name for state in chain.states]
        flow = chain.margin - np.array([placed.service[name] for name in names])
        worth = chain_value(chain.rates, flow, rules.discount_rate, rules.periods)
        spread = chain_value_error(
            chain.rates,
            chain.observed.astype(float),
            flow,
            chain.margin_se,
            rules.discount_rate,
            rules.periods,
        )
        value, error = dict(zip(names, worth, strict=True)), dict(zip(names, spread, strict=True))
    migration = customers["segment"].map(value).astype("float64")
    width = NORMAL_95 * customers["segment"].map(error).astype("float64")
    return customers.assign(
        migration=migration, migration_low=migration - width, migration_high=migration + width
    )


def _nobody() -> pd.DataFrame:
    """The customers' frame without rows."""
    frame = pd.DataFrame({name: pd.Series(dtype=object) for name in ("customer", "segment", "kind")})
    for name in ("first", "last"):
        frame[name] = pd.Series(dtype="datetime64[ns]")
    numbers = (
        "purchases",
        "revenue",
        "historical",
        "historical_recent",
        "current",
        "before",
        "recent",
        "change",
    )
    for name in (*numbers, "migration", "migration_low", "migration_high"):
        frame[name] = pd.Series(dtype="float64")
    return frame


def _with_contractors(customers: pd.DataFrame, contracts: Contractual) -> pd.DataFrame:
    """The frame with those who have a running contract and no sales added, in the order of names."""
    added = sorted(set(contracts.customer) - set(customers["customer"]))
    if not added:
        return customers
    new = _nobody().reindex(range(len(added)))
    new["customer"], new["segment"], new["kind"] = added, EVERYBODY, "active"
    numbers = [
        "purchases",
        "revenue",
        "historical",
        "historical_recent",
        "current",
        "before",
        "recent",
        "change",
    ]
    new[numbers] = 0.0
    both = pd.concat([customers, new]) if len(customers) else new
    return both.sort_values("customer").reset_index(drop=True)


def _lifetime(
    customers: pd.DataFrame, purchases: Purchases | None, contracts: Contractual | None
) -> tuple[pd.DataFrame, Valued, list[Lint]]:
    """The frame with present and lifetime value and what the models say; the values as sums with their errors.

    Lifetime value is that of purchases plus that of contracts. Where no model of purchases could be estimated it is the
    value along the chain instead.
    """
    names = pd.Index(customers["customer"])
    size = len(names)
    value, present, gradient, covariance = (
        np.zeros(size),
        np.zeros(size),
        np.zeros((size, 0)),
        np.zeros((0, 0)),
    )
    figures = dict.fromkeys(
        ("frequency", "recency", "age", "probability_alive", "probability_alive_before",
         "expected_purchases", "expected_spend"), np.full(size, np.nan),
    )  # fmt: skip
    doubts: list[Lint] = []
    chained = customers["migration"].to_numpy(dtype=float)
    if purchases is not None:
        where = names.get_indexer(pd.Index(purchases.histories.customer))
        histories = purchases.histories
        for name, numbers in zip(
            figures,
            (histories.frequency, histories.recency, histories.age, purchases.alive, purchases.alive_before,
             purchases.next_period, purchases.spend),
            strict=True,
        ):  # fmt: skip
            figures[name] = _spread(numbers, where, size, np.nan)
        if purchases.valued is None:
            value = chained
            doubts.append(_fallback(bool(np.isnan(value).all())))
        else:
            value = _spread(purchases.valued.value, where, size, 0.0)
            gradient = np.zeros((size, purchases.valued.gradient.shape[1]))
            gradient[where] = purchases.valued.gradient
            covariance = purchases.valued.covariance
    if contracts is not None:
        where = names.get_indexer(pd.Index(contracts.customer))
        present = _spread(contracts.present, where, size, 0.0)
        value = value + _spread(contracts.lifetime.value, where, size, 0.0)
        more = np.zeros((size, contracts.lifetime.gradient.shape[1]))
        more[where] = contracts.lifetime.gradient
        gradient, covariance = np.hstack([gradient, more]), _blocks(covariance, contracts.lifetime.covariance)
    valued = Valued(value, gradient, covariance)
    if purchases is None or purchases.valued is not None:
        low, high = interval(value, valued.error())
    else:  # the chain's own interval, and what contracts add to it
        sure = value - chained
        low, high = interval(sure, valued.error())
        low, high = low + customers["migration_low"].to_numpy(), high + customers["migration_high"].to_numpy()
        valued = Valued(value, gradient, np.full_like(covariance, np.nan))
    frame = customers.assign(**figures, present=present, lifetime=value, lifetime_low=low, lifetime_high=high)
    return frame, valued, doubts


def _spread(numbers: Numbers, where: NDArray[np.intp], size: int, rest: float) -> Numbers:
    whole = np.full(size, rest)
    whole[where] = numbers
    return whole


def _blocks(first: Numbers, second: Numbers) -> Numbers:
    size = len(first)
    both = np.zeros((size + len(second), size + len(second)))
    both[:size, :size], both[size:, size:] = first, second
    return both


def _fallback(nothing: bool) -> Lint:
    what = (
        "lifetime values are blank"
        if nothing
        else "lifetime values are those of the chain of segments instead"
    )
    return Lint("no-lifetime-model", SALES, "", f"no model of purchases and spend was estimated: {what}")


def _unfitted(model: ModelEstimate) -> Lint:
    message = f"{model.name} was not estimated: {model.message}; renewals count for nothing"
    return Lint("not-converged", CONTRACTS, "end", message)


def _chain_lint(estimates: Estimates | None) -> list[Lint]:
    """States that were seen so seldom that their rates and margins are hardly known."""
    if estimates is None or estimates.chain is None:
        return []
    return [
        Lint(
            "few-moves",
            "migration",
            "rate",
            f"moves counted from '{state.name}': {observed}; rates are rough",
        )
        for state, observed in zip(estimates.chain.states, estimates.chain.observed, strict=True)
        if observed < FEW_MOVES
    ]
