"""Linear terms as arrays, and the ledgers in which the parts of the model meet.

A ledger is one named sum per cell (profit of a period, use of a resource by a segment in a period). Any part posts
terms to it, with its own name as the source; the objective, the limits and the waterfall only add ledgers up. So no
part reads another's variables, and every figure knows who posted it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from cpm_opt.portfolio.portfolio import Indices, Numbers


@dataclass(frozen=True)
class Terms:
    """`size` linear expressions: entry k adds `coefficient[k] * variable(column[k])` to expression `cell[k]`;
    `constant[size]` is added to each."""

    size: int
    cell: Indices
    column: Indices
    coefficient: Numbers
    constant: Numbers

    @staticmethod
    def none(size: int) -> Terms:
        """`size` expressions that are all zero."""
        empty = np.zeros(0, dtype=np.int64)
        return Terms(size, empty, empty, np.zeros(0), np.zeros(size))

    @staticmethod
    def of(size: int, cell: ArrayLike, column: ArrayLike, coefficient: ArrayLike) -> Terms:
        """Terms from arrays that broadcast against one another; absent columns (-1) and zeros are left out."""
        cells, columns, coefficients = np.broadcast_arrays(cell, column, coefficient)
        keep = (columns >= 0) & (coefficients != 0.0) & (cells >= 0)
        return Terms(
            size,
            cells[keep].astype(np.int64),
            columns[keep].astype(np.int64),
            coefficients[keep].astype(np.float64),
            np.zeros(size),
        )

    @staticmethod
    def fixed(constant: ArrayLike) -> Terms:
        """Expressions without variables: just `constant[size]`."""
        amounts = np.asarray(constant, dtype=np.float64)
        empty = np.zeros(0, dtype=np.int64)
        return Terms(len(amounts), empty, empty, np.zeros(0), amounts)

    def __add__(self, other: Terms) -> Terms:
        if self.size != other.size:
            raise ValueError(f"terms of {self.size} and of {other.size} expressions cannot be added")
        return Terms(
            self.size,
            np.concatenate([self.cell, other.cell]),
            np.concatenate([self.column, other.column]),
            np.concatenate([self.coefficient, other.coefficient]),
            self.constant + other.constant,
        )

    def __sub__(self, other: Terms) -> Terms:
        return self + other.scaled(-1.0)

    def scaled(self, factor: ArrayLike) -> Terms:
        """Each expression times `factor`, one number or one a cell."""
        factors = np.broadcast_to(np.asarray(factor, dtype=np.float64), (self.size,))
        return Terms(
            self.size, self.cell, self.column, self.coefficient * factors[self.cell], self.constant * factors
        )

    def gathered(self, row_of_cell: ArrayLike, size: int, weight: ArrayLike = 1.0) -> Terms:
        """Expressions added up into `size` rows: cell i goes to row `row_of_cell[i]` (nowhere if -1), times
        `weight[i]`."""
        rows = np.broadcast_to(np.asarray(row_of_cell, dtype=np.int64), (self.size,))
        weights = np.broadcast_to(np.asarray(weight, dtype=np.float64), (self.size,))
        coefficient = self.coefficient * weights[self.cell]
        row = rows[self.cell]
        keep = (row >= 0) & (coefficient != 0.0)
        constant = np.zeros(size)
        counted = rows >= 0
        np.add.at(constant, rows[counted], (self.constant * weights)[counted])
        return Terms(size, row[keep], self.column[keep], coefficient[keep], constant)

    def rows(self, keep: ArrayLike) -> Terms:
        """The expressions marked in `keep[size]`, numbered anew."""
        marked = np.asarray(keep, dtype=bool)
        return self.gathered(np.where(marked, np.cumsum(marked) - 1, -1), int(marked.sum()))


@dataclass(frozen=True)
class Squares:
    """Curved rows: `sum_k root[k]^2 / base[k] <= limit[g]` over the k with `group[k]` = g, where no base is negative.

    `square[K]` are columns that stand for root^2 / base, and the sum of them against the limit is a row like any other.
    What no row says exactly is that square is as large as that. So the search adds tangents (`cpm_opt.solve.refine`),
    which every plan keeps that keeps the rule, until a plan keeps the rule. `blamed[g]` is the key of a row that a
    manager knows, told where a tangent is part of a contradiction."""

    root: Terms
    base: Terms
    square: Indices
    group: Indices
    limit: Terms
    blamed: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Posting:
    """What one source posted to a ledger: `source` says who (`effects`, `change cost`), `item` about what."""

    source: str
    item: str
    terms: Terms


@dataclass
class Ledger:
    """A named sum per cell; `shape` gives its axes, the period last; cells are numbered in row order."""

    name: str
    shape: tuple[int, ...]
    unit: str
    postings: list[Posting] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many cells there are."""
        return int(np.prod(self.shape))

    @property
    def cells(self) -> Indices:
        """The number of each cell, in the ledger's shape."""
        return np.arange(self.size, dtype=np.int64).reshape(self.shape)

    def post(self, source: str, item: str, terms: Terms) -> None:
        """Adds terms of one source; empty ones are not kept."""
        if terms.size != self.size:
            raise ValueError(f"ledger {self.name} has {self.size} cells, {source} posts to {terms.size}")
        if len(terms.cell) or np.any(terms.constant):
            self.postings.append(Posting(source, item, terms))

    def total(self) -> Terms:
        """Everything posted so far, added up by cell."""
        terms = [posting.terms for posting in self.postings]
        if not terms:
            return Terms.none(self.size)
        return Terms(
            self.size,
            np.concatenate([term.cell for term in terms]),
            np.concatenate([term.column for term in terms]),
            np.concatenate([term.coefficient for term in terms]),
            np.sum([term.constant for term in terms], axis=0),
        )

    def per_period(self, weight: ArrayLike) -> Terms:
        """One expression a period of the last axis: cells times `weight` (which broadcasts to the shape), added up."""
        periods = self.shape[-1]
        rows = np.broadcast_to(np.arange(periods), self.shape).ravel()
        weights = np.broadcast_to(np.asarray(weight, dtype=np.float64), self.shape).ravel()
        return self.total().gathered(np.where(weights != 0.0, rows, -1), periods, weights)
