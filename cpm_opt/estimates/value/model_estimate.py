"""What a fit hands on: `ModelEstimate`, and the doubts that go with it: `Lint`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# Standard errors to either side of a 95 % interval of a normal distribution.
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Lint:
    """One doubt about data or an estimate, with a stable `code`; `table` and `column` say where it comes from, and
    where it is one cell, `row` (its line) and `value`. The remedy goes with the code; see `doubts.as_warning`."""

    code: str
    table: str
    column: str
    message: str
    row: int | None = None
    value: str | None = None


@dataclass(frozen=True)
class ModelEstimate:
    """One model, fitted by maximum likelihood.

    `parameters` by name and their `standard_errors` (from the curvature of the log-likelihood at its maximum),
    `log_likelihood`, `n` observations (customers), `converged`; where it did not converge, `message` says why and
    the numbers that have no meaning are nan. `log_covariance[K, K]` is the covariance of the logarithms of the
    parameters, in their order: every parameter is positive, so that is where the errors are nearest to normal.
    """

    name: str
    parameters: Mapping[str, float]
    standard_errors: Mapping[str, float]
    log_likelihood: float
    n: int
    converged: bool
    message: str = ""
    log_covariance: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)), repr=False)

    @property
    def values(self) -> tuple[float, ...]:
        """The parameters in their order."""
        return tuple(self.parameters.values())

    def as_dict(self) -> dict[str, object]:
        """JSON-ready fields: name, parameters, standard_errors, log_likelihood, n, converged, message."""
        return {
            "name": self.name,
            "parameters": dict(self.parameters),
            "standard_errors": dict(self.standard_errors),
            "log_likelihood": self.log_likelihood,
            "n": self.n,
            "converged": self.converged,
            "message": self.message,
        }


def no_estimate(name: str, parameters: tuple[str, ...], n: int, message: str) -> ModelEstimate:
    """A model that could not be fitted: every number is nan, and `message` says why."""
    nothing = dict.fromkeys(parameters, float("nan"))
    return ModelEstimate(name, nothing, dict(nothing), float("nan"), n, False, message)
