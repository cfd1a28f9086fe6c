"""States by recency and frequency, and the chain counted from their panel."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from cpm_opt.costing import profitability
from cpm_opt.estimates.segments.chain import Chain, count_chain
from cpm_opt.estimates.segments.states import (
    NOT_YET,
    StatePanel,
    build_panel,
    last_whole_period,
    period_of,
    possible_states,
)
from cpm_opt.estimates.settings import StateRules
from tests.ledger import as_rows, count_by_hand, instance

RULES = StateRules(
    recency={"fresh": 0, "idle": 1, "gone": 2},
    frequency={"once": 1, "often": 3},
    frequency_periods=2,
    lost=("gone",),
)


def panel_of(folder: Path, sales: list[tuple[object, ...]], rules: StateRules, period: str) -> StatePanel:
    transactions = profitability(instance(folder, sales, period=period)).transactions
    last = int(period_of(transactions["date"], period).max())
    return build_panel(transactions, rules, period, last)


def test_the_possible_states_are_the_bands_joined_and_one_for_nothing_in_the_window() -> None:
    names = [(state.name, state.kind) for state in possible_states(RULES)]
    assert names == [
        ("fresh-once", "active"),
        ("fresh-often", "active"),
        ("idle-once", "active"),
        ("idle-often", "active"),
        ("gone", "lost"),
    ]
    across = StateRules(recency={"fresh": 0, "idle": 1}, frequency={"once": 1}, frequency_periods=2)
    assert [state.name for state in possible_states(across)] == ["fresh-once", "idle-once", "idle"]


def test_states_of_three_customers_by_hand(tmp_path: Path) -> None:
    sales: list[tuple[object, ...]] = [
        ("a", "2025-02-01", 1, 8),  # 2025Q1: twice on one day is once
        ("a", "2025-02-01", 1, 4),
        ("a", "2025-05-01", 1, 0),  # a free one counts: with Q1 two in the window, still `once` (1 to 2)
        ("a", "2025-06-30", 1, 4),  # three
        ("b", "2025-03-31", 1, 4),  # never again
        ("c", "2025-07-01", 1, 4),  # not yet a customer before
        ("a", "2025-12-31", 1, 4),
    ]
    panel = panel_of(tmp_path, sales, RULES, "quarter")
    names = [*(state.name for state in panel.states), "-"]
    assert panel.period_names == ("2025Q1", "2025Q2", "2025Q3", "2025Q4")
    assert [[names[number] for number in row] for row in panel.state] == [
        ["fresh-once", "fresh-often", "idle-once", "fresh-once"],
        ["fresh-once", "idle-once", "gone", "gone"],
        ["-", "-", "fresh-once", "idle-once"],
    ]
    assert names[NOT_YET] == "-"
    assert panel.revenue.tolist() == [[12, 4, 0, 4], [4, 0, 0, 0], [0, 0, 4, 0]]
    assert panel.profit == pytest.approx(panel.revenue / 4)
    chain = count_chain(panel)
    assert chain.observed.tolist() == [
        3,
        1,
        2,
        1,
    ]  # fresh-once: a, b and c; fresh-often: a; idle-once: a, b; gone: b
    assert chain.margin == pytest.approx([1 / 3, 0.0, 0.5, 0.0])  # of the quarter after


@pytest.mark.parametrize("seed", range(5))
def test_the_chain_agrees_with_plain_loops_on_random_ledgers(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    sales: list[tuple[object, ...]] = [
        (
            f"c{draw.randint(1, 60)}",
            f"{draw.randint(2024, 2025)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}",
            1,
            v,
        )
        for v in [*range(100), 7.5]
    ]
    sales.append(("c1", "2025-12-31", 1, 1))
    chain = count_chain(panel_of(tmp_path, sales, RULES, "quarter"))
    counted = count_by_hand(
        as_rows(sales), RULES.recency, RULES.frequency, RULES.frequency_periods, (2025, 4)
    )
    check_against(chain, counted.moves, counted.customers)
    for state, margin, revenue, observed in zip(
        chain.states, chain.margin, chain.revenue, chain.observed, strict=True
    ):
        assert observed == counted.observed[state.name]
        assert revenue == pytest.approx(counted.revenue_after[state.name] / observed)
        assert margin == pytest.approx(0.25 * revenue)


def check_against(chain: Chain, moves: dict[tuple[str, str], int], customers: dict[str, int]) -> None:
    names = [state.name for state in chain.states]
    found = {
        (names[row], names[column]): int(chain.counts[row, column])
        for row, column in zip(*np.nonzero(chain.counts), strict=True)
    }
    assert found == dict(moves)
    assert {name: int(number) for name, number in zip(names, chain.customers, strict=True) if number} == dict(
        customers
    )
    assert chain.rates.sum(axis=1) == pytest.approx(np.ones(len(names)))


def test_standard_errors_are_those_of_a_proportion_and_of_a_mean(tmp_path: Path) -> None:
    sales: list[tuple[object, ...]] = [(f"c{number}", "2025-01-10", 1, 1) for number in range(10)]
    sales += [("c1", "2025-04-10", 1, 40), ("c2", "2025-04-10", 1, 80)]
    chain = count_chain(panel_of(tmp_path, sales, RULES, "quarter"))
    names = [state.name for state in chain.states]
    row = names.index("fresh-once")
    assert chain.rates[row, row] == pytest.approx(0.2)
    assert chain.rate_se[row, row] == pytest.approx((0.2 * 0.8 / 10) ** 0.5)
    margins = [0.0] * 8 + [10.0, 20.0]
    assert chain.margin[row] == pytest.approx(np.mean(margins))
    assert chain.margin_se[row] == pytest.approx(np.std(margins, ddof=1) / 10**0.5)


@pytest.mark.parametrize(
    ("period", "day", "over"),
    [
        ("quarter", "2025-06-30", "2025-06-01"),
        ("quarter", "2025-06-29", "2025-03-01"),
        ("month", "2024-02-29", "2024-02-01"),
        ("month", "2024-02-28", "2024-01-01"),
        ("year", "2025-12-31", "2025-01-01"),
        ("year", "2025-12-30", "2024-01-01"),
    ],
)
def test_only_whole_periods_count(period: str, day: str, over: str) -> None:
    import pandas as pd

    within = int(period_of(pd.Series([pd.Timestamp(over)]), period).iloc[0])
    assert last_whole_period(pd.Timestamp(day), period) == within


def test_small_states_go_into_the_next_lower_frequency(tmp_path: Path) -> None:
    draw = random.Random(8)
    sales: list[tuple[object, ...]] = [
        (f"c{draw.randint(1, 40)}", f"2025-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}", 1, 5)
        for _ in range(130)
    ]
    sales.append(("c1", "2025-12-31", 1, 5))
    every = panel_of(tmp_path / "every", sales, RULES, "quarter")
    names = np.array([state.name for state in every.states])
    seen = dict(
        zip(
            *np.unique(names[every.state[:, :-1][every.state[:, :-1] != NOT_YET]], return_counts=True),
            strict=True,
        )
    )
    assert 0 < seen["idle-often"] < seen["fresh-often"]
    smallest = int(seen["idle-often"]) + 1
    assert min(seen[name] for name in ("fresh-once", "fresh-often", "idle-once")) >= smallest
    merged = panel_of(tmp_path / "merged", sales, RULES.model_copy(update={"smallest": smallest}), "quarter")
    assert merged.merged == (
        f"state idle-often was seen fewer than {smallest} times and is part of idle-once",
    )
    was, now = every.state != NOT_YET, merged.state != NOT_YET
    assert (was == now).all()
    expected = np.where(names[every.state] == "idle-often", "idle-once", names[every.state])
    assert (names[merged.state][now] == expected[now]).all()
    # With everything small each recency keeps one state, and nothing moves between recencies.
    one = panel_of(tmp_path / "one", sales, RULES.model_copy(update={"smallest": 10**6}), "quarter")
    assert set(names[one.state[now]]) <= {"fresh-once", "idle-once", "gone"} | {"fresh-often", "idle-often"}
    assert len(set(names[one.state[now]])) == 3
    recency = np.array([state.recency for state in every.states])
    assert (recency[one.state][now] == recency[every.state][now]).all()
    assert every.merged == ()
