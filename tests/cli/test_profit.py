"""`cpm profit` as it is called: JSON, text, tables in a folder, faults."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cpm_opt.cli import app
from cpm_opt.costing import cost_and_profit
from cpm_opt.report.chart import Bars, Lines, Steps
from cpm_opt.report.profit_charts import profit_charts
from cpm_opt.tables import read_instance
from tests.ledger import instance

ROOT = Path(__file__).resolve().parents[2]
CDNOW = ROOT / "instances" / "cdnow"
INSTANCE = (
    '[instance]\nname = "p"\ntitle = "P"\ncurrency = "EUR"\nperiod = "year"\nsource = "x"\nlicence = "x"\n'
)


def profit(*words: str) -> Result:
    return CliRunner().invoke(app, ["profit", *words])


def test_the_ledger_of_cdnow_against_a_plain_loop() -> None:
    result = profit(str(CDNOW), "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    cents: Counter[str] = Counter()
    with (CDNOW / "sales.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            cents[row["customer"]] += round(float(row["revenue"]) * 100)
    revenue = sum(cents.values()) / 100
    assert answer["customers"] == len(cents) == 2357
    assert answer["revenue"] == pytest.approx(revenue)
    assert [answer["profit"], answer["ledger_total"]] == pytest.approx([0.3 * revenue] * 2)
    assert answer["product_cost"] == pytest.approx(0.7 * revenue)
    assert [answer[name] for name in ("cost_to_serve", "idle_capacity_cost", "unassigned_cost")] == [0, 0, 0]
    assert answer["unreconciled"] == 0
    assert sum(tier["customers"] for tier in answer["tiers"].values()) == len(cents)
    assert sum(tier["profit"] for tier in answer["tiers"].values()) == pytest.approx(0.3 * revenue)
    paying = sum(1 for value in cents.values() if value > 0)
    assert answer["whale"]["peak_share"] == pytest.approx(1)
    assert answer["whale"]["peak_at"] == pytest.approx(paying / len(cents))
    best = sorted(cents.values(), reverse=True)[: math.ceil(0.2 * len(cents))]
    assert answer["top_share"] == pytest.approx(sum(best) / 100 / revenue)


def test_text_is_for_a_reader() -> None:
    text = profit(str(CDNOW), "--by", "channel").stdout
    for words in ("profit of 2,357 customers", "this period, USD", "By channel", "to the\ncent"):
        assert words in text
    assert "nan" not in text.lower().split()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            (str(CDNOW), "--by", "chanel"),
            "--by, value 'chanel': is no dimension of the ledger; did you mean 'channel'",
        ),
        (("cdnaw",), "did you mean 'cdnow'"),
        ((str(ROOT / "tests" / "bad_inputs" / "_base"),), "sales: is missing or has no usable row"),
        ((str(CDNOW), "--out", str(CDNOW)), "--out, value"),
    ],
)
def test_faults_are_told_and_nothing_is_written(words: tuple[str, ...], told: str) -> None:
    result = profit(*words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""
    assert not (CDNOW / "customers.csv").exists()


def with_activities(folder: Path) -> Path:
    costs = {
        "sales": "customer,date,revenue,cost\na,2025-01-01,50,20\n",
        "activities": "activity,transaction_rate\nvisit,6\npack,2\n",
        "activity_counts": "activity,customer,count\nvisit,a,1\npack,a,4\n",
    }
    instance(folder, None, "", "year", costs)
    return folder


def test_the_charts_show_the_figures_of_the_statement(tmp_path: Path) -> None:
    bank = ROOT / "instances" / "bank-clients"
    tables = read_instance(bank)
    statement = cost_and_profit(tables)
    answer = statement.as_dict()
    way, whale, tiers = profit_charts(statement, tables.info)  # the bank counts no activities
    assert (type(way), type(whale), type(tiers)) == (Steps, Lines, Bars)
    assert isinstance(way, Steps)
    assert isinstance(whale, Lines)
    assert isinstance(tiers, Bars)
    assert way.first[1] == answer["list_revenue"]
    assert way.last[1] == answer["profit"]
    # The steps lead from the first to the last total.
    assert way.first[1] + sum(change for _, change in way.steps) == pytest.approx(way.last[1], abs=0.02)
    curve = [y for _, y in whale.series[0].points]
    assert max(curve) / curve[-1] == pytest.approx(answer["whale"]["peak_share"], abs=1e-3)  # type: ignore[index]
    assert curve[-1] == whale.level == pytest.approx(answer["profit"])
    profits = [y for _, y in tiers.series[0].points]
    assert profits == [tier["profit"] for tier in answer["tiers"].values() if tier["customers"]]  # type: ignore[attr-defined]

    shop = cost_and_profit(read_instance(with_activities(tmp_path / "shop")))
    activities = profit_charts(shop, tables.info)[-1]
    assert isinstance(activities, Bars)
    assert (activities.names, [y for _, y in activities.series[0].points]) == (("pack", "visit"), [8, 6])

    plot = tmp_path / "bank.svg"
    result = profit(str(bank), "--plot", str(plot), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["profit"] == answer["profit"]
    text = plot.read_text(encoding="utf-8")
    for words in ("From list prices to profit", "Whale curve", "Profit by tier", "platinum (140)"):
        assert words in text, words
    for words, told in (
        (("--plot", str(tmp_path / "bank.doc")), "--plot"),
        (("--plot", str(plot), "--trace"), "--trace: does not go with --plot"),
    ):
        refused = profit(str(bank), *words)
        assert refused.exit_code == 2
        assert told in refused.stderr


def test_a_misspelt_section_of_estimates_is_a_fault_and_not_another_period(tmp_path: Path) -> None:
    (tmp_path / "instance.toml").write_text(
        INSTANCE + "[estimates.profitt]\nfirst_day = 2025-01-01\n", "utf-8"
    )
    (tmp_path / "sales.csv").write_text("customer,date,revenue,cost\na,2025-01-01,5,3\n", "utf-8")
    done = profit(str(tmp_path))
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert "did you mean 'profit'?" in done.stderr


def test_money_without_room_for_cents_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "instance.toml").write_text(INSTANCE + "[estimates]\ngross_margin = 0.3\n", "utf-8")
    rows = "".join(f"{k},2025-01-{1 + k % 28:02},{0.14 * k:.2f}\n" for k in range(60))
    text = f"customer,date,revenue\n{rows}big,2025-01-31,999999999999999\n"
    (tmp_path / "sales.csv").write_text(text, "utf-8")
    done = profit(str(tmp_path))
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert "cannot be added up to the cent" in done.stderr
