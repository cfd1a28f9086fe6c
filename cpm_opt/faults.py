"""Faults of the input, and the small tree of errors that the program raises.

    CpmError
    ├── InputError      faults in the input or the call: every one of them at once     exit 2
    ├── DefectError     the program caught itself in a contradiction                   exit 1
    └── Interrupted     the user stopped it                                            exit 130, 143

A fault is a value: it is gathered, not thrown, so that one run tells all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong (or, as a warning, doubtful) in the input, with its place and its remedy.

    `table` is a table's name, `instance.toml`, a model's name or an option of the command line; `row` is the line in
    that file on which the record starts (the header is line 1); `code` is a short stable word for tests and filters.
    """

    table: str
    message: str
    remedy: str
    row: int | None = None
    column: str | None = None
    value: str | None = None
    code: str = "fault"
    warning: bool = False

    def line(self) -> str:
        """The fault as one line: `effects line 7, column margin, value 'abc': is not a number; write 1250.5`."""
        place = self.table
        if self.row is not None:
            place += f" line {self.row}"
        if self.column is not None:
            keyed = self.table.endswith(".toml") or self.table.startswith("--")
            place += f", {'key' if keyed else 'column'} {self.column}"
        if self.value is not None:
            place += f", value {shown(self.value)}"
        text = f"{place}: {self.message}"
        if self.remedy:
            text += f"; {self.remedy}"
        return " ".join(text.split())

    def as_dict(self) -> dict[str, object]:
        """The fault as JSON-ready fields: table, row, column, value, message, remedy, code."""
        return {
            "table": self.table,
            "row": self.row,
            "column": self.column,
            "value": self.value,
            "message": self.message,
            "remedy": self.remedy,
            "code": self.code,
        }


class CpmError(Exception):
    """Root of the errors that the program raises on purpose."""


class InputError(CpmError):
    """Faults in the input or the call; `faults` holds every one that could be found in one pass."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(fault.line() for fault in self.faults))


class DefectError(CpmError):
    """The program contradicts itself (a row lost on the way to the solver, say). Never the user's fault."""


class Interrupted(CpmError):
    """The user or the system stopped the program; `signal` is its number."""

    def __init__(self, signal: int) -> None:
        self.signal = signal
        super().__init__(f"stopped by signal {signal}")


def shown(value: str, limit: int = 40) -> str:
    """A value fit for a message: quoted, control and direction characters escaped, cut at `limit` characters."""
    text = value if len(value) <= limit else value[: limit - 1] + "…"
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return f"'{escaped}'"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `word`, or None when none is close enough to offer."""
    matches = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy for an unknown name: the nearest known one, else the list of the known ones."""
    names = sorted(known)
    near = nearest(word, names)
    if near is not None:
        return f"did you mean '{near}'?"
    return (
        "known are " + ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        if names
        else "none is known here"
    )
