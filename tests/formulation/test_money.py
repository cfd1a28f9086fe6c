"""Cash, concentration and robust by hand: figures small enough to be reckoned on paper."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cpm_opt.formulation.audit import Decisions
from cpm_opt.formulation.components import Capacity, Cash, Component, Concentration, Robust
from cpm_opt.formulation.draft import Weights
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.solve.certificate import certify
from cpm_opt.solve.plan import Certificate, Recount
from cpm_opt.solve.recount import doing_nothing, recount
from tests.formulation.component_cases import on_plus
from tests.portfolio.small import DECISION, built

WEIGHTS = Weights(0.5, 1.0, 0.25)


def counted(
    portfolio: Portfolio, decisions: Decisions, *components: Component
) -> tuple[Certificate, Recount]:
    objective = recount(portfolio, decisions, components, WEIGHTS)[0].objective
    return certify(portfolio, decisions, components, WEIGHTS, objective, None)


def with_fees() -> Portfolio:
    """100 gold at 50 and 400 silver at 10 bring 9000 a period; an hour each costs 4, and so do the 750 there are."""
    return built(
        {
            **DECISION,
            "resources": "resource,capacity,unit_cost,capacity_cost\nhours,750,4,4",
            "usage": "resource,amount\nhours,1",
        }
    )


def test_what_others_post_as_costs_is_paid_in_cash_and_debt_costs_interest() -> None:
    portfolio = with_fees()
    idle = doing_nothing(portfolio)
    # 9000 - 500 x 4 - 750 x 4 = 4000 come in. From -6300: short of 2300, debt 2300 / 0.92 = 2500, which costs 200.
    cash = Cash(opening=-6300.0, credit_limit=2500.0, credit_cost=0.08)
    certificate, found = counted(portfolio, idle, Capacity(), cash)
    assert certificate.passed, certificate.where
    debts = [row.value for row in found.rows if row.rule == "cash"]
    assert debts == pytest.approx([2500.0, 0.0])  # -2500 + 4000 in period 2
    assert found.money["credit cost", ""].tolist() == pytest.approx([-200.0, 0.0])
    assert found.profit == pytest.approx(4000.0 - 200.0 + 4000.0 / 1.25)
    assert counted(portfolio, idle, cash)[1].rows[0].value == pytest.approx(
        0.0
    )  # no capacity, no costs of it


def test_a_plan_that_overdraws_is_caught() -> None:
    portfolio = with_fees()
    idle = doing_nothing(portfolio)
    certificate, _ = counted(portfolio, idle, Capacity(), Cash(opening=-4000.01, credit_limit=0.0))
    assert not certificate.passed
    assert certificate.where == "cash credit in period 1"
    assert counted(portfolio, idle, Capacity(), Cash(opening=-4000.0))[0].passed


def test_growth_is_paid_for_after_what_serving_costs() -> None:
    portfolio = built(
        {
            **DECISION,
            "effects": "segment,lever,option,margin,cash\nsilver,service,plus,9,-15",
            "resources": "resource,capacity,unit_cost\nhours,,12",
            "usage": "resource,amount\nhours,1",
        }
    )
    growing = on_plus(1.0)(portfolio, doing_nothing(portfolio))
    # Silver: 400 x (10 - 15) = -2000, less 400 hours; gold brings 5000, less 100 hours. 12 an hour makes it -3000.
    cash = Cash(opening=1e6, grow="silver", fund="tier=top")
    assert counted(portfolio, growing, cash)[0].passed
    certificate, found = counted(portfolio, growing, Capacity(), cash)
    assert certificate.where == "cash growth in period 1"
    row = next(row for row in found.rows if row.key == ("cash", "growth", 1))
    assert (row.value, row.limit) == pytest.approx((-2000.0 - 4800.0, -(5000.0 - 1200.0)))


def test_groups_of_cash_must_be_there() -> None:
    portfolio = built(DECISION)
    faults = Cash(grow="tier=tpo", fund="silvr").check(portfolio)
    assert [(fault.table, fault.remedy) for fault in faults] == [
        ("components.cash.grow", "did you mean 'tier=top'?"),
        ("components.cash.fund", "did you mean 'silver'?"),
    ]
    assert Cash(grow="tier=top", fund="later").check(portfolio) == ()


def test_concentration_counts_active_segments_only() -> None:
    portfolio = built(DECISION)
    idle = doing_nothing(portfolio)
    # Margin 5000 and 4000: shares 5/9 and 4/9, index 41/81. Customers 100 and 400; the 30 prospects do not count.
    _, found = counted(portfolio, idle, Concentration(top_k=1, top_share=0.6, hhi=0.6))
    values = {row.key[1:]: (row.value, row.limit) for row in found.rows}
    assert values["top 1", 1] == pytest.approx((5000.0, 5400.0))
    assert values["index", 2] == pytest.approx((41 / 81, 0.6))
    assert counted(portfolio, idle, Concentration(hhi=41 / 81))[0].passed
    assert not counted(portfolio, idle, Concentration(hhi=41 / 81 - 2e-6))[0].passed
    assert counted(portfolio, idle, Concentration(measure="customers", top_k=1, top_share=0.8))[0].passed
    assert not counted(portfolio, idle, Concentration(measure="customers", top_k=1, top_share=0.79))[0].passed
    assert counted(portfolio, idle, Concentration(top_k=5, top_share=1.0))[0].passed  # all of them


def test_an_index_needs_a_total_that_is_not_negative() -> None:
    portfolio = built(
        {**DECISION, "segments": "segment,customers,margin,tier\ngold,10,-5,top\nsilver,10,2,low"}
    )
    certificate, _ = counted(portfolio, doing_nothing(portfolio), Concentration(hhi=1.0))
    assert not certificate.passed


@pytest.mark.parametrize(
    "keys",
    [{}, {"top_k": 2}, {"top_share": 0.5}, {"hhi": 0.5, "top_k": 1}],
    ids=["none", "k", "share", "both"],
)
def test_concentration_says_what_is_missing(keys: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"belong together|limits nothing"):
        Concentration(**keys)  # type: ignore[arg-type]


def test_a_measure_must_be_there() -> None:
    (fault,) = Concentration(measure="margn", hhi=0.5).check(built(DECISION))
    assert fault.remedy == "did you mean 'margin'?"


EFFECTS = (
    "segment,lever,option,margin,margin_se,offered\ngold,service,plus,20,4,\nsilver,service,plus,5,2,\n"
    "silver,service,basic,0,0.5,\nlater,service,plus,0,1000,false"
)


def test_the_largest_uncertain_effects_are_taken_from_the_objective_alone() -> None:
    portfolio = built({**DECISION, "effects": EFFECTS})
    plan = on_plus(0.5)(portfolio, replace(doing_nothing(portfolio)))
    later = portfolio.segments.index("later")
    plan.customers_on[later] = doing_nothing(portfolio).customers_on[later]
    # Over two periods a customer counts 1 + 1/1.25 = 1.8: gold 50 x 4, silver 200 x 2 and 200 x 0.5, each x 1.8.
    robust = Robust(budget=2, width=1.5)
    certificate, found = counted(portfolio, plan, robust)
    plain = counted(portfolio, plan)[1]
    assert found.deductions == {"robust": pytest.approx(1.5 * 1.8 * (200 + 400))}
    assert found.profit == plain.profit
    assert found.objective == pytest.approx(plain.objective - 0.5 * 1.5 * 1.8 * 600)
    assert certificate.passed
    claimed = certify(portfolio, plan, (robust,), WEIGHTS, plain.objective, None)[0]
    assert not claimed.passed
    assert "objective" in claimed.where


def test_without_standard_errors_robust_warns() -> None:
    (fault,) = Robust(budget=1, width=1.0).check(built(DECISION))
    assert fault.warning
    assert Robust(budget=1, width=1.0).check(built({**DECISION, "effects": EFFECTS})) == ()
