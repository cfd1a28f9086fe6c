"""Random small instances, written as an analyst would: a folder of CSV tables and a model TOML.

`random_instance(seed, folder, features)` draws tables by the design's section 4. Walls are set last, a little beyond
what one random plan needs, so they bind and yet leave a plan; with the feature `infeasible` one wall is put where no
plan can be. Equal seeds and features give equal files.
"""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

from tests.reference.draw import Draft, draw
from tests.reference.walls import set_walls

LP = frozenset({"capacity", "balance", "discount"})
SINGLE = frozenset({"single", "capacity", "fixed_cost", "groups", "balance", "not_offered"})
MIGRATION = frozenset(
    {"capacity", "balance", "periods", "migration", "migration_effects", "end_value", "discount", "kinds"}
)
CHOICES_ONLY = (
    SINGLE
    | MIGRATION
    | {
        "all_single",
        "few",
        "on_change",
        "arrivals",
        "switching",
        "change_cost",
        "hold",
        "current",
        "extra",
        "savings",
    }
    | {"resource_periods", "penalty", "measures", "cash", "factors", "weights"}
)
EVERYTHING = (CHOICES_ONLY - {"all_single", "few"}) | {"ugly"}
RULES = frozenset({"price_rules", "option_rules"})
MONEY_RULES = frozenset({"liquidity", "growth", "top_share", "hhi", "uncertain"})
WHOLE = frozenset({"whole", "capacity", "balance", "switching", "change_cost", "current", "discount", "tiny"})
PRESETS = {"lp": LP, "single": SINGLE, "migration": MIGRATION, "everything": EVERYTHING, "whole": WHOLE}
ALONE = {
    "one resource": {"capacity"},
    "extra capacity": {"capacity", "extra", "periods"},
    "capacity by period": {"capacity", "resource_periods", "savings", "periods"},
    "balance": {"balance", "periods", "arrivals", "groups"},
    "soft rules": {"balance", "penalty", "periods", "discount"},
    "measures": {"balance", "measures", "cash", "groups"},
    "choice": {"single", "all_single", "fixed_cost", "capacity"},
    "not offered": {"single", "groups", "not_offered", "capacity"},
    "hold": {"single", "switching", "hold", "periods", "factors", "arrivals", "capacity"},
    "change cost": {"switching", "change_cost", "current", "periods", "factors", "capacity", "arrivals"},
    "staying": {
        "single",
        "migration_effects",
        "on_change",
        "current",
        "periods",
        "end_value",
        "kinds",
        "capacity",
    },
    "on change": {
        "single",
        "migration",
        "migration_effects",
        "on_change",
        "current",
        "periods",
        "end_value",
        "groups",
    },
    "arrivals": {"arrivals", "periods", "capacity", "end_value", "weights", "discount"},
    "factors": {"factors", "periods", "capacity", "measures", "migration", "migration_effects", "arrivals"},
    "price rules": {"single", "price_rules", "groups", "periods", "capacity", "current", "arrivals"},
    "option rules": {
        "single",
        "option_rules",
        "groups",
        "periods",
        "capacity",
        "current",
        "not_offered",
        "migration",
    },
    "whole option rules": WHOLE | {"option_rules"},
    "everything and rules": EVERYTHING | RULES,
    "rules without components": {"single", "hold", "change_cost", "current", "periods", "penalty", "factors"},
}
"""Few features at a time, so that a rule that is read differently shows by its name."""
MONEY = {
    "cash": {"liquidity", "cash", "capacity", "extra", "periods", "discount"},
    "growth": {
        "liquidity",
        "growth",
        "cash",
        "single",
        "fixed_cost",
        "groups",
        "capacity",
        "periods",
        "switching",
        "change_cost",
    },
    "top segments": {"top_share", "measures", "periods", "migration", "capacity"},
    "index": {"hhi", "capacity", "periods", "discount", "extra"},
    "index of choices": {"hhi", "single", "few", "all_single", "periods", "migration", "capacity"},
    "uncertain effects": {"uncertain", "capacity", "discount", "periods", "single", "weights"},
    "all about money": EVERYTHING | MONEY_RULES,
    "every rule": EVERYTHING | RULES | MONEY_RULES,
}
"""Cash, concentration and robust, each alone and with everything else."""
FEATURES = frozenset().union(
    *PRESETS.values(), *ALONE.values(), *MONEY.values(), {"all_single", "few", "infeasible"}
)

ALWAYS = {
    "segments": ["segment", "customers", "margin"],
    "arrivals": ["segment", "period", "customers"],
    "current": ["segment", "lever", "option", "customers"],
    "resources": ["resource", "capacity"],
    "levers": ["lever"],
    "options": ["lever", "option"],
    "effects": ["segment", "lever", "option"],
    "usage": ["resource", "amount"],
    "migration": ["from", "to", "rate"],
    "migration_effects": ["from", "to", "lever", "option", "rate"],
    "balance": ["rule", "measure", "members", "sense", "value"],
    "factors": ["target", "period", "factor"],
    "price_rules": ["rule", "lever", "kind"],
    "option_rules": ["rule", "lever", "option", "kind"],
}
"""Columns that a table always has; others appear when some row fills them."""


def random_instance(seed: int, folder: Path, features: frozenset[str]) -> Path:
    """Writes the instance into `folder` and its model to `folder/model.toml`, whose path it returns."""
    unknown = features - FEATURES
    assert not unknown, unknown
    rng = random.Random(f"{seed} {sorted(features)}")
    draft = draw(rng, features)
    set_walls(draft, rng, features)
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in draft.tables.items():
        (folder / f"{table}.csv").write_text(
            _as_csv(table, rows, rng, features), encoding="utf-8", newline=""
        )
    (folder / "instance.toml").write_text(_instance_toml(draft), encoding="utf-8")
    model = folder / "model.toml"
    model.write_text(_model_toml(draft), encoding="utf-8")
    return model


def _as_csv(table: str, rows: list[dict[str, str]], rng: random.Random, features: frozenset[str]) -> str:
    columns = list(ALWAYS[table])
    columns += sorted({column for row in rows for column in row if row[column] != ""} - set(columns))
    rows = list(rows)
    rng.shuffle(rows)
    if "ugly" in features:
        rng.shuffle(columns)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n" if "ugly" in features and rng.random() < 0.5 else "\n")
    writer.writerow(columns)
    writer.writerows([row.get(column, "") for column in columns] for row in rows)
    return out.getvalue()


def _instance_toml(draft: Draft) -> str:
    lines = [
        "[instance]",
        'name = "random"',
        'title = "A random instance"',
        'currency = "EUR"',
        'period = "quarter"',
        'source = "generated by tests/reference/generate.py"',
        'licence = "CC0-1.0"',
    ]
    if draft.measures:
        lines.append("[measures]")
        lines += [f'{name} = {{ title = "{name}", unit = "points" }}' for name in draft.measures]
    return "\n".join(lines) + "\n"


def _model_toml(draft: Draft) -> str:
    lines = ['title = "A random model"']
    for table in ("horizon", "objective"):
        if values := draft.model.get(table):
            lines += [f"[{table}]", *_keys(values)]
    for name, values in draft.model["components"].items():
        lines += [f"[components.{name}]", *_keys(values)]
    lines += ["[solver]", "mip_gap = 1e-9"]
    return "\n".join(lines) + "\n"


def _keys(values: dict[str, object]) -> list[str]:
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
