"""What options change: who is offered what, and the flows of margin, revenue, cash and the instance's measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cpm_opt.faults import shown
from cpm_opt.portfolio.customers import Customers
from cpm_opt.portfolio.factors import Cells
from cpm_opt.portfolio.portfolio import Flags, Flow, Indices, Lever, Numbers
from cpm_opt.portfolio.rows import Rows
from cpm_opt.portfolio.source import Source


@dataclass(frozen=True)
class Effects:
    """Rows of table `effects` whose names are known: `segment[K]`, `option[K]`, and `offered[S, O]` of all."""

    rows: Rows
    segment: Indices
    option: Indices
    offered: Flags


def read_effects(source: Source, levers: tuple[Lever, ...]) -> Effects:
    """Table `effects`, and who may get what. An option without a row is offered; a group is offered what all
    its members are offered. A group that is left without an option of a lever is a fault."""
    rows = source.rows("effects")
    segment = source.references.segment(rows)
    option = source.references.option(rows, source.references.lever(rows))
    sound = (segment >= 0) & (option >= 0)
    rows, segment, option = rows.keep(sound), segment[sound], option[sound]
    offered = np.ones((len(source.names.segments), len(source.names.options)), dtype=np.bool_)
    offered[segment, option] = rows.flag("offered", True)
    for lever in levers:
        options = np.array(lever.options, dtype=np.int64)
        if lever.single:
            of_group = np.ones((len(lever.groups), len(options)), dtype=np.bool_)
            np.logical_and.at(of_group, lever.group_of, offered[:, options])
            offered[:, options] = of_group[lever.group_of]
        _check_left(source, rows, lever, offered[:, options])
    return Effects(rows, segment, option, offered)


def _check_left(source: Source, rows: Rows, lever: Lever, offered: Flags) -> None:
    without = np.flatnonzero(~offered.any(axis=1))
    if not len(without) or not lever.options:
        return
    if lever.single:
        groups = sorted({lever.groups[g] for g in lever.group_of[without]})
        who = f"group {shown(groups[0])}" + (f" and {len(groups) - 1} more" if len(groups) > 1 else "")
        why = "a group may only take what all its members are offered"
    else:
        who = f"segment {shown(source.names.segments[without[0]])}"
        who += f" and {len(without) - 1} more" if len(without) > 1 else ""
        why = "every customer is on one option of a lever"
    of_lever = np.array([text == lever.name for text in rows.text("lever")], dtype=np.bool_)
    source.findings.fault(
        "no_option",
        "effects",
        f"no option of lever {shown(lever.name)} is left for {who}; {why}",
        "offer at least one, usually the base",
        row=rows.first_line(of_lever & ~rows.flag("offered", True)),
        column="offered",
    )


def read_flows(source: Source, customers: Customers, effects: Effects) -> Mapping[str, Flow]:
    """Flows per customer and period: margin, revenue, cash, then the instance's measures by name.

    A blank cash cell is that row's margin, with margin's factors.
    """
    used = effects.offered[effects.segment, effects.option]
    rows, segment, option = effects.rows.keep(used), effects.segment[used], effects.option[used]
    cells = Cells.at(len(segment), segment=segment, option=option)
    everyone = np.arange(len(customers.kinds), dtype=np.int64)
    flows: dict[str, Flow] = {}
    margins: tuple[Numbers, Numbers] | None = None
    for measure in ("margin", "revenue", "cash", *source.measures):
        level = customers.placed(customers.rows.number(measure, np.nan if measure == "cash" else 0.0))
        change = rows.number(measure, np.nan if measure == "cash" else 0.0)
        filled = [_filled(source, f"segments.{measure}", level, Cells.at(len(level), segment=everyone))]
        filled.append(_filled(source, f"effects.{measure}", change, cells))
        if measure == "cash" and margins is not None:
            filled = [
                np.where(np.isnan(cash), margin, cash) for cash, margin in zip(filled, margins, strict=True)
            ]
        if measure == "margin":
            margins = (filled[0], filled[1])
        per_option = np.zeros((*effects.offered.shape, source.periods))
        per_option[segment, option] = filled[1]
        flows[measure] = Flow(filled[0], per_option)
    return flows


def read_margin_se(source: Source, effects: Effects) -> Numbers:
    """`[S, O]`: standard error of each option's effect on margin, 0 where none is stated. No factor scales it."""
    standard_error = np.zeros(effects.offered.shape)
    standard_error[effects.segment, effects.option] = np.nan_to_num(effects.rows.number("margin_se", np.nan))
    return np.where(effects.offered, standard_error, 0.0)


def _filled(source: Source, target: str, values: Numbers, cells: Cells) -> Numbers:
    """Values by period with their factors; nan stays where the cell is blank."""
    return source.scaled(target, values, cells, applies=~np.isnan(values))
