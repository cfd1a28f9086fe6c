"""Price steps against their formulas, elasticities against plain loops, shrinkage against its equation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from cpm_opt.estimates.response.elasticity import fit_elasticities
from cpm_opt.estimates.response.price_response import (
    ConstantElasticity,
    Curve,
    LinearDemand,
    LogitDemand,
    MultinomialLogitDemand,
    PointsDemand,
    Product,
    break_even_volume,
    price_steps,
)
from cpm_opt.estimates.response.shrinkage import shrink
from cpm_opt.faults import InputError


@pytest.mark.parametrize(
    ("curve", "step", "volume"),
    [
        (ConstantElasticity(-2.0), 0.25, 1 / 1.25**2),
        (ConstantElasticity(-2.0), -0.2, 1 / 0.8**2),
        (LinearDemand(-2.0), 0.25, 0.5),
        (LinearDemand(-2.0), 0.75, 0.0),
        (LogitDemand(0.2, math.log(0.5)), 1.0, (0.125 / 1.125) / 0.2),  # odds 1:4 become 1:8
        (MultinomialLogitDemand((0.2, 0.5, 0.3), 0, math.log(0.5)), 1.0, (0.1 / 0.9) / 0.2),
        (PointsDemand(((-0.1, 1.3), (0.0, 1.0), (0.2, 0.8))), 0.05, 0.95),
        (PointsDemand(((-0.1, 1.3), (0.0, 1.0), (0.2, 0.8))), -0.05, 1.15),
    ],
)
def test_volume_is_on_the_curve(curve: Curve, step: float, volume: float) -> None:
    assert curve.volume(0.0) == pytest.approx(1.0)
    assert curve.volume(step) == pytest.approx(volume)


def test_a_step_is_counted_on_the_true_curve() -> None:
    """100 units at 10 with unit cost 6; a fifth more for each, and 100 x 1.2^-1.5 units are sold."""
    (step,) = price_steps(
        ConstantElasticity(-1.5, se=0.2), Product(1000.0, 0.4, churn=0.1, churn_slope=2.0), [0.2]
    )
    units = 100 * 1.2**-1.5
    assert step.volume == pytest.approx(units / 100 - 1)
    assert step.revenue == pytest.approx(units * 12 - 1000)
    assert step.margin == pytest.approx(units * (12 - 6) - 400)
    odds = 0.1 / 0.9 * math.exp(0.4)
    assert step.churn == pytest.approx(odds / (1 + odds) - 0.1)
    assert step.break_even == pytest.approx(-1 / 3)
    # d units / d elasticity = units ln(1.2)
    assert step.margin_se == pytest.approx(6 * units * math.log(1.2) * 0.2, rel=1e-6)


@pytest.mark.parametrize("step", [-0.2, -0.05, 0.05, 0.3])
def test_break_even_is_where_margin_stays(step: float) -> None:
    volume = 1 + break_even_volume(step, 0.4)
    assert (0.4 + step) * volume == pytest.approx(0.4)
    (met,) = price_steps(
        PointsDemand(tuple(sorted(((0.0, 1.0), (step, volume))))), Product(10.0, 0.4), [step]
    )
    assert met.margin == pytest.approx(0.0, abs=1e-12)
    assert math.isnan(break_even_volume(-0.4, 0.4))


def test_whom_a_price_drives_away_goes_to_the_others_in_proportion() -> None:
    curve = MultinomialLogitDemand((0.2, 0.5, 0.3), 0, -1.0)
    own, rival, none = curve.after(0.3)
    assert own + rival + none == pytest.approx(1.0)
    assert rival / none == pytest.approx(0.5 / 0.3)
    # With one other choice it is the binary logit.
    assert MultinomialLogitDemand((0.2, 0.8), 0, -1.0).volume(0.3) == pytest.approx(
        LogitDemand(0.2, -1.0).volume(0.3)
    )


def test_a_step_beyond_what_is_known_is_refused() -> None:
    with pytest.raises(ValueError, match=r"outside the points, 0 to 0\.2"):
        PointsDemand(((0.0, 1.0), (0.2, 0.8))).volume(0.3)
    with pytest.raises(ValueError, match="leaves no price"):
        ConstantElasticity(-1.0).volume(-1.0)


def _sales(elasticities: dict[str, float], rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = []
    for name, e in elasticities.items():
        price = rng.uniform(8, 12, rows)
        season = rng.integers(0, 2, rows)
        log = 3 + e * np.log(price) + 0.4 * season + rng.normal(0, 0.2, rows)
        parts.append(pd.DataFrame({"segment": name, "price": price, "season": season, "volume": np.exp(log)}))
    return pd.concat(parts, ignore_index=True)


def test_elasticity_is_least_squares_by_hand() -> None:
    sales = _sales({"a": -1.5, "b": -0.5}, 40, seed=3)
    for found in fit_elasticities(sales, ("season",)):
        own = sales[sales["segment"] == found.segment]
        x = np.column_stack([np.ones(40), np.log(own["price"]), own["season"]])
        y = np.log(own["volume"].to_numpy())
        inverse = np.linalg.inv(x.T @ x)
        beta = inverse @ x.T @ y
        rest = y - x @ beta
        robust = inverse @ (x.T * rest**2 @ x) @ inverse * 40 / 37
        assert found.value == pytest.approx(beta[1])
        assert found.se == pytest.approx(math.sqrt(robust[1, 1]))
        assert (found.n, found.parameters) == (40, 3)
        assert found.low == own["price"].min()


def test_intervals_of_elasticities_cover() -> None:
    """The short version of benchmarks/coverage.py: 45 clusters that share a shock, 300 data sets."""
    rng = np.random.default_rng(12)
    hits = 0
    for _ in range(300):
        cluster = np.repeat(np.arange(45), 6)
        price = np.exp(rng.normal(0, 0.2, 45)[cluster] + rng.normal(0, 0.1, 270))
        log = 1 - 1.2 * np.log(price) + rng.normal(0, 0.3, 45)[cluster] + rng.normal(0, 0.3, 270)
        sales = pd.DataFrame({"segment": "all", "price": price, "volume": np.exp(log), "cluster": cluster})
        (found,) = fit_elasticities(sales)
        hits += found.interval[0] <= -1.2 <= found.interval[1]
    assert 0.90 <= hits / 300 <= 0.98


def test_a_segment_that_cannot_tell_is_named() -> None:
    sales = pd.DataFrame({"segment": ["a"] * 4 + ["b"] * 2, "price": [5.0] * 6, "volume": [1, 2, 3, 4, 5, 6]})
    with pytest.raises(InputError) as caught:
        fit_elasticities(sales)
    assert [(f.value, f.code) for f in caught.value.faults] == [
        ("a", "one_price"),
        ("b", "one_price"),
        ("b", "too_few"),
    ]


def test_shrinkage_keeps_its_equation() -> None:
    own, error = np.array([-2.0, -1.0, -0.2, 1.5]), np.array([0.3, 0.2, 0.4, 1.0])
    found = shrink(own, error)
    variance = error**2 + found.spread**2
    assert np.sum((own - found.mean) ** 2 / variance) == pytest.approx(3.0)
    assert found.mean == pytest.approx(np.sum(own / variance) / np.sum(1 / variance))
    assert found.values == pytest.approx(found.weight * own + (1 - found.weight) * found.mean)
    assert found.weight[3] == min(found.weight)  # the thinnest keeps least of its own
    alike = shrink(np.array([-1.0, -1.1, -0.9]), np.array([0.5, 0.5, 0.5]))
    assert alike.spread == 0.0
    assert alike.values == pytest.approx([-1.0] * 3)
    assert (alike.errors > 0.5 / math.sqrt(3)).all()  # the mean's own, were tau known to be 0
    assert (alike.errors < 0.5).all()


def test_errors_of_shrinkage_are_those_of_the_whole_posterior() -> None:
    """Against a grid of means and spreads, each with its likelihood, and the true values drawn by hand."""
    own, error = np.array([-2.0, -1.0, -0.2, 1.5]), np.array([0.3, 0.2, 0.4, 1.0])
    found = shrink(own, error)
    mean, tau = np.meshgrid(np.linspace(-12, 12, 1201), (np.arange(1500) + 0.5) * 0.02, indexing="ij")
    likelihood = np.ones_like(mean)
    for one, se in zip(own, error, strict=True):
        likelihood *= norm.pdf(one, mean, np.sqrt(tau**2 + se**2))
    likelihood /= likelihood.sum()
    for s, (one, se) in enumerate(zip(own, error, strict=True)):
        weight = tau**2 / (tau**2 + se**2)
        centre, variance = weight * one + (1 - weight) * mean, weight * se**2
        square = (likelihood * (variance + (centre - found.values[s]) ** 2)).sum()
        assert found.errors[s] == pytest.approx(math.sqrt(square), rel=0.02)
    assert likelihood[np.abs(mean - found.mean) <= 1.96 * found.mean_se].sum() == pytest.approx(
        0.95, abs=0.01
    )


def test_the_thin_one_of_two_segments_has_an_honest_error() -> None:
    """The sure one says nothing on how far segments lie apart, and must not make the thin one look sure."""
    rng, held = np.random.default_rng(5), []
    for _ in range(400):
        true, error = rng.normal(0, 1, 2), np.array([0.05, 1.0])
        found = shrink(true + rng.normal(0, error), error)
        held.append(abs(found.values[1] - true[1]) <= 1.96 * found.errors[1])
    assert np.mean(held) > 0.9


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("segments", [2, 5, 20])
def test_shrunken_intervals_hold_the_truth(segments: int, spread: float) -> None:
    rng = np.random.default_rng(segments)
    held, length = [], []
    for _ in range(300):
        error = rng.uniform(0.5, 1.6, segments)
        true = rng.normal(5, spread, segments)
        found = shrink(true + rng.normal(0, error), error)
        held += list(np.abs(found.values - true) <= 1.96 * found.errors)
        length.append(float(np.mean(found.errors / error)))
    assert np.mean(held) > 0.915
    assert np.mean(length) < 1.0  # and yet they are shorter than a segment's own
