"""Random planning tables, sound or nearly so, for properties that must hold for every portfolio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cpm_opt.tables import check_frame
from tests.portfolio.small import INFO

LEVERS = (("care", "mix", "segment", 1), ("price", "single", "tier", 2), ("visit", "single", "all", 1))
OPTIONS = {lever: ("a", "b", "c")[: 3 - (lever == "visit")] for lever, _, _, _ in LEVERS}
PAIRS = [(lever, option) for lever, options in OPTIONS.items() for option in options]
RESOURCES = ("hours", "vans")


def typed(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, pd.DataFrame]:
    """Frames in the catalogue's shape; tables without rows are left out."""
    frames = {}
    for name, rows in tables.items():
        if rows:
            frames[name], wrong = check_frame(name, pd.DataFrame(rows), INFO)
            assert wrong == [], [fault.line() for fault in wrong]
    return frames


def drawn(seed: int, size: int, periods: int, strength: float) -> dict[str, pd.DataFrame]:
    """An instance with every planning table; options move rates of migration by up to `strength`."""
    rng = np.random.default_rng(seed)
    names = [f"s{k}" for k in range(size)]
    customers = rng.uniform(0, 900, size)
    tables: dict[str, list[dict[str, Any]]] = {
        "segments": [
            {
                "segment": name,
                "customers": customers[k],
                "margin": rng.uniform(-5, 50),
                "cash": rng.uniform(0, 9) if rng.random() < 0.5 else "",
                "satisfaction": rng.uniform(0, 9),
                "kind": "active" if k == 0 or rng.random() < 0.7 else "prospect",
                "tier": f"t{rng.integers(2)}",
            }
            for k, name in enumerate(names)
        ],
        "levers": [dict(zip(("lever", "choice", "scope", "hold"), row, strict=True)) for row in LEVERS],
        "options": [
            {"lever": d, "option": o, "base": str(o == "b").lower(), "change_cost": rng.uniform(0, 5)}
            for d, o in PAIRS
        ],
        "current": [
            {"segment": name, "lever": "care", "option": o, "customers": customers[k] * 0.3}
            for k, name in enumerate(names)
            for o in ("a", "b", "c")
            if rng.random() < 0.5
        ],
        "balance": [
            {"rule": f"r{k}", "measure": "margin", "members": m, "sense": "min", "value": rng.uniform(-9, 9)}
            for k, m in enumerate(("all", "s0"))
        ],
        **_effects(rng, names),
        **_resources(rng, names, periods),
        **_migration(rng, names, periods, strength),
        "factors": _factors(rng, names, periods),
    }
    return typed(tables)


def _effects(rng: np.random.Generator, names: list[str]) -> dict[str, list[dict[str, Any]]]:
    def row(segment: str, lever: str, option: str) -> dict[str, Any]:
        offered = str(option == "b" or rng.random() < 0.8).lower()
        figures = {"offered": offered, "margin": rng.uniform(-2, 2)}
        return {"segment": segment, "lever": lever, "option": option, **figures}

    return {"effects": [row(s, d, o) for s in names for d, o in PAIRS if rng.random() < 0.6]}


def _resources(rng: np.random.Generator, names: list[str], periods: int) -> dict[str, list[dict[str, Any]]]:
    return {
        "resources": [
            {"resource": r, "capacity": rng.uniform(1, 99), "period": t or "", "lead_time": rng.integers(3)}
            for r in RESOURCES
            for t in range(periods + 2)
            if t == 0 or rng.random() < 0.5
        ],
        "usage": [
            {"resource": r, "amount": rng.uniform(-1, 3), "segment": s, "lever": d, "option": o}
            for r in RESOURCES
            for s in [*names, ""]
            for d, o in [*PAIRS, ("", "")]
            if rng.random() < 0.4
        ],
    }


def _migration(
    rng: np.random.Generator, names: list[str], periods: int, strength: float
) -> dict[str, list[dict[str, Any]]]:
    shares = rng.dirichlet(np.ones(len(names) + 1), len(names))
    return {
        "arrivals": [
            {"segment": s, "period": t, "customers": rng.uniform(0, 50)}
            for s in names
            for t in range(1, periods + 2)
            if rng.random() < 0.3
        ],
        "migration": [
            {"from": s, "to": to, "rate": float(shares[i, j])}
            for i, s in enumerate(names)
            for j, to in enumerate(names)
            if rng.random() < 0.8
        ],
        "migration_effects": [
            {"from": s, "to": t, "lever": d, "option": o, "when": w, "rate": rng.uniform(-strength, strength)}
            for s in names
            for t in names
            for d, o in PAIRS
            for w in ("in_force", "on_change")
            if rng.random() < 0.3 and (w == "in_force" or d != "care")
        ],
    }


def _factors(rng: np.random.Generator, names: list[str], periods: int) -> list[dict[str, Any]]:
    keys = {
        "segments.margin": ("segment",),
        "effects.margin": ("segment", "lever", "option"),
        "usage.amount": ("segment", "lever", "option", "resource"),
        "arrivals.customers": ("segment",),
        "resources.capacity": ("resource",),
        "migration_effects.rate": ("segment", "lever", "option"),
    }
    rows = {}
    for _ in range(60):
        target = str(rng.choice(list(keys)))
        lever, option = PAIRS[rng.integers(len(PAIRS))]
        values = {
            "segment": rng.choice(names),
            "lever": lever,
            "option": option,
            "resource": rng.choice(RESOURCES),
        }
        row = {key: str(values[key]) if key in keys[target] and rng.random() < 0.5 else "" for key in values}
        row.update(target=target, period=int(rng.integers(1, periods + 2)))
        rows[tuple(row.values())] = {**row, "factor": float(rng.uniform(0.5, 1.3))}
    return list(rows.values())


def shuffled(frames: Mapping[str, pd.DataFrame], seed: int) -> dict[str, pd.DataFrame]:
    """The same tables with their rows, and their lines in the file, in another order."""
    rng = np.random.default_rng(seed)
    mixed = {}
    for name in rng.permutation(list(frames)):
        frame = frames[name].iloc[rng.permutation(len(frames[name]))].reset_index(drop=True)
        mixed[name] = frame.assign(line=np.arange(2, len(frame) + 2))
    return mixed
