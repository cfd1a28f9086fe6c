"""Small ledgers for tests, and the states, moves and margins of a ledger counted by plain loops.

The loops share nothing with cpm_opt: no pandas, no numpy, no function of it.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cpm_opt.tables import Tables, read_instance

HEADER = """
[instance]
name = "shop"
title = "A small shop"
currency = "EUR"
period = "{period}"
source = "made up"
licence = "none"
"""

RULES = """
[estimates]
gross_margin = 0.25
[estimates.states]
frequency_periods = 2
frequency = { once = 1, often = 3 }
recency = { fresh = 0, idle = 1, gone = 2 }
lost = ["gone"]
[estimates.value]
discount_rate = 0.1
periods = 3
"""


def instance(
    folder: Path,
    sales: Iterable[tuple[object, ...]] | None,
    rules: str = RULES,
    period: str = "quarter",
    tables: Mapping[str, str] | None = None,
) -> Tables:
    """An instance with these sales (customer, date, quantity, revenue), read as any other."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instance.toml").write_text(HEADER.format(period=period) + rules, encoding="utf-8")
    if sales is not None:
        with (folder / "sales.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("customer", "date", "quantity", "revenue"), *sales])
    for name, text in (tables or {}).items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return read_instance(folder)


@dataclass(frozen=True)
class Counted:
    """What the loops found; every key is a state's name or a pair of them."""

    transactions: int
    customers: Counter[str]
    moves: Counter[tuple[str, str]]
    observed: Counter[str]
    revenue_after: Mapping[str, float]

    def rate(self, source: str, target: str) -> float:
        return self.moves[source, target] / self.observed[source]


def count_by_hand(
    rows: Iterable[Mapping[str, str]],
    recency: Mapping[str, int],
    frequency: Mapping[str, int],
    window: int,
    last: tuple[int, int],
) -> Counted:
    """States at the ends of quarters up to `last` (year, quarter), customer by customer and quarter by quarter."""
    days: dict[str, set[str]] = defaultdict(set)
    spent: dict[tuple[str, int], float] = defaultdict(float)
    end = last[0] * 4 + last[1] - 1
    for row in rows:
        days[row["customer"]].add(row["date"])
        spent[row["customer"], _quarter(row["date"])] += float(row["revenue"])
    customers: Counter[str] = Counter()
    moves: Counter[tuple[str, str]] = Counter()
    observed: Counter[str] = Counter()
    revenue_after: dict[str, float] = defaultdict(float)
    for customer, bought_on in days.items():
        quarters = [_quarter(day) for day in bought_on]
        before = None
        for now in range(min(quarters), end + 1):
            silent_for = now - max(quarter for quarter in quarters if quarter <= now)
            times = sum(1 for quarter in quarters if now - window < quarter <= now)
            state = _band(silent_for, recency)
            if times:
                state += "-" + _band(times, frequency)
            if before is not None:
                moves[before, state] += 1
                observed[before] += 1
                revenue_after[before] += spent[customer, now]
            before = state
        if before is not None:
            customers[before] += 1
    return Counted(sum(map(len, days.values())), customers, moves, observed, revenue_after)


def as_rows(sales: Iterable[tuple[Any, ...]]) -> list[dict[str, str]]:
    """Sales as the reader of a CSV file gives them."""
    names = ("customer", "date", "quantity", "revenue")
    return [dict(zip(names, map(str, line), strict=True)) for line in sales]


def _quarter(day: str) -> int:
    return int(day[:4]) * 4 + (int(day[5:7]) - 1) // 3


def _band(value: int, bands: Mapping[str, int]) -> str:
    return [name for name, start in bands.items() if value >= start][-1]
