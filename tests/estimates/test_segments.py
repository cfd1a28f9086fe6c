"""Segments for the plan by tier and by rules on any column: worked by hand, conserved, and solved to a plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cpm_opt.costing import cost_and_profit
from cpm_opt.estimates import Estimates, estimate
from cpm_opt.estimates.planning_files import write_planning_tables
from cpm_opt.estimates.value.markov import chain_value
from cpm_opt.pipeline import solve_instance
from cpm_opt.tables import read_instance
from tests.estimates.bank_and_shop import bank, shop
from tests.estimates.histories_of import shop_sales
from tests.ledger import RULES, instance

TIERS = '[estimates.segments]\nby = "tier"\n'


def by_rules(*rules: str, more: str = "") -> str:
    """[estimates.segments] with rules written as `segment where`."""
    text = f'[estimates.segments]\nby = "rules"\n{more}\n'
    for rule in rules:
        segment, _, where = rule.partition(" ")
        text += f'[[estimates.segments.rules]]\nsegment = "{segment}"\nwhere = {where}\n'
    return text


def sound(found: Estimates) -> Estimates:
    assert [fault.line() for fault in found.faults if not fault.warning] == []
    return found


def rates(found: Estimates) -> dict[tuple[str, str], float]:
    migration = found.frames["migration"]
    return {(row["from"], row["to"]): row["rate"] for row in migration.to_dict("records")}


def test_a_shop_by_tier_worked_by_hand(tmp_path: Path) -> None:
    found = sound(estimate(shop(tmp_path, TIERS)))
    segments = found.frames["segments"].set_index("segment")
    # 2025: ann and cyd are gold, bob, dan and ida bronze, gus unprofitable, eve and hal inactive; fay has left.
    assert segments["customers"].to_dict() == {"gold": 2, "bronze": 3, "unprofitable": 1, "inactive": 2}
    assert segments["margin"].tolist() == pytest.approx([(600 + 350) / 2, (45 + 25 + 10) / 3, 150, 0])
    assert segments["revenue"].tolist() == pytest.approx([1900 / 2, 160 / 3, 300, 0])
    assert segments["kind"].tolist() == ["active", "active", "active", "lost"]
    # gold: ann stays, bob falls. bronze: cyd rises, dan stays, eve stops, fay leaves. ida rises, hal stays as he is.
    assert rates(found) == {
        ("gold", "gold"): 0.5, ("gold", "bronze"): 0.5,
        ("bronze", "gold"): 0.25, ("bronze", "bronze"): 0.25, ("bronze", "inactive"): 0.25,
        ("unprofitable", "bronze"): 1.0, ("inactive", "inactive"): 1.0,
    }  # fmt: skip
    se = found.frames["migration"].set_index(["from", "to"])["se"]
    assert se["gold", "bronze"] == pytest.approx((0.5 * 0.5 / 2) ** 0.5)
    moves = np.array([[0.5, 0.5, 0, 0], [0.25, 0.25, 0, 0.25], [0, 1, 0, 0], [0, 0, 0, 1]])
    flows = segments["margin"].to_numpy()
    assert segments["end_value"].tolist() == pytest.approx(chain_value(moves, flows, 0.1, 3).tolist())
    assert found.members == {
        "ann": "gold", "cyd": "gold", "bob": "bronze", "dan": "bronze", "ida": "bronze", "gus": "unprofitable",
        "eve": "inactive", "hal": "inactive",
    }  # fmt: skip
    told = " ".join(found.notes)
    assert "1180.00 of the segments' customers and 5.00 of 1 customers who left" in told
    assert "1 of them left" in told
    assert "1 customers are new" in told


@pytest.mark.parametrize(
    ("margin", "gold", "unprofitable"),
    [("gross_profit", 475.0, 150.0), ("contribution", 460.0, -250.0), ("profit", 460.0, -250.0)],
)
def test_margin_is_the_layer_that_is_asked_for(
    tmp_path: Path, margin: str, gold: float, unprofitable: float
) -> None:
    found = sound(estimate(shop(tmp_path, TIERS + f'margin = "{margin}"\n')))
    segments = found.frames["segments"].set_index("segment")
    assert segments.loc["gold", "margin"] == pytest.approx(gold)
    assert segments.loc["unprofitable", "margin"] == pytest.approx(unprofitable)


def test_what_the_prior_segments_earn_in_the_reporting_period(tmp_path: Path) -> None:
    """Of 2024's gold ann earns 600 and bob 45; of its bronze cyd 350, dan 25, eve 0, and fay 5 before she left."""
    found = sound(estimate(shop(tmp_path, TIERS + 'money = "following"\n')))
    margin = found.frames["segments"].set_index("segment")["margin"]
    assert margin.to_dict() == pytest.approx(
        {"gold": 645 / 2, "bronze": 380 / 4, "unprofitable": 10, "inactive": 0}
    )


def test_rules_on_a_bank_worked_by_hand(tmp_path: Path) -> None:
    found = sound(estimate(bank(tmp_path)))
    segments = found.frames["segments"].set_index("segment")
    # h1 and h3 are of the holding with 1,000 or more, p1 and p4 others with as much; 6 % of deposits are earned.
    assert segments["customers"].to_dict() == {"large-depositor": 2, "depositor": 2, "small": 3}
    assert segments["margin"].tolist() == pytest.approx([0.06 * 2000, 0.06 * 1500, 0.06 * 1300 / 3])
    # Before, h1 and h2, p1 and p2, and h3, p3 and p4.
    third = 1 / 3
    assert rates(found) == pytest.approx({
        ("large-depositor", "large-depositor"): 0.5, ("large-depositor", "small"): 0.5,
        ("depositor", "depositor"): 0.5, ("depositor", "small"): 0.5,
        ("small", "large-depositor"): third, ("small", "depositor"): third, ("small", "small"): third,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (by_rules('mill { industry = "mill" }'), {"mill": "ann cyd gus"}),
        (by_rules('mill { industry = ["mill", "bakery"], staff = { above = 2 } }'), {"mill": "ann bob"}),
        (by_rules("one { staff = 1 }"), {"one": "cyd ida"}),  # 1.0 and 1
        (by_rules('named { industry = { not = "" } }'), {"named": "ann bob cyd eve gus ida"}),
        (by_rules("young { opened = { at_least = 2024-03-01 } }", more="smoothing = 1"), {"young": "dan gus"}),
        (by_rules('top { tier = "gold", revenue = { above = 700 } }'), {"top": "ann"}),
        (by_rules("idle { active = false }"), {"idle": "eve hal"}),
        (by_rules("loss { profit = { below = 0 } }"), {"loss": "gus"}),
        (by_rules("high { return_on_sales = { at_least = 0.5 } }"), {"high": "bob dan ida"}),
        (
            by_rules("busy { cost_to_serve = { at_least = 10 } }", 'mill { industry = "mill" }',
                     "busy { orders = 1 }"),
            {"busy": "ann bob cyd dan gus ida"},  # the first rule that fits, and two rules of one name
        ),
    ],
)  # fmt: skip
def test_rules_on_any_column(tmp_path: Path, rules: str, expected: dict[str, str]) -> None:
    if "smoothing" not in rules:
        rules = rules.replace("[estimates.segments]\n", "[estimates.segments]\nsmoothing = 5\n")
    found = sound(estimate(shop(tmp_path, rules)))
    assert found.members is not None
    members = {name: set(names.split()) for name, names in expected.items()}
    everybody = {"ann", "bob", "cyd", "dan", "eve", "gus", "hal", "ida"}
    members["other"] = everybody - set().union(*members.values())
    sorted_by = {
        name: {customer for customer, segment in found.members.items() if segment == name} for name in members
    }
    assert sorted_by == members


def test_rules_by_what_customers_are_worth(tmp_path: Path) -> None:
    """A rule by lifetime value and probability alive, which needs the models at the ends of both periods."""
    rules = RULES.replace("periods = 3", "periods = 3\n[estimates.profit]\nfirst_day = 2025-10-01\n"
                          "last_day = 2025-12-31", 1)  # fmt: skip
    asked = by_rules(
        "dear { lifetime = { at_least = 20 }, probability_alive = { above = 0.5 } }",
        "gone { probability_alive = { at_most = 0.5 } }",
        more='lost = ["gone"]',
    )
    tables = instance(tmp_path, shop_sales(300, seed=3), rules.split("[estimates.states]")[0]
                      + "[estimates.value]" + rules.split("[estimates.value]")[1] + asked)  # fmt: skip
    found = sound(estimate(tables))
    from cpm_opt.estimates.value.values import customer_values

    values = customer_values(tables, found).customers.set_index("customer")
    assert (values["lifetime"] >= 20).sum() > 20
    expected = np.where((values["lifetime"] >= 20) & (values["probability_alive"] > 0.5), "dear",
                        np.where(values["probability_alive"] <= 0.5, "gone", "other"))  # fmt: skip
    assert values["segment"].tolist() == expected.tolist()
    assert values.loc[values["segment"] == "gone", "kind"].unique().tolist() == ["lost"]


def test_segments_add_up_to_the_base_and_margins_to_the_ledger(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    sales = [
        (f"c{n:03d}", f"{year}-{draw.integers(1, 13):02d}-{draw.integers(1, 29):02d}", 1,
         round(float(draw.gamma(2, 40)), 2))
        for n in range(120) for year in (2024, 2025) for _ in range(draw.integers(0, 4))
    ]  # fmt: skip
    closed = "customer,closed\n" + "".join(
        f"c{n:03d},{'2025-05-05' if n % 9 == 0 else ''}\n" for n in range(120)
    )
    rules = (
        RULES.split("[estimates.states]")[0]
        + "[estimates.value]\ndiscount_rate = 0.1\n[estimates.profit]\nfirst_day = 2025-01-01\nlast_day = 2025-12-31\n"
        + TIERS
        + 'smallest = 12\nmerge_into = "middle"\n'
    )
    tables = instance(tmp_path, sales, rules, "year", {"customers": closed})
    found = sound(estimate(tables))
    segments, statement = found.frames["segments"], cost_and_profit(tables).reporting
    assert segments["customers"].sum() == 120 - 14
    assert segments["customers"].min() >= 12
    left = [f"c{n:03d}" for n in range(0, 120, 9)]
    for column, layer in (("margin", "gross_profit"), ("revenue", "revenue")):
        kept = statement.total(layer) - float(statement.customers.loc[left, layer].sum())
        assert round(float((segments["customers"] * segments[column]).sum()) - kept, 2) == 0.0
    # Who is in the prior period's segments goes to one of this period's or leaves.
    chain = found.chain
    assert chain is not None
    assert chain.observed.sum() == 120
    leavers = chain.observed.sum() - chain.counts.sum()
    assert leavers == 14
    arrived = chain.counts.sum(axis=0)
    assert arrived.tolist() == segments["customers"].tolist()  # nobody is new here
    assert (chain.rates.sum(axis=1) <= 1 + 1e-12).all()


def test_the_next_segment_takes_a_small_one_and_the_notes_tell(tmp_path: Path) -> None:
    found = sound(estimate(shop(tmp_path, TIERS + "smallest = 3\n")))
    assert found.frames["segments"]["segment"].tolist() == ["bronze", "inactive"]
    assert found.frames["segments"]["customers"].tolist() == [6, 2]
    assert [note for note in found.notes if note.startswith("segment ")] == [
        "segment unprofitable: 1 customers, fewer than 3, are part of bronze",
        "segment gold: 2 customers, fewer than 3, are part of bronze",
        "segment inactive: 2 customers, fewer than 3, stay: no other takes them",
    ]
    assert rates(found)["bronze", "bronze"] == pytest.approx(
        5 / 7
    )  # of ann to fay and ida, eve stopped, fay left


def test_smoothing_draws_rates_to_where_everybody_goes(tmp_path: Path) -> None:
    plain, smooth = (
        sound(estimate(shop(tmp_path / name, TIERS + f"smoothing = {weight}\n")))
        for name, weight in (("plain", 0), ("smooth", 4))
    )
    assert plain.chain is not None
    assert smooth.chain is not None
    everywhere = plain.chain.counts.sum(axis=0) / 8
    observed = plain.chain.observed[:, None]
    expected = (plain.chain.counts + 4 * everywhere) / (observed + 4)
    assert smooth.chain.rates == pytest.approx(expected)
    assert smooth.chain.rate_se == pytest.approx(np.sqrt(expected * (1 - expected) / (observed + 5)))


def test_a_segment_that_only_new_customers_are_in(tmp_path: Path) -> None:
    rule = by_rules("new-ones { opened = { at_least = 2025-01-01 } }")
    (fault,) = (fault for fault in estimate(shop(tmp_path / "a", rule)).faults if fault.code == "estimates")
    assert "nobody was in segment 'new-ones' in the prior period" in fault.line()
    smooth = rule.replace('by = "rules"', 'by = "rules"\nsmoothing = 1')
    found = sound(estimate(shop(tmp_path / "b", smooth)))
    # Only the prior tells where gus goes: of 8 customers 7 went to `other`, 1 left.
    assert rates(found)["new-ones", "other"] == pytest.approx(7 / 8)
    assert ("other", "new-ones") not in rates(found)


def test_a_stated_migration_stands_and_gives_the_end_values(tmp_path: Path) -> None:
    stated = "from,to,rate\ngold,gold,0.9\nbronze,bronze,0.5\n"
    found = sound(estimate(shop(tmp_path, TIERS, migration=stated)))
    value = found.frames["segments"].set_index("segment")["end_value"]
    assert value["gold"] == pytest.approx(475 * (1 + 0.9 / 1.1 + (0.9 / 1.1) ** 2))
    assert value["unprofitable"] == pytest.approx(150)
    assert len(found.frames["migration"]) == 2


def test_without_a_prior_period_nobody_moves_and_that_is_told(tmp_path: Path) -> None:
    tables = bank(tmp_path)
    frames = {
        name: frame[frame["date"].dt.year == 2025] if name in ("balances", "activity_counts") else frame
        for name, frame in tables.frames.items()
    }
    from dataclasses import replace

    found = sound(estimate(replace(tables, frames=frames)))
    assert "migration" not in found.frames
    assert (found.frames["segments"]["end_value"] == 0).all()
    assert [fault.code for fault in found.faults] == ["no-moves"]


RESOURCES = {
    "resources": "resource,capacity,unit_cost\nhours,100,5\n",
    "usage": "resource,amount\nhours,1\n",
}


def test_a_cost_in_the_margin_and_as_a_resource_is_doubted(tmp_path: Path) -> None:
    assert not estimate(shop(tmp_path / "a", TIERS, **RESOURCES)).faults
    found = estimate(shop(tmp_path / "b", TIERS + 'margin = "contribution"\n', **RESOURCES))
    assert [(fault.code, fault.warning) for fault in found.faults] == [("counted-twice", True)]


@pytest.mark.parametrize(
    ("rules", "column", "words"),
    [
        ('by = "tire"', "by", "'tier' or 'rules'"),
        ('by = "rules"', "segments", "has no rules"),
        ('by = "tier"\nlost = ["gld"]', "lost", "did you mean 'gold'"),
        ('by = "tier"\nmerge_into = "silver"', "merge_into", "is no tier"),
        ('by = "tier"\nsmallest = -1', "smallest", "greater than or equal to 0"),
        ('by = "tier"\nmargin = "net"', "margin", "'gross_profit', 'contribution' or 'profit'"),
        ('by = "tier"\nsmalest = 1', "smalest", "did you mean 'smallest'"),
        (("x { industy = 'mill' }",), "rules.0.where.industy", "did you mean 'industry'"),
        (("x { industry = { above = 3 } }",), "rules.0.where.industry", "holds text (6 customers)"),
        (("x { opened = { above = 3 } }",), "rules.0.where.opened", "holds days"),
        (("x { staff = { above = 2025-01-01 } }",), "rules.0.where.staff", "compared with a day"),
        (("x { staff = { atleast = 3 } }",), "rules.0.where.staff.atleast", "did you mean 'at_least'"),
        (("x { staff = { at_least = 3, below = 2 } }",), "rules.0.where.staff", "above its upper one"),
        (("x { staff = [] }",), "rules.0.where.staff", "empty list"),
        (("x { staff = {} }",), "rules.0.where.staff", "says nothing"),
        (("x {}",), "rules.0.where", "at least 1"),
        (("all { staff = 3 }",), "segments", "has a meaning of its own"),
        (("x { lifetime = { above = 3 } }",), "segments.rules", "was not estimated"),
    ],
)
def test_faults_name_the_key_its_line_and_a_remedy(
    tmp_path: Path, rules: str | tuple[str, ...], column: str, words: str
) -> None:
    text = f"[estimates.segments]\n{rules}\n" if isinstance(rules, str) else by_rules(*rules)
    faults = estimate(shop(tmp_path, text)).faults
    (fault,) = (fault for fault in faults if fault.code == "estimates")
    assert fault.column is not None
    assert fault.column.endswith(column)
    assert words in fault.line()
    assert fault.remedy
    assert fault.row is not None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("last_day = 2025-12-31", "last_day = 2025-11-30", "a period of the plan is one whole year"),
        ("last_day = 2025-12-31", "last_day = 2025-12-31\nprior_first_day = 2023-01-01\nprior_last_day = 2023-12-31",
         "moves are counted from one year to the next"),
    ],
)  # fmt: skip
def test_periods_have_to_be_those_of_the_plan(tmp_path: Path, old: str, new: str, words: str) -> None:
    shop(tmp_path, TIERS)
    path = tmp_path / "instance.toml"
    path.write_text(path.read_text().replace(old, new), encoding="utf-8")
    sales = tmp_path / "sales.csv"
    sales.write_text(sales.read_text() + "ann,2023-05-05,1,10\n", encoding="utf-8")
    (fault,) = (fault for fault in estimate(read_instance(tmp_path)).faults if fault.code == "estimates")
    assert words in fault.line()


def test_from_ledgers_to_a_solved_plan_and_again_from_the_written_folder(tmp_path: Path) -> None:
    plan_tables = {
        "resources": "resource,capacity,unit_cost\nhours,6,5\n",
        "levers": "lever\ncare\n",
        "options": "lever,option,base\ncare,plain,true\ncare,rich,false\n",
        "usage": "resource,amount,segment,lever,option\nhours,1,,care,plain\nhours,1.5,,care,rich\n",
        "effects": "segment,lever,option,margin\ngold,care,rich,60\nbronze,care,rich,5\n",
    }
    tables = shop(tmp_path / "raw", TIERS, **plan_tables)
    model = tmp_path / "model.toml"
    model.write_text(
        'title = "two years"\n[horizon]\nperiods = 2\ndiscount_rate = 0.1\n[objective]\nprofit = 1\nend_value = 1\n'
        "[components.capacity]\n",
        encoding="utf-8",
    )
    first = solve_instance(tmp_path / "raw", model)
    assert first.status == "optimal"
    assert first.shown
    write_planning_tables(tmp_path / "written", tables.info, sound(estimate(tables)).frames)
    again = solve_instance(tmp_path / "written", model)
    assert again.objective == pytest.approx(first.objective)
    # By hand: 6 active customers take an hour each, so nobody can have rich care but at somebody's cost; the second
    # year starts with 2 x 0.5 + 3 x 0.25 gold, 2 x 0.5 + 3 x 0.25 + 1 bronze, and has hours left for all gold.
    gold, bronze = 1.75, 2.75
    end = estimate(tables).frames["segments"].set_index("segment")["end_value"]
    year_1 = 2 * 475 + 80 + 150 - 6 * 5
    year_2 = gold * 475 + bronze * 80 / 3 - (gold + bronze) * 5
    extra = gold * (60 - 2.5) + min(bronze, (6 - gold * 1.5 - bronze) / 0.5) * (5 - 2.5)
    last = (gold * 0.5 + bronze * 0.25, gold * 0.5 + bronze * 0.25, 0.0, 2 + 0.75 + bronze * 0.25)
    worth = sum(
        n * end[name] for n, name in zip(last, ("gold", "bronze", "unprofitable", "inactive"), strict=True)
    )
    assert first.objective == pytest.approx(year_1 + (year_2 + extra) / 1.1 + worth / 1.21)


def test_sales_that_are_too_long_for_a_frame_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = by_rules("busy { orders = 1, revenue = { above = 50 } }", more="smoothing = 1")
    short = sound(estimate(shop(tmp_path, rule)))
    monkeypatch.setattr("cpm_opt.tables.ledgers.large.THRESHOLD", 1)
    tables = read_instance(tmp_path)
    assert "sales" in tables.large
    long = sound(estimate(tables))
    for name in ("segments", "migration"):
        pd.testing.assert_frame_equal(short.frames[name], long.frames[name])
    assert short.members == long.members
