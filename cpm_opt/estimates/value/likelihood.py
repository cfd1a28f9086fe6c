"""Maximum likelihood of models whose parameters are all positive.

In: a log-likelihood and a start. Out: `ModelEstimate`. The search runs over the logarithms of the parameters (BFGS, and
Nelder and Mead's simplex from several starts where it fails); standard errors come from the numerical Hessian there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.value.model_estimate import ModelEstimate, no_estimate

Numbers = NDArray[np.float64]
LogLikelihood = Callable[[Sequence[float]], float]

EDGE = (
    11.5  # logarithms of parameters beyond this (1e5, or 1e-5) mean that the likelihood has no maximum inside
)
STEP = 1e-3
STEEPEST = 1e-4  # of the mean log-likelihood by the logarithm of a parameter, where the search has ended
WORTHLESS = 1e6


def maximise(
    name: str,
    parameters: tuple[str, ...],
    log_likelihood: LogLikelihood,
    start: Sequence[float],
    n: int,
) -> ModelEstimate:
    """The parameters that make `log_likelihood(values)` largest, from `start`, on `n` observations. Never raises.

    A value that is not finite counts as worthless. The estimate has converged when the slope has vanished, no
    parameter ran away to zero or infinity, and the curvature there is that of a maximum; else its message says which
    of these failed, and its standard errors are nan.
    """

    def cost(logs: Numbers) -> float:
        if np.abs(logs).max() > 2.0 * EDGE:
            return WORTHLESS
        with np.errstate(all="ignore"):
            value = log_likelihood(np.exp(logs).tolist())
        return float(-value / n) if np.isfinite(value) else WORTHLESS

    logs = _search(cost, np.log(np.asarray(start, dtype=float)))
    if logs is None:
        return no_estimate(name, parameters, n, "the likelihood is not a number anywhere near the start")
    covariance, message = _covariance(cost, logs, n)
    values = np.exp(logs)
    errors = values * np.sqrt(np.diag(covariance))
    return ModelEstimate(
        name=name,
        parameters=dict(zip(parameters, values.tolist(), strict=True)),
        standard_errors=dict(zip(parameters, errors.tolist(), strict=True)),
        log_likelihood=-cost(logs) * n,
        n=n,
        converged=not message,
        message=message,
        log_covariance=covariance,
    )


def _search(cost: Callable[[Numbers], float], start: Numbers) -> Numbers | None:
    """The best point found, None where the cost is worthless everywhere that was tried."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    best: Numbers | None = None
    lowest = WORTHLESS
    for shift in (0.0, 1.0, -1.0):
        begin = start + shift
        if cost(begin) >= WORTHLESS:
            continue
        found = minimize(cost, begin, method="BFGS", options={"gtol": 1e-7})
        if _slope(cost, found.x) > STEEPEST:
            simplex = minimize(cost, found.x, method="Nelder-Mead", options={"maxiter": 2000, "fatol": 1e-12})
            found = minimize(cost, simplex.x, method="BFGS", options={"gtol": 1e-7})
        if found.fun < lowest:
            best, lowest = np.asarray(found.x, dtype=float), float(found.fun)
        if best is not None and _slope(cost, best) <= STEEPEST:
            break
    return best


def _slope(cost: Callable[[Numbers], float], logs: Numbers) -> float:
    """The steepest slope of the cost by any one logarithm."""
    steps = np.eye(len(logs)) * STEP
    return float(max(abs(cost(logs + step) - cost(logs - step)) for step in steps) / (2.0 * STEP))


def _covariance(cost: Callable[[Numbers], float], logs: Numbers, n: int) -> tuple[Numbers, str]:
    """Covariance of the logarithms, and what is wrong with the maximum ("" where it is one; else the covariance is
    nan)."""
    size = len(logs)
    unknown = np.full((size, size), np.nan)
    if np.abs(logs).max() >= EDGE:
        return unknown, "a parameter runs to zero or infinity: the data do not tell it"
    if _slope(cost, logs) > STEEPEST:
        return unknown, "the search ended before a maximum was reached"
    curvature = hessian(cost, logs) * n
    spectrum = np.linalg.eigvalsh(curvature) if np.isfinite(curvature).all() else np.array([-1.0])
    if spectrum[0] <= 1e-9 * spectrum[-1]:
        return unknown, "the likelihood is flat at its maximum: the data do not tell the parameters apart"
    return np.linalg.inv(curvature).astype(np.float64), ""


def hessian(function: Callable[[Numbers], float], point: Numbers, step: float = STEP) -> Numbers:
    """Second derivatives `[K, K]` by central differences."""
    size = len(point)
    here = function(point)
    shifts = np.eye(size) * step
    ahead = np.array([function(point + shift) for shift in shifts])
    behind = np.array([function(point - shift) for shift in shifts])
    second = np.diag(ahead + behind - 2.0 * here)
    for row in range(size):
        for column in range(row):
            both = function(point + shifts[row] + shifts[column]) + function(
                point - shifts[row] - shifts[column]
            )
            second[row, column] = second[column, row] = 0.5 * (
                both - ahead[row] - behind[row] - ahead[column] - behind[column] + 2.0 * here
            )
    return second / step**2
