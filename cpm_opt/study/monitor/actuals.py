"""What happened: a folder of tables by the catalogue of actuals, checked like an instance and laid out as arrays.

In comes a folder and the portfolio that was planned, out goes `Actuals`: NaN stands for what was not delivered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.portfolio.portfolio import Numbers, Portfolio
from cpm_opt.tables import InstanceInfo, Table
from cpm_opt.tables.catalogue_actuals import actual_tables
from cpm_opt.tables.check import check_records
from cpm_opt.tables.files import Unreadable, read_text
from cpm_opt.tables.records import parse

if TYPE_CHECKING:
    import pandas as pd

PLACE = "--actuals"
MONEY = ("revenue", "margin", "cash")


@dataclass(frozen=True, eq=False)
class ActualPeriod:
    """One period, NaN where nothing was delivered: `start`, `end`, `arrivals` `[S]` in customers; `moves[S, S + 1]`,
    the last column those who left (a row of NaN: not delivered); `on[S, O]` customers on options; `results[measure] =
    [S]`, of all customers of the segment; `use`, `capacity`, `extra`, `cost` `[R]`; `costs` by (cost, item), what is
    not in it was not delivered. `period` is 1-based. `lines`: the first line about a table's segment (of actual_choices
    segment and lever)."""

    period: int
    start: Numbers
    end: Numbers
    arrivals: Numbers
    moves: Numbers
    on: Numbers
    results: Mapping[str, Numbers]
    use: Numbers
    capacity: Numbers
    extra: Numbers
    cost: Numbers
    costs: Mapping[tuple[str, str], float]
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Actuals:
    """The periods of which something was delivered, in their order; `hashes` of the files that were read."""

    folder: Path
    periods: tuple[ActualPeriod, ...]
    hashes: Mapping[str, str]


def read_actuals(
    folder: Path, portfolio: Portfolio, info: InstanceInfo, period: int | None = None
) -> Actuals:
    """Reads a folder of actuals for the portfolio that was planned; rows without a period are of `period`, else of the
    first. Raises InputError with every fault of the folder at once."""
    tables = actual_tables(info.measures)
    files, faults = _files(folder, tables)
    frames: dict[str, pd.DataFrame] = {}
    hashes: dict[str, str] = {}
    for name, path in files.items():
        frame, wrong, sha256 = _read(tables[name], path, info)
        faults += wrong
        hashes[path.name] = sha256
        if frame is not None:
            frames[name] = frame
    if not files and not faults:
        remedy = "put at least one of these there: " + ", ".join(f"{name}.csv" for name in tables)
        faults.append(Fault(PLACE, "holds no table of actuals", remedy, value=str(folder), code="no_actuals"))
    layout = _Layout(portfolio, 1 if period is None else period, faults)
    layout.period_faults(period)
    placed = {name: layout.placed(tables[name], frame) for name, frame in frames.items()}
    broken = [fault for fault in faults if not fault.warning]
    if broken:
        raise InputError(broken)
    numbers = sorted({int(t) for frame in placed.values() for t in frame["period"]})
    return Actuals(folder, tuple(layout.period(placed, t) for t in numbers), hashes)


def _files(folder: Path, tables: Mapping[str, Table]) -> tuple[dict[str, Path], list[Fault]]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith((".", "~")))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"cannot be read: {reason}"
        fault = Fault(PLACE, message, "name the folder of the actuals", value=str(folder), code="folder")
        return {}, [fault]
    files = {name: folder / f"{name}.csv" for name in tables if f"{name}.csv" in names}
    faults = []
    for name in names:
        stem, suffix = Path(name).stem, Path(name).suffix.lower()
        if suffix == ".csv" and stem not in tables:
            remedy = did_you_mean(stem.casefold(), tables)
            faults.append(Fault(PLACE, f"{name} is no table of actuals", remedy, code="unknown_table"))
        elif suffix != ".csv" and stem in tables and stem not in files:
            remedy = f"export the table as {stem}.csv"
            faults.append(Fault(PLACE, f"{name} is not read: actuals are CSV files", remedy, code="only_csv"))
    return files, faults


def _read(table: Table, path: Path, info: InstanceInfo) -> tuple[pd.DataFrame | None, list[Fault], str]:
    try:
        source = read_text(path, table.name)
    except Unreadable as error:
        return None, [error.fault], ""
    records, faults = parse(source.text, table.name, table.names)
    if records is None:
        return None, faults, source.sha256
    frame, wrong = check_records(table, records, info)
    return frame, [*faults, *wrong], source.sha256


@dataclass(frozen=True)
class _Layout:
    """Puts rows in their places in the arrays; what has no place is told in `faults`."""

    portfolio: Portfolio
    blank_period: int
    faults: list[Fault]

    def period_faults(self, period: int | None) -> None:
        """The period of the call must be one of the plan."""
        last = self.portfolio.periods
        if period is not None and not 1 <= period <= last:
            remedy = f"name one from 1 to {last}"
            message = f"the plan has no period {period}"
            self.faults.append(Fault("--period", message, remedy, value=str(period), code="period"))

    def placed(self, table: Table, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with every period filled in; unknown names and periods, and keys that now repeat, are told."""
        frame = frame.assign(period=frame["period"].where(frame["period"] > 0, self.blank_period))
        p = self.portfolio
        late = frame["period"] > p.periods
        if late.any():
            self._tell(table, frame, late, "period", f"the plan has {p.periods} periods only", "correct it")
        for column in ("segment", "from", "to"):
            self._known(table, frame, column, p.segments, blank=column == "to")
        self._known(table, frame, "resource", p.resources.names)
        if "lever" in frame:
            self._levers(table, frame)
        if "item" in frame:
            self._items(table, frame)
        again = frame.duplicated(list(table.key), keep="first")
        if again.any():
            message = "the row repeats the key of an earlier one, its period being filled in"
            self._tell(table, frame, again, "period", message, "keep one of the two")
        return frame

    def _levers(self, table: Table, frame: pd.DataFrame) -> None:
        p = self.portfolio
        self._known(table, frame, "lever", [lever.name for lever in p.levers])
        for lever in p.levers:
            mine = frame[frame["lever"] == lever.name]
            self._known(table, mine, "option", [p.options[o] for o in lever.options])

    def _items(self, table: Table, frame: pd.DataFrame) -> None:
        """Fixed and change costs are of a lever of the plan, credit is the firm's; `other` may be called anything."""
        levers = [lever.name for lever in self.portfolio.levers]
        for row in frame.to_dict("records"):
            cost, item = str(row["cost"]), str(row["item"])
            if cost == "other" or (not item if cost == "credit cost" else item in levers):
                continue
            if cost == "credit cost":
                message, remedy = (
                    "credit is the firm's and has no item",
                    "leave it blank, or write it as other",
                )
            elif not item:
                message, remedy = f"a {cost} is of a lever, and none is named", did_you_mean(item, levers)
            else:
                message, remedy = "the plan has no such lever", did_you_mean(item, levers)
            place = {"row": int(row["line"]), "column": "item", "value": item}
            self.faults.append(Fault(table.name, message, remedy, **place, code="unknown_reference"))  # type: ignore[arg-type]

    def _known(
        self, table: Table, frame: pd.DataFrame, column: str, names: Iterable[str], blank: bool = False
    ) -> None:
        if column not in frame:
            return
        known = set(names)
        for name in sorted(set(frame[column]) - known - ({""} if blank else set())):
            rows = frame[frame[column] == name]
            count = f" ({len(rows)} rows, this is the first)" if len(rows) > 1 else ""
            message = f"the plan has no such {'segment' if column in ('from', 'to') else column}{count}"
            self.faults.append(
                Fault(
                    table.name,
                    message,
                    did_you_mean(name, known),
                    row=int(rows["line"].iloc[0]),
                    column=column,
                    value=name,
                    code="unknown_reference",
                )
            )

    def _tell(
        self,
        table: Table,
        frame: pd.DataFrame,
        where: pd.Series[bool],
        column: str,
        message: str,
        remedy: str,
    ) -> None:
        for row in frame[where].to_dict("records"):
            value = str(row[column])
            place = {"row": int(row["line"]), "column": column, "value": value}
            self.faults.append(Fault(table.name, message, remedy, **place, code="period"))  # type: ignore[arg-type]

    def period(self, frames: Mapping[str, pd.DataFrame], t: int) -> ActualPeriod:
        """The arrays of one period."""
        p = self.portfolio
        of = {name: frame[frame["period"] == t].to_dict("records") for name, frame in frames.items()}
        segments = {name: place for place, name in enumerate(p.segments)}
        resources = {name: place for place, name in enumerate(p.resources.names)}

        def column(table: str, name: str, places: Mapping[str, int], key: str) -> Numbers:
            values = np.full(len(places), np.nan)
            for row in of.get(table, ()):
                values[places[row[key]]] = row[name]
            return values

        measures = [name for name in (*MONEY, *p.measure_units) if name in frames.get("actual_results", ())]
        return ActualPeriod(
            period=t,
            **{
                name: column("actual_customers", name, segments, "segment")
                for name in ("start", "end", "arrivals")
            },
            moves=self._moves(of.get("actual_moves", ()), segments),
            on=self._on(of.get("actual_choices", ()), segments),
            results={
                name: column("actual_results", name, segments, "segment") for name in dict.fromkeys(measures)
            },
            **{
                name: column("actual_use", name, resources, "resource")
                for name in ("use", "capacity", "extra", "cost")
            },
            costs={(row["cost"], row["item"]): float(row["amount"]) for row in of.get("actual_costs", ())},
            lines=_lines(of),
        )

    def _moves(self, rows: Iterable[Mapping[Any, Any]], segments: Mapping[str, int]) -> Numbers:
        moves = np.full((len(segments), len(segments) + 1), np.nan)
        for row in rows:
            origin = segments[row["from"]]
            target = segments[row["to"]] if row["to"] else len(segments)
            if np.isnan(moves[origin, 0]):
                moves[origin] = 0.0
            moves[origin, target] = row["customers"]
        return moves

    def _on(self, rows: Iterable[Mapping[Any, Any]], segments: Mapping[str, int]) -> Numbers:
        p = self.portfolio
        on = np.full((len(segments), len(p.options)), np.nan)
        levers = {lever.name: lever for lever in p.levers}
        for row in rows:
            lever, segment = levers[row["lever"]], segments[row["segment"]]
            mine = {p.options[o]: o for o in lever.options}
            if np.isnan(on[segment, lever.options[0]]):
                on[segment, list(lever.options)] = 0.0
            on[segment, mine[row["option"]]] = row["customers"]
        return on


def _lines(rows: Mapping[str, Iterable[Mapping[Any, Any]]]) -> dict[tuple[str, ...], int]:
    """The first line about each segment, by table, segment and, of choices, lever."""
    found: dict[tuple[str, ...], int] = {}
    keys = {
        "actual_customers": ("segment",),
        "actual_moves": ("from",),
        "actual_choices": ("segment", "lever"),
    }
    for table, columns in keys.items():
        for row in rows.get(table, ()):
            found.setdefault((table, *(row[column] for column in columns)), int(row["line"]))
    return found
