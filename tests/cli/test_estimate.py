"""`cpm estimate`: from raw tables to planning tables, in process."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cpm_opt.cli import app
from tests.estimates.histories_of import shop_sales
from tests.ledger import RULES, instance


def cpm(*words: str) -> Result:
    return CliRunner().invoke(app, ["estimate", *words])


def facts(result: Result) -> dict:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(result.stdout, parse_constant=refuse)


def test_cdnow_as_json_has_what_the_design_promises(tmp_path):
    result = cpm("cdnow", "--json", "--customers", str(tmp_path / "customers.csv"))
    assert result.exit_code == 0, result.stderr
    found = facts(result)
    models = {model["name"]: model for model in found["models"]}
    assert list(models) == ["bg_nbd", "pareto_nbd", "gamma_gamma"]
    for name, parameters in {
        "bg_nbd": "r alpha a b",
        "pareto_nbd": "r alpha s beta",
        "gamma_gamma": "p q v",
    }.items():
        assert list(models[name]["parameters"]) == parameters.split()
        assert list(models[name]["standard_errors"]) == parameters.split()
        assert models[name]["converged"] is True
    assert models["bg_nbd"]["log_likelihood"] == pytest.approx(-9582.43, abs=0.005)
    keys = {"code", "table", "column", "message", "row", "value", "remedy"}
    assert all(set(lint) == keys and lint["remedy"] for lint in found["lint"])
    assert {"biased-forecast", "zero-frequency"} == {lint["code"] for lint in found["lint"]}
    sources = {row["table"]: row["source"] for row in found["tables"]}
    assert sources["segments"] == sources["migration"] == "estimated"
    assert sources["levers"] == "stated"
    assert len(found["holdout"]["table"]) == 8
    assert found["equity"]["low"] < found["equity"]["value"] < found["equity"]["high"]
    assert sum(row["equity_share"] for row in found["segments"]) == pytest.approx(1.0)
    tiers = {row["tier"]: row["customers"] for row in found["tiers"]}
    profit = facts(CliRunner().invoke(app, ["profit", "cdnow", "--json"]))["tiers"]
    assert tiers == {name: row["customers"] for name, row in profit.items() if row["customers"]}
    assert found["at_risk"]["customers"] == 211
    assert len(found["at_risk"]["rows"]) == 100
    with (tmp_path / "customers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found["customers"] == 2357
    assert sum(float(row["lifetime"]) for row in rows) == pytest.approx(found["equity"]["value"])


def test_text_and_an_instance_that_the_other_commands_take(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    instance(tmp_path / "shop", shop_sales(300, seed=3), RULES)
    result = cpm("shop", "--out", "planned")
    assert result.exit_code == 0, result.stderr
    for words in (
        "Models, by maximum likelihood",
        "Customer equity is",
        "At risk",
        "Planning tables",
        "not-tried: sales, column date: the models were not tried out of sample",
        "Written: planned",
    ):
        assert words in result.stdout
    assert "nan" not in result.stdout
    assert sorted(path.name for path in Path("planned").iterdir()) == [
        "instance.toml",
        "migration.csv",
        "segments.csv",
    ]
    (tmp_path / "m.toml").write_text('title = "m"\n[horizon]\nperiods = 2\n', encoding="utf-8")
    checked = CliRunner().invoke(app, ["check", "planned", "--model", "m.toml"])
    assert checked.exit_code == 0, checked.stderr
    again = cpm("planned", "--json")
    assert facts(again)["models"] == []
    assert [lint["code"] for lint in facts(again)["lint"]][-1] == "no-values"


def test_models_need_neither_segments_nor_a_discount_rate(tmp_path):
    rules = "[estimates]\ngross_margin = 0.3\ncalibration_end = 2025-03-31\n"
    instance(tmp_path / "shop", shop_sales(400, seed=3), rules)
    result = cpm(str(tmp_path / "shop"), "--json")
    assert result.exit_code == 0, result.stderr
    found = facts(result)
    assert [model["name"] for model in found["models"]] == ["bg_nbd", "pareto_nbd", "gamma_gamma"]
    assert found["models"][0]["converged"] is True
    assert len(found["holdout"]["table"]) == 8
    assert {"no-values", "not-estimated", "zero-frequency"} <= {lint["code"] for lint in found["lint"]}
    text = cpm(str(tmp_path / "shop")).stdout
    assert "Out of sample" in text
    assert "could not be estimated from sales" in text
    refused = cpm(str(tmp_path / "shop"), "--out", str(tmp_path / "planned"))
    assert refused.exit_code == 2
    assert "estimates.states" in refused.stderr
    assert not (tmp_path / "planned").exists()


def test_faults_come_all_at_once_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rules = RULES.replace("gross_margin = 0.25", "gross_margin = 25")
    instance(tmp_path / "shop", [("a", "soon", 1, 5), ("a", "2025-01-01", 1, 5)], rules)
    (tmp_path / "taken").write_text("x")
    result = cpm("shop", "--out", "taken", "--customers", "no/where.csv", "--json")
    assert result.exit_code == 2
    assert {fault["table"] for fault in facts(result)["faults"]} >= {
        "sales",
        "instance.toml",
        "--out",
        "--customers",
    }
    assert (tmp_path / "taken").read_text() == "x"
    assert cpm("nowhere").exit_code == 2
    assert cpm(" ").exit_code == 2


def test_customers_are_not_written_where_none_are_valued(tmp_path):
    instance(tmp_path / "shop", None, "", tables={"segments": "segment,customers,margin\nall,10,5\n"})
    result = cpm(str(tmp_path / "shop"), "--customers", str(tmp_path / "c.csv"))
    assert result.exit_code == 2
    assert "there is nothing to write" in result.stderr
    assert not (tmp_path / "c.csv").exists()
