"""Attraction: the multinomial logit against statsmodels on the raw columns, its pulls against differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from cpm_opt.estimates.moves.attraction import fit_attraction


def acquired(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    price, promotion = rng.uniform(8, 12, rows), rng.integers(0, 2, rows)
    index = np.column_stack([np.zeros(rows), 2 - 0.2 * price + 0.8 * promotion, -1 + 0.1 * price])
    chance = np.exp(index) / np.exp(index).sum(axis=1, keepdims=True)
    kind = (rng.random(rows)[:, None] > chance.cumsum(axis=1)).sum(axis=1)
    names = np.array(["basic", "bargain", "premium"])[kind]
    return pd.DataFrame(
        {"segment": names, "firm": np.where(rng.random(rows) < 0.5, "", "rival"), "price": price,
         "promotion": promotion.astype(float), "advertising": 3.0}
    )  # fmt: skip


def test_it_is_the_multinomial_logit_of_statsmodels() -> None:
    data = acquired(3000, seed=1)
    for found in fit_attraction(data):
        own = data[data["firm"] == found.firm]
        x = np.column_stack([np.ones(len(own)), own["price"], own["promotion"]])
        theirs = sm.MNLogit(own["segment"].astype("category").cat.codes.to_numpy(), x).fit(disp=0)
        assert found.interventions == ("price", "promotion")
        assert found.values == pytest.approx(theirs.params.T, rel=1e-4)
        errors = np.array(list(found.model.standard_errors.values()))
        assert errors == pytest.approx(theirs.bse.T.ravel(), rel=1e-4)
        assert found.model.log_likelihood == pytest.approx(theirs.llf)
        by_price = (
            found.mix(found.at + np.array([1e-6, 0])) - found.mix(found.at - np.array([1e-6, 0]))
        ) / 2e-6
        assert found.pull[:, 0] == pytest.approx(by_price, rel=1e-5)
        assert found.pull.sum(axis=0) == pytest.approx([0, 0], abs=1e-12)
        margins = theirs.get_margeff(at="mean")
        assert found.pull.T.ravel() == pytest.approx(margins.margeff.ravel(), rel=1e-3)
        assert found.pull_se.T.ravel() == pytest.approx(margins.margeff_se.ravel(), rel=1e-3)
        assert len(found.frame()) == 6


def test_what_cannot_be_told_is_said() -> None:
    data = acquired(200, seed=2).assign(firm="")
    (one,) = fit_attraction(data.assign(segment="basic"))
    assert not one.model.converged
    (together,) = fit_attraction(data.assign(promotion=data["price"] * 2))
    assert "moved together" in together.model.message
    told = data.assign(promotion=(data["segment"] == "bargain").astype(float))
    assert "perfectly" in fit_attraction(told)[0].model.message
