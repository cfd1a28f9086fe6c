"""Rules on who may be on an option: how many, together with which other option, and how often it is taken up."""

from __future__ import annotations

import numpy as np

from cpm_opt.portfolio.cells import told_missing, told_unused
from cpm_opt.portfolio.customers import Customers
from cpm_opt.portfolio.members import read_members
from cpm_opt.portfolio.portfolio import Flags, Lever, OptionRule
from cpm_opt.portfolio.price_rules import check_single, named
from cpm_opt.portfolio.rows import Rows
from cpm_opt.portfolio.source import Source

PAIRED = ("needs", "excludes")
VALUED = ("min", "max", "floor")


def read_option_rules(
    source: Source, customers: Customers, levers: tuple[Lever, ...], taken: frozenset[str]
) -> tuple[OptionRule, ...]:
    """Table `option_rules` by the names of its rules; one whose name is `taken` by another table carries its own."""
    rows = source.rows("option_rules")
    lever = source.references.lever(rows)
    option = source.references.option(rows, lever)
    other_lever = source.references.lever(rows, "other_lever")
    other = source.references.option(rows, other_lever, "other_option")
    check_single(
        source, rows, levers, _kind(rows, "once") & (lever >= 0), lever.tolist(), "a rule of kind once"
    )
    _check_cells(source, rows)
    kinds, value, texts = rows.text("kind"), rows.number("value", np.nan), rows.text("members", "all")
    rules = []
    for k, name in enumerate(rows.text("rule")):
        members = read_members(source, customers, rows.table, texts[k], rows.first_line([k]))
        if option[k] < 0:
            continue
        rules.append(
            OptionRule(
                name=named(name, taken, rows.table),
                lever=int(lever[k]),
                option=int(option[k]),
                kind=kinds[k],
                other=int(other[k]) if kinds[k] in PAIRED else -1,
                value=float(value[k]) if kinds[k] in VALUED else np.nan,
                member_text=texts[k],
                members=members,
            )
        )
    return tuple(sorted(rules, key=lambda rule: rule.name))


def _kind(rows: Rows, *kinds: str) -> Flags:
    return np.array([kind in kinds for kind in rows.text("kind")], dtype=np.bool_)


def _check_cells(source: Source, rows: Rows) -> None:
    """Each kind has the cells that it needs, and no others; a floor is a fraction."""
    paired, valued = _kind(rows, *PAIRED), _kind(rows, *VALUED)
    for column in ("other_lever", "other_option"):
        told_missing(source, rows, column, paired, "name the other option and its lever")
        told_unused(source, rows, column, ~paired)
    told_missing(source, rows, "value", valued, "state the limit")
    told_unused(source, rows, "value", ~valued)
    value = rows.number("value", np.nan)
    for k in np.flatnonzero(_kind(rows, "floor") & (value > 1.0)).tolist():
        source.findings.fault(
            "out_of_range",
            rows.table,
            "is above 1, but a floor is a fraction of the customers",
            f"write {value[k] / 100:g} for {value[k]:g} %",
            row=rows.first_line([k]),
            column="value",
            value=f"{value[k]:g}",
        )
