"""What holds for every portfolio: the order of rows never shows, ceilings hold, and refusals are the right ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cpm_opt.faults import InputError
from cpm_opt.portfolio import Portfolio, build_portfolio, option_before
from tests.portfolio.draws import drawn, shuffled
from tests.portfolio.small import INFO

SEEDS = st.integers(min_value=0, max_value=2**32 - 1)


def content(value: object) -> object:
    """The value down to the bytes of its arrays; warnings name lines, so they are left out."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if is_dataclass(value):
        return {
            each.name: content(getattr(value, each.name)) for each in fields(value) if each.name != "warnings"
        }
    if isinstance(value, tuple):
        return [content(part) for part in value]
    if isinstance(value, Mapping):
        return {key: content(part) for key, part in value.items()}
    return value


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=SEEDS, size=st.integers(1, 5), periods=st.integers(1, 4))
def test_the_order_of_rows_never_shows(seed: int, size: int, periods: int):
    frames = drawn(seed, size, periods, 0.0)
    one = build_portfolio(frames, INFO, periods)
    other = build_portfolio(shuffled(frames, seed), INFO, periods)
    assert content(one) == content(other)


def plans(p: Portfolio, seed: int) -> Iterator[np.ndarray]:
    """Customers of some random plans: each gives every segment a share of each option, by period."""
    rng = np.random.default_rng(seed)
    for _ in range(30):
        on = np.zeros((p.periods, len(p.segments), len(p.options)))
        changed = np.zeros(on.shape, dtype=bool)
        for lever in p.levers:
            before = option_before(lever, p.current)
            for t in range(p.periods):
                if not lever.single:
                    # Mostly corners: there the extremes are.
                    share = rng.random((len(p.segments), len(lever.options))) ** rng.choice([1, 50])
                    share *= p.offered[:, lever.options]
                    on[t][:, lever.options] = share / share.sum(axis=1, keepdims=True)
                    continue
                for g in range(len(lever.groups)):
                    members = np.flatnonzero(lever.group_of == g)
                    free = [o for o in lever.options if p.offered[members, o].all()]
                    now = rng.choice(free) if t % lever.hold == 0 else before[g]
                    on[t, members, now] = 1.0
                    changed[t, members, now] = now != before[g]
                    before[g] = now
        yield customers(p, on, changed)


def customers(p: Portfolio, on: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """`[S, T + 1]`, row by row of the tables, from shares of options and who has changed."""
    n = np.zeros((len(p.segments), p.periods + 1))
    n[:, 0] = p.customers
    m, e = p.migration, p.migration_effects
    for t in range(p.periods):
        n[:, t + 1] = p.arrivals[:, t]
        for k in range(len(m.source)):
            n[m.target[k], t + 1] += m.rate[k, t] * n[m.source[k], t]
        for k in range(len(e.source)):
            acts = not e.on_change[k] or changed[t, e.source[k], e.option[k]]
            n[e.target[k], t + 1] += acts * e.rate[k, t] * on[t, e.source[k], e.option[k]] * n[e.source[k], t]
    return n


def buildable(seed: int, size: int, periods: int, strength: float) -> Portfolio | None:
    try:
        return build_portfolio(drawn(seed, size, periods, strength), INFO, periods)
    except InputError as error:
        if {fault.code for fault in error.faults if not fault.warning} <= {
            "negative_rate",
            "rates_above_one",
        }:
            return None
        raise


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=SEEDS, size=st.integers(1, 4), periods=st.integers(1, 4))
def test_no_plan_reaches_beyond_the_ceiling(seed: int, size: int, periods: int):
    p = buildable(seed, size, periods, 0.02) or buildable(seed, size, periods, 0.002)
    assume(p is not None and len(p.migration_effects.source) > 0)
    assert p is not None
    for n in plans(p, seed):
        assert (n >= -1e-9).all()
        assert (n <= p.ceiling * (1 + 1e-12) + 1e-12).all()


def extremes(p: Portfolio, s: int, t: int) -> tuple[float, float]:
    """The least rate and the greatest sum of rates from a segment in a period, over every path of every lever."""
    size = len(p.segments)
    base = np.zeros(size)
    np.add.at(base, p.migration.target[p.migration.source == s], p.migration.rate[p.migration.source == s, t])
    states = []
    for lever in p.levers:
        before = int(option_before(lever, p.current)[lever.group_of[s]])
        free = [o for o in lever.options if p.offered[s, o]]
        reached = set()
        for path in itertools.product(free, repeat=t + 1):
            steps = list(zip((before, *path), path, strict=False))
            if not lever.single:
                reached.add((path[-1], False))
            elif all(a == b or at % lever.hold == 0 for at, (a, b) in enumerate(steps)):
                reached.add((path[-1], steps[-1][0] != steps[-1][1]))
        states.append(sorted(reached))
    e = p.migration_effects
    least, most = np.inf, -np.inf
    for combination in itertools.product(*states):
        rates = base.copy()
        for option, has_changed in combination:
            acts = (e.source == s) & (e.option == option) & (~e.on_change | has_changed)
            np.add.at(rates, e.target[acts], e.rate[acts, t])
        least, most = min(least, rates.min()), max(most, rates.sum())
    return least, most


@pytest.mark.parametrize("strength", [0.01, 0.05])
@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=SEEDS, size=st.integers(1, 3), periods=st.integers(1, 3))
def test_refused_is_what_some_combination_breaks(strength: float, seed: int, size: int, periods: int):
    frames = drawn(seed, size, periods, strength)
    refused = set()
    try:
        p = build_portfolio(frames, INFO, periods)
    except InputError as error:
        refused = {fault.code for fault in error.faults if not fault.warning}
        p = unrefused(frames, periods)
    found = [extremes(p, s, t) for s in range(size) for t in range(periods)]
    assert ("negative_rate" in refused) == any(least < -1e-9 for least, _ in found)
    assert ("rates_above_one" in refused) == any(most > 1 + 1e-9 for _, most in found)


def unrefused(frames: Mapping[str, object], periods: int) -> Portfolio:
    """The portfolio of refused tables, built with the two checks of combinations switched off."""
    with pytest.MonkeyPatch.context() as patch:
        for check in ("_check_entries", "_check_sums"):
            patch.setattr(f"cpm_opt.portfolio.reach.{check}", lambda *_: None)
        return build_portfolio(frames, INFO, periods)
