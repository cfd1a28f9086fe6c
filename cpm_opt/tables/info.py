"""`instance.toml`: what an instance says of itself. Closed and frozen; every fault at once, each with its line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.tables.catalogue import ALL, reserved_measure_names
from cpm_opt.tables.sections import HINTS, WRONG_VALUES, Section, beside, source_of
from cpm_opt.tables.source import SUFFIXES, Source
from cpm_opt.toml_file import TomlFile, bad_numbers, read_toml

FILE = "instance.toml"
MAX_DEPTH = 20

_Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\r\n]*$")]
_FALLBACK = {"currency": "?", "period": "year"}


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Measure(_Closed):
    """A further number per customer and period, such as satisfaction, that balance rules can speak of."""

    title: str = ""
    unit: str = ""


class InstanceSection(_Closed):
    """The keys of `[instance]`; `money_unit` is for display (1000: the tables are in thousands)."""

    name: _Line
    title: _Line
    currency: Annotated[str, Field(min_length=1, max_length=20)]
    money_unit: Annotated[float, Field(gt=0)] = 1.0
    period: Literal["month", "quarter", "year"]
    source: str = ""
    licence: str = ""
    default_model: _Line | None = None


class InstanceInfo(InstanceSection):
    """`[instance]` with the measures of `[measures]` and the table `[estimates]` as it was written."""

    measures: dict[str, Measure] = Field(default_factory=dict)
    estimates: dict[str, Any] = Field(default_factory=dict)


class _Document(_Closed):
    instance: InstanceSection
    measures: dict[str, Measure] = Field(default_factory=dict)
    tables: dict[str, Section] = Field(default_factory=dict)
    estimates: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Described:
    """What `instance.toml` and the names of the files beside it gave.

    - `info`: repaired where it was faulty;
    - `sources`: where each table that is there is read from, in the catalogue's order;
    - `stated`: the tables that have a section of their own, also where that is faulty and gives no source;
    - `sha256` of the file, whether it could be parsed at all, the faults, and the file (for the lines of its keys).
    """

    info: InstanceInfo
    sources: Mapping[str, Source]
    stated: frozenset[str]
    sha256: str
    parsed: bool
    faults: tuple[Fault, ...]
    file: TomlFile | None = None


def read_info(folder: Path) -> Described:
    """Read the folder's `instance.toml`. Never raises for what is in it."""
    stand_in = _stand_in(folder)
    try:
        file = read_toml(folder / FILE)
        sha256 = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    except (InputError, OSError) as error:
        told = error.faults if isinstance(error, InputError) else (_unreadable(error),)
        return _undescribed(folder, stand_in, "", told)
    if _depth(file.data) > MAX_DEPTH:
        deep = Fault(
            FILE,
            f"is nested deeper than {MAX_DEPTH} levels",
            "write fewer tables in one another",
            code="file",
        )
        return _undescribed(folder, stand_in, sha256, (deep,))
    document, faults = _validated(file, stand_in)
    sources, wrong = _sources(file, folder, document, faults)
    faults += wrong
    measures = {}
    for name, measure in document.measures.items():
        wrong = _measure_faults(file, name, document.measures)
        faults += wrong
        if not wrong:
            measures[name] = measure
    faults += _doubts(file)
    info = InstanceInfo(**document.instance.model_dump(), measures=measures, estimates=document.estimates)
    stated = frozenset(document.tables)
    return Described(info, sources, stated, sha256, True, tuple(faults), file)


def _undescribed(
    folder: Path, stand_in: Mapping[str, str], sha256: str, faults: Sequence[Fault]
) -> Described:
    """What is known where the file could not be read: the tables beside it, under a name made up."""
    sources = {name: found[0] for name in ALL if (found := _beside(folder, name))}
    return Described(
        InstanceInfo.model_validate(stand_in), sources, frozenset(), sha256, False, tuple(faults)
    )


def _beside(folder: Path, table: str) -> list[Source]:
    return [Source(SUFFIXES[path.suffix], path) for path in beside(folder, table)]


def _sources(
    file: TomlFile, folder: Path, document: _Document, told: Sequence[Fault]
) -> tuple[dict[str, Source], list[Fault]]:
    """The source of each table, in the catalogue's order, and the faults of sections and of doubled files."""
    broken = {fault.column for fault in told}
    found: dict[str, Source] = {}
    faults = []
    for table, section in document.tables.items():
        if any(str(place).startswith(f"tables.{table}.") for place in broken):
            continue  # A faulty key was taken out, so what the section seems to say or lack counts for nothing.
        source, wrong = source_of(file, folder, table, section)
        faults += wrong
        if source is not None and not wrong:
            found[table] = source
    for table in ALL:
        there = _beside(folder, table)
        if table not in document.tables and there:
            found[table] = there[0]
            if len(there) > 1:
                message = "lies there twice: " + " and ".join(source.name for source in there)
                remedy = f"delete all but one, or name one in [tables.{table}] of {FILE}"
                faults.append(Fault(table, message, remedy, code="two_files"))
    return {table: found[table] for table in ALL if table in found}, faults


def _stand_in(folder: Path) -> dict[str, str]:
    """What takes the place of required keys that are missing or faulty, so that the tables can be checked too."""
    # The name of a folder may hold line breaks, and bytes that are no text.
    words = folder.resolve().name.encode("utf-8", "replace").decode("utf-8").split()
    name = " ".join(words)[:200] or "instance"
    return {"name": name, "title": name, **_FALLBACK}


def _unreadable(error: OSError) -> Fault:
    return Fault(
        FILE, f"cannot be read ({error.strerror})", "check the path and its permissions", code="file"
    )


def _depth(value: object) -> int:
    """Levels of nesting, counted without recursion, and no further than needed."""
    level = [value]
    depth = 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        inner: list[object] = []
        for item in level:
            if isinstance(item, Mapping):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        level = [item for item in inner if isinstance(item, Mapping | list)]
    return depth


def _validated(file: TomlFile, stand_in: Mapping[str, str]) -> tuple[_Document, list[Fault]]:
    """The document, with what is faulty taken out or replaced, and the faults."""
    raw: dict[str, Any] = {key: dict(v) if isinstance(v, Mapping) else v for key, v in file.data.items()}
    wild = dict(bad_numbers(file.data))
    faults = [
        file.fault(place, wrong, "write a finite number in a sane unit", "number")
        for place, wrong in wild.items()
    ]
    for place in wild:
        _take_out(raw, place)
    try:
        return _Document.model_validate(raw), faults
    except ValidationError as error:
        details = error.errors(include_url=False)
    for detail in details:
        place = tuple(str(key) for key in detail["loc"])
        if place not in wild:
            faults.append(_fault(file, place, detail))
    for detail in details:
        _take_out(raw, tuple(str(key) for key in detail["loc"]))
    instance = raw.get("instance")
    raw["instance"] = {**stand_in, **(instance if isinstance(instance, dict) else {})}
    return _Document.model_validate(raw), faults


def _take_out(raw: dict[str, Any], place: Sequence[str]) -> None:
    """Remove an entry from nested tables (those along the way are copied: the file's own data stay as they are)."""
    at = raw
    for key in place[:-1]:
        inner = at.get(key)
        if not isinstance(inner, Mapping):
            return
        at[key] = dict(inner)
        at = at[key]
    at.pop(place[-1], None)


_KEYS: Mapping[str, type[BaseModel]] = {"instance": InstanceSection, "measures": Measure, "tables": Section}


def _fault(file: TomlFile, place: tuple[str, ...], detail: ErrorDetails) -> Fault:
    key, kind = place[-1], detail["type"]
    if kind == "missing":
        message = f"[{key}] is missing" if len(place) == 1 else "the key is missing"
        remedy = "add it, with name, title, currency and period" if len(place) == 1 else _hint(key)
        return file.fault(place, message, remedy, "missing_key")
    if kind == "extra_forbidden":
        known = (
            _KEYS[place[0]].model_fields if len(place) > 1 and place[0] in _KEYS else _Document.model_fields
        )
        return file.fault(place, "unknown key", did_you_mean(key, known), "unknown_key")
    if kind == "literal_error" and key in WRONG_VALUES:
        return file.fault(place, *WRONG_VALUES[key], "wrong_value")
    code = "wrong_type" if kind.endswith("_type") else "wrong_value"
    return file.fault(place, _WRONG.get(kind, "is wrong: " + detail["msg"]), _hint(key), code)


_WRONG = {
    "string_type": "is no text",
    "float_type": "is no number",
    "greater_than": "is not above 0",
    "literal_error": "is none of month, quarter, year",
    "string_too_short": "is empty",
    "string_too_long": "is too long",
    "string_pattern_mismatch": "has a line break",
    "dict_type": "is no table",
    "model_type": "is no table",
    "model_attributes_type": "is no table",
}

_HINTS = {
    "name": 'write name = "my-bank"',
    "title": 'write title = "My bank, service and tariffs"',
    "currency": 'write currency = "EUR"',
    "period": 'write period = "month", "quarter" or "year"',
    "money_unit": "write a number such as 1 or 1000, without quotes",
    "default_model": 'write default_model = "NAME" of a model',
    **HINTS,
}


def _hint(key: str) -> str:
    return _HINTS.get(key, "correct it; text stands in quotes")


def _measure_faults(file: TomlFile, name: str, measures: Mapping[str, Measure]) -> list[Fault]:
    """What is wrong with the name of a measure."""
    alike = name.casefold()
    others = {other.casefold() for other in measures if other != name}
    if alike in reserved_measure_names():
        message = "a measure may not have the name of a column"
    elif not re.fullmatch(r"[^\W\d]\w*(?:[ .-]\w+)*", name) or alike in ("all", "use"):
        message = "this cannot be the name of a column, and a measure is one"
    elif alike in others or (alike.endswith("_se") and alike.removesuffix("_se") in others):
        message = "is too like another measure"
    else:
        return []
    return [
        file.fault(
            ("measures", name), message, "call it something else, in letters, digits and _", "measure_name"
        )
    ]


def _doubts(file: TomlFile) -> list[Fault]:
    """Warnings: what the design asks for and a plan does not need."""
    stated = file.data.get("instance")
    row = file.line_of(("instance",))
    return [
        Fault(
            FILE,
            "the key is missing",
            f'write {key} = "..."',
            row,
            f"instance.{key}",
            code="no_source",
            warning=True,
        )
        for key in ("source", "licence")
        if isinstance(stated, Mapping) and key not in stated
    ]
