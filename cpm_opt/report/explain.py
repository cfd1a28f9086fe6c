"""The explanation of a run: what to do, what it earns, what limits it, how it was checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cpm_opt.report.actions import actions
from cpm_opt.report.earns import earns
from cpm_opt.report.explanation import NUMBER, SHARE, Column, Explanation, Section, Table
from cpm_opt.report.flips import FLIPS_TITLE, advice_of, flips_section
from cpm_opt.report.limits import limits
from cpm_opt.report.waterfall import STEP_WORDS as STEP_WORDS  # told to pages, too
from cpm_opt.report.waterfall import waterfall_section
from cpm_opt.report.ways_out import ways_out
from cpm_opt.report.words import Units, amount, counted, names
from cpm_opt.runs.record import RUN_FILE, RunRecord

if TYPE_CHECKING:
    from cpm_opt.study.advice import Advice

ALLOWED = 1e-6
FRONTIER = "frontier"
OUT_OF_TIME = "the time limit was reached before any plan"  # how the search says so


def explain(
    run: RunRecord, advice: Advice | None = None, greedy: Mapping[str, Any] | None = None
) -> Explanation:
    """Explains a run from its folder alone; with what was looked into by solving again, if that is given: what would
    change the advice (which a run may hold, too), and the greedy plan's figures. Raises InputError where the folder is
    damaged."""
    facts = run.facts
    try:
        units = Units(facts["instance"])
        title = _title(facts, units)
        sections = _plan_sections(run, units, advice, greedy) if run.shown else [_no_plan(run)]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise run.damaged(RUN_FILE, "lacks a figure or holds a wrong one") from error
    return Explanation(run.id, run.status, title, tuple(sections))


def _title(facts: Mapping[str, Any], units: Units) -> str:
    instance, model = facts["instance"], facts["model"]
    what = "Plan" if facts["certificate"]["passed"] else "No plan"
    horizon = f"{units.horizon} (the horizon of model {model['name']})"
    return f"{what} for {horizon}: {instance['title'] or instance['name']}"


def _plan_sections(
    run: RunRecord, units: Units, advice: Advice | None, greedy: Mapping[str, Any] | None
) -> list[Section]:
    scopes = {str(lever["name"]): str(lever["scope"]) for lever in run.facts["portfolio"]["levers"]}
    told = run.facts.get("advice")
    known = advice_of(told) if advice is None and told else advice
    return [
        earns(run, units, greedy),
        *_uncertain(run, units),
        actions(run, units),
        limits(run, units),
        _unexplored(run) if known is None else _explored(run, flips_section(known, units, scopes)),
        waterfall_section(run, units),
        _checked(run, units),
        *_remarks(run),
    ]


def _unexplored(run: RunRecord) -> Section:
    """How to find out what only solving again can tell; of a point of a frontier nothing under its bound."""
    if run.study == FRONTIER:
        told = "This plan keeps a bound of its frontier, under which nothing is solved again (`cpm explain --deep`)."
        return Section("flips", FLIPS_TITLE, (told,), brief=False)
    how = (
        f"`cpm explain {run.id} --deep` solves again to tell how far estimates may err before a choice changes, what "
        "the next best choice is, and what knowing an effect better would be worth."
    )
    return Section("flips", FLIPS_TITLE, (how,), brief=False)


def _explored(run: RunRecord, found: Section) -> Section:
    """What solving again told; of a point of a frontier, that its bound was not kept there."""
    if run.study != FRONTIER:
        return found
    told = "This plan keeps a bound of its frontier; what follows is judged without that bound."
    return replace(found, sentences=(told, *found.sentences))


def _uncertain(run: RunRecord, units: Units) -> list[Section]:
    """What the plan brings in each scenario; nothing where nothing is uncertain."""
    scenarios = run.facts["scenarios"]
    if not scenarios:
        return []
    worst = min(scenarios, key=lambda each: (each["objective"], each["scenario"]))
    sentences = (
        f"It does worst in {worst['scenario']}, with {units.worth(worst['profit'])} of profit.",
        "What has to be decided now is the same in every scenario; what comes later may answer to it.",
    )
    columns = (
        Column("scenario", "scenario"),
        Column("probability", "probability", SHARE),
        Column("profit", "profit", NUMBER, units.money),
        Column(
            "end_value", f"value of the customers after {units.period} {units.periods}", NUMBER, units.money
        ),
        Column("objective", "all that counts", NUMBER, units.money),
        Column("today_profit", "profit as today", NUMBER, units.money),
    )
    rows = tuple(tuple(each[column.key] for column in columns) for each in scenarios)
    table = Table("scenarios", columns, rows, file="scenarios.csv")
    return [Section("scenarios", "If things turn out otherwise", sentences, (table,))]


def _checked(run: RunRecord, units: Units) -> Section:
    certificate = run.facts["certificate"]
    sentences = (
        f"Recomputed from the tables alone, all {counted(certificate['checked'], 'condition')} of the plan hold; none "
        f"is missed by more than {amount(ALLOWED)} of its limit.",
        f"The recomputed total is {units.worth(certificate['objective'])}.",
    )
    return Section("checked", "How it was checked", sentences)


def _remarks(run: RunRecord) -> list[Section]:
    notes = [str(note) for note in run.facts["notes"]]
    doubts = [
        ": ".join(str(part) for part in (warning["table"], warning["message"]) if part)
        for warning in run.facts["warnings"]
    ]
    if not notes and not doubts:
        return []
    return [Section("remarks", "Worth knowing", (*notes, *doubts), brief=False)]


def _no_plan(run: RunRecord) -> Section:
    facts = run.facts
    sentences: list[str]
    if run.status == "infeasible":
        told = facts["conflict"], bool(facts.get("irreducible")), run.study
        sentences = _infeasible(*told, facts["model"]["components"])
    elif run.status == "unbounded":
        sentences = [
            "The profit can grow without end, so there is no best plan.",
            "Something earns money that nothing limits: look for a missing capacity, cost or limit.",
        ]
    elif run.status == "no_solution":
        sentences = ["The time ran out before any plan was found.", "Allow more with --time-limit."]
    else:
        sentences = [
            "A plan was found but did not pass its check, so it is not shown. This is a defect of ours.",
            f"The check failed at {facts['certificate']['where'] or 'the figures'}.",
        ]
    # That the limit was reached before any plan is said already.
    if facts["message"] and run.status == "no_solution" and not facts["message"].startswith(OUT_OF_TIME):
        sentences.append(f"({facts['message']})")
    return Section("no_plan", "Why there is none", tuple(sentences))


def _infeasible(
    conflict: Sequence[str], irreducible: bool, study: str, components: Collection[str]
) -> list[str]:
    """Which rules are in the way; `irreducible` where each of them is needed for the contradiction, which is not looked
    into at points of a study."""
    sentences = ["No plan keeps all the rules."]
    if len(conflict) == 1:
        sentences.append(f"Not even this one alone can be kept: {conflict[0]}.")
    elif conflict and irreducible:
        sentences.append(f"These contradict each other: {names(conflict, 20)}.")
        sentences.append("Each of them is needed for that: without any one of them the others can be kept.")
    elif conflict:
        sentences.append(f"Among these there is a contradiction: {names(conflict, 20)}.")
        unknown = "The time ran out before it was known which of them are needed for it."
        if study:
            unknown = f"Which of them are needed for it is not looked into at points of a {study}; `cpm solve` does."
        sentences.append(unknown)
    elif irreducible:
        sentences.append(
            "No single rule is to blame: what levers offer and hold, and how customers move, do not fit."
        )
    one = "it" if len(conflict) == 1 else "one of them" if conflict else "a rule"
    stated = ways_out(conflict, components)
    if len(stated) < len(conflict) or not conflict:
        among = "one of the others" if stated else one
        sentences.append(f"Ease {among}, give it a penalty, or allow more capacity.")
        sentences.append("`cpm repair` finds the cheapest changes.")
    return sentences + stated
