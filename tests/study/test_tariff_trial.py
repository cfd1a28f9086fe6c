"""Tariff tests: restating the present changes nothing, no tariff beats the best, figures and break-even by hand."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.faults import InputError
from cpm_opt.formulation.audit import facts_of
from cpm_opt.pipeline import Problem, read_problem
from cpm_opt.report import text_of
from cpm_opt.report.trial_charts import trial_charts
from cpm_opt.report.trials import trial_facts, trial_report
from cpm_opt.study.tariff_trial import Outcome, Trial, try_tariff
from tests.study.plans import INFO, instance, model, problem

TABLES = {
    "segments": "segment,customers,margin,kind,tier,end_value\ngold,100,50,active,top,200\n"
    "silver,400,10,active,low,30\nlater,30,0,prospect,low,0",
    "levers": "lever,choice,scope\nservice,mix,segment\ntariff,single,tier\nfee,mix,segment",
    "options": "lever,option,base,price_change,fixed_cost\nservice,basic,true,,\nservice,plus,false,,\n"
    "tariff,keep,true,,\ntariff,up5,false,0.05,20\ntariff,up20,false,0.2,30\nfee,none,true,,\nfee,small,false,0.01,",
    "current": "segment,lever,option,customers\nsilver,tariff,up5,400\nlater,tariff,up5,30\ngold,fee,small,30",
    "effects": "segment,lever,option,margin\ngold,service,plus,20\nsilver,service,plus,4\n"
    "gold,tariff,up5,2\nsilver,tariff,up5,1\ngold,tariff,up20,9\nsilver,tariff,up20,3\ngold,fee,small,1",
    "resources": "resource,capacity,unit,extra_capacity,extra_cost\nhours,90,hours,20,3",
    "usage": "resource,amount,segment,lever,option\nhours,0.5,,service,plus",
    "migration": "from,to,rate\ngold,gold,0.8\ngold,silver,0.1\nsilver,silver,0.9\nsilver,gold,0.05\n"
    "later,later,0.7\nlater,silver,0.2",
    "migration_effects": "from,to,lever,option,rate,when\ngold,gold,tariff,up5,-0.1,in_force\n"
    "gold,gold,tariff,up20,-0.1,in_force\nsilver,silver,tariff,up20,-0.06,on_change\nsilver,silver,tariff,up5,-0.02,in_force",
}
COMPONENTS = "capacity balance switching"


def read(folder: Path, fix: tuple[str, ...], forbid: tuple[str, ...] = (), **more: str) -> Problem:
    return problem(folder, {**TABLES, **more}, COMPONENTS, fix=fix, forbid=forbid)


def tried(folder: Path, *fix: str, what_if: bool = False, forbid: tuple[str, ...] = (), **more: str) -> Trial:
    return try_tariff(read(folder, fix, forbid, **more), fix, forbid, what_if)


def figures(outcome: Outcome | None) -> list[float]:
    assert outcome is not None
    sums = [outcome.margin, outcome.customers, outcome.churn, outcome.moved]
    return [outcome.objective, outcome.profit, outcome.end_value, *(float(each.sum()) for each in sums)]


@pytest.mark.parametrize("what_if", [False, True])
def test_restating_the_present_gives_zero_differences(tmp_path: Path, what_if: bool) -> None:
    now = tried(tmp_path / "a", "tariff=keep@top", "tariff=up5@low:1-2", what_if=what_if)
    assert figures(now.tried) == figures(now.today)
    assert now.today is not None
    if what_if:
        assert figures(now.tried)[-1] == 0.0  # nobody is on anything else
        assert figures(now.today) == figures(now.as_is)
    # The mix lever beside it stays as it is: 30 of 100 gold on the small fee.
    assert now.tried is not None
    fee = now.problem.portfolio.options.index("small")
    on = now.tried.decisions[0].customers_on[0, fee] / now.tried.recounts[0].customers[0, :-1]
    assert on == pytest.approx([0.3, 0.3])


PINS = [
    ("tariff=up20",),
    ("tariff=up20@low:2",),
    ("tariff=up5@top:1", "fee=small@silver"),
    ("tariff=keep", "service=basic@gold"),
    ("fee=none:2",),
]


@pytest.mark.parametrize("fix", PINS)
@pytest.mark.parametrize("what_if", [False, True])
def test_no_tariff_is_above_the_best_and_pins_are_kept(
    tmp_path: Path, fix: tuple[str, ...], what_if: bool
) -> None:
    found = tried(tmp_path, *fix, what_if=what_if)
    assert found.tried is not None
    assert found.best is not None
    assert found.today is not None
    assert found.best_status == "optimal"
    if not found.broken:
        assert found.tried.objective <= found.best.objective * (1 + 1e-6)
    assert found.today.objective <= found.best.objective * (1 + 1e-6)
    p, decisions = found.problem.portfolio, found.tried.decisions[0]
    pins = found.problem.spec.components["pins"]
    rows = pins.audit(facts_of(p, decisions)).rows
    assert rows
    assert min(row.slack for row in rows) >= -1e-6
    if not what_if:  # the service part answered: at least as good as leaving it as it is
        as_it_is = tried(tmp_path / "w", *fix, what_if=True)
        assert as_it_is.tried is not None
        assert found.tried.objective >= as_it_is.tried.objective - 1e-6


def test_a_what_if_by_hand(tmp_path: Path) -> None:
    plain = {
        "segments": "segment,customers,margin,end_value\nfirm,100,10,20",
        "levers": "lever,choice,scope\ntariff,single,all",
        "options": "lever,option,base,price_change\ntariff,keep,true,\ntariff,up,false,0.1",
        "effects": "segment,lever,option,margin\nfirm,tariff,up,1",
        "migration": "from,to,rate\nfirm,firm,0.9",
        "migration_effects": "from,to,lever,option,rate\nfirm,firm,tariff,up,-0.1",
        "resources": "resource,capacity\nhours,95",
        "usage": "resource,amount\nhours,1",
        "balance": "rule,measure,members,sense,value\nkeep,customers,all,min,70",
        "scenarios": "scenario,probability,target,factor\nworse,0.3,migration_effects.rate,4\nas planned,0.7,,",
    }
    fix = ("tariff=up",)
    found = try_tariff(problem(tmp_path, plain, COMPONENTS, fix=fix), fix, (), True)
    assert found.tried is not None
    assert found.today is not None
    # Today: 100 x 10 + 90 x 10 and 81 x 20 at the end; with the tariff: 100 x 11 + 80 x 11 and 64 x 20.
    assert (found.today.profit, found.today.end_value) == (pytest.approx(1900), pytest.approx(1620))
    assert (found.tried.profit, found.tried.end_value) == (pytest.approx(1980), pytest.approx(1280))
    assert (found.tried.churn.sum(), found.today.churn.sum()) == (pytest.approx(36), pytest.approx(19))
    assert found.tried.moved.tolist() == pytest.approx([100.0])
    assert sorted((row.rule, row.period) for row in found.broken) == [("capacity", 1), ("keep", 2)]
    # With a response of k: 1100 + 11 n + 20 n (0.9 - 0.1 k), n = 100 (0.9 - 0.1 k), is to be 3520.
    assert found.break_even is not None
    kept = 0.9 - 0.1 * found.break_even
    assert 1100 + 1100 * kept + 2000 * kept**2 == pytest.approx(3520)
    # In both scenarios it is worth less; profit alone falls where four times as many leave: 1100 + 550 < 1900.
    assert (found.chance_of_loss, found.chance_of_less_profit) == (pytest.approx(1.0), pytest.approx(0.3))
    worse = {each.name: each.profit for each in found.scenarios}
    assert worse == {"as planned": pytest.approx(1980), "worse": pytest.approx(1650)}


MEASURED = {
    "segments": "segment,customers,margin,sales\na,100,10,2\nb,300,10,1",
    "levers": "lever,choice,scope\ntariff,single,all",
    "options": "lever,option,base,price_change\ntariff,keep,true,\ntariff,up,false,0.1",
    "effects": "segment,lever,option,margin,margin_se,sales\na,tariff,up,1,0.5,-0.5\nb,tariff,up,1,0.25,0",
    "balance": "rule,measure,members,sense,value,basis\nfew,sales,a,max,0.45,share",
}
SALES = '[measures]\nsales = { title = "Goods sold", unit = "items per customer" }\n'


def test_measures_shares_and_errors_of_an_instance_in_which_nobody_moves(tmp_path: Path) -> None:
    folder = instance(tmp_path, MEASURED, INFO + SALES)
    fix = ("tariff=up",)
    asked = read_problem(folder, model(tmp_path, "balance switching"), fix=fix)
    found = try_tariff(asked, fix, (), True)
    facts = trial_facts(found)
    # 200 + 300 goods as things are, 150 + 300 with the tariff, and so 40 % and a third of them a's.
    sold = next(row for row in facts["figures"] if row["figure"] == "sales")
    assert (sold["today"], sold["tariff"], sold["unit"]) == (500.0, 450.0, "items")
    (rule,) = facts["rules"]
    assert (rule["today"], rule["tariff"], rule["limit"], rule["unit"]) == (
        0.4,
        pytest.approx(1 / 3),
        0.45,
        "share",
    )
    # Two quarters: 200 customers of a and 600 of b bring 1 more, with errors of 200 x 0.5 and 600 x 0.25.
    assert facts["gain_error"] == {
        "independent": pytest.approx(np.hypot(100, 150)),
        "most": pytest.approx(250),
    }
    assert facts["break_even_margin"] == pytest.approx(-1.0)
    told = " ".join(text_of(trial_report(found), io.StringIO()).split())
    assert "the difference is 446.7 to 1,153.3 EUR in 95 of 100 cases if their errors are independent" in told
    assert "at most 310 to 1,290 EUR whatever they have in common" in told
    assert "brings 1 EUR a quarter less than estimated" in told
    assert "few 1 40% 40% 33.3%" in told
    assert "at most 45% share" in told
    assert "who leave" not in told
    titles = [chart.title for chart in trial_charts(found)]
    assert "Goods sold, mean of a quarter" in titles
    assert "Customers who leave" not in titles


def test_break_even_is_where_the_gain_changes_its_sign(tmp_path: Path) -> None:
    found = tried(tmp_path / "a", "tariff=up20@top", what_if=True)
    assert found.break_even is not None
    for factor, sign in ((0.98 * found.break_even, 1.0), (1.02 * found.break_even, -1.0)):
        rate = f"gold,gold,tariff,up20,{-0.1 * factor}"
        moved = TABLES["migration_effects"].replace("gold,gold,tariff,up20,-0.1", rate)
        again = tried(tmp_path / "b", "tariff=up20@top", what_if=True, migration_effects=moved)
        assert again.tried is not None
        assert again.today is not None
        assert np.sign(again.tried.objective - again.today.objective) == sign


def test_scenarios_of_a_model_that_weighs_them(tmp_path: Path) -> None:
    scenarios = "scenario,probability,target,factor\ngood,0.6,effects.margin,1.5\nbad,0.4,effects.margin,-1"
    parts = "[components.capacity]\n[components.risk]\nweight = 0.5\nalpha = 0.5\n"
    fix = ("tariff=up20@top",)
    of = problem(tmp_path, {**TABLES, "scenarios": scenarios}, parts, fix=fix)
    found = try_tariff(of, fix, ())
    assert found.tried is not None
    assert found.best is not None
    assert found.tried.objective <= found.best.objective * (1 + 1e-6)
    assert found.tried.profit == pytest.approx(
        sum(each.probability * each.profit for each in found.scenarios)
    )
    assert found.chance_of_less_profit == pytest.approx(0.4)
    restated = problem(tmp_path / "r", {**TABLES, "scenarios": scenarios}, parts, fix=("tariff=keep@top",))
    same = try_tariff(restated, ("tariff=keep@top",), ())
    assert same.chance_of_loss == 0.0
    assert figures(same.tried) == figures(same.today)


def test_what_is_forbidden_opens_a_tariff_and_a_what_if_needs_something_in_its_place(tmp_path: Path) -> None:
    found = tried(tmp_path, forbid=("tariff=up5",))
    assert found.tried is not None
    up5 = found.problem.portfolio.options.index("up5")
    assert not found.tried.decisions[0].customers_on[:, up5].any()
    assert found.best is not None
    assert not found.best.decisions[0].customers_on[:, up5].any()
    with pytest.raises(InputError, match="nothing says what takes its place"):
        tried(tmp_path, what_if=True, forbid=("tariff=up5",))
    settled = tried(tmp_path, "tariff=keep@low", what_if=True, forbid=("tariff=up5",))
    assert settled.status == "recounted"


def test_the_command(tmp_path: Path) -> None:
    folder, of = instance(tmp_path / "i", TABLES), model(tmp_path, COMPONENTS)

    def cpm(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["test-tariff", str(folder), "--model", str(of), *words])
        return done.exit_code, done.stdout

    code, text = cpm("--fix", "tariff=up20@top", "--json")
    answer = json.loads(text)
    assert code == 0
    rows = {row["figure"]: row for row in answer["figures"]}
    assert rows["objective"]["difference"] == pytest.approx(
        rows["objective"]["tariff"] - rows["objective"]["today"]
    )
    assert rows["objective"]["best"] >= rows["objective"]["tariff"]
    assert {row["segment"] for row in answer["segments"]} == {"gold", "silver", "later"}
    assert [row["resource"] for row in answer["capacity"]] == ["hours", "hours"]
    code, text = cpm("--fix", "tariff=up20@top", "--what-if")
    assert code == 0
    assert "everything else stays as it is today" in text
    assert cpm()[0] == 2
    assert cpm("--fix", "tariff=up99")[0] == 2
    (folder / "balance.csv").write_text(
        "rule,measure,members,sense,value\nstay,customers,gold,min,1000\n", "utf-8"
    )
    code, text = cpm("--fix", "tariff=up20", "--json")
    assert (code, json.loads(text)["conflict"]) == (3, ["stay"])
    assert "In its way: stay" in cpm("--fix", "tariff=up20")[1]
