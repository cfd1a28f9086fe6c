"""What one curve was fitted to, kept so that it can be fitted again with some of its parameters held.

In: columns and results of a fit. Out: `CurveData`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.separation import search

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]
Family = Literal["Binomial", "Poisson", "Gaussian"]


@dataclass(frozen=True)
class CurveData:
    """`y[n]` is explained by `x[n, K]`: least squares (Gaussian), Poisson (quasi-)likelihood with a logarithmic link,
    or a logit of y out of `trials[n]` (without them of 0 and 1)."""

    family: Family
    x: Numbers = field(repr=False)
    y: Numbers = field(repr=False)
    trials: Numbers | None = field(default=None, repr=False)

    def information(self, values: Numbers) -> Numbers:
        """The negative Hessian of the likelihood by all parameters, at `values[K]`, `[K, K]`."""
        index = self.x @ values
        weight = np.ones(len(index))
        if self.family == "Poisson":
            weight = np.exp(index)
        elif self.family == "Binomial":
            chance = 1.0 / (1.0 + np.exp(-index))
            weight = chance * (1.0 - chance) * (1.0 if self.trials is None else self.trials)
        return np.asarray((self.x * weight[:, None]).T @ self.x, dtype=np.float64)

    def held(self, values: Numbers, slopes: Indices) -> Numbers:
        """`values[K]` with those at `slopes` as they are, and all others where the likelihood is largest given these.

        By statsmodels' GLM, the slopes' part being an offset; so means over segments and strata stay those observed.
        """
        import statsmodels.api as sm  # type: ignore[import-untyped]

        others = np.setdiff1d(np.arange(len(values)), slopes)
        y = self.y
        if self.trials is not None:
            y = np.column_stack([self.y, self.trials - self.y])
        offset = self.x[:, slopes] @ values[slopes]
        model = sm.GLM(y, self.x[:, others], family=getattr(sm.families, self.family)(), offset=offset)
        with (
            warnings.catch_warnings()
        ):  # the whole curve was fitted before, and this one is nearer to the data's mean
            warnings.simplefilter("ignore")
            total = float(np.sum(np.abs(self.y if self.trials is None else self.trials)))
            found = model.fit(start_params=values[others], **search(total))
        moved = values.copy()
        moved[others] = found.params
        return moved
