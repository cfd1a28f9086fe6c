"""What can be decided: levers, their options, who chooses together, and who is on what before period 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cpm_opt.faults import did_you_mean, shown
from cpm_opt.portfolio.customers import Customers
from cpm_opt.portfolio.factors import Cells, lever_positions
from cpm_opt.portfolio.findings import MISSING_TABLE
from cpm_opt.portfolio.portfolio import Flags, Indices, Lever, Numbers
from cpm_opt.portfolio.rows import Rows
from cpm_opt.portfolio.source import Source

CURRENT_TOLERANCE = 1e-9
SPLIT = -1


@dataclass(frozen=True)
class Choices:
    """Levers with what their options cost: `price_change[O]`, `fixed_cost[O, T]`, `change_cost[O, T]`."""

    levers: tuple[Lever, ...]
    lever_of: Indices
    price_change: Numbers
    fixed_cost: Numbers
    change_cost: Numbers


def read_choices(source: Source, customers: Customers) -> Choices:
    """Tables `levers` and `options`, which are there together or not at all."""
    rows, option_rows = source.rows("levers"), source.rows("options")
    for absent, there in ((rows, option_rows), (option_rows, rows)):
        if there.present and not absent.present and not source.findings.incomplete(absent.table):
            source.findings.fault(
                MISSING_TABLE,
                absent.table,
                f"is missing, but there is a table {there.table}",
                f"add table {absent.table}, or leave both out where nothing is to be decided",
            )
    lever = source.references.lever(option_rows)
    place = source.references.option(option_rows, lever)
    option_rows, place = option_rows.keep(place >= 0), place[place >= 0]
    size = len(source.names.options)
    base = np.zeros(size, dtype=np.bool_)
    base[place] = option_rows.flag("base", True)
    lever_of = lever_positions(source.names)
    levers = tuple(
        _lever(source, customers, rows, option_rows, d, lever_of, base)
        for d in range(len(source.names.levers))
    )
    cells = Cells.at(size, option=np.arange(size))

    def column(name: str) -> Numbers:
        values = np.zeros(size)
        values[place] = option_rows.number(name)
        return values

    choices = Choices(
        levers=levers,
        lever_of=lever_of,
        price_change=column("price_change"),
        fixed_cost=source.scaled("options.fixed_cost", column("fixed_cost"), cells),
        change_cost=source.scaled("options.change_cost", column("change_cost"), cells),
    )
    _check_single(source, rows, option_rows, levers)
    return choices


def _lever(
    source: Source,
    customers: Customers,
    rows: Rows,
    option_rows: Rows,
    d: int,
    lever_of: Indices,
    base: Flags,
) -> Lever:
    name = source.names.levers[d]
    k = rows.text("lever").index(name)
    choice, scope = rows.text("choice", "mix")[k], rows.text("scope", "segment")[k]
    line = rows.first_line([int(k)])
    groups, group_of = _groups(source, customers, name, choice, scope, line)
    options = np.flatnonzero(lever_of == d)
    stands = options[base[options]]
    if len(stands) != 1 and not source.findings.incomplete("options", "lever", "option", "base"):
        _tell_base(
            source, option_rows, name, [source.names.options[o][1] for o in stands], len(options), line
        )
    return Lever(
        name=name,
        choice=choice,
        scope=scope,
        hold=int(rows.integer("hold", 1)[k]),
        options=tuple(options.tolist()),
        base=int(stands[0]) if len(stands) else -1,
        groups=groups,
        group_of=group_of,
    )


def _tell_base(
    source: Source, rows: Rows, lever: str, bases: list[str], options: int, line: int | None
) -> None:
    if not options:
        source.findings.fault(
            "no_options",
            "levers",
            "has no options",
            "add its options, one of them the base",
            row=line,
            value=lever,
        )
        return
    of_lever = np.array([text == lever for text in rows.text("lever")], dtype=np.bool_)
    listed = ", ".join(shown(name) for name in bases[:6])
    source.findings.fault(
        "base",
        "options",
        f"lever {shown(lever)} has {len(bases)} base options ({listed})"
        if bases
        else f"lever {shown(lever)} has no base",
        "set base to true for exactly one option, things as they are today, and to false for the others",
        row=rows.first_line(of_lever),
        column="base",
    )


def _groups(
    source: Source, customers: Customers, lever: str, choice: str, scope: str, line: int | None
) -> tuple[tuple[str, ...], Indices]:
    """The groups of a lever and the group of each segment."""
    names = source.names.segments
    if scope == "all":
        return ("all",), np.zeros(len(names), dtype=np.int64)
    values = customers.groupings.get(scope)
    if scope == "segment" or values is None:
        if scope != "segment" and not source.findings.incomplete("segments"):
            source.findings.fault(
                "scope",
                "levers",
                "is neither `segment`, `all` nor a grouping column of table segments",
                did_you_mean(scope, ("segment", "all", *customers.groupings)),
                row=line,
                column="scope",
                value=scope,
            )
        return names, np.arange(len(names))
    blank = [name for name, value in zip(names, values, strict=True) if value == ""]
    if blank and choice == "single" and not source.findings.incomplete("segments", scope):
        source.findings.fault(
            "scope",
            "segments",
            f"is blank for {_some(blank)}, but lever {shown(lever)} takes its groups from it",
            "fill it in for every segment",
            row=customers.rows.first_line(np.array([text == "" for text in customers.rows.text(scope)])),
            column=scope,
        )
    groups = tuple(sorted(set(values)))
    at = {group: place for place, group in enumerate(groups)}
    return groups, np.array([at[value] for value in values], dtype=np.int64)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"segment{'s' if len(names) > 1 else ''} " + ", ".join(shown(name) for name in names[:3]) + more


def _check_single(source: Source, rows: Rows, option_rows: Rows, levers: tuple[Lever, ...]) -> None:
    """`hold` and fixed costs are about a group's one choice."""
    if source.findings.incomplete("levers", "choice"):
        return
    mixed = {lever.name for lever in levers if not lever.single}
    is_mixed = np.array([text in mixed for text in rows.text("lever")], dtype=np.bool_)
    for k in np.flatnonzero(is_mixed & (rows.integer("hold", 1) > 1)):
        source.findings.fault(
            "needs_single",
            "levers",
            f"lever {shown(rows.text('lever')[k])} has choice mix, but only a single choice can be held",
            "set choice to single, or hold to 1",
            row=rows.first_line([int(k)]),
            column="hold",
            value=str(rows.integer("hold", 1)[k]),
        )
    is_mixed = np.array([text in mixed for text in option_rows.text("lever")], dtype=np.bool_)
    for k in np.flatnonzero(is_mixed & (option_rows.number("fixed_cost") != 0)):
        source.findings.fault(
            "needs_single",
            "options",
            f"lever {shown(option_rows.text('lever')[k])} has choice mix, but a fixed cost needs a single choice",
            "set choice of the lever to single, or leave fixed_cost blank",
            row=option_rows.first_line([int(k)]),
            column="fixed_cost",
            value=f"{option_rows.number('fixed_cost')[k]:g}",
        )


def read_current(source: Source, customers: Customers, levers: tuple[Lever, ...]) -> Numbers:
    """`[S, O]`: customers on each option before period 1; those whom table `current` does not name are on the base."""
    rows = source.rows("current")
    segment = source.references.segment(rows)
    lever = source.references.lever(rows)
    option = source.references.option(rows, lever)
    number = rows.number("customers")
    current = np.zeros((len(customers.customers), len(source.names.options)))
    sound = (segment >= 0) & (option >= 0)
    current[segment[sound], option[sound]] = number[sound]
    slack = CURRENT_TOLERANCE * np.maximum(1.0, customers.customers)
    for place, each in enumerate(levers):
        left = customers.customers - current[:, each.options].sum(axis=1)
        for s in (
            np.flatnonzero(left < -slack) if not source.findings.incomplete("segments", "customers") else ()
        ):
            source.findings.fault(
                "current",
                "current",
                f"segment {shown(source.names.segments[s])} has {customers.customers[s]:g} customers, but "
                f"{customers.customers[s] - left[s]:g} are on options of lever {shown(each.name)}",
                "name at most the customers that table segments states",
                row=rows.first_line((segment == s) & (lever == place) & sound),
                column="customers",
            )
        if each.base >= 0:
            current[:, each.base] += np.where(left > slack, left, 0.0)
    return current


def option_before(lever: Lever, current: Numbers) -> Indices:
    """`[G]`: the option on which all customers of each group are before period 1, as a position on the option
    axis; the base for a group without customers, -1 for one that is on two. `current[S, O]` as in the
    portfolio."""
    on = np.zeros((len(lever.groups), len(lever.options)), dtype=np.bool_)
    np.logical_or.at(on, lever.group_of, current[:, lever.options] > 0)
    count = on.sum(axis=1)
    alone = on @ np.array(lever.options, dtype=np.int64)
    return np.where(count == 0, lever.base, np.where(count == 1, alone, SPLIT))


def check_one_before(source: Source, lever: Lever, current: Numbers, why: str) -> None:
    """A fault for the groups that are on two options before period 1, where a rule must know the one."""
    split = [lever.groups[g] for g in np.flatnonzero(option_before(lever, current) == SPLIT)]
    # Without a base (a fault by itself) nobody knows where those are whom `current` does not name.
    if split and lever.base >= 0:
        rows = source.rows("current")
        source.findings.fault(
            "split_group",
            "current",
            f"customers of group {shown(split[0])} are on more than one option of lever {shown(lever.name)}"
            + (f", and so are those of {len(split) - 1} more groups" if len(split) > 1 else "")
            + f"; {why}",
            "put all customers of a group on one option",
            row=rows.first_line(
                np.array([text == lever.name for text in rows.text("lever")], dtype=np.bool_)
            ),
        )
