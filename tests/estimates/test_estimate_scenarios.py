"""Uncertainty as scenarios: joint draws, reduced and weighted, and a plan that weighs them."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cpm_opt.estimates import Estimates, estimate
from cpm_opt.estimates.moves.answer_rules import ScenarioRules
from cpm_opt.estimates.moves.move_doubts import impossible_combinations
from cpm_opt.estimates.moves.moves import count_moves
from cpm_opt.estimates.response.offer_tables import change_errors, changes
from cpm_opt.estimates.uncertainty.draws import Draws, factors, key
from cpm_opt.estimates.uncertainty.estimate_scenarios import scenario_table
from cpm_opt.estimates.uncertainty.move_draws import count_draws
from cpm_opt.estimates.uncertainty.offer_draws import offer_draws
from cpm_opt.estimates.uncertainty.possible_rates import possible
from cpm_opt.pipeline import solve_instance
from cpm_opt.tables import read_instance
from tests.estimates.panels_of import RESPONSE, instance, moving_panel
from tests.estimates.test_offers import made

SCENARIOS = "[estimates.scenarios]\nnumber = 12\ndraws = 400\nseed = 3\n"
LOGIT = '[estimates.response]\nmigration = "logit"\n'


def estimated(folder: Path) -> Estimates:
    tables = read_instance(folder)
    assert [fault.line() for fault in tables.faults] == []
    return estimate(tables)


def some_draws(count: int, seed: int = 0) -> Draws:
    """Three factors, the first two of one estimate."""
    rng = np.random.default_rng(seed)
    shock = rng.standard_normal((count, 2))
    found = np.column_stack([1 + 0.2 * shock[:, 0], 1 - 0.5 * shock[:, 0], 1 + 0.1 * shock[:, 1]])
    keys = tuple(key("effects.margin", "a", "tariff", option) for option in ("x", "y", "z"))
    return Draws(keys, found, found * [100.0, 40.0, 200.0])


@pytest.mark.parametrize("number", [1, 5, 25])
def test_mean_and_spread_are_those_of_the_draws(number: int) -> None:
    draws = some_draws(500)
    found = scenario_table(draws, ScenarioRules(number=number, draws=500))
    wide = found.frame.pivot(index="scenario", columns="option", values="factor")
    weight = found.frame.groupby("scenario")["probability"].first().to_numpy()
    assert weight.sum() == pytest.approx(1, abs=1e-9)
    assert (weight > 0).all()
    assert weight @ wide.to_numpy() == pytest.approx(draws.factors.mean(axis=0))
    if number > 1:
        spread = np.sqrt(weight @ (wide.to_numpy() - weight @ wide.to_numpy()) ** 2)
        assert spread == pytest.approx(draws.factors.std(axis=0))
        assert np.corrcoef(wide["x"], wide["y"])[0, 1] == pytest.approx(-1)  # of one fit, not independent


def test_unmatched_scenarios_are_draws_and_near_them() -> None:
    draws = some_draws(500)
    found = scenario_table(draws, ScenarioRules(number=25, draws=500, spread="draws"))
    wide = found.frame.pivot(index="scenario", columns="option", values="factor").to_numpy()
    assert all(np.isclose(draws.factors, row).all(axis=1).any() for row in wide)
    weight = found.frame.groupby("scenario")["probability"].first().to_numpy()
    mean = weight @ wide
    assert mean == pytest.approx(draws.factors.mean(axis=0), abs=0.01)
    ratio = np.sqrt(weight @ (wide - mean) ** 2) / draws.factors.std(axis=0)
    assert ratio.min() > 0.7
    assert ratio.max() < 1.05
    held = scenario_table(draws, ScenarioRules(number=25, draws=500), lambda f: np.zeros(len(f), dtype=bool))
    assert not held.matched
    assert held.frame["factor"].to_numpy() == pytest.approx(found.frame["factor"].to_numpy())


def test_a_factor_makes_the_draw_whatever_its_sign() -> None:
    factor, missed = factors(np.array([[-0.02], [0.03]]), np.array([0.001]))
    assert factor * 0.001 == pytest.approx([-0.02, 0.03])
    assert missed == pytest.approx(0)
    now, then = np.array([0.1, -0.06, -0.04]), np.array([[0.2, -0.12, -0.08], [0.1, -0.1, 0.0]])
    factor, missed = factors(then, now)
    assert factor[0] == pytest.approx(2)
    trial = np.linspace(0, 2, 2001)
    best = trial[((then[1] - trial[:, None] * now) ** 2).sum(axis=1).argmin()]
    assert factor[1] == pytest.approx(best, abs=1e-3)
    assert missed > 0


@pytest.mark.parametrize("settings", ["", LOGIT])
def test_moves_become_scenarios_and_a_risk_plan(tmp_path: Path, settings: str) -> None:
    folder = instance(tmp_path / "moves", moving_panel(1500, seed=21), settings + RESPONSE + SCENARIOS)
    found = estimated(folder)
    assert [fault.line() for fault in found.faults] == []
    table = found.frames["scenarios"]
    assert table["scenario"].nunique() == 12
    assert table.groupby("scenario")["probability"].first().sum() == pytest.approx(1, abs=1e-9)
    assert set(table["target"]) == {"migration.rate", "migration_effects.rate"}
    pd.testing.assert_frame_equal(table, estimated(folder).frames["scenarios"])
    other = folder / "instance.toml"
    other.write_text(other.read_text("utf-8").replace("seed = 3", "seed = 4"), "utf-8")
    assert not table["factor"].equals(estimated(folder).frames["scenarios"]["factor"])
    # One price slope of the hazard behind both segments: their factors go together.
    up = table[table["option"] == "up"].pivot(index="scenario", columns="segment", values="factor")
    if not settings:
        assert np.corrcoef(up["gold"], up["silver"])[0, 1] > 0.9
        return
    plan = solve_instance(folder, "robust-portfolio", ["horizon.periods=2"])
    assert plan.certificate is not None
    assert plan.certificate.passed
    assert len(plan.scenarios) == 12


def test_factors_of_counted_moves_have_the_errors_of_table_migration(tmp_path: Path) -> None:
    """Staying varies by the counts' binomial error, which is not that of the hazard, and what one factor cannot tell,
    where stayers go, is told."""
    panel = moving_panel(1500, seed=21)
    found = estimated(instance(tmp_path / "moves", panel, RESPONSE + SCENARIOS.replace("400", "4000")))
    table = found.frames["scenarios"]
    for segment, own in panel.groupby("segment"):
        factor = table[(table["target"] == "migration.rate") & (table["segment"] == segment)]
        left = own["left"].mean()
        error = np.sqrt(left * (1 - left) / len(own)) / (1 - left)
        mean = np.average(factor["factor"], weights=factor["probability"])
        spread = np.sqrt(np.average((factor["factor"] - mean) ** 2, weights=factor["probability"]))
        assert (mean, spread) == (pytest.approx(1, abs=1e-3), pytest.approx(error, rel=0.05))
    assert any("all from gold by" in note and "% to silver" in note for note in found.notes)


@pytest.mark.parametrize("weight", [0.0, 30.0])
def test_draws_of_counts_have_the_errors_of_the_counts(weight: float) -> None:
    moves = count_moves(moving_panel(400, seed=5), weight)
    leaving = np.random.default_rng(1).normal(0.1, 0.02, (20_000, len(moves.segments)))
    drawn = count_draws(moves, leaving, (2,))
    np.testing.assert_allclose(drawn.std(axis=0), moves.errors, rtol=0.03)
    np.testing.assert_allclose(drawn.mean(axis=0), moves.rates, atol=4e-4)
    np.testing.assert_allclose(drawn.sum(axis=2), 1.0)
    assert np.corrcoef(drawn[:, 0, -1], leaving[:, 0])[0, 1] > 0.999  # as the hazard of the same panel goes


def test_offers_become_scenarios(tmp_path: Path) -> None:
    offers = made(1500, seed=5, clusters=60)
    folder = tmp_path / "offers"
    lever = '[estimates.response]\nlever = "rate"\nbase_price = 8\n'
    tables = {
        "levers": "lever,choice,scope\nrate,single,segment\n",
        "options": "lever,option,base,price_change\nrate,now,true,0\nrate,more,false,0.1\n",
    }
    instance(folder, offers, lever + SCENARIOS, **tables)
    for name in ("panel", "segments", "effects"):
        (folder / f"{name}.csv").unlink()
    offers.to_csv(folder / "offers.csv", index=False)
    found = estimated(folder)
    assert [fault.line() for fault in found.faults if not fault.warning] == []
    table, effects = found.frames["scenarios"], found.frames["effects"].set_index("segment")
    assert {"segments.margin", "effects.margin"} <= set(table["target"])
    margins = table[table["target"] == "effects.margin"]
    for segment, rows in margins.groupby("segment"):
        figure = rows["factor"].to_numpy() * effects.loc[segment, "margin"]
        weight = rows["probability"].to_numpy()
        spread = np.sqrt(weight @ (figure - weight @ figure) ** 2)
        assert spread == pytest.approx(effects.loc[segment, "margin_se"], rel=0.15)
    plan = solve_instance(folder, "robust-portfolio", ["horizon.periods=2"])
    assert plan.certificate is not None
    assert plan.certificate.passed


def test_draws_of_offers_have_the_errors_of_the_table() -> None:
    from cpm_opt.estimates.response.offer_tables import TariffPlan
    from cpm_opt.estimates.response.offers import fit_offers

    fit = fit_offers(made(3000, seed=6, clusters=60))
    customers = dict.fromkeys(fit.segments, 100.0)
    plan = TariffPlan(
        "rate", (8.0, 8.0, 9.0), 8.0, dict.fromkeys(fit.segments, 99.0), {}, "segment", customers, {}, {}
    )
    draws = offer_draws(fit, plan, ("now", "more"), ("margin",), 4000, (1,), with_segments=False)
    now, error = changes(fit, plan)["margin"][:, 2], change_errors(fit, plan)["margin"][:, 2]
    assert [row["option"] for row in draws.keys] == ["more"] * len(fit.segments)
    assert draws.factors.std(axis=0) * np.abs(now) == pytest.approx(error, rel=0.1)


def test_nothing_estimated_is_a_fault(tmp_path: Path) -> None:
    folder = instance(tmp_path / "a", moving_panel(20, 1), SCENARIOS)
    (folder / "panel.csv").unlink()
    (fault,) = estimated(folder).faults
    assert "nothing was estimated" in fault.line()
    (folder / "instance.toml").write_text(
        (folder / "instance.toml").read_text("utf-8").replace("number = 12", "number = 1200"), "utf-8"
    )
    assert any("scenarios" in fault.line() for fault in estimated(folder).faults)


def test_possible_rates_are_those_of_every_combination() -> None:
    """Against full enumeration: two levers, in force and on change, under drawn factors; the doubts say the same."""
    rng = np.random.default_rng(7)
    seen = set()
    for _ in range(3):
        migration = pd.DataFrame({"from": "a", "to": ["a", "b"], "rate": rng.uniform(0.2, 0.45, 2)})
        rows = [
            ("a", to, lever, option, rng.normal(0, 0.09), when)
            for to in "ab"
            for lever, option, when in (
                ("t", "up", "in_force"), ("t", "up", "on_change"), ("t", "down", "in_force"), ("c", "on", "in_force")
            )
        ]  # fmt: skip
        effects = pd.DataFrame(rows, columns=["from", "to", "lever", "option", "rate", "when"])
        keys = (key("migration.rate", "a"), key("migration_effects.rate", "a", "t", "up"))
        found = np.column_stack([rng.normal(1, 0.3, 10), rng.normal(1, 1.5, 10)])
        flags = possible(migration, effects, Draws(keys, found, found), found)
        for flag, (on_base, on_up) in zip(flags, found, strict=True):
            factor = np.where(effects["option"] == "up", on_up, 1.0)
            scaled = effects.assign(rate=effects["rate"] * factor)
            base = migration.assign(rate=migration["rate"] * on_base)
            fine = True
            for tariff, care in product(
                (None, ("up", False), ("up", True), ("down", True)), (None, ("on", True))
            ):
                chosen = [state for state in (tariff, care) if state is not None]
                rates = base.set_index("to")["rate"].copy()
                for option, comes in chosen:
                    own = scaled[(scaled["option"] == option) & (comes | (scaled["when"] == "in_force"))]
                    rates = rates.add(own.groupby("to")["rate"].sum(), fill_value=0.0)
                fine &= bool(rates.min() >= -1e-9 and rates.max() <= 1 + 1e-9 and rates.sum() <= 1 + 1e-9)
            assert flag == fine
            assert bool(impossible_combinations(base, scaled)) != fine
            seen.add(fine)
    assert seen == {True, False}
