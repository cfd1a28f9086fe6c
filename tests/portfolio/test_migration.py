"""Migration: what is read, the strongest combinations of options, and the ceilings that follow."""

import pytest

from tests.portfolio.small import DECISION, SEGMENTS, built, faults, only_fault

STAY = "from,to,rate\ngold,gold,0.9\ngold,silver,0.1\nsilver,silver,1\nlater,later,1"
EFFECTS = "from,to,lever,option,rate,when\n"


def test_without_a_table_nobody_moves():
    p = built({"segments": SEGMENTS})
    assert p.migration.stated is False
    assert not p.can_move
    assert p.migration.source.tolist() == p.migration.target.tolist() == [0, 1, 2]
    assert p.migration.rate.tolist() == [[1, 1]] * 3
    assert p.ceiling.tolist() == [[100] * 3, [30] * 3, [400] * 3]


def test_rates_are_sorted_and_have_their_factors():
    p = built(
        {"segments": SEGMENTS},
        migration="from,to,rate\nsilver,silver,0.5\ngold,silver,0.1\ngold,gold,0.8\nlater,later,1",
        factors="target,period,factor,segment\nmigration.rate,2,0.5,gold",
    )
    m = p.migration
    assert list(zip(m.source.tolist(), m.target.tolist(), m.rate.tolist(), strict=True)) == [
        (0, 0, [0.8, 0.4]),
        (0, 2, [0.1, 0.05]),
        (1, 1, [1, 1]),
        (2, 2, [0.5, 0.5]),
    ]
    assert m.stated
    # Nobody can decide on moves, so the ceiling is what happens.
    assert p.ceiling[0].tolist() == [100, 80, 32]


def test_a_segment_without_rows_loses_everybody_with_a_warning():
    p = built({"segments": SEGMENTS}, migration="from,to,rate\ngold,gold,1")
    assert [w.code for w in p.warnings] == ["loses_everybody"]
    assert "'later', 'silver'" in p.warnings[0].message
    assert p.ceiling.tolist() == [[100, 100, 100], [30, 0, 0], [400, 0, 0]]


def test_rates_above_one_are_a_fault():
    fault = only_fault({"segments": SEGMENTS}, migration=STAY.replace("silver,0.1", "silver,0.10001"))
    assert (fault.code, fault.table, fault.row) == ("rates_above_one", "migration", 2)
    assert "'gold' add up to 1.00001 in period 1" in fault.message
    assert faults({"segments": SEGMENTS}, migration=STAY.replace("silver,0.1", "silver,0.1000000009")) == []


def test_a_factor_can_take_rates_above_one_in_its_period():
    factors = "target,period,factor,segment\nmigration.rate,2,1.1,gold"
    fault = only_fault({"segments": SEGMENTS}, migration=STAY, factors=factors)
    assert "in period 2" in fault.message


def test_the_strongest_combination_is_named():
    effects = EFFECTS + (
        "gold,gold,service,plus,-0.5,\ngold,gold,tariff,up5,-0.45,\ngold,gold,tariff,keep,-0.1,\n"
        "silver,gold,service,plus,0.1,"
    )
    down, up = faults(DECISION, migration=STAY, migration_effects=effects)
    assert (down.code, down.table, down.row) == ("negative_rate", "migration_effects", 2)
    assert (
        "from segment 'gold' to 'gold' falls to -0.05 in period 1 with service=plus and tariff=up5"
        in down.message
    )
    assert (up.code, up.row) == ("rates_above_one", 5)
    assert "from segment 'silver' add up to 1.1 in period 1 with service=plus" in up.message


def test_every_choosable_option_may_be_the_relief():
    # Rates add up to 1.1 as things are, but every option of tariff takes 0.2 away.
    migration = STAY.replace("silver,0.1", "silver,0.2")
    effects = EFFECTS + "gold,gold,tariff,keep,-0.2,\ngold,gold,tariff,up5,-0.3,"
    assert faults(DECISION, migration=migration, migration_effects=effects) == []
    one = EFFECTS + "gold,gold,tariff,up5,-0.3,"
    assert [f.code for f in faults(DECISION, migration=migration, migration_effects=one)] == [
        "rates_above_one"
    ]


def test_options_that_nobody_can_choose_do_not_count():
    effects = EFFECTS + "silver,silver,tariff,up5,-1,\nsilver,silver,service,plus,-0.1,"
    assert [f.code for f in faults(DECISION, migration=STAY, migration_effects=effects)] == ["negative_rate"]
    offers = "segment,lever,option,offered\nlater,tariff,up5,false"
    assert faults(DECISION, migration=STAY, migration_effects=effects, effects=offers) == []


def test_without_migration_effects_act_on_a_staying_rate_of_one():
    p = built(
        DECISION, migration_effects=EFFECTS + "gold,gold,service,plus,-0.2,\ngold,silver,service,plus,0.2,"
    )
    assert p.can_move
    assert not p.migration.stated
    assert p.ceiling.tolist() == [[100, 100, 100], [30, 30, 30], [400, 420, 440]]
    fault = only_fault(DECISION, migration_effects=EFFECTS + "gold,silver,service,plus,0.2,")
    assert fault.code == "rates_above_one"


@pytest.mark.parametrize(
    ("hold", "before", "periods", "broken"),
    [
        # Any change to up5 takes more than there is: on the base first, so in period 1.
        (1, "keep", 1, "period 1"),
        # Already on it: no change in period 1, but one in period 2, after a period on keep.
        (1, "up5", 1, ""),
        (1, "up5", 2, "period 2"),
        # A choice that stands for two periods changes again in period 3 at the earliest.
        (2, "up5", 2, ""),
        (2, "up5", 3, "period 3"),
    ],
)
def test_an_effect_of_change_acts_only_where_the_group_can_have_changed(
    hold: int, before: str, periods: int, broken: str
):
    found = faults(
        DECISION,
        periods,
        levers=f"lever,choice,hold\nservice,mix,\ntariff,single,{hold}",
        current=f"segment,lever,option,customers\ngold,tariff,{before},100",
        migration=STAY,
        migration_effects=EFFECTS + "gold,gold,tariff,up5,-0.5,in_force\ngold,gold,tariff,up5,-0.5,on_change",
    )
    assert [fault.code for fault in found] == ["negative_rate"] * bool(broken)
    for fault in found:
        assert f"in {broken} with a change to tariff=up5" in fault.message


def test_a_lever_without_another_option_never_changes():
    offers = "segment,lever,option,offered\ngold,tariff,keep,false"
    effects = EFFECTS + "gold,gold,tariff,up5,-0.95,on_change"
    current = "segment,lever,option,customers\ngold,tariff,up5,100"
    tables = {"migration": STAY, "migration_effects": effects, "effects": offers}
    assert faults(DECISION, **tables, current=current) == []
    # Today they are on keep, which is not offered any more: they must change in period 1.
    assert [fault.code for fault in faults(DECISION, **tables)] == ["negative_rate"]


def test_what_must_change_in_period_1_cannot_be_on_the_option_unchanged_then():
    offers = "segment,lever,option,offered\ngold,tariff,keep,false"
    effects = EFFECTS + "gold,gold,tariff,up5,-0.95,in_force\ngold,gold,tariff,up5,0.2,on_change"
    tables = {"migration": STAY, "migration_effects": effects, "effects": offers}
    assert faults(DECISION, 1, **tables) == []
    assert "in period 2 with tariff=up5" in only_fault(DECISION, 2, **tables).message


def test_nobody_is_counted_twice_over_the_periods():
    # Half of gold may go to silver, or half to later, and from both of them half go back to gold.
    migration = "from,to,rate\nsilver,gold,0.5\nlater,gold,0.5"
    effects = EFFECTS + "gold,silver,service,plus,0.5,\ngold,later,service,basic,0.5,"
    segments = SEGMENTS.replace("later,30", "later,0").replace("silver,400", "silver,0")
    p = built(DECISION, segments=segments, migration=migration, migration_effects=effects)
    assert p.ceiling.tolist() == [[100, 0, 25], [0, 50, 0], [0, 50, 0]]


def test_ceilings_take_each_rate_at_its_greatest():
    migration = "from,to,rate\ngold,gold,0.5\nsilver,gold,0.1\nsilver,silver,0.8\nlater,later,1"
    effects = (
        EFFECTS + "silver,gold,service,plus,0.1,\ngold,gold,service,plus,-0.1,\nlater,gold,tariff,up5,0,"
    )
    p = built(DECISION, migration=migration, migration_effects=effects)
    assert p.ceiling[0].tolist() == pytest.approx([100, 50 + 80, 65 + 64])


def test_unknown_segments_in_migration_are_told_once():
    fault = only_fault({"segments": SEGMENTS}, migration=STAY + "\nglod,gold,0.5\nglod,silver,0.5")
    assert (fault.code, fault.column, fault.value, fault.row) == ("unknown_reference", "from", "glod", 6)
    assert "2 rows" in fault.message
    assert fault.remedy == "did you mean 'gold'?"
