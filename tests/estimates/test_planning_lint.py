"""Each doubt planted in clean planning tables, found by `cpm check` and by `cpm estimate`; clean tables give none."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpm_opt.estimates.estimate import estimate, with_response
from cpm_opt.pipeline import check_instance, read_problem
from cpm_opt.tables import read_instance

HEAD = """[instance]
name = "doubts"
title = "Doubts"
currency = "EUR"
period = "month"
source = "made"
licence = "none"
default_model = "tariff-plan"
[measures]
active_days = { title = "Use", unit = "fraction of the days" }
"""
CLEAN = {
    "segments": "segment,customers,margin,revenue,active_days,kind\na,100,40,100,0.5,\nb,50,30,80,0.4,\n"
    "gone,0,0,0,0,lost\n",
    "resources": "resource,capacity,unit_cost\nhours,1000,40\n",
    "levers": "lever,choice\nfee,single\ncare,mix\n",
    "options": "lever,option,base,price_change\nfee,now,true,\nfee,up,false,0.1\nfee,more,false,0.2\ncare,none,true,\n"
    "care,call,false,\n",
    "effects": "segment,lever,option,margin,revenue,margin_se\na,fee,up,5,4,1\na,fee,more,8,6,2\nb,fee,up,4,2,1\n"
    "a,care,call,-12,0,2\nb,care,call,-11,0,\n",
    "usage": "resource,amount,segment,lever,option\nhours,0.5,,care,call\n",
    "migration": "from,to,rate\na,a,0.8\na,gone,0.2\nb,b,0.8\nb,gone,0.2\ngone,gone,1\n",
    "migration_effects": "from,to,lever,option,rate,when,se\na,a,fee,up,-0.02,on_change,0.005\n"
    "a,gone,fee,up,0.02,on_change,0.005\na,a,care,call,0.05,in_force,0.01\na,gone,care,call,-0.05,in_force,0.01\n",
}
OFFERS = "segment,price,accepted\n" + "".join(
    f"{segment},{price},{int(k % 3 == 0)}\n"
    for segment in "ab"
    for k, price in enumerate((9, 10, 11, 10, 9, 11) * 6)
)
RULES = '[estimates.response]\nlever = "fee"\nbase_price = 10\n'


def write(folder: Path, tables: dict[str, str], rules: str = "") -> None:
    (folder / "instance.toml").write_text(HEAD + rules, "utf-8")
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")


def doubts(folder: Path) -> tuple[set[str], set[str], list[str]]:
    """Codes of the warnings of `cpm check`, codes of the lint of `cpm estimate`, and messages of the former."""
    faults, warnings = check_instance(folder)
    assert [fault.code for fault in faults if fault.table != "migration_effects"] == []
    tables = read_instance(folder)
    found = with_response(tables, estimate(tables)).response
    assert found is not None
    return (
        {fault.code for fault in warnings},
        {lint.code for lint in found.lint},
        [fault.line() for fault in warnings],
    )


def test_clean_tables_give_no_doubt(tmp_path: Path) -> None:
    write(tmp_path, CLEAN)
    assert doubts(tmp_path) == (set(), set(), [])


@pytest.mark.parametrize(
    ("table", "old", "new", "code", "words"),
    [
        ("effects", "a,fee,up,5,4,1", "a,fee,up,5,4,3", "weak-estimate", "a, fee up: margin 5"),
        ("migration_effects", "care,call,0.05,in_force,0.01", "care,call,0.05,in_force,0.04", "weak-estimate",
         "a to a, care call (in_force)"),
        ("effects", "b,care,call,-11,0,", "b,care,call,-20,0,", "counted-twice", "b, care call: margin -20 is just"),
        ("usage", "hours,0.5,,care,call", "hours,0.2751,,care,call", "counted-twice", "margin -11 is just what"),
        ("migration_effects", "a,a,care,call,0.05,in_force,0.01",
         "a,a,care,call,0.25,in_force,0.01\na,a,care,call,-0.2,on_change,0.01", "impossible-rate", "rate of 1.05"),
        ("usage", "hours,0.5,,care,call", "hours,0.5,a,care,none\nhours,0.8,a,care,call", "counted-twice", "a, care"),
        ("migration_effects", "a,a,care,call,0.05", "a,a,care,call,0.25", "impossible-rate", "rate of 1.05"),
        ("migration_effects", "a,gone,care,call,-0.05", "a,gone,care,call,0.05", "impossible-rate", "add to 1.1"),
        ("effects", "a,fee,up,5,4,1", "a,fee,up,5,14,1", "positive-price-effect", "it rises with the price"),
        ("migration_effects", "-0.02,on_change,0.005\na,gone,fee,up,0.02", "0.02,on_change,0.005\na,gone,fee,up,-0.02",
         "positive-price-effect", "a, fee: fewer leave"),
        ("segments", "b,50,30,80,0.4", "b,50,30,80,40", "percent-not-fraction", "measure active_days is in fraction"),
        ("segments", "a,100,", "a,4,", "few-observations", "segment a: 4 customers, and 7 effects"),
        ("options", "0.1\nfee,more,false,0.2", "1.5\nfee,more,false,2.5", "percent-not-fraction", "lever fee: every"),
    ],
)  # fmt: skip
def test_each_doubt_is_found(tmp_path: Path, table: str, old: str, new: str, code: str, words: str) -> None:
    assert CLEAN[table].count(old) == 1
    write(tmp_path, {**CLEAN, table: CLEAN[table].replace(old, new)})
    warned, linted, lines = doubts(tmp_path)
    assert code in warned
    assert code in linted
    assert any(words in line for line in lines)
    assert warned - {"percent", code} == set()


def test_prices_outside_the_offers_are_told_without_a_fit(tmp_path: Path) -> None:
    write(tmp_path, {**CLEAN, "offers": OFFERS}, RULES)
    warned, linted, lines = doubts(tmp_path)
    assert warned == {"outside-range"}
    assert "outside-range" in linted
    assert any("segment a: price 12 is outside what the data hold, 9 to 11" in line for line in lines)


def test_a_rate_that_the_firm_pays_is_no_doubt(tmp_path: Path) -> None:
    """Interest on deposits: less of it earns more, and more customers leave."""
    tables = {
        **CLEAN,
        "effects": "segment,lever,option,margin\na,fee,up,-5\na,fee,more,-8\n",
        "migration_effects": CLEAN["migration_effects"]
        .replace("fee,up,-0.02", "fee,up,0.02")
        .replace("a,gone,fee,up,0.02", "a,gone,fee,up,-0.02"),
    }
    write(tmp_path, tables)
    assert doubts(tmp_path) == (set(), set(), [])


def test_a_solve_does_not_look_for_doubts(tmp_path: Path) -> None:
    write(tmp_path, {**CLEAN, "effects": CLEAN["effects"].replace("a,fee,up,5,4,1", "a,fee,up,5,4,3")})
    assert read_problem(tmp_path).portfolio.warnings == ()
