"""Flip points are checked by solving on both sides of them, the value of knowing by quadrature over solves, and the
nearest alternative against a solve with the choice forbidden; none of these use the code that they check."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cpm_opt.formulation.components import Pins
from cpm_opt.pipeline import Problem, read_problem
from cpm_opt.portfolio.portfolio import Flow, Portfolio
from cpm_opt.solve.plan import Plan
from cpm_opt.solve.session import Session
from cpm_opt.study.advice import Advice, Choice, advice
from cpm_opt.study.flip import Curve, Point, flip, worth_of_knowing
from tests.study import plans
from tests.study.small_instance import FILES, SCENARIOS, problem

EFFECTS = "segment,lever,option,margin,margin_se\ngold,service,plus,{},1.5\nsilver,service,plus,{},0.5\n"
EFFECTS += "gold,tariff,up5,{},4\nsilver,tariff,up5,{},\n"


def read(folder: Path, seed: int, **changed: str) -> Problem:
    """The small instance with drawn effects; many of its choices are close."""
    rng = np.random.default_rng(seed)
    drawn = (rng.uniform(-12, 4), rng.uniform(-3, 1), rng.uniform(0, 12), rng.uniform(-1, 3))
    return problem(
        folder, "solver.mip_gap=1e-9", effects=EFFECTS.format(*(round(x, 2) for x in drawn)), **changed
    )


def solved(session: Session, asked: Problem) -> Plan:
    plan = session.solve(asked.portfolio, None, asked.scenarios)
    assert plan.shown
    return plan


def looked_into(asked: Problem, plan: Plan) -> Advice:
    assert plan.decisions is not None
    assert plan.objective is not None
    return advice(asked, plan.decisions, plan.objective, 9, 60.0)


def who(p: Portfolio, choice: Choice) -> np.ndarray:
    lever = next(lever for lever in p.levers if lever.name == choice.lever)
    if lever.single:
        return np.flatnonzero(lever.group_of == lever.groups.index(choice.who))
    return np.array([p.segments.index(choice.who)])


def shifted(asked: Problem, choice: Choice, shift: float) -> Portfolio:
    """The portfolio in which the option that the flip is about earns `shift` more."""
    p = asked.portfolio
    margin = p.flows["margin"]
    effects = margin.per_option.copy()
    effects[who(p, choice), p.options.index(choice.about)] += shift
    return replace(p, flows={**p.flows, "margin": Flow(margin.per_customer, effects)})


def on_it(plan: Plan, choice: Choice) -> float:
    """Customers on that option."""
    assert plan.decisions is not None
    p = plan.portfolio
    return float(plan.decisions.customers_on[who(p, choice), p.options.index(choice.about)].sum())


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_the_choice_stands_on_one_side_of_its_flip_and_is_gone_on_the_other(
    tmp_path: Path, seed: int
) -> None:
    asked = read(tmp_path / "small", seed)
    with Session(asked.spec) as session:
        plan = solved(session, asked)
        found = looked_into(asked, plan)
        flips = [choice for choice in found.choices if choice.flip is not None]
        assert flips
        for choice in flips:
            assert choice.flip is not None
            assert choice.begins is not None
            gone, begins = choice.flip - choice.effect, choice.begins - choice.effect
            kept = on_it(plan, choice)
            near = 1e-3 * max(1.0, abs(choice.flip))
            sides = [
                on_it(session.solve(shifted(asked, choice, gone + side)), choice) for side in (-near, near)
            ]
            assert sides[0] == pytest.approx(0.0, abs=1e-6), (choice, sides)
            assert sides[1] > 1e-3, (choice, sides)
            if choice.about == choice.option:  # gone and begins lie below the estimate
                assert gone <= begins <= 0.0
                inside = session.solve(shifted(asked, choice, begins + near)) if begins < -near else plan
                assert on_it(inside, choice) >= kept - 1e-6
                assert on_it(session.solve(shifted(asked, choice, begins - near)), choice) < kept
            else:
                assert gone >= 0.0
                assert kept == 0.0


def test_the_lenders_rates_flip_where_they_are_said_to(tmp_path: Path) -> None:
    asked = read_problem("consumer-credit", None, ["solver.mip_gap=1e-9"])
    with Session(asked.spec) as session:
        plan = solved(session, asked)
        flips = [choice for choice in looked_into(asked, plan).choices if choice.flip is not None]
        assert len(flips) == 3
        for choice in flips:
            assert choice.flip is not None
            assert choice.worth_knowing is not None  # these effects are estimates with standard errors
            for side in (-0.01, 0.01):
                moved = shifted(asked, choice, choice.flip - choice.effect + side * choice.error)
                assert (on_it(session.solve(moved), choice) > 1e-6) == (side > 0.0), choice


@pytest.mark.parametrize("seed", [1])
def test_the_nearest_alternative_is_the_best_plan_with_the_choice_forbidden(
    tmp_path: Path, seed: int
) -> None:
    asked = read(tmp_path / "small", seed)
    with Session(asked.spec) as session:
        plan = solved(session, asked)
    for choice in looked_into(asked, plan).choices[:3]:
        pins = Pins((), (f"{choice.lever}={choice.option}@{choice.who}",))
        spec = replace(asked.spec, components={**asked.spec.components, "pins": pins})
        with Session(spec) as session:
            other = session.solve(asked.portfolio)
        assert (choice.cost is None) == (other.objective is None)
        if choice.cost is not None and other.objective is not None and plan.objective is not None:
            assert choice.cost == pytest.approx(plan.objective - other.objective, abs=1e-4)


def test_the_worth_of_knowing_is_what_quadrature_over_solves_finds(tmp_path: Path) -> None:
    asked = read(tmp_path / "small", 3)
    nodes = np.linspace(-5.0, 5.0, 61)
    weights = np.exp(-0.5 * nodes**2)
    with Session(asked.spec) as session:
        plan = solved(session, asked)
        told = [choice for choice in looked_into(asked, plan).choices if (choice.worth_knowing or 0.0) > 1.0]
        assert told
        for choice in told[:1]:
            assert choice.worth_at_least is not None
            values = [session.solve(shifted(asked, choice, choice.error * z)).objective for z in nodes]
            mean = float(np.dot(weights, values) / weights.sum())
            assert plan.objective is not None
            assert mean - plan.objective == pytest.approx(choice.worth_knowing, rel=0.03)
            assert choice.worth_at_least <= choice.worth_knowing


def test_errors_of_a_groups_segments_are_told_as_independent_and_as_large_as_they_can_be(
    tmp_path: Path,
) -> None:
    levers = {
        "levers": "lever,choice,scope\nfee,single,all",
        "options": "lever,option,base\nfee,keep,true\nfee,up,false",
    }

    def told(name: str, segments: str, effects: str) -> Choice:
        tables = {"segments": f"segment,customers,margin\n{segments}", **levers}
        tables["effects"] = f"segment,lever,option,margin,margin_se\n{effects}"
        asked = plans.problem(tmp_path / name, tables, "switching")
        with Session(asked.spec) as session:
            (choice,) = looked_into(asked, solved(session, asked)).choices
        return choice

    two = told("two", "a,100,5\nb,300,5", "a,fee,up,3,4\nb,fee,up,3,2")
    assert two.error == pytest.approx(np.hypot(0.25 * 4.0, 0.75 * 2.0))
    assert two.error_most == pytest.approx(0.25 * 4.0 + 0.75 * 2.0)
    one = told("one", "a,400,5", "a,fee,up,3,2.5")
    assert one.error == one.error_most == 2.5
    assert two.worth_knowing_most == pytest.approx(one.worth_knowing, rel=1e-6)
    assert (two.worth_knowing or 0.0) < 0.6 * (two.worth_knowing_most or 0.0)
    assert told("none", "a,400,5", "a,fee,up,3,").error is None


def test_under_scenarios_only_alternatives_are_told(tmp_path: Path) -> None:
    model = FILES["model.toml"] + "[components.risk]\nmeasure = 'cvar'\nalpha = 0.5\nweight = 0.5\n"
    folder = tmp_path / "small"
    asked = read(folder, 0, scenarios=SCENARIOS)
    (folder / "model.toml").write_text(model)
    asked = read_problem(folder, folder / "model.toml")
    with Session(asked.spec) as session:
        plan = solved(session, asked)
    found = looked_into(asked, plan)
    assert not found.flips
    assert all(choice.flip is None for choice in found.choices)
    assert any(choice.cost for choice in found.choices)


def test_time_that_runs_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = read(tmp_path / "small", 0)
    with Session(asked.spec) as session:
        plan = solved(session, asked)
    from cpm_opt.solve.engine import OutOfTime
    from cpm_opt.solve.probe import Probe

    best, calls = Probe.best, []

    def slow(self: Probe, *words: object, **more: object) -> object:
        calls.append(time.monotonic())
        if len(calls) > 3:
            raise OutOfTime("test")
        return best(self, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Probe, "best", slow)
    found = looked_into(asked, plan)
    assert found.out_of_time
    assert found.left > 0


def line(values: dict[float, float]) -> tuple[Curve, list[tuple[float, float]]]:
    """A curve that is the largest of some lines `slope: value at 0`."""

    def ask(shift: float) -> Point:
        slope = max(values, key=lambda each: (values[each] + each * shift, each))
        return Point(shift, values[slope] + slope * shift, slope)

    return Curve(ask, (), 1e-12), sorted(values.items())


@pytest.mark.parametrize("seed", range(20))
def test_the_worth_of_knowing_is_bounded_on_both_sides(seed: int) -> None:
    rng = np.random.default_rng(seed)
    slopes = [0.0, *rng.uniform(1, 50, 4)]
    curve, lines = line({slope: float(rng.uniform(-30, 0)) for slope in slopes})
    now, error = curve(0.0), float(rng.uniform(0.2, 3))
    start = curve(100.0)
    without = dict(lines)[0.0]
    gone = flip(curve, start, without)
    low, high = worth_of_knowing(curve, now, without, gone, error, max(slopes), 100)
    draws = np.linspace(-8, 8, 200_001)
    density = np.exp(-0.5 * draws**2)
    value = np.max([at + slope * error * draws for slope, at in lines], axis=0)
    true = float(density @ value / density.sum()) - now.value
    assert low - 1e-6 <= true <= high + 1e-6
    assert high - low <= 0.03 * max(high, 1e-3)
