"""Writing a run: beside its place under a name of its own, then renamed, so that it is whole or absent."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cpm_opt.faults import Fault, InputError, shown
from cpm_opt.runs.facts import RunFacts, run_facts
from cpm_opt.runs.plain import json_text
from cpm_opt.runs.record import RunRecord, folder_faults

if TYPE_CHECKING:
    from datetime import datetime

    from cpm_opt.solve.plan import Plan

PART = ".part"
NAME_LENGTH = 40


def write_run(results: Path, plan: Plan, facts: RunFacts) -> RunRecord:
    """Writes one run into the folder `results`, which is made if only it is missing, and returns its record.

    A plan that may not be shown (none was found, or its certificate does not pass) leaves run.json and solver.log only.
    Raises InputError where the folder cannot be written; nothing is left behind then.
    """
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    with folder_faults(results, "cannot be written"):
        made = _make_folder(results)
        try:
            run_id, part = _reserve(results, facts, now)
            try:
                _fill(part, plan, facts, run_id, now)
                part.rename(results / run_id)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
        except BaseException:
            _unmake_folder(results, made)
            raise
    return RunRecord(results / run_id)


def check_results(results: Path) -> None:
    """Raises InputError if a run could not be written into `results`; better before a long solve than after it."""
    import tempfile

    with folder_faults(results, "cannot be written"):
        made = _make_folder(results)
        try:
            Path(tempfile.mkdtemp(prefix=".probe-", suffix=PART, dir=results)).rmdir()
        finally:
            _unmake_folder(results, made)


def _fill(part: Path, plan: Plan, facts: RunFacts, run_id: str, now: datetime) -> None:
    files: dict[str, str] = {"solver.log": plan.solver_log}
    if plan.shown:
        from cpm_opt.runs.sheets import sheets

        files.update({f"{name}.csv": text for name, text in sheets(plan, facts).items()})
    created = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    files["run.json"] = json_text(run_facts(plan, facts, run_id, created)) + "\n"
    _write_files(part, files)


def _write_files(part: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        # Names come from the user's files and may hold what UTF-8 cannot write; such a character is escaped.
        (part / name).write_bytes(text.encode("utf-8", errors="backslashreplace"))


def _reserve(results: Path, facts: RunFacts, now: datetime) -> tuple[str, Path]:
    """A new id and the folder in which its run is written; making that folder is what keeps two processes apart."""
    while True:
        short = os.urandom(4).hex()
        run_id = f"{now:%Y%m%dT%H%M%SZ}-{_slug(facts.model)}-{_slug(facts.instance)}-{short}"
        part = results / f".{run_id}{PART}"
        try:
            part.mkdir()
        except FileExistsError:
            continue
        if not (results / run_id).exists():
            return run_id, part
        part.rmdir()


def _slug(name: str) -> str:
    """A name as part of a folder's name: letters, digits, dot and underscore of ASCII, the rest as hyphens."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[:NAME_LENGTH] or "unnamed"


def _make_folder(results: Path) -> bool:
    """Makes the results folder if it is missing; whether it did. Its parent must be there."""
    if results.is_dir():
        return False
    if not results.parent.is_dir():
        message = f"its parent folder {shown(str(results.parent), 200)} is not there"
        raise InputError([Fault("--results", message, "make it, or give another folder", value=str(results))])
    try:
        results.mkdir()
    except FileExistsError:
        if not results.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is a file") from None
        return False  # another process made it just now
    return True


def _unmake_folder(results: Path, made: bool) -> None:
    if made:
        try:
            results.rmdir()
        except OSError:  # another process has put a run there meanwhile
            return
