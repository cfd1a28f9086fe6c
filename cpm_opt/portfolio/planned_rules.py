"""Names in tables `price_rules`, `option_rules` and `scenarios`, which the portfolio itself does not carry.

They are checked wherever they are there, so that a fault does not wait for the model that uses them.
"""

from __future__ import annotations

import numpy as np

from cpm_opt.faults import shown
from cpm_opt.portfolio.customers import Customers
from cpm_opt.portfolio.factors import check_targets
from cpm_opt.portfolio.members import read_members
from cpm_opt.portfolio.portfolio import Flags, Lever
from cpm_opt.portfolio.rows import Rows
from cpm_opt.portfolio.source import Source


def check_planned_rules(source: Source, customers: Customers, levers: tuple[Lever, ...]) -> None:
    """Every name in the three tables; what is not there, or does not fit, is a fault."""
    _check_price_rules(source, levers)
    _check_option_rules(source, customers, levers)
    check_targets(source.rows("scenarios"), source.references, source.measures)


def _check_price_rules(source: Source, levers: tuple[Lever, ...]) -> None:
    """Their levers are there and of choice single, and the levers have their groups."""
    rows = source.rows("price_rules")
    lever = source.references.lever(rows)
    _check_single(source, rows, levers, lever >= 0, lever.tolist(), "a rule between prices")
    for column in ("group", "other_group"):
        for k, group in enumerate(rows.text(column)):
            if not group or lever[k] < 0 or group in levers[lever[k]].groups:
                continue
            of = levers[lever[k]]
            if source.findings.incomplete("segments", of.scope) or source.findings.incomplete(
                "levers", "scope"
            ):
                continue
            source.findings.fault(
                "unknown_reference",
                rows.table,
                f"is no group of lever {shown(of.name)}, whose scope is {of.scope}",
                source.references.suggestion(group, of.groups),
                row=rows.first_line([int(k)]),
                column=column,
                value=group,
            )


def _check_option_rules(source: Source, customers: Customers, levers: tuple[Lever, ...]) -> None:
    """Their levers, options and members are there; `once` is about a single choice."""
    rows = source.rows("option_rules")
    lever = source.references.lever(rows)
    source.references.option(rows, lever)
    other = source.references.lever(rows, "other_lever")
    source.references.option(rows, other, "other_option")
    once = np.array([kind == "once" for kind in rows.text("kind")], dtype=np.bool_)
    _check_single(source, rows, levers, once & (lever >= 0), lever.tolist(), "a rule of kind once")
    for k, text in enumerate(rows.text("members", "all")):
        read_members(source, customers, rows.table, text, rows.first_line([k]))


def _check_single(
    source: Source, rows: Rows, levers: tuple[Lever, ...], about: Flags, lever: list[int], what: str
) -> None:
    if source.findings.incomplete("levers", "choice"):
        return
    for k in np.flatnonzero(about):
        if not levers[lever[k]].single:
            source.findings.fault(
                "needs_single",
                rows.table,
                f"lever {shown(levers[lever[k]].name)} has choice mix, but {what} needs a single choice",
                "set choice of the lever to single, or leave the rule out",
                row=rows.first_line([int(k)]),
                column="lever",
                value=levers[lever[k]].name,
            )
