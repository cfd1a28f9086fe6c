"""Whom a rule is about: an exact segment, then `all`, then COLUMN=VALUE of a grouping column."""

from __future__ import annotations

import numpy as np

from cpm_opt.faults import shown
from cpm_opt.portfolio.customers import Customers
from cpm_opt.portfolio.portfolio import Flags
from cpm_opt.portfolio.source import Source


def read_members(source: Source, customers: Customers, table: str, text: str, line: int | None) -> Flags:
    """`[S]`: the segments that a cell of column `members` names, on that line of the table. `all` and COLUMN=VALUE
    hold active segments only; members that are not there, or a group without an active segment, are a fault."""
    names = source.names.segments
    members = np.zeros(len(names), dtype=np.bool_)
    column, equals, value = text.partition("=")
    problem = remedy = ""
    if text in source.names.segment_at:
        members[source.names.segment_at[text]] = True
    elif text == "all":
        members = customers.active
    elif equals and column in customers.groupings:
        values = np.array(customers.groupings[column], dtype=object)
        members = np.asarray(values == value, dtype=np.bool_) & customers.active
        if value not in customers.groupings[column]:
            problem = f"no segment has {shown(value)} in column {column}"
            remedy = source.references.suggestion(
                value, {other for other in customers.groupings[column] if other}
            )
    else:
        problem = "is neither a segment, `all` nor COLUMN=VALUE of a grouping column"
        remedy = source.references.suggestion(text, ("all", *names, *groups_of(customers)))
    if not problem and not members.any():
        problem, remedy = "holds no active segment", "name a group that holds one, or a single segment"
    if problem and not source.findings.incomplete("segments", column if equals else "segment", "kind"):
        source.findings.fault("members", table, problem, remedy, row=line, column="members", value=text)
    return members


def groups_of(customers: Customers) -> list[str]:
    """Every COLUMN=VALUE that there is."""
    return [
        f"{column}={value}"
        for column, cells in customers.groupings.items()
        for value in sorted(set(cells))
        if value
    ]
