"""Rules between prices: how far they step, their order between groups, and how many change at once."""

from __future__ import annotations

import numpy as np

from cpm_opt.faults import shown
from cpm_opt.portfolio.cells import told_missing, told_unused
from cpm_opt.portfolio.portfolio import Flags, Indices, Lever, PriceRule
from cpm_opt.portfolio.rows import Rows
from cpm_opt.portfolio.source import Source

COMPARED = ("order", "equal")
VALUED = ("step", "total_step", "max_changes")


def read_price_rules(
    source: Source, levers: tuple[Lever, ...], taken: frozenset[str]
) -> tuple[PriceRule, ...]:
    """Table `price_rules` by the names of its rules; one whose name is `taken` by another table carries its own."""
    rows = source.rows("price_rules")
    lever = source.references.lever(rows)
    check_single(source, rows, levers, lever >= 0, lever.tolist(), "a rule between prices")
    groups, others = (_groups(source, rows, levers, lever, column) for column in ("group", "other_group"))
    _check_cells(source, rows)
    kinds, value = rows.text("kind"), rows.number("value", np.nan)
    rules = []
    for k, name in enumerate(rows.text("rule")):
        if lever[k] < 0:
            continue
        about = np.arange(len(levers[lever[k]].groups))
        if kinds[k] in COMPARED:
            about = about[about != others[k]]
        if groups[k] >= 0 and kinds[k] != "max_changes":
            about = np.array([groups[k]])
        rules.append(
            PriceRule(
                name=named(name, taken, rows.table),
                lever=int(lever[k]),
                kind=kinds[k],
                groups=about,
                other=int(others[k]) if kinds[k] in COMPARED else -1,
                value=1.0 if kinds[k] == "order" and np.isnan(value[k]) else float(value[k]),
            )
        )
    return tuple(sorted(rules, key=lambda rule: rule.name))


def named(name: str, taken: frozenset[str], table: str) -> str:
    """The name of a rule as reports show it: with its table where a rule of another table has the same."""
    return f"{name} ({table})" if name in taken else name


def _check_cells(source: Source, rows: Rows) -> None:
    """Each kind has the cells that it needs, and no others."""
    kinds = rows.text("kind")
    compared, valued = (
        np.array([kind in some for kind in kinds], dtype=np.bool_) for some in (COMPARED, VALUED)
    )
    counted = np.array([kind == "max_changes" for kind in kinds], dtype=np.bool_)
    told_missing(source, rows, "other_group", compared, "name the group with which prices are compared")
    told_missing(source, rows, "value", valued, "state the limit")
    told_unused(source, rows, "other_group", ~compared)
    told_unused(source, rows, "group", counted, "it counts all groups of the lever")
    equal = np.array([kind == "equal" for kind in kinds], dtype=np.bool_)
    told_unused(source, rows, "value", equal)


def _groups(source: Source, rows: Rows, levers: tuple[Lever, ...], lever: Indices, column: str) -> Indices:
    """Positions of groups in their lever; -1 where the cell is blank, -2 where the lever has no such group."""
    found = np.full(rows.size, -1, dtype=np.int64)
    for k, group in enumerate(rows.text(column)):
        if not group or lever[k] < 0:
            continue
        of = levers[lever[k]]
        if group in of.groups:
            found[k] = of.groups.index(group)
            continue
        found[k] = -2
        known = not source.findings.incomplete("segments", of.scope)
        if known and not source.findings.incomplete("levers", "scope"):
            source.findings.fault(
                "unknown_reference",
                rows.table,
                f"is no group of lever {shown(of.name)}, whose scope is {of.scope}",
                source.references.suggestion(group, of.groups),
                row=rows.first_line([k]),
                column=column,
                value=group,
            )
    return found


def check_single(
    source: Source, rows: Rows, levers: tuple[Lever, ...], about: Flags, lever: list[int], what: str
) -> None:
    """A fault for each of the rows marked in `about` whose lever is of choice mix."""
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
