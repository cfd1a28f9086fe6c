"""Each doubt planted in clean planning tables, found by `cpm check` and by `cpm estimate`; clean tables give none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.estimates.estimate import estimate, with_response
from cpm_opt.estimates.lint.doubts import with_known_rows
from cpm_opt.estimates.value.model_estimate import Lint
from cpm_opt.pipeline import check_instance, read_problem
from cpm_opt.report.estimation import estimation, lint_of
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
         "a to a, care call (in_force): rate 0.05"),
        ("migration_effects", "a,a,care,call,0.05,in_force,0.01\na,gone,care,call,-0.05,in_force,0.01",
         "a,a,care,call,0.02,in_force,0.05\na,gone,care,call,-0.05,in_force,0.03", "weak-estimate",
         "line 5, column rate, value '-0.05': a to gone, care call (in_force): rate -0.05 with standard error 0.03: t "
         "is below 2, its sign is in doubt, and so is the change to a"),
        ("effects", CLEAN["effects"],
         "segment,lever,option,revenue,revenue_se\na,fee,up,4,3\na,fee,more,6,4\nb,fee,up,2,1\n", "weak-estimate",
         "a, fee up: revenue 4 with standard error 3: t is below 2, its sign is in doubt, and "
         "so is 1 more"),
        ("effects", "b,care,call,-11,0,", "b,care,call,10,30,", "counted-twice",
         "b, care call: margin 10 is revenue less just what hours costs"),
        ("effects", "b,care,call,-11,0,", "b,care,call,-20.004,0,", "counted-twice", "margin -20 is just what hours"),
        ("resources", "unit_cost\nhours,1000,40", "capacity_cost\nhours,1000,24", "counted-twice",
         "a, care call: margin -12 is just what hours costs at its capacity_cost"),
        ("usage", "hours,0.5,,care,call", "hours,0.5,,care,call\nhours,1.5,a,,\nhours,1.25,b,,", "counted-twice",
         "segments line 2, column margin, value '40': of a, b is revenue less just what hours costs for its base need"),
        ("migration", CLEAN["migration"], "from,to,rate,se\na,a,0.8,0.5\na,gone,0.2,\nb,b,1,\ngone,gone,1,\n",
         "percent-not-fraction",
         "the error of rate 0.8 is that of less than one customer"),
        ("effects", "b,care,call,-11,0,", "b,care,call,-20,0,", "counted-twice", "b, care call: margin -20 is just"),
        ("usage", "hours,0.5,,care,call", "hours,0.2751,,care,call", "counted-twice", "margin -11 is just what"),
        ("usage", "hours,0.5,,care,call", "hours,0.5,a,care,none\nhours,0.8,a,care,call", "counted-twice", "a, care"),
        ("effects", "a,fee,up,5,4,1", "a,fee,up,5,14,1", "positive-price-effect", "it rises with the price"),
        ("migration_effects", "-0.02,on_change,0.005\na,gone,fee,up,0.02", "0.02,on_change,0.005\na,gone,fee,up,-0.02",
         "positive-price-effect", "a, fee: fewer leave"),
        ("segments", "b,50,30,80,0.4", "b,50,30,80,40", "percent-not-fraction",
         "segment b: measure active_days is in fraction"),
        ("segments", "a,100,40", "a,0,40", "few-observations", "segment a: 0 customers, and 7 effects"),
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


@pytest.mark.parametrize(
    ("old", "new", "fault", "words"),
    [
        ("a,a,care,call,0.05", "a,a,care,call,0.25", "segment 'a'",
         "a to a: its rate comes to 1.05 with care=call, the strongest options together"),
        ("a,a,care,call,0.05,in_force,0.01", "a,a,care,call,0.25,in_force,0.01\na,a,care,call,-0.2,on_change,0.01",
         "on_change", "a to a: its rate comes to 1.05 with care=call"),
        ("a,gone,care,call,-0.05", "a,gone,care,call,0.05", "add up to 1.1",
         "a: the sum of its rates comes to 1.1 with care=call"),
        ("a,gone,care,call,-0.05", "a,gone,care,call,-0.04999", "add up to 1.00001", "comes to 1.00001 with care=call"),
    ],
)  # fmt: skip
def test_an_impossible_rate_is_told_once_with_its_options(
    tmp_path: Path, old: str, new: str, fault: str, words: str
) -> None:
    """`cpm estimate` doubts it, `cpm check` refuses it and does not doubt it besides."""
    assert CLEAN["migration_effects"].count(old) == 1
    write(tmp_path, {**CLEAN, "migration_effects": CLEAN["migration_effects"].replace(old, new)})
    faults, warnings = check_instance(tmp_path)
    assert any(fault in each.message for each in faults)
    assert [each.code for each in warnings] == []
    tables = read_instance(tmp_path)
    found = with_response(tables, estimate(tables)).response
    assert found is not None
    assert {lint.code for lint in found.lint} == {"impossible-rate"}
    assert any(words in lint.message for lint in found.lint)


def test_rates_that_add_to_more_than_1_by_themselves_are_not_put_on_options(tmp_path: Path) -> None:
    write(tmp_path, {**CLEAN, "migration": CLEAN["migration"].replace("b,gone,0.2", "b,gone,0.5")})
    tables = read_instance(tmp_path)
    found = with_response(tables, estimate(tables)).response
    assert found is not None
    assert [lint.message for lint in found.lint] == ["b: its rates add to 1.3 with no option at all"]


def test_a_doubt_of_an_estimate_has_row_value_and_remedy(tmp_path: Path) -> None:
    """In JSON and in the text of `cpm estimate`; the row of an estimated row, which no file holds, is left out."""
    write(tmp_path, {**CLEAN, "effects": CLEAN["effects"].replace("a,fee,up,5,4,1", "a,fee,up,5,4,3"),
                     "options": CLEAN["options"].replace("fee,up,false,0.1", "fee,up,false,10")})  # fmt: skip
    tables = read_instance(tmp_path)
    found = with_response(tables, estimate(tables))
    lint = {doubt["code"]: doubt for doubt in lint_of(tables, found)}
    assert lint["percent"] == {
        "code": "percent", "table": "options", "column": "price_change", "row": 3, "value": "10",
        "message": "is over 1 and looks like a percent",
        "remedy": "write a fraction (0.15 for 15 percent), or leave it if it is meant so",
    }  # fmt: skip
    assert (lint["weak-estimate"]["row"], lint["weak-estimate"]["value"]) == (2, "5")
    assert "take more data" in str(lint["weak-estimate"]["remedy"])
    (section,) = [each for each in estimation(tables, found).sections if each.title == "Doubts"]
    says = " ".join(section.sentences)
    assert "percent: options line 3, column price_change, value '10': is over 1" in says
    (weak,) = with_known_rows([Lint("weak-estimate", "effects", "margin", "", 100)], tables.frames)
    assert weak.row is None


@pytest.mark.parametrize(
    ("table", "text", "words"),
    [
        (
            "price_rules",
            "rule,lever,kind,value\nr,fee,step,10\n",
            "rule r of lever fee allows steps of 10 times",
        ),
        (
            "price_rules",
            "rule,lever,kind,group,other_group,value\nr,fee,order,a,b,105\n",
            "allows a price of 105 times",
        ),
        ("factors", "target,period,factor\nsegments.margin,1,105\n", "multiplies segments.margin by 105"),
        ("scenarios", "scenario,probability,target,factor\nx,0.5,,\ny,0.5,segments.margin,90\n", "by 90"),
    ],
)
def test_percents_in_rules_and_factors_are_told(tmp_path: Path, table: str, text: str, words: str) -> None:
    write(tmp_path, {**CLEAN, table: text})
    _, linted, lines = doubts(tmp_path)
    assert linted == {"percent-not-fraction"}
    assert any(words in line and line.startswith(f"{table} line") for line in lines)


def test_prices_outside_the_offers_are_told_without_a_fit(tmp_path: Path) -> None:
    write(tmp_path, {**CLEAN, "offers": OFFERS}, RULES)
    warned, linted, lines = doubts(tmp_path)
    assert warned == {"outside-range"}
    assert "outside-range" in linted
    assert any("segment a: price 12 is outside what the data hold, 9 to 11" in line for line in lines)


@pytest.mark.parametrize(
    ("margin", "words"), [("150", "150 of revenue 100"), ("-5", "-5 of revenue 100"), ("100", "")]
)
def test_a_margin_that_is_no_part_of_revenue_is_no_gross_margin(
    tmp_path: Path, margin: str, words: str
) -> None:
    rule = '[[estimates.response.levers]]\nlever = "fee"\nfrom = "stated"\nelasticity = -1.2\n'
    segments = CLEAN["segments"].replace("a,100,40,", f"a,100,{margin},")
    for keys, told in (("", bool(words)), ("gross_margin = 0.4\n", False)):
        write(tmp_path, {**CLEAN, "segments": segments}, rule + keys)
        warned, linted, lines = doubts(tmp_path)
        assert ("gross-margin" in warned, "gross-margin" in linted) == (told, told)
        assert not told or any(f"segment a: margin {words}" in line for line in lines)


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


def test_a_priced_lever_whose_raw_table_is_not_asked_is_told(tmp_path: Path) -> None:
    tables = {name: text for name, text in CLEAN.items() if name not in ("effects", "migration_effects")}
    write(tmp_path, {**tables, "offers": OFFERS})
    warned, linted, lines = doubts(tmp_path)
    assert warned == linted == {"no-price-effect"}
    assert any(
        "the prices of lever fee have no effect" in line and "asks table offers" in line for line in lines
    )


def test_a_segment_with_few_customers_in_the_panel_is_told(tmp_path: Path) -> None:
    panel = "customer,period,segment,left,price\n" + "".join(
        f"{segment}{k},{period},{segment},{int(k % 5 == 0 and period == 2)},{1 + 0.1 * (k % 3)}\n"
        for segment, count in (("a", 60), ("b", 3))
        for k in range(count)
        for period in (1, 2)
    )
    write(tmp_path, {**CLEAN, "panel": panel})
    warned, _, lines = doubts(tmp_path)
    assert warned == {"few-observations"}
    assert any("panel, column segment: segment b: 3 customers" in line for line in lines)


def test_a_solve_tells_the_gravest_doubt_and_holds_all(tmp_path: Path) -> None:
    """The weak margin stands in an earlier row, and the wrong sign is what is told."""
    effects = CLEAN["effects"].replace("a,fee,up,5,4,1", "a,fee,up,5,14,3")
    (tmp_path / "doubtful").mkdir()
    write(tmp_path / "doubtful", {**CLEAN, "effects": effects})
    words = ["solve", str(tmp_path / "doubtful"), "--results", str(tmp_path / "results")]
    said = " ".join(CliRunner().invoke(app, words).stdout.split())
    assert (
        "There are doubts about the estimates behind this plan (positive-price-effect 1, weak-estimate 1); "
        in said
    )
    assert "The gravest: effects line 2, column revenue: a, fee up: a price +0.1 (fraction) changes" in said
    held = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)["warnings"]
    assert {"positive-price-effect", "weak-estimate"} <= {warning["code"] for warning in held}
    (tmp_path / "clean").mkdir()
    write(tmp_path / "clean", CLEAN)
    clean = CliRunner().invoke(
        app, ["solve", str(tmp_path / "clean"), "--results", str(tmp_path / "results")]
    )
    assert clean.exit_code == 0
    assert "There are doubts" not in clean.stdout
