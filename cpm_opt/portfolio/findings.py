"""Faults and warnings gathered while a portfolio is built, so that one call tells all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cpm_opt.faults import Fault, InputError

MISSING_TABLE = "missing_table"


class Findings:
    """What has been found wrong so far: the faults that came with the tables first, then those across tables."""

    def __init__(self, given: Sequence[Fault] = (), present: Collection[str] = ()) -> None:
        """`given` came with the tables; `present` are the tables that could be read."""
        self._given = tuple(given)
        self._present = frozenset(present)
        self._found: list[Fault] = []
        self._spent = 0

    def fault(
        self,
        code: str,
        table: str,
        message: str,
        remedy: str,
        *,
        row: int | None = None,
        column: str | None = None,
        value: str | None = None,
    ) -> None:
        """Note a fault; the build ends with it, after everything else has been looked at."""
        self._found.append(Fault(table, message, remedy, row, column, value, code))

    def warn(
        self,
        code: str,
        table: str,
        message: str,
        remedy: str,
        *,
        row: int | None = None,
        column: str | None = None,
        value: str | None = None,
    ) -> None:
        """Note something doubtful; it travels with the portfolio."""
        self._found.append(Fault(table, message, remedy, row, column, value, code, warning=True))

    def spend(self, effort: int) -> int:
        """Count effort that goes into the wording of messages, so that a broken file stays quick; the sum so far."""
        self._spent += effort
        return self._spent

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """The warnings, given ones first."""
        return tuple(fault for fault in (*self._given, *self._found) if fault.warning)

    def blamed(self, table: str, *columns: str) -> bool:
        """Whether the table has a fault, in one of the columns where some are named, so that it proves nothing."""
        return any(
            fault.table == table
            and not fault.warning
            and (not columns or fault.column is None or fault.column in columns)
            for fault in (*self._given, *self._found)
        )

    def incomplete(self, table: str, *columns: str) -> bool:
        """Whether the table lacks rows, or true values in those columns, that may well be in the file, so that what
        is not in it proves nothing: it should be there, could not be read, or records of it were left out."""
        section = f"tables.{table}."  # of instance.toml: where it is faulty, the table is not read
        told = [
            fault
            for fault in self._given
            if (fault.table == table or f"{fault.column}.".startswith(section)) and not fault.warning
        ]
        if table not in self._present:
            return bool(told) or any(f.table == table and f.code == MISSING_TABLE for f in self._found)
        return any(
            fault.column in columns or (fault.column is None and fault.code != "duplicate") for fault in told
        )

    def raise_faults(self) -> None:
        """Raise InputError with every fault, given ones first, and after them the warnings, if there is any fault."""
        faults = [fault for fault in (*self._given, *self._found) if not fault.warning]
        if faults:
            raise InputError([*faults, *self.warnings])
