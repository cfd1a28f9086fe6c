"""A linear programme with integers, gathered row by row, solved by scipy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array

Key = tuple[object, ...]
Terms = dict[int, float]


def add(into: Terms, terms: Mapping[int, float], times: float = 1.0) -> Terms:
    """Adds `times` x `terms` to `into`, which it returns."""
    for column, value in terms.items():
        into[column] = into.get(column, 0.0) + times * value
    return into


@dataclass
class Program:
    """Columns with bounds under a key each, rows with two sides, and the parts of an objective to be maximised.

    A cone (each, top) is a row that is not linear: the root of the sum of squares of `each` is at most `top`.
    Objective = `profit_weight` x (profit + `constant` - penalty) + `end_weight` x end, all discounted already.
    """

    columns: dict[Key, int] = field(default_factory=dict)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    rows: list[tuple[Terms, float, float]] = field(default_factory=list)
    profit: Terms = field(default_factory=dict)
    constant: float = 0.0
    penalty: Terms = field(default_factory=dict)
    end: Terms = field(default_factory=dict)
    profit_weight: float = 1.0
    end_weight: float = 1.0
    cones: list[tuple[list[Terms], Terms]] = field(default_factory=list)

    def column(self, key: Key, lower: float = 0.0, upper: float = np.inf, whole: bool = False) -> int:
        """A new column."""
        assert key not in self.columns, key
        self.columns[key] = len(self.lower)
        self.lower.append(lower)
        self.upper.append(upper)
        self.whole.append(whole)
        return self.columns[key]

    def row(self, terms: Terms, lower: float = -np.inf, upper: float = np.inf) -> None:
        """A new row: lower <= terms <= upper."""
        self.rows.append((terms, lower, upper))

    def gain(self) -> np.ndarray:
        """Coefficients of the objective."""
        out = np.zeros(len(self.lower))
        for terms, weight in (
            (self.profit, self.profit_weight),
            (self.penalty, -self.profit_weight),
            (self.end, self.end_weight),
        ):
            for column, value in terms.items():
                out[column] += weight * value
        return out

    def matrix(self) -> tuple[csr_array, np.ndarray, np.ndarray]:
        """The rows as a matrix with its lower and upper sides."""
        entries = [(i, c, v) for i, (terms, _, _) in enumerate(self.rows) for c, v in terms.items()]
        i, c, v = zip(*entries, strict=True) if entries else ((), (), ())
        shape = (len(self.rows), len(self.lower))
        sides = np.array([(low, high) for _, low, high in self.rows]).reshape(-1, 2)
        return csr_array((v, (i, c)), shape=shape), sides[:, 0], sides[:, 1]

    def solve(self, fixed: Mapping[Key, float] | None = None, relax: bool = False) -> Answer:
        """The best point, with some columns fixed; `relax` drops integrality (exact where all integers are fixed)."""
        for _ in range(500):
            answer = self._solve_rows(fixed, relax)
            if answer.objective is None or not self._cut_off(list(answer.values.values())):
                return answer
        raise RuntimeError("the cones are not kept after 500 cuts")

    def _cut_off(self, point: list[float]) -> bool:
        """Adds, for each cone that the point is outside of, the half space that holds the cone but not the point."""
        outside = False
        for each, top in self.cones:
            sizes = [sum(value * point[column] for column, value in terms.items()) for terms in each]
            length, most = np.sqrt(np.dot(sizes, sizes)), sum(value * point[c] for c, value in top.items())
            if length > most + 3e-8 * max(1.0, abs(most)):
                row = add({}, top, -1.0)
                for size, terms in zip(sizes, each, strict=True):
                    add(row, terms, size / length)
                self.row(row, upper=0.0)
                outside = True
        return outside

    def _solve_rows(self, fixed: Mapping[Key, float] | None, relax: bool) -> Answer:
        lower, upper = np.array(self.lower), np.array(self.upper)
        for key, value in (fixed or {}).items():
            lower[self.columns[key]] = upper[self.columns[key]] = value
        matrix, low, high = self.matrix()
        gain = self.gain()
        if relax:
            same = low == high
            some = [(matrix[(~same) & (high < np.inf)], high[(~same) & (high < np.inf)])]
            some += [(-matrix[(~same) & (low > -np.inf)], -low[(~same) & (low > -np.inf)])]
            left = np.vstack([part.toarray() for part, _ in some])
            right = np.concatenate([side for _, side in some])
            bounds = np.column_stack([lower, upper])
            found = linprog(-gain, left, right, matrix[same].toarray(), low[same], bounds, method="highs")
        else:
            integrality = np.array(self.whole, dtype=int)
            limits = LinearConstraint(matrix, low, high) if self.rows else ()
            options = {"mip_rel_gap": 1e-10}
            found = milp(
                -gain,
                integrality=integrality,
                bounds=Bounds(lower, upper),
                constraints=limits,
                options=options,
            )
        return self.answer(found.status, found.x)

    def profit_range(self, objective: float) -> tuple[float, float]:
        """The least and the greatest profit among points whose objective is (to 1e-7 of it) `objective`."""
        gain, slack = self.gain(), 1e-7 * max(1.0, abs(objective))
        terms = {column: float(value) for column, value in enumerate(gain) if value}
        ends = []
        for sign in (-1.0, 1.0):
            other = Program(self.columns, self.lower, self.upper, self.whole, list(self.rows))
            other.row(dict(terms), lower=objective - self.profit_weight * self.constant - slack)
            other.profit = add({}, self.profit, sign)
            answer = other.solve()
            assert answer.objective is not None
            ends.append(sign * answer.objective + self.constant)
        return ends[0], ends[1]

    def answer(self, code: int, x: np.ndarray | None) -> Answer:
        """scipy's status and point as an `Answer`."""
        status = {0: "optimal", 2: "infeasible", 3: "unbounded"}.get(code)
        if status is None:
            raise RuntimeError(f"scipy gave up with status {code}")
        if status != "optimal":
            return Answer(status, None, None, {})
        assert x is not None
        profit = self.constant + sum(value * x[column] for column, value in self.profit.items())
        objective = float(self.gain() @ x) + self.profit_weight * self.constant
        return Answer(
            status, objective, profit, {key: float(x[column]) for key, column in self.columns.items()}
        )


@dataclass(frozen=True)
class Answer:
    """status: optimal, infeasible or unbounded; values by key: ("n", s, t), ("x", s, d, o, t), ("y", d, g, o, t),
    ("h", r, t), ("slack", rule, t), ("moved", s, d, o, t), all with names and 1-based periods."""

    status: str
    objective: float | None
    profit: float | None
    values: Mapping[Key, float]
