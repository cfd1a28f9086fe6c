"""One table as columns of plain arrays; a table that is not there has no rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.portfolio.portfolio import Flags, Indices, Numbers

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Rows:
    """The rows of `table`. A column that the frame lacks is filled with the default that the caller gives."""

    table: str
    frame: DataFrame | None

    @property
    def present(self) -> bool:
        """Whether the table is there, with or without rows."""
        return self.frame is not None

    @property
    def size(self) -> int:
        """The number of rows."""
        return 0 if self.frame is None else len(self.frame)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that the frame has."""
        return () if self.frame is None else tuple(str(name) for name in self.frame.columns)

    def text(self, column: str, default: str = "") -> list[str]:
        """A column of names, words or free text; blank is ''."""
        if self.frame is None or column not in self.frame.columns:
            return [default] * self.size
        return [str(value) for value in self.frame[column].to_numpy(dtype=object)]

    def number(self, column: str, default: float = 0.0) -> Numbers:
        """A column of numbers; nan where a blank has a meaning of its own."""
        if self.frame is None or column not in self.frame.columns:
            return np.full(self.size, default)
        # Adding 0.0 turns -0.0, which some spellings of zero give, into 0.0.
        return np.asarray(self.frame[column].to_numpy(dtype=np.float64), dtype=np.float64) + 0.0

    def integer(self, column: str, default: int = 0) -> Indices:
        """A column of whole numbers."""
        if self.frame is None or column not in self.frame.columns:
            return np.full(self.size, default, dtype=np.int64)
        return np.asarray(self.frame[column].to_numpy(dtype=np.int64), dtype=np.int64)

    def flag(self, column: str, default: bool) -> Flags:
        """A column of true and false."""
        if self.frame is None or column not in self.frame.columns:
            return np.full(self.size, default, dtype=np.bool_)
        return np.asarray(self.frame[column].to_numpy(dtype=np.bool_), dtype=np.bool_)

    def lines(self) -> Indices:
        """The line of the file on which each record starts; 0 where the frame does not say."""
        return self.integer("line")

    def first_line(self, where: Flags | Sequence[int] | Indices) -> int | None:
        """The smallest line among some rows, for a message."""
        lines = self.lines()[np.asarray(where)]
        return int(lines.min()) if len(lines) and lines.min() > 0 else None

    def keep(self, mask: Flags) -> Rows:
        """The rows that the mask marks, in their order."""
        return self if self.frame is None else Rows(self.table, self.frame.loc[mask])
