"""Moves by a multinomial logit: against statsmodels, and what it says where the data do not tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize

from cpm_opt.estimates.moves.move_effects import logit_rates, move_effects
from cpm_opt.estimates.moves.moves import count_moves, destinations
from cpm_opt.estimates.moves.transitions import fit_transitions
from cpm_opt.estimates.response.lever_terms import LeverTerms
from tests.estimates.panels_of import moving_panel, read_shape


def test_each_segment_is_the_multinomial_logit_of_statsmodels() -> None:
    panel = read_shape(moving_panel(500, seed=1))
    # A service that only those have whose next segment is not known: nothing can be said of it, and they are left out.
    panel.loc[(panel["period"] == 5) & (panel["left"] == 0), "service"] = "new"
    moves = destinations(panel)
    told = moves.target >= 0
    fit = fit_transitions(panel)
    rows, here, target, segments = moves.rows[told], moves.here[told], moves.target[told], moves.segments
    customers = panel["customer"].nunique()
    groups = rows["customer"].astype("category").cat.codes.to_numpy()
    for s, origin in enumerate(fit.origins):
        own = rows[here == s]
        x = np.column_stack(
            [np.ones(len(own)), own["service"] == "personal", own["price"], own["price_change"]]
        ).astype(float)
        order = [s, *(k for k in range(len(segments) + 1) if k != s)]  # staying is the reference
        theirs = sm.MNLogit(np.argsort(order)[target[here == s]], x).fit(disp=0, tol=1e-10)
        found = np.array(origin.model.values)
        assert found == pytest.approx(theirs.params.T.ravel(), rel=1e-5, abs=1e-6)
        assert origin.model.log_likelihood == pytest.approx(theirs.llf)
        assert origin.model.n == len(own)
        # The sandwich by hand: scores summed by customer, over the customers of the whole panel.
        scores = (
            pd.DataFrame(theirs.model.score_obs(theirs.params)).groupby(groups[here == s]).sum().to_numpy()
        )
        bread = np.linalg.inv(-theirs.model.hessian(theirs.params))
        sandwich = bread @ scores.T @ scores @ bread * customers / (customers - 1)
        errors = np.array(list(origin.model.standard_errors.values()))
        assert errors == pytest.approx(np.sqrt(np.diag(sandwich)), rel=1e-4)


def test_segments_of_one_customer_err_together() -> None:
    fit = fit_transitions(read_shape(moving_panel(300, seed=2)))
    first, second = (origin.part for origin in fit.origins)
    assert np.abs(fit.covariance[first, second]).max() > 0
    assert np.linalg.eigvalsh(fit.covariance).min() > 0


def test_stayers_who_are_not_followed_count_as_stayers() -> None:
    """Customers watched for two periods each: against the likelihood written out, and against what left."""
    panel = read_shape(moving_panel(1500, seed=3))
    begin = panel["customer"].map({name: k % 5 for k, name in enumerate(panel["customer"].unique())})
    panel = panel[(panel["period"] >= begin) & (panel["period"] < begin + 2)]
    origin = fit_transitions(panel).origins[0]
    moves = destinations(panel)
    own, target = moves.rows[moves.here == 0], moves.target[moves.here == 0]
    assert (target == -1).mean() > 0.3
    x = np.column_stack([np.ones(len(own)), own["service"] == "personal", own["price"], own["price_change"]])
    x = x.astype(float)

    def missing(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        pull = np.exp(np.column_stack([np.zeros(len(x)), x @ values.reshape(2, -1).T]))
        shares = pull / pull.sum(axis=1, keepdims=True)
        known = shares[np.arange(len(x)), np.maximum(target, 0)]
        return -float(np.log(np.where(target >= 0, known, 1.0 - shares[:, 2])).sum())

    best = minimize(missing, np.array(origin.model.values), method="BFGS")
    assert best.fun == pytest.approx(-origin.model.log_likelihood, abs=1e-5)
    assert best.x == pytest.approx(np.array(origin.model.values), abs=1e-3)
    weight = np.full(len(x), 1.0 / len(x))
    values = np.zeros((1, origin.part.stop))
    values[0, origin.part] = origin.model.values
    assert origin.rates(x, weight, values)[0, 2] == pytest.approx(own["left"].mean())


def test_a_rare_destination_goes_with_the_most_frequent_one() -> None:
    panel = read_shape(moving_panel(300, seed=4))
    last = panel["period"] == panel.groupby("customer")["period"].transform("max")
    stays = (panel["left"] == 0) & last & (panel["period"] > 2)
    panel.loc[panel.index[stays][:6], "segment"] = "bronze"
    fit = fit_transitions(panel)
    told = {lint.message.split(":")[0] for lint in fit.lint}
    assert told >= {"from gold to bronze"} or told >= {"from silver to bronze"}
    moves = panel[panel["segment"] != "bronze"]
    gold = next(origin for origin in fit.origins if origin.segment == "gold")
    x = gold.design.matrix(moves[:5])
    rates = gold.rates(x, np.full(5, 0.2), fit.values[None])[0]
    bronze, own = 0, 1
    assert rates[bronze] / rates[own] == pytest.approx(gold.counts[bronze] / gold.counts[own])
    # Of so few moves the error of their share of both is one of two independent counts.
    error = gold.model.standard_errors["intercept[to bronze]"]
    assert error == pytest.approx(np.sqrt((1 / gold.counts[[bronze, own]]).sum()), rel=0.05)


def test_thin_moves_and_leavers_have_the_errors_of_counts() -> None:
    """Where no destination has ten moves nothing moves them, and rates are those of counts, with their errors."""
    rows = [
        (f"{s}{k}", t, s if t < 3 or k < 396 else o, int(t == 2 and k < 5), 1.1 if (k + t) % 2 else 1.0)
        for s, o in (("x", "y"), ("y", "x"))
        for k in range(400)
        for t in range(1, 3 if k < 5 else 4)
    ]
    panel = pd.DataFrame(rows, columns=["customer", "period", "segment", "left", "price"])
    panel = read_shape(panel.assign(price_change=0.0, service=""))
    base = LeverTerms({"price": 1.0}, ())
    found, counted = (
        move_effects(logit_rates(fit_transitions(panel), panel, base.base), base),
        count_moves(panel),
    )
    assert found.base == pytest.approx(counted.rates, rel=1e-6)
    assert found.base_se == pytest.approx(counted.errors, rel=0.01)


def test_unfollowed_stayers_count_where_most_of_a_segment_leaves() -> None:
    """Few go to y, most leave, and half of the rows are of the last period: against the likelihood written out."""
    rng = np.random.default_rng(11)
    rows = []
    for k in range(600):
        price, leaves = rng.choice([1.0, 1.1]), rng.random()
        left = int(leaves < (0.6 if price > 1 else 0.45))
        rows.append((f"a{k}", 1 if k < 300 else 2, "x", left, price))
        if not left and k < 300:
            to = "y" if k % 18 == 0 else "x"
            rows.append((f"a{k}", 2, to, int(rng.random() < 0.5), rng.choice([1.0, 1.1])))
    panel = pd.DataFrame(rows, columns=["customer", "period", "segment", "left", "price"])
    panel = read_shape(panel.assign(price_change=0.0, service=""))
    origin = fit_transitions(panel).origins[0]
    moves = destinations(panel)
    own, target = moves.rows[moves.here == 0], moves.target[moves.here == 0]
    assert 0 < (target == 1).sum() < 10 < (target == 0).sum() < (target == 2).sum()
    price = own["price"].to_numpy()

    def missing(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        to_y, to_out, slope = values
        pull = np.exp(np.column_stack([0 * price, 0 * price + to_y, to_out + slope * price]))
        shares = pull / pull.sum(axis=1, keepdims=True)
        known = shares[np.arange(len(price)), np.maximum(target, 0)]
        return -float(np.log(np.where(target >= 0, known, 1.0 - shares[:, 2])).sum())

    assert tuple(origin.model.parameters) == ("intercept[to y]", "intercept[to out]", "price[to out]")
    best = minimize(missing, np.zeros(3), method="BFGS")
    assert best.fun == pytest.approx(-origin.model.log_likelihood, abs=1e-5)
    assert best.x == pytest.approx(np.array(origin.model.values), abs=1e-2)
    assert origin.model.n == len(own)
    rate = origin.rates(np.column_stack([np.ones(len(own)), price]), np.full(len(own), 1 / len(own)),
                        np.array([origin.model.values]))[0]  # fmt: skip
    assert rate[2] == pytest.approx(own["left"].mean(), rel=1e-6)


def test_a_blank_price_hides_its_own_row_and_not_where_the_one_before_led() -> None:
    panel = read_shape(moving_panel(400, seed=6))
    full = fit_transitions(panel).origins[0]
    silver = np.flatnonzero(panel["segment"] == "silver")
    panel.iloc[silver[::2], panel.columns.get_loc("price")] = np.nan
    gold, other = fit_transitions(panel).origins
    assert gold.model.parameters == pytest.approx(full.model.parameters)
    assert other.model.n < full.model.n


def test_separation_and_thin_segments_are_said() -> None:
    panel = read_shape(moving_panel(300, seed=5))
    loyal = panel[~((panel["service"] == "personal") & (panel["left"] == 1))]
    failed = fit_transitions(loyal).failed
    assert [origin.segment for origin in failed] == ["gold", "silver"]
    assert "nobody with service[personal] went to out" in failed[0].model.message
    few = fit_transitions(panel[panel["customer"].isin(["c1", "c2"])])
    assert all("too few" in origin.model.message for origin in few.failed)
    assert few.failed
    threshold = panel.assign(price=np.where(panel["left"] == 1, 1.5, panel["price"]), price_change=0.0)
    assert "infinity" in fit_transitions(threshold).failed[0].model.message
    assert "nobody who stayed" in fit_transitions(panel[panel["period"] == 1]).failed[0].model.message
    double = panel.assign(price_change=2 * panel["price"])
    assert "say the same thing" in fit_transitions(double).failed[0].model.message
