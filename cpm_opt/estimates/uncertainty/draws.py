"""Draws of estimates as factors on planning tables: what goes into scenarios.

In: parameters with their joint covariance. Out: `Draws`; each row multiplies one cell, or some, of a planning table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

NOTHING = 1e-9  # what is nearer to 0 than this is 0 in a table, and no factor changes it
KEYS = ("target", "segment", "lever", "option", "resource")


@dataclass(frozen=True)
class Draws:
    """`keys[R]` of table scenarios and `factors[N, R]` of N draws. `money[N, M]`: what a draw makes of the plan's
    figures, in money a period, by which draws are compared. `lost` names what no factor can reach, because its
    estimate is 0; `missed` is what factors cannot make of the draws, root mean square, in the unit of the table;
    `uneven` tells of segments whose moves one factor cannot serve alike."""

    keys: tuple[Mapping[str, str], ...]
    factors: Numbers
    money: Numbers
    lost: tuple[str, ...] = ()
    missed: float = 0.0
    uneven: tuple[str, ...] = ()

    def only(self, which: NDArray[np.bool_]) -> Draws:
        """Those of the draws."""
        return replace(self, factors=self.factors[which], money=self.money[which])


def normal_draws(values: Numbers, covariance: Numbers, count: int, seed: tuple[int, ...]) -> Numbers:
    """`[count, K]` draws from the joint normal distribution; seeds of different estimates differ, so that these are
    independent."""
    # The symmetric root is unique, where a root by factors differs with the signs that a library gives them.
    spectrum, axes = np.linalg.eigh(covariance)
    root = (axes * np.sqrt(np.maximum(spectrum, 0.0))) @ axes.T
    normal = np.random.default_rng(seed).standard_normal((count, len(values)))
    return np.asarray(values + normal @ root, dtype=np.float64)


def factors(then: Numbers, now: Numbers) -> tuple[Numbers, float]:
    """`[N]`: the factor that brings `now[C]` nearest to each of `then[N, C]` (least squares), and what it misses
    (root mean square).

    With one cell it is then / now, so the draw itself, whatever its sign and however small the estimate; with several
    cells under one key (`migration_effects` has no key for where a move leads, or when) it is then . now / now . now.
    """
    factor = then @ now / (now @ now)
    missed = float(np.sqrt(np.mean((then - factor[:, None] * now) ** 2)))
    return np.asarray(factor, dtype=np.float64), missed


def key(
    target: str, segment: str = "", lever: str = "", option: str = "", resource: str = ""
) -> dict[str, str]:
    """The keys of one row of table scenarios."""
    return dict(zip(KEYS, (target, segment, lever, option, resource), strict=True))


def joined(parts: tuple[Draws, ...]) -> Draws:
    """Draws of several estimates, side by side."""
    return Draws(
        keys=tuple(row for part in parts for row in part.keys),
        factors=np.hstack([part.factors for part in parts]),
        money=np.hstack([part.money for part in parts]),
        lost=tuple(name for part in parts for name in part.lost),
        missed=max((part.missed for part in parts), default=0.0),
        uneven=tuple(text for part in parts for text in part.uneven),
    )
