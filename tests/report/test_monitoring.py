"""What `cpm monitor` says: in words, as JSON, as a picture, and to those whose tables are wrong."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.pipeline import solve_problem
from cpm_opt.report.monitoring_forecasts import _power
from cpm_opt.report.words import Units, amount
from cpm_opt.runs import RunRecord, write_run
from cpm_opt.study.base import run_facts_of
from cpm_opt.study.monitor.exposure import ResourceNow
from cpm_opt.study.monitor.forecast import LEFT, MOVE, Forecast
from cpm_opt.study.monitor.plan import read_plan
from tests.study.happened import as_planned, written
from tests.study.small_instance import SCENARIOS, problem

SEGMENTS = (
    "segment,customers,margin,revenue,end_value,kind,tier\ngold,100,50,90,90,active,top\n"
    "silver,400,10,25,20,active,low\nlater,30,0,0,0,prospect,low\n"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    folder = tmp_path_factory.mktemp("monitored")
    read = problem(folder / "small", "components.concentration={top_k=1, top_share=0.9}", segments=SEGMENTS)
    return write_run(folder / "results", solve_problem(read), run_facts_of(read, read.spec))


def monitored(run: RunRecord, folder: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["monitor", str(run.path), "--actuals", str(folder), *more])


def happened(run: RunRecord, folder: Path) -> Path:
    """Period 1 as planned but for dearer hours, a better margin of gold and a clear drift of silver."""
    tables = as_planned(read_plan(run), 0)
    for row in tables["actual_results"]:
        row["margin"] += 100.25 * (row["segment"] == "gold")
        row["revenue"] += 40.0 * (row["segment"] == "silver")
    for row in tables["actual_use"]:
        row["cost"] += 33.33
    for row in tables["actual_moves"]:
        row["customers"] += {("silver", "silver"): -70, ("silver", ""): 70}.get((row["from"], row["to"]), 0)
    for row in tables["actual_customers"]:
        row["end"] -= 70 * (row["segment"] == "silver")
    return written(folder, tables)


def test_the_words_say_what_was_earned_why_and_what_to_estimate_again(run, tmp_path):
    done = monitored(run, happened(run, tmp_path / "a"), "--plot", str(tmp_path / "plot.svg"))
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert "66.92 EUR more than planned" in text
    assert (
        "What counted most: product cost (+60.25 EUR), revenue a customer (+40 EUR) and prices paid for resources"
        in text
    )
    assert "estimate again" in text
    assert "left from silver" in text
    assert "beyond chance" in text
    assert "In quarter 1 the profit was" in text
    assert "The only rule on balance and concentration was kept." in text
    assert "<svg" in (tmp_path / "plot.svg").read_text("utf-8")


def test_json_holds_every_figure_and_its_sums(run, tmp_path):
    answer = json.loads(monitored(run, happened(run, tmp_path / "a"), "--json").stdout, parse_float=Decimal)
    (period,) = answer["periods"]
    steps = period["variances"]
    assert steps["price"] == 40
    assert steps["product cost"] == Decimal("60.25")
    assert steps["spending"] == Decimal("-33.33")
    assert period["planned"] + sum(step for step in steps.values() if step) == period["actual"]
    for name in ("planned", "actual", "price", "product cost", "spending"):
        whole = period[name] if name in period else steps[name]
        assert sum(row[name] for row in period["by_segment"]) == whole
    value = answer["value"]
    assert value["planned"] + sum(value["variances"].values()) == value["actual"]
    assert value["variances"]["migration"] < 0
    flagged = {(row["kind"], row["subject"], row["to"]) for row in answer["forecasts"] if row["flagged"]}
    assert flagged == {("move", "silver", "silver"), ("move", "silver", "")}
    assert [row["tested"] for row in answer["estimate_again"]] == [True, True]
    assert {row["rule"] for row in answer["rules"]} == {"concentration"}
    assert answer["cash"]["actual"] is not None
    assert answer["rolled"] is None


def test_scenarios_are_told_where_the_plan_weighs_them(tmp_path):
    read = problem(tmp_path / "small", "components.risk={weight=0.3}", scenarios=SCENARIOS)
    record = write_run(tmp_path / "results", solve_problem(read), run_facts_of(read, read.spec))
    plan = read_plan(record)
    text = monitored(record, written(tmp_path / "a", as_planned(plan, 0))).stdout
    assert f"look most like scenario {plan.scenarios[0].name}" in " ".join(text.split())
    assert "New probabilities cannot be given" in text


def test_two_periods_are_told_beside_each_other(run, tmp_path):
    plan = read_plan(run)
    first, second = as_planned(plan, 0), as_planned(plan, 1)
    both = {
        name: [{**row, "period": t + 1} for t, rows in ((0, first[name]), (1, second[name])) for row in rows]
        for name in first
    }
    done = monitored(run, written(tmp_path / "a", both), "--json")
    answer = json.loads(done.stdout)
    assert [each["period"] for each in answer["periods"]] == [1, 2]
    assert all(each["planned"] == each["actual"] for each in answer["periods"])
    assert answer["periods"][1]["variances"]["migration"] == 0
    text = monitored(run, tmp_path / "a").stdout
    assert "All quarters so far" in text


BAD = {
    "actual_customers": "segment,end,ends\ngold,-3,1\ngould,5,1\n",
    "actual_choices": "segment,lever,option,customers\ngold,tarif,keep,5\ngold,tariff,keeps,5\n",
    "actual_results": "segment,margin,period\ngold,12%,1\nsilver,5,9\ngold,7,\n",
    "actual_use": "resource,use\nhours,5\nhours,6\n",
    "actual_costs": "cost,amount\nfixed,5\n",
    "actual_stuff": "a\n1\n",
}


def test_every_fault_of_the_actuals_is_told_at_once_with_its_place(run, tmp_path):
    for name, text in BAD.items():
        (tmp_path / f"{name}.csv").write_text(text)
    done = monitored(run, tmp_path)
    assert done.exit_code == 2
    assert done.stdout == ""
    for told in (
        "actual_customers line 2, column end, value '-3': is negative",
        "actual_customers line 1, column ends: unknown column; did you mean 'end'?",
        "actual_customers line 3, column segment, value 'gould': the plan has no such segment; did you mean 'gold'?",
        "actual_choices line 2, column lever, value 'tarif': the plan has no such lever; did you mean 'tariff'?",
        "actual_choices line 3, column option, value 'keeps': the plan has no such option; did you mean 'keep'?",
        "actual_results line 2, column margin, value '12%': is a percent",
        "actual_results line 3, column period, value '9': the plan has 2 periods only",
        "actual_results line 4, column period, value '1': the row repeats the key of an earlier one",
        "actual_use line 3: the row repeats the key of line 2",
        "actual_costs line 2, column cost, value 'fixed': is none of fixed cost",
        "--actuals: actual_stuff.csv is no table of actuals",
    ):
        assert told in done.stderr


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({}, "holds no table of actuals"),
        (
            {"actual_choices": "segment,lever,option,customers\ngold,service,plus,101"},
            "actual_choices line 2, column customers: segment 'gold' has 101 customers on options of lever 'service', "
            "but only 100 at the start",
        ),
        (
            {"actual_moves": "from,to,customers\nsilver,silver,300\ngold,silver,60\ngold,gold,41"},
            "actual_moves line 3, column customers: 101 customers of segment 'gold' are told of, but it had 100 at the "
            "start of period 1",
        ),
        (
            {
                "actual_customers": "segment,end,arrivals\ngold,95,0\nsilver,400,0\nlater,0,0",
                "actual_moves": "from,to,customers\ngold,gold,90\nsilver,silver,400\nlater,,30",
            },
            "actual_customers line 2, column end: segment 'gold' ends period 1 with 95 customers, but moves and "
            "arrivals bring 90",
        ),
        (
            {
                "actual_customers": "segment,period,start,end,arrivals\ngold,1,100,,0\nsilver,1,400,400,0\n"
                "later,1,30,0,0\ngold,2,95,90,0",
                "actual_moves": "from,to,customers\ngold,gold,90\nsilver,silver,400\nlater,,30",
            },
            "actual_customers line 5, column start: segment 'gold' ends period 1 with 95 customers",
        ),
    ],
)
def test_figures_that_contradict_each_other_are_faults(tables, told, run, tmp_path):
    for name, text in tables.items():
        (tmp_path / f"{name}.csv").write_text(text + "\n")
    done = monitored(run, tmp_path)
    assert done.exit_code == 2
    assert told in done.stderr


def test_costs_of_what_the_plan_does_not_have_are_faults_and_others_may_be_called_anything(run, tmp_path):
    costs = "fixed cost,tarif,25\nchange cost,nosuch,5\ncredit cost,zzz,3\nfixed cost,,4\nother,fire,7\n"
    (tmp_path / "actual_costs.csv").write_text(f"cost,item,amount\n{costs}")
    done = monitored(run, tmp_path)
    assert done.exit_code == 2
    assert [line.rstrip() for line in done.stderr.strip().splitlines()] == [
        "actual_costs line 2, column item, value 'tarif': the plan has no such lever; did you mean 'tariff'?",
        "actual_costs line 3, column item, value 'nosuch': the plan has no such lever; known are service, tariff",
        "actual_costs line 4, column item, value 'zzz': credit is the firm's and has no item; leave it blank, or write "
        "it as other",
        "actual_costs line 5, column item, value '': a fixed cost is of a lever, and none is named; known are service, "
        "tariff",
    ]


def test_spending_is_told_by_cost_in_words_and_figures(run, tmp_path):
    """Hours cost 33.33 too much, changes of service 4 less than nothing, and an office was moved for 10."""
    folder = happened(run, tmp_path / "a")
    (folder / "actual_costs.csv").write_text("cost,item,amount\nchange cost,service,-4\nother,office,10\n")
    (period,) = json.loads(monitored(run, folder, "--json").stdout)["periods"]
    found = [(each["variance"], each["cost"], each["item"], each["amount"]) for each in period["pieces"]]
    assert found == [
        ("spending", "resource cost", "hours", -33.33),
        ("spending", "change cost", "service", 4.0),
        ("other", "other", "office", -10.0),
    ]
    assert period["variances"]["spending"] == -29.33
    text = " ".join(monitored(run, folder).stdout.split())
    assert re.search(r"spending resource cost hours [\d.]+ [\d.]+ -33.33 ", text)
    assert "spending in all -29.33" in text


def test_the_smallest_drift_that_is_noticed_is_told_of_the_largest_and_the_smallest_segment():
    """A smaller segment may show a smaller drift: that of a rarer move. Each is told with its rate and its segment."""

    def move(subject: str, to: str, base: float, noticeable: float) -> Forecast:
        return Forecast(
            MOVE, subject, to, "customers", 1, 1, 1, base, p_value=0.5, spread=1.0, noticeable=noticeable
        )

    tested = [
        move("B", "B", 60, 11.304),
        move("A", LEFT, 50, 6.685),
        move("A", "A", 50, 9.0),
        move("B", LEFT, 60, 12.0),
    ]
    units = Units({"money_unit": 1, "currency": "EUR", "period": "year", "periods": 1})
    (sentence,) = _power(tested, units, 1)
    assert sentence == (
        "One year shows little: the smallest drift of a rate that four cases of five would notice is, of the largest "
        "segment, B (60 customers), 18.84 percentage points (stayed in B); of the smallest, A (50 customers), 13.37 "
        "percentage points (left from A)."
    )
    (alone,) = _power(tested[:1], units, 2)
    assert alone.endswith("would notice is, of B (60 customers), 18.84 percentage points (stayed in B).")


def test_calls_and_runs_that_cannot_be_monitored_are_faults(run, tmp_path):
    actuals = happened(run, tmp_path / "a")
    assert "no such file or directory" in monitored(run, tmp_path / "gone").stderr
    assert "the plan has no period 7" in monitored(run, actuals, "--period", "7").stderr
    assert "is no measure of the instance" in monitored(run, actuals, "--volume", "units").stderr
    assert "is no fraction" in monitored(run, actuals, "--material", "-1").stderr
    other = problem(tmp_path / "small", resources="resource,capacity,unit\nhours,60,hours\n")
    elsewhere = monitored(run, actuals, "--instance", str(other.folder))
    assert elsewhere.exit_code == 2
    assert "resources.csv" in elsewhere.stderr
    rule = "rule,measure,members,sense,value\nmore,margin,all,min,9001000\n"
    broken = problem(tmp_path / "small", balance=rule)
    record = write_run(tmp_path / "results", solve_problem(broken), run_facts_of(broken, broken.spec))
    assert "holds no plan" in monitored(record, actuals).stderr


def test_customers_of_some_segments_are_held_against_the_plan_of_these_alone(run, tmp_path):
    tables = as_planned(read_plan(run), 0)
    gold = next(row for row in tables["actual_customers"] if row["segment"] == "gold")
    planned = gold["end"]
    folder = written(tmp_path / "a", {"actual_customers": [{**gold, "end": planned + 1.0}]})
    done = monitored(run, folder)
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    counts = f"there were {amount(planned + 1.0)} customers; planned were {amount(planned)}."
    assert f"In gold, 1 of 2 segments, {counts}" in text


def test_what_rounding_leaves_of_a_resource_in_full_use_is_no_headroom(run, tmp_path):
    tables = as_planned(read_plan(run), 0)
    folder = written(tmp_path / "a", {"actual_customers": tables["actual_customers"]})
    (hours,) = json.loads(monitored(run, folder, "--json").stdout)["resources"]
    assert hours["limit"] - hours["expected"] == pytest.approx(0.0, abs=1e-6)
    assert hours["headroom"] == 0.0
    left = ResourceNow("hours", "hours", 90.0, 90.0 - 2e-9, None, 90.0, 90.0, 0.0)
    assert left.headroom == 0.0
    assert replace(left, expected=89.0).headroom == pytest.approx(1.0)
    assert replace(left, expected=91.0).headroom == pytest.approx(-1.0)
