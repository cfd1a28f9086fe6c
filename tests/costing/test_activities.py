"""Time-driven activity-based costing: the figures of Kaplan and Anderson and of a bank, and what stays idle."""

from __future__ import annotations

from math import nan

import pandas as pd
import pytest

from cpm_opt.costing.activities import Served, capacity_rate, cost_to_serve


def frame(columns: str, *rows: tuple[object, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns.split())


def pools(*rows: tuple[object, ...]) -> pd.DataFrame:
    """pool, expense, practical capacity."""
    return frame("pool expense practical_capacity", *rows).assign(per_client=False)


def activities(*rows: tuple[object, ...]) -> pd.DataFrame:
    return frame("activity pool base_minutes transaction_rate", *rows)


def counts(*rows: tuple[object, ...], columns: str = "activity customer count") -> pd.DataFrame:
    return frame(columns, *rows).assign(order="", product="")


NO_DRIVERS = frame("activity driver minutes")


def costs(served: Served) -> dict[str, float]:
    return dict(served.rows.groupby("activity")["cost"].sum())


def test_call_centre_at_70_an_hour_and_24_minutes_a_transaction_is_28() -> None:
    served = cost_to_serve(
        counts(("call", "a", 1)),
        activities(("call", "centre", 24, nan)),
        NO_DRIVERS,
        pools(("centre", 70, 60)),
    )
    assert served.rows["cost"].tolist() == pytest.approx([28.0])


def test_kaplan_and_anderson_2004_customer_service_department() -> None:
    """Harvard Business Review 82 (11): 560,000 over 700,000 minutes; 49,000 orders, 1,400 inquiries, 2,500 checks."""
    assert capacity_rate(560_000, 700_000) == pytest.approx(0.80)
    done = activities(
        ("order", "service", 8, nan), ("inquiry", "service", 44, nan), ("credit check", "service", 50, nan)
    )
    department = pools(("service", 560_000, 700_000))
    one = cost_to_serve(
        counts(("order", "a", 1), ("inquiry", "a", 1), ("credit check", "a", 1)), done, NO_DRIVERS, department
    )
    assert one.rows["cost"].tolist() == pytest.approx([6.40, 35.20, 40.00])
    served = cost_to_serve(
        counts(("order", "a", 49_000), ("inquiry", "a", 1_400), ("credit check", "a", 2_500)),
        done,
        NO_DRIVERS,
        department,
    )
    pool = served.pools.loc["service"]
    assert pool["minutes"] == pytest.approx(578_600)
    assert pool["assigned"] == pytest.approx(462_880)
    assert pool["idle_minutes"] == pytest.approx(121_400)
    assert pool["idle_cost"] == served.idle_capacity_cost == pytest.approx(97_120)
    assert served.rows["cost"].sum() == pytest.approx(462_880)  # nothing of what is idle is on a customer


def test_a_banks_transaction_rates_are_60_a_year() -> None:
    """Statements 12 x 1, branch visits 12 x 3, calls 6 x 2."""
    served = cost_to_serve(
        counts(("statement", "a", 12), ("visit", "a", 12), ("call", "a", 6)),
        activities(("statement", "", nan, 1), ("visit", "", nan, 3), ("call", "", nan, 2)),
        NO_DRIVERS,
        pools(),
    )
    assert costs(served) == pytest.approx({"statement": 12, "visit": 36, "call": 12})
    assert served.rows["cost"].sum() == served.outside_pools == pytest.approx(60)
    assert served.idle_capacity_cost == 0


def test_a_time_equation_adds_what_its_drivers_say() -> None:
    """Packing: 0.5 minutes an order, 6.5 for special packing, 0.2 a kilo by air, 1 saved a pallet."""
    equation = frame(
        "activity driver minutes",
        ("pack", "special", 6.5),
        ("pack", "air_kilos", 0.2),
        ("pack", "pallets", -1),
    )
    rows = counts(
        ("pack", "a", 10, 2, 15, 0),
        ("pack", "b", 4, 0, 0, 1),
        ("call", "a", 3, 9, 9, 9),  # has no such drivers
        columns="activity customer count special air_kilos pallets",
    )
    done = activities(("pack", "store", 0.5, nan), ("call", "store", 2, nan))
    served = cost_to_serve(rows, done, equation, pools(("store", 50, 100)))
    assert served.rows["minutes"].tolist() == pytest.approx([5 + 13 + 3, 2 - 1, 6])
    assert served.rows["cost"].tolist() == pytest.approx([10.5, 0.5, 3.0])
    assert served.pools.loc["store", "idle_minutes"] == pytest.approx(72)


def test_a_transaction_rate_goes_before_duration_and_leaves_the_rest_of_the_pool_idle() -> None:
    done = activities(("visit", "branch", 30, 3), ("call", "branch", 10, nan))
    served = cost_to_serve(
        counts(("visit", "a", 4), ("call", "a", 2)), done, NO_DRIVERS, pools(("branch", 100, 200))
    )
    assert costs(served) == pytest.approx({"visit": 12, "call": 10})
    assert served.idle_capacity_cost == pytest.approx(78)
    assert served.outside_pools == 0  # the branch's expense is in the ledger already


def test_more_than_the_capacity_is_negative_idleness_and_a_pool_without_capacity_is_unassigned() -> None:
    done = activities(("call", "centre", 10, nan))
    served = cost_to_serve(
        counts(("call", "a", 12)), done, NO_DRIVERS, pools(("centre", 50, 100), ("head office", 30, nan))
    )
    assert served.pools.loc["centre", ["idle_minutes", "idle_cost"]].tolist() == pytest.approx([-20, -10])
    assert served.pools["unassigned"].to_dict() == {"centre": 0.0, "head office": 30.0}
    assert served.idle_capacity_cost == pytest.approx(-10)


def test_a_pool_without_a_rate_is_told() -> None:
    with pytest.raises(KeyError, match="centre"):
        cost_to_serve(counts(("call", "a", 1)), activities(("call", "centre", 10, nan)), NO_DRIVERS, pools())
    with pytest.raises(ValueError, match="above 0"):
        capacity_rate(10, 0)
