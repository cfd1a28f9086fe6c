"""Lists of customers to act on: at risk, ready for more, inactive, and those whose ranks turn round.

In: the customers' frame of `Values`. Out: frames with customer, segment, figures, reason and money at stake, largest
first.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cpm_opt.estimates.settings import ValueRules

SMALLEST_SEGMENT = 5
KINDS = ("historical", "historical_recent", "current", "present", "lifetime", "migration")


def most_valuable(customers: pd.DataFrame, most: int = 100) -> pd.DataFrame:
    """The customers of the highest lifetime value, with the kinds of value side by side and the ends of its interval.

    At stake: the lifetime value.
    """
    found = customers[customers["lifetime"].notna()]
    order = found.sort_values(["lifetime", "customer"], ascending=[False, True]).head(most)
    columns = ["customer", "segment", "probability_alive", *KINDS, "lifetime_low", "lifetime_high"]
    return order[columns].assign(money_at_stake=order["lifetime"]).reset_index(drop=True)


def at_risk(
    customers: pd.DataFrame, rules: ValueRules, period: str, leaving: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """High value and a falling probability of being alive.

    High: lifetime value over probability alive, what the customer is worth if they are still there, is in the highest
    `high_share`. Falling: the probability fell by `fall` or more over the last period. At stake: what they are worth if
    still there less the lifetime value, that is what knowing to have kept them would add.

    Where no model tells who is alive, `leaving` (by segment the part that leaves or is lost in a period) stands for the
    fall: those of high lifetime value in segments of which `fall` or more leave. At stake: that part of the value.
    """
    if not (customers["probability_alive"] > 0).any():
        return _leaving(customers, rules, period, leaving or {})
    alive, before = customers["probability_alive"], customers["probability_alive_before"]
    if_alive = customers["lifetime"] / alive.where(alive > 0)
    chosen = _high(if_alive, rules.high_share) & (before - alive >= rules.fall)
    found = customers[chosen]
    reasons = [
        f"alive with {now:.0%}, {then:.0%} a {period} before; last purchase {last:%Y-%m-%d}"
        for now, then, last in zip(alive[chosen], before[chosen], found["last"], strict=True)
    ]
    return _listed(found, reasons, if_alive[chosen] - found["lifetime"], ["probability_alive", "lifetime"])


def _leaving(
    customers: pd.DataFrame, rules: ValueRules, period: str, leaving: Mapping[str, float]
) -> pd.DataFrame:
    """Customers of high value in segments that many leave."""
    part = customers["segment"].map(leaving).astype("float64")
    chosen = (
        _high(customers["lifetime"], rules.high_share) & (part >= rules.fall) & (customers["kind"] != "lost")
    )
    found = customers[chosen]
    reasons = [
        f"{own:.0%} of {segment} leave or are lost in a {period}"
        for own, segment in zip(part[chosen], found["segment"], strict=True)
    ]
    stake = found["lifetime"] * part[chosen]
    return _listed(found, reasons, stake, ["probability_alive", "lifetime"])


def ready_for_more(customers: pd.DataFrame, rules: ValueRules, period: str, window: int) -> pd.DataFrame:
    """Alive (probability `alive` or more where a model tells it, not in a lost segment) and below what others buy.

    The measure is profit over the last `window` periods, against the median of the segment's customers who are alive;
    segments with fewer than five of those are left out. At stake: the gap, for as many periods again.
    """
    alive = customers["probability_alive"]
    there = (alive >= rules.alive) | (alive.isna() & (not (alive > 0).any()))
    there &= customers["kind"] != "lost"
    members = customers[there]
    by_segment = members.groupby("segment")["recent"]
    median = by_segment.transform("median").where(by_segment.transform("size") >= SMALLEST_SEGMENT)
    gap = median - members["recent"]
    chosen = gap > 0
    found = members[chosen]
    reasons = [
        f"brought {own:,.2f} in {window} {period}s, half of {segment} bring {usual:,.2f} or more"
        for own, segment, usual in zip(found["recent"], found["segment"], median[chosen], strict=True)
    ]
    return _listed(found, reasons, gap[chosen], ["probability_alive", "recent"])


def inactive(customers: pd.DataFrame, rules: ValueRules) -> pd.DataFrame:
    """Probably gone (probability of being alive below `alive`) or in a lost segment, with what they are still worth."""
    chosen = (customers["probability_alive"] < rules.alive) | (customers["kind"] == "lost")
    found = customers[chosen]
    reasons = [
        (f"in segment {segment}" if last is pd.NaT else f"no purchase since {last:%Y-%m-%d}")
        + ("" if np.isnan(alive) else f"; alive with {alive:.0%}")
        for last, segment, alive in zip(
            found["last"], found["segment"], found["probability_alive"], strict=True
        )
    ]
    return _listed(found, reasons, found["lifetime"], ["probability_alive", "historical"])


def reversals(customers: pd.DataFrame, rules: ValueRules) -> pd.DataFrame:
    """Customers whose value today and lifetime value say opposite things, with both ranks (1 is the best):

    `loss today, high lifetime value` (current below 0, lifetime in the highest `high_share`) and `profit today, low
    lifetime value` (current above 0 and in the highest `high_share`, lifetime in the lower half).
    """
    current, lifetime = customers["current"], customers["lifetime"]
    ranks = pd.DataFrame(
        {
            "rank_current": current.rank(ascending=False, method="min"),
            "rank_lifetime": lifetime.rank(ascending=False, method="min"),
        }
    )
    rising = (current < 0) & _high(lifetime, rules.high_share)
    sinking = (current > 0) & _high(current, rules.high_share) & (lifetime < lifetime.median())
    frame = customers[["customer", "segment", "current", "lifetime"]].join(ranks)
    parts = [
        frame[rising].assign(reason="loss today, high lifetime value", money_at_stake=lifetime[rising]),
        frame[sinking].assign(reason="profit today, low lifetime value", money_at_stake=current[sinking]),
    ]
    joined = pd.concat([part.sort_values("money_at_stake", ascending=False) for part in parts])
    return joined.reset_index(drop=True)


def rank_table(customers: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations (Spearman) between the kinds of value that differ between customers: kind, and one column
    a kind."""
    varied = [name for name in KINDS if customers[name].nunique() > 1]
    table = customers[varied].rank().corr()
    table.insert(0, "kind", varied)
    return table.reset_index(drop=True)


def _high(values: pd.Series[float], share: float) -> pd.Series[bool]:
    """Which values are above 0 and among the highest `share` of all."""
    return (values > 0) & (values >= values.quantile(1.0 - share))


def _listed(
    found: pd.DataFrame, reasons: list[str], money: pd.Series[float], figures: list[str]
) -> pd.DataFrame:
    frame = found[["customer", "segment", *figures]].assign(reason=reasons, money_at_stake=money)
    order = frame.sort_values(["money_at_stake", "customer"], ascending=[False, True])
    return order[["customer", "segment", *figures, "reason", "money_at_stake"]].reset_index(drop=True)
