"""What the models of purchases tell of each customer at the close of a period, for rules of segments.

In: `Tables` and periods of profit, the reporting one first. Out: a frame by customer for each. The models are fitted
once, to the days up to the end of the reporting period, so that both periods are judged by the same rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cpm_opt.costing.customer_profit import PeriodProfit
from cpm_opt.costing.profitability import SALES, profitability
from cpm_opt.estimates.ledger_inputs import is_bank, value_rules
from cpm_opt.estimates.settings import read_rules, rule_fault
from cpm_opt.estimates.value import gamma_gamma
from cpm_opt.estimates.value.cost_of_service import per_period
from cpm_opt.estimates.value.histories import WEEKS, build_histories
from cpm_opt.estimates.value.lifetime import MODELS, counted_periods, lifetime_value
from cpm_opt.estimates.value.past import margin_rate, past_profit
from cpm_opt.faults import InputError
from cpm_opt.tables import Tables


def value_figures(tables: Tables, periods: Sequence[PeriodProfit]) -> tuple[pd.DataFrame, ...]:
    """For each period a frame (index customer) with the columns of `figures.OF_VALUE`; lifetime as in `Values`.

    Raises InputError where there are no purchases to model, or the models were not estimated.
    """
    rules, faults = read_rules(tables.info.estimates)
    if rules is None:
        raise InputError(faults)
    if not tables.has(SALES) or is_bank(tables):
        raise _unknown("needs table sales, and no accounts")
    value, period = value_rules(rules), tables.info.period
    weeks, transactions = WEEKS[period], profitability(tables).transactions
    whole = build_histories(transactions, periods[0].period.last)
    chosen = MODELS[value.purchases]
    buying, spending = chosen.fit(whole), gamma_gamma.fit(whole)
    for model in (buying, spending):
        if not model.converged:
            raise _unknown(f"needs {model.name}, which was not estimated: {model.message}")
    terms = (value.discount_rate, counted_periods(value.discount_rate, value.periods), weeks)
    frames = []
    for found in periods:
        histories = build_histories(transactions, found.period.last)
        past = past_profit(transactions, found.period.last, period, value.half_life)
        rate = np.asarray(margin_rate(past).reindex(histories.customer), dtype=np.float64)
        service = None
        if value.margin == "contribution":
            own = per_period(found, past["first"], period)
            service = np.asarray(own.reindex(histories.customer).fillna(0.0), dtype=np.float64)
        history = (histories.frequency, histories.recency, histories.age)
        frames.append(
            pd.DataFrame(
                {
                    "frequency": histories.frequency,
                    "recency": histories.recency,
                    "age": histories.age,
                    "probability_alive": chosen.probability_alive(buying.values, *history),
                    "expected_purchases": chosen.expected_purchases(buying.values, weeks, *history),
                    "expected_spend": gamma_gamma.expected_spend(
                        spending.values, histories.frequency, histories.spend
                    ),
                    "lifetime": lifetime_value(buying, spending, histories, rate, *terms, service).value,
                },
                index=pd.Index(histories.customer),
            )
        )
    return tuple(frames)


def _unknown(message: str) -> InputError:
    remedy = "use columns of table customers or figures of profit"
    return InputError([rule_fault("segments.rules", f"a rule by what customers are worth {message}", remedy)])
