"""Whether alternatives win from each other in proportion to their shares, as a logit says: near doubles do not.

In: the fit of table choices. Out: `Double`s, pairs of alternatives that are more alike than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.choices import ChoiceFit

Numbers = NDArray[np.float64]

NOTHING = 1e-9  # of the squares of a score, that the parameters leave of it
LEVEL = 0.01  # of all pairs together, so that about one in a hundred sound tables is doubted


@dataclass(frozen=True)
class Double:
    """`alternatives` that are chosen as if they were nearly one thing: `z`, standard normal if they were not, and the
    `p` of one that is as large."""

    alternatives: tuple[str, str]
    z: float
    p: float


def doubles(fit: ChoiceFit) -> tuple[Double, ...]:
    """McFadden's test (1987, "Regression-based specification tests for the multinomial logit model", Journal of
    Econometrics 34(1-2)) of each pair A of alternatives against a nest of the two: the score, given the fit's
    parameters, of

        x_ia = V_ia - sum_{k in A} P(k | A) V_ik   in A, 0 elsewhere

    A positive score is that of a nest in which the two are more alike than others. Its error is the sandwich over
    choices (or clusters). Told where p is below 0.01 over the number of pairs; the most striking first.
    """
    from scipy.stats import norm  # type: ignore[import-untyped]

    names = fit.design.alternatives
    pairs = list(combinations(range(len(names)), 2)) if len(names) > 2 else []
    told = []
    for pair in pairs:
        z = _score(fit, pair)
        p = float(norm.sf(z))
        if p < LEVEL / len(pairs):
            told.append(Double((names[pair[0]], names[pair[1]]), z, p))
    return tuple(sorted(told, key=lambda double: (-double.z, double.alternatives)))


def _score(fit: ChoiceFit, pair: tuple[int, int]) -> float:
    """The score of a nest of the pair over its error."""
    d = fit.design
    within = np.isin(d.alternative, pair)
    # Of a choice that lacks one of the two nothing is told.
    within &= (np.add.reduceat(within.astype(np.float64), d.begins) == len(pair))[d.of_choice]
    if not within.any():
        return 0.0
    chance = fit.chances()
    utility = d.x @ fit.values
    total = np.add.reduceat(np.where(within, chance, 0.0), d.begins)[d.of_choice]
    inner = np.where(within, chance / np.where(total > 0.0, total, 1.0), 0.0)
    mean = np.add.reduceat(inner * utility, d.begins)[d.of_choice]
    x = np.where(within, utility - mean, 0.0)
    apart = x - np.add.reduceat(chance * x, d.begins)[d.of_choice]
    # What the parameters take of it, being fitted to the same choices.
    taken = (apart * chance * d.weight[d.of_choice]) @ d.x
    own = d.summed(apart)
    moved = own - fit.influence() @ taken
    error, whole = float((moved**2).sum()), float((own**2).sum())
    # Of alternatives whose prices never move, x is a sum of constants: nothing is left to be judged by.
    return float(d.chosen @ apart) / float(np.sqrt(error)) if error > NOTHING * whole else 0.0
