"""A model's specification: comes in a TOML file and settings of the command line, goes out a frozen, checked ModelSpec.

Every section is a frozen dataclass whose fields are the keys of its table, the components' too. A model is closed: an
unknown key is a fault that names the nearest known one. All faults of a model are told at once.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field

from cpm_opt.faults import Fault, InputError, did_you_mean, shown
from cpm_opt.formulation.checked_value import checked_value
from cpm_opt.formulation.registry import registered_components
from cpm_opt.places import find_model
from cpm_opt.toml_file import KeyPath, TomlFile, bad_numbers, read_toml


@dataclass(frozen=True)
class Horizon:
    """`[horizon]`: the number of periods, and the discount rate per period as a fraction."""

    periods: Annotated[int, Field(ge=1, le=120)] = 1
    discount_rate: Annotated[float, Field(ge=0, le=1)] = 0.0


@dataclass(frozen=True)
class Objective:
    """`[objective]`: weights of the discounted profit of periods 1..T and of the end value, both without unit."""

    profit: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    end_value: Annotated[float, Field(ge=0, le=1e6)] = 1.0


@dataclass(frozen=True)
class Solver:
    """`[solver]`: how HiGHS is run. time_limit in seconds, reading and building included (in a sweep or a frontier for
    each plan, once the tables are read); mip_gap relative; 0 threads leaves the number to HiGHS."""

    method: Literal["auto", "simplex", "ipm", "hipo", "pdlp"] = "auto"
    time_limit: Annotated[float, Field(gt=0, le=1e6)] = 300.0
    mip_gap: Annotated[float, Field(ge=0, le=1)] = 1e-6
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


SECTIONS: Mapping[str, type] = MappingProxyType(
    {"horizon": Horizon, "objective": Objective, "solver": Solver}
)
TOP_KEYS = ("title", "extends", "horizon", "objective", "components", "solver")


@dataclass(frozen=True)
class ModelSpec:
    """Which decisions and rules are on. `components` has one frozen instance per component that is on, by its name."""

    name: str
    title: str
    horizon: Horizon = Horizon()
    objective: Objective = Objective()
    components: Mapping[str, Any] = field(default_factory=dict)
    solver: Solver = Solver()

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", MappingProxyType(dict(self.components)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets a spec be sent to another process: a read-only mapping alone cannot be."""
        fields = (self.name, self.title, self.horizon, self.objective, dict(self.components), self.solver)
        return ModelSpec, fields

    def resolved(self) -> dict[str, Any]:
        """The whole model as plain nested dicts, every default filled in: what run.json keeps."""
        return {
            "name": self.name,
            "title": self.title,
            "horizon": dataclasses.asdict(self.horizon),
            "objective": dataclasses.asdict(self.objective),
            "components": {
                name: component.resolved()
                if hasattr(component, "resolved")
                else dataclasses.asdict(component)
                for name, component in self.components.items()
            },
            "solver": dataclasses.asdict(self.solver),
        }


def load_model(
    name_or_path: str | Path, settings: Sequence[str] = (), time_limit: float | None = None
) -> ModelSpec:
    """Read a model by its name or path.

    `settings` are `KEY=VALUE` as in `--set components.risk.weight=0.2`: the value is written as in TOML, a bare word is
    text; a setting of a component that is off turns it on, `components.NAME=false` turns one off. `time_limit`
    (seconds) goes before `solver.time_limit`.
    Raises InputError with every fault of the model and the settings.
    """
    path = find_model(name_or_path)
    faults: list[Fault] = []
    layers = _Layers(_files(path, faults))
    layers.put_on_top(_settings(settings, faults))
    if time_limit is not None:
        layers.put_on_top([TomlFile("--time-limit", {"solver": {"time_limit": time_limit}}, {})])
    merged = layers.merged()
    wrong_numbers = dict(bad_numbers(merged))
    faults += [layers.fault(key, message, "write a number") for key, message in wrong_numbers.items()]
    reader = _Reader(layers, frozenset(wrong_numbers), faults)
    spec = reader.model(merged, path.stem)
    if faults:
        raise InputError(dict.fromkeys(faults))
    return spec


class _Layers:
    """The tables that make a model, the strongest first: settings, the model's file, the file that it extends."""

    def __init__(self, files: Sequence[TomlFile]) -> None:
        self._layers = list(files)

    def put_on_top(self, layers: Iterable[TomlFile]) -> None:
        for layer in layers:
            self._layers.insert(0, layer)

    def merged(self) -> dict[str, Any]:
        """All layers as one table, merged table by table and key by key."""
        result: dict[str, Any] = {}
        for layer in reversed(self._layers):
            result = _merge(result, layer.data)
        return result

    def fault(self, path: KeyPath, message: str, remedy: str, code: str = "value") -> Fault:
        """A fault told of the layer that the key (or else the nearest table around it) comes from."""
        for length in range(len(path), 0, -1):
            for layer in self._layers:
                if _has(layer.data, path[:length]):
                    return layer.fault(path, message, remedy, code)
        return self._layers[-1].fault(path, message, remedy, code)


@dataclass(frozen=True)
class _Reader:
    """Makes the sections out of the merged tables and gathers the faults on the way."""

    layers: _Layers
    wrong_numbers: frozenset[KeyPath]
    faults: list[Fault]

    def model(self, merged: Mapping[str, Any], name: str) -> ModelSpec:
        for key in merged:
            if key not in TOP_KEYS:
                self._fault((key,), "is no key of a model", _remedy_for_top_key(key), "unknown_key")
        title = merged.get("title", name)
        if not isinstance(title, str):
            self._fault(("title",), "is not text", "write it in quotes")
        return ModelSpec(
            name=name,
            title=title,
            horizon=self.section(Horizon, merged.get("horizon", {}), ("horizon",)),
            objective=self.section(Objective, merged.get("objective", {}), ("objective",)),
            components=self.components(merged.get("components", {})),
            solver=self.section(Solver, merged.get("solver", {}), ("solver",)),
        )

    def components(self, table: object) -> dict[str, Any]:
        """The components that are on, in the order of the registry, so that equal models are built equally. `false` in
        the place of a table is one that is off, whatever the model below it says."""
        if not isinstance(table, Mapping):
            self._fault(("components",), "is no table", "write a table [components.NAME] for each rule")
            return {}
        known = registered_components()
        for name in table:
            if name not in known:
                remedy = did_you_mean(name, known)
                self._fault(("components", name), "no component has this name", remedy, "unknown_component")
        return {
            name: self.section(component, table[name], ("components", name))
            for name, component in known.items()
            if table.get(name, False) is not False
        }

    def section(self, section: type, table: object, path: KeyPath) -> Any:
        """One frozen instance of a section; None where its table has faults, which then end the reading."""
        before = len(self.faults)
        values = self._values(section, table, path)
        if len(self.faults) == before:
            try:
                return section(**values)
            except ValueError as error:  # a check of the component's own
                self._fault(path, str(error), "correct the table")
        return None

    def _values(self, section: type, table: object, path: KeyPath) -> dict[str, Any]:
        if not isinstance(table, Mapping):
            key = ".".join(path)
            remedy = f"write [{key}] with its keys below, or --set {key}={{}}"
            if path[0] == "components":
                remedy = f"{remedy}; --set {key}=false turns it off"
            self._fault(path, "is no table", remedy)
            return {}
        fields = {known.name: known for known in dataclasses.fields(section) if known.init}
        hints = get_type_hints(section, include_extras=True)
        values = {}
        for key, value in table.items():
            if key not in fields:
                remedy = did_you_mean(key, fields) if fields else "this table has no keys: remove it"
                self._fault((*path, key), f"is no key of [{'.'.join(path)}]", remedy, "unknown_key")
            elif (*path, key) not in self.wrong_numbers:
                checked = checked_value(hints[key], value)
                if checked.wrong is None:
                    values[key] = checked.value
                else:
                    self._fault((*path, key), checked.wrong, checked.remedy)
        for key, known in fields.items():
            if key not in table and known.default is known.default_factory is dataclasses.MISSING:
                self._fault((*path, key), "is missing", f"add it to [{'.'.join(path)}]", "missing_key")
        return values

    def _fault(self, path: KeyPath, message: str, remedy: str, code: str = "value") -> None:
        self.faults.append(self.layers.fault(path, message, remedy, code))


def _remedy_for_top_key(key: str) -> str:
    for name, section in SECTIONS.items():
        if key in (known.name for known in dataclasses.fields(section)):
            return f"put it into [{name}]"
    return did_you_mean(key, TOP_KEYS)


def _files(path: Path, faults: list[Fault]) -> list[TomlFile]:
    """The model's file and, where it extends another, that one after it."""
    child = read_toml(path)
    if "extends" not in child.data:
        return [child]
    extends = child.data["extends"]

    def refused(message: str, remedy: str) -> list[TomlFile]:
        faults.append(child.fault(("extends",), message, remedy, "extends"))
        return [child]

    if not isinstance(extends, str):
        return refused("is not text", "write the name of a model in quotes")
    try:
        base_path = _base_path(path, extends)
        if base_path.resolve() == path.resolve():
            return refused("the model extends itself", "name another model")
        base = read_toml(base_path)
    except InputError as error:
        if error.faults[0].code == "place":
            return refused(error.faults[0].message, error.faults[0].remedy)
        faults.extend(error.faults)
        return [child]
    further = base.data.get("extends")
    if further is None:
        return [child, base]
    message = f"{base.label} extends {shown(str(further))} itself; a model extends one that stands alone"
    if isinstance(further, str) and _leads_to(base_path, further, path):
        message = f"the models extend one another in a circle: {base.label} extends {child.label}"
    return refused(message, "put all keys into two models, the second without extends")


def _base_path(path: Path, extends: str) -> Path:
    """The file that `extends` names: beside the model that says it first, else wherever models are found."""
    for beside in (path.parent / extends, path.parent / f"{extends}.toml"):
        if extends.strip() and beside.is_file():
            return beside
    return find_model(extends)


def _leads_to(path: Path, extends: str, target: Path) -> bool:
    try:
        return _base_path(path, extends).resolve() == target.resolve()
    except InputError:
        return False


def _settings(settings: Sequence[str], faults: list[Fault]) -> list[TomlFile]:
    """Each `KEY=VALUE` as a layer of its own; one that cannot be read is a fault."""
    values: dict[KeyPath, Any] = {}
    for text in settings:
        key, equals, written = text.partition("=")
        path = tuple(part.strip() for part in key.split("."))
        if not equals or not written.strip():
            message, remedy = "has no value", "write KEY=VALUE, such as --set solver.mip_gap=0.001"
        elif not all(path):
            message, remedy = (
                "has an empty part in its key",
                "write KEY=VALUE, such as --set solver.mip_gap=0.001",
            )
        elif any(ord(character) < 32 for character in text):
            message, remedy = "holds a line break or a control character", "write it in one line"
        elif path[0] == "extends":
            message, remedy = "extends cannot be set", "give the other model as --model"
        elif path in values:
            message, remedy = f"sets {'.'.join(path)} a second time", "keep one of them"
        else:
            values[path] = _setting_value(written)
            continue
        faults.append(Fault("--set", message, remedy, value=text, code="setting"))
    for path in values:
        if len(path) > 2 and path[0] == "components" and values.get(path[:2]) is False:
            message, remedy = f"{'.'.join(path[:2])} is turned off by another --set", "keep one of them"
            faults.append(Fault("--set", message, remedy, value=".".join(path), code="setting"))
    return [TomlFile("--set", _nested(path, value), {}) for path, value in values.items()]


def _setting_value(written: str) -> Any:
    """The value of a setting: as in TOML, else the text as it stands."""
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except (ValueError, RecursionError):
        return written.strip()


def _nested(path: KeyPath, value: Any) -> dict[str, Any]:
    for part in reversed(path):
        value = {part: value}
    return dict(value)


def _has(data: object, path: KeyPath) -> bool:
    for part in path:
        if not isinstance(data, Mapping) or part not in data:
            return False
        data = data[part]
    return True


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = _merge(result[key], value)
        else:
            result[key] = value
    return result
