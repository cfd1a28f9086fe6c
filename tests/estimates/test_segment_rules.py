"""Rules of segments on their own: conditions, the order of rules, and the merging of small segments."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from cpm_opt.estimates.segments.customer_segments import holds, merge_small, sort_customers
from cpm_opt.estimates.segments.segment_settings import Condition, SegmentRules


@given(
    sizes=st.lists(st.integers(0, 50), min_size=1, max_size=7),
    lost=st.sets(st.integers(0, 6)),
    smallest=st.integers(0, 60),
    into=st.none() | st.integers(0, 6),
)
@settings(max_examples=80, deadline=None)
def test_merging_keeps_customers_and_kinds_and_leaves_nothing_small_that_could_go(
    sizes: list[int], lost: set[int], smallest: int, into: int | None
) -> None:
    names = [f"s{n}" for n in range(len(sizes))]
    gone = frozenset(name for n, name in enumerate(names) if n in lost)
    merge_into = "next" if into is None or into >= len(names) else names[into]
    rules = SegmentRules(by="tier", smallest=smallest, merge_into=merge_into)
    target, notes = merge_small(dict(zip(names, sizes, strict=True)), gone, rules)
    kept = {name for name in names if target[name] == name}
    assert set(target.values()) == kept
    assert all((name in gone) == (taker in gone) for name, taker in target.items())
    after = {
        name: sum(size for own, size in zip(names, sizes, strict=True) if target[own] == name)
        for name in kept
    }
    assert sum(after.values()) == sum(sizes)
    assert len([note for note in notes if "are part of" in note]) == len(names) - len(kept)
    for name in kept:
        if after[name] < smallest:
            others = {other for other in kept if other != name and (other in gone) == (name in gone)}
            assert not others if merge_into == "next" else merge_into not in others
    if merge_into != "next":
        assert all(taker in (name, merge_into) for name, taker in target.items())


@given(
    cells=st.lists(st.none() | st.integers(-3, 3), min_size=1, max_size=12),
    bounds=st.dictionaries(
        st.sampled_from(["at_least", "above", "at_most", "below"]), st.integers(-3, 3), min_size=1
    ),
)
@settings(max_examples=80, deadline=None)
def test_bounds_hold_as_python_compares(cells: list[int | None], bounds: dict[str, int]) -> None:
    try:
        condition = Condition(**bounds)  # type: ignore[arg-type]
    except ValueError:
        return
    compare = {
        "at_least": lambda a, b: a >= b, "above": lambda a, b: a > b,
        "at_most": lambda a, b: a <= b, "below": lambda a, b: a < b,
    }  # fmt: skip
    expected = [
        cell is not None and all(compare[name](cell, bound) for name, bound in bounds.items())
        for cell in cells
    ]
    numbers = pd.Series([np.nan if cell is None else float(cell) for cell in cells])
    words = pd.Series(["" if cell is None else str(cell) for cell in cells], dtype=object)
    assert holds(numbers, condition).tolist() == expected
    assert holds(words, condition).tolist() == expected


def test_the_first_rule_that_fits_wins_in_every_order() -> None:
    figures = pd.DataFrame({"x": [1.0, 2.0, 3.0], "tier": ["a", "b", "c"]}, index=list("pqr"))
    parts = {"low": {"x": {"at_most": 2}}, "high": {"x": {"at_least": 2}}, "b": {"tier": "b"}}
    for order in itertools.permutations(parts):
        rules = SegmentRules.model_validate(
            {"by": "rules", "rules": [{"segment": name, "where": parts[name]} for name in order]}
        )
        fits = {"p": {"low"}, "q": {"low", "high", "b"}, "r": {"high"}}
        expected = {who: next(name for name in order if name in of) for who, of in fits.items()}
        assert sort_customers(figures, rules).to_dict() == expected
