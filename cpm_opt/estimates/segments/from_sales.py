"""Segments and their migration from purchases: in come `Tables` with raw table `sales`, out go `Estimates`.

Each customer is in one state, by recency and frequency, at the end of each period. The moves between states are
counted over the whole panel, the margin is that of the period after, and the end value is the chain's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cpm_opt.costing.profitability import SALES, Profitability, product_cost_faults, profitability
from cpm_opt.estimates.estimate import Estimates
from cpm_opt.estimates.response.service import base_service_cost
from cpm_opt.estimates.segments.chain import Chain, count_chain
from cpm_opt.estimates.segments.states import StatePanel, build_panel, last_whole_period, period_of
from cpm_opt.estimates.settings import (
    EstimateRules,
    StateRules,
    ValueRules,
    missing_rules,
    read_rules,
    rule_fault,
)
from cpm_opt.estimates.value.markov import chain_value
from cpm_opt.faults import Fault, InputError
from cpm_opt.tables import Tables, check_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_PANEL = 1200


def estimate_from_sales(tables: Tables) -> Estimates:
    """`Estimates` whose frames are `segments` and `migration` alone. Raises InputError with every fault found."""
    states, value, rules = _rules(tables)
    profit = profitability(tables)
    panel = build_panel(
        profit.transactions, states, tables.info.period, _last_period(profit, rules, tables.info.period)
    )
    chain = count_chain(panel)
    _check(panel, chain, tables.info.period)
    names = [state.name for state in chain.states]
    service = base_service_cost(tables.frames, names, [state.kind for state in chain.states])
    end_value = _end_value(chain, service, value)
    frames, faults = {}, []
    for name, frame in (("segments", _segments(chain, end_value)), ("migration", _migration(chain))):
        frames[name], found = check_frame(name, frame, tables.info)
        faults += found
    if any(not fault.warning for fault in faults):
        raise InputError(faults)
    notes = _notes(tables, profit, panel, chain, value, any(service))
    return Estimates(frames, notes, tuple(faults), profitability=profit, chain=chain)


def _rules(tables: Tables) -> tuple[StateRules, ValueRules, EstimateRules]:
    """The parts of `[estimates]` that are needed. Raises InputError with all that is wrong or missing."""
    rules, faults = read_rules(tables.info.estimates)
    if rules is None:
        raise InputError(faults)
    faults = missing_rules(rules, ("states", "value"))
    faults += tuple(product_cost_faults(tables))
    if faults or rules.states is None or rules.value is None:
        raise InputError(faults)
    return rules.states, rules.value, rules


def _last_period(profit: Profitability, rules: EstimateRules, period: str) -> int:
    """Running number of the panel's last period: the last one that is over on the ledger's last day."""
    days = profit.transactions["date"]
    end = days.max() if rules.ledger_end is None else pd.Timestamp(rules.ledger_end)
    last = last_whole_period(end, period)
    first_sale, last_sale = (int(number) for number in period_of(days, period).agg(["min", "max"]))
    if last < first_sale:
        message = (
            f"leaves no customer: sales begin on {days.min():%Y-%m-%d}, no whole {period} is over by then"
        )
        raise _end_fault(message, end)
    if last > last_sale:
        message = (
            f"is after the ledger: nobody bought in its {period}, the last sale is of {days.max():%Y-%m-%d}"
        )
        raise _end_fault(message, end)
    if last - first_sale >= LONGEST_PANEL:
        message = f"gives a panel of more than {LONGEST_PANEL} periods"
        raise InputError(
            [Fault(SALES, message, f"check the date {days.min():%Y-%m-%d}", column="date", code="estimates")]
        )
    return last


def _end_fault(message: str, end: pd.Timestamp) -> InputError:
    remedy = "write the last day that the ledger covers"
    return InputError([rule_fault("ledger_end", message, remedy, value=f"{end:%Y-%m-%d}")])


def _check(panel: StatePanel, chain: Chain, period: str) -> None:
    """Raises InputError where there is nobody, or no move, to count."""
    if len(panel.period_names) < 2:
        message = f"shows one whole {period}, and moves between states need two"
        remedy = "add sales of more periods, or check estimates.ledger_end"
        raise InputError([Fault(SALES, message, remedy, code="estimates")])
    faults = [
        rule_fault(
            "states",
            f"nobody was in state '{state.name}' before the end of the ledger, and {customers:.0f} are then: "
            "where they go cannot be counted",
            "make its bands wider, or give a longer ledger",
        )
        for state, customers, observed in zip(chain.states, chain.customers, chain.observed, strict=True)
        if observed == 0
    ]
    if faults:
        raise InputError(faults)


def _end_value(chain: Chain, service: list[float], rules: ValueRules) -> NDArray[np.float64]:
    """Value per customer after the horizon: margins less base service cost, along the chain."""
    try:
        return chain_value(chain.rates, chain.margin - np.array(service), rules.discount_rate, rules.periods)
    except ValueError as error:
        remedy = "write a rate above 0, or value.periods"
        raise InputError(
            [rule_fault("value.discount_rate", str(error), remedy, rules.discount_rate)]
        ) from None


def _segments(chain: Chain, end_value: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "segment": [state.name for state in chain.states],
            "customers": chain.customers,
            "margin": chain.margin,
            "kind": [state.kind for state in chain.states],
            "end_value": end_value,
            "revenue": chain.revenue,
            "recency": [state.recency for state in chain.states],
            "frequency": [state.frequency for state in chain.states],
        }
    )


def _migration(chain: Chain) -> pd.DataFrame:
    """One row for each move that was seen."""
    names = np.array([state.name for state in chain.states], dtype=object)
    source, target = np.nonzero(chain.counts)
    return pd.DataFrame(
        {
            "from": names[source],
            "to": names[target],
            "rate": chain.rates[source, target],
            "se": chain.rate_se[source, target],
        }
    )


def _notes(
    tables: Tables, profit: Profitability, panel: StatePanel, chain: Chain, value: ValueRules, serviced: bool
) -> tuple[str, ...]:
    span = "endless" if value.periods is None else f"{value.periods} {tables.info.period}s"
    net = (
        "net of base service at the unit costs of the stated resources"
        if serviced
        else "no base service cost is stated"
    )
    return (
        f"sales: {tables.count(SALES)} lines are {len(profit.transactions)} transactions (customer and day) of "
        f"{profit.customers} customers; revenue {profit.revenue:.2f}, gross profit {profit.profit:.2f} "
        f"at a gross margin of {profit.gross_margin:g}",
        f"panel: {panel.state.shape[0]} customers at the ends of {panel.period_names[0]} to {panel.period_names[-1]}, "
        f"{chain.observed.sum()} moves counted between {len(chain.states)} states",
        *panel.merged,
        f"end values: Markov chain, {span}, discounted at {value.discount_rate:g} per {tables.info.period}; {net}",
    )
