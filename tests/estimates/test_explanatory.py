"""Strata and covariates: as statsmodels takes them, and what explains nothing or too much is named."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.formula.api as smf

from cpm_opt.estimates.response.price_points import fit_demand
from cpm_opt.faults import InputError
from tests.estimates.test_price_points import made, rules, typed


def test_covariates_as_words_and_logarithms() -> None:
    rng = np.random.default_rng(8)
    points = made().assign(rival=rng.uniform(5, 9, 300).astype(str), code=rng.integers(1, 4, 300).astype(str))
    points.loc[3, "rival"] = ""
    found = fit_demand(points, rules(covariates=["log(rival)", "C(code)"]))
    assert found.names[4:] == ("log(rival)", "code[2]", "code[3]")
    assert (found.n, found.left_out) == (299, 1)
    timed = points.assign(period=np.where(np.arange(300) < 9, -1, np.arange(300) % 4))
    seasons = fit_demand(timed, rules(covariates=["C(period)"]))
    assert (seasons.names[4:], seasons.left_out) == (("period[1]", "period[2]", "period[3]"), 9)
    data = typed(points)[points["rival"] != ""].assign(rival=lambda d: d["rival"].astype(float))
    theirs = smf.ols(
        "np.log(volume) ~ 0 + segment + segment:np.log(price) + np.log(rival) + C(code)", data
    ).fit(cov_type="cluster", cov_kwds={"groups": data["shop"]})
    assert found.values[4] == pytest.approx(theirs.params["np.log(rival)"])
    assert np.sqrt(found.covariance[4, 4]) == pytest.approx(theirs.bse["np.log(rival)"])


def test_covariates_that_act_by_segment() -> None:
    points = made()
    found = fit_demand(points, rules(covariates=["age:segment", "region:segment"]))
    data = typed(points)
    theirs = smf.ols("np.log(volume) ~ 0 + segment + segment:(np.log(price) + age + C(region))", data).fit(
        cov_type="cluster", cov_kwds={"groups": data["shop"]}
    )
    each = [
        f"segment[{name}]:{term}"
        for term in ("age", "C(region)[T.north]", "C(region)[T.south]")
        for name in "ab"
    ]
    assert found.names[4:] == ("age[a]", "age[b]", "region[north][a]", "region[north][b]", "region[south][a]",
                               "region[south][b]")  # fmt: skip
    assert found.values[4:] == pytest.approx(theirs.params[each].to_numpy())
    assert np.sqrt(np.diag(found.covariance))[4:] == pytest.approx(theirs.bse[each].to_numpy())


def test_strata_within_segments_have_a_reference_in_each() -> None:
    """Each segment by itself: the same slope, whichever strata the other has."""
    points = made().assign(stratum=lambda d: d["segment"] + d["region"])
    found = fit_demand(points, rules(errors="classical"))
    assert found.names[4:] == ("stratum[anorth]", "stratum[asouth]", "stratum[bnorth]", "stratum[bsouth]")
    for s, (name, own) in enumerate(points.groupby("segment")):
        theirs = smf.ols("np.log(volume) ~ np.log(price) + C(region)", own).fit()
        assert found.values[found.slopes][s] == pytest.approx(theirs.params["np.log(price)"]), name
        # a level follows its reference stratum; the mean over strata does not know of any
        median = np.exp(theirs.predict(own.assign(price=10.0))).mean()
        assert found.volume(np.array([10.0]))[s, 0] == pytest.approx(median)
    shared = fit_demand(points.assign(stratum=points["region"]), rules())
    assert shared.names[4:] == ("stratum[north]", "stratum[south]")


@pytest.mark.parametrize(
    ("covariates", "line"),
    [
        (("log(price)",), "price_points, column price: the covariate is the price itself"),
        (("C(volume)",), "price_points, column volume: the covariate is a result"),
        (("same",), "price_points, column same: the covariate has one value alone"),
        (("log(one)",), "price_points, column one: the covariate has one value alone"),
        (("age", "older"), "price_points: older and others say the same thing"),
        (("age:segment", "age"), "price_points: age and others say the same thing"),
        (("region", "segment"), "price_points: segment[b] and others say the same thing"),
        (("age", "near"), "price_points: near and others say the same thing"),
    ],
)
def test_a_covariate_that_tells_nothing_of_its_own_is_named(covariates: tuple[str, ...], line: str) -> None:
    points = made().assign(same="x", one="1", older=lambda d: d["age"].astype(float) + 1)
    points["near"] = 2 * points["older"] + np.random.default_rng(1).normal(0, 1e-9, len(points))
    with pytest.raises(InputError) as caught:
        fit_demand(points, rules(covariates=covariates))
    (fault,) = caught.value.faults
    assert fault.line().startswith(line)
