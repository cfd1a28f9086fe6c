"""Demand from price points against statsmodels run by hand, and bands of curves against its predictions and draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from cpm_opt.estimates.lint.fits import lint_demand
from cpm_opt.estimates.moves.hazard import fit_hazard
from cpm_opt.estimates.response.effort import fit_effort
from cpm_opt.estimates.response.fitted_curves import (
    band,
    churn_curves,
    demand_curves,
    effort_curve,
    offer_curves,
)
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.offers import fit_offers
from cpm_opt.estimates.response.price_points import fit_demand, shrink_demand
from cpm_opt.estimates.response.shrinkage import shrink
from cpm_opt.faults import InputError
from tests.estimates.test_response import panel


def rules(**keys: Any) -> LeverRules:
    return LeverRules(**{"from": "price_points", "lever": "fee", **keys})


def made(rows: int = 300, seed: int = 3) -> pd.DataFrame:
    """Weeks of 45 shops: elasticities -1.2 and -2, an effect of age and of region."""
    rng = np.random.default_rng(seed)
    segment, shop = rng.integers(0, 2, rows), rng.integers(0, 45, rows)
    price, age = rng.uniform(6, 14, rows), rng.normal(40, 8, rows).round(1)
    region = rng.choice(["east", "north", "south"], rows)
    log = 3 - np.array([1.2, 2.0])[segment] * np.log(price) + 0.01 * age + 0.3 * (region == "south")
    volume = np.exp(log + rng.normal(0, 0.1, 45)[shop] + rng.normal(0, 0.2, rows))
    return pd.DataFrame(
        {"segment": np.array(["a", "b"])[segment], "price": price, "volume": volume, "potential": 20.0,
         "stratum": "", "cluster": shop.astype(str), "lever": "", "age": age.astype(str), "region": region}
    )  # fmt: skip


def typed(points: pd.DataFrame) -> pd.DataFrame:
    return points.assign(age=points["age"].astype(float), shop=points["cluster"].astype("category").cat.codes)


def test_elasticities_are_least_squares_with_clustered_errors() -> None:
    points = made()
    found = fit_demand(points, rules(covariates=["age", "region"]))
    data = typed(points)
    theirs = smf.ols("np.log(volume) ~ 0 + segment + segment:np.log(price) + age + region", data).fit(
        cov_type="cluster", cov_kwds={"groups": data["shop"]}
    )
    names = {"level[a]": "segment[a]", "level[b]": "segment[b]", "elasticity[a]": "segment[a]:np.log(price)",
             "elasticity[b]": "segment[b]:np.log(price)", "age": "age", "region[north]": "region[T.north]",
             "region[south]": "region[T.south]"}  # fmt: skip
    assert found.names == tuple(names)
    assert found.values == pytest.approx(theirs.params[list(names.values())].to_numpy())
    errors = np.sqrt(np.diag(found.covariance))
    assert errors == pytest.approx(theirs.bse[list(names.values())].to_numpy())
    assert (found.df, found.log_likelihood) == (44, pytest.approx(theirs.llf))


@pytest.mark.parametrize(
    ("keys", "formula", "family", "errors", "slope"),
    [
        ({}, "np.log(volume) ~ 0 + segment + np.log(price)", None, "HC1", "np.log(price)"),
        (
            {"errors": "classical"},
            "np.log(volume) ~ 0 + segment + np.log(price)",
            None,
            "nonrobust",
            "np.log(price)",
        ),
        ({"curve": "linear"}, "volume ~ 0 + segment + price", None, "HC1", "price"),
        (
            {"fit": "poisson"},
            "volume ~ 0 + segment + np.log(price)",
            sm.families.Poisson(),
            "HC0",
            "np.log(price)",
        ),
    ],
)
def test_a_slope_that_segments_share(
    keys: dict[str, Any], formula: str, family: Any, errors: str, slope: str
) -> None:
    points = made().assign(cluster="")
    found = fit_demand(points, rules(by_segment=False, **keys))
    model = smf.ols(formula, points) if family is None else smf.glm(formula, points, family=family)
    theirs = model.fit(cov_type=errors)
    assert found.values[found.slopes] == pytest.approx([theirs.params[slope]] * 2, rel=1e-6)
    assert np.sqrt(np.diag(found.covariance))[found.slopes] == pytest.approx(
        [theirs.bse[slope]] * 2, rel=1e-6
    )
    assert shrink_demand(found) is found


def test_logit_of_volume_out_of_potential() -> None:
    points = made().assign(volume=lambda d: d["volume"].round().clip(upper=20), cluster="")
    found = fit_demand(points, rules(curve="logit"))
    rows = points.assign(missed=points["potential"] - points["volume"])
    theirs = smf.glm(
        "volume + missed ~ 0 + segment + segment:price", rows, family=sm.families.Binomial()
    ).fit(cov_type="HC0")
    assert found.values == pytest.approx(theirs.params.to_numpy(), rel=1e-6)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(theirs.bse.to_numpy(), rel=1e-6)


def test_shrinkage_is_that_of_the_slopes() -> None:
    found = fit_demand(made(), rules())
    moved = shrink_demand(found)
    own = shrink(found.values[found.slopes], np.sqrt(np.diag(found.covariance))[found.slopes])
    assert moved.values[found.slopes] == pytest.approx(own.values)
    assert shrink_demand(fit_demand(made(), rules(curve="linear"))).shrunken is None


def test_stated_points_are_taken_as_such() -> None:
    stated = pd.DataFrame(
        {"segment": "", "price": [12.0, 8, 10], "volume": [60.0, 130, 100], "potential": np.nan, "stratum": "",
         "cluster": "", "lever": ""}
    )  # fmt: skip
    found = fit_demand(stated, rules(curve="points"))
    assert found.ratio(np.array([8.0, 9, 11, 12]), 10.0)[0] == pytest.approx([1.3, 1.15, 0.8, 0.6])
    assert np.isnan(found.volume(np.array([7.9, 12.5]))).all()
    (curve,) = demand_curves(found, "demand")
    assert curve.stated
    assert (curve.x, curve.estimate, curve.low) == ((8, 10, 12), (130, 100, 60), (130, 100, 60))
    apart = pd.concat([stated.assign(segment="a"), stated.assign(segment="b", price=[30.0, 10, 20])])
    curves = demand_curves(fit_demand(apart, rules(curve="points")), "demand")
    assert [curve.x for curve in curves] == [(8, 10, 12), (10, 20, 30)]
    assert curves[1].estimate == (130, 100, 60)


@pytest.mark.parametrize(
    ("change", "keys", "code"),
    [
        ({"volume": 0.0}, {}, "no_logarithm"),
        ({"price": 5.0}, {}, "one_price"),
        ({"price": [8.0, 10.0] * 40}, {"curve": "points"}, "price_twice"),
        ({"potential": 1.0}, {"curve": "logit"}, "potential"),
        ({"volume": 20.0}, {"curve": "logit"}, "all_bought"),
        ({"volume": 0.0}, {"fit": "poisson"}, "nothing_sold"),
        ({"age": ""}, {"covariates": ["age"]}, "blank_covariate"),
        ({}, {"covariates": ["aeg"]}, "unknown_column"),
        ({}, {"covariates": ["age", "older"]}, "collinear"),
        ({}, {"covariates": ["note"]}, "too_many_levels"),
        ({}, {"covariates": ["log(below)"]}, "no_logarithm"),
        ({"cluster": "one"}, {}, "few_clusters"),
        ({"segment": ["a"] * 78 + ["b"] * 2}, {}, "too_few"),
        ({"volume": 0.0}, {"curve": "hill"}, "curve"),
        ({}, {"covariates": ["log(price)"]}, "price_twice"),
        ({}, {"covariates": ["price:segment"], "by_segment": False}, "price_twice"),
        ({}, {"covariates": ["C(volume)"]}, "result_as_covariate"),
        (
            {"volume": [0.0, 0.0, 3.0, 4.0] * 20, "stratum": list("aabb") * 20},
            {"fit": "poisson"},
            "separation",
        ),
        (
            {"volume": [20.0, 9.0] * 40, "region": ["x", "y"] * 40},
            {"curve": "logit", "covariates": ["region"]},
            "separation",
        ),
        (
            {"volume": [3.0, 0.0, 5.0, 0.0] * 20, "wet": [1, 0] * 40},
            {"fit": "poisson", "covariates": ["wet"]},
            "not_converged",
        ),
    ],
)
def test_what_cannot_be_fitted_is_told(change: dict[str, Any], keys: dict[str, Any], code: str) -> None:
    points = made(80).assign(
        older=lambda d: (d["age"].astype(float) + 1).astype(str),
        note=[f"n{k}" for k in range(80)],
        below="-1",
    )
    with pytest.raises(InputError) as caught:
        fit_demand(points.assign(**change), rules(**keys))
    assert {fault.code for fault in caught.value.faults} == {code}


def test_likelihoods_have_the_correction_of_clusters_too() -> None:
    points = made()
    found = fit_demand(points, rules(fit="poisson"))
    x = np.column_stack([points["segment"] == "a", points["segment"] == "b"]).astype(float)
    x = np.hstack([x, x * np.log(points["price"].to_numpy())[:, None]])
    mean = np.exp(x @ found.values)
    scores = pd.DataFrame(x * (points["volume"].to_numpy() - mean)[:, None]).groupby(points["cluster"]).sum()
    bread = np.linalg.inv(x.T @ (x * mean[:, None]))
    clusters, rows = len(scores), len(points)
    sandwich = bread @ scores.T.to_numpy() @ scores.to_numpy() @ bread
    corrected = sandwich * clusters / (clusters - 1) * (rows - 1) / (rows - 4)
    assert found.covariance == pytest.approx(corrected, rel=1e-5)


def test_many_buyers_are_no_hindrance() -> None:
    """Counts of millions: a limit of the search that is absolute is below what rounding does to the deviance."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        price = rng.uniform(8, 12, 500)
        chance = 1 / (1 + np.exp(0.4 * price - 2 + rng.normal(0, 0.3, 500)))
        points = pd.DataFrame({"segment": "", "price": price, "volume": rng.binomial(100_000, chance).astype(float),
                               "potential": 1e5, "cluster": "", "lever": ""})  # fmt: skip
        found = fit_demand(points, rules(curve="logit"))
        assert found.values[1] == pytest.approx(-0.4, abs=0.1)
        assert fit_demand(points, rules(fit="poisson")).n == 500


def test_the_band_of_demand_is_that_of_statsmodels_predictions() -> None:
    points = made().assign(segment="", cluster="")
    for curve, formula in (
        ("constant_elasticity", "np.log(volume) ~ np.log(price)"),
        ("linear", "volume ~ price"),
    ):
        (found,) = demand_curves(fit_demand(points, rules(curve=curve)), "demand")
        theirs = smf.ols(formula, points).fit(cov_type="HC1", use_t=True)
        told = theirs.get_prediction(pd.DataFrame({"price": found.x})).summary_frame()
        undo = np.exp if curve == "constant_elasticity" else np.asarray
        for ours, column in (("estimate", "mean"), ("low", "mean_ci_lower"), ("high", "mean_ci_upper")):
            assert getattr(found, ours) == pytest.approx(undo(told[column].to_numpy()), rel=1e-6)
    assert sum(found.seen_n) == len(points)
    assert np.average(found.seen_y, weights=found.seen_n) == pytest.approx(points["volume"].mean())


def test_the_band_of_take_up_is_that_of_statsmodels_predictions() -> None:
    rng = np.random.default_rng(4)
    price = rng.uniform(2, 10, 900)
    taken = (rng.random(900) < 1 / (1 + np.exp(0.3 * (price - 6)))).astype(float)
    offers = pd.DataFrame(
        {"segment": "s", "stratum": "", "price": price, "accepted": taken, "revenue": taken * price}
    )
    fit = fit_offers(offers)
    accepted, margin = offer_curves(fit, {"s": (price, taken, taken > 0, taken * price)})
    theirs = smf.glm("accepted ~ price", offers, family=sm.families.Binomial()).fit(cov_type="HC0")
    told = theirs.get_prediction(pd.DataFrame({"price": accepted.x})).summary_frame()
    for ours, column in (("estimate", "mean"), ("low", "mean_ci_lower"), ("high", "mean_ci_upper")):
        assert getattr(accepted, ours) == pytest.approx(told[column].to_numpy(), rel=1e-4)
    drawn = fit.expected(np.array(margin.x), fit.draw(3000, seed=1))["revenue"][:, 0]
    half = (np.array(margin.high) - np.array(margin.low)) / 2
    assert half == pytest.approx(1.96 * drawn.std(axis=0), rel=0.1)


def test_the_band_of_effort_is_that_of_draws() -> None:
    rng = np.random.default_rng(5)
    effort = rng.uniform(0, 10, 150)
    result = 2 + 3 * np.log1p(effort / 2) + rng.normal(0, 0.3, 150)
    fit = fit_effort(effort, result, "log")
    curve = effort_curve(fit, "effort", effort, result)
    drawn = np.random.default_rng(6).multivariate_normal(fit.values, fit.covariance / 100, 4000)
    gains = drawn[:, 1:2] * np.log1p(np.array(curve.x) / drawn[:, 2:3])
    half = (np.array(curve.high) - np.array(curve.low)) / 2
    assert half[1:] == pytest.approx(1.96 * 10 * gains.std(axis=0)[1:], rel=0.1)
    assert (curve.estimate[0], half[0]) == (0.0, 0.0)


def test_clustered_errors_of_effort_are_the_sandwich() -> None:
    """Every row three times in a cluster is worth no more than once: the robust error hardly moves."""
    rng = np.random.default_rng(7)
    effort = rng.uniform(0, 10, 100)
    result = 2 + 3 * np.log1p(effort / 2) + rng.normal(0, 0.3, 100)
    name = np.array([f"r{k}" for k in range(100)], dtype=object)
    once = fit_effort(effort, result, "log", name)
    thrice = fit_effort(np.tile(effort, 3), np.tile(result, 3), "log", np.tile(name, 3))
    assert thrice.errors == pytest.approx(once.errors, rel=1e-4)
    jacobian = np.column_stack([np.ones(100), np.log1p(effort / once.values[2]),
                                -once.values[1] * effort / once.values[2] / (once.values[2] + effort)])  # fmt: skip
    rest = once.values[0] + once.gain(effort) - result
    bread, meat = np.linalg.inv(jacobian.T @ jacobian), jacobian.T @ (jacobian * (rest**2)[:, None])
    assert once.errors == pytest.approx(np.sqrt(np.diag(bread @ meat @ bread) * 100 / 99), rel=1e-3)


def test_bands_stay_where_figures_can_be() -> None:
    low, high = band(np.array([0.01, 0.5]), np.array([0.02, 0.1]), "log_odds")
    assert (low > 0).all()
    assert (high < 1).all()
    assert band(np.array([2.0]), np.array([3.0]), "log")[0] > 0


def test_the_curve_of_leaving_is_the_mean_of_predictions() -> None:
    data = panel(300, seed=4)
    hazard = fit_hazard(data)
    by_price, by_change = churn_curves(hazard, data)
    assert (by_price.name, by_change.name) == ("churn by price", "churn by price change")
    assert sum(by_price.seen_n) == len(data)
    values = np.array(hazard.model.values)
    drawn = np.random.default_rng(2).multivariate_normal(values, hazard.covariance, 2000)
    for k in (0, 20, 40):
        x = hazard.design.matrix(data.assign(price=by_price.x[k]))
        assert by_price.estimate[k] == pytest.approx((1 / (1 + np.exp(-x @ values))).mean())
        rates = (1 / (1 + np.exp(-x @ drawn.T))).mean(axis=0)
        low, high = np.quantile(rates, [0.025, 0.975])
        assert (by_price.low[k], by_price.high[k]) == (
            pytest.approx(low, rel=0.05),
            pytest.approx(high, rel=0.05),
        )


def test_doubts_are_planted_and_found() -> None:
    """Segments that buy more at a higher price, that hardly answer, and whose prices are percents; and a clean one."""
    rng = np.random.default_rng(9)
    frames = []
    for name, slope in (("clean", -1.5), ("up", 0.8), ("flat", -0.02), ("percent", -30.0)):
        price = rng.uniform(8, 12, 120)
        volume = np.exp(3 + slope * np.log(price / 10) + rng.normal(0, 0.2, 120))
        frames.append(pd.DataFrame({"segment": name, "price": price, "volume": volume}))
    points = pd.concat(frames, ignore_index=True).assign(potential=np.nan, lever="", cluster="")
    shop = pd.Series(rng.integers(0, 60, len(points)).astype(str))
    told = lint_demand(
        fit_demand(points.assign(cluster=shop), rules()), {"clean": [10.0, 15.0], "up": [10.0]}
    )
    found = {(lint.code, lint.message.partition(":")[0]) for lint in told}
    assert found == {
        ("outside-range", "segment clean"),
        ("positive-price-effect", "segment up"),
        ("weak-estimate", "segment flat"),
        ("percent-not-fraction", "segment percent"),
    }
    clean = points[points["segment"] == "clean"]
    assert lint_demand(fit_demand(clean, rules()), {"clean": [10.0]}) == ()
    few = clean.assign(cluster=shop.astype(int).mod(9).astype(str))
    assert [lint.code for lint in lint_demand(fit_demand(few, rules()))] == ["few-clusters"]
    nested = points[points["segment"].isin(["clean", "flat"])].assign(
        cluster=lambda d: (
            d["segment"] + shop.where(d["segment"] == "clean", shop.astype(int).mod(9).astype(str))
        )
    )
    doubts = [lint for lint in lint_demand(fit_demand(nested, rules())) if lint.code == "few-clusters"]
    assert [lint.message.partition(" errors")[0] for lint in doubts] == ["segment flat:"]
    whole = fit_demand(nested, rules(by_segment=False))  # one slope rests on all clusters
    assert "few-clusters" not in {lint.code for lint in lint_demand(whole)}
    thin = points[points["segment"] == "clean"].head(11), points[points["segment"] == "percent"].tail(12)
    for curve in ("constant_elasticity", "linear"):
        doubts = [
            lint
            for lint in lint_demand(fit_demand(pd.concat(thin), rules(curve=curve)))
            if lint.code == "few-observations"
        ]
        assert [lint.message.partition(":")[0] for lint in doubts] == ["segment clean"]
    rising = points.iloc[:2].assign(segment="", price=[9.0, 10.0], volume=[5.0, 6.0])
    assert [lint.code for lint in lint_demand(fit_demand(rising, rules(curve="points")))] == [
        "positive-price-effect"
    ]
