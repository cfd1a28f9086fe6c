"""From a folder to `Tables`: every table of the catalogue that is there, checked, with all faults gathered."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.tables.catalogue import ALL, RAW
from cpm_opt.tables.check import check_records
from cpm_opt.tables.column import Table
from cpm_opt.tables.info import FILE, Described, InstanceInfo, read_info
from cpm_opt.tables.ledgers import LargeTable, open_large, too_long_for_a_frame
from cpm_opt.tables.opened import Opened
from cpm_opt.tables.reading import read_source
from cpm_opt.tables.source import BESIDE, OTHER_SUFFIXES, SUFFIXES, Source

if TYPE_CHECKING:
    from cpm_opt.tables.ledgers.in_database import DatabaseTable


@dataclass(frozen=True)
class Tables:
    """An instance as it was read: typed frames by table name, and everything that is wrong with it.

    A frame has the catalogue's columns (absent ones filled with their default), the grouping columns and measures of
    the instance, and `line`, on which each record starts. Names are text of dtype object ("" where blank), numbers
    float64, integers int64, flags bool, days datetime64[ns]. A table whose file could not be cut into a frame has
    faults and no frame. `hashes` maps each file that was read to the sha256 of its bytes.

    `large` holds the ledgers that are too long for a frame, by name: they are asked for sums (see tables/ledgers), and
    checked when they are, or by `LargeTable.check`.
    """

    folder: Path
    info: InstanceInfo
    frames: Mapping[str, pd.DataFrame] = field(repr=False)
    faults: tuple[Fault, ...]
    hashes: Mapping[str, str] = field(repr=False)
    large: Mapping[str, LargeTable | DatabaseTable] = field(default_factory=dict, repr=False)

    def has(self, name: str) -> bool:
        """Whether a table is there, as a frame or as a large table."""
        return name in self.frames or name in self.large

    def large_hashes(self) -> dict[str, str]:
        """The sha256 of the files of the large tables, which are read from end to end for it."""
        return {
            name if ledger.of_query else _hash_name(self.folder, name, ledger.source): ledger.sha256()
            for name, ledger in self.large.items()
        }

    def count(self, name: str) -> int:
        """How many rows a table has."""
        return self.large[name].count() if name in self.large else len(self.frames[name])


def read_instance(folder: Path) -> Tables:
    """Read an instance's folder. Faults of its data are gathered in `faults`, never raised; `InputError` only where
    the folder is no instance (it is not there, or holds no instance.toml)."""
    folder = Path(folder)
    _refuse_no_instance(folder)
    described = read_info(folder)
    faults = list(described.faults)
    hashes = {FILE: described.sha256} if described.sha256 else {}
    frames: dict[str, pd.DataFrame] = {}
    large: dict[str, LargeTable | DatabaseTable] = {}
    opened = Opened()
    for name, source in described.sources.items():
        if too_long_for_a_frame(ALL[name], source):
            ledger, wrong = open_large(ALL[name], source, described.info, described.parsed, described.file)
            faults += wrong
            if ledger is not None:
                large[name] = ledger
            continue
        frame, wrong, sha256 = _read_table(ALL[name], source, described, opened)
        faults += wrong
        if frame is not None:
            frames[name] = frame
        if sha256:
            hashes[_hash_name(folder, name, source)] = sha256
    faults += _strays(folder, described)
    if "segments" not in described.stated | described.sources.keys() and not (
        RAW.keys() & described.sources.keys()
    ):
        message = "the table is missing, and there are no raw tables to estimate it from"
        faults.append(Fault("segments", message, "add segments.csv", code="missing_table"))
    return Tables(folder, described.info, frames, tuple(faults), hashes, large)


def _refuse_no_instance(folder: Path) -> None:
    remedy = f"name a folder that holds {FILE}"
    place = str(folder)
    try:
        there, described = folder.is_dir(), os.path.lexists(folder / FILE)
    except (OSError, ValueError) as error:
        raise InputError(
            [Fault("instance", "cannot be looked at", remedy, value=place, code="no_instance")]
        ) from error
    if not there:
        message = "is a file, not a folder" if os.path.lexists(folder) else "there is no such folder"
        raise InputError([Fault("instance", message, remedy, value=place, code="no_instance")])
    if not described:
        message = f"the folder is no instance: it has no {FILE}"
        raise InputError([Fault("instance", message, remedy, value=place, code="no_instance")])


def _hash_name(folder: Path, table: str, source: Source) -> str:
    """The name under which the hash of a source is kept: its path as stated, or, for a query, the table's name."""
    if source.kind == "sql" or source.path is None:
        return table
    return str(source.path.relative_to(folder)) if source.path.is_relative_to(folder) else str(source.path)


def _read_table(
    table: Table, source: Source, described: Described, opened: Opened
) -> tuple[pd.DataFrame | None, list[Fault], str]:
    known = table.with_measures(described.info.measures)
    records, faults, sha256 = read_source(source, table.name, known, described.file, opened)
    if records is None:
        return None, faults, sha256
    frame, wrong = check_records(table, records, described.info, described.parsed)
    return frame, faults + wrong, sha256


def _strays(folder: Path, described: Described) -> list[Fault]:
    """Faults for files that look like tables and would not be read."""
    try:
        present = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith((".", "~")))
    except OSError as error:
        return [
            Fault(
                "instance",
                f"the folder cannot be listed: {error.strerror}",
                "check its rights",
                code="unreadable",
            )
        ]
    if not described.parsed:
        return []
    read = {os.path.normpath(s.path) for s in described.sources.values() if s.path is not None}
    there = described.stated | described.sources.keys()
    faults = []
    for name in present:
        stem, suffix = name.partition(".")[0], Path(name).suffix.lower()
        if os.path.normpath(folder / name) in read:
            continue
        if stem in ALL and name.removeprefix(stem) in BESIDE:
            if stem in described.stated:
                message = f"{name} is not read, because [tables.{stem}] names another source"
                faults.append(
                    Fault(stem, message, "delete the one that does not count", code="unused", warning=True)
                )
        elif suffix == ".csv":
            message = f"{name} is no table of the catalogue"
            remedy = did_you_mean(Path(name).stem.casefold(), ALL)
            faults.append(Fault("instance", message, remedy, code="unknown_table"))
        elif stem in ALL and stem not in there and suffix in (*OTHER_SUFFIXES, *SUFFIXES):
            unnamed = ("is not read by its name alone", f'write path = "{name}" in [tables.{stem}] of {FILE}')
            message, remedy = OTHER_SUFFIXES.get(suffix, unnamed)
            faults.append(Fault(stem, f"{name} {message}", remedy, code="other_format"))
    return faults
