"""What options do to moves: recovered from panels with a known truth, on the curve, added up, and used by a plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cpm_opt.estimates import Estimates, estimate
from cpm_opt.estimates.moves.hazard import fit_hazard
from cpm_opt.estimates.moves.move_doubts import impossible_combinations
from cpm_opt.estimates.moves.move_effects import MoveEffects, leaving_rates, logit_rates, move_effects
from cpm_opt.estimates.moves.moves import count_moves
from cpm_opt.estimates.moves.transitions import fit_transitions
from cpm_opt.estimates.on_request import estimate_instance
from cpm_opt.estimates.planning_files import write_planning_tables
from cpm_opt.estimates.response.lever_terms import LeverTerms, OptionTerms
from cpm_opt.pipeline import solve_instance
from cpm_opt.tables import read_instance
from tests.estimates.panels_of import (
    RESPONSE,
    SEGMENTS,
    TABLES,
    instance,
    moving_panel,
    read_shape,
    true_rates,
)

TERMS = LeverTerms(
    {"price": 1.0, "price_change": 0.0, "service": ""},
    (
        OptionTerms("tariff", "up", {"price": 1.1}, {"price_change": 0.1}),
        OptionTerms("care", "personal", {"service": "personal"}, {}),
    ),
)
LOGIT = '[estimates.response]\nmigration = "logit"\n'


def truth() -> np.ndarray:
    """`[4, S, 3]`: base, up in force, up on change, personal."""
    found = []
    for segment in SEGMENTS:
        base, up = true_rates(segment, 1, 0, False), true_rates(segment, 1.1, 0, False)
        changed, personal = true_rates(segment, 1.1, 0.1, False), true_rates(segment, 1, 0, True)
        found.append([base, up - base, changed - up, personal - base])
    return np.array(found).swapaxes(0, 1)


def by_logit(customers: int, seed: int) -> MoveEffects:
    panel = read_shape(moving_panel(customers, seed))
    return move_effects(logit_rates(fit_transitions(panel), panel, TERMS.base), TERMS)


def estimated(folder: Path) -> Estimates:
    tables = read_instance(folder)
    assert [fault.line() for fault in tables.faults] == []
    return estimate(tables)


def test_effects_of_the_logit_cover_the_truth() -> None:
    """The short version of benchmarks/coverage.py: 24 figures in each of 50 panels of 300 customers."""
    true, hits = truth(), []
    for seed in range(50):
        found = by_logit(300, seed)
        values = np.concatenate([found.base[None], found.changes])
        errors = np.concatenate([found.base_se[None], found.se])
        hits.append(np.abs(values - true) <= 1.96 * errors)
    assert 0.92 <= np.mean(hits) <= 0.97
    assert np.mean(hits, axis=0).min() > 0.78


def test_leaving_is_the_mean_change_on_the_curve_and_spread_over_stayers() -> None:
    panel = read_shape(moving_panel(800, seed=11))
    panel["complaints"] = np.random.default_rng(1).integers(0, 3, len(panel)).astype(float)
    hazard, moves = fit_hazard(panel), count_moves(panel)
    shares = moves.rates[:, :-1] / moves.rates[:, :-1].sum(axis=1, keepdims=True)
    found = move_effects(leaving_rates(hazard, panel, shares, TERMS.base), TERMS)

    def leaving(segment: str, price: float, change: float, service: str) -> float:
        rows = panel[panel["segment"] == segment]
        set_so = rows.assign(price=price, price_change=change, service=service)
        index = hazard.design.matrix(set_so) @ np.array(hazard.model.values)
        return float((1 / (1 + np.exp(-index))).mean())  # over the customers, each with their own complaints

    for s, segment in enumerate(SEGMENTS):
        base, up = leaving(segment, 1, 0, ""), leaving(segment, 1.1, 0, "")
        assert found.base[s, -1] == pytest.approx(base)
        assert found.changes[0, s, -1] == pytest.approx(up - base)
        assert found.changes[1, s, -1] == pytest.approx(leaving(segment, 1.1, 0.1, "") - up)
        assert found.changes[2, s, -1] == pytest.approx(leaving(segment, 1, 0, "personal") - base)
    assert found.changes[..., :-1] == pytest.approx(-found.changes[..., -1:] * shares)
    assert found.changes.sum(axis=2) == pytest.approx(0, abs=1e-12)
    both = leaving("gold", 1.1, 0.1, "personal") - found.base[0, -1] - found.changes[:, 0, -1].sum()
    assert 0 < abs(both) <= found.additivity.largest + 1e-12
    assert found.additivity.count == 2


def test_errors_are_those_of_draws() -> None:
    """The delta method against the spread of draws, each on the curve."""
    found = by_logit(3000, seed=12)
    normal = np.random.default_rng(0).multivariate_normal(found.curve.values, found.curve.covariance, 2000)
    base, changes = found.draw(normal)
    assert base.std(axis=0) == pytest.approx(found.base_se, rel=0.08)
    assert changes.std(axis=0) == pytest.approx(found.se, rel=0.08)


@pytest.mark.parametrize("settings", ["", LOGIT])
def test_a_panel_goes_the_whole_way_to_a_certified_plan(tmp_path: Path, settings: str) -> None:
    folder = instance(tmp_path / "moves", moving_panel(1500, seed=13), settings + RESPONSE)
    frames = estimated(folder).frames
    effects = frames["migration_effects"]
    assert set(effects["source"]) == {"estimated"}
    assert set(effects["when"]) == {"in_force", "on_change"}
    lost = effects.groupby(["from", "lever", "option", "when"])["rate"].sum()
    true = truth()
    for (segment, lever, _, when), change in lost.items():
        row = {"in_force": 1, "on_change": 2}[when] if lever == "tariff" else 3
        # A hazard has one slope for all segments, so it is told the sign and the size, not each segment's own figure.
        assert -change == pytest.approx(true[row, SEGMENTS.index(segment), -1], abs=0.03)
    plan = solve_instance(folder, "portfolio", ["horizon.periods=3"])
    assert plan.certificate is not None
    assert plan.certificate.passed
    if not settings:
        return
    tables, estimates = estimate_instance(folder)
    write_planning_tables(tmp_path / "out", tables.info, estimates.frames)
    again = solve_instance(tmp_path / "out", "portfolio", ["horizon.periods=3"])
    assert again.objective == pytest.approx(plan.objective, rel=1e-9)


def test_combinations_that_make_impossible_rates_are_named(tmp_path: Path) -> None:
    tables = {
        "segments": "segment,customers,margin\na,1,1\n",
        "migration": "from,to,rate\na,a,0.9\n",
        "migration_effects": "from,to,lever,option,rate,when\na,a,tariff,down,0.06,in_force\n"
        "a,a,tariff,down,0.01,on_change\na,a,care,visit,0.05,in_force\n",
        "levers": "lever,choice\ntariff,single\ncare,mix\n",
        "options": "lever,option,base\ntariff,today,true\ntariff,down,false\ncare,none,true\ncare,visit,false\n",
    }
    folder = instance(tmp_path / "a", pd.DataFrame(columns=["customer"]), "", **tables)
    (folder / "panel.csv").unlink()
    frames = read_instance(folder).frames
    told = [
        fault.message for fault in impossible_combinations(frames["migration"], frames["migration_effects"])
    ]
    assert told == [
        "the rate from segment 'a' to 'a' comes to 1.02 with care=visit and a change to tariff=down",
        "the sum of rates from segment 'a' comes to 1.02 with care=visit and a change to tariff=down",
    ]


CARE = 'lever = "care"\nfrom = "panel"\nterm = "service"\n'
WRONG = {
    'lever = "tarif"\nfrom = "panel"\nterm = "price"': "did you mean 'tariff'?",
    'lever = "tariff"\nfrom = "panel"': "is needed of lever tariff",
    'lever = "care"\nfrom = "panel"\nterm = "programme"': "column programme of table panel never varies",
    CARE + 'options = { personal = "personnal" }': "did you mean 'personal'?",
    CARE + "shrink = false": "says nothing of lever care",
    CARE + 'options = { visit = "personal" }': "is no option of lever care",
    'lever = "tariff"\nfrom = "panel"\nterm = "price"\noptions = { up = -1 }': "is no price above 0",
}


@pytest.mark.parametrize("lever", WRONG)
def test_levers_that_the_panel_cannot_tell_are_faults(tmp_path: Path, lever: str) -> None:
    folder = instance(tmp_path / "a", moving_panel(60, 1), f"[[estimates.response.levers]]\n{lever}\n")
    lines = [fault.line() for fault in estimated(folder).faults if not fault.warning]
    assert len(lines) == 1
    assert WRONG[lever] in lines[0]


def test_doubts_of_a_panel_are_told(tmp_path: Path) -> None:
    """A step beyond the prices seen; a last period without leavers; a service that a segment never had."""
    panel = moving_panel(1500, seed=14)
    panel.loc[panel["period"] == 5, "left"] = 0
    panel.loc[panel["segment"] == "silver", "service"] = ""
    options = TABLES["options"].replace("up,false,0.1", "up,false,0.3")
    folder = instance(tmp_path / "a", panel, LOGIT + RESPONSE, options=options)
    told = "; ".join(fault.message for fault in estimated(folder).faults)
    assert "price 1.3 is outside what the data hold, 0.9 to 1.1" in told
    assert "price_change 0.3 is outside" in told
    assert "left in the last period" in told
    assert "nobody like that in silver" in told
    mixed = instance(tmp_path / "c", panel, RESPONSE, levers=TABLES["levers"].replace("single", "mix"))
    found = estimated(mixed)
    assert "on-change-left-out" in {fault.code for fault in found.faults}
    assert set(found.frames["migration_effects"]["when"]) == {"in_force"}
    other = instance(tmp_path / "b", panel.replace("gold", "platinum"), LOGIT + RESPONSE)
    assert {fault.value for fault in estimated(other).faults} == {"platinum", "gold"}


def test_a_lever_without_its_raw_table_is_a_fault(tmp_path: Path) -> None:
    folder = instance(tmp_path / "a", moving_panel(20, 1), RESPONSE.replace('"panel"', '"acquisitions"', 1))
    (folder / "panel.csv").unlink()
    lines = [fault.line() for fault in estimated(folder).faults]
    assert any("of lever care needs table panel" in line for line in lines)
    bare = instance(
        tmp_path / "b", moving_panel(20, 1), LOGIT + "[estimates.acquisition]\ncustomers = 1\nperiods = 1\n"
    )
    (bare / "panel.csv").unlink()
    (first,) = estimated(bare).faults
    assert "migration, value 'logit': needs table panel" in first.line()
    (bare / "instance.toml").write_text(
        (bare / "instance.toml").read_text("utf-8").replace(LOGIT, ""), "utf-8"
    )
    (second,) = estimated(bare).faults
    assert "acquisition: needs table acquisitions" in second.line()


def test_the_logit_gives_the_moves_without_levers_and_effects_beside_given_moves(tmp_path: Path) -> None:
    panel = moving_panel(800, seed=16)
    found = estimated(instance(tmp_path / "a", panel, LOGIT))
    assert found.faults == ()
    assert "migration_effects" not in found.frames
    moves = found.frames["migration"].pivot(index="from", columns="to", values="rate")
    fit = fit_transitions(read_shape(panel))
    assert fit.failed == ()
    counted = count_moves(read_shape(panel))
    for s, segment in enumerate(SEGMENTS):  # a logit with an intercept has the mean of what was counted
        own = counted.rates[s, :-1]
        assert moves.loc[segment].to_numpy() == pytest.approx(own, abs=0.01)
    given = instance(
        tmp_path / "b", panel, RESPONSE, migration="from,to,rate\ngold,gold,0.9\nsilver,silver,0.5\n"
    )
    stated = estimated(given).frames
    assert len(stated["migration"]) == 2
    effects = stated["migration_effects"]
    assert (effects["from"] == effects["to"]).all()  # who stays, stays in the segment


def test_counts_that_are_not_of_today_are_doubted(tmp_path: Path) -> None:
    panel = moving_panel(1500, seed=15)
    dear = panel[(panel["price"] > 1.05) | (panel["customer"].str.len() < 4)]
    told = {fault.code for fault in estimated(instance(tmp_path / "a", dear, RESPONSE)).faults}
    assert "counts-off-base" in told
