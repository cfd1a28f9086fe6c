"""`instances/consumer-credit`: the tables give the plan, and the raw offers, where they are, give the tables."""

from __future__ import annotations

import csv
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks import consumer_credit
from cpm_opt.estimates.response.offers import acceptance_line
from cpm_opt.pipeline import check_instance, solve_instance
from cpm_opt.solve.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "instances" / "consumer-credit"
RAW = ROOT.parent / "shared" / "data" / "karlan_zinman_2008" / "kz_demandelasts_aer08.csv.gz"
BANDS = {"low": 7.75, "medium": 9.75, "high": 11.75}

with_raw = pytest.mark.skipif(
    not RAW.is_file(),
    reason="the raw offers are not beside this checkout (../shared/data/karlan_zinman_2008)",
)


def _rows(table: str) -> list[dict[str, str]]:
    with (FOLDER / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "expected.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return solve_instance(FOLDER)


@pytest.fixture(scope="module")
def offers() -> pd.DataFrame:
    return consumer_credit.read_offers(RAW)


def test_nothing_is_wrong_in_it_and_only_errors_are_doubtful() -> None:
    faults, doubts = check_instance(FOLDER)
    assert faults == []
    assert {(doubt.table, doubt.code) for doubt in doubts} == {("effects", "weak-estimate")}


def test_each_band_may_only_get_rates_up_to_its_standard() -> None:
    band = {row["segment"]: row["band"] for row in _rows("segments")}
    offered: dict[str, set[float]] = defaultdict(lambda: {7.75})
    for row in _rows("effects"):
        if row["offered"] == "true":
            offered[row["segment"]].add(float(row["option"]))
            assert row["source"] == "estimated"
            assert float(row["margin_se"]) > 0
    assert {band[name] for name in offered} == set(BANDS)
    for name, rates in offered.items():
        assert max(rates) == BANDS[band[name]]
        assert rates == {rate for rate in consumer_credit.RATES if rate <= BANDS[band[name]]}


def test_the_plan_is_the_standard_rates_and_earns_what_the_tables_say(
    plan: Plan, expected: dict[str, Any]
) -> None:
    """Summed by hand: one quarter at the rates of the plan, less hours and funds, four times, discounted."""
    rates = expected["plans"]["tariff-plan"]["rates"]
    cost = {row["resource"]: float(row["unit_cost"]) for row in _rows("resources")}
    change = {(row["segment"], row["option"]): row["margin"] for row in _rows("effects")}
    quarter = 0.0
    for row in _rows("segments"):
        option = rates[row["band"]]
        margin = float(row["margin"]) + float(change.get((row["segment"], option), 0.0))
        used = [r for r in _rows("usage") if (r["segment"], r["option"]) == (row["segment"], option)]
        assert len(used) == 2
        quarter += float(row["customers"]) * (
            margin - sum(cost[r["resource"]] * float(r["amount"]) for r in used)
        )
    by_hand = sum(quarter / 1.025**t for t in range(4))
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(by_hand, rel=1e-9)
    assert plan.objective == pytest.approx(expected["plans"]["tariff-plan"]["objective"], abs=0.001)


def test_readme_has_the_profit_of_each_band_at_each_rate() -> None:
    """Its table of thousand rand a quarter, by hand from the tables: margin less hours and funds of all customers."""
    cost = {row["resource"]: float(row["unit_cost"]) for row in _rows("resources")}
    change = {(row["segment"], float(row["option"])): row["margin"] for row in _rows("effects")}
    profit: dict[str, dict[float, float]] = {band: defaultdict(float) for band in BANDS}
    for row in _rows("segments"):
        name, customers = row["segment"], float(row["customers"])
        for rate in (rate for rate in consumer_credit.RATES if rate <= BANDS[row["band"]]):
            profit[row["band"]][rate] += customers * (
                float(row["margin"]) + float(change.get((name, rate)) or 0.0)
            )
        for used in (used for used in _rows("usage") if used["segment"] == name):
            spent = customers * cost[used["resource"]] * float(used["amount"])
            profit[row["band"]][float(used["option"])] -= spent
    readme = (FOLDER / "README.md").read_text(encoding="utf-8").replace("*", "")
    for band, by_rate in profit.items():
        figures = " | ".join(f"{by_rate[rate] / 1000:.0f}" for rate in sorted(by_rate))
        assert f"| {band} | {figures} |" in readme


def test_scenarios_are_a_distribution_around_the_estimates() -> None:
    probability: dict[str, float] = {}
    mean: dict[str, float] = defaultdict(float)
    for row in _rows("scenarios"):
        probability[row["scenario"]] = float(row["probability"])
        if row["target"] == "segments.margin":
            mean[row["segment"]] += float(row["probability"]) * float(row["factor"])
    assert len(probability) == consumer_credit.SCENARIOS
    assert sum(probability.values()) == pytest.approx(1.0)
    assert all(0.8 < factor < 1.2 for factor in mean.values())


@with_raw
def test_anchor(offers: pd.DataFrame, expected: dict[str, Any]) -> None:
    anchor = expected["anchor"]
    line = acceptance_line(offers[offers["within"]], ("band", "stratum"))
    assert line.n == 53_178
    assert round(line.slope, 4) == anchor["slope"]
    assert round(line.slope_se, 4) == anchor["slope_se"]
    assert round(line.elasticity, 2) == anchor["elasticity"]
    everybody = acceptance_line(offers, ("band", "stratum"))
    assert everybody.n == 53_810
    assert round(everybody.slope, 4) == -0.0026
    assert round(everybody.elasticity, 2) == -0.29


@with_raw
def test_money_is_that_of_the_paper(offers: pd.DataFrame) -> None:
    """Tables 4 and 5 of the paper rest on contracts at the rate that was offered, and so do the curves of money."""
    lines = consumer_credit.paper_lines(offers).set_index("line")
    assert lines["n"].tolist() == [53_178, 31_231, 2_325, 31_231, 2_325]
    assert lines["slope"].tolist() == pytest.approx(lines["paper"].tolist(), abs=5.1e-4)
    errors = lines.drop("take-up")
    assert errors["slope_se"].tolist() == pytest.approx(errors["paper_se"].tolist(), abs=5.1e-4)
    fit = consumer_credit.fitted(offers)
    assert (fit.accepted.sum(), fit.told.sum()) == (3824, 2304)
    of_loss = fit.data[fit.outcomes.index("loss")]
    assert of_loss.y.sum() == pytest.approx(
        offers.loc[offers["within"] & offers["same"] & (offers["segment"] != ""), "loss"].sum()
    )


@with_raw
def test_the_file_of_the_archive_is_read(offers: pd.DataFrame, tmp_path: Path) -> None:
    columns = ["risk", "wave", "branchuse", "offer4", "final4", "tookup", "loansize", "grossinterest",
               "pstdue_average", "trcount", "normrate_less"]  # fmt: skip
    raw = pd.read_csv(RAW, usecols=columns)
    raw[["offer4", "final4"]] = raw[["offer4", "final4"]].astype("float32")  # as Stata holds them
    raw.to_stata(tmp_path / "offers.dta", write_index=False)
    again = consumer_credit.read_offers(tmp_path / "offers.dta")
    pd.testing.assert_frame_equal(again, offers, check_dtype=False, rtol=1e-6)
    assert int(again["same"].sum()) == int(offers["same"].sum())


@with_raw
def test_the_tables_are_those_of_the_offers(offers: pd.DataFrame, tmp_path: Path) -> None:
    consumer_credit.write_tables(offers, tmp_path)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == [f"{name}.csv" for name in
                       ("current", "effects", "levers", "options", "scenarios", "segments", "usage")]  # fmt: skip
    for name in written:
        ours, again = pd.read_csv(FOLDER / name), pd.read_csv(tmp_path / name)
        pd.testing.assert_frame_equal(ours, again, rtol=1e-4, atol=1e-6)


@with_raw
def test_split_half(offers: pd.DataFrame, expected: dict[str, Any]) -> None:
    rates, found = consumer_credit.split_half(offers)
    assert rates == BANDS
    told = found.set_index("band")
    for band, (gain, error) in expected["split_half"].items():
        assert told.loc[band, "drawn"] == pytest.approx(gain, abs=0.01)
        assert told.loc[band, "drawn_se"] == pytest.approx(error, abs=0.01)


@with_raw
def test_profit_without_a_curve_is_that_of_cells(offers: pd.DataFrame) -> None:
    """Low, last point: means of the three waves by hand, weighted by all offers of the band."""
    own = offers[offers["within"] & (offers["segment"] != "") & offers["same"] & (offers["band"] == "low")]
    earned = own["revenue"] - own["loss"] - 0.05 * own["amount"] - 60 * own["accepted"]
    last = own["price"] > 6.75
    mean = variance = 0.0
    for wave, share in own["stratum"].value_counts(normalize=True).items():
        cell = earned[last & (own["stratum"] == wave)]
        mean += share * cell.mean()
        variance += share**2 * cell.var(ddof=0) / len(cell)
    found = consumer_credit.without_curve(offers).iloc[0]
    assert (found["band"], found["rate"], found["offers"]) == ("low", 7.75, int(last.sum()))
    assert found["profit"] == pytest.approx(mean)
    assert found["profit_se"] == pytest.approx(variance**0.5)


@with_raw
def test_sex_is_read_by_the_audit_alone(offers: pd.DataFrame) -> None:
    raw = pd.read_csv(RAW, usecols=["female"])["female"]
    for column in offers.select_dtypes("number"):
        assert not (offers[column] == raw).all()
    assert "female" not in offers
    found = consumer_credit.audit(RAW, BANDS)
    assert found["offers"].sum() == 53_810
    # One rate a band: what women and men pay differs by their bands alone.
    assert abs(found["tariff"].diff().iloc[1]) < 0.1
