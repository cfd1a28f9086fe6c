"""What several components check of a portfolio before they are built."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cpm_opt.faults import Fault, shown
from cpm_opt.portfolio.levers import SPLIT, option_before
from cpm_opt.portfolio.portfolio import Indices, Lever, Portfolio


def split_groups(
    portfolio: Portfolio, rule: str, lever: Lever, groups: Indices | Iterable[int]
) -> list[Fault]:
    """A fault where customers of one of the groups are on two options before period 1, and the rule starts there."""
    before = option_before(lever, portfolio.current)
    split = [lever.groups[g] for g in np.asarray(list(groups), dtype=np.int64) if before[g] == SPLIT]
    if not split:
        return []
    more = f", and so are those of {len(split) - 1} more groups" if len(split) > 1 else ""
    message = (
        f"customers of group {shown(split[0])} are on more than one option of lever {shown(lever.name)}{more}; "
        f"rule {shown(rule)} starts from the one that they are on"
    )
    return [Fault("current", message, "put all customers of a group on one option", code="split_group")]
