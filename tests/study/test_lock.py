"""Locks keep what an earlier run chose, in whole or in part (shares, where a choice is a mix); their cost is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cpm_opt.faults import InputError
from cpm_opt.formulation.components import Pins
from cpm_opt.pipeline import Problem, solve_problem
from cpm_opt.runs import RunRecord, write_run
from cpm_opt.solve.plan import Plan
from cpm_opt.study.base import run_facts_of
from cpm_opt.study.lock import locked, parse_lock
from cpm_opt.study.rerun import decisions_of, problem_of
from tests.study.small_instance import FILES, problem

SCARCE = FILES["resources.csv"].replace("hours,90", "hours,60")


@pytest.fixture(scope="module")
def last(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunRecord, Problem, Plan]:
    """A results folder with one run, its problem and plan."""
    folder = tmp_path_factory.mktemp("last")
    asked = problem(folder / "small")
    plan = solve_problem(asked)
    run = write_run(folder, plan, run_facts_of(asked, asked.spec))
    return folder, run, asked, plan


def shares(plan: Plan) -> np.ndarray:
    assert plan.decisions is not None
    assert plan.recount is not None
    starts = plan.recount.customers[:, None, :-1]
    return np.where(starts > 0.0, plan.decisions.customers_on / np.where(starts > 0.0, starts, 1.0), 0.0)


def changed(folder: Path, *locks: str, results: Path, **tables: str) -> Plan:
    """The plan under locks of an instance that has changed since: fewer hours, another effect of the tariff."""
    asked = problem(folder / "small", resources=SCARCE, **tables)
    return solve_problem(locked(asked, locks, results))


def test_the_whole_plan_is_kept_where_nothing_changed(last, tmp_path: Path) -> None:
    folder, run, asked, plan = last
    again = solve_problem(locked(asked, ["last"], folder))
    assert again.objective == pytest.approx(plan.objective, rel=1e-7)
    assert again.decisions is not None
    assert np.allclose(again.decisions.customers_on, plan.decisions.customers_on, atol=1e-4)
    assert again.pins is not None
    assert (again.pins.names, again.pins.biting) == ((f"lock {run.id}",), ())
    assert np.array_equal(decisions_of(run, asked.portfolio).chosen[1], plan.decisions.chosen[1])


def test_a_part_is_kept_and_the_rest_moves(last, tmp_path: Path) -> None:
    folder, run, _, plan = last
    other = FILES["effects.csv"].replace("gold,service,plus,-6", "gold,service,plus,-60")
    free = changed(tmp_path, results=folder, effects=other)
    kept = changed(tmp_path, f"service={run.id}@gold:2", results=folder, effects=other)
    gold, plus = kept.portfolio.segments.index("gold"), kept.portfolio.options.index("plus")
    assert shares(plan)[gold, plus, 1] > 0.5 > shares(free)[gold, plus, 1]
    assert shares(kept)[gold, plus, 1] == pytest.approx(shares(plan)[gold, plus, 1], abs=1e-6)
    assert shares(kept)[gold, plus, 0] == pytest.approx(shares(free)[gold, plus, 0], abs=1e-6)
    assert kept.pins is not None
    assert kept.pins.biting == (f"lock service={run.id}@gold:2-2",)
    assert kept.pins.objective == pytest.approx(free.objective)
    assert kept.objective is not None
    assert free.objective is not None
    assert kept.objective < free.objective - 1.0


def test_a_lock_of_choices_is_the_pins_that_say_the_same(last, tmp_path: Path) -> None:
    folder, _, _, plan = last
    asked = problem(tmp_path / "small", resources=SCARCE)
    p = plan.portfolio
    lever = next(lever for lever in p.levers if lever.single)
    chosen = plan.decisions.chosen[p.levers.index(lever)]
    fix = tuple(
        f"{lever.name}={p.options[chosen[g, t]]}@{group}:{t + 1}"
        for g, group in enumerate(lever.groups)
        for t in range(p.periods)
    )
    spec = replace(asked.spec, components={**asked.spec.components, "pins": Pins(fix)})
    by_pins = solve_problem(replace(asked, spec=spec))
    by_lock = solve_problem(locked(asked, [f"{lever.name}=last"], folder))
    assert by_lock.objective == pytest.approx(by_pins.objective, rel=1e-9)


def test_periods_of_a_plan_that_began_earlier(last, tmp_path: Path) -> None:
    folder, run, asked, plan = last
    found = locked(asked, ["service=last:1+1"], folder).spec.components["locked"]
    gold = asked.portfolio.segments.index("gold")
    mine = [asked.portfolio.options.index(option) for option in ("basic", "plus")]
    assert found.share[gold, mine, 0] == pytest.approx(shares(plan)[gold, mine, 1])
    assert np.isnan(found.share[:, :, 1]).all()
    assert found.locks == (f"service={run.id}:1-1+1",)


def test_a_pin_goes_before_a_lock(last, tmp_path: Path) -> None:
    folder, _, asked, plan = last
    p = asked.portfolio
    tariff = next(number for number, lever in enumerate(p.levers) if lever.single)
    now = p.options[plan.decisions.chosen[tariff][0, 0]]
    group = p.levers[tariff].groups[0]
    pins = Pins((), (f"tariff={now}@{group}:1",))
    spec = replace(asked.spec, components={**asked.spec.components, "pins": pins})
    found = locked(replace(asked, spec=spec), ["last"], folder).spec.components["locked"]
    assert found.chosen[tariff][0].tolist() == [-1, plan.decisions.chosen[tariff][0, 1]]


def test_locks_that_cannot_be_kept_are_named_in_the_conflict(last, tmp_path: Path) -> None:
    folder, run, _, _ = last
    none_left = "resource,capacity,unit\nhours,0,hours\n"
    asked = problem(tmp_path / "small", resources=none_left)
    plan = solve_problem(locked(asked, ["service=last"], folder))
    assert plan.status == "infeasible"
    assert any(f"lock service={run.id}" in each for each in plan.conflict), plan.conflict


def test_a_run_with_locks_is_read_again_with_them(last, tmp_path: Path) -> None:
    folder, run, asked, _ = last
    held = locked(asked, ["tariff=last"], folder)
    again = write_run(folder, solve_problem(held), run_facts_of(held, held.spec))
    assert again.facts["model"]["components"]["locked"] == {"locks": [f"tariff={run.id}"]}
    read = problem_of(again)
    assert read.spec.components["locked"].locks == (f"tariff={run.id}",)
    assert {**read.spec.resolved(), "name": ""} == {**held.spec.resolved(), "name": ""}
    again.path.rename(folder.parent / again.id)  # `last` is the first run again for the other tests


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("a=b=c", "cannot be read"),
        ("last:3-2", "no periods in that order"),
        ("last:1-3", "there is no period 3"),
        ("last:1-2+1", "has 2 periods only; lock at most :1-1+1"),
        ("last+1", "is no run"),
        ("tarif=last", "lever 'tarif' is not in the instance; did you mean 'tariff'?"),
        ("tariff=last@gold", "'gold' is no group of the lever"),
        ("last@nobody", "no group of any lever"),
        ("tariff=last@nobody:1-9", "there is no period 9"),
        ("tariff=last@nobody:1-9", "'nobody' is no group of the lever"),
        ("nosuch", "is no run"),
    ],
)
def test_faults_of_a_lock(last, text: str, words: str) -> None:
    folder, _, asked, _ = last
    with pytest.raises(InputError) as caught:
        locked(asked, [text], folder)
    assert words in "\n".join(fault.line() for fault in caught.value.faults)


def test_what_the_instance_no_longer_has_is_a_fault(last, tmp_path: Path) -> None:
    folder, _, _, _ = last
    options = FILES["options.csv"].replace("up5", "up6")
    effects = FILES["effects.csv"].replace("up5", "up6")
    moves = FILES["migration_effects.csv"].replace("up5", "up6")
    asked = problem(tmp_path / "small", options=options, effects=effects, migration_effects=moves)
    with pytest.raises(InputError, match="on option 'up5' of lever 'tariff', which is not offered now"):
        locked(asked, ["last"], folder)
    levers = FILES["levers.csv"] + "extra,mix,segment\n"
    more = FILES["options.csv"] + "extra,none,true\n"
    with pytest.raises(InputError, match="lever 'extra' is not in run"):
        locked(problem(tmp_path / "small", levers=levers, options=more), ["last"], folder)


def test_names_with_marks_in_them_are_quoted() -> None:
    words = parse_lock('"a=b"="/runs/x:1"@"c@d":2-3+1')
    assert not hasattr(words, "remedy")
    assert (words.lever, words.run, words.group, words.first, words.last, words.later) == (
        "a=b", "/runs/x:1", "c@d", 2, 3, 1,
    )  # fmt: skip
    assert words.named("id") == '"a=b"=id@"c@d":2-3+1'
