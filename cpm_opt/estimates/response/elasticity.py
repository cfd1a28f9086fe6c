"""Elasticities from sales at several prices: one a segment, with errors by cluster, shrunk to the whole.

In: observations of price and volume. Out: `Elasticity` by segment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.shrinkage import shrink
from cpm_opt.faults import Fault, InputError

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Elasticity:
    """A segment's `value` with its `se`, `n` observations, `parameters` of its fit, prices seen from `low` to `high`.

    `own_value` and `own_se` are those before shrinkage (the same where none was asked for). `df`: clusters less 1, else
    observations less parameters.
    """

    segment: str
    value: float
    se: float
    own_value: float
    own_se: float
    n: int
    parameters: int
    low: float
    high: float
    df: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval by Student's t with `df` degrees of freedom: few clusters make a normal one too short."""
        from scipy.stats import t  # type: ignore[import-untyped]

        reach = float(t.ppf(0.975, self.df)) * self.se
        return self.value - reach, self.value + reach

    @property
    def t(self) -> float:
        """The value over its standard error."""
        return self.value / self.se


def fit_elasticities(
    observations: pd.DataFrame, covariates: tuple[str, ...] = (), shrinkage: bool = False
) -> tuple[Elasticity, ...]:
    """One elasticity a segment: ordinary least squares of ln(volume) on ln(price) and `covariates`, by segment.

    Columns: segment, price and volume (above 0), the covariates (numbers), [cluster]. Errors are of type HC1, or with
    column `cluster` summed within clusters (statsmodels' correction for few clusters). Raises InputError for a segment
    with no more observations than parameters, with a single price, or with volumes that have no logarithm.
    """
    import statsmodels.api as sm  # type: ignore[import-untyped]

    found, faults = [], []
    for name, own in observations.groupby("segment", sort=True):
        faults += _refused(str(name), own, 2 + len(covariates))
        if faults:
            continue
        x = np.column_stack(
            [
                np.ones(len(own)),
                np.log(own["price"].to_numpy(dtype=np.float64)),
                own[list(covariates)].to_numpy(dtype=np.float64),
            ]
        )
        model = sm.OLS(np.log(own["volume"].to_numpy(dtype=np.float64)), x)
        if "cluster" in own:
            groups = own["cluster"].astype("category").cat.codes.to_numpy()
            fit = model.fit(cov_type="cluster", cov_kwds={"groups": groups})
            df = int(groups.max())
        else:
            fit = model.fit(cov_type="HC1")
            df = len(own) - x.shape[1]
        value, se = float(fit.params[1]), float(fit.bse[1])
        low, high = float(own["price"].min()), float(own["price"].max())
        found.append(Elasticity(str(name), value, se, value, se, len(own), x.shape[1], low, high, df))
    if faults:
        raise InputError(faults)
    return _shrunken(found) if shrinkage and len(found) > 1 else tuple(found)


def _shrunken(found: list[Elasticity]) -> tuple[Elasticity, ...]:
    told = shrink(np.array([e.value for e in found]), np.array([e.se for e in found]))
    return tuple(
        replace(e, value=float(value), se=float(se))
        for e, value, se in zip(found, told.values, told.errors, strict=True)
    )


def _refused(name: str, own: pd.DataFrame, parameters: int) -> list[Fault]:
    """What keeps a segment from having an elasticity."""
    wrong = []
    if (own["price"] <= 0).any() or (own["volume"] <= 0).any():
        wrong.append(
            ("has a price or a volume of 0 or less", "leave such rows out, or join them", "no_logarithm")
        )
    elif own["price"].nunique() < 2:
        wrong.append(
            ("saw one price alone, so nothing tells how it answers", "join it with another", "one_price")
        )
    if len(own) <= parameters:
        text = f"has {len(own)} observations for {parameters} parameters"
        wrong.append((text, "join it with another segment, or leave covariates out", "too_few"))
    return [
        Fault("observations", text, remedy, column="segment", value=name, code=code)
        for text, remedy, code in wrong
    ]
