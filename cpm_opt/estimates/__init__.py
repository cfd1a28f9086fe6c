"""From profit to what the plan reads: `estimate(tables) -> Estimates`; `with_values` adds what customers are worth."""

from __future__ import annotations

from cpm_opt.estimates.estimate import Estimates, estimate, with_values

__all__ = ["Estimates", "estimate", "with_values"]
