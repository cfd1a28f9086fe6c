"""Rules of `[estimates]` that read a raw table which is not there.

In: the rules, a table's name. Out: faults.
"""

from __future__ import annotations

from cpm_opt.estimates.response.lever_rows import refused
from cpm_opt.estimates.settings import EstimateRules, rule_fault
from cpm_opt.faults import Fault

PANEL, ACQUISITIONS = "panel", "acquisitions"


def without_table(rules: EstimateRules, source: str, there: bool) -> tuple[Fault, ...]:
    """Faults of what asks for table `source` (panel or acquisitions), or, where the table is `there`, for the part of
    `[estimates]` that goes with it."""
    told: list[Fault] = []
    remedy = f"add table {source}, or leave it out"
    if source == PANEL and not there and rules.response is not None and rules.response.migration == "logit":
        told.append(rule_fault("response.migration", "needs table panel", remedy, rules.response.migration))
    if source == ACQUISITIONS and not there and rules.acquisition is not None:
        told.append(rule_fault("acquisition", "needs table acquisitions", remedy))
    needed = "table panel" if source == PANEL else "table acquisitions and [estimates.acquisition]"
    for lever in () if rules.response is None else rules.response.of(source):
        told += refused(lever, "from", f"needs {needed}", "add it, or leave the lever out", source).faults
    return tuple(told)
