"""The columns of a logit on a panel: which terms there are, and their values for any rows.

In: table panel. Out: `PanelDesign`, the same for the rows of the fit and for rows whose terms are set otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]

NUMBERS = ("price", "price_change", "complaints", "tenure")
WORDS = ("segment", "service", "programme")
NOT_ASKED = 0


@dataclass(frozen=True)
class PanelDesign:
    """The terms of a logit: an intercept; of each of `words` (column, its levels) every level but the first; `numbers`
    as they are; `scores` of satisfaction but the lowest there is (0: not asked). `asked` are all scores that there are,
    `constant` the numbers that do not vary, with what they are."""

    words: tuple[tuple[str, tuple[str, ...]], ...]
    numbers: tuple[str, ...]
    scores: tuple[int, ...]
    asked: tuple[int, ...] = ()
    constant: tuple[tuple[str, float], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the K terms, in the order of the columns."""
        words = [f"{column}[{level}]" for column, levels in self.words for level in levels[1:]]
        return ("intercept", *words, *self.numbers, *(f"satisfaction[{score}]" for score in self.scores))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the panel that it reads."""
        words = tuple(column for column, levels in self.words if len(levels) > 1)
        return (*words, *self.numbers, *(("satisfaction",) if self.scores else ()))

    def levels(self, column: str) -> tuple[str, ...]:
        """The levels of a word that the panel holds; none where it is no term."""
        return dict(self.words).get(column, ())

    def holds(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """`[n]`: whether `rows` are of levels, scores and unvarying numbers that the design was made from."""
        fine = np.ones(len(rows), dtype=np.bool_)
        for column, levels in self.words:
            fine &= rows[column].astype(str).isin(levels).to_numpy()
        for column, only in self.constant:
            fine &= np.isclose(rows[column].to_numpy(dtype=np.float64), only, equal_nan=True)
        return fine & rows["satisfaction"].isin(self.asked).to_numpy()

    def matrix(self, rows: pd.DataFrame) -> Numbers:
        """`[n, K]`: the terms of `rows`."""
        columns: list[Numbers] = [np.ones(len(rows))]
        for column, levels in self.words:
            columns += [np.asarray(rows[column] == level, dtype=np.float64) for level in levels[1:]]
        columns += [rows[column].to_numpy(dtype=np.float64) for column in self.numbers]
        columns += [np.asarray(rows["satisfaction"] == score, dtype=np.float64) for score in self.scores]
        return np.column_stack(columns)


def usable(panel: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows whose price and tenure are known, where others have them."""
    used = np.ones(len(panel), dtype=bool)
    for column in ("price", "tenure"):
        known = panel[column].notna().to_numpy()
        if known.any():
            used &= known
    return used


def design_of(rows: pd.DataFrame, words: tuple[str, ...] = WORDS) -> PanelDesign:
    """The terms that vary in these rows; whatever does not vary is left out."""
    numbers = tuple(name for name in NUMBERS if rows[name].notna().all() and rows[name].nunique() > 1)
    scores = sorted(int(score) for score in rows["satisfaction"].unique())
    asked = [score for score in scores if score != NOT_ASKED]
    return PanelDesign(
        words=tuple((column, tuple(sorted(str(name) for name in rows[column].unique()))) for column in words),
        numbers=numbers,
        scores=(*asked[1:], *((NOT_ASKED,) if NOT_ASKED in scores and asked else ())),
        asked=tuple(scores),
        constant=tuple(
            (name, float(rows[name].iloc[0])) for name in NUMBERS if rows[name].nunique(dropna=False) == 1
        ),
    )


def seen(panel: pd.DataFrame) -> str:
    """The range of what a panel holds: numbers from to, words with their rows."""
    parts = []
    for name in ("price", "price_change"):
        if panel[name].notna().any():
            parts.append(f"{name} {panel[name].min():g} to {panel[name].max():g}")
    for name in ("service", "programme"):
        counts = panel[name].value_counts().sort_index()
        if len(counts) > 1:
            levels = ", ".join(f"{level or '(blank)'} {rows}" for level, rows in counts.items())
            parts.append(f"{name} in rows: {levels}")
    return "; ".join(parts) or "nothing varies"
