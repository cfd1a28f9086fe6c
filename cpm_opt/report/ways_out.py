"""Ways out of a contradiction for rules that are no row of a table: the key or option of the call to be changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

# By component and how the names of its rules begin.
KEYS = {
    ("cash", "cash credit"): "components.cash.credit_limit or opening",
    ("cash", "cash growth"): "components.cash.grow or fund",
    ("concentration", "concentration top"): "components.concentration.top_share or top_k",
    ("concentration", "concentration"): "components.concentration.hhi",
    ("pins", "fix "): "--fix (or components.pins.fix)",
    ("pins", "forbid "): "--forbid (or components.pins.forbid)",
    ("locked", "lock "): "--lock",
}


def key_of(rule: str, components: Collection[str]) -> str:
    """What states the rule, of a model with these components; blank for one of the tables."""
    for (component, beginning), key in KEYS.items():
        if component in components and rule.startswith(beginning):
            return key
    return ""


def ways_out(conflict: Iterable[str], components: Collection[str]) -> list[str]:
    """One sentence for each rule of a conflict that neither a penalty nor a repair_cost can ease."""
    keys = {rule: key_of(rule, components) for rule in conflict}
    return [f"To ease {rule}, change {key}." for rule, key in keys.items() if key]
