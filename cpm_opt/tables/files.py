"""From a path to text: bytes are taken only from a regular file of sane size, and decoded only when it is plain what
they are. Everything that stands in the way raises `Unreadable`, which carries the fault."""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cpm_opt.faults import Fault

MAX_BYTES = 100_000_000

_AS_CSV = "export the table as CSV in UTF-8"
_NAME_IT = "name it .xlsx, or export the sheet as CSV"

_MAGIC = (
    (b"\x1f\x8b", "gzip data", "unpack it first"),
    (b"PK\x03\x04", "an Excel workbook or another zip archive", _NAME_IT),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save it as .xlsx, or export the sheet as CSV"),
    (b"\x89PNG", "a PNG image", _AS_CSV),
    (b"\xff\xd8\xff", "a JPEG image", _AS_CSV),
    (b"%PDF", "a PDF document", _AS_CSV),
    (b"PAR1", "a Parquet file", "name it .parquet"),
    (b"SQLite format 3", "an SQLite database", "state url and query in instance.toml"),
    (b"BZh", "bzip2 data", "unpack it first"),
    (b"\xfd7zXZ", "xz data", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "zstd data", "unpack it first"),
)


class Unreadable(Exception):
    """A file that cannot be taken as text; `fault` says why. Never leaves the room."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.line())


@dataclass(frozen=True)
class ReadText:
    """A file that was read: its text with line feeds as its only line breaks, and the sha256 of its bytes."""

    text: str
    sha256: str


def read_text(path: Path, table: str, encoding: str = "utf-8", limit: int = MAX_BYTES) -> ReadText:
    """The text of a regular file of at most `limit` bytes; raises `Unreadable`. `table` is the place in the fault.

    A byte-order mark counts for more than `encoding`, which says what a file without one is in.
    """
    data = read_bytes(path, table, limit)
    text = decode(data, table, path.name, encoding)
    digest = hashlib.sha256(data).hexdigest()
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return ReadText(text, digest)


def read_bytes(path: Path, table: str, limit: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file of at most `limit` bytes, which stayed the same meanwhile; raises `Unreadable`."""
    try:
        # Without O_NONBLOCK, opening a FIFO waits for a writer for ever.
        _refuse_odd(path.stat(), path, table, limit)
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise Unreadable(_cannot_open(path, table, error)) from error
    try:
        before = os.fstat(handle)
        _refuse_odd(before, path, table, limit)
        with os.fdopen(handle, "rb", closefd=False) as stream:
            data = stream.read(limit + 1)
        after = os.fstat(handle)
        now = path.stat()
    except OSError as error:
        raise Unreadable(_cannot_open(path, table, error)) from error
    finally:
        os.close(handle)
    if (
        len({(s.st_ino, s.st_size, s.st_mtime_ns) for s in (before, after, now)}) > 1
        or len(data) != before.st_size
    ):
        raise Unreadable(
            Fault(
                table,
                f"{path.name} changed while it was read",
                "run again when it is complete",
                code="changed_while_read",
            )
        )
    return data


def check_file(path: Path, table: str, magic: bytes, what: str) -> None:
    """Raise `Unreadable` where a file of any size is no regular file, or does not begin with `magic`."""
    try:
        _refuse_odd(path.stat(), path, table, None)
        with path.open("rb") as stream:
            begin = stream.read(len(magic))
    except (OSError, ValueError) as error:
        raise Unreadable(_cannot_open(path, table, error)) from error
    if begin != magic:
        found = f"is not {what}" if begin else "has 0 bytes"
        raise Unreadable(Fault(table, f"{path.name} {found}", "correct its path", code="not_a_database"))


def _refuse_odd(found: os.stat_result, path: Path, table: str, limit: int | None) -> None:
    mode = found.st_mode
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"
        raise Unreadable(
            Fault(table, f"{path.name} is {what}, not a file", "put a plain file there", code="not_a_file")
        )
    if limit is not None and found.st_size > limit:
        size = f"{found.st_size / 1e6:,.0f} MB, over the limit of {limit / 1e6:,.0f} MB"
        raise Unreadable(
            Fault(
                table,
                f"{path.name} has {size}",
                "aggregate it, or leave out what is not needed",
                code="too_large",
            )
        )


def _cannot_open(path: Path, table: str, error: OSError | ValueError) -> Fault:
    if isinstance(error, FileNotFoundError):
        return Fault(
            table, f"file {path.name} is missing", "put it there, or correct its path", code="missing_file"
        )
    if isinstance(error, PermissionError):
        return Fault(
            table, f"{path.name} may not be read", "give yourself the right to read it", code="unreadable"
        )
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return Fault(
        table, f"{path.name} cannot be read: {reason}", "check the path and the disk", code="unreadable"
    )


def decode(data: bytes, table: str, name: str, stated: str) -> str:
    """The text of bytes, with the line breaks that they have; raises `Unreadable`. `stated` is the encoding where no
    byte-order mark says it."""
    if not data:
        raise Unreadable(
            Fault(table, f"{name} has 0 bytes", "write a header and rows, or delete it", code="empty_file")
        )
    for magic, what, remedy in _MAGIC:
        if data.startswith(magic):
            raise Unreadable(Fault(table, f"{name} is {what}, not text", remedy, code="not_text"))
    encoding = "utf-8-sig" if stated == "utf-8" or data.startswith(codecs.BOM_UTF8) else stated
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif encoding == "utf-16":
        # Without its mark, text of the little-endian kind: what Windows writes.
        encoding = "utf-16-le"
    elif _many_zeros(data):
        raise Unreadable(
            Fault(
                table,
                f"{name} looks like UTF-16 without its mark",
                "save it as UTF-8, or with a byte-order mark",
                code="encoding",
            )
        )
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable(_badly_encoded(data, encoding, table, name, error)) from error
    if "\0" in text:
        at = text.index("\0")
        row = text.count("\n", 0, at) + 1
        raise Unreadable(
            Fault(
                table, f"{name} holds a NUL character", "remove it: the file is damaged", row=row, code="nul"
            )
        )
    return text


def _many_zeros(data: bytes) -> bool:
    start = data[:4000]
    return len(start) >= 4 and start.count(b"\0") * 10 >= len(start) * 3


def _badly_encoded(data: bytes, encoding: str, table: str, name: str, error: UnicodeDecodeError) -> Fault:
    if encoding.startswith("utf-16"):
        return Fault(
            table,
            f"{name} is damaged UTF-16 at byte {error.start}",
            "save it again as UTF-8",
            code="encoding",
        )
    row = data.count(b"\n", 0, error.start) + 1
    byte = f"byte 0x{data[error.start]:02x} at offset {error.start}"
    if encoding == "utf-8-sig":
        message = f"{name} is not UTF-8: {byte}, likely Latin-1 or Windows text"
        remedy = f'save it as UTF-8, or write encoding = "windows-1252" in [tables.{table}]'
    else:
        message, remedy = f"{name} is not {encoding}: {byte}", "correct the encoding in instance.toml"
    return Fault(table, message, remedy, row=row, code="encoding")
