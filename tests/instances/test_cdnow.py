"""`instances/cdnow`: its raw table against the source, its estimates against plain loops and expected.toml."""

from __future__ import annotations

import csv
import datetime
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cpm_opt.costing import profitability
from cpm_opt.estimates import Estimates, estimate
from cpm_opt.formulation.spec import load_model
from cpm_opt.pipeline import solve_instance
from cpm_opt.portfolio.build import build_portfolio
from cpm_opt.tables import Tables, read_instance
from tests.ledger import Counted, count_by_hand
from tests.reference.formulation import solve_reference

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "instances" / "cdnow"
ORIGINAL = ROOT.parent / "shared" / "data" / "cdnow" / "CDNOW_sample.txt"

# What README.md states: the price step's answer, by how often a customer buys.
ELASTICITY = {"frequent": 2.0, "few": 3.0, "once": 4.5, "none": 4.5}
GROSS_MARGIN = 0.3


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (FOLDER / "sales.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def tables() -> Tables:
    return read_instance(FOLDER)


@pytest.fixture(scope="module")
def found(tables: Tables) -> Estimates:
    return estimate(tables)


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "expected.toml").read_text(encoding="utf-8"))["estimates"]


@pytest.fixture(scope="module")
def counted(rows: list[dict[str, str]]) -> Counted:
    return count_by_hand(
        rows,
        recency={"recent": 0, "cooling": 1, "quiet": 2, "silent": 4},
        frequency={"once": 1, "few": 2, "frequent": 4},
        window=4,
        last=(1998, 2),
    )


@pytest.mark.skipif(
    not ORIGINAL.is_file(), reason="the original file is not beside this checkout (../shared/data)"
)
def test_the_raw_table_is_the_original_line_by_line(rows: list[dict[str, str]]) -> None:
    original = []
    for line in ORIGINAL.read_text(encoding="ascii").splitlines():
        master, _, date, quantity, revenue = line.split()
        original.append(
            (master, datetime.datetime.strptime(date, "%Y%m%d").date().isoformat(), quantity, revenue)
        )
    assert [tuple(row.values()) for row in rows] == original
    assert list(rows[0]) == ["customer", "date", "quantity", "revenue"]


def test_nothing_is_wrong_or_doubtful_in_it(tables: Tables, found: Estimates) -> None:
    assert [fault.line() for fault in (*tables.faults, *found.faults)] == []
    model = load_model(str(ROOT / "models" / f"{tables.info.default_model}.toml"))
    portfolio = build_portfolio(found.frames, tables.info, model.horizon.periods)
    assert [fault.line() for fault in portfolio.warnings] == []
    # The end values were discounted like the plan that uses them.
    assert tables.info.estimates["value"]["discount_rate"] == model.horizon.discount_rate


def test_customers_transactions_and_profit(
    tables: Tables, rows: list[dict[str, str]], counted: Counted, expected: dict[str, Any]
) -> None:
    profit = profitability(tables)
    revenue = sum(int(row["revenue"].replace(".", "")) for row in rows) / 100  # in whole cents
    assert len(rows) == expected["lines"] == 6919
    assert profit.customers == len({row["customer"] for row in rows}) == expected["customers"] == 2357
    assert len(profit.transactions) == counted.transactions == expected["transactions"]
    assert profit.revenue == pytest.approx(revenue) == expected["revenue"]
    assert (
        profit.profit
        == pytest.approx(GROSS_MARGIN * revenue)
        == pytest.approx(expected["gross_profit"], abs=0.005)
    )


def test_states_at_the_end(found: Estimates, counted: Counted, expected: dict[str, Any]) -> None:
    customers = found.frames["segments"].set_index("segment")["customers"].to_dict()
    assert customers == dict(counted.customers) == expected["segment_customers"]
    assert sum(customers.values()) == expected["customers"]


def test_the_migration_matrix(found: Estimates, counted: Counted, expected: dict[str, Any]) -> None:
    migration = found.frames["migration"]
    rates = {(row["from"], row["to"]): row["rate"] for row in migration.to_dict("records")}
    assert set(rates) == set(counted.moves)
    assert (
        sum(counted.moves.values()) == expected["moves"] == 5 * 2357
    )  # everybody, at five pairs of quarter ends
    for (source, target), rate in rates.items():
        assert rate == pytest.approx(counted.rate(source, target), rel=1e-12)
    for source, targets in expected["rates"].items():
        assert {target: rates[source, target] for target in targets} == pytest.approx(targets, abs=5e-7)
    silent = migration[(migration["from"] == "silent") & (migration["to"] == "silent")].iloc[0]
    stays = counted.rate("silent", "silent")
    assert silent["se"] == pytest.approx((stays * (1 - stays) / counted.observed["silent"]) ** 0.5)


def test_margins_and_end_values(found: Estimates, counted: Counted, expected: dict[str, Any]) -> None:
    segments = found.frames["segments"].set_index("segment")
    names = list(segments.index)
    revenue = {name: counted.revenue_after[name] / counted.observed[name] for name in names}
    margin = {name: GROSS_MARGIN * revenue[name] for name in names}
    assert segments["revenue"].to_dict() == pytest.approx(revenue)
    assert segments["margin"].to_dict() == pytest.approx(margin)
    assert margin == pytest.approx(expected["margin"], abs=5e-5)
    # Base service: 0.02 contact hours at 14 dollars for active customers, nothing for the lost.
    flow = {name: margin[name] - (0.0 if name == "silent" else 0.02 * 14) for name in names}
    value = dict.fromkeys(names, 0.0)
    for _ in range(12):
        ahead = {a: sum(counted.rate(a, b) * value[b] for b in names) for a in names}
        value = {name: flow[name] + ahead[name] / 1.025 for name in names}
    assert segments["end_value"].to_dict() == pytest.approx(value)
    assert value == pytest.approx(expected["end_value"], abs=5e-5)


def test_stated_tables_speak_of_the_estimated_segments(found: Estimates) -> None:
    segments = found.frames["segments"]
    known = set(segments["segment"])
    effects, moves = found.frames["effects"], found.frames["migration_effects"]
    assert set(effects["segment"]) == known
    assert set(moves["from"]) | set(moves["to"]) <= known
    assert set(found.frames["usage"]["segment"]) <= known | {""}
    assert set(found.frames["levers"]["scope"]) <= {"segment", *segments.columns}
    assert (effects["source"] == "stated").all()
    assert (moves["source"] == "stated").all()


def test_the_plan_is_worth_what_a_second_program_finds(
    tables: Tables, found: Estimates, tmp_path: Path
) -> None:
    folder = tmp_path / "cdnow"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("sales.csv"))
    for name in ("segments", "migration"):
        found.frames[name].drop(columns="line").to_csv(folder / f"{name}.csv", index=False)
    second = solve_reference(folder, ROOT / "models" / f"{tables.info.default_model}.toml")
    plan = solve_instance(FOLDER)
    assert plan.shown
    expected = tomllib.loads((FOLDER / "expected.toml").read_text(encoding="utf-8"))
    objective = expected["plans"][tables.info.default_model]["objective"]
    assert plan.objective == pytest.approx(objective, rel=1e-6)
    assert second.objective == pytest.approx(objective, rel=1e-6)


def test_what_an_option_moves_goes_between_the_usual_states_and_loses_nobody(
    found: Estimates, counted: Counted
) -> None:
    usual: dict[tuple[str, bool], str] = {}
    for (source, target), _ in counted.moves.most_common():
        usual.setdefault((source, target.startswith("recent")), target)
    moves = found.frames["migration_effects"]
    sums = moves.groupby(["from", "lever", "option", "when"])["rate"].sum()
    assert sums.tolist() == pytest.approx([0.0] * len(sums), abs=1e-12)
    for row in moves.to_dict("records"):
        buys = row["to"].startswith("recent")
        assert row["to"] == usual[row["from"], buys]


def test_the_price_step_stands_on_the_demand_curve_that_the_readme_states(found: Estimates) -> None:
    segments = found.frames["segments"].set_index("segment")
    options = found.frames["options"].set_index("option")["price_change"]
    effects = found.frames["effects"]
    checked = 0
    for row in effects[effects["lever"] == "price"].to_dict("records"):
        segment, step = segments.loc[row["segment"]], options[row["option"]]
        quantity = (1 + step) ** -ELASTICITY[segment["frequency"]]
        margin = segment["margin"] * ((GROSS_MARGIN + step) / GROSS_MARGIN * quantity - 1)
        assert row["margin"] == pytest.approx(margin, abs=5.1e-4)
        assert row["revenue"] == pytest.approx(segment["revenue"] * ((1 + step) * quantity - 1), abs=5.1e-4)
        checked += 1
    assert checked == 2 * len(segments)
