"""Offers at drawn prices: the curves against statsmodels' own fits, shrinkage, tables and scenarios against draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from cpm_opt.estimates.lint.fits import lint_offers
from cpm_opt.estimates.response.offer_tables import (
    TariffPlan,
    change_errors,
    changes,
    flows,
    planning_frames,
    tariff_scenarios,
)
from cpm_opt.estimates.response.offers import OfferFit, acceptance_line, fit_offers, shrink_slopes
from cpm_opt.estimates.uncertainty.scenario_reduction import reduce_draws
from cpm_opt.faults import InputError


def made(rows: int, seed: int, slopes: tuple[float, ...] = (-0.3, -0.1), clusters: int = 50) -> pd.DataFrame:
    """Offers of two segments in two waves, with a logit of acceptance whose slopes are known."""
    rng = np.random.default_rng(seed)
    segment, wave = rng.integers(0, len(slopes), rows), rng.integers(0, 2, rows)
    price = rng.uniform(2, 10, rows)
    index = -0.5 + np.array(slopes)[segment] * (price - 6) + 0.3 * wave
    accepted = (rng.random(rows) < 1 / (1 + np.exp(-index))).astype(float)
    amount = accepted * rng.gamma(2.0, 500.0, rows) * price**-0.2
    return pd.DataFrame(
        {
            "segment": np.array(["a", "b", "c", "d", "e"])[segment],
            "stratum": wave.astype(str),
            "cluster": rng.integers(0, clusters, rows),
            "price": price,
            "accepted": accepted,
            "amount": amount,
            "revenue": amount * price * 0.04,
            "loss": amount * 0.1 * rng.integers(0, 2, rows),
        }
    )


@pytest.fixture(scope="module")
def offers() -> pd.DataFrame:
    return made(4000, seed=1)


@pytest.fixture(scope="module")
def fit(offers: pd.DataFrame) -> OfferFit:
    return fit_offers(offers)


@pytest.fixture(scope="module")
def plan() -> TariffPlan:
    return TariffPlan(
        lever="fee",
        prices=(4.0, 6.0, 8.0),
        base=6.0,
        highest={"a": 8.0, "b": 6.0},
        group={"a": "x", "b": "y"},
        grouping="band",
        customers={"a": 100.0, "b": 300.0},
        uses={"hours": ("take_up", 2.0)},
        current={"x": 8.0, "y": 6.0},
    )


def test_curves_are_those_of_statsmodels(offers: pd.DataFrame, fit: OfferFit) -> None:
    centred = offers.assign(
        x=offers["price"] - offers["segment"].map(dict(zip(fit.segments, fit.centre, strict=True)))
    )
    options = {"cov_type": "cluster", "cov_kwds": {"groups": centred["cluster"], "use_correction": False}}
    theirs = smf.logit("accepted ~ 0 + segment + segment:x + stratum", centred).fit(disp=0, **options)
    names = ["segment[a]", "segment[b]", "segment[a]:x", "segment[b]:x", "stratum[T.1]"]
    assert fit.values[:5] == pytest.approx(theirs.params[names].to_numpy(), rel=1e-5)
    errors = np.sqrt(np.diag(fit.covariance)[:5] * 49 / 50)
    assert errors == pytest.approx(theirs.bse[names].to_numpy(), rel=1e-5)
    assert fit.log_likelihood == pytest.approx(theirs.llf)


def test_contracts_at_another_price_tell_take_up_alone(offers: pd.DataFrame, fit: OfferFit) -> None:
    """Curves of what accepted offers bring are those of statsmodels on the contracts at the price that was offered."""
    redrawn = np.random.default_rng(3).random(len(offers)) < 0.4
    lower = offers.assign(
        contract_price=np.where(
            redrawn, 0.8 * offers["price"], np.where(offers["price"] < 6, np.nan, offers["price"])
        )
    )
    lower.loc[redrawn, ["amount", "revenue", "loss"]] *= 3.0
    found = fit_offers(lower)
    curve = slice(fit.width)
    assert found.values[curve] == pytest.approx(fit.values[curve])
    assert found.covariance[curve, curve] == pytest.approx(fit.covariance[curve, curve])
    used = lower[(lower["accepted"] == 1) & ~redrawn]
    centre = used["segment"].map(dict(zip(found.segments, found.centre, strict=True)))
    groups = {"cov_type": "cluster", "cov_kwds": {"groups": used["cluster"], "use_correction": False}}
    names = ["segment[a]", "segment[b]", "segment[a]:x", "segment[b]:x", "stratum[T.1]"]
    for place, outcome in enumerate(("amount", "revenue", "loss"), start=1):
        theirs = smf.glm(
            f"{outcome} ~ 0 + segment + segment:x + stratum",
            used.assign(x=np.log(used["price"] / centre)),
            family=sm.families.Poisson(),
        ).fit(**groups)
        part = slice(place * fit.width, (place + 1) * fit.width)
        assert found.values[part] == pytest.approx(theirs.params[names].to_numpy(), rel=1e-5, abs=1e-7)
        errors = np.sqrt(np.diag(found.covariance)[part] * 49 / 50)
        assert errors == pytest.approx(theirs.bse[names].to_numpy(), rel=1e-4)
    assert found.told.tolist() == used.groupby("segment").size().tolist()
    assert found.accepted.tolist() == fit.accepted.tolist() == fit.told.tolist()


def test_a_segment_of_redrawn_contracts_is_named(offers: pd.DataFrame) -> None:
    """A segment is judged by what is left for the curves of money; where there are none, by take-up alone."""
    of_b = offers.index[(offers["segment"] == "b") & (offers["accepted"] == 1)]
    lower = offers.assign(contract_price=np.nan)
    lower.loc[of_b[4:], "contract_price"] = 0.1
    with pytest.raises(InputError) as caught:
        fit_offers(lower)
    (fault,) = caught.value.faults
    assert (fault.column, fault.code) == ("contract_price", "few_accepted")
    assert f"segment b has 4 of {len(of_b)} accepted offers at the price that was offered" in fault.message
    assert fit_offers(lower.drop(columns=["amount", "revenue", "loss"])).outcomes == ("take_up",)


def test_means_per_offer_are_those_of_the_data(offers: pd.DataFrame, fit: OfferFit) -> None:
    """A curve with an intercept a segment meets the segment's mean: summed over its own offers."""
    for s, name in enumerate(fit.segments):
        own = offers[offers["segment"] == name]
        by_offer = fit.expected(own["price"].to_numpy())["take_up"][s]
        assert by_offer.mean() == pytest.approx(
            own["accepted"].mean(), rel=0.01
        )  # waves are mixed alike, nearly


def test_line_is_least_squares(offers: pd.DataFrame) -> None:
    theirs = smf.ols("accepted ~ price + segment + stratum", offers).fit()
    line = acceptance_line(offers, ("segment", "stratum"))
    assert line.slope == pytest.approx(theirs.params["price"])
    assert line.slope_se == pytest.approx(theirs.bse["price"])


def test_shrinkage_pulls_slopes_together_and_keeps_the_level(fit: OfferFit) -> None:
    shrunken = shrink_slopes(fit)
    own, pulled = fit.values[fit.slopes("take_up")], shrunken.values[fit.slopes("take_up")]
    assert abs(pulled[0] - pulled[1]) < abs(own[0] - own[1])
    assert pulled == pytest.approx(shrunken.shrunken["take_up"].values)
    assert np.sqrt(np.diag(shrunken.covariance))[fit.slopes("take_up")] == pytest.approx(
        shrunken.shrunken["take_up"].errors,
        rel=0.03,  # waves and clusters make slopes depend a little on each other
    )
    before, after = fit.expected(fit.centre)["take_up"], shrunken.expected(fit.centre)["take_up"]
    assert np.diag(after) == pytest.approx(np.diag(before), rel=0.02)
    assert np.linalg.eigvalsh(shrunken.covariance).min() > -1e-12


def test_tables_hold_changes_from_the_base(fit: OfferFit, plan: TariffPlan) -> None:
    frames = planning_frames(fit, plan)
    flow, change = flows(fit, plan), changes(fit, plan)
    effects = frames["effects"].set_index(["segment", "option"])
    assert not effects.loc[("b", "8.00"), "offered"]
    assert effects.loc[("a", "8.00"), "margin"] == pytest.approx(flow["margin"][0, 2] - flow["margin"][0, 1])
    assert flow["margin"] == pytest.approx(flow["revenue"] - flow["loss"])
    used = frames["usage"].set_index(["segment", "option"])["amount"]
    assert used["b", "4.00"] == pytest.approx(2 * flow["take_up"][1, 0])
    assert list(frames["current"]["segment"]) == ["a"]
    drawn = changes(fit, plan, fit.draw(4000, seed=5))["margin"]
    assert change_errors(fit, plan)["margin"][:, [0, 2]] == pytest.approx(
        drawn.std(axis=0)[:, [0, 2]], rel=0.1
    )
    assert change["margin"][:, 1] == pytest.approx(0.0)


def test_scenarios_have_the_mean_and_spread_of_all_draws(fit: OfferFit, plan: TariffPlan) -> None:
    found = tariff_scenarios(fit, plan, draws=60, count=3, seed=9)
    again = tariff_scenarios(fit, plan, draws=60, count=3, seed=9)
    pd.testing.assert_frame_equal(found.frame, again.frame)
    assert found.stretch == 1.0
    assert found.spread[0] < 0.9  # the kept draws by themselves
    weight = found.frame.groupby("scenario")["probability"].first()
    assert weight.sum() == pytest.approx(1.0)
    drawn = fit.draw(60, seed=9)
    then, now = flows(fit, plan, drawn), flows(fit, plan)
    change_then, change = changes(fit, plan, drawn), changes(fit, plan)
    for cell, every in (
        (("segments.margin", "a", "", "", ""), then["margin"][:, 0, 1] / now["margin"][0, 1]),
        (("effects.margin", "a", "fee", "8.00", ""), change_then["margin"][:, 0, 2] / change["margin"][0, 2]),
        (("usage.amount", "b", "fee", "4.00", "hours"), then["take_up"][:, 1, 0] / now["take_up"][1, 0]),
    ):
        keys = ["target", "segment", "lever", "option", "resource"]
        own = found.frame[(found.frame[keys] == list(cell)).all(axis=1)].set_index("scenario")["factor"]
        mean = (weight * own).sum()
        assert mean == pytest.approx(every.mean())
        assert np.sqrt((weight * (own - mean) ** 2).sum()) == pytest.approx(every.std())


def test_reduction_keeps_the_draws_that_stand_for_most() -> None:
    points = np.array([[0.0], [0.1], [0.2], [10.0], [10.1], [30.0]])
    kept, probability = reduce_draws(points, 3)
    assert sorted(points[kept, 0].tolist()) == [0.1, 10.0, 30.0]
    assert dict(zip(points[kept, 0], probability, strict=True)) == pytest.approx(
        {0.1: 3 / 6, 10.0: 2 / 6, 30.0: 1 / 6}
    )
    everybody, share = reduce_draws(points, 6)
    assert sorted(everybody.tolist()) == list(range(6))
    assert share == pytest.approx([1 / 6] * 6)


def test_a_thin_segment_is_named() -> None:
    offers = made(400, seed=2)
    offers.loc[offers["segment"] == "b", "accepted"] = 0.0
    with pytest.raises(InputError) as caught:
        fit_offers(offers)
    (fault,) = caught.value.faults
    assert (fault.table, fault.code) == ("offers", "few_accepted")
    assert "segment b has 0 accepted" in fault.message


def test_intervals_of_slopes_cover() -> None:
    """The short version of benchmarks/coverage.py: two slopes in each of 150 data sets."""
    truth, hits = np.array([-0.3, -0.1]), 0
    for seed in range(150):
        found = fit_offers(
            made(600, seed=1000 + seed)[["segment", "stratum", "price", "accepted", "cluster"]]
        )
        part = found.slopes("take_up")
        error = np.sqrt(np.diag(found.covariance))[part]
        hits += int((np.abs(found.values[part] - truth) <= 1.96 * error).sum())
    assert 0.91 <= hits / 300 <= 0.98


def test_covariates_are_those_of_statsmodels(offers: pd.DataFrame) -> None:
    rng = np.random.default_rng(6)
    rows = offers.assign(
        age=rng.normal(40, 9, len(offers)), region=rng.choice(["east", "north", "west"], len(offers))
    )
    rows["accepted"] = np.where(rng.random(len(rows)) < 0.1 * (rows["age"] > 45), 1.0, rows["accepted"])
    told = rows.assign(age=rows["age"].astype(str).where(rows.index != 7, ""))
    found = fit_offers(told, ("age", "region"))
    assert (found.terms, found.left_out) == (("stratum[1]", "age", "region[north]", "region[west]"), 1)
    used = rows.drop(index=7)
    options = {"cov_type": "cluster", "cov_kwds": {"groups": used["cluster"], "use_correction": False}}
    theirs = smf.logit("accepted ~ 0 + segment + segment:price + stratum + age + region", used).fit(
        disp=0, **options
    )
    names = [
        "segment[a]:price",
        "segment[b]:price",
        "stratum[T.1]",
        "age",
        "region[T.north]",
        "region[T.west]",
    ]
    assert found.values[2:8] == pytest.approx(theirs.params[names].to_numpy(), rel=1e-4, abs=1e-6)
    errors = np.sqrt(np.diag(found.covariance)[2:8] * 49 / 50)
    assert errors == pytest.approx(theirs.bse[names].to_numpy(), rel=1e-4)
    # Per offer, each over the strata and covariates of its own segment: the mean of predictions of statsmodels.
    taken = found.expected(np.array([4.0, 8.0]))["take_up"]
    for s, name in enumerate(found.segments):
        own = used[used["segment"] == name]
        for p, price in enumerate((4.0, 8.0)):
            assert taken[s, p] == pytest.approx(theirs.predict(own.assign(price=price)).mean(), rel=1e-5)


def test_a_price_that_acts_alike_in_all_segments(offers: pd.DataFrame) -> None:
    found = fit_offers(offers, by_segment=False)
    theirs = smf.logit("accepted ~ 0 + segment + price + stratum", offers).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": offers["cluster"], "use_correction": False}
    )
    assert found.values[2:4] == pytest.approx([theirs.params["price"]] * 2, rel=1e-5)
    assert np.sqrt(np.diag(found.covariance)[2:4] * 49 / 50) == pytest.approx(
        [theirs.bse["price"]] * 2, rel=1e-5
    )
    assert shrink_slopes(found) is found
    assert found.log_likelihood == pytest.approx(theirs.llf)


def test_strata_within_segments_have_a_reference_in_each(offers: pd.DataFrame) -> None:
    """Each segment by itself, as statsmodels fits it: levels, slopes and strata are all its own."""
    nested = offers.assign(stratum=offers["segment"] + offers["stratum"])
    found = fit_offers(nested)
    assert found.terms == ("stratum[a1]", "stratum[b1]")
    taken = found.expected(np.array([6.0]))["take_up"]
    for s, (name, own) in enumerate(nested.groupby("segment")):
        theirs = smf.logit("accepted ~ price + stratum", own).fit(disp=0)
        slopes = found.values[found.slopes("take_up")]
        assert slopes[s] == pytest.approx(theirs.params["price"], rel=1e-5), name
        assert taken[s, 0] == pytest.approx(theirs.predict(own.assign(price=6.0)).mean(), rel=1e-5)
    line = acceptance_line(nested, ("segment", "stratum"))
    assert line.slope == pytest.approx(smf.ols("accepted ~ price + stratum", nested).fit().params["price"])


@pytest.mark.parametrize(
    ("change", "covariates", "words"),
    [
        (lambda d: d.assign(accepted=d["accepted"] * (d["stratum"] != "0")), (), "nobody accepted in stratum '0'"),
        (lambda d: d.assign(accepted=d["accepted"].where(d["stratum"] != "1", 1.0)), (),
         "everybody accepted in stratum '1'"),
        (lambda d: d.assign(kind=np.where(d.index < 4, "rare", "usual"), accepted=d["accepted"].where(d.index > 3, 1)),
         ("kind",), r"everybody accepted in kind 'rare' \(4 offers\)"),
        (lambda d: d.assign(score=np.where(d["accepted"] == 1, d["price"], -d["price"])), ("score",),
         "hardly bounds score"),
        # Quasi-separation: of those with the mark all accept, of the others some do, and the search would settle.
        (lambda d: d.assign(mark=d["accepted"] * (d.index % 9 == 0)), ("mark",), "hardly bounds mark;"),
        (lambda d: d, ("loss",), "column loss: the covariate is a result"),
        (lambda d: d, ("price",), "column price: the covariate is the price itself"),
    ],
)  # fmt: skip
def test_what_tells_perfectly_who_accepts_is_named(
    offers: pd.DataFrame,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    covariates: tuple[str, ...],
    words: str,
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        fit_offers(change(offers), covariates)
    assert len(caught.value.faults) == 1


def test_a_rare_answer_is_none_that_is_told_perfectly() -> None:
    """One in a hundred accepts, ages are far from 0 and one stratum is thin: an answer all the same."""
    rng = np.random.default_rng(5)
    rare = made(6000, seed=5)[["segment", "price"]].assign(
        accepted=(rng.random(6000) < 0.01).astype(float), year=rng.integers(2000, 2020, 6000).astype(float),
        stratum=np.where(np.arange(6000) < 60, "thin", "whole"),
    )  # fmt: skip
    rare.loc[7, "accepted"] = 1.0
    assert fit_offers(rare, ("year:segment",)).terms[1:] == ("year[a]", "year[b]")


def test_clusters_and_answers_are_counted_by_segment() -> None:
    """45 clusters in all, and 9 in each of five segments: its slope rests on those."""
    drawn = made(3000, seed=4, slopes=(-0.3, -0.1, -0.2, -0.3, -0.1), clusters=9)
    nested = drawn.assign(cluster=drawn["segment"] + drawn["cluster"].astype(str))

    def told(rows: pd.DataFrame, code: str, by_segment: bool = True) -> list[str]:
        doubts = lint_offers(fit_offers(rows, by_segment=by_segment))
        return [doubt.message.partition(",")[0] for doubt in doubts if doubt.code == code]

    assert told(nested, "few-clusters") == [f"segment {s}: errors rest on 9 clusters" for s in "abcde"]
    assert told(nested, "few-clusters", by_segment=False) == []
    assert told(drawn, "few-clusters") == ["errors rest on 9 clusters"]
    few = made(3000, seed=4)
    yes = few.index[(few["segment"] == "a") & (few["accepted"] == 1)]
    assert told(few.drop(index=yes[11:]), "few-observations") == ["segment a: 11 accepted offers"]
    assert told(few.drop(index=yes[12:]), "few-observations") == []


def test_a_segment_in_two_clusters_has_no_error_and_is_refused(offers: pd.DataFrame) -> None:
    few = offers.assign(cluster=np.where(offers["segment"] == "b", offers["cluster"] % 2, offers["cluster"]))
    with pytest.raises(InputError, match="segment b lies in 2 clusters"):
        fit_offers(few)
