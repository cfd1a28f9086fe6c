"""Where a choice flips, and what knowing its effect exactly would be worth: a convex function of one number.

    value(shift)    what the best plan is worth if an option earned `shift` more per customer than estimated
    without         what it is worth without the option: value is never below that, and equal to it up to the flip

value is convex and piecewise linear, and its slope is the number of customers on the option. So each plan gives a
tangent, two tangents meet at or before the next kink, and Newton's steps between them end at the kinks themselves.

If the error of the estimate is normal with standard error s, then deciding after it is known is worth

    E[value(error)] - value(0)

more than deciding now (the plan of now earns value(0) on average, as its own worth is linear in the error): the
expected value of perfect information (Raiffa and Schlaifer 1961). Tangents bound it from below, chords from above.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

# An error beyond so many standard errors is left to the bound of the tails.
REACH = 5.0
STEPS = 40
# The value of knowing is bounded to this share of itself.
CLOSE = 0.02


@dataclass(frozen=True)
class Point:
    """The best plan at a shift: its worth, and its customers on the option (the slope)."""

    shift: float
    value: float
    slope: float

    def at(self, shift: float) -> float:
        """What this plan is worth at another shift: the tangent."""
        return self.value + self.slope * (shift - self.shift)


class Curve:
    """value(shift), asked for where it is needed and remembered; each answer is a solve."""

    def __init__(self, ask: Callable[[float], Point], start: Sequence[Point], tolerance: float) -> None:
        self._ask = ask
        self.points: dict[float, Point] = {point.shift: point for point in start}
        self.tolerance = tolerance
        self.solves = 0

    def __call__(self, shift: float) -> Point:
        """The point at a shift."""
        if shift not in self.points:
            self.points[shift] = self._ask(shift)
            self.solves += 1
        return self.points[shift]


def flip(curve: Curve, start: Point, without: float) -> float:
    """The shift up to which nobody is on the option and above which somebody is. `start` is a plan with customers on
    it, the best one at its shift or not.

    Newton's steps: where the last plan is worth no more than a plan without the option, look for a better one.
    """
    point = start
    for _ in range(STEPS):
        if point.slope <= 0.0:
            return point.shift
        shift = point.shift - (point.value - without) / point.slope
        found = curve(shift)
        if found.value <= without + curve.tolerance or found.slope <= 0.0:
            return shift
        point = found
    return point.shift


def first_change(curve: Curve, start: Point, without: float, gone: float) -> float:
    """The shift below which fewer customers are on the option than at `start`; at most those between `gone` and it."""
    low = Point(gone, without, 0.0)
    for _ in range(STEPS):
        if start.slope - low.slope <= 0.0:
            break
        shift = (low.value - low.slope * low.shift - start.value + start.slope * start.shift) / (
            start.slope - low.slope
        )
        if not gone < shift < start.shift:
            return min(max(shift, gone), start.shift)
        found = curve(shift)
        if found.value <= start.at(shift) + curve.tolerance or found.slope >= start.slope:
            return shift
        low = found
    return start.shift


def worth_of_knowing(
    curve: Curve, now: Point, without: float, gone: float, error: float, most: float, solves: int
) -> tuple[float, float]:
    """Between which two amounts of money the value of knowing the effect exactly lies; `error` is its standard error,
    `most` the most customers who can be on the option. Asks the curve at most `solves` times."""
    reach = REACH * error
    for shift in (now.shift - reach, now.shift + reach):
        if shift > gone and curve.solves < solves:
            curve(shift)
    while True:
        known = _nodes(curve, now, without, gone)
        low, high = _lower(known, error), _upper(known, now, gone, error, most)
        if high - low <= CLOSE * high or high <= curve.tolerance or curve.solves >= solves:
            return _ordered(low, high)
        widest = _widest(known, error)
        if widest is None or widest in curve.points:
            return _ordered(low, high)
        curve(widest)


def _ordered(low: float, high: float) -> tuple[float, float]:
    """The two bounds without what rounding makes of them."""
    high = max(0.0, high)
    return min(max(0.0, low), high), high


def _nodes(curve: Curve, now: Point, without: float, gone: float) -> list[Point]:
    """What is known, by shift and less the plan of now (whose worth is linear, so that it cancels out of the mean)."""
    points = {**curve.points, now.shift: now}
    # Up to the flip nobody is on the option.
    points = {shift: point for shift, point in points.items() if shift > gone}
    points[gone] = Point(gone, without, 0.0)
    return [
        Point(point.shift, point.value - now.at(point.shift), point.slope - now.slope)
        for _, point in sorted(points.items())
    ]


def _lower(known: Sequence[Point], error: float) -> float:
    """The mean of the largest tangent."""
    pieces: list[tuple[float, Point]] = []
    for point in sorted(known, key=lambda each: (each.slope, each.at(0.0))):
        while pieces:
            start, last = pieces[-1]
            if point.slope - last.slope > 1e-12 * max(1.0, abs(last.slope)):
                meet = (last.at(0.0) - point.at(0.0)) / (point.slope - last.slope)
                if meet > start:
                    pieces.append((meet, point))
                    break
            elif point.at(0.0) <= last.at(0.0):
                break
            pieces.pop()
        if not pieces:
            pieces.append((-math.inf, point))
    ends = [start for start, _ in pieces[1:]] + [math.inf]
    return sum(_mean(point, start, end, error) for (start, point), end in zip(pieces, ends, strict=True))


def _upper(known: Sequence[Point], now: Point, gone: float, error: float, most: float) -> float:
    """The mean of the chords between what is known; to the left no plan has fewer customers than none, to the right
    none has more than `most`."""
    first, last = known[0], known[-1]
    left = Point(first.shift, first.value, -now.slope)
    right = Point(last.shift, last.value, max(most - now.slope, last.slope))
    total = _mean(left, -math.inf, first.shift, error) + _mean(right, last.shift, math.inf, error)
    for one, other in _pairs(known):
        slope = (other.value - one.value) / (other.shift - one.shift)
        total += _mean(Point(one.shift, one.value, slope), one.shift, other.shift, error)
    return total


def _widest(known: Sequence[Point], error: float) -> float | None:
    """Where chords and tangents are farthest apart, weighed by how probable that is."""
    best, place = 0.0, None
    for one, other in _pairs(known):
        if other.slope - one.slope <= 1e-12:
            continue
        meet = (one.at(0.0) - other.at(0.0)) / (other.slope - one.slope)
        if not one.shift < meet < other.shift:
            continue
        chord = one.value + (other.value - one.value) * (meet - one.shift) / (other.shift - one.shift)
        gap = (chord - one.at(meet)) * (_below(other.shift / error) - _below(one.shift / error))
        if gap > best:
            best, place = gap, meet
    return place


def _pairs(known: Sequence[Point]) -> Iterable[tuple[Point, Point]]:
    return pairwise(known)


def _mean(line: Point, start: float, end: float, error: float) -> float:
    """The part of the mean of a line that lies between two shifts, under a normal error."""
    if start >= end:
        return 0.0
    low, high = start / error, end / error
    share = _below(high) - _below(low)
    return line.at(0.0) * share + line.slope * error * (_density(low) - _density(high))


def _below(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def _density(z: float) -> float:
    return 0.0 if math.isinf(z) else math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
