"""A bank's profile: balances over time, what is held back, interest, the dead centre."""

from __future__ import annotations

from math import isnan

import numpy as np
import pandas as pd
import pytest

from cpm_opt.costing.bank import account_results, average_balances, chronological_mean
from cpm_opt.costing.break_even import break_even_margin
from cpm_opt.costing.periods import Period
from cpm_opt.costing.settings import BankRules

YEAR = Period(pd.Timestamp("2025-01-01"), pd.Timestamp("2025-12-31"))


def balances(*rows: tuple[str, str, float]) -> pd.DataFrame:
    found = pd.DataFrame(rows, columns=["account", "date", "balance"])
    return found.assign(date=pd.to_datetime(found["date"]))


def accounts(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["account", "customer", "kind", "rate"]).assign(product="")


def test_the_chronological_mean_halves_the_first_and_the_last_balance() -> None:
    quarters = np.array([100.0, 140.0, 120.0, 160.0, 200.0])
    assert chronological_mean(np.arange(5.0), quarters) == pytest.approx((50 + 140 + 120 + 160 + 100) / 4)
    # Uneven days: 10 days at a mean of 150, 30 days at 250.
    assert chronological_mean(np.array([0.0, 10.0, 40.0]), np.array([100.0, 200.0, 300.0])) == pytest.approx(
        225
    )
    assert chronological_mean(np.array([3.0]), np.array([7.0])) == 7


def test_balances_by_account_with_opening_and_closing_but_nothing_beyond() -> None:
    rows = balances(
        ("b", "2025-06-01", 40),
        ("a", "2026-01-01", 30),  # the closing balance
        ("a", "2024-12-31", 10),  # the opening balance
        ("a", "2024-06-01", 9999),
        ("a", "2026-06-01", 9999),
        ("c", "2025-01-01", -5),
        ("c", "2025-12-31", 5),
    )
    found = average_balances(rows, YEAR).set_index("account")
    assert found.loc["a", ["mean", "minimum", "stability"]].tolist() == pytest.approx([20, 10, 0.5])
    assert found.loc["b", ["mean", "minimum", "stability"]].tolist() == pytest.approx([40, 40, 1])
    assert found.loc["c", "mean"] == pytest.approx(0)
    assert isnan(found.loc["c", "stability"])  # a share of nothing
    # As account by account.
    for name in "abc":
        inside = rows[(rows["account"] == name) & (rows["balance"] < 9999)].sort_values("date")
        days = ((inside["date"] - YEAR.first).dt.days).to_numpy(float)
        assert found.loc[name, "mean"] == pytest.approx(
            chronological_mean(days, inside["balance"].to_numpy(float))
        )


def test_deposits_and_loans_earn_by_the_transfer_price() -> None:
    rules = BankRules(transfer_price=0.10, reserve=0.3, liquidity=0.1)
    held = accounts(("d", "x", "deposit", 0.05), ("l", "x", "loan", 0.15), ("unused", "x", "deposit", 0.05))
    rows = balances(("d", "2025-01-01", 1000), ("d", "2025-12-31", 1000), ("l", "2025-03-01", 2000))
    found = account_results(held, rows, rules, YEAR).set_index("account")
    columns = [
        "free",
        "transfer_income",
        "interest_paid",
        "interest_earned",
        "funding_cost",
        "revenue",
        "product_cost",
    ]
    assert found.loc["d", columns].tolist() == pytest.approx([600, 60, 50, 0, 0, 60, 50])
    assert found.loc["l", columns].tolist() == pytest.approx([0, 0, 0, 300, 200, 300, 200])
    assert list(found.index) == ["d", "l"]
    assert found["product"].to_dict() == {"d": "deposit", "l": "loan"}
    half = Period(pd.Timestamp("2025-01-01"), pd.Timestamp("2025-06-30"))
    assert account_results(held, rows, rules, half).set_index("account").loc[
        "d", "interest_paid"
    ] == pytest.approx(25)


def test_a_deposit_of_1500_loses_and_one_of_15000_pays_at_a_cost_to_serve_of_60() -> None:
    """A bank: 3.5 % earned on 1,500 is 52.5 and so -7.5; on 15,000 it is 525 and so 465."""
    held = accounts(("small", "a", "deposit", 0.0), ("large", "b", "deposit", 0.0))
    rows = balances(("small", "2025-06-30", 1500), ("large", "2025-06-30", 15000))
    found = account_results(held, rows, BankRules(transfer_price=0.035), YEAR).set_index("account")[
        "transfer_income"
    ]
    assert found.to_dict() == pytest.approx({"small": 52.5, "large": 525.0})
    assert (found - 60).to_dict() == pytest.approx({"small": -7.5, "large": 465.0})


def test_the_dead_centre_is_the_margin_that_pays_what_fees_do_not() -> None:
    assert break_even_margin(cost=90, other_income=30, working_assets=1500) == pytest.approx(0.04)
    assert isnan(break_even_margin(90, 30, 0))


@pytest.mark.parametrize(
    ("first", "last", "years"),
    [
        ("2024-01-01", "2024-12-31", 1.0),  # a leap year is a year
        ("2025-02-01", "2025-02-28", 1 / 12),
        ("2025-01-15", "2025-02-14", 1 / 12),
        ("2025-01-01", "2025-01-10", 10 / 365),
    ],
)
def test_years_of_a_period(first: str, last: str, years: float) -> None:
    assert Period(pd.Timestamp(first), pd.Timestamp(last)).years == pytest.approx(years)
