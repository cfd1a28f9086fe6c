"""The zip archive that an Excel workbook is: refused before it is unpacked where it is damaged, or made to do harm.

In come the bytes of the file; out goes a `Package` whose parts are known to be as large as they say, to be complete,
and to hold no document type, so that no entity is ever expanded. Raises `Unreadable`.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from cpm_opt.faults import Fault
from cpm_opt.tables.files import Unreadable

MAX_PARTS = 10_000
MAX_UNPACKED = 500_000_000
HARMLESS = 20_000_000
"""An archive that unpacks to less may be packed as tightly as it likes."""
MAX_RATIO = 200

_OLE = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_ANEW = "open it in Excel or LibreOffice and save it as .xlsx"
_TYPES = tuple(
    word.encode(encoding)
    for word in ("<!DOCTYPE", "<!ENTITY")
    for encoding in ("ascii", "utf-16-le", "utf-16-be")
)
_OVERLAP = max(map(len, _TYPES)) - 1
_CHUNK = 1_000_000


@dataclass(frozen=True)
class Package:
    """An archive that was looked through: `part` gives one of its parts, which are at most 500 MB together."""

    archive: zipfile.ZipFile

    def part(self, name: str) -> bytes | None:
        """The bytes of a part by its name, in any case; None where there is none."""
        for info in self.archive.infolist():
            if info.filename.casefold() == name.casefold():
                return self.archive.read(info)
        return None


def open_package(data: bytes, name: str, table: str) -> Package:
    """Look through the archive `data` of the file called `name`; `table` is the place of a fault."""

    def refused(message: str, remedy: str, code: str) -> Unreadable:
        return Unreadable(Fault(table, f"{name} {message}", remedy, code=code))

    if data.startswith(_OLE):
        if _ENCRYPTED in data:
            raise refused("is protected by a password", "save it without one", "password")
        raise refused("is an old Excel workbook under another name", "save it as .xlsx", "not_a_workbook")
    if not data.startswith(b"PK"):
        raise refused("is no Excel workbook" if data else "has 0 bytes", _ANEW, "not_a_workbook")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        wrong = _wrong_directory(archive.infolist())
        if wrong is not None:
            raise refused(*wrong)
        for info in archive.infolist():
            if _look_through(info, data):
                message = "declares entities or a document type, which no workbook needs"
                raise refused(message, _ANEW, "entities")
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, ValueError) as error:
        raise refused("is damaged or not complete", "copy or save it again", "damaged") from error
    if "[Content_Types].xml" not in archive.namelist() or "xl/workbook.bin" in archive.namelist():
        raise refused("is a zip archive, but no .xlsx workbook", _ANEW, "not_a_workbook")
    return Package(archive)


def _wrong_directory(parts: list[zipfile.ZipInfo]) -> tuple[str, str, str] | None:
    """What the directory of the archive alone shows: names that lead out of it, parts that are too large."""
    unpacked = sum(part.file_size for part in parts)
    packed = sum(part.compress_size for part in parts)
    names = [part.filename.casefold() for part in parts]
    # ZipInfo puts / for the \ of Windows on Windows alone.
    odd = next((name for name in names if re.search(r"(^|[/\\])\.\.([/\\]|$)|^[/\\]|^[a-z]:|\\", name)), None)
    if odd is not None:
        return (
            "holds a part whose name leads out of it",
            "do not open it: it is made to do harm",
            "path_in_archive",
        )
    if len(parts) > MAX_PARTS or len(set(names)) < len(names):
        return f"holds {len(parts):,} parts, too many or some twice", _ANEW, "too_large"
    if unpacked > MAX_UNPACKED:
        message = f"unpacks to {unpacked / 1e6:,.0f} MB, over the limit of {MAX_UNPACKED / 1e6:,.0f} MB"
        return message, "export the table as Parquet or CSV", "too_large"
    if unpacked > HARMLESS and unpacked > MAX_RATIO * packed:
        message = f"unpacks to {unpacked / 1e6:,.0f} MB from {packed / 1e6:.1f} MB, as no workbook does"
        return message, "do not open it: it is made to do harm", "zip_bomb"
    if any(part.flag_bits & 1 for part in parts):
        return "is protected by a password", "save it without one", "password"
    return None


def _look_through(part: zipfile.ZipInfo, data: bytes) -> bool:
    """Whether a part declares a document type. Raises ValueError where it is not as large as the directory says:
    a reader that believes the data instead would unpack without end."""
    packed = _packed(part, data)
    size, check, found, tail = 0, 0, False, b""
    for chunk in _unpacked(packed, part):
        size += len(chunk)
        check = zlib.crc32(chunk, check)
        found = found or any(word in tail + chunk for word in _TYPES)
        tail = chunk[-_OVERLAP:]
        if size > part.file_size:
            break
    if size != part.file_size or check != part.CRC:
        raise ValueError("the part is not what the directory says")
    return found and part.filename.casefold().endswith((".xml", ".rels", ".vml"))


def _unpacked(packed: bytes, part: zipfile.ZipInfo) -> Iterator[bytes]:
    if part.compress_type == zipfile.ZIP_STORED:
        yield packed
        return
    if part.compress_type != zipfile.ZIP_DEFLATED:
        raise NotImplementedError("another kind of packing")
    inflate = zlib.decompressobj(-15)
    rest = packed
    while not inflate.eof:
        chunk = inflate.decompress(rest, _CHUNK)
        rest = inflate.unconsumed_tail
        if not chunk and not rest:
            raise ValueError("the part is cut off")
        yield chunk


def _packed(part: zipfile.ZipInfo, data: bytes) -> bytes:
    """The packed bytes of a part, found by its own header."""
    at = part.header_offset
    if data[at : at + 4] != b"PK\x03\x04":
        raise ValueError("no part begins there")
    name, extra = struct.unpack_from("<HH", data, at + 26)
    begin = at + 30 + name + extra
    packed = data[begin : begin + part.compress_size]
    if len(packed) != part.compress_size:
        raise ValueError("the part is cut off")
    return packed
