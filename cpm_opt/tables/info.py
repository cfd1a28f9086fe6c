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


class _Place(_Closed):
    path: Annotated[str, Field(min_length=1)] | None = None
    url: str | None = None
    query: str | None = None


class _Document(_Closed):
    instance: InstanceSection
    measures: dict[str, Measure] = Field(default_factory=dict)
    tables: dict[str, _Place] = Field(default_factory=dict)
    estimates: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Described:
    """What `instance.toml` gave: the info (repaired where it was faulty), the stated paths of tables (None: stated,
    but not to be read), the file's hash, whether it could be parsed at all, and the faults."""

    info: InstanceInfo
    paths: Mapping[str, str | None]
    sha256: str
    parsed: bool
    faults: tuple[Fault, ...]


def read_info(folder: Path) -> Described:
    """Read the folder's `instance.toml`. Never raises for what is in it."""
    stand_in = _stand_in(folder)
    try:
        file = read_toml(folder / FILE)
        sha256 = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    except (InputError, OSError) as error:
        told = error.faults if isinstance(error, InputError) else (_unreadable(error),)
        return Described(InstanceInfo.model_validate(stand_in), {}, "", False, told)
    if _depth(file.data) > MAX_DEPTH:
        deep = Fault(
            FILE,
            f"is nested deeper than {MAX_DEPTH} levels",
            "write fewer tables in one another",
            code="file",
        )
        return Described(InstanceInfo.model_validate(stand_in), {}, sha256, False, (deep,))
    document, faults = _validated(file, stand_in)
    paths = {}
    for table, place in document.tables.items():
        paths[table], wrong = _path(file, table, place)
        faults += wrong
    measures = {}
    for name, measure in document.measures.items():
        wrong = _measure_faults(file, name, document.measures)
        faults += wrong
        if not wrong:
            measures[name] = measure
    faults += _doubts(file)
    info = InstanceInfo(**document.instance.model_dump(), measures=measures, estimates=document.estimates)
    return Described(info, paths, sha256, True, tuple(faults))


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


_KEYS: Mapping[str, type[BaseModel]] = {"instance": InstanceSection, "measures": Measure, "tables": _Place}


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
    "path": 'write path = "file.csv"',
}


def _hint(key: str) -> str:
    return _HINTS.get(key, "correct it; text stands in quotes")


def _path(file: TomlFile, table: str, place: _Place) -> tuple[str | None, list[Fault]]:
    """The path stated for a table (None where nothing is to be read), and what is wrong with it."""
    at = ("tables", table)
    if table not in ALL:
        return None, [file.fault(at, "is no table", did_you_mean(table, ALL), "unknown_table")]
    only = "only CSV files are read in this version"
    if place.url is not None or place.query is not None:
        key = "url" if place.url is not None else "query"
        return None, [
            file.fault((*at, key), only, 'export the table as CSV and write path = "x.csv"', "only_csv")
        ]
    if place.path is None:
        return None, [file.fault(at, "does not say where the table is", _hint("path"), "missing_key")]
    if not place.path.lower().endswith(".csv") or "://" in place.path:
        return None, [file.fault((*at, "path"), only, "export the sheet as CSV", "only_csv")]
    return place.path, []


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
