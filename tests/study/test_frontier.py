"""Frontiers: ends that are the two single optima, points that none beats, faults; and the chart."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.pipeline import Problem, solve_problem
from cpm_opt.portfolio.portfolio import BalanceRule
from cpm_opt.report import explain, text_of
from cpm_opt.report.frontier import frontier_report
from cpm_opt.runs import read_run
from cpm_opt.solve.solve import solve
from cpm_opt.study.frontier import Call, Frontier, Point, frontier, undominated
from tests.study.small_instance import SCENARIOS, problem, written


def traced(read: Problem, tmp_path: Path, versus: str, points: int = 6, sense: str = "") -> Frontier:
    return frontier(read, Call(versus, "all", sense, points, tmp_path / "results"))


def bounded(read: Problem, measure: str, resource: int, sense: str, value: float, period: int) -> object:
    """The best plan under a rule of table balance, which the frontier itself does not use."""
    p = read.portfolio
    rule = BalanceRule(
        "bound", measure, resource, "all", p.active, sense, value, "amount", period, period, None, None
    )
    return solve(replace(p, balance=(*p.balance, rule)), read.spec)


@pytest.mark.parametrize(("measure", "sense", "settings"), [
    ("customers", "min", ()),
    ("margin", "min", ("horizon.periods=1",)),
    ("use:hours", "max", ("horizon.periods=1", "components.capacity={}")),
])  # fmt: skip
def test_the_ends_are_the_two_single_optima_and_no_point_is_beaten(tmp_path, measure, sense, settings):
    read = problem(tmp_path / "small", *settings)
    found = traced(read, tmp_path, measure)
    assert found.status == "done"
    assert found.missed == 0
    first, last = found.points[0], found.points[-1]
    assert first.objective == pytest.approx(solve_problem(read).objective, rel=1e-9)
    periods, step = read.portfolio.periods, 1e-4 if sense == "min" else -1e-4
    resource = 0 if measure == "use:hours" else -1

    def at(value: float) -> object:
        return bounded(read, measure, resource, sense, value, periods)

    # The last end has the best measure of all plans, and of these plans it is the best.
    assert at(last.measure + step).status == "infeasible"
    assert at(last.measure - step * 1e-3).objective == pytest.approx(last.objective, rel=1e-6)
    # Of the plans with the best objective, the first end has the best measure.
    assert at(first.measure + step).objective < first.objective
    gain = [point.measure * np.sign(step) for point in found.points]
    assert gain == sorted(gain)
    assert len(set(gain)) == len(gain)
    objective = [point.objective for point in found.points]
    assert objective == sorted(objective, reverse=True)
    assert len(set(objective)) == len(objective) > 2


def test_every_point_is_a_certified_run_and_the_table_holds_them(tmp_path):
    small = written(tmp_path / "small")
    call = [
        "frontier",
        str(small),
        "--model",
        str(small / "model.toml"),
        "--versus",
        "customers",
        "--points",
        "4",
    ]
    result = CliRunner().invoke(app, [*call, "--results", str(tmp_path / "results"), "--json"])
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert [point["point"] for point in answer["points"]] == [1, 2, 3, 4]
    assert (answer["currency"], answer["money_unit"]) == ("EUR", 1.0)
    deep = explain(read_run(tmp_path / "results" / answer["points"][1]["run"]))
    flips = next(part for part in deep.sections if part.name == "flips")
    assert "under which nothing is solved again" in flips.sentences[0]
    for point in answer["points"]:
        record = read_run(tmp_path / "results" / point["run"])
        assert record.shown
        assert record.facts["objective"] == pytest.approx(point["objective"], rel=1e-9)
        rows = record.table("segments")
        ends = sum(
            float(row["customers"]) for row in rows if row["period"] == "3" and row["segment"] != "later"
        )
        assert ends == pytest.approx(point["measure"], rel=1e-7)
    assert len(Path(answer["table"]).read_text().splitlines()) == 5
    chart = Path(answer["chart"]).read_text()
    assert chart.startswith("<svg")
    assert "Frontier: customers at the end" in chart
    told = CliRunner().invoke(app, [*call, "--results", str(tmp_path / "results")])
    assert "The most that any plan reaches is" in told.stdout


def test_nothing_to_trade_is_one_point(tmp_path):
    costly = "segment,lever,option,margin\ngold,service,plus,-6\nsilver,service,plus,-1"
    useless = "from,to,lever,option,rate\ngold,gold,tariff,up5,-0.1"
    read = problem(tmp_path / "small", effects=costly, migration_effects=useless)
    found = traced(read, tmp_path, "use:hours")
    assert [point.measure for point in found.points] == pytest.approx([0.0], abs=1e-6)


def test_risk_against_the_mean(tmp_path):
    read = problem(tmp_path / "small", "components.risk.alpha=0.5", scenarios=SCENARIOS)
    found = traced(read, tmp_path, "risk", 5)
    assert found.points
    means, bads = [point.objective for point in found.points], [point.measure for point in found.points]
    assert means == sorted(means, reverse=True)
    assert bads == sorted(bads)
    mean_alone = solve_problem(problem(tmp_path / "m", "components.risk.weight=0", scenarios=SCENARIOS))
    risk_alone = solve_problem(
        problem(tmp_path / "r", "components.risk.weight=1", "components.risk.alpha=0.5", scenarios=SCENARIOS)
    )
    assert means[0] == pytest.approx(mean_alone.objective, rel=1e-6)
    assert bads[-1] == pytest.approx(risk_alone.objective, rel=1e-6)


def test_undominated_drops_what_another_beats():
    def point(measure: float, objective: float) -> Point:
        return Point(measure, None, objective, None)  # type: ignore[arg-type]

    points = [point(1, 9), point(2, 9), point(3, 5), point(2.5, 4), point(4, 5 - 1e-12), point(1, 9)]
    assert [(each.measure, round(each.objective, 6)) for each in undominated(points, True)] == [
        (2, 9),
        (4, 5),
    ]
    assert [(each.measure, each.objective) for each in undominated(points, False)] == [(1, 9)]
    assert undominated([], True) == []


def test_no_plan_and_faults_of_the_call(tmp_path):
    rule = "rule,measure,members,sense,value\nmore,margin,all,min,9001000"
    small = written(tmp_path / "small", balance=rule)
    call = [
        "frontier",
        str(small),
        "--model",
        str(small / "model.toml"),
        "--results",
        str(tmp_path / "results"),
    ]
    none = CliRunner().invoke(app, [*call, "--versus", "customers"])
    assert none.exit_code == 3
    assert none.stdout.startswith("No frontier: no plan keeps all the rules")
    facts = {"currency": "EUR", "money_unit": 1.0, "period": "quarter", "periods": 2}
    message = "the time limit was reached before any plan; allow more time"
    late = Frontier("A", "customers", "all", "customers", True, (), "no_solution", message, facts)
    told = text_of(frontier_report(late), io.StringIO())
    assert told.split("\n", 1)[0] == "No frontier: the time limit was reached before any plan"
    assert told.count("time limit was reached") == 1
    assert "Allow more with --time-limit." in told
    wrong = ["--versus", "custmers", "--points", "1", "--sense", "up", "--members", "tier=tpo"]
    faults = CliRunner().invoke(app, [*call, *wrong])
    assert faults.exit_code == 2
    lines = faults.stderr.splitlines()
    assert len(lines) == 4
    assert "did you mean 'customers'?" in faults.stderr
    assert "did you mean 'tier=top'?" in faults.stderr
    assert "needs scenarios" in CliRunner().invoke(app, [*call, "--versus", "risk"]).stderr
