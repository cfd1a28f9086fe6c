"""Made-up customers for tests: histories drawn from the models themselves, customer by customer."""

from __future__ import annotations

import datetime
import random
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cpm_opt.estimates.value.histories import Histories

FIRST = datetime.date(2024, 1, 1)


def history(frequency: float, recency: float, age: float, spend: float = 30.0) -> Histories:
    """One customer's history."""
    return histories([(frequency, recency, age, spend)])


def histories(rows: Sequence[tuple[float, float, float, float]]) -> Histories:
    """Histories of rows (frequency, recency, age, spend)."""
    table = np.array(rows, dtype=float)
    names = np.array([f"c{number}" for number in range(len(rows))], dtype=object)
    return Histories(names, *table.T, end=pd.Timestamp("2025-01-01"))


def draw_bg_nbd(
    parameters: Sequence[float], customers: int, age: float, ahead: float, seed: int
) -> tuple[Histories, np.ndarray]:
    """Histories of `age` weeks, and purchases in the `ahead` weeks after."""
    r, alpha, a, b = parameters
    draw = random.Random(seed)
    rows, later = [], []
    for _ in range(customers):
        rate, leaves = draw.gammavariate(r, 1.0 / alpha), draw.betavariate(a, b)
        now, times = 0.0, []
        while True:
            now += draw.expovariate(rate) if rate > 0 else 1e9
            if now > age + ahead:
                break
            times.append(now)
            if draw.random() < leaves:
                break
        rows.append(_row(times, age))
        later.append(sum(time > age for time in times))
    return histories(rows), np.array(later, dtype=float)


def draw_pareto_nbd(
    parameters: Sequence[float], customers: int, age: float, ahead: float, seed: int
) -> tuple[Histories, np.ndarray]:
    """Histories of `age` weeks, and purchases in the `ahead` weeks after."""
    r, alpha, s, beta = parameters
    draw = random.Random(seed)
    rows, later = [], []
    for _ in range(customers):
        rate, death = draw.gammavariate(r, 1.0 / alpha), draw.gammavariate(s, 1.0 / beta)
        end = min(age + ahead, draw.expovariate(death) if death > 0 else 1e9)
        now, times = 0.0, []
        while rate > 0:
            now += draw.expovariate(rate)
            if now > end:
                break
            times.append(now)
        rows.append(_row(times, age))
        later.append(sum(time > age for time in times))
    return histories(rows), np.array(later, dtype=float)


def shop_sales(customers: int, seed: int, days: int = 700) -> list[tuple[object, ...]]:
    """Sales lines (customer, date, quantity, revenue) of customers who join in the first quarter of a ledger."""
    draw = random.Random(seed)
    sales: list[tuple[object, ...]] = []
    for number in range(customers):
        day = draw.randint(0, 90)
        rate, leaves = draw.gammavariate(0.8, 1 / 40.0), draw.betavariate(0.8, 4.0)
        mean = 40.0 / draw.gammavariate(4.0, 1 / 4.0)
        while day <= days:
            date = FIRST + datetime.timedelta(days=int(day))
            sales.append(
                (f"c{number:04d}", date.isoformat(), 1, round(draw.gammavariate(5.0, mean / 5.0), 2))
            )
            if draw.random() < leaves:
                break
            day += 1 + draw.expovariate(rate)
    sales.append(("last", (FIRST + datetime.timedelta(days=730)).isoformat(), 1, 10.0))  # 2025-12-31
    return sales


def _row(times: list[float], age: float) -> tuple[float, float, float, float]:
    within = [time for time in times if time <= age]
    return float(len(within)), max(within, default=0.0), age, 30.0 if within else float("nan")
