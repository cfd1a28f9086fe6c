"""The files of a report: which there are, and writing them, each whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.runs.record import RunRecord
from cpm_opt.whole_files import replace_file


def _html(run: RunRecord) -> bytes:
    from cpm_opt.report.page import page

    return page(run).encode("utf-8", errors="backslashreplace")


def _xlsx(run: RunRecord) -> bytes:
    from cpm_opt.report.workbook import workbook

    return workbook(run)


FORMATS: Mapping[str, Callable[[RunRecord], bytes]] = {"html": _html, "xlsx": _xlsx}


def checked_formats(text: str) -> tuple[str, ...]:
    """The formats named in a text such as `html,xlsx`, each once. Raises InputError for those that are unknown."""
    names = list(dict.fromkeys(word.strip().lower() for word in text.split(",")))
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        message, place = "is no format of a report", "--format"
        raise InputError(
            [
                Fault(
                    place,
                    message,
                    did_you_mean(name, FORMATS),
                    value=name,
                    code="call",
                )
                for name in unknown
            ]
        )
    return tuple(names)


def write_report(run: RunRecord, folder: Path, formats: tuple[str, ...], force: bool) -> dict[str, Path]:
    """Writes the report of a run into `folder`, named by the run's id; where each format went.

    `folder` is made if only it is missing. Raises InputError where files of these names are there and `force` is not
    given, where the folder is that of a run, which is never changed, or where it cannot be written.
    """
    paths = {form: folder / f"{run.id}.{form}" for form in formats}
    if (folder / "run.json").exists():
        remedy = "a run is never changed: name another folder"
        raise InputError([Fault("--out", "is the folder of a run", remedy, value=str(folder), code="place")])
    there = [path for path in paths.values() if path.exists()]
    if there and not force:
        remedy = "give --force to write over it, or another --out"
        raise InputError(
            [Fault("--out", "is there already", remedy, value=str(path), code="place") for path in there]
        )
    contents = {form: FORMATS[form](run) for form in formats}
    made = _make(folder)
    try:
        for form, path in paths.items():
            replace_file("--out", path, contents[form])
    except InputError:
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise
    return paths


def _make(folder: Path) -> bool:
    """Makes the folder if only it is missing; whether it did."""
    if folder.is_dir():
        return False
    try:
        folder.mkdir()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        remedy = "name a folder whose parent is there"
        message = f"cannot be made: {reason}"
        raise InputError([Fault("--out", message, remedy, value=str(folder), code="place")]) from error
    return True
