"""Choice among priced alternatives: published estimates, statsmodels run by hand, and effects of a price by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.discrete.conditional_models import ConditionalLogit

from cpm_opt.estimates.lint.fits import lint_choices, lint_doubles
from cpm_opt.estimates.response.choices import ChoiceFit, fit_choices, shrink_choices
from cpm_opt.estimates.response.fitted_curves import choice_curves
from cpm_opt.estimates.response.independence import doubles
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.price_response import MultinomialLogitDemand
from cpm_opt.estimates.response.shrinkage import shrink
from cpm_opt.faults import InputError

SLOPES = {"a": -0.4, "b": -0.8}
BRANDS = ("gold", "plain", "rival")
TASTE = np.array([0.8, 0.0, 0.3])


def rules(**keys: Any) -> LeverRules:
    return LeverRules(**{"from": "choices", "lever": "fee", "alternative": "gold", **keys})


def made(rows: int = 1500, seed: int = 1, shops: int = 60) -> pd.DataFrame:
    """Choices among three brands, one of which is not always there, and nothing; a shelf that shops have by chance."""
    rng = np.random.default_rng(seed)
    segment, shop = np.array(["a", "b"])[rng.integers(0, 2, rows)], rng.integers(0, shops, rows)
    price, shelf = rng.uniform(4, 8, (rows, 3)).round(2), rng.integers(0, 2, (rows, 3))
    slope = np.where(segment == "a", SLOPES["a"], SLOPES["b"])[:, None]
    utility = np.column_stack([3.0 + TASTE + slope * price + 0.5 * shelf, np.zeros(rows)])
    utility[rng.random(rows) < 0.3, 2] = -np.inf
    taken = (utility + rng.gumbel(size=utility.shape)).argmax(axis=1)
    found = [
        {"choice": f"k{row:05}", "alternative": name, "price": price[row, k] if k < 3 else 0.0,
         "chosen": float(taken[row] == k), "segment": segment[row], "cluster": f"s{shop[row]:02}",
         "shelf": float(shelf[row, k]) if k < 3 else 0.0, "age": float(shop[row] % 7)}
        for row in range(rows)
        for k, name in enumerate((*BRANDS, "nothing"))
        if np.isfinite(utility[row, k])
    ]  # fmt: skip
    return pd.DataFrame(found)


def errors(fit: ChoiceFit) -> np.ndarray:
    return np.sqrt(np.diag(fit.covariance))


def travel() -> pd.DataFrame:
    data = sm.datasets.modechoice.load_pandas().data
    names = {1: "air", 2: "train", 3: "bus", 4: "car"}
    return pd.DataFrame(
        {"choice": data["individual"].astype(int).astype(str), "alternative": data["mode"].map(names),
         "price": data["gc"], "chosen": data["choice"], "segment": "", "cluster": "", "ttme": data["ttme"],
         "income": data["hinc"], "air_income": data["hinc"] * (data["mode"] == 1)}
    )  # fmt: skip


def test_greenes_travel_mode_choice() -> None:
    """Greene (Econometric Analysis, 5th edition, table 21.11): choice of 210 travellers, and its standard errors."""
    asked = rules(alternative="air", reference="car", covariates=["ttme", "air_income"], errors="classical")
    fit = fit_choices(travel(), asked)
    published = {
        "constant[air]": (5.2074, 0.7791),
        "constant[train]": (3.8690, 0.4431),
        "constant[bus]": (3.1632, 0.4503),
        "price": (-0.0155, 0.0044),
        "ttme": (-0.0961, 0.0104),
        "air_income": (0.0133, 0.0103),
    }
    for name, value, error in zip(fit.names, fit.values, errors(fit), strict=True):
        assert (round(value, 4), round(error, 4)) == published[name]
    assert round(fit.log_likelihood, 4) == -199.1284
    assert round(fit.equal_chances, 4) == -291.1218


def test_what_only_the_person_has_acts_on_all_alternatives_but_the_reference() -> None:
    data = travel()
    asked = rules(
        alternative="air", reference="car", covariates=["ttme", "income:alternative"], errors="classical"
    )
    fit = fit_choices(data, asked)
    assert fit.design.terms == ("ttme", "income[air]", "income[bus]", "income[train]")
    own = [data["alternative"] == name for name in ("air", "bus", "train")]
    columns = [*own, data["price"], data["ttme"], *(mine * data["income"] for mine in own)]
    model = ConditionalLogit(data["chosen"], np.column_stack(columns).astype(float), groups=data["choice"])
    assert np.abs(model.score(fit.values)).max() < 1e-4
    np.testing.assert_allclose(
        errors(fit), np.sqrt(np.diag(np.linalg.inv(-model.hessian(fit.values)))), rtol=1e-4
    )
    with pytest.raises(InputError, match=r'income is the same for all alternatives .*":alternative"'):
        fit_choices(travel(), rules(alternative="air", covariates=["income"]))


def test_segments_and_choice_sets_that_differ_are_statsmodels_conditional_logit() -> None:
    fit = fit_choices(made(300), rules(covariates=["shelf"], errors="classical"))
    model = ConditionalLogit(fit.design.chosen, fit.design.x, groups=fit.design.of_choice)
    theirs = model.fit(disp=0)
    np.testing.assert_allclose(fit.values, theirs.params, rtol=5e-3)  # theirs stops earlier
    np.testing.assert_allclose(errors(fit), theirs.bse, rtol=1e-3)
    assert theirs.llf <= fit.log_likelihood == pytest.approx(theirs.llf)
    assert np.abs(model.score(fit.values)).max() < 1e-5
    assert fit.names[-3:] == ("price[a]", "price[b]", "shelf")
    for segment, truth in SLOPES.items():
        k = fit.names.index(f"price[{segment}]")
        assert abs(fit.values[k] - truth) < 3 * errors(fit)[k]


def test_buying_or_not_is_the_logit_with_its_robust_errors() -> None:
    """Two alternatives, one of them nothing: statsmodels' Logit of buying on the price, HC0 and by cluster."""
    rng = np.random.default_rng(4)
    price, shop = rng.uniform(4, 8, 600), rng.integers(0, 50, 600)
    bought = rng.random(600) < 1 / (1 + np.exp(-(3 - 0.6 * price)))
    number = np.arange(600).astype(str)
    buying = {"choice": number, "alternative": "gold", "price": price, "chosen": bought * 1.0}
    nothing = {"choice": number, "alternative": "nothing", "price": 0.0, "chosen": 1.0 - bought}
    rows = pd.concat([pd.DataFrame(buying), pd.DataFrame(nothing)]).assign(segment="", cluster="")
    logit = sm.Logit(bought.astype(float), sm.add_constant(price))
    fit = fit_choices(rows, rules(reference="nothing"))
    plain = logit.fit(disp=0, cov_type="HC0")
    np.testing.assert_allclose(fit.values, plain.params, rtol=1e-6)
    np.testing.assert_allclose(errors(fit), plain.bse, rtol=1e-5)
    rows["cluster"] = [f"s{k}" for k in np.tile(shop, 2)]
    clustered = logit.fit(disp=0, cov_type="cluster", cov_kwds={"groups": shop, "use_correction": False})
    fit = fit_choices(rows, rules(reference="nothing"))
    np.testing.assert_allclose(errors(fit), clustered.bse * np.sqrt(50 / 49), rtol=1e-5)


@pytest.mark.parametrize("kind", ["classical", "robust", "clustered"])
def test_counts_of_who_chose_are_as_many_choices(kind: str) -> None:
    few = made(40) if kind == "clustered" else made(40).assign(cluster="")
    many = pd.concat([few.assign(choice=few["choice"] + f"-{copy}") for copy in range(3)])
    counted = few.assign(chosen=few["chosen"] * 3)
    asked = rules(
        by_segment=False, constants="common", errors="classical" if kind == "classical" else "robust"
    )
    one, other = fit_choices(many, asked), fit_choices(counted, asked)
    np.testing.assert_allclose(one.values, other.values, rtol=1e-8)
    np.testing.assert_allclose(errors(one), errors(other), rtol=1e-8)
    assert one.n == other.n == 120


def test_neither_origin_nor_unit_of_a_column_matters() -> None:
    rows = made(600)
    rows["year"] = 2005.0 + rows["choice"].str[1:].astype(int) % 7
    asked = rules(covariates=["shelf", "year:alternative"], constants="common", reference="nothing")
    fit, moved = (
        fit_choices(rows.assign(year=(rows["year"] - at) * size), asked)
        for at, size in ((0, 1), (2008, 1e-4))
    )
    assert fit.log_likelihood == pytest.approx(moved.log_likelihood)
    k, v = fit.names.index("price[a]"), fit.names.index("year[gold]")
    assert fit.values[k] == pytest.approx(moved.values[k])
    assert errors(fit)[k] == pytest.approx(errors(moved)[k])
    assert errors(fit)[v] == pytest.approx(errors(moved)[v] * 1e-4, rel=1e-6)


def test_shares_of_choosers_who_are_alike_are_the_closed_form() -> None:
    """Whom a price drives away goes to the others by their shares, as in `MultinomialLogitDemand`."""
    counts = {"gold": 50.0, "plain": 30.0, "nothing": 20.0}
    rows = [("1", name, 5.0 if name != "nothing" else 0.0, count) for name, count in counts.items()]
    rows += [("2", name, 6.0 if name == "gold" else 5.0 * (name == "plain"), count) for name, count in
             {"gold": 40.0, "plain": 35.0, "nothing": 25.0}.items()]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["choice", "alternative", "price", "chosen"])
    fit = fit_choices(frame.assign(segment="", cluster=""), rules())
    slope = float(fit.values[fit.names.index("price")])
    shares = fit.shares("gold", np.array([5.0, 5.5]), ("gold", "nothing", "plain"))[0]
    curve = MultinomialLogitDemand(tuple(float(share) for share in shares[0]), 0, slope * 5.0)
    np.testing.assert_allclose(shares[1], curve.after(0.1), rtol=1e-9)
    assert shares.sum(axis=1) == pytest.approx([1.0, 1.0])


def test_elasticities_are_what_a_percent_on_a_price_does() -> None:
    fit = fit_choices(made(), rules(covariates=["shelf"]))
    design = fit.design
    names = design.alternatives
    found = fit.elasticities()

    def shares(x: np.ndarray) -> np.ndarray:
        pull = np.exp(x @ fit.values)
        part = pull / np.add.reduceat(pull, design.begins)[design.of_choice]
        return np.bincount(design.alternative, weights=part)

    for k, name in enumerate(names):
        moved = design.x.copy()
        moved[np.ix_(design.alternative == k, np.arange(design.prices.start, design.prices.stop))] *= 1.0001
        change = (shares(moved) / shares(design.x) - 1) / 0.0001
        np.testing.assert_allclose(found[k], change, atol=1e-3, err_msg=name)
    assert (
        found[names.index("gold"), names.index("gold")] < 0 < found[names.index("gold"), names.index("plain")]
    )
    assert found[names.index("nothing")] == pytest.approx(np.zeros(4))  # its price is 0


def test_shrinkage_is_that_of_segments_that_err_by_themselves() -> None:
    fit = fit_choices(made(), rules())
    slopes = np.arange(len(fit.values))[fit.slopes]
    shrunken = shrink_choices(fit)
    alone = shrink(fit.values[slopes], errors(fit)[slopes])
    np.testing.assert_allclose(shrunken.values[slopes], alone.values, rtol=1e-8)
    np.testing.assert_allclose(
        errors(shrunken)[slopes], alone.errors, rtol=0.01
    )  # but for what clusters share
    # The others are where the likelihood is largest, given these slopes: as many choose each brand as did.
    design, expected = fit.design, shrunken.chances() * fit.design.weight[fit.design.of_choice]
    for s, a in np.ndindex(2, 4):
        rows = (design.of_row == s) & (design.alternative == a)
        assert expected[rows].sum() == pytest.approx(design.chosen[rows].sum())


def test_intervals_of_slopes_and_shares_hold_the_truth() -> None:
    """A short version of benchmarks/coverage.py: 200 sets of 60 shops."""
    held = []
    for seed in range(200):
        fit = fit_choices(made(400, seed), rules(covariates=["shelf"], constants="common"))
        for segment, truth in SLOPES.items():
            k = fit.names.index(f"price[{segment}]")
            held.append(abs(fit.values[k] - truth) <= 1.96 * errors(fit)[k])
    assert 0.92 <= np.mean(held) <= 0.975


@pytest.mark.parametrize(
    ("change", "keys", "words"),
    [
        (lambda f: f.assign(chosen=f["chosen"] * (f["alternative"] != "rival")), {}, "nobody of segment a chose rival"),
        (lambda f: f.assign(price=5.0), {}, "all alternatives of a choice have one price"),
        (lambda f: f, {"alternative": "golt"}, "key alternative of lever fee names 'golt'.*'gold'"),
        (lambda f: f, {"reference": "none"}, "key reference of lever fee names 'none'"),
        (lambda f: f, {"covariates": ["price"]}, "the price itself"),
        (lambda f: f, {"covariates": ["shelf", "shelf:segment"]}, "do not tell them apart"),
        (lambda f: f[f["alternative"] == "gold"], {}, "no choice has two alternatives"),
        (lambda f: f.assign(shelf=f["chosen"]), {"covariates": ["shelf"]}, "did not settle"),
        (lambda f: f.head(7), {"constants": "none"}, "too few"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_said(change: Any, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        fit_choices(change(made(200)), rules(**keys))


def test_doubts_about_choices() -> None:
    rising = made(600).assign(price=lambda f: np.where(f["alternative"] == "nothing", 0.0, 12.0 - f["price"]))
    told = lint_choices(fit_choices(rising, rules(constants="common")), "gold", {"a": [6.0, 9.5]})
    codes = [lint.code for lint in told]
    assert codes.count("positive-price-effect") == 2
    assert [lint.message for lint in told if lint.code == "outside-range"] == [
        "segment a: price 9.5 is outside what the data hold, 4 to 7.96"
    ]
    few = fit_choices(made(200, shops=10), rules(constants="common"))
    assert "few-clusters" in {lint.code for lint in lint_choices(few)}


def test_a_near_double_is_doubted_and_brands_by_themselves_are_not() -> None:
    rng = np.random.default_rng(3)
    price, liking = rng.uniform(4, 8, (4000, 3)).round(2), rng.normal(0, 3, 4000)
    utility = np.column_stack([3 - 0.6 * price, np.zeros(4000)])
    utility[:, :2] += liking[
        :, None
    ]  # who likes gold likes plain too, and rival is no more to them than to others
    taken = (utility + rng.gumbel(size=utility.shape)).argmax(axis=1)
    rows = pd.DataFrame(
        [(f"k{row:04}", name, price[row, k] if k < 3 else 0.0, float(taken[row] == k))
         for row in range(4000) for k, name in enumerate((*BRANDS, "nothing"))],
        columns=["choice", "alternative", "price", "chosen"],
    ).assign(segment="", cluster="")  # fmt: skip
    told = doubles(fit_choices(rows, rules(reference="nothing")))
    # The two and, seen from the other side, what is left beside them.
    assert told
    assert {pair.alternatives for pair in told} <= {("gold", "plain"), ("nothing", "rival")}
    assert f"{' and '.join(told[0].alternatives)} are chosen as if" in lint_doubles(told)[0].message
    still = pd.DataFrame(
        [(when, name, price, count) for when, dear in (("a", 9.0), ("b", 10.0), ("c", 11.0))
         for name, price, count in (("gold", dear, 40 - 4 * dear + 30), ("rival", 9.0, 30), ("nothing", 0.0, 25))],
        columns=["choice", "alternative", "price", "chosen"],
    ).assign(segment="", cluster="")  # fmt: skip
    assert (
        doubles(fit_choices(still, rules())) == ()
    )  # prices of two that never move tell nothing of a nest of them
    asked = rules(covariates=["shelf"], constants="common")
    clean = [doubles(fit_choices(made(600, seed), asked)) for seed in range(50)]
    assert sum(bool(found) for found in clean) <= 2


def test_curves_of_shares_have_their_band() -> None:
    fit = fit_choices(made(), rules())
    rival = choice_curves(fit, "choice", "rival")[0]  # three in ten choices were without it
    assert abs(float(np.mean(rival.estimate)) - float(np.average(rival.seen_y, weights=rival.seen_n))) < 0.03
    curves = choice_curves(fit, "choice", "gold")
    assert [curve.name for curve in curves] == ["choice gold[a]", "choice gold[b]"]
    for s, curve in enumerate(curves):
        share = fit.shares("gold", np.array(curve.x), ("gold",))[s, :, 0]
        np.testing.assert_allclose(curve.estimate, share)
        assert all(0 < low < middle < high < 1 for low, middle, high in
                   zip(curve.low, curve.estimate, curve.high, strict=True))  # fmt: skip
        assert sum(curve.seen_n) == (made()["segment"][made()["alternative"] == "gold"] == "ab"[s]).sum()
