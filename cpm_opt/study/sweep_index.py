"""The index of a sweep: which points are finished, in one file that is whole at every moment.

A run is whole or absent, so the runs themselves are the truth: what was finished after the file was last written is
found again among them, by the note that each carries.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cpm_opt.faults import Fault, InputError
from cpm_opt.runs.plain import json_text
from cpm_opt.runs.record import RUN_FILE, folder_faults
from cpm_opt.study.point_solver import Done, note_of
from cpm_opt.study.points import Point
from cpm_opt.whole_files import replace_file

FILE, LOCK = "sweep.json", ".lock"
FORMAT = 1
# Seconds between two writings of the index.
EVERY = 1.0


@dataclass
class Index:
    """The finished points of one sweep in `folder`, by number; `about` tells a reader of the file what it varies."""

    folder: Path
    mark: str
    about: Mapping[str, object]
    points: Sequence[Point]
    done: dict[int, Done] = field(default_factory=dict)
    _written: float = 0.0

    def add(self, done: Done) -> None:
        """Takes a finished point down; the file follows a second later at most."""
        self.done[done.number] = done
        if time.monotonic() - self._written > EVERY:
            self.write()

    def write(self) -> None:
        """Writes the file anew, beside its place, and renames it."""
        points = [
            {"point": number, "values": list(point), "run": None, "message": ""}
            for number, point in enumerate(self.points, 1)
        ]
        for number, done in self.done.items():
            points[number - 1].update(run=done.run or None, message=done.message)
        facts = {"format": FORMAT, "sweep": self.mark, **self.about, "points": points}
        replace_file("--out", self.folder / FILE, json_text(facts) + "\n")
        self._written = time.monotonic()


def opened(
    folder: Path, results: Path, mark: str, about: Mapping[str, object], points: Sequence[Point]
) -> Index:
    """The index in `folder`, made if it is not there, with the points that were finished before.

    Raises InputError where the folder holds the index of another sweep, or one that is damaged.
    """
    index = Index(folder, mark, about, points)
    with folder_faults(folder, "cannot be written", "--out"):
        if not (folder / FILE).exists():
            index.write()
            return index
        try:
            facts = json.loads((folder / FILE).read_bytes())
            there, listed = facts["sweep"], {int(each["point"]): each["run"] for each in facts["points"]}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _fault(
                folder, f"its {FILE} is damaged", "remove that file, or name another folder"
            ) from error
    if there != mark:
        message = "holds another sweep, or one of other tables or another model"
        raise _fault(folder, message, "name another folder, or make the call as it was")
    for number, run in listed.items():
        if run and 1 <= number <= len(points) and (results / run / RUN_FILE).is_file():
            index.done[number] = Done(number, run)
    _adopt(index, results)
    return index


def _adopt(index: Index, results: Path) -> None:
    """Finds runs of the sweep that were written after the index was."""
    if len(index.done) == len(index.points) or not results.is_dir():
        return
    known = {done.run for done in index.done.values()}
    numbers = {note_of(index.mark, number): number for number in range(1, len(index.points) + 1)}
    for path in results.iterdir():
        if path.name in known or path.name.startswith(".") or not (path / RUN_FILE).is_file():
            continue
        text = (path / RUN_FILE).read_text("utf-8", "replace")
        if index.mark not in text:
            continue
        try:
            notes = json.loads(text)["notes"]
        except (ValueError, TypeError, KeyError):
            continue
        for note in notes:
            if note in numbers:
                index.done.setdefault(numbers[note], Done(numbers[note], path.name))


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps a second process off the sweep; the lock goes with the process, however it ends."""
    with folder_faults(folder, "cannot be written", "--out"):
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _fault(
                folder, "another process is at work on this sweep", "wait for it, or stop it"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _fault(folder: Path, message: str, remedy: str) -> InputError:
    return InputError([Fault("--out", message, remedy, value=str(folder), code="sweep")])
