"""Tables price_rules and option_rules: what is read of them, and every fault that they can have."""

from __future__ import annotations

import numpy as np
import pytest

from tests.portfolio.small import DECISION, built, faults, only_fault

PRICE = "rule,lever,kind,group,other_group,value\n"
OPTION = "rule,lever,option,kind,other_lever,other_option,value,members\n"


def test_price_rules_are_resolved():
    rows = "b,tariff,order,,low,\na,tariff,step,top,,0.1\nd,tariff,max_changes,,,1\nc,tariff,equal,,top,"
    a, b, c, d = built(DECISION, price_rules=PRICE + rows).price_rules
    assert (a.kind, a.groups.tolist(), a.other, a.value) == ("step", [1], -1, 0.1)
    assert (b.kind, b.groups.tolist(), b.other, b.value) == ("order", [1], 0, 1.0)
    assert (c.kind, c.groups.tolist(), c.other) == ("equal", [0], 1)
    assert (d.kind, d.groups.tolist(), d.other, d.value) == ("max_changes", [0, 1], -1, 1.0)
    assert np.isnan(c.value)


def test_option_rules_are_resolved():
    rows = "b,tariff,up5,once,,,,tier=low\na,service,plus,needs,tariff,keep,,"
    p = built(DECISION, option_rules=OPTION + rows)
    a, b = p.option_rules
    assert (p.options[a.option], p.options[a.other], a.members.tolist()) == (
        "plus",
        "keep",
        [True, False, True],
    )
    assert (p.options[b.option], b.other, b.members.tolist()) == ("up5", -1, [False, False, True])
    assert p.segments == ("gold", "later", "silver")


@pytest.mark.parametrize(
    ("table", "row", "column", "code"),
    [
        ("price_rules", "r,tariff,step,,,", "value", "missing_cell"),
        ("price_rules", "r,tariff,total_step,,,", "value", "missing_cell"),
        ("price_rules", "r,tariff,max_changes,,,", "value", "missing_cell"),
        ("price_rules", "r,tariff,order,top,,", "other_group", "missing_cell"),
        ("price_rules", "r,tariff,equal,,,", "other_group", "missing_cell"),
        ("price_rules", "r,tariff,step,top,low,0.1", "other_group", "unused_cell"),
        ("price_rules", "r,tariff,max_changes,top,,1", "group", "unused_cell"),
        ("option_rules", "r,service,plus,min,,,,all", "value", "missing_cell"),
        ("option_rules", "r,service,plus,max,,,,all", "value", "missing_cell"),
        ("option_rules", "r,service,plus,floor,,,,all", "value", "missing_cell"),
        ("option_rules", "r,service,plus,floor,,,40,all", "value", "out_of_range"),
        ("option_rules", "r,service,plus,needs,tariff,,,all", "other_option", "missing_cell"),
        ("option_rules", "r,service,plus,max,tariff,,5,all", "other_lever", "unused_cell"),
    ],
)
def test_a_kind_has_the_cells_that_it_needs_and_no_others(table: str, row: str, column: str, code: str):
    header = {"price_rules": PRICE, "option_rules": OPTION}[table]
    fault = only_fault(DECISION, **{table: header + row})
    assert (fault.table, fault.column, fault.code, fault.row) == (table, column, code, 2)


def test_both_parts_of_another_option_are_asked_for_at_once():
    found = faults(DECISION, option_rules=OPTION + "r,service,plus,excludes,,,,all")
    assert [(fault.column, fault.code) for fault in found] == [
        ("other_lever", "missing_cell"),
        ("other_option", "missing_cell"),
    ]


def test_a_number_that_a_kind_does_not_read_is_doubtful():
    p = built(
        DECISION,
        option_rules=OPTION + "r,tariff,up5,once,,,1,all",
        price_rules=PRICE + "q,tariff,equal,low,top,1",
    )
    assert [(warning.table, warning.code) for warning in p.warnings] == [
        ("price_rules", "unused_cell"),
        ("option_rules", "unused_cell"),
    ]


def test_rules_of_one_name_in_several_tables_are_told_apart():
    p = built(
        DECISION,
        balance="rule,measure,members,sense,value\nr,margin,all,min,1",
        price_rules=PRICE + "r,tariff,step,,,0.1\ncapacity,tariff,step,,,0.1",
        option_rules=OPTION + "r,service,plus,max,,,5,all",
    )
    assert [rule.name for rule in p.price_rules] == ["capacity (price_rules)", "r (price_rules)"]
    assert [rule.name for rule in p.option_rules] == ["r (option_rules)"]
