"""What a manager reads: how the profit comes about, what the model earns over a planner, what would change its mind."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.faults import InputError
from cpm_opt.pipeline import read_problem, solve_problem
from cpm_opt.report import Explanation, Table, explain, text_of
from cpm_opt.report.flips import ALONE_NOTE, flips_section
from cpm_opt.report.run_facts import penalties_today
from cpm_opt.report.words import Units
from cpm_opt.runs import RunRecord, read_run, write_run
from cpm_opt.study.advice import Advice, Choice
from cpm_opt.study.base import run_facts_of
from cpm_opt.study.beside import greedy_facts, size_of
from cpm_opt.study.rerun import plan_of, problem_of
from tests.handmade import FACTS, plan, written
from tests.study.small_instance import FILES, SCENARIOS, problem

UNITS = Units({"money_unit": 1, "currency": "RUB", "period": "year", "periods": 3})
RISK = "[components.risk]\nmeasure = 'cvar'\nalpha = 0.5\nweight = 0.5\n"


def tables(explanation: Explanation, section: str) -> dict[str, Table]:
    found = next(part for part in explanation.sections if part.name == section)
    return {table.name: table for table in found.tables}


def sentences(explanation: Explanation, section: str) -> str:
    return " ".join(next(part for part in explanation.sections if part.name == section).sentences)


@pytest.fixture(scope="module", params=["certain", "scenarios"])
def solved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """A solved run of the small instance; one with scenarios, too."""
    folder = tmp_path_factory.mktemp(request.param)
    more = {"scenarios": SCENARIOS} if request.param == "scenarios" else {}
    asked = problem(folder / "small", **more)
    if more:
        (folder / "small" / "model.toml").write_text(FILES["model.toml"] + RISK)
        asked = read_problem(folder / "small", folder / "small" / "model.toml")
    done = solve_problem(asked)
    facts = replace(run_facts_of(asked, asked.spec), greedy=greedy_facts(asked))
    return write_run(folder, done, facts)


def test_by_lever_and_by_segment_add_up_to_the_difference(solved: RunRecord) -> None:
    explanation = explain(solved)
    found = tables(explanation, "waterfall")
    steps = found["waterfall"].rows
    difference = round(float(steps[-1][2]) - float(steps[0][2]), 2)
    assert difference == pytest.approx(solved.facts["profit"] - solved.facts["today"]["profit"], abs=0.011)
    for name in ("by_lever", "by_segment"):
        rows = found[name].rows
        assert found[name].columns[0].key == "name"
        for row in rows:
            assert round(sum(float(cell or 0.0) for cell in row[1:-1]), 2) == pytest.approx(row[-1], abs=1e-9)
        for column in range(1, len(rows[0])):
            whole = round(sum(float(row[column] or 0.0) for row in rows[:-1]), 2)
            assert whole == pytest.approx(rows[-1][column], abs=1e-9)
        assert rows[-1][0] == "in all"
        assert rows[-1][-1] == pytest.approx(difference, abs=1e-9)
    assert {row[0] for row in found["by_segment"].rows} >= {"gold", "silver"}


def test_the_plan_stands_beside_today_and_the_greedy_plan(solved: RunRecord) -> None:
    greedy = solved.facts["greedy"]
    assert greedy["objective"] <= solved.facts["objective"] + 1e-6 or greedy["broken"]
    earns = tables(explain(solved), "earns")["earns"]
    keys = [column.key for column in earns.columns]
    assert keys == ["figure", "today", "greedy", "plan", "difference", "over_greedy"]
    row = dict(zip(keys, earns.rows[0], strict=True))
    assert row["greedy"] == greedy["profit"]
    assert row["over_greedy"] == pytest.approx(solved.facts["profit"] - greedy["profit"])
    assert "than the greedy plan" in sentences(explain(solved), "earns")


def test_what_one_more_unit_brings_after_its_own_cost_is_what_solving_again_finds(tmp_path: Path) -> None:
    """One hour more in quarter 2, there at its capacity_cost of 7, changes the objective by what the report says."""
    table = "resource,period,capacity,unit,capacity_cost,extra_capacity,extra_cost\nhours,1,900,hours,2,0,\n"
    found = []
    for hours in (90, 91):
        asked = problem(tmp_path / "small", resources=f"{table}hours,2,{hours},hours,7,20,30\n")
        done = solve_problem(asked)
        found.append((done.objective, write_run(tmp_path, done, run_facts_of(asked, asked.spec))))
    (before, run), (after, _) = found
    assert before is not None
    assert after is not None
    limits = tables(explain(run), "limits")["resources"]
    row = dict(zip([column.key for column in limits.columns], limits.rows[0], strict=True))
    assert row["period"] == 2
    assert row["capacity_cost"] == pytest.approx(7 / 1.05)
    assert row["net"] == pytest.approx(after - before, abs=1e-6)
    assert row["shadow_price"] == pytest.approx(after - before + 7 / 1.05, abs=1e-6)
    text = sentences(explain(run), "limits")
    cost = "before its own cost of 7 (capacity_cost, counted as 6.67)"
    assert f"EUR {cost}, so one more hour {brings(after - before)}" in text
    assert "; bought as extra capacity it would cost 30 (extra_cost, counted as 28.57)." in text


def brings(gain: float) -> str:
    return f"{'brings' if gain >= 0.0 else 'loses'} {abs(gain):.2f}"


BROKEN = [
    {"rule": "keep", "subject": "gold", "period": period, "missed_by": 1.0, "unit": ""} for period in (1, 2)
]


@pytest.mark.parametrize(
    ("over", "broken", "expected"),
    [
        (-500.0, [], "worth 500 thousand RUB more than the greedy plan, which takes, month by month, the best ratio of "
         "gain to scarce capacity first."),
        (-500.0, BROKEN, "worth 500 thousand RUB more than the greedy plan, which takes, month by month, the best "
         "ratio of gain to scarce capacity first and breaks 1 rule (keep gold in months 1 to 2)."),
        (0.0, BROKEN, "worth as much as the greedy plan, which takes, month by month, the best ratio of gain to scarce "
         "capacity first and breaks 1 rule"),
        (500.0, BROKEN, "is no plan that may be carried out: all counted that the plan is judged by, it is worth 500 "
         "thousand RUB more, only because it breaks 1 rule (keep gold in months 1 to 2)."),
    ],
)  # fmt: skip
def test_beside_a_greedy_plan_that_breaks_rules_that_is_said(
    tmp_path: Path, over: float, broken: list[dict[str, Any]], expected: str
) -> None:
    run = read_run(written(tmp_path))
    greedy = {name: run.facts[name] for name in ("profit", "end_value", "penalties")}
    greedy |= {"objective": run.facts["objective"] + over, "broken": broken, "moves": 9}
    assert expected in sentences(explain(run, greedy=greedy), "earns")


def test_where_today_earns_more_by_breaking_rules_the_breach_comes_first(tmp_path: Path) -> None:
    path = written(tmp_path)
    facts = json.loads((path / "run.json").read_text())
    facts["today"] |= {"profit": facts["profit"] + 32.0, "broken": BROKEN}
    (path / "run.json").write_text(json.dumps(facts))
    first, *others = next(part for part in explain(read_run(path)).sections if part.name == "earns").sentences
    assert first.startswith(
        "Leaving all as it is would break 1 rule (keep gold in months 1 to 2). The plan earns "
    )
    assert ": 32 thousand RUB less than if all stays as it is today (-0.17%), which is not allowed." in first
    assert not any("would break" in each for each in others)


def test_where_more_than_profit_counts_the_first_lines_tell_both(solved: RunRecord) -> None:
    profit, whole = explain(solved).sections[0].sentences[:2]
    assert profit.startswith("The plan earns ")
    gain = solved.facts["objective"] - solved.facts["today"]["objective"]
    assert f"judged by, it is worth {UNITS.worth(gain)[:-4]} EUR more than leaving all as it is" in whole
    if not solved.facts["scenarios"]:
        signed = [float(each.replace(",", "")) for each in re.findall(r" [+-]([\d,.]+\d)", whole)]
        assert sum(signed) == pytest.approx(gain, rel=1e-3)


def test_a_run_from_before_there_were_parts_says_what_is_absent(tmp_path: Path) -> None:
    path = written(tmp_path)
    (path / "waterfall_parts.csv").unlink()
    facts = json.loads((path / "run.json").read_text())
    for name in ("greedy", "irreducible", "given_up"):
        facts.pop(name)
    facts["portfolio"].pop("resources")
    (path / "run.json").write_text(json.dumps(facts))
    explanation = explain(read_run(path))
    assert "before the steps were parted" in sentences(explanation, "waterfall")
    assert list(tables(explanation, "waterfall")) == ["waterfall"]
    assert "greedy" not in sentences(explanation, "earns")


def test_a_greedy_plan_that_is_too_large_is_left_out_and_said_so(tmp_path: Path) -> None:
    asked = problem(tmp_path / "small")
    facts = greedy_facts(asked, size_of(asked.portfolio) - 1)
    assert facts["objective"] is None
    run = read_run(write_run(tmp_path, plan(), replace(FACTS, greedy=facts)).path)
    assert "left out for its size (24 choices to weigh)" in sentences(explain(run), "earns")


def test_what_was_given_up_to_change_less_is_told(tmp_path: Path) -> None:
    run = read_run(written(tmp_path, replace(plan(), given_up=250.0)))
    assert "gives up 250 thousand RUB (" in sentences(explain(run), "earns")


CHOICE = Choice(
    "fees", "gold", "up5", (1, 2, 3), 10.0, "keep", 1200.0, "up5", -4.0, 4.0, -12.3, -12.3, 290.5, 280.0
)


def told(choice: Choice, **more: Any) -> str:
    advice = Advice((choice,), 0, False, 1e6, True)
    section = flips_section(replace(advice, **more), UNITS, {"fees": "segment"})
    return " ".join(section.sentences)


def test_a_choice_is_told_in_a_plain_sentence() -> None:
    assert told(CHOICE).removesuffix(f" {ALONE_NOTE}") == (
        "fees: keep gold on up5 unless its effect on margin is below -12.3 RUB per customer and year (now -4; 2.1 "
        "standard errors away); the next best is keep, which is worth 1,200 RUB less; knowing the effect exactly would "
        "be worth at most 300 RUB."
    )
    base = replace(CHOICE, option="keep", alternative="up5", flip=3.0, error=0.0, worth_knowing=None)
    assert told(base) == (
        "fees: keep gold on keep unless up5 changes margin by more than 3 RUB per customer and year (now -4); the next "
        "best is up5, which is worth 1,200 RUB less."
    )
    several = told(replace(CHOICE, error_most=8.3, worth_knowing_most=1290.0))
    independent = "if the errors of its segments are independent of each other"
    assert f"(now -4; at least 1 standard errors away, 2.1 {independent})" in several
    assert f"would be worth at most 1,300 RUB (300 {independent})." in several
    assert several.endswith(ALONE_NOTE)
    grouped = " ".join(
        flips_section(Advice((CHOICE,), 0, False, 1e6, True), UNITS, {"fees": "tier"}).sentences
    )
    assert (
        "year (now -4; 2.1 standard errors away), a mean over the group: the same change in money applies"
        in grouped
    )
    assert (
        told(replace(CHOICE, cost=0.0)) == "fees: gold on up5: to do without it (keep instead) costs nothing."
    )
    assert "is not told for this plan" in told(replace(CHOICE, flip=None), flips=False)
    assert "no plan that keeps the rules does without it" in told(replace(CHOICE, cost=None))
    assert "with fewer customers on it from -9 down" in told(replace(CHOICE, begins=-9.0))
    assert "2 further choices with less money at stake not looked into (--flips N" in told(CHOICE, left=2)
    assert "no time to find all flip points" in told(replace(CHOICE, flip=None), out_of_time=True)


def cpm(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output


def test_explain_deep_solves_again_from_the_runs_own_inputs(solved: RunRecord) -> None:
    code, output = cpm("explain", str(solved.path), "--deep", "--json")
    assert code == 0, output
    flips = next(part for part in json.loads(output)["sections"] if part["name"] == "flips")
    assert [table["name"] for table in flips["tables"]] == ["flips"]
    costs = [row["cost"] for row in flips["tables"][0]["rows"] if row["cost"] is not None]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > 0.0
    text = text_of(explain(solved), io.StringIO())
    assert re.search(r"`cpm\s+explain\s+\S+\s+--deep`", text)


def test_a_plan_that_is_worth_something_else_on_these_tables_is_not_looked_into(tmp_path: Path) -> None:
    asked = problem(tmp_path / "small")
    run = write_run(tmp_path, solve_problem(asked), run_facts_of(asked, asked.spec))
    other = asked.portfolio.flows["margin"]
    flows = {**asked.portfolio.flows, "margin": replace(other, per_customer=1.01 * other.per_customer)}
    with pytest.raises(InputError, match="tables that were changed for it"):
        plan_of(run, replace(asked, portfolio=replace(asked.portfolio, flows=flows)))


def test_a_lock_on_the_command_line(tmp_path: Path) -> None:
    asked = problem(tmp_path / "small")
    words = [
        "solve",
        str(asked.folder),
        "--model",
        str(asked.folder / "model.toml"),
        "--results",
        str(tmp_path),
    ]
    first = json.loads(cpm(*words, "--json")[1])
    again = json.loads(cpm(*words, "--lock", "tariff=last@top:1", "--json")[1])
    assert again["pins"]["names"] == [f"lock tariff={Path(first['run']).name}@top:1-1"]
    assert again["pins"]["cost"] == pytest.approx(0.0, abs=1e-6)
    code, output = cpm(*words, "--lock", "tariff=last@nobody")
    assert code == 2
    assert "--lock, value 'tariff=last@nobody': 'nobody' is no group of the lever" in output


def test_flips_that_a_run_holds_are_told_without_solving(tmp_path: Path) -> None:
    asked = problem(tmp_path / "small")
    code, output = cpm(
        "solve", str(asked.folder), "--model", str(asked.folder / "model.toml"), "--results", str(tmp_path),
        "--flips", "2", "--json",
    )  # fmt: skip
    assert code == 0, output
    advice = json.loads(output)["advice"]
    run = read_run(Path(json.loads(output)["run"]))
    for file in asked.folder.iterdir():
        file.unlink()
    rows = tables(explain(run), "flips")["flips"].rows
    assert [row[5] for row in rows] == [choice["cost"] for choice in advice["choices"]]
    assert len(rows) == 2


def test_a_run_whose_inputs_changed_cannot_be_looked_into(tmp_path: Path) -> None:
    asked = problem(tmp_path / "small")
    run = write_run(tmp_path, solve_problem(asked), run_facts_of(asked, asked.spec))
    assert problem_of(run).spec.resolved() == {**asked.spec.resolved(), "name": "model"}
    (tmp_path / "small" / "effects.csv").write_text(FILES["effects.csv"].replace("-6", "-7"))
    with pytest.raises(InputError, match=r"effects.csv.*not what it was when the run was made"):
        problem_of(run)
    code, output = cpm("explain", str(run.path), "--flips", "1")
    assert code == 2
    assert "solve again" in output
    assert cpm("explain", str(run.path))[0] == 0


PENALISED = {
    "segments": "segment,customers,margin\nall of them,100,5",
    "levers": "lever\nservice",
    "options": "lever,option,base\nservice,basic,true\nservice,plus,false",
    "effects": "segment,lever,option,margin\nall of them,service,plus,2",
    "balance": "rule,measure,members,sense,value,penalty\nenough,margin,all,min,650,3",
}


def test_penalties_that_today_pays_are_counted_beside_the_plans(tmp_path: Path) -> None:
    """Today brings 500 a period and misses 650 by 150 at 3 each; the plan brings 700."""
    folder = tmp_path / "penalised"
    folder.mkdir()
    (folder / "instance.toml").write_text(FILES["instance.toml"])
    (folder / "model.toml").write_text("[horizon]\nperiods = 2\n[components.balance]\n")
    for name, text in PENALISED.items():
        (folder / f"{name}.csv").write_text(text)
    asked = read_problem(folder, folder / "model.toml")
    run = write_run(tmp_path, solve_problem(asked), run_facts_of(asked, asked.spec))
    assert run.facts["today"]["penalties"] == pytest.approx(900.0)
    explanation = explain(run)
    figures = {row[0]: row[1:] for row in tables(explanation, "earns")["earns"].rows}
    assert figures["profit"] == pytest.approx((1000.0, 1400.0, 400.0))
    assert figures["penalties for missed rules"] == pytest.approx((-900.0, 0.0, 900.0))
    assert figures["all that counts, as the model weighs it"] == pytest.approx((100.0, 1400.0, 1300.0))
    worth = "worth 1,300 EUR more than leaving all as it is: profit +400 and penalties for missed rules +900."
    assert worth in sentences(explanation, "earns")
    tried = ("test-tariff", str(folder), "--model", str(folder / "model.toml"), "--fix", "service=plus")
    assert re.search(r"penalties for missed rules +-900 +0 +0 +0 +0 +EUR", cpm(*tried)[1])
    # A run from before they were kept has them in today's total.
    facts = {**run.facts, "today": {k: v for k, v in run.facts["today"].items() if k != "penalties"}}
    assert penalties_today(facts) == pytest.approx(900.0)


def test_a_run_is_looked_into_from_any_folder_and_where_its_tables_are_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem(tmp_path / "small")
    monkeypatch.chdir(tmp_path)
    words = ["solve", "small", "--model", "small/model.toml", "--json"]
    run = Path(json.loads(cpm(*words)[1])["run"]).absolute()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    deep = ["explain", str(run), "--flips", "1"]
    assert cpm(*deep)[0] == 0
    (tmp_path / "small").rename(tmp_path / "moved")
    code, output = cpm(*deep)
    assert (code, output.count("\n")) == (2, 1)
    assert "its instance is not where it was" in output
    assert "name its folder with --instance" in output
    assert cpm(*deep, "--instance", "../moved")[0] == 0
    assert cpm("report", str(run), "--deep", "--flips", "1", "--instance", "../moved")[0] == 0
    code, output = cpm("explain", str(run), "--instance", "../moved")
    assert (code, "--instance, value '../moved': is for --deep" in output) == (2, True)
