"""Effort with falling returns (spend, calls): a concave curve fitted, and cut into options at breakpoints.

In: observations of effort and what it brought. Out: `EffortFit`, and `Cut`s of its curve: a lever of choice `mix`
whose options are the breakpoints plans with the chords between them, so the model stays linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cpm_opt.faults import Fault, InputError

Numbers = NDArray[np.float64]
Form = Literal["log", "power", "hill"]

FORMS: tuple[Form, ...] = ("log", "power", "hill")
GRID = 400  # points between two breakpoints on which the widest gap is looked for
EDGE = 1e-6
NEAR = 0.05


@dataclass(frozen=True)
class EffortFit:
    """`level + gain(effort)`, concave, with gain(0) = 0; `values` are level, scale, shape, `covariance[3, 3]` theirs.

        log     gain = scale ln(1 + effort / shape)              shape above 0
        power   gain = scale effort^shape                        shape between 0 and 1
        hill    gain = scale effort / (shape + effort)           shape above 0: the effort that brings half of scale

    `n` observations with efforts from `low` to `high`; `residual` is their standard deviation about the curve.
    Errors rest on so many `clusters` (0: none).
    """

    form: Form
    values: Numbers
    n: int
    low: float
    high: float
    residual: float
    covariance: Numbers = field(repr=False)
    clusters: int = 0

    @property
    def errors(self) -> Numbers:
        """Standard errors of level, scale and shape."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def log_likelihood(self) -> float:
        """Of normal residuals about the curve, at its maximum."""
        mean_square = self.residual**2 * (self.n - 3) / self.n
        return float(-0.5 * self.n * (np.log(2.0 * np.pi * mean_square) + 1.0)) if mean_square else np.nan

    def gain(self, effort: Numbers) -> Numbers:
        """What `effort` brings beyond none."""
        return _gain(self.form, effort, float(self.values[1]), float(self.values[2]))

    def nearly_seen(self, effort: float) -> float:
        """`effort`, or the least one that was seen where the curve hardly rises from the one to the other: by less than
        a twentieth of what it rises over all efforts seen."""
        at, low, high = self.gain(np.array([effort, self.low, self.high])).tolist()
        return self.low if 0.0 <= low - at < NEAR * (high - low) else effort

    def band(self, effort: Numbers) -> Numbers:
        """Standard error of `gain`, by the delta method."""
        return self.difference(effort, 0.0)[1]

    def difference(self, effort: Numbers, base: float) -> tuple[Numbers, Numbers]:
        """`gain(effort) - gain(base)` and its standard error, by the delta method."""
        scale, shape = float(self.values[1]), float(self.values[2])
        width = 1e-6 * shape
        both = np.append(effort, base)
        by_scale = _gain(self.form, both, 1.0, shape)
        ahead, behind = (_gain(self.form, both, scale, shape + side * width) for side in (1, -1))
        slope = np.stack([by_scale, (ahead - behind) / (2.0 * width)])
        slope = slope[:, :-1] - slope[:, -1:]
        gain = self.gain(both)
        error = np.sqrt(np.einsum("ip,ij,jp->p", slope, self.covariance[1:, 1:], slope))
        return np.asarray(gain[:-1] - gain[-1], dtype=np.float64), np.asarray(error, dtype=np.float64)

    def slope(self, effort: Numbers) -> Numbers:
        """What one more unit of effort brings; infinite for `power` at 0."""
        scale, shape = float(self.values[1]), float(self.values[2])
        if self.form == "log":
            return scale / (shape + effort)
        if self.form == "hill":
            return scale * shape / (shape + effort) ** 2
        with np.errstate(divide="ignore"):
            return np.asarray(scale * shape * effort ** (shape - 1.0), dtype=np.float64)


def fit_effort(
    effort: Numbers, outcome: Numbers, form: Form, cluster: NDArray[np.object_] | None = None
) -> EffortFit:
    """Least squares of `outcome[n]` on the curve of that form (scipy's trust-region search within the shape's bounds).

    The covariance is the usual one of nonlinear least squares, residual variance times (J'J)^-1; with the names
    `cluster[n]` it is the sandwich of scores summed within clusters, times G / (G - 1). Raises InputError with fewer
    than five observations or three efforts, and where the data show no falling returns: the shape runs to its
    bound, or the scale is not above 0. So it does where no effort of 0 was observed and shape 0 is within one standard
    error, by sums of squares: there each form rises from effort 0 without bound (log and power are a line in ln effort,
    hill one in 1 / effort), so nothing limits what effort brings.
    """
    from scipy.optimize import least_squares  # type: ignore[import-untyped]

    if len(effort) < 5 or len(np.unique(effort)) < 3 or effort.min() < 0:
        raise _fault(
            "needs five observations at three efforts of 0 or more", "give more observations", "too_few"
        )
    top = float(effort.max())
    low, high = (EDGE, 1.0) if form == "power" else (EDGE * top, 1e3 * top)

    def rest(values: Numbers) -> Numbers:
        return np.asarray(values[0] + _gain(form, effort, values[1], values[2]) - outcome, dtype=np.float64)

    best = None
    for start in (0.3, 0.6) if form == "power" else (0.1 * top, top):
        begin = [float(outcome.min()), float(np.ptp(outcome)) or 1.0, start]
        bounds = ([-np.inf, -np.inf, low], [np.inf, np.inf, high])
        found = least_squares(rest, begin, bounds=bounds, x_scale="jac", xtol=1e-14, ftol=1e-14, gtol=1e-14)
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    values = np.asarray(best.x, dtype=np.float64)
    if np.ptp(outcome) == 0.0 or values[1] <= 0 or values[2] <= low * 1.01 or values[2] >= high * 0.99:
        raise _fault(
            f"show no falling returns of the form {form}",
            "try another form, or state the options",
            "no_curve",
        )
    freedom = len(effort) - 3
    variance = 2.0 * float(best.cost) / freedom
    inverse = np.linalg.inv(best.jac.T @ best.jac)
    covariance, groups = variance * inverse, 0
    if cluster is not None:
        _, codes = np.unique(cluster.astype(str), return_inverse=True)
        groups = int(codes.max()) + 1
        if groups <= 3:  # as many as parameters: the sandwich would say that nothing is in doubt
            message = f"stand in {groups} clusters, too few to tell how clusters differ"
            raise _fault(message, "name finer clusters, or leave column cluster blank", "few_clusters")
        scores = np.zeros((groups, 3))
        np.add.at(scores, codes.reshape(-1), best.jac * rest(values)[:, None])
        covariance = inverse @ (scores.T @ scores) @ inverse * groups / (groups - 1)
    wider = max(1.0, float(covariance[2, 2]) / (variance * float(inverse[2, 2])))  # by clusters
    _refuse_unbounded(form, effort, outcome, 2.0 * float(best.cost) + variance * wider)
    spread = float(np.sqrt(variance))
    return EffortFit(
        form, values, len(effort), float(effort.min()), top, spread, np.asarray(covariance), groups
    )


def _refuse_unbounded(form: Form, effort: Numbers, outcome: Numbers, most: float) -> None:
    """Raises InputError where the curve of shape 0, which has no figure at effort 0, leaves a sum of squares of `most`
    or less."""
    if effort.min() <= 0.0:
        return
    x = np.column_stack([np.ones(len(effort)), 1.0 / effort if form == "hill" else np.log(effort)])
    if float(((outcome - x @ np.linalg.lstsq(x, outcome, rcond=None)[0]) ** 2).sum()) <= most:
        message = (
            f"do not tell what the first effort brings: a {form} curve that rises without bound fits them too"
        )
        raise _fault(message, "add observations at lower efforts, best at 0, or try another form", "no_curve")


@dataclass(frozen=True)
class Cut:
    """A curve cut at `breakpoints[P]` (the first is 0): `gains[P]` there are the options' effects.

    Between breakpoints the plan moves along chords, the inner envelope, which is never above the curve: `inner_gap` is
    the most that the curve lies above it. `outer_gap` is the most that the tangents at the breakpoints, the outer
    envelope, lie above the chords: what cutting can cost, at the most, in the unit of the outcome and per customer.
    """

    breakpoints: tuple[float, ...]
    gains: tuple[float, ...]
    inner_gap: float
    outer_gap: float


def cut(fit: EffortFit, breakpoints: Sequence[float]) -> Cut:
    """The curve at rising `breakpoints`, 0 the first. Raises ValueError where they do not rise from 0."""
    points = np.asarray(breakpoints, dtype=np.float64)
    if len(points) < 2 or points[0] != 0.0 or (np.diff(points) <= 0).any():
        raise ValueError("breakpoints have to rise from 0")
    inner, outer = envelope_gaps(fit, points)
    return Cut(tuple(points.tolist()), tuple(fit.gain(points).tolist()), inner, outer)


def envelope_gaps(fit: EffortFit, points: Numbers) -> tuple[float, float]:
    """`inner_gap` and `outer_gap` (see `Cut`) between rising `points`, of which the first need not be 0."""
    gains = fit.gain(points)
    inner = outer = 0.0
    for left, right, low, high in zip(points, points[1:], gains, gains[1:], strict=False):
        x = np.linspace(left, right, GRID + 1)
        chord = low + (high - low) * (x - left) / (right - left)
        from_right = high + float(fit.slope(np.array([right]))[0]) * (x - right)
        steep = float(fit.slope(np.array([left]))[0])
        from_left = low + steep * (x - left) if np.isfinite(steep) else np.full(len(x), np.inf)
        inner = max(inner, float((fit.gain(x) - chord).max()))
        outer = max(outer, float((np.minimum(from_left, from_right) - chord).max()))
    return inner, outer


def _gain(form: Form, effort: Numbers, scale: float, shape: float) -> Numbers:
    if form == "log":
        return np.asarray(scale * np.log1p(effort / shape), dtype=np.float64)
    if form == "hill":
        return np.asarray(scale * effort / (shape + effort), dtype=np.float64)
    return np.asarray(scale * effort**shape, dtype=np.float64)


def _fault(message: str, remedy: str, code: str) -> InputError:
    return InputError([Fault("efforts", f"the observations {message}", remedy, code=code)])
