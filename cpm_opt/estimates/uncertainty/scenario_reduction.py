"""Many draws of an uncertain future, reduced to a few with weights.

In: draws as points. Out: which of them are kept, and how probable each is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def reduce_draws(points: Numbers, count: int) -> tuple[NDArray[np.int64], Numbers]:
    """Positions `[count]` of the kept rows of `points[N, D]`, and their probabilities, which add to 1.

    Fast forward selection (Heitsch and Roemisch 2003, "Scenario reduction algorithms in stochastic programming",
    Computational Optimization and Applications 24): draw after draw, the one is kept that brings the sum of the
    others' distances to their nearest kept draw down most; then each draw gives its 1/N to its nearest kept one.
    Distances are Euclidean, so the columns of `points` have to be on one scale, money say. Ties go to the first draw.
    """
    total = len(points)
    if not 1 <= count <= total:
        raise ValueError(f"{count} of {total} draws cannot be kept")
    squares = (points**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2.0 * points @ points.T, 0.0))
    np.fill_diagonal(distance, 0.0)
    nearest = np.full(total, np.inf)
    kept: list[int] = []
    for _ in range(count):
        left = np.minimum(nearest[:, None], distance).sum(axis=0)
        left[kept] = np.inf
        kept.append(int(np.argmin(left)))
        nearest = np.minimum(nearest, distance[:, kept[-1]])
    chosen = np.array(kept, dtype=np.int64)
    goes_to = distance[:, chosen].argmin(axis=1)
    return chosen, np.bincount(goes_to, minlength=count) / total
