"""Sales lines to transactions and their profit."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest

from cpm_opt.costing import profitability
from cpm_opt.faults import InputError
from tests.ledger import instance

LINES = [
    ("007", "2026-01-05", 1, "10.10"),
    ("007", "2026-01-05", 2, "5.20"),
    ("007", "2026-02-01", 1, "0"),
    ("NA", "2026-01-05", 3, "100"),
]


def test_purchases_of_one_day_are_one_transaction_and_free_ones_count(tmp_path: Path) -> None:
    found = profitability(instance(tmp_path, LINES))
    rows = found.transactions.drop(columns="date").to_dict("records")
    assert [(row["customer"], row["lines"], row["quantity"]) for row in rows] == [
        ("007", 2, 3.0),
        ("007", 1, 1.0),
        ("NA", 1, 3.0),
    ]
    assert [row["revenue"] for row in rows] == pytest.approx([15.30, 0.0, 100.0])
    assert [row["profit"] for row in rows] == pytest.approx([3.825, 0.0, 25.0])  # a quarter of revenue
    assert (found.customers, found.gross_margin) == (2, 0.25)
    assert found.revenue == pytest.approx(115.30)
    assert found.product_cost + found.profit == pytest.approx(found.revenue)


def test_the_order_of_lines_does_not_change_a_bit(tmp_path: Path) -> None:
    draw = random.Random(1)
    lines = [
        (str(draw.randint(1, 9)), f"2026-01-{draw.randint(1, 5):02d}", 1, draw.random() * 100)
        for _ in range(300)
    ]
    first = profitability(instance(tmp_path / "a", lines)).transactions
    draw.shuffle(lines)
    pd.testing.assert_frame_equal(
        profitability(instance(tmp_path / "b", lines)).transactions, first, check_exact=True
    )


def test_costs_of_lines_and_products_go_before_the_gross_margin(tmp_path: Path) -> None:
    tables = {
        "sales": "customer,date,product,quantity,revenue,cost\n"
        "a,2026-01-05,p,2,10,\na,2026-01-05,q,1,8,\na,2026-01-06,p,1,5,4\n",
        "products": "product,unit_cost\np,3\nq,\n",
    }
    rules = "[estimates]\ngross_margin = 0.25"
    found = profitability(instance(tmp_path / "a", None, rules, tables=tables))
    assert found.transactions["product_cost"].tolist() == pytest.approx([2 * 3 + 0.75 * 8, 4])
    assert found.gross_margin == pytest.approx((23 - 16) / 23)
    with pytest.raises(InputError, match="1 lines of sales have no cost of their own"):
        profitability(instance(tmp_path / "b", None, "", tables=tables))
    known = {"sales": tables["sales"].replace("q,1,8,", "q,1,8,6")}
    assert profitability(
        instance(tmp_path / "c", None, "", tables=tables | known)
    ).product_cost == pytest.approx(16)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("", "is missing"),
        ("[estimates]\ngross_margin = 30", "looks like a percent"),
        ("[estimates]\ngross_margin = 0", "no fraction"),
        ("[estimates]\ngross_margin = -0.3", "no fraction"),
        ('[estimates]\ngross_margin = "0.3"', "not a number"),
        ("[estimates]\ngross_margin = true", "not a number"),
    ],
)
def test_an_unusable_gross_margin_and_missing_sales_are_told_together(
    tmp_path: Path, rules: str, words: str
) -> None:
    with pytest.raises(InputError) as error:
        profitability(instance(tmp_path, None, rules))
    sales, margin = error.value.faults
    assert (sales.table, margin.table, margin.column) == ("sales", "instance.toml", "estimates.gross_margin")
    assert words in margin.message
