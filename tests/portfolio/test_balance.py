"""Balance rules: whom they are about, what they measure and when; and the rules that later stages use."""

import pytest

from tests.portfolio.small import DECISION, SEGMENTS, built, faults, only_fault

HEADER = "rule,measure,members,sense,value,basis,first_period,last_period,penalty,repair_cost\n"


def rule(row: str, periods: int = 4, **more: str):
    return built({"segments": SEGMENTS, **more}, periods, balance=HEADER + row).balance[0]


def test_a_rule_with_everything_blank_is_a_wall_over_the_horizon():
    r = rule("r,margin,all,min,0.1,,,,,")
    assert (r.name, r.measure, r.resource, r.member_text) == ("r", "margin", -1, "all")
    assert (r.sense, r.value, r.basis) == ("min", 0.1, "amount")
    assert (r.first, r.last, r.penalty, r.repair_cost) == (1, 4, None, None)


def test_periods_penalty_and_repair_cost():
    r = rule("r,customers,gold,max,5,mean,2,9,0,3")
    assert (r.first, r.last, r.penalty, r.repair_cost, r.basis) == (2, 4, 0.0, 3.0, "mean")


@pytest.mark.parametrize(
    ("members", "who"),
    [
        ("gold", "gold"),
        ("later", "later"),
        ("all", "gold silver"),
        ("tier=top", "gold"),
        ("tier=low", "silver"),
    ],
)
def test_members_are_a_segment_or_the_active_ones_of_a_group(members: str, who: str):
    flags = rule(f"r,margin,{members},min,1,,,,,").members
    assert [
        name for name, flag in zip(("gold", "later", "silver"), flags, strict=True) if flag
    ] == who.split()


def test_a_segment_goes_before_all_and_before_a_group():
    segments = "segment,customers,margin,tier\nall,1,1,a=b\ntier=x,1,1,x\nother,1,1,x"
    p = built(
        {"segments": segments},
        balance=HEADER + "1,margin,all,min,1,,,,,\n2,margin,tier=x,min,1,,,,,\n3,margin,tier=a=b,min,1,,,,,",
    )
    assert p.segments == ("all", "other", "tier=x")
    assert [r.members.tolist() for r in p.balance] == [
        [True, False, False],
        [False, False, True],
        [True, False, False],
    ]


@pytest.mark.parametrize(
    ("members", "problem", "remedy"),
    [
        ("glod", "neither a segment", "did you mean 'gold'?"),
        ("teir=top", "nor COLUMN=VALUE of a grouping column", "did you mean 'tier=top'?"),
        ("tier=topp", "no segment has 'topp'", "did you mean 'top'?"),
        ("tier=none", "holds no active segment", ""),
    ],
)
def test_members_that_are_not_there(members: str, problem: str, remedy: str):
    fault = only_fault(
        {"segments": SEGMENTS.replace("prospect,low", "prospect,none")},
        balance=HEADER + f"r,margin,{members},min,1,,,,,",
    )
    assert (fault.code, fault.table, fault.column, fault.row) == ("members", "balance", "members", 2)
    assert problem in fault.message
    assert remedy in fault.remedy


def test_measures_are_flows_customers_or_the_use_of_a_resource():
    resources = "resource,capacity\nhours,5\ncalls,5"
    measures = ("customers", "margin", "revenue", "cash", "satisfaction", "use:hours")
    rows = "\n".join(f"{k},{measure},all,min,1,,,,," for k, measure in enumerate(measures))
    p = built({"segments": SEGMENTS}, balance=HEADER + rows, resources=resources)
    assert tuple(r.measure for r in p.balance) == measures
    assert [r.resource for r in p.balance] == [-1] * 5 + [1]


@pytest.mark.parametrize(
    ("measure", "remedy"),
    [("magrin", "did you mean 'margin'?"), ("use:huors", "did you mean 'use:hours'?"), ("line", "")],
)
def test_an_unknown_measure(measure: str, remedy: str):
    fault = only_fault(
        {"segments": SEGMENTS},
        resources="resource,capacity\nhours,5",
        balance=HEADER + f"r,{measure},all,min,1,,,,,",
    )
    assert (fault.code, fault.column, fault.value) == ("measure", "measure", measure)
    assert remedy in fault.remedy


def test_a_rule_after_the_horizon_holds_nowhere():
    p = built({"segments": SEGMENTS}, 2, balance=HEADER + "r,margin,all,min,1,,3,,,")
    assert p.balance == ()
    assert [w.code for w in p.warnings] == ["beyond_horizon"]


@pytest.mark.parametrize(
    ("table", "row", "column", "code"),
    [
        ("price_rules", "r,tarif,step,,,0.1", "lever", "unknown_reference"),
        ("price_rules", "r,service,step,,,0.1", "lever", "needs_single"),
        ("price_rules", "r,tariff,order,topp,low,", "group", "unknown_reference"),
        ("price_rules", "r,tariff,order,top,lowest,", "other_group", "unknown_reference"),
        ("option_rules", "r,service,pluss,min,,,1,all", "option", "unknown_reference"),
        ("option_rules", "r,service,plus,needs,tarif,up5,,all", "other_lever", "unknown_reference"),
        ("option_rules", "r,service,plus,needs,tariff,plus,,all", "other_option", "unknown_reference"),
        ("option_rules", "r,service,plus,once,,,,all", "lever", "needs_single"),
        ("option_rules", "r,service,plus,max,,,4,tier=", "members", "members"),
        ("scenarios", "dear,1,segments.magrin,2,,,,", "target", "unknown_target"),
        ("scenarios", "dear,1,segments.margin,2,golden,,,", "segment", "unknown_reference"),
        ("scenarios", "dear,1,segments.end_value,2,,tariff,,", "lever", "wrong_key"),
    ],
)
def test_rules_of_later_stages_name_what_is_there(table: str, row: str, column: str, code: str):
    header = {
        "price_rules": "rule,lever,kind,group,other_group,value",
        "option_rules": "rule,lever,option,kind,other_lever,other_option,value,members",
        "scenarios": "scenario,probability,target,factor,segment,lever,option,resource",
    }[table]
    fault = only_fault(DECISION, **{table: f"{header}\n{row}"})
    assert (fault.table, fault.column, fault.code, fault.row) == (table, column, code, 2)


def test_sound_rules_of_later_stages_pass():
    tables = {
        "price_rules": "rule,lever,kind,group,other_group,value\na,tariff,step,,,0.1\nb,tariff,order,top,low,",
        "option_rules": (
            "rule,lever,option,kind,other_lever,other_option,value,members\n"
            "a,service,plus,needs,tariff,keep,,tier=top\nb,tariff,up5,once,,,,gold"
        ),
        "scenarios": (
            "scenario,probability,target,factor,segment\nas now,0.25,,,\nbad,0.75,segments.margin,0.5,gold\n"
            "bad,,segments.end_value,0.5,"
        ),
    }
    assert faults(DECISION, **tables) == []
