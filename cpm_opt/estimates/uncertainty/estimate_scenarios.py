"""Table scenarios: how the estimates may turn out, a few weighted draws out of many.

In: `Draws`, `[estimates.scenarios]`. Out: the frame, and how near its mean and spread are to those of the draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.moves.answer_rules import ScenarioRules
from cpm_opt.estimates.uncertainty.draws import KEYS, Draws
from cpm_opt.estimates.uncertainty.scenario_reduction import reduce_draws

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Reduced:
    """The `frame` of table scenarios; `kept[W]` draws with their `probability`, falling. `spread`: the standard
    deviation of the kept draws against that of all, as a ratio, and `off`: how far their means differ, in
    such standard deviations; both the median and the worst of the figures of money."""

    frame: pd.DataFrame
    kept: NDArray[np.int64]
    probability: Numbers
    spread: tuple[float, float]
    off: tuple[float, float]
    matched: bool


def scenario_table(
    draws: Draws, rules: ScenarioRules, allowed: Callable[[Numbers], NDArray[np.bool_]] | None = None
) -> Reduced:
    """`rules.number` of the draws by fast forward selection (`reduce_draws`), compared by what they make in money.

    A few draws spread less than all of them, each being the middle of many. With `rules.spread` "matched" each factor
    is moved and stretched, the same way in all scenarios, to the mean and standard deviation over all draws:

        factor_w = mean + (kept_w - mean of kept) sd / sd of kept

    so correlations are those of the kept draws (after Hoyland and Wallace 2001, "Generating scenario trees for
    multistage decision problems", Management Science 47(2)). With "draws", or where a stretched
    factor is not `allowed`, every scenario is a draw. The estimates as they are, about the mean of the draws, are none
    of the scenarios. Probabilities add to 1.
    """
    import pandas as pd

    kept, probability = reduce_draws(draws.money, rules.number)
    order = np.argsort(-probability, kind="stable")
    kept, probability = kept[order], probability[order]
    factors = draws.factors[kept]
    matched = rules.spread == "matched"
    if matched:
        stretched = _matched(factors, probability, draws.factors)
        matched = allowed is None or bool(allowed(stretched).all())
        factors = stretched if matched else factors
    frames = []
    for place, (factor, weight) in enumerate(zip(factors, probability, strict=True)):
        frame = pd.DataFrame(list(draws.keys), columns=list(KEYS))
        frame.insert(0, "scenario", f"draw-{place + 1:0{len(str(len(kept)))}d}")
        frame.insert(1, "probability", weight)
        frame.insert(3, "factor", factor)
        frames.append(frame)
    spread, off = _nearness(draws.money, kept, probability)
    return Reduced(pd.concat(frames, ignore_index=True), kept, probability, spread, off, matched)


def _matched(kept: Numbers, probability: Numbers, every: Numbers) -> Numbers:
    """The kept factors `[W, R]` with the mean and standard deviation of every draw's `[N, R]`."""
    around = kept - probability @ kept
    own = np.sqrt(probability @ around**2)
    stretch = np.divide(every.std(axis=0), own, out=np.zeros_like(own), where=own > 0.0)
    return np.asarray(every.mean(axis=0) + around * stretch, dtype=np.float64)


def _nearness(
    money: Numbers, kept: NDArray[np.int64], probability: Numbers
) -> tuple[tuple[float, float], tuple[float, float]]:
    whole, deviation = money.mean(axis=0), money.std(axis=0)
    own = money[kept]
    mean = probability @ own
    left = np.sqrt(np.maximum(probability @ (own - mean) ** 2, 0.0))
    varied = deviation > 1e-12 * np.maximum(np.abs(whole), 1.0)
    if not varied.any():
        return (1.0, 1.0), (0.0, 0.0)
    ratio, off = (left / deviation)[varied], (np.abs(mean - whole) / deviation)[varied]
    return (float(np.median(ratio)), float(ratio.min())), (float(np.median(off)), float(off.max()))
