"""What customers are worth: four kinds side by side, lists, treatments of awkward ledgers."""

from __future__ import annotations

import csv
import datetime
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cpm_opt.costing import cost_and_profit
from cpm_opt.estimates import estimate, with_values
from cpm_opt.estimates.value import bg_nbd, gamma_gamma
from cpm_opt.estimates.value.histories import WEEKS, build_histories
from cpm_opt.estimates.value.lifetime import (
    Valued,
    counted_periods,
    discounted_purchases,
    interval,
    lifetime_value,
)
from cpm_opt.estimates.value.values import Values, customer_values
from cpm_opt.faults import InputError
from cpm_opt.tables import Tables, read_instance
from tests.estimates.histories_of import shop_sales
from tests.ledger import RULES, instance

CDNOW = Path(__file__).resolve().parents[2] / "instances" / "cdnow"
CUT, END = "1997-09-30", "1998-06-30"


@pytest.fixture(scope="module")
def tables() -> Tables:
    return read_instance(CDNOW)


@pytest.fixture(scope="module")
def cdnow(tables: Tables) -> Values:
    found = with_values(tables, estimate(tables)).values
    assert found is not None
    return found


@pytest.fixture(scope="module")
def lines() -> list[dict[str, str]]:
    with (CDNOW / "sales.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_plan_does_not_wait_for_values(tables: Tables) -> None:
    assert estimate(tables).values is None
    script = (
        "import sys; from pathlib import Path; from cpm_opt.tables import read_instance; "
        "from cpm_opt.estimates import estimate; "
        f"assert estimate(read_instance(Path({str(CDNOW)!r}))).chain is not None; "
        "assert not [m for m in sys.modules if m == 'scipy' or m.startswith('cpm_opt.estimates.value.values')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_out_of_sample_on_cdnow_counted_by_loops(cdnow: Values, lines: list[dict[str, str]]) -> None:
    """Weeks 40 to 78 of CDNOW by frequency class (Fader, Hardie and Lee 2005, figure 5): the actual purchases."""
    days: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        days[line["customer"]].add(line["date"])
    customers, later = Counter[int](), Counter[int]()
    for bought in days.values():
        repeats = min(7, sum(day <= CUT for day in bought) - 1)
        customers[repeats] += 1
        later[repeats] += sum(CUT < day <= END for day in bought)
    holdout = cdnow.holdout
    assert holdout is not None
    assert holdout.weeks == 39.0
    table = holdout.table
    assert table["frequency"].tolist() == ["0", "1", "2", "3", "4", "5", "6", "7+"]
    assert table["customers"].tolist() == [customers[n] for n in range(8)]
    assert table["actual"].tolist() == pytest.approx([later[n] / customers[n] for n in range(8)])
    errors = holdout.errors.set_index("model")
    for name in ("bg_nbd", "pareto_nbd"):
        assert (table[name] * table["customers"]).sum() == pytest.approx(errors.loc[name, "predicted"])
        assert errors.loc[name, "actual"] == sum(later.values())
        assert errors.loc[name, "bias"] == pytest.approx(
            errors.loc[name, "predicted"] / sum(later.values()) - 1
        )
        weighted = (table[name] - table["actual"]).abs() @ table["customers"] / 2357
        assert errors.loc[name, "class_error"] == pytest.approx(weighted)
    # Both models beat the forecast that everybody goes on as before.
    assert errors["root_mean_square_error"].idxmax() == "same_rate"
    assert errors.loc["same_rate", "bias"] > 0.5
    assert {lint.code for lint in cdnow.lint} == {"zero-frequency", "biased-forecast"}


def test_models_of_the_calibration_and_of_the_values(cdnow: Values) -> None:
    assert [model.name for model in cdnow.models] == ["bg_nbd", "pareto_nbd", "gamma_gamma"]
    assert [model.n for model in cdnow.models] == [2357, 2357, 946]
    assert cdnow.models[0].log_likelihood == pytest.approx(-9582.43, abs=0.005)
    assert [model.name for model in cdnow.value_models] == ["bg_nbd", "gamma_gamma"]
    assert cdnow.value_models[0].log_likelihood < -15_000  # of the whole ledger
    assert all(model.converged for model in (*cdnow.models, *cdnow.value_models))


def test_kinds_of_value_of_cdnow(cdnow: Values, lines: list[dict[str, str]]) -> None:
    spent: dict[str, float] = defaultdict(float)
    last_quarter: dict[str, float] = defaultdict(float)
    for line in lines:
        spent[line["customer"]] += 0.3 * float(line["revenue"])
        last_quarter[line["customer"]] += 0.3 * float(line["revenue"]) * (line["date"] > "1998-03-31")
    customers = cdnow.customers.set_index("customer")
    assert customers["historical"].to_dict() == pytest.approx(spent)
    service = np.where(customers["kind"] == "active", 0.02 * 14.0, 0.0)  # base service of the stated tables
    assert (customers["current"] + service).to_dict() == pytest.approx(last_quarter)
    assert (customers["change"] + customers["before"]).to_dict() == pytest.approx(last_quarter)
    assert (customers["historical_recent"] <= customers["historical"] + 1e-9).all()
    assert (customers["present"] == 0).all()
    assert (customers["lifetime_low"] <= customers["lifetime"]).all()
    assert (customers["lifetime"] <= customers["lifetime_high"]).all()
    # Migration is the end value of the planning table, customer by customer.
    assert customers.loc[customers["segment"] == "silent", "migration"].unique() == pytest.approx(
        [6.9950], abs=5e-5
    )


def test_equity_adds_up_and_knows_more_than_each_customer(cdnow: Values) -> None:
    segments = cdnow.segments
    assert segments["equity"].sum() == pytest.approx(cdnow.equity["value"])
    assert segments["equity_share"].sum() == pytest.approx(1.0)
    assert segments["customers"].sum() == 2357
    assert segments["historical"].sum() == pytest.approx(73227.58, abs=0.01)
    equity = cdnow.equity
    assert equity["low"] < equity["value"] < equity["high"]
    width = (cdnow.customers["lifetime_high"] - cdnow.customers["lifetime_low"]).sum()
    assert equity["high"] - equity["low"] < width


def test_lists_of_cdnow(cdnow: Values) -> None:
    customers = cdnow.customers.set_index("customer")
    risk = cdnow.at_risk.set_index("customer")
    fell = customers["probability_alive_before"] - customers["probability_alive"]
    assert (fell[risk.index] >= 0.1).all()
    if_alive = customers["lifetime"] / customers["probability_alive"]
    assert (if_alive[risk.index] >= if_alive.quantile(0.75)).all()
    assert (risk["lifetime"] + risk["money_at_stake"]).to_dict() == pytest.approx(
        if_alive[risk.index].to_dict()
    )
    ready = cdnow.ready_for_more.set_index("customer")
    assert (customers.loc[ready.index, "probability_alive"] >= 0.5).all()
    assert (ready["money_at_stake"] > 0).all()
    assert "silent" not in set(ready["segment"])
    quiet = cdnow.inactive.set_index("customer")
    assert len(quiet) > 1500
    assert quiet["money_at_stake"].to_dict() == customers.loc[quiet.index, "lifetime"].to_dict()
    for listed in (cdnow.at_risk, cdnow.ready_for_more, cdnow.inactive):
        assert listed["money_at_stake"].is_monotonic_decreasing
        assert listed["reason"].str.len().min() > 10
    turned = cdnow.reversals
    rising = turned[turned["reason"] == "loss today, high lifetime value"]
    assert len(rising) > 100
    assert (rising["current"] < 0).all()
    assert (rising["lifetime"] >= customers["lifetime"].quantile(0.75)).all()
    ranks = cdnow.ranks.set_index("kind")
    assert ranks.loc["lifetime", "lifetime"] == pytest.approx(1.0)
    assert ranks.loc["historical", "lifetime"] < 0.9  # the kinds do not rank alike


def test_lifetime_value_of_one_customer_step_by_step(tables: Tables, cdnow: Values) -> None:
    """The sum that docs/value.md states, for customer 00111, from the parameters alone."""
    row = cdnow.customers.set_index("customer").loc["00111"]
    buying, spending = (model.values for model in cdnow.value_models)
    one = [np.array([row[name]]) for name in ("frequency", "recency", "age")]
    weeks, before, value = WEEKS["quarter"], 0.0, 0.0
    for number in range(12):
        after = bg_nbd.expected_purchases(buying, weeks * (number + 1), *one)[0]
        value += (after - before) / 1.025**number
        before = after
    p, q, v = spending
    x = row["frequency"]
    first = 0.3 * sum(
        float(price)
        for customer, day, price in zip(
            *(tables.frames["sales"][c] for c in ("customer", "date", "revenue")), strict=True
        )
        if customer == "00111" and day == row["first"]
    )
    spend = (row["historical"] - first) / 0.3 / x
    value *= 0.3 * p * (v + x * spend) / (p * x + q - 1)
    assert row["lifetime"] == pytest.approx(value)


def test_pareto_nbd_may_be_chosen(tables: Tables) -> None:
    info = tables.info.model_copy(
        update={
            "estimates": {
                **tables.info.estimates,
                "value": {"discount_rate": 0.025, "purchases": "pareto_nbd"},
            }
        }
    )
    found = customer_values(replace(tables, info=info))
    assert [model.name for model in found.value_models] == ["pareto_nbd", "gamma_gamma"]
    assert found.equity["value"] > 0
    assert found.customers["migration"].isna().all()  # no estimates were given, so no chain


def test_errors_of_values_are_those_of_parameters_drawn_from_their_errors(
    tables: Tables, cdnow: Values
) -> None:
    transactions = tables.frames["sales"].groupby(["customer", "date"], as_index=False)["revenue"].sum()
    histories = build_histories(transactions, pd.Timestamp(CUT))
    buying, spending = bg_nbd.fit(histories), gamma_gamma.fit(histories)
    rate = np.full(len(histories), 0.3)
    told = lifetime_value(buying, spending, histories, rate, 0.025, 8, 13.0)
    draw = np.random.default_rng(4)
    totals = []
    for _ in range(200):
        bought, spent = (
            np.exp(draw.multivariate_normal(np.log(model.values), model.log_covariance)).tolist()
            for model in (buying, spending)
        )
        number = discounted_purchases(bg_nbd, bought, histories, 0.025, 8, 13.0)
        money = gamma_gamma.expected_spend(spent, histories.frequency, histories.spend)
        totals.append(0.3 * float(number @ money))
    assert told.total_error() == pytest.approx(np.std(totals), rel=0.2)


def test_intervals_keep_the_sign() -> None:
    low, high = interval(np.array([10.0, -10.0, 0.0]), np.array([2.0, 2.0, 2.0]))
    assert low == pytest.approx([10 / np.exp(0.392), -10 * np.exp(0.392), 0.0], rel=1e-3)
    assert high == pytest.approx([10 * np.exp(0.392), -10 / np.exp(0.392), 0.0], rel=1e-3)
    assert counted_periods(0.025, None) == 373  # 1.025^-373 is the first below 1 in 10,000
    assert counted_periods(0.025, 12) == 12
    nothing = Valued(np.zeros(2), np.zeros((2, 0)), np.zeros((0, 0)))
    assert nothing.error().tolist() == [0.0, 0.0]


def valued(tables: Tables) -> Values:
    found = estimate(tables)
    assert not [fault for fault in found.faults if not fault.warning]
    return customer_values(tables, found)


def test_refunds_are_no_purchases_and_lower_spend(tmp_path: Path) -> None:
    sales = shop_sales(400, seed=3)
    plain = valued(instance(tmp_path / "plain", sales))
    name = plain.customers.sort_values("frequency").iloc[-1]["customer"]
    refunded = [*sales, (name, "2025-12-30", -1, -25.0), ("only-back", "2025-12-30", -1, -5.0)]
    back = valued(instance(tmp_path / "back", refunded))
    before, after = (found.customers.set_index("customer").loc[name] for found in (plain, back))
    assert after["frequency"] == before["frequency"]
    assert after["recency"] == before["recency"]
    assert after["historical"] == pytest.approx(before["historical"] - 0.25 * 25)
    assert after["expected_spend"] < before["expected_spend"]
    alone = back.customers.set_index("customer").loc["only-back"]
    assert (alone["purchases"], alone["historical"], alone["lifetime"]) == (0, -1.25, 0.0)
    assert np.isnan(alone["probability_alive"])
    (lint,) = (lint for lint in back.lint if lint.code == "refunds")
    assert "refunds outweigh purchases: 2 (-30.00)" in lint.message
    assert {lint.code for lint in plain.lint} >= {"zero-frequency", "not-tried"}


def test_negative_margins_give_negative_values(tmp_path: Path) -> None:
    sales = [("customer", "date", "quantity", "revenue", "cost")]
    dear = Counter(line[0] for line in shop_sales(400, seed=3)).most_common(1)[0][0]
    for customer, date, quantity, revenue in shop_sales(400, seed=3):
        sales.append(
            (customer, date, quantity, revenue, float(revenue) * (1.5 if customer == dear else 0.75))
        )  # type: ignore[arg-type]
    text = "\n".join(",".join(map(str, row)) for row in sales)
    found = valued(instance(tmp_path, None, tables={"sales": text + "\n"}))
    row = found.customers.set_index("customer").loc[dear]
    assert row["lifetime_low"] < row["lifetime"] < row["lifetime_high"] < 0
    assert row["historical"] < 0
    (lint,) = (lint for lint in found.lint if lint.code == "negative-margin")
    assert lint.message.startswith("customers with a negative margin: 1;")


def test_a_model_that_does_not_converge_is_told_and_the_chain_stands_in(tmp_path: Path) -> None:
    sales = [(f"c{n}", f"2025-{1 + n % 9:02d}-10", 1, 10) for n in range(60)]
    sales += [("c1", "2025-12-31", 1, 0)]
    found = valued(instance(tmp_path, sales))
    codes = Counter(lint.code for lint in found.lint)
    assert codes["not-converged"] >= 1
    assert codes["no-lifetime-model"] == 1
    assert any(not model.converged and model.message for model in found.models)
    customers = found.customers
    assert customers["lifetime"].tolist() == customers["migration"].tolist()
    assert (customers["lifetime_low"] <= customers["lifetime"]).all()
    assert found.equity["value"] == pytest.approx(customers["migration"].sum())
    # The sum's own interval: the values of a state's customers err together.
    assert found.equity["low"] <= found.equity["value"] <= found.equity["high"]
    shares = found.segments.set_index("segment")
    one = customers.drop_duplicates("segment").set_index("segment")
    for name, row in shares.iterrows():
        assert row["equity_high"] == pytest.approx(row["customers"] * one.loc[name, "lifetime_high"])


def test_contracts_stand_beside_purchases(tmp_path: Path) -> None:
    rows = ["contract,customer,start,margin,end"]
    ends = {
        **dict.fromkeys(range(14, 20), "2024-03-31"),
        **dict.fromkeys(range(11, 14), "2024-06-30"),
        10: "2024-09-30",
    }
    rows += [f"k{n},c{n:04d},2024-01-01,8,{ends.get(n % 20, '')}" for n in range(200)]
    rows += ["free,stranger,2025-10-01,50,2026-12-31"]
    tables = instance(tmp_path, shop_sales(400, seed=3), tables={"contracts": "\n".join(rows) + "\n"})
    assert not tables.faults
    found = valued(tables)
    assert [model.name for model in found.models][-1] == "sbg"
    customers = found.customers.set_index("customer")
    assert customers.loc["c0000", "present"] == pytest.approx(8.0)
    assert customers.loc["c0019", "present"] == 0.0
    stranger = customers.loc["stranger"]
    assert stranger["segment"] == "all"
    assert stranger["present"] == pytest.approx(50 * (1 + 1 / 1.1 + 1 / 1.1**2 + 1 / 1.1**3), rel=0.01)
    without = valued(replace(tables, frames={k: f for k, f in tables.frames.items() if k != "contracts"}))
    plain = without.customers.set_index("customer")
    assert customers.loc["c0000", "lifetime"] > plain.loc["c0000", "lifetime"] + 8.0
    assert customers.loc["c0019", "lifetime"] == pytest.approx(plain.loc["c0019", "lifetime"])
    only = customer_values(replace(tables, frames={"contracts": tables.frames["contracts"]}))
    assert only.customers["customer"].tolist()[-1] == "stranger"
    assert only.equity["value"] == pytest.approx(only.customers["lifetime"].sum())
    assert len(only.at_risk) == len(only.inactive) == 0


def test_tiers_share_the_equity(tables: Tables, cdnow: Values) -> None:
    statement = cost_and_profit(tables)
    found = customer_values(tables, estimate(tables), statement)
    assert found.tiers is not None
    shares = found.tiers.set_index("tier")
    assert shares["customers"].to_dict() == {"platinum": 118, "gold": 354, "bronze": 707, "wood": 1178}
    assert shares.loc["platinum", "equity_share"] > 0.4
    assert shares["equity"].sum() == pytest.approx(cdnow.equity["value"])
    assert shares["customers"].to_dict() == statement.customers.groupby("tier").size().to_dict()


@pytest.mark.parametrize(
    ("old", "new", "column", "words"),
    [
        (
            "[estimates]",
            "[estimates]\ncalibration_end = 2023-12-31",
            "calibration_end",
            "is not inside the ledger",
        ),
        (
            "[estimates]",
            "[estimates]\ncalibration_end = 2025-12-31",
            "calibration_end",
            "is not inside the ledger",
        ),
        ("[estimates]", "[estimates]\nledger_end = 2020-12-31", "ledger_end", "is before the ledger"),
        ("[estimates]", '[estimates]\ncalibration_end = "soon"', "calibration_end", "date"),
        ("periods = 3", 'purchases = "nbd"', "value.purchases", "bg_nbd"),
        ("periods = 3", "alive = 1.5", "value.alive", "less than 1"),
        ("discount_rate = 0.1\nperiods = 3", "discount_rate = 0", "value.discount_rate", "without limit"),
        ("[estimates.value]\ndiscount_rate = 0.1\nperiods = 3", "", "value", "is missing"),
    ],
)
def test_faults_of_the_rules(tmp_path: Path, old: str, new: str, column: str, words: str) -> None:
    assert old in RULES
    tables = instance(tmp_path, shop_sales(20, seed=1), RULES.replace(old, new, 1))
    with pytest.raises(InputError) as raised:
        with_values(tables, estimate(tables))
    told = [fault for fault in raised.value.faults if fault.column == f"estimates.{column}"]
    assert words in told[0].line()
    assert told[0].remedy
    assert told[0].row is not None or column == "value"


def test_a_calibration_before_which_nobody_came_back(tmp_path: Path) -> None:
    rules = RULES.replace("[estimates]", "[estimates]\ncalibration_end = 2024-01-03", 1)
    found = valued(instance(tmp_path, shop_sales(300, seed=3), rules))
    assert [model.converged for model in found.models] == [False, False, False]
    assert all(model.converged for model in found.value_models)
    assert found.holdout is not None
    assert found.holdout.errors["model"].tolist() == ["same_rate"]
    assert found.end.date() == datetime.date(2025, 12, 31)
    assert found.equity["value"] > 0
