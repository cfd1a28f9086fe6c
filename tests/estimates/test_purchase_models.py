"""BG/NBD, Pareto/NBD and Gamma-Gamma against published figures on CDNOW, quadrature and drawn customers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import gammaln

from cpm_opt.costing import profitability
from cpm_opt.estimates.value import bg_nbd, gamma_gamma, pareto_nbd
from cpm_opt.estimates.value.histories import Histories, alike, build_histories
from cpm_opt.tables import read_instance
from tests.estimates.histories_of import draw_bg_nbd, draw_pareto_nbd, histories, history

FOLDER = Path(__file__).resolve().parents[2] / "instances" / "cdnow"
NOT_A_SPEND = float("nan")


@pytest.fixture(scope="module")
def cdnow() -> Histories:
    """The 2,357 customers of CDNOW's sample over the 39 weeks to 1997-09-30."""
    return build_histories(profitability(read_instance(FOLDER)).transactions, pd.Timestamp("1997-09-30"))


def arrays(given: Histories) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return given.frequency, given.recency, given.age


def test_histories_of_cdnow_are_the_published_ones(cdnow: Histories) -> None:
    """Fader, Hardie and Lee 2005 (BG/NBD): 2,357 customers, 946 of them repeat; the first has (2, 30.43, 38.86)."""
    assert len(cdnow) == 2357
    assert (cdnow.frequency > 0).sum() == 946
    first = [numbers[0] for numbers in arrays(cdnow)]
    assert first == pytest.approx([2, 30.43, 38.86], abs=0.005)
    assert len(alike(cdnow).customers) < 1100
    assert alike(cdnow).customers.sum() == 2357


def test_bg_nbd_on_cdnow_as_published(cdnow: Histories) -> None:
    """Fader, Hardie and Lee 2005, Marketing Science 24(2), table 2: r, alpha, a, b and the log-likelihood."""
    found = bg_nbd.fit(cdnow)
    assert found.converged
    assert found.n == 2357
    assert found.values == pytest.approx((0.2426, 4.4135, 0.7929, 2.4258), abs=2e-4)
    assert found.log_likelihood == pytest.approx(-9582.43, abs=0.005)
    assert all(0 < found.standard_errors[name] < found.parameters[name] for name in bg_nbd.PARAMETERS)


def test_expected_purchases_of_one_customer_as_published() -> None:
    """Fader, Hardie and Lee's spreadsheet for the BG/NBD: (2, 30.43, 38.86) over 39 weeks is 1.226."""
    parameters = (0.2426, 4.4135, 0.7929, 2.4258)
    one = history(2, 30.43, 38.86)
    assert bg_nbd.expected_purchases(parameters, 39.0, *arrays(one))[0] == pytest.approx(1.226, abs=5e-4)


def test_gamma_gamma_on_cdnow_as_published(cdnow: Histories) -> None:
    """Fader and Hardie 2013, note on the gamma-gamma model: 946 customers, p, q, v and the mean spend 35.171."""
    found = gamma_gamma.fit(cdnow)
    assert found.converged
    assert found.n == 946
    assert found.values == pytest.approx((6.25, 3.74, 15.44), abs=0.006)
    assert gamma_gamma.mean_spend(found.values) == pytest.approx(35.171, abs=1e-3)


def test_pareto_nbd_on_cdnow_as_published(cdnow: Histories) -> None:
    """Fader, Hardie and Lee 2005, table 2: r, alpha, s, beta of the Pareto/NBD, log-likelihood -9595.0."""
    found = pareto_nbd.fit(cdnow)
    assert found.converged
    assert found.values == pytest.approx((0.553, 10.578, 0.606, 11.669), abs=2e-3)
    assert found.log_likelihood == pytest.approx(-9595.0, abs=0.05)


@pytest.mark.parametrize(
    "parameters", [(0.55, 10.6, 0.61, 11.7), (0.55, 11.7, 0.61, 10.6), (2.0, 3.0, 1.5, 30.0)]
)
@pytest.mark.parametrize(("x", "recency", "age"), [(0, 0.0, 30.0), (3, 12.5, 39.0), (40, 38.0, 39.0)])
def test_pareto_nbd_agrees_with_quadrature(
    parameters: tuple[float, ...], x: int, recency: float, age: float
) -> None:
    """The likelihood of Schmittlein, Morrison and Colombo as the integral over the time of leaving."""
    r, alpha, s, beta = parameters
    one = history(x, recency, age)
    alive = (alpha + age) ** -(r + x) * (beta + age) ** -s
    gone = quad(lambda y: s * (alpha + y) ** -(r + x) * (beta + y) ** -(s + 1), recency, age, epsrel=1e-12)[0]
    constant = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    assert pareto_nbd.log_likelihood(parameters, alike(one)) == pytest.approx(
        constant + np.log(alive + gone), rel=1e-9
    )
    assert pareto_nbd.probability_alive(parameters, *arrays(one))[0] == pytest.approx(alive / (alive + gone))


@pytest.mark.parametrize("x", [0, 1, 7])
def test_bg_nbd_agrees_with_quadrature(x: int) -> None:
    """The expectation from its definition: over the rate and the probability to leave of who is alive at T."""
    r, alpha, a, b = parameters = (0.4, 5.0, 0.8, 2.5)
    age, ahead = 30.0, 20.0
    shape, scale = (
        r + x,
        alpha + age,
    )  # the rate of who is alive; their probability to leave is beta(a, b + x)

    def bought(leaves: float) -> float:
        # E[(1 - exp(-rate leaves t)) / leaves] over gamma(shape, scale)
        return (1.0 - (scale / (scale + leaves * ahead)) ** shape) / leaves

    density = gammaln(a + b + x) - gammaln(a) - gammaln(b + x)
    expected = quad(
        lambda p: np.exp(density + (a - 1) * np.log(p) + (b + x - 1) * np.log1p(-p)) * bought(p),
        0,
        1,
        limit=200,
    )[0]
    one = history(x, 20.0 if x else 0.0, age)
    assert bg_nbd.purchases_if_alive(parameters, ahead, one.frequency, one.age)[0] == pytest.approx(
        expected, rel=1e-6
    )


@pytest.mark.parametrize(
    ("model", "draw", "truth"),
    [
        (bg_nbd, draw_bg_nbd, (0.5, 6.0, 0.8, 2.5)),
        (pareto_nbd, draw_pareto_nbd, (0.6, 8.0, 0.7, 12.0)),
    ],
)
def test_drawn_customers_give_back_the_model_they_were_drawn_from(model, draw, truth) -> None:  # type: ignore[no-untyped-def]
    given, later = draw(truth, 6000, 40.0, 30.0, seed=5)
    found = model.fit(given)
    assert found.converged
    for name, true in zip(model.PARAMETERS, truth, strict=True):
        assert abs(found.parameters[name] - true) < 4.0 * found.standard_errors[name]
    expected = model.expected_purchases(truth, 30.0, *arrays(given))
    for low, high in ((0, 0), (1, 2), (3, 9), (10, 999)):
        of_class = (given.frequency >= low) & (given.frequency <= high)
        noise = later[of_class].std() / of_class.sum() ** 0.5
        assert abs(later[of_class].mean() - expected[of_class].mean()) < 4.0 * noise


@pytest.mark.parametrize("model", [bg_nbd, pareto_nbd])
def test_extreme_histories_stay_numbers(model) -> None:  # type: ignore[no-untyped-def]
    given = histories(
        [(0, 0, 0, NOT_A_SPEND), (0, 0, 500, NOT_A_SPEND), (3000, 499, 500, 9), (3000, 5, 500, 9)]
    )
    for parameters in ((0.24, 4.41, 0.79, 2.43), (0.5, 10.0, 1.0, 10.0)):
        alive = model.probability_alive(parameters, *arrays(given))
        to_come = model.expected_purchases(parameters, 52.0, *arrays(given))
        assert ((alive >= 0) & (alive <= 1)).all()
        assert (to_come >= 0).all()
        assert np.isfinite(to_come).all()
        assert to_come[2] > 200
        assert to_come[3] < 1e-6
        assert np.isfinite(model.log_likelihood(parameters, alike(given)))


def test_expected_spend_lies_between_the_customer_and_the_base() -> None:
    parameters = (6.25, 3.74, 15.44)
    mean = gamma_gamma.mean_spend(parameters)
    given = histories([(1, 5, 30, 100.0), (50, 20, 30, 100.0), (0, 0, 30, NOT_A_SPEND), (2, 5, 30, -4.0)])
    spend = gamma_gamma.expected_spend(parameters, given.frequency, given.spend)
    assert mean < spend[0] < spend[1] < 100.0
    assert spend[2:] == pytest.approx([mean, mean])  # no repeats, or nothing paid on balance
    assert np.isnan(gamma_gamma.mean_spend((6.0, 0.9, 15.0)))


@pytest.mark.parametrize(
    ("model", "rows", "words"),
    [
        (bg_nbd, [(0, 0, 30, NOT_A_SPEND)] * 50, "nobody has bought a second time"),
        (pareto_nbd, [(0, 0, 30, NOT_A_SPEND)] * 50, "nobody has bought a second time"),
        (gamma_gamma, [(1, 5, 30, 20.0)] * 9, "fewer than 10 customers"),
        (gamma_gamma, [(2, 5, 30, 20.0)] * 40, "do not tell"),  # no spread: p runs away
        (bg_nbd, [(3, 30, 30, 20.0)] * 40, "do not tell"),
    ],
)
def test_what_cannot_be_fitted_is_said_and_not_raised(model, rows, words: str) -> None:  # type: ignore[no-untyped-def]
    found = model.fit(histories(rows))
    assert not found.converged
    assert words in found.message
    assert all(np.isnan(error) for error in found.standard_errors.values())


def test_two_hundred_thousand_customers_are_fitted() -> None:
    """Rows of 20,000 drawn customers, ten times with other ages, so that few are alike."""
    given, _ = draw_bg_nbd((0.25, 4.4, 0.8, 2.4), 20_000, 39.0, 1.0, seed=1)
    rows = [
        np.column_stack([given.frequency, given.recency, given.age + shift, given.spend])
        for shift in np.linspace(0.0, 9.0, 10)
    ]
    many = histories([tuple(row) for row in np.vstack(rows)])
    assert bg_nbd.fit(many).converged
