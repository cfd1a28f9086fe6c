"""Who leaves, and why: a logit of leaving in each period, which is the discrete-time hazard of a panel.

In: table panel. Out: `Hazard`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.moves.panel_design import PanelDesign, design_of, usable
from cpm_opt.estimates.response.price_response import shifted_rate
from cpm_opt.estimates.value.model_estimate import ModelEstimate, no_estimate

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]

RUNAWAY = 18.0  # log-odds beyond this (1 in 66 million) mean that the likelihood has no maximum


@dataclass(frozen=True)
class Hazard:
    """The `model` named churn, with the joint `covariance[K, K]` of its parameters (errors clustered by customer).

    `design` holds its terms.

    `survival[tenure]`, `survival_se` and `at_risk` come from the panel alone (life table), empty where no tenure is
    known: the part of customers who are still there after so many periods.
    """

    model: ModelEstimate
    covariance: Numbers = field(repr=False)
    design: PanelDesign
    survival: tuple[tuple[float, float, float, int], ...] = ()

    def rate(self, change: dict[str, float], base: float) -> float:
        """Rate of leaving of customers who now leave at `base`, a fraction, when terms change by so much."""
        return shifted_rate(base, sum(self.model.parameters[name] * by for name, by in change.items()))


def fit_hazard(panel: pd.DataFrame) -> Hazard:
    """Maximum likelihood of  P(left in a period) = 1 / (1 + exp(-x b)),  a row a customer and period at risk.

    x: intercept; each segment, service and programme but the first by name (`segment[silver]`); price in force and
    price_change, told apart: `price` is the answer as long as it stands, `price_change` the answer once; complaints,
    tenure (linear); each score of satisfaction but the lowest there is (`satisfaction[4]`; 0 is who was not asked).
    A column that does not vary is left out. Rows in which price or tenure is blank are left out where others have it.
    """
    import statsmodels.api as sm  # type: ignore[import-untyped]

    used = usable(panel)
    design = design_of(panel[used])
    names, x = design.names, design.matrix(panel[used])
    left = panel["left"].to_numpy(dtype=np.float64)[used]
    told = no_estimate("churn", names, len(left), "")
    if left.min(initial=1.0) == left.max(initial=0.0) or len(left) <= len(names):
        return _failed(told, "nobody left, or everybody, or there are fewer rows than parameters", design)
    if np.linalg.matrix_rank(x) < len(names):
        return _failed(told, "some columns say the same thing: the data do not tell them apart", design)
    model = sm.GLM(left, x, family=sm.families.Binomial())
    with (
        warnings.catch_warnings()
    ):  # what statsmodels would say of it is looked at below, and told by the model
        warnings.simplefilter("ignore")
        fit = model.fit(maxiter=100, tol=1e-12)
    mean = np.asarray(fit.fittedvalues, dtype=np.float64)
    if not fit.converged or np.abs(x @ fit.params).max() > RUNAWAY:
        return _failed(told, "a parameter runs to infinity: some group left never, or always", design)
    information = x.T @ (x * (mean * (1.0 - mean))[:, None])
    influence = np.asarray(np.linalg.solve(information, (x * (left - mean)[:, None]).T).T, dtype=np.float64)
    covariance = clustered(influence, panel["customer"].to_numpy()[used])
    estimate = ModelEstimate(
        name="churn",
        parameters=dict(zip(names, np.asarray(fit.params).tolist(), strict=True)),
        standard_errors=dict(zip(names, np.sqrt(np.diag(covariance)).tolist(), strict=True)),
        log_likelihood=float(fit.llf),
        n=len(left),
        converged=True,
    )
    return Hazard(estimate, covariance, design, _survival(panel))


def clustered(influence: Numbers, cluster: NDArray[np.object_]) -> Numbers:
    """Covariance of parameters from each row's influence `[n, K]`, summed within clusters, times G / (G - 1)."""
    _, codes = np.unique(cluster.astype(str), return_inverse=True)
    groups = int(codes.max()) + 1
    summed = np.zeros((groups, influence.shape[1]))
    np.add.at(summed, codes, influence)
    return np.asarray(summed.T @ summed * groups / max(groups - 1, 1), dtype=np.float64)


def _survival(panel: pd.DataFrame) -> tuple[tuple[float, float, float, int], ...]:
    """Life table by tenure: (tenure, part still there at its end, Greenwood's standard error, customers at risk)."""
    known = panel[panel["tenure"].notna()]
    rows, still, hazard_sum = [], 1.0, 0.0
    for tenure, own in known.groupby("tenure"):
        at_risk, gone = len(own), int(own["left"].sum())
        still *= 1.0 - gone / at_risk
        hazard_sum += gone / (at_risk * (at_risk - gone)) if gone < at_risk else 0.0
        rows.append((float(str(tenure)), still, still * float(np.sqrt(hazard_sum)), at_risk))
    return tuple(rows)


def _failed(told: ModelEstimate, message: str, design: PanelDesign) -> Hazard:
    size = len(told.parameters)
    return Hazard(replace(told, message=message), np.full((size, size), np.nan), design)
