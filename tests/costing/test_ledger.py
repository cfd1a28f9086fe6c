"""Faults between the raw tables and in `[estimates.profit]`: told with their place by `cpm profit` and `cpm check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.costing import cost_and_profit
from cpm_opt.faults import InputError
from tests.costing.statements import MARGIN, PERIODS, statement
from tests.ledger import instance


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        (
            {"activity_counts": "activity,count\npak,1\n"},
            "activity_counts line 2, column activity, value 'pak'",
        ),
        ({"activity_counts": "activity,count,rsh\npack,1,1\n"}, "column rsh: the column is neither known"),
        ({"time_drivers": "activity,driver,minutes\npack,rush,1\n"}, "time_drivers line 2, column driver"),
        ({"activities": "activity,pool\npack,stor\n"}, "did you mean 'store'"),
        ({"activities": "activity,base_minutes\npack,3\n"}, "neither a pool nor a transaction_rate"),
        ({"cost_pools": "pool,expense\nstore,5\n"}, "has no practical_capacity"),
        ({"accounts": "account,customer\n1,a\n"}, "estimates.profit.bank: is missing"),
        ({"balances": "account,date,balance\n1,2025-01-01,5\n"}, "balances line 2, column account"),
        ({"sales": "customer,date,revenue\na,2025-01-01,x\n"}, "sales line 2, column revenue"),
    ],
)
def test_faults_between_the_tables_are_told(tmp_path: Path, tables: dict[str, str], words: str) -> None:
    base = {
        "sales": "customer,date,revenue\na,2025-01-01,5\n",
        "cost_pools": "pool,expense,practical_capacity\nstore,5,9\n",
        "activities": "activity,pool,base_minutes\npack,store,1\n",
        "activity_counts": "activity,count\npack,1\n",
    }
    found = instance(tmp_path, None, MARGIN, "year", {**base, **tables})
    with pytest.raises(InputError) as raised:
        cost_and_profit(found)
    assert any(words in fault.line() for fault in raised.value.faults), [
        f.line() for f in raised.value.faults
    ]


def test_check_tells_the_faults_between_the_tables_too(tmp_path: Path) -> None:
    tables = {
        "segments": "segment,customers,margin\nx,1,1\n",
        "activities": "activity,pool\npack,stor\n",
        "cost_pools": "pool,expense,practical_capacity\nstore,5,9\n",
    }
    instance(tmp_path, None, "", "year", tables)
    result = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert (
        "activities line 2, column pool, value 'stor': is not known; did you mean 'store'?" in result.stderr
    )


def test_activities_of_a_period_need_the_expense_of_their_pool_in_it(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="has activities of 2024-01-01 to 2024-12-31 and no rate of pools store"
    ):
        statement(
            tmp_path,
            PERIODS,
            sales="customer,date,revenue\na,2025-01-01,5\n",
            cost_pools="pool,expense,practical_capacity\nstore,5,9\n",
            activities="activity,pool,base_minutes\npack,store,1\n",
            activity_counts="activity,count,date\npack,1,2025-05-05\npack,1,2024-05-05\n",
        )


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("", "estimates.gross_margin: is missing"),
        (MARGIN + "[estimates.profit]\nfrst_day = 2025-01-01\n", "did you mean 'first_day'"),
        (
            MARGIN + "[estimates.profit]\nfirst_day = 2025-01-02\nlast_day = 2025-01-01\n",
            "last_day is before first_day",
        ),
        (MARGIN + "[estimates.profit.bank]\ntransfer_price = 7\n", "less than 1"),
        (
            MARGIN + '[estimates.profit.tiers]\nnames = ["a", "a"]\nvalues = [0.5, 0.5]\n',
            "names a tier twice",
        ),
    ],
)
def test_faults_of_the_settings_are_told_by_profit_and_check(tmp_path: Path, rules: str, words: str) -> None:
    folder = tmp_path / "shop"
    instance(
        folder, [("a", "2025-01-01", 1, 5)], rules, "year", {"segments": "segment,customers,margin\nx,1,1\n"}
    )
    result = CliRunner().invoke(app, ["profit", str(folder), "--json"])
    assert result.exit_code == 2
    assert words in result.stderr
    assert json.loads(result.stdout)["status"] == "faults"
    if rules:
        assert words in CliRunner().invoke(app, ["check", str(folder)]).stderr
