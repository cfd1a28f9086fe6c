"""Rolling forward: the whole way from a plan over actuals to the next plan, on shipped and on small instances."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.faults import InputError
from cpm_opt.pipeline import check_instance, solve_instance, solve_problem
from cpm_opt.runs import RunRecord, read_run, write_run
from cpm_opt.study.base import run_facts_of
from cpm_opt.study.monitor.monitor import monitor
from cpm_opt.study.monitor.plan import PlannedRun, read_plan
from cpm_opt.study.monitor.roll import MODEL_FILE, roll, staying
from cpm_opt.study.monitor.roll_model import pin_text
from cpm_opt.toml_file import toml_document
from tests.study.happened import as_planned, written
from tests.study.small_instance import problem

ROOT = Path(__file__).resolve().parents[2]


def cpm(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file()
    }


def rest_of(plan: PlannedRun, passed: int) -> float:
    """What the old plan is worth from period `passed` + 1 on, in money of that period."""
    counted = plan.recount
    profit = sum(float(flow[passed:] @ counted.discount[passed:-1]) for flow in counted.money.values())
    return (profit + counted.end_value) / float(counted.discount[passed])


@pytest.mark.parametrize("name", [pytest.param("bank-clients", marks=pytest.mark.slow), "cdnow"])
def test_a_period_as_planned_leaves_the_rest_of_the_plan_the_best_one(name, tmp_path):
    """The principle of optimality: what is left of a best plan is a best plan of what is left."""
    before = hashes(ROOT / "instances" / name)
    record = read_run(Path(json.loads(cpm("solve", name, "--results", tmp_path / "runs", "--json"))["run"]))
    plan = read_plan(record)
    actuals = written(tmp_path / "actuals", as_planned(plan, 0))
    answer = json.loads(
        cpm("monitor", record.path, "--actuals", actuals, "--roll", tmp_path / "next", "--json")
    )
    (period,) = answer["periods"]
    assert period["complete"]
    assert {name: step for name, step in period["variances"].items() if step} in ({}, {"migration": None})
    assert period["planned"] == period["actual"]
    assert not any(answer["value"]["variances"].values())
    assert not any(row["flagged"] for row in answer["forecasts"])
    assert answer["estimate_again"] == []
    assert check_instance(tmp_path / "next")[0] == []
    later = solve_instance(tmp_path / "next", tmp_path / "next" / MODEL_FILE)
    assert later.objective == pytest.approx(rest_of(plan, 1), rel=1e-8)
    if name == "cdnow":  # and over the instance's own horizon
        assert solve_instance(tmp_path / "next").status == "optimal"
    assert hashes(ROOT / "instances" / name) == before


def small_run(tmp_path: Path, *settings: str, periods: int = 4, **tables: str) -> RunRecord:
    read = problem(tmp_path / "small", f"horizon.periods={periods}", *settings, **tables)
    return write_run(tmp_path / "results", solve_problem(read), run_facts_of(read, read.spec))


TABLES = {
    "levers": "lever,choice,scope,hold\nservice,mix,segment,\ntariff,single,tier,2\n",
    "options": "lever,option,base,change_cost\nservice,basic,true,\nservice,plus,false,1.5\ntariff,keep,true,\n"
    "tariff,up5,false,\n",
    "resources": "resource,capacity,unit,extra_capacity,extra_cost,lead_time,capacity_cost,period\n"
    "hours,90,hours,20,3,1,0.5,\nhours,70,hours,40,2,1,0.5,4\n",
    "arrivals": "segment,period,customers\nlater,1,10\nlater,2,12\nlater,3,14\n",
    "factors": "target,period,factor,segment\nsegments.margin,1,1.1,gold\nsegments.margin,3,1.2,\n"
    "resources.capacity,2,0.9,\nresources.capacity,3,0.6,\n",
    "balance": "rule,measure,members,sense,value,first_period,last_period\nearly,customers,all,min,300,1,1\n"
    "always,customers,all,min,200,,\nlate,customers,gold,min,20,3,4\n",
}


@pytest.mark.parametrize("passed", [1, 2])
def test_everything_with_a_period_moves_with_it(passed, tmp_path):
    record = small_run(tmp_path, "components.cash={opening=500.0, credit_limit=90000.0}", **TABLES)
    plan = read_plan(record)
    tables = {}
    for t in range(passed):
        written(tmp_path / f"a{t}", as_planned(plan, t), t + 1)
        tables[t] = tmp_path / f"a{t}"
    found = monitor(record, tables[passed - 1])
    rolled = roll(found, tmp_path / "next")
    later = solve_instance(tmp_path / "next", tmp_path / "next" / MODEL_FILE)
    # A hold of two periods after one is counted anew (and told), so the rest of the old plan may not be open to it.
    if passed == 2:
        assert not any("holds" in note for note in rolled.notes)
        assert later.objective == pytest.approx(rest_of(plan, passed), rel=1e-8)
    else:
        assert any("tariff holds for 2 quarters" in note for note in rolled.notes)
        assert later.objective <= rest_of(plan, passed) * (1 + 1e-8)
        pins = tomllib.loads((tmp_path / "next" / MODEL_FILE).read_text("utf-8"))["components"]["pins"]
        assert pins["fix"][0].startswith("tariff=")
    assert later.portfolio.periods == 4 - passed
    p, old = later.portfolio, plan.portfolio
    assert p.customers == pytest.approx(plan.recount.customers[:, passed])
    assert p.arrivals == pytest.approx(old.arrivals[:, passed:])
    assert p.flows["margin"].per_customer == pytest.approx(old.flows["margin"].per_customer[:, passed:])
    assert plan.decisions.extra[:, passed].any()
    ordered = np.zeros_like(old.resources.capacity)
    ordered[:, passed] = plan.decisions.extra[:, passed]
    assert p.resources.capacity == pytest.approx((old.resources.capacity + ordered)[:, passed:])
    rules = {rule.name: (rule.first, rule.last) for rule in p.balance}
    assert rules == {"always": (1, 4 - passed), "late": (3 - passed, 4 - passed)}
    assert any(note.startswith("balance: over and left out: early") for note in rolled.notes)
    assert p.name == f"small-from-{passed + 1}"
    assert p.title == f"A small one, from quarter {passed + 1}"


def test_an_instance_can_be_rolled_again_and_at_the_end_of_the_plan(tmp_path):
    record = small_run(tmp_path, periods=1)
    plan = read_plan(record)
    found = monitor(record, written(tmp_path / "a", as_planned(plan, 0)))
    rolled = roll(found, tmp_path / "next")
    assert rolled.periods_left == 0
    assert MODEL_FILE not in rolled.files
    again = solve_instance(tmp_path / "next", tmp_path / "small" / "model.toml")
    assert again.status == "optimal"
    assert (
        "# Rolled forward by `cpm monitor` after quarter 1 of run"
        in (tmp_path / "next" / "instance.toml").read_text()
    )


def test_the_place_must_be_new_and_the_ends_known(tmp_path):
    record = small_run(tmp_path)
    actuals = written(tmp_path / "a", as_planned(read_plan(record), 0))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("keep")
    done = CliRunner().invoke(
        app, ["monitor", str(record.path), "--actuals", str(actuals), "--roll", str(tmp_path / "taken")]
    )
    assert done.exit_code == 2
    assert "--roll" in done.stderr
    assert "is there already" in done.stderr
    (tmp_path / "a" / "actual_customers.csv").write_text("segment,start,end\ngold,100,80\n")
    (tmp_path / "a" / "actual_moves.csv").unlink()
    with pytest.raises(InputError, match="not known of segment 'later' and 1 more"):
        roll(monitor(record, actuals), tmp_path / "next")
    assert not (tmp_path / "next").exists()


@pytest.mark.parametrize("seed", range(30))
def test_those_who_stay_are_no_more_than_there_were_and_no_more_than_there_are(seed):
    rng = np.random.default_rng(seed)
    on, wanted = rng.uniform(0, 50, (2, 4, 3)) * rng.integers(0, 2, (2, 4, 3))
    ends = rng.uniform(0, 120, 4)
    wanted *= (ends / np.maximum(wanted.sum(axis=1), 1e-9))[:, None]
    found = staying(on, wanted, ends)
    assert (found <= on + 1e-9).all()
    assert (found.sum(axis=1) <= ends + 1e-9).all()
    assert found.sum(axis=1) == pytest.approx(np.minimum(on.sum(axis=1), ends))
    # Nobody who is wanted where they are counts as gone: the plan's next step costs no change that was not one before.
    newly = np.maximum(0.0, wanted - found)
    assert newly == pytest.approx(np.maximum(0.0, wanted - on))


def test_pins_and_models_are_written_as_they_are_read(tmp_path):
    from cpm_opt.formulation.pinned import parse_pin

    words = parse_pin("fix", pin_text('a"b=c', "up:5", "tier@x", 2, 3))
    assert (words.lever, words.option, words.group, words.first, words.last) == (
        'a"b=c',
        "up:5",
        "tier@x",
        2,
        3,
    )
    import tomllib

    document = {
        "title": 'x\n"y" \u2603 \U0001f600',
        "components": {"a b": {"k": [1, "z"]}, "empty": {}},
        "on": {"f": 1e-06, "g": True},
    }
    assert tomllib.loads(toml_document(document)) == document
    assert tomllib.loads(toml_document({"a": {"b": None, "c": 1}})) == {"a": {"c": 1}}
