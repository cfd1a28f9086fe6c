"""Leaving, moves, programmes and doubts: each against counts by hand or statsmodels, and all through the raw tables."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy.stats import ttest_ind

from cpm_opt.estimates.estimate import estimate, with_response
from cpm_opt.estimates.lint.fits import lint_elasticities
from cpm_opt.estimates.lint.plans import lint_tables
from cpm_opt.estimates.moves.hazard import fit_hazard
from cpm_opt.estimates.moves.moves import count_moves
from cpm_opt.estimates.response.elasticity import fit_elasticities
from cpm_opt.estimates.response.response import Response
from cpm_opt.estimates.response.trials import arm_effects
from cpm_opt.tables import read_instance

INSTANCE = """[instance]
name = "answers"
title = "Answers"
currency = "EUR"
period = "month"
source = "made"
licence = "none"
"""


def panel(customers: int, seed: int) -> pd.DataFrame:
    """A panel whose hazard is known: -2.5 + 4 (price - 1) + 2 price_change - 0.5 for a score of 5."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        segment, before = str(rng.choice(["gold", "silver"])), 1.0
        for period in range(6):
            price = float(rng.choice([1.0, 1.1, 1.2]))
            score = int(rng.choice([0, 3, 5]))
            index = -2.5 + 4 * (price - 1) + 2 * (price - before) - 0.5 * (score == 5)
            left = int(rng.random() < 1 / (1 + math.exp(-index)))
            rows.append(
                (
                    f"c{customer}",
                    period,
                    segment,
                    left,
                    price,
                    price - before,
                    score,
                    0.0,
                    float(period),
                    "",
                    "",
                )
            )
            if left:
                break
            segment = segment if rng.random() < 0.8 else {"gold": "silver", "silver": "gold"}[segment]
            before = price
    names = ["customer", "period", "segment", "left", "price", "price_change", "satisfaction", "complaints", "tenure",
             "service", "programme"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def test_hazard_is_the_logit_of_statsmodels() -> None:
    data = panel(400, seed=4)
    found = fit_hazard(data)
    theirs = smf.logit(
        "left ~ C(segment) + price + price_change + tenure + I(satisfaction == 5) + I(satisfaction == 0)",
        data,
    ).fit(disp=0, cov_type="cluster", cov_kwds={"groups": data["customer"].astype("category").cat.codes,
                                                "use_correction": False})  # fmt: skip
    names = {"price": "price", "price_change": "price_change", "tenure": "tenure",
             "segment[silver]": "C(segment)[T.silver]", "satisfaction[5]": "I(satisfaction == 5)[T.True]",
             "satisfaction[0]": "I(satisfaction == 0)[T.True]"}  # fmt: skip
    assert set(found.model.parameters) == {"intercept", *names}
    groups = data["customer"].nunique()
    for ours, name in names.items():
        assert found.model.parameters[ours] == pytest.approx(theirs.params[name], rel=1e-5, abs=1e-7)
        error = found.model.standard_errors[ours] * math.sqrt((groups - 1) / groups)
        assert error == pytest.approx(theirs.bse[name], rel=1e-5)
    assert found.model.log_likelihood == pytest.approx(theirs.llf)
    odds = 0.1 / 0.9 * math.exp(0.1 * found.model.parameters["price"])
    assert found.rate({"price": 0.1}, 0.1) == pytest.approx(odds / (1 + odds))


def test_survival_is_the_life_table() -> None:
    data = panel(300, seed=5)
    still, variance = 1.0, 0.0
    for tenure, part, error, at_risk in fit_hazard(data).survival:
        own = data[data["tenure"] == tenure]
        gone = int(own["left"].sum())
        still *= (len(own) - gone) / len(own)
        variance += gone / (len(own) * (len(own) - gone))
        assert (part, at_risk) == (pytest.approx(still), len(own))
        assert error == pytest.approx(still * math.sqrt(variance))


def test_a_panel_that_cannot_tell_says_so() -> None:
    data = panel(50, seed=6).assign(left=0)
    assert "nobody left" in fit_hazard(data).model.message
    loyal = panel(200, seed=7)
    loyal.loc[loyal["segment"] == "gold", "left"] = 0
    assert "left never" in fit_hazard(loyal).model.message
    same = panel(200, seed=7).assign(complaints=lambda d: d["tenure"] * 2)
    found = fit_hazard(same).model
    assert not found.converged
    assert "say the same thing" in found.message


def test_moves_are_counted_and_smoothed() -> None:
    data = pd.DataFrame(
        [("a", 1, "x", 0), ("a", 2, "y", 0), ("a", 3, "y", 1),  # x to y, y to y, y out
         ("b", 1, "x", 0), ("b", 2, "x", 0),  # x to x; nobody knows what came after
         ("c", 1, "x", 0), ("c", 3, "y", 0),  # a gap is no move
         ("d", 4, "x", 1), ("e", 4, "x", 0)],  # the last period: who left in it is known, where the other goes is not
        columns=["customer", "period", "segment", "left"],
    )  # fmt: skip
    own = count_moves(data)
    assert own.counts.tolist() == [[1, 1, 1], [0, 1, 1]]
    assert own.at_risk.tolist() == [6, 3]
    assert own.rates == pytest.approx(np.array([[5 / 12, 5 / 12, 1 / 6], [0, 2 / 3, 1 / 3]]))
    # Of x 1 of 6 left and 1 of 2 stayers went to y: independent parts, by the delta method.
    assert own.errors[0, 1] == pytest.approx(math.sqrt(0.5**2 * 5 / 36 / 6 + (5 / 6) ** 2 * 0.25 / 2))
    smooth = count_moves(data, weight=4.0)  # 2 of all 9 rows left; of three moves 1 leads to x, 2 to y
    leave, stayers = (1 + 4 * 2 / 9) / 10, 4 * 7 / 9
    assert smooth.rates[0, 2] == pytest.approx(leave)
    assert smooth.rates[0, 1] == pytest.approx((1 - leave) * (1 + stayers * 2 / 3) / (2 + stayers))
    assert smooth.errors[0, 2] == pytest.approx(math.sqrt(leave * (1 - leave) / 11))
    unknown = count_moves(data, last_told=False)
    assert unknown.at_risk.tolist() == [4, 3]
    assert unknown.rates[0].tolist() == [0.5, 0.5, 0]


def test_a_whole_panel_has_the_dirichlet_posterior_of_its_moves() -> None:
    """Where every stayer is followed, leaving times destinations is the count of moves in one step, errors too."""
    rows = [(f"{s}{k}", 1, s, int(to == "out")) for s, each in MOVED.items() for k, to in enumerate(each)]
    rows += [(f"{s}{k}", 2, to, 0) for s, each in MOVED.items() for k, to in enumerate(each) if to != "out"]
    data = pd.DataFrame(rows, columns=["customer", "period", "segment", "left"])
    for weight in (0.0, 7.0):
        found = count_moves(data, weight, last_told=False)
        total = found.counts.sum(axis=1, keepdims=True)
        prior = found.counts.sum(axis=0) / found.counts.sum()
        rates = (found.counts + weight * prior) / (total + weight)
        assert found.rates == pytest.approx(rates)
        below = total + weight + (weight > 0)
        assert found.errors == pytest.approx(np.sqrt(rates * (1 - rates) / below))


MOVED = {
    "x": ["x"] * 11 + ["y"] * 4 + ["out"] * 3,
    "y": ["x"] * 2 + ["y"] * 9 + ["out"] * 5,
}


def test_leaving_is_right_where_windows_differ() -> None:
    """Everybody leaves with probability 0.2 and is watched for two periods from a random one on: a stayer's second row
    has no next one, a leaver's counts, so that rows with a known next step alone say 0.3."""
    rng = np.random.default_rng(10)
    rows = []
    for customer in range(3000):
        begin = int(rng.integers(0, 7))
        for period in (begin, begin + 1):
            left = int(rng.random() < 0.2)
            rows.append((f"c{customer}", period, "a", left))
            if left:
                break
    data = pd.DataFrame(rows, columns=["customer", "period", "segment", "left"])
    found = count_moves(data)
    assert found.rates[0, 1] == pytest.approx(data["left"].mean())
    assert abs(found.rates[0, 1] - 0.2) < 3 * found.errors[0, 1]
    known = found.counts[0, 1] / found.counts[0].sum()
    assert known > 0.28
    # One row beyond the end of the panel moves nothing but what that row itself adds.
    more = pd.concat([data, pd.DataFrame([("z", 9, "a", 0)], columns=data.columns)])
    assert count_moves(more).rates[0, 1] == pytest.approx(found.rates[0, 1], abs=1e-4)


def test_arms_against_the_control() -> None:
    trials = pd.DataFrame(
        {"programme": "call", "segment": "", "cluster": "", "arm": ["control"] * 4 + ["phone"] * 5,
         "outcome": [0.0, 0, 1, 0, 1, 1, 0, 1, 1]}
    )  # fmt: skip
    (found,) = arm_effects(trials)
    assert found.effect == pytest.approx(0.8 - 0.25)
    assert found.se == pytest.approx(math.sqrt(0.2 / 5 + 0.25 / 4))
    assert (found.treated, found.control) == (5, 4)
    theirs = ttest_ind(trials["outcome"][4:], trials["outcome"][:4], equal_var=False).confidence_interval(
        0.95
    )
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    many = pd.concat([trials.assign(cluster=f"h{k}") for k in range(3)], ignore_index=True)
    many["cluster"] = many["cluster"] + many["arm"]
    many.loc[many["cluster"].isin(["h1phone", "h2control"]), "outcome"] = 1.0
    groups = many["cluster"].astype("category").cat.codes
    theirs = smf.ols("outcome ~ arm", many).fit(cov_type="cluster", cov_kwds={"groups": groups})
    (clustered,) = arm_effects(many)
    assert clustered.se == pytest.approx(theirs.bse.iloc[1])
    # Clusters of one size and one arm each are customers of their own, but for statsmodels' correction.
    even = pd.concat([many[many["arm"] == "phone"], many[many["arm"] == "control"]], ignore_index=True)
    means = even.groupby(["arm", "cluster"])["outcome"].mean()
    whole = ttest_ind(means["phone"], means["control"], equal_var=False)
    assert clustered.freedom == pytest.approx(whole.df)
    paired = arm_effects(many.assign(cluster=many["cluster"].str[:2]))[0]
    assert paired.freedom == 2


def test_intervals_of_small_arms_cover() -> None:
    """Three customers against five, 600 times: by the normal distribution they would hold 87 %."""
    rng, hits = np.random.default_rng(4), 0
    trials = pd.DataFrame(
        {"programme": "p", "segment": "", "cluster": "", "arm": ["a"] * 3 + ["control"] * 5}
    )
    for _ in range(600):
        (found,) = arm_effects(trials.assign(outcome=rng.normal(size=8)))
        hits += found.low <= 0 <= found.high
    assert 0.93 <= hits / 600 <= 0.98


def test_doubts_about_elasticities() -> None:
    rng = np.random.default_rng(8)
    price = np.tile(np.linspace(8, 12, 20), 2)
    noise = rng.normal(0, 0.05, 40)
    log = np.concatenate([0.8 * np.log(price[:20]), -0.02 * np.log(price[20:])]) + noise
    data = pd.DataFrame({"segment": ["up"] * 20 + ["flat"] * 20, "price": price, "volume": np.exp(log)})
    told = lint_elasticities(fit_elasticities(data), steps=(0.1, 0.5), base=10.0)
    assert {(lint.code, lint.message.split(":")[0]) for lint in told} >= {
        ("positive-price-effect", "segment up"),
        ("weak-estimate", "segment flat"),
        ("outside-range", "segment up"),
    }
    assert all("15" in lint.message for lint in told if lint.code == "outside-range")


def test_doubts_about_tables(tmp_path: Path) -> None:
    tables = {
        "segments": "segment,customers,margin\na,100,10\nb,50,20",
        "resources": "resource,capacity,unit_cost\nhours,100,40",
        "levers": "lever\nservice\noffer",
        "options": "lever,option,base\nservice,usual,true\nservice,visit,false\noffer,none,true\noffer,gift,false",
        "effects": "segment,lever,option,margin,margin_se\na,service,visit,-20,1\nb,service,visit,3,2",
        "usage": "resource,amount,segment,lever,option\nhours,0.5,,service,visit",
        "migration": "from,to,rate\na,a,0.9\nb,b,0.9",
        "migration_effects": "from,to,lever,option,rate\na,a,service,visit,0.06\na,a,offer,gift,0.06",
    }
    (tmp_path / "instance.toml").write_text(INSTANCE, "utf-8")
    for name, text in tables.items():
        (tmp_path / f"{name}.csv").write_text(text + "\n", "utf-8")
    read = read_instance(tmp_path)
    assert [fault.line() for fault in read.faults] == []
    told = {lint.code: lint.message for lint in lint_tables(read.frames)}
    assert set(told) == {"counted-twice", "weak-estimate", "impossible-rate"}
    assert told["counted-twice"].startswith("a, service visit")
    assert told["weak-estimate"].startswith("b, service visit")
    assert "1.02" in told["impossible-rate"]


def respond_to(folder: Path, **frames: pd.DataFrame) -> Response:
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    tables = read_instance(folder)
    assert [fault.line() for fault in tables.faults] == []
    found = with_response(tables, estimate(tables))
    assert found.response is not None
    return found.response


def test_raw_tables_are_fitted_and_doubted(tmp_path: Path) -> None:
    (tmp_path / "instance.toml").write_text(
        INSTANCE + '[estimates.response]\nlever = "fee"\nbase_price = 5\n', "utf-8"
    )
    rng = np.random.default_rng(11)
    price = rng.uniform(4, 8, 800)
    odds = np.exp(-1 + 0.5 * (price - 6))  # planted: it rises with the price
    offers = pd.DataFrame(
        {"segment": "all", "price": price, "accepted": (rng.random(800) < odds / (1 + odds)).astype(int),
         "standard_price": 7.5}
    )  # fmt: skip
    offers.loc[0, "standard_price"] = 12.0
    usable = offers[offers["price"] <= offers["standard_price"]]
    stated = {
        "segments": pd.DataFrame({"segment": ["all"], "customers": [10], "margin": [1]}),
        "levers": pd.DataFrame({"lever": ["fee"]}),
        "options": pd.DataFrame(
            {"lever": "fee", "option": ["now", "twice"], "base": ["true", "false"], "price_change": [0, 1]}
        ),
    }
    found = respond_to(tmp_path, offers=offers, **stated)
    assert [model.name for model in found.models] == ["take_up", "take_up_line"]
    assert found.models[0].n == len(usable)
    codes = {lint.code: lint.message for lint in found.lint}
    assert set(codes) == {"positive-price-effect", "outside-range"}
    assert "price 10 is outside" in codes["outside-range"]
    theirs = smf.logit("accepted ~ price", usable).fit(disp=0, cov_type="HC0")
    assert found.models[0].parameters["price[all]"] == pytest.approx(theirs.params["price"], rel=1e-4)
    assert found.models[0].standard_errors["price[all]"] == pytest.approx(theirs.bse["price"], rel=1e-4)


def test_contracts_at_another_price_are_counted_and_not_read(tmp_path: Path) -> None:
    """What they brought, or left blank, is in no curve, no observed mean and no doubt; their take-up is in all."""
    (tmp_path / "instance.toml").write_text(INSTANCE + "[estimates.response]\n", "utf-8")
    rng = np.random.default_rng(14)
    price = rng.choice([4.0, 5.0, 6.0, 7.0], 1200)
    taken = rng.random(1200) < 1 / (1 + np.exp(0.4 * (price - 5)))
    redrawn = taken & (rng.random(1200) < 0.3)
    revenue = np.where(taken, price * rng.gamma(9, 1 / 9, 1200), np.nan)
    offers = pd.DataFrame({"segment": "all", "price": price, "accepted": taken.astype(int), "revenue": revenue,
                           "contract_price": np.where(redrawn, price - 1, np.nan)})  # fmt: skip
    offers.loc[redrawn, "revenue"] = np.where(rng.random(int(redrawn.sum())) < 0.5, 1000.0, np.nan)
    found = respond_to(tmp_path, offers=offers)
    assert {model.name: model.n for model in found.models} == {
        "take_up": 1200, "take_up_line": 1200, "revenue": int((taken & ~redrawn).sum())
    }  # fmt: skip
    assert (
        "accepted offers left out of the curves of amount, revenue and loss, for their contract came to have another "
        f"price: {redrawn.sum()} of {taken.sum()}"
    ) in found.notes
    assert [lint.code for lint in found.lint] == []
    (curve,) = (curve for curve in found.curves if curve.name == "margin[all]")
    at = [price == each for each in (4.0, 5.0, 6.0, 7.0)]
    by_hand = [taken[own].mean() * revenue[own & taken & ~redrawn].mean() for own in at]
    assert curve.seen_y == pytest.approx(by_hand)
    assert curve.seen_n == tuple(own.sum() for own in at)


def test_offers_give_the_plan_its_effects(tmp_path: Path) -> None:
    (tmp_path / "instance.toml").write_text(
        INSTANCE + '[measures]\ntake_up = { title = "Accepted", unit = "1" }\n'
        '[estimates.response]\nlever = "fee"\nbase_price = 5\n',
        "utf-8",
    )
    rng = np.random.default_rng(12)
    price, kind = rng.uniform(4, 8, 1200), rng.integers(0, 2, 1200)
    odds = np.exp(-1 - 0.3 * (price - 6))
    taken = rng.random(1200) < odds / (1 + odds)
    raw = {"segment": np.array(["a", "b"])[kind], "price": price, "accepted": taken.astype(int),
           "revenue": taken * price, "standard_price": np.where(kind == 0, 7.0, 8.0)}  # fmt: skip
    pd.DataFrame(raw).to_csv(tmp_path / "offers.csv", index=False)
    (tmp_path / "levers.csv").write_text("lever,choice\nfee,single\n", "utf-8")
    options = "lever,option,base,price_change\nfee,now,true,0\nfee,six,false,0.2\nfee,eight,false,0.6\n"
    (tmp_path / "options.csv").write_text(options, "utf-8")
    tables = read_instance(tmp_path)
    found = estimate(tables)
    assert {fault.code for fault in (*tables.faults, *found.faults)} == {"weak-estimate"}
    fit = with_response(tables, found).response
    assert fit is not None
    assert fit.shrunken is not None
    curve = fit.shrunken.expected(np.array([5.0, 6.0, 8.0]))
    segments = found.frames["segments"].set_index("segment")
    assert segments.loc["a", "customers"] == int((kind == 0).sum())
    assert segments["margin"].to_numpy() == pytest.approx(curve["revenue"][:, 0])
    effects = found.frames["effects"].set_index(["segment", "option"])
    assert not effects.loc[("a", "eight"), "offered"]
    assert effects.loc[("b", "eight"), "margin"] == pytest.approx(
        curve["revenue"][1, 2] - curve["revenue"][1, 0]
    )
    assert effects.loc[("a", "six"), "take_up"] == pytest.approx(
        curve["take_up"][0, 1] - curve["take_up"][0, 0]
    )
    assert effects.loc[("b", "six"), "margin_se"] > 0
    wrong = (tmp_path / "instance.toml").read_text("utf-8").replace('"fee"', '"fees"')
    (tmp_path / "instance.toml").write_text(wrong, "utf-8")
    (fault,) = estimate(read_instance(tmp_path)).faults
    assert "did you mean 'fee'?" in fault.line()
    assert fault.row is not None


def test_a_panel_gives_the_plan_its_migration(tmp_path: Path) -> None:
    (tmp_path / "instance.toml").write_text(INSTANCE + "[estimates.response]\nsmoothing = 5\n", "utf-8")
    data = panel(80, seed=9)
    segments = pd.DataFrame({"segment": ["gold", "silver"], "customers": [10, 20], "margin": [3, 1]})
    segments.to_csv(tmp_path / "segments.csv", index=False)
    data["satisfaction"] = data["satisfaction"].replace(0, None)
    data.to_csv(tmp_path / "panel.csv", index=False)
    tables = read_instance(tmp_path)
    assert [fault.line() for fault in tables.faults] == []
    migration = estimate(tables).frames["migration"]
    smooth = count_moves(data.assign(satisfaction=0), weight=5.0)
    for row in migration.to_dict("records"):
        s, k = smooth.segments.index(row["from"]), smooth.segments.index(row["to"])
        assert row["rate"] == pytest.approx(smooth.rates[s, k])
        assert row["se"] == pytest.approx(smooth.errors[s, k])
    assert len(migration) == 4


def test_intervals_of_leaving_cover() -> None:
    """The short version of benchmarks/coverage.py: the price terms in 100 panels of 250 customers."""
    truth, hits = {"price": 4.0, "price_change": 2.0, "satisfaction[5]": -0.5}, 0
    for seed in range(100):
        model = fit_hazard(panel(250, seed=100 + seed).assign(tenure=np.nan)).model
        for name, value in truth.items():
            hits += abs(model.parameters[name] - value) <= 1.96 * model.standard_errors[name]
    assert 0.91 <= hits / 300 <= 0.98
