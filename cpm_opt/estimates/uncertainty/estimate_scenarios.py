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

STRETCHES = tuple(part / 20 for part in range(20, 0, -1))


@dataclass(frozen=True)
class Reduced:
    """The `frame` of table scenarios; `kept[W]` draws with their `probability`, falling. `spread`: the
    standard deviation of the kept draws against that of all, as a ratio, and `off`: how far their means differ, in
    such standard deviations; both the median and the worst of the figures of money. `stretch`: the part of the draws'
    spread to which factors were stretched (0: scenarios are draws as they are). `mean`: the least and the greatest
    mean of a factor over the scenarios, where the estimate is 1."""

    frame: pd.DataFrame
    kept: NDArray[np.int64]
    probability: Numbers
    spread: tuple[float, float]
    off: tuple[float, float]
    stretch: float
    mean: tuple[float, float]

    @property
    def matched(self) -> bool:
        """Whether factors were moved and stretched."""
        return self.stretch > 0.0


def scenario_table(
    draws: Draws,
    rules: ScenarioRules,
    allowed: Callable[[Numbers], NDArray[np.bool_]] | None = None,
    whole: Draws | None = None,
) -> Reduced:
    """`rules.number` of the draws by fast forward selection (`reduce_draws`), compared by what they make in money.

    A few draws spread less than all of them, each being the middle of many. With `rules.spread` "matched" each factor
    is moved and stretched, the same way in all scenarios, to the mean and standard deviation over all draws:

        factor_w = mean + (kept_w - mean of kept) sd / sd of kept

    so correlations are those of the kept draws (after Hoyland and Wallace 2001, "Generating scenario trees for
    multistage decision problems", Management Science 47(2)). All draws are those of `whole`, where `draws` are only the
    possible ones of them: these by themselves lie to one side. Where a stretched factor is not `allowed`, sd is lowered
    by twentieths until all are. With "draws", or where none is allowed at any stretch, every scenario is a draw. The
    estimates as they are, about the mean of all draws, are none of the scenarios. Probabilities add to 1.
    """
    import pandas as pd

    kept, probability = reduce_draws(draws.money, rules.number)
    order = np.argsort(-probability, kind="stable")
    kept, probability = kept[order], probability[order]
    factors = draws.factors[kept]
    stretch = 0.0
    if rules.spread == "matched":
        every = (whole or draws).factors
        for part in STRETCHES:
            stretched = _matched(factors, probability, every, part)
            if allowed is None or bool(allowed(stretched).all()):
                factors, stretch = stretched, part
                break
    mean = probability @ factors
    frames = []
    for place, (factor, weight) in enumerate(zip(factors, probability, strict=True)):
        frame = pd.DataFrame(list(draws.keys), columns=list(KEYS))
        frame.insert(0, "scenario", f"draw-{place + 1:0{len(str(len(kept)))}d}")
        frame.insert(1, "probability", weight)
        frame.insert(3, "factor", factor)
        frames.append(frame)
    spread, off = _nearness(draws.money, kept, probability)
    reach = (float(mean.min()), float(mean.max()))
    return Reduced(pd.concat(frames, ignore_index=True), kept, probability, spread, off, stretch, reach)


def _matched(kept: Numbers, probability: Numbers, every: Numbers, part: float) -> Numbers:
    """The kept factors `[W, R]` with the mean of every draw's `[N, R]`, and `part` of their standard deviation."""
    around = kept - probability @ kept
    own = np.sqrt(probability @ around**2)
    stretch = np.divide(every.std(axis=0), own, out=np.zeros_like(own), where=own > 0.0)
    return np.asarray(every.mean(axis=0) + around * stretch * part, dtype=np.float64)


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
