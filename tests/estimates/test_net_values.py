"""Values after the cost to serve: how long customers are served, what is taken off, and what awkward ledgers give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

from cpm_opt.costing import cost_and_profit
from cpm_opt.estimates import estimate, with_values
from cpm_opt.estimates.value import bg_nbd, gamma_gamma, pareto_nbd
from cpm_opt.estimates.value.histories import WEEKS, Histories
from cpm_opt.estimates.value.lifetime import discounted_life, discounted_purchases, lifetime_value
from cpm_opt.estimates.value.values import Values
from cpm_opt.tables import Tables
from tests.estimates.bank_and_shop import BANK, bank, shop
from tests.estimates.histories_of import draw_bg_nbd, histories, shop_sales
from tests.ledger import RULES, instance

BG, PARETO = (0.2426, 4.4135, 0.7929, 2.4258), (0.5533, 10.5777, 0.6062, 11.6688)  # CDNOW, 39 weeks
ONE = [np.array([2.0]), np.array([38.86])]
RATES = """activity,transaction_rate
order,3
visit,25
"""


def net(tables: Tables) -> Values:
    found = with_values(tables, estimate(tables), cost_and_profit(tables)).values
    assert found is not None
    return found


def with_service(folder: Path, costly: dict[str, int], more: str = "") -> Tables:
    """A shop of 400 customers; an order costs 3 in every quarter, some customers got visits in the last one."""
    sales = shop_sales(400, seed=3)
    counts = [f"order,{name},1,{day}" for name, day, *_ in sales]
    counts += [f"visit,{name},{times},2025-11-11" for name, times in costly.items()]
    rules = RULES + "[estimates.profit]\nfirst_day = 2025-10-01\nlast_day = 2025-12-31\n" + more
    ledgers = {
        "activities": RATES,
        "activity_counts": "activity,customer,count,date\n" + "\n".join(counts) + "\n",
    }
    return instance(folder, sales, rules, tables=ledgers)


@pytest.mark.parametrize("weeks", [0.0, 1.0, 39.0, 400.0])
def test_who_is_alive_stays_so_with_the_probability_that_the_models_assume(weeks: float) -> None:
    """The expectations themselves: BG/NBD of (alpha+T)^(r+x) / (alpha+T+pt)^(r+x) over p ~ beta(a, b+x), Pareto/NBD of
    exp(-mu t) over mu ~ gamma(s, beta+T) of a customer who is alive."""
    from scipy.stats import beta, gamma

    r, alpha, a, b = BG
    x, age = 2.0, 38.86
    expected = quad(
        lambda p: beta.pdf(p, a, b + x) * ((alpha + age) / (alpha + age + p * weeks)) ** (r + x), 0, 1
    )[0]
    assert bg_nbd.survival_if_alive(BG, weeks, *ONE)[0] == pytest.approx(expected, rel=1e-6)
    _, _, s, later = PARETO
    expected = quad(lambda m: gamma.pdf(m, s, scale=1 / (later + age)) * np.exp(-m * weeks), 0, np.inf)[0]
    assert pareto_nbd.survival_if_alive(PARETO, weeks, *ONE)[0] == pytest.approx(expected, rel=1e-5)


def test_survival_of_customers_drawn_from_the_model() -> None:
    """Of 30,000 new customers those with a repeat purchase to come within a long time are the ones who are alive."""
    parameters = (1.5, 4.0, 0.8, 2.5)
    drawn, later = draw_bg_nbd(parameters, 30_000, 26.0, 2000.0, seed=9)
    weights = bg_nbd.probability_alive(parameters, drawn.frequency, drawn.recency, drawn.age)
    # A customer buys once more after 26 weeks if alive then, up to a rate too low to show in 2,000 weeks.
    assert (later > 0).mean() == pytest.approx(weights.mean(), abs=0.012)
    early, _ = draw_bg_nbd(parameters, 30_000, 52.0, 0.1, seed=9)
    at_52 = bg_nbd.probability_alive(parameters, early.frequency, early.recency, early.age).mean()
    foreseen = weights * bg_nbd.survival_if_alive(parameters, 26.0, drawn.frequency, drawn.age)
    assert foreseen.mean() == pytest.approx(at_52, abs=0.01)


def few() -> Histories:
    return histories([(0, 0, 30, np.nan), (2, 20, 38, 25.0), (7, 35, 39, 60.0), (1, 3, 39, 10.0)])


@pytest.mark.parametrize(("model", "parameters"), [(bg_nbd, BG), (pareto_nbd, PARETO)])
def test_a_life_is_the_sum_of_the_periods_that_begin_alive(model, parameters) -> None:  # type: ignore[no-untyped-def]
    found = discounted_life(model, parameters, few(), 0.1, 6, 13.0)
    for k, (x, recency, age) in enumerate(zip(few().frequency, few().recency, few().age, strict=True)):
        now = model.probability_alive(parameters, np.array([x]), np.array([recency]), np.array([age]))[0]
        stay = [
            model.survival_if_alive(parameters, 13.0 * n, np.array([x]), np.array([age]))[0] for n in range(6)
        ]
        assert found[k] == pytest.approx(now * sum(s / 1.1**n for n, s in enumerate(stay)))
    assert (found <= sum(1 / 1.1**n for n in range(6)) + 1e-12).all()


def test_errors_of_net_values_are_those_of_parameters_drawn_from_their_errors() -> None:
    drawn, _ = draw_bg_nbd((0.8, 5.0, 0.8, 2.5), 1500, 40.0, 0.1, seed=2)
    spend = np.random.default_rng(1).gamma(4.0, 8.0, len(drawn))
    seen = Histories(**{**vars(drawn), "spend": np.where(drawn.frequency > 0, spend, np.nan)})
    buying, spending = bg_nbd.fit(seen), gamma_gamma.fit(seen)
    rate, service = np.full(len(seen), 0.3), np.full(len(seen), 6.0)
    told = lifetime_value(buying, spending, seen, rate, 0.05, 4, 13.0, service)
    assert told.net
    draw = np.random.default_rng(4)
    totals = []
    for _ in range(120):
        bought, spent = (
            np.exp(draw.multivariate_normal(np.log(model.values), model.log_covariance)).tolist()
            for model in (buying, spending)
        )
        number = discounted_purchases(bg_nbd, bought, seen, 0.05, 4, 13.0)
        life = discounted_life(bg_nbd, bought, seen, 0.05, 4, 13.0)
        totals.append(
            0.3 * float(number @ gamma_gamma.expected_spend(spent, seen.frequency, seen.spend))
            - 6 * life.sum()
        )
    assert told.total_error() == pytest.approx(np.std(totals), rel=0.2)


def test_cost_to_serve_is_taken_off_each_kind_and_losses_stay_losses(tmp_path: Path) -> None:
    often = pd.Series([line[0] for line in shop_sales(400, seed=3)]).value_counts().index[:2]
    tables = with_service(tmp_path, {often[0]: 40, often[1]: 1})
    gross = with_values(tables, estimate(tables)).values
    found = net(tables)
    assert gross is not None
    assert (gross.margin, found.margin) == ("gross_profit", "contribution")
    assert "the cost to serve of 2025-07-01 to 2025-12-31 is taken off" in found.notes[0]
    before, after = (values.customers.set_index("customer") for values in (gross, found))
    orders = pd.Series(
        [line[0] for line in shop_sales(400, seed=3) if str(line[1]) >= "2025-10-01"]
    ).value_counts()
    per_quarter = 3.0 * orders.reindex(after.index).fillna(0.0)
    per_quarter[often[0]] += 1000
    per_quarter[often[1]] += 25
    assert after["cost_to_serve"].to_dict() == pytest.approx(per_quarter.to_dict())
    known = pd.Series(
        [line[0] for line in shop_sales(400, seed=3) if str(line[1]) >= "2025-07-01"]
    ).value_counts()
    spent = (
        3.0 * known.reindex(after.index).fillna(0.0)
        + per_quarter
        - 3.0 * orders.reindex(after.index).fillna(0.0)
    )
    assert (before["historical"] - after["historical"]).to_dict() == pytest.approx(spent.to_dict(), abs=1e-6)
    # Spend is fitted before the cost; what is taken off is the cost of the periods in which they will be there.
    buying = found.value_models[0]
    row = after.loc[often[1]]
    one = histories([(row["frequency"], row["recency"], row["age"], 1.0)])
    life = discounted_life(bg_nbd, buying.values, one, 0.1, 3, WEEKS["quarter"])[0]
    assert row["lifetime"] == pytest.approx(before.loc[often[1], "lifetime"] - life * row["cost_to_serve"])
    dear = after.loc[often[0]]
    assert dear["lifetime"] < 0 < before.loc[often[0], "lifetime"]
    assert dear["lifetime_low"] < dear["lifetime"] < dear["lifetime_high"]
    assert dear["lifetime"] - dear["lifetime_low"] == pytest.approx(dear["lifetime_high"] - dear["lifetime"])
    (lint,) = (lint for lint in found.lint if lint.code == "negative-value")
    assert int(lint.message.split("bring: ")[1].split(" ")[0]) == (after["lifetime"] < 0).sum()
    lists = (found.segments["equity"].sum(), after["lifetime"].sum())
    assert lists[0] == pytest.approx(lists[1])
    assert np.isfinite(after[["historical", "current", "lifetime", "lifetime_low", "lifetime_high"]]).all(
        axis=None
    )


def test_the_instance_may_ask_for_values_before_the_cost(tmp_path: Path) -> None:
    tables = with_service(tmp_path, {"c0001": 40})
    asked = {**tables.info.estimates["value"], "margin": "gross_profit"}
    info = tables.info.model_copy(update={"estimates": {**tables.info.estimates, "value": asked}})
    found = net(Tables(tables.folder, info, tables.frames, (), {}))
    assert found.margin == "gross_profit"
    assert found.customers["cost_to_serve"].isna().all()
    assert (found.customers["lifetime"] >= 0).all()


def test_a_bank_is_valued_along_its_segments_after_the_cost(tmp_path: Path) -> None:
    """The bank's 6 % of deposits less twelve statements at 2, in four kinds; by hand for h1 and p2."""
    found = net(bank(tmp_path))
    rows = found.customers.set_index("customer")
    assert rows.loc[
        "h1", ["historical", "current", "before", "change", "cost_to_serve"]
    ].tolist() == pytest.approx([0.06 * 5000 - 48, 156, 96, 60, 24])
    assert rows.loc["p2", ["historical", "current"]].tolist() == pytest.approx([0.06 * 5100 - 48, -18])
    chain = np.array([[0.5, 0, 0.5], [0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])
    flow, value = np.array([120.0, 90.0, 26.0]) - 24, np.zeros(3)
    for _ in range(5):
        value = flow + chain @ value / 1.1
    assert rows.loc[["h1", "p1", "p2"], "lifetime"].tolist() == pytest.approx(value.tolist())
    assert (rows["lifetime_low"] < rows["lifetime"]).all()
    assert found.equity["low"] < found.equity["value"] < found.equity["high"]
    assert found.segments.set_index("segment")["customers"].to_dict() == {
        "large-depositor": 2, "depositor": 2, "small": 3,
    }  # fmt: skip
    assert found.tiers is not None
    assert found.tiers["equity_share"].sum() == pytest.approx(1.0)
    assert found.most_valuable["customer"].tolist()[:2] == ["h1", "h3"]
    assert "no-lifetime-model" in {lint.code for lint in found.lint}


def test_closed_customers_are_worth_nothing(tmp_path: Path) -> None:
    sales = shop_sales(400, seed=3)
    often = pd.Series([line[0] for line in sales]).value_counts().index[0]
    tables = instance(tmp_path, sales, tables={"customers": f"customer,closed\n{often},2025-12-01\n"})
    found = with_values(tables, estimate(tables)).values
    assert found is not None
    row = found.customers.set_index("customer").loc[often]
    assert (row["probability_alive"], row["lifetime"], row["lifetime_low"], row["lifetime_high"]) == (
        0,
        0,
        0,
        0,
    )
    assert row["historical"] > 0
    by_tier = net(shop(tmp_path / "shop")).customers.set_index("customer").loc["fay"]
    assert (by_tier["segment"], by_tier["kind"], by_tier["lifetime"]) == ("left", "lost", 0)


def test_spend_without_a_mean_leaves_customers_without_repeats_without_a_value(tmp_path: Path) -> None:
    """Spend so uneven (q below 1) that the mean of all is infinite: blank, told, and in no sum, interval or list."""
    draw = np.random.default_rng(8)
    mean = {
        name: 5.0 / draw.gamma(0.5) for name in sorted({str(line[0]) for line in shop_sales(400, seed=3)})
    }
    sales = [(name, day, 1, round(float(mean[str(name)] * draw.gamma(5) / 5) + 0.01, 2))
             for name, day, *_ in shop_sales(400, seed=3)]  # fmt: skip
    tables = instance(tmp_path, sales)
    found = with_values(tables, estimate(tables)).values
    assert found is not None
    assert found.value_models[-1].parameters["q"] < 1
    assert "no-mean-spend" in {lint.code for lint in found.lint}
    customers = found.customers
    unknown = customers["lifetime"].isna()
    assert (customers.loc[unknown, "frequency"] == 0).all()
    assert unknown.any()
    assert customers.loc[unknown, ["lifetime_low", "lifetime_high"]].isna().all(axis=None)
    assert found.equity["value"] == pytest.approx(customers["lifetime"].sum())
    assert found.equity["low"] < found.equity["value"] < found.equity["high"]
    assert not set(found.most_valuable["customer"]) & set(customers.loc[unknown, "customer"])
    # No blank in the planning tables: the plan does not rest on that model.
    assert not [fault for fault in estimate(tables).faults if not fault.warning]


def test_repeat_purchases_that_pay_nothing_are_told_and_take_the_mean_spend(tmp_path: Path) -> None:
    free = [("freebie", f"2025-{month:02d}-03", 1, 0) for month in (2, 4, 6)]
    tables = instance(tmp_path, [*shop_sales(400, seed=3), *free])
    found = with_values(tables, estimate(tables)).values
    assert found is not None
    row = found.customers.set_index("customer").loc["freebie"]
    assert (row["frequency"], row["historical"]) == (2, 0)
    mean = gamma_gamma.mean_spend(found.value_models[-1].values)
    assert row["expected_spend"] == pytest.approx(mean)
    assert "no-spend" in {lint.code for lint in found.lint}


def test_stated_tables_value_the_customers_of_their_segments(tmp_path: Path) -> None:
    """Table customers names the segment; the chain is the one that the planning tables state, without an interval."""
    stated = {
        "customers": "customer,segment\n" + "".join(f"{n},{'big' if n < 'i' else 'mass'}\n" for n in BANK),
        "segments": "segment,customers,margin\nbig,3,100\nmass,4,10\n",
        "migration": "from,to,rate\nbig,big,0.8\nmass,mass,0.5\nmass,big,0.1\n",
    }
    found = net(bank(tmp_path, "", **stated))
    rows = found.customers.set_index("customer")
    big, mass = 0.0, 0.0
    for _ in range(5):
        big, mass = 100 + 0.8 * big / 1.1, 10 + (0.5 * mass + 0.1 * big) / 1.1
    assert rows.loc[["h1", "p1"], "lifetime"].tolist() == pytest.approx([big, mass])
    assert found.equity["value"] == pytest.approx(3 * big + 4 * mass)
    assert np.isnan(found.equity["low"])
    assert rows["lifetime_low"].isna().all()


def test_who_is_at_risk_where_no_model_tells_who_is_alive(tmp_path: Path) -> None:
    """Of the shop's bronze 1 of 4 stops and 1 of 4 leaves; nobody of its gold does."""
    tables = shop(tmp_path, '[estimates.segments]\nby = "tier"\n')
    assert estimate(tables).chain is not None
    asked = {**tables.info.estimates["value"], "high_share": 0.9, "fall": 0.4}
    info = tables.info.model_copy(update={"estimates": {**tables.info.estimates, "value": asked}})
    found = net(Tables(tables.folder, info, tables.frames, (), {}))
    risk = found.at_risk.set_index("customer")
    assert set(risk.index) == {"bob", "dan", "ida"}
    assert risk["reason"].unique().tolist() == ["50% of bronze leave or are lost in a year"]
    assert risk["money_at_stake"].to_dict() == pytest.approx((risk["lifetime"] / 2).to_dict())
