"""Reads a TOML file that a person wrote: comes in a path, goes out its tables and the line of every key.

`tomllib` gives no positions of values, so the lines are found a second time by the keys. They only say where a fault
is: a layout that the second look does not follow costs the line number, never the value.
"""

from __future__ import annotations

import codecs
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cpm_opt.faults import Fault, InputError

KeyPath = tuple[str, ...]

MAX_BYTES = 1_000_000
LARGEST = 1e15
"""Numbers this large and beyond are refused everywhere: the solver refuses or misreads them."""

_POSITION = re.compile(
    r"^(?P<what>.*?)\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.S
)
_HEADER = re.compile(r"^\s*\[\[?(?P<key>[^\[\]]+)\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(
    r"""^\s*(?P<key>(?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=(?P<rest>.*)$"""
)
_USER = re.compile(r"://.*@", re.S)
_KEY_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


@dataclass(frozen=True)
class TomlFile:
    """A TOML file as read: its label in faults (the file's name), its tables, and the line of each key."""

    label: str
    data: Mapping[str, Any]
    lines: Mapping[KeyPath, int]

    def line_of(self, path: KeyPath) -> int | None:
        """The line (from 1) of a key, or of the nearest table around it; None where neither was found."""
        for length in range(len(path), 0, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return line
        return None

    def fault(self, path: KeyPath, message: str, remedy: str, code: str) -> Fault:
        """A fault of one key, with the key's line and, where it has one, its value in TOML's own notation."""
        value: Any = self.data
        for part in path:
            value = value.get(part) if isinstance(value, Mapping) else None
        return Fault(
            self.label,
            message,
            remedy,
            row=self.line_of(path),
            column=".".join(path),
            value=None if value is None or isinstance(value, Mapping) else toml_text(value),
            code=code,
        )


def read_toml(path: Path) -> TomlFile:
    """Read a TOML file in UTF-8, or in UTF-16 with its mark. Raises InputError with the line and column of a fault."""
    text = _text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError([_syntax_fault(path.name, str(error), text)]) from None
    except ValueError:  # Python's own limit on the digits of an integer
        raise _unreadable(path, "holds a number of thousands of digits", "write a shorter number") from None
    except RecursionError:
        raise _unreadable(path, "nests too deep", "write at most a few tables inside one another") from None
    return TomlFile(path.name, data, dict(_key_lines(text)))


def bad_numbers(data: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Every number in the tables that is not finite or is too large, as (its key, what is wrong with it)."""
    for key, value in data.items():
        here = (*path, key)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping):
                yield from bad_numbers(item, here)
            elif isinstance(item, float) and not math.isfinite(item):
                yield here, "is not a finite number"
            elif isinstance(item, int | float) and abs(item) >= LARGEST:
                yield here, "is too large for any figure here (1e15 or more)"


def toml_text(value: object) -> str:
    """A value as TOML writes it, for a message: true, 0.5, "text". User and password of a URL are left out."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{_USER.sub("://…@", value)}"'
    return str(value)


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise _unreadable(path, "is no file that can be read", "give the path of a TOML file")
        if path.stat().st_size > MAX_BYTES:
            raise _unreadable(
                path, "is larger than 1 MB", "give the path of a TOML file; data belong into tables"
            )
        raw = path.read_bytes()
    except OSError as error:
        raise _unreadable(
            path, f"cannot be read ({error.strerror})", "check the path and its permissions"
        ) from None
    utf16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return raw.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text (from byte {error.start} on)"
        raise _unreadable(path, message, "save the file as UTF-8") from None


def _unreadable(path: Path, message: str, remedy: str) -> InputError:
    return InputError([Fault(path.name, message, remedy, code="file")])


def _syntax_fault(label: str, error: str, text: str) -> Fault:
    match = _POSITION.match(error)
    what = match["what"] if match else error
    if match and match["line"]:
        line, place = int(match["line"]), f"at column {match['column']}"
    else:
        line, place = text.count("\n") + 1, "at the end of the file"
    if "overwrite" in what or "twice" in what or "Cannot declare" in what:
        return Fault(
            label, f"a key or table stands twice, {place}", "keep one of them", row=line, code="duplicate"
        )
    return Fault(label, f"is not TOML {place}: {what}", "correct the line", row=line, code="syntax")


def _key_lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """The keys of the file with their lines; lines inside a text of several lines are passed over.

    The tables of an array, `[[rules]]`, have their place in it, from 0, as a part of the path: rules.0, rules.1.
    """
    table: KeyPath = ()
    places: dict[KeyPath, int] = {}
    quote = ""
    for number, line in enumerate(text.splitlines(), 1):
        if quote:
            quote = "" if quote in line else quote
            continue
        header = _HEADER.match(line)
        if header:
            table = _parts(header["key"])
            if line.lstrip().startswith("[["):
                places[table] = places.get(table, -1) + 1
                if not places[table]:
                    yield table, number
                table = (*table, str(places[table]))
            yield table, number
            continue
        assignment = _ASSIGNMENT.match(line)
        if assignment:
            yield (*table, *_parts(assignment["key"])), number
            quote = _opened(assignment["rest"])


def _opened(rest: str) -> str:
    """The mark of a text of several lines that a value opens and does not close on its line, else ''."""
    for mark in ('"""', "'''"):
        if rest.count(mark) == 1:
            return mark
    return ""


def _parts(key: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in _KEY_PART.findall(key))


def toml_document(data: Mapping[str, Any]) -> str:
    """A table as the text of a TOML file; what is None is left out, for TOML has no null."""
    import tomli_w

    return tomli_w.dumps(_without_none(data))


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_none(each) for key, each in value.items() if each is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(each) for each in value]
    return value
