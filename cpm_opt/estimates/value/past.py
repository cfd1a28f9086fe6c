"""What customers have earned so far: the historical and the current value.

In: transactions or a statement of profit, the ledger's last day, the rules of states. Out: frames by customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from cpm_opt.estimates.response.service import base_service_cost
from cpm_opt.estimates.segments.figures import closed_by
from cpm_opt.estimates.segments.states import NOT_YET, build_panel, last_whole_period, period_of
from cpm_opt.estimates.settings import StateRules
from cpm_opt.estimates.value.cost_of_service import ServiceCost, plan_periods
from cpm_opt.estimates.value.histories import WEEKS

if TYPE_CHECKING:
    from cpm_opt.costing import ProfitStatement
    from cpm_opt.estimates.estimate import Estimates
    from cpm_opt.tables import Tables

EVERYBODY = "all"
NEW = "new"
LEFT = "left"
WINDOW = 4
MONEY = ("purchases", "revenue", "historical", "historical_recent", "current", "before", "recent", "change")


class Placed(NamedTuple):
    """The segment of each customer (`segment`, index customer), and of each segment its kind and base service cost."""

    segment: pd.Series[str]
    kind: Mapping[str, str]
    service: Mapping[str, float]


def past_profit(
    transactions: pd.DataFrame, end: pd.Timestamp, period: str, half_life: float, window: int = WINDOW
) -> pd.DataFrame:
    """One row a customer (index) of the transactions up to day `end`, money of profit before the cost to serve:

    first, last (days), purchases (days that were no refund), revenue, historical (all profit), historical_recent (each
    profit weighted by half to the power of its age over `half_life` periods), current (of the last whole period),
    before (of the one before that), recent (of the last `window` whole periods).
    """
    until = transactions[transactions["date"] <= end]
    age = (end - until["date"]).dt.days / (WEEKS[period] * 7.0)
    back = last_whole_period(end, period) - period_of(until["date"], period)
    profit = until["profit"]
    parts = pd.DataFrame(
        {
            "customer": until["customer"],
            "date": until["date"],
            "purchases": (until["revenue"] >= 0.0).astype(np.int64),
            "revenue": until["revenue"],
            "historical": profit,
            "historical_recent": profit * 0.5 ** (age / half_life),
            "current": profit.where(back == 0, 0.0),
            "before": profit.where(back == 1, 0.0),
            "recent": profit.where((back >= 0) & (back < window), 0.0),
        }
    )
    grouped = parts.groupby("customer", sort=True)
    sums = grouped[[name for name in parts.columns if name not in ("customer", "date")]].sum()
    sums.insert(0, "first", grouped["date"].min())
    sums.insert(1, "last", grouped["date"].max())
    return sums


def known_past(
    past: pd.DataFrame,
    placed: Placed,
    service: ServiceCost | None,
    cost_to_serve: pd.Series[float] | None = None,
) -> pd.DataFrame:
    """The frame of `past_profit` with segments, and net of cost to serve where that is known; change is before it.

    Where it is not known, current is net of base service instead. `cost_to_serve` is that of a period by customer where
    the past is net of it already.
    """
    found = past.assign(change=past["current"] - past["before"])
    segment = placed.segment.reindex(past.index)
    if cost_to_serve is not None:
        found["cost_to_serve"] = cost_to_serve.reindex(past.index)
    elif service is None:
        found["cost_to_serve"] = np.nan
        found["current"] -= segment.map(placed.service).to_numpy(dtype=float)
    else:
        found["cost_to_serve"] = service.of(past.index.to_numpy(dtype=object))
        found["current"] -= found["cost_to_serve"]
        found["historical"] -= service.known.reindex(past.index).fillna(0.0)
        found["historical_recent"] -= service.recent.reindex(past.index).fillna(0.0)
    found.insert(0, "customer", past.index.to_numpy())
    found.insert(1, "segment", segment.to_numpy())
    found.insert(2, "kind", segment.map(placed.kind).to_numpy())
    return found.reset_index(drop=True)


def past_of_statement(
    statement: ProfitStatement, layer: str, end: pd.Timestamp, period: str, half_life: float
) -> pd.DataFrame:
    """The same frame as `past_profit`, from the reporting and the prior period of a statement, for a bank.

    Money of `layer` (contribution or gross_profit): historical is that of both periods, current and before those of
    each per period of the plan, recent that of the reporting period. Purchases are lines of sales, such as fees; their
    days are not known.
    """
    now, before = statement.reporting, statement.prior
    names = now.customers.index if before is None else now.customers.index.union(before.customers.index)
    frame = pd.DataFrame({"first": pd.NaT, "last": pd.NaT}, index=names).astype("datetime64[ns]")
    for name in ("purchases", *MONEY[1:-1]):
        frame[name] = 0.0
    for number, found in enumerate([now] if before is None else [now, before]):
        own = found.customers.reindex(names)
        money = own[layer].fillna(0.0)
        middle = found.period.first + (found.period.last - found.period.first) / 2
        age = max(0.0, (end - middle) / pd.Timedelta(days=1)) / (WEEKS[period] * 7.0)
        frame["purchases"] += own["lines"].fillna(0.0)
        frame["revenue"] += own["revenue"].fillna(0.0)
        frame["historical"] += money
        frame["historical_recent"] += money * 0.5 ** (age / half_life)
        frame["before" if number else "current"] = money / plan_periods(found, period)
        if not number:
            frame["recent"] = money
    return frame


def nobody() -> pd.DataFrame:
    """The customers' frame without rows."""
    frame = pd.DataFrame({name: pd.Series(dtype=object) for name in ("customer", "segment", "kind")})
    for name in ("first", "last"):
        frame[name] = pd.Series(dtype="datetime64[ns]")
    for name in (*MONEY, "cost_to_serve"):
        frame[name] = pd.Series(dtype="float64")
    return frame


def with_strangers(customers: pd.DataFrame, names: set[str]) -> pd.DataFrame:
    """The frame with customers added who are in no ledger of sales, such as those who only have a contract."""
    added = sorted(names - set(customers["customer"]))
    if not added:
        return customers
    new = nobody().reindex(range(len(added)))
    new["customer"], new["segment"], new["kind"] = added, EVERYBODY, "active"
    new[list(MONEY)] = 0.0
    both = pd.concat([customers, new]) if len(customers) else new
    return both.sort_values("customer").reset_index(drop=True)


def margin_rate(past: pd.DataFrame) -> pd.Series[float]:
    """Profit over revenue of each customer (index); of all together where a customer has paid nothing on balance."""
    paid = past["revenue"] > 0
    total = float(past["revenue"].sum())
    every = float(past["historical"].sum()) / total if total > 0 else 0.0
    return (past["historical"] / past["revenue"].where(paid)).fillna(every)


def place_by_members(
    tables: Tables, estimates: Estimates, names: pd.Index[str], end: pd.Timestamp
) -> Placed | None:
    """The segments of `[estimates.segments]`; else those that table customers states; None without either.

    Who is in none of the former is `left` where table customers says so, and `new` else.
    """
    stated = tables.frames.get("customers")
    if estimates.members is not None:
        segment = pd.Series(estimates.members, dtype=object).reindex(names)
        gone = closed_by(tables, names, end)
        segment = segment.fillna(pd.Series(np.where(gone, LEFT, NEW), index=names, dtype=object))
    elif stated is not None and (stated["segment"] != "").any():
        segment = stated.set_index("customer")["segment"].reindex(names).fillna("").replace("", EVERYBODY)
    else:
        return None
    planned = estimates.frames.get("segments")
    known = {} if planned is None else dict(zip(planned["segment"], planned["kind"], strict=True))
    kinds = {name: known.get(name, "lost" if name == LEFT else "active") for name in sorted(set(segment))}
    cost = base_service_cost(tables.frames, list(kinds), list(kinds.values()))
    return Placed(segment, kinds, dict(zip(kinds, cost, strict=True)))


def place(
    transactions: pd.DataFrame,
    rules: StateRules | None,
    period: str,
    end: pd.Timestamp,
    frames: Mapping[str, pd.DataFrame],
) -> Placed:
    """The state of each customer at the end of the last whole period, as in the planning tables.

    Who first bought after that is in segment `new`. Without rules of states all are in one segment `all`.
    """
    names = pd.Index(sorted(transactions.loc[transactions["date"] <= end, "customer"].unique()))
    if rules is None:
        kinds = {EVERYBODY: "active"}
        segment = pd.Series(EVERYBODY, index=names, dtype=object)
    else:
        last = last_whole_period(end, period)
        panel = build_panel(transactions, rules, period, last)
        seen = sorted(transactions.loc[period_of(transactions["date"], period) <= last, "customer"].unique())
        labels = np.array([*(state.name for state in panel.states), NEW], dtype=object)
        state = panel.state[:, -1]
        at_end = labels[np.where(state == NOT_YET, len(labels) - 1, state)]
        segment = pd.Series(at_end, index=pd.Index(seen)).reindex(names).fillna(NEW)
        kinds = {**{state.name: state.kind for state in panel.states}, NEW: "active"}
    cost = base_service_cost(frames, list(kinds), list(kinds.values()))
    return Placed(segment, kinds, dict(zip(kinds, cost, strict=True)))
