"""What each customer is worth, in four ways side by side: in come `Tables`, out go `Values`.

Computed on request only: a plan needs the segments' figures, not these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cpm_opt.costing.profitability import Profitability
from cpm_opt.estimates.estimate import Estimates
from cpm_opt.estimates.ledger_inputs import is_bank, read_inputs, value_rules
from cpm_opt.estimates.segments.chain import stated_chain
from cpm_opt.estimates.segments.figures import closed_by
from cpm_opt.estimates.settings import EstimateRules, ValueRules, read_rules, rule_fault
from cpm_opt.estimates.value import lists
from cpm_opt.estimates.value.combined import Chained, chained, with_chain, with_lifetime
from cpm_opt.estimates.value.contracts import CONTRACTS, Contractual, value_contracts
from cpm_opt.estimates.value.cost_of_service import ServiceCost, cost_of_service, plan_periods
from cpm_opt.estimates.value.equity import equity, shares
from cpm_opt.estimates.value.holdout import Holdout
from cpm_opt.estimates.value.lifetime import counted_periods
from cpm_opt.estimates.value.model_estimate import Lint, ModelEstimate
from cpm_opt.estimates.value.past import (
    EVERYBODY,
    WINDOW,
    Placed,
    known_past,
    margin_rate,
    nobody,
    past_of_statement,
    past_profit,
    place,
    place_by_members,
    with_strangers,
)
from cpm_opt.estimates.value.purchases import value_purchases
from cpm_opt.faults import InputError
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    from cpm_opt.costing import ProfitStatement

GROSS_PROFIT = "gross_profit"
FEW_MOVES = 30


@dataclass(frozen=True)
class Values:
    """The values at the close of day `end`; money in the tables' own unit.

    `margin` is the layer of profit in which customers are valued, contribution (after cost to serve) or gross_profit;
    `notes` say how it was taken. `customers`, a row each: customer, segment, kind, [tier], first, last, purchases,
    revenue; frequency, recency, age (weeks); probability_alive and probability_alive_before (a period ago),
    expected_purchases (of the next period), expected_spend; cost_to_serve (of a period, nan where no ledger tells); the
    four kinds: historical (and historical_recent), current (of the last whole period; before and change are before cost
    to serve, a bank's after it), present (running contracts), lifetime (with lifetime_low and lifetime_high, 95 %);
    migration, the value along the chain of segments, with its interval; recent, gross profit of the last periods.
    `segments` (and `tiers`): customers, their share, sums of the kinds, mean probability_alive, equity = sum of
    lifetime values with its interval and its share of all. `equity`: value, low, high. `ranks`: Spearman's
    correlations of the kinds. The lists `most_valuable`, `at_risk`, `ready_for_more`, `inactive` and `reversals` have
    money_at_stake, and all but the first a reason. `models` are those of the calibration, tried in `holdout`;
    `value_models` those behind the values, fitted to the whole ledger.
    """

    end: pd.Timestamp
    margin: str
    notes: tuple[str, ...]
    customers: pd.DataFrame
    segments: pd.DataFrame
    tiers: pd.DataFrame | None
    equity: Mapping[str, float]
    ranks: pd.DataFrame
    most_valuable: pd.DataFrame
    at_risk: pd.DataFrame
    ready_for_more: pd.DataFrame
    inactive: pd.DataFrame
    reversals: pd.DataFrame
    models: tuple[ModelEstimate, ...]
    value_models: tuple[ModelEstimate, ...]
    holdout: Holdout | None
    lint: tuple[Lint, ...]


def customer_values(
    tables: Tables, estimates: Estimates | None = None, statement: ProfitStatement | None = None
) -> Values:
    """The values of every customer in the raw tables sales, contracts and accounts (some may be missing).

    `estimates` saves work where they are there already, and adds the value along their chain; `statement`, that of
    `cpm profit`, adds the table of tiers, takes the cost to serve off, and is where a bank's past comes from. Raises
    InputError with every fault of the rules or the ledger.
    """
    rules, profit, end = read_inputs(tables, estimates)
    value = value_rules(rules)
    period = tables.info.period
    known = Estimates(tables.frames) if estimates is None else estimates
    past = _past(tables, known, statement, profit, end)
    customers, purchases = past.customers, None
    lint: list[Lint] = []
    if past.margin_rate is not None and profit is not None:
        purchases = value_purchases(
            profit.transactions, past.margin_rate, rules, value, period, end, past.service
        )
        lint += purchases.lint
    chain = _chain(known, past, value)
    lint += _chain_lint(known)
    contracts = _contracts(tables, value, end)
    if contracts is not None:
        customers = with_strangers(customers, set(contracts.customer))
        lint += [] if contracts.model.converged else [_unfitted(contracts.model)]
    customers, valued, doubts = with_lifetime(
        with_chain(customers, chain),
        purchases,
        contracts,
        chain,
        closed_by(tables, customers["customer"], end),
    )
    tiers = None if statement is None else statement.figures["tier"]
    if tiers is not None:
        customers.insert(3, "tier", customers["customer"].map(tiers).fillna("").astype(object))
    models = () if purchases is None else purchases.models
    refitted = () if purchases is None else purchases.value_models
    of_contracts = () if contracts is None else (contracts.retention, contracts.model)
    acted = customers if past.margin_rate is None else customers[customers["purchases"] > 0]
    return Values(
        end=end,
        margin=past.margin,
        notes=past.notes,
        customers=customers,
        segments=shares(customers, valued, "segment"),
        tiers=None if tiers is None else shares(customers, valued, "tier"),
        equity=equity(customers["lifetime"], valued, np.ones(len(customers), dtype=bool)),
        ranks=lists.rank_table(customers),
        most_valuable=lists.most_valuable(customers),
        at_risk=lists.at_risk(customers, value, period, chain.leaving),
        ready_for_more=lists.ready_for_more(customers, value, period, past.window),
        inactive=lists.inactive(acted, value),
        reversals=lists.reversals(customers, value),
        models=(*models, *of_contracts),
        value_models=(*refitted, *of_contracts),
        holdout=None if purchases is None else purchases.holdout,
        lint=(*lint, *doubts),
    )


def _chain(estimates: Estimates, past: _Past, value: ValueRules) -> Chained:
    """The values along the chain: the counted one, else that of stated tables of the customers' own segments."""
    chain, frames = estimates.chain, estimates.frames
    stated = chain is None and "segments" in frames and "migration" in frames
    if stated and set(past.customers["segment"]) <= set(frames["segments"]["segment"]):
        chain = stated_chain(frames["segments"], frames["migration"])
    try:
        return chained(chain, past.base_service, value)
    except ValueError as error:
        remedy = "write a rate above 0, or value.periods"
        raise InputError(
            [rule_fault("value.discount_rate", str(error), remedy, value.discount_rate)]
        ) from None


def _contracts(tables: Tables, value: ValueRules, end: pd.Timestamp) -> Contractual | None:
    """The contracts, valued; None without that table."""
    if CONTRACTS not in tables.frames:
        return None
    periods = counted_periods(value.discount_rate, value.periods)
    return value_contracts(tables.frames[CONTRACTS], end, tables.info.period, value.discount_rate, periods)


@dataclass(frozen=True)
class _Past:
    """The past of every customer: `customers`, of whose money `margin` says which layer it is and `notes` how it was
    taken; `margin_rate` by customer where purchases are to be modelled, None for a bank; `window` in periods."""

    customers: pd.DataFrame
    margin: str
    notes: tuple[str, ...]
    margin_rate: pd.Series[float] | None
    service: ServiceCost | None
    base_service: Mapping[str, float]
    window: int


def _past(
    tables: Tables,
    estimates: Estimates,
    statement: ProfitStatement | None,
    profit: Profitability | None,
    end: pd.Timestamp,
) -> _Past:
    """What customers have earned so far, of a bank from its statement, else from sales; nobody without both."""
    rules, period = read_rules(tables.info.estimates)[0], tables.info.period
    assert rules is not None
    assert rules.value is not None
    value = rules.value
    window = WINDOW if rules.states is None else rules.states.frequency_periods
    if statement is not None and is_bank(tables):
        return _past_of_bank(tables, estimates, statement, rules, value, end)
    if profit is None:
        return _Past(nobody(), GROSS_PROFIT, (), None, None, {}, window)
    past = past_profit(profit.transactions, end, period, value.half_life, window)
    placed = place_by_members(tables, estimates, past.index, end) if rules.states is None else None
    if estimates.members is not None:
        placed = place_by_members(tables, estimates, past.index, end)
    if placed is None:
        placed = place(profit.transactions, rules.states, period, end, tables.frames)
    service = None
    if statement is not None and value.margin != GROSS_PROFIT:
        service = cost_of_service(statement, past["first"], end, period, value.half_life)
    margin = GROSS_PROFIT if service is None else value.margin
    counted = f"historical value is that of {_counted(profit, end)}"
    gross = f"values are gross profit, before the cost to serve{_asked(value)}"
    if any(placed.service.values()):
        gross += "; only current and those by migration are net of base service (tables usage and resources)"
    notes: tuple[str, ...] = (gross, counted)
    if service is not None:
        notes = (
            f"values are contribution: the cost to serve of {service.days} is taken off what customers earned, and "
            f"that of a {period} off what they will, for as long as they are expected to stay",
            counted,
        )
    customers = known_past(past, placed, service)
    cost = _of_segments(customers, placed, rules, estimates)
    return _Past(customers, margin, notes, margin_rate(past), service, cost, window)


def _past_of_bank(
    tables: Tables,
    estimates: Estimates,
    statement: ProfitStatement,
    rules: EstimateRules,
    value: ValueRules,
    end: pd.Timestamp,
) -> _Past:
    period, now = tables.info.period, statement.reporting
    past = past_of_statement(statement, value.margin, end, period, value.half_life)
    placed = place_by_members(tables, estimates, past.index, end)
    if placed is None:
        everybody = pd.Series(EVERYBODY, index=past.index, dtype=object)
        placed = Placed(everybody, {EVERYBODY: "active"}, {EVERYBODY: 0.0})
    spans = plan_periods(now, period)
    cost = now.customers["cost_to_serve"] / spans
    first = now.period.first if statement.prior is None else statement.prior.period.first
    notes = (
        f"values are {value.margin.replace('_', ' ')} of {first:%Y-%m-%d} to {now.period.last:%Y-%m-%d}, interest "
        "with it; a bank's lifetime values are those along the chain of segments",
    )
    customers = known_past(past, placed, None, cost if value.margin != GROSS_PROFIT else cost * np.nan)
    return _Past(
        customers,
        value.margin,
        notes,
        None,
        None,
        _of_segments(customers, placed, rules, estimates),
        max(1, round(spans)),
    )


def _of_segments(
    customers: pd.DataFrame, placed: Placed, rules: EstimateRules, estimates: Estimates
) -> Mapping[str, float]:
    """What a customer of each segment costs in a period and its margin does not hold yet: the mean cost to serve where
    ledgers tell it and margins were estimated gross, else base service."""
    if estimates.chain is None or customers["cost_to_serve"].isna().all():
        return placed.service
    if rules.segments is not None and rules.segments.margin != GROSS_PROFIT:
        return dict.fromkeys(placed.service, 0.0)
    means = customers.groupby("segment")["cost_to_serve"].mean()
    return {name: float(means.get(name, 0.0)) for name in placed.service}


def _counted(profit: Profitability, end: pd.Timestamp) -> str:
    """Which transactions make the past, for whoever traces a figure."""
    days = profit.transactions["date"]
    until = int((days <= end).sum())
    return (
        f"{until:,} of {len(days):,} transactions (customer and day) of table sales, {days.min():%Y-%m-%d} to "
        f"{min(days.max(), end):%Y-%m-%d}"
    )


def _asked(value: ValueRules) -> str:
    return "" if value.margin == GROSS_PROFIT else ", of which no ledger tells"


def _unfitted(model: ModelEstimate) -> Lint:
    message = f"{model.name} was not estimated: {model.message}; renewals count for nothing"
    return Lint("not-converged", CONTRACTS, "end", message)


def _chain_lint(estimates: Estimates) -> list[Lint]:
    """States that were seen so seldom that their rates and margins are hardly known."""
    if estimates.chain is None:
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
