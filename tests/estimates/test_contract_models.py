"""The retention model, the shifted-beta-geometric model and the value of contracts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cpm_opt.estimates.value import retention, sbg
from cpm_opt.estimates.value.contracts import calendar_periods, value_contracts
from cpm_opt.estimates.value.retention import margin_multiple

COHORT = [1000, 631, 468, 382, 326]


@pytest.mark.parametrize(("retention", "multiple"), [(0.6, 1.20), (0.7, 1.75), (0.8, 2.67), (0.9, 4.50)])
def test_margin_multiples_as_published(retention: float, multiple: float) -> None:
    """Gupta and Lehmann 2003, margin multiples r / (1 + i - r) at i = 10 %."""
    assert margin_multiple(retention, 0.1) == pytest.approx(multiple, abs=0.005)


@pytest.mark.parametrize("year", [2022, 2023, 2024])
@pytest.mark.parametrize(("period", "count"), [("month", 12), ("quarter", 4), ("year", 1)])
def test_a_year_has_as_many_periods_whatever_its_days(year: int, period: str, count: int) -> None:
    """Leap years, and years without a leap day, in which a count by average lengths loses a period."""
    first, last = pd.Series(pd.to_datetime([f"{year}-01-01"])), pd.Series(pd.to_datetime([f"{year}-12-31"]))
    assert calendar_periods(first, last, period).tolist() == [count]
    assert np.floor(calendar_periods(first, last - pd.Timedelta(days=1), period)).tolist() == [count - 1]


def test_months_of_a_contract_that_began_on_the_31st() -> None:
    first = pd.Series(pd.to_datetime(["2023-01-31"] * 3))
    last = pd.Series(pd.to_datetime(["2023-02-26", "2023-02-27", "2023-03-30"]))
    assert np.floor(calendar_periods(first, last, "month")).tolist() == [0, 1, 2]


def test_a_cohort_dated_by_the_calendar_is_the_cohort_counted() -> None:
    """1000, 631, 468, 382 over 2021 to 2023, which hold no leap day: the fit is that of the counts."""
    years = {2021: 369, 2022: 163, 2023: 86}
    ends = [f"{year}-12-31" for year, lost in years.items() for _ in range(lost)] + [None] * 382
    contracts = pd.DataFrame(
        {"customer": [str(n) for n in range(1000)], "start": pd.Timestamp("2021-01-01"), "end": pd.to_datetime(ends),
         "margin": 1.0}
    )  # fmt: skip
    found = value_contracts(contracts, pd.Timestamp("2023-12-31"), "year", 0.1, 20)
    counted = sbg.fit(np.array([0.0, 369, 163, 86]), np.array([0.0, 0, 0, 382]))
    assert found.model.values == pytest.approx(counted.values, rel=1e-6)
    assert found.model.converged


def test_margin_multiples_are_sums_of_what_stays() -> None:
    for periods in (0, 1, 7, 400):
        total = sum((0.8 / 1.1) ** number for number in range(1, periods + 1))
        assert margin_multiple(0.8, 0.1, periods) == pytest.approx(total)
    assert margin_multiple(0.8, 0.1, 400) == pytest.approx(margin_multiple(0.8, 0.1))
    assert margin_multiple(1.0, 0.0, 12) == 12.0
    for wrong in ((1.0, 0.0), (1.1, 0.1), (-0.1, 0.1), (0.5, -0.1)):
        with pytest.raises(ValueError, match=r"rate|limit"):
            margin_multiple(*wrong)


def test_sbg_of_a_cohort_as_published() -> None:
    """Fader and Hardie's worked example of the sBG: 1000, 631, 468, 382, 326 gives alpha 0.764, beta 1.296."""
    found = sbg.fit_cohort(COHORT)
    assert found.converged
    assert found.n == 1000
    assert found.values == pytest.approx((0.764, 1.296), abs=5e-4)
    left = 1000 * sbg.survival(found.values, np.arange(5.0))
    assert left == pytest.approx(COHORT, rel=0.01)
    rates = sbg.retention_rate(found.values, np.arange(1.0, 10.0))
    assert (np.diff(rates) > 0).all()
    assert np.cumprod(rates)[:4] * 1000 == pytest.approx(left[1:])


def test_residual_lifetimes_are_sums_of_survival() -> None:
    parameters = (0.764, 1.296)
    renewed = np.array([0.0, 1.0, 5.0])
    ahead = np.arange(1.0, 4001.0)
    for discount_rate, periods in ((0.1, None), (0.1, 12), (0.0, 12)):
        used = ahead if periods is None else ahead[:periods]
        expected = [
            (sbg.survival(parameters, start + used) / sbg.survival(parameters, np.array([start])))
            @ (1.0 + discount_rate) ** -used
            for start in renewed
        ]
        assert sbg.renewals_to_come(parameters, renewed, discount_rate, periods) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("cohort", "words"),
    [
        ([100, 100, 100], "nobody was seen to leave"),
        ([100, 0], "everybody left at the first renewal"),
        ([100, 60], "do not tell"),
        ([100, 50, 60], "nobody was seen to leave"),  # more than before: no cohort
    ],
)
def test_a_cohort_that_tells_too_little_is_said(cohort: list[float], words: str) -> None:
    found = sbg.fit_cohort(cohort)
    assert not found.converged
    assert words in found.message


def contracts(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["contract", "customer", "start", "end", "margin"])
    for column in ("start", "end"):
        frame[column] = pd.to_datetime(frame[column])
    return frame


def cohort_contracts() -> list[tuple[object, ...]]:
    """The published cohort as contracts of a year each, begun on 2020-01-01, seen at the close of 2024-06-30."""
    rows: list[tuple[object, ...]] = []
    for years, leavers in enumerate(-np.diff(COHORT), start=1):
        rows += [
            (f"l{years}-{n}", f"l{years}-{n}", "2020-01-01", f"{2019 + years}-12-31", 10.0)
            for n in range(leavers)
        ]
    return rows + [(f"s{n}", f"s{n}", "2020-01-01", None, 10.0) for n in range(COHORT[-1])]


def test_contracts_give_the_cohort_and_its_values() -> None:
    frame = contracts(
        [
            *cohort_contracts(),
            ("x", "s0", "2024-06-01", "2026-06-30", 7.0),  # sure for two more years
            ("y", "new", "2025-01-01", None, 9.0),  # not begun
        ]
    )
    found = value_contracts(frame, pd.Timestamp("2024-06-30"), "year", 0.1, 10)
    assert found.model.converged
    assert found.model.values == pytest.approx((0.764, 1.296), abs=5e-4)
    assert len(found.customer) == COHORT[-1]
    at = {name: place for place, name in enumerate(found.customer)}
    renewals = sbg.renewals_to_come(found.model.values, np.array([4.0]), 0.1, 9)[0]
    assert found.present[at["s1"]] == pytest.approx(10.0)
    assert found.lifetime.value[at["s1"]] == pytest.approx(10.0 + 10.0 * renewals)
    assert found.present[at["s0"]] == pytest.approx(10.0 + 7.0 * (1.0 + 1.0 / 1.1), rel=1e-3)
    assert found.lifetime.value[at["s0"]] > found.present[at["s0"]] + 10.0 * renewals
    error = found.lifetime.error()
    assert (error > 0).all()
    assert found.lifetime.total_error() < error.sum() * 1.0001


def test_without_a_model_only_what_is_sure_counts() -> None:
    frame = contracts([("a", "a", "2024-01-01", None, 5.0), ("b", "b", "2024-01-01", "2024-12-31", -2.0)])
    found = value_contracts(frame, pd.Timestamp("2024-06-30"), "quarter", 0.0, 8)
    assert not found.model.converged
    assert found.lifetime.value.tolist() == found.present.tolist()
    assert found.present == pytest.approx([5.0, -4.0], abs=0.05)  # half a year is two quarters


def test_one_rate_beside_the_rising_one() -> None:
    """The cohort of Fader and Hardie 2007, 1000, 631, 468, 382, 326: 1807 renewals and 674 leavers."""
    lost, kept = np.array([0.0, 369, 163, 86, 56]), np.array([0.0, 0, 0, 0, 326])
    found = retention.fit(lost, kept, 0.1)
    rate = 1807 / 2481
    assert found.parameters == pytest.approx({"r": rate, "multiple": rate / (1.1 - rate)})
    assert found.standard_errors["r"] == pytest.approx((rate * (1 - rate) / 2481) ** 0.5)
    up, down = ((rate + step) / (1.1 - rate - step) for step in (1e-6, -1e-6))
    assert found.standard_errors["multiple"] == pytest.approx(found.standard_errors["r"] * (up - down) / 2e-6)
    # Geometric likelihood, customer by customer; the sBG fits this cohort better.
    each = [rate ** (t - 1) * (1 - rate) for t in range(1, 5)]
    expected = sum(n * np.log(p) for n, p in zip((369, 163, 86, 56), each, strict=True)) + 326 * np.log(
        rate**4
    )
    assert found.log_likelihood == pytest.approx(expected)
    assert sbg.fit(lost, kept).log_likelihood > found.log_likelihood + 20
    assert not retention.fit(np.zeros(3), np.array([0.0, 5, 0]), 0.1).converged
    assert not retention.fit(np.array([0.0, 5, 0]), np.zeros(3), 0.1).converged
