"""Where a likelihood has no maximum, for something tells perfectly what is answered; and where a search for one ends.

In: columns of a design and answers. Out: InputError, or how little answers bound each parameter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.explanatory import Terms
from cpm_opt.faults import Fault, InputError, shown

Numbers = NDArray[np.float64]

LOOSE = 5.0  # of `looseness`: data with an answer never come near it


def looseness(x: Numbers, information: Numbers) -> Numbers:
    """How little the answers bound each parameter of a curve of 0 and 1, `[K]`: above LOOSE it grows for ever, and only
    the search stops, for some column tells perfectly what is answered.

    It is the error of the parameter of a column whose part beside the others is of size 1, sqrt(I^kk / (n X^kk)), I^kk
    and X^kk the diagonals of the inverse information and of (x'x)^-1; that is 1 / sqrt(n w), w the mean of P (1 - P)
    where the data tell of the parameter.
    """
    size = np.sqrt(np.diag(information))
    if (size == 0.0).any():
        return np.where(size == 0.0, np.inf, 0.0)
    inverse = np.diag(np.linalg.pinv(information / np.outer(size, size), 1e-15, hermitian=True)) / size**2
    plain = np.diag(np.linalg.inv(x.T @ x))
    return np.asarray(np.sqrt(np.maximum(inverse, 0.0) / (len(x) * plain)), dtype=np.float64)


def search(total: float) -> dict[str, float]:
    """Where statsmodels' search for the largest likelihood ends: the deviance changes by less than 1e-9 of itself (the
    last step then left a parameter less than a millionth of its error off), or by less than what rounding makes of it
    where `total` is counted in all. Its own limit is absolute, and a large deviance never gets there."""
    return {"maxiter": 100, "atol": 1e-12 * max(1.0, total), "rtol": 1e-9}


def refuse_alike(
    found: Terms, part: Numbers, whole: Numbers, table: str, words: tuple[str, str, str]
) -> None:
    """Raises InputError for a stratum, or a value of a covariate, in which none of `whole[n]` are of the `part[n]`, or
    all: its parameter would grow for ever (quasi-separation), and where the search stops, its error means nothing.

    `words` say what is so then ("nobody accepted", "everybody accepted"), and what rows are.
    """
    wrong = []
    none, every, rows = words
    for name, cells in found.words:
        levels, place = np.unique(cells.astype(str), return_inverse=True)
        mine, all_of = (np.bincount(place.reshape(-1), weights=of) for of in (part, whole))
        alike = np.flatnonzero((mine <= 0.0) | (mine >= all_of))
        if len(levels) < 2 or not len(alike):
            continue
        first = alike[0]
        others = f", and so it is in {len(alike) - 1} more" if len(alike) > 1 else ""
        text = (
            f"{none if mine[first] <= 0.0 else every} in {name} {shown(str(levels[first]))} "
            f"({int((place.reshape(-1) == first).sum())} {rows}){others}, so nothing tells how far it is from the "
            "others (separation)"
        )
        remedy = f"join it with another that is like it, or leave its {rows} out"
        wrong.append(Fault(table, text, remedy, column=name, code="separation"))
    if wrong:
        raise InputError(wrong)
