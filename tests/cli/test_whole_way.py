"""The commands on a real instance, through every stage: tables on the disk in, a run folder out."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cpm_opt.cli import app

TABLES = {
    "instance.toml": '[instance]\nname = "corner shop"\ntitle = "Corner shop"\ncurrency = "EUR"\n'
    'period = "month"\nsource = "made up"\nlicence = "CC0"\n',
    "segments.csv": "segment,customers,margin\nregulars,100,10\nguests,300,4\n",
    "levers.csv": "lever,choice\nservice,mix\n",
    "options.csv": "lever,option,base\nservice,counter,true\nservice,table,false\n",
    "effects.csv": "segment,lever,option,margin\nregulars,service,table,3\nguests,service,table,2\n",
    "resources.csv": "resource,capacity,unit\nhours,60,hour\n",
    "usage.csv": "resource,amount,segment,lever,option\nhours,0.5,,service,table\n",
    "balance.csv": "rule,measure,members,sense,value\nall stay,customers,all,min,400\n",
}
MODEL = 'title = "A month"\n[horizon]\nperiods = 1\n[components.capacity]\n[components.balance]\n'


@pytest.fixture
def shop(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    for name, text in TABLES.items():
        (folder / name).write_text(text, encoding="utf-8")
    (tmp_path / "month.toml").write_text(MODEL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return folder


def cpm(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_from_tables_to_an_explained_plan(shop):
    checked = cpm("check", "shop", "--model", "month.toml")
    assert (checked.exit_code, checked.stdout) == (0, "shop: no faults\n"), checked.stderr
    solved = cpm("solve", "shop", "--model", "month.toml", "--json")
    assert solved.exit_code == 0, solved.stderr
    answer = json.loads(solved.stdout)
    # 60 hours serve 120 customers at their tables: the 100 regulars for 3 EUR each, 20 guests for 2 EUR each.
    assert answer["profit"] == pytest.approx(1000 + 1200 + 300 + 40)
    assert answer["today"]["profit"] == pytest.approx(2200)
    run = Path(answer["run"])
    with (run / "plan.csv").open(encoding="utf-8") as stream:
        plan = {(row["segment"], row["option"]): float(row["customers"]) for row in csv.DictReader(stream)}
    assert plan == pytest.approx(
        {("guests", "counter"): 280, ("guests", "table"): 20, ("regulars", "table"): 100}
    )
    with (run / "resources.csv").open(encoding="utf-8") as stream:
        (hours,) = csv.DictReader(stream)
    prices = [float(hours[column]) for column in ("shadow_price", "range_low", "range_high")]
    assert prices == pytest.approx([4.0, 50.0, 200.0])
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert facts["hashes"].keys() >= {*TABLES, "month.toml"}
    explained = cpm("explain", "last")
    assert explained.exit_code == 0
    assert "The plan earns 2,540 EUR over 1 month: 340 EUR more" in explained.stdout


@pytest.mark.parametrize("wrong", [("--set", "horizon.periodes=3"), ()])
def test_a_check_without_a_sound_model_does_not_guess_at_its_horizon(shop, wrong):
    (shop / "balance.csv").write_text(
        "rule,measure,members,sense,value,first_period\nlater,customers,all,min,400,2\n", encoding="utf-8"
    )
    told = cpm("check", "shop", *(("--model", "month.toml", *wrong) if wrong else ()))
    assert told.exit_code == (2 if wrong else 0)
    assert "begins after the last period" not in told.stderr
    assert told.stderr.count("\n") == len(wrong) // 2
    assert "begins after the last period, 1" in cpm("check", "shop", "--model", "month.toml").stderr


def test_what_cannot_be_kept_exits_with_3(shop):
    (shop / "balance.csv").write_text(TABLES["balance.csv"].replace("400", "500"), encoding="utf-8")
    result = cpm("solve", "shop", "--model", "month.toml", "--json")
    assert result.exit_code == 3
    answer = json.loads(result.stdout)
    assert answer["status"] == "infeasible"
    assert answer["objective"] is None
    assert any("all stay" in rule for rule in answer["conflict"])
    assert "No plan keeps all the rules" in cpm("explain", answer["run"]).stdout


def test_faults_exit_with_2_and_leave_nothing(shop):
    (shop / "effects.csv").write_text(TABLES["effects.csv"].replace(",3\n", ",many\n"), encoding="utf-8")
    for result in (
        cpm("check", "shop", "--model", "month.toml"),
        cpm("solve", "shop", "--model", "month.toml"),
        cpm("solve", "shop", "--model", "monht.toml"),
    ):
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr
    assert not Path("results").exists()
