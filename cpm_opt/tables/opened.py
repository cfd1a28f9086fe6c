"""What the tables of one instance share while they are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cpm_opt.faults import Fault

if TYPE_CHECKING:
    from cpm_opt.tables.workbook import Book


@dataclass(frozen=True)
class Opened:
    """The workbooks that were opened, by their path, and the databases that did not answer, by their URL, each with its
    fault, so that nobody waits for them again."""

    books: dict[Path, Book] = field(default_factory=dict)
    silent: dict[str, Fault] = field(default_factory=dict)
