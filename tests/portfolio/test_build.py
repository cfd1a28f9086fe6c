"""The build as a whole: every fault at once, none that only follows from another, and a value that stays as it is."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

import cpm_opt.portfolio
from cpm_opt.faults import Fault, InputError
from cpm_opt.portfolio import build_portfolio
from cpm_opt.portfolio.build import summed_unit
from tests.portfolio.draws import drawn
from tests.portfolio.small import DECISION, INFO, SEGMENTS, built, faults, frames, only_fault


def codes(given: list[Fault], texts: dict[str, str], missing: str = "") -> list[str]:
    """Codes of the faults of a build to which the reader handed on faults, and perhaps no frame."""
    typed = {name: frame for name, frame in frames(texts).items() if name != missing}
    with pytest.raises(InputError) as error:
        build_portfolio(typed, INFO, 2, given)
    return [fault.code for fault in error.value.faults if not fault.warning]


def test_facts_of_the_instance_are_carried():
    p = built(DECISION, periods=3)
    assert (p.name, p.title, p.currency, p.money_unit) == ("small", "A small one", "EUR", 1.0)
    assert (p.period_name, p.periods) == ("quarter", 3)
    assert p.kinds == ("active", "prospect", "active")
    assert p.active.tolist() == [True, False, True]


def test_all_faults_at_once_the_given_ones_first():
    given = Fault("segments", "is odd", "mend it", 2, "margin", "x", "number")
    texts = {
        **DECISION,
        "options": DECISION["options"].replace("plus,false", "plus,true"),
        "balance": "rule,measure,members,sense,value\nr,magrin,nobody,min,1",
        "usage": "resource,amount\nhours,1",
        "migration": "from,to,rate\ngold,gold,0.9\ngold,silver,0.2\nsilver,silver,1\nlater,later,1",
        "factors": "target,period,factor\nsegments.maring,1,2",
    }
    found = codes([given], texts)
    assert found[0] == "number"
    # The rates are not judged: the factor that is not known may have been about them.
    assert sorted(found[1:]) == ["base", "measure", "members", "unknown_reference", "unknown_target"]


def test_warnings_travel_and_stop_nobody():
    given = Fault(
        "options", "is a large step", "look again", 3, "price_change", "2", "doubtful", warning=True
    )
    p = build_portfolio(
        frames({"segments": SEGMENTS, "migration": "from,to,rate\ngold,gold,1"}), INFO, 2, [given]
    )
    assert [w.code for w in p.warnings] == ["doubtful", "loses_everybody"]


def test_warnings_stand_beside_faults():
    texts = {"segments": SEGMENTS, "migration": "from,to,rate\ngold,gold,1\nglod,gold,1"}
    with pytest.raises(InputError) as error:
        built(texts)
    assert [(f.code, f.warning) for f in error.value.faults] == [
        ("unknown_reference", False),
        ("loses_everybody", True),
    ]


def test_segments_must_be_there():
    fault = only_fault({"balance": "rule,measure,members,sense,value\nr,margin,gold,min,1"})
    assert (fault.code, fault.table) == ("missing_table", "segments")


@pytest.mark.parametrize("missing", ["segments", "levers", "options", "resources"])
def test_a_table_that_could_not_be_read_is_told_once(missing: str):
    given = Fault(missing, "is not text", "export it as CSV", code="not_text")
    texts = {
        **DECISION,
        "resources": "resource,capacity\nhours,1",
        "usage": "resource,amount,segment,lever,option\nhours,1,gold,service,plus",
        "effects": "segment,lever,option,margin\ngold,service,plus,1",
        "current": "segment,lever,option,customers\ngold,service,plus,1",
        "migration": "from,to,rate\ngold,gold,1\nsilver,silver,1\nlater,later,1",
        "migration_effects": "from,to,lever,option,rate,when\ngold,gold,tariff,up5,-0.1,on_change",
        "balance": "rule,measure,members,sense,value\nr,use:hours,tier=top,min,1",
        "price_rules": "rule,lever,kind,group,other_group,value\na,tariff,order,top,low,",
        "option_rules": "rule,lever,option,kind,value,members\nb,tariff,up5,max,1,gold",
        "factors": "target,period,factor,segment,lever,option,resource\nusage.amount,1,2,gold,service,plus,hours",
        "scenarios": "scenario,probability,target,factor,segment,option\nx,1,effects.margin,2,gold,plus",
    }
    assert codes([given], texts, missing) == ["not_text"]


def test_records_that_were_left_out_may_hold_the_names_that_are_not_there():
    lost = Fault(
        "segments", "the row has 4 fields, too few", "fill in what is missing", row=3, code="field_count"
    )
    texts = {"segments": SEGMENTS, "migration": "from,to,rate\nbronze,gold,0.5"}
    assert codes([lost], texts) == ["field_count"]
    twice = Fault("segments", "the row repeats the key of line 2", "keep one", row=5, code="duplicate")
    assert codes([twice], texts) == ["duplicate", "unknown_reference"]


def test_sums_over_cells_that_were_refused_prove_nothing():
    refused = Fault("segments", "is not a number", "write 120", 2, "customers", "many", "number")
    texts = {**DECISION, "segments": SEGMENTS.replace("gold,100", "gold,0")}
    texts["current"] = "segment,lever,option,customers\ngold,service,plus,20"
    assert codes([refused], texts) == ["number"]


def test_rates_are_judged_as_far_as_other_faults_leave_them_certain():
    migration = "from,to,rate\ngold,gold,0.9\ngold,silver,0.2\nsilver,silver,0.95\nlater,later,1\nglod,gold,1"
    effects = "from,to,lever,option,rate\nsilver,gold,service,plus,0.1\nsilver,silver,tariff,up5,-1"
    tables = {"migration": migration, "migration_effects": effects}

    def told(**more: str) -> list[tuple[str, str]]:
        return [
            (f.code, f.message.split("'")[1])
            for f in faults(DECISION, **{**tables, **more})
            if "rate" in f.code
        ]

    # The row that is lost may have kept a rate above 0, but sums are over 1 with or without it.
    assert told() == [("rates_above_one", "gold"), ("rates_above_one", "silver")]
    sound = migration.replace("\nglod,gold,1", "")
    assert told(migration=sound) == [("negative_rate", "silver"), *told()]
    # Effects that are lost may have brought silver's sum down, but gold has none.
    assert told(migration_effects=effects + "\nsilver,silver,service,plsu,-0.1") == [
        ("rates_above_one", "gold")
    ]
    assert told(factors="target,period,factor\nmigration.rtae,1,0.1") == []


def test_a_reference_is_told_once_with_its_count():
    effects = "segment,lever,option,margin\n" + "".join(
        f"{s},service,{o},1\n" for s in ("glod", "gold", "nobody") for o in ("plus", "basic", "plsu")
    )
    found = faults(DECISION, effects=effects)
    assert [(f.column, f.value, f.row) for f in found] == [
        ("segment", "glod", 2),
        ("segment", "nobody", 8),
        ("option", "plsu", 4),
    ]
    assert [f.remedy for f in found][::2] == ["did you mean 'gold'?", "did you mean 'plus'?"]
    assert all("3 rows" in f.message for f in found)


def test_many_misspelt_names_cost_little():
    segments = "segment,customers,margin\n" + "".join(f"customer {k},1,1\n" for k in range(3000))
    rows = "from,to,rate\n" + "".join(f"costumer {k},customer {k},0.5\n" for k in range(3000))
    found = faults({"segments": segments, "migration": rows})
    assert len(found) == 3000
    # Each guess compares a name with all 3000; only the first few are worth that time.
    guessed = ["did you mean" in fault.remedy for fault in found]
    assert guessed == sorted(guessed, reverse=True)
    assert 3 <= sum(guessed) <= 10


def arrays(value: object) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    if is_dataclass(value):
        return [array for each in fields(value) for array in arrays(getattr(value, each.name))]
    if isinstance(value, tuple):
        return [array for part in value for array in arrays(part)]
    return [array for part in value.values() for array in arrays(part)] if hasattr(value, "values") else []


def test_every_array_is_closed_finite_and_of_the_right_kind():
    p = build_portfolio(drawn(7, 4, 3, 0.0), INFO, 3)
    found = arrays(p)
    assert len(found) > 40
    assert not any(array.flags.writeable for array in found)
    assert {array.dtype.str for array in found} == {"<f8", "<i8", "|b1"}
    unbounded = replace(p.resources, capacity=np.zeros(1), repair_cost=np.zeros(1))
    assert all(np.isfinite(array).all() for array in arrays(replace(p, resources=unbounded)))
    with pytest.raises(ValueError, match="read-only"):
        p.customers[0] = 1.0
    with pytest.raises(TypeError):
        p.flows["margin"] = p.flows["cash"]  # type: ignore[index]


def test_what_is_exported_is_there():
    assert all(hasattr(cpm_opt.portfolio, name) for name in cpm_opt.portfolio.__all__)
    assert sorted(cpm_opt.portfolio.__all__) == cpm_opt.portfolio.__all__


@pytest.mark.parametrize(
    ("stated", "summed"),
    [
        ("rand per offer", "rand"),
        ("loans per offer and quarter", "loans"),
        ("thousand roubles a year", "thousand roubles a year"),
        ("rand per month per client", "rand per month"),
        ("faults per thousand", "faults per thousand x customers"),
        ("per cent", "per cent"),
        ("", ""),
    ],
)
def test_sums_over_customers_have_the_unit_without_the_customer(stated, summed):
    assert summed_unit(stated) == summed
