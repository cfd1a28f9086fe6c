"""Forecasts against actuals: exact tests, Holm's procedure, how often chance is flagged, and what a drift is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cpm_opt.portfolio.scenarios import build_scenarios
from cpm_opt.solve.recount import doing_nothing
from cpm_opt.study.monitor.actuals import ActualPeriod, Actuals, read_actuals
from cpm_opt.study.monitor.doubts import doubts
from cpm_opt.study.monitor.exposure import exposure
from cpm_opt.study.monitor.forecast import Forecast, flagged_forecasts, forecasts
from cpm_opt.study.monitor.plan import PlannedRun
from cpm_opt.study.monitor.settled import settle
from cpm_opt.study.monitor.standards import standard, worth
from tests.portfolio.small import INFO, built
from tests.portfolio.small import frames as typed
from tests.study.drawn_plans import planned_run

SEGMENTS = "segment,customers,margin,end_value\ngold,200,50,90\nsilver,800,10,30"
MIGRATION = "from,to,rate\ngold,gold,0.8\ngold,silver,0.1\nsilver,silver,0.85\nsilver,gold,0.05"


def planned(periods: int = 2, **tables: str) -> PlannedRun:
    texts = {"segments": SEGMENTS, "migration": MIGRATION, **tables}
    portfolio = built(texts, periods)
    return planned_run(portfolio, doing_nothing(portfolio), typed(texts))


def told(plan: PlannedRun, folder: Path, **tables: str) -> tuple[Forecast, ...]:
    folder.mkdir(exist_ok=True)
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text.strip() + "\n", "utf-8")
    return forecasts(plan, settle(plan, read_actuals(folder, plan.portfolio, plan.info)))


def of(found: Sequence[Forecast], kind: str, subject: str, to: str = "") -> Forecast:
    (row,) = [each for each in found if (each.kind, each.subject, each.to) == (kind, subject, to)]
    return row


def tail(n: int, p: float, first: int, last: int) -> float:
    return math.fsum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(first, last + 1))


def test_the_test_of_a_rate_is_the_exact_binomial_one(tmp_path):
    moves = "from,to,customers\ngold,gold,150\ngold,silver,35\nsilver,silver,700\nsilver,gold,38\nsilver,,62"
    found = told(planned(), tmp_path, actual_moves=moves)
    row = of(found, "move", "gold", "silver")
    assert (row.planned, row.expected, row.actual, row.base) == (20.0, 20.0, 35.0, 200.0)
    assert row.p_value == pytest.approx(2 * tail(200, 0.1, 35, 200))
    assert row.low is not None
    assert row.high is not None
    assert tail(200, 0.1, 0, int(row.low) - 1) < 0.025 <= tail(200, 0.1, 0, int(row.low))
    assert tail(200, 0.1, 0, int(row.high) - 1) < 0.975 <= tail(200, 0.1, 0, int(row.high))
    stayed = of(found, "move", "gold", "gold")
    assert stayed.p_value == pytest.approx(2 * tail(200, 0.8, 0, 150))
    left = of(found, "move", "gold")  # those whom no row names, as in table migration
    assert left.actual == 15.0
    assert {(each.subject, each.to) for each in found if each.flagged} == {("gold", "silver")}


def test_a_standard_error_of_the_rate_widens_the_interval(tmp_path):
    moves = "from,to,customers\ngold,gold,150\ngold,silver,35"
    sharp = of(told(planned(), tmp_path, actual_moves=moves), "move", "gold", "silver")
    doubtful = planned(
        migration=MIGRATION.replace("rate\n", "rate,se\n")
        .replace("0.1\n", "0.1,0.03\n")
        .replace("gold,gold,0.8", "gold,gold,0.8,")
        .replace("silver,silver,0.85", "silver,silver,0.85,")
        + ","
    )
    wide = of(told(doubtful, tmp_path, actual_moves=moves), "move", "gold", "silver")
    assert wide.spread == pytest.approx(math.sqrt(200 * 0.1 * 0.9 + 200 * 199 * 0.03**2))
    assert wide.high > sharp.high
    assert wide.p_value > 10 * sharp.p_value
    # The beta-binomial as a mixture of binomials over the beta density of mean 0.1 and error 0.03.
    strength = 0.1 * 0.9 / 0.03**2 - 1
    a, b = 0.1 * strength, 0.9 * strength
    rates = (np.arange(20000) + 0.5) / 20000
    logs = (a - 1) * np.log(rates) + (b - 1) * np.log1p(-rates)
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    above = np.array([tail(200, float(rate), 35, 200) for rate in rates[20::40]])
    mixed = float(above @ weight.reshape(-1, 40).sum(axis=1))
    assert wide.p_value == pytest.approx(2 * mixed, rel=0.02)


def test_flags_follow_holms_procedure():
    """Four p-values, 0.01, 0.04, 0.03 and 0.005 at 5 %: the first and the last pass (0.005 <= 0.05/4, 0.01 <= 0.05/3,
    0.03 > 0.05/2), the worked example of Wikipedia's article on the Holm-Bonferroni method."""
    blank = Forecast("move", "a", "b", "customers", 1, 1, 1, 1, spread=1.0)
    found = flagged_forecasts([replace(blank, p_value=p) for p in (0.01, 0.04, 0.03, 0.005)] + [blank])
    assert [each.flagged for each in found] == [True, False, False, True, False]


def drawn(plan: PlannedRun, rng: np.random.Generator, rates: np.ndarray) -> Actuals:
    """Moves of one period drawn at these rates, nothing else."""
    p, gone = plan.portfolio, np.full(2, np.nan)
    moves = (
        np.array([rng.multinomial(int(n), rate) for n, rate in zip(p.customers, rates, strict=True)]) * 1.0
    )
    empty = np.zeros(0)
    period = ActualPeriod(1, gone, gone, gone, moves, np.zeros((2, 0)), {}, empty, empty, empty, empty, {})
    return Actuals(Path("none"), (period,), {})


RATES = np.array([[0.8, 0.1, 0.1], [0.05, 0.85, 0.1]])


def test_chance_is_flagged_in_one_period_of_twenty_at_most_and_the_stated_drift_in_four_of_five():
    plan = planned()
    rng = np.random.default_rng(11)
    alarms, sizes = 0, {}
    for _ in range(200):
        found = forecasts(plan, settle(plan, drawn(plan, rng, RATES)))
        alarms += any(each.flagged for each in found)
        sizes = {(each.subject, each.to): each.noticeable for each in found}
    assert alarms <= 200 * 0.05 + 2 * math.sqrt(200 * 0.05 * 0.95)
    drift = sizes["silver", ""] / 800
    off = RATES + np.array([[0, 0, 0], [0, -drift, drift]])
    seen = sum(
        of(forecasts(plan, settle(plan, drawn(plan, rng, off))), "move", "silver").flagged for _ in range(200)
    )
    assert 0.7 < seen / 200 < 0.92


def test_a_drift_costs_what_it_moves_in_the_rest_of_the_plan(tmp_path):
    plan = planned(3)
    moves = "from,to,customers\ngold,gold,120\ngold,silver,20\nsilver,silver,680\nsilver,gold,40"
    periods = settle(plan, read_actuals(_written(tmp_path, actual_moves=moves), plan.portfolio, plan.info))
    found = forecasts(plan, periods)
    standards = [standard(plan, t) for t in range(3)]
    value = worth(plan, standards)
    rows = doubts(plan, periods, found, standards, value)
    assert {(row.forecast.subject, row.forecast.to) for row in rows} == {("gold", "gold"), ("gold", "")}
    stayed = next(row for row in rows if row.forecast.to == "gold")
    assert stayed.rows == ("migration.rate from 'gold' to 'gold'",)
    # By hand: 0.2 less of gold stay in periods 2 and 3; the others of gold go to silver and away, half each.
    d = 1 / 1.04
    n = plan.recount.customers[0]
    lost = [0.2 * n[t] * (value[0, t + 1] - 0.5 * value[1, t + 1]) for t in (1, 2)]
    assert stayed.stake == pytest.approx(lost[0] * d**2 + lost[1] * d**3)
    assert [row.stake for row in rows] == sorted((row.stake for row in rows), reverse=True)


def _written(folder: Path, **tables: str) -> Path:
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text + "\n", "utf-8")
    return folder


def test_figures_without_an_interval_are_told_where_they_are_material(tmp_path):
    plan = planned(resources="resource,capacity,unit_cost\nhours,900,2", usage="resource,amount\nhours,0.5")
    actuals = _written(
        tmp_path,
        actual_use="resource,use\nhours,560",
        actual_results="segment,margin\ngold,10100\nsilver,8800",
    )
    periods = settle(plan, read_actuals(actuals, plan.portfolio, plan.info))
    found = forecasts(plan, periods)
    assert of(found, "use", "hours").low is None
    standards = [standard(plan, t) for t in range(2)]
    rows = doubts(plan, periods, found, standards, worth(plan, standards))
    names = {(row.forecast.kind, row.forecast.subject): row.tested for row in rows}
    assert names == {("use", "hours"): False, ("margin", "silver"): False}  # 1 % of gold is not material
    now = exposure(plan, periods[0], None).resources[0]
    assert (now.planned, now.expected, now.actual, now.headroom) == (500.0, 500.0, 560.0, 340.0)


def test_bayes_rule_weighs_scenarios_by_counts_and_tells_where_it_cannot(tmp_path):
    texts = {
        "segments": SEGMENTS,
        "migration": MIGRATION,
        "scenarios": "scenario,probability,target,factor,segment\nusual,0.6,,,\nworse,0.4,migration.rate,0.9,gold\n",
    }
    tables = typed(texts)
    scenarios = build_scenarios(tables, INFO, 2)
    plan = replace(planned(), scenarios=scenarios)
    moves = "from,to,customers\ngold,gold,148\ngold,silver,18\ngold,,34"
    (period,) = settle(plan, read_actuals(_written(tmp_path, actual_moves=moves), plan.portfolio, plan.info))
    usual, worse = exposure(plan, period, None).scenarios
    likely = [148 * math.log(0.8) + 18 * math.log(0.1) + 34 * math.log(0.1)]
    likely.append(148 * math.log(0.72) + 18 * math.log(0.09) + 34 * math.log(0.19))
    odds = 0.6 * math.exp(likely[0] - likely[1]) / 0.4
    assert usual.posterior == pytest.approx(odds / (1 + odds))
    assert worse.posterior == pytest.approx(1 / (1 + odds))
    poor = typed(
        {
            **texts,
            "scenarios": "scenario,probability,target,factor\nusual,0.6,,\npoor,0.4,segments.margin,0.9\n",
        }
    )
    plan = replace(plan, scenarios=build_scenarios(poor, INFO, 2))
    _written(tmp_path, actual_results="segment,margin\ngold,9000\nsilver,7200")
    (period,) = settle(plan, read_actuals(tmp_path, plan.portfolio, plan.info))
    usual, worse = exposure(plan, period, None).scenarios
    assert usual.posterior is None
    assert worse.posterior is None
    assert worse.distance == pytest.approx(0.0)
    assert usual.distance == pytest.approx(0.1)
