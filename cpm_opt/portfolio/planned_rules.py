"""Names in table `scenarios`, which the portfolio itself does not carry.

They are checked wherever they are there, so that a fault does not wait for the model that uses them.
"""

from __future__ import annotations

from cpm_opt.portfolio.factors import check_targets
from cpm_opt.portfolio.source import Source


def check_planned_rules(source: Source) -> None:
    """Every name in the table; what is not there, or does not fit, is a fault."""
    check_targets(source.rows("scenarios"), source.references, source.measures)
