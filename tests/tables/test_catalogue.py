"""The catalogue holds exactly the planning tables and columns that users were promised."""

from __future__ import annotations

import math

import pytest

from cpm_opt.tables import PLANNING, RAW, Column, Table, targets
from cpm_opt.tables.catalogue import ALL

# Required columns first, then optional ones.
PROMISED = {
    "segments": ("segment customers margin", "kind end_value revenue cash whole"),
    "arrivals": ("segment period customers", ""),
    "current": ("segment lever option customers", ""),
    "resources": (
        "resource capacity",
        "unit unit_cost capacity_cost extra_capacity extra_cost lead_time max_utilisation repair_cost period",
    ),
    "levers": ("lever", "choice scope hold"),
    "options": ("lever option", "base price_change fixed_cost change_cost"),
    "effects": (
        "segment lever option",
        "offered margin revenue cash source margin_se revenue_se cash_se",
    ),
    "usage": ("resource amount", "segment lever option"),
    "migration": ("from to rate", "se"),
    "migration_effects": ("from to lever option rate", "when source se"),
    "balance": (
        "rule measure members sense value",
        "basis first_period last_period penalty repair_cost",
    ),
    "price_rules": ("rule lever kind", "group other_group value"),
    "option_rules": ("rule lever option kind", "other_lever other_option value members"),
    "factors": ("target period factor", "segment lever option resource"),
    "scenarios": ("scenario probability target factor", "segment lever option resource"),
}
DEFAULTS = {
    "segments.kind": "active",
    "segments.whole": False,
    "resources.max_utilisation": 1.0,
    "resources.capacity": math.nan,
    "resources.lead_time": 0,
    "levers.choice": "mix",
    "levers.scope": "segment",
    "levers.hold": 1,
    "options.base": True,
    "effects.offered": True,
    "effects.source": "estimated",
    "migration_effects.when": "in_force",
    "balance.basis": "amount",
    "balance.first_period": 1,
    "balance.last_period": 0,
    "balance.penalty": math.nan,
    "option_rules.members": "all",
    "segments.margin": 0.0,
}


def test_planning_tables_are_the_promised_ones() -> None:
    required = {name: set(table.required) for name, table in PLANNING.items()}
    optional = {name: set(table.names) - set(table.required) for name, table in PLANNING.items()}
    assert required == {name: set(columns.split()) for name, (columns, _) in PROMISED.items()}
    assert optional == {name: set(columns.split()) for name, (_, columns) in PROMISED.items()}
    assert {"sales", "customers", "activities", "cost_pools", "balances"} <= set(RAW)


@pytest.mark.parametrize(("place", "default"), DEFAULTS.items())
def test_defaults(place: str, default: object) -> None:
    table, column = place.split(".")
    # repr tells 0 from 0.0 and False, and nan equals itself.
    assert repr(PLANNING[table].column(column).default) == repr(default)


@pytest.mark.parametrize("table", ALL.values(), ids=lambda table: table.name)
def test_every_column_is_described(table: Table) -> None:
    assert table.meaning
    assert set(table.key) <= set(table.names)
    for column in table.columns:
        assert column.meaning, column.name
        assert column.unit or column.kind != "number", f"{column.name} is a number without a unit"
        assert column.required or column.default is not None, (
            f"{column.name} may be left out and has no default"
        )
        assert bool(column.choices) == (column.kind == "choice")
        if column.blank_is_nan:
            assert column.blank, f"{column.name} does not say what a blank means"


def test_costs_and_penalties_are_not_negative() -> None:
    for table in PLANNING.values():
        for column in table.columns:
            if column.name.endswith("_cost") or column.name == "penalty":
                assert column.low == 0.0, f"{table.name}.{column.name}"


def test_targets_of_factors_and_scenarios() -> None:
    both = set(targets("factors", ["nps"]))
    assert {
        "segments.margin",
        "segments.nps",
        "effects.nps",
        "effects.cash",
        "usage.amount",
        "resources.capacity",
        "resources.extra_capacity",
        "resources.unit_cost",
        "options.fixed_cost",
        "arrivals.customers",
        "migration.rate",
        "migration_effects.rate",
    } <= both
    assert not {"effects.margin_se", "effects.nps_se", "segments.customers", "resources.repair_cost"} & both
    assert set(targets("scenarios", ["nps"])) - both == {"segments.end_value"}


def test_a_column_is_found_by_name() -> None:
    assert isinstance(PLANNING["segments"].column("margin"), Column)
    with pytest.raises(KeyError, match=r"segments\.margn"):
        PLANNING["segments"].column("margn")
