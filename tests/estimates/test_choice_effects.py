"""Choices through files: what options of a price bring, as tables that solve, and rows and rules that cannot stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cpm_opt.estimates.on_request import estimate_instance
from cpm_opt.estimates.planning_files import write_planning_tables
from cpm_opt.estimates.response.choices import fit_choices, shrink_choices
from cpm_opt.faults import InputError
from cpm_opt.pipeline import solve_instance
from tests.estimates.test_choices import made, rules
from tests.estimates.test_lever_effects import HEAD
from tests.estimates.test_lever_effects import TABLES as LEVER_TABLES

FEE = """[[estimates.response.levers]]
lever = "fee"
from = "choices"
alternative = "gold"
base_price = 6
gross_margin = 0.5
revenue_share = 0.6
own_alternatives = { plain = 0.4 }
covariates = ["shelf"]
"""
TABLES = {
    "segments": LEVER_TABLES["segments"],
    "levers": "lever,choice\nfee,single\n",
    "options": "lever,option,base,price_change\nfee,now,true,\nfee,up,false,0.1\nfee,down,false,-0.1\n",
}


def instance(folder: Path, rows: pd.DataFrame, rule: str = FEE, more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "instance.toml").write_text(HEAD + rule + more)
    for name, text in TABLES.items():
        (folder / f"{name}.csv").write_text(text)
    rows.to_csv(folder / "choices.csv", index=False)
    return folder


def test_effects_of_a_price_hold_what_other_own_brands_win_of_it(tmp_path: Path) -> None:
    rows = made()
    _, found = estimate_instance(instance(tmp_path / "i", rows))
    fit = shrink_choices(fit_choices(rows, rules(covariates=["shelf"])))
    effects = found.frames["effects"].set_index(["segment", "option"])
    for s, (segment, revenue) in enumerate((("a", 100.0), ("b", 80.0))):
        for option, step in (("up", 0.1), ("down", -0.1)):
            v = fit.shares("gold", np.array([6.0, 6.0 * (1 + step)]), ("gold", "plain"))[s]
            own, other = v[1] / v[0]
            row = effects.loc[segment, option]
            margin = 0.6 * revenue * ((0.5 + step) * own - 0.5) + 0.5 * 0.4 * revenue * (other - 1)
            assert row["margin"] == pytest.approx(margin)
            brought = 0.6 * revenue * ((1 + step) * own - 1) + 0.4 * revenue * (other - 1)
            assert row["revenue"] == pytest.approx(brought)
            assert row["volume"] == pytest.approx((10.0 if segment == "a" else 8.0) * (own - 1))
            assert (other > 1) == (step > 0)
            drawn = np.random.default_rng(1).multivariate_normal(fit.values, fit.covariance, 2000)
            ratio = fit.ratio("gold", np.array([6.0 * (1 + step)]), 6.0, ("gold", "plain"), drawn)[:, s, 0]
            figures = 0.6 * revenue * (0.5 + step) * ratio[:, 0] + 0.2 * revenue * ratio[:, 1]
            assert row["margin_se"] == pytest.approx(figures.std(), rel=0.06)
    assert (found.frames["effects"]["source"] == "estimated").all()
    assert {row.model for row in found.response.elasticities} == {"choice_shrunken"}  # type: ignore[union-attr]
    assert {model.name for model in found.response.models} == {"choice", "choice_shrunken"}  # type: ignore[union-attr]


def test_without_a_base_price_every_price_moves_from_where_it_stood(tmp_path: Path) -> None:
    rows = made()
    rule = FEE.replace("base_price = 6\n", "").replace("own_alternatives = { plain = 0.4 }\n", "")
    _, found = estimate_instance(instance(tmp_path / "i", rows, rule))
    fit = shrink_choices(fit_choices(rows, rules(covariates=["shelf"])))
    dearer = rows.assign(price=rows["price"] * np.where(rows["alternative"] == "gold", 1.1, 1.0))
    chance = []
    for frame in (rows, dearer):
        x = fit_choices(frame, rules(covariates=["shelf"])).design.x
        pull = np.exp(x @ fit.values)
        part = pull / np.add.reduceat(pull, fit.design.begins)[fit.design.of_choice]
        gold = (fit.design.alternative == fit.design.alternatives.index("gold")) & (fit.design.of_row == 0)
        chance.append(part[gold].sum())
    row = found.frames["effects"].set_index(["segment", "option"]).loc["a", "up"]
    assert row["margin"] == pytest.approx(60 * (0.6 * chance[1] / chance[0] - 0.5))


def test_rows_that_reach_no_effect_or_look_like_a_slip_are_doubted(tmp_path: Path) -> None:
    rows = made(400)
    rows.loc[rows["choice"] < "k00100", "segment"] = "ghost"
    rows.loc[rows["choice"] == "k00007", "chosen"] = 1.0
    _, found = estimate_instance(instance(tmp_path / "i", rows))
    told = {fault.code: fault for fault in found.faults if fault.warning}
    assert "of segment ghost, which the plan has not" in told["not-in-plan"].message
    assert "in choice 'k00007' several alternatives are chosen, where" in told["several-chosen"].message
    assert told["several-chosen"].row is not None


def test_written_tables_and_scenarios_solve_as_the_raw_table_does(tmp_path: Path) -> None:
    more = "[estimates.scenarios]\nnumber = 5\ndraws = 300\nseed = 3\n"
    folder = instance(tmp_path / "i", made(), more=more)
    tables, found = estimate_instance(folder)
    assert set(found.frames["scenarios"]["target"]) == {"effects.margin", "effects.revenue", "effects.volume"}
    write_planning_tables(tmp_path / "o", tables.info, found.frames)
    raw, written = solve_instance(folder), solve_instance(tmp_path / "o")
    assert raw.status == written.status == "optimal"
    assert raw.objective == pytest.approx(written.objective, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda f: f.assign(chosen=f["chosen"] * (f["choice"] != "k00007")),
            "of choice 'k00007' none of its",
        ),
        (
            lambda f: f.assign(segment=f["segment"].where(f.index != 1, "c")),
            "its rows name different segments",
        ),
        (lambda f: f.assign(cluster=f["cluster"].where(f["choice"] != "k00003", "")), "is blank here"),
        (lambda f: pd.concat([f, f.head(1)]), "gold"),
        (lambda f: f.assign(price=f["price"].where(f.index != 3, -1.0)), "price"),
    ],
)
def test_rows_that_are_no_choice_are_told_with_their_line(tmp_path: Path, change: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as told:
        estimate_instance(instance(tmp_path / "i", change(made(200))))
    assert any(fault.table == "choices" and fault.row is not None for fault in told.value.faults)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (FEE.replace('alternative = "gold"\n', ""), "alternative: of lever fee is missing"),
        (FEE.replace("plain = 0.4", "plain = 0.6"), "add to 1.2"),
        (
            FEE.replace("plain = 0.4", "plain = 1.4"),
            "plain.*write the part of a segment's revenue earned at each",
        ),
        (
            FEE.replace('"gold"', '"nothing"').replace("base_price = 6\n", ""),
            "nothing was free in every choice",
        ),
        (FEE.replace("plain = 0.4", "gold = 0.4"), "own_alternatives with gold"),
        (FEE + 'curve = "logit"\n', "curve, which says nothing"),
    ],
)
def test_a_rule_that_cannot_be_kept_is_told(tmp_path: Path, rule: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        estimate_instance(instance(tmp_path / "i", made(400), rule))
