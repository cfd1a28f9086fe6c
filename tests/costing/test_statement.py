"""The whole statement: the worked example of docs/profit.md, two periods, a bank, dimensions, reconciliation."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.costing.break_even import Change
from cpm_opt.costing.trace import trace
from cpm_opt.faults import InputError
from cpm_opt.report.profit import profit_report
from cpm_opt.runs.plain import json_text
from cpm_opt.tables import RAW, read_instance
from tests.costing.statements import MARGIN, PERIODS, statement

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "profit.md").read_text(encoding="utf-8")


def table_of(docs: str, header: str) -> list[list[str]]:
    """The cells of the table in the docs that begins with this header."""
    lines = docs[docs.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_worked_example_of_the_docs(tmp_path: Path) -> None:
    files = re.findall(r"^`([\w.]+)`\n\n```\w+\n(.*?)```", DOCS, re.M | re.S)
    assert len(files) == 6
    for name, text in files:
        (tmp_path / name).write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["profit", str(tmp_path), "--json", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    answer = json.loads(result.stdout)
    figures = {name: float(value) for name, value in table_of(DOCS, "| figure | value |")}
    assert {name: answer[name] for name in figures} == pytest.approx(figures)
    written = (tmp_path / "out" / "customers.csv").read_text(encoding="utf-8").splitlines()
    names = written[0].split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in written[1:]]
    keys = ("revenue", "product_cost", "cost_to_serve", "profit")
    for row, (customer, *told, tier) in zip(rows, table_of(DOCS, "| customer | revenue"), strict=True):
        assert (row["customer"], row["tier"]) == (customer, tier)
        assert [float(row[key]) for key in keys] == pytest.approx([float(cell) for cell in told])
    assert answer["customers"] == 3
    assert answer["tiers"]["gold"] == {"customers": 1, "profit": pytest.approx(373_920)}
    assert answer["whale"]["peak_share"] == pytest.approx((373_920 + 53_440) / 407_120)
    assert answer["whale"]["peak_at"] == pytest.approx(2 / 3)
    text = CliRunner().invoke(app, ["profit", str(tmp_path), "--by", "product"]).stdout
    for words in ("105.0%", "-97,120", "310,000", "13.5%", "58,190", "By product"):
        assert words in text
    assert "34.8 %" in DOCS


def test_the_docs_name_every_column_of_the_tables() -> None:
    told = {row[0].strip("`"): row[1] for row in table_of(DOCS, "| table | one row is |")}
    lost = [
        f"{name}.{column.name}"
        for name in told
        for column in RAW[name].columns
        if not re.search(rf"\b{column.name}s?\b", told[name])
    ]
    assert lost == []


def test_the_shares_and_growth_of_the_example() -> None:
    """500,000 of 3,000,000 is 16.67 %, 600,000 of 4,000,000 is 15 %: -1.67 points."""
    change = Change(prior_revenue=3e6, prior_profit=5e5, revenue=4e6, profit=6e5)
    assert change.prior_return_on_sales == pytest.approx(0.1667, abs=5e-5)
    assert change.return_on_sales == pytest.approx(0.15)
    assert change.change_of_return * 100 == pytest.approx(-1.67, abs=5e-3)
    assert (change.growth, change.profit_growth) == (pytest.approx(1 / 3), pytest.approx(0.2))


def test_two_periods_beside_each_other_with_the_same_returns_as_the_example(tmp_path: Path) -> None:
    sales = (
        "customer,date,revenue,cost\n"
        "a,2024-05-01,2000000,1500000\nb,2024-12-31,1000000,1000000\n"
        "a,2025-01-01,3000000,2410000\nc,2025-12-31,1000000,990000\nz,2023-12-31,7,7\n"
    )
    found = statement(tmp_path, PERIODS, sales=sales)
    assert found.change is not None
    assert found.change.return_on_sales == pytest.approx(0.15)
    assert found.change.change_of_return == pytest.approx(-1 / 60)
    customers = found.customers
    assert customers.loc["a", ["prior_revenue", "prior_profit"]].tolist() == [2e6, 5e5]
    assert customers.loc["a", "growth"] == pytest.approx(0.5)
    assert customers.loc["a", "ros_change"] == pytest.approx(590 / 3000 - 0.25)
    # b bought last year alone, z before that: they are customers who do not work now.
    assert customers["tier"].to_dict() == {"a": "gold", "c": "gold", "b": "inactive", "z": "inactive"}
    assert found.moves is not None
    assert found.moves.loc["bronze", "inactive"] == 1
    assert found.moves.loc["new", "gold"] == 1
    answer = json.loads(json_text(found.as_dict()))
    assert answer["moves"]["new"] == {"gold": 1, "bronze": 0, "unprofitable": 0, "inactive": 0, "gone": 0}
    assert [row["customer"] for row in answer["large"]] == ["a", "c"]
    assert answer["large"][0]["share"] == pytest.approx(0.75)
    assert found.inactive_shares == (pytest.approx(1 / 3), pytest.approx(0.5))
    assert found.as_dict()["prior"]["ros_change"] == pytest.approx(-1 / 60)  # type: ignore[index]


def test_tax_on_profit_is_the_firms_and_none_on_a_loss(tmp_path: Path) -> None:
    taxed = PERIODS.replace("last_day = 2025-12-31\n", "last_day = 2025-12-31\ntax_rate = 0.2\n")
    sales = "customer,date,revenue,cost,tax\na,2025-01-01,1000,400,50\na,2024-06-01,100,400,0\n"
    pools = "pool,expense,practical_capacity,date\nstore,150,10,2025-06-01\n"
    found = statement(tmp_path / "taxed", taxed, sales=sales, cost_pools=pools)
    answer = found.as_dict()
    # 1,000 - 400 - 50 of tax on the lines is the customer's; idle capacity of 150 is the firm's; a fifth of 400 goes.
    assert (answer["profit"], answer["ledger_total"]) == (550, 400)
    assert (answer["profit_tax"], answer["profit_after_tax"]) == (80, 320)
    assert found.prior is not None
    assert (found.prior.ledger_total, found.tax_on_profit(found.prior)) == (-300, 0)
    assert answer["unreconciled"] == 0
    figures = {figure.name: figure for figure in trace(found).figures}
    assert figures["profit_tax"].amount == sum(part.amount for part in figures["profit_tax"].parts) == 80
    assert figures["profit_after_tax"].amount == 320
    (layers,) = profit_report(found, read_instance(tmp_path / "taxed").info).sections[0].tables
    assert layers.rows[-2:] == (("Tax on profit", -80, 0), ("= Profit after tax", 320, -300))
    untaxed = statement(tmp_path / "untaxed", PERIODS, sales=sales, cost_pools=pools)
    assert (untaxed.as_dict()["profit_tax"], untaxed.as_dict()["profit_after_tax"]) == (None, None)
    with pytest.raises(InputError, match="tax_rate, value '20"):
        statement(tmp_path / "percent", taxed.replace("tax_rate = 0.2", "tax_rate = 20.0"), sales=sales)


def test_price_waterfall_product_cost_and_break_even(tmp_path: Path) -> None:
    found = statement(
        tmp_path,
        sales="customer,date,product,quantity,revenue,list_price,discount,cost,tax\n"
        "a,2025-01-01,p,10,80,10,15,,4\n"  # 100 by the list, 15 discount, 5 else; unit cost 3
        "a,2025-01-02,q,1,20,,5,,\n"  # list is 25; by the gross margin 15
        "a,2025-01-03,q,-1,-20,,,-12,\n",  # a return
        products="product,unit_cost\np,3\n",
        activities="activity,transaction_rate\nvisit,6\n",
        activity_counts="activity,customer,count\nvisit,a,2\n",
    )
    row = found.customers.loc["a"]
    names = [
        "list_revenue",
        "discount",
        "other_reductions",
        "revenue",
        "product_cost",
        "gross_profit",
        "contribution",
    ]
    assert row[names].tolist() == pytest.approx([105, 20, 5, 80, 33, 47, 35])
    assert row[["tax", "profit", "return_on_sales"]].tolist() == pytest.approx([4, 31, 31 / 80])
    assert row["orders"] == 3
    # At 80 of revenue 43 are left for the 12 of visits.
    assert row["break_even_revenue"] == pytest.approx(12 / (43 / 80))
    assert row["break_even_quantity"] == pytest.approx(12 / (43 / 80) / 8)
    assert found.reporting.ledger_total == pytest.approx(31)


def test_overhead_per_client_follows_the_days_of_being_one(tmp_path: Path) -> None:
    """20,400 over 1,200 clients is 17 each; somebody who came at half the year is half a client."""
    rules = MARGIN + "[estimates.profit]\nfirst_day = 2025-01-01\nlast_day = 2025-12-31\n"
    found = statement(
        tmp_path,
        rules,
        customers="customer,opened,closed\na,,\nb,2025-10-20,\nc,2020-01-01,2024-12-31\nd,2020-01-01,2025-03-14\n",
        sales="customer,date,revenue\na,2025-01-01,100\n",
        cost_pools="pool,expense,per_client\ndesk,29.2,true\n",
    )
    assert found.reporting.average_clients == pytest.approx((365 + 73 + 73) / 365)
    each = 29.2 / (511 / 365)
    assert found.customers["service_overhead"].to_dict() == pytest.approx(
        {"a": each, "b": each / 5, "d": each / 5}
    )
    assert found.reporting.unassigned_cost == 0


def test_orders_lead_activities_to_customers_and_dimensions(tmp_path: Path) -> None:
    found = statement(
        tmp_path,
        sales="customer,date,order,product,product_group,channel,salesperson,campaign,revenue,cost,tax\n"
        "a,2025-01-01,1,p,x,web,,spring,100,40,1\n"
        "a,2025-01-01,1,q,x,web,,spring,50,20,0\n"
        "b,2025-02-01,2,p,x,shop,Ann,,30,25,0\n",
        activities="activity,pool,base_minutes\npack,store,1\nteach,store,10\n",
        cost_pools="pool,expense,practical_capacity\nstore,100,100\nboard,7,\n",
        activity_counts="activity,order,product,customer,count\npack,1,,,5\npack,2,,,2\npack,99,,,3\nteach,,q,a,1\nteach,,p,,1\n",
        campaigns="campaign,cost\nspring,20\nautumn,5\n",
    )
    assert found.customers["cost_to_serve"].to_dict() == pytest.approx({"a": 15, "b": 2})
    assert found.reporting.unassigned == pytest.approx(
        {
            "pools without activities": 7,
            "overhead without clients": 0,
            "activities for nobody in particular": 13,
            "campaigns": 25,
        }
    )
    assert found.reporting.served.idle_capacity_cost == pytest.approx(70)
    assert found.by("channel")["profit"].to_dict() == pytest.approx({"web": 84, "": -10, "shop": 3})
    assert found.by("salesperson").loc["Ann", "profit"] == pytest.approx(3)
    assert found.by("product")["cost_to_serve"].to_dict() == pytest.approx({"q": 10, "p": 0, "": 7})
    assert found.by("product_group").loc["x", "cost_to_serve"] == pytest.approx(17)
    campaigns = found.by("campaign")
    assert campaigns.loc["spring", ["profit", "profit_over_cost", "tax"]].tolist() == pytest.approx(
        [64, 3.2, 1]
    )
    assert campaigns.loc["autumn", "profit"] == -5
    for dimension in ("segment", "group", "order", "product", "product_group", "salesperson", "channel"):
        assert found.by(dimension)["profit"].sum() == pytest.approx(found.reporting.total("profit"))
    with pytest.raises(InputError, match="did you mean 'channel'"):
        found.by("chanel")


def test_connected_clients_are_large_together(tmp_path: Path) -> None:
    others = "".join(f"n{k},2025-01-01,4\n" for k in range(24))
    found = statement(
        tmp_path,
        sales="customer,date,revenue\na,2025-01-01,2\nb,2025-01-01,2\nc,2025-01-01,3\n" + others,
        links="customer,other,kind\na,holding,owner\nb,holding,owner\nc,b,borrower\n",
    )
    assert found.large.empty
    assert found.large_groups is not None
    assert found.large_groups["share"].to_dict() == pytest.approx({"a": 7 / 103})
    assert found.by("group").loc["a", "revenue"] == 7


def test_the_matrix_adds_up_and_names_the_two_ways_out(tmp_path: Path) -> None:
    found = statement(
        tmp_path,
        sales="customer,date,product,revenue,cost\na,2025-01-01,good,100,60\na,2025-01-01,bad,50,30\nb,2025-01-01,good,20,12\n",
        activities="activity,transaction_rate\nrepair,70\nvisit,5\n",
        activity_counts="activity,customer,product,count\nrepair,a,bad,1\nvisit,a,,1\n",
    )
    by_customer = found.matrix.groupby("customer")["profit"].sum()
    assert by_customer.to_dict() == pytest.approx(found.customers["profit"].to_dict())
    (cell,) = found.loss_makers.to_dict("records")
    assert (cell["customer"], cell["product"], cell["profit"], cell["price_rise"]) == ("a", "bad", -50, 1.0)
    (way,) = found.ways_out.reset_index().to_dict("records")
    assert (way["customer"], way["loss"], way["worst_product"], way["product_loss"]) == ("a", 15, "bad", 50)
    assert way["price_rise"] == pytest.approx(15 / 50)
    assert way["stopping"] == 35  # without the bad product 40 of the good one and the visit are left
    assert (way["sell"], way["sell_revenue"]) == ("good", pytest.approx(15 / 0.4))


def test_a_bank_of_the_lectures(tmp_path: Path) -> None:
    """A service of 60 a year against a deposit of 1,500 and one of 15,000 at 3.5 %: -7.5 and 465."""
    found = statement(
        tmp_path,
        "[estimates.profit]\nfirst_day = 2025-01-01\nlast_day = 2025-12-31\n"
        "[estimates.profit.bank]\ntransfer_price = 0.035\n",
        accounts="account,customer\n1,small\n2,large\n3,idle\n",
        balances="account,date,balance\n1,2025-01-01,1500\n1,2025-12-31,1500\n2,2025-01-01,15000\n3,2025-06-30,0\n",
        activities="activity,transaction_rate\nstatement,1\nvisit,3\ncall,2\n",
        activity_counts="activity,customer,count\n"
        + "".join(
            f"{a},{c},{n}\n"
            for c in ("small", "large")
            for a, n in (("statement", 12), ("visit", 12), ("call", 6))
        ),
    )
    assert found.customers["profit"].to_dict() == pytest.approx({"large": 465, "idle": 0, "small": -7.5})
    assert found.customers["tier"].to_dict()["idle"] == "inactive"
    assert found.reporting.ledger_total == pytest.approx(457.5)
    assert found.margin_of_interest == pytest.approx(120 / 16500)
    answer = json.loads(json_text(found.as_dict()))
    assert answer["margin_of_interest"] == pytest.approx(120 / 16500)
    totals = answer["accounts"]["deposit"]
    assert (totals["accounts"], totals["mean"], totals["stability"]) == (
        3,
        pytest.approx(16500),
        pytest.approx(1),
    )
    assert totals["transfer_income"] == pytest.approx(577.5)
    out = tmp_path / "out"
    told = CliRunner().invoke(app, ["profit", str(tmp_path), "--out", str(out)])
    assert told.exit_code == 0, told.output
    assert "stability" in told.stdout
    written = pd.read_csv(out / "accounts.csv", dtype={"account": str}, index_col="account")
    assert list(written.columns) == [
        "customer", "kind", "product", "rate", "mean", "mean_open", "minimum", "stability", "free", "transfer_income",
        "interest_earned", "interest_paid", "funding_cost", "revenue", "product_cost",
    ]  # fmt: skip
    assert written["revenue"].sum() - written["product_cost"].sum() == pytest.approx(577.5)
    assert written.loc["1", ["mean", "minimum", "stability"]].tolist() == pytest.approx([1500, 1500, 1])
    assert found.by("product").loc["deposit", "revenue"] == pytest.approx(577.5)


money = st.floats(-1000, 1000).map(lambda x: round(x, 2))
customer = st.sampled_from(["a", "b", "c", "d"])
sale = st.tuples(customer, st.sampled_from(["2024-07-01", "2025-02-01", "2025-11-30"]), money, st.sampled_from("123"),
                 st.sampled_from(["p", "q", ""]))  # fmt: skip
done = st.tuples(st.sampled_from(["pack", "visit", "call"]), st.sampled_from(["a", "b", "x", ""]),
                 st.sampled_from(["1", "2", "9", ""]), st.integers(0, 40), st.integers(0, 5))  # fmt: skip


@given(
    sales=st.lists(sale, min_size=1, max_size=12),
    counts=st.lists(done, min_size=1, max_size=10),
    expense=st.tuples(*[st.floats(0, 5000).map(lambda x: round(x, 2))] * 4),
    balance=st.floats(0, 1e6).map(lambda x: round(x, 2)),
)
@settings(max_examples=20, deadline=None)
def test_every_ledger_reconciles_to_the_cent(
    tmp_path_factory: pytest.TempPathFactory,
    sales: list[tuple[object, ...]],
    counts: list[tuple[object, ...]],
    expense: tuple[float, ...],
    balance: float,
) -> None:
    rows = {
        "sales": ["customer,date,revenue,order,product", *(",".join(map(str, line)) for line in sales)],
        "activity_counts": [
            "activity,customer,order,count,rush",
            *(",".join(map(str, line)) for line in counts),
        ],
    }
    found = statement(
        tmp_path_factory.mktemp("shop"),
        MARGIN + "[estimates.profit]\nfirst_day = 2025-01-01\nlast_day = 2025-12-31\n"
        "prior_first_day = 2024-01-01\nprior_last_day = 2024-06-30\n"
        "[estimates.profit.bank]\ntransfer_price = 0.07\nreserve = 0.1\n",
        **{name: "\n".join(lines) + "\n" for name, lines in rows.items()},
        cost_pools=f"pool,expense,practical_capacity,per_client\nstore,{expense[0]},311,\nboard,{expense[1]},,\n"
        f"desk,{expense[2]},,true\n",
        activities="activity,pool,base_minutes,transaction_rate\npack,store,1.7,\nvisit,,,3.33\ncall,store,2,1.1\n",
        time_drivers="activity,driver,minutes\npack,rush,0.7\n",
        customers="customer,opened,closed\na,,\nb,2025-03-03,\nc,2020-01-01,2024-12-31\n",
        campaigns=f"campaign,cost\nspring,{expense[3]}\n",
        accounts="account,customer,kind,rate\n1,a,deposit,0.03\n2,d,loan,0.2\n",
        balances=f"account,date,balance\n1,2025-02-01,{balance}\n2,2025-05-01,{balance}\n2,2025-07-01,0\n",
    )
    answer = found.as_dict()
    assert answer["unreconciled"] == 0
    inside = [line for line in sales if str(line[1]) >= "2025"]
    left = 0.25 * sum(float(str(line[2])) for line in inside)  # the gross margin, added up by hand
    years = (0.9 * 0.07 - 0.03) * 334 / 365  # of the deposit, from 1 February on
    lent = (1 + 61 / 2) / 365 * (0.2 - 0.07)  # of the loan, whole on 1 May and 0 on 1 July
    outside = 3.33 * sum(int(str(line[3])) for line in counts if line[0] == "visit")
    by_hand = left + balance * (years + lent) - sum(expense) - outside
    assert answer["ledger_total"] == pytest.approx(by_hand, abs=0.01)
    assert answer["profit"] == pytest.approx(float(found.matrix["profit"].sum()), abs=0.01)
