"""What is known of each customer at the close of a period, column by column, for rules of segments.

In: the customers' table, a period's profit and loss, and where a rule asks for them the models of purchases. Out: one
frame by customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cpm_opt.costing.customer_profit import MONEY, PeriodProfit
from cpm_opt.costing.settings import read_profit_rules
from cpm_opt.costing.tiers import assign_tiers
from cpm_opt.estimates.segments.segment_settings import SegmentRules
from cpm_opt.faults import Fault, InputError
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORDERS = "orders"
OF_PROFIT = (
    *MONEY, "return_on_sales", "days", ORDERS, "quantity", "deposits", "minimum_deposits", "loans", "active",
    "segment", "group",
)  # fmt: skip
OF_VALUE = (
    "frequency", "recency", "age", "probability_alive", "expected_purchases", "expected_spend", "lifetime",
)  # fmt: skip
TIER = "tier"
CUSTOMERS = "customers"


def figures_of(
    tables: Tables, found: PeriodProfit, values: pd.DataFrame | None = None, orders: bool = False
) -> pd.DataFrame:
    """One row (index customer) for each customer who is still one after the period's last day.

    Columns: the layers of the period's profit and loss and its further figures (`OF_PROFIT`), `tier` by the rules of
    `cpm profit`, the columns of table customers, and those of `values` (index customer; `OF_VALUE`). Names of their own
    in table customers may not be those of a figure: that is raised as InputError. How many `orders` each customer had
    is asked of the ledger only where it is wanted.
    """
    profit = found.customers
    frame = profit[[name for name in OF_PROFIT if name in profit.columns]].copy()
    frame[TIER] = assign_tiers(
        profit["profit"], profit["active"], read_profit_rules(tables.info.estimates)[0].tiers
    )
    if orders:
        frame[ORDERS] = found.sales.orders(found.period).reindex(frame.index).fillna(0)
    stated = tables.frames.get(CUSTOMERS)
    if stated is not None:
        own = [name for name in stated.columns if name not in ("customer", "line", "segment", "group")]
        twice = [name for name in own if name in (*frame.columns, ORDERS, *OF_VALUE)]
        if twice:
            raise InputError([_twice(name) for name in twice])
        rows = stated.set_index("customer").reindex(frame.index)
        for name in own:
            cells = rows[name]
            frame[name] = cells.fillna("") if cells.dtype == object else cells
        frame = frame[~(rows["closed"] <= found.period.last).to_numpy()]
    if values is not None:
        frame = frame.join(values)
    return frame


def closed_by(tables: Tables, customers: Iterable[str], day: pd.Timestamp) -> NDArray[np.bool_]:
    """Which of these customers have stopped being one by the end of a day, as table customers tells."""
    names = pd.Index(customers)
    stated = tables.frames.get(CUSTOMERS)
    if stated is None:
        return np.zeros(len(names), dtype=bool)
    closed = stated.set_index("customer")["closed"].reindex(names)
    return np.asarray(closed <= day, dtype=bool)


def asks_for_values(rules: SegmentRules) -> bool:
    """Whether a rule speaks of a figure that only the models of purchases tell."""
    return not set(OF_VALUE).isdisjoint(rules.columns)


def measures_of(found: PeriodProfit, measures: Mapping[str, object]) -> list[str]:
    """Measures of the instance that are numbers of a customer's profit and loss under the same name."""
    numbers = set(OF_PROFIT) - {"active", "segment", "group", "return_on_sales"}
    return [name for name in measures if name in numbers and name in found.customers.columns]


def _twice(name: str) -> Fault:
    message = "has the name of a figure that is computed, so a rule of segments could mean either"
    return Fault(CUSTOMERS, message, "rename the column", row=1, column=name, code="unknown_column")
