"""The growth and share matrix: figures worked by hand, its cash balance, ledgers behind blanks, and faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.faults import InputError
from cpm_opt.study.product import product_portfolio
from cpm_opt.tables import read_instance

INSTANCE = '[instance]\nname = "p"\ntitle = "Paints"\ncurrency = "EUR"\nperiod = "year"\nsource = "x"\nlicence = "x"\n'
HEADER = "product,market,market_before,largest_rival,sales,sales_before,cash\n"
# By hand. varnish: 1100/1000 - 1 = 10 %, 300/150 = 2; enamel: 2 %, 500/250 = 2; spray: 20 %, 50/200 = 0.25;
# chalk: -5 %, 20/80 = 0.25.
MARKETS = HEADER + (
    "varnish,1100,1000,150,300,270,-10\n"
    "enamel,1020,1000,250,500,500,120\n"
    "spray,600,500,200,50,30,-45\n"
    "chalk,190,200,80,20,22,2\n"
)


def instance(folder: Path, markets: str, more: str = "", **tables: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "instance.toml").write_text(INSTANCE + more, "utf-8")
    for name, text in {"markets": markets, **tables}.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


def test_figures_by_hand(tmp_path):
    found = product_portfolio(read_instance(instance(tmp_path, MARKETS)))
    assert dict(found.products["quadrant"]) == {
        "enamel": "cash cow", "varnish": "star", "spray": "question mark", "chalk": "dog",
    }  # fmt: skip
    assert list(found.products.index) == ["enamel", "varnish", "spray", "chalk"]  # the largest first
    spray = found.products.loc["spray"]
    assert spray["market_growth"] == pytest.approx(0.2)
    assert spray["growth"] == pytest.approx(50 / 30 - 1)
    assert spray["relative_share"] == pytest.approx(0.25)
    assert (spray["share"], spray["share_before"]) == (pytest.approx(50 / 600), pytest.approx(30 / 500))
    assert found.cash_balance == pytest.approx(67)
    assert found.quadrants["cash"].to_dict() == {"star": -10, "cash cow": 120, "question mark": -45, "dog": 2}
    assert found.quadrants["sales_share"].sum() == pytest.approx(1)


def test_a_product_on_a_cut_is_on_its_upper_side_and_cuts_are_the_instances(tmp_path):
    moved = "[estimates.product]\ngrowth = 0.21\nshare = 2.0\n"
    found = product_portfolio(read_instance(instance(tmp_path, MARKETS, moved)))
    assert dict(found.products["quadrant"]) == {
        "enamel": "cash cow", "varnish": "cash cow", "spray": "dog", "chalk": "dog",
    }  # fmt: skip


@pytest.mark.parametrize(("cut", "market"), [(0.2, 600), (0.15, 575), (0.4, 700), (-0.05, 475)])
def test_a_market_that_grew_exactly_by_the_cut_is_fast(tmp_path, cut: float, market: int):
    text = HEADER + f"spray,{market},500,50,50,30,-45\n"
    found = product_portfolio(
        read_instance(instance(tmp_path, text, f"[estimates.product]\ngrowth = {cut}\n"))
    )
    assert found.products.loc["spray", "quadrant"] == "star"


def test_who_has_no_rival_has_a_high_share(tmp_path):
    found = product_portfolio(
        read_instance(instance(tmp_path, HEADER + "ink,100,100,0,100,90,5\nnil,100,100,0,0,0,0\n"))
    )
    assert dict(found.products["quadrant"]) == {"ink": "cash cow", "nil": "dog"}


def test_blanks_are_taken_from_the_ledger(tmp_path):
    sales = "customer,date,product,revenue,cost\na,2024-05-01,ink,40,30\nb,2025-05-01,ink,60,35\na,2025-07-01,pen,9,9\n"
    days = (
        "[estimates.profit]\nfirst_day = 2025-01-01\nlast_day = 2025-12-31\n"
        "prior_first_day = 2024-01-01\nprior_last_day = 2024-12-31\n"
    )
    folder = instance(
        tmp_path, "product,market,market_before,largest_rival\nink,300,250,90\n", days, sales=sales
    )
    found = product_portfolio(read_instance(folder))
    assert found.products.loc["ink", ["sales", "sales_before", "cash"]].tolist() == [60, 40, 25]
    assert len(found.notes) == 3


@pytest.mark.parametrize(
    ("markets", "says"),
    [
        (HEADER + "ink,100,90,60,50,40,1\n", "is less than one's own sales and the largest rival's together"),
        (HEADER + "ink,100,0,10,50,40,1\n", "is 0, so the market has no growth"),
        ("product,market,market_before,largest_rival\nink,100,90,10\n", "there is no table sales"),
        (HEADER, "no row"),
        (HEADER + "ink,100,90,-1,50,40,1\n", "largest_rival"),
    ],
)
def test_each_fault_is_told_with_its_place(tmp_path, markets: str, says: str):
    with pytest.raises(InputError, match=says) as caught:
        product_portfolio(read_instance(instance(tmp_path, markets)))
    assert all(fault.table == "markets" for fault in caught.value.faults)


def test_each_field_is_said_to_bring_or_to_take(tmp_path):
    drained = instance(tmp_path / "a", MARKETS.replace("500,500,120", "500,500,-45"))
    shown = CliRunner().invoke(app, ["product", str(drained)]).stdout
    assert "Cash cows take 45 EUR." in shown
    assert "All products together take 98 EUR" in shown
    none = instance(tmp_path / "b", HEADER + "spray,600,500,200,50,30,-45\n")
    shown = CliRunner().invoke(app, ["product", str(none)]).stdout
    assert "Cash cows bring" not in shown
    assert "There is no cash cow" in shown


def test_an_instance_about_products_alone_has_no_fault_for_want_of_segments(tmp_path):
    folder = instance(tmp_path / "paints", MARKETS)
    assert CliRunner().invoke(app, ["check", str(folder)]).exit_code == 0
    solved = CliRunner().invoke(app, ["solve", str(folder), "--model", "annual-plan"])
    assert solved.exit_code == 2
    assert "add table segments" in solved.stderr


def test_the_command(tmp_path):
    folder = instance(tmp_path / "paints", MARKETS)
    shown = CliRunner().invoke(app, ["product", str(folder), "--plot", str(tmp_path / "matrix.svg")])
    assert shown.exit_code == 0, shown.output
    assert "Cash cows bring 120 EUR." in shown.stdout
    assert "All products together leave 67 EUR: the portfolio pays for itself." in shown.stdout
    picture = (tmp_path / "matrix.svg").read_text("utf-8")
    assert all(f">{name}</text>" in picture for name in ("spray", "enamel", "stars", "cash cows"))
    answer = json.loads(CliRunner().invoke(app, ["product", str(folder), "--json"]).stdout)
    assert answer["cash_balance"] == 67
    assert answer["products"][0] == {
        "product": "enamel", "quadrant": "cash cow", "sales": 500, "growth": 0, "market_growth": pytest.approx(0.02),
        "share": pytest.approx(500 / 1020), "share_before": 0.5, "relative_share": 2, "cash": 120,
    }  # fmt: skip
