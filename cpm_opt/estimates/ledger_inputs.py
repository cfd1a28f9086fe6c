"""What the models of customers are told: rules, transactions with their profit, and the ledger's last day.

In: `Tables`, and `Estimates` where they are there already. Out: `LedgerInputs`.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from cpm_opt.costing.profitability import SALES, Profitability, profitability
from cpm_opt.costing.settings import read_profit_rules
from cpm_opt.estimates.estimate import Estimates
from cpm_opt.estimates.settings import EstimateRules, ValueRules, missing_rules, read_rules, rule_fault
from cpm_opt.estimates.value.contracts import CONTRACTS
from cpm_opt.faults import Fault, InputError
from cpm_opt.tables import Tables

ACCOUNTS, BALANCES = "accounts", "balances"


class LedgerInputs(NamedTuple):
    """`rules` of `[estimates]`, `profit` of transactions (None without sales) and the last day `end`."""

    rules: EstimateRules
    profit: Profitability | None
    end: pd.Timestamp


def read_inputs(tables: Tables, estimates: Estimates | None = None) -> LedgerInputs:
    """The inputs of an instance with raw tables sales, contracts or a bank's accounts; a bank's sales are its
    fees, and no purchases to be modelled. Raises InputError with what is wrong."""
    rules, faults = read_rules(tables.info.estimates)
    if rules is None:
        raise InputError(faults)
    sales, contracts = tables.has(SALES), tables.frames.get(CONTRACTS)
    bank = is_bank(tables)
    if not sales and contracts is None and not bank:
        raise InputError([Fault(SALES, "is missing", "add sales.csv or contracts.csv", code="missing")])
    profit = _profit(tables, estimates) if sales and not bank else None
    days = [profit.transactions["date"]] if profit is not None else []
    days += [contracts["start"]] if contracts is not None else []
    last_reported = read_profit_rules(tables.info.estimates)[0].last_day
    if bank:  # its periods are those of the statement, and a balance may be of the day after
        stated = [] if last_reported is None else [pd.Series([pd.Timestamp(last_reported)])]
        dated = tables.frames.get(BALANCES)
        days += stated or ([] if dated is None else [dated["date"]])
    if estimates is not None and estimates.statement is not None:
        days.append(pd.Series([estimates.statement.reporting.period.last]))  # the day of the segments
    last = max(column.max() for column in days)
    end = last if rules.ledger_end is None else pd.Timestamp(rules.ledger_end)
    begun = min(column.min() for column in days)
    if end < begun:
        message = f"is before the ledger: it begins on {begun:%Y-%m-%d}"
        remedy = "write the last day that the ledger covers"
        raise InputError([rule_fault("ledger_end", message, remedy, f"{end:%Y-%m-%d}")])
    if rules.calibration_end is not None and profit is not None:
        _check_calibration(pd.Timestamp(rules.calibration_end), profit, end)
    return LedgerInputs(rules, profit, end)


def is_bank(tables: Tables) -> bool:
    """Whether customers have accounts with balances: what they earn is interest, and no purchases."""
    return tables.has(ACCOUNTS) and tables.has(BALANCES)


def value_rules(rules: EstimateRules) -> ValueRules:
    """The rules of `[estimates.value]`. Raises InputError where they are missing, or leave a value without limit."""
    if rules.value is None:
        raise InputError(missing_rules(rules, ("value",)))
    if rules.value.periods is None and rules.value.discount_rate == 0.0:
        message = "leaves an endless value without limit"
        remedy = "write a rate above 0, or value.periods"
        raise InputError([rule_fault("value.discount_rate", message, remedy, 0)])
    return rules.value


def _profit(tables: Tables, estimates: Estimates | None) -> Profitability:
    if estimates is not None and estimates.profitability is not None:
        return estimates.profitability
    return profitability(tables)


def _check_calibration(day: pd.Timestamp, profit: Profitability, end: pd.Timestamp) -> None:
    first = profit.transactions["date"].min()
    if not first <= day < end:
        message = f"is not inside the ledger, which goes from {first:%Y-%m-%d} to {end:%Y-%m-%d}"
        remedy = "write a day that leaves purchases before it and after it"
        raise InputError([rule_fault("calibration_end", message, remedy, f"{day:%Y-%m-%d}")])
