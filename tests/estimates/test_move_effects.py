"""What options do to moves: recovered from panels with a known truth, on the curve, added up, and used by a plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cpm_opt.estimates import Estimates, estimate
from cpm_opt.estimates.estimate import with_response
from cpm_opt.estimates.moves.hazard import fit_hazard
from cpm_opt.estimates.moves.move_doubts import impossible_combinations, repeated_doubts
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


@pytest.mark.parametrize("settings", ["[estimates.response]\nsmoothing = 5\n", LOGIT, ""])
def test_a_panel_in_which_nobody_is_followed_gives_no_migration(tmp_path: Path, settings: str) -> None:
    panel = moving_panel(300, seed=18)
    found = estimated(instance(tmp_path / "a", panel[panel["period"] == 0], settings))
    assert [(fault.code, fault.value, fault.warning) for fault in found.faults] == [
        ("thin-cell", "gold", False),
        ("thin-cell", "silver", False),
    ]
    assert "smoothing" not in found.faults[0].remedy
    wide = estimated(instance(tmp_path / "b", panel.assign(period=3 * panel["period"]), settings))
    assert "number periods one after the other" in wide.faults[0].remedy


def test_smoothing_does_not_send_a_segment_away_that_nobody_reached(tmp_path: Path) -> None:
    """Of z, new in the last period, nobody is followed; with somebody who came, smoothing alone says where z goes."""
    panel = moving_panel(300, seed=19)
    panel["customer"] = panel["customer"].where(panel["period"] < 5, "new " + panel["customer"])
    panel.loc[panel["period"] == 5, "segment"] = "z"
    segments = TABLES["segments"] + "z,500,9\n"
    smooth = "[estimates.response]\nsmoothing = 5\n"
    (fault,) = estimated(instance(tmp_path / "a", panel, smooth, segments=segments)).faults
    assert (fault.code, fault.value, fault.warning) == ("thin-cell", "z", False)
    first = panel.index[panel["period"] == 4][:3]
    reached = panel.assign(left=panel["left"].where(~panel.index.isin(first), 0))
    names = reached.loc[first, "customer"]
    reached.loc[reached.index[reached["period"] == 5][:3], "customer"] = names.to_numpy()
    found = estimated(instance(tmp_path / "b", reached, smooth, segments=segments))
    told = [fault for fault in found.faults if fault.value == "z"]
    assert [(fault.code, fault.warning) for fault in told] == [("thin-cell", True)]
    assert "smoothing alone says so" in told[0].message


def test_segments_that_differ_are_told_and_refused_where_migration_is_asked_for(tmp_path: Path) -> None:
    panel = moving_panel(300, seed=20)
    more = {"segments": TABLES["segments"] + "bronze,10,1\n"}
    found = estimated(instance(tmp_path / "a", panel, "", **more))
    assert [(fault.value, fault.warning) for fault in found.faults] == [("bronze", True)]
    assert "table migration is not made of the panel" in found.faults[0].message
    assert "migration" not in found.frames
    for asked in ('migration = "counts"', "smoothing = 3"):
        found = estimated(instance(tmp_path / "b", panel, f"[estimates.response]\n{asked}\n", **more))
        assert [(fault.value, fault.warning) for fault in found.faults] == [("bronze", False)]


def test_what_a_panel_tells_of_options_by_halves_is_doubted(tmp_path: Path) -> None:
    """With counts an option's effect in a segment that never met it is that of others; a price that never changes."""
    panel = moving_panel(800, seed=21)
    panel.loc[panel["segment"] == "silver", "service"] = ""
    panel["price_change"] = 0.0
    told = {
        (fault.code, fault.message) for fault in estimated(instance(tmp_path / "a", panel, RESPONSE)).faults
    }
    assert {code for code, message in told if "taken from the other segments" in message} == {"thin-cell"}
    assert ("never-varies", "column price_change of table panel never varies, so lever tariff has no effect in the "
            "period in which a price comes") in told  # fmt: skip
    flat = moving_panel(800, seed=21).assign(price=1.0)
    told = {
        (fault.code, fault.message) for fault in estimated(instance(tmp_path / "b", flat, RESPONSE)).faults
    }
    assert ("never-varies", "column price of table panel never varies, so lever tariff has no lasting effect of a "
            "price") in told  # fmt: skip


@pytest.mark.parametrize("settings", ["", LOGIT])
def test_a_price_lever_without_price_changes_is_a_fault_of_options(tmp_path: Path, settings: str) -> None:
    options = TABLES["options"].replace("up,false,0.1", "up,false,0")
    folder = instance(tmp_path / "a", moving_panel(300, seed=22), settings + RESPONSE, options=options)
    lines = [fault.line() for fault in estimated(folder).faults if not fault.warning]
    assert len(lines) == 1
    assert "no option of lever tariff has a price other than the base's" in lines[0]


def test_counted_errors_of_customers_who_differ_are_doubted() -> None:
    """Of 120 customers half never move: the share of moves out of gold, by customer and by row, by hand."""
    rows = [(f"c{c}", t, "gold", 0) for c in range(60) for t in range(1, 11)]
    rows += [(f"m{c}", t, "gold" if t % 2 else "silver", 0) for c in range(60) for t in range(1, 11)]
    panel = pd.DataFrame(rows, columns=["customer", "period", "segment", "left"])
    (told,) = repeated_doubts(panel)
    # Of gold 60 x 9 followed rows stay and 60 x 5 move; a customer's rows are all of one kind.
    size, part = 60 * 14, 5 / 14
    by_customer = np.sqrt(60 * (9 * part) ** 2 + 60 * (5 * (1 - part)) ** 2) / size
    by_row = np.sqrt(part * (1 - part) / size)
    assert f"from segment 'gold' are {by_customer / by_row:.1f} times as large" in told.message
    assert repeated_doubts(read_shape(moving_panel(300, seed=24))) == []


def test_moves_too_few_to_tell_anything_of_options_make_no_effects(tmp_path: Path) -> None:
    panel = moving_panel(300, seed=25)
    stays = panel["segment"].groupby(panel["customer"]).transform("first")
    panel = panel.assign(segment=stays, left=(panel.index % 500 == 0).astype(int))
    gone = panel.groupby("customer")["left"].cumsum().groupby(panel["customer"]).shift(fill_value=0)
    found = estimated(instance(tmp_path / "a", panel[gone == 0], LOGIT + RESPONSE))
    assert {fault.code for fault in found.faults} == {"thin-cell"}
    assert "migration_effects" not in found.frames
    assert (found.frames["migration"]["se"] > 0).all()


def test_curves_of_leaving_are_those_that_the_plan_uses(tmp_path: Path) -> None:
    """With logits of moves each segment's curve rises from price to price by what the effects say leaves, and the
    pooled hazard, which the plan does not use, is not drawn."""
    settings = '[estimates.response]\nmigration = "logit"\n' + RESPONSE
    tables = read_instance(instance(tmp_path / "moves", moving_panel(800, seed=4), settings))
    found = with_response(tables, estimate(tables))
    assert found.response is not None
    assert found.moved is not None
    assert found.moved.effects is not None
    effects = found.moved.effects
    curves = {curve.name: curve for curve in found.response.curves}
    assert set(curves) == {f"moves {name} by price" for name in effects.curve.segments}
    option = next(o for o, when in effects.entries if (o.lever, when) == ("tariff", "in_force"))
    entry = effects.entries.index((option, "in_force"))
    for s, name in enumerate(effects.curve.segments):
        curve = curves[f"moves {name} by price"]
        at = np.interp([1.0, float(option.in_force["price"])], curve.x, curve.estimate)
        assert at[1] - at[0] == pytest.approx(effects.changes[entry, s, -1], abs=2e-4)
        low, high = (np.interp(1.0, curve.x, end) for end in (curve.low, curve.high))
        width = np.log(high / (1 - high)) - np.log(low / (1 - low))
        error = effects.base_se[s, -1] / (at[0] * (1 - at[0]))
        assert width == pytest.approx(2 * 1.959964 * error, rel=0.02)
