"""The waterfall adds up to the cent, whatever the rounding; postings that do not are a defect."""

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from cpm_opt.faults import DefectError
from cpm_opt.runs.waterfall import waterfall
from cpm_opt.solve.plan import Recount
from tests.handmade import plan


def recount(random: np.random.Generator, scale: float, items: int) -> Recount:
    discount = 1.03 ** -np.arange(5.0)
    money = {
        ("effects", f"lever {i}"): scale * random.normal(size=4)
        for i in random.permutation(8)[:items].tolist()
    }
    money["margin", ""] = scale * random.normal(size=4)
    profit = sum(float(flow @ discount[:-1]) for flow in money.values())
    return replace(plan().today, money=money, discount=discount, profit=profit)


@pytest.mark.parametrize("seed", range(200))
def test_steps_add_up_exactly(seed):
    random = np.random.default_rng(seed)
    scale, unit = 10.0 ** random.integers(-3, 13), float(random.choice([1.0, 1000.0, 1e6, 12.0]))
    today, best = recount(random, scale, 5), recount(random, scale, 6)
    rows = waterfall(today, best, unit)
    decimals = 2 + max(0, math.ceil(math.log10(unit)))
    totals = [Decimal(row[3]) for row in rows]
    assert rows[0][0] == "today"
    assert rows[-1][0] == "plan"
    assert float(totals[0]) == pytest.approx(today.profit, abs=0.51 * 10.0**-decimals, rel=1e-15)
    assert float(totals[-1]) == pytest.approx(best.profit, abs=0.51 * 10.0**-decimals, rel=1e-15)
    assert sum(Decimal(row[2]) for row in rows if row[2] is not None) == totals[-1]
    assert totals[-2] == totals[-1]
    assert all(total.as_tuple().exponent == -decimals for total in totals)
    for source, item, amount, _ in rows[1:-1]:
        flows = [side.money.get((source, item), np.zeros(4)) @ side.discount[:-1] for side in (best, today)]
        assert float(amount) == pytest.approx(flows[0] - flows[1], abs=2 * 10.0**-decimals, rel=1e-9)


def test_a_posting_that_is_missing_is_a_defect():
    best = plan().recount
    money = {key: flow for key, flow in best.money.items() if key[0] != "resource cost"}
    with pytest.raises(DefectError):
        waterfall(plan().today, replace(best, money=money), 1.0)


def test_a_plan_that_changes_nothing_has_no_steps():
    today = plan().today
    assert [row[0] for row in waterfall(today, today, 1.0)] == ["today", "plan"]
