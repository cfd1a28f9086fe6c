"""Planning tables as an instance of their own: a folder of CSV files and an instance.toml, whole or absent.

In: `Tables` and `Estimates`. Out: a folder that the reader takes as it takes any other.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpm_opt.tables import PLANNING, Column, InstanceInfo, Table
from cpm_opt.toml_file import toml_document
from cpm_opt.whole_files import check_place, write_file, write_folder

if TYPE_CHECKING:
    import pandas as pd

LINE = "line"
WRITTEN = (
    "source",
    "when",
)  # columns that say what a row is, and so are written out though they are the default


def write_planning_tables(folder: Path, info: InstanceInfo, frames: Mapping[str, pd.DataFrame]) -> list[str]:
    """Writes the planning tables among `frames` and an instance.toml into a new folder; the names of its files.

    They are written beside it and renamed, so a folder is whole or absent. Raises InputError where that cannot be.
    """
    check_place("--out", folder)
    files = {"instance.toml": info_text(info)}
    for name, table in PLANNING.items():
        if name in frames and len(frames[name]):
            files[f"{name}.csv"] = table_text(table, frames[name], info)
    write_folder("--out", folder, files)
    return sorted(files)


def write_frame(option: str, path: Path, frame: pd.DataFrame) -> None:
    """Writes one frame as a CSV file, whole or absent. Raises InputError where it cannot be written."""
    text = _csv([str(name) for name in frame.columns], (frame[name] for name in frame.columns))
    write_file(option, path, text)


def table_text(table: Table, frame: pd.DataFrame, info: InstanceInfo) -> str:
    """One table as CSV. Optional columns in which every cell is the default are left out, and a default is blank; but
    for those of `WRITTEN`."""
    known = {column.name: column for column in table.with_measures(info.measures)}
    names = [name for name in frame.columns if name != LINE]
    kept = [name for name in names if not _all_default(known.get(str(name)), frame[name])]
    columns = (_blanked(known.get(str(name)), frame[name]) for name in kept)
    return _csv([str(name) for name in kept], columns)


def info_text(info: InstanceInfo) -> str:
    """The instance.toml of planning tables: `[instance]` and `[measures]`; nothing is left to estimate."""
    keys = ("name", "title", "currency", "money_unit", "period", "source", "licence", "default_model")
    measures = {name: {"title": each.title, "unit": each.unit} for name, each in info.measures.items()}
    document: dict[str, Any] = {"instance": {key: getattr(info, key) for key in keys}}
    return toml_document({**document, "measures": measures} if measures else document)


def _all_default(column: Column | None, cells: pd.Series[Any]) -> bool:
    if column is None or column.required or column.name in WRITTEN:
        return False
    return all(_is_default(column, cell) for cell in cells)


def _blanked(column: Column | None, cells: pd.Series[Any]) -> list[object]:
    if column is None or column.required or column.name in WRITTEN:
        return list(cells)
    return ["" if _is_default(column, cell) else cell for cell in cells]


def _is_default(column: Column, cell: object) -> bool:
    """Whether a cell reads the same when it is blank."""
    if isinstance(cell, float) and math.isnan(cell):
        return column.blank_is_nan
    return column.default is not None and cell == column.default


def _csv(names: list[str], columns: Any) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*([_cell(cell) for cell in column] for column in columns), strict=True))
    return stream.getvalue()


def _cell(cell: Any) -> str:
    """A cell as the reader takes it: numbers with all their digits, blank where there is none."""
    if hasattr(cell, "item"):
        cell = cell.item()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return (
            ""
            if math.isnan(cell)
            else f"{cell:.0f}"
            if cell == int(cell) and abs(cell) < 1e15
            else repr(cell)
        )
    if hasattr(cell, "strftime"):
        return "" if cell != cell else str(cell.strftime("%Y-%m-%d"))  # NaT is not equal to itself
    return str(cell)
