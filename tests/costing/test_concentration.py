"""Whale curve, shares, Gini, HHI, and tiers with the moves between them."""

from __future__ import annotations

from itertools import combinations
from math import isnan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpm_opt.costing.concentration import concentration, gini, hhi, large_customers, whale_curve
from cpm_opt.costing.connected import connected_groups
from cpm_opt.costing.settings import TierRules
from cpm_opt.costing.tiers import assign_tiers, tier_moves, tier_summary


def test_the_whale_rises_with_the_profitable_and_ends_at_the_total() -> None:
    found = whale_curve(np.array([-30.0, 100.0, 0.0, 50.0, -20.0]))
    assert found.curve.tolist() == [100, 150, 150, 130, 100]
    assert (found.peak, found.peak_share, found.peak_at, found.end) == (150, 1.5, 0.4, 100)
    assert isnan(whale_curve(np.array([5.0, -9.0])).peak_share)
    assert whale_curve(np.array([])).end == 0


def test_shares_gini_and_hhi() -> None:
    profit = pd.Series([60.0, 20, 10, 5, 5, 5, 5, -2, -3, -5])
    found = concentration(profit, pd.Series([10.0] * 10))
    assert found.top_share == pytest.approx(0.8)
    assert found.worst_loss == pytest.approx(10)
    assert (found.gini, found.hhi) == (pytest.approx(0), pytest.approx(0.1))
    assert gini(np.array([0.0, 0, 0, 12])) == pytest.approx(0.75)
    assert gini(np.array([1.0, 3])) == pytest.approx(0.25)
    assert hhi(np.array([0.0, 0, 12])) == 1
    assert isnan(gini(np.array([4.0, -1])))
    assert isnan(hhi(np.zeros(3)))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_gini_is_the_mean_difference_over_twice_the_mean(values: list[float]) -> None:
    found = gini(np.array(values))
    total = sum(values)
    if total <= 0:
        assert isnan(found)
        return
    differences = sum(abs(a - b) for a in values for b in values)
    assert found == pytest.approx(differences / (2 * len(values) * total), abs=1e-9)


def test_large_customers_are_shown_one_by_one() -> None:
    customers = pd.DataFrame(
        {"revenue": [5.0, 90, 4, 1], "profit": [1.0, -2, 0, 0], "return_on_sales": [0.2, -2 / 90, 0, 0]},
        list("abcd"),
    )
    found = large_customers(customers, 0.05)
    assert found["share"].to_dict() == pytest.approx({"b": 0.9, "a": 0.05})


def tiers(profit: list[float], rules: TierRules, active: list[bool] | None = None) -> list[str]:
    series = pd.Series(profit, dtype=float)
    return assign_tiers(series, pd.Series(active or [True] * len(profit), dtype=bool), rules).tolist()


def test_thresholds_and_the_tiers_of_their_own() -> None:
    rules = TierRules(method="thresholds", names=("platinum", "gold", "wood"), values=(100.0, 10.0))
    assert tiers([100, 99.99, 10, 0, -0.01, 500, -1e-9], rules, [True] * 5 + [False, True]) == [
        "platinum", "gold", "gold", "wood", "unprofitable", "inactive", "wood",
    ]  # fmt: skip


def test_shares_are_of_the_profitable_and_equal_profits_stay_together() -> None:
    rules = TierRules(names=("top", "rest"), values=(0.25, 0.75))
    assert tiers([9, 8, 8, 1, -5], rules) == ["top", "rest", "rest", "rest", "unprofitable"]
    assert tiers([8, 8, 8, 1], rules) == ["top", "top", "top", "rest"]
    assert tiers([], rules) == []
    assert tiers([-1.0], rules) == ["unprofitable"]


@given(st.lists(st.integers(0, 60), min_size=4, max_size=12))
@settings(max_examples=40, deadline=None)
def test_natural_breaks_have_the_least_squares_of_all_breaks(profits: list[int]) -> None:
    names = ("a", "b", "c")
    rules = TierRules(method="natural_breaks", names=names)
    found = pd.Series(tiers([float(x) for x in profits], rules))
    values = np.array(sorted(profits, reverse=True), dtype=float)

    def squares(parts: list[np.ndarray]) -> float:
        return sum(float(((part - part.mean()) ** 2).sum()) for part in parts)

    def cut(places: tuple[int, ...]) -> list[np.ndarray]:
        return [part for part in np.split(values, list(places)) if len(part)]

    best = min(squares(cut(places)) for k in range(3) for places in combinations(range(1, len(values)), k))
    assigned = [np.array(profits, dtype=float)[found == name] for name in names]
    assert squares([part for part in assigned if len(part)]) == pytest.approx(best, abs=1e-6)
    assert [max(part) for part in assigned if len(part)] == sorted(
        (max(part) for part in assigned if len(part)), reverse=True
    )


def test_summary_and_moves() -> None:
    rules = TierRules(method="thresholds", names=("good", "fair"), values=(10.0,))
    customers = pd.DataFrame(
        {
            "tier": ["good", "fair", "unprofitable"],
            "revenue": [50.0, 20, 9],
            "cost_to_serve": 1.0,
            "profit": [12.0, 3, -4],
        }
    )
    found = tier_summary(customers, rules)
    assert found["customers"].to_dict() == {"good": 1, "fair": 1, "unprofitable": 1, "inactive": 0}
    assert found.loc["inactive", "profit"] == 0
    assert found["profit"].sum() == 11
    before = pd.Series({"a": "good", "b": "good", "c": None})
    now = pd.Series({"a": "fair", "b": None, "c": "good"})
    moves = tier_moves(before, now, rules)
    assert (moves.loc["good", "fair"], moves.loc["good", "gone"], moves.loc["new", "good"]) == (1, 1, 1)
    assert moves.to_numpy().sum() == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"names": ("a", "a"), "values": (0.5, 0.5)}, "twice"),
        ({"names": ("a", "b"), "values": (0.5, 0.6)}, "add to 1.1"),
        ({"names": ("a", "b"), "values": (0.5,)}, "needs 2 values"),
        ({"method": "thresholds", "names": ("a", "b", "c"), "values": (1.0, 2.0)}, "do not fall"),
        ({"method": "natural_breaks", "names": ("a", "b"), "values": (1.0,)}, "needs 0 values"),
    ],
)
def test_wrong_tiers_are_told(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TierRules(**given)  # type: ignore[arg-type]


def test_connected_clients_are_one_group() -> None:
    names = np.array(["a", "b", "c", "d", "e", "f"], dtype=object)
    stated = pd.Series({"a": "", "d": "holding", "e": "holding", "left long ago": "holding"})
    links = pd.DataFrame({"customer": ["a", "c", "f"], "other": ["outsider", "b", "f"]})
    links = pd.concat([links, pd.DataFrame({"customer": ["b", "outsider"], "other": ["outsider", "a"]})])
    found = connected_groups(names, stated, links)
    assert found.to_dict() == {"a": "a", "b": "a", "c": "a", "d": "holding", "e": "holding", "f": ""}
