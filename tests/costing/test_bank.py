"""A bank's profile: balances over time, what is held back, interest, the dead centre."""

from __future__ import annotations

from math import isnan

import numpy as np
import pandas as pd
import pytest

from cpm_opt.costing.bank import account_results, average_balances, balances_that_count
from cpm_opt.costing.break_even import break_even_margin
from cpm_opt.costing.periods import Period
from cpm_opt.costing.settings import BankRules

YEAR = Period(pd.Timestamp("2025-01-01"), pd.Timestamp("2025-12-31"))


def balances(*rows: tuple[str, str, float]) -> pd.DataFrame:
    found = pd.DataFrame(rows, columns=["account", "date", "balance"])
    return found.assign(date=pd.to_datetime(found["date"]))


def accounts(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["account", "customer", "kind", "rate"]).assign(product="")


def textbook(series: list[float]) -> float:
    """The chronological mean of equally spaced balances: half the first and the last, and all between them."""
    return (series[0] / 2 + sum(series[1:-1]) + series[-1] / 2) / (len(series) - 1)


@pytest.mark.parametrize(
    ("first", "last", "dates"),
    [
        # A year in tenths and a quarter in ninths: its opening is of the day before or of the first day, its closing of
        # the last day or of the day after.
        ("2025-01-01", "2025-12-31", pd.date_range("2024-12-31", "2025-12-31", periods=6)),
        ("2025-01-01", "2025-12-31", pd.date_range("2025-01-01", "2026-01-01", periods=6)),
        ("2025-01-01", "2025-12-31", pd.date_range("2025-01-01", "2025-12-31", periods=8)),
        ("2025-07-01", "2025-09-30", pd.date_range("2025-07-01", "2025-09-30", periods=8)),
        ("2025-02-01", "2025-02-28", pd.date_range("2025-01-31", "2025-02-28", periods=5)),
        ("2025-01-01", "2025-12-31", pd.DatetimeIndex(["2025-01-01", "2025-12-31"])),
    ],
)
def test_equally_spaced_balances_have_the_textbook_chronological_mean(
    first: str, last: str, dates: pd.DatetimeIndex
) -> None:
    assert (dates == dates.normalize()).all()
    series = [100.0, 140.0, 120.0, 160.0, 90.0, 200.0, 80.0, 130.0][: len(dates)]
    rows = pd.DataFrame({"account": "a", "date": dates, "balance": series})
    found = average_balances(rows, Period(pd.Timestamp(first), pd.Timestamp(last)))
    assert found["mean"].tolist() == pytest.approx([textbook(series)])
    assert found["minimum"].tolist() == [min(series)]
    assert found["stability"].tolist() == pytest.approx([min(series) / textbook(series)])


def test_accounts_that_open_close_or_straddle_the_period() -> None:
    rows = balances(
        ("opens", "2025-12-01", 10_000),  # 31 of 365 days
        ("opens", "2025-12-31", 10_000),
        ("straddles", "2024-12-15", 10_000),  # no balance of the year itself
        ("straddles", "2026-01-15", 10_000),
        ("line", "2024-07-01", 0),  # up to the middle of the year and down again
        ("line", "2025-07-01", 10_000),
        ("line", "2026-07-01", 0),
        ("held", "2023-05-05", 70),  # the last balance holds
        ("emptied", "2024-12-31", 730),
        ("emptied", "2025-01-02", 0),  # two days of 365 at a mean of 365
        ("closed", "2024-12-31", 0),
        ("later", "2026-01-01", 5),
        ("owes", "2025-01-01", -5),
        ("owes", "2025-12-31", 5),
    )
    found = average_balances(rows, YEAR).set_index("account")
    assert found["mean"].to_dict() == pytest.approx(
        {
            "opens": 10_000 * 31 / 365,
            "straddles": 10_000,
            # Two trapezia, up to 1 July from the end of 31 December (183 of 365 days on the way) and down again.
            "line": (182 * (183 / 365 + 1) / 2 + 183 * (1 + 182 / 365) / 2) * 10_000 / 365,
            "held": 70,
            "emptied": 2 * 365 / 365,
            "owes": 0,
        }
    )
    assert found["minimum"].to_dict() == pytest.approx(
        {
            "opens": 10_000,
            "straddles": 10_000,
            "line": 10_000 * 182 / 365,
            "held": 70,
            "emptied": 0,
            "owes": -5,
        }
    )
    assert found.loc["opens", ["mean_open", "stability"]].tolist() == pytest.approx([10_000, 1])
    assert isnan(found.loc["owes", "stability"])  # a share of nothing
    earned = account_results(
        accounts(
            ("opens", "x", "deposit", 0.01),
            ("straddles", "x", "deposit", 0.01),
            ("line", "x", "deposit", 0.01),
        ),
        rows,
        BankRules(transfer_price=0.035),
        YEAR,
    ).set_index("account")["transfer_income"]
    assert earned.round(2).to_dict() == {"opens": 29.73, "straddles": 350, "line": 262.50}
    # What lies further off than the neighbours of the period does not count.
    more = pd.concat([rows, balances(("straddles", "2020-01-01", 9999), ("line", "2030-01-01", 9999))])
    assert average_balances(more, YEAR).set_index("account").loc[found.index, "mean"].equals(found["mean"])


def simulated(days: list[int], money: list[float], length: int) -> tuple[float, float, float] | None:
    """Mean, mean while open and minimum of a period of `length` days, its first day 0, by a walk from one sixtieth of a
    day to the next along the straight line; None where the account does not stand in it."""
    grain = 60
    opening = 0 if 0 in days and -1 not in days and length > 1 else -1
    closing = length if length in days and length - 1 not in days else length - 1
    if days[0] > length - 1 or (days[-1] < 0 and money[-1] == 0):
        return None
    moments = opening + (np.arange((closing - opening) * grain) + 0.5) / grain
    level = np.interp(moments, days, money)  # flat before the first balance and after the last
    there = moments > days[0] - 1
    ends = [t for t in range(opening, closing + 1) if t >= days[0]]
    lowest = float(np.interp(ends, days, money).min())
    return float(np.where(there, level, 0).mean()), float(level[there].mean()), lowest


def random_accounts(rng: np.random.Generator) -> tuple[Period, dict[str, tuple[list[int], list[float]]]]:
    """A period of some days and, by account, the days (its first is 0) on which balances stand and the balances."""
    length = int(rng.choice([1, 2, 10, 31]))
    drawn = {}
    for name in "abcdef":
        days = np.unique(rng.integers(-12, length + 12, size=rng.integers(1, 7)))
        money = np.where(rng.random(len(days)) < 0.2, 0.0, rng.normal(500, 300, len(days)).round(2))
        drawn[name] = (days.tolist(), money.tolist())
    return Period(YEAR.first, YEAR.first + pd.Timedelta(days=length - 1)), drawn


def table(period: Period, drawn: dict[str, tuple[list[int], list[float]]]) -> pd.DataFrame:
    """Table balances of random accounts, in no order."""
    rows = [
        (name, period.first + pd.Timedelta(days=day), held)
        for name, (days, money) in drawn.items()
        for day, held in zip(days, money, strict=True)
    ]
    return pd.DataFrame(rows, columns=["account", "date", "balance"]).sample(frac=1, random_state=3)


def test_random_accounts_are_as_a_walk_along_the_line_finds_them() -> None:
    for seed in range(40):
        period, drawn = random_accounts(np.random.default_rng(seed))
        walked = {name: simulated(*of, period.days) for name, of in drawn.items()}
        wanted = {name: figures for name, figures in walked.items() if figures is not None}
        found = average_balances(table(period, drawn), period).set_index("account")
        assert set(found.index) == set(wanted)
        for name, figures in wanted.items():
            assert found.loc[name, ["mean", "mean_open", "minimum"]].tolist() == pytest.approx(
                figures, abs=1e-6
            )
        assert (found.loc[found["mean"] > 0, "stability"] <= 1 + 1e-12).all()


def test_the_rows_that_are_said_to_count_are_those_that_do() -> None:
    for seed in range(6):
        period, drawn = random_accounts(np.random.default_rng(seed))
        rows = table(period, drawn)
        before = average_balances(rows, period).set_index("account")["mean"]
        counting = balances_that_count(rows, period)
        assert set(rows.loc[counting, "account"]) == set(before.index)
        for row, counts in zip(rows.index, counting, strict=True):
            name = rows.at[row, "account"]
            if name in before.index:
                raised = rows.assign(balance=rows["balance"] + 1000 * (rows.index == row))
                after = average_balances(raised, period).set_index("account")["mean"]
                assert after[name] > before[name] if counts else after[name] == before[name]


def test_deposits_and_loans_earn_by_the_transfer_price() -> None:
    rules = BankRules(transfer_price=0.10, reserve=0.3, liquidity=0.1)
    held = accounts(("d", "x", "deposit", 0.05), ("l", "x", "loan", 0.15), ("unused", "x", "deposit", 0.05))
    rows = balances(("d", "2025-01-01", 1000), ("d", "2025-12-31", 1000), ("l", "2025-01-01", 2000))
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
    rows = balances(("small", "2024-12-31", 1500), ("large", "2025-01-01", 15000))
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
