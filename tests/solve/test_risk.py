"""Risk over scenarios: against the extensive form written out by hand, and its certificate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog

from cpm_opt.formulation.components import Capacity, Risk
from cpm_opt.formulation.compose import compose
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.spec import Horizon, ModelSpec
from cpm_opt.formulation.statement import state
from cpm_opt.portfolio.scenarios import Scenario, build_scenarios
from cpm_opt.solve.answer import Question, _together
from cpm_opt.solve.plan import Plan
from cpm_opt.solve.solve import solve
from tests.portfolio.small import DECISION, INFO, built, frames

GOLDEN = Path(__file__).parent.parent / "golden" / "risk.lp"
TABLES = {
    "segments": "segment,customers,margin,end_value\nfirm,100,10,0",
    "levers": "lever,choice\nservice,mix",
    "options": "lever,option,base\nservice,basic,true\nservice,plus,false",
    "effects": "segment,lever,option,margin\nfirm,service,plus,4",
    "resources": "resource,capacity,unit,extra_capacity,extra_cost,lead_time\nhours,60,hours,30,1,0",
    "usage": "resource,amount,lever,option\nhours,1,service,plus",
    "scenarios": "scenario,probability,target,factor\n"
    "good,0.5,effects.margin,1.5\nfair,0.3,,\nbad,0.2,effects.margin,-1\nbad,,segments.margin,0.9",
}
PROBABILITIES = {"good": 0.5, "fair": 0.3, "bad": 0.2}


def scenarios(tables: dict[str, str] = TABLES, periods: int = 2) -> tuple[Scenario, ...]:
    return build_scenarios(frames(tables), INFO, periods)


def solved(risk: Risk, tables: dict[str, str] = TABLES) -> Plan:
    spec = ModelSpec("m", "M", Horizon(2, 0.1), components={"capacity": Capacity(), "risk": risk})
    return solve(built(tables), spec, scenarios=scenarios(tables))


def by_hand(risk: Risk) -> float:
    """The same instance as one linear programme: x1, h1 shared; x2, h2 by scenario; floor e; shortfalls."""
    names = ["good", "fair", "bad"]
    margin, effect = [10.0, 10.0, 9.0], [6.0, 4.0, -4.0]
    p = np.array([PROBABILITIES[name] for name in names])
    second = 1 / 1.1
    # columns: x1, h1, then (x2, h2) of each scenario, e, shortfall of each scenario
    worth = np.zeros((3, 2 + 6 + 4))
    constant = np.array([100 * m * (1 + second) for m in margin])
    for w in range(3):
        worth[w, 0], worth[w, 1] = effect[w], -1.0
        worth[w, 2 + 2 * w], worth[w, 3 + 2 * w] = second * effect[w], -second
    objective = (1 - risk.weight) * p @ worth
    objective[8] += risk.weight
    rows, right = [], []
    for w in range(3):
        row = -worth[w].copy()
        row[8] += 1.0
        if risk.measure == "cvar":
            row[9 + w] = -1.0
        rows.append(row)
        right.append(constant[w])
    if risk.measure == "cvar":
        objective[9:] -= risk.weight * p / (1 - risk.alpha)
    for x, h in [(0, 1), (2, 3), (4, 5), (6, 7)]:
        row = np.zeros(12)
        row[x], row[h] = 1.0, -1.0
        rows.append(row)
        right.append(60.0)
    bounds = [(0, 100), (0, 30)] * 4 + [(None, None)] + [(0, None)] * 3
    best = linprog(-objective, A_ub=rows, b_ub=right, bounds=bounds)
    return float(-best.fun + (1 - risk.weight) * p @ constant)


@pytest.mark.parametrize(
    "risk",
    [
        Risk("cvar", 0.9, 0.5),
        Risk("cvar", 0.7, 1.0),
        Risk("cvar", 0.0, 0.4),
        Risk("cvar", 0.9, 0.0),
        Risk("worst", weight=0.6),
        Risk("worst", weight=1.0),
    ],
    ids=str,
)
def test_objective_is_that_of_the_extensive_form(risk: Risk) -> None:
    plan = solved(risk)
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(by_hand(risk), rel=1e-9)
    assert plan.shown
    assert plan.gap is not None
    assert plan.gap <= 1e-9


def test_what_is_decided_first_is_the_same_in_every_scenario_and_the_rest_may_differ() -> None:
    plan = solved(Risk("cvar", 0.9, 0.1))
    on = [each.decisions.customers_on for each in plan.scenarios]
    assert [each.name for each in plan.scenarios] == ["good", "fair", "bad"]  # the most probable one first
    assert all(np.array_equal(on[0][:, :, 0], other[:, :, 0]) for other in on)
    assert not np.array_equal(on[0][:, :, 1], on[2][:, :, 1])
    assert plan.profit == pytest.approx(sum(p.probability * p.recount.profit for p in plan.scenarios))


def test_extra_capacity_with_a_lead_time_is_ordered_before_the_scenario_is_known() -> None:
    late = {**TABLES, "resources": TABLES["resources"].replace(",1,0", ",1,1")}
    extra = [each.decisions.extra[0] for each in solved(Risk("cvar", 0.9, 0.1), late).scenarios]
    assert all(np.array_equal(extra[0], other) for other in extra)
    assert extra[0][0] == 0.0
    free = [each.decisions.extra[0, 1] for each in solved(Risk("cvar", 0.9, 0.1)).scenarios]
    assert len(set(free)) > 1


def test_certificate_catches_scenarios_that_decide_apart_too_early() -> None:
    plan = solved(Risk("cvar", 0.9, 0.1))
    cases = scenarios()
    question = Question(plan.portfolio, (Capacity(), Risk("cvar", 0.9, 0.1)), Weights(1.0, 1.0, 0.1), cases)
    assert plan.certificate is not None
    assert plan.objective is not None
    decisions = [each.decisions for each in plan.scenarios]
    early = decisions[2].customers_on.copy()
    early[:, :, 0] = early[:, ::-1, 0]
    apart = [*decisions[:2], replace(decisions[2], customers_on=early)]
    for decided, passes in ((decisions, True), (apart, False)):
        verdict = _together(question, [plan.certificate] * 3, decided, plan.objective, plan.objective, None)
        assert verdict.passed is passes


def test_the_value_needs_no_solver() -> None:
    """CVaR of a discrete distribution: the mean of the worst 1 - alpha, part of a case counted in part."""
    worth, p = np.array([10.0, 0.0, -10.0]), np.array([0.5, 0.3, 0.2])
    assert Risk("cvar", 0.8, 1.0).value(worth, p) == pytest.approx(-10.0)
    assert Risk("cvar", 0.6, 1.0).value(worth, p) == pytest.approx((0.2 * -10 + 0.2 * 0) / 0.4)
    assert Risk("worst", weight=1.0).value(worth, p) == -10.0
    assert Risk("cvar", 0.8, 0.0).value(worth, p) == pytest.approx(3.0)


def test_states_the_stored_model(tmp_path: Path, update_golden: bool) -> None:
    model = state(compose(built(TABLES), [Capacity(), Risk()], Weights(1.0, 1.0, 0.1), scenarios()[1:]))
    written = tmp_path / "model.lp"
    model.write(str(written), io_options={"symbolic_solver_labels": True})
    if update_golden:
        GOLDEN.write_text(written.read_text("utf-8"), "utf-8")
    assert written.read_text("utf-8") == GOLDEN.read_text("utf-8")


def test_choices_of_single_levers_are_shared() -> None:
    tables = {
        **DECISION,
        "levers": "lever,choice,scope\nservice,mix,segment\ntariff,single,tier",
        "effects": "segment,lever,option,margin\ngold,tariff,up5,2\nsilver,tariff,up5,1",
        "scenarios": "scenario,probability,target,factor\ngood,0.5,,\nbad,0.5,effects.margin,-0.5",
    }
    spec = ModelSpec("m", "M", Horizon(2, 0.1), components={"risk": Risk("worst", weight=0.5)})
    plan = solve(built(tables), spec, scenarios=build_scenarios(frames(tables), INFO, 2))
    assert plan.status == "optimal"
    one, other = (each.decisions.chosen for each in plan.scenarios)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
