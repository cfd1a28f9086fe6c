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

ROOT = Path(__file__).resolve().parents[2]
CDNOW = ROOT / "instances" / "cdnow"


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
