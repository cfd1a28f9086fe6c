"""Reads an instance folder and a model file as text; nothing of the design is decided here but what a blank is."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

TABLES = (
    "segments",
    "arrivals",
    "current",
    "resources",
    "levers",
    "options",
    "effects",
    "usage",
    "migration",
    "migration_effects",
    "balance",
    "factors",
    "price_rules",
    "option_rules",
)
COMPONENTS = {"capacity", "balance", "switching", "price", "options", "cash", "concentration", "robust"}

Row = dict[str, str]


@dataclass(frozen=True)
class Case:
    """A model and the rows of an instance's tables, every cell still text; `tables` lists those that exist."""

    model: dict[str, Any]
    measures: tuple[str, ...]
    tables: dict[str, list[Row]]

    def rows(self, table: str) -> list[Row]:
        """The rows of a table; none where the instance has no such table."""
        return self.tables.get(table, [])

    def on(self, component: str) -> bool:
        """Whether the model switches a component on."""
        return component in self.model.get("components", {})

    @property
    def periods(self) -> int:
        """T, the number of periods."""
        return int(self.model["horizon"]["periods"])


def read_case(folder: Path, model: Path) -> Case:
    """The instance in `folder` under `model`; raises ValueError at what this reference does not cover."""
    info = tomllib.loads((folder / "instance.toml").read_text(encoding="utf-8"))
    spec = tomllib.loads(model.read_text(encoding="utf-8"))
    if extra := set(spec.get("components", {})) - COMPONENTS:
        raise ValueError(f"the reference has no component {sorted(extra)}")
    if "extends" in spec:
        raise ValueError("the reference reads models that stand alone")
    tables = {}
    for name in TABLES:
        path = folder / info.get("tables", {}).get(name, {}).get("path", f"{name}.csv")
        if path.exists():
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
            tables[name] = [
                dict(zip(frame.columns, record, strict=True)) for record in frame.to_numpy().tolist()
            ]
    return Case(spec, tuple(info.get("measures", {})), tables)


def number(row: Row, column: str, blank: float = 0.0) -> float:
    """The number in a cell; `blank` where the cell is blank or the column absent."""
    text = row.get(column, "")
    return float(text) if text else blank


def whole_number(row: Row, column: str, blank: int = 0) -> int:
    """The whole number in a cell; `blank` where the cell is blank or the column absent."""
    text = row.get(column, "")
    return int(text) if text else blank


def flag(row: Row, column: str, blank: bool = False) -> bool:
    """The flag in a cell; `blank` where the cell is blank or the column absent."""
    text = row.get(column, "")
    return text == "true" if text else blank
