"""Small instances in folders, for studies that read them as the command line does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cpm_opt.pipeline import Problem, read_problem

INFO = """
[instance]
name = "small"
title = "A small one"
currency = "EUR"
period = "quarter"
source = "made up"
licence = "none"
"""


def instance(folder: Path, tables: Mapping[str, str], info: str = INFO) -> Path:
    """Writes an instance into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instance.toml").write_text(info, "utf-8")
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text.strip() + "\n", "utf-8")
    return folder


def model(folder: Path, components: str, periods: int = 2, rate: float = 0.0) -> Path:
    """Writes a model into the folder: `components` are names, or TOML tables."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.toml"
    tables = (
        components if "[" in components else "".join(f"[components.{name}]\n" for name in components.split())
    )
    path.write_text(f"[horizon]\nperiods = {periods}\ndiscount_rate = {rate}\n{tables}", "utf-8")
    return path


def problem(
    folder: Path, tables: Mapping[str, str], components: str, periods: int = 2, **more: tuple[str, ...]
) -> Problem:
    """The tables and the model read as a problem."""
    return read_problem(instance(folder, tables), model(folder, components, periods), **more)  # type: ignore[arg-type]
