"""Flows, factors, resources and usage: what each row of a table comes to, by period."""

import math

import pytest

from tests.portfolio.small import DECISION, OPTIONS, SEGMENTS, built, faults, only_fault


def test_blank_cash_is_that_rows_margin_with_margins_factors():
    p = built(
        DECISION,
        segments="segment,customers,margin,cash,tier\ngold,100,50,,top\nlater,30,0,,low\nsilver,400,10,7,low",
        effects="segment,lever,option,margin,cash\ngold,service,plus,4,\nsilver,service,plus,4,1",
        factors="target,period,factor\nsegments.margin,2,3\nsegments.cash,2,10\neffects.margin,1,0.5\neffects.cash,1,2",
    )
    cash = p.flows["cash"]
    assert cash.per_customer.tolist() == [[50, 150], [0, 0], [7, 70]]
    assert cash.per_option[:, 1].tolist() == [[2, 4], [0, 0], [2, 1]]
    assert p.flows["margin"].per_customer.tolist() == [[50, 150], [0, 0], [10, 30]]


def test_measures_are_flows_like_the_others():
    p = built(
        DECISION,
        segments="segment,customers,margin,satisfaction,tier\ngold,1,1,8,top\nlater,1,1,0,low\nsilver,1,1,6,low",
        effects="segment,lever,option,satisfaction\nsilver,service,plus,0.5",
        factors="target,period,factor,segment\nsegments.satisfaction,2,0.5,gold",
    )
    assert list(p.flows) == ["margin", "revenue", "cash", "satisfaction"]
    assert p.flows["satisfaction"].per_customer.tolist() == [[8, 4], [0, 0], [6, 6]]
    assert p.flows["satisfaction"].per_option[2, 1].tolist() == [0.5, 0.5]
    assert p.measure_units["satisfaction"] == "points"
    assert p.groupings == {"tier": ("top", "low", "low")}


def test_what_is_not_offered_changes_nothing_and_uses_nothing():
    p = built(
        DECISION,
        effects="segment,lever,option,offered,margin\nlater,tariff,up5,false,9\nsilver,tariff,up5,true,5\ngold,tariff,up5,,3",
        resources="resource,capacity\nhours,10",
        usage="resource,amount,segment,lever,option\nhours,1,silver,tariff,up5\nhours,2,,tariff,up5",
        migration_effects="from,to,lever,option,rate\nsilver,silver,tariff,up5,-0.5\ngold,gold,tariff,up5,-0.25",
    )
    # Later may not have up5, so its whole group may not: silver neither.
    assert p.flows["margin"].per_option[:, 3].tolist() == [[3, 3], [0, 0], [0, 0]]
    assert list(zip(p.usage.segment, p.usage.option, p.usage.amount[:, 0], strict=True)) == [(0, 3, 2)]
    assert p.migration_effects.source.tolist() == [0]


def test_factors_multiply_where_their_keys_match():
    p = built(
        DECISION,
        effects="segment,lever,option,margin\ngold,service,plus,1\nsilver,service,plus,1\ngold,tariff,up5,1",
        factors=(
            "target,period,factor,segment,lever,option\neffects.margin,1,2,,,\neffects.margin,1,3,gold,,\n"
            "effects.margin,1,5,,service,\neffects.margin,1,7,,,plus\neffects.margin,2,11,gold,tariff,up5\n"
            "effects.margin,3,13,,,"
        ),
    )
    changes = p.flows["margin"].per_option
    assert changes[0, 1].tolist() == [2 * 3 * 5 * 7, 1]
    assert changes[2, 1].tolist() == [2 * 5 * 7, 1]
    assert changes[0, 3].tolist() == [2 * 3, 11]
    assert p.warnings == ()


def test_factors_of_usage_match_after_blank_rows_are_spread():
    p = built(
        DECISION,
        resources="resource,capacity\nhours,10\ncalls,10",
        usage="resource,amount,segment,lever,option\nhours,1,,,\nhours,2,gold,,\nhours,4,,service,plus\ncalls,8,silver,,",
        factors=(
            "target,period,factor,segment,lever,resource\nusage.amount,1,10,gold,,\nusage.amount,2,10,,service,\n"
            "usage.amount,2,100,,,calls"
        ),
    )
    rows = {
        (p.resources.names[r], p.segments[s], int(o)): amount.tolist()
        for r, s, o, amount in zip(
            p.usage.resource, p.usage.segment, p.usage.option, p.usage.amount, strict=True
        )
    }
    # A blank segment means the active ones: nothing for later, a prospect.
    assert rows == {
        ("calls", "silver", -1): [8, 800],
        ("hours", "gold", -1): [30, 3],
        ("hours", "gold", 1): [40, 40],
        ("hours", "silver", -1): [1, 1],
        ("hours", "silver", 1): [4, 40],
    }


def test_usage_may_be_a_saving():
    p = built(
        DECISION,
        resources="resource,capacity\nhours,10",
        usage="resource,amount,segment,lever,option\nhours,-1.5,gold,service,plus",
    )
    assert p.usage.amount.tolist() == [[-1.5, -1.5]]


@pytest.mark.parametrize(("keys", "column"), [("service,", "option"), (",plus", "lever")])
def test_usage_of_an_option_names_its_lever(keys: str, column: str):
    fault = only_fault(
        DECISION,
        resources="resource,capacity\nhours,10",
        usage=f"resource,amount,segment,lever,option\nhours,1,gold,{keys}",
    )
    assert (fault.code, fault.table, fault.column, fault.row) == ("half_a_key", "usage", column, 2)


def test_a_factor_that_matches_nothing_is_doubtful():
    p = built(
        DECISION,
        effects="segment,lever,option,margin\ngold,service,plus,1",
        factors="target,period,factor,segment\neffects.margin,1,2,silver\neffects.margin,1,2,gold\nmigration.rate,1,2,",
    )
    assert [(w.code, w.row, w.value) for w in p.warnings] == [
        ("idle_factor", 2, "effects.margin"),
        ("idle_factor", 4, "migration.rate"),
    ]


def test_a_factor_on_blank_cash_is_idle_too():
    factors = "target,period,factor\nsegments.cash,1,2\nresources.capacity,1,2"
    p = built(DECISION, factors=factors, resources="resource,capacity\nhours,")
    assert p.flows["cash"].per_customer[0].tolist() == [50, 50]
    assert [w.value for w in p.warnings] == ["segments.cash", "resources.capacity"]


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        ("segments.magrin,1,2,,,,", "target", "did you mean 'segments.margin'?"),
        ("segments.end_value,1,2,,,,", "target", ""),
        ("segments.margin,1,2,,service,,", "lever", "leave lever blank"),
        ("resources.capacity,1,2,gold,,,", "segment", "leave segment blank"),
        ("segments.margin,1,2,golf,,,", "segment", "did you mean 'gold'?"),
        ("effects.margin,1,2,,servise,,", "lever", "did you mean 'service'?"),
        ("effects.margin,1,2,,service,keep,", "option", ""),
        ("effects.margin,1,2,,,keeep,", "option", "did you mean 'keep'?"),
        ("usage.amount,1,2,,,,hours", "resource", ""),
    ],
)
def test_a_factor_needs_a_target_that_has_its_keys(row: str, column: str, said: str):
    fault = only_fault(DECISION, factors=f"target,period,factor,segment,lever,option,resource\n{row}")
    assert (fault.table, fault.column, fault.row) == ("factors", column, 2)
    assert said in fault.remedy


def test_one_row_of_a_resource_stands_per_period():
    p = built(
        {"segments": SEGMENTS},
        periods=4,
        resources=(
            "resource,capacity,unit,unit_cost,capacity_cost,extra_capacity,extra_cost,lead_time,max_utilisation,"
            "repair_cost,period\n"
            "hours,100,h,1,2,50,3,2,0.8,9,\nhours,70,,4,,60,,,,,3\nvan,5,cars,,,,,,,,2\nwater,,m3,1,,,,,,,"
        ),
    )
    r = p.resources
    assert (r.names, r.units) == (("hours", "van", "water"), ("h", "cars", "m3"))
    assert r.capacity.tolist() == [[100, 100, 70, 100], [math.inf, 5, math.inf, math.inf], [math.inf] * 4]
    assert r.unit_cost.tolist() == [[1, 1, 4, 1], [0] * 4, [1] * 4]
    assert r.capacity_cost[0].tolist() == [2, 2, 0, 2]
    # The row of period 3 has no lead time: it replaces the other one whole.
    assert r.extra_capacity[0].tolist() == [0, 0, 60, 50]
    assert r.extra_cost[0].tolist() == [3, 3, 0, 3]
    assert r.max_utilisation[0].tolist() == [0.8, 0.8, 1, 0.8]
    assert str(r.repair_cost[0].tolist()) == "[9.0, 9.0, nan, 9.0]"


def test_unlimited_stays_unlimited_even_times_nothing():
    p = built(
        {"segments": SEGMENTS},
        resources="resource,capacity,unit_cost,period\nhours,,,\nhours,5,1,2",
        factors="target,period,factor\nresources.capacity,1,0\nresources.capacity,2,0\nresources.unit_cost,2,3",
    )
    assert p.resources.capacity.tolist() == [[math.inf, 0]]
    assert p.resources.unit_cost.tolist() == [[0, 3]]


def test_nobody_pays_for_capacity_without_end():
    fault = only_fault({"segments": SEGMENTS}, resources="resource,capacity,capacity_cost\nhours,,2")
    assert (fault.code, fault.column, fault.row) == ("unlimited_cost", "capacity_cost", 2)
    # Rows for periods after the last one are ignored.
    late = "resource,capacity,capacity_cost,period\nhours,,2,3"
    assert faults({"segments": SEGMENTS}, periods=2, resources=late) == []
    assert len(faults({"segments": SEGMENTS}, periods=3, resources=late)) == 1


@pytest.mark.parametrize(
    ("tables", "place"),
    [
        ({"factors": "target,period,factor,segment\nsegments.margin,2,9e14,gold"}, ("segments", "margin")),
        (
            {
                "resources": "resource,capacity\nhours,1",
                "usage": "resource,amount,segment\nhours,9e14,gold\nhours,9e14,",
            },
            ("usage", "amount"),
        ),
        (
            {
                "resources": "resource,capacity\nhours,1e10",
                "factors": "target,period,factor\nresources.capacity,2,1e10",
            },
            ("resources", "capacity"),
        ),
        (
            {
                "resources": "resource,capacity\nhours,1",
                "factors": "target,period,factor\nresources.capacity,2,-1",
            },
            ("resources", "capacity"),
        ),
        ({"arrivals": "segment,period,customers\ngold,1,9e14\ngold,2,9e14"}, ("segments", "customers")),
    ],
)
def test_sums_and_products_stay_in_range(tables: dict[str, str], place: tuple[str, str]):
    fault = only_fault({"segments": SEGMENTS, **tables})
    assert fault.code == "out_of_range"
    assert (fault.table, fault.column) == place


def test_arrivals_are_there_from_the_next_period_on():
    p = built(
        {"segments": SEGMENTS},
        arrivals="segment,period,customers\ngold,1,5\ngold,2,7\nlater,3,9",
        factors="target,period,factor,segment\narrivals.customers,2,2,gold",
    )
    assert p.arrivals.tolist() == [[5, 14], [0, 0], [0, 0]]
    assert p.ceiling[0].tolist() == [100, 105, 119]


def test_an_option_without_its_lever_means_those_of_every_lever():
    p = built(
        DECISION,
        options=OPTIONS.replace("up5", "plus"),
        effects="segment,lever,option,margin\ngold,service,plus,1\ngold,tariff,plus,2",
        factors="target,period,factor,option\neffects.margin,1,10,plus",
    )
    assert p.flows["margin"].per_option[0, :, 0].tolist() == [0, 10, 0, 20]
