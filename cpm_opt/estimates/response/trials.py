"""What a programme does, from a campaign in which chance decided who got it.

In: table trials. Out: `ArmEffect` by programme, arm and segment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpm_opt.estimates.response.explanatory import LEAST_CLUSTERS
from cpm_opt.faults import Fault, InputError, shown

if TYPE_CHECKING:
    import pandas as pd

CONTROL = "control"
NOTHING = 1e-12  # an error that is smaller against the effect is one of rounding


@dataclass(frozen=True)
class ArmEffect:
    """Mean outcome of an arm less that of the control: `effect` with `se` and the 95 % interval `low` to `high`, by
    Student's t with `freedom` degrees.

    Where the outcomes of both do not vary, these four are nan: that is no certainty, and no error is known.
    `clusters` that the error rests on (0: none).
    """

    programme: str
    arm: str
    segment: str
    effect: float
    se: float
    low: float
    high: float
    treated: int
    control: int
    clusters: int = 0
    freedom: float = math.nan


def arm_effects(trials: pd.DataFrame, against: str = CONTROL) -> tuple[ArmEffect, ...]:
    """Effects of all arms against arm `against`, by programme and segment; every arm needs two customers at least.

        effect = mean(arm) - mean(control),    se = sqrt(s_arm^2 / n_arm + s_control^2 / n_control)

    s^2 are sample variances (Neyman; no equal variances are assumed). Where clusters are named, chance drew clusters:
    the error is that of the difference of means by regression, clustered (statsmodels' correction).
    Intervals are Student's t with the degrees of freedom of Welch and Satterthwaite (1946, Biometrics Bulletin 2(6)),

        (v_arm + v_control)^2 / (v_arm^2 / (n_arm - 1) + v_control^2 / (n_control - 1)),    v = s^2 / n

    with sums over clusters for customers where each cluster is of one arm; where some hold both, clusters - 1.
    Pairs in which an arm or the control has fewer than two customers are left out. Raises InputError for pairs in fewer
    than three clusters, or one of which lies in a single cluster: residuals of an arm add to 0 within it, so the error
    would leave out how clusters differ.
    """
    found = []
    faults: list[Fault] = []
    for (programme, segment), group in trials.groupby(["programme", "segment"], sort=True):
        control = group[group["arm"] == against]
        for arm in sorted(name for name in group["arm"].unique() if name != against):
            own = group[group["arm"] == arm]
            if min(len(own), len(control)) < 2:
                continue
            effect = float(own["outcome"].mean() - control["outcome"].mean())
            place = (str(programme), str(arm), str(segment))
            clusters = 0
            if (group["cluster"] != "").all():
                clusters = len(set(own["cluster"]) | set(control["cluster"]))
                wrong = _few_clusters(place, own, control, clusters)
                faults += wrong
                if wrong:
                    continue
                se = _clustered(own, control)
            else:
                se = math.sqrt(own["outcome"].var() / len(own) + control["outcome"].var() / len(control))
            if se <= NOTHING * max(1.0, abs(effect)):
                se = math.nan
            freedom = _freedom(own, control, clusters) if se > 0 else math.nan
            reach = _student_95(freedom) * se
            sizes = (len(own), len(control), clusters)
            found.append(ArmEffect(*place, effect, se, effect - reach, effect + reach, *sizes, freedom))
    if faults:
        raise InputError(faults)
    return tuple(found)


def _freedom(own: pd.DataFrame, control: pd.DataFrame, clusters: int) -> float:
    """Degrees of freedom of the error of a difference of means; see `arm_effects`."""
    if clusters and set(own["cluster"]) & set(control["cluster"]):
        return clusters - 1.0
    whole = parts = 0.0
    for each in (own, control):
        off = each["outcome"] - each["outcome"].mean()
        units = off.groupby(each["cluster"]).sum() if clusters else off
        variance = float((units**2).sum()) / len(each) ** 2 * len(units) / (len(units) - 1)
        whole, parts = whole + variance, parts + variance**2 / (len(units) - 1)
    return whole**2 / parts


def _student_95(freedom: float) -> float:
    """Standard errors to either side of a 95 % interval."""
    from scipy.stats import t  # type: ignore[import-untyped]

    return float(t.ppf(0.975, freedom))


def _few_clusters(
    place: tuple[str, str, str], own: pd.DataFrame, control: pd.DataFrame, clusters: int
) -> list[Fault]:
    fewest = min(own["cluster"].nunique(), control["cluster"].nunique())
    if clusters >= LEAST_CLUSTERS and fewest > 1:
        return []
    programme, arm, segment = place
    where = f", segment {shown(segment)}" if segment else ""
    where += f": arm {shown(arm)}"
    against = str(control["arm"].iloc[0])
    other = "the control" if against == CONTROL else f"arm {shown(against)}"
    many = (
        f" and {other} lie in {clusters} cluster{'s' * (clusters != 1)}, too few to tell how clusters differ"
    )
    one = f" or {other} lies in a single cluster, which does not tell how clusters differ"
    message = f"programme {shown(programme)}{where}{many if clusters < LEAST_CLUSTERS else one}"
    remedy = "name finer clusters, or leave column cluster blank"
    return [Fault("trials", message, remedy, column="cluster", code="few_clusters")]


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
    return math.sqrt(max(float(np.asarray(fit.cov_params())[1, 1]), 0.0))  # rounding may leave less than 0
