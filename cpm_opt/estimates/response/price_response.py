"""What a change of price does to volume, margin and churn: exactly, on the true curve.

In: a curve and price steps (fractions of today's price). Out: `PriceStep`s. No curve is linearised: each step is
evaluated where it stands. docs/response.md has the formulas with a worked example.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol


class Curve(Protocol):
    """Volume against price, both over today's: `volume(0.0) == 1.0`."""

    def volume(self, step: float) -> float:
        """Volume over today's at the price 1 + `step` of today's; never negative."""


@dataclass(frozen=True)
class ConstantElasticity:
    """volume = (1 + step)^elasticity. `se` is the elasticity's standard error, 0 where it is stated."""

    elasticity: float
    se: float = 0.0

    def volume(self, step: float) -> float:
        """See the class."""
        return float(_price(step) ** self.elasticity)


@dataclass(frozen=True)
class LinearDemand:
    """volume = 1 + elasticity x step, and 0 from where that is negative; `elasticity` is that at today's price."""

    elasticity: float
    se: float = 0.0

    def volume(self, step: float) -> float:
        """See the class."""
        return max(0.0, 1.0 + self.elasticity * (_price(step) - 1.0))


@dataclass(frozen=True)
class LogitDemand:
    """Of everybody, a share buys: share(step) = 1 / (1 + exp(-(ln(share / (1 - share)) + slope x step))).

    `share` is today's, between 0 and 1; `slope` the change of the log-odds by 100 % of today's price, with its `se`.
    The elasticity at today's price is slope x (1 - share).
    """

    share: float
    slope: float
    se: float = 0.0

    def __post_init__(self) -> None:
        _share(self.share)

    def volume(self, step: float) -> float:
        """See the class."""
        _price(step)
        return shifted_rate(self.share, self.slope * step) / self.share


@dataclass(frozen=True)
class MultinomialLogitDemand:
    """One of several offers is chosen: share_k(step) = share_k exp(u_k) / sum_j share_j exp(u_j).

    `shares` are today's, above 0, of all choices (buying nothing is one of them) and add to 1; the price of choice
    `own` moves: u_own = slope x step, the others' u is 0. So whom a price drives away goes to the others in
    proportion to their shares. `slope` is the change of utility by 100 % of today's price, with its `se`.
    """

    shares: tuple[float, ...]
    own: int
    slope: float
    se: float = 0.0

    def __post_init__(self) -> None:
        if any(share <= 0 for share in self.shares) or abs(sum(self.shares) - 1.0) > 1e-9:
            raise ValueError("shares have to be above 0 and add to 1")
        if not 0 <= self.own < len(self.shares):
            raise ValueError("own has to be the position of one of the shares")

    def volume(self, step: float) -> float:
        """See the class."""
        return self.after(step)[self.own] / self.shares[self.own]

    def after(self, step: float) -> tuple[float, ...]:
        """All shares at the price 1 + `step`."""
        _price(step)
        pull = [share * (math.exp(self.slope * step) if k == self.own else 1.0)
                for k, share in enumerate(self.shares)]  # fmt: skip
        return tuple(value / sum(pull) for value in pull)


@dataclass(frozen=True)
class PointsDemand:
    """A table of points (step, volume over today's), straight between them; 0 has to be among the steps, with 1.

    Steps rise. Beyond the first and the last nothing is known: a step there raises ValueError.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        steps = [step for step, _ in self.points]
        if any(later <= earlier for earlier, later in pairwise(steps)):
            raise ValueError("the steps of a table of points have to rise")
        if (0.0, 1.0) not in self.points or any(volume < 0 for _, volume in self.points):
            raise ValueError("a table of points needs step 0 with volume 1, and no negative volume")

    def volume(self, step: float) -> float:
        """See the class."""
        if not self.points[0][0] <= step <= self.points[-1][0]:
            raise ValueError(
                f"step {step:g} is outside the points, {self.points[0][0]:g} to {self.points[-1][0]:g}"
            )
        for (left, low), (right, high) in pairwise(self.points):
            if left <= step <= right:
                return low + (high - low) * (step - left) / (right - left)
        return 1.0  # a single point, step 0


@dataclass(frozen=True)
class PriceStep:
    """What one price step does, per customer and period, all against today.

    `volume` and `revenue`, `margin` are changes: of volume as a fraction of today's, of revenue and margin in money;
    `margin_se` the standard error of the latter, from the curve's own; `churn` the change of the rate of leaving.
    `break_even` is the change of volume (a fraction, negative for a rise) at which margin would stay as it is; nan
    where a price below the unit's cost loses on every unit.
    """

    step: float
    volume: float
    revenue: float
    margin: float
    margin_se: float
    churn: float
    break_even: float


@dataclass(frozen=True)
class Product:
    """What a customer brings today per period: `revenue` (above 0) at today's price, of which `gross_margin` (a
    fraction) is left after cost that varies with volume; `churn`, the rate of leaving, and `churn_slope`, the change
    of its log-odds by 100 % of today's price (0: churn does not answer to the price)."""

    revenue: float
    gross_margin: float
    churn: float = 0.0
    churn_slope: float = 0.0

    def __post_init__(self) -> None:
        if self.revenue <= 0 or self.gross_margin > 1:
            raise ValueError("revenue has to be above 0, and gross_margin a fraction of at most 1")
        if not 0 <= self.churn <= 1:
            raise ValueError("churn has to be a fraction between 0 and 1")


def price_steps(curve: Curve, product: Product, steps: Sequence[float]) -> tuple[PriceStep, ...]:
    """What each of `steps` (fractions of today's price, above -1) does.

    revenue = R ((1 + p) v(p) - 1)
    margin  = R ((g + p) v(p) - g)           p the step, v the curve, R revenue, g gross margin
    churn   = logistic(logit(churn) + churn_slope p) - churn
    """
    return tuple(_one(curve, product, step) for step in steps)


def step_from_base(change: float, base: float) -> float:
    """A price as a fraction of the one of the lever's base, less 1, where `change` and `base` are their price_change.

    (1 + change) / (1 + base) - 1; nan where the base costs nothing, so that no other price is a fraction of it.
    """
    return (change - base) / (1.0 + base) if base > -1.0 else math.nan


def break_even_volume(step: float, gross_margin: float) -> float:
    """By how much volume may change, as a fraction, before a price step loses money: -p / (p + g).

    Negative for a rise (so far it may fall), positive for a cut (so much it has to grow); nan where p + g <= 0.
    """
    return -step / (step + gross_margin) if step + gross_margin > 0 else math.nan


def shifted_rate(rate: float, shift: float) -> float:
    """A rate whose log-odds move by `shift`; 0 and 1 stay."""
    if rate <= 0.0 or rate >= 1.0:
        return rate
    index = math.log(rate / (1.0 - rate)) + shift
    return 1.0 / (1.0 + math.exp(-index)) if index > -700 else 0.0


def _one(curve: Curve, product: Product, step: float) -> PriceStep:
    volume = curve.volume(step)
    spread = volume_error(curve, step)
    return PriceStep(
        step=step,
        volume=volume - 1.0,
        revenue=product.revenue * ((1.0 + step) * volume - 1.0),
        margin=product.revenue * ((product.gross_margin + step) * volume - product.gross_margin),
        margin_se=product.revenue * abs(product.gross_margin + step) * spread,
        churn=shifted_rate(product.churn, product.churn_slope * step) - product.churn,
        break_even=break_even_volume(step, product.gross_margin),
    )


def volume_error(curve: Curve, step: float) -> float:
    """Standard error of the volume, by the delta method: the slope by the curve's one parameter, times its error."""
    error = getattr(curve, "se", 0.0)
    if error <= 0.0:
        return 0.0
    name = "elasticity" if hasattr(curve, "elasticity") else "slope"
    value, width = getattr(curve, name), 1e-4 * error
    ahead = replace(curve, **{name: value + width})  # type: ignore[type-var]
    behind = replace(curve, **{name: value - width})  # type: ignore[type-var]
    return abs(ahead.volume(step) - behind.volume(step)) / (2.0 * width) * error


def _price(step: float) -> float:
    if step <= -1.0:
        raise ValueError(f"step {step:g} leaves no price; steps are fractions above -1")
    return 1.0 + step


def _share(share: float) -> None:
    if not 0.0 < share < 1.0:
        raise ValueError("a share has to be between 0 and 1")
