"""Effort with falling returns: the curve against known answers, the cut against a fine grid."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.stats import norm

from cpm_opt.estimates.response.effort import FORMS, Form, cut, fit_effort
from cpm_opt.faults import InputError

TRUTH: dict[Form, tuple[float, float, float]] = {
    "log": (2.0, 5.0, 3.0),
    "power": (2.0, 4.0, 0.5),
    "hill": (2.0, 12.0, 4.0),
}


def curve(form: Form, x: np.ndarray, level: float, scale: float, shape: float) -> np.ndarray:
    if form == "log":
        return level + scale * np.log(1 + x / shape)
    return level + (scale * x**shape if form == "power" else scale * x / (shape + x))


@pytest.mark.parametrize("form", FORMS)
def test_the_curve_is_least_squares(form: Form) -> None:
    rng = np.random.default_rng(2)
    effort = rng.uniform(0, 20, 120)
    outcome = curve(form, effort, *TRUTH[form]) + rng.normal(0, 0.3, 120)
    found = fit_effort(effort, outcome, form)
    theirs, covariance = curve_fit(
        lambda x, a, b, c: curve(form, x, a, b, c), effort, outcome, p0=TRUTH[form]
    )
    assert found.values == pytest.approx(theirs, rel=1e-3)
    assert found.errors == pytest.approx(np.sqrt(np.diag(covariance)), rel=0.01)
    assert (np.abs(found.values - TRUTH[form]) < 4 * found.errors).all()
    off = outcome - curve(form, effort, *found.values)
    assert found.log_likelihood == pytest.approx(norm.logpdf(off, scale=off.std()).sum(), rel=1e-6)
    x = np.array([1.0, 5.0, 15.0])
    drawn = np.random.default_rng(3).multivariate_normal(found.values, found.covariance / 100, 4000)
    spread = np.std([curve(form, x, 0.0, b, c) for _, b, c in drawn], axis=0) * 10
    assert found.band(x) == pytest.approx(spread, rel=0.1)
    assert found.slope(x) == pytest.approx((found.gain(x + 1e-6) - found.gain(x - 1e-6)) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_the_cut_lies_between_its_envelopes(form: Form) -> None:
    effort = np.linspace(0, 20, 60)
    found = fit_effort(effort, curve(form, effort, *TRUTH[form]) + 1e-3 * np.sin(effort * 9), form)
    coarse, fine = cut(found, [0, 10, 20]), cut(found, [0, 2, 5, 10, 15, 20])
    assert coarse.gains == pytest.approx(tuple(found.gain(np.array([0.0, 10, 20]))))
    x = np.linspace(0, 20, 4001)
    chords = np.interp(x, coarse.breakpoints, coarse.gains)
    assert coarse.inner_gap == pytest.approx((found.gain(x) - chords).max(), rel=1e-3)
    assert 0 < fine.inner_gap < coarse.inner_gap <= coarse.outer_gap
    assert fine.outer_gap < coarse.outer_gap


@pytest.mark.parametrize("form", FORMS)
def test_a_curve_that_may_rise_without_bound_is_refused(form: Form) -> None:
    """Bends of shape 0, which no effort near 0 limits; an observation there does, and so does a curve that flattens."""
    effort = np.repeat(np.linspace(10, 50, 9), 6)
    noise = np.random.default_rng(0).normal(0, 0.3, 54)
    bend = 100 - 200 / effort if form == "hill" else 20 + 4 * np.log(effort)
    with pytest.raises(InputError, match="do not tell what the first effort brings"):
        fit_effort(effort, bend + 0 * noise, form)
    low, high = np.append(effort, [0.0] * 6), np.append(bend + noise, [bend[0] - 10.0] * 6)
    assert fit_effort(low, high, form).gain(np.array([10.0]))[0] == pytest.approx(10, abs=4)
    flat = curve(form, effort, 5, 40, 0.5 if form == "power" else 30)
    assert fit_effort(effort, flat + noise / 3, form).values[2] > 0


def test_rising_returns_are_refused() -> None:
    effort = np.linspace(0, 10, 30)
    for form in FORMS:
        with pytest.raises(InputError, match="no falling returns"):
            fit_effort(effort, effort**2, form)
        with pytest.raises(InputError, match="no falling returns"):
            fit_effort(effort, np.zeros(30), form)
    with pytest.raises(ValueError, match="rise from 0"):
        cut(fit_effort(effort, np.log1p(effort) + 0.01 * np.sin(effort * 7), "log"), [1, 2])
