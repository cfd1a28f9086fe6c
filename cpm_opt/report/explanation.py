"""What an explanation is: sections of plain sentences and tables, as values that any page can show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cpm_opt.report.words import Range, amount, percent, whole_periods

Cell = str | int | float | Range | None

TEXT, NUMBER, SHARE, PERIODS = "text", "number", "share", "periods"


@dataclass(frozen=True)
class Column:
    """One column: its key in JSON, its heading for a reader, what its cells are and, where one holds for all of
    them, their unit. `form` is `text`, `number`, `share` (a fraction, shown in percent) or `periods`."""

    key: str
    heading: str
    form: str = TEXT
    unit: str = ""

    @property
    def title(self) -> str:
        """The heading with its unit."""
        return f"{self.heading}, {self.unit}" if self.unit else self.heading

    def text(self, cell: Cell) -> str:
        """One cell as a reader sees it; blank where there is nothing."""
        if cell is None:
            return ""
        if self.form == SHARE:
            return percent(cell)
        if self.form == NUMBER:
            return amount(cell)
        if self.form == PERIODS and isinstance(cell, Range):
            return whole_periods(cell)
        return str(cell)


@dataclass(frozen=True)
class Table:
    """Rows under columns; a reader is shown the first `most` of them and told of the rest, which are in `file`.

    `of`: how many rows there are, where only the first ones are given (None: all are).
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    most: int = 40
    file: str = ""
    of: int | None = None

    def without_blanks(self) -> Table:
        """The table as a reader is shown it: without columns that are blank in every row."""
        return self.without(lambda cells: all(cell in (None, "") for cell in cells))

    def without(self, empty: Callable[[Sequence[Cell]], bool]) -> Table:
        """The table without the columns whose cells, from the first row to the last, are told to be empty."""
        kept = [
            number
            for number in range(len(self.columns))
            if not self.rows or not empty([row[number] for row in self.rows])
        ]
        if len(kept) == len(self.columns):
            return self
        columns = tuple(self.columns[number] for number in kept)
        return replace(
            self, columns=columns, rows=tuple(tuple(row[number] for number in kept) for row in self.rows)
        )

    def as_dict(self) -> dict[str, object]:
        """All rows as JSON-ready fields; a range is the list of its ends."""
        keys = [column.key for column in self.columns]
        return {
            "name": self.name,
            "units": {column.key: column.unit for column in self.columns if column.unit},
            "rows": [dict(zip(keys, map(_json_cell, row), strict=True)) for row in self.rows],
        }


@dataclass(frozen=True)
class Section:
    """A heading, sentences, and tables below them. `brief` ones belong to the short form after a solve."""

    name: str
    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    brief: bool = True

    def as_dict(self) -> dict[str, object]:
        """JSON-ready fields."""
        return {
            "name": self.name,
            "title": self.title,
            "sentences": list(self.sentences),
            "tables": [table.as_dict() for table in self.tables],
        }


@dataclass(frozen=True)
class Explanation:
    """What a run says: a headline and its sections."""

    run: str
    status: str
    title: str
    sections: Sequence[Section]

    def brief(self) -> Explanation:
        """The short form: what to do, what it earns, what limits it."""
        return Explanation(
            self.run, self.status, self.title, tuple(section for section in self.sections if section.brief)
        )

    def as_dict(self) -> dict[str, object]:
        """JSON-ready fields."""
        return {
            "run": self.run,
            "status": self.status,
            "title": self.title,
            "sections": [section.as_dict() for section in self.sections],
        }


def _json_cell(cell: Cell) -> object:
    return [cell.low, cell.high] if isinstance(cell, Range) else cell
