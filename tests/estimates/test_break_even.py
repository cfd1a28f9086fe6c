"""Price steps beside their break-even: by revenue, by what accepted offers bring, and against the base's own price."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cpm_opt.estimates.estimate import with_response
from cpm_opt.estimates.response.response import Response
from cpm_opt.report.answer_tables import answer_sections
from cpm_opt.tables import read_instance
from tests.estimates.test_choices import made
from tests.estimates.test_lever_effects import FEE, STATED, TABLES, estimated, raw


def answered(folder: Path, rules: str, **stated: str) -> Response:
    plan = estimated(folder, rules, **stated)
    found = with_response(read_instance(folder), plan).response
    assert found is not None
    return found


def test_break_even_is_shown_beside_each_step(tmp_path: Path) -> None:
    raw(tmp_path)
    plan = estimated(tmp_path)
    found = with_response(read_instance(tmp_path), plan).response
    assert found is not None
    steps = {(step.segment, step.option): step for step in found.price_effects}
    assert steps["a", "up"].break_even == pytest.approx(-0.1 / 0.6)
    assert steps["a", "down"].break_even == pytest.approx(0.1 / 0.4)
    (model,) = (model for model in found.models if model.name == "demand_shrunken")
    assert steps["a", "up"].volume == pytest.approx(1.1 ** model.parameters["elasticity[a]"] - 1)
    # At the break-even volume margin would not move: R ((g + p)(1 + v) - g) = 0.
    assert (0.5 + 0.1) * (1 + steps["a", "up"].break_even) - 0.5 == pytest.approx(0.0)


def offered(count: int = 900) -> pd.DataFrame:
    """Offers in which who takes a dear one takes less, and pays it back less often."""
    rng = np.random.default_rng(12)
    price, kind = rng.uniform(4, 8, count), rng.integers(0, 2, count)
    taken = rng.random(count) < 1 / (1 + np.exp(1 + 0.3 * (price - 6)))
    amount = taken * rng.gamma(9, 10, count) * price**-0.5
    lost = amount * (rng.random(count) < 0.02 * price)
    return pd.DataFrame({"segment": np.array(["a", "b"])[kind], "price": price, "accepted": taken.astype(int),
                         "amount": amount, "revenue": amount * price * 0.1, "loss": lost})  # fmt: skip


OFFERED = '[[estimates.response.levers]]\nlever = "fee"\nfrom = "offers"\nbase_price = 6\n'


def test_break_even_of_offers_is_by_what_an_accepted_one_brings(tmp_path: Path) -> None:
    offered().to_csv(tmp_path / "offers.csv", index=False)
    found = answered(tmp_path, OFFERED)
    assert found.shrunken is not None
    flow = found.shrunken.expected(np.array([6.0, 6.6, 5.4]))
    each = (flow["revenue"] - flow["loss"]) / flow["take_up"]
    assert [step.basis for step in found.price_effects] == ["take_up"] * 4
    for k, step in enumerate(found.price_effects):
        s, p = divmod(k, 2)
        assert step.volume == pytest.approx(flow["take_up"][s, p + 1] / flow["take_up"][s, 0] - 1)
        assert step.break_even == pytest.approx(each[s, 0] / each[s, p + 1] - 1)
        assert (step.volume > step.break_even) == (step.margin > 0)  # never against the effect beside it
    effects = "segment,lever,option,margin,revenue\na,fee,up,1,2\n"
    stated = answered(tmp_path, OFFERED, effects=effects)
    assert [(math.isnan(step.volume), step.basis) for step in stated.price_effects] == [(True, "margin")]


def test_break_even_of_offers_is_after_what_they_use(tmp_path: Path) -> None:
    """Hours differ by option, so they vary with volume and are taken off; letters are sent whatever the price."""
    offered().to_csv(tmp_path / "offers.csv", index=False)
    hours = {("a", "now"): 0.2, ("a", "up"): 0.15, ("a", "down"): 0.25}
    using = {
        "resources": "resource,capacity,unit_cost\nhours,1000,4\nletters,1000,1\n",
        "usage": "resource,amount,segment,lever,option\n"
        + "".join(f"hours,{amount},{segment},fee,{option}\n" for (segment, option), amount in hours.items())
        + "".join(f"letters,1,,fee,{option}\n" for option in ("now", "up", "down")),
    }
    found = answered(tmp_path, OFFERED, **using)
    assert found.shrunken is not None
    flow = found.shrunken.expected(np.array([6.0, 6.6, 5.4]))
    left = flow["revenue"] - flow["loss"]
    left[0] -= 4.0 * np.array([0.2, 0.15, 0.25])
    each = left / flow["take_up"]
    for k, step in enumerate(found.price_effects):
        s, p = divmod(k, 2)
        assert step.break_even == pytest.approx(each[s, 0] / each[s, p + 1] - 1)

    (tmp_path / "offers.csv").unlink()
    measure = '[measures.take_up]\ntitle = "Taken"\nunit = "1"\n'
    segments = "segment,customers,margin,revenue,take_up,kind\na,100,10,20,0.4,\nb,50,10,20,0.4,\ngone,0,0,0,0,lost\n"
    effects = "segment,lever,option,margin,take_up\na,fee,up,1,-0.1\nb,fee,up,1,-0.1\na,fee,down,-9.5,0.1\n"
    stated = answered(tmp_path, measure, effects=effects, segments=segments, **using).price_effects
    assert [step.volume for step in stated] == pytest.approx([-0.25, -0.25, 0.25])
    assert [step.break_even for step in stated[:2]] == pytest.approx(
        [(9.2 / 0.4) / (10.4 / 0.3) - 1, (10 / 0.4) / (11 / 0.3) - 1]
    )
    assert math.isnan(stated[2].break_even)  # 0.5 of margin, less an hour's quarter: it loses money by itself


def test_no_break_even_stands_beside_an_effect_that_it_contradicts(tmp_path: Path) -> None:
    """A rise that by its revenue loses 5 % of the volume, where 20 % could go, and yet costs margin."""
    for margin, basis in ((5.0, "revenue"), (-5.0, "margin")):
        effects = f"segment,lever,option,margin,revenue\na,fee,up,{margin},4.5\nb,fee,up,3,4\n"
        found = answered(tmp_path, "", effects=effects)
        assert [step.basis for step in found.price_effects] == [basis] * 2
        assert math.isnan(found.price_effects[1].break_even) == (basis == "margin")
        (section,) = answer_sections(found, read_instance(tmp_path).info)
        assert ("No volume is told of fee: what the price does" in section.sentences[-1]) == (
            basis == "margin"
        )


@pytest.mark.parametrize("source", ["price_points", "stated", "offers", "choices"])
def test_every_price_stands_against_that_of_the_base(tmp_path: Path, source: str) -> None:
    """The same prices told from another footing, on which the base is 25 % up, are the same plan."""
    raw(tmp_path)
    offered().to_csv(tmp_path / "offers.csv", index=False)
    made(400).to_csv(tmp_path / "choices.csv", index=False)
    rule = {
        "price_points": FEE,
        "stated": STATED.replace("base_price = 10", "elasticity = -1.5"),
        "offers": OFFERED,
        "choices": OFFERED.replace("offers", "choices") + 'alternative = "gold"\n',
    }[source]
    moved = TABLES["options"].replace("now,true,", "now,true,0.25").replace("up,false,0.1", "up,false,0.375")
    both = []
    for options in (TABLES["options"], moved.replace("down,false,-0.1", "down,false,0.125")):
        plan = estimated(tmp_path, rule, options=options)
        assert plan.faults == ()
        found = answered(tmp_path, rule, options=options)
        both.append((plan.frames["effects"], found.price_effects, found.lint))
    (effects, steps, doubts), (again, told, lint) = both
    pd.testing.assert_frame_equal(effects, again)
    assert len(steps) == 4
    for step, other in zip(steps, told, strict=True):
        for name in ("price_change", "volume", "break_even", "margin"):
            assert getattr(step, name) == pytest.approx(getattr(other, name))
    assert [doubt.code for doubt in lint] == [doubt.code for doubt in doubts]
