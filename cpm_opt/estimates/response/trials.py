"""What a programme does, from a campaign in which chance decided who got it.

In: table trials. Out: `ArmEffect` by programme, arm and segment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

CONTROL = "control"
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class ArmEffect:
    """Mean outcome of an arm less that of the control: `effect` with `se` and the 95 % interval `low` to `high`."""

    programme: str
    arm: str
    segment: str
    effect: float
    se: float
    low: float
    high: float
    treated: int
    control: int


def arm_effects(trials: pd.DataFrame) -> tuple[ArmEffect, ...]:
    """Effects of all arms against arm `control`, by programme and segment; every arm needs two customers at least.

        effect = mean(arm) - mean(control),    se = sqrt(s_arm^2 / n_arm + s_control^2 / n_control)

    s^2 are sample variances (Neyman; no equal variances are assumed). Where clusters are named, chance drew clusters:
    the error is that of the difference of means by regression, clustered (statsmodels' correction).
    Pairs in which an arm or the control has fewer than two customers are left out.
    """
    found = []
    for (programme, segment), group in trials.groupby(["programme", "segment"], sort=True):
        control = group[group["arm"] == CONTROL]
        for arm in sorted(name for name in group["arm"].unique() if name != CONTROL):
            own = group[group["arm"] == arm]
            if min(len(own), len(control)) < 2:
                continue
            effect = float(own["outcome"].mean() - control["outcome"].mean())
            if (group["cluster"] != "").all():
                se = _clustered(own, control)
            else:
                se = math.sqrt(own["outcome"].var() / len(own) + control["outcome"].var() / len(control))
            reach = NORMAL_95 * se
            place = (str(programme), str(arm), str(segment))
            found.append(
                ArmEffect(*place, effect, se, effect - reach, effect + reach, len(own), len(control))
            )
    return tuple(found)


def _clustered(own: pd.DataFrame, control: pd.DataFrame) -> float:
    import numpy as np
    import pandas as pd
    import statsmodels.api as sm  # type: ignore[import-untyped]

    both = pd.concat([own, control])
    x = np.column_stack([np.ones(len(both)), (both["arm"] != CONTROL).to_numpy(dtype=np.float64)])
    groups = both["cluster"].astype("category").cat.codes.to_numpy()
    fit = sm.OLS(both["outcome"].to_numpy(dtype=np.float64), x).fit(
        cov_type="cluster", cov_kwds={"groups": groups}
    )
    return float(fit.bse[1])
