"""`instances/bank-clients`: `cpm profit` computes the published figures, and the plan's columns, from raw tables."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import pytest

from cpm_opt.costing import ProfitStatement, cost_and_profit
from cpm_opt.tables import read_instance

FOLDER = Path(__file__).resolve().parents[2] / "instances" / "bank-clients"
PUBLISHED = tomllib.loads((FOLDER / "expected.toml").read_text(encoding="utf-8"))["published"]
COLUMNS = {
    "deposits": "balance",
    "minimum_deposits": "stable_balance",
    "loans": "loan",
    "sales_revenue": "fee_income",
    "transfer_income": "placement_income",
    "interest_paid": "interest_paid",
    "service_overhead": "service_cost",
}


@pytest.fixture(scope="module")
def statement() -> ProfitStatement:
    tables = read_instance(FOLDER)
    assert [fault.line() for fault in tables.faults] == []
    return cost_and_profit(tables)


def test_the_twelve_published_figures_come_out_of_the_raw_tables(statement: ProfitStatement) -> None:
    sums = statement.customers.groupby("segment")[["profit", "deposits", "loans"]].sum()
    over_balance = [sums.loc[f"class-{k}-deposit"] for k in range(1, 7)]
    over_loan = [sums.loc[f"class-{k}-loan"] for k in range(1, 7)]
    percents = [round(100 * row["profit"] / row["deposits"], 1) for row in over_balance]
    totals = [round(100 * row["profit"] / row["loans"], 1) for row in over_loan]
    assert percents == PUBLISHED["profit_over_balance"]
    assert totals == PUBLISHED["total_profit_over_loan"]
    assert [round(value) for value in totals[:4]] == PUBLISHED["total_profit_over_loan_rounded"][:4]


def test_each_client_has_the_figures_of_their_segment(statement: ProfitStatement) -> None:
    with (FOLDER / "segments.csv").open(encoding="utf-8") as file:
        stated = {row["segment"]: row for row in csv.DictReader(file) if float(row["customers"]) > 0}
    counts = statement.customers.groupby("segment").size()
    assert counts.to_dict() == {name: int(row["customers"]) for name, row in stated.items()}
    for name, clients in statement.customers.groupby("segment"):
        for ours, theirs in COLUMNS.items():
            assert clients[ours].tolist() == pytest.approx(
                [float(stated[str(name)][theirs])] * len(clients)
            ), theirs
        loan_income = clients["interest_earned"] - clients["funding_cost"]
        assert loan_income.tolist() == pytest.approx([float(stated[str(name)]["loan_income"])] * len(clients))


def test_it_reconciles(statement: ProfitStatement) -> None:
    assert statement.reporting.unreconciled == 0
    assert statement.reporting.total("service_overhead") == pytest.approx(20_400)
