"""The explanation: what to do, what it earns, what limits it, every figure with its unit, and no solver's words."""

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from cpm_opt.formulation.audit import RuleRow
from cpm_opt.report import explain, run_list, text_of
from cpm_opt.runs import read_run
from cpm_opt.runs.plain import json_text
from cpm_opt.solve.plan import Plan, ShadowPrice
from tests.handmade import no_plan, plan, portfolio, written

SOLVER_WORDS = re.compile(
    r"\b(dual|primal|MILP|MIP|LP|bound|infeasible|optimal|optimum|objective|constraint|slack|incumbent|solver|solution)\b",
    re.IGNORECASE,
)


def explained(tmp_path, of: Plan | None = None):
    return explain(read_run(written(tmp_path, of)))


def section(explanation, name):
    return next(part for part in explanation.sections if part.name == name)


def rows(explanation, name):
    return [
        row
        for part in explanation.sections
        for table in part.tables
        if table.name == name
        for row in table.rows
    ]


def test_what_to_do_names_only_what_changes(tmp_path):
    explanation = explained(tmp_path)
    assert rows(explanation, "actions") == [
        ("service", "better", "silver", (1, 2), (0.24, 0.273), (96.0, 112.0)),
        ("tariff", "up5 (price +5%)", "gold", (1, 2), (1.0, 1.0), (90.0, 100.0)),
    ]
    assert section(explanation, "actions").sentences == (
        "Who is not named stays as today.",
        "Buy extra hours (hours of service): 10 in month 2.",
    )


def test_nothing_is_advised_where_all_options_do_the_same(tmp_path):
    p = portfolio()
    flows = {
        name: replace(flow, per_option=flow.per_option * np.array([1.0, 0.0])[:, None, None])
        for name, flow in p.flows.items()
    }
    usage = replace(p.usage, amount=np.where((p.usage.segment == 1)[:, None], 0.0, p.usage.amount))
    effects = p.migration_effects
    rate = np.where((effects.source == 1)[:, None], 0.0, effects.rate)
    effects = replace(effects, rate=rate)
    silver_same = replace(p, flows=flows, usage=usage, migration_effects=effects)
    explanation = explained(tmp_path, plan(silver_same))
    assert [row[:3] for row in rows(explanation, "actions")] == [("tariff", "up5 (price +5%)", "gold")]
    told = section(explanation, "actions").sentences
    assert "Nothing is said of silver where all options do the same there." in told


def test_what_stands_today_is_no_advice(tmp_path):
    p = portfolio()
    current = p.current.copy()
    current[0] = [100.0, 0.0, 0.0, 100.0]  # gold is on the dearer tariff already
    current[1] = [0.0, 400.0, 400.0, 0.0]  # silver all have the better service, which most will lose
    explanation = explained(tmp_path, plan(replace(p, current=current)))
    assert [(row[0], row[1], row[2], row[4]) for row in rows(explanation, "actions")] == [
        ("service", "as now", "silver", (0.727, 0.76)),
        ("service", "better", "silver", (0.24, 0.273)),
    ]
    assert "Leave as it is today: tariff." in section(explanation, "actions").sentences


def test_segments_treated_alike_share_a_row_under_their_groups_name(tmp_path):
    p = portfolio()
    tariff = replace(p.levers[1], scope="tier", groups=("low", "top"), group_of=np.array([1, 0]))
    explanation = explained(tmp_path, plan(replace(p, levers=(p.levers[0], tariff))))
    assert rows(explanation, "actions")[1][2] == "tier top"


def test_what_it_earns_is_compared_with_today(tmp_path):
    explanation = explained(tmp_path)
    done = plan()
    profit = rows(explanation, "earns")[0]
    assert profit == pytest.approx(
        ("profit", done.today.profit, done.profit, done.profit - done.today.profit)
    )
    assert (
        "1,890.6 thousand RUB more than if all stays as it is today (+10.8%)"
        in section(explanation, "earns").sentences[0]
    )
    assert "proven to within 0.00001%" in " ".join(section(explanation, "earns").sentences)


def test_breaking_limits_by_doing_nothing_is_told(tmp_path):
    rows_today = (RuleRow("keep gold", "", 1, 80.0, "min", 90.0, "customers"),)
    base = plan()
    explanation = explained(tmp_path, replace(base, today=replace(base.today, rows=rows_today)))
    assert (
        "Leaving all as it is would break 1 rule (keep gold in month 1)."
        in section(explanation, "earns").sentences
    )


def test_an_unproven_plan_says_how_much_better_one_could_be(tmp_path):
    feasible = replace(plan(), status="feasible", bound=50_000.0, gap=0.0644)
    text = " ".join(section(explained(tmp_path, feasible), "earns").sentences)
    assert "no plan can be worth more than 50,000 thousand RUB, which is 6.4% above this one" in text


def test_what_limits_it(tmp_path):
    limiting = (
        RuleRow("keep gold", "", 2, 90.0, "min", 90.0, "customers"),
        RuleRow("few silver", "", 2, 410.0, "max", 400.0, "RUB", 7.0),
        RuleRow("loose", "", 2, 1.0, "max", 400.0, "customers"),
    )
    base = plan()
    prices = {**base.shadow_prices, ("keep gold", "", 2): ShadowPrice(-31.0, 80.0, 95.0)}
    solved = replace(base, recount=replace(base.recount, rows=limiting), shadow_prices=prices)
    explanation = explained(tmp_path, solved)
    assert rows(explanation, "resources") == [
        ("hours", 1, 48.0, 48.0, 60.0, 0.0, "hours of service", 12.0, (0.0, 250.0)),
        ("hours", 2, 56.0, 56.0, 60.0, 10.0, "hours of service", 2.352, "50 or more"),
    ]
    assert rows(explanation, "rules") == [
        ("few silver", 2, 410.0, "at most", 400.0, "thousand RUB", None, None),
        ("keep gold", 2, 90.0, "at least", 90.0, "customers", 31.0, (80.0, 95.0)),
    ]
    text = " ".join(section(explanation, "limits").sentences)
    assert (
        "Rule few silver is missed by 10 thousand RUB in month 2, at a penalty of 7 thousand RUB a unit."
        in text
    )
    assert "integers fixed" in text
    assert "integers fixed" not in json_text(explained(tmp_path, replace(solved, prices_from="lp")).as_dict())


def test_room_to_spare_is_told(tmp_path):
    p = portfolio()
    roomy = replace(p, resources=replace(p.resources, capacity=p.resources.capacity * 2))
    explanation = explained(tmp_path, replace(plan(roomy), shadow_prices={}))
    assert "Room to spare: hours (at most 53.8% in use)." in section(explanation, "limits").sentences


@pytest.mark.parametrize("status", ["infeasible", "unbounded", "no_solution", "optimal"])
def test_why_there_is_no_plan(tmp_path, status):
    explanation = explained(tmp_path, plan(passed=False) if status == "optimal" else no_plan(status))
    text = text_of(explanation, io.StringIO())
    assert text.startswith("No plan for 2 months (the horizon of model basic): The hand-made shop")
    expected = {
        "infeasible": "a contradiction: capacity hours and keep gold",
        "unbounded": "without end",
        "no_solution": "--time-limit",
        "optimal": "defect of ours",
    }
    assert expected[status] in text
    assert not SOLVER_WORDS.search(text)


def test_no_word_of_a_solver_and_json_of_the_same_value(tmp_path):
    explanation = explained(tmp_path)
    assert not SOLVER_WORDS.search(text_of(explanation, io.StringIO()))
    sections = json.loads(json_text(explanation.as_dict()))["sections"]
    (table,) = next(part for part in sections if part["name"] == "actions")["tables"]
    assert table["rows"][0]["customers"] == [96.0, 112.0]
    (earns,) = next(part for part in sections if part["name"] == "earns")["tables"]
    assert earns["units"]["plan"] == "thousand RUB"
    assert [part.name for part in explanation.brief().sections] == ["earns", "actions", "limits", "checked"]


def test_the_list_of_runs(tmp_path):
    runs = [read_run(written(tmp_path, of)) for of in (plan(), no_plan(), plan(passed=False))]
    listed = rows(run_list(runs), "runs")
    assert listed[0][1:] == ("best plan", "19,322 thousand RUB", "+1,890.6 thousand RUB")
    assert [row[1] for row in listed[1:]] == ["no plan keeps the rules", "not certified"]
