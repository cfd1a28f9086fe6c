"""Maximum likelihood where the answer is known, and where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cpm_opt.estimates.value.likelihood import hessian, maximise


def test_the_mean_and_its_error_of_exponential_times() -> None:
    times = [1.0, 2.5, 0.3, 7.0, 4.2]
    found = maximise(
        "exponential", ("rate",), lambda v: sum(math.log(v[0]) - v[0] * t for t in times), (9.0,), 5
    )
    rate = 5 / sum(times)
    assert found.converged
    assert found.parameters["rate"] == pytest.approx(rate, rel=1e-6)
    assert found.standard_errors["rate"] == pytest.approx(rate / 5**0.5, rel=1e-4)
    assert found.log_likelihood == pytest.approx(5 * math.log(rate) - 5)


@pytest.mark.parametrize(
    ("log_likelihood", "words"),
    [
        (lambda v: float("nan"), "not a number"),
        (lambda v: -((math.log(v[0] * v[1]) - 1.0) ** 2), "flat at its maximum"),
        (lambda v: -1.0 / v[0] - (v[1] - 1.0) ** 2, "zero or infinity"),
    ],
)
def test_no_maximum_is_a_statement(log_likelihood, words: str) -> None:  # type: ignore[no-untyped-def]
    found = maximise("none", ("a", "b"), log_likelihood, (2.0, 2.0), 1)
    assert not found.converged
    assert words in found.message
    assert all(math.isnan(error) for error in found.standard_errors.values())
    assert found.as_dict()["converged"] is False


def test_second_derivatives() -> None:
    curvature = np.array([[3.0, 1.0], [1.0, 2.0]])
    point = np.array([0.4, -0.2])
    assert hessian(lambda x: float(0.5 * x @ curvature @ x + x.sum()), point) == pytest.approx(
        curvature, abs=1e-6
    )
