"""Comparisons of runs: only what differs, all that differs, and equal runs say so."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.faults import InputError
from cpm_opt.pipeline import solve_problem
from cpm_opt.report.comparison import comparison
from cpm_opt.runs import RunRecord, read_run, write_run
from cpm_opt.study.base import run_facts_of
from cpm_opt.study.compare import compare
from tests.handmade import plan, portfolio, written
from tests.study.small_instance import FILES, problem


def run(tmp_path: Path, *settings: str, **changed: str) -> RunRecord:
    read = problem(tmp_path / "small", *settings, **changed)
    return write_run(tmp_path / "results", solve_problem(read), run_facts_of(read, read.spec))


def test_equal_runs_say_so(tmp_path):
    found = compare([run(tmp_path), run(tmp_path), run(tmp_path)])
    assert found.equal
    told = CliRunner().invoke(app, ["compare", *(str(each.path) for each in found.runs)])
    assert told.exit_code == 0
    assert told.stdout.startswith("The runs are equal")


def test_only_the_changed_input_model_plan_and_figures_are_told(tmp_path):
    plain = run(tmp_path)
    wide = FILES["resources.csv"].replace("hours,90", "hours,60")
    other = run(tmp_path, "components.price={}", "objective.end_value=0.5", resources=wide)
    found = compare([plain, other])
    assert [each.place for each in found.input] == [("resources.csv",)]
    assert {each.place[0]: each.values for each in found.model} == {
        "objective.end_value": (1.0, 0.5), "components.price": ("off", "on"),
    }  # fmt: skip
    figures = {each.place[0]: each.values for each in found.figures}
    assert figures["objective"] == (plain.facts["objective"], other.facts["objective"])
    assert "status" not in figures
    limits = {each.place: (each.first, each.last) for each in found.use}
    assert all(place == ("hours",) for place in limits)
    shares = {(*each.place, each.first, each.last): each.values for each in found.shares}
    for (segment, lever, option, first, last), values in shares.items():
        assert lever == "service"  # shares of a single lever follow from its choices
        for number, record in enumerate((plain, other)):
            rows = [
                float(row["share"])
                for row in record.table("plan")
                if (row["segment"], row["option"]) == (segment, option)
                and first <= int(row["period"]) <= last
            ]
            assert rows == pytest.approx([values[number]] * len(rows), abs=2e-6)
            assert len(rows) == (0 if values[number] == 0.0 else last - first + 1)
    assert shares
    as_json = CliRunner().invoke(app, ["compare", str(plain.path), str(other.path), "--json"])
    answer = json.loads(as_json.stdout)
    assert answer["equal"] is False
    assert answer["differences"]["model"][0] == {"place": ["objective.end_value"], "values": [1.0, 0.5]}


def test_a_change_of_a_choice_is_told_with_its_periods(tmp_path):
    dear = FILES["effects.csv"].replace("gold,tariff,up5,9", "gold,tariff,up5,90")
    runs = [run(tmp_path), run(tmp_path, effects=dear)]
    told = {
        period: each.values
        for each in compare(runs).choices
        if each.place == ("tariff", "top")
        for period in range(each.first, each.last + 1)
    }
    by_run = [
        {int(row["period"]): row["option"] for row in each.table("choices") if row["group"] == "top"}
        for each in runs
    ]
    apart = {t: (by_run[0][t], by_run[1][t]) for t in (1, 2) if by_run[0][t] != by_run[1][t]}
    assert apart
    assert told == apart


def test_a_run_without_a_plan_is_compared_by_what_it_has(tmp_path):
    rule = "rule,measure,members,sense,value\nmore,margin,all,min,9001000"
    found = compare([run(tmp_path), run(tmp_path, balance=rule)])
    figures = {each.place[0]: each.values for each in found.figures}
    assert figures["status"] == ("optimal", "infeasible")
    assert figures["objective"][1] is None


def test_money_of_two_currencies_is_not_subtracted_and_of_two_units_is_converted(tmp_path):
    def one(place: str, currency: str, money_unit: float) -> RunRecord:
        of = plan(replace(portfolio(money_unit=money_unit), currency=currency))
        return read_run(written(tmp_path / place, of))

    thousands, roubles, dollars = one("a", "RUB", 1000.0), one("b", "RUB", 1.0), one("c", "USD", 1000.0)
    profit = thousands.facts["profit"]
    figures = {each.place[0]: each.values for each in compare([thousands, roubles]).figures}
    assert figures["profit"] == pytest.approx((profit, profit / 1000.0))
    words = ["compare", str(thousands.path), str(roubles.path)]
    told = " ".join(CliRunner().invoke(app, words).stdout.split())
    assert "Money is in thousand RUB." in told
    assert "difference" in told
    told = CliRunner().invoke(app, ["compare", str(thousands.path), str(dollars.path)]).stdout
    assert "(run 1 in thousand RUB and run 2 in thousand USD)" in " ".join(told.split())
    apart = compare([roubles, one("d", "USD", 1000.0)])
    assert {each.place[0]: each.values for each in apart.input}["currency"] == ("RUB", "USD")
    uneven = plan(replace(portfolio(money_unit=1.0), currency="USD"))
    uneven = replace(uneven, objective=uneven.objective + 10.0)
    found = compare([thousands, read_run(written(tmp_path / "e", uneven))])
    assert found.figures
    tables = [table for part in comparison(found).sections for table in part.tables]
    money = [[column.key for column in table.columns] for table in tables if table.name == "figures"]
    assert money == [["figure", "1", "2"]]


def test_damaged_runs_and_single_ones_are_faults(tmp_path):
    one, other = run(tmp_path), run(tmp_path)
    shutil.copy(one.path / "rules.csv", other.path / "plan.csv")
    with pytest.raises(InputError, match=r"plan\.csv: lacks column"):
        compare([one, other])
    alone = CliRunner().invoke(app, ["compare", str(one.path)])
    assert alone.exit_code == 2
    assert "one run cannot be compared" in alone.stderr
    missing = CliRunner().invoke(app, ["compare", "x", "y", "--results", str(tmp_path / "results")])
    assert missing.exit_code == 2
    assert missing.stderr.count("is no run") == 2
