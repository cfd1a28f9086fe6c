"""The files of a report: which there are, and writing them, each whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.report.explanation import Explanation
from cpm_opt.runs.record import RUN_FILE, RunRecord
from cpm_opt.whole_files import replace_file


def _html(run: RunRecord, told: Explanation | None) -> bytes:
    from cpm_opt.report.page import page

    return page(run, told).encode("utf-8", errors="backslashreplace")


def _xlsx(run: RunRecord, told: Explanation | None) -> bytes:
    from cpm_opt.report.workbook import workbook

    return workbook(run, told)


FORMATS: Mapping[str, Callable[[RunRecord, Explanation | None], bytes]] = {"html": _html, "xlsx": _xlsx}


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


def checked_paths(run: RunRecord, folder: Path, formats: tuple[str, ...], force: bool) -> dict[str, Path]:
    """Where the report of a run goes, by format: files in `folder`, named by the run's id.

    Raises InputError where files of these names are there and `force` is not given, or where the folder is that of a
    run, which is never changed.
    """
    paths = {form: folder / f"{run.id}.{form}" for form in formats}
    if (folder / RUN_FILE).exists():
        remedy = "a run is never changed: name another folder"
        raise InputError([Fault("--out", "is the folder of a run", remedy, value=str(folder), code="place")])
    there = [path for path in paths.values() if path.exists()]
    if there and not force:
        remedy = "give --force to write over it, or another --out"
        raise InputError(
            [Fault("--out", "is there already", remedy, value=str(path), code="place") for path in there]
        )
    return paths


def write_report(run: RunRecord, paths: Mapping[str, Path], told: Explanation | None = None) -> None:
    """Writes the report of a run, each format at its path, with its explanation, if one is there already.

    Their folder is made if only it is missing. Raises InputError where it cannot be written; no file is half written.
    """
    contents = {form: FORMATS[form](run, told) for form in paths}
    for form, path in paths.items():
        made = _make(path.parent)
        try:
            replace_file("--out", path, contents[form])
        except InputError:
            if made:
                path.parent.rmdir()
            raise


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
