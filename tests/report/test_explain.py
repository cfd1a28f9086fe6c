"""The explanation: what to do, what it earns, what limits it, every figure with its unit, and no solver's words."""

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from cpm_opt.formulation.audit import RuleRow
from cpm_opt.formulation.components import Balance, Capacity
from cpm_opt.formulation.draft import Weights
from cpm_opt.portfolio.portfolio import BalanceRule
from cpm_opt.report import explain, run_list, text_of
from cpm_opt.runs import read_run, write_run
from cpm_opt.runs.columns import LATER
from cpm_opt.runs.plain import json_text
from cpm_opt.solve.plan import Plan, ShadowPrice
from cpm_opt.solve.recount import doing_nothing, recount
from tests.handmade import FACTS, no_plan, plan, portfolio, written

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


def test_a_price_is_told_against_that_of_today_not_of_the_base(tmp_path):
    dear_today = replace(portfolio(), price_change=np.array([0.0, 0.0, 0.2, 0.05]))
    assert rows(explained(tmp_path, plan(dear_today)), "actions")[1][1] == "up5 (price -12.5%)"


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


def test_what_eases_a_rule_that_is_no_row_of_a_table_is_named(tmp_path):
    def told(*conflict: str, **components: object) -> str:
        none = replace(no_plan(conflict=conflict), irreducible=True)
        facts = replace(FACTS, resolved={**FACTS.resolved, "components": components})
        return " ".join(section(explain(write_run(tmp_path, none, facts)), "no_plan").sentences)

    credit = "To ease cash credit, change components.cash.credit_limit or opening."
    assert told("cash credit", cash={}).endswith(
        f"Not even this one alone can be kept: cash credit. {credit}"
    )
    mixed = told("capacity hours", "concentration top 2", "lock tariff=last", concentration={}, locked={})
    assert "Ease one of the others, give it a penalty, or allow more capacity. `cpm repair` finds" in mixed
    assert "To ease concentration top 2, change components.concentration.top_share or top_k." in mixed
    assert "To ease lock tariff=last, change --lock." in mixed
    # A rule of table balance may have such a name; without the component it is one.
    assert "components.cash" not in told("cash credit", capacity={})


def test_that_the_time_ran_out_is_told_once(tmp_path):
    late = replace(
        no_plan("no_solution"), message="the time limit was reached before any plan; allow more time"
    )
    assert section(explained(tmp_path, late), "no_plan").sentences == (
        "The time ran out before any plan was found.",
        "Allow more with --time-limit.",
    )


def test_where_no_limit_is_reached_those_in_the_way_of_whole_choices_are_named(tmp_path):
    p = portfolio()
    roomy = replace(p, resources=replace(p.resources, capacity=p.resources.capacity * 2))
    rule = BalanceRule(
        "more", "margin", -1, "all", np.array([True, True]), "min", 9500.0, "amount", 1, 1, None, None
    )
    p = replace(roomy, balance=(rule,))  # 9,000 as today, 9,968 in the plan
    base, rules, weights = plan(p), (Capacity(), Balance()), Weights(discount_rate=0.02)
    done, today = (recount(p, each, rules, weights)[0] for each in (base.decisions, doing_nothing(p)))
    kept = replace(base, recount=done, today=today, shadow_prices={})
    assert section(explained(tmp_path, kept), "limits").sentences[1:] == (
        "No capacity and no rule is at its limit.",
        "Choices of groups are taken whole, so a limit with room to spare may still rule out a better one; staying as "
        "today is ruled out by more.",
    )


def test_rules_on_shares_and_means_are_told_as_they_are_stated(tmp_path):
    p = portfolio()
    members = np.array([True, False])
    few = BalanceRule("few gold", "margin", -1, "gold", members, "max", 0.9, "share", 1, 2, None, None)
    mean = BalanceRule("worth", "margin", -1, "gold", members, "min", 10.0, "mean", 1, 2, None, None)
    base = plan(replace(p, balance=(few, mean)))
    rules, weights = (Balance(),), Weights(discount_rate=0.02)
    done, _, _ = recount(base.portfolio, base.decisions, rules, weights)
    path = written(tmp_path, replace(base, recount=done, shadow_prices={}, prices_from=""))
    with (path / "rules.csv").open() as stream:
        table = list(csv.DictReader(stream))
    margin = done.flows["margin"]
    share, each = margin[0, 0] / margin[:, 0].sum(), margin[0, 0] / done.customers[0, 0]
    assert float(table[0]["share"]) == pytest.approx(share)
    assert (table[0]["share_limit"], table[0]["mean"], table[2]["mean_limit"]) == ("0.9", "", "10")
    assert float(table[2]["mean"]) == pytest.approx(each)
    told = " ".join(section(explain(read_run(path)), "limits").sentences)
    assert re.search(r"few gold is [\d.]+( to [\d.]+)?% \(has to be at most 90%\)", told)
    assert re.search(r"worth is [\d.]+ thousand RUB a customer \(has to be at least 10\)", told)
    # A run from before there were these columns is read all the same.
    old = [{key: row[key] for key in row if key not in LATER["rules"]} for row in table]
    with (path / "rules.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(old[0]))
        writer.writeheader()
        writer.writerows(old)
    assert "Rules on shares" not in " ".join(section(explain(read_run(path)), "limits").sentences)


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
    wide = replace(plan(), gap=0.02)
    runs = [read_run(written(tmp_path, of)) for of in (plan(), no_plan(), plan(passed=False), wide)]
    listed = rows(run_list(runs), "runs")
    assert listed.pop()[1] == "best within its gap"
    assert listed[0][1:] == ("best plan", "19,322 thousand RUB", "+1,890.6 thousand RUB", "")
    assert [row[1] for row in listed[1:]] == ["no plan keeps the rules", "not certified"]
