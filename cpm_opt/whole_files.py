"""Writing files such that each is whole or absent at every moment: beside its place first, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cpm_opt.faults import Fault, InputError


def check_place(option: str, path: Path) -> None:
    """Raises InputError where nothing may be written under `path`: something is there, or no folder to hold it."""
    with _faults(option, path):
        taken = path.exists() and not (path.is_dir() and not any(path.iterdir()))
        homeless = not path.absolute().parent.is_dir()
    if taken:
        raise _fault(option, path, "is there already", "give another place, or delete it first")
    if homeless:
        raise _fault(option, path, "its parent folder is not there", "make it, or give another place")


def write_file(option: str, path: Path, data: str | bytes) -> None:
    """Writes a new file. Raises InputError, with `option` as the place, where that cannot be or the file is there."""
    check_place(option, path)
    if path.is_dir():
        raise _fault(option, path, "is a folder", "name a file")
    replace_file(option, path, data)


def replace_file(option: str, path: Path, data: str | bytes) -> None:
    """Writes a file over an older one, if there is one; a reader sees the old or the new one. Raises InputError."""
    with _faults(option, path):
        target = path.absolute()
        handle, part = tempfile.mkstemp(prefix=f".{target.name[:80]}-", suffix=".part", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(_encoded(data))
                stream.flush()
                os.fsync(stream.fileno())
            Path(part).chmod(0o666 & ~_mask())
            Path(part).replace(target)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise


def write_folder(option: str, folder: Path, files: Mapping[str, str | bytes], parents: bool = False) -> None:
    """Writes a new folder (or fills an empty one) with these files; with `parents`, the folders above it are made where
    they are missing. Raises InputError where that cannot be."""
    if parents:
        with _faults(option, folder):
            folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    check_place(option, folder)
    with _faults(option, folder):
        target = folder.absolute()
        part = Path(tempfile.mkdtemp(prefix=f".{target.name[:80]}-", suffix=".part", dir=target.parent))
        try:
            part.chmod(0o777 & ~_mask())
            for name, data in files.items():
                (part / name).write_bytes(_encoded(data))
            if target.is_dir():
                target.rmdir()
            part.rename(target)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _encoded(data: str | bytes) -> bytes:
    """Text as UTF-8; names come from the user's files and may hold what UTF-8 cannot write, which is escaped."""
    return data if isinstance(data, bytes) else data.encode("utf-8", errors="backslashreplace")


def _mask() -> int:
    """The process's own limit on permissions, which temporary files do not follow by themselves."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _faults(option: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _fault(option, path, f"cannot be written: {reason}", "give another place") from error


def _fault(option: str, path: Path, message: str, remedy: str) -> InputError:
    return InputError([Fault(option, message, remedy, value=str(path), code="place")])
