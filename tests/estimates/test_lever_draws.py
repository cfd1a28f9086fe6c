"""Draws of effects from price points, efforts, trials and new customers: the errors of the tables, and joint."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cpm_opt.estimates import estimate
from cpm_opt.estimates.segments.chain import Chain
from cpm_opt.estimates.segments.states import State
from cpm_opt.estimates.settings import ValueRules, read_rules
from cpm_opt.estimates.uncertainty.chain_draws import chain_draws
from cpm_opt.estimates.uncertainty.lever_draws import lever_draws
from cpm_opt.estimates.value.markov import chain_value, chain_value_error
from cpm_opt.tables import read_instance
from tests.estimates.panels_of import instance, moving_panel
from tests.estimates.test_acquisition import ARRIVALS, acquired
from tests.estimates.test_acquisition import estimated as with_new
from tests.estimates.test_lever_effects import CALLS, CARE, FEE, estimated, raw

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = "[estimates.scenarios]\nnumber = 10\ndraws = 500\n"


def test_draws_have_the_errors_of_the_tables_and_options_move_together(tmp_path: Path) -> None:
    raw(tmp_path)
    found = estimated(tmp_path, FEE + CALLS + CARE)
    rules = read_rules(read_instance(tmp_path).info.estimates)[0]
    assert rules is not None
    assert rules.response is not None
    effects = found.frames["effects"].set_index(["segment", "lever", "option"])
    moves = found.frames["migration_effects"].set_index(["from", "to", "option"])
    for place, lever in enumerate(rules.response.levers):
        draws = lever_draws(found.frames, lever, 3000, (1, place))
        assert draws is not None
        columns = {}
        for k, row in enumerate(draws.keys):
            if lever.source == "trials":
                own = moves.loc[(row["segment"], row["segment"], row["option"])]
                now, error = own["rate"], own["se"]
            else:
                measure = row["target"].removeprefix("effects.")
                own = effects.loc[(row["segment"], row["lever"], row["option"])]
                now, error = own[measure], own[f"{measure}_se"]
            figure = draws.factors[:, k] * now
            columns[row["segment"], row["option"], row["target"]] = figure
            # Curves bend, so draws on them spread otherwise than the delta method says, those of effort most.
            assert figure.std() == pytest.approx(error, rel=0.15 if lever.source == "efforts" else 0.08)
            assert figure.mean() == pytest.approx(now, abs=0.25 * error)
        if lever.source == "price_points":
            up, down = (columns["a", option, "effects.margin"] for option in ("up", "down"))
            assert np.corrcoef(up, down)[0, 1] < -0.95  # one elasticity behind both
            assert abs(np.corrcoef(up, columns["b", "up", "effects.margin"])[0, 1]) < 0.95
        if lever.source == "efforts":
            assert (
                np.corrcoef(columns["a", "few", "effects.margin"], columns["b", "few", "effects.margin"])[
                    0, 1
                ]
                > 0.999
            )


def test_options_stand_against_the_arm_of_the_base(tmp_path: Path) -> None:
    """Everybody gets letters today: a call instead, or nothing any more. Draws of both share the error of letters."""
    rng = np.random.default_rng(5)
    arm = rng.choice(["control", "letter", "call"], 900)
    outcome = rng.normal(10, 1, 900) + 2 * (arm == "letter") + 3 * (arm == "call")
    trials = pd.DataFrame({"programme": "care", "arm": arm, "segment": "a", "outcome": outcome})
    trials.to_csv(tmp_path / "trials.csv", index=False)
    rules = '[[estimates.response.levers]]\nlever = "care"\nfrom = "trials"\noptions = { none = "control" }\n'
    options = "lever,option,base\ncare,letter,true\ncare,call,false\ncare,none,false\n"
    found = estimated(tmp_path, rules, options=options, levers="lever,choice\ncare,mix\n")
    assert found.faults == ()
    effects = found.frames["effects"].set_index("option")
    own = trials.groupby("arm")["outcome"].agg(["mean", "var", "count"])
    error = own["var"] / own["count"]
    for option, name in (("call", "call"), ("none", "control")):
        assert effects.loc[option, "margin"] == pytest.approx(own["mean"][name] - own["mean"]["letter"])
        assert effects.loc[option, "margin_se"] == pytest.approx(math.sqrt(error[name] + error["letter"]))
    response = read_rules(read_instance(tmp_path).info.estimates)[0]
    assert response is not None
    assert response.response is not None
    draws = lever_draws(found.frames, response.response.levers[0], 4000, (1,))
    assert draws is not None
    now = np.array([effects.loc[row["option"], "margin"] for row in draws.keys])
    shared = error["letter"] / np.sqrt(
        (error["call"] + error["letter"]) * (error["control"] + error["letter"])
    )
    assert np.corrcoef((draws.factors * now).T)[0, 1] == pytest.approx(shared, abs=0.05)
    wrong = rules.replace("{ none", '{ letter = "leter", none')
    (fault,) = estimated(tmp_path, wrong, options=options, levers="lever,choice\ncare,mix\n").faults
    assert "did you mean 'letter'?" in fault.line()


def test_all_levers_become_scenarios(tmp_path: Path) -> None:
    raw(tmp_path)
    found = estimated(tmp_path, FEE + CALLS + CARE + SCENARIOS)
    assert [fault.line() for fault in found.faults if not fault.warning] == []
    table = found.frames["scenarios"]
    assert set(table["lever"]) == {"fee", "calls", "care"}
    assert table.groupby("scenario")["probability"].first().sum() == pytest.approx(1, abs=1e-9)


def test_the_mix_of_new_customers_is_uncertain_too(tmp_path: Path) -> None:
    new = acquired(6)
    found = with_new(instance(tmp_path / "a", moving_panel(50, 1), ARRIVALS + SCENARIOS), new)
    assert [fault.line() for fault in found.faults] == []
    table = found.frames["scenarios"].pivot(index="scenario", columns="segment", values="factor")
    assert set(found.frames["scenarios"]["target"]) == {"arrivals.customers"}
    arrivals = found.frames["arrivals"].groupby("segment")["customers"].first()
    assert (table * arrivals).sum(axis=1).to_numpy() == pytest.approx(120)  # how many come is not drawn
    own = new[(new["firm"] == "") & (new["promotion"] == 0)]
    share = (own["segment"] == "gold").mean()
    weight = found.frames["scenarios"].groupby("scenario")["probability"].first()
    spread = np.sqrt(weight @ (table["gold"] - weight @ table["gold"]) ** 2) * share
    assert spread == pytest.approx(np.sqrt(share * (1 - share) / len(own)), rel=0.1)


def test_margins_and_end_values_of_a_ledger_have_their_errors() -> None:
    counts = np.array([[400, 100, 50], [80, 250, 70], [10, 20, 300]])
    observed = counts.sum(axis=1)
    rates = counts / observed[:, None]
    margin, margin_se = np.array([40.0, 15.0, 1.0]), np.array([1.5, 0.8, 0.3])
    names = ("often", "seldom", "silent")
    states = tuple(State(name, "", "", "active") for name in names)
    people = np.array([300.0, 200.0, 400.0])
    chain = Chain(states, people, counts, observed, rates, rates * 0, margin * 3, margin, margin_se)
    rules = ValueRules(discount_rate=0.03, periods=10)
    ends = chain_value(rates, margin - 2.0, 0.03, 10)  # 2 of base service
    segments = pd.DataFrame({"segment": names, "customers": people, "margin": margin, "end_value": ends})
    draws = chain_draws(chain, segments, rules, 2000, (1,))
    assert draws is not None
    assert [row["target"] for row in draws.keys] == ["segments.margin"] * 3 + ["segments.end_value"] * 3
    assert draws.factors[:, :3].std(axis=0) * margin == pytest.approx(margin_se, rel=0.06)
    error = chain_value_error(rates, observed.astype(float), margin - 2.0, margin_se, 0.03, 10)
    assert draws.factors[:, 3:].std(axis=0) * ends == pytest.approx(error, rel=0.06)
    assert np.corrcoef(draws.factors[:, 0], draws.factors[:, 3])[0, 1] > 0.2  # what earns more is worth more


def test_a_ledger_becomes_scenarios(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "instances" / "cdnow", tmp_path / "cdnow")
    (tmp_path / "cdnow" / "scenarios.csv").unlink()
    with (tmp_path / "cdnow" / "instance.toml").open("a", encoding="utf-8") as stream:
        stream.write("\n" + SCENARIOS.replace("500", "200"))
    found = estimate(read_instance(tmp_path / "cdnow"))
    assert [fault.line() for fault in found.faults if not fault.warning] == []
    assert set(found.frames["scenarios"]["target"]) == {"segments.margin", "segments.end_value"}
    assert found.frames["scenarios"]["scenario"].nunique() == 10
