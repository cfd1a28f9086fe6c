"""New customers by type: as arrivals, or out of prospects with what a coupon does to the mix, into a certified plan."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cpm_opt.estimates import Estimates, estimate
from cpm_opt.estimates.moves.attraction import attraction_table, fit_attraction
from cpm_opt.estimates.on_request import estimate_instance
from cpm_opt.pipeline import solve_instance
from cpm_opt.report.estimation import estimation, estimation_facts
from cpm_opt.tables import read_instance
from tests.estimates.panels_of import RESPONSE, TABLES, instance, moving_panel

ARRIVALS = "[estimates.acquisition]\ncustomers = 120\nperiods = 3\nat = { promotion = 0 }\n"
PROSPECTS = """
[estimates.acquisition]
customers = 120
prospects = "market"

[[estimates.response.levers]]
lever = "coupon"
from = "acquisitions"
term = "promotion"
options = { none = 0, half = 1 }
"""
WITH_MARKET = {
    "segments": "segment,customers,margin,kind\ngold,1000,30,active\nsilver,2000,12,active\nmarket,6000,0,prospect\n",
    "levers": TABLES["levers"] + "coupon,single,all\n",
    "options": TABLES["options"] + "coupon,none,true,0\ncoupon,half,false,0\n",
}


def acquired(seed: int) -> pd.DataFrame:
    """Without a promotion 60 % are gold; a promotion changes the log-odds of silver by 0.9."""
    rng = np.random.default_rng(seed)
    promotion = rng.integers(0, 2, 4000).astype(float)
    silver = 1 / (1 + np.exp(-(np.log(0.4 / 0.6) + 0.9 * promotion)))
    names = np.where(rng.random(4000) < silver, "silver", "gold")
    firm = np.where(rng.random(4000) < 0.7, "", "rival")
    return pd.DataFrame({"segment": names, "promotion": promotion, "firm": firm})


def estimated(folder: Path, new: pd.DataFrame) -> Estimates:
    new.to_csv(folder / "acquisitions.csv", index=False)
    tables = read_instance(folder)
    assert [fault.line() for fault in tables.faults] == []
    return estimate(tables)


def test_arrivals_are_the_mix_at_what_stands_today(tmp_path: Path) -> None:
    new = acquired(1)
    found = estimated(instance(tmp_path / "a", moving_panel(50, 1), ARRIVALS), new)
    assert [fault.line() for fault in found.faults] == []
    wide = found.frames["arrivals"].pivot(index="period", columns="segment", values="customers")
    assert wide.shape == (3, 2)
    assert wide.sum(axis=1).tolist() == pytest.approx([120] * 3)
    own = new[(new["firm"] == "") & (new["promotion"] == 0)]  # one binary term: the logit is the share itself
    assert wide["gold"].tolist() == pytest.approx([120 * (own["segment"] == "gold").mean()] * 3, rel=1e-5)


def test_prospects_come_by_migration_and_a_coupon_changes_who(tmp_path: Path) -> None:
    new = acquired(2)
    folder = instance(tmp_path / "a", moving_panel(800, 2), RESPONSE + PROSPECTS, **WITH_MARKET)
    found = estimated(folder, new)
    assert [fault.line() for fault in found.faults] == []
    moves = found.frames["migration"].set_index(["from", "to"])
    assert moves.loc[("market", "market"), "rate"] == pytest.approx(1 - 120 / 6000)
    share = new[(new["firm"] == "")].groupby(["promotion", "segment"]).size().unstack()
    share = share.div(share.sum(axis=1), axis=0)
    assert moves.loc[("market", "gold"), "rate"] == pytest.approx(0.02 * share.loc[0, "gold"], rel=1e-5)
    changes = found.frames["migration_effects"]
    coupon = changes[changes["lever"] == "coupon"].set_index("to")
    shift = share.loc[1, "gold"] - share.loc[0, "gold"]
    assert coupon.loc["gold", "rate"] == pytest.approx(0.02 * shift, rel=1e-5)
    assert coupon["rate"].sum() == pytest.approx(0, abs=1e-12)
    counts = new[new["firm"] == ""].groupby("promotion").size()
    error = np.sqrt(sum(share.loc[p, "gold"] * share.loc[p, "silver"] / counts[p] for p in (0, 1)))
    assert coupon.loc["gold", "se"] == pytest.approx(0.02 * error, rel=1e-3)
    assert set(changes["lever"]) == {"tariff", "care", "coupon"}
    plan = solve_instance(folder, "portfolio", ["horizon.periods=3"])
    assert plan.certificate is not None
    assert plan.certificate.passed


def test_moves_and_attraction_are_told(tmp_path: Path) -> None:
    folder = instance(tmp_path / "a", moving_panel(800, 2), RESPONSE + PROSPECTS, **WITH_MARKET)
    acquired(2).to_csv(folder / "acquisitions.csv", index=False)
    tables, estimates = estimate_instance(folder)
    facts = json.loads(json.dumps(estimation_facts(tables, estimates), allow_nan=False))
    rates = {(row["from"], row["to"]): row for row in facts["moves"]["rates"]}
    assert rates["market", "market"]["rate"] == pytest.approx(0.98)
    assert rates["gold", "gold"]["se"] > 0
    assert {row["lever"] for row in facts["moves"]["effects"]} == {"tariff", "care", "coupon"}
    assert facts["moves"]["additivity"]["combinations"] == 2
    assert {row["firm"] for row in facts["attraction"]} == {"", "rival"}
    sections = {section.name: section for section in estimation(tables, estimates).sections}
    assert [len(table.rows) for table in sections["moves"].tables] == [7, 14]
    assert len(sections["attraction"].tables[0].rows) == 4


def test_own_against_rivals() -> None:
    new = acquired(3).assign(price=0.0, advertising=0.0)
    own, rival = fit_attraction(new)
    table = attraction_table((own, rival))
    assert table["firm"].tolist() == ["", "", "rival", "rival"]
    assert table["own_less_rival"].isna().tolist() == [True, True, False, False]
    gap = own.pull[:, 0] - rival.pull[:, 0]
    assert table["own_less_rival"].to_numpy()[2:] == pytest.approx(gap)
    assert table["own_less_rival_se"].to_numpy()[2:] == pytest.approx(
        np.hypot(own.pull_se, rival.pull_se)[:, 0]
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('prospects = "market"', 'prospects = "gold"', "is no segment of kind prospect"),
        ("customers = 120", "customers = 7000", "is more than the 6000 prospects"),
        ('prospects = "market"', "periods = 2", "table arrivals has no options"),
        ('term = "promotion"', 'term = "advertising"', "is no intervention that table acquisitions varies"),
        ("half = 1", "half_ = 1", "does not say what option half"),
        ('prospects = "market"', "", "needs either periods"),
        ("customers = 120", "customers = 120\nat = { promotions = 1 }", "is no intervention"),
        (
            "customers = 120",
            "customers = 120\nat = { promotion = 1 }",
            "but none, the base of lever coupon, is 0",
        ),
    ],
)
def test_settings_that_do_not_fit_are_faults(tmp_path: Path, old: str, new: str, said: str) -> None:
    settings = PROSPECTS.replace(old, new)
    folder = instance(tmp_path / "a", moving_panel(50, 1), settings, **WITH_MARKET)
    lines = [fault.line() for fault in estimated(folder, acquired(4)).faults if not fault.warning]
    assert any(said in line for line in lines)


def test_interventions_beyond_those_seen_are_doubted(tmp_path: Path) -> None:
    settings = PROSPECTS.replace("half = 1", "half = 1.5")
    folder = instance(tmp_path / "a", moving_panel(800, 2), RESPONSE + settings, **WITH_MARKET)
    told = [fault.message for fault in estimated(folder, acquired(2)).faults]
    assert told == ["coupon half: promotion 1.5 is outside what the data hold, 0 to 1"]
    folder = instance(
        tmp_path / "b", moving_panel(50, 1), ARRIVALS.replace("promotion = 0", "promotion = -1")
    )
    told = [fault.message for fault in estimated(folder, acquired(1)).faults]
    assert told == ["promotion of today -1 is outside what the data hold, 0 to 1"]


def test_types_that_the_plan_does_not_know_are_faults(tmp_path: Path) -> None:
    folder = instance(tmp_path / "a", moving_panel(50, 1), ARRIVALS)
    faults = estimated(folder, acquired(5).replace("gold", "golden")).faults
    assert [fault.value for fault in faults] == ["golden"]
    assert "did you mean 'gold'?" in faults[0].line()
    only = acquired(5).assign(segment="gold", firm="rival")
    assert "no row of the own firm" in estimated(folder, only).faults[0].line()
