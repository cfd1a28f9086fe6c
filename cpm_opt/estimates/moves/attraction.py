"""Which customers a programme attracts: the mix of new customers' types as a multinomial logit.

In: table acquisitions. Out: `Attraction` of each firm.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.value.model_estimate import ModelEstimate, no_estimate

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]

INTERVENTIONS = ("price", "promotion", "advertising")


@dataclass(frozen=True)
class Attraction:
    """One firm's mix of new customers by type, after McAlister and Sinha's portfolio of customer types.

    P(type k | x) = exp(a_k + b_k x) / sum_j exp(a_j + b_j x), with a = b = 0 for the first type. `model` holds a and b
    of the others; `types`, `interventions` (those that vary) and their means `at[I]`; `shares[K]` of types there, and
    `pull[K, I]`: the change of a share by one unit of an intervention, P_k (b_k - sum_j P_j b_j), with `pull_se`.
    """

    firm: str
    model: ModelEstimate
    types: tuple[str, ...]
    interventions: tuple[str, ...]
    at: Numbers
    shares: Numbers
    pull: Numbers
    pull_se: Numbers
    values: Numbers = field(repr=False)
    covariance: Numbers = field(repr=False)

    def mixes(self, x: Numbers, values: Numbers) -> Numbers:
        """Shares of types `[N, K]` at interventions `x[I]`, for draws of the parameters `values[N, (K - 1)(I + 1)]`."""
        own = values.reshape(len(values), *self.values.shape)
        return np.array([_shares(each, x) for each in own])

    def mix(self, x: Numbers) -> Numbers:
        """Shares of types `[K]` at interventions `x[I]`: times the new customers of a period, the table arrivals."""
        return _shares(self.values, x)

    def frame(self) -> pd.DataFrame:
        """Columns firm, segment, share, intervention, pull, pull_se: how strongly each attracts each type."""
        import pandas as pd

        rows = [
            (self.firm, name, self.shares[k], what, self.pull[k, i], self.pull_se[k, i])
            for k, name in enumerate(self.types)
            for i, what in enumerate(self.interventions)
        ]
        return pd.DataFrame(rows, columns=["firm", "segment", "share", "intervention", "pull", "pull_se"])


def attraction_table(fits: Sequence[Attraction]) -> pd.DataFrame:
    """How strongly each intervention attracts each type, the own firm first: firm, segment, share, intervention, pull,
    pull_se; for a rival also own_less_rival, the own firm's pull less this one's, and its error (fits of firms are
    independent)."""
    import pandas as pd

    table = pd.concat([fit.frame() for fit in fits], ignore_index=True)
    keys = ["segment", "intervention"]
    own = table.loc[table["firm"] == "", [*keys, "pull", "pull_se"]]
    joined = table.merge(own, how="left", on=keys, suffixes=("", "_own"))
    rival = joined["firm"] != ""
    error = (joined["pull_se_own"] ** 2 + joined["pull_se"] ** 2) ** 0.5
    return table.assign(
        own_less_rival=(joined["pull_own"] - joined["pull"]).where(rival),
        own_less_rival_se=error.where(rival),
    )


def fit_attraction(acquisitions: pd.DataFrame) -> tuple[Attraction, ...]:
    """One fit a firm, by maximum likelihood (statsmodels' MNLogit); errors from its Hessian, of `pull` by delta method.

    Columns: segment (the type), firm ("" is the own), price, promotion, advertising. A firm's fit that is not possible
    (one type alone, nothing varies, a type that an intervention tells perfectly) has a model that says so.
    """
    return tuple(_one(str(firm), own) for firm, own in acquisitions.groupby("firm", sort=True))


def _one(firm: str, own: pd.DataFrame) -> Attraction:
    import statsmodels.api as sm  # type: ignore[import-untyped]

    name = f"attraction {firm}" if firm else "attraction"
    types = tuple(sorted(str(kind) for kind in own["segment"].unique()))
    varying = tuple(what for what in INTERVENTIONS if own[what].nunique() > 1)
    x = own[list(varying)].to_numpy(dtype=np.float64)
    at = x.mean(axis=0)
    names = tuple(f"{what}[{kind}]" for kind in types[1:] for what in ("intercept", *varying))
    place = {kind: k for k, kind in enumerate(types)}
    y = own["segment"].map(place).to_numpy(dtype=np.int64)
    if len(types) < 2 or not varying or len(own) <= len(names):
        return _none(
            firm, name, names, types, varying, at, len(own), "one type alone, nothing varies, or too few rows"
        )
    spread = x.std(axis=0)
    scaled = np.column_stack([np.ones(len(x)), (x - at) / spread])
    if np.linalg.matrix_rank(scaled) < scaled.shape[1]:
        return _none(firm, name, names, types, varying, at, len(own), "interventions always moved together")
    perfect = _none(firm, name, names, types, varying, at, len(own), "an intervention tells a type perfectly")
    try:
        with (
            warnings.catch_warnings()
        ):  # what statsmodels would say of it is looked at below, and told by the model
            warnings.simplefilter("ignore")
            fit = sm.MNLogit(y, scaled).fit(disp=0, maxiter=200, method="newton", warn_convergence=False)
    except np.linalg.LinAlgError:
        return perfect
    params = np.asarray(fit.params, dtype=np.float64)
    if not fit.mle_retvals["converged"] or np.abs(params).max() > 15.0:
        return perfect
    # Back from standardised columns; both are linear, so the covariance follows.
    back = np.eye(scaled.shape[1])
    back[1:, 1:] = np.diag(1.0 / spread)
    back[0, 1:] = -at / spread
    values = (back @ params).T
    whole = np.kron(np.eye(len(types) - 1), back)
    covariance = whole @ np.asarray(fit.cov_params(), dtype=np.float64) @ whole.T
    model = ModelEstimate(
        name=name,
        parameters=dict(zip(names, values.ravel().tolist(), strict=True)),
        standard_errors=dict(zip(names, np.sqrt(np.diag(covariance)).tolist(), strict=True)),
        log_likelihood=float(fit.llf),
        n=len(own),
        converged=True,
    )
    return Attraction(
        firm,
        model,
        types,
        varying,
        at,
        _shares(values, at),
        _pull(values, at),
        _pull_errors(values, covariance, at),
        values,
        covariance,
    )


def _pull_errors(values: Numbers, covariance: Numbers, at: Numbers) -> Numbers:
    """Standard errors of `_pull` by the delta method, slopes by central differences."""
    error = np.sqrt(np.diag(covariance))
    slopes = []
    for k in range(values.size):
        step = np.zeros(values.size)
        step[k] = 1e-4 * error[k]
        ahead, behind = (_pull(values + sign * step.reshape(values.shape), at) for sign in (1, -1))
        slopes.append((ahead - behind) / (2.0 * step[k]))
    variance = np.einsum("kti,kl,lti->ti", np.array(slopes), covariance, np.array(slopes))
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)


def _shares(values: Numbers, x: Numbers) -> Numbers:
    index = np.concatenate([[0.0], values[:, 0] + values[:, 1:] @ x])
    pull = np.exp(index - index.max())
    return np.asarray(pull / pull.sum(), dtype=np.float64)


def _pull(values: Numbers, x: Numbers) -> Numbers:
    shares = _shares(values, x)
    slopes = np.vstack([np.zeros(values.shape[1] - 1), values[:, 1:]])
    return np.asarray(shares[:, None] * (slopes - shares @ slopes), dtype=np.float64)


def _none(
    firm: str,
    name: str,
    names: tuple[str, ...],
    types: tuple[str, ...],
    varying: tuple[str, ...],
    at: Numbers,
    n: int,
    message: str,
) -> Attraction:
    unknown = np.full((len(types), len(varying)), np.nan)
    shares = np.full(len(types), np.nan)
    model = no_estimate(name, names, n, message)
    values = np.full((max(len(types) - 1, 0), len(varying) + 1), np.nan)
    nothing = np.full((values.size, values.size), np.nan)
    return Attraction(firm, model, types, varying, at, shares, unknown, unknown, values, nothing)
