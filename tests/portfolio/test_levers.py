"""Levers and options: bases, groups, who is offered what, and who is on what before period 1."""

import numpy as np
import pytest

from cpm_opt.portfolio import option_before
from tests.portfolio.small import DECISION, OPTIONS, SEGMENTS, built, faults, only_fault


def test_names_stand_in_sorted_order_lever_by_lever():
    p = built(
        {
            "segments": "segment,customers,margin\nb,1,0\nZ,2,0\na,3,0",
            "levers": "lever\nz\ny",
            "options": "lever,option,base\nz,b,true\ny,c,false\nz,a,false\ny,d,true",
        }
    )
    assert p.segments == ("Z", "a", "b")
    assert p.customers.tolist() == [2, 3, 1]
    assert [lever.name for lever in p.levers] == ["y", "z"]
    assert p.options == ("c", "d", "a", "b")
    assert p.lever_of.tolist() == [0, 0, 1, 1]
    assert [(lever.options, lever.base) for lever in p.levers] == [((0, 1), 1), ((2, 3), 3)]


def test_without_levers_there_is_nothing_to_decide():
    p = built({"segments": SEGMENTS})
    assert p.levers == p.options == ()
    assert p.offered.shape == (3, 0)
    assert p.current.shape == (3, 0)
    assert p.flows["margin"].per_option.shape == (3, 0, 2)


@pytest.mark.parametrize(("absent", "there"), [("levers", "options"), ("options", "levers")])
def test_levers_and_options_come_together(absent: str, there: str):
    fault = only_fault({"segments": SEGMENTS, there: DECISION[there]})
    assert (fault.code, fault.table) == ("missing_table", absent)


def test_exactly_one_option_is_the_base():
    two = only_fault(DECISION, options=OPTIONS.replace("plus,false", "plus,true"))
    assert (two.table, two.column, two.code) == ("options", "base", "base")
    assert "'service' has 2 base options ('basic', 'plus')" in two.message
    none = only_fault(DECISION, options=OPTIONS.replace("keep,true", "keep,false"))
    assert "'tariff' has no base" in none.message
    empty = only_fault(DECISION, options="lever,option,base\nservice,basic,true")
    assert (empty.code, empty.table, empty.value) == ("no_options", "levers", "tariff")


def test_groups_follow_the_scope():
    levers = "lever,choice,scope\na,single,segment\nb,single,all\nc,single,tier"
    options = "lever,option\na,x\nb,x\nc,x"
    p = built({"segments": SEGMENTS, "levers": levers, "options": options})
    assert [lever.groups for lever in p.levers] == [("gold", "later", "silver"), ("all",), ("low", "top")]
    assert [lever.group_of.tolist() for lever in p.levers] == [[0, 1, 2], [0, 0, 0], [1, 0, 0]]


def test_a_scope_must_be_a_column():
    fault = only_fault(
        DECISION, levers="lever,choice,scope\nservice\ntariff,single,teir".replace("service", "service,,")
    )
    assert (fault.code, fault.column, fault.value, fault.row) == ("scope", "scope", "teir", 3)
    assert "did you mean 'tier'?" in fault.remedy


def test_a_single_choice_needs_a_group_for_every_segment():
    blank = SEGMENTS.replace("prospect,low", "prospect,")
    fault = only_fault(DECISION, segments=blank)
    assert (fault.table, fault.column, fault.code, fault.row) == ("segments", "tier", "scope", 4)
    assert "'later'" in fault.message
    mixed = "lever,choice,scope\nservice,mix,tier\ntariff,single,segment"
    assert built(DECISION, segments=blank, levers=mixed).levers[0].groups == ("", "low", "top")


@pytest.mark.parametrize(
    ("levers", "options", "place"),
    [
        ("lever,hold\nservice,2\ntariff,1", OPTIONS, ("levers", "hold", 2)),
        (
            "lever,choice\nservice,mix\ntariff,single",
            "lever,option,base,fixed_cost\nservice,a,true,\nservice,b,false,7\ntariff,a,,7",
            ("options", "fixed_cost", 3),
        ),
    ],
)
def test_hold_and_fixed_cost_need_a_single_choice(levers: str, options: str, place: tuple[str, str, int]):
    fault = only_fault(DECISION, levers=levers, options=options)
    assert fault.code == "needs_single"
    assert (fault.table, fault.column, fault.row) == place


def test_costs_and_prices_of_options_with_factors():
    p = built(
        DECISION,
        options=(
            "lever,option,base,price_change,fixed_cost,change_cost\nservice,basic,true,,,1\nservice,plus,false,,,2\n"
            "tariff,keep,true,,,\ntariff,up5,false,0.05,10,3"
        ),
        factors=(
            "target,period,factor,lever,option\noptions.fixed_cost,2,3,,\noptions.change_cost,1,2,service,\n"
            "options.change_cost,1,5,,plus"
        ),
    )
    assert p.price_change.tolist() == [0, 0, 0, 0.05]
    assert p.fixed_cost.tolist() == [[0, 0], [0, 0], [0, 0], [10, 30]]
    assert p.change_cost.tolist() == [[2, 1], [20, 2], [0, 0], [3, 3]]


def test_an_option_without_a_row_is_offered_and_a_group_takes_what_all_may():
    p = built(
        DECISION, effects="segment,lever,option,offered\nlater,tariff,up5,false\ngold,service,plus,false"
    )
    assert p.offered.tolist() == [
        [True, False, True, True],
        [True, True, True, False],
        [True, True, True, False],
    ]


def test_somebody_without_an_option_is_a_fault():
    effects = "segment,lever,option,offered\ngold,service,basic,false\ngold,service,plus,false"
    fault = only_fault(DECISION, effects=effects)
    assert (fault.code, fault.table, fault.row) == ("no_option", "effects", 2)
    assert "'service' is left for segment 'gold'" in fault.message
    # Nobody is refused both, but the group is: its members have no option in common.
    effects = "segment,lever,option,offered\nlater,tariff,keep,false\nsilver,tariff,up5,false"
    assert "'tariff' is left for group 'low'" in only_fault(DECISION, effects=effects).message


def test_current_names_some_and_the_base_has_the_rest():
    current = "segment,lever,option,customers\nsilver,service,plus,150\nsilver,service,basic,50\ngold,tariff,up5,100"
    p = built(DECISION, current=current)
    assert p.current.tolist() == [[100, 0, 0, 100], [30, 0, 30, 0], [250, 150, 400, 0]]


def test_current_has_nobody_who_is_not_there():
    fault = only_fault(
        DECISION, current="segment,lever,option,customers\ngold,service,basic,60\ngold,service,plus,41"
    )
    assert (fault.code, fault.table, fault.row) == ("current", "current", 2)
    assert "'gold' has 100 customers, but 101 are" in fault.message


def test_rounding_leaves_nobody_behind():
    segments = "segment,customers,margin\na,0.3,1"
    p = built(
        {
            "segments": segments,
            "levers": "lever\nx",
            "options": "lever,option,base\nx,a,true\nx,b,false\nx,c,false",
        },
        current="segment,lever,option,customers\na,x,b,0.1\na,x,c,0.2",
    )
    assert p.current.tolist() == [[0, 0.1, 0.2]]


def test_the_option_of_a_group_before_period_1():
    current = "segment,lever,option,customers\ngold,tariff,up5,100\nsilver,tariff,up5,400"
    p = built(DECISION, current=current, levers="lever,choice,scope\nservice,mix,\ntariff,single,segment")
    assert option_before(p.levers[1], p.current).tolist() == [3, 2, 3]
    p = built(DECISION, current=current)
    # Group low: silver is on up5, later on the base.
    assert option_before(p.levers[1], p.current).tolist() == [-1, 3]
    nobody = built(DECISION, segments=SEGMENTS.replace("later,30", "later,0"), current=current)
    assert option_before(nobody.levers[1], nobody.current).tolist() == [3, 3]


def test_a_group_on_two_options_is_a_fault_where_effects_ask_for_the_change():
    current = "segment,lever,option,customers\nsilver,tariff,up5,400"
    effects = "from,to,lever,option,rate,when\ngold,gold,tariff,up5,-0.1,{}"
    assert faults(DECISION, current=current, migration_effects=effects.format("in_force")) == []
    fault = only_fault(DECISION, current=current, migration_effects=effects.format("on_change"))
    assert (fault.code, fault.table) == ("split_group", "current")
    assert "group 'low'" in fault.message


def test_on_change_needs_a_single_choice():
    effects = "from,to,lever,option,rate,when\ngold,gold,service,plus,-0.1,on_change"
    fault = only_fault(DECISION, migration_effects=effects)
    assert (fault.code, fault.table, fault.column, fault.row) == (
        "needs_single",
        "migration_effects",
        "when",
        2,
    )


def test_whole_customers_are_whole_and_stay():
    segments = "segment,customers,margin,whole\na,10,1,true\nb,2.5,1,false"
    p = built({"segments": segments}, arrivals="segment,period,customers\na,1,3\nb,1,0.5")
    assert p.whole.tolist() == [True, False]
    assert p.ceiling.tolist() == [[10, 13, 13], [2.5, 3, 3]]
    broken = only_fault({"segments": segments.replace("a,10", "a,10.5")})
    assert (broken.code, broken.table, broken.row, broken.column) == ("whole", "segments", 2, "customers")
    late = only_fault({"segments": segments}, arrivals="segment,period,customers\na,2,0.5")
    assert (late.code, late.table) == ("whole", "arrivals")
    moves = only_fault({"segments": segments}, migration="from,to,rate\na,a,1\nb,b,1")
    assert (moves.code, moves.column) == ("whole", "whole")
    assert "migration" in moves.message


def test_whole_up_to_rounding_becomes_whole():
    p = built(
        {"segments": "segment,customers,margin,whole\na,10,1,true"},
        arrivals="segment,period,customers\na,1,100",
        factors="target,period,factor\narrivals.customers,1,1.1",
    )
    assert 100 * 1.1 != 110
    assert p.arrivals.tolist() == [[110, 0]]
    assert np.array_equal(p.arrivals, np.round(p.arrivals))
