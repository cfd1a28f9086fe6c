"""Raw tables to effects of levers, through files: against the curves by hand, and as `cpm solve` takes them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from cpm_opt.estimates.estimate import Estimates, estimate, with_response
from cpm_opt.estimates.on_request import estimate_instance
from cpm_opt.estimates.planning_files import write_planning_tables
from cpm_opt.pipeline import solve_instance
from cpm_opt.report.estimation import estimation_facts
from cpm_opt.tables import read_instance

HEAD = """[instance]
name = "levers"
title = "Levers"
currency = "EUR"
period = "month"
source = "made"
licence = "none"
default_model = "tariff-plan"
[measures]
volume = { title = "Volume", unit = "units" }
"""
FEE = """[[estimates.response.levers]]
lever = "fee"
from = "price_points"
base_price = 10
gross_margin = 0.5
revenue_share = 0.8
"""
CALLS = """[[estimates.response.levers]]
lever = "calls"
from = "efforts"
options = { few = 2, many = 8 }
value = 1.5
"""
CARE = """[[estimates.response.levers]]
lever = "care"
from = "trials"
options = { call = "phone" }
measure = "retention"
"""
STATED = """[[estimates.response.levers]]
lever = "fee"
from = "stated"
base_price = 10
"""
TABLES = {
    "segments": "segment,customers,margin,revenue,volume,kind\na,100,40,100,10,\nb,50,30,80,8,\ngone,0,0,0,0,lost\n",
    "migration": "from,to,rate\na,a,0.8\na,gone,0.2\nb,b,0.8\nb,gone,0.2\ngone,gone,1\n",
    "levers": "lever,choice\nfee,single\ncalls,mix\ncare,mix\n",
    "options": "lever,option,base,price_change\nfee,now,true,\nfee,up,false,0.1\nfee,down,false,-0.1\n"
    "calls,none,true,\ncalls,few,false,\ncalls,many,false,\ncare,none,true,\ncare,call,false,\n",
}


def raw(folder: Path) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(1)
    segment, price = rng.integers(0, 2, 300), rng.uniform(6, 14, 300)
    log = 3 - np.array([1.2, 2.0])[segment] * np.log(price) + rng.normal(0, 0.2, 300)
    effort = rng.uniform(0, 10, 200).round(3)
    arm = rng.choice(["control", "phone"], 600)
    frames = {
        "price_points": pd.DataFrame(
            {"segment": np.array(["a", "b"])[segment], "price": price, "volume": np.exp(log)}
        ),
        "efforts": pd.DataFrame({"effort": effort, "result": 5 + 4 * np.log1p(effort / 2) + rng.normal(0, 0.5, 200)}),
        "trials": pd.DataFrame({"programme": "care", "arm": arm, "segment": rng.choice(["a", "b"], 600),
                                "outcome": (rng.random(600) < np.where(arm == "phone", 0.92, 0.8)).astype(int)}),
    }  # fmt: skip
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return frames


def estimated(folder: Path, rules: str = FEE + CALLS + CARE, **stated: str) -> Estimates:
    (folder / "instance.toml").write_text(HEAD + rules, "utf-8")
    for name, text in {**TABLES, **stated}.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    tables = read_instance(folder)
    assert [fault.line() for fault in tables.faults] == []
    return estimate(tables)


def test_a_price_lever_is_evaluated_on_the_curve(tmp_path: Path) -> None:
    points = raw(tmp_path)["price_points"]
    found = estimated(tmp_path, FEE + "shrink = false\n")
    assert found.faults == ()
    fit = smf.ols("np.log(volume) ~ 0 + segment + segment:np.log(price)", points).fit(cov_type="HC1")
    effects = found.frames["effects"].set_index(["segment", "option"])
    for segment, revenue, level in (("a", 80.0, 10.0), ("b", 64.0, 8.0)):
        name = f"segment[{segment}]:np.log(price)"
        for option, step in (("up", 0.1), ("down", -0.1)):
            row, left = effects.loc[(segment, option)], (1 + step) ** fit.params[name]
            error = left * abs(math.log(1 + step)) * fit.bse[name]
            assert row["revenue"] == pytest.approx(revenue * ((1 + step) * left - 1))
            assert row["margin"] == pytest.approx(revenue * ((0.5 + step) * left - 0.5))
            assert row["volume"] == pytest.approx(level * (left - 1))
            assert row["margin_se"] == pytest.approx(revenue * (0.5 + step) * error, rel=1e-5)
            assert row["revenue_se"] == pytest.approx(revenue * (1 + step) * error, rel=1e-5)
            assert row["source"] == "estimated"
    assert set(found.frames["effects"]["lever"]) == {"fee"}


def test_effort_and_arms_become_effects_and_moves(tmp_path: Path) -> None:
    frames = raw(tmp_path)
    found = estimated(tmp_path)
    assert found.faults == ()
    told = with_response(read_instance(tmp_path), found).response
    assert told is not None
    (effort,) = (model for model in told.models if model.name == "effort")
    scale, shape = effort.parameters["scale"], effort.parameters["shape"]
    effects = found.frames["effects"].set_index(["lever", "segment", "option"])
    for option, amount in (("few", 2.0), ("many", 8.0)):
        for segment in ("a", "b"):
            row = effects.loc[("calls", segment, option)]
            assert row["margin"] == pytest.approx(1.5 * scale * math.log1p(amount / shape))
    assert any("cutting it costs" in note for note in found.notes)
    moves = found.frames["migration_effects"].set_index(["from", "to"])
    for segment in ("a", "b"):
        own = frames["trials"][frames["trials"]["segment"] == segment]
        means = own.groupby("arm")["outcome"].agg(["mean", "var", "count"])
        rate = means.loc["phone", "mean"] - means.loc["control", "mean"]
        assert moves.loc[(segment, segment), "rate"] == pytest.approx(rate)
        assert moves.loc[(segment, "gone"), "rate"] == pytest.approx(-rate)
        assert moves.loc[(segment, segment), "se"] == pytest.approx(
            math.sqrt((means["var"] / means["count"]).sum())
        )
    assert set(found.frames["migration_effects"]["source"]) == {"estimated"}


def test_written_tables_solve_as_the_raw_ones_do(tmp_path: Path) -> None:
    source = tmp_path / "raw"
    source.mkdir()
    raw(source)
    estimated(source)
    tables, found = estimate_instance(source, tmp_path / "planning")
    write_planning_tables(tmp_path / "planning", tables.info, found.frames)
    first, second = solve_instance(source), solve_instance(tmp_path / "planning")
    assert first.status == second.status == "optimal"
    assert first.objective == pytest.approx(second.objective, rel=1e-9)
    assert first.objective != pytest.approx(0.0)


def test_stated_effects_stand_and_others_are_added(tmp_path: Path) -> None:
    raw(tmp_path)
    found = estimated(
        tmp_path, FEE + CALLS, effects="segment,lever,option,margin,source\na,fee,up,7,stated\n"
    )
    effects = found.frames["effects"]
    assert found.faults == ()
    assert effects[effects["lever"] == "fee"][["margin", "source"]].to_numpy().tolist() == [[7.0, "stated"]]
    assert (effects["lever"] == "calls").sum() == 4
    assert "lever fee: stated in table effects, and not estimated" in found.notes
    assert effects["line"].is_unique
    told = {row["table"]: row["source"] for row in estimation_facts(read_instance(tmp_path), found)["tables"]}
    assert (told["effects"], told["levers"]) == ("stated, and levers estimated", "stated")


def test_stated_points_make_stated_effects(tmp_path: Path) -> None:
    raw(tmp_path)
    pd.DataFrame({"price": [8, 10, 12], "volume": [130, 100, 60]}).to_csv(
        tmp_path / "price_points.csv", index=False
    )
    found = estimated(tmp_path, FEE + 'curve = "points"\n')
    effects = found.frames["effects"].set_index(["segment", "option"])
    assert effects.loc[("a", "up"), "revenue"] == pytest.approx(80 * (1.1 * 0.8 - 1))
    assert set(effects["source"]) == {"stated"}
    assert effects["margin_se"].isna().all()
    (fault,) = estimated(
        tmp_path, FEE + 'curve = "points"\n', options=TABLES["options"].replace("0.1", "0.3", 1)
    ).faults
    assert fault.code == "outside_points"
    # A segment that the plan has not, far off, takes none of the others down; one that it has is named.
    near = pd.DataFrame({"segment": "a", "price": [8, 10, 12], "volume": [130, 100, 60]})
    for name, faults in (("elsewhere", []), ("b", ["of lever fee: segment b has stated points from 80 to 120, not at "
                                                   "price 10, 11, 9"])):  # fmt: skip
        far = near.assign(segment=name, price=near["price"] * 10)
        pd.concat([near, far]).to_csv(tmp_path / "price_points.csv", index=False)
        found = estimated(tmp_path, FEE + 'curve = "points"\n')
        assert [fault.message for fault in found.faults if not fault.warning] == faults
    assert with_response(read_instance(tmp_path), found).response is not None


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (FEE.replace('"fee"', '"fees"'), "did you mean 'fee'?"),
        (FEE.replace("base_price = 10\n", ""), "of lever fee is missing; write the price"),
        (CALLS.replace(", many = 8", ""), "the effort of option many is not told"),
        (CALLS + 'measure = "margins"\n', "did you mean 'margin'?"),
        (CALLS + 'measure = "retention"\n', "is no figure of an effect"),
        (CALLS + 'curve = "linear"\n', "is none of effort"),
        (CARE.replace('"phone"', '"fone"'), "did you mean 'phone'?"),
        (CARE + 'programme = "cares"\n', "did you mean 'care'?"),
        (STATED.replace("stated", "offers"), "table offers, which is not there"),
        (STATED.replace("stated", "efforts"), "has base_price, which says nothing for from = efforts"),
        (FEE + 'curve = "linear"\nfit = "poisson"\n', "not for linear"),
        (
            STATED.replace("base_price = 10", 'curve = "logit"\nelasticity = -1'),
            "of lever fee is missing; write the part",
        ),
        (STATED.replace("base_price = 10", ""), "of lever fee is missing; write the elasticity"),
        (
            STATED.replace("base_price = 10", "elasticity = { a = -1.2, bb = -2 }"),
            "value 'bb': of lever fee names no segment of the plan; did you mean 'b'?",
        ),
        (CALLS + CALLS, "from two raw tables"),
        (FEE.replace("0.8", "80"), "less than or equal to 1"),
    ],
)
def test_a_rule_that_cannot_be_kept_is_told_with_its_line(tmp_path: Path, rules: str, words: str) -> None:
    raw(tmp_path)
    (fault,) = estimated(tmp_path, rules).faults
    assert words in fault.line()
    assert fault.row is not None


@pytest.mark.parametrize("curve", ["constant_elasticity", "linear", 'logit"\nshare = "'])
def test_a_price_of_0_is_on_no_curve(tmp_path: Path, curve: str) -> None:
    keys = f'elasticity = -1.5\ncurve = "{curve}"'.replace('= ""', "= 0.3")
    options = TABLES["options"].replace("-0.1", "-1")
    (fault,) = estimated(tmp_path, STATED.replace("base_price = 10", keys), options=options).faults
    assert (fault.table, fault.row, fault.code) == ("options", 4, "no_price")
    assert "option down of lever fee without a price above 0" in fault.line()


def test_a_segment_without_revenue_is_told_as_that(tmp_path: Path) -> None:
    segments = TABLES["segments"].replace("b,50,30,80", "b,50,30,0")
    rule = STATED.replace("base_price = 10", "elasticity = { b = -1 }")
    assert estimated(tmp_path, rule, segments=segments).notes[-2:] == (
        "lever fee: the stated elasticity tells nothing of a, so its options change nothing there",
        "lever fee: segments without revenue have no effect of a price: b",
    )


def test_offers_with_covariates_become_effects_over_a_segments_own_customers(tmp_path: Path) -> None:
    """By hand: the mean of statsmodels' predictions over the offers of a segment, at one price less at the other."""
    rng = np.random.default_rng(12)
    price, kind, age = rng.uniform(4, 8, 900), rng.integers(0, 2, 900), rng.normal(40, 10, 900).round(1)
    taken = rng.random(900) < 1 / (1 + np.exp(1 + 0.3 * (price - 6) - 0.05 * (age - 40)))
    revenue = taken * price * rng.gamma(9, 1 / 9, 900)
    offers = pd.DataFrame({"segment": np.array(["a", "b"])[kind], "price": price, "accepted": taken.astype(int),
                           "revenue": revenue, "age": age, "note": "unused"})  # fmt: skip
    offers.to_csv(tmp_path / "offers.csv", index=False)
    rules = '[[estimates.response.levers]]\nlever = "fee"\nfrom = "offers"\nbase_price = 5\ncovariates = ["age"]\n'
    found = estimated(tmp_path, rules + "shrink = false\n")
    assert {fault.code for fault in found.faults} == {"weak-estimate"}  # t of segment a's slope is 1.94
    effects = found.frames["effects"].set_index(["segment", "option"])
    logit = smf.logit("accepted ~ 0 + segment + segment:price + age", offers).fit(disp=0)
    money = smf.glm(
        "revenue ~ 0 + segment + segment:np.log(price) + age", offers[taken], family=sm.families.Poisson()
    ).fit()
    for segment in ("a", "b"):
        own = offers[offers["segment"] == segment]
        brought = [
            float((logit.predict(own.assign(price=p)) * money.predict(own.assign(price=p))).mean())
            for p in (5.0, 5.5, 4.5)
        ]
        assert effects.loc[(segment, "up"), "margin"] == pytest.approx(brought[1] - brought[0], rel=1e-4)
        assert effects.loc[(segment, "down"), "revenue"] == pytest.approx(brought[2] - brought[0], rel=1e-4)
        assert effects.loc[(segment, "up"), "margin_se"] > 0


@pytest.mark.parametrize(
    ("keys", "volume"),
    [
        ("elasticity = -1.5", {"a": 1.1**-1.5, "b": 1.1**-1.5}),
        ("elasticity = { a = -1.5, b = -2 }", {"a": 1.1**-1.5, "b": 1.1**-2}),
        ('elasticity = -1.5\ncurve = "linear"', {"a": 0.85, "b": 0.85}),
        ('elasticity = -1.5\ncurve = "logit"\nshare = 0.25', {"a": 4 / (1 + 3 * math.exp(0.2)),
                                                             "b": 4 / (1 + 3 * math.exp(0.2))}),
    ],
)  # fmt: skip
def test_a_stated_elasticity_makes_stated_effects_on_its_curve(
    tmp_path: Path, keys: str, volume: dict[str, float]
) -> None:
    found = estimated(tmp_path, STATED.replace("base_price = 10", keys + "\nelasticity_se = 0.2"))
    assert found.faults == ()
    effects = found.frames["effects"].set_index(["segment", "option"])
    for segment, revenue, margin in (("a", 100.0, 0.4), ("b", 80.0, 30 / 80)):
        row = effects.loc[(segment, "up")]
        assert row["revenue"] == pytest.approx(revenue * (1.1 * volume[segment] - 1))
        assert row["margin"] == pytest.approx(revenue * ((margin + 0.1) * volume[segment] - margin))
        assert row["margin_se"] > 0
    assert set(effects["source"]) == {"stated"}
    silent = estimated(tmp_path, STATED.replace("base_price = 10", keys)).frames["effects"]
    assert silent["margin_se"].isna().all()
