"""`[tables.<table>]` of instance.toml: from what is written there, or from a file that lies beside it, to a `Source`.

In come the section as it was validated and the folder; out go the source and every fault of the section.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from cpm_opt.faults import Fault, did_you_mean
from cpm_opt.tables.catalogue import ALL
from cpm_opt.tables.names import misspelt
from cpm_opt.tables.source import (
    BESIDE,
    ENCODINGS,
    OTHER_SUFFIXES,
    SUFFIXES,
    Decimal,
    Delimiter,
    Encoding,
    Source,
    Thousands,
)
from cpm_opt.toml_file import TomlFile

_Text = Annotated[str, Field(min_length=1, max_length=500)]


class Section(BaseModel):
    """The keys of `[tables.<table>]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    path: _Text | None = None
    sheet: _Text | None = None
    url: _Text | None = None
    query: Annotated[str, Field(min_length=1, max_length=100_000)] | None = None
    columns: dict[str, _Text] = Field(default_factory=dict)
    delimiter: Delimiter | None = None
    decimal: Decimal = "."
    thousands: Thousands = ""
    date_format: _Text | None = None
    encoding: Encoding | None = None


WRONG_VALUES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "delimiter": ('is none of "," ";" "|" and "\\t"', 'write delimiter = ";"'),
        "decimal": ('is neither "." nor ","', 'write decimal = ","'),
        "thousands": ('is none of "." "," " " and "\'"', 'write thousands = "."'),
        "encoding": ("is none of " + ", ".join(ENCODINGS), 'write encoding = "windows-1252"'),
    }
)

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "path": 'write path = "file.csv" (or .xlsx, .parquet)',
        "sheet": 'write sheet = "NAME"',
        "url": 'write url = "sqlite:FILE" or "postgresql://USER@HOST/DATABASE"',
        "query": 'write query = "select ..."',
        "columns": 'write columns = { customer = "Cust No" }: our name = "theirs"',
        "date_format": 'write date_format = "%d.%m.%Y"',
    }
)

_DIRECTIVES = re.compile(r"%(.)")
_KNOWN_DIRECTIVES = frozenset("dmYybBHMS")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def beside(folder: Path, table: str) -> list[Path]:
    """The files beside instance.toml that hold this table by their name, in the order in which they count."""
    return [folder / f"{table}{suffix}" for suffix in BESIDE if os.path.lexists(folder / f"{table}{suffix}")]


def source_of(
    file: TomlFile, folder: Path, table: str, section: Section
) -> tuple[Source | None, list[Fault]]:
    """Where the section says that the table is (None: nowhere that can be read), and what is wrong with it."""
    at = ("tables", table)
    if table not in ALL:
        return None, [file.fault(at, "is no table", did_you_mean(table, ALL), "unknown_table")]
    told = _contradictions(file, at, section)
    told += _map_faults(file, at, section) + _date_faults(file, at, section)
    stated: dict[str, Any]
    if section.url is not None or section.query is not None:
        stated, wrong = _database(file, folder, at, section)
    else:
        stated, wrong = _file(file, folder, table, section)
    if not stated:
        return None, told + wrong
    told += wrong + _out_of_place(file, at, section, stated["kind"])
    return Source(
        **stated,
        columns=MappingProxyType({name: label.strip() for name, label in section.columns.items()}),
        delimiter=section.delimiter or ",",
        decimal=section.decimal,
        thousands=section.thousands,
        date_format=section.date_format,
        encoding=section.encoding or "utf-8",
    ), told


def _file(file: TomlFile, folder: Path, table: str, section: Section) -> tuple[dict[str, Any], list[Fault]]:
    at: tuple[str, ...] = ("tables", table)
    if section.path is None:
        there = beside(folder, table)
        if not there:
            return {}, [file.fault(at, "does not say where the table is", HINTS["path"], "missing_key")]
        path = there[0]
    else:
        at = (*at, "path")
        if "://" in section.path:
            return {}, [file.fault(at, "is a URL, not the path of a file", HINTS["url"], "wrong_value")]
        path = folder / section.path
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        message, remedy = OTHER_SUFFIXES.get(
            suffix, ("ends in nothing that is read", "name a file that ends in " + ", ".join(SUFFIXES))
        )
        return {}, [file.fault(at, message, remedy, "other_format")]
    return {"kind": SUFFIXES[suffix], "path": path, "sheet": section.sheet}, []


def _database(
    file: TomlFile, folder: Path, at: tuple[str, str], section: Section
) -> tuple[dict[str, Any], list[Fault]]:
    for key, other in (("url", "query"), ("query", "url")):
        if getattr(section, other) is None:
            message = f"stands without {other}"
            return {}, [file.fault((*at, key), message, HINTS[other], "missing_key")]
    url, faults = _expanded(file, (*at, "url"), str(section.url))
    scheme, _, rest = url.partition(":")
    stated: dict[str, Any] = {"kind": "sql", "url": url, "query": section.query}
    if faults:
        return {}, faults
    if scheme.lower() in ("postgresql", "postgres") and rest.startswith("//"):
        return stated, []
    if scheme.lower() == "sqlite" and (path := _sqlite_path(folder, rest)) is not None:
        return {**stated, "path": path}, []
    message = "names no file" if scheme.lower() == "sqlite" else "is neither sqlite: nor postgresql://"
    return {}, [file.fault((*at, "url"), message, HINTS["url"], "wrong_url")]


def _sqlite_path(folder: Path, rest: str) -> Path | None:
    """The file of `sqlite:FILE`. Of `sqlite:///FILE` it is the one beside instance.toml, as SQLAlchemy has it, or,
    where that is not there, the one from the root, as other programs have it."""
    if rest.startswith("///"):
        rest = rest[3:]
        from_root = Path("/" + rest)
        if rest and not os.path.lexists(folder / rest) and os.path.lexists(from_root):
            return from_root
    elif rest.startswith("//"):
        return None
    return folder / rest if rest and rest != ":memory:" and "?" not in rest else None


def _expanded(file: TomlFile, at: tuple[str, ...], url: str) -> tuple[str, list[Fault]]:
    """The URL with `${NAME}` filled in from the environment; what is filled into a part of it is percent-encoded."""
    from urllib.parse import quote

    faults = []
    for name in _VARIABLE.findall(url):
        if name not in os.environ:
            message = f"names the environment variable {name}, which is not set"
            faults.append(file.fault(at, message, f"set {name}", "no_variable"))
    if faults:
        return url, faults
    whole = _VARIABLE.fullmatch(url)
    if whole:
        return os.environ[whole[1]], []
    return _VARIABLE.sub(lambda found: quote(os.environ[found[1]], safe=""), url), []


def _contradictions(file: TomlFile, at: tuple[str, str], section: Section) -> list[Fault]:
    faults = []
    if section.path is not None and (section.url is not None or section.query is not None):
        other = "url" if section.url is not None else "query"
        faults.append(
            file.fault((*at, "path"), f"stands beside {other}", "keep one of them", "contradiction")
        )
    if section.thousands and section.thousands == section.decimal:
        message = "is the decimal mark as well"
        faults.append(
            file.fault((*at, "thousands"), message, 'write decimal = "," for 1.234,50', "contradiction")
        )
    return faults


def _map_faults(file: TomlFile, at: tuple[str, str], section: Section) -> list[Fault]:
    """Names on our side of the column map that the table has not, or, where it takes columns under names of the
    user's own, that look like one of ours misspelt."""
    table = ALL[at[1]]
    return [
        file.fault(
            (*at, "columns", name), "unknown column", did_you_mean(name, table.names), "unknown_column"
        )
        for name in section.columns
        if name not in table.names and (table.extra == "none" or misspelt(name, table.names))
    ]


def _date_faults(file: TomlFile, at: tuple[str, str], section: Section) -> list[Fault]:
    if section.date_format is None:
        return []
    found = _DIRECTIVES.findall(section.date_format)
    at_once = [sum(found.count(letter) for letter in part) for part in ("d", "mbB", "Yy")]
    unknown = sorted(set(found) - _KNOWN_DIRECTIVES)
    if unknown:
        message = f"holds %{unknown[0]}, which is not read"
    elif at_once != [1, 1, 1]:
        message = "does not name day, month and year once each"
    else:
        return []
    return [file.fault((*at, "date_format"), message, HINTS["date_format"], "wrong_value")]


def _out_of_place(file: TomlFile, at: tuple[str, str], section: Section, kind: str) -> list[Fault]:
    """Keys that say nothing of this kind of source."""
    allowed = {"sheet": "excel", "delimiter": "csv", "encoding": "csv"}
    of = {"excel": "a workbook", "csv": "CSV"}
    return [
        file.fault((*at, key), f"is for {of[allowed[key]]} alone", "take it out", "contradiction")
        for key in allowed
        if getattr(section, key) is not None and kind != allowed[key]
    ]
