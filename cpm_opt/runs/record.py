"""Reading runs: what there is, which one is meant, and what it holds."""

from __future__ import annotations

import csv
import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cpm_opt.faults import Fault, InputError, nearest, shown
from cpm_opt.runs.columns import COLUMNS, LATER
from cpm_opt.runs.facts import FORMAT

RUN_FILE = "run.json"
LAST = "last"


@dataclass(frozen=True)
class RunRecord:
    """One run in the store; its files are read when asked for, and damaged ones raise InputError."""

    path: Path

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.path.name

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """The content of run.json."""
        file = self.path / RUN_FILE
        with folder_faults(self.path, "cannot be read", "RUN"):
            try:
                facts = json.loads(file.read_bytes())
            except (ValueError, RecursionError) as error:
                raise self.damaged(RUN_FILE, "is not JSON") from error
        if not isinstance(facts, dict) or not isinstance(facts.get("status"), str):
            raise self.damaged(RUN_FILE, "holds no run")
        if facts.get("format") != FORMAT:
            raise InputError(
                [self._fault(RUN_FILE, "is of another format", "read it with the version that wrote it")]
            )
        return facts

    @property
    def status(self) -> str:
        """`optimal`, `feasible`, `infeasible`, `unbounded` or `no_solution`."""
        return str(self.facts["status"])

    @property
    def study(self) -> str:
        """What the run is a point of: `sweep`, `frontier`; blank where it is one of `cpm solve`."""
        return str(self.facts.get("study") or "")

    @property
    def shown(self) -> bool:
        """Whether the run holds a plan: one was found, and its certificate passed."""
        certificate = self.facts.get("certificate")
        return isinstance(certificate, dict) and certificate.get("passed") is True

    def has(self, name: str) -> bool:
        """Whether the run holds that CSV file: one written by an older version may not."""
        return (self.path / f"{name}.csv").is_file()

    def table(self, name: str) -> list[dict[str, str]]:
        """The rows of one of its CSV files (`plan`, `resources`, ...), every value as text."""
        file = f"{name}.csv"
        with folder_faults(self.path, "cannot be read", "RUN"):
            try:
                with (self.path / file).open(encoding="utf-8", newline="") as stream:
                    reader = csv.DictReader(stream, strict=True)
                    rows = [dict(row) for row in reader]
            except (ValueError, csv.Error) as error:
                raise self.damaged(file, "is not a table in UTF-8") from error
        missing = set(COLUMNS[name]) - set(reader.fieldnames or ()) - LATER.get(name, frozenset())
        if missing:
            raise self.damaged(file, f"lacks column {min(missing)}")
        if any(None in row or None in row.values() for row in rows):
            raise self.damaged(file, "has a row with too many or too few fields")
        return rows

    def damaged(self, file: str, message: str) -> InputError:
        """The error for a file of the run that is not as the program writes it."""
        return InputError([self._fault(file, message, "the run is damaged: solve again")])

    def _fault(self, file: str, message: str, remedy: str) -> Fault:
        return Fault(f"{self.id}/{file}", message, remedy, code="run")


def read_run(path: Path) -> RunRecord:
    """The run in folder `path`; raises InputError if it holds none, or a damaged one."""
    record = RunRecord(path)
    if not (path / RUN_FILE).is_file():
        message = f"is no run: the folder has no {RUN_FILE}"
        raise InputError(
            [Fault("RUN", message, "`cpm runs` lists what there is", value=str(path), code="run")]
        )
    _ = record.facts
    return record


def list_runs(results: Path) -> tuple[tuple[RunRecord, ...], tuple[Fault, ...]]:
    """The runs in folder `results`, newest first, and a fault for each that is damaged. A missing folder has none."""
    records: list[RunRecord] = []
    faults: list[Fault] = []
    for path in _run_folders(results):
        try:
            records.append(read_run(path))
        except InputError as error:
            faults.extend(error.faults)
    records.sort(key=lambda record: (str(record.facts.get("created", "")), record.id), reverse=True)
    return tuple(records), tuple(faults)


def find_run(results: Path, text: str) -> RunRecord:
    """The run that `text` means: a path, an id, the only id that begins or ends with it, or `last`, the newest of
    `cpm solve`: points of a sweep or frontier were not asked for one by one.

    Raises InputError where there is none (with the nearest id) or more than one.
    """
    path = Path(text)
    with folder_faults(path, "cannot be read", "RUN"):
        if path.name == RUN_FILE and path.is_file():
            return read_run(path.parent)
        if (path / RUN_FILE).is_file():
            return read_run(path)
    folders = _run_folders(results)
    if text == LAST and folders:
        return _newest(results)
    ids = [folder.name for folder in folders]
    found = [name for name in ids if name == text] or [
        name for name in ids if text and (name.startswith(text) or name.endswith(text))
    ]
    if len(found) == 1:
        return read_run(results / found[0])
    if found:
        names = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        message, remedy = f"means {len(found)} runs: {names}", "give more letters of the one that is meant"
    elif ids:
        near = nearest(text, ids)
        message = f"is no run in {shown(str(results), 200)}"
        remedy = f"did you mean {shown(near, 200)}?" if near else "`cpm runs` lists what there is"
    else:
        message, remedy = (
            f"there are no runs in {shown(str(results), 200)}",
            "solve first, or name another --results",
        )
    raise InputError([Fault("RUN", message, remedy, value=text, code="run")])


def _newest(results: Path) -> RunRecord:
    records, faults = list_runs(results)
    if not records:
        raise InputError(faults)
    for record in records:
        if not record.study:
            return record
    message = (
        f"no run in {shown(str(results), 200)} is one of `cpm solve`, all are points of sweeps and frontiers"
    )
    remedy = f"name the run, such as {records[0].id}"
    raise InputError([Fault("RUN", message, remedy, value=LAST, code="run")])


def _run_folders(results: Path) -> list[Path]:
    """Folders with a run.json; those still being written have a name that begins with a dot."""
    with folder_faults(results, "cannot be read"):
        try:
            entries = sorted(results.iterdir())
        except FileNotFoundError:
            return []
        return [path for path in entries if not path.name.startswith(".") and (path / RUN_FILE).is_file()]


@contextmanager
def folder_faults(folder: Path, what: str, place: str = "--results") -> Iterator[None]:
    """Tells what the system refuses about a folder as one fault, in words."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        remedy = "free some space" if error.errno == errno.ENOSPC else "check the path and its permissions"
        raise InputError(
            [Fault(place, f"{what}: {reason}", remedy, value=str(folder), code="folder")]
        ) from error
