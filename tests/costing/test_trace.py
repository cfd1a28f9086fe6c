"""Every figure of a statement is followed to its rows: those rows, added up by hand from the files, give the figure."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.costing import cost_and_profit
from cpm_opt.costing.trace import MADE_OF, Part, Trace, trace
from cpm_opt.faults import InputError
from cpm_opt.tables import read_instance
from tests.costing.statements import statement
from tests.costing.test_large_sales import read_large

BANK = Path(__file__).parents[2] / "instances" / "bank-clients"
ALL = 10**6
TDABC = {
    "sales": "customer,date,order,product,quantity,revenue,list_price,discount,cost,tax\n"
    "a,2025-01-01,1,p,10,80,10,15,,4\n"
    "a,2025-01-02,1,q,1,20,,5,,\n"
    "a,2025-01-03,2,q,-1,-20,,,-12,\n"
    "b,2025-02-01,3,p,2,9,5,,,0.5\n"
    "a,2024-02-01,4,p,2,9,5,,,0.5\n",
    "products": "product,unit_cost\np,3\n",
    "cost_pools": "pool,expense,practical_capacity,per_client,date\n"
    "store,560,700,,2025-01-01\ndesk,30,,true,2025-01-01\nboard,7,,,2025-01-01\nstore,1,9,,2024-01-01\n",
    "activities": "activity,pool,base_minutes,transaction_rate\npack,store,8,\ninquiry,store,44,\nvisit,,,6\n",
    "time_drivers": "activity,driver,minutes\npack,rush,2\n",
    "activity_counts": "activity,customer,order,count,rush,date\npack,,1,3,1,2025-01-01\ninquiry,a,,2,,2025-01-01\n"
    "visit,b,,4,,2025-01-01\npack,,3,1,,2025-01-01\npack,,99,2,,2025-01-01\npack,,4,1,,2024-02-01\n",
    "campaigns": "campaign,cost\nspring,5\n",
}
PERIOD = (
    "[estimates]\ngross_margin = 0.25\n[estimates.profit]\nfirst_day = 2025-01-01\nlast_day = 2025-12-31\n"
)


def rows_of(folder: Path, part: Part) -> list[dict[str, str]]:
    """The records of a part's table by the lines that it names, straight from the file."""
    with (folder / f"{part.table}.csv").open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    assert len(part.lines) == part.rows
    return [records[line - 2] for line in part.lines]


def cell(row: dict[str, str], column: str, blank: float = 0.0) -> float:
    return float(row.get(column) or blank)


def adds_up(found: Trace) -> None:
    """Parts add up to their figure, and figures to those that are made of them."""
    amounts = {figure.name: figure.amount for figure in found.figures}
    for figure in found.figures:
        if figure.parts:
            assert sum(part.amount for part in figure.parts) == pytest.approx(figure.amount, abs=1e-6), (
                figure.name
            )
        elif figure.name not in MADE_OF:
            assert figure.amount == pytest.approx(0.0, abs=1e-9), figure.name
        if figure.made_of:
            made = sum(sign * amounts[name] for sign, name in figure.made_of)
            assert made == pytest.approx(figure.amount, abs=1e-6), figure.name


def by_hand(folder: Path, name: str, part: Part) -> float | None:
    """What the part's rows add to its figure, by arithmetic of our own (None: the rule needs other tables too)."""
    rows = rows_of(folder, part)
    if part.table == "sales":
        own = {
            "list_revenue": lambda r: (
                float(r["list_price"]) * cell(r, "quantity", 1.0)
                if r.get("list_price")
                else cell(r, "revenue") + cell(r, "discount")
            ),
            "discount": lambda r: cell(r, "discount"),
            "sales_revenue": lambda r: cell(r, "revenue"),
            "tax": lambda r: cell(r, "tax"),
            "product_cost": {
                "cost of the line itself": lambda r: cell(r, "cost"),
                "unit_cost of table products x quantity": lambda r: 3 * cell(r, "quantity", 1.0),
                "(1 - gross_margin) x revenue": lambda r: 0.75 * cell(r, "revenue"),
            }.get(part.rule),
        }[name]
        assert own is not None
        return sum(own(row) for row in rows)
    if part.table == "activity_counts":
        rate = {"pack": 0.8 * 8, "inquiry": 0.8 * 44, "visit": 6.0}
        return sum(cell(r, "count") * rate[r["activity"]] + 0.8 * 2 * cell(r, "rush") for r in rows)
    if part.table == "campaigns":
        return sum(cell(r, "cost") for r in rows)
    return None


def test_every_figure_of_a_time_driven_statement_leads_to_its_rows(tmp_path: Path) -> None:
    found = statement(tmp_path, PERIOD, **TDABC)
    checked = 0
    for customer in ("a", "b", None):
        traced = trace(found, customer, ALL)
        adds_up(traced)
        for figure in traced.figures:
            for part in figure.parts:
                amount = by_hand(tmp_path, figure.name, part)
                checked += amount is not None
                assert amount is None or amount == pytest.approx(part.amount), (customer, figure.name)
    assert checked == 28
    overhead = next(figure for figure in trace(found, "a").figures if figure.name == "service_overhead")
    assert [(part.table, part.lines, part.amount) for part in overhead.parts] == [("cost_pools", (3,), 15.0)]
    firm = {figure.name: figure for figure in trace(found, None).figures}
    assert {part.rule: (part.amount, part.lines) for part in firm["unassigned_cost"].parts} == {
        "pools without activities": (7.0, (4,)),
        "activities for nobody in particular": (pytest.approx(12.8), (6,)),
        "campaigns": (5.0, (2,)),
    }
    assert firm["idle_capacity_cost"].parts[0].lines == (2,)
    assert firm["ledger_total"].amount == pytest.approx(found.reporting.ledger_total)


def test_every_figure_of_the_bank_leads_to_its_rows() -> None:
    found = cost_and_profit(read_instance(BANK))
    for customer in (found.figures.index[0], found.figures.index[-1], None):
        traced = trace(found, customer, ALL)
        adds_up(traced)
        figures = {figure.name: figure for figure in traced.figures}
        (fees,) = figures["sales_revenue"].parts
        assert sum(float(row["revenue"]) for row in rows_of(BANK, fees)) == pytest.approx(fees.amount)
        if customer is None:
            continue
        with (BANK / "accounts.csv").open(encoding="utf-8") as file:
            own = {row["account"]: row for row in csv.DictReader(file) if row["customer"] == customer}
        for part in figures["interest_income"].parts:
            rows = rows_of(BANK, part)
            assert {row["account"] for row in rows} <= set(own)
            assert sum(
                income(own[name], [row for row in rows if row["account"] == name]) for name in own
            ) == (pytest.approx(part.amount))


def income(account: dict[str, str], rows: list[dict[str, str]]) -> float:
    """A year's interest or transfer income of an account: 0.10 on 60 % of the mean deposit, or the rate of the loan."""
    if not rows:
        return 0.0
    days = [date.fromisoformat(row["date"]).toordinal() for row in rows]
    money = [float(row["balance"]) for row in rows]
    mean = money[-1]
    if days[-1] > days[0]:
        areas = [(days[k + 1] - days[k]) * (money[k + 1] + money[k]) / 2 for k in range(len(rows) - 1)]
        mean = sum(areas) / (days[-1] - days[0])
    return mean * (0.6 * 0.10 if account["kind"] == "deposit" else float(account["rate"]))


def test_a_large_ledger_is_traced_to_the_same_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A line break inside a cell and a blank line: records and lines of the file part.
    sales = TDABC["sales"].replace("a,2025-01-02,1,q", '\na,2025-01-02,"1\n1",q')
    small = statement(tmp_path, PERIOD, **{**TDABC, "sales": sales})
    large = cost_and_profit(read_large(tmp_path, monkeypatch))
    for customer in ("a", "b", None):
        found, wanted = (trace(each, customer, ALL).as_dict() for each in (large, small))
        assert json.loads(json.dumps(found), parse_float=lambda x: round(float(x), 6)) == json.loads(
            json.dumps(wanted), parse_float=lambda x: round(float(x), 6)
        )


def test_the_command_prints_a_trace_and_refuses_strangers(tmp_path: Path) -> None:
    statement(tmp_path, PERIOD, **TDABC)
    text = CliRunner().invoke(app, ["profit", str(tmp_path), "--customer", "a"])
    assert text.exit_code == 0, text.output
    assert "inquiry: minutes by its time equation x 0.8 a minute of store" in text.stdout
    answer = json.loads(CliRunner().invoke(app, ["profit", str(tmp_path), "--trace", "--json"]).stdout)
    tax = next(figure for figure in answer["figures"] if figure["figure"] == "tax")
    assert (tax["amount"], tax["parts"][0]["rows"], tax["parts"][0]["lines"]) == (4.5, 4, [2, 3, 4, 5])
    bad = CliRunner().invoke(app, ["profit", str(tmp_path), "--customer", "c"])
    assert bad.exit_code == 2
    assert "--customer, value 'c'" in bad.stderr
    both = CliRunner().invoke(app, ["profit", str(tmp_path), "--customer", "a", "--by", "order"])
    assert (both.exit_code, "does not go with --by" in both.stderr) == (2, True)
    with pytest.raises(InputError, match="is no customer"):
        trace(cost_and_profit(read_instance(tmp_path)), "c")
