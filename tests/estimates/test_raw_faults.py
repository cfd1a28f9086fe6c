"""Raw tables of answers that tell less than they seem to: clusters that are few or blank, outcomes that do not vary,
customers who come back, blank figures, scenarios to one side. Each through files, as `cpm estimate` reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq

from cpm_opt.estimates.estimate import Estimates, estimate, with_response
from cpm_opt.estimates.lint.fits import lint_choices
from cpm_opt.estimates.moves.answer_rules import ScenarioRules
from cpm_opt.estimates.response import shrinkage
from cpm_opt.estimates.response.choices import fit_choices
from cpm_opt.estimates.response.shrinkage import shrink, shrink_slopes_of
from cpm_opt.estimates.uncertainty.draws import Draws, key
from cpm_opt.estimates.uncertainty.estimate_scenarios import scenario_table
from cpm_opt.faults import InputError
from cpm_opt.pipeline import check_instance, read_problem
from cpm_opt.tables import read_instance

HEAD = """[instance]
name = "raw"
title = "Raw"
currency = "EUR"
period = "month"
source = "made"
licence = "none"
default_model = "tariff-plan"
"""
CARE = '[[estimates.response.levers]]\nlever = "care"\nfrom = "trials"\noptions = { call = "phone" }\n'
FEE = '[[estimates.response.levers]]\nlever = "fee"\nfrom = "price_points"\nbase_price = 10\n'
RATE = '[estimates.response]\nlever = "fee"\nbase_price = 10\n'
PLAN = {
    "segments": "segment,customers,margin,revenue\na,100,40,100\nb,50,30,80\n",
    "levers": "lever,choice\nfee,single\ncare,mix\n",
    "options": "lever,option,base,price_change\nfee,now,true,\nfee,up,false,0.1\ncare,none,true,\ncare,call,false,\n",
}


def instance(folder: Path, rules: str, without: str = "", **raw: pd.DataFrame | str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "instance.toml").write_text(HEAD + rules, "utf-8")
    for name, table in {**PLAN, **raw}.items():
        if name != without:
            text = table if isinstance(table, str) else table.to_csv(index=False)
            (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


def estimated(folder: Path) -> Estimates:
    tables = read_instance(folder)
    found = estimate(tables)
    return found if any(not fault.warning for fault in found.faults) else with_response(tables, found)


def refused(folder: Path) -> list[tuple[str, int | None]]:
    """Codes and rows of what keeps an instance from being estimated, in tables and estimates."""
    tables = read_instance(folder)
    return [(f.code, f.row) for f in (*tables.faults, *estimate(tables).faults) if not f.warning]


def codes(found: Estimates) -> set[str]:
    assert found.response is not None
    return {lint.code for lint in found.response.lint} | {fault.code for fault in found.faults}


def trials(clusters: int, by_arm: bool, customers: int = 240) -> pd.DataFrame:
    """Clusters hold one arm each, or both."""
    rng = np.random.default_rng(clusters)
    place = np.arange(customers) % max(clusters, 1)
    arm = np.where(
        place % 2 == 0 if by_arm else np.arange(customers) // max(clusters, 1) % 2 == 0, "control", "phone"
    )
    outcome = rng.normal(size=customers) + rng.normal(size=max(clusters, 1))[place] + (arm == "phone")
    cluster = [f"k{k}" for k in place] if clusters else ""
    return pd.DataFrame({"programme": "c", "arm": arm, "outcome": outcome, "cluster": cluster})


@pytest.mark.parametrize(("clusters", "by_arm"), [(1, False), (2, False), (2, True), (3, True)])
def test_a_trial_in_few_clusters_has_no_error_and_is_refused(
    tmp_path: Path, clusters: int, by_arm: bool
) -> None:
    assert ("few_clusters", None) in refused(instance(tmp_path, CARE, trials=trials(clusters, by_arm)))


def test_errors_on_some_clusters_are_doubted(tmp_path: Path) -> None:
    assert "few-clusters" in codes(estimated(instance(tmp_path / "a", CARE, trials=trials(4, True))))
    assert "few-clusters" not in codes(estimated(instance(tmp_path / "b", CARE, trials=trials(60, True))))
    assert "few-clusters" not in codes(estimated(instance(tmp_path / "c", CARE, trials=trials(0, False))))
    drawn = offers(400).assign(cluster=[f"k{k % 20}" for k in range(400)])
    assert "few-clusters" in codes(estimated(instance(tmp_path / "d", RATE, "segments", offers=drawn)))
    effort = np.tile(np.linspace(0, 10, 50), 4)
    made = pd.DataFrame({"effort": effort, "result": 1 + 4 * np.log(1 + effort / 2)})
    made["result"] += np.random.default_rng(1).normal(0, 0.3, 200)
    made["cluster"] = [f"k{k % 10}" for k in range(200)]
    rules = '[[estimates.response.levers]]\nlever = "care"\nfrom = "efforts"\noptions = { call = 2 }\n'
    assert "few-clusters" in codes(estimated(instance(tmp_path / "e", rules, efforts=made)))


@pytest.mark.parametrize(("measure", "table", "error"), [("margin", "effects", "margin_se"),
                                                         ("retention", "migration_effects", "se")])  # fmt: skip
def test_outcomes_that_do_not_vary_have_no_error(
    tmp_path: Path, measure: str, table: str, error: str
) -> None:
    same = trials(0, False).assign(outcome=lambda rows: np.where(rows["arm"] == "phone", 0.0, 1.0))
    found = estimated(instance(tmp_path, CARE + f'measure = "{measure}"\n', trials=same))
    assert "no-error" in codes(found)
    assert found.frames[table][error].isna().all()
    assert found.response is not None
    assert np.isnan([arm.se for arm in found.response.arms]).all()


def test_a_trial_without_control_is_told_as_that(tmp_path: Path) -> None:
    everybody = trials(0, False).assign(arm="phone")
    assert refused(instance(tmp_path, CARE, trials=everybody)) == [("no-control", None)]


def offers(count: int, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    price = rng.uniform(8, 12, count).round(3)
    accepted = (rng.random(count) < 1 / (1 + np.exp(0.5 * (price - 10)))).astype(int)
    segment = np.where(np.arange(count) % 2 == 0, "a", "b")
    return pd.DataFrame(
        {"segment": segment, "price": price, "accepted": accepted, "revenue": price * 10 * accepted}
    )


def test_retention_is_of_customers_who_stayed_or_left(tmp_path: Path) -> None:
    rules, flags = CARE + 'measure = "retention"\n', trials(0, False).assign(outcome=1.0)
    flags.loc[7, "outcome"] = 0.0
    assert refused(instance(tmp_path / "a", rules, trials=flags)) == []
    flags.loc[[5, 9], "outcome"] = 35.5
    assert refused(instance(tmp_path / "b", rules, trials=flags)) == [("no-retention", 7)]
    (fault,) = estimate(read_instance(instance(tmp_path / "c", rules + "value = 2\n", trials=flags))).faults
    assert "value, value 2.0: of lever care says nothing for measure retention" in fault.line().replace(
        "'", ""
    )


def test_an_arm_of_a_few_customers_is_doubted(tmp_path: Path) -> None:
    whole = trials(0, False)
    few = pd.concat([whole[whole["arm"] == "phone"][:9], whole[whole["arm"] == "control"]])
    assert "few-observations" in codes(estimated(instance(tmp_path / "a", CARE, trials=few)))
    assert "few-observations" not in codes(estimated(instance(tmp_path / "b", CARE, trials=whole)))


def test_efforts_of_options_below_those_seen_are_doubted(tmp_path: Path) -> None:
    effort = np.repeat(np.linspace(0.0, 50.0, 11), 20)
    noise = np.random.default_rng(3).normal(0, 0.3, 220)
    made = pd.DataFrame({"effort": effort, "result": 5 + 3 * np.log1p(effort / 8) + noise})
    rules = '[[estimates.response.levers]]\nlever = "care"\nfrom = "efforts"\noptions = { call = 30 }\n'
    assert "outside-range" not in codes(estimated(instance(tmp_path / "a", rules, efforts=made)))
    seen = made[made["effort"] > 0]  # the base is no effort, of which these tell nothing
    found = estimated(instance(tmp_path / "b", rules, efforts=seen))
    assert found.response is not None
    assert [lint.message for lint in found.response.lint if lint.code == "outside-range"] == [
        "all segments: effort 0 is outside what the data hold, 5 to 50"
    ]
    near = made.assign(effort=made["effort"].replace(0.0, 0.1))  # the curve hardly rises from 0 to there
    assert "outside-range" not in codes(estimated(instance(tmp_path / "d", rules, efforts=near)))
    within = rules.replace("call = 30", "none = 10, call = 30")
    assert "outside-range" not in codes(estimated(instance(tmp_path / "c", within, efforts=seen)))


def test_a_blank_cluster_among_others_is_a_fault_with_its_row(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    price = rng.uniform(8, 12, 80)
    points = pd.DataFrame({"price": price, "volume": np.exp(5 - 1.5 * np.log(price) + rng.normal(0, 0.1, 80)),
                           "cluster": [f"k{k % 8}" for k in range(80)]})  # fmt: skip
    assert refused(instance(tmp_path / "a", FEE, price_points=points)) == []
    points.loc[7, "cluster"] = ""
    assert refused(instance(tmp_path / "a", FEE, price_points=points)) == [("cluster-blank", 9)]
    faults, _ = check_instance(tmp_path / "a")
    assert [fault.code for fault in faults] == ["cluster-blank"]
    named = trials(8, True)
    named.loc[[3, 4], "cluster"] = ""
    assert refused(instance(tmp_path / "b", CARE, trials=named)) == [("cluster-blank", 5)]
    # Each campaign is fitted by itself: one may have been drawn by clusters, and another not.
    both = pd.concat([trials(8, True), trials(0, False).assign(programme="d")])
    rules = CARE + 'programme = "c"\n'
    assert refused(instance(tmp_path / "c", rules, trials=both)) == []


def test_rows_of_no_lever_are_not_fitted_for_several(tmp_path: Path) -> None:
    price = np.linspace(8, 12, 40)
    points = pd.DataFrame({"price": price, "volume": 900 / price + np.arange(40) % 3})
    assert refused(instance(tmp_path / "a", FEE, price_points=points)) == []
    both = FEE + FEE.replace('"fee"', '"care"')
    assert refused(instance(tmp_path / "b", both, price_points=points)) == [("lever_blank", 2)]
    named = pd.concat([points.assign(lever="fee"), points.assign(lever="care")])
    assert refused(instance(tmp_path / "c", both, price_points=named)) == []
    mixed = named.assign(lever=named["lever"].where(np.arange(80) != 5, ""))
    assert refused(instance(tmp_path / "d", FEE, price_points=mixed)) == [("lever_blank", 7)]


def test_rows_after_leaving_are_faults(tmp_path: Path) -> None:
    panel = "customer,period,segment,left\nx,0,a,0\nx,1,a,1\nx,3,a,0\nx,4,a,0\ny,0,b,1\ny,1,b,0\nz,0,a,0\nz,1,a,0\n"
    told = refused(instance(tmp_path, "", panel=panel))
    assert sorted(told) == [("after-leaving", 4), ("after-leaving", 7)]


def test_a_faulty_cell_is_told_once(tmp_path: Path) -> None:
    points = "price,volume\n8,100\n9,nan\n10,80\n11,70\n"
    assert refused(instance(tmp_path, FEE, price_points=points)) == [("not_a_number", 3)]


def test_stated_elasticities_in_percent_are_doubted(tmp_path: Path) -> None:
    rules = '[[estimates.response.levers]]\nlever = "fee"\nfrom = "stated"\nelasticity = -150.0\n'
    folder = instance(tmp_path, rules)
    assert "percent-not-fraction" in codes(estimated(folder))
    assert "percent-not-fraction" in {fault.code for fault in check_instance(folder)[1]}
    (folder / "instance.toml").write_text(HEAD + rules.replace("-150.0", "-1.5"), "utf-8")
    assert "percent-not-fraction" not in codes(estimated(folder))


def test_blank_figures_of_accepted_offers_are_counted(tmp_path: Path) -> None:
    whole = offers(400)
    part = whole.copy()
    taken = part.index[part["accepted"] == 1]
    part.loc[taken[:7], "revenue"] = np.nan
    found = estimated(instance(tmp_path / "a", RATE, "segments", offers=part))
    assert found.response is not None
    told = [lint.message for lint in found.response.lint if lint.code == "blank-figures"]
    assert told == [f"7 of {len(taken)} accepted offers have no revenue, and count as revenue 0"]
    asked = whole.assign(revenue=whole["price"] * 10)
    found = estimated(instance(tmp_path / "b", RATE, "segments", offers=asked))
    assert "blank-figures" in codes(found)
    assert "blank-figures" not in codes(estimated(instance(tmp_path / "c", RATE, "segments", offers=whole)))


def test_offers_that_bring_nothing_make_no_effects(tmp_path: Path) -> None:
    """A lever whose price moved no margin would look free to move."""
    for name, part in (("a", offers(400).drop(columns="revenue")), ("b", offers(400).assign(revenue=0))):
        tables = read_instance(
            instance(tmp_path / name, RATE, "segments", offers=part.assign(loss=part["accepted"]))
        )
        (fault,) = estimate(tables).faults
        assert (fault.table, fault.column, fault.code) == ("offers", "revenue", "no_revenue")
        models = with_response(tables, Estimates({}, {})).response
        assert models is not None
        assert "take_up" in {model.name for model in models.models}


def test_a_segment_that_never_lost_is_doubted(tmp_path: Path) -> None:
    rows = offers(400)
    rows["loss"] = rows["accepted"] * (rows["segment"] == "a") * (rows.index % 5 == 0)
    found = estimated(instance(tmp_path, RATE, "segments", offers=rows)).response
    assert found is not None
    told = [doubt.message for doubt in found.lint if doubt.code == "no-error"]
    assert told == [
        "no accepted offer of segment b has a loss, so a loss of 0 counts as certain there, and no error is known"
    ]


def test_few_clusters_of_choices_are_those_of_a_segment() -> None:
    from tests.estimates.test_choices import made, rules

    rows = made(600)
    few = rows.assign(cluster=rows["cluster"].where(rows["segment"] == "a", "b" + rows["cluster"].str[-1]))
    told = [doubt.message for doubt in lint_choices(fit_choices(few, rules(constants="common")))]
    assert [text.partition(",")[0] for text in told] == ["segment b: errors rest on 10 clusters"]
    assert lint_choices(fit_choices(few, rules(constants="common", by_segment=False))) == ()


def test_a_base_is_always_offered_and_a_blank_standard_price_leaves_none_out(tmp_path: Path) -> None:
    drawn = offers(400).assign(standard_price=np.nan)
    drawn.loc[drawn["segment"] == "a", "standard_price"] = 9.5
    drawn = drawn[~(drawn["price"] > drawn["standard_price"])]
    drawn.loc[drawn.index[drawn["segment"] == "b"][:9], "standard_price"] = 9.5
    effects = estimated(instance(tmp_path, RATE, "segments", offers=drawn)).frames["effects"]
    offered = {(row["segment"], row["option"]): row["offered"] for row in effects.to_dict("records")}
    assert offered == {("a", "up"): False, ("b", "up"): True}  # no row takes the base away


@pytest.mark.parametrize(
    ("change", "code"), [({"price": 10.0}, "one_price"), ({"accepted": None}, "separation")]
)
def test_offers_whose_price_tells_nothing_or_all(tmp_path: Path, change: dict[str, float], code: str) -> None:
    drawn = offers(100).assign(**change)
    drawn["accepted"] = drawn["accepted"].fillna((drawn["price"] < 10).astype(int)).astype(int)
    drawn["revenue"] = drawn["accepted"] * 100
    assert {told for told, _ in refused(instance(tmp_path, RATE, "segments", offers=drawn))} == {code}


def _tau(own: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """The one of Paule and Mandel, alone."""
    free = len(own) - 1

    def excess(square: float) -> float:
        mean = np.average(own, weights=1 / (variance + square))
        return float(((own - mean) ** 2 / (variance + square)).sum()) - free

    return np.array([np.sqrt(brentq(excess, 0.0, 100.0))])


def test_slopes_that_err_together_have_the_joint_error_of_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the variance of drawn estimates about drawn true slopes, tau being known; without common errors the one
    of `shrink`."""
    monkeypatch.setattr(shrinkage, "_possible", lambda own, variance: (_tau(own, variance), np.ones(1)))
    values = np.array([1.0, -0.6, 2.0, -1.2])  # two levels, two slopes
    covariance = np.array(
        [[0.3, 0.1, 0.05, 0.0], [0.1, 0.2, 0.0, 0.04], [0.05, 0.0, 0.2, 0.15], [0.0, 0.04, 0.15, 0.3]]
    )
    slopes = np.array([2, 3])
    follow = np.array([[0.5, 0.0], [0.0, -0.2], [0.0, 0.0], [0.0, 0.0]])
    moved, joint, told = shrink_slopes_of(values, covariance, slopes, follow)
    assert moved[:2] - values[:2] == pytest.approx(follow[:2] @ (moved[2:] - values[2:]))
    assert told.spread > 0
    p = 1 / (np.diag(covariance)[2:] + told.spread**2)
    p /= p.sum()
    rng = np.random.default_rng(1)
    true = rng.normal(0, told.spread, (200_000, 2))
    error = rng.multivariate_normal(np.zeros(2), covariance[2:, 2:], 200_000)
    mean = (true + error) @ p
    assert told.mean_se == pytest.approx(mean.std(), rel=0.02)
    off = told.weight * (true + error) + (1 - told.weight) * mean[:, None] - true
    assert np.sqrt(np.diag(joint)[2:]) == pytest.approx(off.std(axis=0), rel=0.02)
    assert joint[2, 3] == pytest.approx(np.cov(off.T)[0, 1], rel=0.05)
    level = rng.multivariate_normal(np.zeros(4), covariance, 200_000)
    both = true + level[:, 2:]
    shrunken = told.weight * both + (1 - told.weight) * (both @ p)[:, None]
    first = (
        level[:, 0] + 0.5 * (shrunken - both)[:, 0]
    )  # its level follows, and is off by what it should not have
    assert np.sqrt(joint[0, 0]) == pytest.approx(first.std(), rel=0.02)
    alone = shrink_slopes_of(values, np.diag(np.diag(covariance)), slopes)[2]
    apart = shrink(values[2:], np.sqrt(np.diag(covariance)[2:]))
    assert alone.mean_se == pytest.approx(apart.mean_se)
    assert alone.errors == pytest.approx(apart.errors)


def test_scenarios_of_possible_draws_lie_about_the_mean_of_all() -> None:
    """Draws above 1.2 are impossible; kept ones alone have a mean of 0.9."""
    normal = np.random.default_rng(2).normal(1.0, 0.4, (1000, 1))
    every = Draws((key("migration_effects.rate", "gold", "tariff", "up"),), normal, normal * 100.0)
    rules = ScenarioRules(number=8, draws=1000)
    few = every.only(normal[:, 0] <= 1.2)
    assert few.factors.mean() < 0.9
    found = scenario_table(few, rules, lambda factors: factors[:, 0] <= 1.2, every)
    assert 0 < found.stretch < 1
    mean = (found.frame["probability"] * found.frame["factor"]).sum()
    assert mean == pytest.approx(normal.mean())
    assert found.mean == pytest.approx((mean, mean))
    assert found.frame["factor"].max() <= 1.2


def test_a_plain_model_needs_no_scenarios(tmp_path: Path) -> None:
    """Scenarios that cannot be made stop `cpm estimate` and a plan under risk, and no other."""
    settings = "[estimates.scenarios]\nnumber = 5\ndraws = 50\n"
    folder = instance(tmp_path, settings, effects="segment,lever,option,margin\na,fee,up,5\nb,care,call,2\n")
    assert any("asks for scenarios" in fault.message for fault in estimate(read_instance(folder)).faults)
    assert read_problem(folder).portfolio is not None
    with pytest.raises(InputError, match="asks for scenarios"):
        read_problem(folder, "robust-portfolio")


def test_points_on_a_curve_tell_no_error(tmp_path: Path) -> None:
    price = np.linspace(8, 12, 30)
    points = pd.DataFrame({"price": price, "volume": np.exp(5 - 1.5 * np.log(price))})
    found = estimated(instance(tmp_path, FEE, price_points=points))
    assert "no-error" in codes(found)
    effects = found.frames["effects"]
    assert effects[["margin_se", "revenue_se"]].isna().all(axis=None)
    assert effects["source"].unique().tolist() == ["estimated"]
