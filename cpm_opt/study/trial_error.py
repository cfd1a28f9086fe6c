"""How sure the gain of a given tariff is, by the standard errors of the effects on margin (`margin_se`).

    exposure  E[s,o] = sum_t (1+i)^-(t-1) (x_given[s,o,t] - x_before[s,o,t])          times objective.profit
    error     sqrt(sum (E margin_se)^2) if all errors are independent of each other; at most sum |E margin_se|

What was decided, and how customers move, stays as it is. Effects without a standard error count as certain.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cpm_opt.portfolio.portfolio import Numbers
from cpm_opt.study.tariff_trial import Outcome, Trial


class GainError(NamedTuple):
    """The standard error of the gain, money of today: for independent errors, and the most that it can be."""

    independent: float
    most: float


def gain_error(trial: Trial) -> GainError | None:
    """The error of what the given tariff is worth more than today's. None without a tariff, where no option that it
    changes has a standard error, and where the model weighs risk, so that the gain is no sum of effects."""
    exposure = _exposure(trial)
    if exposure is None or "risk" in trial.problem.spec.components:
        return None
    parts = np.abs(exposure * trial.problem.portfolio.margin_se)
    most = float(parts.sum())
    return GainError(float(np.sqrt((parts**2).sum())), most) if most > 0.0 else None


def even_margin(trial: Trial) -> float | None:
    """By how much the margin of each customer who is on something else than before would have to be higher (lower where
    negative) for the given tariff to be worth as much as today's: money per customer and period. None where nobody is.
    """
    exposure, tried, before = _exposure(trial), trial.tried, trial.before
    if exposure is None or tried is None or before is None:
        return None
    # Who leaves one option for another is counted once.
    moved = [
        float(np.maximum(exposure[:, list(lever.options)], 0.0).sum())
        for lever in trial.problem.portfolio.levers
    ]
    most = max(moved, default=0.0)
    return (before.objective - tried.objective) / most if most > 1e-9 else None


def _exposure(trial: Trial) -> Numbers | None:
    """`[S, O]`: customers more on each option than before, discounted and weighed as profit is."""
    if trial.tried is None or trial.before is None:
        return None
    spec = trial.problem.spec
    discount = (1.0 + spec.horizon.discount_rate) ** -np.arange(trial.problem.portfolio.periods)

    def on(outcome: Outcome) -> Numbers:
        return outcome.mean(lambda _, decided, __: decided.customers_on @ discount)

    return np.asarray(spec.objective.profit * (on(trial.tried) - on(trial.before)))
