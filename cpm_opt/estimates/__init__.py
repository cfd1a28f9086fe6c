"""From profit to what the plan reads: `estimate(tables) -> Estimates`."""

from __future__ import annotations

from cpm_opt.estimates.estimate import Estimates, estimate

__all__ = ["Estimates", "estimate"]
