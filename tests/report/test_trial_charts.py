"""The charts of a tariff test show the figures of its tables."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.pipeline import read_problem
from cpm_opt.report.chart import Bars
from cpm_opt.report.trial_charts import trial_charts
from cpm_opt.report.trials import trial_facts
from cpm_opt.study.tariff_trial import try_tariff


def test_bars_are_the_figures_of_the_tables():
    problem = read_problem("bank-clients", None, ("solver.time_limit=20",), None, ("fees=plus-50@4",), ())
    trial = try_tariff(problem, ("fees=plus-50@4",), (), True)
    charts = {each.title: each for each in trial_charts(trial) if isinstance(each, Bars)}
    facts = trial_facts(trial)
    rows = {row["segment"]: row for row in facts["segments"]}
    margin = charts["Margin before resources and fixed costs"]
    assert margin.y_title == "thousand RUB, discounted"
    assert {name: value for name, (_, value) in zip(margin.names, margin.series[1].points, strict=True)} == {
        name: pytest.approx(row["margin"]) for name, row in rows.items()
    }
    leaving = charts["Customers who leave"]
    assert [value for _, value in leaving.series[0].points] == pytest.approx(
        [row["churn_today"] for row in rows.values()]
    )
    used = charts["Use in the fullest period"].series[1].points[0][1]
    assert used == pytest.approx(max(row["share"] for row in facts["capacity"]))


def test_the_command_draws_what_it_is_told_to(tmp_path):
    call = ["test-tariff", "bank-clients", "--fix", "fees=plus-50@4", "--what-if", "--json"]
    found = CliRunner().invoke(app, [*call, "--plot", str(tmp_path / "test.svg")])
    assert found.exit_code == 0
    assert json.loads(found.stdout)["plot"] == str(tmp_path / "test.svg")
    assert (tmp_path / "test.svg").read_text("utf-8").startswith("<svg")
    wrong = CliRunner().invoke(app, [*call, "--plot", str(tmp_path / "test.doc")])
    assert (wrong.exit_code, len(wrong.stderr.splitlines())) == (2, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["test.svg"]
