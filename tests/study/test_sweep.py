"""Sweeps: points, what each solves, faults, parallel processes, and going on after a kill."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cpm_opt.cli import app
from cpm_opt.faults import InputError
from cpm_opt.pipeline import solve_problem
from cpm_opt.report import text_of
from cpm_opt.report.sweep import sweep_report
from cpm_opt.runs import find_run, list_runs, read_run
from cpm_opt.study.advice import advice
from cpm_opt.study.base import Base
from cpm_opt.study.points import points_of
from cpm_opt.study.rerun import plan_of, problem_of
from cpm_opt.study.sweep import Call, Sweep
from cpm_opt.study.sweep import sweep as made
from cpm_opt.study.variation import Variation
from tests.study.small_instance import FILES, problem, written

ROOT = Path(__file__).resolve().parents[2]
CAPACITY = "tables.resources[resource=hours].capacity"


def sweep(tmp_path: Path, *words: str) -> Result:
    small = tmp_path / "small"
    if not small.exists():
        written(small)
    call = ["sweep", str(small), "--model", str(small / "model.toml"), "--results", str(tmp_path / "results")]
    return CliRunner().invoke(app, [*call, "--jobs", "1", *words])


def rows(answer: dict) -> list[dict[str, str]]:
    with Path(answer["table"]).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_point_of_a_grid_is_what_a_solve_of_the_changed_tables_finds(tmp_path):
    grid = ["--vary", f"{CAPACITY}=90,40,0", "--vary", "objective.end_value=1,0.25", "--json"]
    result = sweep(tmp_path, *grid)
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    table = rows(answer)
    assert [(row[CAPACITY], row["objective.end_value"]) for row in table] == [
        (capacity, weight) for capacity in ("90", "40", "0") for weight in ("1", "0.25")
    ]
    for row in table:
        resources = FILES["resources.csv"].replace("hours,90", f"hours,{row[CAPACITY]}")
        weight = f"objective.end_value={row['objective.end_value']}"
        alone = solve_problem(problem(tmp_path / "alone", weight, resources=resources))
        assert float(row["objective"]) == pytest.approx(alone.objective, rel=2e-6)
        record = read_run(tmp_path / "results" / row["run"])
        assert record.shown
        assert f"{CAPACITY} = {row[CAPACITY]}" in record.facts["notes"]
        assert record.facts["solver"]["rows"] > 0
    assert len(list_runs(tmp_path / "results")[0]) == 6
    chart = Path(answer["chart"]).read_text()
    assert chart.startswith("<svg")
    assert "Sweep: profit of small" in chart
    assert f"{CAPACITY}, hours" in chart
    logs = [(tmp_path / "results" / row["run"] / "solver.log").read_text() for row in table]
    assert all(logs)
    assert not any(
        one in other for one in logs for other in logs if one is not other
    )  # each has its own alone


def test_a_second_call_solves_nothing_again_and_says_so(tmp_path):
    call = ["--vary", f"{CAPACITY}=90,40", "--out", str(tmp_path / "out"), "--json"]
    first, second = (json.loads(sweep(tmp_path, *call).stdout) for _ in range(2))
    assert (first["solved"], second["solved"]) == (2, 0)
    assert first["points"] == second["points"]
    other = sweep(tmp_path, "--vary", f"{CAPACITY}=90,41", "--out", str(tmp_path / "out"))
    assert other.exit_code == 2
    assert "holds another sweep" in other.stderr
    (tmp_path / "out" / "sweep.json").write_text("{")
    assert "is damaged" in sweep(tmp_path, *call).stderr


def test_runs_that_the_index_does_not_know_are_found_again(tmp_path):
    call = ["--vary", f"{CAPACITY}=90,40,30", "--out", str(tmp_path / "out"), "--json"]
    first = json.loads(sweep(tmp_path, *call).stdout)
    index = tmp_path / "out" / "sweep.json"
    facts = json.loads(index.read_text())
    for point in facts["points"]:
        point["run"] = None
    index.write_text(json.dumps(facts))
    assert json.loads(sweep(tmp_path, *call).stdout)["points"] == first["points"]
    assert len(list_runs(tmp_path / "results")[0]) == 3


@pytest.mark.slow
def test_processes_in_parallel_find_the_same(tmp_path):
    call = ["--vary", f"{CAPACITY}=90,60,40,20", "--vary", "horizon.periods=2,1", "--json"]
    alone = json.loads(sweep(tmp_path, *call, "--results", str(tmp_path / "one")).stdout)
    both = json.loads(sweep(tmp_path, *call, "--jobs", "2").stdout)
    pairs = zip(alone["points"], both["points"], strict=True)
    assert all(a["objective"] == pytest.approx(b["objective"], rel=2e-6) for a, b in pairs)
    assert len({point["run"] for point in both["points"]}) == 8


@pytest.mark.slow
def test_a_sweep_killed_at_any_moment_keeps_every_finished_point(tmp_path):
    small, results = written(tmp_path / "small"), tmp_path / "results"
    values = ",".join(str(value) for value in range(40, 70))
    call = [sys.executable, "-m", "cpm_opt.cli", "sweep", str(small), "--model", str(small / "model.toml")]
    call += ["--vary", f"{CAPACITY}={values}", "--jobs", "2", "--results", str(results), "--json"]
    process = subprocess.Popen(call, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(finished(results)) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1.0)
    before = finished(results)
    assert 5 <= len(before) < 30
    done = subprocess.run(call, cwd=ROOT, capture_output=True, timeout=120, check=True)
    answer = json.loads(done.stdout)
    runs = {point["run"] for point in answer["points"]}
    assert before <= runs
    assert answer["solved"] == 30 - len(before)
    assert runs == finished(results)
    assert all(read_run(results / run).shown for run in runs)


def finished(results: Path) -> set[str]:
    return {path.parent.name for path in results.glob("2*/run.json")}


def test_a_point_that_breaks_the_data_is_told_and_the_others_are_solved(tmp_path):
    result = sweep(tmp_path, "--vary", "tables.migration[from=gold,to=gold].rate=0.7,0.95", "--json")
    assert result.exit_code == 2
    assert "point 2: " in result.stderr
    good, bad = json.loads(result.stdout)["points"]
    assert (good["status"], bad["status"], bad["objective"]) == ("optimal", "faults", None)


def test_points_without_a_plan_are_a_finding(tmp_path):
    rule = "rule,measure,members,sense,value\nmore,margin,all,min,1"
    written(tmp_path / "small", balance=rule)
    key = "tables.balance[rule=more].value"
    mixed = sweep(tmp_path, "--vary", f"{key}=1,9000000", "--json")
    assert mixed.exit_code == 0
    answer = json.loads(mixed.stdout)
    points = answer["points"]
    assert [point["status"] for point in points] == ["optimal", "infeasible"]
    assert [point["certified"] for point in points] == [True, False]
    assert [row["certified"] for row in rows(answer)] == ["true", "false"]
    assert (answer["currency"], answer["money_unit"]) == ("EUR", 1.0)
    told = " ".join(sweep(tmp_path, "--vary", f"{key}=1,9000000").stdout.split())
    why = "no plan keeps all the rules: capacity hours, more"
    assert f"Point 2 has no plan: {why} (run {points[1]['run']})." in told
    assert rows(json.loads(mixed.stdout))[1]["message"] == why
    assert sweep(tmp_path, "--vary", f"{key}=8000000,9000000").exit_code == 3


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        ("solver.sed=1,2", "did you mean 'seed'?"),
        ("components.rsk.weight=1", "no component has this name"),
        ("solver.seed=many", "'many': is not a whole number"),
        ("components.risk.weight=0.5,2", "'2': is above 1"),
        ("tables.resorces.capacity=1", "did you mean 'resources'?"),
        ("tables.factors.factor=1", "the instance has no table factors"),
        ("tables.sales.revenue=1", "is a raw table"),
        ("tables.resources.capacty=1", "did you mean 'capacity'?"),
        ("tables.resources[resorce=hours].capacity=1", "did you mean 'resource'?"),
        ("tables.resources[resource=huors].capacity=1", "did you mean 'hours'?"),
        ("tables.resources[resource=hours,period=2].capacity=1", "it is blank in every row"),
        ("tables.resources.resource=other", "names things, and is no value to vary"),
        ("tables.resources.unit=days,weeks", "column unit of resources is a note for readers"),
        ("tables.levers.scope=all", "vary another column of it: choice, hold\n"),
        ("tables.resources.capacity=lots", "'lots': is not a number"),
        ("tables.resources.capacity=1,-5", "'-5': is negative"),
        ("tables.migration[from=gold].rate=15", "looks like a percent"),
        ("tables.resources.capacity=1..5", "add --sample N"),
        ("tables.resources.capacity=5..1", "is no range"),
        ("tables.resources.capacity=1,,5", "an empty value"),
        ("tables.resources.capacity=1,1", "names '1' twice"),
        ("tables.resources=1", "does not say which cells"),
        ("tables.resources[hours].capacity=1", "selects no rows"),
        ("solver.seed", "has no key or no values"),
    ],
)
def test_a_fault_of_the_call_is_one_line_with_a_remedy(tmp_path, vary, told):
    result = sweep(tmp_path, "--vary", vary)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.glob("results/2*"))


def test_names_with_marks_are_quoted_and_flags_and_words_are_varied(tmp_path):
    odd = FILES["resources.csv"].replace("hours", '"hours, [a]=b"', 1)
    usage = FILES["usage.csv"].replace("hours", '"hours, [a]=b"')
    written(tmp_path / "small", resources=odd, usage=usage)
    key = 'tables.resources[resource="hours, [a]=b"].capacity'
    words = ["--vary", f"{key}=90,10", "--vary", "tables.levers[lever=tariff].hold=1,2", "--json"]
    result = sweep(tmp_path, *words, "--vary", "solver.method=simplex,ipm")
    assert result.exit_code == 0, result.stderr
    points = json.loads(result.stdout)["points"]
    assert len(points) == 8
    objectives = {(p[key], p["tables.levers[lever=tariff].hold"]): p["objective"] for p in points}
    assert objectives[10, 1] < objectives[90, 1]  # numbers in JSON, as in the tables


def test_a_sample_is_seeded_and_without_repetition():
    listed = [Variation("a", ("1", "2", "3")), Variation("b", ("x", "y"))]
    ranged = [*listed, Variation("c", ("0..2",), 0.0, 2.0)]
    assert points_of(listed, 4, 1) == points_of(listed, 4, 1)
    assert len({points_of(listed, 4, seed) for seed in range(20)}) > 5
    assert len(set(points_of(listed, 4, 1))) == 4
    assert sorted(points_of(listed, 99, 1)) == sorted(points_of(listed, None, 0))
    drawn = points_of(ranged, 300, 5)
    assert drawn == points_of(ranged, 300, 5)
    numbers = [float(point[2]) for point in drawn]
    assert 0.0 <= min(numbers) < 0.1 < 1.9 < max(numbers) <= 2.0
    assert {point[:2] for point in drawn} == set(points_of(listed, None, 0))


def test_a_row_of_one_period_stays_as_it_is_unless_it_is_named(tmp_path):
    dated = "resource,capacity,unit,period\nhours,90,hours,\nhours,50,hours,2\n"
    written(tmp_path / "small", resources=dated)

    def capacities(key: str) -> list[float]:
        result = sweep(tmp_path, "--vary", f"{key}=70", "--json")
        assert result.exit_code == 0, result.stderr
        (point,) = json.loads(result.stdout)["points"]
        table = read_run(tmp_path / "results" / point["run"]).table("resources")
        return [float(row["capacity"]) for row in table]

    assert capacities(CAPACITY) == [70.0, 50.0]
    assert capacities("tables.resources.capacity") == [70.0, 50.0]
    assert capacities("tables.resources[resource=hours,period=].capacity") == [70.0, 50.0]
    assert capacities("tables.resources[resource=hours,period=2].capacity") == [90.0, 70.0]


def test_a_point_is_looked_into_with_its_own_cells(tmp_path):
    words = ["--vary", f"{CAPACITY}=40", "--json"]
    (point,) = json.loads(sweep(tmp_path, *words).stdout)["points"]
    run = read_run(tmp_path / "results" / point["run"])
    found = problem_of(run)
    assert found.portfolio.resources.capacity.tolist() == [[40.0, 40.0]]
    deep = CliRunner().invoke(app, ["explain", str(run.path), "--flips", "1"])
    assert deep.exit_code == 0, deep.stderr
    alone = problem(tmp_path / "alone", resources=FILES["resources.csv"].replace("hours,90", "hours,40"))
    plan = plan_of(run, found)
    assert advice(found, plan, point["objective"], 1, 60.0) == advice(
        alone, plan, point["objective"], 1, 60.0
    )


def test_differences_within_the_gap_are_told_to_tell_nothing(tmp_path):
    small = problem(tmp_path / "small")
    found = made(
        small, Call("small", Base(str(tmp_path / "small" / "model.toml")), (f"{CAPACITY}=90,91",), tmp_path)
    )
    wide = [{**row, "gap": 0.1, "bound": 2.0 * float(row["objective"])} for row in found.rows]

    def told(swept: Sweep) -> str:
        return " ".join(text_of(sweep_report(swept), io.StringIO()).split())

    assert "best plan" in told(found)
    assert "short of" not in told(found)
    open_one = told(replace(found, rows=tuple(wide)))
    assert "may be short of the best by up to 10%" in open_one
    assert "2 of 2 points may be the best" in open_one
    assert "best within its gap" in open_one
    assert "best plan" not in open_one


def test_the_last_run_is_no_point_of_a_study(tmp_path):
    results = tmp_path / "results"
    assert sweep(tmp_path, "--vary", f"{CAPACITY}=90,40").exit_code == 0
    with pytest.raises(InputError, match=r"is one of `cpm solve`.*name the run, such as 2"):
        find_run(results, "last")
    small = str(tmp_path / "small")
    words = [small, "--model", f"{small}/model.toml", "--results", str(results), "--json"]
    solved = json.loads(CliRunner().invoke(app, ["solve", *words]).stdout)
    assert sweep(tmp_path, "--vary", "solver.seed=1").exit_code == 0
    traced = CliRunner().invoke(app, ["frontier", *words, "--versus", "use:hours", "--points", "2"])
    assert traced.exit_code == 0, traced.stderr
    assert find_run(results, "last").path == Path(solved["run"])
    studies = {run.id: run.study for run in list_runs(results)[0]}
    assert sorted(set(studies.values())) == ["", "frontier", "sweep"]
    listed = json.loads(CliRunner().invoke(app, ["runs", "--results", str(results), "--json"]).stdout)
    assert {each["run"]: each["study"] or "" for each in listed["runs"]} == studies


# Without patience, processes that are at work are told to end at once.
PATIENCE = "from cpm_opt.study import workers; workers.ENDING = {}; from cpm_opt.cli import main; main()"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes as Linux shows them")
@pytest.mark.parametrize(("at_work", "patience"), [(False, 3.0), (True, 0.0)], ids=["starting", "at work"])
def test_ctrl_c_in_parallel_ends_quietly(tmp_path, at_work, patience):
    """A terminal sends it to all processes of the call; whatever they do then, Python says nothing of its own."""
    small, results = written(tmp_path / "small"), tmp_path / "results"
    call = [
        sys.executable,
        "-c",
        PATIENCE.format(patience),
        "sweep",
        str(small),
        "--model",
        str(small / "model.toml"),
    ]
    call += [
        "--vary",
        f"{CAPACITY}={','.join(map(str, range(500)))}",
        "--jobs",
        "2",
        "--results",
        str(results),
    ]
    process = subprocess.Popen(call, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if len(finished(results)) > 5 if at_work else len(children.read_text().split()) > 2:
            break
        time.sleep(0.005)
    time.sleep(0.0 if at_work else 0.3)  # Python has started in them, and imports what it needs
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, b"cpm: stopped\n")
