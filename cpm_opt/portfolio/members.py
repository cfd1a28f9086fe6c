"""Whom a rule is about: an exact segment, then `all`, then COLUMN=VALUE of a grouping column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cpm_opt.faults import did_you_mean, shown
from cpm_opt.portfolio.customers import Customers
from cpm_opt.portfolio.portfolio import Flags, Portfolio
from cpm_opt.portfolio.source import Source

EMPTY = "holds no active segment"
ANOTHER = "name a group that holds one, or a single segment"


def read_members(source: Source, customers: Customers, table: str, text: str, line: int | None) -> Flags:
    """`[S]`: the segments that a cell of column `members` names, on that line of the table. `all` and COLUMN=VALUE
    hold active segments only; members that are not there, or a group without an active segment, are a fault."""
    column, equals, value = text.partition("=")
    names, groupings = source.names.segments, customers.groupings
    members, problem = _resolved(text, names, customers.active, groupings)
    if problem and not source.findings.incomplete("segments", column if equals else "segment", "kind"):
        if problem == EMPTY:
            remedy = ANOTHER
        elif equals and column in groupings:
            remedy = source.references.suggestion(value, {other for other in groupings[column] if other})
        else:
            remedy = source.references.suggestion(
                text, ("all", *names, *groups_of(groupings, customers.active))
            )
        source.findings.fault("members", table, problem, remedy, row=line, column="members", value=text)
    return members


def members_of(portfolio: Portfolio, text: str) -> tuple[Flags, str]:
    """`[S]`: the segments that a model's key names, by the rules of column `members`; and what is wrong with it, empty
    where nothing is."""
    return _resolved(text, portfolio.segments, portfolio.active, portfolio.groupings)


def members_remedy(portfolio: Portfolio, text: str, problem: str) -> str:
    """What to do about members of which `members_of` tells a problem."""
    if problem == EMPTY:
        return ANOTHER
    return did_you_mean(text, ("all", *portfolio.segments, *groups_of(portfolio.groupings, portfolio.active)))


def _resolved(
    text: str, segments: Sequence[str], active: Flags, groupings: Mapping[str, Sequence[str]]
) -> tuple[Flags, str]:
    members = np.zeros(len(segments), dtype=np.bool_)
    column, equals, value = text.partition("=")
    if text in segments:
        members[segments.index(text)] = True
    elif text == "all":
        members = active
    elif equals and column in groupings:
        members = np.asarray(np.array(groupings[column], dtype=object) == value, dtype=np.bool_) & active
        if value not in groupings[column]:
            return members, f"no segment has {shown(value)} in column {column}"
    else:
        return members, "is neither a segment, `all` nor COLUMN=VALUE of a grouping column"
    return members, "" if members.any() else EMPTY


def groups_of(groupings: Mapping[str, Sequence[str]], active: Flags) -> list[str]:
    """Every COLUMN=VALUE that holds an active segment."""
    return [
        f"{column}={value}"
        for column, cells in groupings.items()
        for value in sorted({cell for cell, held in zip(cells, active.tolist(), strict=True) if held})
        if value
    ]
